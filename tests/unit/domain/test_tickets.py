"""Tickets: which of them a policy takes, and that no pattern takes long."""

import time
from typing import Any

import pytest

from jitaccess.domain.lifecycle import decide
from jitaccess.domain.recorded import State
from jitaccess.domain.terms import TicketRule
from jitaccess.domain.tickets import BadPattern, check_pattern, matches
from team import PATIENCE
from unit.examples import BOB, MS, T0, active_status, approved_by, policy, request

INCIDENT = {"pattern": "^INC-[0-9]+$"}
OPTIONAL = {**INCIDENT, "required": False}


@pytest.mark.parametrize(
    ("rule", "ticket", "reason"),
    [
        pytest.param(INCIDENT, "INC-42", "WaitingForApproval", id="as-it-should-be"),
        pytest.param(INCIDENT, None, "TicketMissing", id="missing"),
        pytest.param(INCIDENT, "INC-", "TicketMismatch", id="of-another-form"),
        pytest.param(INCIDENT, "see INC-42", "TicketMismatch", id="with-something-before-it"),
        pytest.param(INCIDENT, "INC-42 ", "TicketMismatch", id="with-a-space-behind-it"),
        pytest.param(INCIDENT, "INC-\u0664\u0662", "TicketMismatch", id="in-other-digits"),
        pytest.param({"pattern": "INC-[0-9]+"}, "see INC-42", "WaitingForApproval", id="found-anywhere-without-anchors"),
        pytest.param({"pattern": r"^\pL+-[0-9]+$"}, "\u00dcBER-1", "WaitingForApproval", id="letters-of-any-script"),
        pytest.param(OPTIONAL, None, "WaitingForApproval", id="none-where-none-is-needed"),
        pytest.param(OPTIONAL, "INC-42", "WaitingForApproval", id="one-where-none-is-needed"),
        pytest.param(OPTIONAL, "42", "TicketMismatch", id="a-wrong-one-where-none-is-needed"),
        pytest.param(None, "whatever", "WaitingForApproval", id="one-that-nobody-asked-for"),
        pytest.param(None, None, "WaitingForApproval", id="none-that-nobody-asked-for"),
    ],
)
def test_the_first_look_says_whether_a_ticket_fits(rule: dict[str, Any] | None, ticket: str | None, reason: str) -> None:
    verdict = decide(request(ticket=ticket), policy(ticket=rule), T0)
    assert (verdict.reason, verdict.state.settled) == (reason, reason != "WaitingForApproval")


def test_a_rule_that_came_later_concerns_what_waits_and_not_what_has_begun() -> None:
    seen = {"revision": 1, "observedGeneration": 1, "state": "Pending", "settled": False}
    waiting = request(approvals=approved_by(BOB), status=seen)
    assert decide(waiting, policy(ticket=INCIDENT), T0).reason == "TicketMissing"
    going_on = request(approvals=approved_by(BOB), status=active_status())
    assert decide(going_on, policy(ticket=INCIDENT), T0 + MS).state is State.ACTIVE


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param("(INC", id="an-open-bracket"),
        pytest.param("(?=INC)", id="looking-ahead"),
        pytest.param(r"(a)\1", id="referring-back"),
        pytest.param("(a{1000}){1000}", id="repeating-too-often"),
        pytest.param("[z-a]", id="a-range-that-runs-back"),
    ],
)
def test_what_re2_does_not_know_is_no_pattern(pattern: str) -> None:
    with pytest.raises(BadPattern):
        check_pattern(pattern)
    unreadable = policy(ticket={"pattern": pattern})
    assert unreadable.invalid.startswith("spec.ticket.pattern is no RE2 pattern: ")
    assert decide(request(ticket="INC-42"), unreadable, T0).reason == "PolicyInvalid"


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(a|a)*$", "^(a|aa)+$", "^(.*a){30}$", "^([a-z]+)*[0-9]$", "(a?){64}a{64}b"])
def test_no_pattern_takes_long(pattern: str) -> None:
    began = time.process_time()
    assert not matches(TicketRule(pattern), "a" * 127 + "!")
    assert time.process_time() - began < PATIENCE, "where it is tried one way after the other, it never ends"
