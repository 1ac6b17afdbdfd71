"""What must hold at every instant, judged by the server's objects alone. It shares no code with the operator.

1 access has a record with its end; 2 one quorum, one grant; 3 the end never moves; 4 whatever should end ends, and what is open
is recorded; 5 what is not over is never called over; 6 to 8: fences.py.
"""

from dataclasses import dataclass, field

from unit.protocol.broken import Broken
from unit.protocol.evidence import (
    access,
    is_guarded,
    job_behind,
    left_over,
    policy_of,
    request_of,
    request_uid,
    requests,
    seconds,
    start_of,
    uid_of,
)
from unit.protocol.fences import Fences
from unit.protocol.server import ACCOUNTS, BINDINGS, COLLECTED_AFTER, JOBS, LOCKS, REQUESTS, ROLES, Object, Server

GRACE = 30.0  # seconds after its end at which a grant goes without any operator
ROUNDING = 2.5  # a Job's time to live counts in whole seconds from a whole second; and the TTL controller's own
ENDED = ("Expired", "Revoked")
WAITS = ("Pending", "Scheduled")


@dataclass
class Judge:
    """Looks after every step. `alive_since`: since when some operator works undisturbed, None while none does."""

    server: Server
    alive_since: float | None = 0.0
    slack: float = 1.0  # seconds within which an undisturbed operator acts
    clock_error: float = 0.01  # seconds by which the operator's idea of the time may be behind
    starts: dict[str, set[tuple[str, str]]] = field(default_factory=dict)  # by request: every grant ever seen
    due: dict[str, float] = field(default_factory=dict)  # by binding: since when it should be gone
    waits: dict[str, float] = field(default_factory=dict)  # by request: since when it should be granted
    follows_reads: bool = True  # which read a write rests on can be told only of one request and one operator
    caused: set[str] = field(default_factory=set)  # the requests whose access was to end before its time, once at least
    by: str = ""  # whose call is being done
    sole: bool = True  # and whether that is the only operator that leads
    bound_by: dict[str, tuple[str, float]] = field(default_factory=dict)  # whose call made each binding, and when
    role_read: dict[str, float] = field(default_factory=dict)  # by operator: when it last read the role
    role_shown: dict[str, float] = field(default_factory=dict)  # by request: when the role was recorded as shown
    role_changed: float = 0.0
    jobs_lost: dict[str, float] = field(default_factory=dict)  # when each Job went
    jobs_ended: set[str] = field(default_factory=set)  # by the operator
    policies: dict[str, str] = field(default_factory=dict)  # by request: the policy under which it was made

    def __post_init__(self) -> None:
        self.fences = Fences(self.server)
        self.server.changed.append(self._changed)

    # --- at each write

    def _changed(self, plural: str, before: Object | None, after: Object | None) -> None:
        if plural == REQUESTS and after is not None:
            self.policies.setdefault(uid_of(after), self._policy_uid(after))
        if plural == JOBS and before is not None and after is None:
            self.jobs_lost[uid_of(before)] = self.server.time
        if plural == REQUESTS and after is not None:
            self._recorded(before or {}, after)
        if plural == LOCKS and after is not None:
            self.fences.changed(after)
        if plural == ROLES:
            self.role_changed = self.server.time
        if plural == BINDINGS and before is None and after is not None and after["metadata"]["namespace"] != ACCOUNTS:
            self._bound(after)

    def _recorded(self, before: Object, after: Object) -> None:
        old, new = before.get("status") or {}, after.get("status") or {}
        if new.get("grantedAt"):
            self._started(uid_of(after), new["grantedAt"], new["expiresAt"])
            if not old.get("grantedAt"):
                self._granted_as_shown(uid_of(after))
                self.fences.begins(after, self.by, sole=self.sole, follows_reads=self.follows_reads)
        if new.get("role") != old.get("role"):
            self.role_shown[uid_of(after)] = self.server.time
        if new.get("settled") and not old.get("settled"):
            self.fences.settled(after)
            if any(self._could_know(binding) for binding in self._access_of(after)):
                raise Broken(f"5: recorded as {new['state']} while the binding still gives access")
            if new.get("grantedAt") and new["state"] not in ENDED:
                raise Broken(f"1: there was a grant, and the record says {new['state']}")
            if not new.get("grantedAt") and new["state"] in ENDED:
                raise Broken(f"1: the record says {new['state']} without a grant")
        if old.get("settled") and new.get("state") != old.get("state"):
            raise Broken(f"3: settled as {old['state']}, and now {new.get('state')}")
        if new.get("state") == "Active" and old.get("state") != "Active" and new.get("jobRef"):
            self._guarded(new)

    def _could_know(self, binding: Object) -> bool:
        """Not of one that another operator's call, late, has made behind the back of who ends it; it must go all the same."""
        by, at = self.bound_by[uid_of(binding)]
        return by == self.by or self.server.time > at + COLLECTED_AFTER

    def _granted_as_shown(self, uid: str) -> None:
        if not self.follows_reads:
            return
        if self.role_shown.get(uid, self.server.time) < self.role_changed < self.role_read[self.by]:
            raise Broken("2: the role was changed after it was shown for approval, and granted as it is now")

    def _guarded(self, status: Object) -> None:
        for (plural, *_), job in self.server.objects.items():
            if plural == JOBS and uid_of(job) == status["jobRef"]["uid"]:
                lives = job["spec"]["ttlSecondsAfterFinished"]
                if seconds(job["metadata"]["creationTimestamp"]) + lives < seconds(status["expiresAt"]):
                    raise Broken("4: the Job takes the access away before its end")

    def _bound(self, binding: Object) -> None:
        self.bound_by[uid_of(binding)] = (self.by, self.server.time)
        annotations = binding["metadata"]["annotations"]
        start, end = annotations["jitaccess.dev/granted-at"], annotations["jitaccess.dev/expires-at"]
        self._started(request_uid(binding), start, end)

    def bound_by_operator(self, sent: float, binding: Object) -> None:
        """A binding was made by a call that was sent at that time."""
        end = binding["metadata"]["annotations"]["jitaccess.dev/expires-at"]
        gone = self.jobs_lost.get(job_behind(self.server, binding), sent)
        if sent > gone + self.slack:
            raise Broken(f"3: a binding was asked for {sent - gone:.1f} s after the Job behind it was gone")
        if sent > seconds(end) + self.clock_error:
            raise Broken(f"3: a binding was asked for {sent - seconds(end):.3f} s after the end of its grant")

    def job_deleted_by_operator(self, uid: str) -> None:
        """The operator is about to delete a Job."""
        if uid not in self.jobs_lost:
            self.jobs_ended.add(uid)
        for request in requests(self.server):
            status = request.get("status") or {}
            live = status.get("state") == "Active" and self.server.time < seconds(status["expiresAt"])
            if live and (status.get("jobRef") or {}).get("uid") == uid and not self._cause(request):
                raise Broken("4: the operator deleted the Job of a grant that goes on")

    def _started(self, uid: str, start: str, end: str) -> None:
        seen = self.starts.setdefault(uid, set())
        seen.add((start, end))
        if len({start for start, _ in seen}) > 1:
            raise Broken(f"2: one quorum started two grants: {sorted(seen)}")
        if len(seen) > 1:
            raise Broken(f"3: the end of a grant moved: {sorted(seen)}")

    # --- after each step

    def look(self) -> None:
        """Whether everything is as promised at this moment."""
        if self.server.broken_rules:
            raise Broken(f"3: only the CRD kept this from being broken: {self.server.broken_rules[0]}")
        for binding in access(self.server):
            self._recorded_as_it_is(binding)
            self._ends_in_time(binding)
        for request in requests(self.server):
            self._is_not_kept_waiting(request)

    def _is_not_kept_waiting(self, request: Object) -> None:
        status, uid = request.get("status") or {}, uid_of(request)
        served = status.get("state", "Pending") not in WAITS
        if self._cause(request):
            self.caused.add(uid)
        if served or self._holds_back(request):
            self.waits.pop(uid, None)
            return
        since = max(self.waits.setdefault(uid, self.server.time), start_of(request))
        if self.alive_since is not None and self.server.time > max(since, self.alive_since) + self.slack:
            raise Broken(f"4: the request has its approvals, and has waited for {self.server.time - since:.1f} s")

    def _recorded_as_it_is(self, binding: Object) -> None:
        request = request_of(self.server, binding)
        if request is None:
            return  # it goes with its request: _ends_in_time
        if self.server.time + self.clock_error < start_of(request):
            raise Broken(f"2: there is access {start_of(request) - self.server.time:.3f} s before its start")
        status, annotations = request.get("status") or {}, binding["metadata"]["annotations"]
        for field_, annotation in (("grantedAt", "granted-at"), ("expiresAt", "expires-at")):
            if status.get(field_) != annotations[f"jitaccess.dev/{annotation}"]:
                raise Broken(f"1: there is access, and its record says {field_}: {status.get(field_)}")

    def _ends_in_time(self, binding: Object) -> None:
        uid, now = uid_of(binding), self.server.time
        end = seconds(binding["metadata"]["annotations"]["jitaccess.dev/expires-at"])
        why = self._why_over(binding, end)
        if not why:
            self.due.pop(uid, None)
            return
        due = self.due.setdefault(uid, min(now, end) if now >= end else now)
        if self.alive_since is not None and now > max(due, self.alive_since) + self.slack and not self.server.delete_protection:
            raise Broken(f"4: access goes on {now - due:.1f} s after {why}")
        born = seconds(binding["metadata"]["creationTimestamp"])
        if is_guarded(self.server, binding) and now > max(end + GRACE + ROUNDING, born + 1) + 2 * COLLECTED_AFTER:
            raise Broken(f"4: access goes on {now - end:.1f} s after its end, and nobody's Job ends it")

    def _why_over(self, binding: Object, end: float) -> str:
        request = request_of(self.server, binding)
        if request is None:
            return "its request was deleted"
        if self.server.time >= end:
            return "its end"
        if (request.get("status") or {}).get("settled"):
            return "its request was settled"
        return self._cause(request)

    def _cause(self, request: Object) -> str:
        return self.fences.against(request, self.policies.get(uid_of(request)))

    def _holds_back(self, request: Object) -> bool:
        return bool(self._cause(request)) or self.fences.waits_for_approvals(request)

    # --- at the end

    def conclude(self) -> None:
        """After everything: what was open has been settled, and nothing is left over."""
        self.fences.conclude()
        if left := left_over(self.server):
            raise Broken(f"4: {left[0]} is left over")
        for request in requests(self.server):
            self._has_come_to_its_end(request, request["metadata"]["name"], request.get("status") or {})

    def _has_come_to_its_end(self, request: Object, name: str, status: Object) -> None:
        state = status.get("state")
        if state is None:
            raise Broken(f"4: the request {name} is not recorded")
        if state in WAITS and not self._holds_back(request):
            raise Broken(f"4: the request {name} has its approvals, and waits for ever")
        if state == "Active":
            self._must_say_why_active(name, status)
        lost = status.get("jobRef", {}).get("uid") in self.jobs_lost.keys() - self.jobs_ended
        if state == "Revoked" and uid_of(request) not in self.caused and not lost:
            raise Broken(f"4: access was ended for no cause: {status['history'][-1]['message']}")

    def _must_say_why_active(self, name: str, status: Object) -> None:
        granted = next(c for c in status["conditions"] if c["type"] == "Granted")
        if not self.server.delete_protection or granted["reason"] != "EndRefused":
            raise Broken(f"5: the request {name} is still Active, and says {granted['reason']}: {granted['message']}")

    # --- reading

    def _access_of(self, request: Object) -> list[Object]:
        return [binding for binding in access(self.server) if request_uid(binding) == uid_of(request)]

    def _policy_uid(self, request: Object) -> str:
        policy = policy_of(self.server, request)
        return uid_of(policy) if policy else ""
