"""The review that emergency access is owed: when it is, by whom it can be given, and what is on record of it."""

from datetime import timedelta

import pytest

from jitaccess.domain.circumstances import Circumstances, Unreviewed
from jitaccess.domain.lifecycle import decide
from jitaccess.domain.model import AccessPolicy, AccessRequest, Key
from jitaccess.domain.recorded import Finding, State
from jitaccess.domain.recording import Outcome, next_step
from jitaccess.domain.reviews import given_reviews, next_review, unreviewed_of
from jitaccess.manifests.status import request_status
from unit.emergencies import DAY, GLASS, ended, granted, recorded
from unit.examples import (
    ALICE,
    BOB,
    CAROL,
    DAVE,
    DELIVERY,
    EMERGENCY,
    HOUR,
    KEY,
    MS,
    NAMESPACE,
    POLICY_REF,
    T0,
    lines,
    policy,
    request,
)

BLOCKING = policy(requiredApprovals=0, approvers=[], emergency=EMERGENCY | {"blockUntilReviewed": True})
THEIR_OWN = policy(
    requiredApprovals=0,
    approvers=[],
    emergency={
        "reviewWithin": "1h",
        "reviewers": [{"kind": "User", "name": ALICE}, {"kind": "Group", "name": "security"}],
        "blockUntilReviewed": True,
    },
)


def test_an_emergency_is_marked_with_the_grant_and_owes_its_review_with_the_end() -> None:
    begun = granted().recorded
    assert begun.state is State.ACTIVE
    assert [entry.reason for entry in begun.history] == ["Requested", "Granted", "Emergency"]
    assert "within 24h of its end by Group security" in begun.history[-1].message
    assert begun.review
    assert (begun.review.awaited, begun.review.due) == (True, None)
    assert begun.condition("Reviewed") is None
    over = ended().recorded
    assert over.review
    assert over.review.due == T0 + HOUR + DAY
    assert [entry.reason for entry in over.history][-2:] == ["DurationElapsed", "ReviewOwed"]
    condition = over.condition("Reviewed")
    assert condition
    assert (condition.status, condition.reason) == ("False", "ReviewOwed")


def test_what_was_granted_before_the_policy_said_so_is_no_emergency() -> None:
    asked = request()
    plain = policy(requiredApprovals=0, approvers=[])
    begun = recorded(asked, next_step(asked, Outcome(decide(asked, plain, T0), plain, None, DELIVERY), T0).recorded)
    again = next_step(begun, Outcome(decide(begun, GLASS, T0 + MS), GLASS, None, DELIVERY), T0 + MS).recorded
    assert again.review is None
    assert request_status(again).keys().isdisjoint({"emergency", "awaitingReview", "reviewWithin", "reviewDue"})


def test_a_policy_that_says_another_time_later_moves_nothing() -> None:
    begun = granted()
    hasty = policy(requiredApprovals=0, approvers=[], emergency=EMERGENCY | {"reviewWithin": "1m"})
    at = T0 + HOUR
    over = next_step(begun, Outcome(decide(begun, hasty, at), hasty), at).recorded
    assert over.review
    assert over.review.due == at + DAY


@pytest.mark.parametrize(
    ("ledger", "given"),
    [
        pytest.param("", [], id="nothing"),
        pytest.param(f"{BOB}: fine", [(BOB, Finding.FINE, "")], id="a-bare-word"),
        pytest.param(f"{BOB}: misuse: no incident", [(BOB, Finding.MISUSE, "no incident")], id="with-a-note"),
        pytest.param(f"{BOB}: fine: a: b", [(BOB, Finding.FINE, "a: b")], id="a-note-with-a-colon"),
        pytest.param(f"{BOB}: ok", [], id="another-word"),
        pytest.param(f"{BOB}: Fine", [], id="in-capitals"),
        pytest.param(f"{BOB}: fine:x", [], id="no-space-behind-the-colon"),
        pytest.param(f"{ALICE}: fine", [], id="the-requester"),
        pytest.param(f"{ALICE.upper()}: fine", [], id="the-requester-in-capitals"),
        pytest.param(f"{BOB}: fine\n{BOB}: misuse", [(BOB, Finding.FINE, "")], id="once-a-person"),
        pytest.param(f"{BOB}: fine\n{BOB.upper()}: misuse", [(BOB, Finding.FINE, "")], id="once-a-person-in-capitals"),
        pytest.param(f"{BOB}: fine\n{CAROL}: misuse", [(BOB, Finding.FINE, ""), (CAROL, Finding.MISUSE, "")], id="two"),
        pytest.param(f"{BOB}: fine\u2028{CAROL}: fine", [], id="a-line-that-hides-something"),
        pytest.param("fine", [], id="nobody"),
    ],
)
def test_whose_review_counts(ledger: str, given: list[tuple[str, Finding, str]]) -> None:
    assert [(each.by, each.finding, each.note) for each in given_reviews(request(reviews=ledger))] == given


