"""The next record of a request: what is new since the last one, as history, conditions and fields. Pure.

Everything that is ever published of a request (Events, log lines) is a new entry of its history, so nothing is told that is not
on record, and nothing twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from jitaccess.domain.approved import newly_approved, signed_approvals, stage_progress, whose
from jitaccess.domain.counting import counting_approvals, given_approvals, required_of
from jitaccess.domain.lifecycle import deadline_of
from jitaccess.domain.model import AccessPolicy, AccessRequest
from jitaccess.domain.obstacles import OBSTACLES
from jitaccess.domain.recorded import (
    Condition,
    Entry,
    ObjectRef,
    PolicyVersion,
    Recorded,
    RoleVersion,
    Signed,
    State,
    condition_of,
    said,
)
from jitaccess.domain.reviews import with_review
from jitaccess.domain.roles import ShownRole
from jitaccess.domain.rules import Objection, role_changed
from jitaccess.domain.verdicts import Grant, Verdict

# The CRD takes 64 entries; transitions are few, so only incidents (a binding put back) can ever fill it.
MOST_INCIDENTS = 44
# The CRD takes 32768 characters; what an API server or a webhook says can be longer.
LONGEST_MESSAGE = 4096
# What came to nothing: kstatus calls it Failed. Access that was given, and is over, did what it was for.
_IN_VAIN = frozenset({State.DENIED, State.TIMED_OUT, State.FAILED})


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a grant is given through: the binding, the Job behind it or why only we end it, and the user name of its account."""

    binding: ObjectRef
    job: ObjectRef | None
    unguarded: Objection | None = None
    identity: str = ""


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that happened to a grant without a change of its state."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one look came to: the verdict, and what was seen and done beside it."""

    verdict: Verdict
    policy: AccessPolicy | None = None
    role: ShownRole | None = None
    delivery: Delivery | None = None
    incidents: tuple[Incident, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """The record as it should be now, and what of it is new; `news` is empty where only conditions changed."""

    recorded: Recorded
    news: tuple[Entry, ...]


def next_step(request: AccessRequest, outcome: Outcome, now: datetime) -> Step:
    """The record after a look; exactly the recorded one, revision and all, when nothing is new."""
    old, verdict = request.recorded, outcome.verdict
    new = replace(old, generation=request.generation, state=verdict.state, conditions=_conditions(request, outcome, now))
    new = replace(new, starts_at=verdict.starts_at)
    if old.state is State.PENDING:
        new = _as_pending(new, request, outcome, now)
    if verdict.state is State.SCHEDULED and outcome.policy:
        new = replace(new, pending_until=deadline_of(request, outcome.policy, State.SCHEDULED))
    if outcome.role and (_may_show_anew(request) or old.state is State.ACTIVE):
        new = replace(new, role=outcome.role)
    news = _dated(new, _news(request, outcome, now))
    new = replace(new, history=(*old.history, *_kept(old, news)))
    if outcome.delivery and verdict.grant:
        new = _as_granted(new, verdict, verdict.grant, outcome.delivery, now)
    if verdict.state.settled:
        new = _as_settled(new, request, now)
    told = len(new.history)
    new = with_review(request, new, outcome.policy, now)
    news += new.history[told:]
    return Step(new if new == old else replace(new, revision=old.revision + 1), tuple(news))


def _dated(new: Recorded, news: Sequence[Entry]) -> list[Entry]:
    """What is new, the first of it with the policy and the role's rules of now, as far as the history has not said so yet."""
    policy, role = said(new.history)
    now = RoleVersion(new.role.uid, new.role.digest) if new.role else None
    dated = (
        replace(entry, policy=new.policy if new.policy != policy else None, role=now if now != role else None)
        for entry in news[:1]
    )
    return [*dated, *news[1:]]


def _as_pending(new: Recorded, request: AccessRequest, outcome: Outcome, now: datetime) -> Recorded:
    policy = outcome.policy
    new = replace(new, approvals=signed_approvals(counting_approvals(request, policy), new.approvals, now))
    if policy is None or outcome.verdict.reason == "PolicyRecreated":
        return new
    return replace(
        new,
        policy=new.policy if new.policy and new.policy.uid == policy.uid else PolicyVersion(policy.uid, policy.generation),
        required_approvals=required_of(policy),
        stages=stage_progress(request, policy),
        note_required=policy.note_required,
        pending_until=deadline_of(request, policy, State.PENDING),
    )


def _as_granted(new: Recorded, verdict: Verdict, grant: Grant, delivery: Delivery, now: datetime) -> Recorded:
    since, until = grant.granted_at, grant.expires_at
    if not new.granted_at:  # on whose word it begins: the API server asks whether they are locked
        new = replace(new, approvals=signed_approvals(verdict.approvals, new.approvals, now))
    return replace(
        new, granted_at=since, expires_at=until, binding=delivery.binding, job=delivery.job, identity=delivery.identity
    )


def _as_settled(new: Recorded, request: AccessRequest, now: datetime) -> Recorded:
    denial, revocation = request.denials[:1], request.revocations[:1]
    return replace(
        new,
        settled_at=new.settled_at or now,
        denial=Signed(denial[0].by, denial[0].note, now) if denial else new.denial,
        revocation=Signed(revocation[0].by, revocation[0].note, now) if revocation else new.revocation,
    )


def _may_show_anew(request: AccessRequest) -> bool:
    """Nobody has approved what was shown yet, so what the role is now is what whoever comes first will see."""
    return request.state is State.PENDING and (request.recorded.role is None or not given_approvals(request))


def _kept(old: Recorded, news: Sequence[Entry]) -> list[Entry]:
    """What goes into the history: beyond its room incidents are told, but not kept, so that the end can always be recorded."""
    full = len(old.history) >= MOST_INCIDENTS
    return [entry for entry in news if not (full and entry.state is old.state and not entry.by)]


def _news(request: AccessRequest, outcome: Outcome, now: datetime) -> list[Entry]:
    old, verdict = request.recorded, outcome.verdict
    news = [] if old.history else [Entry(request.created, State.PENDING, "Requested", request.reason, request.requester)]
    if old.state is State.PENDING:
        news += newly_approved(request, outcome.policy, now)
    news += [_entry(now, old.state, incident) for incident in (*_role_incident(request, outcome), *outcome.incidents)]
    if verdict.state is not old.state:
        news.append(Entry(now, verdict.state, verdict.reason, verdict.message[:LONGEST_MESSAGE], verdict.by))
    elif verdict.troubled and not _known(old, verdict):
        news.append(_entry(now, old.state, Incident(verdict.reason, verdict.message)))
    if (delivery := outcome.delivery) and delivery.unguarded and not _known_unguarded(old, delivery.unguarded):
        news.append(_entry(now, verdict.state, Incident("ExpiryUnguarded", delivery.unguarded.message)))
    return news


def _role_incident(request: AccessRequest, outcome: Outcome) -> tuple[Incident, ...]:
    shown = request.recorded.role
    told = request.state is State.ACTIVE or _may_show_anew(request)
    if shown is None or outcome.role is None or not told or not role_changed(request, outcome.role):
        return ()
    how = "was deleted and recreated" if shown.uid != outcome.role.uid else "was changed"
    return (Incident("RoleChanged", f"{request.role} {how}: its rules had the hash {shown.digest}, now {outcome.role.digest}"),)


def _entry(at: datetime, state: State, incident: Incident) -> Entry:
    return Entry(at, state, incident.reason, incident.message[:LONGEST_MESSAGE])


def _known(old: Recorded, verdict: Verdict) -> bool:
    before = old.condition("Granted")
    return before is not None and (before.reason, before.message) == (verdict.reason, verdict.message[:LONGEST_MESSAGE])


def _known_unguarded(old: Recorded, why: Objection) -> bool:
    before = old.condition("ExpiryGuarded")
    return before is not None and (before.status, before.reason) == ("False", why.reason)


def _conditions(request: AccessRequest, outcome: Outcome, now: datetime) -> tuple[Condition, ...]:
    verdict, delivery = outcome.verdict, outcome.delivery
    holds = verdict.state is State.ACTIVE and verdict.reason not in OBSTACLES
    wanted = {
        "Approved": _approved(request, verdict),
        "Granted": ("True" if holds else "False", verdict.reason, verdict.message),
        **_health(verdict),
    }
    if verdict.state is State.DENIED:
        wanted["Denied"] = ("True", verdict.reason, verdict.message)
    if delivery and delivery.unguarded:
        why = delivery.unguarded
        wanted["ExpiryGuarded"] = ("False", why.reason, f"only the operator ends this access: {why.message}")
    elif delivery and delivery.job:
        what = "the account, and the right to impersonate it," if delivery.identity else "the binding"
        message = f"Job {delivery.job.name} removes {what} even if the operator is gone"
        wanted["ExpiryGuarded"] = ("True", "JobCreated", message)
    return merged_conditions(request.recorded.conditions, wanted, request.generation, now)


def _health(verdict: Verdict) -> dict[str, tuple[str, str, str]]:
    """What kstatus and `kubectl wait` go by: whether something is awaited, and whether it came to nothing."""
    awaits = verdict.state in (State.PENDING, State.SCHEDULED) or (verdict.state is State.ACTIVE and verdict.troubled)
    if awaits:
        return {"Reconciling": ("True", verdict.reason, verdict.message)}
    stalled = {"Stalled": ("True", verdict.reason, verdict.message)} if verdict.state in _IN_VAIN else {}
    return {"Reconciling": ("False", verdict.reason, "nothing is awaited"), **stalled}


def _approved(request: AccessRequest, verdict: Verdict) -> tuple[str, str, str]:
    before = request.recorded.condition("Approved")
    if verdict.state is not State.PENDING and before and before.status == "True":
        return before.status, before.reason, before.message
    if not verdict.approved:
        return "False", verdict.reason, verdict.message
    names = ", ".join(whose(approval) for approval in verdict.approvals)
    return (
        ("True", "Approved", f"approved by {names}") if names else ("True", "ApprovedByPolicy", "the policy asks for no approval")
    )


def merged_conditions(
    old: Sequence[Condition], wanted: dict[str, tuple[str, str, str]], generation: int, now: datetime
) -> tuple[Condition, ...]:
    """The conditions with these (type -> status, reason, message) set; those of others stay, times change with the status."""
    merged = {condition.type: condition for condition in old}
    for kind, (status, reason, message) in wanted.items():
        before = condition_of(old, kind)
        since = before.since if before and before.status == status and before.since else now
        merged[kind] = Condition(kind, status, reason, message[:LONGEST_MESSAGE], since, generation)
    return tuple(merged.values())
