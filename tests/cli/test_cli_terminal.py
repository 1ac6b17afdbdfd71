"""The plugin as a program: first words, help, exit codes, colours, widths, connections, completion, speed."""

import os
import subprocess
import sys

import pytest
from rich.cells import cell_len

from cli.plugin import PLUGIN, WARM, Plugin

ESC = "\x1b"


def test_without_arguments_it_says_the_three_things_most_people_want(jit_stamped: Plugin) -> None:
    answer = jit_stamped(KUBECONFIG="/dev/null/config")
    assert answer.code == 0
    for words in ("kubectl jit request", "kubectl jit ls", "kubectl jit review", "kubectl jit --help"):
        assert words in answer.out


COMMANDS = [
    "request",
    "extend",
    "withdraw",
    "review",
    "approve",
    "deny",
    "revoke",
    "reviewed",
    "lock",
    "unlock",
    "locks",
    "ls",
    "show",
    "watch",
    "policies",
    "explain",
    "export",
    "audit",
    "lint",
    "as",
    "kubeconfig",
    "credential",
    "completion",
    "version",
    "help",
]


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_fits_the_terminal(jit_stamped: Plugin, command: str) -> None:
    """A program for each, so that none needs what another has imported."""
    answer = jit_stamped(*([command] if command else []), "--help", program=PLUGIN, COLUMNS="80")
    assert answer.code == 0
    usage, _, rest = answer.out.partition("\n")
    assert usage.startswith("Usage: kubectl jit")
    assert "..." not in rest.split("Options")[0], "nothing of it is cut off"
    assert command in ("audit", "completion", "help", "lint") or "Connection, as in kubectl" in answer.out
    assert all(len(line) <= 100 for line in answer.out.splitlines())


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["sho"], "there is no command 'sho'; did you mean show?"),
        (["ls", "--nope"], "--nope"),
        (["ls", "--all", "--active"], "exclude each other"),
        (["show", "a/b/c"], "is not the name of a request"),
        (["export", "--since", "whenever"], "neither a time span"),
        (["ls", "--as-group", "x"], "--as-group needs --as USER too"),
    ],
)
def test_usage_errors_are_told_with_exit_code_2_or_1(jit_stamped: Plugin, args: list[str], said: str) -> None:
    answer = jit_stamped(*args)
    assert answer.code == (1 if "--as-group" in args else 2), answer
    assert said in answer.err
    assert answer.out == ""
    assert "Traceback" not in answer.err


def test_an_outage_is_an_error_with_advice_and_not_a_no(jit_stamped: Plugin) -> None:
    config = jit_stamped.team.plane.kubeconfig("alice").read_text().replace(jit_stamped.team.plane.server, "https://127.0.0.1:1")
    file = jit_stamped.team.plane.files.root / "nowhere.kubeconfig"
    file.write_text(config)
    answer = jit_stamped("ls", "--kubeconfig", str(file))
    assert answer.code == 1
    assert "cannot reach https://127.0.0.1:1" in answer.err
    assert "VPN" in answer.err


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--kubeconfig", "/nonexistent/config"], "there is no kubeconfig /nonexistent/config"),
        (["--context", "nope"], "nope"),
    ],
)
def test_a_wrong_connection_says_so(jit_stamped: Plugin, args: list[str], said: str) -> None:
    answer = jit_stamped("ls", *args)
    assert answer.code == 1
    assert said in answer.err
    assert "Traceback" not in answer.err


def test_bad_credentials_say_so(jit_stamped: Plugin) -> None:
    plane = jit_stamped.team.plane
    file = plane.files.root / "stale.kubeconfig"
    file.write_text(plane.kubeconfig("alice").read_text().replace(plane.token("alice"), "stale"))
    answer = jit_stamped("ls", "--kubeconfig", str(file))
    assert answer.code == 1
    assert "does not accept your credentials" in answer.err


