"""What people read of emergency access and its review: in lists, in messages, in an auditor's sample."""

from datetime import datetime, timedelta

import pytest

from jitaccess.domain.model import AccessRequest
from jitaccess.domain.notices import Occasion, occasion_of
from jitaccess.manifests.cloudevent import request_events
from jitaccess.manifests.resources import REQUESTS
from jitaccess.wording.accounts import account_of
from jitaccess.wording.decisions import decisions
from jitaccess.wording.describe import outcome, when, who_decides
from jitaccess.wording.history import timeline
from jitaccess.wording.messages import message
from jitaccess.wording.reviews import review_in_words
from jitaccess.wording.titles import Told
from unit.emergencies import DAY, GLASS, ended, granted, reviewed
from unit.examples import BOB, CAROL, HOUR, T0, lines

LATER = T0 + HOUR + timedelta(minutes=5)
MISUSE = lines((BOB, "fine"), (CAROL, "misuse: no incident"))


@pytest.mark.parametrize(
    ("asked", "at", "column", "sentence"),
    [
        pytest.param(granted(), T0, "ends in 1h, emergency", "within 24h of its end, by Group security", id="while-it-lasts"),
        pytest.param(ended(), LATER, "ended 5m ago, review owed", "to be reviewed by Group security", id="owed"),
        pytest.param(ended(), LATER + DAY, "ended 1d ago, review overdue", "overdue since", id="overdue"),
        pytest.param(reviewed(), T0 + 3 * HOUR, "ended 2h ago, found fine", f"found fine by {BOB} 1h ago: as said", id="fine"),
        pytest.param(reviewed(MISUSE), T0 + 3 * HOUR, "ended 2h ago, found to be misuse", "no incident", id="misuse"),
    ],
)
def test_where_a_review_stands(asked: AccessRequest, at: datetime, column: str, sentence: str) -> None:
    assert when(asked, at) == column
    assert sentence in review_in_words(asked, at)


def test_how_it_ended_stays_what_it_was_whatever_is_said_of_it_afterwards() -> None:
    for asked in (ended(), reviewed(), reviewed(MISUSE)):
        assert outcome(asked, GLASS, LATER) == "the time is up"
        assert "fine" not in outcome(asked, GLASS, LATER)


def test_the_story_has_the_review_in_it() -> None:
    told = [(line.what, line.by, line.said) for line in timeline(reviewed(MISUSE), LATER)][3:]
    assert told[0][:2] == ("Expired", "")
    assert told[1][0] == "Review owed"
    assert told[2:] == [("Reviewed as fine", BOB, ""), ("Reviewed as misuse", CAROL, "no incident")]
    assert [(line.verb, line.by, line.at) for line in decisions(reviewed())] == [("reviewed", BOB, T0 + 2 * HOUR)]


def test_a_policy_says_that_it_is_for_emergencies() -> None:
    assert who_decides(GLASS) == "no approval needed; an emergency, to be reviewed within 24h of its end by Group security"


@pytest.mark.parametrize(
    ("asked", "at", "title", "line"),
    [
        pytest.param(
            granted(),
            T0,
            "EMERGENCY: alice\uff20example\u2024com has ClusterRole view in namespace team-a until 2026-07-01 03:10 UTC "
            "(in 1h), without approval",
            "Revoke: kubectl jit revoke alice-7f3k -n team-a",
            id="it-begins",
        ),
        pytest.param(
            ended(),
            LATER,
            "Review owed, due in 23h55m: alice\uff20example\u2024com's emergency access (ClusterRole view in namespace team-a)",
            "It was misuse: kubectl jit reviewed alice-7f3k -n team-a --misuse",
            id="it-is-over",
        ),
        pytest.param(
            reviewed(),
            T0 + 3 * HOUR,
            "alice\uff20example\u2024com's emergency access (ClusterRole view in namespace team-a) was found fine by "
            "bob\uff20example\u2024com",
            "Note: as said",
            id="it-was-reviewed",
        ),
    ],
)
def test_a_message_says_what_to_do(asked: AccessRequest, at: datetime, title: str, line: str) -> None:
    entry = asked.recorded.history[-1]
    found = message(Told(occasion_of(entry), asked, GLASS, entry), at)
    assert found.title == f"jitaccess: {title}"
    assert line in found.body.split("\n")


def test_a_reviewer_without_the_plugin_is_told_what_to_type() -> None:
    entry = ended().recorded.history[-1]
    found = message(Told(Occasion.REVIEW_OVERDUE, ended(), GLASS, entry), LATER + DAY)
    assert found.title.startswith("jitaccess: Review overdue: ")
    assert 'kubectl annotate accessrequest alice-7f3k -n team-a jitaccess.dev/review="fine: your note"' in found.body


def test_a_requester_is_not_asked_to_review_their_own() -> None:
    entry = ended().recorded.history[-1]
    found = message(Told(Occasion.REVIEW_OWED, ended(), GLASS, entry, own=True), LATER)
    assert "your emergency access" in found.title
    assert "kubectl jit reviewed" not in found.body


@pytest.mark.parametrize(
    ("asked", "review", "by"),
    [
        pytest.param(granted(), "", (), id="while-it-lasts"),
        pytest.param(ended(), "owed", (), id="owed"),
        pytest.param(reviewed(), "fine", (BOB,), id="fine"),
        pytest.param(reviewed(MISUSE), "misuse", (BOB, CAROL), id="misuse-if-anybody-says-so"),
    ],
)
def test_an_auditor_reads_when_it_ended_and_what_became_of_the_review(
    asked: AccessRequest, review: str, by: tuple[str, ...]
) -> None:
    account = account_of(request_events(REQUESTS, asked, "c")[-1])
    assert (account.emergency, account.review, account.reviewed) == (True, review, by)
    assert account.ended == T0 + HOUR
    assert account.why in ("Emergency", "DurationElapsed")
    assert account.approved == ()
