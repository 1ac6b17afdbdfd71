"""How durations, times and lines of text are written: the one place where Python reads what the API server let in.

The rules are the same here as in the CRDs and the admission policies (crds/, deploy/base/admission/); where they differ, somebody
could make the API server and the operator see two different requests.
"""

import re
import string
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from fractions import Fraction

# Go's time.ParseDuration without sign, without a bare point, and with ASCII digits and units only.
_DURATION = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:h|m|s|ms|us|ns))+")
_RFC_3339 = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2})")
_TERM = re.compile(r"([0-9]+(?:\.[0-9]+)?)(h|ms|m|s|us|ns)")
_NANOSECONDS = {"h": 3600 * 10**9, "m": 60 * 10**9, "s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
LONGEST_DURATION = timedelta(hours=720)

# What no text that people write may contain, as first and last character of each range, the same as in the CRDs and the admission
# policies: Unicode's control, format, private-use and surrogate characters, line and paragraph separators, all that Unicode calls
# default-ignorable, noncharacters, the planes without letters, and what prints as a blank without being a space.
# Written out, since Python's and Go's Unicode differ in age; tests/unit/domain/test_text.py derives it from Unicode's properties.
HIDDEN = (
    (0x0000, 0x001F), (0x007F, 0x009F), (0x00AD, 0x00AD), (0x034F, 0x034F), (0x0600, 0x0605), (0x061C, 0x061C), (0x06DD, 0x06DD),
    (0x070F, 0x070F), (0x0890, 0x0891), (0x08E2, 0x08E2), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x200B, 0x200F),
    (0x2028, 0x202E), (0x2060, 0x206F), (0x2800, 0x2800), (0x3164, 0x3164), (0xD800, 0xF8FF), (0xFDD0, 0xFDEF), (0xFE00, 0xFE0F),
    (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFFC), (0xFFFE, 0xFFFF), (0x110BD, 0x110BD), (0x110CD, 0x110CD),
    (0x13430, 0x1343F), (0x13441, 0x13442), (0x16FE4, 0x16FE4), (0x1BCA0, 0x1BCA3), (0x1D159, 0x1D159), (0x1D173, 0x1D17A),
    (0x1FFFE, 0x1FFFF), (0x2FFFE, 0x2FFFF), (0x3FFFE, 0x10FFFF),
)  # fmt: skip
# More of them on one letter than any orthography needs, and they run over the lines around.
MOST_MARKS = 4
_HIDDEN = re.compile("[" + "".join(f"{re.escape(chr(first))}-{re.escape(chr(last))}" for first, last in HIDDEN) + "]")
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_UNNAMED = {"\n": "LINE FEED", "\r": "CARRIAGE RETURN", "\t": "TAB", "\x1b": "ESCAPE"}


def printable(text: str) -> bool:
    """Whether the text is one line that shows all there is in it."""
    return (text.isascii() and text.isprintable()) or not any(_faults(text))


def legible(text: str) -> str:
    """The text with everything unprintable replaced: for what comes from objects whose names and rules nobody checks."""
    return "".join("\ufffd" if fault else character for character, fault in zip(text, _faults(text), strict=True))


def unprintable(text: str) -> str:
    """The first thing in the text that is not printable, and its place, counted from 1; empty if all of it is."""
    place = next((place for place, fault in enumerate(_faults(text), start=1) if fault), 0)
    if not place:
        return ""
    character = text[place - 1]
    if not _HIDDEN.match(character):
        return f"more than {MOST_MARKS} combining marks in a row, at character {place}"
    name = unicodedata.name(character, "") or _UNNAMED.get(character, "a character without a name")
    return f"U+{ord(character):04X} ({name}) at character {place}"


def _faults(text: str) -> Iterator[bool]:
    """For each character whether it is hidden, or a combining mark too many."""
    marks = 0
    for character in text:
        marks = marks + 1 if unicodedata.category(character) in ("Mn", "Me") else 0
        yield marks > MOST_MARKS or _HIDDEN.match(character) is not None


def lower_ascii(name: str) -> str:
    """The name with A to Z in lower case and all else as it is, which is what CEL's lowerAscii() makes of it."""
    return name.translate(_LOWER)


def parse_duration(text: str, longest: timedelta = LONGEST_DURATION) -> timedelta:
    """Parse a Go duration such as `90m` or `1h30m`; ValueError unless it is longer than 0 and at most `longest`."""
    if not _DURATION.fullmatch(text):
        raise ValueError(f"{text!r} is not a duration: write it like 30m, 4h or 1h30m, and a day as 24h")
    nanoseconds = sum(int(Fraction(number) * _NANOSECONDS[unit]) for number, unit in _TERM.findall(text))
    if nanoseconds < _NANOSECONDS["ms"]:
        raise ValueError(f"{text!r} is not longer than 0s (at least 1ms)")
    if nanoseconds > longest // timedelta(microseconds=1) * 1000:
        raise ValueError(f"{text!r} is longer than {format_duration(longest)}")
    return timedelta(microseconds=int(nanoseconds // 1000))


def format_duration(duration: timedelta) -> str:
    """Write a duration as Go does, without empty units: `1h30m`, `45s`, `1.5s`."""
    seconds = duration / timedelta(seconds=1)
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    parts = [(int(hours), "h"), (int(minutes), "m")]
    text = "".join(f"{number}{unit}" for number, unit in parts if number)
    return f"{text}{rest:.6f}".rstrip("0").rstrip(".") + "s" if rest or not text else text


def parse_time(text: str) -> datetime:
    """Parse an RFC 3339 time into an aware UTC datetime; ValueError for anything else."""
    if not _RFC_3339.fullmatch(text):
        raise ValueError(f"{text!r} is not an RFC 3339 time")
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{text!r} is not an RFC 3339 time") from error


def format_time(moment: datetime) -> str:
    """Write a time as RFC 3339 in UTC with milliseconds, as all of our status fields have it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def hour_of(moment: datetime) -> str:
    """The hour of a moment, in UTC: what requests can be selected by in the record, so that nobody has to list all of them."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H")