def test_exec_plugins_work_as_in_kubectl(jit_stamped: Plugin) -> None:
    jit_stamped.team.policy()
    plane = jit_stamped.team.plane
    kind = '"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential"'
    credential = f'{{{kind},"status":{{"token":"{plane.token("alice")}"}}}}'
    script = plane.files.root / "credential.sh"
    script.write_text(f"#!/bin/sh\necho '{credential}'\n")
    script.chmod(0o700)
    login = f"exec: {{apiVersion: client.authentication.k8s.io/v1, command: '{script}', interactiveMode: Never}}"
    file = plane.files.root / "exec.kubeconfig"
    file.write_text(plane.kubeconfig("alice").read_text().replace(f"token: {plane.token('alice')}", login))
    assert login in file.read_text()
    answer = jit_stamped("explain", "--kubeconfig", str(file), "-n", jit_stamped.team.namespace)
    assert "May alice have any role" in answer.out, answer


def test_impersonation_works_as_in_kubectl(jit: Plugin) -> None:
    jit.team.policy()
    ok = jit("request", "--reason", "x", "--as", "zoë", "--as-group", "developers", "-o", "name", user="admin")
    assert ok.code == 0, ok
    name = ok.out.strip().partition("/")[2]
    assert jit.team.get(name)["spec"]["requester"] == "zoë"
    refused = jit("approve", name, "-y", "--as", "zoë", "--as-group", "developers", user="admin")
    assert (refused.code, "nobody may approve their own request" in refused.err) == (3, True)
    assert jit("approve", name, "-y", "--as", "max", "--as-group", "leads", user="admin").code == 0


def test_the_namespace_may_come_before_or_after_the_command_or_in_the_name(jit_stamped: Plugin) -> None:
    jit_stamped.team.policy()
    name = jit_stamped.asked()
    space = jit_stamped.team.namespace
    for args in (
        ["show", name, "-n", space],
        ["-n", space, "show", name],
        ["-n", "nope", "show", "-n", space, name],
        ["show", f"{space}/{name}"],
    ):
        assert jit_stamped("--context", "alice", *args, "-o", "name").out.strip().endswith(name)


@pytest.mark.parametrize("columns", [120, 80, 44])
def test_what_is_shown_fits_the_terminal(jit_stamped: Plugin, columns: int) -> None:
    jit_stamped.team.policy(
        "prod-debug-with-a-long-name", description="Look at what runs in production, and restart it where needed"
    )
    name = jit_stamped.asked()
    for args in (["ls", "--all"], ["policies"], ["show", name], ["explain"]):
        terminal = jit_stamped.at_terminal(*args, columns=columns)
        assert terminal.end() == 0
        wide = [line for line in terminal.seen.splitlines() if cell_len(line) > columns and not line.startswith("  kubectl jit ")]
        assert wide == [], (args, terminal.seen)


def test_colour_is_for_terminals_that_want_it(jit_stamped: Plugin) -> None:
    jit_stamped.team.policy()
    jit_stamped.asked()
    assert ESC not in jit_stamped.ok("ls")
    coloured = jit_stamped.at_terminal("ls")
    coloured.end()
    assert f"{ESC}[33mPending" in coloured.raw
    for args in (["ls"], ["show"], ["policies"], ["explain"], ["nope"]):
        plain = jit_stamped.at_terminal(*args, NO_COLOR="1")
        plain.end()
        assert plain.seen.strip()
        assert ESC not in plain.raw, (args, plain.raw)


def test_flags_before_the_plugin_are_refused_by_kubectl_itself(jit_stamped: Plugin) -> None:
    done = jit_stamped.team.plane.kubectl("--context", "x", "jit", "ls", user="alice", check=False)
    assert (done.returncode, done.stderr.strip()) == (1, "Error: flags cannot be placed before plugin name: --context"), (
        "docs/cli.md"
    )


