"""Judges what policies and locks say of beginnings, by docs/lifecycle.md and docs/trust.md; shares no code with the operator.

6: never more than the limits say. 7: nothing begins that its policy does not allow then: every stage is met, by different
people who had the right. 8: whoever is locked has nothing, gets nothing, and counts for nothing.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from chaos.approvals import Approval, names
from chaos.audited import seconds
from chaos.bounds import Case, bound, read_since
from chaos.history import Record, Request
from chaos.locks import fold, locked_throughout, locks_on
from chaos.policies import in_force, objection, versions_for
from chaos.violations import Violation

HELD_UP = 2.0  # seconds that a record takes to the API server at most, unless the network, or the machine, holds it up
DAILY = "DailyLimitReached"


def within_limits(case: Case, request: Request) -> Iterator[Violation]:
    """Active grants are counted as each begins; one whose record the network held up is for nobody to count, as ADR 0025 says."""
    begun = request.begun
    if begun is None or _held_up(begun):
        return
    others = [other for other in _neighbours(case, request) if _takes_room(other, begun)]
    mine = [other for other in others if _asker(other) == _asker(request)]
    for limit, taken in (("activePerRequester", mine), ("activeInTotal", others)):
        most = _most(case, request, limit, read_since(case, request, _decided(begun)), begun.done)
        if most is not None and len(taken) >= most:
            told = ", ".join(map(str, taken))
            yield Violation("6", str(request), f"it began beside {told}, and {limit} is {most}")


def within_a_day(case: Case, request: Request) -> Iterator[Violation]:
    """All requests of a run are of one day; those that this limit refused, or that were deleted, are none of it."""
    most = _most(case, request, "requestsPerDay", 0.0, case.finished)
    if most is None or not _is_of_the_day(request) or request.records[0].status.get("settled"):
        return  # what was over at the first look, as it had been taken back, was not let in
    days = [other for other in _neighbours(case, request) if _asker(other) == _asker(request) and _is_of_the_day(other)]
    before = [other for other in days if other.records[0].version < request.records[0].version]
    if len(before) >= most:
        yield Violation(
            "6", str(request), f"{len(before)} of the same person were let in before it, and requestsPerDay is {most}"
        )


def allowed_as_it_began(case: Case, request: Request) -> Iterator[Violation]:
    """By the policy as it was read live, and by the approvals of people who had the right, whoever of them is locked now."""
    begun = request.begun
    if begun is None:
        return
    said = _speaks_against(case, request, begun, [each for each in request.approvals.values() if _had_right(case, request, each)])
    if said:
        return (yield Violation("7", str(request), f"it began though its policy did not allow it: {said}"))
    since = read_since(case, request, _decided(begun))
    heard = [each for each in request.approvals.values() if not _is_locked(case, each.by, since, begun.done)]
    if _speaks_against(case, request, begun, heard):
        locked = [each.by for each in request.approvals.values() if each not in heard]
        yield Violation("8", str(request), f"it began on the word of {', '.join(locked)}, who is locked")


def begins_for_nobody_locked(case: Case, request: Request) -> Iterator[Violation]:
    """Whoever is locked gets nothing."""
    begun = request.begun
    if begun and _is_locked(case, request.spec.get("requester", ""), read_since(case, request, _decided(begun)), begun.done):
        yield Violation("8", str(request), f"it began though {request.spec['requester']} is locked")


def asked_and_decided_by_nobody_locked(case: Case, request: Request) -> Iterator[Violation]:
    """The API server lets in nothing of theirs, but that they give something back."""
    acts = [(each.by, "approved", each.sent, each.at) for each in request.approvals.values()]
    acts += [(request.spec.get("requester", ""), "asked", *request.asked)] if request.asked else []
    for who, did, sent, done in acts:
        for lock in locks_on(case.history.locks.values(), who):
            if lock.at + bound(case, request, lock.at, done) < sent and done < lock.over:
                yield Violation("8", str(request), f"{who} {did} {sent - lock.at:.3f} s after they were locked")


def _speaks_against(case: Case, request: Request, begun: Record, approvals: list[Approval]) -> str:
    """What every version of the policy that can have been read has against it; empty if one of them has nothing."""
    asked = replace(request, approvals={(each.stage, fold(each.by)): each for each in approvals if each.version < begun.version})
    versions = in_force(case.history, request, read_since(case, request, _decided(begun)), begun.done)
    said = [objection(asked, version, "", begun.done) for version in versions]
    return " or ".join(said) if all(said) else ""


def _had_right(case: Case, request: Request, approval: Approval) -> bool:
    """Whether any version of the policy until then named them: who is taken out loses the right only when the operator runs."""
    versions = versions_for(case.history, request)
    return any(version.spec and version.at <= approval.at and names(version.spec, approval) for version in versions)


def _neighbours(case: Case, request: Request) -> list[Request]:
    policy = (request.namespace, request.spec.get("policyRef"))
    others = case.history.requests.values()
    return [other for other in others if other is not request and (other.namespace, other.spec.get("policyRef")) == policy]


def _takes_room(other: Request, begun: Record) -> bool:
    """Whether by the record another one was active as this began."""
    first, settled = other.begun, other.settled
    if first is None or first.version > begun.version or _held_up(first):
        return False
    return not (settled and settled.version < begun.version) and not (other.deleted and other.deleted <= begun.done)


def _is_of_the_day(request: Request) -> bool:
    refused = any(entry.get("reason") == DAILY for record in request.records for entry in record.status.get("history", []))
    return bool(request.records) and not refused and request.deleted is None


def _most(case: Case, request: Request, limit: str, since: float, until: float) -> int | None:
    """What the policy says at most between the two; None where it says nothing at some moment of it."""
    said: list[Any] = [
        (version.spec.get("limits") or {}).get(limit)
        for version in in_force(case.history, request, since, until)
        if version.spec is not None
    ]
    return None if not said or None in said else max(said)


def _decided(begun: Record) -> float:
    return min(seconds(str(begun.status["grantedAt"])), begun.sent)


def _held_up(begun: Record) -> bool:
    return begun.astray or begun.sent - _decided(begun) > HELD_UP


def _is_locked(case: Case, who: str, since: float, until: float) -> bool:
    return locked_throughout(case.history.locks.values(), who, since, until)


def _asker(request: Request) -> str:
    return fold(str(request.spec.get("requester", "")))


FENCE_RULES = (
    within_limits,
    within_a_day,
    allowed_as_it_began,
    begins_for_nobody_locked,
    asked_and_decided_by_nobody_locked,
)
