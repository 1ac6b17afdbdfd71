"""Stages and shorter approvals as people read them."""

from datetime import timedelta
from typing import Any

import pytest

from jitaccess.domain.model import AccessRequest
from jitaccess.domain.text import format_time
from jitaccess.wording.describe import how_long, outcome, progress, still_awaited, who_decides
from jitaccess.wording.history import timeline
from jitaccess.wording.stages import length_in_words, stage_lines
from unit.examples import BOB, CAROL, T0, active_status, approved_by, lines, policy, request, stages_manifest

HALF = timedelta(minutes=30)
TWO = stages_manifest(lead=1, security=2)
STAGES = [
    {"name": "lead", "required": 1, "approvals": 0, "approvers": "Group lead"},
    {"name": "security", "required": 2, "approvals": 0, "approvers": "Group security"},
]
PENDING: dict[str, Any] = {"revision": 1, "state": "Pending", "requiredApprovals": 3, "stages": STAGES}


def test_a_policy_says_all_of_its_stages() -> None:
    said = "1 approval from Group lead (stage lead) and 2 approvals from Group security (stage security)"
    assert who_decides(policy(**TWO)) == said


@pytest.mark.parametrize(
    ("ledgers", "told", "counted"),
    [
        pytest.param({}, ["lead: 0 of 1, from Group lead", "security: 0 of 2, from Group security"], " 0/3", id="nobody yet"),
        pytest.param(
            {"lead": approved_by(BOB, CAROL)},
            [f"lead: 2 of 1, by {BOB}, {CAROL}", "security: 0 of 2, from Group security"],
            " 1/3",
            id="one is full",
        ),
        pytest.param(
            {"lead": approved_by(BOB), "security": approved_by(CAROL)},
            [f"lead: 1 of 1, by {BOB}", f"security: 1 of 2, by {CAROL}, from Group security"],
            " 2/3",
            id="one more is awaited",
        ),
    ],
)
def test_each_stage_says_how_far_it_is(ledgers: dict[str, str], told: list[str], counted: str) -> None:
    asked = request(status=PENDING, stages=ledgers)
    assert stage_lines(asked) == told
    assert progress(asked) == counted


def test_what_is_awaited_names_the_stage() -> None:
    asked = request(status=PENDING, stages={"lead": approved_by(BOB), "security": approved_by(CAROL)})
    assert still_awaited(asked, policy(**TWO)) == "needs 1 more approval from Group security (stage security)"


def granted_for(length: timedelta) -> AccessRequest:
    return request(status=active_status(lasts=length))


@pytest.mark.parametrize(
    ("about", "words"),
    [
        pytest.param(request(), "1h", id="as asked for"),
        pytest.param(request(approvals=lines((BOB, "[for 30m] ok"))), "30m of 1h", id="shorter as approved so far"),
        pytest.param(granted_for(HALF), "30m of 1h", id="granted for less"),
        pytest.param(granted_for(HALF * 2), "1h", id="granted for all of it"),
    ],
)
def test_how_long_it_lasts_is_said_with_what_was_asked_for(about: AccessRequest, words: str) -> None:
    assert length_in_words(about) == words
    assert how_long(about, T0).startswith(words)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        pytest.param({"message": "go ahead"}, "go ahead", id="a note"),
        pytest.param({"message": "[for 30m] go ahead", "duration": "30m"}, "for 30m of 1h: go ahead", id="for less"),
        pytest.param({"message": "[for 30m]", "duration": "30m"}, "for 30m of 1h", id="for less, without a note"),
        pytest.param({"message": "go ahead", "stage": "lead"}, "stage lead: go ahead", id="in a stage"),
        pytest.param({"message": "", "stage": "lead"}, "stage lead", id="in a stage, without a note"),
        pytest.param({"message": "[for 30m] ok", "duration": "30m", "stage": "lead"}, "stage lead, for 30m of 1h: ok", id="both"),
    ],
)
def test_an_approval_in_the_history_says_where_and_for_how_long(fields: dict[str, str], said: str) -> None:
    entry = {"at": format_time(T0), "state": "Pending", "reason": "Approved", "by": BOB} | fields
    [line] = timeline(request(status=PENDING | {"history": [entry]}), T0)
    assert (line.by, line.said) == (BOB, said)


def test_an_approval_in_another_stage_is_not_taken_for_recorded() -> None:
    signed = {"by": BOB, "note": "ok", "at": format_time(T0), "stage": "lead"}
    status = PENDING | {"approvals": [signed]}
    asked = request(status=status, stages={"lead": approved_by(BOB), "security": approved_by(CAROL)})
    assert outcome(asked, policy(**TWO), T0) == f"approved by {CAROL}; the operator has not acted on that yet"
