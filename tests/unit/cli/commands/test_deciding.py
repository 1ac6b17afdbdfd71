"""What a decision needs before it is sent: a note where the policy asks for one, and names for what is decided unseen."""

from typing import cast

import pytest
from click.exceptions import UsageError as Unclear

from jitaccess.cli.api.client import Client
from jitaccess.cli.api.connect import Connection
from jitaccess.cli.api.session import Session
from jitaccess.cli.app import run
from jitaccess.cli.commands.reviewing import Answer, read_answer
from unit.cli.server import Server
from unit.examples import BOB, NAME, policy_manifest, request_manifest


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    """A server with Alice's request, under a policy that asks for a note with each approval; Bob is asking."""
    running = Server(BOB, [request_manifest()], policies=[policy_manifest(noteRequired=True)], allows=True)
    monkeypatch.setattr(Session, "client", Client(cast(Connection, running)))
    return running


@pytest.mark.parametrize("words", [[], ["-m", ""], ["-m", "  "], ["--dry-run"]], ids=["no-note", "empty", "blank", "dry-run"])
def test_an_approval_without_a_note_is_not_sent_where_the_policy_asks_for_one(
    server: Server, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert run(["approve", NAME, "-y", *words]) == 2
    assert "policy prod-debug asks for a note: say why with -m TEXT" in capsys.readouterr().err
    assert server.patched == []


@pytest.mark.parametrize(
    ("verb", "words", "line"),
    [
        pytest.param("approve", ["-m", "seen it"], {"jitaccess.dev/approvals": f"{BOB}: seen it"}, id="an-approval-with-a-note"),
        pytest.param("deny", [], {"jitaccess.dev/denials": f"{BOB}: "}, id="a-denial-needs-none"),
        pytest.param("revoke", [], {"jitaccess.dev/revocations": f"{BOB}: "}, id="nor-does-a-revocation"),
    ],
)
def test_what_has_its_note_or_needs_none_is_sent(server: Server, verb: str, words: list[str], line: dict[str, str]) -> None:
    assert run([verb, NAME, "-y", *words]) == 0
    assert server.patched == [(NAME, line, False)]


def test_no_note_is_asked_for_where_the_policy_does_not(server: Server) -> None:
    server.policies = [policy_manifest()]
    assert run(["approve", NAME, "-y"]) == 0
    assert server.patched == [(NAME, {"jitaccess.dev/approvals": f"{BOB}: "}, False)]


@pytest.mark.parametrize("words", [["approve", "-y"], ["approve", "--dry-run"], ["deny", "-y"], ["revoke", "-y"]], ids=" ".join)
def test_what_is_decided_unseen_is_named(server: Server, capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    assert run(words) == 2
    assert f"say which: kubectl jit {words[0]} NAME" in capsys.readouterr().err
    assert server.patched == []


@pytest.mark.parametrize("typed", ["a", "A", "approve", " Approve "])
def test_an_answer_is_a_word_or_its_first_letter(typed: str) -> None:
    assert read_answer(typed) is Answer.APPROVE


@pytest.mark.parametrize("typed", ["", "y", "ap", "deny it", "1"])
def test_what_is_no_answer_is_asked_again(typed: str) -> None:
    with pytest.raises(Unclear, match="type a, d, s or q"):
        read_answer(typed)
