"""How a decision is written."""

import pytest

from jitaccess.cli.api.errors import UsageError
from jitaccess.cli.api.ledger import added_line, checked_text
from jitaccess.manifests.ledgers import parse_ledger


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(None, "bob: ok", id="the-first-line"),
        pytest.param("carol: yes", "carol: yes\nbob: ok", id="a-second-line"),
        pytest.param("", "\nbob: ok", id="an-empty-ledger-keeps-what-the-api-server-compares"),
    ],
)
def test_a_decision_is_one_line_at_the_end(before: str | None, after: str) -> None:
    ledger = added_line(before, "bob", "ok")
    assert ledger == after
    assert parse_ledger(ledger)[-1].by == "bob"


@pytest.mark.parametrize("text", ["a\nb", "a\u2028b", "\u202e", "\x1b[0m", "x" * 1025])
def test_notes_that_the_api_server_would_refuse_are_refused_before(text: str) -> None:
    with pytest.raises(UsageError):
        checked_text(text, "note")
