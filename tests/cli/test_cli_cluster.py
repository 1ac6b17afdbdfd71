"""The plugin with policies for many namespaces, and with cluster-wide access."""

import csv
import io
import itertools
import json
import os
import re
from collections.abc import Iterator

import pytest

from cli.plugin import Plugin
from team import CLUSTER_POLICIES, CLUSTER_REQUESTS, cluster_policy_manifest, eventually

REASON = "INC-42 a node is gone"
_numbers = itertools.count(1)


def out_of_force(jit: Plugin, policy: str) -> None:
    """Delete it, and wait until it gives nobody anything, here or in the whole cluster: those who come next look everywhere."""
    jit.team.drop(policy)
    given = f"jitaccess:cluster:{policy}:"
    for where, resource in (("", "clusterrolebindings"), (jit.team.namespace, "rolebindings")):
        admin = jit.team.admin.at(where)
        eventually(
            lambda admin=admin, resource=resource: (
                not any(  # type: ignore[misc]
                    each["metadata"]["name"].startswith(given) for each in admin.get(resource).sure()["items"]
                )
            ),
            f"{policy} gives nobody anything",
        )


def in_force(jit: Plugin, policy: str, where: str) -> None:
    """Wait until alice may ask and bob may decide."""
    for who, verb in (("alice", "request"), ("bob", "approve")):
        person = jit.team.person(who).at(where)
        eventually(
            lambda person=person, verb=verb: person.may(verb, CLUSTER_POLICIES, group="jitaccess.dev", name=policy),  # type: ignore[misc]
            f"{who} may {verb} {policy}",
        )


@pytest.fixture
def fleet(jit: Plugin) -> Iterator[str]:
    """A policy that selects the team's namespace, and another namespace that it does not select."""
    name = f"fleet-{os.getpid()}-{next(_numbers)}"
    jit.team.admin.merge("namespaces", jit.team.namespace, {"metadata": {"labels": {"fleet": name}}}).sure()
    selector = {"matchLabels": {"fleet": name}}
    jit.team.admin.create(CLUSTER_POLICIES, cluster_policy_manifest(name, namespaceSelector=selector)).sure()
    in_force(jit, name, jit.team.namespace)
    yield name
    out_of_force(jit, name)


@pytest.fixture
def wide(jit: Plugin) -> Iterator[str]:
    """A policy for cluster-wide access."""
    name = f"wide-{os.getpid()}-{next(_numbers)}"
    jit.team.admin.create(CLUSTER_POLICIES, cluster_policy_manifest(name, clusterWide=True, description="Look everywhere")).sure()
    in_force(jit, name, "")
    yield name
    out_of_force(jit, name)


def test_a_policy_for_many_namespaces_is_like_one_of_the_namespace(jit: Plugin, fleet: str) -> None:
    assert fleet in jit.ok("policies")
    asked = jit.ok("request", "--reason", REASON)
    assert asked.startswith("accessrequest/alice-"), "the only policy here need not be named"
    name = asked.split()[0].partition("/")[2]
    assert jit.team.get(name)["spec"]["policyRef"] == {"kind": "ClusterAccessPolicy", "name": fleet}
    assert name in jit.ok("ls", "--reviewable", user="bob")
    assert f"Policy   ClusterAccessPolicy {fleet}: 1 approval from Group leads" in jit.ok("show", name)
    jit.ok("approve", name, "--yes", user="bob")
    jit.team.until(name, "Active")


def test_where_it_does_not_select_it_is_not_offered(jit: Plugin, fleet: str) -> None:
    jit.team.policy()
    jit.team.admin.merge("namespaces", jit.team.namespace, {"metadata": {"labels": {"fleet": None}}}).sure()
    alice = jit.team.person("alice")
    eventually(lambda: not alice.may("request", CLUSTER_POLICIES, group="jitaccess.dev", name=fleet), "it is gone there")
    assert fleet not in jit.ok("policies")
    answer = jit("request", fleet, "--reason", REASON)
    assert answer.code == 3
    assert "does not select that namespace" in answer.err
    explained = jit("explain", fleet)
    assert explained.code == 3
    assert f"for namespaces with fleet={fleet}" in re.sub(r"\s+", " ", explained.out)


