"""Locks as Kubernetes writes them, both ways; what is in their status is decided in domain/locking.py."""

from typing import Any

from jitaccess.domain.locks import Lifted, Lock, LockEntry, LockRecorded, LockState
from jitaccess.domain.model import Manifest
from jitaccess.domain.text import format_time, parse_time
from jitaccess.manifests.status import condition_status, parse_conditions

LOCKED_GRANTS = "locked-grants.jitaccess.dev"  # the admission policy by which nothing begins for who is locked


def parse_lock(manifest: Manifest) -> Lock:
    """Read a lock. An `until` that cannot be read is none: the lock holds until somebody lifts it."""
    metadata, spec = manifest["metadata"], manifest.get("spec") or {}
    lifted = spec.get("lifted")
    try:
        until = parse_time(spec["until"]) if "until" in spec else None
    except ValueError:
        until = None
    return Lock(
        name=metadata["name"],
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
        generation=metadata.get("generation", 1),
        subjects=tuple(str(each.get("name", "")) for each in spec.get("subjects") or ()),
        reason=spec.get("reason", ""),
        by=spec.get("by", ""),
        until=until,
        lifted=Lifted(lifted.get("by", ""), lifted.get("reason", "")) if lifted else None,
        recorded=_parse_recorded(manifest.get("status") or {}),
    )


def lock_status(recorded: LockRecorded) -> dict[str, Any]:
    """The whole status of a lock."""
    status = {
        "observedGeneration": recorded.generation,
        "state": recorded.state and recorded.state.value,
        "summary": {"subjects": recorded.who} if recorded.who else None,
        "settled": recorded.settled_at is not None,
        "settledAt": format_time(recorded.settled_at) if recorded.settled_at else None,
        "endedGrants": recorded.ended,
        "history": [_entry(entry) for entry in recorded.history],
        "conditions": [condition_status(condition) for condition in recorded.conditions],
    }
    return {field: value for field, value in status.items() if value is not None}


def _parse_recorded(status: Manifest) -> LockRecorded:
    return LockRecorded(
        generation=status.get("observedGeneration", 0),
        state=_state(status.get("state", "")),
        who=(status.get("summary") or {}).get("subjects", ""),
        settled_at=parse_time(status["settledAt"]) if status.get("settledAt") else None,
        ended=status.get("endedGrants", 0),
        history=tuple(_parse_entry(entry) for entry in status.get("history") or ()),
        conditions=parse_conditions(status),
    )


def _entry(entry: LockEntry) -> dict[str, Any]:
    told = {"at": format_time(entry.at), "state": entry.state.value, "reason": entry.reason, "message": entry.message}
    return told | ({"by": entry.by} if entry.by else {})


def _parse_entry(entry: Manifest) -> LockEntry:
    at, state = parse_time(entry["at"]), _state(entry["state"]) or LockState.ACTIVE
    return LockEntry(at, state, entry["reason"], entry.get("message", ""), entry.get("by", ""))


def _state(text: str) -> LockState | None:
    """None for what a newer jitaccess wrote: whether it holds is then asked of the lock itself."""
    return LockState(text) if text in list(LockState) else None
