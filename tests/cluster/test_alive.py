"""Alive means working: what takes away what the operator watches, and what it says and does until it is back."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from conftest import installed_system
from controlplane.process import Process
from pace import Pace
from system import ROOT, System
from team import PATIENCE, REQUESTS, Team, eventually, new_team

CRDS = ROOT / "crds"
# Seconds of an onlooker. Half of it where nothing else runs, most of which the API server takes to serve a kind that is back.
BACK = 60.0
PROMPT = 15.0  # of its seconds, in which SIGTERM ends the operator; kubelet gives 30
NAMES = ("accessrequests.jitaccess.dev", "accesspolicies.jitaccess.dev")


@pytest.fixture(scope="module")
def installed() -> Iterator[System]:
    """A control plane of their own: these tests take away what everybody needs."""
    with installed_system() as system:
        yield system


@pytest.fixture
def system(installed: System) -> System:
    """The system, complete, with an operator that has just been started."""
    if installed.operator and installed.operator.running:
        installed.operator.kill()
    apply_definitions(installed)
    installed.start_operator()
    return installed


def apply_definitions(system: System) -> None:
    """Apply the CRDs and wait until the API server serves them."""
    system.plane.kubectl("apply", "-k", str(CRDS))
    for name in NAMES:
        system.plane.kubectl("wait", "--for=condition=Established", f"crd/{name}", f"--timeout={PATIENCE:.0f}s")


def await_ready(system: System) -> None:
    """Wait until the operator works again; the API server itself needs seconds to accept requests of a kind that is back."""
    eventually(lambda: system.health("/readyz") == (200, "ok\n"), "it is ready again")


def delete_definitions(system: System, *names: str) -> None:
    """Delete CRDs, and with them every request or policy."""
    system.plane.kubectl("delete", "crd", *(names or NAMES))


def operator(system: System) -> Process:
    """The running operator."""
    assert system.operator
    assert system.operator.running, system.operator.log_tail()
    return system.operator


def granted(team: Team) -> str:
    """A request of alice, approved by bob, with its binding there."""
    team.policy()
    return team.granted()


def ends_promptly(system: System) -> None:
    """See that SIGTERM ends the operator cleanly, long before kubelet would."""
    process = operator(system)
    with Pace(system.plane) as pace:
        asked = datetime.now(UTC)
        assert process.terminate() == 0, process.log_tail()
        assert pace.since(asked) < PROMPT


def refusal(system: System) -> str:
    """What /readyz says, if it says no."""
    status, body = system.health("/readyz")
    return body if status == 503 else ""


def rolebindings(team: Team) -> list[str]:
    """The bindings of grants in that namespace."""
    return [binding["metadata"]["name"] for binding in team.items("rolebindings")]


def test_without_the_definitions_it_is_not_ready_and_with_them_it_grants_again(system: System) -> None:
    first = new_team(system)
    granted(first)
    process = operator(system)
    delete_definitions(system)
    gone = [f"CustomResourceDefinition {name} is missing" for name in NAMES]
    eventually(lambda: all(line in refusal(system) for line in gone), f"/readyz says: {gone}")
    assert system.health("/livez") == (200, "ok\n"), "nobody needs to restart it"
    eventually(lambda: rolebindings(first) == [], "access ends with the request that it was recorded in")

    apply_definitions(system)
    with Pace(system.plane) as pace:
        back = datetime.now(UTC)
        await_ready(system)
        team = new_team(system)
        name = granted(team)
        assert pace.since(back) < BACK, "a request made when the definitions are back is granted soon"
    assert operator(system).pid == process.pid, "the same process"
    team.decide("alice", "revoke", name)
    eventually(lambda: rolebindings(team) == [], "and its access ends")
    short = team.approved(duration="2s")
    team.until(short, "Expired")

    ends_promptly(system)
    assert system.log()[-1]["message"] == "stopped"


def test_sigterm_ends_it_while_the_definitions_are_gone(system: System) -> None:
    delete_definitions(system)
    eventually(lambda: refusal(system), "it says that it is not ready")
    ends_promptly(system)


def test_definitions_replaced_in_one_go_are_watched_again(system: System) -> None:
    delete_definitions(system)
    apply_definitions(system)
    with Pace(system.plane) as pace:
        back = datetime.now(UTC)
        eventually(lambda: new_enough(system), "the API server accepts requests of the new kind")
        granted(new_team(system))
        assert pace.since(back) < BACK


def new_enough(system: System) -> bool:
    """Whether the API server knows the kind again; it asks itself what there is only every few seconds."""
    team = new_team(system)
    answer = team.person("alice").create(REQUESTS, team.request_manifest("probe"), dryRun="All")
    assert not answer.ok, "there is no policy that lets alice ask"
    return "There can be a delay" not in answer.message


def test_without_policies_nobody_has_access(system: System) -> None:
    team = new_team(system)
    name = granted(team)
    delete_definitions(system, "accesspolicies.jitaccess.dev")
    status = team.until(name, "Revoked")["status"]
    assert status["history"][-1]["reason"] == "PolicyNotFound"
    assert rolebindings(team) == []
    gone = "accesspolicies.jitaccess.dev is missing"
    eventually(lambda: gone in refusal(system), f"/readyz says: {gone}")


def test_a_request_that_a_newer_version_has_recorded_is_told_once_and_left_alone(system: System) -> None:
    team = new_team(system)
    team.policy()
    name = team.request("alice")
    team.until(name, "Pending")
    write_newer_state(system, team, name)
    other = team.request("alice", name="other")
    team.until(other, "Pending")
    team.decide("bob", "approve", other)
    team.until(other, "Active")
    operator(system).terminate()
    system.start_operator("--sweep-every", "1s")
    about = f"AccessRequest {team.namespace}/{name}"

    def told() -> list[str]:
        return [entry["message"] for entry in system.log() if entry.get("object") == about]

    eventually(told, "the log tells of it")
    time.sleep(8)  # several sweeps, each of which meets it
    assert told() == ["AccessRequest left alone: its state 'Suspended' was written by a newer jitaccess"]
    assert team.get(name)["status"]["state"] == "Suspended"
    assert not [entry for entry in system.log() if "exc_info" in entry], system.log()
    assert team.state(other) == "Active"


def write_newer_state(system: System, team: Team, name: str) -> None:
    """Record a state that our CRD does not have, as a newer version with a newer CRD would."""
    path = "/spec/versions/0/schema/openAPIV3Schema/properties/status/properties/state/enum/-"
    patch = json.dumps([{"op": "add", "path": path, "value": "Suspended"}])
    system.plane.kubectl("patch", "crd", "accessrequests.jitaccess.dev", "--type=json", f"-p={patch}")
    newer = {"status": {"state": "Suspended"}}
    eventually(lambda: team.admin.merge(REQUESTS, name, newer, "status").ok, "the newer state is accepted")
