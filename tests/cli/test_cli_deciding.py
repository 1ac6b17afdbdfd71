"""Deciding: shown before a yes, written under one's own name, refused with a reason, and never lost."""

import json
import re
import time

import pytest

from cli.plugin import Plugin
from team import PATIENCE


def test_an_approver_sees_what_is_decided_before_a_yes(jit: Plugin) -> None:
    jit.team.policy(roles=[{"kind": "ClusterRole", "name": "edit"}], allowPersistentRisk=True)
    name = jit.asked("--for", "30m")
    jit.team.until(name, "Pending")
    terminal = jit.at_terminal("approve", name, "-m", "go ahead", user="bob")
    seen = terminal.expect(f"Approve {name}? [y/N]: ")
    for words in (
        "alice asks for ClusterRole edit in namespace",
        "INC-42 pods crash looping",
        "30m from the moment it is granted",
        "debug: 1 approval from Group leads",
        "outlives the grant: read Secrets",
    ):
        assert words in seen
    assert jit.team.state(name) == "Pending", "nothing happens before the yes"
    terminal.type("y")
    assert terminal.end() == 0
    assert f"accessrequest/{name} approved: ClusterRole edit until " in terminal.seen
    approvals = jit.team.until(name, "Active")["status"]["approvals"]
    assert [(a["by"], a["note"]) for a in approvals] == [("bob", "go ahead")]


def test_a_no_changes_nothing(jit_stamped: Plugin) -> None:
    jit_stamped.team.policy()
    name = jit_stamped.asked()
    terminal = jit_stamped.at_terminal("approve", name, user="bob")
    terminal.expect("[y/N]: ")
    terminal.type("n")
    assert terminal.end() == 1
    assert "Nothing was changed" in terminal.seen
    assert "annotations" not in jit_stamped.team.get(name)["metadata"]


ASK = "[a/d/s/q]: "


@pytest.mark.parametrize("command", ["review", "approve"])
def test_what_waits_is_gone_through_oldest_first(jit_stamped: Plugin, command: str) -> None:
    """Approve, deny, skip and quit in one loop; a wrong answer is asked again; what is left waits as before."""
    jit_stamped.team.policy()
    names = []
    for _ in range(5):
        names.append(jit_stamped.asked())
        jit_stamped.team.until(names[-1], "Pending")
        time.sleep(1.1 if len(names) == 1 else 0)  # creation times have seconds: the first is the oldest
    names[1:] = sorted(names[1:], key=lambda name: (jit_stamped.team.get(name)["metadata"]["creationTimestamp"], name))
    terminal = jit_stamped.at_terminal(command, user="bob")
    for number, (answer, then) in enumerate(
        [("x", "type a, d, s or q"), ("a", f"{names[0]} approved"), ("deny", "Why, for the record"), ("s", "4 of 5"), ("q", "")]
    ):
        terminal.expect_again(ASK)
        terminal.type(answer)
        if then:
            terminal.expect(then)
        if number == 2:
            terminal.type("use staging")
            terminal.expect(f"{names[1]} denied")
    assert terminal.end() == 0
    assert "2 requests wait as before." in terminal.seen
    shown = [line.split()[1].rstrip(",") for line in terminal.seen.splitlines() if line.startswith("Request ")]
    assert shown == names[:4]
    jit_stamped.team.until(names[0], "Active")
    assert jit_stamped.team.until(names[1], "Denied")["status"]["denial"]["note"] == "use staging"
    assert [jit_stamped.team.state(name) for name in names[2:]] == ["Pending"] * 3
    assert jit_stamped.ok("ls", "--reviewable", "-o", "name", user="bob").split() == [
        f"accessrequest.jitaccess.dev/{name}" for name in names[2:]
    ]


def test_nothing_that_waits_is_said(jit_stamped: Plugin) -> None:
    jit_stamped.team.policy()
    terminal = jit_stamped.at_terminal("review", user="bob")
    assert terminal.end() == 0
    assert "Nothing waits for you in namespace" in terminal.seen
    answer = jit_stamped("review", user="bob")
    assert (answer.code, "no terminal to ask at" in answer.err) == (2, True)


def test_what_was_decided_meanwhile_is_passed_over(jit_stamped: Plugin) -> None:
    jit_stamped.team.policy()
    first, second = jit_stamped.asked(), jit_stamped.asked()
    for name in (first, second):
        jit_stamped.team.until(name, "Pending")
    terminal = jit_stamped.at_terminal("review", user="bob")
    seen = terminal.expect(ASK)
    now, later = (first, second) if f"Request   {first}" in seen or f"Request  {first}" in seen else (second, first)
    for name in (now, later):
        jit_stamped.ok("deny", name, "-y", user="carol")
        jit_stamped.team.until(name, "Denied")
    terminal.type("a")
    assert terminal.end() == 3
    assert "this request is settled (Denied)" in terminal.seen
    assert f"{later} does not wait any more: it is Denied." in terminal.seen


