"""What a policy says beyond who and what, as Kubernetes writes it; a policy of which any of it cannot be read is not in force."""

import re
import zoneinfo
from typing import TypedDict

from jitaccess.domain.model import Emergency, Manifest, Stage
from jitaccess.domain.terms import DAYS, Limits, TicketRule, Window
from jitaccess.domain.text import parse_duration
from jitaccess.domain.tickets import BadPattern, check_pattern
from jitaccess.manifests.subjects import parse_subjects

_TIME_OF_DAY = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])|24:00")


class Terms(TypedDict, total=False):
    """The terms of a policy, by the names of its fields; what is not there is as where the policy says nothing."""

    end_with_window: bool
    allow_scheduling: bool
    suspended: bool
    windows: tuple[Window, ...]
    limits: Limits
    ticket: TicketRule | None
    stages: tuple[Stage, ...]
    emergency: Emergency | None


def parse_terms(spec: Manifest) -> tuple[Terms, str]:
    """Read the terms of a policy's spec, and why they cannot be read, if they cannot."""
    said: Terms = {
        "end_with_window": spec.get("endWithWindow") is True,
        "allow_scheduling": spec.get("allowScheduling") is True,
        "suspended": spec.get("suspend") is True,
    }
    try:
        read: Terms = {
            "windows": tuple(_window(each, f"spec.windows[{place}]") for place, each in enumerate(spec.get("windows") or ())),
            "limits": _limits(spec.get("limits") or {}),
            "ticket": _ticket(spec["ticket"]) if "ticket" in spec else None,
            "stages": tuple(_stage(each) for each in spec.get("stages") or ()),
            "emergency": _emergency(spec["emergency"]) if "emergency" in spec else None,
        }
    except _Unreadable as error:
        return said, str(error)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        return said, f"it cannot be read: {type(error).__name__}: {error}"
    return {**said, **read}, ""


class _Unreadable(Exception):
    """A field of a policy that says something it cannot say."""


def _window(window: Manifest, path: str) -> Window:
    days = frozenset(DAYS.index(day) for day in window.get("days") or DAYS)
    opens, closes = _minutes(window["from"], f"{path}.from"), _minutes(window["to"], f"{path}.to")
    if opens == closes:
        raise _Unreadable(f"{path}: this window has no length: a whole day is from 00:00 to 24:00")
    zone = window["timeZone"]
    try:
        zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        why = f"{path}.timeZone: there is no time zone {zone!r}: write an IANA name like Europe/Berlin or Etc/UTC"
        raise _Unreadable(why) from None
    return Window(days, opens, closes, zone)


def _minutes(text: str, path: str) -> int:
    if not _TIME_OF_DAY.fullmatch(text):
        raise _Unreadable(f"{path}: {text!r} is no time of day: write it like 08:00")
    hours, _, minutes = text.partition(":")
    return int(hours) * 60 + int(minutes)


def _limits(limits: Manifest) -> Limits:
    return Limits(limits.get("activePerRequester"), limits.get("requestsPerDay"), limits.get("activeInTotal"))


def _ticket(ticket: Manifest) -> TicketRule:
    try:
        check_pattern(ticket["pattern"])
    except BadPattern as error:
        raise _Unreadable(f"spec.ticket.pattern is no RE2 pattern: {error}") from None
    return TicketRule(ticket["pattern"], ticket.get("required") is not False)


def _stage(stage: Manifest) -> Stage:
    return Stage(stage["name"], parse_subjects(stage["approvers"]), stage.get("required", 1))


def _emergency(emergency: Manifest) -> Emergency:
    within = parse_duration(str(emergency["reviewWithin"]))
    return Emergency(within, parse_subjects(emergency["reviewers"]), emergency.get("blockUntilReviewed") is True)
