"""Audit logs made up by hand about limits, stages, locks and suspended policies: promises that are kept, and doctored ones."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from chaos.history import OPERATOR
from chaos.logs import EXPIRED, GRANTED, LEADS, REQUESTED, Log, stamp, times

SECURITY = [{"kind": "Group", "name": "security"}]
STAGES = [{"name": "lead", "approvers": LEADS}, {"name": "security", "approvers": SECURITY}]
REFUSED = {"state": "Denied", "reason": "DailyLimitReached"}
Line = tuple[str, str, Sequence[str]]  # who approves, in which stage, and what groups they are in
BOB: Line = ("bob", "", ("leads",))
BY_LEAD: Line = ("bob", "lead", ("leads",))
BY_SECURITY: Line = ("grace", "security", ("security",))


def under(**policy: Any) -> Log:
    """A story that begins with that policy."""
    log = Log()
    log.policy(0, **policy)
    return log


def begin(log: Log, name: str, at: float, *, who: str = "alice", lines: Sequence[Line] = (BOB,), **record: Any) -> Log:
    """A request is made two seconds before, approved one second before, and begins."""
    log.turn_to(name, f"uid-{name}")
    log.ask(at - 2, requester=who)
    log.record(at - 1.9, "Pending", [REQUESTED])
    ledgers: dict[str, str] = {}
    for place, (by, stage, groups) in enumerate(lines):
        ledger = f"approvals_{stage}" if stage else "approvals"
        ledgers[ledger] = ledgers.get(ledger, "") + f"{by}: ok\n"
        log.decide(at - 1 + place / 10, who=by, groups=groups, **ledgers)
    decided = record.pop("decided", at)
    log.record(at, "Active", [REQUESTED, GRANTED], **times(decided, decided + 10), **record)
    log.bind(at + 0.1, since=decided, until=decided + 10, uid=f"b-{name}")
    return log


def end(log: Log, name: str, at: float, state: str = "Expired") -> Log:
    """And ends."""
    log.turn_to(name, f"uid-{name}")
    log.delete(at, "rolebindings", f"b-{name}")
    last = EXPIRED if state == "Expired" else {"state": state, "reason": state}
    began = next(event["responseObject"]["status"] for event in log.events if _begins(event, log.uid))
    told = {moment: began[moment] for moment in ("grantedAt", "expiresAt")}
    log.record(at + 0.1, state, [REQUESTED, GRANTED, last], **told, settledAt=stamp(at + 0.1))
    return log


def _begins(event: Mapping[str, Any], uid: str) -> bool:
    came_out = event["responseObject"]
    return came_out["metadata"].get("uid") == uid and bool((came_out.get("status") or {}).get("grantedAt"))


# --- limits


def side_by_side(who: str = "alice", **limits: int) -> Callable[[], Log]:
    """Two grants at once."""

    def doctored() -> Log:
        log = begin(begin(under(limits=limits), "one", 3), "two", 5, who=who)
        return end(end(log, "one", 13.1), "two", 15.1)

    return doctored


def lowered(at: float) -> Callable[[], Log]:
    """The limit is lowered to one then, and the second grant begins at 5."""

    def doctored() -> Log:
        log = begin(under(limits={"activeInTotal": 2}), "one", 3)
        log.policy(at, verb="patch", limits={"activeInTotal": 1})
        log = begin(log, "two", 5)
        return end(end(log, "one", 13.1), "two", 15.1)

    return doctored


def one_after_the_other() -> Log:
    """The second begins when the end of the first is on record."""
    log = end(begin(under(limits={"activeInTotal": 1}), "one", 3), "one", 13.1)
    return end(begin(log, "two", 13.3), "two", 23.4)


def before_the_first_was_settled() -> Log:
    """The binding of the first is gone, and its end is not on record."""
    log = begin(under(limits={"activeInTotal": 1}), "one", 3)
    log.delete(13.1, "rolebindings", "b-one")
    log = begin(log, "two", 13.2)
    log.turn_to("one", "uid-one")
    log.record(13.4, "Expired", [REQUESTED, GRANTED, EXPIRED], **times(), settledAt=stamp(13.4))
    return end(log, "two", 23.3)


def held_up() -> Log:
    """The network had held the record of the second for three seconds, until a successor had counted without it."""
    log = begin(under(limits={"activeInTotal": 1}), "one", 6)
    log = begin(log, "two", 8, decided=5)
    return end(end(log, "two", 15.1), "one", 16.1)


def three_in_a_day(*, second: Callable[[Log], None]) -> Callable[[], Log]:
    """Two are let in where the limit is two, `second` says what becomes of the one between them, and a third begins."""

    def doctored() -> Log:
        log = end(begin(under(limits={"requestsPerDay": 2}), "one", 3), "one", 13.1)
        log.turn_to("two", "uid-two")
        log.ask(14)
        second(log)
        return end(begin(log, "three", 20), "three", 30.1)

    return doctored


def taken_back_at_once() -> Log:
    """The second is taken back before anybody has looked, which speaks against it before any limit."""
    log = under(limits={"requestsPerDay": 1})
    log = end(begin(log, "one", 3), "one", 13.1)
    log.turn_to("two", "uid-two")
    log.ask(14)
    log.decide(14.1, who="alice", groups=("developers",), revocations="alice: never mind")
    log.record(14.2, "Withdrawn", [REQUESTED, {"state": "Withdrawn", "reason": "WithdrawnByRequester"}], settledAt=stamp(14.2))
    return log


def denied(log: Log) -> None:
    """It is denied by somebody."""
    log.record(14.1, "Denied", [REQUESTED, {"state": "Denied", "reason": "DeniedByApprover"}], settledAt=stamp(14.1))


def refused(log: Log) -> None:
    """The limit itself refuses it."""
    log.record(14.1, "Denied", [REQUESTED, REFUSED], settledAt=stamp(14.1))


def deleted(log: Log) -> None:
    """It is deleted."""
    log.record(14.1, "Pending", [REQUESTED])
    log.delete(15, "accessrequests", log.uid, user="admin")


# --- stages


def approved(*lines: Line, **policy: Any) -> Callable[[], Log]:
    """It begins with these approvals."""
    return lambda: end(begin(under(**policy), "one", 3, lines=lines), "one", 13.1)


def other_approvers_later() -> Log:
    """Who approved is taken out of the stage afterwards, which keeps its name."""
    log = begin(under(stages=STAGES), "one", 3, lines=(BY_LEAD, BY_SECURITY))
    log.policy(5, verb="patch", stages=[{**STAGES[0], "approvers": SECURITY}, STAGES[1]])
    return end(log, "one", 13.1)


def renamed(at: float) -> Callable[[], Log]:
    """A stage becomes another one while the grant lasts, and the grant goes then."""

    def doctored() -> Log:
        log = begin(under(stages=STAGES), "one", 3, lines=(BY_LEAD, BY_SECURITY))
        log.policy(5, verb="patch", stages=[STAGES[0], {**STAGES[1], "name": "other"}])
        return end(log, "one", at, "Revoked")

    return doctored


# --- locks and suspended policies


def suspended(at: float, gone: float, resumed: float | None = None) -> Callable[[], Log]:
    """The policy is suspended then, and the grant that begins at 8 is gone."""

    def doctored() -> Log:
        log = under()
        log.policy(at, verb="patch", suspend=True)
        if resumed is not None:
            log.policy(resumed, verb="patch")
        return end(begin(log, "one", 8), "one", gone, "Revoked")

    return doctored


def locked(
    *people: str, at: float, gone: float, lifted: float | None = None, until: float | None = None, who: str = "alice"
) -> Callable[[], Log]:
    """People are locked then; a grant that was asked for at 6 and approved at 7 begins at 8, and is gone."""

    def doctored() -> Log:
        log = under()
        log.lock(at, *people, lifted=lifted, until=until)
        return end(begin(log, "one", 8, who=who), "one", gone, "Revoked")

    return doctored


def given_back() -> Log:
    """Whoever is locked gives back what they still have."""
    log = begin(under(), "one", 3)
    log.lock(5, "alice")
    log.decide(5.2, who="alice", groups=("developers",), approvals="bob: ok\n", revocations="alice: fixed\n")
    return end(log, "one", 5.3, "Revoked")


def put_back_for_the_locked() -> Log:
    """The binding of somebody who is locked is gone, and made anew."""
    log = begin(under(), "one", 3)
    log.lock(5, "alice")
    log.delete(5.1, "rolebindings", "b-one")
    log.bind(7, uid="b-again", user=OPERATOR)
    log.delete(9, "rolebindings", "b-again")
    log.record(9.1, "Revoked", [REQUESTED, GRANTED, {"state": "Revoked", "reason": "Locked"}], **times(), settledAt=stamp(9.1))
    return log
