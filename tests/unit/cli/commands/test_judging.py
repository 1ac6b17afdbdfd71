"""The command `reviewed`, and the list of what awaits a review."""

import json
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import cast

import pytest

from jitaccess.cli.api.client import Client
from jitaccess.cli.api.connect import Connection
from jitaccess.cli.api.errors import Refused
from jitaccess.cli.api.session import Session
from jitaccess.cli.app import run
from jitaccess.cli.commands.usage import check_wish
from jitaccess.cli.commands.wishes import Wish
from jitaccess.domain.model import AccessRequest
from jitaccess.manifests.parse import parse_policy
from jitaccess.manifests.status import request_status
from unit.cli.server import Server
from unit.emergencies import ended, granted, reviewed
from unit.examples import ALICE, BOB, EMERGENCY, HOUR, NAME, NAMESPACE, VIEW, policy_manifest, request_manifest

NOW = datetime.now(UTC).replace(microsecond=0)


def manifest(asked: AccessRequest, name: str = NAME) -> dict[str, object]:
    """As the API server has it."""
    return request_manifest(name, created=asked.created, status=request_status(asked.recorded))


OWED, LASTING, GIVEN = ended(NOW - 2 * HOUR), granted(at=NOW), reviewed(at=NOW - 3 * HOUR)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    """A server with Alice's emergency, which is owed a review; Bob is asking, and may do everything."""
    glass = policy_manifest(requiredApprovals=0, emergency=EMERGENCY)
    running = Server(BOB, [manifest(OWED)], policies=[glass], allows=True)
    monkeypatch.setattr(running, "now", lambda: NOW)  # or what lasts an hour would be over in a run that takes one
    monkeypatch.setattr(Session, "client", Client(cast(Connection, running)))
    return running


@pytest.mark.parametrize(
    ("words", "line"),
    [
        pytest.param(["--fine", "-y"], f"{BOB}: fine", id="fine"),
        pytest.param(["--misuse", "-y", "-m", "no incident"], f"{BOB}: misuse: no incident", id="misuse-with-a-note"),
    ],
)
def test_a_review_is_one_line(server: Server, capsys: pytest.CaptureFixture[str], words: list[str], line: str) -> None:
    assert run(["reviewed", NAME, *words]) == 0
    assert server.patched == [(NAME, {"jitaccess.dev/reviews": line}, False)]
    assert f"accessrequest/{NAME} reviewed: {words[0].removeprefix('--')}" in capsys.readouterr().out


def test_a_dry_run_changes_nothing(server: Server) -> None:
    assert run(["reviewed", NAME, "--fine", "--dry-run"]) == 0
    assert server.patched == [(NAME, {"jitaccess.dev/reviews": f"{BOB}: fine"}, True)]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        pytest.param([NAME, "-y"], 2, "say what you found: --fine or --misuse", id="no-finding"),
        pytest.param([NAME, "--fine", "--misuse", "-y"], 2, "--fine and --misuse exclude each other", id="both"),
        pytest.param([NAME, "--fine"], 2, "there is no terminal to ask at", id="nobody-to-ask"),
        pytest.param([NAME, "--fine", "-y", "-m", "a\u200bb"], 2, "the note has ", id="a-hidden-character"),
        pytest.param(["lasting", "--fine", "-y"], 3, "lasting still lasts", id="while-it-lasts"),
        pytest.param(["given", "--fine", "-y"], 3, f"found fine by {BOB}", id="reviewed-already"),
        pytest.param(["plain", "--fine", "-y"], 3, "plain is no emergency access", id="no-emergency"),
    ],
)
def test_what_cannot_be_reviewed_is_said(
    server: Server, capsys: pytest.CaptureFixture[str], words: list[str], code: int, said: str
) -> None:
    server.requests += [manifest(LASTING, "lasting"), manifest(GIVEN, "given"), request_manifest("plain")]
    assert run(["reviewed", *words]) == code
    assert said in capsys.readouterr().err
    assert server.patched == []


@pytest.mark.parametrize(
    ("earlier", "said"),
    [
        pytest.param(OWED, "emergency access that is not reviewed yet", id="over"),
        pytest.param(LASTING, "emergency access that still lasts", id="lasting"),
        pytest.param(GIVEN, "", id="reviewed"),
    ],
)
def test_who_owes_a_review_is_told_before_a_request_is_made(earlier: AccessRequest, said: str) -> None:
    glass = parse_policy(policy_manifest(requiredApprovals=0, emergency={**EMERGENCY, "blockUntilReviewed": True}))
    client = Client(cast(Connection, Server(ALICE, [manifest(earlier)])))
    wanted = Wish(glass, VIEW, HOUR, "once more").request(NAMESPACE, ALICE, NOW)
    with pytest.raises(Refused) if said else nullcontext() as refusal:
        check_wish(client, wanted, glass)
    assert not said or (refusal and said in refusal.value.message)
    check_wish(client, Wish(glass, VIEW, HOUR, "mine").request(NAMESPACE, BOB, NOW), glass)


@pytest.mark.parametrize(("earlier", "owed"), [(OWED, True), (GIVEN, False)], ids=["owed", "given"])
def test_explain_says_which_review_one_waits_for(
    server: Server, capsys: pytest.CaptureFixture[str], earlier: AccessRequest, owed: bool
) -> None:
    server.me, server.requests = ALICE, [manifest(earlier)]
    server.policies = [policy_manifest(requiredApprovals=0, emergency={**EMERGENCY, "blockUntilReviewed": True})]
    run(["explain", "prod-debug"])  # whether they may ask at all is another question
    said = " ".join(capsys.readouterr().out.split())
    assert "no second one before the review of the first" in said
    assert (f"and that of {NAME} is still to come" in said) is owed


def test_what_awaits_a_review_is_listed(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.requests += [manifest(LASTING, "lasting"), manifest(GIVEN, "given")]
    assert run(["ls", "--awaiting-review"]) == 0
    assert "status.settled=true,status.awaitingReview=true" in server.asked
    said = capsys.readouterr().out
    assert NAME in said
    assert "review owed" in said
    assert not {"lasting", "given"} & set(said.split())


def test_show_says_where_the_review_stands(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["show", NAME]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Emergency owed until " in said
    assert "by Group security" in said
    assert "Expired: the time is up" in said


def test_an_export_has_the_review(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.requests[:] = [manifest(GIVEN)]
    assert run(["export", "-o", "json"]) == 0
    [record] = json.loads(capsys.readouterr().out)
    assert (record["emergency"], record["review"], record["reviewedBy"], record["reviewNote"]) == (True, "fine", BOB, "as said")
    assert record["endReason"] == "DurationElapsed"