def test_cluster_wide_access_from_asking_to_the_record(jit: Plugin, wide: str) -> None:
    policies = jit.ok("policies", "--cluster")
    assert wide in policies
    assert "Look everywhere" in policies
    asked = jit.ok("request", wide, "--cluster", "--reason", REASON)
    assert asked.startswith("clusteraccessrequest/alice-")
    reference = asked.split()[0]
    name = reference.partition("/")[2]
    assert jit.team.get(name, CLUSTER_REQUESTS)["spec"]["policyRef"]["name"] == wide
    assert name in jit.ok("ls", "--cluster")
    assert jit("ls").code == 3, "it gives her nothing in the namespace, not even a look"
    assert name in jit.ok("ls", "--cluster", "--reviewable", "--limit", "0", user="bob")
    assert jit("approve", reference, "--yes", user="alice").code == 3
    assert f"{reference} approved" in jit.ok("approve", reference, "--yes", "-m", "go ahead", user="bob")
    eventually(lambda: jit.team.status(name, CLUSTER_REQUESTS).get("state") == "Active", "it is granted")
    shown = jit.ok("show", name, "--cluster")
    assert f"Request  {name} in the whole cluster" in shown
    assert "Binding  ClusterRoleBinding jit-" in shown
    assert "Warning  only the operator ends this access" in re.sub(r" +", " ", shown).replace("Warning only", "Warning  only")
    extended = jit.ok("extend", reference, "--for", "30m")
    assert extended.startswith("clusteraccessrequest/alice-")
    assert f"{reference} withdrawn" in jit.ok("withdraw", name, "--cluster", "--yes", "-m", "done")
    assert name in jit.ok("ls", "--cluster", "--all", user="admin")
    rows = list(csv.DictReader(io.StringIO(jit.ok("export", "--cluster", user="admin"))))
    (row,) = [row for row in rows if row["name"] == name]
    assert (row["namespace"], row["policyKind"], row["policy"]) == ("", "ClusterAccessPolicy", wide)


def test_everywhere_is_every_namespace_and_the_whole_cluster(jit: Plugin, wide: str, fleet: str) -> None:
    name = jit.ok("request", wide, "--cluster", "--reason", REASON).split()[0].partition("/")[2]
    eventually(lambda: jit.team.status(name, CLUSTER_REQUESTS).get("state") == "Pending", "it waits")
    mine = jit.ok("ls", "-A", "--limit", "0")
    assert re.search(rf"{name} +\(cluster\) +Pending", mine), mine
    assert name in jit.ok("ls", "-A", "--reviewable", "--limit", "0", user="bob")
    policies = jit("policies", "-A")
    assert re.search(rf"{wide} +\(cluster\) +may ask", policies.out), policies.out
    assert fleet not in policies.out
    assert "for many namespaces; kubectl jit policies -n NAMESPACE shows those that select it" in policies.err
    beside = jit.team.request("alice", policyRef={"kind": "ClusterAccessPolicy", "name": fleet})
    rows = {row["name"]: row for row in csv.DictReader(io.StringIO(jit.ok("export", "-A", user="admin")))}
    assert {each: rows[each]["namespace"] for each in (name, beside)} == {name: "", beside: jit.team.namespace}
    sampled = {row["name"] for row in json.loads(jit.ok("audit", "show", "-A", "--all", "-o", "json", user="admin"))}
    assert {name, beside} <= sampled


@pytest.mark.parametrize(
    ("user", "words", "code", "said"),
    [
        pytest.param(
            "mallory", ["ls", "--cluster"], 3, "no cluster-wide ClusterAccessPolicy names you", id="in no policy of the cluster"
        ),
        pytest.param("alice", ["ls", "--cluster", "-n", "x"], 2, "--cluster and --namespace exclude each other", id="both"),
        pytest.param("alice", ["ls", "--cluster", "-A"], 2, "--cluster and --all-namespaces exclude each other", id="both again"),
        pytest.param("alice", ["show", "clusteraccessrequest/none"], 1, "there is no request none", id="no such request"),
        pytest.param("alice", ["request", "none", "--cluster", "-r", "x"], 1, "there is no policy none", id="no such policy"),
    ],
)
def test_what_cannot_be_is_said(jit: Plugin, wide: str, user: str, words: list[str], code: int, said: str) -> None:
    answer = jit(*words, user=user)
    assert answer.code == code, answer
    assert said in answer.err


def test_a_policy_for_the_cluster_is_not_one_for_a_namespace(jit: Plugin, wide: str) -> None:
    answer = jit("request", wide, "--reason", REASON)
    assert answer.code == 3, answer
    assert "is for cluster-wide access, and this request is not" in answer.err


def test_one_may_ask_what_one_may_have_in_the_whole_cluster(jit: Plugin, wide: str) -> None:
    yes, no = jit("explain", wide, "--cluster"), jit("explain", wide, "--cluster", user="bob")
    assert (yes.code, no.code) == (0, 3)
    assert "in the whole cluster? yes, by asking" in yes.out
    assert f"{wide}\n" in jit.ok("policies", "--cluster", "-o", "name")
