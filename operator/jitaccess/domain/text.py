"""How durations, times and lines of text are written: the one place where Python reads what the API server let in.

The rules are the same here as in the CRDs and the admission policies (crds/, deploy/base/admission/); where they differ, somebody
could make the API server and the operator see two different requests.
"""

import re
from datetime import UTC, datetime, timedelta
from fractions import Fraction

# Go's time.ParseDuration without sign, without a bare point, and with ASCII digits and units only.
_DURATION = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:h|m|s|ms|us|ns))+")
_RFC_3339 = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2})")
_TERM = re.compile(r"([0-9]+(?:\.[0-9]+)?)(h|ms|m|s|us|ns)")
_NANOSECONDS = {"h": 3600 * 10**9, "m": 60 * 10**9, "s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
LONGEST_DURATION = timedelta(hours=720)

# The same classes as in the CRDs' patterns: control characters, line and paragraph separators, and the invisible characters that
# reorder or hide text (zero-width joiners stay: Persian and emoji need them).
_UNPRINTABLE = re.compile(
    "[\u0000-\u001f\u007f-\u009f\u2028\u2029\u00ad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def printable(text: str) -> bool:
    """Whether the text is one line without control or invisible formatting characters."""
    return _UNPRINTABLE.search(text) is None


def legible(text: str) -> str:
    """The text with everything unprintable replaced: for what comes from objects whose names and rules nobody checks."""
    return _UNPRINTABLE.sub("\ufffd", text)


def parse_duration(text: str, longest: timedelta = LONGEST_DURATION) -> timedelta:
    """Parse a Go duration such as `90m` or `1h30m`; ValueError unless it is longer than 0 and at most `longest`."""
    if not _DURATION.fullmatch(text):
        raise ValueError(f"{text!r} is not a duration: write it like 30m, 4h or 1h30m")
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
