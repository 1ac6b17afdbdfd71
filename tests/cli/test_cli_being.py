"""Using access that is delivered as a temporary identity: `as`, `kubeconfig`, and the login that a kubeconfig asks for."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from cli.plugin import ROOT, Answer, Plugin
from jitaccess.domain.text import parse_time
from team import PATIENCE, eventually

SECRETS = ("token", "client-key-data", "password")


@pytest.fixture
def tools(jit_stamped: Plugin, tmp_path: Path) -> str:
    """A PATH with kubectl and the plugin, as people have it."""
    plugin = tmp_path / "kubectl-jit"
    plugin.write_text(
        f"#!/bin/sh\nPYTHONPATH={ROOT / 'operator'} exec {sys.executable} -c 'from jitaccess.cli import main; main()' \"$@\"\n"
    )
    plugin.chmod(0o755)
    return os.pathsep.join([str(tmp_path), str(jit_stamped.team.plane.binaries["kubectl"].parent), os.environ["PATH"]])


@pytest.fixture
def borne(jit_stamped: Plugin) -> str:
    """A request of alice's that is delivered as an identity, and that she can use."""
    team = jit_stamped.team
    team.policy(delivery="Identity")
    name = team.granted()
    eventually(lambda: team.identity(name).get("pods").ok, "alice has the access")
    return name


def kubectl(jit: Plugin, config: Path, tools: str, *words: str) -> Answer:
    """Run kubectl with that kubeconfig and nothing else."""
    environment = jit.environment("alice", PATH=tools, KUBECONFIG=str(config), HOME=str(config.parent), KUBERC="off")
    done = subprocess.run(
        ["kubectl", *words],
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    return Answer(done.returncode, done.stdout, done.stderr)


def test_as_runs_kubectl_as_the_identity_in_the_namespace_of_the_grant(
    jit_stamped: Plugin, borne: str, tools: str, tmp_path: Path
) -> None:
    its = {"PATH": tools, "HOME": str(tmp_path)}  # kubectl looks there, whatever KUBECONFIG says
    identity = jit_stamped.team.status(borne)["identity"]
    answer = jit_stamped("as", borne, "--", "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}", **its)
    assert (answer.code, answer.out) == (0, identity)
    listed = jit_stamped("as", borne, "-n", jit_stamped.team.namespace, "--", "get", "pods", **its)
    assert listed.code == 0, listed
    refused = jit_stamped("as", borne, "--", "get", "secrets", **its)
    assert (refused.code, "forbidden" in refused.err) == (1, True), "kubectl's own exit code"


def test_a_kubeconfig_impersonates_and_has_no_secret_in_it(jit_stamped: Plugin, borne: str, tools: str, tmp_path: Path) -> None:
    text = jit_stamped.ok("kubeconfig", borne)
    config = yaml.safe_load(text)
    [user] = config["users"]
    assert not set(SECRETS) & user["user"].keys()
    assert jit_stamped.team.plane.token("alice") not in text
    assert user["user"]["as"] == jit_stamped.team.status(borne)["identity"]
    (tmp_path / "grant.yaml").write_text(text)
    assert kubectl(jit_stamped, tmp_path / "grant.yaml", tools, "get", "pods").code == 0
    assert kubectl(jit_stamped, tmp_path / "grant.yaml", tools, "get", "secrets").code == 1


def test_a_kubeconfig_with_tokens_has_none_in_it_and_dies_with_the_grant(
    jit_stamped: Plugin, borne: str, tools: str, tmp_path: Path
) -> None:
    text = jit_stamped.ok("kubeconfig", borne, "--token")
    [user] = yaml.safe_load(text)["users"]
    assert user["user"].keys() == {"exec"}
    assert jit_stamped.team.plane.token("alice") not in text
    (tmp_path / "grant.yaml").write_text(text)
    assert kubectl(jit_stamped, tmp_path / "grant.yaml", tools, "get", "pods").code == 0
    jit_stamped.ok("withdraw", borne, "--yes")
    jit_stamped.team.until(borne, "Revoked")
    answer = kubectl(jit_stamped, tmp_path / "grant.yaml", tools, "get", "pods")
    assert answer.code == 1
    assert f"{borne} gives no access now (Revoked" in answer.err


def test_a_credential_never_says_to_be_of_use_after_the_grant(jit_stamped: Plugin, borne: str) -> None:
    made = json.loads(jit_stamped.ok("credential", borne))
    assert (made["apiVersion"], made["kind"]) == ("client.authentication.k8s.io/v1", "ExecCredential")
    ends = parse_time(jit_stamped.team.status(borne)["expiresAt"])
    assert datetime.now(UTC) < parse_time(made["status"]["expirationTimestamp"]) <= ends


@pytest.mark.parametrize("command", [("as", "{}", "--", "get", "pods"), ("kubeconfig", "{}"), ("credential", "{}")], ids=str)
def test_access_that_is_ones_own_or_over_is_told_apart(jit_stamped: Plugin, command: tuple[str, ...]) -> None:
    team = jit_stamped.team
    team.policy()
    name = team.granted()
    answer = jit_stamped(*(word.format(name) for word in command))
    assert answer.code == 2
    assert f"the access of {name} is alice's own: use kubectl as you are" in answer.err
    team.decide("alice", "revoke", name)
    team.until(name, "Revoked")
    answer = jit_stamped(*(word.format(name) for word in command))
    assert answer.code == 3
    assert f"{name} gives no access now (Revoked" in answer.err


def test_what_cannot_be_run_is_said(jit_stamped: Plugin, borne: str, tmp_path: Path) -> None:
    answer = jit_stamped("as", borne)
    assert (answer.code, "say what to run" in answer.err) == (2, True)
    answer = jit_stamped("as", borne, "--", "get", "pods", PATH=str(tmp_path))
    assert (answer.code, "there is no kubectl in PATH" in answer.err) == (1, True)
    answer = jit_stamped("--as", "bob", "as", borne, "--", "get", "pods")
    assert (answer.code, "leave out --as" in answer.err) == (2, True)


def test_show_names_the_identity(jit_stamped: Plugin, borne: str) -> None:
    assert jit_stamped.team.status(borne)["identity"].rpartition(":")[2] in jit_stamped.ok("show", borne).replace(
        "\n", ""
    ).replace(" ", "")
