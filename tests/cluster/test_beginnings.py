"""Access that begins later: at the time that was asked for, or when a window opens; and what becomes of it meanwhile.

Windows open and close at whole minutes. So that nobody waits for one, each test has a time zone of its own, in which it is
some seconds before or after noon when it starts.
"""

import itertools
import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from conftest import installed_system
from pace import LOST, Pace
from system import System
from team import POLICIES, Team, eventually, in_time, new_team
from wide import Wide

GRACE = 30  # seconds that a Job outlives its grant
WITHIN = 2.0  # seconds of an onlooker, while the operator leads; where nothing else runs it is some milliseconds
_zones = itertools.count(1)


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A control plane of their own, whose operator knows time zones that tests make up."""
    with installed_system() as system:
        system.environment["PYTHONTZPATH"] = str(tmp_path_factory.mktemp("zoneinfo"))
        system.start_operator()
        yield system


@pytest.fixture
def pace(system: System) -> Iterator[Pace]:
    """What judges how late something is."""
    with Pace(system.plane) as pace:
        yield pace


@pytest.fixture
def team(system: System) -> Team:
    """A fresh namespace there."""
    return new_team(system)


def zone_in_which_it_is(seconds: float, team: Team) -> str:
    """A time zone that has noon so many seconds ago (ahead: negative), without summer time; a file as of tzfile(5)."""
    now = datetime.now(UTC)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    offset = round((timedelta(hours=12, seconds=seconds) - (now - midnight)).total_seconds())
    name = f"Test/Noon{next(_zones)}"
    path = Path(team.system.environment["PYTHONTZPATH"]) / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"TZif" + bytes(16) + struct.pack(">6l", 0, 0, 0, 0, 1, 4) + struct.pack(">lBB", offset, 0, 0) + b"NOW\0")
    return name


def window(opens: str, closes: str, zone: str) -> list[dict[str, Any]]:
    """A window on every day."""
    return [{"from": opens, "to": closes, "timeZone": zone}]


def moment(text: str) -> datetime:
    """A time of a status."""
    return datetime.fromisoformat(text)


def condition(status: dict[str, Any], kind: str) -> dict[str, Any]:
    """A condition of a status; empty if there is none."""
    return next((each for each in status.get("conditions", []) if each["type"] == kind), {})


def on_time(pace: Pace, team: Team, due: str, done: str) -> None:
    """See that something was done when it was due, and not before; by an operator that led, as it may not on a busy machine."""
    late = pace.seconds(moment(due), moment(done))
    print(f"{late:.3f} s late")
    assert moment(done) >= moment(due)
    losses = [moment(entry["timestamp"]) for entry in team.system.log() if entry["message"] == LOST]
    assert late < WITHIN or any(lost > moment(due) - timedelta(minutes=1) for lost in losses)


def ahead(seconds: float) -> str:
    """So many seconds from now, to the millisecond."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def story(team: Team, name: str) -> list[tuple[str, str]]:
    """States and reasons of the history."""
    return [(entry["state"], entry["reason"]) for entry in team.status(name)["history"]]


def waiting(team: Team, **request: Any) -> str:
    """A request of alice's that bob has approved, and that waits."""
    name = team.request("alice", **request)
    team.decide("bob", "approve", name)
    team.until_condition(name, "Approved", "True")
    return name


# --- windows


def test_an_approved_request_gets_its_binding_when_its_window_opens(system: System, pace: Pace) -> None:
    def early(seconds: int) -> tuple[Team, str, str] | None:
        team = new_team(system)
        zone = zone_in_which_it_is(-seconds, team)
        team.policy(windows=window("12:00", "18:00", zone))
        name = waiting(team)
        before, left = team.status(name), team.items("jobs")
        if before["state"] != "Pending" or left:
            return None
        told = condition(before, "Granted")
        assert told["reason"] == "OutsideWindow"
        assert told["message"].endswith("12:00 NOW")
        return team, name, before["startsAt"]

    team, name, start = in_time(early)
    after = team.until(name, "Active")["status"]
    eventually(lambda: team.binding(name), "the binding is there")
    on_time(pace, team, start, after["grantedAt"])
    [job] = team.items("jobs")
    assert moment(job["metadata"]["creationTimestamp"]) >= moment(start).replace(microsecond=0), "nothing is made before"
    assert moment(after["expiresAt"]) - moment(after["grantedAt"]) == timedelta(hours=1), "with all of its time"
    assert "startsAt" not in after


