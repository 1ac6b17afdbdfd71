"""The judge can fail: every promise, broken in a log made up by hand, is noticed; and what looks like it but is none, is not."""

from collections.abc import Callable
from typing import Any

import pytest

from chaos import fenced_logs as fenced
from chaos.faults import HANG, HANG_SECONDS
from chaos.history import OPERATOR
from chaos.journal import Journal
from chaos.judge import judge
from chaos.logs import EXPIRED, GRANTED, REQUESTED, START, Log, begun, ended, stamp, times

REFUSED = "DELETE rolebindings refused with 403"


def record_after_binding() -> Log:
    """The order of writes that lets a crash lose a grant."""
    log = Log()
    log.policy(0)
    log.ask(1)
    log.decide(2, approvals="bob: ok")
    log.bind(3)
    log.record(3.1, "Active", [REQUESTED, GRANTED], **times())
    return ended(log)


def record_without_end() -> Log:
    """A record that does not say until when."""
    log = Log()
    log.policy(0)
    log.ask(1)
    log.decide(2, approvals="bob: ok")
    log.record(3, "Active", [REQUESTED, GRANTED], grantedAt=stamp(3))
    log.bind(3.1)
    return ended(log)


def begins_at(start: float) -> Log:
    """A life that was to begin then, and began at 3."""
    log = Log()
    log.policy(0)
    log.ask(1, startTime=stamp(start))
    log.decide(2, approvals="bob: ok")
    log.record(2.1, "Scheduled", [REQUESTED])
    log.record(3, "Active", [REQUESTED, GRANTED], **times())
    log.bind(3.1)
    return ended(log)


def nobodys_grant() -> Log:
    """A binding with our labels for a request that never was."""
    log = ended(begun())
    log.bind(20, of="22222222-bbbb", uid="b2")
    return log


def untold() -> Log:
    """The last record forgets that there was access."""
    log = begun()
    log.delete(13.1, "rolebindings", "b1")
    log.record(13.2, "Expired", [REQUESTED, EXPIRED], **times())
    return log


def endless_record() -> Log:
    """The last record does not tell the end."""
    log = begun()
    log.delete(13.1, "rolebindings", "b1")
    log.record(13.2, "Denied", [REQUESTED, GRANTED, {"state": "Denied", "reason": "DeniedByApprover"}], **times())
    return log


def granted_again() -> Log:
    """The old approval starts a second grant."""
    log = begun()
    log.delete(13.1, "rolebindings", "b1")
    log.record(14, "Active", [REQUESTED, GRANTED], **times(14, 24))
    log.bind(14.1, since=14, until=24, uid="b2")
    log.delete(24.1, "rolebindings", "b2")
    log.record(24.2, "Expired", [REQUESTED, GRANTED, EXPIRED], **times(14, 24))
    return log


def inherited_approval() -> Log:
    """The approval was given under a policy that has been deleted."""
    log = Log()
    log.policy(0)
    log.ask(1)
    log.decide(2, approvals="bob: ok")
    log.delete(2.1, "accesspolicies", "policy-1", user="admin")
    log.policy(2.2, uid="policy-2")
    log.record(4, "Active", [REQUESTED, GRANTED], **times(4, 14))
    log.bind(4.1, since=4, until=14)
    log.delete(14.1, "rolebindings", "b1")
    log.record(14.2, "Expired", [REQUESTED, GRANTED, EXPIRED], **times(4, 14))
    return log


def longer_record() -> Log:
    """The record's end moves."""
    log = begun()
    log.record(5, "Active", [REQUESTED, GRANTED], **times(3, 15))
    return ended(log)


def longer_binding() -> Log:
    """The binding's end moves."""
    log = begun()
    log.rebind(5, until=15)
    return ended(log)


def made_too_late() -> Log:
    """A binding is asked for after its end."""
    log = Log()
    log.policy(0)
    log.ask(1)
    log.decide(2, approvals="bob: ok")
    log.record(3, "Active", [REQUESTED, GRANTED], **times())
    log.bind(13.5)
    return ended(log, 13.6)


