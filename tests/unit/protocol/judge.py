"""What must hold at every instant, judged by the server's objects alone. It shares no code with the operator.

1 access has a record with its end; 2 one quorum, one grant; 3 the end never moves; 4 whatever should end ends, and what is open
is recorded; 5 what is not over is never called over.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from unit.protocol.server import BINDINGS, COLLECTED_AFTER, JOBS, POLICIES, REQUESTS, T0, Object, Server

GRACE = 30.0  # seconds after its end at which a grant goes without any operator
ROUNDING = 2.5  # a Job's time to live counts in whole seconds from a whole second; and the TTL controller's own
ENDED = ("Expired", "Revoked")


class Broken(AssertionError):
    """A promise was broken."""


@dataclass
class Judge:
    """Looks after every step. `alive_since`: since when some operator works undisturbed, None while none does."""

    server: Server
    alive_since: float | None = 0.0
    slack: float = 1.0  # seconds within which an undisturbed operator acts
    clock_error: float = 0.01  # seconds by which the operator's idea of the time may be behind
    starts: dict[str, set[tuple[str, str]]] = field(default_factory=dict)  # by request: every grant ever seen
    due: dict[str, float] = field(default_factory=dict)  # by binding: since when it should be gone
    removed_jobs: set[str] = field(default_factory=set)  # by somebody else than the operator
    policies: dict[str, str] = field(default_factory=dict)  # by request: the policy it was made under

    def __post_init__(self) -> None:
        self.server.changed.append(self._changed)

    # --- at each write

    def _changed(self, plural: str, before: Object | None, after: Object | None) -> None:
        if plural == REQUESTS and before is None and after is not None:
            self.policies[uid_of(after)] = self._policy_uid(after)
        if plural == REQUESTS and after is not None:
            self._recorded(before or {}, after)
        if plural == BINDINGS and before is None and after is not None:
            self._bound(after)

    def _recorded(self, before: Object, after: Object) -> None:
        old, new = before.get("status") or {}, after.get("status") or {}
        if new.get("grantedAt"):
            self._started(uid_of(after), new["grantedAt"], new["expiresAt"])
        if new.get("settled") and not old.get("settled"):
            if self._access_of(uid_of(after)):
                raise Broken(f"5: recorded as {new['state']} while the binding still gives access")
            if new.get("grantedAt") and new["state"] not in ENDED:
                raise Broken(f"1: there was a grant, and the record says {new['state']}")
            if not new.get("grantedAt") and new["state"] in ENDED:
                raise Broken(f"1: the record says {new['state']} without a grant")
        if old.get("settled") and new.get("state") != old.get("state"):
            raise Broken(f"3: settled as {old['state']}, and now {new.get('state')}")
        if new.get("state") == "Active" and old.get("state") != "Active" and new.get("jobRef"):
            self._guarded(new)

    def _guarded(self, status: Object) -> None:
        for (plural, *_), job in self.server.objects.items():
            if plural == JOBS and uid_of(job) == status["jobRef"]["uid"]:
                lives = job["spec"]["ttlSecondsAfterFinished"]
                if _seconds(job["metadata"]["creationTimestamp"]) + lives < _seconds(status["expiresAt"]):
                    raise Broken("4: the Job takes the access away before its end")

    def _bound(self, binding: Object) -> None:
        annotations = binding["metadata"]["annotations"]
        start, end = annotations["jitaccess.dev/granted-at"], annotations["jitaccess.dev/expires-at"]
        self._started(_request_uid(binding), start, end)

    def bound_by_operator(self, sent: float, end: str) -> None:
        """A binding was made by a call that was sent at that time."""
        if sent > _seconds(end) + self.clock_error:
            raise Broken(f"3: a binding was asked for {sent - _seconds(end):.3f} s after the end of its grant")

    def job_deleted_by_operator(self, uid: str) -> None:
        """The operator is about to delete a Job."""
        for (plural, *_), request in self.server.objects.items():
            status = request.get("status") or {}
            live = plural == REQUESTS and status.get("state") == "Active" and self.server.time < _seconds(status["expiresAt"])
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
        for binding in self._access():
            self._recorded_as_it_is(binding)
            self._ends_in_time(binding)

    def _recorded_as_it_is(self, binding: Object) -> None:
        request = self._request(_request_uid(binding))
        if request is None:
            return  # it goes with its request: _ends_in_time
        status, annotations = request.get("status") or {}, binding["metadata"]["annotations"]
        for field_, annotation in (("grantedAt", "granted-at"), ("expiresAt", "expires-at")):
            if status.get(field_) != annotations[f"jitaccess.dev/{annotation}"]:
                raise Broken(f"1: there is access, and its record says {field_}: {status.get(field_)}")

    def _ends_in_time(self, binding: Object) -> None:
        uid, now = uid_of(binding), self.server.time
        end = _seconds(binding["metadata"]["annotations"]["jitaccess.dev/expires-at"])
        why = self._why_over(binding, end)
        if not why:
            self.due.pop(uid, None)
            return
        due = self.due.setdefault(uid, min(now, end) if now >= end else now)
        if self.alive_since is not None and now > max(due, self.alive_since) + self.slack and not self.server.delete_protection:
            raise Broken(f"4: access goes on {now - due:.1f} s after {why}")
        born = _seconds(binding["metadata"]["creationTimestamp"])
        if self._is_guarded(binding) and now > max(end + GRACE + ROUNDING, born + 1) + 2 * COLLECTED_AFTER:
            raise Broken(f"4: access goes on {now - end:.1f} s after its end, and nobody's Job ends it")

    def _why_over(self, binding: Object, end: float) -> str:
        request = self._request(_request_uid(binding))
        if request is None:
            return "its request was deleted"
        if self.server.time >= end:
            return "its end"
        if (request.get("status") or {}).get("settled"):
            return "its request was settled"
        return self._cause(request)

    def _cause(self, request: Object) -> str:
        """What should end a grant, or forbid it, before its time; empty if nothing does."""
        annotations = request["metadata"].get("annotations") or {}
        for ledger in ("revocations", "denials"):
            if annotations.get(f"jitaccess.dev/{ledger}"):
                return f"a line in its {ledger}"
        policy = self._policy(request)
        if policy is None:
            return "its policy was deleted"
        if uid_of(policy) != self.policies[uid_of(request)]:
            return "its policy was replaced"
        spec, approvals = policy["spec"], annotations.get("jitaccess.dev/approvals", "").split("\n")[:-1]
        if request["spec"]["roleRef"] not in spec["roles"]:
            return "its policy no longer offers the role"
        if len({line.partition(": ")[0] for line in approvals}) < spec["requiredApprovals"]:
            return "its approvals no longer suffice"
        return ""

    def _is_guarded(self, binding: Object) -> bool:
        owner = binding["metadata"]["ownerReferences"][0]
        return owner["kind"] == "Job" and not binding["metadata"].get("finalizers")

    # --- at the end

    def conclude(self) -> None:
        """After everything: what was open has been settled, and nothing is left over."""
        for (plural, _, name), found in self.server.objects.items():
            status = found.get("status") or {}
            if plural == JOBS and not self.server.delete_protection:
                raise Broken(f"4: the Job {name} is left over")
            if plural == REQUESTS and "state" not in status:
                raise Broken(f"4: the request {name} is not recorded")
            if plural == REQUESTS and status["state"] == "Pending" and not self._cause(found):
                raise Broken(f"4: the request {name} has its approvals, and waits for ever")
            if plural == REQUESTS and status["state"] == "Active":
                self._must_say_why_active(name, status)
            if plural == REQUESTS and status["state"] == "Revoked" and not self._cause(found) and not self.removed_jobs:
                raise Broken(f"4: access was ended for no cause: {status['history'][-1]['message']}")

    def _must_say_why_active(self, name: str, status: Object) -> None:
        granted = next(c for c in status["conditions"] if c["type"] == "Granted")
        if not self.server.delete_protection or granted["status"] != "False" or granted["reason"] != "EndRefused":
            raise Broken(f"5: the request {name} is still Active, and says {granted['reason']}: {granted['message']}")

    # --- reading

    def _access(self) -> list[Object]:
        return [found for (plural, *_), found in self.server.objects.items() if plural == BINDINGS and found.get("subjects")]

    def _access_of(self, uid: str) -> list[Object]:
        return [binding for binding in self._access() if _request_uid(binding) == uid]

    def _request(self, uid: str) -> Object | None:
        found = [o for (plural, *_), o in self.server.objects.items() if plural == REQUESTS and uid_of(o) == uid]
        return found[0] if found else None

    def _policy(self, request: Object) -> Object | None:
        name = request["spec"]["policyRef"]["name"]
        return self.server.objects.get((POLICIES, request["metadata"]["namespace"], name))

    def _policy_uid(self, request: Object) -> str:
        policy = self._policy(request)
        return uid_of(policy) if policy else ""


def uid_of(found: Any) -> str:
    """The UID of an object."""
    return str(found["metadata"]["uid"])


def _request_uid(binding: Object) -> str:
    return str(binding["metadata"]["labels"]["jitaccess.dev/request-uid"])


def _seconds(text: str) -> float:
    """A time of the API as seconds since T0."""
    return (datetime.fromisoformat(text.replace("Z", "+00:00")) - T0) / timedelta(seconds=1)
