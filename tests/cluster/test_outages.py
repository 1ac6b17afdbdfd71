"""What is left of a promise when something is down: on a system of their own, with a fresh operator for each test."""

import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager
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
from jitaccess.manifests.kinds import ACCESS_REQUEST
from jitaccess.reconcile.retention import remove_old
from pace import Pace
from system import System
from team import CLUSTER_REQUESTS, PATIENCE, POLICIES, REQUESTS, Team, eventually, new_team, while_it_lasts
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


def granted(team: Team) -> str:
    """A request of alice, approved by bob, with its binding there."""
    team.policy()
    return team.granted()


def ends(team: Team, name: str, of: str = REQUESTS) -> datetime:
    """When a grant ends, by the record."""
    return parse_time(team.status(name, of)["expiresAt"])


def wait_for(moment: datetime) -> None:
    """Sleep until that time has come."""
    time.sleep(max(0.0, (moment - datetime.now(UTC)).total_seconds()))


def left_alone(system: System, team: Team, duration: str) -> str:
    """A grant whose operator was killed while it lasted; empty, with an operator that runs, if its time was up too early."""
    name = team.granted_for(duration)
    if not name:
        return ""
    running_operator(system).kill()
    if team.binding(name) and datetime.now(UTC) < ends(team, name):
        return name
    system.start_operator()
    team.until(name, "Expired")
    return ""


def test_access_ends_on_time_though_the_operator_was_killed(system: System) -> None:
    team = new_team(system)
    team.policy()
    name = while_it_lasts(partial(left_alone, system, team))
    start, binding = system.plane.audit_position(), team.status(name)["bindingRef"]["name"]
    expires_at = ends(team, name)
    eventually(lambda: not team.binding(name), "Kubernetes itself has removed the binding")
    assert datetime.now(UTC) >= expires_at, "not before its time"
    eventually(lambda: not team.may("alice", "list", "pods"), "and with it the access")
    deleters = {
        event["user"]["username"]
        for event in system.plane.audit_events(start)
        if event["verb"] == "delete"
        and {"resource": "rolebindings", "name": binding}.items() <= (event.get("objectRef") or {}).items()
    }
    assert deleters == {"system:serviceaccount:kube-system:generic-garbage-collector"}

    system.start_operator()
    team.until(name, "Expired")


@pytest.mark.parametrize("recreated", [pytest.param(True, id="recreated"), pytest.param(False, id="the-same-all-along")])
def test_a_policy_recreated_within_the_second_while_nobody_looked_inherits_nothing(system: System, recreated: bool) -> None:
    team = new_team(system)
    running_operator(system).kill()
    with_rights_by_hand(team, "alice", "bob")
    names = itertools.count(1)
    within = partial(asked_within_a_second, team, recreated=recreated)
    name = eventually(lambda: within(f"debug{next(names)}"), "everything happens within one second")
    system.start_operator()
    told = team.until(name, "Denied" if recreated else "Active")["status"]["history"][-1]
    assert told["reason"] == ("PolicyRecreated" if recreated else "Granted"), told
    eventually(lambda: team.may("alice", "list", "pods") is not recreated, f"recreated={recreated} decides about the access")


def with_rights_by_hand(team: Team, *people: str) -> None:
    """Give people what an operator would derive from the policies, under whatever policy."""
    every = {"apiGroups": ["jitaccess.dev"], "resources": ["*"], "verbs": ["*"]}
    team.admin.create("roles", {"metadata": {"name": "by-hand"}, "rules": [every]}).sure()
    group = "rbac.authorization.k8s.io"
    subjects = [{"apiGroup": group, "kind": "User", "name": each} for each in people]
    role = {"apiGroup": group, "kind": "Role", "name": "by-hand"}
    team.admin.create("rolebindings", {"metadata": {"name": "by-hand"}, "roleRef": role, "subjects": subjects}).sure()
    eventually(lambda: all(team.holds(each, "approve", "any") for each in people), "they have it")


def asked_within_a_second(team: Team, policy: str, *, recreated: bool) -> str:
    """An approved request that no operator has seen, of the same second as its policy; empty if it took longer.

    The policy is made before the request, or deleted and made anew after its approval.
    """
    if recreated:
        team.policy(policy, ready=False)
    time.sleep(1.0 - time.time() % 1.0)
    if not recreated:
        team.policy(policy, ready=False)
    name = team.request("alice", policyRef={"kind": "AccessPolicy", "name": policy})
    team.decide("bob", "approve", name)
    if recreated:
        team.admin.delete(POLICIES, policy).sure()
        team.policy(policy, ready=False)
    return name if same_second(team.get(name), team.get(policy, POLICIES)) else ""