def settled_twice() -> Log:
    """What is settled becomes something else."""
    log = ended(begun())
    log.record(20, "Revoked", [REQUESTED, GRANTED, EXPIRED], **times(), settledAt=stamp(20))
    return log


def rewritten() -> Log:
    """What is on record changes."""
    log = begun()
    log.record(5, "Active", [{"state": "Pending", "reason": "Approved"}, GRANTED], **times())
    return ended(log)


def overstayed() -> Log:
    """Two seconds too long, with nothing wrong."""
    return ended(begun(), 15.0)


def overstayed_long() -> Log:
    """Longer than the second line, though the operator was dead."""
    log = ended(begun(), 120.0)
    log.wrong(10, 119, "an operator was dead")
    return log


def not_recovered() -> Log:
    """The operator was dead for a second, and needed half a minute more."""
    log = ended(begun(), 43.0)
    log.wrong(12, 13, "an operator was dead")
    return log


def revocation_ignored() -> Log:
    """Revoked at 5, gone at 13."""
    log = begun()
    log.decide(5, approvals="bob: ok", revocations="bob: enough")
    return ended(log)


def denial_ignored() -> Log:
    """Denied at 5, gone at 13."""
    log = begun()
    log.decide(5, approvals="bob: ok", denials="carol: no")
    return ended(log)


def denied_before() -> Log:
    """Denied before it began, and not ended at once."""
    log = Log()
    log.policy(0)
    log.ask(1)
    log.decide(2, approvals="bob: ok", denials="carol: no")
    log.record(3, "Active", [REQUESTED, GRANTED], **times())
    log.bind(3.1)
    return ended(log)


def deletion_ignored() -> Log:
    """The request is deleted at 5, the binding at 13."""
    log = begun()
    log.delete(5, "accessrequests", "11111111-aaaa", user="admin")
    return ended(log)


def policy_gone() -> Log:
    """The policy is deleted at 5."""
    log = begun()
    log.delete(5, "accesspolicies", "policy-1", user="admin")
    return ended(log)


def policy_remade() -> Log:
    """The policy is deleted and made again under its name at 5."""
    log = policy_gone()
    log.policy(5.1, uid="policy-2")
    return log


def policy_narrowed(**change: Any) -> Callable[[], Log]:
    """The policy is narrowed at 5."""

    def doctored() -> Log:
        log = begun()
        log.policy(5, verb="patch", **change)
        return ended(log)

    return doctored


def kept_by_finalizer() -> Log:
    """Deleted, but a finalizer keeps it, and RBAC honours it."""
    log = begun()
    log.rebind(13.1, deletionTimestamp=stamp(13), finalizers=["example.com/hold"])
    log.record(13.2, "Expired", [REQUESTED, GRANTED, EXPIRED], **times())
    return log


def called_over() -> Log:
    """Settled a moment before the binding was gone."""
    log = begun()
    log.record(13.1, "Expired", [REQUESTED, GRANTED, EXPIRED], **times())
    log.delete(13.2, "rolebindings", "b1")
    return log


def made_after_settled() -> Log:
    """Settled, and then a binding comes."""
    log = begun()
    log.delete(12.1, "rolebindings", "b1")
    log.record(12.2, "Expired", [REQUESTED, GRANTED, EXPIRED], **times())
    log.bind(12.3, uid="b2")
    log.delete(12.4, "rolebindings", "b2")
    return log


def refused(*, warned: bool, recorded: bool) -> Log:
    """The end is refused from 13 to 18."""
    log = begun()
    for at in (13.0, 14.0, 18.0):
        log.wrong(at, at, REFUSED)
    if warned:
        log.warning(14)
    conditions = [{"type": "Granted", "reason": "NotEnded"}] if recorded else []
    log.record(14.5, "Active", [REQUESTED, GRANTED], **times(), conditions=conditions)
    return ended(log, 18.1)


def gone_after_one_fault(what: str, lasted: float, gone: float) -> Callable[[], Log]:
    """One write of the end meets a fault."""

    def doctored() -> Log:
        log = ended(begun(), gone)
        log.wrong(13, 13 + lasted, f"DELETE rolebindings {what}")
        return log

    return doctored


