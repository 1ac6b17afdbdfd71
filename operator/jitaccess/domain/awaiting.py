"""Whose approvals a request waits for, in words. Pure."""

from collections.abc import Sequence

from jitaccess.domain.circumstances import Case
from jitaccess.domain.counting import counting_approvals, given_approvals, heard, heard_approvals, noted, stages_of, wanting
from jitaccess.domain.model import AccessPolicy, Decision, Stage
from jitaccess.domain.rules import in_words


def missing_approvals(case: Case) -> str:
    """What a pending request waits for, and whose approvals do not count, for want of a note or because of a lock; in words."""
    request, policy, names = case.request, case.policy, [stage.name for stage in stages_of(case.policy)]
    said = [approval for approval in given_approvals(request) if approval.stage in names and not noted(approval)]
    blank = ", ".join(dict.fromkeys(approval.by for approval in said)) if policy.note_required else ""
    locked = ", ".join(dict.fromkeys(each.by for each in counting_approvals(request, policy) if not heard(case, [each])))
    return (
        awaited(policy, heard_approvals(case))
        + (f"; not counted, since it has no note: {blank} (may approve again, with one)" if blank else "")
        + (f"; not counted while they are locked: {locked}" if locked else "")
    )


def awaited(policy: AccessPolicy, given: Sequence[Decision]) -> str:
    """What a pending request waits for, in words: `needs 1 approval from Group leads or User carol`."""
    parts = [_approvals_from(policy, each.stage, each.more, " more" if each.given else "") for each in wanting(policy, given)]
    return f"needs {' and '.join(parts)}"


def approvals_from(policy: AccessPolicy) -> str:
    """How many approvals a policy asks for, and from whom: `2 approvals from Group leads`."""
    return " and ".join(_approvals_from(policy, stage, stage.required) for stage in stages_of(policy))


def _approvals_from(policy: AccessPolicy, stage: Stage, number: int, more: str = "") -> str:
    noun = "approval" if number == 1 else "approvals"
    note = " with a note" if policy.note_required else ""
    return f"{number}{more} {noun}{note} from {deciders(stage)}"


def deciders(stage: Stage) -> str:
    """Who approves in a stage: `Group leads (stage lead)`; its name is left out where it has none."""
    return in_words(stage.approvers, "or") + (f" (stage {stage.name})" if stage.name else "")
