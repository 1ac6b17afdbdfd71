"""Asking: what is inferred, what is refused and why, waiting, and going on."""

import json
import re
from pathlib import Path

import pytest

from cli.plugin import HELD, Plugin
from team import PATIENCE, POLICIES

REASON = "INC-42 pods crash looping"


def test_one_policy_with_one_role_needs_nothing_but_a_reason(jit: Plugin) -> None:
    jit.team.policy()
    answer = jit("request", "--reason", REASON)
    assert answer.code == 0, answer
    assert answer.out.startswith("accessrequest/alice-")
    assert "Pending: needs 1 approval from Group leads" in answer.out
    spec = jit.team.get(answer.out.split()[0].partition("/")[2])["spec"]
    assert spec == {
        "policyRef": {"kind": "AccessPolicy", "name": "debug"},
        "roleRef": {"kind": "ClusterRole", "name": "view"},
        "duration": "1h",
        "reason": REASON,
        "requester": "alice",
    }


def test_what_needs_no_approval_is_reported_as_granted(jit: Plugin) -> None:
    jit.team.policy(requiredApprovals=0, approvers=[], maxDuration="15m")
    answer = jit("request", "--reason", "just looking")
    assert answer.code == 0, answer
    assert "Active: ClusterRole view until " in answer.out
    assert re.search(r"\(in 1[45]m", answer.out), "an hour, or the policy's longest if that is shorter"


@pytest.mark.parametrize(
    ("user", "words", "code", "said"),
    [
        pytest.param("alice", ["debug"], 2, "say why: --reason", id="without-a-reason"),
        pytest.param("alice", ["debug", "-r", "x", "--for", "5h"], 2, "allows at most 4h, not 5h", id="too-long"),
        pytest.param("alice", ["debug", "-r", "x", "--for", "1d"], 2, "write it like 30m, 4h or 1h30m", id="no-duration"),
        pytest.param(
            "alice", ["debug", "-r", "a\nb"], 2, "the reason has U+000A (LINE FEED) at character 2: remove it", id="two-lines"
        ),
        pytest.param("alice", ["debug", "-r", "x", "--role", "edit"], 2, "debug offers ClusterRole view", id="role-not-offered"),
        pytest.param("alice", ["nope", "-r", "x"], 1, "there is no policy nope", id="no-such-policy"),
        pytest.param("mallory", ["debug", "-r", "x"], 3, "no AccessPolicy there names you", id="in-no-policy"),
        pytest.param("bob", ["debug", "-r", "x"], 3, "bob may not create accessrequests", id="an-approver-is-no-requester"),
    ],
)
def test_a_refusal_says_why_and_has_its_exit_code(jit_stamped: Plugin, user: str, words: list[str], code: int, said: str) -> None:
    jit_stamped.team.policy()
    answer = jit_stamped("request", *words, user=user)
    assert (answer.code, answer.out) == (code, ""), answer
    assert said in answer.err


def test_an_open_choice_is_named_in_a_script_and_offered_at_a_terminal(jit_stamped: Plugin) -> None:
    jit_stamped.team.policy("debug")
    jit_stamped.team.policy("look", maxDuration="30m")
    answer = jit_stamped("request", "--reason", REASON)
    assert answer.code == 2
    assert "you may use several policies: say which, debug or look" in answer.err

    terminal = jit_stamped.at_terminal("request")
    seen = terminal.expect("Which: ")
    assert "debug" in seen
    assert "1 approval from Group leads" in seen
    terminal.type("2")
    terminal.expect("For how long (at most 30m) [30m]: ")
    terminal.type("10m")
    terminal.expect("Why: ")
    terminal.type(REASON)
    assert terminal.end() == 0, terminal.seen
    name = jit_stamped.ok("ls", "-o", "name").strip().partition("/")[2]
    assert jit_stamped.team.get(name)["spec"]["policyRef"]["name"] == "look"
    assert jit_stamped.team.get(name)["spec"]["duration"] == "10m"
    assert f"kubectl jit watch {name}" in terminal.seen


def test_nothing_to_ask_for_says_what_is_the_matter(jit_stamped: Plugin) -> None:
    jit_stamped.team.policy("other", requesters=[{"kind": "Group", "name": "admins"}])
    jit_stamped.team.policy("mine", roles=[{"kind": "ClusterRole", "name": "edit"}], ready=False)
    jit_stamped.team.until_condition("mine", "Ready", "False", of=POLICIES)
    jit_stamped.team.policy(
        "visible", approvers=[{"kind": "User", "name": "alice"}], requesters=[{"kind": "User", "name": "erin"}]
    )
    answer = jit_stamped("request", "--reason", "x")
    assert answer.code == 3, answer
    assert "there is nothing you may request" in answer.err
    assert "mine is not in force: " in answer.err
    assert "allowPersistentRisk" in answer.err


