"""Policies for many namespaces and for the cluster that give more than their author has, or cannot work."""

from collections.abc import Iterator
from typing import Any

from attack import refusals
from attack.cluster import cannot_at_all, changes, offers
from attack.stage import Theatre
from attack.table import Attempt, play, table
from team import CLUSTER_POLICIES

VIEW = {"kind": "ClusterRole", "name": "view"}


# --- policies


def policies() -> Iterator[Attempt]:
    honest = offers()
    everywhere = ", in the whole cluster"
    offered: tuple[tuple[str, dict[str, Any], str], ...] = (
        ("a role that its author may not bind", {"roles": [{"kind": "ClusterRole", "name": "admin"}]}, "ClusterRole admin"),
        (
            "a role that its author may bind in a namespace alone",
            {"roles": [VIEW, {"kind": "ClusterRole", "name": "jitaccess-debug"}]},
            "ClusterRole jitaccess-debug",
        ),
        ("a Role of every namespace", {"roles": [{"kind": "Role", "name": "db-reader"}]}, "Role db-reader"),
        (
            "cluster-wide a role that its author may not bind",
            {"clusterWide": True, "namespaceSelector": None, "roles": [{"kind": "ClusterRole", "name": "edit"}]},
            "ClusterRole edit",
        ),
    )
    for words, spec, role in offered:
        yield Attempt(f"a cluster policy: {words}", "paul", offers(**spec), refusals.may_not_bind(role) + everywhere, honest)
    admin = {"roles": [{"kind": "ClusterRole", "name": "admin"}]}
    yield Attempt(
        "a cluster policy changed to more than its author has",
        "paul",
        changes("fleet", admin),
        refusals.may_not_bind("ClusterRole admin") + everywhere,
        changes("fleet", {"maxDuration": "1h"}),
    )
    yield Attempt(
        "a cluster policy without the right",
        "mallory",
        offers(),
        cannot_at_all("create", CLUSTER_POLICIES),
        honest,
        twin_who="paul",
    )
    one = "say which namespaces this policy is for (namespaceSelector), or that it is for cluster-wide access (clusterWide: true)"
    name, value, values = "a key is no name of a label", "a value is no value of a label", "In and NotIn need values"
    nonsense: tuple[tuple[str, dict[str, Any], str], ...] = (
        ("for namespaces and for the cluster", {"clusterWide": True}, one),
        ("for neither", {"namespaceSelector": None}, one),
        ("cluster-wide, or not", {"namespaceSelector": None, "clusterWide": False}, 'supported values: "true"'),
        (
            "a Role cluster-wide",
            {"namespaceSelector": None, "clusterWide": True, "roles": [{"kind": "Role", "name": "x"}]},
            "a Role is in a namespace",
        ),
        ("a label with a space", {"namespaceSelector": {"matchLabels": {"a b": "c"}}}, name),
        ("a label without a name", {"namespaceSelector": {"matchLabels": {"": "c"}}}, name),
        ("a value with a slash", {"namespaceSelector": {"matchLabels": {"a": "b/c"}}}, value),
        ("In without values", {"namespaceSelector": {"matchExpressions": [{"key": "a", "operator": "In"}]}}, values),
        (
            "Exists with values",
            {"namespaceSelector": {"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["b"]}]}},
            values,
        ),
        (
            "another operator",
            {"namespaceSelector": {"matchExpressions": [{"key": "a", "operator": "Gt", "values": ["1"]}]}},
            "supported values",
        ),
        (
            "a selector of fields",
            {"namespaceSelector": {"matchExpressions": [{"key": "metadata.name!", "operator": "Exists"}]}},
            "is no name of a label",
        ),
    )
    for words, spec, refusal in nonsense:
        yield Attempt(f"a cluster policy that is {words}", "paul", offers(**spec), refusal, honest, status=422)
    turned: dict[str, Any] = {"clusterWide": None, "namespaceSelector": {}}
    yield Attempt(
        "a cluster-wide policy turned into one for namespaces",
        "paul",
        changes("wide", turned),
        "a policy stays for namespaces, or for cluster-wide access",
        changes("wide", {"maxDuration": "1h"}),
        status=422,
    )


@table(policies())
def test_is_refused_for_the_stated_reason_and_the_honest_twin_succeeds(attempt: Attempt, stage: Theatre) -> None:
    play(attempt, stage)