def still_machine(gone: float) -> Callable[[], Log]:
    """The machine stood still three times for two seconds each, the first time before the end was due."""

    def doctored() -> Log:
        log = ended(begun(), gone)
        log.journal.stalls += [(START + 14, 2.0), (START + 16.5, 2.0), (START + 19, 2.0)]
        return log

    return doctored


def decided_and_stood_still(kept: float) -> Callable[[], Log]:
    """A binding is asked for two seconds after its own end, since the machine stood still between the decision and that."""

    def doctored() -> Log:
        log = Log()
        log.policy(0)
        log.ask(1)
        log.decide(2, approvals="bob: ok")
        log.record(3, "Active", [REQUESTED, GRANTED], **times())
        log.bind(15)
        log.journal.stalls.append((START + 14.95, kept))
        log.delete(15.3, "rolebindings", "b1")
        log.record(15.4, "Expired", [REQUESTED, GRANTED, EXPIRED], **times(), settledAt=stamp(15.4))
        return log

    return doctored


def slower_than_the_server() -> Log:
    """The API server answered nobody for half a second, and the end took more than three."""
    log = ended(begun(), 16.3)
    log.journal.stalls.append((START + 14, 0.5))
    return log


def restored(gone: float) -> Callable[[], Log]:
    """An administrator's backup brings the binding back after a revocation; its time is not over, and its policy allows it."""

    def doctored() -> Log:
        log = begun()
        log.decide(5, approvals="bob: ok", revocations="bob: enough")
        log.delete(5.1, "rolebindings", "b1")
        revoked = {"state": "Revoked", "reason": "RevokedByUser"}
        log.record(5.2, "Revoked", [REQUESTED, GRANTED, revoked], **times(), settledAt=stamp(5.2))
        log.bind(8, uid="b2", user="admin")
        log.delete(gone, "rolebindings", "b2")
        return log

    return doctored


def settled_and_restored() -> Log:
    """The policy is narrowed and widened around the end, so that nothing but the record says that it is over."""
    log = begun()
    log.policy(5, verb="patch", maxDuration="1s")
    log.delete(5.1, "rolebindings", "b1")
    revoked = {"state": "Revoked", "reason": "DurationTooLong"}
    log.record(5.2, "Revoked", [REQUESTED, GRANTED, revoked], **times(), settledAt=stamp(5.2))
    log.policy(7, verb="patch")
    log.bind(8, uid="b2", user="admin")
    log.delete(11, "rolebindings", "b2")
    return log


def made_by_itself_after_settled() -> Log:
    """As restored, but it was the operator that made it."""
    log = settled_and_restored()
    for event in log.events:
        if event["objectRef"]["resource"] == "rolebindings":
            event["user"]["username"] = OPERATOR
    return log


def recorded_late_before_a_restore() -> Log:
    """Its end was recorded too late; that a binding came back afterwards hides nothing."""
    log = recorded_late()
    log.bind(20, uid="b2", user="admin")
    log.delete(20.2, "rolebindings", "b2")
    return log


def recorded_late() -> Log:
    """Gone in time, but somebody's writes hold up the record."""
    log = begun()
    log.delete(13.1, "rolebindings", "b1")
    log.record(16, "Expired", [REQUESTED, GRANTED, EXPIRED], **times())
    return log


def never_settled() -> Log:
    """The binding went, the record did not follow."""
    log = begun()
    log.delete(13.1, "rolebindings", "b1")
    return log


def wrong_clock(gone: float) -> Callable[[], Log]:
    """The operator's clock was set back two minutes, so nobody believes its times."""

    def doctored() -> Log:
        log = ended(begun(), gone)
        log.clock_is_right = False
        return log

    return doctored


