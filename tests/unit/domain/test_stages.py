"""Policies with stages: who counts where, what is awaited, and for how long access is approved."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from jitaccess.domain.counting import counting_approvals, required_of, wanting
from jitaccess.domain.lifecycle import decide, length_of
from jitaccess.domain.recorded import Recorded, StageProgress, State
from jitaccess.domain.recording import Outcome, next_step
from unit.examples import (
    ALICE,
    BOB,
    CAROL,
    DAVE,
    DELIVERY,
    HOUR,
    MS,
    T0,
    active_status,
    approved_by,
    lines,
    policy,
    request,
    stages_manifest,
)

HALF = timedelta(minutes=30)
TWO = stages_manifest(lead=1, security=1)
AWAITS_BOTH = "needs 1 approval from Group lead (stage lead) and 1 approval from Group security (stage security)"
AWAITS_SECURITY = "needs 1 approval from Group security (stage security)"


@pytest.mark.parametrize(
    ("ledgers", "under", "state", "message"),
    [
        pytest.param({}, TWO, State.PENDING, AWAITS_BOTH, id="nobody has approved"),
        pytest.param({"stages": {"lead": approved_by(BOB)}}, TWO, State.PENDING, AWAITS_SECURITY, id="one stage of two"),
        pytest.param(
            {"stages": {"lead": approved_by(BOB, CAROL, DAVE)}}, TWO, State.PENDING, AWAITS_SECURITY, id="many of one stage"
        ),
        pytest.param(
            {"stages": {"lead": approved_by(BOB), "security": approved_by(BOB)}},
            TWO,
            State.PENDING,
            AWAITS_SECURITY,
            id="one person in both counts in the first",
        ),
        pytest.param(
            {"stages": {"lead": approved_by(BOB), "security": approved_by(BOB.upper())}},
            TWO,
            State.PENDING,
            AWAITS_SECURITY,
            id="one person in both, in capitals",
        ),
        pytest.param(
            {"stages": {"lead": approved_by(BOB), "security": approved_by(BOB, CAROL)}},
            TWO,
            State.ACTIVE,
            "",
            id="somebody else in the second",
        ),
        pytest.param(
            {"stages": {"lead": approved_by(ALICE), "security": approved_by(CAROL)}},
            TWO,
            State.PENDING,
            "needs 1 approval from Group lead (stage lead)",
            id="the requester counts in none",
        ),
        pytest.param(
            {"approvals": approved_by(BOB, CAROL)}, TWO, State.PENDING, AWAITS_BOTH, id="the plain ledger counts in no stage"
        ),
        pytest.param(
            {"stages": {"lead": approved_by(BOB, CAROL)}},
            {},
            State.PENDING,
            "needs 1 approval from Group leads",
            id="a stage counts for no policy without",
        ),
        pytest.param(
            {"stages": {"leads": approved_by(BOB), "security": approved_by(CAROL)}},
            TWO,
            State.PENDING,
            "needs 1 approval from Group lead (stage lead)",
            id="a stage that the policy does not have",
        ),
        pytest.param(
            {"stages": {"lead": approved_by(BOB), "security": approved_by(CAROL)}},
            stages_manifest(lead=2, security=1),
            State.PENDING,
            "needs 1 more approval from Group lead (stage lead)",
            id="two of a stage, and one is there",
        ),
        pytest.param(
            {"stages": {"lead": lines((BOB, "")), "security": approved_by(CAROL)}},
            TWO | {"noteRequired": True},
            State.PENDING,
            f"needs 1 approval with a note from Group lead (stage lead); not counted, since it has no note: {BOB} "
            "(may approve again, with one)",
            id="a note is asked for in every stage",
        ),
        pytest.param(
            {"stages": {"lead": approved_by(BOB)}, "denials": lines((CAROL, "no"))},
            TWO,
            State.DENIED,
            f"{CAROL}: no",
            id="a denial from any of them",
        ),
    ],
)
def test_every_stage_must_have_approved(ledgers: dict[str, Any], under: dict[str, Any], state: State, message: str) -> None:
    verdict = decide(request(**ledgers), policy(**under), T0)
    assert verdict.state is state
    assert not message or verdict.message == message


def test_a_person_counts_in_the_first_of_the_policys_stages_whatever_the_order_of_the_ledgers() -> None:
    asked = request(stages={"security": approved_by(BOB), "lead": approved_by(CAROL, BOB)})
    counting = counting_approvals(asked, policy(**TWO))
    assert [(a.by, a.stage) for a in counting] == [(CAROL, "lead"), (BOB, "lead")]
    turned = policy(**stages_manifest(security=1, lead=1))
    assert [(a.by, a.stage) for a in counting_approvals(asked, turned)] == [(BOB, "security"), (CAROL, "lead")]


def test_no_more_count_in_a_stage_than_it_may_ask_for() -> None:
    crowd = request(stages={"lead": approved_by(*(f"u{n}" for n in range(40))), "security": approved_by(CAROL)})
    counting = counting_approvals(crowd, policy(**TWO))
    assert [a.stage for a in counting] == ["lead"] * 4 + ["security"]
    assert not wanting(policy(**TWO), counting)


@pytest.mark.parametrize(
    ("under", "number"),
    [
        pytest.param({}, 1, id="without stages"),
        pytest.param({"requiredApprovals": 0, "approvers": None}, 0, id="nobody"),
        pytest.param(stages_manifest(lead=2, security=1), 3, id="the sum of its stages"),
    ],
)
def test_how_many_a_policy_asks_for(under: dict[str, Any], number: int) -> None:
    assert required_of(policy(**under)) == number


RECORDED = (StageProgress("lead", 1, 1, "Group lead"), StageProgress("security", 1, 1, "Group security"))


@pytest.mark.parametrize(
    ("under", "state"),
    [
        pytest.param(TWO, State.ACTIVE, id="the same stages"),
        pytest.param(stages_manifest(lead=1), State.ACTIVE, id="one stage less"),
        pytest.param(stages_manifest(security=1, lead=1), State.ACTIVE, id="in another order"),
        pytest.param({"requiredApprovals": 0, "approvers": None}, State.ACTIVE, id="nobody is asked any more"),
        pytest.param(stages_manifest(lead=1, security=2), State.REVOKED, id="more of one stage"),
        pytest.param(stages_manifest(lead=1, safety=1), State.REVOKED, id="a stage was renamed"),
        pytest.param({}, State.REVOKED, id="no stages any more"),
    ],
)
def test_access_lasts_while_the_stages_of_now_have_approved_it(under: dict[str, Any], state: State) -> None:
    asked = request(status=active_status(), stages={"lead": approved_by(BOB), "security": approved_by(CAROL)})
    asked = replace(asked, recorded=replace(asked.recorded, stages=RECORDED))
    verdict = decide(asked, policy(**under), T0 + MS)
    assert verdict.state is state
    assert state is State.ACTIVE or verdict.reason == "ApprovalsMissing"


def test_access_approved_without_stages_ends_when_the_policy_gets_some() -> None:
    asked = request(status=active_status(), approvals=approved_by(BOB, CAROL))
    verdict = decide(asked, policy(**TWO), T0 + MS)
    assert (verdict.state, verdict.reason) == (State.REVOKED, "ApprovalsMissing")


@pytest.mark.parametrize(
    ("note", "length"),
    [
        pytest.param("ok", HOUR, id="as long as was asked for"),
        pytest.param("[for 30m] ok", HALF, id="half of it"),
        pytest.param("[for 30m]", HALF, id="half of it, and nothing else"),
        pytest.param("[for 1ms] ok", MS, id="the shortest there is"),
        pytest.param("[for 1h] ok", HOUR, id="exactly all of it"),
        pytest.param("[for 2h] ok", HOUR, id="never longer"),
        pytest.param("ok [for 30m]", HOUR, id="a bracket elsewhere is a note"),
    ],
)
def test_an_approval_may_be_for_less_time(note: str, length: timedelta) -> None:
    verdict = decide(request(approvals=lines((BOB, note))), policy(), T0)
    assert verdict.grant is not None
    assert verdict.grant.expires_at - verdict.grant.granted_at == length


@pytest.mark.parametrize(
    "note", ["[for ] ok", "[for 30m]ok", "[for 1d] ok", "[For 30m] ok", " [for 30m]", "[for 0s]", "[for 900h]"]
)
def test_an_approval_whose_bracket_cannot_be_read_does_not_count(note: str) -> None:
    assert decide(request(approvals=lines((BOB, note))), policy(), T0).state is State.PENDING
    running = request(approvals=lines((BOB, note)), status=active_status())
    assert decide(running, policy(), T0 + MS).state is State.ACTIVE, "what an older version has granted goes on"


def test_the_shortest_of_those_that_count_holds() -> None:
    under = policy(requiredApprovals=2, noteRequired=True)
    asked = request(approvals=lines((BOB, "[for 40m] ok"), (CAROL, "[for 30m] ok"), (DAVE, "[for 1m]"), (ALICE, "[for 1s] me")))
    assert length_of(asked, counting_approvals(asked, under)) == HALF


def test_once_granted_no_approval_makes_it_shorter() -> None:
    asked = request(approvals=lines((BOB, "ok"), (CAROL, "[for 1m] only that")), status=active_status())
    verdict = decide(asked, policy(), T0 + HALF)
    assert verdict.grant is not None
    assert verdict.grant.expires_at == T0 + HOUR


def test_stage_and_length_are_on_record_with_the_approval() -> None:
    asked = request(stages={"lead": lines((BOB, "[for 30m] go ahead")), "security": approved_by(CAROL)})
    under = policy(**TWO)
    recorded = next_step(asked, Outcome(decide(asked, under, T0), under, None, DELIVERY), T0).recorded
    assert [(a.by, a.stage, a.note, a.length) for a in recorded.approvals] == [
        (BOB, "lead", "go ahead", HALF),
        (CAROL, "security", "ok", None),
    ]
    assert [(e.reason, e.by, e.stage, e.message, e.length) for e in recorded.history[1:3]] == [
        ("Approved", BOB, "lead", "[for 30m] go ahead", HALF),
        ("Approved", CAROL, "security", "ok", None),
    ]
    assert recorded.stages == RECORDED
    assert recorded.required_approvals == 2
    approved = recorded.condition("Approved")
    assert approved
    assert approved.message == f"approved by {BOB} (stage lead, for 30m), {CAROL} (stage security)"
    assert recorded.expires_at == T0 + HALF


def test_the_record_has_room_for_some_names_only() -> None:
    many = [{"kind": "User", "name": f"{n:03}" + "n" * 250} for n in range(32)]
    under = policy(approvers=None, stages=[{"name": "lead", "approvers": many}])
    [stage] = next_step(request(), Outcome(decide(request(), under, T0), under), T0).recorded.stages
    assert (len(stage.approvers), stage.approvers[-3:]) == (512, "...")


def test_an_approval_in_another_stage_is_another_approval() -> None:
    before = policy(**stages_manifest(lead=1, security=1))
    asked = request(stages={"lead": approved_by(BOB)})
    first = next_step(asked, Outcome(decide(asked, before, T0), before), T0).recorded
    after = policy(**stages_manifest(boss=1, security=1))
    again = replace(request(stages={"lead": approved_by(BOB), "boss": approved_by(BOB)}), recorded=first)
    second = next_step(again, Outcome(decide(again, after, T0 + MS), after), T0 + MS)
    assert [(entry.by, entry.stage) for entry in second.news] == [(BOB, "boss")]
    assert [(a.by, a.stage, a.at) for a in second.recorded.approvals] == [(BOB, "boss", T0 + MS)]


def test_where_the_policy_is_not_known_the_stages_on_record_count() -> None:
    asked = replace(request(stages={"lead": approved_by(BOB), "old": approved_by(CAROL)}), recorded=Recorded(stages=RECORDED))
    assert [(a.by, a.stage) for a in counting_approvals(asked)] == [(BOB, "lead")]
