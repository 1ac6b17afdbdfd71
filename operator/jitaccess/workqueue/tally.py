"""What takes room under policies with limits: counted from a list that was read live, and then by what we write ourselves.

While we lead, nobody else begins or ends a grant, so what we wrote is what there is; the watch may be behind that, and behind
what the leader before us wrote. So a count begins anew with each leadership, and holds nothing of policies without limits.
"""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain

from jitaccess.domain.model import AccessPolicy, AccessRequest, Key, PolicyRef
from jitaccess.domain.rules import counts_for_the_day
from jitaccess.domain.usage import DAY, Held, Taken, Usage, asked, grant_held, held, person

KEPT = 2 * DAY  # a request that is looked at late counts what was made up to a day before it


@dataclass(slots=True)
class _Grants:
    """The active grants under one policy, and those of each person."""

    all: dict[Key, Held] = field(default_factory=dict)
    of: dict[str, dict[Key, Held]] = field(default_factory=dict)

    def add(self, grant: Held) -> None:
        self.drop(grant.request)
        self.all[grant.request] = self.of.setdefault(grant.requester, {})[grant.request] = grant

    def drop(self, request: Key) -> None:
        if grant := self.all.pop(request, None):
            theirs = self.of[grant.requester]
            del theirs[request]
            if not theirs:
                del self.of[grant.requester]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request of the last days: whose it is, and when it was made."""

    requester: str
    when: datetime


@dataclass(slots=True)
class _Days:
    """The requests of the last days under one policy, by UID, in about the order in which they were made."""

    all: dict[str, Asked] = field(default_factory=dict)
    of: dict[str, dict[str, datetime]] = field(default_factory=dict)

    def add(self, uid: str, one: Asked) -> None:
        self.all[uid] = one
        self.of.setdefault(one.requester, {})[uid] = one.when

    def drop_before(self, moment: datetime) -> None:
        while (uid := next(iter(self.all), "")) and self.all[uid].when <= moment:
            who = self.all.pop(uid).requester
            del self.of[who][uid]
            if not self.of[who]:
                del self.of[who]


class Tally:
    """The requests of one kind that take room."""

    def __init__(self) -> None:
        self.term = 0  # how often the count was begun anew
        self._grants: dict[PolicyRef, _Grants] = {}
        self._days: dict[str, _Days] = {}  # by the UID of the policy
        self._beginning: dict[Key, tuple[PolicyRef, Held]] = {}  # their record is being written, or may have been
        self._writing: set[Key] = set()  # those whose record is under way
        self._ended: dict[PolicyRef, set[Key]] = {}  # what ended while the list for that policy is being read

    def reset(self) -> None:
        """Another may have led meanwhile: whatever is known may be too old."""
        self.term += 1
        self._grants.clear()
        self._days.clear()
        self._ended.clear()
        # What was under way when we led before may still arrive after all is listed.
        self._beginning = {key: grant for key, grant in self._beginning.items() if key in self._writing}

    def knows(self, policy: AccessPolicy) -> bool:
        """Whether all is counted that the limits of the policy ask for."""
        by_day = policy.limits.requests_per_day is None or policy.uid in self._days
        return policy.ref in self._grants and policy.ref not in self._ended and by_day

    def expect(self, policy: PolicyRef) -> None:
        """The list of what is active under a policy is about to be read."""
        self._grants[policy], self._ended[policy] = _Grants(), set()

    def listed(self, policy: PolicyRef, grants: Iterable[Held]) -> None:
        """The active grants under a policy, as they were listed; what has begun or ended since is known better here."""
        ended, known = self._ended.pop(policy), self._grants[policy]
        for grant in grants:
            if grant.request not in ended and grant.request not in known.all:
                known.add(grant)

    def unlisted(self, policy: PolicyRef) -> None:
        """The list could not be read."""
        self._ended.pop(policy, None)
        self._grants.pop(policy, None)

    def listed_days(self, policy: str, days: Mapping[str, Asked]) -> None:
        """The requests of the last days under a policy (a UID), as they were listed."""
        known = self._days[policy] = _Days()
        for uid, one in sorted(days.items(), key=lambda each: each[1].when):
            known.add(uid, one)

    def see(self, request: AccessRequest) -> None:
        """A request as we have just read or written it: active ones take room."""
        if grant := grant_held(request):
            self._beginning.pop(request.key, None)
            if known := self._grants.get(request.policy):
                known.add(grant)

    def forget(self, request: Key) -> None:
        """A request has ended, or is gone."""
        self._beginning.pop(request, None)
        for ended in self._ended.values():
            ended.add(request)
        for known in self._grants.values():
            known.drop(request)

    def begin(self, request: AccessRequest, until: datetime) -> None:
        """The record of a grant is about to be written: from here on it takes room."""
        self._writing.add(request.key)
        self._beginning[request.key] = request.policy, Held(request.key, _person(request), until)

    def answered(self, request: Key) -> None:
        """The record of that grant is not under way any more, whatever became of it."""
        self._writing.discard(request)

    def release(self, request: Key) -> None:
        """The grant of that request has not begun."""
        self._beginning.pop(request, None)

    def ask(self, request: AccessRequest, policy: AccessPolicy, reason: str) -> None:
        """A request is about to be recorded for the first time, for that reason: it is one of its day."""
        days = self._days.get(policy.uid)
        if days is not None and counts_for_the_day(reason):
            days.add(request.uid, as_asked(request))

    def usage(self, request: AccessRequest, policy: AccessPolicy, now: datetime) -> Usage:
        """What is taken of the limits of a policy that is known, this request aside."""
        limits, who, known = policy.limits, _person(request), self._grants[policy.ref]
        coming = [one for ref, one in self._beginning.values() if ref == policy.ref and one.request != request.key]
        mine, others = known.of.get(who, {}), [one for one in coming if one.requester == who]
        return Usage(
            held(len(mine) + len(others), limits.active_per_requester, chain(mine.values(), others)),
            held(len(known.all) + len(coming), limits.active_in_total, chain(known.all.values(), coming)),
            self._today(request, policy, now),
        )

    def _today(self, request: AccessRequest, policy: AccessPolicy, now: datetime) -> Taken:
        days, most = self._days.get(policy.uid), policy.limits.requests_per_day
        if days is None or most is None:
            return Taken()
        days.drop_before(now - KEPT)
        theirs = days.of.get(_person(request), {})
        return asked((when for uid, when in theirs.items() if uid != request.uid), request.created, most)


def as_asked(request: AccessRequest) -> Asked:
    """A request as one of its day."""
    return Asked(_person(request), request.created)


def _person(request: AccessRequest) -> str:
    return sys.intern(person(request.requester))