def same_second(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two objects are of the same second, as far as the API tells."""
    return bool(one["metadata"]["creationTimestamp"] == other["metadata"]["creationTimestamp"])


def sees_pods(bearer: Person) -> bool:
    """Whether that is a person with access."""
    return bearer.get("pods").ok


def sees_no_pods(bearer: Person) -> bool:
    """Whether it is one without."""
    return not sees_pods(bearer)


@contextmanager
def no_controllers(system: System) -> Iterator[None]:
    """While no Job completes or is over: Kubernetes itself ends nothing."""
    system.plane.pause("kube-controller-manager")
    try:
        yield
    finally:
        system.plane.resume("kube-controller-manager")


def both_left_alone(system: System, team: Team, wide: Wide, duration: str) -> tuple[str, str] | None:
    """Two grants whose operator was killed while they lasted; None, with an operator that runs, if a time was up too early."""
    name, everywhere = team.granted_for(duration), wide.granted_for(duration)
    running_operator(system).kill()
    if name and everywhere and datetime.now(UTC) < min(ends(team, name), ends(team, everywhere, CLUSTER_REQUESTS)):
        return name, everywhere
    system.start_operator()
    return None


def test_identities_are_dead_on_time_though_the_operator_was_killed(system: System) -> None:
    team = new_team(system)
    team.policy(delivery="Identity")
    wide = Wide(team, delivery="Identity")
    wide.until_in_force()
    with no_controllers(system):
        name, everywhere = while_it_lasts(partial(both_left_alone, system, team, wide))
        bearers = {
            "impersonating, in the namespace": team.identity(name),
            "with a token, in the namespace": team.token_of_identity(name),
            "impersonating, cluster-wide": wide.identity(everywhere),
            "with a token, cluster-wide": wide.token_of_identity(everywhere),
        }
        for words, bearer in bearers.items():
            eventually(partial(sees_pods, bearer), f"alice has the access {words}, and no operator ends it any more")
    ended = [ends(team, name), ends(team, everywhere, CLUSTER_REQUESTS)]
    for words, bearer in bearers.items():
        eventually(partial(sees_no_pods, bearer), f"no access {words}")
        assert datetime.now(UTC) >= min(ended), "not before its time"
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
    team.policy()
    running = while_it_lasts(partial(left_alone, system, team))
    expires_at = team.status(running)["expiresAt"]
    waiting = team.request("alice")
    team.decide("bob", "approve", waiting)
    system.start_operator()
    team.until(waiting, "Active")
    status = team.until(running, "Expired")["status"]
    assert status["expiresAt"] == expires_at, "the end stays where it was"


def test_a_deleted_policy_authorises_nothing_though_nobody_told_the_operator(system: System) -> None:
    team = new_team(system)
    name = granted(team)
    running_operator(system).kill()
    team.admin.delete(POLICIES, "debug").sure()
    system.start_operator()
    status = team.until(name, "Revoked")["status"]
    assert status["history"][-1]["reason"] == "PolicyNotFound"
    assert not team.binding(name)


def test_the_operator_sits_out_a_restart_of_the_api_server(system: System) -> None:
    team = new_team(system)
    team.policy()
    with Pace(system.plane) as pace:
        name = while_it_lasts(team.granted_for)
        down = datetime.now(UTC)
        system.plane.restart_apiserver()
        up = datetime.now(UTC)
        assert running_operator(system).running, running_operator(system).log_tail()
        status = team.until(name, "Expired")["status"]
        due, settled = max(parse_time(status["expiresAt"]), up), parse_time(status["settledAt"])
        late, outage = pace.seconds(due, settled), (up - down).total_seconds()
    print(f"the end was recorded {late:.3f} s late, after an outage of {outage:.3f} s")
    # Pauses between attempts double, so none is longer than the outage itself has been.
    assert late < 5 + outage
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
    team.policy()
    name = team.approved(duration="1s")
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
    granted(team)
    with Pace(system.plane) as pace:
        asked = datetime.now(UTC)
        code = running_operator(system).terminate()
        took = pace.since(asked)
    assert code == 0, running_operator(system).log_tail()
    assert took < 15, "well within the 30 s that kubelet gives"
    assert system.log()[-1]["message"] == "stopped"


def test_the_one_shot_sweep_ends_what_is_over(system: System) -> None:
    team = new_team(system)
    team.policy()
    running = team.granted()
    with no_controllers(system):
        over = while_it_lasts(partial(left_alone, system, team))
        wait_for(ends(team, over))  # and nobody is there to end it
        assert team.binding(over), "before the sweep it is there"
        done = system.jitaccess("sweep")
    assert done.stdout.strip() == "1 ended", done.stderr
    assert not team.binding(over)
    assert team.binding(running), "what still runs is left alone"
