"""What of the approvals goes on record: whose they are, in which stage, for how long, and how far each stage is. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from jitaccess.domain.counting import counting_approvals
from jitaccess.domain.model import AccessPolicy, AccessRequest, Decision
from jitaccess.domain.recorded import Entry, Signed, StageProgress, State
from jitaccess.domain.rules import in_words
from jitaccess.domain.text import format_duration

LONGEST_NAMES = 512  # characters; the policy has them all


def signed_approvals(approvals: Iterable[Decision], recorded: Sequence[Signed], now: datetime) -> tuple[Signed, ...]:
    """The approvals that count, each with the time at which it was first recorded."""
    times = {(signed.by, signed.stage): signed.at for signed in recorded}
    return tuple(Signed(a.by, a.note, times.get((a.by, a.stage), now), a.stage, a.length) for a in approvals)


def newly_approved(request: AccessRequest, policy: AccessPolicy | None, now: datetime) -> list[Entry]:
    """An entry of the history for each approval of a pending request that counts and is not there yet."""
    old = request.recorded
    # A policy that asks for notes, and then no longer, lets an approval count again that was on record before.
    known = {(signed.by, signed.stage) for signed in old.approvals}
    known |= {(entry.by, entry.stage) for entry in old.history if entry.reason == "Approved"}
    fresh = [each for each in counting_approvals(request, policy) if (each.by, each.stage) not in known]
    return [Entry(now, State.PENDING, "Approved", as_written(a), a.by, stage=a.stage, length=a.length) for a in fresh]


def stage_progress(request: AccessRequest, policy: AccessPolicy) -> tuple[StageProgress, ...]:
    """How far each stage of a policy is; nothing for a policy without stages."""
    counting = [approval.stage for approval in counting_approvals(request, policy)]
    return tuple(
        StageProgress(stage.name, stage.required, counting.count(stage.name), _briefly(in_words(stage.approvers, "or")))
        for stage in policy.stages
    )


def _briefly(names: str) -> str:
    """Names in a record that has no room for 32 of them, each of 253 characters."""
    return names if len(names) <= LONGEST_NAMES else f"{names[: LONGEST_NAMES - 3]}..."


def how_many(stages: Sequence[StageProgress], approvals: Sequence[Decision | Signed]) -> int:
    """How many of the approvals that are asked for are there; in a stage no more count than it asks for."""
    given = Counter(approval.stage for approval in approvals)
    return sum(min(given[stage.name], stage.required) for stage in stages) if stages else len(approvals)


def as_written(approval: Decision) -> str:
    """The note of an approval with the bracket in front that makes access shorter, as in the ledger."""
    return f"{bracket(approval.length)} {approval.note}".strip() if approval.length else approval.note


def bracket(length: timedelta) -> str:
    """What an approval for less time begins with: `[for 30m]`."""
    return f"[for {format_duration(length)}]"


def whose(approval: Decision) -> str:
    """Who approved, and what is special about it: `bob (stage lead, for 30m)`."""
    limit = f"for {format_duration(approval.length)}" if approval.length else ""
    special = ", ".join(part for part in (f"stage {approval.stage}" if approval.stage else "", limit) if part)
    return f"{quoted(approval.by)} ({special})" if special else quoted(approval.by)


def quoted(name: str) -> str:
    """A name as it is, or in quotes where it could be taken for more than one."""
    return f'"{name}"' if any(character.isspace() or character in ',"' for character in name) else name
