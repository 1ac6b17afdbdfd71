"""Times as people say them."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from jitaccess.wording.times import clock, relative, span

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        *[(0, "0s"), (9, "9s"), (59.4, "59s"), (60, "1m"), (61, "1m1s"), (599, "9m59s"), (601, "10m")],
        *[(3600, "1h"), (4320, "1h12m"), (86400, "1d"), (100800, "1d4h"), (-5, "0s")],
    ],
)
def test_spans_have_two_units_at_most_and_no_seconds_where_they_do_not_matter(seconds: float, words: str) -> None:
    assert span(timedelta(seconds=seconds)) == words


def test_relative_times_say_whether_they_are_to_come() -> None:
    assert relative(NOW + timedelta(minutes=43), NOW) == "in 43m"
    assert relative(NOW - timedelta(minutes=5), NOW) == "5m ago"
    assert relative(NOW, NOW) == "0s ago"


def test_the_clock_is_local_and_has_the_date_of_another_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    assert clock(NOW + timedelta(hours=1), NOW) == "14:00:00"
    assert clock(NOW + timedelta(hours=25), NOW) == "2026-11-25 14:00:00"
