"""Deciding: shown before a yes, written under one's own name, refused with a reason, and never lost."""

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


def test_without_names_what_waits_is_offered_one_after_the_other(jit_stamped: Plugin) -> None:
    jit_stamped.team.policy()
    names = {jit_stamped.asked(), jit_stamped.asked()}
    terminal = jit_stamped.at_terminal("approve", user="bob")
    terminal.expect("[y/N]: ")
    terminal.type("y")
    terminal.expect(" approved: ClusterRole view until ")
    terminal.type("y")
    assert terminal.end() == 0
    assert all(f"Approve {name}?" in terminal.seen for name in names)
    assert jit_stamped("ls", "--reviewable", user="bob").err.startswith("Nothing waits for your decision")


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
