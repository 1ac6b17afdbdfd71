"""What the plugin asks the API server for, and what it makes of older and newer ones."""

from typing import Any, cast

import pytest

from jitaccess.cli.api.client import Client
from jitaccess.cli.api.connect import Connection
from jitaccess.cli.api.errors import Invalid, Unreadable
from jitaccess.cli.api.reading import read_request
from jitaccess.cli.commands.filters import MINE, chosen_requests
from jitaccess.domain.model import Key, PolicyRef
from jitaccess.domain.recorded import State
from unit.cli.server import Server


def manifest(name: str, requester: str, state: str = "") -> dict[str, Any]:
    return {
        "metadata": {
            "name": name,
            "namespace": "a",
            "uid": name,
            "resourceVersion": "1",
            "creationTimestamp": "2026-11-24T12:00:00Z",
        },
        "spec": {
            "policyRef": {"name": "p"},
            "roleRef": {"kind": "ClusterRole", "name": "view"},
            "duration": "1h",
            "reason": "x",
            "requester": requester,
        },
        **({"status": {"state": state}} if state else {}),
    }


@pytest.mark.parametrize(
    ("selects", "asked"),
    [
        pytest.param(True, ["spec.requester=alice"], id="the-server-sorts-them-out"),
        pytest.param(False, ["spec.requester=alice", ""], id="an-older-one-cannot-so-all-are-read"),
    ],
)
def test_mine_are_mine(selects: bool, asked: list[str]) -> None:
    server = Server("alice", [manifest("r1", "alice"), manifest("r2", "erin")], selects)
    found = chosen_requests(Client(cast(Connection, server)), "a", MINE)
    assert [request.key.name for request, _ in found] == ["r1"]
    assert server.asked == asked


def test_another_selector_that_is_refused_is_an_error() -> None:
    with pytest.raises(Invalid):
        Client(cast(Connection, Server("alice", [], selects=False))).requests("a", "status.state=Active")


def test_names_are_no_selectors() -> None:
    assert Client(cast(Connection, Server(r"x,status.state=Active\y", []))).mine == r"spec.requester=x\,status.state\=Active\\y"


def test_a_state_that_nobody_has_heard_of_is_from_a_newer_jitaccess() -> None:
    words = "request r1 cannot be read: its state 'Suspended' was written by a newer jitaccess"
    with pytest.raises(Unreadable, match=words) as raised:
        read_request(manifest("r1", "alice", "Suspended"))
    assert "upgrade the plugin" in raised.value.hint


def test_one_request_that_cannot_be_read_stops_no_list(capsys: pytest.CaptureFixture[str]) -> None:
    server = Server("alice", [manifest("r1", "alice", "Suspended"), manifest("r2", "alice", "Pending")])
    found = chosen_requests(Client(cast(Connection, server)), "a", MINE)
    assert [request.key.name for request, _ in found] == ["r2"]
    assert "warning: left out: request r1 cannot be read" in capsys.readouterr().err


def test_a_watch_of_many_reports_what_it_cannot_read_and_goes_on() -> None:
    server = Server("alice", [manifest("r1", "alice", "Suspended"), manifest("r2", "alice", "Pending")])
    changes = Client(cast(Connection, server)).follow("a")
    first, second = next(changes), next(changes)
    assert first.request is None
    assert "request r1 cannot be read" in first.unreadable
    assert second.request is not None
    assert (second.request.key.name, second.unreadable) == ("r2", "")


def test_a_watch_of_one_that_cannot_be_read_ends() -> None:
    server = Server("alice", [manifest("r1", "alice", "Suspended")])
    with pytest.raises(Unreadable, match="request r1 cannot be read"):
        next(Client(cast(Connection, server)).follow_one(Key("a", "r1")))


def test_nobody_may_approve_under_a_policy_of_a_kind_that_the_plugin_does_not_know() -> None:
    server = Server("alice", [])
    later = PolicyRef("AccessPolicyOfTomorrow", Key("a", "p"))
    client = Client(cast(Connection, server))
    assert client.may("approve", [later]) == {later: False}
    assert client.policy_if_any(later) is None


@pytest.mark.parametrize("state", ["", *State])
def test_every_state_that_there_is_can_be_read(state: str) -> None:
    assert read_request(manifest("r1", "alice", state)).state == (state or State.PENDING)
