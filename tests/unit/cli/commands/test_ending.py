"""Ending all of it: what is chosen, that it is shown before, and that what fails is told and keeps nothing else from ending."""

from typing import Any, cast

import pytest

from jitaccess.cli.api.client import Client
from jitaccess.cli.api.connect import Connection
from jitaccess.cli.api.errors import Refused
from jitaccess.cli.api.session import Session
from jitaccess.cli.app import run
from unit.cli.server import Server
from unit.examples import ALICE, BOB, CAROL, active_status, request_manifest


class Reluctant(Server):
    """A server that refuses a revocation of some requests."""

    refuses: str = ""

    def patch(self, path: str, body: Any, **query: str) -> Any:
        if self.refuses and path.endswith(self.refuses):
            raise Refused("bob may not revoke this request")
        return super().patch(path, body, **query)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Reluctant:
    """Alice has one and waits for another; Carol has one under another policy."""
    carols: dict[str, Any] = {"requester": CAROL, "policyRef": {"kind": "AccessPolicy", "name": "other"}}
    requests = [
        request_manifest("has", status=active_status()),
        request_manifest("waits", uid="2", status={"state": "Pending"}),
        request_manifest("carols", uid="3", status=active_status(), **carols),
        request_manifest("over", uid="4", status={"state": "Expired", "settled": True}),
    ]
    running = Reluctant(BOB, requests)
    monkeypatch.setattr(Session, "client", Client(cast(Connection, running)))
    return running


@pytest.mark.parametrize(
    ("words", "ended"),
    [
        pytest.param(["--user", ALICE], {"has", "waits"}, id="all-of-a-person"),
        pytest.param(["--policy", "other"], {"carols"}, id="all-under-a-policy"),
        pytest.param(["--policy", "prod-debug", "--user", CAROL], set(), id="both-must-fit"),
        pytest.param(["--user", "alice"], set(), id="a-name-means-that-very-name"),
    ],
)
def test_what_is_open_and_fits_is_ended(server: Reluctant, words: list[str], ended: set[str]) -> None:
    assert run(["revoke", "--all", "-y", "-m", "INC-7", *words]) == 0
    assert {name for name, _, _ in server.patched} == ended
    assert all(line == {"jitaccess.dev/revocations": f"{BOB}: INC-7"} for _, line, _ in server.patched)


def test_a_dry_run_ends_nothing(server: Reluctant, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["revoke", "--all", "--user", ALICE, "--dry-run"]) == 0
    assert all(dry for _, _, dry in server.patched)
    assert capsys.readouterr().out.count("would be revoked") == 2


def test_what_cannot_be_ended_is_told_and_the_rest_is_ended(server: Reluctant, capsys: pytest.CaptureFixture[str]) -> None:
    server.refuses = "has"
    assert run(["revoke", "--all", "--user", ALICE, "-y"]) == 3
    said = capsys.readouterr()
    assert "team-a/has was not ended: bob may not revoke this request" in said.err
    assert "1 of 2 were not ended" in said.err
    assert "accessrequest/waits" in said.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["--all", "-y"], "--all goes with --policy or --user", id="all-of-everything"),
        pytest.param(["has", "--all", "--user", ALICE, "-y"], "without names", id="names-too"),
        pytest.param(["has", "--policy", "other", "-y"], "go with --all", id="a-policy-alone"),
        pytest.param(["--all", "--user", ALICE], "there is no terminal to ask at", id="nobody-to-ask"),
    ],
)
def test_what_makes_no_sense_ends_nothing(
    server: Reluctant, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert run(["revoke", *words]) == 2
    assert said in capsys.readouterr().err
    assert server.patched == []