# A plugin from before the state in which the first request is, which a newer operator calls Suspended.
OLDER = """
from jitaccess.cli import main
from jitaccess.manifests import status
known = status._state
status._state = lambda text: known("Suspended" if text == "Withdrawn" else text)
main()
"""


def test_a_state_of_a_newer_operator_is_reported_and_stops_no_list(jit_stamped: Plugin) -> None:
    jit_stamped.team.policy()
    name, other = jit_stamped.asked(), jit_stamped.asked()
    jit_stamped.ok("withdraw", name, "-y")
    jit_stamped.team.until(name, "Withdrawn")
    jit_stamped.team.until(other, "Pending")
    said = f"request {name} cannot be read: its state 'Suspended' was written by a newer jitaccess"
    for args in (["show", name], ["approve", name, "-y"], ["watch", name]):
        answer = jit_stamped(*args, program=[WARM, "-c", OLDER])
        assert (answer.code, answer.out) == (1, "")
        assert f"error: {said}" in answer.err
        assert "hint: upgrade the plugin" in answer.err
        assert "Traceback" not in answer.err
    for args, code in ((["ls"], 0), (["ls", "-o", "name"], 0), (["watch", "--all", "--timeout", "2s"], 0), (["export"], 1)):
        answer = jit_stamped(*args, program=[WARM, "-c", OLDER])
        assert answer.code == code, answer
        assert f"left out: {said}" in answer.err
        assert other in answer.out, "what can be read is listed"
        assert name not in answer.out


def test_what_looks_like_markup_is_text(jit_stamped: Plugin) -> None:
    jit_stamped.team.policy()
    reason = "[bold red]INC[/bold red] :fire: [link=https://evil.example]x[/link] [/]"
    jit_stamped.ok("request", "--reason", reason)
    assert reason in jit_stamped.ok("ls")
    assert reason in jit_stamped.ok("show")
    terminal = jit_stamped.at_terminal("show", columns=120)
    terminal.end()
    assert reason in terminal.seen


def test_a_reader_that_has_had_enough_is_no_error(jit_stamped: Plugin) -> None:
    jit_stamped.team.policy()
    jit_stamped.asked()
    line = f'"{sys.executable}" -c "from jitaccess.cli import main; main()" ls -o json | head -1'
    done = subprocess.run(
        ["/bin/sh", "-c", line], env=jit_stamped.environment("alice"), capture_output=True, text=True, check=False
    )
    assert done.stdout == "{\n"
    assert done.stderr == ""


def test_kubectl_completes_names_policies_and_words(jit_stamped: Plugin) -> None:
    jit_stamped.team.policy(description="Debug production")
    name = jit_stamped.asked()
    jit_stamped.team.until(name, "Pending")
    assert [line.split("\t")[0] for line in jit_stamped.offered("")] == COMMANDS
    assert jit_stamped.offered("approve", "al", user="bob") == [f"{name}\tPending: alice, view"]
    assert jit_stamped.offered("request", "d") == ["debug\tDebug production"]
    assert jit_stamped.offered("request", "debug", "--role", "") == ["view\tClusterRole, debug"]
    assert jit_stamped.offered("ls", "-o", "j") == ["json"]
    assert jit_stamped.offered("help", "rev") == ["review", "revoke", "reviewed"]
    assert jit_stamped.offered("ls", "--context", "") == ["alice"]
    assert jit_stamped.offered("show", "", user="mallory") == [], "who may see nothing is offered nothing, without an error"