@pytest.mark.parametrize(
    ("doctored", "invariant", "words"),
    [
        pytest.param(record_after_binding, "1", "while the record said ('', '')", id="the-record-comes-after-the-binding"),
        pytest.param(record_without_end, "1", "while the record said", id="the-record-does-not-say-until-when"),
        pytest.param(nobodys_grant, "1", "nobody made", id="a-grant-for-a-request-that-never-was"),
        pytest.param(untold, "1", "does not tell of it", id="the-history-forgets-that-there-was-access"),
        pytest.param(endless_record, "1", "tells no end", id="the-history-tells-no-end-of-the-access"),
        pytest.param(lambda: begins_at(4.0), "2", "before its start", id="it-begins-before-its-start"),
        pytest.param(granted_again, "2", "expected one grant", id="one-approval-starts-two-grants"),
        pytest.param(inherited_approval, "2", "0 approvals under this policy", id="an-approval-outlives-its-policy"),
        pytest.param(longer_record, "3", "the end moved", id="the-recorded-end-moves-later"),
        pytest.param(longer_binding, "3", "the end moved", id="the-end-in-the-binding-moves-later"),
        pytest.param(made_too_late, "3", "after its own end", id="a-binding-is-made-after-its-end"),
        pytest.param(settled_twice, "3", "then it became", id="a-settled-request-becomes-something-else"),
        pytest.param(rewritten, "3", "what was on record changed", id="the-history-is-rewritten"),
        pytest.param(overstayed, "4", "expired", id="two-seconds-too-long-in-calm"),
        pytest.param(overstayed_long, "4", "expired", id="too-long-even-for-a-dead-operator"),
        pytest.param(not_recovered, "4", "expired", id="too-long-after-the-operator-was-back"),
        pytest.param(revocation_ignored, "4", "denied or revoked", id="a-revocation-is-ignored"),
        pytest.param(denial_ignored, "4", "denied or revoked", id="a-denial-is-ignored"),
        pytest.param(denied_before, "4", "denied or revoked", id="a-grant-begins-though-it-was-denied"),
        pytest.param(deletion_ignored, "4", "request deleted", id="the-request-is-gone-and-its-binding-stays"),
        pytest.param(policy_gone, "4", "policy deleted", id="the-policy-is-gone-and-its-grant-stays"),
        pytest.param(policy_remade, "4", "policy deleted and made again", id="a-grant-survives-into-a-new-policy"),
        pytest.param(policy_narrowed(maxDuration="1s"), "4", "longer than", id="the-policy-allows-less-time"),
        pytest.param(policy_narrowed(roles=[]), "4", "no longer offered", id="the-policy-offers-the-role-no-longer"),
        pytest.param(policy_narrowed(requiredApprovals=2), "4", "more approvals", id="the-policy-asks-for-more-approvals"),
        pytest.param(wrong_clock(15.0), "4", "expected at most", id="longer-than-asked-by-the-api-servers-clock"),
        pytest.param(recorded_late, "4", "its end was recorded", id="somebodys-writes-hold-up-the-record"),
        pytest.param(recorded_late_before_a_restore, "4", "its end was recorded", id="a-restored-binding-hides-no-late-record"),
        pytest.param(restored(11), "4", "denied or revoked", id="a-restored-binding-stays"),
        pytest.param(settled_and_restored, "4", "settled", id="a-restored-binding-stays-and-only-the-record-says-no"),
        pytest.param(made_by_itself_after_settled, "5", "was made", id="a-binding-that-nobody-else-restored"),
        pytest.param(slower_than_the_server, "4", "expired", id="later-than-the-api-server-itself"),
        pytest.param(still_machine(21.5), "4", "expired", id="later-than-a-machine-that-stood-still"),
        pytest.param(decided_and_stood_still(0.5), "3", "after its own end", id="asked-for-later-than-the-machine-stood-still"),
        pytest.param(
            gone_after_one_fault("refused with 503", 0, 19), "4", "expired", id="one-refused-write-and-six-seconds-of-silence"
        ),
        pytest.param(gone_after_one_fault(HANG, HANG_SECONDS, 29), "4", "expired", id="waits-too-long-for-an-answer"),
        pytest.param(kept_by_finalizer, "5", "still gave access", id="a-finalizer-keeps-a-binding-that-names-somebody"),
        pytest.param(called_over, "5", "still gave access", id="settled-before-the-binding-was-gone"),
        pytest.param(made_after_settled, "5", "was made", id="a-binding-is-made-after-the-request-was-settled"),
        pytest.param(lambda: refused(warned=False, recorded=True), "5", "no Warning", id="a-refused-end-without-an-event"),
        pytest.param(lambda: refused(warned=True, recorded=False), "5", "no condition", id="a-refused-end-without-a-condition"),
        pytest.param(never_settled, "5", "never settled", id="a-grant-that-is-never-settled"),
        pytest.param(fenced.side_by_side(activePerRequester=1), "6", "activePerRequester is 1", id="two-grants-of-one-person"),
        pytest.param(fenced.side_by_side("ALICE", activePerRequester=1), "6", "beside", id="of-one-person-in-capitals"),
        pytest.param(fenced.side_by_side("dave", activeInTotal=1), "6", "activeInTotal is 1", id="two-grants-in-all"),
        pytest.param(fenced.lowered(3.5), "6", "activeInTotal is 1", id="a-limit-that-was-lowered-before-it-began"),
        pytest.param(fenced.before_the_first_was_settled, "6", "beside", id="room-is-given-before-the-end-is-on-record"),
        pytest.param(
            fenced.three_in_a_day(second=fenced.denied), "6", "requestsPerDay is 2", id="a-request-too-many-within-a-day"
        ),
        pytest.param(fenced.approved(), "7", "more approvals needed", id="it-begins-without-an-approval"),
        pytest.param(
            fenced.approved(("mallory", "", ("developers",))), "7", "more approvals", id="approved-by-somebody-without-the-right"
        ),
        pytest.param(fenced.approved(fenced.BY_LEAD, stages=fenced.STAGES), "7", "more approvals", id="a-stage-is-not-met"),
        pytest.param(
            fenced.approved(fenced.BY_LEAD, ("bob", "security", ("leads", "security")), stages=fenced.STAGES),
            "7",
            "more approvals",
            id="both-stages-are-met-by-one-person",
        ),
        pytest.param(
            fenced.approved(fenced.BY_LEAD, ("carol", "security", ("leads",)), stages=fenced.STAGES),
            "7",
            "more approvals",
            id="a-stage-is-met-by-somebody-of-another",
        ),
        pytest.param(
            fenced.approved(fenced.BY_LEAD, ("Alice", "security", ("security",)), stages=fenced.STAGES),
            "7",
            "more approvals",
            id="a-stage-is-met-by-the-requester-in-capitals",
        ),
        pytest.param(
            fenced.approved(fenced.BY_LEAD, fenced.BY_SECURITY, stages=[{**fenced.STAGES[0], "required": 2}, fenced.STAGES[1]]),
            "7",
            "more approvals",
            id="a-stage-has-one-of-the-two-that-it-requires",
        ),
        pytest.param(fenced.approved(fenced.BOB, stages=fenced.STAGES), "7", "more approvals", id="the-plain-ledger-is-no-stage"),
        pytest.param(fenced.renamed(10), "4", "more approvals", id="a-stage-becomes-another-and-the-grant-stays"),
        pytest.param(fenced.suspended(3, 8.5), "7", "policy suspended", id="it-begins-under-a-suspended-policy"),
        pytest.param(fenced.suspended(9, 17.9), "4", "policy suspended", id="the-policy-is-suspended-and-its-grant-stays"),
        pytest.param(fenced.locked("ALICE", at=9, gone=17.9), "4", "locked", id="a-grant-outlives-a-lock"),
        pytest.param(fenced.locked("alice", at=6.5, gone=8.5), "8", "alice is locked", id="it-begins-for-somebody-locked"),
        pytest.param(fenced.put_back_for_the_locked, "4", "locked", id="a-binding-is-put-back-for-somebody-locked"),
        pytest.param(fenced.locked("Bob", at=5, gone=17.9), "8", "on the word of bob", id="it-begins-on-the-word-of-the-locked"),
        pytest.param(fenced.locked("bob", at=5, gone=17.9), "8", "bob approved", id="the-locked-decide"),
        pytest.param(fenced.locked("alice", at=3, lifted=7, gone=17.9), "8", "alice asked", id="the-locked-ask"),
    ],
)
def test_a_broken_promise_is_noticed(doctored: Callable[[], Log], invariant: str, words: str) -> None:
    found = judge(doctored().case())
    assert any(violation.invariant == invariant and words in violation.said for violation in found), list(map(str, found))


