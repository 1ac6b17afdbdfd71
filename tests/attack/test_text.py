"""The characters of text, judged by Go's own regular expressions and by a real API server."""

import json
import os
import subprocess
import unicodedata
from functools import cache
from pathlib import Path

import pytest

from attack import refusals
from attack.stage import Stage, Theatre
from controlplane.binaries import build_env, cache_root
from controlplane.toolchain import find_go
from jitaccess.domain.text import HIDDEN, printable
from team import PATIENCE, REQUESTS, annotations
from unit.manifest_files import ADMISSION, REPOSITORY, raw_strings

FILES = (*sorted((REPOSITORY / "crds").glob("access*.yaml")), *sorted(ADMISSION.glob("*.yaml")))
CLASSES = sorted({pattern for file in FILES for pattern in raw_strings(file) if pattern.startswith("^[^")})
MARKS = r"[\p{Mn}\p{Me}]{5}"
SURROGATES = range(0xD800, 0xE000)  # no UTF-8 text has them
EDGES = sorted({code for first, last in HIDDEN for code in (first - 1, first, last, last + 1) if 0 <= code <= 0x10FFFF})


@cache
def matched_by_go() -> dict[str, set[int]]:
    """What each pattern matches in Go, by pattern; what Go's Unicode does not assign is under the empty one."""
    patterns = [*(pattern.rstrip("$") + "$" for pattern in CLASSES), MARKS]
    program = Path(__file__).parent / "characters.go"
    done = subprocess.run(
        [str(find_go(cache_root(), (1, 21))), "run", str(program)],
        input=json.dumps(patterns),
        env={**os.environ, **build_env()},
        capture_output=True,
        text=True,
        timeout=4 * PATIENCE,  # it is compiled first
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(zip(["", *CLASSES, MARKS], map(set, json.loads(done.stdout)), strict=True))


def test_there_is_one_class_in_all_the_manifests() -> None:
    assert len({pattern.rstrip("$") for pattern in CLASSES}) == 1, CLASSES


@pytest.mark.parametrize("pattern", CLASSES)
def test_go_and_python_let_the_same_characters_through(pattern: str) -> None:
    shown = {code for code in range(0x110000) if code not in SURROGATES and printable(chr(code))}
    # A fifth mark is another rule's, and the pattern is asked about five of each.
    drift = matched_by_go()[pattern] ^ shown
    assert not drift, f"Go and Python differ in {[f'U+{code:04X}' for code in sorted(drift)[:20]]}"


def test_go_and_python_agree_on_what_is_a_combining_mark_where_both_know_the_character() -> None:
    marks = {code for code in range(0x110000) if unicodedata.category(chr(code)) in ("Mn", "Me")}
    unknown = matched_by_go()[""] | {code for code in range(0x110000) if unicodedata.category(chr(code)) == "Cn"}
    drift = (matched_by_go()[MARKS] ^ marks) - unknown
    assert len(marks) > 1500, "Python knows the combining marks"
    assert not drift, f"Go and Python differ in {[f'U+{code:04X}' for code in sorted(drift)[:20]]}"


def test_the_api_server_refuses_exactly_the_hidden_characters_at_the_edges_of_every_range(stage: Theatre) -> None:
    name, alice, bob = stage.request(), stage.person("alice"), stage.person("bob")
    for code in EDGES:
        if code in SURROGATES:
            continue
        text = f"a{chr(code)}b"
        asked = alice.create(REQUESTS, stage.manifest("alice", reason=text), dryRun="All")
        decided = bob.merge(REQUESTS, name, annotations({"jitaccess.dev/approvals": f"bob: {text}"}), dryRun="All")
        noted = bob.merge(REQUESTS, name, annotations({"example.com/n": text}), dryRun="All")
        expected = [printable(text)] * 3
        assert [asked.ok, decided.ok, noted.ok] == expected, f"U+{code:04X}: {asked.message} {decided.message} {noted.message}"


def test_the_api_server_takes_every_character_that_shows(stage: Theatre) -> None:
    alice = stage.person("alice")
    shown = [chr(code) for code in range(0x110000) if code not in SURROGATES and printable(chr(code))]
    fours = ["".join(shown[start : start + 4]) for start in range(0, len(shown), 4)]  # a fifth mark is another rule's
    for start in range(0, len(fours), 200):
        reason = "a" + "a".join(fours[start : start + 200])
        Stage.sure(alice.create(REQUESTS, stage.manifest("alice", reason=reason), dryRun="All"))


def test_a_pile_of_marks_is_refused_in_every_place(stage: Theatre) -> None:
    name, pile = stage.request(), "e" + "\u0301" * 5
    asked = stage.person("alice").create(REQUESTS, stage.manifest("alice", reason=pile), dryRun="All")
    decided = stage.person("bob").merge(REQUESTS, name, annotations({"jitaccess.dev/approvals": f"bob: {pile}"}))
    noted = stage.person("bob").merge(REQUESTS, name, annotations({"example.com/n": pile}))
    assert asked.message.endswith(refusals.MARKS)
    assert decided.message.endswith(refusals.NOTE_MARKS)
    assert noted.message.endswith(refusals.unclear("example.com/n"))
