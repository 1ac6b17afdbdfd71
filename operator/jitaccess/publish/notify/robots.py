"""What programs are told, as CloudEvents: for an entry of the history the event of the audit stream, else one of our own."""

import uuid
from datetime import datetime

from jitaccess.domain.text import format_time
from jitaccess.manifests.cloudevent import SPEC_VERSION, Event, request_events, source_of
from jitaccess.publish.notify.notice import Notice

NOTICE_TYPE = "dev.jitaccess.notice.v1."  # and the occasion


def event_of(notice: Notice, cluster: str) -> Event:
    """The event; `cluster` is what tells this cluster from others. The same notice gives the same id, whoever makes it."""
    history = notice.request.recorded.history
    if notice.entry in history:
        return request_events(notice.resource, notice.request, cluster)[history.index(notice.entry)]
    return _by_the_clock(notice, cluster)


def _by_the_clock(notice: Notice, cluster: str) -> Event:
    """Of what is no entry of the history: a reminder, an escalation, an end that is near."""
    request, key = notice.request, notice.request.key
    where = {"namespace": key.namespace} if key.namespace else {}
    until = request.recorded.expires_at
    return {
        "specversion": SPEC_VERSION,
        "id": str(uuid.uuid5(uuid.UUID(int=int(notice.mark, 16)), request.uid)),
        "source": source_of(cluster),
        "type": f"{NOTICE_TYPE}{notice.occasion}",
        "subject": f"{notice.resource.plural}/{key}",
        "time": format_time(notice.due),
        "datacontenttype": "application/json",
        "data": {
            "request": {"kind": notice.resource.kind, **where, "name": key.name, "uid": request.uid},
            "requester": {"name": request.requester},
            "role": {"kind": request.role.kind, "name": request.role.name},
            "state": request.state.value,
            "reason": request.reason,
            **({"ticket": request.ticket} if request.ticket else {}),
            **({"until": format_time(until)} if until else {}),
            **({"emergency": True} if request.recorded.review else {}),
        },
    }


def test_event(number: str, now: datetime) -> Event:
    """An event that is about nothing."""
    return {
        "specversion": SPEC_VERSION,
        "id": number,
        "source": "/jitaccess",
        "type": f"{NOTICE_TYPE}Test",
        "time": format_time(now),
        "datacontenttype": "application/json",
        "data": {},
    }
