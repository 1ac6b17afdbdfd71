"""Whose approvals count, and in which stage: pure.

A policy without stages is one stage without a name: its approvals are in the one ledger `jitaccess.dev/approvals`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from jitaccess.domain.circumstances import Case
from jitaccess.domain.model import AccessPolicy, AccessRequest, Decision, Stage
from jitaccess.domain.recorded import State
from jitaccess.domain.text import lower_ascii

# More approvals than the CRD lets a policy, or a stage, ask for are not worth recording.
MOST_APPROVALS = 16
MOST_OF_A_STAGE = 4


@dataclass(frozen=True, slots=True)
class Wanting:
    """A stage that has not enough approvals yet: how many it has, and how many more it takes."""

    stage: Stage
    given: int
    more: int


def stages_of(policy: AccessPolicy) -> tuple[Stage, ...]:
    """The stages of a policy, all of which must approve; one without a name where it has none."""
    return policy.stages or (Stage("", policy.approvers, policy.required_approvals),)


def required_of(policy: AccessPolicy) -> int:
    """How many approvals a policy asks for, in all stages together."""
    return sum(stage.required for stage in stages_of(policy))


def given_approvals(request: AccessRequest) -> tuple[Decision, ...]:
    """Who has approved, in ledger order: once a person and ledger, not the requester; A is a here, as in decisions.yaml.

    Of one person's lines in a ledger it is the first with a note, or else the first: where notes are required, one may be added
    later. A line whose bracket cannot be read gives nothing; where access was granted, it was approved as it had to be then.
    """
    first: dict[tuple[str, str], Decision] = {}
    for approval in request.approvals:
        person, lane = lower_ascii(approval.by), (approval.stage, lower_ascii(approval.by))
        if not person or person == lower_ascii(request.requester) or (approval.unclear and request.state is State.PENDING):
            continue
        if lane not in first or noted(approval) > noted(first[lane]):
            first[lane] = approval
    return tuple(first.values())


def counting_approvals(request: AccessRequest, policy: AccessPolicy | None = None) -> tuple[Decision, ...]:
    """The approvals that count, stage by stage, each person in the first of them alone; those with a note where one is required.

    What the policy says counts until the grant; from then on, or where the policy is not known, what is on record.
    """
    live = policy if request.state is State.PENDING else None
    names = [stage.name for stage in (live.stages if live else request.recorded.stages)] or [""]
    required = live.note_required if live else request.recorded.note_required
    given = [approval for approval in given_approvals(request) if not required or noted(approval)]
    counting: list[Decision] = []
    for name in names:
        others = {lower_ascii(approval.by) for approval in counting}
        fresh = [each for each in given if each.stage == name and lower_ascii(each.by) not in others]
        counting += fresh[: MOST_OF_A_STAGE if name else MOST_APPROVALS]
    return tuple(counting)


def recorded_approvals(request: AccessRequest) -> tuple[Decision, ...]:
    """The approvals on record, as they were counted then."""
    return tuple(Decision(each.by, each.note, each.stage, each.length) for each in request.recorded.approvals)


def heard_approvals(case: Case) -> tuple[Decision, ...]:
    """The approvals that count for a grant that has not begun: what people who are locked now have approved is as if not said."""
    return counting_approvals(replace(case.request, approvals=heard(case, case.request.approvals)), case.policy)


def heard(case: Case, approvals: Iterable[Decision]) -> tuple[Decision, ...]:
    """Of these approvals those of people who are not locked now."""
    return tuple(approval for approval in approvals if not case.around.locks.on(approval.by, case.now))


def wanting(policy: AccessPolicy, approvals: Sequence[Decision]) -> tuple[Wanting, ...]:
    """The stages of a policy that these approvals do not suffice for; none where they suffice for all."""
    given = {stage: sum(approval.stage == stage.name for approval in approvals) for stage in stages_of(policy)}
    return tuple(Wanting(stage, has, stage.required - has) for stage, has in given.items() if has < stage.required)


def noted(approval: Decision) -> bool:
    """Whether an approval says anything."""
    return approval.note.strip() != ""
