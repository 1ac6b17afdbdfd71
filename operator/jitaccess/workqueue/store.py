"""What is open, in a few words an object: the operator's memory follows open requests, not history, and never holds bodies."""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from time import monotonic

from jitaccess.domain.model import AccessPolicy, AccessRequest, Key, PolicyRef, RoleRef
from jitaccess.domain.obstacles import obstructed
from jitaccess.domain.recorded import State
from jitaccess.domain.verdicts import END_REFUSED
from jitaccess.manifests.resources import Resource, reviews_of
from jitaccess.workqueue.locks import KnownLocks
from jitaccess.workqueue.namespaces import Namespaces
from jitaccess.workqueue.policies import Policies
from jitaccess.workqueue.reviews import Reviews
from jitaccess.workqueue.tally import Tally
from jitaccess.workqueue.versions import version_of


@dataclass(frozen=True, slots=True)
class Open:
    """One request that is not settled; `binding` is the UID of its binding as far as this process has seen it."""

    uid: str
    version: int
    policy: PolicyRef
    role: RoleRef
    active: bool
    facts: int  # a digest of all that a look depends on
    until: datetime | None = None  # when the access ends, once it is on record
    binding: str = ""
    gone: bool = False  # its binding is gone, and the record of that is still to come
    waits: bool = False  # it may wait for us, by what is on it
    asked: datetime | None = None  # when it was made, while it waits for people
    scheduled: bool = False  # it is decided, and begins later
    # When (time.monotonic) the watch last had news of it while it was pending; 0.0 if it never had.
    heard: float = field(default=0.0, compare=False)
    unguarded: str = ""  # why nothing but the operator ends its access, by the record; empty where something does
    stuck: bool = False  # its access should have ended, and the API server does not let it, by the record
    identity: bool = False  # its access goes to a temporary identity
    requester: str = ""


class Requests:
    """The open requests of one kind, and which of them name which policy."""

    def __init__(self) -> None:
        self._open: dict[Key, Open] = {}
        self._by_policy: dict[PolicyRef, set[Key]] = {}
        self._hints: dict[Key, AccessRequest] = {}  # as the watch reported it, until somebody looks
        self._deleted: dict[Key, AccessRequest] = {}  # likewise, of open ones that were deleted
        self._another: dict[Key, Key] = {}  # of which another binding was seen than the one that we know, and that binding
        self.tally = Tally()

    def __len__(self) -> int:
        return len(self._open)

    def get(self, key: Key) -> Open | None:
        """The open request of that key, if any."""
        return self._open.get(key)

    def see(self, request: AccessRequest, *, hint: bool = True) -> bool:
        """Remember a request as it is now; False if it is no news: older, or changed in nothing that a look depends on.

        With `hint` the whole request is kept until `take`; who never looks must not ask for that.
        """
        known = self._open.get(request.key)
        version = version_of(request.resource_version)
        if known and known.uid != request.uid:
            return True  # recreated: the access of the one before must end first, and for that it must be known
        if known and 0 <= version <= known.version:
            return False
        news = known is None or known.facts != facts_of(request)
        self.remember(request, request.resource_version, request.state)
        if news and (seen := self._open.get(request.key)):
            self._open[request.key] = replace(seen, heard=0.0 if seen.active else monotonic())
        if news and hint and not request.state.settled:
            self._hints[request.key] = request
        return news

    def take(self, key: Key) -> AccessRequest | None:
        """The request as the watch reported it since it was last taken, if it did; a hint, not the truth."""
        return self._hints.pop(key, None)

    def see_deleted(self, request: AccessRequest) -> None:
        """Keep the last word on an open request that was deleted, until it is forgotten."""
        self._deleted[request.key] = request

    def deleted(self, key: Key) -> AccessRequest | None:
        """The deleted request as the watch reported it last, if it did."""
        return self._deleted.get(key)

    def remember(self, request: AccessRequest, resource_version: str, state: State) -> None:
        """Remember what was just read or written, so that its echo is no news."""
        if state.settled:
            self.forget(request.key)
            return
        self._hints.pop(request.key, None)  # older than what we know now
        known = self._unlink(request.key)
        same = known if known and known.uid == request.uid else None
        self._open[request.key] = Open(
            request.uid,
            version_of(resource_version),
            request.policy,
            request.role,
            state is State.ACTIVE,
            facts_of(request),
            request.recorded.expires_at,
            same.binding if same else "",
            gone=same.gone if same else False,
            waits=waits_for_us(request),
            asked=request.created if state is State.PENDING and not request.recorded.starts_at else None,
            scheduled=state is State.SCHEDULED,
            heard=same.heard if same else 0.0,
            unguarded=_reason(request, "ExpiryGuarded"),
            stuck=_reason(request, "Granted") == END_REFUSED,
            identity=bool(request.recorded.identity),
            requester=sys.intern(request.requester),
        )
        self._by_policy.setdefault(request.policy, set()).add(request.key)

    def bound(self, key: Key, binding: str) -> None:
        """Remember the UID of the binding of an open request."""
        if known := self._open.get(key):
            self._open[key] = replace(known, binding=binding, gone=False)

    def answered(self, key: Key) -> float | None:
        """The seconds since the watch last had news of a request that has got its binding; None if not known, or told already."""
        known = self._open.get(key)
        if known is None or not known.heard:
            return None
        self._open[key] = replace(known, heard=0.0)
        return monotonic() - known.heard

    def note_another(self, key: Key, binding: Key) -> None:
        """Remember that another binding was seen under the name of the one that we know, until that is taken."""
        self._another[key] = binding

    def take_another(self, key: Key) -> Key | None:
        """The binding of which that was seen, if it was: whoever forgets a request looks at it then."""
        return self._another.pop(key, None)

    def unbound(self, key: Key) -> None:
        """Remember that the binding of an open request is gone for good: the record of its end comes next."""
        if known := self._open.get(key):
            self._open[key] = replace(known, gone=True)

    def expect(self, request: AccessRequest) -> None:
        """Remember what is about to be written, so that its echo is no news even if it comes before the answer."""
        if known := self._open.get(request.key):
            self._open[request.key] = replace(known, facts=facts_of(request))

    def distrust(self) -> None:
        """Drop what the watch reported and nobody has looked at: it may be older than what another replica has done since."""
        self._hints.clear()

    def forget(self, key: Key) -> None:
        """Drop a request that is settled or gone."""
        self._hints.pop(key, None)
        self._deleted.pop(key, None)
        self._unlink(key)

    def _unlink(self, key: Key) -> Open | None:
        record = self._open.pop(key, None)
        if record is None:
            return None
        dependents = self._by_policy[record.policy]
        dependents.discard(key)
        if not dependents:
            del self._by_policy[record.policy]
        return record

    def all(self) -> list[tuple[Key, Open]]:
        """All open requests, as they are at this moment."""
        return list(self._open.items())

    def each(self) -> Iterable[Open]:
        """All open requests without their keys, to be walked through at once."""
        return self._open.values()

    def under(self, policy: PolicyRef) -> Iterator[Key]:
        """The open requests that name the policy."""
        yield from list(self._by_policy.get(policy, ()))


