"""Which characters text may have: derived from Unicode's properties here, and the same in Python, CRDs and admission."""

import re
import unicodedata
from functools import cache

import pytest

from jitaccess.domain.text import legible, lower_ascii, printable, unprintable
from unit.manifest_files import ADMISSION, REPOSITORY, crd_schema, python_pattern, raw_strings, rules

EVERYTHING = [chr(code) for code in range(0x110000)]
# From DerivedCoreProperties.txt of Unicode 16: what is to be shown as nothing where a font does not know it.
DEFAULT_IGNORABLE = (
    "00AD 034F 061C 115F-1160 17B4-17B5 180B-180F 200B-200F 202A-202E 2060-206F 3164 FE00-FE0F FEFF FFA0 FFF0-FFF8 "
    "1BCA0-1BCA3 1D173-1D17A E0000-E0FFF"
)
# By their names blank, or a stand-in for something else, and no spaces: BRAILLE PATTERN BLANK, OBJECT REPLACEMENT CHARACTER,
# EGYPTIAN HIEROGLYPH FULL BLANK and HALF BLANK, KHITAN SMALL SCRIPT FILLER, MUSICAL SYMBOL NULL NOTEHEAD.
BLANK = "2800 FFFC 13441-13442 16FE4 1D159"
# Format characters (Cf) since Unicode 15, which Python 3.11 does not know yet.
NEWER_FORMAT = "13439-1343F"
# Planes in which there are no letters, and plane 14 and the private ones.
EMPTY_PLANES = "40000-10FFFF"
HIDING_CATEGORIES = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}


def characters(ranges: str) -> set[str]:
    """The characters of ranges in hexadecimal."""
    edges = [each.partition("-") for each in ranges.split()]
    return {chr(code) for first, _, last in edges for code in range(int(first, 16), int(last or first, 16) + 1)}


def noncharacter(character: str) -> bool:
    """Whether Unicode promises that this will never be a character."""
    code = ord(character)
    return 0xFDD0 <= code <= 0xFDEF or code & 0xFFFE == 0xFFFE


EXPECTED = (
    {each for each in EVERYTHING if unicodedata.category(each) in HIDING_CATEGORIES or noncharacter(each)}
    | characters(DEFAULT_IGNORABLE)
    | characters(BLANK)
    | characters(NEWER_FORMAT)
    | characters(EMPTY_PLANES)
)
MANIFESTS = (
    REPOSITORY / "crds" / "accesspolicies.yaml",
    REPOSITORY / "crds" / "accessrequests.yaml",
    ADMISSION / "decisions.yaml",
    ADMISSION / "requesters.yaml",
    ADMISSION / "request-metadata.yaml",
)
PATTERNS = [
    pytest.param(pattern, id=f"{file.name}[{index}]")
    for file in MANIFESTS
    for index, pattern in enumerate(raw_strings(file))
    if pattern.startswith("^[^")
]


@cache
def drift_of(ranges: str) -> set[str]:
    """How the characters in the ranges of a pattern differ from those that are to be refused."""
    return set(re.findall(python_pattern(f"[{ranges}]"), "".join(EVERYTHING))) ^ EXPECTED


def in_words(found: set[str]) -> list[str]:
    """The first of these characters, readable in a failure."""
    return [f"U+{ord(character):04X}" for character in sorted(found)[:20]]


def test_python_refuses_what_unicode_says_is_hidden() -> None:
    drift = {each for each in EVERYTHING if not printable(each)} ^ EXPECTED
    assert not drift, f"text.printable() and Unicode {unicodedata.unidata_version} differ in {in_words(drift)}"


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_manifests_refuse_the_same_characters(pattern: str) -> None:
    shape = re.fullmatch(r"\^\[\^(.+)\]\*\$?", pattern)
    assert shape, f"a pattern for text is expected to be ^[^...]*, not {pattern}"
    drift = drift_of(shape[1])
    assert not drift, f"it and Unicode {unicodedata.unidata_version} differ in {in_words(drift)}"


def test_every_manifest_has_the_class_and_the_limit_on_marks() -> None:
    missing = [file.name for file in MANIFESTS if not any(each.startswith("^[^") for each in raw_strings(file))]
    unlimited = [file.name for file in MANIFESTS if r"[\p{Mn}\p{Me}]{5}" not in raw_strings(file)]
    assert (missing, unlimited) == ([], [])