def dead_within_bounds() -> Log:
    """The operator was dead for a minute, and garbage collection came first."""
    log = ended(begun(), 60.0)
    log.wrong(5, 59, "an operator was dead")
    return log


def slow_server() -> Log:
    """The API server itself answered nobody for a second."""
    log = ended(begun(), 14.2)
    log.journal.stalls.append((START + 14, 1.0))
    return log


def emptied() -> Log:
    """A finalizer keeps the binding, which names nobody any more."""
    log = begun()
    log.rebind(13.1, subjects=[], deletionTimestamp=stamp(13), finalizers=["example.com/hold"])
    log.record(13.2, "Expired", [REQUESTED, GRANTED, EXPIRED], **times())
    return log


def delivered_again() -> Log:
    """The network makes the binding anew after its end, and it is removed at once."""
    log = ended(begun())
    log.bind(16, uid="b2", agent="jitaccess/o1 (delivered again)")
    log.delete(16.3, "rolebindings", "b2")
    return log


def put_back() -> Log:
    """Deleted by an administrator, and put back for the rest of its time."""
    log = begun()
    log.delete(5, "rolebindings", "b1", user="admin")
    log.bind(5.1, uid="b2")
    log.delete(13.1, "rolebindings", "b2")
    log.record(13.2, "Expired", [REQUESTED, GRANTED, EXPIRED], **times())
    return log


