"""How far back `--since` looks."""

from datetime import UTC, datetime, timedelta

import pytest

from jitaccess.cli.api.errors import UsageError
from jitaccess.cli.commands.filters import since

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        pytest.param("30d", NOW - timedelta(days=30), id="days"),
        pytest.param("1w12h", NOW - timedelta(days=7, hours=12), id="mixed"),
        pytest.param("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC), id="a-date-is-utc"),
        pytest.param("2026-11-01T10:00:00+01:00", datetime(2026, 11, 1, 9, tzinfo=UTC), id="an-offset-counts"),
    ],
)
def test_how_far_back(text: str, moment: datetime) -> None:
    assert since(text, NOW) == moment


@pytest.mark.parametrize("text", ["", "yesterday", "30", "-3d", "3x"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        since(text, NOW)
