"""`kubectl jit lint` and the API server agree: what the one refuses the other does, in the same field and the same words."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from jitaccess.domain.risk import KNOWN
from jitaccess.lint.bundle import bundle
from jitaccess.lint.crds import kinds
from jitaccess.lint.documents import read
from jitaccess.lint.findings import Found
from jitaccess.lint.roles import BUILT_IN
from jitaccess.manifests.roles import parse_role
from team import (
    CLUSTER_POLICIES,
    CLUSTER_REQUESTS,
    POLICIES,
    REQUESTS,
    Team,
    cluster_policy_manifest,
    cluster_request_manifest,
    policy_manifest,
    request_manifest,
)

PLURALS = {
    "AccessPolicy": POLICIES,
    "ClusterAccessPolicy": CLUSTER_POLICIES,
    "AccessRequest": REQUESTS,
    "ClusterAccessRequest": CLUSTER_REQUESTS,
}
NOT_CHECKED = "some validation rules were not checked because the object was invalid"
Manifest = Mapping[str, Any]


def policy(**spec: Any) -> Manifest:
    """An AccessPolicy with these fields, `...` for none."""
    return without(policy_manifest("linted", **spec))


def everywhere(**spec: Any) -> Manifest:
    """A ClusterAccessPolicy with these fields."""
    return without(cluster_policy_manifest("linted", **spec))


def request(**spec: Any) -> Manifest:
    """An AccessRequest with these fields, of the administrator, who is the one that asks here."""
    return without(request_manifest("linted", **{"requester": "admin"} | spec))


def without(manifest: Manifest) -> Manifest:
    spec = {field: value for field, value in manifest["spec"].items() if value is not ...}
    return {**manifest, "spec": spec}


def user(name: str, **more: str) -> dict[str, str]:
    return {"kind": "User", "name": name, **more}


def window(**more: Any) -> dict[str, Any]:
    return {"from": "08:00", "to": "18:00", "timeZone": "Europe/Berlin", **more}


def stage(name: str, **more: int) -> dict[str, Any]:
    return {"name": name, "approvers": [{"kind": "Group", "name": "leads"}], **more}


EMERGENCY = {"reviewWithin": "24h", "reviewers": [{"kind": "Group", "name": "leads"}]}
CLUSTER_ROLE = {"kind": "ClusterRole", "name": "view"}
LONG = "x" * 1100

GOOD = [
    pytest.param(policy(), id="a-policy"),
    pytest.param(policy(requiredApprovals=0, approvers=...), id="nobody-approves-and-nobody-must"),
    pytest.param(policy(approvers=[{"kind": "Group", "name": "leads"}], requiredApprovals=9), id="a-group-may-have-many"),
    pytest.param(policy(description=None), id="null-is-nothing"),
    pytest.param(policy(pendingTimeout=None), id="null-takes-the-default"),
    pytest.param(policy(requiredApprovals=None), id="null-takes-the-default-number"),
    pytest.param(policy(requiredApprovals=1.0), id="a-whole-number-with-a-point"),
    pytest.param(policy(description="Größe, 東京, \U0001f600 and é"), id="letters-of-all-kinds"),
    pytest.param(policy(maxDuration="1.5h"), id="a-fraction-of-an-hour"),
    pytest.param(policy(maxDuration="720h"), id="the-longest"),
    pytest.param(policy(maxDuration="0.001s"), id="the-shortest"),
    pytest.param(policy(maxDuration="0000000000000000000000001h"), id="digits-that-mean-nothing"),
    pytest.param(
        policy(requesters=[{"kind": "ServiceAccount", "name": "ci", "namespace": namespace} for namespace in ("a", "b")]),
        id="two-accounts-of-one-name",
    ),
    pytest.param(policy(windows=[window()], endWithWindow=True, allowScheduling=True), id="business-hours"),
    pytest.param(policy(windows=[window(days=["Sat", "Sun"], to="24:00")]), id="whole-weekends"),
    pytest.param(policy(approvers=..., stages=[stage("lead"), stage("security", required=2)]), id="two-stages"),
    pytest.param(policy(approvers=..., requiredApprovals=0, emergency=EMERGENCY), id="break-glass"),
    pytest.param(policy(limits={"activePerRequester": 1}, suspend=True), id="limits"),
    pytest.param(policy(ticket={"pattern": "^INC-[0-9]+$"}), id="a-ticket"),
    pytest.param(request(ticket="INC-1"), id="a-request-with-a-ticket"),
    pytest.param(everywhere(namespaceSelector={}), id="every-namespace"),
    pytest.param(everywhere(namespaceSelector={"matchLabels": {"example.com/env": "prod", "on": ""}}), id="labels"),
    pytest.param(
        everywhere(
            namespaceSelector={
                "matchExpressions": [{"key": "a", "operator": "Exists"}, {"key": "b", "operator": "In", "values": ["c"]}]
            }
        ),
        id="expressions",
    ),
    pytest.param(everywhere(clusterWide=True), id="cluster-wide"),
]  # fmt: skip

BAD = [
    pytest.param(policy(roles=...), id="no-roles"),
    pytest.param(policy(roles=None), id="null-roles"),
    pytest.param(policy(roles=[]), id="an-empty-list-of-roles"),
    pytest.param(policy(roles=[{**CLUSTER_ROLE, "name": f"r{n}"} for n in range(17)]), id="seventeen-roles"),
    pytest.param(policy(roles=[CLUSTER_ROLE, CLUSTER_ROLE]), id="the-same-role-twice"),
    pytest.param(policy(roles=[{"kind": "Rolle", "name": "view"}]), id="no-such-kind-of-role"),
    pytest.param(policy(roles=[{"kind": "Role"}]), id="a-role-without-a-name"),
    pytest.param(policy(roles=[{"kind": "Role", "name": ""}]), id="a-role-with-an-empty-name"),
    pytest.param(policy(roles=[{"kind": "Role", "name": "a/b"}]), id="a-role-with-a-slash"),
    pytest.param(policy(roles=[{"kind": "Role", "name": ".."}]), id="a-role-of-two-points"),
    pytest.param(policy(roles=[{"kind": "Role", "name": 7}]), id="a-number-for-a-name"),
    pytest.param(policy(roles="view"), id="a-text-for-a-list"),
    pytest.param(policy(roles=[None]), id="an-empty-entry"),
    pytest.param(policy(roles=[{**CLUSTER_ROLE, "apiGroup": "apps"}]), id="a-role-of-another-group"),
    pytest.param(policy(maxDurations="1h"), id="a-field-that-does-not-exist"),
    pytest.param(policy(roles=[{**CLUSTER_ROLE, "namspace": "x"}]), id="a-field-of-an-entry-that-does-not-exist"),
    pytest.param(policy(maxDuration=...), id="no-duration"),
    pytest.param(policy(maxDuration=3600), id="seconds"),
    pytest.param(policy(maxDuration="1d"), id="a-day"),
    pytest.param(policy(maxDuration="-1h"), id="a-negative-duration"),
    pytest.param(policy(maxDuration=""), id="an-empty-duration"),
    pytest.param(policy(maxDuration="721h"), id="too-long"),
    pytest.param(policy(maxDuration="999999999999999999h"), id="far-too-long"),
    pytest.param(policy(maxDuration="1us"), id="too-short"),
    pytest.param(policy(maxDuration="0" * 33 + "h"), id="too-many-digits"),
    pytest.param(policy(requiredApprovals="1"), id="a-text-for-a-number"),
    pytest.param(policy(requiredApprovals=-1), id="fewer-than-none"),
    pytest.param(policy(requiredApprovals=1.5), id="one-and-a-half"),
    pytest.param(policy(requiredApprovals=True), id="true-for-a-number"),
    pytest.param(policy(requiredApprovals=2**40), id="more-than-32-bits"),
    pytest.param(policy(approvers=...), id="nobody-approves"),
    pytest.param(policy(approvers=[]), id="an-empty-list-of-approvers"),
    pytest.param(policy(approvers=[user("a")], requiredApprovals=2), id="one-approver-and-two-approvals"),
    pytest.param(policy(approvers=[user("a: b")]), id="an-approver-whose-name-has-a-colon"),
    pytest.param(policy(approvers=[user("a"), user("a")]), id="the-same-approver-twice"),
    pytest.param(policy(requesters=[user("a", namespace="b")]), id="a-user-with-a-namespace"),
    pytest.param(policy(requesters=[{"kind": "ServiceAccount", "name": "ci"}]), id="an-account-without-a-namespace"),
    pytest.param(policy(requesters=[{"kind": "ServiceAccount", "name": "ci", "namespace": "A_"}]), id="no-name-of-a-namespace"),
    pytest.param(policy(requesters=[user("system:anonymous")]), id="anonymous"),
    pytest.param(policy(requesters=[user("a\u200bb")]), id="a-hidden-character-in-a-name"),
    pytest.param(policy(description="line\nbreak"), id="a-line-break"),
    pytest.param(policy(description="é\u00ad"), id="a-soft-hyphen-behind-a-letter-of-two-bytes"),
    pytest.param(policy(description="\U0001f600\u202e"), id="an-override-behind-a-character-of-four-bytes"),
    pytest.param(policy(description="e" + "\u0301" * 5), id="five-marks"),
    pytest.param(policy(description=LONG), id="a-long-description"),
    pytest.param(policy(delivery="Pigeon"), id="no-such-delivery"),
    pytest.param(policy(allowPersistentRisk="yes"), id="a-text-for-a-truth"),
    pytest.param(policy(noteRequired=1), id="a-number-for-a-truth"),
    pytest.param(policy(notify=[{"channel": "chat"}]), id="a-channel-that-hears-nothing"),
    pytest.param(policy(notify=[{"channel": "chat", "when": ["Sometimes"]}]), id="an-occasion-that-does-not-exist"),
    pytest.param(policy(maxDuration="1d", roles=[], approvers=...), id="several-things-at-once"),
    pytest.param(policy(maxDuration="1d", delivery="Pigeon"), id="no-rule-is-asked-of-what-is-no-value"),
    pytest.param({**policy(), "metadata": {}}, id="no-name"),
    pytest.param({**policy(), "metadata": {"name": "Prod_Debug"}}, id="a-name-that-is-none"),
    pytest.param({**everywhere(namespaceSelector={}), "metadata": {"name": "d" * 254}}, id="too-long-a-name"),
    pytest.param(request(startTime="2090-07-01T09:00:00,5Z"), id="a-time-with-a-comma"),
    pytest.param(policy(windows=[]), id="no-window-at-all"),
    pytest.param(policy(windows=[window(to="08:00")]), id="a-window-without-a-length"),
    pytest.param(policy(windows=[window(to="24:01")]), id="no-time-of-day"),
    pytest.param(policy(windows=[window(days=["Mon", "Mon"])]), id="a-day-twice"),
    pytest.param(policy(windows=[window(days=["Monday"])]), id="no-name-of-a-day"),
    pytest.param(policy(windows=[window(timeZone="Europe Berlin")]), id="no-name-of-a-time-zone"),
    pytest.param(policy(windows=[{"from": "08:00", "to": "18:00"}]), id="no-time-zone"),
    pytest.param(policy(endWithWindow=True), id="an-end-with-no-window"),
    pytest.param(policy(stages=[stage("lead")]), id="approvers-and-stages"),
    pytest.param(policy(approvers=..., stages=[stage("lead"), stage("lead")]), id="a-stage-twice"),
    pytest.param(policy(approvers=..., stages=[{**stage("lead"), "approvers": [user("a")], "required": 2}]), id="a-stage-of-one"),
    pytest.param(policy(approvers=..., stages=[stage("Lead")]), id="no-name-of-a-stage"),
    pytest.param(policy(emergency=EMERGENCY), id="an-emergency-with-approval"),
    pytest.param(policy(approvers=..., requiredApprovals=0, emergency={"reviewWithin": "1d"}), id="nobody-reviews"),
    pytest.param(policy(limits={}), id="no-limit-at-all"),
    pytest.param(policy(limits={"activePerRequester": 0}), id="none-at-once"),
    pytest.param(policy(ticket={"pattern": ""}), id="an-empty-pattern"),
    pytest.param(request(startTime="tomorrow"), id="tomorrow"),
    pytest.param(everywhere(), id="for-nothing"),
    pytest.param(everywhere(namespaceSelector={}, clusterWide=True), id="for-both"),
    pytest.param(everywhere(clusterWide=False), id="not-cluster-wide"),
    pytest.param(everywhere(clusterWide=True, roles=[{"kind": "Role", "name": "a"}]), id="a-role-cluster-wide"),
    pytest.param(everywhere(namespaceSelector={"matchLabels": {"-": "x"}}), id="no-key-of-a-label"),
    pytest.param(everywhere(namespaceSelector={"matchLabels": {"a": "x y"}}), id="no-value-of-a-label"),
    pytest.param(everywhere(namespaceSelector={"matchLabels": {"a": 1}}), id="a-number-for-a-label"),
    pytest.param(everywhere(namespaceSelector={"matchExpressions": [{"key": "a", "operator": "In"}]}), id="in-nothing"),
    pytest.param(everywhere(namespaceSelector={"matchExpressions": [{"key": "a", "operator": "Is"}]}), id="no-such-operator"),
    pytest.param(everywhere(namespaceSelector={"matchExpressions": [{"operator": "Exists"}]}), id="an-expression-without-a-key"),
    pytest.param(request(reason=" \t"), id="a-reason-of-blanks"),
    pytest.param(request(reason=...), id="no-reason"),
    pytest.param(request(duration="8 hours"), id="a-duration-in-words"),
    pytest.param(request(policyRef={"name": "A"}), id="no-name-of-a-policy"),
    pytest.param(request(roleRef={"kind": "ClusterRole", "name": "a%b"}), id="a-request-for-no-role"),
    pytest.param(without(cluster_request_manifest("linted", "p", requester="admin", reason="")), id="an-empty-reason"),
]  # fmt: skip


def linted(manifest: Manifest) -> tuple[list[Found], list[Found]]:
    """What lint says of the schema, and of CEL; nothing is left unasked."""
    whole = bundle([read(yaml.safe_dump(manifest, allow_unicode=True), "policy.yaml")], kinds())
    assert whole.unevaluated == []
    return whole.schema, whole.cel


@pytest.mark.parametrize("manifest", GOOD)
def test_what_lint_takes_the_api_server_takes(team: Team, manifest: Manifest) -> None:
    answer = team.admin.create(PLURALS[manifest["kind"]], manifest, dryRun="All", fieldValidation="Strict")
    assert answer.ok, answer.message
    assert linted(manifest) == ([], [])


@pytest.mark.parametrize("manifest", BAD)
def test_what_lint_refuses_the_api_server_refuses_in_the_same_field_and_words(team: Team, manifest: Manifest) -> None:
    schema, cel = linted(manifest)
    answer = team.admin.create(PLURALS[manifest["kind"]], manifest, dryRun="All", fieldValidation="Strict")
    if answer.status == 400:
        unknown = re.findall(r'unknown field "([^"]+)"', answer.message)
        assert [found.field for found in schema] == unknown, answer.message
        return
    assert answer.status == 422, answer.message
    said = [
        (field_of(cause), cause["message"]) for cause in answer.body["details"]["causes"] if NOT_CHECKED not in cause["message"]
    ]
    assert {found.field for found in [*schema, *cel]} == {field for field, _ in said}, answer.message
    for found in cel:
        words = found.message.removeprefix(f"{found.field}: ")
        assert any(field == found.field and message.endswith(f": {words}") for field, message in said), (words, said)
    of_schema = {found.field for found in schema}
    by_rules = [found.field for found in cel if found.field not in of_schema]
    assert sorted(by_rules) == sorted(field for field, _ in said if field not in of_schema), answer.message


@pytest.mark.parametrize("pattern", ["^INC-(?=[0-9])", "((a{100}){100}){100}", "[0-9"])
def test_what_is_no_pattern_is_refused_in_the_same_field(team: Team, pattern: str) -> None:
    """Why, the one says in Go's words and the other in those of RE2."""
    schema, [found] = linted(policy(ticket={"pattern": pattern}))
    answer = team.admin.create(POLICIES, policy(ticket={"pattern": pattern}), dryRun="All", fieldValidation="Strict")
    [cause] = [each for each in answer.body["details"]["causes"] if NOT_CHECKED not in each["message"]]
    assert (answer.status, schema) == (422, [])
    assert found.field == cause["field"] == "spec.ticket.pattern"
    assert "is no RE2 pattern" in found.message
    assert "is no RE2 pattern" in cause["message"]


