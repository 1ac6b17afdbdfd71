"""A role in words: as it was shown, else from its rules, else from what the operator recorded, else what is known of it."""

from typing import Any

import pytest

from jitaccess.domain.model import AccessPolicy, AccessRequest, RoleRef
from jitaccess.domain.roles import Role, Rule, ShownRole, rules_digest
from jitaccess.manifests.parse import parse_policy
from jitaccess.manifests.roles import role_status
from jitaccess.wording.roles import in_brief, role_asked, role_now
from unit.examples import request

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
    assert role_now(DEBUG, Role("u", RULES), None).exactly == {
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
    assert role_now(role, None, recorded).brief == lines


def test_what_is_recorded_is_shown_exactly_too() -> None:
    recorded = policy(rule("get", "pods"), rule("get", "services"), omitted=2)
    assert role_now(DEBUG, None, recorded).exactly == {"get": ["pods", "services"], "and 2 more rules": []}
    assert role_now(DEBUG, None, None).exactly == {"the rules of ClusterRole debug are not yours to read, or gone": []}


SECRETS = (Rule(("get",), ("",), ("secrets",)),)


@pytest.mark.parametrize(
    ("rules", "recorded", "risks"),
    [
        pytest.param(SECRETS, None, ("read Secrets",), id="from-the-rules"),
        pytest.param(None, policy(risks=["read Secrets"]), ("read Secrets",), id="from-the-record"),
        pytest.param(
            SECRETS,
            policy(risks=["pay invoices"]),
            ("pay invoices", "read Secrets"),
            id="what-only-the-operator-was-taught-is-not-lost",
        ),
        pytest.param(None, None, (), id="nothing-is-known"),
    ],
)
def test_risks_come_from_the_rules_and_from_the_record(
    rules: tuple[Rule, ...] | None, recorded: AccessPolicy | None, risks: tuple[str, ...]
) -> None:
    live = Role("u", rules) if rules else None
    assert role_now(DEBUG, live, recorded).risks == risks


FOREIGN = (Rule(("update",), ("argoproj.io",), ("applications",)),)


@pytest.mark.parametrize(
    ("live", "recorded", "hinted"),
    [
        pytest.param(None, policy(hints=["may do more"]), ["may do more"], id="from-the-record"),
        pytest.param(
            Role("u", FOREIGN), policy(hints=["may do more"], hash=rules_digest(FOREIGN)), ["may do more"], id="of-these-rules"
        ),
        pytest.param(Role("u", FOREIGN), policy(hints=[], hash=rules_digest(FOREIGN)), [], id="taught-to-be-harmless"),
        pytest.param(None, None, [], id="nothing-is-known"),
    ],
)
def test_hints_are_those_of_the_operator_for_the_same_rules(
    live: Role | None, recorded: AccessPolicy | None, hinted: list[str]
) -> None:
    assert list(role_now(DEBUG, live, recorded).hints) == hinted


def test_rules_that_the_operator_has_not_seen_are_judged_by_what_the_plugin_knows() -> None:
    (hint,) = role_now(DEBUG, Role("u", FOREIGN), policy(hints=["of other rules"])).hints
    assert "argoproj.io" in hint


PODS, NODES = (Rule(("get",), ("",), ("pods",)),), (Rule(("get",), ("",), ("nodes",)),)


def asked(state: str, *reasons: str, omitted: int = 0) -> AccessRequest:
    """A request for `debug` that was shown reading pods, with these reasons in its history."""
    shown = ShownRole("u", rules_digest(PODS), PODS, ("what it risks",), ("what it may do",), omitted)
    history = [{"at": T0, "state": "Active", "reason": reason} for reason in reasons]
    role = {"kind": "ClusterRole", "name": "debug"}
    return request(roleRef=role, status={"state": state, "role": role_status(shown), "history": history})


@pytest.mark.parametrize(
    ("about", "live", "recorded", "changed"),
    [
        pytest.param(asked("Pending"), Role("u", PODS), None, "", id="as-it-is"),
        pytest.param(asked("Pending"), None, policy(hash=rules_digest(PODS)), "", id="as-the-policy-has-it"),
        pytest.param(asked("Pending"), None, None, "", id="not-known"),
        pytest.param(
            asked("Pending"),
            Role("u", NODES),
            None,
            "ClusterRole debug was changed since it was shown, so this is not granted any more: ask again",
            id="other-rules",
        ),
        pytest.param(
            asked("Pending"),
            Role("v", PODS),
            None,
            "ClusterRole debug was deleted and recreated since it was shown, so this is not granted any more: ask again",
            id="another-role-of-that-name",
        ),
        pytest.param(
            asked("Expired"),
            Role("u", NODES),
            None,
            "ClusterRole debug was changed since: it allows something else now",
            id="after-the-end",
        ),
        pytest.param(
            asked("Pending"),
            None,
            policy(hash=rules_digest(NODES)),
            "ClusterRole debug may have changed since: the status of the policy has other rules",
            id="seen-only-in-the-policy",
        ),
        pytest.param(
            asked("Active", "Granted", "RoleChanged"),
            Role("u", PODS),
            None,
            "ClusterRole debug was changed since this was asked, and the access with it",
            id="during-the-grant",
        ),
    ],
)
def test_a_role_is_shown_as_it_was_with_a_word_about_what_changed(
    about: AccessRequest, live: Role | None, recorded: AccessPolicy | None, changed: str
) -> None:
    seen = role_asked(about, live, recorded)
    assert (seen.brief, seen.changed) == (["get: pods"], changed)
    assert (seen.risks, seen.hints) == (("what it risks",), ("what it may do",))


def test_what_was_left_out_of_the_record_is_read_from_the_role_where_it_is_the_same() -> None:
    short = asked("Pending", omitted=2)
    assert role_asked(short, None, None).brief == ["get: pods", "and 2 more rules"]
    assert role_asked(short, Role("u", PODS), None).brief == ["get: pods"]


def test_a_role_that_is_not_recorded_yet_is_shown_as_it_is() -> None:
    fresh = request(roleRef={"kind": "ClusterRole", "name": "debug"})
    assert role_asked(fresh, Role("u", NODES), None).brief == ["get: nodes"]
    assert role_asked(fresh, None, policy(rule("get", "pods"))).brief == ["get: pods"]
