"""The condition Approved says whether people have approved, whatever else becomes of the request at that same look."""

from dataclasses import replace
from typing import Any

import pytest

from jitaccess.domain.circumstances import NOTHING_AROUND, Circumstances, Unreviewed
from jitaccess.domain.lifecycle import decide
from jitaccess.domain.model import AccessPolicy, Key
from jitaccess.domain.recording import Outcome, next_step
from jitaccess.domain.roles import ShownRole
from jitaccess.domain.rules import BEGINNING, RULES, VOIDING
from jitaccess.domain.usage import Taken, Usage
from unit.examples import ALICE, BOB, CAROL, HOUR, T0, approved_by, lines, locks, policy, request, stages_manifest

DAY = 24 * HOUR
SEEN = {"revision": 1, "observedGeneration": 1, "state": "Pending", "settled": False}
SHOWN = SEEN | {"role": {"uid": "r-1", "hash": "0123456789abcdef", "rules": [], "risks": [], "hints": []}}
EMERGENCY = {"emergency": {"reviewWithin": "24h", "reviewers": [{"kind": "Group", "name": "sec"}], "blockUntilReviewed": True}}
OFFICE = {"windows": [{"from": "08:00", "to": "18:00", "timeZone": "Europe/Berlin"}]}
FULL = Circumstances(usage=Usage(of_requester=Taken(1, T0 + HOUR, Key("team-a", "other"))))
FULL_DAY = Circumstances(usage=Usage(in_a_day=Taken(1, T0 + HOUR)))
OWES = Circumstances(unreviewed=(Unreviewed(Key("team-a", "old"), ALICE, active=False),))
CHANGED = Circumstances(role=ShownRole("r-1", "fedcba9876543210", ()))
RISKY = Circumstances(role=ShownRole("r-1", "0123456789abcdef", (), ("read Secrets",)))
YES, NO = ("True", "Approved", f"approved by {BOB}"), "False"


def conditions(
    given: str, fields: dict[str, Any], under: AccessPolicy, around: Circumstances, when: Any = T0
) -> tuple[str, tuple[str, str, str], tuple[str, str]]:
    """What a look comes to: the reason, Approved, and Granted."""
    asked = request(**{"status": SEEN, **fields}, approvals=given) if given else request(**{"status": SEEN, **fields})
    verdict = decide(asked, under, when, around)
    recorded = next_step(asked, Outcome(verdict, under), when).recorded
    approved, granted = recorded.condition("Approved"), recorded.condition("Granted")
    assert approved
    assert granted
    return verdict.reason, (approved.status, approved.reason, approved.message), (granted.status, granted.reason)


# One row for each rule and each decision that can end a request, or make it wait, in the moment in which it is approved.
ENDED = [
    pytest.param({}, policy(limits={"activePerRequester": 1}), FULL, "LimitReached", id="no-room-when-it-would-begin"),
    pytest.param({}, policy(), locks(ALICE), "Locked", id="the-requester-is-locked"),
    pytest.param({}, policy(suspend=True), NOTHING_AROUND, "PolicySuspended", id="the-policy-is-suspended"),
    pytest.param({}, policy(**EMERGENCY), OWES, "UnreviewedEmergency", id="a-review-is-owed"),
    pytest.param(
        {}, policy(ticket={"pattern": "^INC-[0-9]+$", "required": True}), NOTHING_AROUND, "TicketMissing", id="no-ticket"
    ),
    pytest.param(
        {"ticket": "x"}, policy(ticket={"pattern": "^INC-[0-9]+$"}), NOTHING_AROUND, "TicketMismatch", id="no-such-ticket"
    ),
    pytest.param({}, policy(maxDuration="30m"), NOTHING_AROUND, "DurationTooLong", id="longer-than-the-policy-allows-now"),
    pytest.param(
        {}, policy(roles=[{"kind": "ClusterRole", "name": "edit"}]), NOTHING_AROUND, "RoleNotOffered", id="not-offered-any-more"
    ),
    pytest.param({"status": SHOWN}, policy(), RISKY, "PersistentRisk", id="riskier-than-the-policy-accepts"),
    pytest.param(
        {},
        replace(policy(), unreached="not selected"),
        NOTHING_AROUND,
        "NamespaceNotSelected",
        id="the-namespace-is-not-selected",
    ),
    pytest.param(
        {"startTime": "2026-07-01T08:00:00Z"}, policy(), NOTHING_AROUND, "SchedulingNotAllowed", id="no-start-of-its-own"
    ),
    pytest.param(
        {"status": {}}, policy(limits={"requestsPerDay": 1}), FULL_DAY, "DailyLimitReached", id="approved-before-the-first-look"
    ),
    pytest.param({"status": {}}, policy(limits={"activePerRequester": 1}), FULL, "LimitReached", id="no-room-at-the-first-look"),
    pytest.param({"denials": lines((CAROL, "no"))}, policy(), NOTHING_AROUND, "DeniedByApprover", id="somebody-else-denies"),
    pytest.param({"revocations": lines((ALICE, "done"))}, policy(), NOTHING_AROUND, "WithdrawnByRequester", id="taken-back"),
    pytest.param({}, policy(**OFFICE), NOTHING_AROUND, "OutsideWindow", id="outside-of-its-window"),
]
VOID = [
    pytest.param({"created": T0 - 60 * DAY}, policy(), NOTHING_AROUND, "PolicyRecreated", id="under-another-policy-of-that-name"),
    pytest.param({"created": T0 - 60 * DAY}, policy(), locks(ALICE), "Locked", id="under-another-policy-and-locked"),
    pytest.param({"status": SHOWN}, policy(), CHANGED, "RoleChanged", id="of-a-role-that-is-another"),
    pytest.param(
        {},
        policy(windows=[{"from": "08:00", "to": "18:00", "timeZone": "Mars"}]),
        NOTHING_AROUND,
        "PolicyInvalid",
        id="under-what-cannot-be-read",
    ),
    pytest.param({"duration": "2 days"}, policy(), NOTHING_AROUND, "InvalidSpec", id="of-a-request-that-cannot-be-read"),
    pytest.param({}, policy(requiredApprovals=2, suspend=True), NOTHING_AROUND, "PolicySuspended", id="by-one-of-two"),
]


