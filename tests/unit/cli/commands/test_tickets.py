"""Tickets and limits in the plugin: foreseen before anything is asked, and said."""

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from jitaccess.cli.api.client import Client
from jitaccess.cli.api.connect import Connection
from jitaccess.cli.api.errors import UsageError
from jitaccess.cli.api.session import Session
from jitaccess.cli.app import run
from jitaccess.cli.commands.choosing import chosen_ticket
from jitaccess.cli.commands.decision import Case
from jitaccess.cli.commands.effect import Effect
from jitaccess.cli.commands.wishes import Wish
from jitaccess.manifests.parse import parse_policy, parse_request
from unit.cli.server import Server
from unit.examples import ALICE, BOB, HOUR, KEY, NAME, VIEW, active_status
from unit.examples import policy_manifest as policy
from unit.examples import request_manifest as asked

INCIDENT = {"ticket": {"pattern": "^INC-[0-9]+$"}}
OPTIONAL = {"ticket": {"pattern": "^INC-[0-9]+$", "required": False}}
READY = {
    "observedGeneration": 3,
    "conditions": [
        {"type": "Ready", "status": "True", "reason": "InForce", "message": "", "lastTransitionTime": "2026-07-01T02:10:00Z"}
    ],
}


def served(monkeypatch: pytest.MonkeyPatch, *requests: dict[str, Any], **spec: Any) -> Server:
    """A server with prod-debug and these requests, and alice who looks."""
    server = Server(ALICE, list(requests), allows=True, policies=[policy(status=READY, **spec)])
    monkeypatch.setattr(Session, "client", Client(cast(Connection, server)))
    return server


def lately(**fields: Any) -> dict[str, Any]:
    """Alice's request of ten minutes ago, active for an hour."""
    since = datetime.now(UTC) - timedelta(minutes=10)
    under = {"policy": {"uid": "p-prod-debug", "generation": 3}}
    return asked(created=since, status=active_status(since) | under, **fields)


@pytest.mark.parametrize(
    ("spec", "text", "refused"),
    [
        pytest.param({}, "", "", id="none-where-none-is-asked-for"),
        pytest.param({}, "whatever", "", id="any-where-none-is-asked-for"),
        pytest.param(INCIDENT, "INC-42", "", id="as-it-should-be"),
        pytest.param(INCIDENT, "", "no ticket was given", id="missing"),
        pytest.param(INCIDENT, "42", "the ticket 42 is none for it", id="of-another-form"),
        pytest.param(OPTIONAL, "", "", id="none-where-it-may-be-missing"),
        pytest.param(OPTIONAL, "42", "the ticket 42 is none for it", id="a-wrong-one-where-it-may-be-missing"),
    ],
)
def test_a_ticket_is_checked_before_anybody_is_asked(spec: dict[str, Any], text: str, refused: str) -> None:
    if not refused:
        assert chosen_ticket(text, parse_policy(policy(**spec))) == text
        return
    with pytest.raises(UsageError) as error:
        chosen_ticket(text, parse_policy(policy(**spec)))
    assert error.value.message == f"policy prod-debug asks for a ticket that matches ^INC-[0-9]+$: {refused}"


def test_the_request_has_the_ticket_or_no_such_field() -> None:
    under = parse_policy(policy())
    made = [Wish(under, VIEW, HOUR, "why", ticket).manifest(KEY, ALICE)["spec"] for ticket in ("INC-42", "")]
    assert [spec.get("ticket") for spec in made] == ["INC-42", None]
    assert "ticket" not in made[1]


@pytest.mark.parametrize(
    ("spec", "words", "said"),
    [
        pytest.param(INCIDENT, [], "no ticket was given", id="no-ticket"),
        pytest.param(INCIDENT, ["--ticket", "42"], "the ticket 42 is none for it", id="a-wrong-ticket"),
        pytest.param(
            {"limits": {"activePerRequester": 1}},
            [],
            f"{ALICE} has 1 of 1 grant under AccessPolicy prod-debug; room again at",
            id="my-room-is-full",
        ),
        pytest.param(
            {"limits": {"activeInTotal": 1}},
            [],
            "everybody together have 1 of 1 grant under AccessPolicy prod-debug; room again at",
            id="the-room-is-full",
        ),
        pytest.param(
            {"limits": {"requestsPerDay": 1}},
            [],
            f"{ALICE} has made 1 of 1 request under AccessPolicy prod-debug within 24h; room again at",
            id="my-day-is-full",
        ),
    ],
)
def test_what_would_be_refused_is_not_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], spec: dict[str, Any], words: list[str], said: str
) -> None:
    served(monkeypatch, lately(), **spec)
    assert run(["request", "prod-debug", "--for", "1h", "--reason", "why", *words]) != 0
    assert said in " ".join(capsys.readouterr().err.split())


def test_others_and_other_policies_take_no_room_of_mine(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere = {"policyRef": {"kind": "AccessPolicy", "name": "other"}}
    served(
        monkeypatch, lately(requester=BOB), lately(name="x", **elsewhere), limits={"activePerRequester": 1, "activeInTotal": 2}
    )
    assert run(["explain", "prod-debug"]) == 0
    words = " ".join(capsys.readouterr().out.split())
    assert "Limits 1 grant a person at once (0 taken); 2 grants at once in total (1 taken)" in words


def test_explain_and_policies_say_the_form_of_the_ticket(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    served(monkeypatch, **INCIDENT, limits={"requestsPerDay": 10})
    assert run(["explain", "prod-debug"]) == 0
    words = " ".join(capsys.readouterr().out.split())
    assert "Ticket needed: must match ^INC-[0-9]+$" in words
    assert "10 requests a person in 24h (0 taken)" in words
    assert run(["policies"]) == 0
    told = " ".join(capsys.readouterr().err.split())
    assert "prod-debug: ticket needed: must match ^INC-[0-9]+$; 10 requests a person in 24h" in told


@pytest.mark.parametrize("words", [["show", NAME], ["ls", "-o", "wide"]], ids=["show", "ls"])
def test_the_ticket_is_shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    served(monkeypatch, lately(ticket="INC-4711"))
    assert run(words) == 0
    assert "INC-4711" in capsys.readouterr().out


def test_whoever_decides_sees_the_ticket(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    waiting = asked(requester=BOB, ticket="INC-4711")
    server = served(monkeypatch, waiting)
    Case(Client(cast(Connection, server)), cast(Effect, None), parse_request(waiting)).show()
    assert "Ticket INC-4711" in " ".join(capsys.readouterr().err.split())
