"""One event of the API server's audit log: what came out of it, and when."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from chaos.faults import AGAIN, LATE

Event = Mapping[str, Any]


def seconds(text: str) -> float:
    """A time as the API server or the operator writes it, in seconds since 1970."""
    return datetime.fromisoformat(text).timestamp()


def is_done(event: Event) -> bool:
    """Whether something was really done."""
    code = (event.get("responseStatus") or {}).get("code", 0)
    return event.get("stage") == "ResponseComplete" and 200 <= code < 300 and "dryRun" not in event.get("requestURI", "")


def done(event: Event) -> float:
    """When the API server had answered."""
    return seconds(event["stageTimestamp"])


def sent(event: Event) -> float:
    """When the API server got it."""
    return seconds(event["requestReceivedTimestamp"])


def came_out(event: Event) -> Mapping[str, Any]:
    """The object as it was afterwards; empty where none came out."""
    found = event.get("responseObject") or {}
    return found if "metadata" in found and found.get("kind") != "Status" else {}


def version_of(found: Mapping[str, Any]) -> int:
    """The resourceVersion of an object."""
    return int(found["metadata"]["resourceVersion"])


def deleted_uid(event: Event, found: Mapping[str, Any]) -> str:
    """Which object was deleted."""
    if found:
        return str(found["metadata"]["uid"])
    details = (event.get("responseObject") or {}).get("details") or {}
    return str(details.get("uid") or event["objectRef"].get("uid", ""))


def is_held_up(event: Event) -> bool:
    """Whether the network repeated it, or held it up."""
    return any(mark in event.get("userAgent", "") for mark in (AGAIN, LATE))