def test_a_policy_whose_windows_change_grants_what_waited_and_leaves_alone_what_has_begun(team: Team) -> None:
    zone = zone_in_which_it_is(60, team)
    team.policy(windows=window("13:00", "18:00", zone))
    name = waiting(team)
    team.admin.merge(POLICIES, "debug", {"spec": {"windows": window("12:00", "18:00", zone)}}).sure()
    team.until(name, "Active")
    team.admin.merge(POLICIES, "debug", {"spec": {"windows": window("13:00", "18:00", zone)}}).sure()
    another = waiting(team)
    assert team.condition(another, "Granted")["reason"] == "OutsideWindow", "the change is known"
    assert team.state(name) == "Active"


def test_who_waits_too_long_for_a_window_is_told_what_for(team: Team) -> None:
    team.policy(windows=window("13:00", "18:00", zone_in_which_it_is(0, team)))
    name = waiting(team)
    team.until_condition(name, "Granted", "False")
    team.runs_out(name)
    team.until(name, "TimedOut")
    assert story(team, name)[-1] == ("TimedOut", "OutsideWindow")
    assert "approved, but never granted: opens" in team.condition(name, "Granted")["message"]
    assert team.condition(name, "Approved")["status"] == "True"


def test_access_ends_with_its_window_and_so_does_its_job(system: System, pace: Pace) -> None:
    def caught(seconds: int) -> tuple[Team, str, dict[str, Any], dict[str, Any]] | None:
        team = new_team(system)
        zone = zone_in_which_it_is(-seconds, team)
        team.policy(windows=window("11:00", "12:00", zone), endWithWindow=True)
        name = waiting(team)
        eventually(lambda: begun_or_too_late(team, name), "it has begun, or waits for the window of tomorrow")
        status, jobs = team.status(name), team.items("jobs")
        if status["state"] != "Active" or not jobs:
            return None
        assert moment(status["expiresAt"]) - moment(status["grantedAt"]) <= timedelta(seconds=seconds + 1), (
            "an hour was asked for"
        )
        return team, name, status, jobs[0]

    team, name, status, job = in_time(caught)
    left = moment(status["expiresAt"]) - moment(job["metadata"]["creationTimestamp"])
    assert left <= timedelta(seconds=job["spec"]["ttlSecondsAfterFinished"] - GRACE + 1)
    assert timedelta(seconds=job["spec"]["ttlSecondsAfterFinished"]) < left + timedelta(seconds=2 * GRACE)
    assert condition(status, "ExpiryGuarded")["status"] == "True"
    after = team.until(name, "Expired")["status"]
    assert after["expiresAt"] == status["expiresAt"]
    on_time(pace, team, after["expiresAt"], after["settledAt"])
    assert not team.binding(name)


def begun_or_too_late(team: Team, name: str) -> bool:
    """Whether access has begun and has its binding, or is over, or waits."""
    status = team.status(name)
    waits = condition(status, "Granted").get("reason") == "OutsideWindow"
    return waits or bool(status.get("settled")) or (status["state"] == "Active" and team.binding(name) is not None)


def test_a_zone_that_nobody_knows_is_named(team: Team) -> None:
    team.policy(ready=False, windows=window("08:00", "18:00", "Europe/Atlantis"))
    ready = team.until_condition("debug", "Ready", "False", POLICIES)
    assert ready["reason"] == "Invalid"
    assert "there is no time zone 'Europe/Atlantis'" in ready["message"]