def test_a_dry_run_asks_the_api_server_and_changes_nothing(jit: Plugin) -> None:
    jit.team.policy()
    answer = jit("request", "--dry-run", "--reason", REASON, "--for", "2h")
    assert answer.code == 0, answer
    assert "The API server would accept this: ClusterRole view in namespace " in answer.out
    assert "for 2h" in answer.out
    assert jit.ok("ls", "-o", "name") == ""
    refused = jit("request", "debug", "--dry-run", "--reason", REASON, user="carol")
    assert refused.code == 3


def test_waiting_ends_with_the_grant(jit: Plugin) -> None:
    jit.team.policy()
    terminal = jit.at_terminal("request", "--reason", REASON, "--wait")
    seen = terminal.expect("Pending: needs 1 approval from Group leads")
    name = next(word for word in seen.split() if word.startswith("alice-"))
    jit.ok("approve", name, "-y", "-m", "go ahead", user="bob")
    assert terminal.end() == 0
    assert f"accessrequest/{name}  Active: ClusterRole view until " in terminal.seen


def test_waiting_ends_with_a_denial(jit: Plugin) -> None:
    jit.team.policy()
    run = jit.start("request", "--reason", REASON, "--wait")
    run.expect("Pending: needs 1 approval")
    name = jit.ok("ls", "-o", "name").strip().partition("/")[2]
    jit.ok("deny", name, "-y", "-m", "not today", user="bob")
    out, _ = run.communicate(timeout=PATIENCE)
    assert run.returncode == 3
    assert f"accessrequest/{name}  Denied: by bob: not today" in out


def test_waiting_no_longer_than_asked(jit_stamped: Plugin, tmp_path: Path) -> None:
    jit_stamped.team.policy()
    over = tmp_path / "over"
    run = jit_stamped.start("request", "--reason", REASON, "--timeout", "1s", code=HELD, OVER=str(over))
    run.expect("Pending: needs 1 approval from Group leads")
    over.touch()
    _, err = run.communicate(timeout=PATIENCE)
    assert run.returncode == 4
    assert "not decided within 10s: needs 1 approval from Group leads" in err
    assert "the request stays" in err


def test_a_request_that_times_out_has_its_own_exit_code(jit_stamped: Plugin) -> None:
    jit_stamped.team.policy(pendingTimeout="3s")
    answer = jit_stamped("request", "--reason", REASON, "--wait")
    assert answer.code == 4
    assert "TimedOut: no decision until " in answer.out


def test_an_interrupted_wait_says_that_the_request_stays(jit_stamped: Plugin) -> None:
    jit_stamped.team.policy()
    terminal = jit_stamped.at_terminal("request", "--reason", REASON, "--wait")
    terminal.expect("Pending: needs 1 approval")
    terminal.interrupt()
    assert terminal.end() == 130
    assert "the request stays" in terminal.seen
    assert "kubectl jit withdraw alice-" in terminal.seen


def test_going_on_is_a_new_request_that_needs_approval_again(jit: Plugin) -> None:
    jit.team.policy()
    old = jit.asked("--for", "2h")
    jit.ok("approve", old, "-y", user="bob")
    jit.team.until(old, "Active")
    new = json.loads(jit.ok("extend", old, "--for", "30m", "-o", "json"))
    assert new["metadata"]["name"] != old
    assert new["spec"]["duration"] == "30m"
    assert new["spec"]["reason"] == f"extends {old}: {REASON}"
    jit.team.until(new["metadata"]["name"], "Pending")
    jit.ok("approve", new["metadata"]["name"], "-y", user="carol")
    jit.team.until(new["metadata"]["name"], "Active")
    assert jit.team.state(old) == "Active", "the two overlap"
    assert "only they can continue it" in jit("extend", old, user="bob").err


def test_going_on_after_a_revocation_says_so_to_both(jit: Plugin) -> None:
    jit.team.policy()
    old = jit.asked()
    jit.ok("approve", old, "-y", user="bob")
    jit.team.until(old, "Active")
    jit.ok("revoke", old, "-y", "-m", "enough", user="carol")
    jit.team.until(old, "Revoked")
    answer = jit("extend", old)
    assert answer.code == 0, answer
    assert re.search(rf"warning: {old} is over: Revoked by carol \w+ ago: enough", answer.err)
    new = answer.out.split()[0].partition("/")[2]
    assert jit.team.get(new)["spec"]["reason"] == f"extends {old}, which was revoked: {REASON}"
    terminal = jit.at_terminal("approve", new, user="bob", columns=120)
    seen = terminal.expect("[y/N]: ")
    assert re.search(rf"Refused +ClusterRole view, Revoked by carol \w+ ago: enough \({old}\)", seen)
    terminal.type("n")
    terminal.end()


FILE = """\
apiVersion: jitaccess.dev/v1alpha1
kind: AccessRequest
metadata: {name: inc-42}
spec:
  policyRef: {name: debug}
  roleRef: {kind: ClusterRole, name: view}
  duration: 15m
  reason: INC-42 pods crash looping
"""


