"""Approvals of all stages, and the bracket that makes access shorter."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitaccess.domain.approved import as_written
from jitaccess.domain.model import Decision, approvals_of
from jitaccess.manifests.ledgers import parse_approvals
from unit.examples import BOB, CAROL, HOUR

HALF = timedelta(minutes=30)


def test_a_stage_has_a_ledger_of_its_own() -> None:
    annotations = {
        "jitaccess.dev/approvals.security": f"{CAROL}: seen",
        "jitaccess.dev/approvals": f"{BOB}: plain",
        "jitaccess.dev/approvals.lead": f"{BOB}: ok\n{CAROL}: ok",
        "jitaccess.dev/approvalsx": f"{BOB}: not ours",
        "jitaccess.dev/denials": f"{BOB}: no",
    }
    assert [(a.by, a.note, a.stage) for a in parse_approvals(annotations)] == [
        (BOB, "plain", ""),
        (BOB, "ok", "lead"),
        (CAROL, "ok", "lead"),
        (CAROL, "seen", "security"),
    ]
    assert [approvals_of(stage) for stage in ("", "lead")] == ["jitaccess.dev/approvals", "jitaccess.dev/approvals.lead"]


@pytest.mark.parametrize(
    ("note", "words", "length"),
    [
        pytest.param("[for 30m] go ahead", "go ahead", HALF, id="a note behind it"),
        pytest.param("[for 30m]", "", HALF, id="nothing behind it"),
        pytest.param("[for 30m] ", "", HALF, id="a space behind it"),
        pytest.param("[for 0.5h]  two spaces", " two spaces", HALF, id="only one space belongs to it"),
        pytest.param("[for 30m] [for 1h] x", "[for 1h] x", HALF, id="the first one counts"),
        pytest.param("for 30m", "for 30m", None, id="no bracket"),
        pytest.param("[30m] go", "[30m] go", None, id="another bracket"),
        pytest.param("[form] attached", "[form] attached", None, id="another word"),
    ],
)
def test_what_a_bracket_says(note: str, words: str, length: timedelta | None) -> None:
    assert parse_approvals({"jitaccess.dev/approvals": f"{BOB}: {note}"}) == (Decision(BOB, words, length=length),)


@pytest.mark.parametrize(
    "note",
    [
        "[for",
        "[for ",
        "[for]",
        "[for\u00a030m] x",
        "\u3000[\u2003for 30m] x",
        "[for 30m",
        "[for 30m]x",
        "[for 30m]\u00a0x",
        "[for  30m] x",
        "[for 30 m] x",
        "[for -30m] x",
        "[for +30m] x",
        "[for 30] x",
        "[for 1d] x",
        "[for 0s] x",
        "[for 999us] x",
        "[for 721h] x",
        "[for 30M] x",
        "[For 30m] x",
        " [for 30m] x",
        "[ for 30m] x",
        "[for30m] x",
        "[for a while] x",
        "[for \u0663m] x",
        f"[for {'0' * 32}1m] x",
    ],
)
def test_what_looks_like_a_bracket_and_is_none_is_unclear(note: str) -> None:
    [read] = parse_approvals({"jitaccess.dev/approvals": f"{BOB}: {note}"})
    assert (read.unclear, read.length) == (True, None)


def test_denials_have_no_brackets_and_hidden_characters_are_nobodys() -> None:
    [read] = parse_approvals({"jitaccess.dev/approvals": f"{BOB}: [for 3\u200b0m] x"})
    assert read.by == ""


@given(st.integers(1, 720 * 3600 * 1000), st.text(alphabet="abc [:]", max_size=20))
def test_what_is_written_is_what_is_read(milliseconds: int, note: str) -> None:
    length = timedelta(milliseconds=milliseconds)
    written = as_written(Decision(BOB, note, length=length))
    [read] = parse_approvals({"jitaccess.dev/approvals": f"{BOB}: {written}"})
    assert (read.by, read.note.strip(), read.length, read.unclear) == (BOB, note.strip(), length, False)
    assert length <= HOUR * 720