def narrowed_for_a_moment() -> Log:
    """Narrowed, and widened again before anybody could look."""
    log = begun()
    log.policy(5, verb="patch", maxDuration="1s")
    log.policy(5.3, verb="patch")
    return ended(log)


@pytest.mark.parametrize(
    "honest",
    [
        pytest.param(lambda: ended(begun()), id="a-plain-life"),
        pytest.param(lambda: begins_at(3.0), id="a-life-that-begins-at-its-start"),
        pytest.param(lambda: ended(begun(), 13.8), id="less-than-a-second-late"),
        pytest.param(dead_within_bounds, id="a-dead-operator-and-the-second-line"),
        pytest.param(slow_server, id="as-late-as-the-api-server-itself"),
        pytest.param(still_machine(19.5), id="as-late-as-a-machine-that-stood-still"),
        pytest.param(decided_and_stood_still(3.0), id="asked-for-as-late-as-the-machine-stood-still"),
        pytest.param(emptied, id="a-kept-binding-that-names-nobody"),
        pytest.param(delivered_again, id="a-repeated-request-whose-binding-is-removed-at-once"),
        pytest.param(restored(8.5), id="a-restored-binding-is-removed-at-once"),
        pytest.param(gone_after_one_fault("refused with 503", 0, 17), id="one-refused-write-that-is-tried-again"),
        pytest.param(gone_after_one_fault(HANG, HANG_SECONDS, 25), id="an-answer-that-never-came-and-was-given-up"),
        pytest.param(put_back, id="put-back-for-the-rest-of-its-time"),
        pytest.param(narrowed_for_a_moment, id="a-policy-narrowed-for-a-moment"),
        pytest.param(lambda: refused(warned=True, recorded=True), id="a-refused-end-that-is-said-loudly"),
        pytest.param(wrong_clock(13.0), id="a-wrong-clock-and-the-right-time"),
        pytest.param(fenced.side_by_side(activePerRequester=2, activeInTotal=2), id="as-many-grants-as-there-may-be"),
        pytest.param(fenced.side_by_side("dave", activePerRequester=1), id="two-people-with-a-grant-each"),
        pytest.param(fenced.one_after_the_other, id="one-after-the-other"),
        pytest.param(fenced.lowered(4.5), id="a-limit-that-is-lowered-as-it-begins"),
        pytest.param(fenced.lowered(6), id="a-limit-that-is-lowered-ends-nothing"),
        pytest.param(fenced.held_up, id="a-record-that-the-network-held-up-until-a-successor-had-counted"),
        pytest.param(fenced.three_in_a_day(second=fenced.refused), id="what-the-limit-refused-is-none-of-the-day"),
        pytest.param(fenced.three_in_a_day(second=fenced.deleted), id="nor-is-what-was-deleted"),
        pytest.param(fenced.taken_back_at_once, id="what-is-taken-back-before-the-first-look-is-not-let-in"),
        pytest.param(fenced.approved(fenced.BY_LEAD, fenced.BY_SECURITY, stages=fenced.STAGES), id="both-stages-are-met"),
        pytest.param(
            fenced.approved(
                ("frank", "lead", ("leads", "security")),
                ("frank", "security", ("leads", "security")),
                fenced.BY_SECURITY,
                stages=fenced.STAGES,
            ),
            id="somebody-of-both-stages-counts-in-the-one-that-needs-them",
        ),
        pytest.param(fenced.other_approvers_later, id="a-stage-gets-other-approvers-afterwards"),
        pytest.param(fenced.renamed(5.5), id="a-stage-becomes-another-and-the-grant-goes"),
        pytest.param(fenced.approved(requiredApprovals=0), id="a-policy-that-needs-nobody"),
        pytest.param(fenced.suspended(9, 9.5), id="a-policy-is-suspended-and-its-grant-goes"),
        pytest.param(fenced.suspended(7.5, 8.3), id="a-policy-is-suspended-as-it-begins"),
        pytest.param(fenced.suspended(3, 17.9, resumed=6.5), id="a-policy-is-resumed-before-it-begins"),
        pytest.param(fenced.locked("alice", at=9, gone=9.5), id="a-lock-ends-what-there-is"),
        pytest.param(fenced.locked("alice", at=7.5, gone=8.4), id="a-lock-that-comes-as-it-begins"),
        pytest.param(fenced.locked("alice", at=9, lifted=9.7, gone=17.9), id="a-lock-that-is-lifted-at-once"),
        pytest.param(fenced.locked("alice", at=2, lifted=5, gone=17.9), id="a-lock-that-was-lifted-before"),
        pytest.param(fenced.locked("alice", at=2, until=5, gone=17.9), id="a-lock-that-was-over-before"),
        pytest.param(fenced.locked("bob", at=9, gone=17.9), id="what-has-begun-on-the-word-of-somebody-stands"),
        pytest.param(fenced.given_back, id="the-locked-give-back-what-they-have"),
    ],
)
def test_a_kept_promise_is_no_violation(honest: Callable[[], Log]) -> None:
    assert list(map(str, judge(honest().case()))) == []


@pytest.mark.parametrize(
    ("start", "end", "lost"),
    [
        pytest.param(0.0, 20.0, 6.0, id="what-overlaps-counts-once"),
        pytest.param(4.0, 20.0, 4.0, id="from-the-middle-of-a-stall"),
        pytest.param(0.0, 5.0, 3.0, id="to-the-middle-of-a-stall"),
        pytest.param(9.0, 20.0, 0.0, id="where-nobody-was-kept"),
    ],
)
def test_what_an_onlooker_lost_is_the_time_for_which_any_was_kept(start: float, end: float, lost: float) -> None:
    journal = Journal(stalls=[(6.0, 4.0), (8.0, 3.0), (3.0, 0.05)])
    assert journal.lost(start, end) == lost


def test_so_long_before_is_longer_where_time_was_lost() -> None:
    journal = Journal(stalls=[(8.0, 3.0), (4.5, 2.0)])
    assert journal.before(10.0, 1.0) == 9.0
    assert journal.before(10.0, 3.0) == 2.0, "two after both, a half between them, and a half before"
