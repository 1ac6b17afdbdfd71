"""Looking: lists, one request with all there is to know, watching, policies, explanations, and the record."""

import csv
import io
import json
import re

import pytest
import yaml

from cli.plugin import Plugin
from team import PATIENCE, POLICIES, REQUESTS, eventually


def test_ls_shows_mine_or_what_waits_or_what_is_active_or_all(jit: Plugin) -> None:
    jit.team.policy()
    mine, active = jit.asked(), jit.asked()
    others = jit.asked(user="erin@example.com")
    jit.ok("approve", active, "-y", user="bob")
    jit.team.until(active, "Active")
    jit.team.until(others, "Pending")

    def names(*args: str, user: str = "alice") -> set[str]:
        return {line.partition("/")[2] for line in jit.ok("ls", *args, "-o", "name", user=user).split()}

    assert names() == {mine, active}
    assert names(user="erin@example.com") == {others}
    assert names("--all") == {mine, active, others}
    assert names("--active") == {active}
    assert names("--reviewable", user="bob") == {mine, others}
    assert names("--reviewable") == set(), "alice decides nothing"
    table = jit.ok("ls", "--all", user="bob")
    assert table.splitlines()[0].split() == ["NAME", "STATE", "WHO", "ROLE", "FOR", "WHEN", "WHY"]
    assert re.search(r"ends in (?:1h|5\dm)", table)


def test_ls_is_narrowed_by_the_api_server(jit_stamped: Plugin) -> None:
    jit_stamped.team.policy()
    mine, denied, others = jit_stamped.asked(), jit_stamped.asked(), jit_stamped.asked(user="erin@example.com")
    jit_stamped.ok("deny", denied, "-y", user="bob")
    jit_stamped.team.until(denied, "Denied")
    for name in (mine, others):
        jit_stamped.team.until(name, "Pending")
    for words, names in (
        (["--state", "denied"], {denied}),
        (["--state", "Pending", "--state", "Denied"], {mine, denied}),
        (["--user", "erin@example.com"], {others}),
        (["--user", "erin@example.com", "--state", "Denied"], set()),
        (["--all", "--state", "Pending", "--policy", "debug", "--role", "ClusterRole/view", "--since", "1h"], {mine, others}),
        (["--all", "--since", "2099-01-01"], set()),
    ):
        assert {line.partition("/")[2] for line in jit_stamped.ok("ls", *words, "-o", "name").split()} == names, words


def test_a_request_that_i_decided_no_longer_waits_for_me(jit_stamped: Plugin) -> None:
    jit_stamped.team.policy(requiredApprovals=2)
    name = jit_stamped.asked()
    jit_stamped.ok("approve", name, "-y", user="bob")
    assert jit_stamped.ok("ls", "--reviewable", user="bob") == ""
    jit_stamped.team.until(name, "Pending")
    eventually(lambda: "Pending 1/2" in jit_stamped.ok("ls", "--reviewable", user="carol"), "progress for the second approver")


def test_nothing_to_list_is_said_beside_the_output(jit_stamped: Plugin) -> None:
    jit_stamped.team.policy()
    answer = jit_stamped("ls")
    assert (answer.code, answer.out) == (0, "")
    assert "You have no requests in namespace" in answer.err


def test_who_may_list_everything_is_shown_everything(jit_stamped: Plugin) -> None:
    jit_stamped.team.policy()
    name = jit_stamped.asked()
    answer = jit_stamped("ls", "-A", "--all", "--limit", "0", user="admin")
    assert name in answer.out
    assert "where a policy names you" not in answer.err


def test_show_tells_everything(jit: Plugin) -> None:
    jit.team.policy()
    name = jit.asked("--for", "2h")
    jit.ok("approve", name, "-y", "-m", "go ahead, I'm watching", user="bob")
    jit.team.until(name, "Active")
    shown = jit.ok("show", name, user="alice")
    for words in (
        f"{name} in namespace {jit.team.namespace}",
        "Active: ClusterRole view until ",
        "INC-42 pods crash looping",
        "debug: 1 approval from Group leads",
        "Requested  alice",
        "Approved   bob",
        "go ahead, I'm watching",
        "RoleBinding jit-alice-",
        "What ClusterRole view allows",
    ):
        assert words in shown
    assert "What ClusterRole view allows, as it was shown" in shown
    assert "get, list, watch" in shown, "approvers and requesters see the rules without any right to read roles"
    assert "get, list, watch" in jit.ok("show", name, user="admin"), "whoever may read the role sees its exact rules"
    assert f"{name} in namespace" in jit.ok("show"), "without a name: my newest"