def test_all_free_text_in_the_crds_is_held_to_it() -> None:
    fields = {
        f"{crd}{path}"
        for crd in ("accesspolicies", "accessrequests")
        for path, found in rules(crd_schema(crd))
        if sum('r"^[^' in rule["rule"] or r"\p{Mn}" in rule["rule"] for rule in found) == 2
    }
    assert fields == {
        "accesspolicies.spec.description",
        "accesspolicies.spec.roles[].name",
        "accesspolicies.spec.requesters[].name",
        "accesspolicies.spec.approvers[].name",
        "accesspolicies.spec.stages[].approvers[].name",
        "accesspolicies.spec.emergency.reviewers[].name",
        "accesspolicies.spec.ticket.pattern",
        "accessrequests.spec.roleRef.name",
        "accessrequests.spec.reason",
        "accessrequests.spec.ticket",
        "accessrequests.spec.requester",
        "accessrequests.spec.requesterGroups[]",
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", True, id="nothing"),
        pytest.param("go ahead, I'm watching", True, id="plain"),
        pytest.param("Zürich 東京 🙂 👍🏽", True, id="any-language-and-plain-emoji"),
        pytest.param("ในที่สุด นี้ที่สุด", True, id="thai-vowels-and-tones"),
        pytest.param("שָׁלוֹם", True, id="hebrew-points"),
        pytest.param("बड़ी हिन्दी", True, id="devanagari"),
        pytest.param("e\u0301\u0302\u0303\u0304x", True, id="four-marks-on-a-letter"),
        pytest.param("e\u0301\u0302\u0303\u0304\u0305x", False, id="five-marks-on-a-letter"),
        pytest.param("bob" + "\u0301" * 2000, False, id="thousands-of-marks"),
        pytest.param("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", False, id="the-joiners-of-persian-hide-too-well"),
        pytest.param("👩\u200d💻", False, id="emoji-joined-to-one"),
        pytest.param("⚠\ufe0f", False, id="a-variation-selector"),
        pytest.param("bob\U000e0100", False, id="a-variation-selector-for-ideographs"),
        pytest.param("bo\u034fb", False, id="a-grapheme-joiner"),
        pytest.param("bob\u2800", False, id="a-blank-braille-pattern"),
        pytest.param("bob\u17b4", False, id="an-inherent-khmer-vowel"),
        pytest.param("bob\ue000", False, id="private-use"),
        pytest.param("a\nb", False, id="line-feed"),
        pytest.param("a\tb", False, id="tab"),
        pytest.param("a\x1b[31mb", False, id="terminal-escape"),
        pytest.param("a\u2028b", False, id="line-separator"),
        pytest.param("a\u202eb", False, id="right-to-left-override"),
        pytest.param("ok\n", False, id="trailing-line-feed"),
    ],
)
def test_printable_is_one_line_that_shows_all_there_is(text: str, expected: bool) -> None:
    assert printable(text) is expected


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        pytest.param("all right", "", id="nothing"),
        pytest.param("INC \u200bx", "U+200B (ZERO WIDTH SPACE) at character 5", id="a-name-from-unicode"),
        pytest.param("a\nb\u200b", "U+000A (LINE FEED) at character 2", id="the-first-one"),
        pytest.param("\ue000", "U+E000 (a character without a name) at character 1", id="no-name"),
        pytest.param("ab" + "\u0301" * 9, "more than 4 combining marks in a row, at character 7", id="marks"),
    ],
)
def test_what_cannot_be_shown_is_named_with_its_place(text: str, fault: str) -> None:
    assert unprintable(text) == fault


def test_names_that_nobody_checks_are_made_legible() -> None:
    assert legible("a\u200bb\n" + "\u0301" * 5) == "a\ufffdb\ufffd" + "\u0301" * 4 + "\ufffd"


@pytest.mark.parametrize(
    ("name", "lower"),
    [
        pytest.param("Bob@EXAMPLE.com", "bob@example.com", id="ascii"),
        pytest.param("ZOË", "zoË", id="letters-beyond-ascii-stay"),
        pytest.param("\u212aate", "\u212aate", id="the-kelvin-sign-is-no-k"),
        pytest.param("STRASSE ß", "strasse ß", id="sharp-s-stays"),
        pytest.param("İI", "İi", id="turkish-dotted-i-stays"),
    ],
)
def test_case_is_folded_for_ascii_only_as_lower_ascii_does_in_cel(name: str, lower: str) -> None:
    assert lower_ascii(name) == lower
