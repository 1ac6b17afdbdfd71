"""Requests that somebody deleted before they were over: their record went with them, and the operator's Event is what is left."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from jitaccess.domain.model import Key, Manifest
from jitaccess.domain.text import parse_time
from jitaccess.manifests.gone import parse_last_record
from jitaccess.manifests.kinds import CLUSTER_ACCESS_REQUEST
from jitaccess.manifests.resources import Resource

OF_THE_CLUSTER = "default"  # where Kubernetes keeps the Events of what is in no namespace


def deletions_of(requests: Resource) -> str:
    """The field selector of the Events that report them."""
    return f"reason=RequestDeleted,involvedObject.kind={requests.kind}"


@dataclass(frozen=True, slots=True)
class Deletion:
    """A request that is gone, as an Event reports it. Whoever may write Events can write such a one: it proves nothing."""

    request: Key
    uid: str
    at: datetime
    message: str
    known: dict[str, Any] = field(default_factory=dict)  # by the fields of an export


def read_deletion(event: Manifest) -> Deletion:
    """What an Event with that reason reports."""
    metadata, gone = event["metadata"], event["involvedObject"]
    at = parse_time(event.get("lastTimestamp") or metadata["creationTimestamp"])
    known = parse_last_record(metadata.get("annotations") or {})
    namespace = "" if gone.get("kind") == CLUSTER_ACCESS_REQUEST.resource.kind else metadata["namespace"]
    return Deletion(Key(namespace, gone.get("name", "")), gone.get("uid", ""), at, event.get("message", ""), known)
