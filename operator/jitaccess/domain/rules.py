"""What a policy allows, and whose approvals count: pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from jitaccess.domain.model import AccessPolicy, AccessRequest, Decision, RoleRef, Subject
from jitaccess.domain.text import format_duration

# More approvals than the CRD lets a policy ask for are not worth recording.
MOST_APPROVALS = 16


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a policy does not allow what was asked: a CamelCase reason for programs, a sentence for people."""

    reason: str
    message: str


def objection(request: AccessRequest, policy: AccessPolicy | None) -> Objection | None:
    """What in the policy speaks against the request, approvals aside; None when nothing does."""
    if policy is None or policy.deleting or policy.key != request.policy:
        return Objection(
            "PolicyNotFound", f"there is no AccessPolicy {request.policy.name} in namespace {request.policy.namespace}"
        )
    if policy.invalid:
        return Objection("PolicyInvalid", f"AccessPolicy {policy.key.name} cannot be read: {policy.invalid}")
    if request.role not in policy.roles:
        offered = in_words(policy.roles)
        return Objection("RoleNotOffered", f"AccessPolicy {policy.key.name} does not offer {request.role}; it offers {offered}")
    if request.duration > policy.max_duration:
        longest, asked = format_duration(policy.max_duration), format_duration(request.duration)
        return Objection("DurationTooLong", f"AccessPolicy {policy.key.name} allows at most {longest}, not {asked}")
    if request.role in policy.risky and not policy.allow_persistent_risk:
        return risk_objection(policy, request.role)
    return None


def risk_objection(policy: AccessPolicy, role: RoleRef, risks: Iterable[str] = ()) -> Objection:
    """The refusal of a role that outlives the grant."""
    what = f" ({', '.join(risks)})" if risks else ""
    return Objection(
        "PersistentRisk",
        f"{role} allows what outlives the grant{what}, and AccessPolicy {policy.key.name} does not say allowPersistentRisk: true",
    )


def counting_approvals(request: AccessRequest) -> tuple[Decision, ...]:
    """The approvals that count, in ledger order: one a person, none by the requester."""
    first: dict[str, Decision] = {}
    for approval in request.approvals:
        if approval.by and approval.by != request.requester:
            first.setdefault(approval.by, approval)
    return tuple(first.values())[:MOST_APPROVALS]


def awaited(policy: AccessPolicy, given: int) -> str:
    """What a pending request waits for, in words: `needs 1 approval from Group leads or User carol`."""
    missing = policy.required_approvals - given
    more = " more" if given else ""
    noun = "approval" if missing == 1 else "approvals"
    return f"needs {missing}{more} {noun} from {in_words(policy.approvers, 'or')}"


def in_words(things: Iterable[RoleRef | Subject], joint: str = "and") -> str:
    """A list as people write it: `a, b and c`."""
    words = [str(thing) for thing in things]
    return f" {joint} ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words) or "nobody"
