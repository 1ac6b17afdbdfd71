"""The cookbook's policies (docs/policies.md): applied as they are printed, and used by the people that they name."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml

from team import POLICIES, REQUESTS, Team, eventually

ROOT = Path(__file__).resolve().parents[2]
COOKBOOK = ROOT / "deploy" / "examples" / "cookbook"
PAGE = (ROOT / "docs" / "policies.md").read_text()
NAMES = sorted(file.stem for file in COOKBOOK.glob("*.yaml"))
DEBUG = {"kind": "ClusterRole", "name": "jitaccess-debug"}


def text_of(name: str) -> str:
    return (COOKBOOK / f"{name}.yaml").read_text()


def applied(team: Team, name: str, asker: str, **changed: Any) -> str:
    """The policy as it is printed, with nothing but its namespace changed, in force for somebody."""
    printed = yaml.safe_load(text_of(name))
    printed["metadata"]["namespace"] = team.namespace
    printed["spec"] |= changed
    team.admin.create(POLICIES, printed).sure()
    team.until_ready(name)
    eventually(lambda: team.holds(asker, "request", name), f"{asker} may request {name}")
    return name


def asked(team: Team, policy: str, user: str, role: dict[str, str] = DEBUG, **spec: Any) -> str:
    """A request under a policy of the cookbook, looked at by the operator."""
    name = team.request(user, policyRef={"name": policy}, roleRef=role, **spec)
    eventually(lambda: team.state(name), f"{name} is looked at")
    return name


def annotated(team: Team, user: str, name: str, annotation: str, text: str) -> Any:
    """What the API server says to an annotation by that person."""
    return team.person(user).merge(REQUESTS, name, {"metadata": {"annotations": {f"jitaccess.dev/{annotation}": text}}})


def reason(team: Team, name: str, kind: str = "Granted") -> str:
    return str(team.condition(name, kind).get("reason", ""))


@pytest.mark.parametrize("name", NAMES)
def test_the_page_prints_the_file_that_is_tested(name: str) -> None:
    assert f"```yaml\n{text_of(name)}```" in PAGE, (
        f"docs/policies.md prints another {name} than deploy/examples/cookbook/{name}.yaml"
    )


def test_the_page_has_every_policy_of_the_cookbook_and_no_other() -> None:
    assert sorted(re.findall(r"^  name: (\S+)$", PAGE, re.MULTILINE)) == NAMES


def test_self_service_gives_a_look_at_once_and_one_at_a_time(team: Team) -> None:
    view = {"kind": "ClusterRole", "name": "view"}
    policy = applied(team, "self-service", "alice")
    first = asked(team, policy, "alice", view)
    team.until(first, "Active")
    second = asked(team, policy, "alice", view)
    team.until(second, "Denied")
    assert "1 of 1" in team.condition(second, "Granted")["message"]
    team.decide("alice", "revoke", first)
    team.until(first, "Revoked")
    team.until(asked(team, policy, "alice", view), "Active")


def test_two_people_of_different_teams_must_agree(team: Team) -> None:
    policy = applied(team, "two-person", "petra")
    for user, right in (("bob", "two-person:lead"), ("carol", "two-person:lead"), ("sven", "two-person:security")):
        eventually(partial(team.holds, user, "approve", right), f"{user} may approve {right}")
    name = asked(team, policy, "petra", duration="1h")
    eventually(lambda: team.status(name).get("stages"), "the stages are on record")
    annotated(team, "bob", name, "approve", "go ahead").sure()
    assert annotated(team, "carol", name, "approve.security", "me too").status in (403, 422), "carol is of the leads"
    assert team.state(name) == "Pending"
    annotated(team, "sven", name, "approve", "[for 30m] but briefly").sure()
    status = team.until(name, "Active")["status"]
    begun, ends = (datetime.fromisoformat(status[field]) for field in ("grantedAt", "expiresAt"))
    assert ends - begun == timedelta(minutes=30), "the shorter of what was approved"


def test_in_business_hours_it_begins_and_outside_it_waits(team: Team) -> None:
    policy = applied(team, "business-hours", "alice")
    name = asked(team, policy, "alice")

    def inside() -> bool:
        there = datetime.now(UTC).astimezone(ZoneInfo("Europe/Berlin"))
        return there.weekday() < 5 and 8 <= there.hour < 18

    if not begins(team, name, inside):
        assert re.search(r"opens (Mon|Tue|Wed|Thu|Fri) 08:00 CES?T", team.condition(name, "Granted")["message"])


def begins(team: Team, name: str, inside: Callable[[], bool]) -> bool:
    """Approve a request; whether it begins, which must be so when it is inside of its window."""
    before = inside()
    team.decide("bob", "approve", name)
    eventually(
        lambda: team.state(name) == "Active" or reason(team, name) == "OutsideWindow", "it begins, or says what it waits for"
    )
    active = team.state(name) == "Active"
    assert active in (before, inside()), f"it is {datetime.now(UTC):%a %H:%M} UTC"
    return active


@pytest.mark.parametrize(
    ("ticket", "state", "why"),
    [
        pytest.param({"ticket": "INC-4711"}, "Active", "Granted", id="the-number-of-an-incident"),
        pytest.param({"ticket": "later"}, "Denied", "Ticket", id="something-else"),
        pytest.param({}, "Denied", "Ticket", id="none"),
    ],
)
def test_on_call_the_ticket_is_the_approval(team: Team, ticket: dict[str, Any], state: str, why: str) -> None:
    policy = applied(team, "on-call", "olga")
    name = asked(team, policy, "olga", **ticket)
    team.until(name, state)
    assert why in reason(team, name)


def test_breaking_the_glass_gives_access_at_once_and_owes_a_review(team: Team) -> None:
    policy = applied(team, "break-glass", "alice")
    eventually(lambda: team.holds("sven", "review", policy), "sven may review")
    name = asked(team, policy, "alice")
    assert team.until(name, "Active")["status"]["emergency"] is True
    assert not annotated(team, "sven", name, "review", "fine").ok, "it is not over"
    team.decide("alice", "revoke", name)
    team.until(name, "Revoked")
    again = asked(team, policy, "alice")
    team.until(again, "Denied")
    assert not annotated(team, "alice", name, "review", "fine: trust me").ok, "nobody reviews their own access"
    annotated(team, "sven", name, "review", "fine: as the incident says").sure()
    eventually(lambda: team.condition(name, "Reviewed").get("status") == "True", "the review is on record")
    eventually(lambda: team.state(asked(team, policy, "alice")) == "Active", "alice may break the glass again")


def test_a_contractors_access_is_decided_now_and_begins_on_the_day(team: Team) -> None:
    policy = applied(team, "contractor", "conrad")
    first_day = (datetime.now(UTC) + timedelta(days=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
    view = {"kind": "ClusterRole", "name": "view"}
    name = asked(team, policy, "conrad", view, startTime=first_day, duration="480h")
    team.decide("bob", "approve", name, "contract 2026-117")
    team.until(name, "Scheduled")
    assert team.binding(name) is None
    team.decide("bob", "deny", name, "the contract is off")
    team.until(name, "Denied")


def test_the_vendors_window_is_on_saturday_night(team: Team) -> None:
    policy = applied(team, "vendor-window", "vera")
    name = asked(team, policy, "vera", ticket="CHG-2042")

    def inside() -> bool:
        now = datetime.now(UTC)
        return (now.weekday() == 5 and now.hour >= 22) or (now.weekday() == 6 and now.hour < 2)

    if begins(team, name, inside):
        begun, ends = (datetime.fromisoformat(team.status(name)[field]) for field in ("grantedAt", "expiresAt"))
        assert ends == (begun + timedelta(hours=3)).replace(hour=2, minute=0, second=0, microsecond=0)
    refused = asked(team, policy, "vera", ticket="CHG-1")
    team.until(refused, "Denied")
