"""What is left of a promise when something is down: on a system of their own, with a fresh operator for each test."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import aiohttp
import pytest

from conftest import installed_system
from controlplane.client import Person
from controlplane.process import Process
from jitaccess.domain.text import parse_duration, parse_time
from jitaccess.kube.api import Cluster
from jitaccess.kube.credentials import connect
from jitaccess.manifests.grant import GRACE
from jitaccess.manifests.kinds import ACCESS_REQUEST
from jitaccess.reconcile.retention import remove_old
from system import System
from team import CLUSTER_REQUESTS, PATIENCE, POLICIES, REQUESTS, Team, eventually, new_team
from wide import Wide


@pytest.fixture(scope="module")
def breakable() -> Iterator[System]:
    """The system that these tests break, and mend again."""
    with installed_system() as system:
        yield system


@pytest.fixture
def system(breakable: System) -> System:
    """The system with an operator that has just been started."""
    breakable.restart_operator()
    return breakable


def running_operator(system: System) -> Process:
    """The operator of that system."""
    assert system.operator
    return system.operator


def granted(team: Team, duration: str, **spec: Any) -> str:
    """A request of alice, approved by bob, with its binding there."""
    team.policy(**spec)
    return team.granted(duration=duration)


def ends(team: Team, name: str) -> datetime:
    """When a grant ends, by the record."""
    return parse_time(team.status(name)["expiresAt"])


def wait_for(moment: datetime) -> None:
    """Sleep until that time has come."""
    time.sleep(max(0.0, (moment - datetime.now(UTC)).total_seconds()))


def test_access_ends_on_time_though_the_operator_was_killed(system: System) -> None:
    team = new_team(system)
    name = granted(team, "6s")
    start = system.plane.audit_position()
    running_operator(system).kill()
    assert team.binding(name), "the operator died while the grant was active"

    expires_at = ends(team, name)
    eventually(lambda: not team.binding(name), "Kubernetes itself has removed the binding")
    assert datetime.now(UTC) >= expires_at, "not before its time"
    assert not team.may("alice", "list", "pods")
    deleters = {
        event["user"]["username"]
        for event in system.plane.audit_events(start)
        if event["verb"] == "delete" and (event.get("objectRef") or {}).get("resource") == "rolebindings"
    }
    assert deleters == {"system:serviceaccount:kube-system:generic-garbage-collector"}

    system.start_operator()
    team.until(name, "Expired")


@pytest.mark.parametrize("recreated", [pytest.param(True, id="recreated"), pytest.param(False, id="the-same-all-along")])
def test_a_policy_recreated_within_the_second_while_nobody_looked_inherits_nothing(system: System, recreated: bool) -> None:
    team = new_team(system)
    name = next((name for attempt in range(20) if (name := asked_within_a_second(system, team, attempt, recreated))), "")
    assert name, "within 20 attempts everything happened within one second"
    told = team.until(name, "Denied" if recreated else "Active")["status"]["history"][-1]
    assert told["reason"] == ("PolicyRecreated" if recreated else "Granted"), told
    eventually(lambda: team.may("alice", "list", "pods") is not recreated, f"recreated={recreated} decides about the access")


def asked_within_a_second(system: System, team: Team, attempt: int, recreated: bool) -> str:
    """An approved request that no operator has seen, of the same second as its policy; empty if it took longer.

    The policy is made before the request, or deleted and made anew after its approval.
    """
    policy = f"debug{attempt}"
    running_operator(system).terminate()
    system.start_operator()
    if recreated:
        team.policy(policy)
    time.sleep(1.0 - time.time() % 1.0)
    if not recreated:
        team.policy(policy)
    running_operator(system).kill()
    name = team.request("alice", policyRef={"kind": "AccessPolicy", "name": policy})
    team.decide("bob", "approve", name)
    if recreated:
        team.admin.delete(POLICIES, policy).sure()
        team.policy(policy, ready=False)
    made = [team.get(name), team.get(policy, POLICIES)]
    system.start_operator()
    return name if same_second(*made) else ""


def same_second(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two objects are of the same second, as far as the API tells."""
    return bool(one["metadata"]["creationTimestamp"] == other["metadata"]["creationTimestamp"])


def sees_pods(bearer: Person) -> bool:
    """Whether that is a person with access."""
    return bearer.get("pods").ok


def sees_no_pods(bearer: Person) -> bool:
    """Whether it is one without."""
    return not sees_pods(bearer)


def test_identities_are_dead_on_time_though_the_operator_was_killed(system: System) -> None:
    team = new_team(system)
    wide = Wide(team, delivery="Identity")
    wide.until_in_force()
    name, everywhere = granted(team, "15s", delivery="Identity"), wide.granted(duration="15s")
    bearers = {
        "impersonating, in the namespace": team.identity(name),
        "with a token, in the namespace": team.token_of_identity(name),
        "impersonating, cluster-wide": wide.identity(everywhere),
        "with a token, cluster-wide": wide.token_of_identity(everywhere),
    }
    for words, bearer in bearers.items():
        eventually(partial(sees_pods, bearer), f"alice has the access {words}")
    running_operator(system).kill()
    assert all(map(sees_pods, bearers.values())), "the operator died while both grants were active"

    ended = [ends(team, name), parse_time(team.status(everywhere, CLUSTER_REQUESTS)["expiresAt"])]
    for words, bearer in bearers.items():
        eventually(partial(sees_no_pods, bearer), f"no access {words}")
        assert datetime.now(UTC) >= min(ended), "not before its time"
    assert datetime.now(UTC) <= max(ended) + GRACE + timedelta(minutes=1)
    assert "cannot impersonate" in bearers["impersonating, cluster-wide"].get("pods").message
    standing = {"RoleBinding": team.binding(name), "ClusterRoleBinding": wide.binding(everywhere)}
    kinds = {kind: [subject["kind"] for subject in binding["subjects"]] for kind, binding in standing.items() if binding}
    assert kinds == {kind: ["ServiceAccount"] for kind in standing}, (
        "what no Job could own stands, and points at an account that is no more"
    )

    system.start_operator()
    team.until(name, "Expired")
    wide.until(everywhere, "Expired")
    assert (team.binding(name), wide.binding(everywhere)) == (None, None)


