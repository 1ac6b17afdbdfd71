"""What a policy allows: each rule a function, all of them in one list. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from jitaccess.domain.circumstances import NOTHING_AROUND, Case, Circumstances
from jitaccess.domain.counting import given_approvals
from jitaccess.domain.limits import asked_too_often, no_room
from jitaccess.domain.model import AccessPolicy, AccessRequest, Scope
from jitaccess.domain.recorded import State, condition_of
from jitaccess.domain.roles import ShownRole
from jitaccess.domain.text import format_duration, format_time
from jitaccess.domain.tickets import matches
from jitaccess.domain.usage import DAILY_LIMIT_REACHED

LIMIT_REACHED, LOCKED = "LimitReached", "Locked"
# How far ahead access can be asked for, from the making of the request; requesters.yaml says the same.
FURTHEST_START = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a policy does not allow what was asked: a CamelCase reason for programs, a sentence for people."""

    reason: str
    message: str


Rule = Callable[[Case], Objection | None]


def objection(
    request: AccessRequest, policy: AccessPolicy | None, now: datetime, around: Circumstances = NOTHING_AROUND
) -> Objection | None:
    """What speaks against the request as things are now, approvals aside; None when nothing does."""
    if policy is None or policy.deleting or policy.ref != request.policy:
        where = f" in namespace {request.policy.key.namespace}" if request.policy.key.namespace else ""
        return Objection("PolicyNotFound", f"there is no {request.policy}{where}")
    case = Case(request, policy, now, around)
    return next((against for rule in RULES if (against := rule(case))), None)


def _locked(case: Case) -> Objection | None:
    """Nobody who is locked has access, or waits for it."""
    requester = case.request.requester
    lock = case.around.locks.on(requester, case.now)
    return Objection(LOCKED, f"{requester} is locked by {lock}") if lock else None


def _recreated(case: Case) -> Objection | None:
    request, policy = case.request, case.policy
    under = request.recorded.policy.uid if request.recorded.policy else request.asked_under
    if policy.uid == under if under else policy.created < request.created:
        return None
    if not under and request.as_old_as(policy):
        unknown = f"{policy.ref} is of the same second as this request, and it is not known any more which was there first"
        return Objection("PolicyRecreated", f"{unknown}: ask again")
    return Objection("PolicyRecreated", f"{policy.ref} was deleted and recreated since this was asked: ask again")


def _unreadable(case: Case) -> Objection | None:
    policy = case.policy
    return Objection("PolicyInvalid", f"{policy.ref} cannot be read: {policy.invalid}") if policy.invalid else None


def _suspended(case: Case) -> Objection | None:
    policy = case.policy
    return Objection("PolicySuspended", f"{policy.ref} is suspended: nobody has access under it") if policy.suspended else None


def _out_of_reach(case: Case) -> Objection | None:
    policy = case.policy
    if (policy.scope is Scope.CLUSTER) is bool(case.request.key.namespace):
        given = "cluster-wide access" if policy.scope is Scope.CLUSTER else "access in namespaces"
        return Objection("OutOfReach", f"{policy.ref} is for {given}, and this request is not")
    return Objection("NamespaceNotSelected", policy.unreached) if policy.unreached else None


def _not_offered(case: Case) -> Objection | None:
    role, policy = case.request.role, case.policy
    if role in policy.roles:
        return None
    return Objection("RoleNotOffered", f"{policy.ref} does not offer {role}; it offers {in_words(policy.roles)}")


def _too_long(case: Case) -> Objection | None:
    request, policy = case.request, case.policy
    if request.duration <= policy.max_duration:
        return None
    longest, asked = format_duration(policy.max_duration), format_duration(request.duration)
    return Objection("DurationTooLong", f"{policy.ref} allows at most {longest}, not {asked}")


def _risky(case: Case) -> Objection | None:
    role, policy = case.request.role, case.policy
    risks = case.around.role.risks if case.around.role else ()
    if policy.allow_persistent_risk or not (risks or role in policy.risky):
        return None
    what = f" ({', '.join(risks)})" if risks else ""
    return Objection(
        "PersistentRisk",
        f"{role} allows what outlives the grant{what}, and {policy.ref} does not say allowPersistentRisk: true",
    )


def _changed(case: Case) -> Objection | None:
    """What was decided is what was shown; access that has begun goes on, with the change on record."""
    request = case.request
    decided = request.state is State.SCHEDULED or bool(given_approvals(request))
    if request.state is State.ACTIVE or not decided or not role_changed(request, case.around.role):
        return None
    return Objection("RoleChanged", f"{request.role} was changed after it was shown for approval: ask again")


def _not_schedulable(case: Case) -> Objection | None:
    """Scheduling is about the beginning: access that has begun goes on."""
    start = case.request.start
    if start is None or case.request.state is State.ACTIVE:
        return None
    if not case.policy.allow_scheduling:
        return Objection("SchedulingNotAllowed", f"{case.policy.ref} does not allow scheduling: leave spec.startTime out")
    if start - case.request.created > FURTHEST_START:
        furthest = format_time(case.request.created + FURTHEST_START)
        return Objection("StartTooFar", f"spec.startTime is more than 30 days ahead: at the latest {furthest}")
    return None


