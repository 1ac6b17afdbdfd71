"""The locks that hold, as the watch reported them, and what they have ended: hints, not the truth."""

from collections import Counter
from collections.abc import Iterable

from jitaccess.domain.locks import Lock, Locks
from jitaccess.domain.text import lower_ascii
from jitaccess.workqueue.versions import version_of


class KnownLocks:
    """The locks that are not settled, by name."""

    def __init__(self) -> None:
        self._known: dict[str, Lock] = {}
        self._heeded: dict[str, str] = {}  # the UID of each lock for which the requests of its people were looked at
        self._ended: Counter[str] = Counter()
        self._unsure: dict[str, tuple[int, int]] = {}  # what was written, and nobody knows whether it arrived

    def __len__(self) -> int:
        return len(self._known)

    @property
    def now(self) -> Locks:
        """All of them, for a first guess."""
        return Locks(tuple(self._known.values()))

    def may_be_on(self, people: Iterable[str]) -> bool:
        """Whether one of these people may be locked."""
        return bool(self._known) and not {lower_ascii(name) for name in people}.isdisjoint(
            name for lock in self._known.values() for name in lock.people
        )

    def names(self) -> list[str]:
        """The names of all that are known at this moment."""
        return list(self._known)

    def get(self, name: str) -> Lock | None:
        """The lock as it was reported last."""
        return self._known.get(name)

    def see(self, lock: Lock) -> bool:
        """Remember a lock as it is now; False if it is no news."""
        known, version = self._known.get(lock.name), version_of(lock.resource_version)
        old = known and known.uid == lock.uid and 0 <= version <= version_of(known.resource_version)
        if old and not lock.settled:  # that it is settled stays true
            return False
        if lock.settled:
            self.forget(lock.name)
        else:
            self._known[lock.name] = lock
        return True

    def forget(self, name: str) -> None:
        """Drop a lock that is settled or gone."""
        self._known.pop(name, None)

    def heed(self, name: str, uid: str) -> bool:
        """Remember that its people's requests are looked at because it holds (empty: no longer); False if they were already."""
        if self._heeded.get(name, "") == uid:
            return False
        if uid:
            self._heeded[name] = uid
        else:
            del self._heeded[name]
        return True

    def distrust(self) -> None:
        """Whether anybody's requests were looked at is not known any more."""
        self._heeded.clear()

    def has_ended(self, name: str) -> None:
        """A grant was ended for that lock, and that is not on the lock's record yet."""
        self._ended[name] += 1

    def uncounted(self, name: str) -> bool:
        """Whether grants were ended for it that are not on its record yet, as far as we know."""
        return name in self._ended or name in self._unsure

    def take_ended(self, name: str, recorded: int) -> int:
        """How many grants were ended since this was last asked; `recorded` is how many its record tells of."""
        ended, total = self._unsure.pop(name, (0, 0))
        if recorded < total:
            self._ended[name] += ended
        return self._ended.pop(name, 0)

    def unsure(self, name: str, ended: int, total: int) -> None:
        """So many more may be on record, or not: if they are, it tells of `total` or more."""
        if ended:
            self._unsure[name] = ended, total
