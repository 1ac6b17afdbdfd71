"""What limits, stages and locks promise, judged by the server's objects alone; it shares no code with the operator.

6 never more than the limits say; 7 nothing begins that its policy, as it was read, does not allow; 8 whoever is locked has
nothing, gets nothing, and counts for nothing.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field

from unit.protocol.broken import Broken
from unit.protocol.evidence import approvals_of, policy_of, requests, seconds, suffice, uid_of
from unit.protocol.server import LOCKS, POLICIES, ROLES, Object, Server


@dataclass(slots=True)
class Held:
    """From when until when a lock holds, and on whom."""

    people: tuple[str, ...]
    since: float
    until: float


@dataclass
class Fences:
    """Looks at every beginning."""

    server: Server
    locks: dict[str, Held] = field(default_factory=dict)
    alone: bool = True  # there was one operator all the time: what one had to count when it died is lost
    _policy_read: dict[str, Object] = field(default_factory=dict)  # by operator: as it last read it, for whatever
    _policy_then: dict[str, Object] = field(default_factory=dict)  # and as it was read with the role, for a request
    _ended: list[str] = field(default_factory=list)  # why, of each grant that was ended for a lock
    _unfenced: set[str] = field(default_factory=set)  # grants that nobody could count

    def changed(self, lock: Object) -> None:
        """A lock was made, or changed."""
        spec = lock["spec"]
        until = seconds(spec["until"]) if "until" in spec else float("inf")
        people = tuple(subject["name"] for subject in spec["subjects"])
        held = self.locks.setdefault(uid_of(lock), Held(people, self.server.time, until))
        held.until = min(held.until, self.server.time) if "lifted" in spec else held.until

    def settled(self, request: Object) -> None:
        """A request is over, perhaps for a lock; it may be deleted afterwards."""
        history: Iterable[Object] = request["status"].get("history") or [{}]
        *_, last = history
        if last.get("state") == "Revoked" and last.get("reason") == "Locked":
            self._ended.append(last.get("message", ""))

    def read(self, by: str, path: str, answer: bytes) -> None:
        """An operator has read something."""
        if f"/{ROLES}/" in path:
            self._policy_then[by] = self._policy_read.get(by, {})
        elif f"/{POLICIES}/" in path:
            self._policy_read[by] = json.loads(answer)["spec"]

    def is_locked(self, who: str) -> bool:
        """Whether somebody is locked now."""
        now = self.server.time
        return any(who in held.people and held.since <= now < held.until for held in self.locks.values())

    def against(self, request: Object, made_under: str | None) -> str:
        """What should end a grant, or forbid it, before its time; empty if nothing does. `made_under`: its policy then, a UID."""
        annotations = request["metadata"].get("annotations") or {}
        for ledger in ("revocations", "denials"):
            if annotations.get(f"jitaccess.dev/{ledger}"):
                return f"a line in its {ledger}"
        policy = policy_of(self.server, request)
        if policy is None:
            return "its policy was deleted"
        spec = policy["spec"]
        causes = {
            "its policy was replaced": made_under not in (None, uid_of(policy)),
            "its requester is locked": self.is_locked(request["spec"]["requester"]),
            "its policy is suspended": bool(spec.get("suspend")),
            "its policy no longer offers the role": request["spec"]["roleRef"] not in spec["roles"],
            "its approvals no longer suffice": not suffice(spec, approvals_of(request)),
        }
        return next((why for why, holds in causes.items() if holds), "")

    def waits_for_approvals(self, request: Object) -> bool:
        """Whether what people who are not locked have approved does not suffice."""
        policy = policy_of(self.server, request)
        heard = {who: stages for who, stages in approvals_of(request).items() if not self.is_locked(who)}
        return policy is None or not suffice(policy["spec"], heard)

    def begins(self, request: Object, by: str, *, sole: bool, follows_reads: bool) -> None:
        """A grant goes on record; `sole`: who wrote that is the only one that led, as far as anybody can know."""
        if sole:
            self._there_is_room(request)
        else:
            self._unfenced.add(uid_of(request))  # nothing but fencing in the API server could refuse it: ADR 0025
        if follows_reads:
            self._as_it_was_read(request, by)

    def _there_is_room(self, request: Object) -> None:
        policies = [found for (plural, *_), found in self.server.objects.items() if plural == POLICIES]
        others = [other for other in requests(self.server) if uid_of(other) not in (uid_of(request), *self._unfenced)]
        active = sum((other.get("status") or {}).get("state") == "Active" for other in others)
        most = [policy["spec"]["limits"]["activeInTotal"] for policy in policies if "limits" in policy["spec"]]
        if most and active >= most[0]:
            raise Broken(f"6: a grant begins beside {active}, and there may be {most[0]} in all")

    def _as_it_was_read(self, request: Object, by: str) -> None:
        if not suffice(self._policy_then.get(by, {}), approvals_of(request)):
            raise Broken("7: a grant begins without the approvals that its policy asks for")

    # --- at the end

    def conclude(self) -> None:
        """Every lock says where it stands, and how many grants it has ended: never more than there were."""
        for (plural, *_), lock in self.server.objects.items():
            if plural == LOCKS:
                self._says_what_became_of_it(lock, lock.get("status") or {})

    def _says_what_became_of_it(self, lock: Object, status: Object) -> None:
        held, name = self.locks[uid_of(lock)], lock["metadata"]["name"]
        over = "Lifted" if "lifted" in lock["spec"] else "Over"
        expected = "Active" if self.server.time < held.until else over
        if status.get("state") != expected and not (status.get("state") == "Over" and "until" in lock["spec"]):
            raise Broken(f"8: the lock {name} is {expected}, and says {status.get('state')}")
        ended = sum(f"AccessLock {name} " in why for why in self._ended)
        counted = status.get("endedGrants", 0)
        if counted > ended or (counted < ended and self.alone):
            raise Broken(f"8: the lock {name} has ended {ended} grants, and says {counted}")