def test_an_approver_sees_what_else_the_requester_has_and_was_refused(jit: Plugin) -> None:
    jit.team.policy()
    active, denied, withdrawn, name = (jit.asked() for _ in range(4))
    jit.asked(user="erin@example.com")
    jit.ok("approve", active, "-y", user="bob")
    jit.ok("deny", denied, "-y", "-m", "use staging", user="bob")
    jit.ok("withdraw", withdrawn, "-y")
    for each, state in ((active, "Active"), (denied, "Denied"), (withdrawn, "Withdrawn"), (name, "Pending")):
        jit.team.until(each, state)
    terminal = jit.at_terminal("approve", name, user="carol", columns=120)
    seen = terminal.expect("[y/N]: ")
    terminal.type("n")
    terminal.end()
    lines = [line for line in seen.splitlines() if line.startswith(("Also has", "Refused"))]
    assert len(lines) == 2
    assert re.fullmatch(rf"Also has  ClusterRole view, ends in \w+ \({active}\)", lines[0])
    assert re.fullmatch(rf"Refused   ClusterRole view, Denied by bob \w+ ago: use staging \({denied}\)", lines[1])
    assert withdrawn not in seen


@pytest.mark.parametrize("verb", ["approve", "deny", "withdraw"])
def test_a_dry_run_is_the_api_servers_own_answer_and_changes_nothing(jit: Plugin, verb: str) -> None:
    jit.team.policy(requiredApprovals=2)
    name = jit.asked()
    jit.team.until(name, "Pending")
    before = jit.team.get(name)
    user = "alice" if verb == "withdraw" else "bob"
    said = jit.ok(verb, name, "--dry-run", user=user)
    done = {"approve": "approved", "deny": "denied", "withdraw": "withdrawn"}[verb]
    assert f"The API server would accept this: {name} {done} by {user}. Nothing was changed." in said
    assert ("Then: needs 1 more approval from Group leads." in said) is (verb == "approve")
    manifest = json.loads(jit.ok(verb, name, "--dry-run", "-m", "fine", "-o", "json", user=user))
    assert f"{user}: fine" in manifest["metadata"]["annotations"].values()
    refused = jit(verb, name, "--dry-run", user="erin@example.com")
    assert (refused.code, refused.out) == (3, "")
    assert jit.team.get(name) == before


def test_a_dry_run_says_that_nobody_approves_their_own(jit: Plugin) -> None:
    jit.team.policy()
    answer = jit("approve", jit.asked(), "--dry-run")
    assert (answer.code, "nobody may approve their own request" in answer.err) == (3, True)


def test_somebody_who_may_not_is_refused_before_being_asked(jit_stamped: Plugin) -> None:
    jit_stamped.team.policy()
    name = jit_stamped.asked()
    terminal = jit_stamped.at_terminal("approve", name, user="alice")
    assert terminal.end() == 3
    assert "nobody may approve their own request: ask another approver" in terminal.seen
    assert "[y/N]" not in terminal.seen


@pytest.mark.parametrize(
    ("user", "verb", "said"),
    [
        pytest.param("alice", "approve", "nobody may approve their own request", id="own-request"),
        pytest.param(
            "erin@example.com", "approve", "is not an approver of AccessPolicy 'debug'", id="a-requester-is-no-approver"
        ),
        pytest.param("erin@example.com", "deny", "is not an approver of AccessPolicy 'debug'", id="nor-may-they-deny"),
        pytest.param("erin@example.com", "revoke", "may not revoke this request: only alice", id="nor-revoke"),
        pytest.param("erin@example.com", "withdraw", "is alice's request", id="nor-withdraw-what-is-not-theirs"),
        pytest.param("mallory", "approve", "no AccessPolicy there names you", id="in-no-policy"),
    ],
)
def test_a_refusal_quotes_the_api_server_and_has_its_exit_code(jit: Plugin, user: str, verb: str, said: str) -> None:
    jit.team.policy()
    name = jit.asked()
    answer = jit(verb, name, "-y", user=user)
    assert (answer.code, answer.out) == (3, ""), answer
    assert said in answer.err
    assert "ValidatingAdmissionPolicy" not in answer.err


