"""When access begins, in words."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jitaccess.wording.beginnings import foreseen, when_it_may_begin
from jitaccess.wording.describe import how_long
from unit.examples import HOUR, T0, active_status, policy, request

BERLIN = {"from": "08:00", "to": "18:00", "timeZone": "Europe/Berlin"}
OFFICE = {"windows": [BERLIN | {"days": ["Mon", "Tue", "Wed", "Thu", "Fri"]}]}


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({}, ""),
        (OFFICE, "inside Mon to Fri 08:00 to 18:00 Europe/Berlin"),
        (OFFICE | {"endWithWindow": True}, "inside Mon to Fri 08:00 to 18:00 Europe/Berlin, and ends with it"),
        (
            {"windows": [BERLIN, BERLIN | {"timeZone": "Etc/UTC"}]},
            "inside every day 08:00 to 18:00 Europe/Berlin or every day 08:00 to 18:00 Etc/UTC",
        ),
    ],
)
def test_what_a_policy_says_of_it(spec: dict[str, Any], words: str) -> None:
    assert when_it_may_begin(policy(**spec)) == words


@pytest.mark.parametrize(
    ("spec", "now", "start", "words", "in_vain"),
    [
        pytest.param({}, T0, None, "", False, id="at any time"),
        pytest.param(OFFICE, T0 + 4 * HOUR, None, "", False, id="inside"),
        pytest.param(
            OFFICE, T0, None, "outside of its window access waits: opens Wed 08:00 CEST (in 3h50m)", False, id="outside"
        ),
        pytest.param(
            OFFICE | {"pendingTimeout": "1h"},
            T0,
            None,
            "it times out 03:10:00, before its window: opens Wed 08:00 CEST; ask nearer to that",
            True,
            id="outside-for-too-long",
        ),
        pytest.param(OFFICE, T0, "2026-07-01T10:00:00Z", "", False, id="inside-at-its-start"),
        pytest.param(
            OFFICE,
            T0 + 4 * HOUR,
            "2026-07-04T10:00:00Z",
            "it times out 2026-07-05 10:00:00, before its window: opens Mon 08:00 CEST; ask nearer to that",
            True,
            id="at-the-weekend-at-its-start",
        ),
    ],
)
def test_what_a_request_would_wait_for(spec: dict[str, Any], now: datetime, start: str | None, words: str, in_vain: bool) -> None:
    assert foreseen(request(startTime=start), policy(**spec), now) == (words, in_vain)


def test_how_long_says_when_and_how_much_of_it_there_was() -> None:
    later = request(startTime="2026-07-01T08:00:00Z", status={"state": "Scheduled"})
    assert how_long(later, T0) == "1h from 08:00:00 on"
    short = request(status=active_status(lasts=timedelta(minutes=20)))
    assert how_long(short, T0) == "20m of 1h, 02:10:00 to 02:30:00 (in 20m)"
    assert T0.tzinfo is UTC
