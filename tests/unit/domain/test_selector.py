"""Which namespaces a selector selects, and how it is said; and what a policy is for."""

from collections.abc import Mapping
from typing import Any

import pytest

from jitaccess.domain.lifecycle import decide
from jitaccess.domain.model import AccessPolicy, AccessRequest, Scope
from jitaccess.domain.recorded import State
from jitaccess.domain.rules import seen_from
from jitaccess.manifests.parse import parse_selector
from unit.examples import T0, approved_by, cluster_policy, cluster_request, policy, request

PROD = {"env": "prod", "team": "a"}


def expression(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"matchExpressions": [{"key": key, "operator": operator} | ({"values": list(values)} if values else {})]}


SELECTORS = [
    pytest.param({}, PROD, True, "every namespace", id="an empty one selects everything"),
    pytest.param({}, {}, True, "every namespace", id="an empty one selects what has no labels"),
    pytest.param({"matchLabels": {"env": "prod"}}, PROD, True, "env=prod", id="a label"),
    pytest.param({"matchLabels": {"env": "prod"}}, {}, False, "env=prod", id="a label that is not there"),
    pytest.param({"matchLabels": {"env": "prod"}}, {"env": "Prod"}, False, "env=prod", id="a label in capitals"),
    pytest.param({"matchLabels": {"env": "prod", "team": "b"}}, PROD, False, "env=prod,team=b", id="one of two labels"),
    pytest.param({"matchLabels": {"env": ""}}, {}, False, "env=", id="an empty value is not no label"),
    pytest.param(expression("env", "In", "dev", "prod"), PROD, True, "env in (dev,prod)", id="one of several values"),
    pytest.param(expression("env", "In", "dev"), PROD, False, "env=dev", id="none of several values"),
    pytest.param(expression("env", "NotIn", "dev"), PROD, True, "env notin (dev)", id="not a value"),
    pytest.param(expression("env", "NotIn", "dev"), {}, True, "env notin (dev)", id="no label is not that value either"),
    pytest.param(expression("env", "NotIn", "prod"), PROD, False, "env notin (prod)", id="that very value"),
    pytest.param(expression("env", "Exists"), PROD, True, "env", id="there"),
    pytest.param(expression("env", "Exists"), {}, False, "env", id="not there"),
    pytest.param(expression("env", "DoesNotExist"), {}, True, "!env", id="absent"),
    pytest.param(expression("env", "DoesNotExist"), PROD, False, "!env", id="not absent"),
    pytest.param(
        {"matchLabels": {"env": "prod"}} | expression("team", "NotIn", "a"),
        PROD,
        False,
        "env=prod,team notin (a)",
        id="both parts",
    ),
]


@pytest.mark.parametrize(("written", "labels", "selects", "words"), SELECTORS)
def test_a_selector_selects_as_in_kubernetes(
    written: dict[str, Any], labels: Mapping[str, str], selects: bool, words: str
) -> None:
    selector = parse_selector(written)
    assert selector
    assert selector.selects("team-a", labels) is selects
    assert str(selector) == words


@pytest.mark.parametrize("name", ["kube-system", "kube-public", "kube-node-lease", "jitaccess-system", "jitaccess-grants"])
def test_some_namespaces_are_never_selected_whatever_their_labels(name: str) -> None:
    for written in ({}, {"matchLabels": {"env": "prod"}}):
        selector = parse_selector(written)
        assert selector
        assert not selector.selects(name, PROD)


def test_an_operator_that_we_do_not_know_makes_a_policy_invalid_and_selects_nothing() -> None:
    found = cluster_policy(namespaceSelector=expression("env", "Gt", "1"))
    assert found.invalid == "spec.namespaceSelector cannot be read"
    assert found.selector
    assert not found.selector.selects("team-a", {"env": "2"})


WIDE: dict[str, Any] = {"name": "wide", "namespaceSelector": None, "clusterWide": True}
SCOPES = [
    pytest.param({}, Scope.SELECTED, "", id="a selector"),
    pytest.param(WIDE, Scope.CLUSTER, "", id="cluster-wide"),
    pytest.param({"clusterWide": True}, Scope.CLUSTER, "exactly one of", id="both"),
    pytest.param({"namespaceSelector": None}, Scope.CLUSTER, "exactly one of", id="neither"),
    pytest.param({"clusterWide": False}, Scope.SELECTED, "", id="a selector, and not cluster-wide"),
]


@pytest.mark.parametrize(("spec", "scope", "invalid"), SCOPES)
def test_a_cluster_policy_is_for_selected_namespaces_or_for_the_cluster(spec: dict[str, Any], scope: Scope, invalid: str) -> None:
    found = cluster_policy(**spec)
    assert found.scope is scope
    assert found.invalid.startswith(invalid)
    assert bool(found.invalid) is bool(invalid)


def test_a_policy_in_a_namespace_is_for_that_alone_whatever_else_stands_in_it() -> None:
    assert policy(clusterWide=True).scope is Scope.OWN


UNDER_PROD = {"policyRef": {"kind": "ClusterAccessPolicy", "name": "prod"}, "approvals": approved_by("bob")}
UNDER_WIDE = {"policyRef": {"kind": "ClusterAccessPolicy", "name": "wide"}, "approvals": approved_by("bob")}
APPROVED = {"approvals": approved_by("bob")}
REACHES = [
    pytest.param(request(**UNDER_PROD), cluster_policy(), PROD, State.ACTIVE, "Granted", id="in a selected namespace"),
    pytest.param(
        request(**UNDER_PROD), cluster_policy(), {"env": "dev"}, State.DENIED, "NamespaceNotSelected", id="in another namespace"
    ),
    pytest.param(request(**UNDER_PROD), cluster_policy(), None, State.DENIED, "NamespaceNotSelected", id="in one that is gone"),
    pytest.param(request(**UNDER_WIDE), cluster_policy(**WIDE), PROD, State.DENIED, "OutOfReach", id="not cluster-wide enough"),
    pytest.param(cluster_request(**APPROVED), cluster_policy(**WIDE), PROD, State.ACTIVE, "Granted", id="cluster-wide"),
    pytest.param(
        cluster_request(**UNDER_PROD), cluster_policy(), PROD, State.DENIED, "OutOfReach", id="more than selected namespaces"
    ),
    pytest.param(request(**APPROVED), policy(), {}, State.ACTIVE, "Granted", id="a policy of the namespace asks for no labels"),
]


@pytest.mark.parametrize(("asked", "under", "labels", "state", "reason"), REACHES)
def test_a_request_is_granted_where_its_policy_reaches(
    asked: AccessRequest, under: AccessPolicy, labels: Mapping[str, str] | None, state: State, reason: str
) -> None:
    verdict = decide(asked, seen_from(under, asked.key.namespace, labels), T0)
    assert (verdict.state, verdict.reason) == (state, reason)


def test_what_a_policy_selects_is_said_to_whom_it_does_not_reach() -> None:
    verdict = decide(request(**UNDER_PROD), seen_from(cluster_policy(), "team-a", {}), T0)
    assert verdict.message == ("ClusterAccessPolicy prod does not select namespace team-a: it selects namespaces with env=prod")


def test_a_request_that_names_no_kind_means_the_one_that_goes_with_it() -> None:
    assert request(policyRef={"name": "x"}).policy.kind == "AccessPolicy"
    assert str(request(policyRef={"name": "x"}).policy.key) == "team-a/x"
    assert cluster_request(policyRef={"name": "x"}).policy.kind == "ClusterAccessPolicy"
    assert str(request(**UNDER_PROD).policy.key) == "prod", "a cluster policy is in no namespace"
