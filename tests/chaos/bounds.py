"""When an end was due, what was wrong at that time, and how late it may have been for that."""

from collections.abc import Iterator
from dataclasses import dataclass

from chaos.audited import seconds
from chaos.history import Binding, History, Request
from chaos.journal import Disturbance, Journal
from chaos.locks import locks_on
from chaos.policies import duration, forbidden_since

CALM = 1.0  # seconds: the bound where nothing was disturbed, beside what the machine itself was late
CALLS = 2  # the news or the read that an end begins with, and its write: a busy machine holds up each as it holds up an onlooker
RETRY = 5.0  # seconds after the last fault of a single write: the longest pause between two tries
RECOVERY = 15.0  # seconds after whatever took connections, watches or the lead away
SECOND_LINE = 30.0 + 60.0  # seconds: the Job's time to live, and the garbage collector's turn


@dataclass(frozen=True, slots=True)
class Delay:
    """How long after it was due a binding gave access, and what was wrong meanwhile."""

    request: str
    why: str
    seconds: float
    disturbed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """What the judge looks at: the log, what was done to the operator, and whether its wall clock was right."""

    history: History
    journal: Journal
    finished: float
    clock_is_right: bool = True


def delays(case: Case) -> list[Delay]:
    """How long each binding outlived what should have ended it, for the figures."""
    return [
        Delay(str(request), why, (binding.ended or case.finished) - due, disturbances(case, request, due, binding))
        for request in case.history.requests.values()
        for binding in request.bindings
        for why, due in dues(case, request, binding)[:1]
        if binding.ended is None or binding.ended >= due
    ]


def overstay(case: Case) -> float:
    """The longest that anybody had access beyond what was asked, in seconds by the API server's clock; negative if nobody had.

    Bindings that no operator can help are left out.
    """
    return max((beyond for _, beyond in _beyond(case)), default=0.0)


def too_long(case: Case) -> float:
    """The same, without what the machine itself was late."""
    return max((beyond - slowness(case.journal, end - beyond, end) for end, beyond in _beyond(case)), default=0.0)


def _beyond(case: Case) -> Iterator[tuple[float, float]]:
    """When each access ended, and how much later than was asked."""
    for request in case.history.requests.values():
        ours = [(binding.created, binding.ended or case.finished) for binding in request.bindings if not binding.astray]
        if ours:
            yield max(end for _, end in ours), sum(end - since for since, end in ours) - duration(str(request.spec["duration"]))


def dues(case: Case, request: Request, binding: Binding) -> list[tuple[str, float]]:
    """Why that binding should have ended, and when, earliest first; never before it was made."""
    ended = binding.ended or case.finished
    over = request.settled.done if request.settled else None
    causes = [("denied or revoked", request.over), ("request deleted", request.deleted), ("settled", over)]
    if case.clock_is_right and binding.expires_at:
        causes.append(("expired", seconds(binding.expires_at)))
    causes += list(_forbidden(case, request, binding, ended))
    dues = [(why, max(at, binding.created)) for why, at in causes if at is not None]
    return sorted(dues, key=lambda due: due[1])


def _forbidden(case: Case, request: Request, binding: Binding, ended: float) -> Iterator[tuple[str, float]]:
    """What forbade a grant for so long that it had to be seen: by its policy, or by a lock."""
    locks = locks_on(case.history.locks.values(), request.spec.get("requester", ""))
    locked = [("locked", max(lock.at, binding.created), lock.over) for lock in locks if lock.at < ended]
    for why, since, until in (*forbidden_since(case.history, request, binding.created, ended + CALM), *locked):
        if until - since > bound(case, request, since, binding.ended):
            yield why, since


def read_since(case: Case, request: Request, decided: float) -> float:
    """How old what was read may have been when something was decided: it is read live, unless something held that up."""
    once = decided - CALM - CALLS * case.journal.stall(decided - 2 * CALM, decided)
    since = min(once, case.journal.before(decided, CALM))
    wrong = [
        disturbance.start - CALM
        for disturbance in case.journal.disturbances
        if disturbance.concerns(request.namespace, request.name) and since <= disturbance.end and disturbance.start <= decided
    ]
    return min([since, *wrong])


def bound(case: Case, request: Request, due: float, done: float | None) -> float:
    """For how many seconds after it was due an end, or its record, may wait."""
    slow = slowness(case.journal, due, done or case.finished)
    wrong = concerning(case, request, due, done)
    if not wrong:
        return CALM + slow
    recovered = max(disturbance.end + recovery(disturbance) for disturbance in wrong)
    return max(CALM, min(SECOND_LINE, recovered - due)) + slow


def slowness(journal: Journal, due: float, until: float) -> float:
    """For how many seconds what was due then can have been held up until the other moment by the machine itself."""
    return max(CALLS * journal.stall(due - CALM, due + 2 * CALM), journal.lost(due - CALM, until))


def recovery(disturbance: Disturbance) -> float:
    """In how many seconds after it an operator must have caught up; a fault of one write takes nothing away but that write."""
    return RETRY if disturbance.request else RECOVERY


def concerning(case: Case, request: Request, due: float, done: float | None) -> list[Disturbance]:
    """What was wrong between shortly before something was due and the moment it was done."""
    until = min(done or case.finished, due + SECOND_LINE)
    return [
        disturbance
        for disturbance in case.journal.disturbances
        if disturbance.concerns(request.namespace, request.name)
        and disturbance.end >= due - RETRY
        and disturbance.start - CALM / 2 <= until
    ]


def disturbances(case: Case, request: Request, due: float, binding: Binding) -> tuple[str, ...]:
    """What was wrong while that binding should have ended, in words."""
    return tuple(sorted({disturbance.what for disturbance in concerning(case, request, due, binding.ended)}))
