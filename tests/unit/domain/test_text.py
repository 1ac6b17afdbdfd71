"""How durations, times and text are read: the same in Python as in the CRDs and the admission policies."""

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from jitaccess.domain.text import LONGEST_DURATION, format_duration, format_time, parse_duration, parse_time
from unit.examples import MS, T0
from unit.manifest_files import crd_schema, python_pattern, raw_strings_in, rules

NANOSECONDS = {"h": 3600 * 10**9, "m": 60 * 10**9, "s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
LONGEST_NANOSECONDS = LONGEST_DURATION // timedelta(microseconds=1) * 1000
CRDS = ("accesspolicies", "accessrequests")
DURATION_RULES = {
    tuple(pattern for rule in found for pattern in raw_strings_in(rule["rule"]))
    for crd in CRDS
    for path, found in rules(crd_schema(crd))
    if re.search(r"[dD]uration$|Timeout$", path)
}
# duration() in CEL counts nanoseconds in 63 bits, and fails on more.
CEL_LIMIT = 2**63


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        pytest.param("30m", 1800, id="minutes"),
        pytest.param("4h", 14400, id="hours"),
        pytest.param("1h30m", 5400, id="hours-and-minutes"),
        pytest.param("30m1h", 5400, id="units-in-any-order-as-in-go"),
        pytest.param("1m1m", 120, id="a-unit-twice-as-in-go"),
        pytest.param("0h5m", 300, id="a-zero-term-beside-another"),
        pytest.param("1.5h", 5400, id="a-fraction"),
        pytest.param("0.1s", 0.1, id="a-fraction-that-binary-floats-cannot-hold"),
        pytest.param("0.1h0.1m", 366, id="two-fractions"),
        pytest.param("1500ms", 1.5, id="milliseconds-are-not-minutes"),
        pytest.param("1ms", 0.001, id="the-shortest"),
        pytest.param("1001us", 0.001001, id="microseconds"),
        pytest.param("1000000ns", 0.001, id="nanoseconds"),
        pytest.param("1000999ns", 0.001, id="cut-to-microseconds"),
        pytest.param("720h", 2592000, id="the-longest"),
        pytest.param("0000000000000000000000000000001h", 3600, id="leading-zeros-as-in-go"),
    ],
)
def test_go_durations_are_read_exactly(text: str, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("2 days", id="words"),
        pytest.param("1w", id="weeks"),
        pytest.param("1d", id="days"),
        pytest.param("P1D", id="iso-8601"),
        pytest.param("PT1H", id="iso-8601-time"),
        pytest.param("01:30", id="clock-time"),
        pytest.param("60", id="no-unit"),
        pytest.param("0", id="bare-zero-which-go-takes"),
        pytest.param("h", id="no-number"),
        pytest.param("0s", id="zero"),
        pytest.param("0h0m0.0s", id="zero-in-many-units"),
        pytest.param("0.4ns", id="less-than-a-nanosecond"),
        pytest.param("-1h", id="negative"),
        pytest.param("+1h", id="signed"),
        pytest.param("1h-30m", id="negative-term"),
        pytest.param("1h ", id="trailing-space"),
        pytest.param(" 1h", id="leading-space"),
        pytest.param("1h 30m", id="space-between"),
        pytest.param("1h\n", id="trailing-newline"),
        pytest.param("1h\n30m", id="newline-between"),
        pytest.param("\u0661h", id="arabic-digit"),
        pytest.param("\uff11h", id="full-width-digit"),
        pytest.param("\u00b2h", id="superscript-digit"),
        pytest.param("1\u00b5s", id="micro-sign-which-go-takes"),
        pytest.param("1H", id="upper-case"),
        pytest.param(".5h", id="no-digit-before-the-point"),
        pytest.param("1.h", id="no-digit-after-the-point"),
        pytest.param("1.5.5h", id="two-points"),
        pytest.param("1,5h", id="comma"),
        pytest.param("1e3s", id="exponent"),
        pytest.param("1_000s", id="underscore"),
        pytest.param("0x10s", id="hexadecimal"),
        pytest.param("infh", id="infinite"),
        pytest.param("720h1us", id="longer-than-the-longest"),
        pytest.param("720h1ns", id="a-nanosecond-longer-than-the-longest"),
        pytest.param("721h", id="an-hour-too-long"),
        pytest.param("99999999h", id="eleven-thousand-years"),
    ],
)
def test_whatever_lax_parsers_let_through_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"duration|longer"):
        parse_duration(text)


def test_a_duration_of_any_length_is_refused_and_never_raises_anything_else() -> None:
    with pytest.raises(ValueError, match="longer than"):
        parse_duration("9999999999999999999999999999999h")


@pytest.mark.parametrize("text", ["0s", "1ns", "999ns", "0.9us", "0.5ns0.5ns", "999us", "999999ns", "0.999999ms", "499us500us"])
def test_a_duration_that_is_too_short_to_be_recorded_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=rf"^'{text}' is not longer than 0s \(at least 1ms\)$"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "accepted"), [pytest.param("720h0.5ns", True, id="720h"), pytest.param("999999.5ns0.5ns", False, id="1ms")]
)
def test_fractions_of_a_nanosecond_are_cut_off_as_in_go(text: str, accepted: bool) -> None:
    assert (read_duration(text) is not None) is accepted