def test_a_role_that_was_changed_after_it_was_shown_comes_with_a_warning(jit_stamped: Plugin) -> None:
    team = jit_stamped.team
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
    team.admin.create("roles", {"metadata": {"name": "db-reader"}, "rules": rules}).sure()
    team.policy(roles=[{"kind": "Role", "name": "db-reader"}], requiredApprovals=2)
    name = jit_stamped.asked()
    jit_stamped.ok("approve", name, "-y", user="bob")
    team.until(name, "Pending")
    eventually(lambda: team.status(name).get("approvals"), "the first approval is on record")
    assert "changed" not in jit_stamped.ok("show", name, user="admin")
    team.admin.patch("roles", "db-reader", {"op": "add", "path": "/rules/0/verbs/-", "value": "list"}).sure()
    shown = jit_stamped.ok("show", name, user="admin")
    assert "\nget\n   pods\n" in shown, "as it was shown to the first approver"
    assert "Role db-reader was changed since it was shown, so this is not granted any more: ask again" in shown


def test_machine_formats_are_the_objects(jit_stamped: Plugin) -> None:
    jit_stamped.team.policy()
    name = jit_stamped.asked()
    assert json.loads(jit_stamped.ok("show", name, "-o", "json"))["metadata"]["name"] == name
    assert yaml.safe_load(jit_stamped.ok("show", name, "-o", "yaml"))["kind"] == "AccessRequest"
    assert jit_stamped.ok("ls", "-o", "name") == f"accessrequest.jitaccess.dev/{name}\n"
    assert "managedFields" in jit_stamped.team.get(name)["metadata"]
    for words in (["show", name, "-o", "yaml"], ["ls", "-o", "json"]):
        assert "managedFields" not in jit_stamped.ok(*words)
    listed = json.loads(jit_stamped.ok("ls", "-o", "json"))
    assert (listed["kind"], [item["metadata"]["name"] for item in listed["items"]]) == ("List", [name])


def test_watch_follows_a_request_to_its_end(jit: Plugin) -> None:
    jit.team.policy()
    name = jit.asked("--for", "2s")
    run = jit.start("watch", name)
    jit.ok("approve", name, "-y", user="bob")
    out, _ = run.communicate(timeout=PATIENCE)
    assert run.returncode == 0
    assert [line.split("  ")[1].split(":")[0] for line in out.splitlines()] == [
        "Requested alice",
        "Approved by bob",
        "Active",
        "Expired",
    ]


def test_watch_keeps_a_list_up_to_date(jit_stamped: Plugin) -> None:
    jit_stamped.team.policy()
    terminal = jit_stamped.at_terminal("watch", "--reviewable", user="bob")
    terminal.expect("Nothing waits for your decision")
    name = jit_stamped.asked()
    terminal.expect(name)
    terminal.interrupt()
    assert terminal.end() == 0
    script = jit_stamped("watch", "--all", "--timeout", "2s")
    assert f"{jit_stamped.team.namespace}/{name}  Pending" in script.out


def test_a_role_that_one_may_not_read_is_told_by_what_the_operator_wrote_down(jit_stamped: Plugin) -> None:
    jit_stamped.team.policy(roles=[{"kind": "ClusterRole", "name": "jitaccess-debug"}])
    name = jit_stamped.asked()
    jit_stamped.team.until(name, "Pending")
    shown = jit_stamped.ok("show", name)
    for lines in ("\ndelete\n   pods\n", "\n   deployments, replicasets, statefulsets, daemonsets in apps\n"):
        assert lines in shown
    assert "not yours to read" not in shown
    terminal = jit_stamped.at_terminal("approve", name, user="bob", columns=120)
    seen = terminal.expect("[y/N]: ")
    assert "Allows   get, list, watch: pods, pods/log, pods/status, events, services, endpoints and 10 more\n" in seen
    assert "         get, patch, update: deployments/scale, statefulsets/scale\n" in seen
    terminal.type("n")
    terminal.end()