def test_a_killed_operator_takes_up_what_it_left(system: System) -> None:
    team = new_team(system)
    running = granted(team, "8s")
    waiting = team.request("alice")
    team.until(waiting, "Pending")
    expires_at = team.status(running)["expiresAt"]
    running_operator(system).kill()
    team.decide("bob", "approve", waiting)
    system.start_operator()
    team.until(waiting, "Active")
    status = team.until(running, "Expired")["status"]
    assert status["expiresAt"] == expires_at, "the end stays where it was"


def test_a_deleted_policy_authorises_nothing_though_nobody_told_the_operator(system: System) -> None:
    team = new_team(system)
    name = granted(team, "1h")
    running_operator(system).kill()
    team.admin.delete(POLICIES, "debug").sure()
    system.start_operator()
    status = team.until(name, "Revoked")["status"]
    assert status["history"][-1]["reason"] == "PolicyNotFound"
    assert not team.binding(name)


def test_the_operator_sits_out_a_restart_of_the_api_server(system: System) -> None:
    team = new_team(system)
    name = granted(team, "10s")
    down = datetime.now(UTC)
    system.plane.restart_apiserver()
    up = datetime.now(UTC)
    assert running_operator(system).running, running_operator(system).log_tail()
    status = team.until(name, "Expired")["status"]
    late = parse_time(status["settledAt"]) - max(parse_time(status["expiresAt"]), up)
    # Pauses between attempts double, so none is longer than the outage itself has been.
    assert late < timedelta(seconds=5) + (up - down), f"the end was recorded {late} late"
    team.until_working()
    team.granted()


def test_an_outage_is_never_a_verdict(system: System) -> None:
    team = new_team(system)
    team.policy()
    name = team.request("alice")
    team.until(name, "Pending")
    team.decide("bob", "approve", name)
    system.plane.kill("etcd")
    time.sleep(3)  # the outage itself
    system.plane.start_component("etcd")
    team.until(name, "Active")


def test_without_the_admission_policies_nothing_is_granted(system: System) -> None:
    running_operator(system).terminate()
    system.plane.kubectl("delete", "validatingadmissionpolicybinding", "decisions.jitaccess.dev")
    system.start_operator(ready=False)
    team = new_team(system)
    missing = "ValidatingAdmissionPolicyBinding decisions.jitaccess.dev is missing"
    eventually(lambda: missing in system.health("/readyz")[1], "the operator says that it is not ready, and why")
    assert system.health("/readyz")[0] == 503
    assert system.health("/livez") == (200, "ok\n"), "it is alive, so nobody needs to restart it"
    team.policy()
    name = team.request("alice")
    team.until(name, "Pending")
    team.decide("bob", "approve", name)
    eventually(lambda: team.condition(name, "Granted").get("reason") == "NotInstalled", "the request says what is missing")
    assert "kubectl apply -k deploy/" in team.condition(name, "Granted")["message"]
    assert not team.binding(name)
    errors = [entry for entry in system.log() if entry["level"] == "ERROR"]
    assert any("nothing is granted" in entry["message"] for entry in errors), system.log()

    system.plane.kubectl("apply", "-k", str(system.overlay))
    team.until(name, "Active")
    eventually(lambda: system.health("/readyz")[0] == 200, "it is ready now")


@pytest.mark.parametrize("retention", [pytest.param("1s", id="past-retention"), pytest.param("1h", id="within-retention")])
async def test_settled_requests_are_kept_as_long_as_promised(system: System, retention: str) -> None:
    team = new_team(system)
    name = granted(team, "1s")
    settled_at = parse_time(team.until(name, "Expired")["status"]["settledAt"])
    other = team.granted()
    wait_for(settled_at + timedelta(seconds=1))  # older than the shorter retention
    connection = connect(system.plane.service_account_kubeconfig("jitaccess-system", "jitaccess"))
    async with connection.session(aiohttp.ClientTimeout(total=PATIENCE)) as session:
        cluster = Cluster(session, connection.server)
        await remove_old(cluster, ACCESS_REQUEST.resource, parse_duration(retention), datetime.now(UTC))
    assert names(team) == {"1s": [other], "1h": [name, other]}[retention]


def names(team: Team) -> list[str]:
    """The requests that there are."""
    return sorted(each["metadata"]["name"] for each in team.items(REQUESTS, ""))


def test_sigterm_ends_the_operator_cleanly_and_quickly(system: System) -> None:
    team = new_team(system)
    granted(team, "1h")
    start = time.monotonic()
    code = running_operator(system).terminate(timeout=30)
    assert code == 0, running_operator(system).log_tail()
    assert time.monotonic() - start < 15, "well within the 30 s that kubelet gives"
    assert system.log()[-1]["message"] == "stopped"


def test_the_one_shot_sweep_ends_what_is_over(system: System) -> None:
    team = new_team(system)
    team.policy()
    running, over = team.granted(), team.granted(duration="6s")
    running_operator(system).kill()
    wait_for(ends(team, over))  # and nobody is there to end it
    assert team.binding(over), "before the grace is over, kube-controller-manager leaves it"
    done = system.jitaccess("sweep")
    assert done.stdout.strip() == "1 ended", done.stderr
    assert not team.binding(over)
    assert team.binding(running), "what still runs is left alone"
