"""The next record of a lock: what became of it, as history, conditions and fields. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from jitaccess.domain.approved import quoted
from jitaccess.domain.locks import Lock, LockEntry, LockRecorded, LockState
from jitaccess.domain.recording import merged_conditions
from jitaccess.domain.text import format_time

WIDEST = 100  # characters; the spec has them all


def next_lock_record(lock: Lock, ended: int, now: datetime) -> LockRecorded:
    """The record after a look, `ended` grants after the last one; exactly the recorded one when nothing is new."""
    old, state = lock.recorded, lock.state_at(now)
    entry = _entry(lock, state, now)
    held = ("True", entry.reason, entry.message) if state is LockState.ACTIVE else ("False", entry.reason, entry.message)
    return replace(
        old,
        generation=lock.generation,
        state=state,
        who=_in_brief(lock.subjects),
        settled_at=None if state is LockState.ACTIVE else old.settled_at or now,
        ended=old.ended + ended,
        history=old.history if state is old.state else (*old.history, entry),
        conditions=merged_conditions(old.conditions, {"InForce": held}, lock.generation, now),
    )


def _entry(lock: Lock, state: LockState, now: datetime) -> LockEntry:
    if state is LockState.LIFTED and lock.lifted:
        return LockEntry(now, state, "Lifted", lock.lifted.reason, lock.lifted.by)
    if state is LockState.OVER and lock.until:
        return LockEntry(now, state, "TimeIsUp", f"it was to end at {format_time(lock.until)}")
    return LockEntry(now, state, "Locked", lock.reason, lock.by)


def _in_brief(people: Sequence[str]) -> str:
    """All of them, or as many as a column has room for, the first in any case, and how many there are besides."""
    first, *others = [quoted(each) for each in people] or [""]
    shown = [first]
    for each in others:
        if sum(map(len, shown)) + 2 * len(shown) + len(each) > WIDEST:
            break
        shown.append(each)
    left = len(people) - len(shown)
    return ", ".join(shown) + (f" and {left} more" if left else "")
