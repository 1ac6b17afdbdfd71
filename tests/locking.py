"""Locks on a real system: made by its administrator, and lifted again, since a lock is about people and not about a namespace."""

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from team import Place, eventually

LOCKS = "accesslocks"

_numbers = itertools.count(1)


def lock_manifest(*people: str, name: str = "", **spec: Any) -> dict[str, Any]:
    """An AccessLock on these people; None leaves a field out."""
    fields = {"subjects": [{"kind": "User", "name": each} for each in people], "reason": "INC-7 stolen laptop", **spec}
    return {
        "apiVersion": "jitaccess.dev/v1alpha1",
        "kind": "AccessLock",
        "metadata": {"name": name or f"lock-{os.getpid()}-{next(_numbers)}"},
        "spec": {field: value for field, value in fields.items() if value is not None},
    }


def lock(place: Place, *people: str, by: str = "admin", **spec: Any) -> str:
    """Lock these people; returns the name of the lock."""
    stamp = {} if place.stamped else {"by": by}
    made = place.person(by).create(LOCKS, lock_manifest(*people, **stamp | spec)).sure()
    return str(made["metadata"]["name"])


def lift(place: Place, name: str, by: str = "admin") -> None:
    """Lift a lock, and wait until that is on record."""
    lifted = {"reason": "a drill"} | ({} if place.stamped else {"by": by})
    place.person(by).merge(LOCKS, name, {"spec": {"lifted": lifted}}).sure()
    eventually(lambda: place.status(name, LOCKS).get("settled"), f"lock {name} is settled")


@contextmanager
def locked(place: Place, *people: str, **spec: Any) -> Iterator[str]:
    """While these people are locked."""
    name = lock(place, *people, **spec)
    try:
        yield name
    finally:
        if not place.status(name, LOCKS).get("settled"):
            lift(place, name)