@given(st.timedeltas(min_value=MS, max_value=LONGEST_DURATION))
@example(timedelta(hours=1, minutes=59, seconds=59, microseconds=999999))
@example(LONGEST_DURATION - timedelta(microseconds=1))
@example(timedelta(hours=10, seconds=10))
def test_a_duration_survives_writing_and_reading(duration: timedelta) -> None:
    assert parse_duration(format_duration(duration)) == duration, f"written as {format_duration(duration)}"


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        pytest.param(timedelta(hours=1, minutes=30), "1h30m", id="no-empty-units"),
        pytest.param(timedelta(minutes=100), "1h40m", id="minutes-become-hours"),
        pytest.param(timedelta(hours=720), "720h", id="hours-do-not-become-days"),
        pytest.param(timedelta(hours=10), "10h", id="zeros-of-whole-numbers-stay"),
        pytest.param(timedelta(seconds=20), "20s", id="zeros-of-whole-seconds-stay"),
        pytest.param(timedelta(hours=1, seconds=10), "1h10s", id="zeros-behind-an-hour-stay"),
        pytest.param(timedelta(seconds=1.5), "1.5s", id="fraction"),
        pytest.param(timedelta(0), "0s", id="zero"),
    ],
)
def test_durations_are_written_as_go_writes_them(duration: timedelta, text: str) -> None:
    assert format_duration(duration) == text


def go_nanoseconds(text: str) -> int:
    """time.ParseDuration for what the pattern lets through: fractions are cut off term by term."""
    total = 0
    for whole, fraction, unit in re.findall(r"([0-9]+)(?:\.([0-9]+))?(h|ms|m|s|us|ns)", text):
        total += int(whole) * NANOSECONDS[unit] + int(fraction or "0") * NANOSECONDS[unit] // 10 ** len(fraction)
    return total


TERMS = st.lists(
    st.tuples(
        st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,4})?", fullmatch=True), st.sampled_from([*NANOSECONDS, "d", "", "H", " ", "s\n"])
    ),
    max_size=4,
).map(lambda terms: "".join(number + unit for number, unit in terms))


def test_every_crd_has_one_and_the_same_rules_for_durations() -> None:
    assert len(DURATION_RULES) == 1, f"the CRDs disagree about durations: {DURATION_RULES}"


@given(st.one_of(TERMS, st.text(alphabet="0123456789.hmsun\u00b5-+ \n\u0661", max_size=8)))
@example("1h\n")
@example("720h")
@example("99999h99999h99999h99999h99999h")
@example("999999999s999999999s999999999s")
@example("0000000000000000000000000000001h")
@example("720.0001h")
@example("720h1ns")
@example("1ms")
@example("999999ns")
@example("1us")
def test_python_and_the_crds_accept_the_same_durations(text: str) -> None:
    (patterns,) = DURATION_RULES
    is_duration, _, countable, _ = (re.search(python_pattern(pattern), text) is not None for pattern in patterns)
    matches = is_duration and countable
    nanoseconds = go_nanoseconds(text) if matches else 0
    assert nanoseconds < CEL_LIMIT, f"CEL cannot count {text!r}: the rules must not ask it to"
    # Fractions of a nanosecond: see the expected failure above.
    assume("." not in text or not any(abs(nanoseconds - limit) < 4 for limit in (10**6, LONGEST_NANOSECONDS)))
    accepted = matches and 10**6 <= nanoseconds <= LONGEST_NANOSECONDS
    read = read_duration(text)
    assert (read is not None) is accepted, f"{text!r}: the API server accepts it is {accepted}, and Python reads {read}"
    if read is not None:
        exact = timedelta(microseconds=nanoseconds // 1000)
        assert abs(read - exact) <= timedelta(microseconds=1), f"{text!r} was read as {read}"


def read_duration(text: str) -> timedelta | None:
    try:
        return parse_duration(text)
    except ValueError:
        return None


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        pytest.param("2026-07-01T02:10:00Z", T0, id="seconds-as-kubernetes-writes-them"),
        pytest.param("2026-07-01T02:10:00.001Z", T0 + MS, id="milliseconds-as-we-write-them"),
        pytest.param("2026-07-01T02:10:00.000001Z", T0 + timedelta(microseconds=1), id="microtime"),
        pytest.param("2026-07-01T04:10:00+02:00", T0, id="offset"),
    ],
)
def test_times_are_read_as_utc(text: str, moment: datetime) -> None:
    read = parse_time(text)
    assert read == moment
    assert read.tzinfo is UTC


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01T00:00:00Z", "02:10"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not an RFC 3339 time|month"):
        parse_time(text)


@pytest.mark.parametrize(
    "text",
    [
        "2026-07-01T02:10:00",
        "2026-07-01",
        "20260701T021000Z",
        "2026-W27-3",
        "2026-07-01 02:10:00Z",
        "2026-07-01T02:10Z",
        "2026-07-01T02:10:00Z\n",
        "2026-07-01T02:10:00+0900",
        "\u0662026-07-01T02:10:00Z",
    ],
)
def test_a_time_that_is_not_rfc_3339_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not an RFC 3339 time"):
        parse_time(text)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+23:00", "9999-12-31T23:59:59-23:00"])
def test_a_time_beyond_what_python_can_count_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="time"):
        parse_time(text)


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_time_in_milliseconds_survives_writing_and_reading(moment: datetime) -> None:
    whole = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    assert parse_time(format_time(whole)) == whole
    assert parse_time(format_time(moment)) <= moment, "writing a time never moves it into the future"


def test_times_are_written_in_utc_with_milliseconds() -> None:
    eastward = (T0 + MS).astimezone(timezone(timedelta(hours=9)))
    assert format_time(eastward) == "2026-07-01T02:10:00.001Z"