def test_only_what_one_could_use_is_offered(jit_stamped: Plugin) -> None:
    team, jit = jit_stamped.team, jit_stamped
    team.policy()
    team.policy(
        "theirs", requesters=[{"kind": "Group", "name": "leads"}], roles=[{"kind": "ClusterRole", "name": "jitaccess-debug"}]
    )
    team.policy("risky", roles=[{"kind": "ClusterRole", "name": "edit"}], ready=False)
    team.until_condition("risky", "Ready", "False", of="accesspolicies")
    mine, active, ended = jit.asked(), jit.asked(), jit.asked()
    bobs = jit.asked("theirs", user="bob")
    jit.ok("approve", active, "-y", user="bob")
    jit.ok("withdraw", ended, "-y")
    for name, state in ((mine, "Pending"), (active, "Active"), (ended, "Withdrawn"), (bobs, "Pending")):
        team.until(name, state)

    def names(*words: str, user: str = "alice") -> set[str]:
        return {line.split("\t")[0] for line in jit.offered(*words, user=user)}

    assert names("request", "") == {"debug"}, "neither one that does not name me nor one that is not in force"
    assert names("request", "--role", "") == {"view"}
    assert names("explain", "") == {"debug", "theirs", "risky"}, "but each can be explained"
    assert names("approve", "", user="bob") == {mine}, "what waits for bob: not his own, and not what is granted"
    assert names("approve", "", user="carol") == {mine, bobs}
    assert names("approve", mine, "", user="carol") == {bobs}, "nothing twice"
    assert names("approve", "") == set()
    assert names("deny", "", user="bob") == {mine, active}, "a denial ends access too"
    assert names("revoke", "") == {mine, active}
    assert names("revoke", "", user="carol") == {mine, active, bobs}
    assert names("withdraw", "") == {mine, active}
    assert names("extend", "") == {mine, active, ended}
    assert names("watch", "") == {mine, active, bobs}
    assert names("show", "") == {mine, active, ended, bobs}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(jit_stamped: Plugin, shell: str) -> None:
    answer = jit_stamped("completion", shell)
    assert answer.code == 0
    assert f"_KUBECTL_JIT_COMPLETE={shell}_complete" in answer.out


def test_the_bash_protocol_completes_names(jit_stamped: Plugin) -> None:
    jit_stamped.team.policy()
    name = jit_stamped.asked()
    env = {"_KUBECTL_JIT_COMPLETE": "bash_complete", "COMP_WORDS": "kubectl-jit show al", "COMP_CWORD": "2"}
    assert jit_stamped(**env).out == f"plain,{name}\n"


@pytest.mark.parametrize("missing", ["rich", "kubernetes"])
def test_without_the_extra_it_says_what_to_install(jit_stamped: Plugin, missing: str) -> None:
    hide = f"import sys; sys.modules[{missing!r}] = None; from jitaccess.cli import main; main()"
    answer = jit_stamped("ls", program=[sys.executable, "-c", hide])
    assert answer.code == 1
    assert "pip install '.[cli]' in a checkout of jitaccess" in answer.err
    assert "Traceback" not in answer.err


# How much processor time a call may take, against a start of the libraries that it needs and nothing else.
RUNS, MOST = 20, 2.0
BARE = [sys.executable, "-c", "import click, kubernetes.client, kubernetes.config, rich.console, rich.table"]


@pytest.mark.parametrize("args", [["ls", "--all"], ["show", "NAME", "-o", "json"]], ids=["ls", "show"])
def test_one_call_takes_less_than_twice_as_long_as_its_libraries_take_to_start(jit_stamped: Plugin, args: list[str]) -> None:
    jit_stamped.team.policy()
    name = jit_stamped.asked()
    argv = [*PLUGIN, *(name if arg == "NAME" else arg for arg in args)]
    env = jit_stamped.environment("alice")
    bare, took = [_seconds(BARE, env)], [_seconds(argv, env)]
    while min(took) >= MOST * min(bare):
        assert len(took) < RUNS, f"seconds of processor time, of {RUNS} runs: {sorted(took)}, bare {sorted(bare)}"
        bare.append(_seconds(BARE, env))
        took.append(_seconds(argv, env))


def _seconds(argv: list[str], env: dict[str, str]) -> float:
    """The processor time of a run, which is all of its time where nothing else runs, and the same where much does."""
    child = subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0
    return used.ru_utime + used.ru_stime
