"""What is open, in a few words an object: the operator's memory follows open requests, not history, and never holds bodies."""

from collections.abc import Iterator
from dataclasses import dataclass

from jitaccess.domain.model import AccessPolicy, AccessRequest, Key, RoleRef, State


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
        self._policies: dict[Key, AccessPolicy] = {}
        self._news: dict[Key, AccessRequest] = {}  # as the watch told it, until somebody looks

    def __len__(self) -> int:
        return len(self._requests)

    def get(self, key: Key) -> Open | None:
        """The open request of that key, if any."""
        return self._requests.get(key)

    def see(self, request: AccessRequest) -> bool:
        """Remember a request as it is now; False if it is no news (an echo of our own write, or older)."""
        known = self._requests.get(request.key)
        version = version_of(request.resource_version)
        if known and known.uid != request.uid:
            return True  # made again: the access of the one before must end first, and for that it must be known
        if known and 0 <= version <= known.version:
            return False
        self.remember(request, request.resource_version, request.state)
        if not request.state.settled:
            self._news[request.key] = request
        return True

    def take(self, key: Key) -> AccessRequest | None:
        """The request as the watch told it since it was last taken, if it did; a hint, not the truth."""
        return self._news.pop(key, None)

    def policy(self, key: Key) -> AccessPolicy | None:
        """The policy as the watch told it last; a hint, not the truth."""
        return self._policies.get(key)

    def policies(self) -> list[Key]:
        """All policies that are known at this moment."""
        return list(self._policies)

    def see_policy(self, policy: AccessPolicy) -> bool:
        """Remember a policy as it is now; False if it is no news."""
        known = self._policies.get(policy.key)
        if known and 0 <= version_of(policy.resource_version) <= version_of(known.resource_version):
            return False
        self._policies[policy.key] = policy
        return True

    def forget_policy(self, key: Key) -> None:
        """Drop a policy that is gone."""
        self._policies.pop(key, None)

    def remember(self, request: AccessRequest, resource_version: str, state: State) -> None:
        """Remember what was just read or written, so that its echo is no news."""
        if state.settled:
            self.forget(request.key)
            return
        self._unlink(request.key)
        record = Open(request.uid, version_of(resource_version), request.policy, request.role, state is State.ACTIVE)
        self._requests[request.key] = record
        self._by_policy.setdefault(request.policy, set()).add(request.key)

    def distrust(self) -> None:
        """Drop what the watch told and nobody has looked at: it may be older than what another replica has done since."""
        self._news.clear()

    def forget(self, key: Key) -> None:
        """Drop a request that is settled or gone."""
        self._news.pop(key, None)
        self._unlink(key)

    def _unlink(self, key: Key) -> None:
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
