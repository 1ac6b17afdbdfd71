"""Removing what gives access, whatever keeps it: deleted and seen to be gone, else left standing without effect."""

from collections.abc import Callable
from dataclasses import dataclass

from jitaccess.domain.model import Key, Manifest
from jitaccess.kube.api import Cluster, Conflict, Refused
from jitaccess.manifests.grant import emptied, kept_by
from jitaccess.manifests.resources import Resource


class NotEnded(Exception):
    """The API server lets nobody end this access; the message says what it said. To be tried again, and said loudly."""


@dataclass(frozen=True, slots=True)
class Remains:
    """A binding that stands without subjects: it gives nothing to anybody any more."""

    name: str
    why: str


async def remove(
    cluster: Cluster, resource: Resource, key: Key, is_ours: Callable[[Manifest], bool], known_uid: str = ""
) -> Remains | None:
    """Remove an object of ours; None once it is gone.

    With the UID that it is known to have nothing needs to be read. NotEnded if it can neither be deleted nor emptied. An object
    of that name that is not ours is left alone.
    """
    if known_uid:
        try:
            return await _delete(cluster, resource, key, known_uid)
        except Conflict:
            pass  # recreated since: look at what is there now
    found = await _find(cluster, resource, key, "what stands there cannot be looked at")
    if found is None or not is_ours(found):
        return None
    return await _delete(cluster, resource, key, found["metadata"]["uid"])


async def _delete(cluster: Cluster, resource: Resource, key: Key, uid: str) -> Remains | None:
    try:
        left = await cluster.delete(resource, key, uid)
    except (Refused, Conflict) as error:  # an admission webhook may refuse with any code
        return await _empty(cluster, resource, key, uid, f"its deletion is refused: {error}")
    if left is None:
        return None
    return await _empty(cluster, resource, key, uid, f"finalizers keep it: {kept_by(left)}")


async def _empty(cluster: Cluster, resource: Resource, key: Key, uid: str, why: str) -> Remains | None:
    """Where a binding cannot go, its effect can: RBAC honours one that is being deleted, but not one without subjects."""
    found = await _find(cluster, resource, key, why)
    if found is None:
        return None
    if found["metadata"]["uid"] != uid:
        raise Conflict(f"{resource.kind} {key} was recreated meanwhile")
    if "roleRef" in found and found.get("subjects"):
        try:
            await cluster.replace(resource, key, emptied(found))
        except (Refused, Conflict) as error:
            if await cluster.find(resource, key) is None:
                return None  # gone in the meantime, after all
            raise NotEnded(f"the {resource.kind} {key.name} still stands: {why}; nor can it be emptied: {error}") from error
    return Remains(key.name, why)


async def _find(cluster: Cluster, resource: Resource, key: Key, why: str) -> Manifest | None:
    try:
        return await cluster.find(resource, key)
    except Refused as error:
        raise NotEnded(f"whether the {resource.kind} {key.name} still stands is not known: {why}; {error}") from error


def is_harmless(binding: Manifest) -> bool:
    """Whether a binding gives nothing to anybody."""
    return not binding.get("subjects")
