"""A role in words: from its rules, else from what the operator recorded, else what is known of it."""

from collections.abc import Sequence
from typing import Any

import pytest

from jitaccess.domain.model import AccessPolicy, RoleRef
from jitaccess.domain.roles import Rule
from jitaccess.manifests.parse import parse_policy
from jitaccess.wording.roles import brief, exact_rules, hints_for, in_brief, risks_of

DEBUG = RoleRef("ClusterRole", "debug")
T0 = "2026-06-01T00:00:00Z"
RULES = (
    Rule(("get", "list"), ("",), ("pods", "services")),
    Rule(("get", "list"), ("apps",), ("deployments",), ("web",)),
    Rule(("delete",), ("*",), ("*",)),
    Rule(("get",), (), (), urls=("/metrics",)),
    Rule(("patch",), ("", "batch"), ("jobs",), cut=True),
)


def policy(*recorded: dict[str, Any], omitted: int = 0, name: str = "debug", **more: Any) -> AccessPolicy:
    """A policy in whose status the operator recorded these rules of a ClusterRole."""
    role = {"kind": "ClusterRole", "name": name, "found": True}
    facts = {"uid": "u", "hash": "h", "rules": list(recorded), "omittedRules": omitted, "risks": [], "hints": []}
    metadata = {"name": "p", "namespace": "team-a", "uid": "u", "resourceVersion": "1", "creationTimestamp": T0}
    return parse_policy({"metadata": metadata, "spec": {"roles": [role]}, "status": {"roles": [role | facts | more]}})


def rule(verb: str, *resources: str, **more: Any) -> dict[str, Any]:
    return {"verbs": [verb], "groups": [""], "resources": list(resources), **more}


def test_rules_in_brief() -> None:
    assert in_brief(RULES) == [
        "get, list: pods, services, deployments (only web)",
        "delete: everything",
        "get: /metrics (outside the API: no effect in a namespace)",
        "patch: jobs, and more",
    ]


def test_rules_exactly() -> None:
    assert exact_rules(DEBUG, RULES, None) == {
        "get, list": ["pods, services", "deployments (only web) in apps"],
        "delete": ["everything in every API group"],
        "get": ["/metrics (outside the API: no effect in a namespace)"],
        "patch": ["jobs, and more in batch"],
    }


def test_a_long_list_is_cut_in_brief() -> None:
    resources = tuple(f"r{number}" for number in range(20))
    assert in_brief([Rule(("get",), ("",), resources)]) == ["get: r0, r1, r2, r3, r4, r5 and 14 more"]


@pytest.mark.parametrize(
    ("role", "recorded", "lines"),
    [
        pytest.param(DEBUG, policy(rule("get", "pods"), rule("delete", "pods")), ["get: pods", "delete: pods"], id="as-recorded"),
        pytest.param(
            DEBUG,
            policy(rule("get", "pods", "services"), rule("get", "secrets", names=["a, b"]), omitted=3),
            ["get: pods, services, secrets (only a, b)", "and 3 more rules"],
            id="rules-with-the-same-verbs-together-and-what-is-left-out",
        ),
        pytest.param(DEBUG, policy(rule("get", "pods"), omitted=1), ["get: pods", "and 1 more rule"], id="one-left-out"),
        pytest.param(DEBUG, policy(), [], id="a-role-that-allows-nothing"),
        pytest.param(
            RoleRef("ClusterRole", "view"),
            None,
            ["Kubernetes' own role for reading most objects, but no Secrets (the exact rules are not yours to read)"],
            id="as-the-role-is-known",
        ),
        pytest.param(
            DEBUG, policy(hash=""), ["the rules of ClusterRole debug are not yours to read, or gone"], id="not-recorded"
        ),
        pytest.param(
            RoleRef("Role", "view"),
            policy(rule("get", "pods"), name="view"),
            ["the rules of Role view are not yours to read, or gone"],
            id="a-role-of-the-same-name-is-another",
        ),
        pytest.param(
            DEBUG,
            policy(*(rule(verb, "pods") for verb in "123456789")),
            [*(f"{verb}: pods" for verb in "123456"), "and 3 more: kubectl jit show"],
            id="cut-where-it-is-long",
        ),
    ],
)
def test_a_role_that_one_may_not_read_is_described_as_far_as_it_is_known(
    role: RoleRef, recorded: AccessPolicy | None, lines: list[str]
) -> None:
    assert brief(role, None, recorded) == lines


def test_what_is_recorded_is_shown_exactly_too() -> None:
    recorded = policy(rule("get", "pods"), rule("get", "services"), omitted=2)
    assert exact_rules(DEBUG, None, recorded) == {"get": ["pods", "services"], "and 2 more rules": []}
    assert exact_rules(DEBUG, None, None) == {"the rules of ClusterRole debug are not yours to read, or gone": []}


SECRETS = (Rule(("get",), ("",), ("secrets",)),)


@pytest.mark.parametrize(
    ("rules", "recorded", "risks"),
    [
        pytest.param(SECRETS, None, ("read Secrets",), id="from-the-rules"),
        pytest.param(None, policy(risks=["read Secrets"]), ("read Secrets",), id="from-the-record"),
        pytest.param(
            SECRETS,
            policy(risks=["read Secrets", "pay invoices"]),
            ("read Secrets", "pay invoices"),
            id="what-only-the-operator-was-taught-is-not-lost",
        ),
        pytest.param(None, None, (), id="nothing-is-known"),
    ],
)
def test_risks_come_from_the_rules_and_from_the_record(
    rules: Sequence[Rule] | None, recorded: AccessPolicy | None, risks: tuple[str, ...]
) -> None:
    assert risks_of(DEBUG, rules, recorded) == risks


def test_hints_come_from_the_record_too() -> None:
    assert hints_for(DEBUG, None, policy(hints=["may do more"])) == ("may do more",)
    assert hints_for(DEBUG, None, None) == ()
