"""Asking for later, and under policies with windows: what is foreseen, and what is said meanwhile."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cli.plugin import Plugin
from team import Team

NOW = ("--reason", "INC-42 pods crash looping")


def closed(**more: str) -> dict[str, Any]:
    """A window of an hour that is two days ahead, whatever day it is."""
    then = datetime.now(UTC) + timedelta(days=2)
    return {"days": [then.strftime("%a")], "from": "09:00", "to": "10:00", "timeZone": "Etc/UTC"} | more


def opening(team: Team, name: str) -> str:
    """When the window of a request opens, in the operator's words."""
    return str(team.condition(name, "Granted")["message"])


@pytest.mark.parametrize("option", [("--in", "3h"), ("--at", "")], ids=["in-a-while", "at-a-time"])
def test_a_start_of_ones_own_is_decided_now_and_said_everywhere(jit: Plugin, option: tuple[str, str]) -> None:
    jit.team.policy(allowScheduling=True)
    start = datetime.now(UTC) + timedelta(hours=3)
    option = (option[0], option[1] or start.strftime("%Y-%m-%dT%H:%M:%S"))  # local, which is UTC here
    name = jit.asked(*option)
    asked = datetime.fromisoformat(jit.team.get(name)["spec"]["startTime"])
    assert abs(asked - start) < timedelta(seconds=60)
    approved = jit("approve", name, "-y", "-m", "go ahead", user="bob")
    assert approved.code == 0, approved
    assert f"accessrequest/{name} approved: begins " in approved.out
    assert jit.team.state(name) == "Scheduled"
    assert re.search(r"begins in (?:3h|2h5\dm)", jit.ok("ls"))
    shown = jit.ok("show", name)
    assert "State    Scheduled: begins " in shown
    assert "1h from " in shown
    watched = jit("watch", name, "--timeout", "3s")
    assert (watched.code, "Scheduled: begins " in watched.out) == (4, True), watched
    assert re.search(rf"{name} is still Scheduled after \d+s: begins ", watched.err)
    assert name in jit.ok("ls", "--state", "scheduled")
    withdrawn = jit("withdraw", name, "-y", "-m", "not needed")
    assert withdrawn.code == 0, withdrawn
    jit.team.until(name, "Withdrawn")


def test_waiting_for_what_is_scheduled_ends_with_the_decision(jit_stamped: Plugin) -> None:
    jit_stamped.team.policy(allowScheduling=True, requiredApprovals=0, approvers=[])
    answer = jit_stamped("request", "--in", "3h", *NOW, "--wait")
    assert answer.code == 0, answer
    assert "Scheduled: begins " in answer.out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        pytest.param(["--in", "3h"], 3, "does not allow scheduling", id="where-it-is-not-allowed"),
        pytest.param(["--at", "tonight"], 2, "'tonight' is no time", id="no-time"),
        pytest.param(["--at", "2020-01-01T08:00"], 2, "is past", id="past"),
    ],
)
def test_a_start_that_cannot_be_is_refused_before_it_is_asked_for(
    jit_stamped: Plugin, words: list[str], code: int, said: str
) -> None:
    jit_stamped.team.policy()
    answer = jit_stamped("request", *words, *NOW)
    assert (answer.code, answer.out) == (code, ""), answer
    assert said in answer.err


def test_a_start_too_far_ahead_is_foreseen(jit_stamped: Plugin) -> None:
    jit_stamped.team.policy(allowScheduling=True)
    answer = jit_stamped("request", "--in", "721h", *NOW)
    assert answer.code in (2, 3)
    assert "720h" in answer.err or "30 days" in answer.err
    far = (datetime.now(UTC) + timedelta(days=31)).strftime("%Y-%m-%dT%H:%M:%SZ")
    refused = jit_stamped("request", "--at", far, *NOW)
    assert refused.code == 3, refused
    assert "more than 30 days ahead" in refused.err


def test_outside_a_window_it_is_said_when_one_opens(jit: Plugin) -> None:
    jit.team.policy(windows=[closed()], pendingTimeout="72h")
    answer = jit("request", *NOW)
    assert answer.code == 0, answer
    assert "outside of its window access waits: opens " in answer.err
    name = answer.out.split()[0].partition("/")[2]
    approved = jit("approve", name, "-y", user="bob")
    assert f"accessrequest/{name} approved, but it is Pending: approved, {opening(jit.team, name)}" in approved.out
    assert "begins in " in jit.ok("ls")
    assert not jit.ok("ls", "--reviewable", user="carol"), "nobody is asked any more"
    explained = jit.ok("explain")
    assert "09:00 to 10:00 Etc/UTC" in explained


def test_a_window_that_never_opens_in_time_is_a_warning_and_no_refusal(jit_stamped: Plugin) -> None:
    jit_stamped.team.policy(windows=[closed()], pendingTimeout="1h")
    answer = jit_stamped("request", *NOW)
    assert answer.code == 0, answer
    assert "before its window: opens " in answer.err


def test_without_approvals_a_window_is_waited_for_at_once(jit_stamped: Plugin) -> None:
    jit_stamped.team.policy(windows=[closed()], pendingTimeout="72h", requiredApprovals=0, approvers=[])
    answer = jit_stamped("request", *NOW)
    assert answer.code == 0, answer
    assert "Pending: approved, opens " in answer.out


def test_policies_say_when_access_may_begin(jit_stamped: Plugin) -> None:
    jit_stamped.team.policy(windows=[closed()], allowScheduling=True)
    answer = jit_stamped("policies")
    assert "debug: access begins inside " in answer.err
    assert "if asked for, up to 30 days ahead" in jit_stamped.ok("explain", "debug")


def test_a_start_is_in_the_export(jit_stamped: Plugin) -> None:
    jit_stamped.team.policy(allowScheduling=True)
    name = jit_stamped.asked("--in", "3h")
    exported = jit_stamped.ok("export", "-o", "jsonl")
    assert jit_stamped.team.get(name)["spec"]["startTime"] in exported