def field_of(cause: Mapping[str, str]) -> str:
    """The field; for numbers of the wrong size the API server names it in the message alone."""
    named = re.search(r"^Invalid value: .* in (\S+)$", cause["message"])
    return named[1] if cause["field"] == "<nil>" and named else cause["field"]


@pytest.mark.parametrize("name", BUILT_IN)
def test_what_is_known_of_the_roles_of_kubernetes_is_what_they_allow(team: Team, name: str) -> None:
    real = parse_role(team.admin.get("clusterroles", name).sure())
    assert real.rules, "the roles are aggregated already"
    assert KNOWN.risks_of(real.rules) == KNOWN.risks_of(BUILT_IN[name])


WORDS = """\
y yes Yes YES yEs on On ON off n N no NO true True TRUE false ~ null Null nUll .inf -.Inf .nan
0 7 007 08 0o17 0x1F 0X1f 0b101 -0b11 -12 +12 1_000 1__0 _1 1. .5 +.5 -1.5e3 1e3 1e 0.10 12e03 1:30 18:00 08:00 2026-07-01
2026-07-01T00:00:00Z 9223372036854775807 <<x =x a:b 1.2.3 - 4h 0xg 0o8 0b2 -0x1 -017 +0o7 é ½
"""
UNLIKE_JSON = (".inf", "-.Inf", ".nan", "-")  # kubectl cannot send them, or YAML has another use for them


