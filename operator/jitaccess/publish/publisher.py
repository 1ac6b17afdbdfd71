"""Publishing: each transition to every sink, behind the writes. A new sink is called from here."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import replace

from jitaccess.domain.model import AccessRequest, Key
from jitaccess.domain.recorded import Entry, State
from jitaccess.domain.text import format_time
from jitaccess.kube.clock import utcnow
from jitaccess.manifests.gone import last_record
from jitaccess.manifests.resources import Resource
from jitaccess.publish.events import Announcer, News
from jitaccess.publish.metrics import Metrics
from jitaccess.publish.transitions import Transition, transitions

log = logging.getLogger(__name__)


class Publisher:
    """Tells the log, the Events of a cluster, the metrics and whoever notifies what has been recorded."""

    def __init__(
        self,
        announcer: Announcer,
        metrics: Metrics | None = None,
        hear: Callable[[Transition], None] = lambda _: None,
    ) -> None:
        self._announcer = announcer
        self._hear = hear  # whoever tells people; it only queues
        self.metrics = metrics or Metrics()  # for what is no transition

    def publish(self, resource: Resource, request: AccessRequest, news: Iterable[Entry]) -> None:
        """Tell what has just been recorded of a request."""
        for transition in transitions(resource, request, news):
            _log(transition)
            self.metrics.happened(transition)
            self._hear(transition)
            if transition.entry.reason != "Requested":  # which the requester knows
                words = _words(transition.entry)
                self.tell(News(resource, request.key, request.uid, transition.entry.reason, words, transition.warning))

    def tell(self, news: News) -> None:
        """Post an Event about something that is no request."""
        self._announcer.tell(news)

    def deleted(self, resource: Resource, key: Key, uid: str, gone: AccessRequest | None, remains: str) -> None:
        """Tell of an open request that was deleted, and its record with it: all that is known of it, in one line."""
        facts = {"request": str(key), "uid": uid, "reason": "RequestDeleted"}
        words = (_last_words(gone) if gone else "nothing is known of it but its name") + (f"; {remains}" if remains else "")
        log.warning("request deleted: %s", words, extra=facts | (_facts(gone) if gone else {}))
        message, left = f"the record of this request was deleted: {words}", last_record(gone) if gone else ""
        self.tell(News(resource, key, uid, "RequestDeleted", message, warning=True, record=left))
        if gone:
            state = State.REVOKED if gone.state is State.ACTIVE else State.WITHDRAWN
            end = Entry(utcnow(), state, "RequestDeleted", "the request, and with it the record, was deleted")
            self._hear(Transition(resource, replace(gone, recorded=replace(gone.recorded, state=state)), end))


def _log(transition: Transition) -> None:
    entry, request = transition.entry, transition.request
    facts = {"request": str(request.key), "uid": request.uid, "state": entry.state.value, "reason": entry.reason}
    people = {"by": entry.by, "note": entry.message}
    level = logging.WARNING if transition.warning else logging.INFO
    log.log(level, "request %s", entry.reason, extra=facts | people | _facts(request))


def _facts(request: AccessRequest) -> dict[str, str]:
    until = request.recorded.expires_at
    facts = {"requester": request.requester, "role": str(request.role), "policy": str(request.policy)}
    return facts | ({"ticket": request.ticket} if request.ticket else {}) | ({"expires_at": format_time(until)} if until else {})


def _words(entry: Entry) -> str:
    """An Event has no field for who decided."""
    return f"by {entry.by}: {entry.message}" if entry.by and not entry.message.startswith(entry.by) else entry.message


def _last_words(request: AccessRequest) -> str:
    asked = f"{request.requester} asked for {request.role} under {request.policy} because of: {request.reason}"
    asked += f" (ticket {request.ticket})" if request.ticket else ""
    if request.state is not State.ACTIVE or request.recorded.expires_at is None:
        return f"{asked}; it was {request.state}"
    by = ", ".join(signed.by for signed in request.recorded.approvals) or "the policy"
    return f"{asked}; approved by {by}, and Active until {format_time(request.recorded.expires_at)}"
