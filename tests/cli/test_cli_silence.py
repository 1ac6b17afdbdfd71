"""What is said while the operator is away: nothing that it has not done, and what was really seen after a wait."""

import re

import pytest

from cli.plugin import HASTY, Plugin
from team import eventually

SILENT = "is the operator running?"


@pytest.fixture
def jit(jit_stamped: Plugin) -> Plugin:
    """The plugin as patient as it is for its users, with a policy in force."""
    jit_stamped.team.policy()
    return Plugin(jit_stamped.team, HASTY)


def test_a_request_that_nobody_looks_at_is_not_about_to_be_granted(jit: Plugin) -> None:
    jit.team.policy("look", requiredApprovals=0, approvers=[], maxDuration="15m")
    with jit.team.operator_frozen():
        answer = jit("request", "look", "--reason", "x")
        assert answer.code == 0, answer
        assert f"Pending: not looked at yet: {SILENT}" in answer.out, "said after a wait, and not what the manifest was at first"
        name = answer.out.split()[0].partition("/")[2]
        assert f"Pending: not looked at yet: {SILENT}" in jit.ok("show", name)
        assert re.search(r"\w+ ago, not looked at yet", jit.ok("ls"))
        waited = jit("request", "look", "--reason", "x", "--timeout", "1s")
        assert waited.code == 4
        assert re.search(rf"was not looked at within \w+: {re.escape(SILENT)}; the request stays", waited.err)
    jit.team.until(name, "Active")
    assert "Active: ClusterRole view until " in jit.ok("show", name)


def test_an_approval_is_not_a_grant_and_a_revocation_not_an_end(jit: Plugin) -> None:
    pending, second, active = jit.asked(), jit.asked(), jit.asked()
    jit.ok("approve", active, "-y", user="bob")
    for name, state in ((active, "Active"), (pending, "Pending"), (second, "Pending")):
        jit.team.until(name, state)
    with jit.team.operator_frozen():
        approved = jit.ok("approve", pending, second, "-y", user="bob")
        assert approved.splitlines() == [
            f"accessrequest/{name} approved, but not granted yet: {SILENT}" for name in (pending, second)
        ]
        assert "approved by bob; the operator has not acted on that yet" in jit.ok("show", pending)
        waited = jit("watch", pending, "--timeout", "1s")
        assert waited.code == 4, waited
        assert re.search(r"is still Pending after \w+: approved by bob", waited.err)
        revoked = jit.ok("revoke", active, "-y", user="bob")
        assert revoked == f"accessrequest/{active} revoked, but not ended yet: {SILENT}\n"
        assert "revoked by bob; the operator has not acted on that yet (ends in " in jit.ok("show", active)
    jit.team.until(pending, "Active")
    jit.team.until(active, "Revoked")


def test_a_policy_that_nobody_looked_at_refuses_nobody(jit: Plugin) -> None:
    with jit.team.operator_frozen():
        jit.team.policy("new", ready=False)
        jit.team.admin.merge("accesspolicies", "debug", {"spec": {"requesters": [{"kind": "User", "name": "carol"}]}}).sure()
        said = eventually(lambda: said if SILENT in (said := jit("explain", "new").out) else "", "seconds have passed")
        assert "? not yet" in said
        assert f"May ask     not yet: not looked at yet: {SILENT}" in said
        carol = jit("explain", "debug", user="carol")
        assert (carol.code, "May ask     not yet: its latest change is not looked at yet" in carol.out) == (3, True), carol
        listed = jit("policies")
        assert "not looked at yet" in listed.out
        assert f"new is not in force: not looked at yet: {SILENT}" in listed.err
    jit.team.until_condition("new", "Ready", "True", of="accesspolicies")
    eventually(lambda: "? yes, by asking" in jit("explain", "debug", user="carol").out, "carol may ask")


def test_who_may_read_the_lease_is_told_since_when_the_operator_is_silent(jit: Plugin) -> None:
    with jit.team.operator_frozen():
        reviewed = eventually(
            lambda: jit(
                "request", "debug", "--reason", "x", "--timeout", "1s", "--as", "zoe", "--as-group", "developers", user="admin"
            ),
            "asked",
        )  # zoe may not read it
        assert SILENT in reviewed.err
        jit.team.policy("admins", requesters=[{"kind": "User", "name": "admin"}], ready=False)
    jit.team.until_condition("admins", "Ready", "True", of="accesspolicies")
    with jit.team.operator_frozen():

        def words() -> str:
            return jit("request", "admins", "--reason", "x", "--timeout", "1s", user="admin").err

        eventually(lambda: "the operator is not running: it was last heard of " in words(), "its silence is noticed")
