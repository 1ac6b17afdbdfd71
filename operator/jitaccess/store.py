"""What is open, in a few words an object: the operator's memory follows open requests, not history, and never holds bodies."""

from collections.abc import Iterator
from dataclasses import dataclass

from jitaccess.model import AccessRequest, Key, RoleRef, State


@dataclass(frozen=True, slots=True)
class Open:
    """One request that is not settled."""

    uid: str
    version: int
    policy: Key
    role: RoleRef
    active: bool


def version_of(resource_version: str) -> int:
    """A resourceVersion as a number, comparable since Kubernetes 1.35 by contract and before in fact; -1 if it is none."""
    return int(resource_version) if resource_version.isdecimal() else -1


class Store:
    """The open requests, and which of them name which policy."""

    def __init__(self) -> None:
        self._requests: dict[Key, Open] = {}
        self._by_policy: dict[Key, set[Key]] = {}
        self.policies: dict[Key, int] = {}  # key -> the last version that is no news

    def __len__(self) -> int:
        return len(self._requests)

    def get(self, key: Key) -> Open | None:
        """The open request of that key, if any."""
        return self._requests.get(key)

    def see(self, request: AccessRequest) -> bool:
        """Remember a request as it is now; False if it is no news (an echo of our own write, or older)."""
        known = self._requests.get(request.key)
        version = version_of(request.resource_version)
        if known and known.uid == request.uid and 0 <= version <= known.version:
            return False
        self.wrote(request, request.resource_version, request.state)
        return True

    def see_policy(self, key: Key, resource_version: str) -> bool:
        """Remember a policy as it is now; False if it is no news."""
        version = version_of(resource_version)
        if 0 <= version <= self.policies.get(key, -1):
            return False
        self.policies[key] = version
        return True

    def wrote(self, request: AccessRequest, resource_version: str, state: State) -> None:
        """Remember what was just written, so that its echo is no news."""
        if state.settled:
            self.forget(request.key)
            return
        record = Open(request.uid, version_of(resource_version), request.policy, request.role, state is State.ACTIVE)
        self._requests[request.key] = record
        self._by_policy.setdefault(request.policy, set()).add(request.key)

    def forget(self, key: Key) -> None:
        """Drop a request that is settled or gone."""
        record = self._requests.pop(key, None)
        if record is None:
            return
        dependents = self._by_policy[record.policy]
        dependents.discard(key)
        if not dependents:
            del self._by_policy[record.policy]

    def requests(self) -> list[tuple[Key, Open]]:
        """All open requests, as they are at this moment."""
        return list(self._requests.items())

    def under(self, policy: Key) -> Iterator[Key]:
        """The open requests that name the policy."""
        yield from list(self._by_policy.get(policy, ()))
