"""Windows: their first and last millisecond, over midnight, and both clock changes; in UTC, worked out by hand."""

from datetime import UTC, datetime, timedelta

import pytest

from jitaccess.domain.terms import Window
from jitaccess.domain.windows import closing, in_words, is_open, next_opening, opens_in_words

MS = timedelta(milliseconds=1)
WEEKDAYS, EVERY_DAY = frozenset(range(5)), frozenset(range(7))
SUNDAY, FRIDAY = frozenset({6}), frozenset({4})
BERLIN = (
    "Europe/Berlin"  # +01:00; summer time from 2026-03-29 01:00 UTC (02:00 -> 03:00) to 2026-10-25 01:00 UTC (03:00 -> 02:00)
)


def window(opens: str, closes: str, days: frozenset[int] = EVERY_DAY, zone: str = BERLIN) -> Window:
    """A window, its times as in a policy."""
    minutes = [int(text[:2]) * 60 + int(text[3:]) for text in (opens, closes)]
    return Window(days, minutes[0], minutes[1], zone)


def utc(text: str) -> datetime:
    """A moment."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


OFFICE = (window("08:00", "18:00", WEEKDAYS),)
NIGHT = (window("22:00", "06:00", FRIDAY),)  # on Saturday till six
DAY = (window("00:00", "24:00", SUNDAY),)


@pytest.mark.parametrize(
    ("windows", "moment", "inside"),
    [
        # 2026-07-01 is a Wednesday; Berlin is two hours ahead then.
        pytest.param(OFFICE, "2026-07-01T06:00:00.000", True, id="the-first-millisecond-is-inside"),
        pytest.param(OFFICE, "2026-07-01T05:59:59.999", False, id="the-millisecond-before-is-outside"),
        pytest.param(OFFICE, "2026-07-01T15:59:59.999", True, id="the-last-millisecond-is-inside"),
        pytest.param(OFFICE, "2026-07-01T16:00:00.000", False, id="the-minute-at-which-it-closes-is-outside"),
        pytest.param(OFFICE, "2026-07-04T10:00", False, id="a-day-that-is-not-named-is-outside"),
        pytest.param(NIGHT, "2026-07-03T20:00", True, id="over-midnight-it-opens-on-its-day"),
        pytest.param(NIGHT, "2026-07-04T03:59:59.999", True, id="over-midnight-it-lasts-into-the-next-day"),
        pytest.param(NIGHT, "2026-07-04T04:00", False, id="over-midnight-it-closes-on-the-next-day"),
        pytest.param(NIGHT, "2026-07-04T20:00", False, id="over-midnight-the-next-day-is-not-one-of-its-days"),
        pytest.param(NIGHT, "2026-07-03T01:00", False, id="over-midnight-the-morning-of-its-day-is-outside"),
        pytest.param(DAY, "2026-07-04T22:00", True, id="a-whole-day-begins-at-midnight-there"),
        pytest.param(DAY, "2026-07-05T21:59:59.999", True, id="a-whole-day-has-its-last-millisecond"),
        pytest.param(DAY, "2026-07-05T22:00", False, id="a-whole-day-ends-at-midnight-there"),
        pytest.param((*OFFICE, *DAY), "2026-07-05T10:00", True, id="inside-any-is-inside"),
        pytest.param(
            (window("09:00", "17:00", zone="Asia/Kathmandu"),), "2026-07-01T03:15", True, id="a-zone-with-quarters-of-an-hour"
        ),
        # The clock is set forward: 02:00 is 03:00.
        pytest.param((window("02:30", "04:00"),), "2026-03-29T00:59:59.999", False, id="from-a-skipped-hour-not-before-it"),
        pytest.param((window("02:30", "04:00"),), "2026-03-29T01:00", True, id="from-a-skipped-hour-it-opens-right-after-it"),
        pytest.param((window("01:00", "02:30"),), "2026-03-29T00:59:59.999", True, id="to-a-skipped-hour-till-the-clock-is-set"),
        pytest.param(
            (window("01:00", "02:30"),), "2026-03-29T01:00", False, id="to-a-skipped-hour-it-closes-as-the-clock-is-set"
        ),
        pytest.param(
            (window("02:15", "02:45"),), "2026-03-29T01:00", False, id="a-window-that-is-skipped-does-not-open-after-it"
        ),
        # The clock is set back: 03:00 is 02:00 once more.
        pytest.param((window("02:00", "03:00"),), "2026-10-25T00:00", True, id="a-repeated-hour-is-inside-the-first-time"),
        pytest.param(
            (window("02:00", "03:00"),), "2026-10-25T01:59:59.999", True, id="a-repeated-hour-is-inside-the-second-time"
        ),
        pytest.param((window("02:00", "03:00"),), "2026-10-25T02:00", False, id="a-repeated-hour-ends-after-the-second-time"),
        pytest.param((window("00:00", "02:30"),), "2026-10-25T00:30", False, id="to-a-repeated-time-it-closes-the-first-time"),
        pytest.param(
            (window("00:00", "02:30"),), "2026-10-25T01:00", True, id="to-a-repeated-time-what-is-shown-again-is-inside"
        ),
        pytest.param((window("00:00", "02:30"),), "2026-10-25T01:30", False, id="to-a-repeated-time-it-closes-again"),
    ],
)
def test_what_is_inside_a_window(windows: tuple[Window, ...], moment: str, inside: bool) -> None:
    assert is_open(windows, utc(moment)) is inside


@pytest.mark.parametrize(
    ("windows", "moment", "opening"),
    [
        pytest.param(OFFICE, "2026-07-01T05:59:59.999", "2026-07-01T06:00", id="the-next-millisecond"),
        pytest.param(OFFICE, "2026-07-01T16:00", "2026-07-02T06:00", id="the-next-morning"),
        pytest.param(OFFICE, "2026-07-03T16:00", "2026-07-06T06:00", id="after-the-weekend"),
        pytest.param(OFFICE, "2026-10-23T16:00", "2026-10-26T07:00", id="after-the-weekend-on-which-summer-ends"),
        pytest.param(OFFICE, "2026-03-27T17:00", "2026-03-30T06:00", id="after-the-weekend-on-which-summer-begins"),
        pytest.param((*OFFICE, *DAY), "2026-07-03T16:00", "2026-07-04T22:00", id="the-first-of-several"),
        pytest.param((window("02:30", "04:00", SUNDAY),), "2026-03-28T12:00", "2026-03-29T01:00", id="from-a-skipped-hour"),
        pytest.param(
            (window("02:15", "02:45", SUNDAY),), "2026-03-28T12:00", "2026-04-05T00:15", id="a-week-after-the-skipped-one"
        ),
        pytest.param(
            (window("02:30", "03:00", SUNDAY),), "2026-10-24T12:00", "2026-10-25T00:30", id="a-repeated-time-the-first-time"
        ),
        pytest.param((window("02:30", "03:00", SUNDAY),), "2026-10-25T01:00", "2026-10-25T01:30", id="a-repeated-time-once-more"),
        pytest.param(NIGHT, "2026-07-04T04:00", "2026-07-10T20:00", id="a-week-later"),
        pytest.param(
            (window("10:00", "11:00", FRIDAY, "Pacific/Apia"),), "2011-12-24T00:00", "2012-01-05T20:00", id="a-day-that-never-was"
        ),
    ],
)
def test_when_the_next_window_opens(windows: tuple[Window, ...], moment: str, opening: str) -> None:
    assert next_opening(windows, utc(moment)) == utc(opening)
    assert not is_open(windows, utc(opening) - MS)
    assert is_open(windows, utc(opening))


FOREVER = "2027-01-01"


@pytest.mark.parametrize(
    ("windows", "moment", "latest", "end"),
    [
        pytest.param(OFFICE, "2026-07-01T06:00", FOREVER, "2026-07-01T16:00", id="at-the-end-of-its-hours"),
        pytest.param(OFFICE, "2026-07-01T15:59:59.999", FOREVER, "2026-07-01T16:00", id="from-the-last-millisecond"),
        pytest.param(OFFICE, "2026-07-01T06:00", "2026-07-01T07:00", "2026-07-01T07:00", id="not-later-than-asked"),
        pytest.param(OFFICE, "2026-07-01T06:00", "2026-07-01T16:00", "2026-07-01T16:00", id="as-late-as-asked"),
        pytest.param(
            (window("08:00", "12:00"), window("12:00", "18:00")),
            "2026-07-01T06:00",
            FOREVER,
            "2026-07-01T16:00",
            id="adjacent-join",
        ),
        pytest.param(
            (window("08:00", "14:00"), window("12:00", "18:00")),
            "2026-07-01T06:00",
            FOREVER,
            "2026-07-01T16:00",
            id="overlaps-join",
        ),
        pytest.param(
            (window("08:00", "12:00"), window("12:01", "18:00")),
            "2026-07-01T06:00",
            FOREVER,
            "2026-07-01T10:00",
            id="a-minute-parts",
        ),
        pytest.param(
            (window("08:00", "24:00"), window("00:00", "02:00")),
            "2026-07-01T06:00",
            FOREVER,
            "2026-07-02T00:00",
            id="over-midnight",
        ),
        pytest.param(
            (window("08:00", "12:00"), window("10:00", "13:00", zone="Etc/UTC")),
            "2026-07-01T06:00",
            FOREVER,
            "2026-07-01T13:00",
            id="across-time-zones",
        ),
        pytest.param((window("00:00", "24:00"),), "2026-07-01T06:00", "2026-07-31T06:00", "2026-07-31T06:00", id="never-closes"),
        pytest.param(
            (window("01:00", "02:30"),), "2026-03-29T00:30", FOREVER, "2026-03-29T01:00", id="as-the-clock-is-set-forward"
        ),
        pytest.param((window("00:00", "02:30"),), "2026-10-24T23:00", FOREVER, "2026-10-25T00:30", id="the-first-of-two-times"),
        pytest.param((window("00:00", "03:00"),), "2026-10-24T23:00", FOREVER, "2026-10-25T02:00", id="an-hour-longer-in-autumn"),
        pytest.param(
            (window("00:00", "06:00"),), "2026-03-28T23:30", FOREVER, "2026-03-29T04:00", id="an-hour-shorter-in-spring"
        ),
    ],
)
def test_when_a_window_closes(windows: tuple[Window, ...], moment: str, latest: str, end: str) -> None:
    assert closing(windows, utc(moment), utc(latest)) == utc(end)


@pytest.mark.parametrize(
    ("moment", "opening", "words"),
    [
        pytest.param("2026-01-30T17:00", "2026-02-02T07:00", "opens Mon 08:00 CET", id="by-the-clock-there"),
        pytest.param("2026-07-03T17:00", "2026-07-06T06:00", "opens Mon 08:00 CEST", id="in-summer"),
        pytest.param("2026-07-06T05:00", "2026-07-13T06:00", "opens Mon 2026-07-13 08:00 CEST", id="with-the-date-in-a-week"),
        pytest.param("2026-07-07T00:00", "2026-07-13T06:00", "opens Mon 08:00 CEST", id="without-the-date-in-six-days"),
    ],
)
def test_an_opening_in_words(moment: str, opening: str, words: str) -> None:
    assert opens_in_words(OFFICE, utc(opening), utc(moment)) == words


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (OFFICE[0], "Mon to Fri 08:00 to 18:00 Europe/Berlin"),
        (NIGHT[0], "Fri 22:00 to 06:00 Europe/Berlin"),
        (window("00:00", "24:00", frozenset({0, 5}), "Etc/UTC"), "Mon, Sat 00:00 to 24:00 Etc/UTC"),
        (window("08:00", "12:30"), "every day 08:00 to 12:30 Europe/Berlin"),
    ],
)
def test_a_window_in_words(one: Window, words: str) -> None:
    assert in_words(one) == words
