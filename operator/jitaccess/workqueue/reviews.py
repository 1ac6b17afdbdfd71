"""The emergency access that is over and waits for its review, a few words each: memory follows what is owed, never history."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from jitaccess.domain.model import AccessRequest, Key, PolicyRef


@dataclass(frozen=True, slots=True)
class Owed:
    """One review that is owed; `ledger` is a digest of what reviewers have written of it so far."""

    uid: str
    policy: PolicyRef
    due: datetime
    ledger: int


class Reviews:
    """The reviews that are owed of the requests of one kind."""

    def __init__(self) -> None:
        self._owed: dict[Key, Owed] = {}

    def __len__(self) -> int:
        return len(self._owed)

    def get(self, key: Key) -> Owed | None:
        """What is owed of the request of that key, if anything."""
        return self._owed.get(key)

    def remember(self, request: AccessRequest, ledger: int) -> None:
        """The request, as it is recorded, is owed a review; forgotten where it is not."""
        review = request.recorded.review
        if review and review.awaited and review.due:
            self._owed[request.key] = Owed(request.uid, request.policy, review.due, ledger)
        else:
            self.forget(request.key)

    def forget(self, key: Key) -> None:
        """Nothing is owed any more."""
        self._owed.pop(key, None)

    def keep(self, keys: Collection[Key]) -> list[Key]:
        """Forget all but these; returns what was forgotten."""
        gone = [key for key in self._owed if key not in keys]
        for key in gone:
            del self._owed[key]
        return gone

    def all(self) -> list[Key]:
        """Of which requests reviews are owed, at this moment."""
        return list(self._owed)

    def each(self) -> Iterable[Owed]:
        """All that is owed, to be walked through at once."""
        return self._owed.values()

    def under(self, policy: PolicyRef) -> Iterator[Key]:
        """The requests that name the policy."""
        yield from [key for key, owed in self._owed.items() if owed.policy == policy]