def test_roles_are_shown_whole_because_they_must_be_typed(jit_stamped: Plugin) -> None:
    names = ["jitaccess-debug", "view", "network-viewer"]
    roles = [{"kind": "ClusterRole", "name": name} for name in names]
    jit_stamped.team.policy("prod-debug", roles=roles, description="Debug team A's production workloads, at night too")
    for columns in (120, 80, 60, 44):
        terminal = jit_stamped.at_terminal("policies", columns=columns)
        assert terminal.end() == 0
        assert all(name in terminal.seen for name in names), terminal.seen


def test_the_first_words_of_the_plugin_are_whole_at_80_columns(jit_stamped: Plugin) -> None:
    roles = [{"kind": "ClusterRole", "name": "jitaccess-debug"}, {"kind": "ClusterRole", "name": "view"}]
    approvers = [{"kind": "Group", "name": "leads"}, {"kind": "User", "name": "carol@example.com"}]
    jit_stamped.team.policy("prod-debug", roles=roles, approvers=approvers, description="Debug team A's production workloads")
    terminal = jit_stamped.at_terminal("policies", columns=80)
    assert terminal.end() == 0
    head, *lines = terminal.seen.splitlines()
    starts = [head.index(title) for title in ("ROLES", "AT MOST", "DECIDED BY", "PURPOSE")]
    wrapped = [
        " ".join(line[start:end].strip() for line in lines).strip() for start, end in zip(starts, [*starts[1:], 80], strict=True)
    ]
    assert wrapped == [
        "jitaccess-debug, view",
        "4h",
        "1 approval from Group leads or User carol@example.com",
        "Debug team A's production workloads",
    ]


def test_mine_are_selected_by_the_server_whatever_the_name(jit_stamped: Plugin) -> None:
    jit_stamped.team.policy(requesters=[{"kind": "Group", "name": "developers"}])
    name = jit_stamped.asked(user="bob, carol")
    jit_stamped.asked()
    assert jit_stamped.ok("ls", "-o", "name", user="bob, carol") == f"accessrequest.jitaccess.dev/{name}\n"


def test_policies_say_what_one_may_do(jit_stamped: Plugin) -> None:
    jit_stamped.team.policy(description="Debug production")
    assert "may ask" in jit_stamped.ok("policies")
    assert "decide" in jit_stamped.ok("policies", user="bob")
    both = json.loads(jit_stamped.ok("policies", "-o", "json", user="dave"))
    assert [(p["name"], p["mayRequest"], p["mayApprove"], p["maxDuration"]) for p in both] == [("debug", True, True, "4h")]
    nobody = jit_stamped("policies", user="mallory")
    assert nobody.code == 3
    assert "no AccessPolicy there names you" in nobody.err


def test_explain_answers_for_oneself(jit: Plugin) -> None:
    jit.team.policy()
    yes = jit.ok("explain", "--role", "view")
    assert f"May alice have role view in namespace {jit.team.namespace}? yes, by asking" in yes
    assert "1 approval from Group leads" in yes
    name = jit.asked()
    jit.ok("approve", name, "-y", user="bob")
    jit.team.until(name, "Active")
    assert f"You have ClusterRole view now, through {name}, which ends in " in jit.ok("explain")
    no = jit("explain", "--role", "view", user="bob")
    assert no.code == 3
    assert "no: bob does not hold the verb `request` on it; it names Group developers" in no.out
    assert "There is no policy in namespace" in jit("explain", "--role", "admin").out
    nobody = jit("explain", user="mallory")
    assert nobody.code == 3
    assert "no AccessPolicy there names you" in nobody.out


def test_explain_answers_admins_about_others(jit_stamped: Plugin) -> None:
    jit_stamped.team.policy()
    assert "? yes, by asking" in jit_stamped.ok("explain", "--user", "zoe", "--group", "developers", user="admin")
    decides = jit_stamped("explain", "--user", "zoe", "--group", "leads", user="admin")
    assert decides.code == 3
    assert "yes, though not on zoe's own requests" in decides.out
    groupless = jit_stamped("explain", "--user", "zoe", user="admin")
    assert groupless.code == 3
    assert "add them with --group" in groupless.err
    refused = jit_stamped("explain", "--user", "zoe", user="bob")
    assert refused.code == 3
    assert "SubjectAccessReviews" in refused.err