def _ticket(case: Case) -> Objection | None:
    """What a policy asks for later concerns what still waits; access that has begun was asked for as it had to be then."""
    rule, ticket = case.policy.ticket, case.request.ticket
    if rule is None or case.request.state is State.ACTIVE or (not ticket and not rule.required):
        return None
    if not ticket:
        return Objection("TicketMissing", f"{case.policy.ref} asks for a ticket: one that matches {rule.pattern}")
    if matches(rule, ticket):
        return None
    return Objection("TicketMismatch", f"the ticket {ticket} is none for {case.policy.ref}: it must match {rule.pattern}")


def _too_often(case: Case) -> Objection | None:
    """Asked once, at the first look: whoever passed it was counted."""
    if case.around.usage is None or not case.request.recorded.unseen:
        return None
    why = asked_too_often(case.request, case.policy, case.around.usage)
    return Objection(DAILY_LIMIT_REACHED, why) if why else None


def _no_room_yet(case: Case) -> Objection | None:
    """At the first look, so that nobody decides on what would be refused; what is to begin later is asked when it does."""
    later = case.request.start is not None and case.request.start > case.now
    return None if later or not case.request.recorded.unseen else _no_room(case)


def _no_room(case: Case) -> Objection | None:
    if case.around.usage is None or case.request.state is State.ACTIVE:
        return None
    why = no_room(case.request, case.policy, case.around.usage, case.now)
    return Objection(LIMIT_REACHED, why) if why else None


def _owes_a_review(case: Case) -> Objection | None:
    emergency, first = case.policy.emergency, next(iter(case.around.unreviewed), None)
    if case.request.state is State.ACTIVE or emergency is None or not emergency.block_until_reviewed or first is None:
        return None
    what = "emergency access that still lasts" if first.active else "emergency access that is not reviewed yet"
    reviewers = in_words(emergency.reviewers_of(case.request.requester), "or")
    then = f"once it is over, {reviewers} may review it" if first.active else f"{reviewers} may review it"
    where = f" in namespace {first.key.namespace}" if first.key.namespace else ""
    return Objection(
        "UnreviewedEmergency",
        f"{first.requester} has {what}, {first.key.name}{where}, and {case.policy.ref} gives no more before its review: {then}, "
        "and then ask again",
    )


# Each speaks for itself; the first that objects is told. A new rule is a function here, and a row in its test.
RULES: tuple[Rule, ...] = (
    *(_locked, _recreated, _unreadable, _suspended, _out_of_reach, _not_offered, _too_long, _risky, _changed),
    *(_not_schedulable, _ticket, _owes_a_review, _too_often, _no_room_yet),
)
# What is asked once more when access would begin at that very moment.
BEGINNING: tuple[Rule, ...] = (_no_room,)
# What makes approvals those of something else, or of nobody knows what.
VOIDING: tuple[Rule, ...] = (_recreated, _unreadable, _changed)


def objection_to_beginning(case: Case) -> Objection | None:
    """What speaks against access that would begin now, where nothing speaks against the request itself."""
    return next((against for rule in BEGINNING if (against := rule(case))), None)


def approvals_stand(case: Case) -> bool:
    """Whether what people have approved is what there is now, whatever else speaks against the request."""
    known = not case.request.invalid and case.policy.ref == case.request.policy
    return known and not any(voids(case) for voids in VOIDING)


def counts_for_the_day(reason: str) -> bool:
    """Whether a request is one of its day, by the reason that a look came to: all are but those that the limit itself refused."""
    return reason not in (DAILY_LIMIT_REACHED, "PolicyRecreated")


def seen_from(policy: AccessPolicy, namespace: str, labels: Mapping[str, str] | None) -> AccessPolicy:
    """The policy as a request in that namespace meets it; `labels` are the namespace's, None if there is none any more."""
    if policy.selector is None or not namespace:
        return policy
    if labels is None:
        return replace(policy, unreached=f"there is no namespace {namespace} any more")
    if policy.selector.selects(namespace, labels):
        return policy
    return replace(policy, unreached=f"{policy.ref} does not select namespace {namespace}: it selects {selected(policy)}")


def in_force(policy: AccessPolicy) -> bool:
    """Whether it is on record that requests are accepted under the policy as it is now."""
    ready, looked_at = condition_of(policy.recorded.conditions, "Ready"), policy.generation == policy.recorded.generation
    return looked_at and not policy.deleting and ready is not None and ready.status == "True"


def selected(policy: AccessPolicy) -> str:
    """Which namespaces a policy is for, in words."""
    if policy.selector is None:
        return str(policy.scope)
    return f"namespaces with {policy.selector}" if policy.selector.requirements else "every namespace but those of the system"


def role_changed(request: AccessRequest, role: ShownRole | None) -> bool:
    """Whether the role is another, or has other rules, than what was shown; not known (False) where either was not read."""
    shown = request.recorded.role
    return shown is not None and role is not None and (shown.uid, shown.digest) != (role.uid, role.digest)


def in_words(things: Iterable[object], joint: str = "and") -> str:
    """A list as people write it: `a, b and c`."""
    words = [str(thing) for thing in things]
    return f" {joint} ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words) or "nobody"
