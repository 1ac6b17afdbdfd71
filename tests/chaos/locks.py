"""Locks as the audit log tells of them: who is locked, and from when until when at least."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(slots=True)
class Lock:
    """One lock: it holds from `at`, when it was there for sure, until `over`, the first moment at which it may have been none."""

    name: str
    people: frozenset[str]
    at: float
    over: float = float("inf")


def fold(name: str) -> str:
    """The person behind a name: A to Z are a to z, and nothing else is."""
    return name.encode().lower().decode()


def read_lock(locks: dict[str, Lock], found: Mapping[str, Any], sent: float, done: float) -> None:
    """A write of a lock."""
    if not found:
        return
    spec, metadata = found["spec"], found["metadata"]
    people = frozenset(fold(subject["name"]) for subject in spec["subjects"])
    until = datetime.fromisoformat(spec["until"]).timestamp() if spec.get("until") else float("inf")
    lock = locks.setdefault(metadata["uid"], Lock(metadata["name"], people, done, until))
    if spec.get("lifted"):
        lock.over = min(lock.over, sent)


def locks_on(locks: Iterable[Lock], name: str) -> Iterator[Lock]:
    """The locks on somebody, whenever they held."""
    return (lock for lock in locks if fold(name) in lock.people)


def locked_throughout(locks: Iterable[Lock], name: str, since: float, until: float) -> bool:
    """Whether one lock held on somebody from before `since` until after `until`."""
    return any(lock.at < since and lock.over > until for lock in locks_on(locks, name))
