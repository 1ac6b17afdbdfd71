"""Judges what happened by the promises of docs/reliability.md, and says what was expected and what came.

Shares no code with the operator.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any

from chaos.audited import seconds
from chaos.bounds import CALM, Case, bound, disturbances, dues
from chaos.fence_rules import FENCE_RULES
from chaos.history import Binding, Record, Request
from chaos.policies import approvals_under_another, duration
from chaos.violations import Violation

ON_THE_WAY = 0.1  # seconds that a request may take to the API server
SILENCE = 3.0  # seconds for which a refused end may stay unannounced
SETTLED_FACTS = ("state", "settled", "grantedAt", "expiresAt", "settledAt")


def judge(case: Case) -> list[Violation]:
    """Every promise that was broken in that case."""
    found = [
        Violation("1", f"{stray.namespace}/{stray.name}", "a grant exists for a request that nobody made")
        for stray in case.history.strangers
    ]
    for request in case.history.requests.values():
        for rule in _RULES:
            found += rule(case, request)
    return found


# --- (1) whenever a binding exists, a durable record says so, with its end


def _recorded_first(case: Case, request: Request) -> Iterator[Violation]:
    for binding in request.bindings:
        record = _record_before(request, binding)
        status = record.status if record else {}
        told = (status.get("grantedAt", ""), status.get("expiresAt", ""))
        if "" in told or told != (binding.granted_at, binding.expires_at):
            said = f"binding {binding.name} ({binding.granted_at} to {binding.expires_at}) was made while the record said {told}"
            yield Violation("1", str(request), said)


def _record_before(request: Request, binding: Binding) -> Record | None:
    return next((record for record in reversed(request.records) if record.version < binding.version), None)


def _told_at_the_end(case: Case, request: Request) -> Iterator[Violation]:
    if not request.bindings:
        return
    status = request.records[-1].status if request.records else {}
    entries = [(entry.get("state"), entry.get("reason")) for entry in status.get("history", [])]
    if not any(state == "Active" for state, _ in entries):
        yield Violation("1", str(request), f"it had access, and its history does not tell of it: {entries}")
    if request.deleted is None and not any(state in ("Expired", "Revoked") for state, _ in entries):
        yield Violation("1", str(request), f"it had access, and its history tells no end: {entries}")


# --- (2) one quorum starts at most one grant


def _granted_once(case: Case, request: Request) -> Iterator[Violation]:
    written = [str(record.status["grantedAt"]) for record in request.records if record.status.get("grantedAt")]
    starts = {*written, *(binding.granted_at for binding in request.bindings)}
    if len(starts) > 1:
        yield Violation("2", str(request), f"expected one grant, found grants that began at {sorted(starts)}")


def _approved_under_this_policy(case: Case, request: Request) -> Iterator[Violation]:
    for binding in filter(lambda binding: not binding.astray, request.bindings):
        if said := approvals_under_another(case.history, request, binding.created):
            yield Violation("2", str(request), f"binding {binding.name} was made by {said}")


def _not_before_its_start(case: Case, request: Request) -> Iterator[Violation]:
    start = request.spec.get("startTime")
    for binding in request.bindings if start and case.clock_is_right else ():
        early = seconds(str(start)) - binding.created
        if early > ON_THE_WAY:
            yield Violation("2", str(request), f"binding {binding.name} was made {early:.3f} s before its start")


# --- (3) the end never moves later, no binding is made after its end, what is settled stays as it is


def _end_stays(case: Case, request: Request) -> Iterator[Violation]:
    written = [str(record.status.get("expiresAt", "")) for record in request.records]
    for ends in (written, [end for binding in request.bindings for end in binding.ends]):
        known = [end for end in ends if end]
        for before, after in pairwise(known):
            if seconds(after) > seconds(before):
                yield Violation("3", str(request), f"the end moved from {before} to {after}")
    if case.clock_is_right:
        yield from _made_too_late(case, request)


def _made_too_late(case: Case, request: Request) -> Iterator[Violation]:
    for binding in request.bindings:
        end = seconds(binding.expires_at) if binding.expires_at else binding.sent
        late = binding.sent - end - case.journal.lost(end - CALM, binding.sent)  # it was decided, and the machine stood still
        if late > ON_THE_WAY and not binding.astray:
            yield Violation("3", str(request), f"binding {binding.name} was asked for {late:.3f} s after its own end")


def _settled_stays(case: Case, request: Request) -> Iterator[Violation]:
    for before, after in pairwise(request.records):
        old, new = before.status, after.status
        if old.get("settled") and any(old.get(fact) != new.get(fact) for fact in SETTLED_FACTS):
            yield Violation("3", str(request), f"settled as {_facts(old)}, and then it became {_facts(new)}")
        entries = old.get("history", [])
        if new.get("history", [])[: len(entries)] != entries:
            yield Violation("3", str(request), f"what was on record changed: {entries} became {new.get('history')}")


def _facts(status: Mapping[str, Any]) -> dict[str, Any]:
    return {fact: status.get(fact) for fact in SETTLED_FACTS}


# --- (4) nobody delays an end


def _gone_in_time(case: Case, request: Request) -> Iterator[Violation]:
    for binding in request.bindings:
        for why, due in dues(case, request, binding):
            limit = due + bound(case, request, due, binding.ended)
            if (binding.ended or case.finished) > limit:
                late = (binding.ended or case.finished) - due
                after = "gone" if binding.ended else "still there"
                wrong = f"{disturbances(case, request, due, binding) or 'nothing'} was wrong"
                said = f"{why}: binding {binding.name} {after} {late:.3f} s later, expected at most {limit - due:.3f} s; {wrong}"
                yield Violation("4", str(request), said)


def _recorded_in_time(case: Case, request: Request) -> Iterator[Violation]:
    """The record of an end follows as fast as the end itself."""
    settled = request.settled
    last = next((binding for binding in reversed(request.bindings) if not binding.astray), None)
    if request.deleted or not settled or not last or last.ended is None:
        return
    due = max([last.ended or 0.0, *(due for _, due in dues(case, request, last)[:1])])
    late, most = settled.done - due, bound(case, request, due, settled.done)
    if late > most:
        yield Violation("4", str(request), f"its end was recorded {late:.3f} s after it, expected at most {most:.3f} s")


def _not_longer_than_asked(case: Case, request: Request) -> Iterator[Violation]:
    """By the API server's clock alone, whatever the operator's clock says."""
    had = sum((binding.ended or case.finished) - binding.created for binding in request.bindings if not binding.astray)
    asked = duration(str(request.spec.get("duration", "0s")))
    if not request.bindings:
        return
    due = request.bindings[0].created + asked
    limit = asked + bound(case, request, due, request.bindings[-1].ended)
    if had > limit:
        yield Violation("4", str(request), f"access for {had:.3f} s, expected at most {limit:.3f} s for {asked:.0f} s asked")


# --- (5) what cannot be ended is said loudly, and never called over


def _not_called_over(case: Case, request: Request) -> Iterator[Violation]:
    settled = request.settled
    for binding in request.bindings:
        if not settled or binding.astray:
            continue
        if binding.version > settled.version:
            yield Violation("5", str(request), f"settled as {settled.status.get('state')}, and then {binding.name} was made")
        elif binding.ended is None or binding.ended > settled.sent:
            yield Violation("5", str(request), f"settled as {settled.status.get('state')} while {binding.name} still gave access")


def _said_loudly(case: Case, request: Request) -> Iterator[Violation]:
    """An end that was refused for longer than SILENCE shows in a condition and in a Warning."""
    refused = _refused_ends(case, request)
    if not refused or request.deleted:
        return
    end = max((binding.ended or case.finished for binding in request.bindings), default=0.0)
    if min(end, max(refused)) - refused[0] < SILENCE + case.journal.lost(refused[0], end):
        return
    if not any(refused[0] <= at <= end + CALM for at in request.warnings):
        yield Violation("5", str(request), f"its end was refused for {end - refused[0]:.1f} s, and no Warning Event says so")
    if not _condition_changed(request, refused[0], end):
        yield Violation("5", str(request), f"its end was refused for {end - refused[0]:.1f} s, and no condition says so")


def _refused_ends(case: Case, request: Request) -> list[float]:
    """When the API server, or the proxy in its name, did not let the operator end what was to end."""
    due = min((due for binding in request.bindings for _, due in dues(case, request, binding)), default=case.finished)
    return [
        disturbance.start
        for disturbance in case.journal.disturbances
        if (disturbance.namespace, disturbance.request) == (request.namespace, request.name)
        and "rolebindings refused" in disturbance.what
        and not disturbance.what.startswith("POST")
        and disturbance.start >= due
    ]


def _condition_changed(request: Request, start: float, end: float) -> bool:
    return any(
        (before.status.get("conditions") or []) != (after.status.get("conditions") or [])
        for before, after in pairwise(request.records)
        if start <= after.done <= end and not after.status.get("settled")
    )


# --- and nothing is left behind


def _settled_at_last(case: Case, request: Request) -> Iterator[Violation]:
    status = request.records[-1].status if request.records else {}
    if status.get("grantedAt") and not status.get("settled") and not request.deleted:
        yield Violation("5", str(request), f"granted, and never settled: {status.get('state')} until {status.get('expiresAt')}")


Rule = Callable[[Case, Request], Iterable[Violation]]
_RULES: tuple[Rule, ...] = (
    _recorded_first,
    _told_at_the_end,
    _granted_once,
    _approved_under_this_policy,
    _not_before_its_start,
    _end_stays,
    _settled_stays,
    _gone_in_time,
    _recorded_in_time,
    _not_longer_than_asked,
    _not_called_over,
    _said_loudly,
    _settled_at_last,
    *FENCE_RULES,
)
