"""What `ls`, `show` and `watch` say of access that should be over, or that only the operator ends."""

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from jitaccess.cli.api.client import Client
from jitaccess.cli.api.connect import Connection
from jitaccess.cli.api.session import Session
from jitaccess.cli.app import run
from jitaccess.domain.text import format_time
from unit.cli.server import Server
from unit.examples import ALICE, HOUR, NAME, active_status, request_manifest

REFUSED = "should have ended (the time is up), but the RoleBinding still stands: its deletion is refused: no"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    """A server with Alice's request, whose end five seconds ago is refused."""
    granted = datetime.now(UTC) - HOUR - timedelta(seconds=5)
    at = format_time(granted + HOUR)
    status: dict[str, Any] = active_status(granted) | {
        "conditions": [{"type": "Granted", "status": "True", "reason": "EndRefused", "message": REFUSED}],
        "history": [{"at": at, "state": "Active", "reason": "EndRefused", "message": REFUSED}],
    }
    running = Server(ALICE, [request_manifest(created=granted, status=status)])
    monkeypatch.setattr(Session, "client", Client(cast(Connection, running)))
    return running


@pytest.mark.parametrize(
    ("words", "code", "out", "err"),
    [
        pytest.param(["ls"], 0, "should have ended ", f"warning: {NAME}: {REFUSED}", id="ls"),
        pytest.param(["show", NAME], 0, REFUSED, "", id="show"),
        pytest.param(["watch", NAME, "--timeout", "1s"], 4, f"End refused: {REFUSED}", f"warning: {REFUSED}", id="watch-one"),
        pytest.param(
            ["watch", "--active", "--timeout", "1s"],
            0,
            "should have ended ",
            f"warning: team-a/{NAME}: {REFUSED}",
            id="watch-a-list",
        ),
        pytest.param(["explain"], 3, f"through {NAME}, which should have ended ", "", id="explain"),
    ],
)
def test_an_end_that_is_refused_comes_with_a_warning(
    server: Server, capsys: pytest.CaptureFixture[str], words: list[str], code: int, out: str, err: str
) -> None:
    assert run(words) == code
    said = capsys.readouterr()
    assert out in said.out
    assert err in said.err
    assert "ends " not in said.out, "what has not ended is not said to end"


UNGUARDED = "only the operator ends this access: the Job is refused: no"


@pytest.fixture
def unguarded(server: Server) -> Server:
    """The same server with two requests of Alice that run for another half hour without a Job behind them."""
    granted = datetime.now(UTC) - HOUR / 2
    conditions = [
        {"type": "Granted", "status": "True", "reason": "Granted", "message": "granted"},
        {"type": "ExpiryGuarded", "status": "False", "reason": "JobRefused", "message": UNGUARDED},
    ]
    server.requests[:] = [
        request_manifest(created=granted, name=name, status=active_status(granted) | {"conditions": conditions})
        for name in (NAME, "alice-2")
    ]
    return server


@pytest.mark.parametrize(
    ("words", "code", "out", "err"),
    [
        pytest.param(["ls"], 0, ", unguarded", [f"warning: {NAME}, alice-2: {UNGUARDED}"], id="ls-says-it-once-for-both"),
        pytest.param(
            ["ls", "-A"], 0, ", unguarded", [f"warning: team-a/{NAME}, team-a/alice-2: {UNGUARDED}"], id="ls-everywhere"
        ),
        pytest.param(["show", NAME], 0, f"Warning  {UNGUARDED}", [], id="show"),
        pytest.param(["watch", NAME, "--timeout", "1s"], 4, "", [f"warning: {UNGUARDED}"], id="watch-one"),
        pytest.param(
            ["watch", "--active", "--timeout", "1s"],
            0,
            "",
            [f"warning: team-a/{NAME}: {UNGUARDED}", f"warning: team-a/alice-2: {UNGUARDED}"],
            id="watch-a-list",
        ),
    ],
)
def test_access_that_only_the_operator_ends_is_marked_everywhere(
    unguarded: Server, capsys: pytest.CaptureFixture[str], words: list[str], code: int, out: str, err: list[str]
) -> None:
    assert run(words) == code
    said = capsys.readouterr()
    assert out in said.out
    assert [line for line in said.err.splitlines() if line.startswith("warning: ")] == err


def test_a_request_that_was_shown_with_its_role_is_shown_with_it_to_everybody(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = [{"verbs": ["get"], "groups": [""], "resources": ["pods"]}]
    role = {"uid": "r", "hash": "h", "rules": rules, "risks": ["read Secrets"], "hints": ["may pay invoices"]}
    server.requests[0]["status"]["role"] = role
    assert run(["show", NAME]) == 0
    shown = capsys.readouterr().out
    for line in (
        "What ClusterRole view allows, as it was shown\nget\n   pods\n",
        "Warning  outlives the grant: read Secrets\n",
        "Note     may outlive the grant: may pay invoices\n",
    ):
        assert line in shown