def test_people_who_decide_at_the_same_moment_are_all_recorded(jit: Plugin) -> None:
    jit.team.policy(requiredApprovals=3)
    for _ in range(2):
        name = jit.asked()
        runs = {user: jit.start("approve", name, "-y", "-m", f"{user} agrees", user=user) for user in ("bob", "carol", "dave")}
        for user, run in runs.items():
            out, err = run.communicate(timeout=PATIENCE)
            assert run.returncode == 0, (user, out, err)
        approvals = jit.team.until(name, "Active")["status"]["approvals"]
        assert {(a["by"], a["note"]) for a in approvals} == {(user, f"{user} agrees") for user in runs}


def test_the_same_decision_counts_once(jit: Plugin) -> None:
    jit.team.policy(requiredApprovals=2)
    name = jit.asked()
    first = jit.ok("approve", name, "-y", user="bob")
    assert "needs 1 more approval from Group leads" in first
    again = jit("approve", name, "-y", user="bob")
    assert again.code == 3
    assert "one person's decision counts once" in again.err


def test_deny_revoke_and_withdraw(jit: Plugin) -> None:
    jit.team.policy()
    denied, withdrawn, revoked, ended = (jit.asked() for _ in range(4))
    assert jit.ok("deny", denied, "-y", "-m", "not today", user="bob") == f"accessrequest/{denied} denied\n"
    jit.ok("withdraw", withdrawn, "-y")
    jit.ok("approve", revoked, ended, "-y", user="bob")
    for name in (revoked, ended):
        jit.team.until(name, "Active")
    assert jit.ok("revoke", revoked, "-y", user="carol") == f"accessrequest/{revoked} revoked: the access has ended\n"
    jit.ok("withdraw", ended, "-y", "-m", "done early")
    for name, state in ((denied, "Denied"), (withdrawn, "Withdrawn"), (revoked, "Revoked"), (ended, "Revoked")):
        jit.team.until(name, state)
    late = jit("approve", denied, "-y", user="bob")
    assert late.code == 3
    assert "this request is settled (Denied)" in late.err


def test_one_failure_among_several_does_not_stop_the_others(jit_stamped: Plugin) -> None:
    jit_stamped.team.policy()
    name = jit_stamped.asked()
    answer = jit_stamped("approve", "nope", name, "-y", user="bob")
    assert answer.code == 1
    assert "there is no request nope" in answer.err
    assert f"accessrequest/{name} approved" in answer.out


def test_a_script_must_say_yes(jit_stamped: Plugin) -> None:
    answer = jit_stamped("approve", "x", user="bob")
    assert answer.code == 2
    assert "decide with --yes" in answer.err
    assert jit_stamped("approve", "-y", user="bob").code == 2


def test_a_denial_at_a_terminal_asks_why(jit_stamped: Plugin) -> None:
    jit_stamped.team.policy()
    name = jit_stamped.asked()
    terminal = jit_stamped.at_terminal("deny", name, user="bob")
    terminal.expect("[y/N]: ")
    terminal.type("y")
    terminal.expect("Why, for the record: ")
    terminal.type("use the staging cluster")
    assert terminal.end() == 0
    assert jit_stamped.team.until(name, "Denied")["status"]["denial"]["note"] == "use the staging cluster"


@pytest.mark.parametrize("command", ["approve", "review"])
def test_a_note_that_the_policy_asks_for_is_asked_for(jit: Plugin, command: str) -> None:
    jit.team.policy(noteRequired=True)
    name = jit.asked()
    jit.team.until(name, "Pending")
    terminal = jit.at_terminal(command, *([name] if command == "approve" else []), user="bob")
    terminal.expect("[y/N]: " if command == "approve" else ASK)
    terminal.type("y" if command == "approve" else "a")
    asked = "(policy debug asks for a note): "
    for typed in ("", "  ", "it is her shift"):
        terminal.expect_again(asked)
        terminal.type(typed)
    assert terminal.end() == 0
    assert f"accessrequest/{name} approved" in terminal.seen
    [approval] = jit.team.until(name, "Active")["status"]["approvals"]
    assert (approval["by"], approval["note"]) == ("bob", "it is her shift")


def test_a_script_gives_the_note_that_the_policy_asks_for(jit: Plugin) -> None:
    jit.team.policy(noteRequired=True)
    name = jit.asked()
    jit.team.until(name, "Pending")
    for words in (["-y"], ["-y", "-m", " "], ["--dry-run"]):
        answer = jit("approve", name, *words, user="bob")
        assert (answer.code, answer.out) == (2, ""), answer
        assert "policy debug asks for a note: say why with -m TEXT" in answer.err
    assert "annotations" not in jit.team.get(name)["metadata"]
    assert "Nothing was changed" in jit.ok("approve", name, "--dry-run", "-m", "seen", user="bob")
    jit.ok("approve", name, "-y", "-m", "seen", user="bob")
    jit.team.until(name, "Active")
    other = jit.asked()
    jit.ok("deny", other, "-y", user="bob")
    jit.team.until(other, "Denied")