@pytest.mark.parametrize(
    ("ledger", "late", "status", "reason", "told"),
    [
        pytest.param("", -MS, "False", "ReviewOwed", [], id="a-moment-before-it-is-due"),
        pytest.param("", 0 * MS, "False", "ReviewOverdue", ["ReviewOverdue"], id="the-moment-it-is-due"),
        pytest.param(f"{DAVE}: ok", DAY, "False", "ReviewOverdue", ["ReviewOverdue"], id="no-finding-is-no-review"),
        pytest.param(f"{BOB}: fine", -MS, "True", "Fine", ["ReviewedAsFine"], id="fine"),
        pytest.param(f"{BOB}: misuse: x", DAY, "True", "Misuse", ["ReviewedAsMisuse"], id="misuse-and-late"),
        pytest.param(
            lines((BOB, "fine"), (CAROL, "misuse")),
            -MS,
            "True",
            "Misuse",
            ["ReviewedAsFine", "ReviewedAsMisuse"],
            id="misuse-if-anybody-says-so",
        ),
    ],
)
def test_what_a_look_at_a_review_records(ledger: str, late: timedelta, status: str, reason: str, told: list[str]) -> None:
    over = ended(reviews=ledger)
    now = T0 + HOUR + DAY + late
    new = next_review(over, GLASS, now)
    condition = new.condition("Reviewed")
    assert condition
    assert (condition.status, condition.reason) == (status, reason)
    assert [entry.reason for entry in new.history[len(over.recorded.history) :]] == told
    assert new.state is State.EXPIRED
    assert new.review
    assert new.review.awaited is (status == "False")
    assert next_review(recorded(over, new), GLASS, now + DAY).history == new.history or not told, "told once"


@pytest.mark.parametrize(
    ("under", "words"),
    [
        pytest.param(GLASS, "to be given by Group security", id="as-it-was"),
        pytest.param(None, "cluster administrator", id="gone"),
        pytest.param(policy(requiredApprovals=0), "cluster administrator", id="no-emergency-any-more"),
        pytest.param(
            policy(requiredApprovals=0, emergency={"reviewWithin": "1h", "reviewers": [{"kind": "User", "name": "erin"}]}),
            "to be given by User erin",
            id="others",
        ),
        pytest.param(
            policy(
                requiredApprovals=0,
                emergency={"reviewWithin": "1h", "reviewers": [{"kind": "User", "name": name} for name in (ALICE.upper(), BOB)]},
            ),
            f"to be given by User {BOB}",
            id="nobody-their-own",
        ),
        pytest.param(
            policy(requiredApprovals=0, emergency={"reviewWithin": "1h", "reviewers": [{"kind": "User", "name": ALICE}]}),
            "no policy names anybody else who may review it: a cluster administrator may",
            id="the-requester-alone",
        ),
    ],
)
def test_the_condition_says_who_may_review_under_the_policy_as_it_is(under: AccessPolicy | None, words: str) -> None:
    condition = next_review(ended(), under, T0 + 2 * HOUR).condition("Reviewed")
    assert condition
    assert words in condition.message


@pytest.mark.parametrize(
    "asked", [pytest.param(request(reviews=f"{BOB}: fine"), id="pending"), pytest.param(granted(), id="active")]
)
def test_what_owes_no_review_yet_is_left_alone(asked: AccessRequest) -> None:
    assert next_review(asked, GLASS, T0 + DAY) is asked.recorded


LASTING = Unreviewed(Key(NAMESPACE, "first"), ALICE, active=True)
OWED = Unreviewed(Key(NAMESPACE, "first"), ALICE, active=False)


@pytest.mark.parametrize(
    ("under", "around", "words"),
    [
        pytest.param(BLOCKING, (), "", id="the-first"),
        pytest.param(BLOCKING, (LASTING,), "first in namespace team-a", id="while-another-lasts"),
        pytest.param(BLOCKING, (OWED,), "Group security may review it", id="while-a-review-is-owed"),
        pytest.param(THEIR_OWN, (OWED,), "before its review: Group security may review it", id="nobody-reviews-their-own"),
        pytest.param(GLASS, (OWED,), "", id="a-policy-that-does-not-block"),
    ],
)
def test_a_second_emergency_waits_for_the_review_of_the_first(
    under: AccessPolicy, around: tuple[Unreviewed, ...], words: str
) -> None:
    verdict = decide(request(), under, T0, Circumstances(unreviewed=around))
    assert (verdict.state is State.DENIED, verdict.reason == "UnreviewedEmergency") == (bool(words), bool(words))
    assert words in verdict.message


def test_access_that_has_begun_goes_on_whatever_else_there_is() -> None:
    assert decide(granted(BLOCKING), BLOCKING, T0 + MS, Circumstances(unreviewed=(OWED,))).state is State.ACTIVE


def test_what_counts_against_a_second_one() -> None:
    over = ended()
    again = request(name="again", uid="u-2")
    other_policy = recorded(over, over.recorded, policyRef={"kind": "AccessPolicy", "name": "other"})
    in_capitals = recorded(over, over.recorded, requester=ALICE.upper())
    others = recorded(over, over.recorded, requester=CAROL)
    reviewed = recorded(over, next_review(ended(reviews=f"{BOB}: fine"), GLASS, T0 + 2 * HOUR))
    assert over.policy == POLICY_REF
    assert [each.key for each in unreviewed_of(again, [over])] == [KEY]
    assert [each.requester for each in unreviewed_of(again, [in_capitals])] == [ALICE.upper()]
    assert unreviewed_of(again, [other_policy, others, reviewed, request()]) == ()
    assert unreviewed_of(over, [over]) == (), "not itself"
