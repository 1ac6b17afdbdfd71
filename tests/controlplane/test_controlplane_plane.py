"""The control plane itself, on the real binaries."""

import json
import os
import signal
import socket
import stat
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from controlplane import ControlPlane, ControlPlaneError, KubectlError
from controlplane.audit import read_events
from controlplane.components import COMPONENTS, LOOPBACK, Component, Ports, free_port


def whoami(plane: ControlPlane, user: str) -> dict[str, Any]:
    answer = plane.kubectl("auth", "whoami", "-o", "json", user=user).stdout
    return dict(json.loads(answer)["status"]["userInfo"])


def test_any_name_reaches_the_server_unchanged(plane: ControlPlane, odd_name: str) -> None:
    me = whoami(plane, odd_name)
    assert me["username"] == odd_name
    assert me["groups"] == ["developers", "system:authenticated"]


def test_groups_and_uid_reach_the_server(plane: ControlPlane) -> None:
    dave = {
        "username": "dave",
        "uid": "u-1",
        "groups": ["two words", 'q"uote', "system:authenticated"],
    }
    assert whoami(plane, "dave") == dave


def test_only_rbac_gives_rights(plane: ControlPlane) -> None:
    assert plane.kubectl("auth", "can-i", "*", "*").stdout == "yes\n"
    with pytest.raises(KubectlError, match='User "mallory" cannot list resource "namespaces"'):
        plane.kubectl("get", "namespaces", user="mallory")


def test_a_user_who_is_not_there_is_an_error_that_says_what_to_do(plane: ControlPlane) -> None:
    with pytest.raises(ControlPlaneError, match="add it"):
        plane.kubeconfig("nobody")


def test_a_kubeconfig_holds_one_token_and_is_private(plane: ControlPlane) -> None:
    path = plane.kubeconfig("alice", namespace="team-a")
    text = path.read_text()
    assert plane.token("alice") in text
    assert not any(plane.token(user) in text for user in plane.users if user != "alice")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "namespace: team-a" in text


def test_one_kubeconfig_with_a_context_for_each_person(plane: ControlPlane) -> None:
    path = plane.kubeconfig_with_contexts(["alice", "bob"])
    command = [
        str(plane.binaries["kubectl"]),
        "--kubeconfig",
        str(path),
        "auth",
        "whoami",
        "-o",
        "name",
    ]
    for context in ("alice", "bob"):
        subprocess.run([*command, "--context", context], check=True, capture_output=True)


def test_view_has_its_rules(plane: ControlPlane) -> None:
    rules = json.loads(plane.kubectl("get", "clusterrole", "view", "-o", "json").stdout)["rules"]
    assert any("pods" in rule["resources"] for rule in rules)


def test_the_version_is_the_pinned_one(plane: ControlPlane) -> None:
    answer = json.loads(plane.kubectl("version", "-o", "json").stdout)
    assert answer["serverVersion"]["gitVersion"] == answer["clientVersion"]["gitVersion"]
    assert "master" not in answer["serverVersion"]["gitVersion"]


def test_a_service_account_reads_its_token_from_a_file_that_can_be_renewed(
    plane: ControlPlane,
) -> None:
    plane.kubectl("create", "serviceaccount", "robot")
    path = plane.service_account_kubeconfig("default", "robot", hours=1)
    command = [str(plane.binaries["kubectl"]), "--kubeconfig", str(path), "auth", "whoami"]
    shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "system:serviceaccount:default:robot" in shown
    [file] = path.parent.glob("default.robot.token")
    first = file.read_text()
    assert plane.service_account_kubeconfig("default", "robot") == path
    assert file.read_text() != first
    assert first not in path.read_text()
    with pytest.raises(ControlPlaneError, match=r"no token for the ServiceAccount default/nobody: .*not found"):
        plane.service_account_kubeconfig("default", "nobody")


def test_audit_events_are_complete_as_soon_as_the_answer_is_there(plane: ControlPlane) -> None:
    for number in range(5):
        start = plane.audit_position()
        plane.kubectl("create", "configmap", f"audited-{number}")
        [event] = [e for e in plane.audit_events(start) if e["user"]["username"] == "admin"]
        assert event["verb"] == "create"
        assert event["objectRef"]["name"] == f"audited-{number}"
        assert event["responseStatus"]["code"] == 201


def test_what_anybody_did_on_their_own_connection_is_in_the_log_at_once(plane: ControlPlane) -> None:
    for number in range(20):
        start = plane.audit_position()
        plane.person("alice").get("configmaps", f"nothing-{number}")
        [event] = [e for e in plane.audit_events(start) if e["user"]["username"] == "alice"]
        assert event["objectRef"]["name"] == f"nothing-{number}"


