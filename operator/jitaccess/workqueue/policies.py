"""The policies that the watch has reported, and for which version of each its requests were looked at."""

from collections.abc import Iterable

from jitaccess.domain.model import AccessPolicy, Key
from jitaccess.workqueue.versions import Version, version_of, version_of_policy


class Policies:
    """The policies of one kind, as the watch reported them: hints, not the truth."""

    def __init__(self) -> None:
        self._known: dict[Key, AccessPolicy] = {}
        self._heeded: dict[Key, Version] = {}

    def heed(self, key: Key, version: Version | None) -> bool:
        """Remember that the requests under a policy are looked at for this version of it; False if they were already."""
        if version is not None and self._heeded.get(key) == version:
            return False
        if version is None:
            self._heeded.pop(key, None)
        else:
            self._heeded[key] = version
        return True

    def heed_all(self) -> None:
        """All requests are about to be compared with the policies as they are: none needs a look for its policy's sake."""
        self._heeded = {key: version_of_policy(policy) for key, policy in self._known.items()}

    def get(self, key: Key) -> AccessPolicy | None:
        """The policy as the watch reported it last."""
        return self._known.get(key)

    def all(self) -> list[Key]:
        """All policies that are known at this moment."""
        return list(self._known)

    def each(self) -> Iterable[AccessPolicy]:
        """All policies as the watch reported them last, at this moment."""
        return self._known.values()

    def see(self, policy: AccessPolicy) -> bool:
        """Remember a policy as it is now; False if it is no news."""
        known = self._known.get(policy.key)
        if known and 0 <= version_of(policy.resource_version) <= version_of(known.resource_version):
            return False
        self._known[policy.key] = policy
        return True

    def forget(self, key: Key) -> None:
        """Drop a policy that is gone."""
        self._known.pop(key, None)
