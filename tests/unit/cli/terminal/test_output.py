"""What reaches a terminal: escaped, and no wider than it."""

import json

import pytest
import yaml
from rich.cells import cell_len
from rich.text import Text

from jitaccess.cli.terminal.output import Column, as_json, as_yaml, dump, escaped, fitted, table

HOSTILE = "\x1b[2J\x1b]0;pwned\x07 \u202egnihsif\u2066 \u200b\ufeff\U000e0041 a\nb\r\x9b31m\x7f"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("INC-42 pods crash looping", "INC-42 pods crash looping", id="plain-text-stays"),
        pytest.param("Zoë 名前 🙂", "Zoë 名前 🙂", id="other-scripts-and-emoji-stay"),
        pytest.param("\x1b[31mred", "\\x1b[31mred", id="escape-sequences-are-made-visible"),
        pytest.param("a\nb", "a\\nb", id="a-line-break-makes-no-new-line"),
        pytest.param("\u202egnihsif", "\\u202egnihsif", id="text-is-not-turned-around"),
        pytest.param("\x9b31m", "\\x9b31m", id="eight-bit-control-characters-too"),
        pytest.param("bob\u200b", "bob\\u200b", id="invisible-characters-become-visible"),
        pytest.param("[bold]x[/bold] :smile:", "[bold]x[/bold] :smile:", id="markup-means-nothing"),
        pytest.param("\ud800", "\\ud800", id="half-a-surrogate-pair-can-be-printed"),
    ],
)
def test_what_users_wrote_is_shown_and_never_obeyed(text: str, shown: str) -> None:
    assert escaped(text) == shown


@pytest.mark.parametrize("write", [as_json, as_yaml], ids=["json", "yaml"])
def test_machine_formats_carry_the_same_data_harmlessly(write: object) -> None:
    value = {"reason": HOSTILE, "who": "Zoë"}
    text = as_json(value, indent=2) if write is as_json else as_yaml(value)
    assert (json.loads(text) if write is as_json else yaml.safe_load(text)) == value
    assert escaped(text.replace("\n", "")) == text.replace("\n", "")


COLUMNS = (Column("NAME"), Column("WHO", least=8, keep=3), Column("WHEN", keep=2), Column("WHY", least=10, keep=1))
ROW = ("alice-7f3k", "alice@example.com", "ends in 43m", "INC-42 pods crash looping since the deployment of last night")


@pytest.mark.parametrize("width", [120, 80, 60, 48, 40, 30, 20])
def test_a_table_fits_the_terminal_as_long_as_its_names_do(width: int) -> None:
    lines = table(COLUMNS, [ROW], width).plain.split("\n")
    assert all(cell_len(line) <= width for line in lines), lines
    assert lines[1].startswith("alice-7f3k"), "names are for copying: they are never cut"


def test_wide_characters_count_twice() -> None:
    lines = table((Column("NAME"), Column("WHY", least=4)), [("r1", "名前" * 30)], 40).plain.split("\n")
    assert cell_len(lines[1]) <= 40


def test_the_least_important_columns_go_first() -> None:
    natural = [10, 17, 11, 60]
    assert list(fitted(COLUMNS, natural, 100)) == [0, 1, 2, 3]
    assert list(fitted(COLUMNS, natural, 34)) == [0, 1, 2]
    assert list(fitted(COLUMNS, natural, 22)) == [0, 1]
    assert list(fitted(COLUMNS, natural, 5)) == [0]


@pytest.mark.parametrize("width", [80, 60, 44, 38])
def test_what_must_be_typed_goes_on_in_the_next_line_and_is_never_cut(width: int) -> None:
    columns = (Column("POLICY"), Column("ROLES", wraps=True), Column("PURPOSE", least=10, keep=1))
    rows = [("prod-debug", "jitaccess-debug, view, network-viewer", "Debug team A's production workloads"), ("look", "view", "")]
    lines = table(columns, rows, width).plain.split("\n")
    assert all(cell_len(line) <= width for line in lines), lines
    assert lines[-1] == "look        view"
    start = len("prod-debug") + 2
    told = " ".join(line[start : start + 37].partition("  ")[0].strip() for line in lines[1:-1])
    assert told == rows[0][1]


def test_a_value_that_wraps_stays_in_one_line_where_there_is_room() -> None:
    assert table((Column("ROLES", wraps=True),), [("a, b, c",)], 10_000).plain == "ROLES\na, b, c"


def test_a_long_value_in_a_script_is_whole() -> None:
    assert ROW[3] in table(COLUMNS, [ROW], 10_000).plain


def test_cells_that_users_wrote_are_escaped() -> None:
    assert "\x1b" not in table(COLUMNS, [("x", "\x1b[2J", "", Text("fine"))], 80).plain


@pytest.mark.parametrize("form", ["json", "yaml"])
@pytest.mark.parametrize("several", [False, True], ids=["one", "a-list"])
def test_managed_fields_are_left_out_as_in_kubectl(capsys: pytest.CaptureFixture[str], form: str, several: bool) -> None:
    manifest = {"kind": "AccessRequest", "metadata": {"name": "x", "managedFields": [{"manager": "kubectl"}]}, "spec": {"a": 1}}
    dump([manifest] if several else manifest, form)
    read = yaml.safe_load(capsys.readouterr().out)
    assert (read["items"][0] if several else read) == {"kind": "AccessRequest", "metadata": {"name": "x"}, "spec": {"a": 1}}
    assert "managedFields" in manifest["metadata"], "what was given is not changed"