def test_a_refusal_is_in_the_audit_log(plane: ControlPlane) -> None:
    start = plane.audit_position()
    plane.kubectl("create", "configmap", "refused", user="mallory", check=False)
    [event] = [e for e in plane.audit_events(start) if e["verb"] == "create"]
    assert event["user"]["username"] == "mallory"
    assert event["responseStatus"]["code"] == 403


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_killed_component_comes_back_with_its_data(plane: ControlPlane, component: Component) -> None:
    name = f"survives-{component}"
    plane.kubectl("create", "configmap", name)
    plane.kill(component)
    assert not plane.processes[component].running
    plane.start_component(component)
    plane.kubectl("get", "configmap", name)


def test_the_api_server_restarts_on_its_port_and_tokens_stay_valid(plane: ControlPlane) -> None:
    plane.kubectl("create", "serviceaccount", "stays")
    path = plane.service_account_kubeconfig("default", "stays")
    server, alice = plane.server, plane.person("alice")
    assert alice.get("configmaps").status == 403, "a connection that the restart cuts"
    plane.restart_apiserver()
    assert plane.server == server
    assert alice.get("configmaps").status == 403, "a new connection with the same token"
    subprocess.run([plane.binaries["kubectl"], "--kubeconfig", path, "auth", "whoami"], check=True)


def test_a_paused_api_server_does_not_answer_and_then_goes_on(plane: ControlPlane) -> None:
    hasty = replace(plane.person(), timeout=1.0, _lines=[])
    plane.pause("kube-apiserver")
    with pytest.raises(TimeoutError):
        hasty.get("namespaces")
    plane.resume("kube-apiserver")
    plane.kubectl("get", "namespaces")


def test_the_dead_mans_switch_works(plane: ControlPlane, eventually: Callable[..., bool]) -> None:
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "switch", "namespace": "default"},
        "spec": {
            "completions": 0,
            "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "x", "image": "x"}]}},
        },
    }
    created = plane.kubectl("create", "-o", "jsonpath={.metadata.uid}", "-f", "-", input=json.dumps(job))
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": "switch", "uid": created.stdout}
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "owned", "namespace": "default", "ownerReferences": [owner]},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "mallory"}],
    }
    plane.kubectl("create", "-f", "-", input=json.dumps(binding))
    left = "get", "rolebinding", "owned", "--ignore-not-found", "-o", "name"
    assert plane.kubectl(*left).stdout
    plane.kubectl("patch", "job", "switch", "--type=merge", "-p", '{"spec": {"ttlSecondsAfterFinished": 2}}')
    assert eventually(lambda: not plane.kubectl(*left).stdout)


def test_two_planes_side_by_side_know_nothing_of_each_other(plane: ControlPlane) -> None:
    plane.kubectl("create", "configmap", "mine")
    with ControlPlane() as other:
        assert other.server != plane.server
        assert other.token("alice") != plane.token("alice")
        assert "mine" not in other.kubectl("get", "configmaps", "-o", "name").stdout
        root = other.files.root
    assert not root.exists()
    plane.kubectl("get", "configmap", "mine")


def test_stopping_waits_for_nobody_and_can_be_repeated() -> None:
    plane = ControlPlane().start()
    root, processes = plane.files.root, [*plane.processes.values()]
    plane.stop()
    plane.stop()
    assert [process.exit_code for process in processes] == [-signal.SIGKILL] * 3, "none is asked to end, and given time for it"
    assert not root.exists()


def test_without_audit_nothing_pretends_to_be_an_empty_log() -> None:
    with pytest.raises(ControlPlaneError, match="audit=True"):
        ControlPlane().audit_events()


def test_the_users_own_kubectl_settings_play_no_part(
    plane: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").write_text("not: [a kubeconfig")
    monkeypatch.setenv("KUBECONFIG", os.fspath(tmp_path / "config"))
    monkeypatch.setenv("HOME", os.fspath(tmp_path))
    plane.kubectl("get", "namespaces")
    assert [path.name for path in tmp_path.iterdir()] == ["config"]


@pytest.mark.parametrize("which", ["etcd", "peer", "api"])
def test_a_port_that_somebody_took_meanwhile_is_given_up(which: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server((LOOPBACK, 0)) as squatter:
        taken = {"etcd": free_port(), "peer": free_port(), "api": free_port()}
        taken[which] = squatter.getsockname()[1]
        plane = ControlPlane()
        monkeypatch.setattr(plane, "_ports", Ports(**taken))
        with plane:
            assert str(taken["api"]) not in plane.server


@pytest.mark.parametrize(
    ("start", "found"),
    [
        pytest.param(0, [1, 22, 333], id="from-the-beginning"),
        pytest.param(2, [22, 333], id="where-a-line-begins"),
        pytest.param(3, [333], id="within-a-line-that-had-begun-before"),
        pytest.param(9, [], id="at-the-end"),
        pytest.param(10, [], id="within-a-line-that-is-being-written"),
    ],
)
def test_only_whole_lines_are_audit_events(tmp_path: Path, start: int, found: list[Any]) -> None:
    log = tmp_path / "audit.log"
    log.write_text("1\n22\n333\n44")
    assert read_events(log, start) == found
