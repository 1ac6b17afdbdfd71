"""Locks, as the plugin makes, lifts and lists them: through the API server's own checks, like all else."""

from typing import TYPE_CHECKING, Any

from jitaccess.cli.api.errors import NotFound, NotInstalled, Refused
from jitaccess.cli.api.paging import pages
from jitaccess.domain.locks import Lock
from jitaccess.domain.model import API_VERSION, Key, Manifest
from jitaccess.domain.text import lower_ascii
from jitaccess.manifests.locks import parse_lock
from jitaccess.manifests.resources import LOCKS, OPEN

if TYPE_CHECKING:
    from jitaccess.cli.api.connect import Connection


def lock_manifest(name: str, people: tuple[str, ...], reason: str, by: str, until: str) -> dict[str, Any]:
    """The AccessLock as the API server gets it; an empty `until` is until somebody lifts it."""
    return {
        "apiVersion": API_VERSION,
        "kind": LOCKS.kind,
        "metadata": {"name": name},
        "spec": {
            "subjects": [{"kind": "User", "name": person} for person in people],
            "reason": reason,
            "by": by,
            **({"until": until} if until else {}),
        },
    }


def make_lock(connection: "Connection", manifest: Manifest, *, dry_run: bool = False) -> Manifest:
    """Make a lock, or ask the API server whether it would let me."""
    query = {"fieldValidation": "Strict"} | ({"dryRun": "All"} if dry_run else {})
    made: Manifest = connection.post(LOCKS.path(), manifest, **query)
    return made


def read_lock(connection: "Connection", name: str) -> Manifest:
    """Read a lock; NotFound if there is none."""
    found: Manifest = connection.get(LOCKS.path(Key("", name)))
    return found


def lift_lock(connection: "Connection", name: str, by: str, reason: str) -> Manifest:
    """Lift a lock, for good."""
    lifted: Manifest = connection.patch(LOCKS.path(Key("", name)), {"spec": {"lifted": {"by": by, "reason": reason}}})
    return lifted


def list_locks(connection: "Connection", *, settled: bool = False) -> list[Manifest]:
    """The locks that hold, or all that are on record, the newest first."""
    items = [item for page in pages(connection, LOCKS.path(), "" if settled else OPEN) for item in page["items"]]
    return sorted(items, key=lambda item: str(item["metadata"]["creationTimestamp"]), reverse=True)


def locks_on(connection: "Connection", *people: str) -> list[Lock]:
    """The locks on any of these that hold; none where they are not mine to read, or of an older jitaccess."""
    try:
        found = [parse_lock(item) for item in list_locks(connection)]
    except (Refused, NotFound, NotInstalled):
        return []
    return [lock for lock in found if lock.lifted is None and not lock.people.isdisjoint(map(lower_ascii, people))]