def test_a_policy_that_is_not_in_force_says_why(jit_stamped: Plugin) -> None:
    jit_stamped.team.policy()
    jit_stamped.team.policy("risky", roles=[{"kind": "ClusterRole", "name": "edit"}], ready=False)
    jit_stamped.team.until_condition("risky", "Ready", "False", of=POLICIES)
    answer = jit_stamped("policies")
    assert "not in force" in answer.out
    assert "allowPersistentRisk" in answer.err
    assert "the policy is not in force: " in jit_stamped("explain", "risky").out


def test_the_record_is_complete(jit: Plugin) -> None:
    jit.team.policy()
    name = jit.asked("--for", "1s")
    jit.ok("approve", name, "-y", "-m", "=1+1", user="bob")
    jit.team.until(name, "Expired")
    open_one = jit.asked()
    (row, *others) = csv.DictReader(io.StringIO(jit.ok("export")))
    assert [other["name"] for other in others] == [open_one]
    assert (row["name"], row["requester"], row["role"], row["state"]) == (name, "alice", "view", "Expired")
    assert row["grantedAt"] < row["expiresAt"] <= row["settledAt"]
    assert (row["approver"], row["approvalNote"], row["endReason"], row["endedBy"]) == ("bob", "'=1+1", "DurationElapsed", "")
    assert row["requestedAt"] <= row["approvedAt"] < row["expiresAt"]
    assert "get, list, watch: " in row["roleAllows"]
    assert row["decisions"].startswith("approved by bob (")
    assert row["decisions"].endswith("): =1+1")
    whole = json.loads(jit.ok("export", "-o", "json"))
    lines = [json.loads(line) for line in jit.ok("export", "-o", "jsonl").splitlines()]
    assert sorted(lines, key=lambda line: line["name"]) == sorted(whole, key=lambda line: line["name"])
    assert [(d["verb"], d["by"], d["note"]) for d in whole[0]["decisions"]] == [("approved", "bob", "=1+1")]
    assert [entry["state"] for entry in whole[0]["history"]] == ["Pending", "Pending", "Active", "Expired"]


def test_the_record_has_the_requesters_groups_where_the_api_server_said_them(jit_stamped: Plugin) -> None:
    jit_stamped.team.policy()
    jit_stamped.asked()
    [row] = csv.DictReader(io.StringIO(jit_stamped.ok("export")))
    assert row["requesterGroups"] == "developers; system:authenticated"


def test_the_record_has_a_gap_where_an_open_request_was_deleted(jit: Plugin) -> None:
    jit.team.policy()
    name = jit.team.granted()
    uid = jit.team.get(name)["metadata"]["uid"]
    jit.team.admin.delete(REQUESTS, name).sure()
    eventually(lambda: jit.ok("export", "-o", "jsonl", user="admin"), f"an export that tells of {name}, which was deleted")
    answer = jit("export", "-o", "json", user="admin")
    [row] = json.loads(answer.out)
    assert (row["name"], row["uid"], row["state"], row["endReason"]) == (name, uid, "Deleted", "RequestDeleted")
    assert (row["requester"], row["role"], row["reason"]) == ("alice", "view", "INC-42 pods crash looping")
    assert [approval["approver"] for approval in row["approvals"]] == ["bob"]
    assert row["grantedAt"] < row["expiresAt"]
    assert "alice asked for ClusterRole view" in row["message"]
    assert "approved by bob, and Active until " in row["message"]
    assert "0 requests" in answer.err
    assert "and 1 that somebody deleted" in answer.err
    assert name in jit.ok("export", user="admin"), "in csv too"
    unentitled = jit("export", "-o", "jsonl")
    assert (unentitled.out, unentitled.code) == ("", 0)
    assert "you may not read Events" in unentitled.err


@pytest.mark.parametrize("since", ["0h", "2099-01-01"])
def test_the_record_of_another_period(jit_stamped: Plugin, since: str) -> None:
    jit_stamped.team.policy()
    name = jit_stamped.asked()
    jit_stamped.ok("withdraw", name, "-y")
    jit_stamped.team.until(name, "Withdrawn")
    answer = jit_stamped("export", "--since", since, "-o", "jsonl")
    assert answer.out == ""
    assert answer.code == (0 if since == "0h" else 2)