@pytest.mark.parametrize(("fields", "under", "around", "reason"), ENDED)
def test_what_was_approved_says_so_whatever_keeps_it_from_beginning(
    fields: dict[str, Any], under: AccessPolicy, around: Circumstances, reason: str
) -> None:
    assert conditions(approved_by(BOB), fields, under, around) == (reason, YES, ("False", reason))


@pytest.mark.parametrize(("fields", "under", "around", "reason"), ENDED)
def test_what_nobody_has_approved_never_says_so(
    fields: dict[str, Any], under: AccessPolicy, around: Circumstances, reason: str
) -> None:
    _, approved, granted = conditions("", fields, under, around)
    assert (approved[0], granted[0]) == ("False", "False")


@pytest.mark.parametrize(("fields", "under", "around", "reason"), VOID)
def test_an_approval_of_something_else_approves_nothing(
    fields: dict[str, Any], under: AccessPolicy, around: Circumstances, reason: str
) -> None:
    told, approved, granted = conditions(approved_by(BOB), fields, under, around)
    assert (told, approved[:2], granted) == (reason, ("False", reason), ("False", reason))


def test_approved_while_the_operator_was_away_too_long_is_still_approved() -> None:
    reason, approved, granted = conditions(approved_by(BOB), {}, policy(), NOTHING_AROUND, T0 + DAY)
    assert (reason, approved, granted) == ("PendingTimeout", YES, ("False", "PendingTimeout"))


def test_what_a_policy_that_asks_nobody_refuses_it_does_not_approve() -> None:
    under = policy(requiredApprovals=0, approvers=[], suspend=True)
    assert conditions("", {}, under, NOTHING_AROUND)[1][:2] == ("False", "PolicySuspended")


def test_one_of_two_stages_is_not_enough_and_both_are() -> None:
    under = policy(**stages_manifest(lead=1, security=1), suspend=True)
    one = {"stages": {"lead": approved_by(BOB)}}
    both = {"stages": {"lead": approved_by(BOB), "security": approved_by(CAROL)}}
    assert conditions("", one, under, NOTHING_AROUND)[1][:2] == ("False", "PolicySuspended")
    assert conditions("", both, under, NOTHING_AROUND)[1] == (
        "True",
        "Approved",
        f"approved by {BOB} (stage lead), {CAROL} (stage security)",
    )


def test_the_approval_of_somebody_who_is_locked_approves_nothing() -> None:
    reason, approved, _ = conditions(approved_by(BOB), {}, policy(suspend=True), locks(BOB))
    assert (reason, approved[0]) == ("PolicySuspended", "False")


def test_the_rules_that_void_an_approval_are_rules() -> None:
    assert set(VOIDING) < set(RULES)
    assert not set(VOIDING) & set(BEGINNING)