# --- scheduled start


def scheduled(team: Team, start: str) -> str:
    """A request of alice's that bob has approved, and that is scheduled; empty if its time had come before."""
    name = waiting(team, startTime=start)
    eventually(lambda: team.state(name) != "Pending", "it is scheduled, or has begun")
    status = team.status(name)
    if status["state"] != "Scheduled":
        return ""
    assert status["startsAt"] == start
    return name


def test_what_is_scheduled_begins_at_its_time_and_nothing_is_made_before(system: System, pace: Pace) -> None:
    def early(seconds: int) -> tuple[Team, str, str] | None:
        team = new_team(system)
        team.policy(allowScheduling=True)
        start = ahead(seconds)
        name = scheduled(team, start)
        return (team, name, start) if name else None

    team, name, start = in_time(early)
    status = team.until(name, "Active")["status"]
    on_time(pace, team, start, status["grantedAt"])
    eventually(lambda: team.binding(name), "the binding is there")
    [job] = team.items("jobs")
    assert moment(job["metadata"]["creationTimestamp"]) >= moment(start).replace(microsecond=0), "not before its time"
    assert story(team, name) == [
        ("Pending", "Requested"),
        ("Pending", "Approved"),
        ("Scheduled", "Scheduled"),
        ("Active", "Granted"),
    ]


@pytest.mark.parametrize("denied", [pytest.param(False, id="begins"), pytest.param(True, id="is-denied")])
def test_what_is_scheduled_when_the_operator_is_killed(team: Team, denied: bool) -> None:
    team.policy(allowScheduling=True)

    def killed_before(seconds: int) -> tuple[str, str] | None:
        start = ahead(seconds)
        name = scheduled(team, start)
        if not name:
            return None
        assert team.system.operator
        team.system.operator.kill()
        if team.state(name) == "Scheduled":
            return name, start
        team.system.start_operator()
        return None

    name, start = in_time(killed_before)
    if denied:
        team.decide("bob", "deny", name)
    eventually(lambda: datetime.now(UTC) > moment(start), "its time has come")
    assert team.state(name) == "Scheduled"
    team.system.start_operator()
    status = team.until(name, "Denied" if denied else "Active")["status"]
    if not denied:
        assert moment(status["expiresAt"]) - moment(status["grantedAt"]) == timedelta(hours=1), "with all of its time"
        eventually(lambda: team.binding(name), "the binding is there")


def test_a_change_of_the_policy_denies_what_it_no_longer_allows_before_its_start(team: Team) -> None:
    team.policy(allowScheduling=True)
    name = waiting(team, startTime=ahead(3600))
    team.admin.merge(POLICIES, "debug", {"spec": {"allowScheduling": False}}).sure()
    team.until(name, "Denied")
    assert story(team, name)[-1] == ("Denied", "SchedulingNotAllowed")


def test_what_is_scheduled_is_selected_by_its_state(team: Team) -> None:
    team.policy(allowScheduling=True)
    name = waiting(team, startTime=ahead(3600))
    shown = team.kubectl("get", "accessrequests", "--field-selector", "status.state=Scheduled", "-o", "wide")
    assert name in shown
    assert team.status(name)["startsAt"] in shown


def test_cluster_wide_access_is_scheduled_too(team: Team) -> None:
    wide = Wide(team, allowScheduling=True)
    wide.until_in_force()

    def early(seconds: int) -> tuple[str, str] | None:
        start = ahead(seconds)
        name = wide.request(startTime=start)
        wide.decide("bob", "approve", name)
        eventually(lambda: wide.status(name).get("state", "Pending") != "Pending", "it is scheduled, or has begun")
        bound = wide.binding(name)
        return (name, start) if wide.status(name)["state"] == "Scheduled" and not bound else None

    name, start = in_time(early)
    status = wide.until(name, "Active")
    assert moment(status["grantedAt"]) >= moment(start)
    eventually(lambda: wide.binding(name), "the binding is there")
