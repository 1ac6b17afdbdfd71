"""What a policy says beyond who and what: read whole, and told where it cannot be read."""

from datetime import timedelta
from typing import Any

import pytest

from jitaccess.domain.model import Emergency, Stage, Subject
from jitaccess.domain.terms import Limits, TicketRule, Window
from jitaccess.manifests.parse import parse_policy, parse_request
from unit.examples import policy_manifest, request_manifest

NINE_TO_FIVE = {"from": "09:00", "to": "17:30", "timeZone": "Europe/Berlin"}


@pytest.mark.parametrize(
    ("field", "written", "attribute", "read"),
    [
        pytest.param(
            "windows",
            [NINE_TO_FIVE | {"days": ["Mon", "Sun"]}],
            "windows",
            (Window(frozenset({0, 6}), 540, 1050, "Europe/Berlin"),),
            id="hours-of-some-days",
        ),
        pytest.param(
            "windows",
            [NINE_TO_FIVE | {"from": "00:00", "to": "24:00"}],
            "windows",
            (Window(frozenset(range(7)), 0, 1440, "Europe/Berlin"),),
            id="every-day-to-its-end",
        ),
        pytest.param("limits", {"activePerRequester": 2}, "limits", Limits(2, None, None), id="one-limit"),
        pytest.param(
            "limits",
            {"activePerRequester": 1, "requestsPerDay": 10, "activeInTotal": 5},
            "limits",
            Limits(1, 10, 5),
            id="all-limits",
        ),
        pytest.param("ticket", {"pattern": "^INC-"}, "ticket", TicketRule("^INC-", required=True), id="a-ticket-is-required"),
        pytest.param(
            "ticket",
            {"pattern": "^INC-", "required": False},
            "ticket",
            TicketRule("^INC-", required=False),
            id="a-ticket-that-may-be-left-out",
        ),
        pytest.param(
            "stages",
            [{"name": "lead", "approvers": [{"kind": "Group", "name": "leads"}], "required": 2}],
            "stages",
            (Stage("lead", (Subject("Group", "leads"),), 2),),
            id="a-stage",
        ),
        pytest.param(
            "emergency",
            {"reviewWithin": "24h", "reviewers": [{"kind": "User", "name": "carol"}], "blockUntilReviewed": True},
            "emergency",
            Emergency(timedelta(hours=24), (Subject("User", "carol"),), block_until_reviewed=True),
            id="emergency-access",
        ),
        pytest.param("endWithWindow", True, "end_with_window", True, id="access-that-ends-with-its-window"),
        pytest.param("allowScheduling", True, "allow_scheduling", True, id="access-that-begins-later"),
        pytest.param("suspend", True, "suspended", True, id="a-suspended-policy"),
    ],
)
def test_the_terms_of_a_policy_are_read(field: str, written: Any, attribute: str, read: Any) -> None:
    policy = parse_policy(policy_manifest(**{field: written}))
    assert (getattr(policy, attribute), policy.invalid) == (read, "")


def test_a_policy_that_says_none_of_it_has_none_of_it() -> None:
    policy = parse_policy(policy_manifest())
    assert (policy.windows, policy.limits, policy.ticket) == ((), Limits(None, None, None), None)
    assert (policy.stages, policy.emergency) == ((), None)
    assert (policy.end_with_window, policy.allow_scheduling, policy.suspended) == (False, False, False)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        pytest.param(
            {"windows": [NINE_TO_FIVE, NINE_TO_FIVE | {"timeZone": "Mars/Base"}]},
            "spec.windows[1].timeZone: there is no time zone 'Mars/Base'",
            id="a-zone-that-is-none",
        ),
        pytest.param(
            {"windows": [NINE_TO_FIVE | {"timeZone": "../etc/passwd"}]},
            "there is no time zone '../etc/passwd'",
            id="a-zone-that-is-a-path",
        ),
        pytest.param({"windows": [NINE_TO_FIVE | {"from": "9am"}]}, "'9am' is no time of day", id="a-time-that-is-none"),
        pytest.param({"windows": [NINE_TO_FIVE | {"days": ["Freitag"]}]}, "cannot be read", id="a-day-that-is-none"),
        pytest.param({"ticket": {"pattern": "(INC"}}, "spec.ticket.pattern is no RE2 pattern: missing )", id="no-pattern"),
        pytest.param({"ticket": {}}, "cannot be read", id="a-ticket-without-a-pattern"),
        pytest.param({"stages": [{"name": "lead"}]}, "cannot be read", id="a-stage-without-approvers"),
        pytest.param({"emergency": {"reviewers": []}}, "cannot be read", id="an-emergency-without-a-time"),
    ],
)
def test_terms_that_cannot_be_read_put_the_policy_out_of_force(fields: dict[str, Any], told: str) -> None:
    assert told in parse_policy(policy_manifest(**fields)).invalid


def test_a_request_says_its_ticket_and_its_start() -> None:
    asked = parse_request(request_manifest(ticket="INC-4711", startTime="2026-07-01T10:00:00+02:00"))
    assert (asked.ticket, asked.start and asked.start.isoformat()) == ("INC-4711", "2026-07-01T08:00:00+00:00")


def test_a_start_that_is_no_time_makes_a_request_invalid() -> None:
    assert "spec.startTime: 'tomorrow' is not an RFC 3339 time" in parse_request(request_manifest(startTime="tomorrow")).invalid
