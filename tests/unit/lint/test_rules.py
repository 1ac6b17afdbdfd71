"""Every rule of lint: what it finds, where, in which words, and the honest twin in which it finds nothing."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from jitaccess.cli.commands.linting import _read
from jitaccess.lint.bundle import bundle
from jitaccess.lint.checks import CLOSED
from jitaccess.lint.crds import kinds
from jitaccess.lint.documents import read
from jitaccess.lint.findings import Level
from jitaccess.lint.rules import RULES, findings
from jitaccess.lint.sarif import sarif

ROOT = Path(__file__).resolve().parents[3]


def group(name: str) -> dict[str, str]:
    return {"kind": "Group", "name": name}


def user(name: str) -> dict[str, str]:
    return {"kind": "User", "name": name}


def account(namespace: str, name: str) -> dict[str, str]:
    return {"kind": "ServiceAccount", "name": name, "namespace": namespace}


def role(kind: str, name: str) -> dict[str, str]:
    return {"kind": kind, "name": name}


def window(zone: str) -> dict[str, str]:
    return {"from": "08:00", "to": "18:00", "timeZone": zone}


def stage(name: str, *approvers: dict[str, str], required: int = 1) -> dict[str, Any]:
    return {"name": name, "approvers": list(approvers), "required": required}


def emergency(*reviewers: dict[str, str]) -> dict[str, Any]:
    return {"reviewWithin": "24h", "reviewers": list(reviewers)}


VIEW, EDIT = role("ClusterRole", "view"), role("ClusterRole", "edit")


def policy(name: str = "debug", namespace: str = "team-a", kind: str = "AccessPolicy", **spec: Any) -> str:
    """A policy as one document; JSON is YAML, and everything of it stands in one line but what begins a field of its spec."""
    fields = {
        "roles": [VIEW],
        "requesters": [group("developers")],
        "approvers": [group("leads")],
        "maxDuration": "4h",
        **spec,
    }
    metadata = {"name": name, "namespace": namespace} if namespace else {"name": name}
    lines = "".join(f"  {field}: {json.dumps(value)}\n" for field, value in fields.items() if value is not ...)
    return f"apiVersion: jitaccess.dev/v1alpha1\nkind: {kind}\nmetadata: {json.dumps(metadata)}\nspec:\n{lines}"


def everywhere(name: str = "fleet", **spec: Any) -> str:
    """A ClusterAccessPolicy."""
    return policy(name, "", "ClusterAccessPolicy", **spec)


def rbac(kind: str, name: str, *rules: dict[str, Any], namespace: str = "", **more: Any) -> str:
    """A Role or ClusterRole."""
    metadata = {"name": name, **({"namespace": namespace} if namespace else {}), **more.pop("metadata", {})}
    return json.dumps(
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": metadata, "rules": list(rules), **more}
    )


SECRETS = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}
PODS = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
NAMESPACE = json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team-a", "labels": {"env": "prod"}}})
PROD = {"matchLabels": {"env": "prod"}}


def both(*documents: str) -> str:
    return "---\n".join(document if document.endswith("\n") else f"{document}\n" for document in documents)


# The rule, what is bad, the line of what is found, words of it; and the same without what is bad.
TABLE = [
    pytest.param("syntax", "kind: [\n", 2, "while parsing a flow", "kind: []", id="no-yaml"),
    pytest.param(
        "duplicate-key", policy() + "  maxDuration: 1h\n", 9, "maxDuration stands here twice", policy(), id="a-field-twice"
    ),
    pytest.param(
        "unquoted-key",
        everywhere(namespaceSelector=...) + "  namespaceSelector: {matchLabels: {on: x}}\n",
        9,
        "as the name of a field, YAML takes on for true: put it in quotes",
        everywhere(namespaceSelector={"matchLabels": {"on": "x"}}),
        id="a-label-that-is-a-truth",
    ),
    pytest.param(
        "schema",
        policy(maxDurations="1h"),
        9,
        "spec.maxDurations: there is no such field; did you mean maxDuration?",
        policy(),
        id="unknown",
    ),
    pytest.param("schema", policy(maxDuration=...), 4, "spec.maxDuration: is missing", policy(), id="missing"),
    pytest.param(
        "schema",
        policy(roles=[role("Clusterrole", "view")]),
        5,
        "spec.roles[0].kind: must be Role or ClusterRole, not 'Clusterrole'; did you mean ClusterRole?",
        policy(),
        id="enum",
    ),
    pytest.param(
        "schema",
        policy(requiredApprovals="1"),
        9,
        "spec.requiredApprovals: must be a whole number, not '1'",
        policy(requiredApprovals=1),
        id="text-for-a-number",
    ),
    pytest.param(
        "schema",
        policy(description=1),
        9,
        "spec.description: must be a text, not 1, which is a number to YAML: put it in quotes",
        policy(description="1"),
        id="number-for-a-text",
    ),
    pytest.param(
        "schema", policy().replace("kind: AccessPolicy", "kind: AcessPolicy"), 2, "kind: must be", policy(), id="no-such-kind"
    ),
    pytest.param(
        "schema",
        policy().replace("v1alpha1", "v1"),
        1,
        "apiVersion: must be jitaccess.dev/v1alpha1, not 'jitaccess.dev/v1'",
        policy(),
        id="no-such-version",
    ),
    pytest.param(
        "schema",
        policy().replace("jitaccess.dev/", "jit-access.dev/"),
        1,
        "apiVersion: must be jitaccess.dev/v1alpha1, not 'jit-access.dev/v1alpha1'; did you mean jitaccess.dev/v1alpha1?",
        policy().replace("jitaccess.dev/", "access.example.com/"),
        id="a-group-with-a-typing-error",
    ),
    pytest.param(
        "schema",
        policy().replace("apiVersion: jitaccess.dev/v1alpha1\n", ""),
        1,
        "apiVersion: is missing",
        policy().replace("AccessPolicy", "Policy").replace("jitaccess.dev", "kyverno.io"),
        id="no-version-at-all",
    ),
    pytest.param(
        "schema",
        policy().replace('"name": "debug"', '"nam": "x", "name": "debug"'),
        3,
        "metadata.nam: there is no such field",
        policy(),
        id="unknown-in-metadata",
    ),
    pytest.param(
        "schema",
        policy().replace('"name": "debug"', '"labels": {"a": 1}, "name": "debug"'),
        3,
        "metadata.labels.a: must be a text",
        policy(),
        id="a-number-as-a-label",
    ),
    pytest.param("schema", policy().replace('"name": "debug", ', ""), 3, "metadata.name: is missing", policy(), id="no-name"),
    pytest.param(
        "cel",
        policy(ticket={"pattern": "^INC-(?=[0-9])"}),
        9,
        "spec.ticket.pattern: is no RE2 pattern: invalid perl operator: (?=",
        policy(ticket={"pattern": "^INC-[0-9]+$"}),
        id="no-pattern",
    ),
    pytest.param(
        "schema",
        policy(name="Prod_Debug"),
        3,
        "metadata.name: 'Prod_Debug' is no name",
        policy(name="prod.debug-1"),
        id="a-name-that-is-none",
    ),
    pytest.param(
        "schema",
        policy().replace('"name": "debug"', '"generateName": "-debug-"'),
        3,
        "metadata.generateName: '-debug-' is no name",
        policy().replace('"name": "debug"', '"generateName": "debug-"'),
        id="a-name-that-never-will-be-one",
    ),
    pytest.param("schema", policy(name="d" * 254), 3, "at most 253", policy(name="d" * 253), id="too-long-a-name"),
    pytest.param(
        "schema",
        policy(namespace="team.a"),
        3,
        "'team.a' is no name of a namespace",
        policy(namespace="team-a"),
        id="no-namespace",
    ),
    pytest.param(
        "cel",
        policy(maxDuration="1d"),
        8,
        "spec.maxDuration: is not a duration: write it like 30m, 4h or 1h30m, and a day as 24h",
        policy(maxDuration="24h"),
        id="a-day",
    ),
    pytest.param(
        "cel",
        policy(description="a\u200bb"),
        9,
        "spec.description: character 2 is invisible",
        policy(description="ab"),
        id="a-zero-width-space",
    ),
    pytest.param(
        "cel",
        policy(approvers=...),
        4,
        "spec.approvers: requiredApprovals is above 0",
        policy(approvers=..., requiredApprovals=0),
        id="nobody-approves",
    ),
    *(
        pytest.param("closed-namespace", policy(namespace=name), 3, "make the policy in another namespace", policy(), id=name)
        for name in CLOSED
    ),
    pytest.param(
        "risky-role",
        policy(roles=[VIEW, EDIT]),
        5,
        "spec.roles[1]: ClusterRole edit allows what outlives the grant (read Secrets",
        policy(roles=[VIEW]),
        id="edit",
    ),
    pytest.param(
        "risky-role",
        policy(roles=[EDIT]),
        5,
        "as it comes with Kubernetes",
        policy(roles=[EDIT], allowPersistentRisk=True),
        id="edit-accepted",
    ),
    pytest.param(
        "risky-role",
        policy(roles=[role("ClusterRole", "cluster-admin")]),
        5,
        "write RBAC",
        policy(roles=[role("ClusterRole", "unheard-of")]),
        id="everything",
    ),
    pytest.param(
        "risky-role",
        both(policy(roles=[role("Role", "reader")]), rbac("Role", "reader", SECRETS, namespace="team-a")),
        5,
        "Role reader allows what outlives the grant (read Secrets; as in a.yaml:10:1)",
        both(policy(roles=[role("Role", "reader")]), rbac("Role", "reader", SECRETS, namespace="team-b")),
        id="a-role-of-the-same-namespace",
    ),
    pytest.param(
        "risky-role",
        both(
            everywhere(namespaceSelector={}, roles=[role("Role", "reader")]), rbac("Role", "reader", SECRETS, namespace="team-b")
        ),
        5,
        "read Secrets",
        both(everywhere(namespaceSelector={}, roles=[role("Role", "reader")]), rbac("Role", "reader", PODS, namespace="team-b")),
        id="a-role-of-any-namespace",
    ),
    pytest.param(
        "risky-role",
        both(
            policy(roles=[role("ClusterRole", "sum")]),
            rbac("ClusterRole", "sum", aggregationRule={"clusterRoleSelectors": [{"matchLabels": {"to": "sum"}}]}),
            rbac("ClusterRole", "part", SECRETS, metadata={"labels": {"to": "sum"}}),
        ),
        5,
        "read Secrets",
        both(
            policy(roles=[role("ClusterRole", "sum")]),
            rbac("ClusterRole", "sum", aggregationRule={"clusterRoleSelectors": [{"matchLabels": {"to": "sum"}}]}),
            rbac("ClusterRole", "part", SECRETS, metadata={"labels": {"to": "other"}}),
        ),
        id="what-is-aggregated",
    ),
    pytest.param(
        "risky-role",
        both(policy(), rbac("ClusterRole", "view", SECRETS)),
        5,
        "as in a.yaml",
        both(policy(), rbac("ClusterRole", "view", PODS)),
        id="the-file-knows-better",
    ),
    pytest.param(
        "needless-risk",
        policy(allowPersistentRisk=True),
        9,
        "none of the roles needs it",
        policy(allowPersistentRisk=True, roles=[EDIT]),
        id="view-accepted",
    ),
    pytest.param(
        "needless-risk",
        policy(allowPersistentRisk=True),
        9,
        "leave it out",
        policy(allowPersistentRisk=True, roles=[VIEW, role("Role", "unheard-of")]),
        id="one-is-not-known",
    ),
    pytest.param(
        "no-approver",
        policy(requesters=[user("a")], approvers=[user("a")]),
        7,
        "spec.approvers: too few",
        policy(requesters=[user("a")], approvers=[user("a"), user("b")]),
        id="only-themselves",
    ),
    pytest.param(
        "no-approver",
        policy(requesters=[user("a")], approvers=[user("A")]),
        7,
        "too few",
        policy(requesters=[user("a")], approvers=[user("ä")]),
        id="themselves-in-capitals",
    ),
    pytest.param(
        "no-approver",
        policy(approvers=[user("a"), user("A")], requiredApprovals=2),
        7,
        "(2 must)",
        policy(approvers=[user("a"), user("b")], requiredApprovals=2),
        id="one-person-with-two-names",
    ),
    pytest.param(
        "no-approver",
        policy(approvers=[account("jitaccess-system", "jitaccess")]),
        7,
        "too few",
        policy(approvers=[account("ci", "bot")]),
        id="the-operator",
    ),
    pytest.param(
        "no-approver",
        policy(approvers=[account("jitaccess-grants", "x")]),
        7,
        "too few",
        policy(approvers=[account("jitaccess-grant", "x")]),
        id="a-temporary-identity",
    ),
    pytest.param(
        "no-approver",
        policy(requesters=[account("ci", "bot")], approvers=[user("system:serviceaccount:ci:bot")]),
        7,
        "too few",
        policy(requesters=[account("ci", "bot")], approvers=[user("system:serviceaccount:ci:other")]),
        id="an-account-by-its-name",
    ),
    pytest.param(
        "no-approver",
        policy(requesters=[user("a"), user("b")], approvers=[user("a"), user("b")], requiredApprovals=2),
        7,
        "too few",
        policy(requesters=[user("a"), user("b")], approvers=[user("a"), user("b")]),
        id="each-needs-a-third",
    ),
    pytest.param(
        "unknown-time-zone",
        policy(windows=[window("Etc/UTC"), window("Europe/Berln")]),
        9,
        "spec.windows[1].timeZone: there is no time zone Europe/Berln; did you mean Europe/Berlin?",
        policy(windows=[window("Etc/UTC"), window("Europe/Berlin")]),
        id="a-zone-with-a-typing-error",
    ),
    pytest.param(
        "no-approver",
        policy(approvers=..., stages=[stage("lead", user("a")), stage("security", user("a"))]),
        8,
        "spec.stages[1].approvers: too few are named who could approve",
        policy(approvers=..., stages=[stage("lead", user("a")), stage("security", user("a"), user("b"))]),
        id="one-person-in-both-stages",
    ),
    pytest.param(
        "no-approver",
        policy(approvers=..., stages=[stage("one", user("a"), user("b")), stage("two", user("a"), user("b"), required=2)]),
        8,
        "too few",
        policy(approvers=..., stages=[stage("one", group("leads")), stage("two", user("a"), user("b"), required=2)]),
        id="two-people-for-three",
    ),
    pytest.param(
        "no-approver",
        policy(approvers=..., requiredApprovals=0, requesters=[user("a")], emergency=emergency(user("a"))),
        9,
        "spec.emergency.reviewers: too few are named who could review",
        policy(approvers=..., requiredApprovals=0, requesters=[user("a")], emergency=emergency(user("b"))),
        id="they-review-themselves",
    ),
    pytest.param(
        "blocked-requester",
        policy(approvers=..., requiredApprovals=0, requesters=[user("a"), group("x")], emergency=emergency(user("a"))),
        9,
        "who could review what User a asks for",
        policy(approvers=..., requiredApprovals=0, requesters=[group("x")], emergency=emergency(user("a"))),
        id="one-of-them-reviews-alone",
    ),
    pytest.param(
        "overlapping-policies",
        both(policy("one"), policy("two", windows=[window("Etc/UTC")])),
        14,
        "on other terms: windows is here alone",
        both(policy("one", windows=[window("Etc/UTC")]), policy("two", windows=[window("Etc/UTC")])),
        id="one-has-windows",
    ),
    pytest.param(
        "overlapping-policies",
        both(policy("one"), policy("two", maxDuration="1h", approvers=[group("others"), user("a")])),
        14,
        "on other terms: approvers is Group others, User a here and Group leads there; maxDuration",
        both(policy("one"), policy("two", maxDuration="1h", requiredApprovals=0, emergency=emergency(group("leads")))),
        id="one-is-not-for-emergencies",
    ),
    pytest.param(
        "overlapping-policies",
        both(policy("one", windows=[window("Etc/UTC")]), policy("two", windows=[window("Europe/Berlin")])),
        15,
        "on other terms: windows differs",
        both(policy("one"), policy("two", maxDuration="1h", suspend=True)),
        id="one-is-not-suspended",
    ),
    pytest.param(
        "blocked-requester",
        policy(requesters=[user("a"), user("b")], approvers=[user("a")]),
        7,
        "could approve what User a asks for: name more",
        policy(requesters=[user("a"), user("b")], approvers=[user("a"), group("leads")]),
        id="one-of-them",
    ),
    pytest.param(
        "blocked-requester",
        policy(requesters=[user("a"), group("developers")], approvers=[user("a")]),
        7,
        "approve what User a asks for",
        policy(requesters=[group("developers")], approvers=[user("a")]),
        id="one-beside-a-group",
    ),
    pytest.param(
        "overlapping-policies",
        both(policy("one"), policy("two", maxDuration="1h", requiredApprovals=2)),
        14,
        "Group developers may ask for ClusterRole view under AccessPolicy team-a/one (a.yaml:5:3) too, on other terms: "
        "maxDuration is 1h here and 4h there; requiredApprovals is 2 here and 1 there",
        both(policy("one"), policy("two", maxDuration="240m", description="x")),
        id="other-terms",
    ),
    pytest.param(
        "overlapping-policies",
        both(policy("one"), policy("two", maxDuration="1h")),
        14,
        "too",
        both(policy("one"), policy("two", "team-b", maxDuration="1h")),
        id="another-namespace",
    ),
    pytest.param(
        "overlapping-policies",
        both(policy("one"), policy("two", maxDuration="1h")),
        14,
        "too",
        both(policy("one"), policy("two", maxDuration="1h", requesters=[group("others")])),
        id="other-people",
    ),
    pytest.param(
        "overlapping-policies",
        both(policy("one"), policy("two", maxDuration="1h")),
        14,
        "too",
        both(policy("one"), policy("two", maxDuration="1h", roles=[role("Role", "view")])),
        id="another-role",
    ),
    pytest.param(
        "overlapping-policies",
        both(policy(maxDuration="1h"), everywhere(namespaceSelector={})),
        14,
        "AccessPolicy team-a/debug",
        both(policy(maxDuration="1h"), everywhere(namespaceSelector=PROD)),
        id="every-namespace",
    ),
    pytest.param(
        "overlapping-policies",
        both(NAMESPACE, policy(maxDuration="1h"), everywhere(namespaceSelector=PROD)),
        16,
        "too",
        both(NAMESPACE, policy(maxDuration="1h"), everywhere(namespaceSelector={"matchLabels": {"env": "test"}})),
        id="by-the-labels-in-the-files",
    ),
    pytest.param(
        "overlapping-policies",
        both(policy(maxDuration="1h"), everywhere(namespaceSelector={"matchLabels": {"kubernetes.io/metadata.name": "team-a"}})),
        14,
        "too",
        both(policy(maxDuration="1h"), everywhere(namespaceSelector={"matchLabels": {"kubernetes.io/metadata.name": "team-b"}})),
        id="by-name",
    ),
    pytest.param(
        "overlapping-policies",
        both(everywhere("one", namespaceSelector=PROD), everywhere("two", namespaceSelector=PROD, maxDuration="1h")),
        15,
        "ClusterAccessPolicy one",
        both(everywhere("one", namespaceSelector=PROD), everywhere("two", clusterWide=True, maxDuration="1h")),
        id="the-same-selector",
    ),
    pytest.param(
        "overlapping-policies",
        both(everywhere("one", clusterWide=True), everywhere("two", clusterWide=True, noteRequired=True)),
        15,
        "noteRequired",
        both(everywhere("one", clusterWide=True), policy(noteRequired=True)),
        id="cluster-wide",
    ),
    pytest.param(
        "duplicate-object",
        both(policy(), policy()),
        12,
        "AccessPolicy team-a/debug stands at a.yaml:1:1 too",
        both(policy(), policy(namespace="team-b")),
        id="the-same-name",
    ),
]


def found(text: str, rule: str) -> list[tuple[int, str]]:
    """The lines and messages of what one rule finds."""
    whole = bundle([read(text, "a.yaml")], kinds())
    return [(each.found.place.line, each.found.message) for each in findings(whole) if each.rule == rule]


@pytest.mark.parametrize(("rule", "bad", "line", "words", "good"), TABLE)
def test_a_rule_finds_what_is_bad_and_not_its_honest_twin(rule: str, bad: str, line: int, words: str, good: str) -> None:
    [(at, message)] = found(bad, rule)
    assert at == line, message
    assert words in message
    assert found(good, rule) == []


# What no file can bring about today: another parser of the operator's, a rule of a CRD to come.
ELSEWHERE = {
    "not-in-force": "test_what_the_operator_does_not_take_is_said_in_its_words",
    "unevaluated": "test_a_rule_that_cannot_be_asked_is_an_error",
}


def test_every_rule_is_in_the_table_and_says_what_to_do() -> None:
    assert {rule.name for rule in RULES} == {str(row.values[0]) for row in TABLE} | {*ELSEWHERE}
    assert len({rule.name for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule.says.endswith("."), rule.name
        assert rule.advice.endswith("."), rule.name
        assert rule.name.replace("-", "").isalpha()


def test_the_docs_have_every_rule() -> None:
    docs = (ROOT / "docs" / "cli.md").read_text()
    assert [rule.name for rule in RULES if f"| `{rule.name}` | {rule.level} | {rule.says} {rule.advice} |" not in docs] == []


@pytest.mark.parametrize(
    ("invalid", "line", "message"),
    [
        pytest.param("spec.maxDuration: is by pigeon", 8, "spec.maxDuration: is by pigeon", id="a-field"),
        pytest.param("spec.roles[0].name is a pigeon", 5, "spec.roles[0].name: is a pigeon", id="an-entry"),
        pytest.param("it cannot be read", 4, "spec: it cannot be read", id="no-field"),
    ],
)
def test_what_the_operator_does_not_take_is_said_in_its_words(invalid: str, line: int, message: str) -> None:
    whole = bundle([read(policy(), "a.yaml")], kinds())
    assert findings(whole) == []
    [seen] = whole.policies
    whole.policies = [replace(seen, parsed=replace(seen.parsed, invalid=invalid))]
    assert [(each.rule, each.found.place.line, each.found.message) for each in findings(whole)] == [
        ("not-in-force", line, message)
    ]


def test_what_a_rule_of_its_own_says_is_not_said_twice() -> None:
    whole = bundle([read(policy(windows=[window("Mars/Base")]), "a.yaml")], kinds())
    assert "Mars/Base" in whole.policies[0].parsed.invalid
    assert [each.rule for each in findings(whole)] == ["unknown-time-zone"]


def test_a_rule_that_cannot_be_asked_is_an_error() -> None:
    known = kinds()["AccessPolicy"]
    [schema] = known.schemas.values()
    odd = {**schema, "x-kubernetes-validations": [{"rule": "self.isIP()"}]}
    whole = bundle([read(policy(), "a.yaml")], {"AccessPolicy": replace(known, schemas={"v1alpha1": odd})})
    assert [(each.rule, each.level) for each in findings(whole)] == [("unevaluated", Level.ERROR)]


def test_no_rule_of_cel_is_asked_of_what_is_no_value() -> None:
    whole = bundle([read(policy(maxDuration=3600, description="a\u200bb"), "a.yaml")], kinds())
    assert [each.rule for each in findings(whole)] == ["schema"]


def test_a_rule_can_be_left_out() -> None:
    whole = bundle([read(policy(roles=[EDIT], requesters=[user("a")], approvers=[user("a")]), "a.yaml")], kinds())
    assert [each.rule for each in findings(whole)] == ["risky-role", "no-approver"]
    assert [each.rule for each in findings(whole, ["risky-role"])] == ["no-approver"]


EXAMPLES = sorted((ROOT / "deploy" / "examples").rglob("*.yaml"))


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: str(file.relative_to(ROOT / "deploy" / "examples")))
def test_every_example_is_without_even_a_note(file: Path) -> None:
    assert findings(bundle(list(_read([file])), kinds())) == []


def test_the_examples_together_overlap_and_nothing_else() -> None:
    """Each shows another way to offer the same roles to the same people: one would take one of them."""
    found = findings(bundle(list(_read([ROOT / "deploy"])), kinds()))
    assert {each.rule for each in found} == {"overlapping-policies"}


def test_the_log_is_sarif() -> None:
    text = both(policy(roles=[EDIT]), policy("two", maxDuration="1h"), "kind: [")
    found = findings(bundle([read(text, "a b.yaml"), read(text, "/c.yaml")], kinds()))
    log = json.loads(json.dumps(sarif(found, "1.2.3")))
    jsonschema.validate(log, SARIF)
    [run] = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == [rule.name for rule in RULES]
    assert all(rules[result["ruleIndex"]]["id"] == result["ruleId"] for result in run["results"])
    uris = {result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for result in run["results"]}
    assert uris == {"a%20b.yaml", "file:///c.yaml"}


# Of the schema of SARIF 2.1.0, what concerns what we write.
TEXT: dict[str, Any] = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string", "minLength": 1}}}
LEVEL = {"enum": ["none", "note", "warning", "error"]}
SARIF: dict[str, Any] = {
    "type": "object",
    "required": ["version", "runs"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["tool", "results"],
                "additionalProperties": False,
                "properties": {
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "tool": {
                        "type": "object",
                        "required": ["driver"],
                        "properties": {
                            "driver": {
                                "type": "object",
                                "required": ["name"],
                                "additionalProperties": False,
                                "properties": {
                                    "name": {"type": "string"},
                                    "version": {"type": "string"},
                                    "rules": {
                                        "type": "array",
                                        "uniqueItems": True,
                                        "items": {
                                            "type": "object",
                                            "required": ["id"],
                                            "additionalProperties": False,
                                            "properties": {
                                                "id": {"type": "string"},
                                                "shortDescription": TEXT,
                                                "help": TEXT,
                                                "defaultConfiguration": {"type": "object", "properties": {"level": LEVEL}},
                                            },
                                        },
                                    },
                                },
                            }
                        },
                    },
                    "results": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["message"],
                            "additionalProperties": False,
                            "properties": {
                                "ruleId": {"type": "string"},
                                "ruleIndex": {"type": "integer", "minimum": 0},
                                "level": LEVEL,
                                "message": TEXT,
                                "locations": {
                                    "type": "array",
                                    "minItems": 1,
                                    "items": {
                                        "type": "object",
                                        "additionalProperties": False,
                                        "required": ["physicalLocation"],
                                        "properties": {
                                            "physicalLocation": {
                                                "type": "object",
                                                "properties": {
                                                    "artifactLocation": {
                                                        "required": ["uri"],
                                                        "properties": {"uri": {"type": "string"}},
                                                    },
                                                    "region": {
                                                        "properties": {
                                                            "startLine": {"type": "integer", "minimum": 1},
                                                            "startColumn": {"type": "integer", "minimum": 1},
                                                        }
                                                    },
                                                },
                                            },
                                            "logicalLocations": {
                                                "type": "array",
                                                "items": {"properties": {"fullyQualifiedName": {"type": "string"}}},
                                            },
                                        },
                                    },
                                },
                            },
                        },
                    },
                },
            },
        },
    },
}