def test_a_bare_word_is_read_as_kubectl_reads_it(team: Team, tmp_path: Path) -> None:
    words = [word for word in WORDS.split() if word not in UNLIKE_JSON]
    lines = "\n".join(f"  - {word}" for word in words)
    text = f"apiVersion: jitaccess.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {{name: x}}\nspec:\n{lines}\n"
    (tmp_path / "words.yaml").write_text(text)
    printed = team.kubectl("create", "--dry-run=client", "--validate=false", "-o", "json", "-f", str(tmp_path / "words.yaml"))
    [document] = read(text, "words.yaml").documents
    kubectls = [json.dumps(value) for value in json.loads(printed)["spec"]]
    assert dict(zip(words, kubectls, strict=True)) == dict(zip(words, map(json.dumps, document.value["spec"]), strict=True))


def test_merged_repeated_and_bare_keys_are_read_as_kubectl_reads_them(team: Team, tmp_path: Path) -> None:
    text = """\
apiVersion: jitaccess.dev/v1alpha1
kind: AccessPolicy
metadata: {name: x}
spec:
  base: &base {a: 1, b: {c: 2}}
  merged: {<<: *base, a: 3}
  several: {<<: [*base, {a: 4, d: 5}], e: 6}
  on: 1
  Yes: 2
  3: 3
  twice: 1
  twice: 2
  text: !!str 12
  "quoted": "on"
  folded: >-
    on
"""
    (tmp_path / "keys.yaml").write_text(text)
    printed = team.kubectl("create", "--dry-run=client", "--validate=false", "-o", "json", "-f", str(tmp_path / "keys.yaml"))
    [document] = read(text, "keys.yaml").documents
    assert json.loads(printed)["spec"] == document.value["spec"]
