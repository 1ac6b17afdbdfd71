"""What happened to a request as CloudEvents 1.0: one event for each entry of its history, chained by their hashes. Pure.

An event is made of what never changes once it is there: the spec, the entry, and the entries before it. So the same entry gives
the same event, byte for byte, whenever and by whomever it is made; what is sent again after a crash is the same again.
(docs/events/, docs/adr/0022-the-record-exported.md)
"""

import hashlib
import json
import uuid
from collections.abc import Mapping
from typing import Any

from jitaccess.domain.model import AccessRequest
from jitaccess.domain.recorded import AFTER_THE_END, Entry, State, end_of, said
from jitaccess.domain.text import format_duration, format_time
from jitaccess.manifests.approvals import terms_of
from jitaccess.manifests.resources import Resource

Event = Mapping[str, Any]

SPEC_VERSION = "1.0"
CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
REQUEST_TYPE = "dev.jitaccess.request.v1."  # and the reason of the entry
REQUEST_SCHEMA = "https://jitaccess.dev/events/request.v1.json"
_ASKED = "Requested"


def canonical(event: Event) -> bytes:
    """The event as bytes, the same for equal events: JSON with sorted keys and nothing between (RFC 8785), as it is sent."""
    return json.dumps(event, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def event_hash(event: Event) -> str:
    """The SHA-256 of the canonical bytes: what the next event of the chain names as its `prevHash`."""
    return f"sha256:{hashlib.sha256(canonical(event)).hexdigest()}"


def event_id(uid: str, index: int) -> str:
    """The id of the event about one entry of a request's history: the same whenever it is sent, so duplicates can be dropped."""
    return str(uuid.uuid5(uuid.UUID(uid), str(index)))


def source_of(cluster: str) -> str:
    """The source of all events of a cluster; `cluster` is the UID of its namespace kube-system, which no other cluster has."""
    return f"/clusters/{cluster}"


def request_events(resource: Resource, request: AccessRequest, cluster: str) -> tuple[Event, ...]:
    """The whole story of a request, as far as it is recorded: an event for each entry of the history, oldest first."""
    events: list[Event] = []
    for index in range(len(request.recorded.history)):
        events.append(_event(resource, request, cluster, index, event_hash(events[-1]) if events else None))
    return tuple(events)


def _event(resource: Resource, request: AccessRequest, cluster: str, index: int, previous: str | None) -> Event:
    entry = request.recorded.history[index]
    return {
        "specversion": SPEC_VERSION,
        "id": event_id(request.uid, index),
        "source": source_of(cluster),
        "type": f"{REQUEST_TYPE}{entry.reason}",
        "subject": f"{resource.plural}/{request.key}",
        "time": format_time(entry.at),
        "datacontenttype": "application/json",
        "dataschema": REQUEST_SCHEMA,
        "data": _data(resource, request, index, previous),
    }


def _data(resource: Resource, request: AccessRequest, index: int, previous: str | None) -> dict[str, Any]:
    past = request.recorded.history[: index + 1]
    policy, role = said(past)
    where = {"namespace": request.key.namespace} if request.key.namespace else {}
    policy_where = {"namespace": request.policy.key.namespace} if request.policy.key.namespace else {}
    data: dict[str, Any] = {
        "index": index,
        "prevHash": previous,
        "request": {"kind": resource.kind, **where, "name": request.key.name, "uid": request.uid},
        "requester": {"name": request.requester} | ({"groups": list(request.groups)} if request.groups else {}),
        "reason": request.reason,
        **({"ticket": request.ticket} if request.ticket else {}),
        "duration": format_duration(request.duration),
        "role": {"kind": request.role.kind, "name": request.role.name}
        | ({"uid": role.uid, "rulesHash": role.digest} if role else {}),
        "policy": {"kind": request.policy.kind, **policy_where, "name": request.policy.key.name}
        | ({"uid": policy.uid, "generation": policy.generation} if policy else {}),
        "transition": _transition(past[-1]),
        "decisions": [_decision(entry) for entry in past if entry.by and entry.reason != _ASKED],
    }
    data |= {"startTime": format_time(request.start)} if request.start else {}
    granted = any(entry.state is State.ACTIVE for entry in past)
    emergency = {"emergency": True} if granted and request.recorded.review else {}  # set with the grant, and for ever
    if past[-1].reason in AFTER_THE_END and (end := end_of(past)):
        data["ended"] = {"at": format_time(end.at), "reason": end.reason}
    return data | emergency | ({"grant": _grant(request)} if granted else {})


def _transition(entry: Entry) -> dict[str, Any]:
    told = {"state": entry.state.value, "settled": entry.state.settled, "reason": entry.reason, "message": entry.message}
    return told | ({"by": entry.by} if entry.by else {})


def _decision(entry: Entry) -> dict[str, str]:
    told = {"by": entry.by, "reason": entry.reason, "note": entry.message, "at": format_time(entry.at)}
    return told | terms_of(entry)


def _grant(request: AccessRequest) -> dict[str, str]:
    """What was granted; none of it changes while the grant is on record."""
    recorded = request.recorded
    return {
        "delivery": recorded.delivered_as.value,
        **({"from": format_time(recorded.granted_at)} if recorded.granted_at else {}),
        **({"until": format_time(recorded.expires_at)} if recorded.expires_at else {}),
        **({"binding": recorded.binding.name} if recorded.binding else {}),
        **({"identity": recorded.identity} if recorded.identity else {}),
    }


def as_line(event: Event) -> bytes:
    """One line of a file of events."""
    return canonical(event) + b"\n"