def test_a_request_from_a_file(jit: Plugin, tmp_path: Path) -> None:
    jit.team.policy()
    file = tmp_path / "request.yaml"
    file.write_text(FILE)
    tried = jit("request", "-f", str(file), "--dry-run")
    assert tried.code == 0, tried
    assert "The API server would accept this: ClusterRole view in namespace " in tried.out
    assert "Then: 1 approval from Group leads." in tried.out
    assert jit.ok("ls", "-o", "name") == ""
    made = jit("request", "-f", str(file))
    assert made.code == 0, made
    assert "accessrequest/inc-42  Pending: needs 1 approval from Group leads" in made.out
    spec = jit.team.get("inc-42")["spec"]
    assert (spec["requester"], spec["duration"], spec["policyRef"]["kind"]) == ("alice", "15m", "AccessPolicy")
    again = jit("request", "-f", str(file))
    assert (again.code, "already exists" in again.err) == (1, True)
    file.write_text(FILE.replace("  name: inc-42", "").replace("{name: inc-42}", "{}"))
    other = jit.ok("request", "-f", str(file), "-o", "name").strip().partition("/")[2]
    assert other.startswith("alice-")


@pytest.mark.parametrize(
    ("change", "args", "code", "said"),
    [
        pytest.param(("duration: 15m", "duration: 9h"), [], 3, "allows at most 4h, not 9h", id="too-long"),
        pytest.param(("duration: 15m", "duraton: 15m"), [], 2, 'unknown field "spec.duraton"', id="a-misspelt-field"),
        pytest.param(("name: view", "name: edit"), [], 3, "does not offer ClusterRole edit", id="a-role-that-is-not-offered"),
        pytest.param(("kind: AccessRequest", "kind: Pod"), [], 2, "has a Pod of jitaccess.dev/v1alpha1", id="another-kind"),
        pytest.param(("spec:", "spec:\n  requester: bob"), [], 3, "must be your own user name", id="in-anothers-name"),
        pytest.param(("", ""), ["--for", "1h"], 2, "-f has all of the request", id="with-other-words"),
    ],
)
def test_a_file_that_is_refused_says_why(
    jit_stamped: Plugin, tmp_path: Path, change: tuple[str, str], args: list[str], code: int, said: str
) -> None:
    jit_stamped.team.policy()
    file = tmp_path / "request.yaml"
    file.write_text(FILE.replace(*change) if change[0] else FILE)
    answer = jit_stamped("request", "-f", str(file), *args)
    assert (answer.code, answer.out) == (code, ""), answer
    assert said in answer.err
    assert jit_stamped.ok("ls", "-o", "name") == ""


def test_a_file_that_is_not_there_is_a_usage_error(jit_stamped: Plugin, tmp_path: Path) -> None:
    answer = jit_stamped("request", "-f", str(tmp_path / "no.yaml"))
    assert answer.code == 2
    assert "No such file" in answer.err


def test_a_ticket_is_asked_for_shown_exported_and_carried_along(jit: Plugin) -> None:
    jit.team.policy(ticket={"pattern": "^INC-[0-9]+$"})
    for words, said in (([], "no ticket was given"), (["--ticket", "42"], "the ticket 42 is none for it")):
        refused = jit("request", "--reason", REASON, *words)
        assert (refused.code, refused.out) == (2, ""), refused
        assert f"policy debug asks for a ticket that matches ^INC-[0-9]+$: {said}" in refused.err
    assert not jit.team.admin.get("accessrequests").sure()["items"], "nothing was made"
    asked = jit.ok("request", "--reason", REASON, "--ticket", "INC-42")
    name = asked.split()[0].partition("/")[2]
    assert jit.team.get(name)["spec"]["ticket"] == "INC-42"
    assert re.search(r"^Ticket +INC-42$", jit.ok("show", name), re.MULTILINE)
    assert "INC-42" in jit.ok("ls", "-o", "wide")
    assert json.loads(jit.ok("export", "-o", "json"))[0]["ticket"] == "INC-42"
    again = jit.ok("extend", name, "--for", "30m").split()[0].partition("/")[2]
    assert jit.team.get(again)["spec"]["ticket"] == "INC-42"


def test_a_limit_is_foreseen_and_explained(jit: Plugin) -> None:
    jit.team.policy(requiredApprovals=0, approvers=[], limits={"activePerRequester": 1, "activeInTotal": 5})
    name = jit.ok("request", "--reason", REASON).split()[0].partition("/")[2]
    jit.team.until(name, "Active")
    refused = jit("request", "--reason", REASON)
    assert (refused.code, refused.out) == (3, ""), refused
    words = " ".join(refused.err.split())
    assert "alice has 1 of 1 grant under AccessPolicy debug; room again at " in words
    assert f"when {name} ends" in words
    told = " ".join(jit.ok("explain", "debug").split())
    assert "Limits 1 grant a person at once (1 taken); 5 grants at once in total (1 taken)" in told