class Store:
    """What is known of every kind of request and policy."""

    def __init__(self, requests: Iterable[Resource], policies: Iterable[Resource]) -> None:
        self.requests = {resource: Requests() for resource in requests}
        self.reviews = {resource: Reviews() for resource in self.requests}
        self.policies = {resource: Policies() for resource in policies}
        self.namespaces = Namespaces()
        self.locks = KnownLocks()

    def policy(self, ref: PolicyRef) -> AccessPolicy | None:
        """The policy of that kind and key as the watch reported it last; a hint, not the truth."""
        return next((known.get(ref.key) for resource, known in self.policies.items() if resource.kind == ref.kind), None)

    def under(self, policy: PolicyRef) -> Iterator[tuple[Resource, Key]]:
        """The open requests, of whatever kind, that name the policy, and the reviews that are owed under it."""
        for resource, requests in self.requests.items():
            for key in requests.under(policy):
                yield resource, key
        for resource, reviews in self.reviews.items():
            for key in reviews.under(policy):
                yield reviews_of(resource), key


def waits_for_us(request: AccessRequest) -> bool:
    """Whether a request, by what is on it, may wait for the operator: not looked at yet, decided upon, or held up."""
    decided = request.denials or request.revocations or (request.state is State.PENDING and request.approvals)
    return bool(decided) or request.recorded.unseen or obstructed(request)


def _reason(request: AccessRequest, kind: str) -> str:
    """The reason of a condition that is False; empty if it is not. One string for all that share it."""
    condition = request.recorded.condition(kind)
    return sys.intern(condition.reason) if condition and condition.status == "False" else ""


def facts_of(request: AccessRequest) -> int:
    """A digest of all that a look at a request depends on; what others write beside it changes nothing in it."""
    return hash(
        (request.uid, request.deleting, request.approvals, request.denials, request.revocations, request.recorded.revision)
    )
