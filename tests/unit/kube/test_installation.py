"""Nothing is granted while a CRD or an admission policy is missing, of another version, or not in force."""

import copy
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest
import yaml

from jitaccess.domain.model import Key
from jitaccess.kube.api import Cluster, Outage
from jitaccess.kube.installation import CRD_NAMES, MANIFESTS_VERSION, POLICY_NAMES, VERSION_LABEL, Installation
from jitaccess.manifests.resources import ADMISSION_BINDINGS, ADMISSION_POLICIES, CRDS, REQUESTS, Resource
from unit.examples import request_manifest
from unit.fake_api import FakeApi
from unit.manifest_files import ADMISSION, REPOSITORY

KINDS = {resource.kind: resource for resource in (CRDS, ADMISSION_POLICIES, ADMISSION_BINDINGS)}
Tamper = Callable[[dict[str, Any]], None]
DECISIONS = "decisions.jitaccess.dev"
REQUESTS_CRD = "accessrequests.jitaccess.dev"


def documents() -> list[dict[str, Any]]:
    """What `kubectl apply -k deploy/` installs of these kinds, with the labels that its kustomization adds."""
    return copy.deepcopy(_documents())


@cache
def _documents() -> list[dict[str, Any]]:
    return list(_read_documents())


def _read_documents() -> Iterator[dict[str, Any]]:
    added = yaml.safe_load((ADMISSION / "kustomization.yaml").read_text())["labels"][0]["pairs"]
    for folder in (REPOSITORY / "crds", ADMISSION):
        for file in sorted(folder.glob("*.yaml")):
            for document in yaml.safe_load_all(file.read_text()):
                if document["kind"] in KINDS:
                    labels = document["metadata"].get("labels", {}) | (added if folder == ADMISSION else {})
                    yield {**document, "metadata": {**document["metadata"], "labels": labels}}


@pytest.fixture
def installed(api: FakeApi) -> FakeApi:
    """Everything is there, as the API server has it."""
    for document in documents():
        established = (
            {"status": {"conditions": [{"type": "Established", "status": "True"}]}} if document["kind"] == CRDS.kind else {}
        )
        api.put(KINDS[document["kind"]], {**document, **established})
    return api


async def test_before_the_first_look_nothing_may_be_granted() -> None:
    installation = Installation()
    assert installation.problems
    assert not installation.has_crds


async def test_what_the_repository_installs_is_complete(installed: FakeApi, cluster: Cluster) -> None:
    installation = Installation()
    assert await installation.check(cluster), "from not checked to complete is a change"
    assert installation.problems == ()
    assert installation.has_crds
    assert not await installation.check(cluster), "the second look finds nothing new"


def test_the_operator_asks_for_all_that_the_repository_installs() -> None:
    installed = {(document["kind"], document["metadata"]["name"]) for document in documents()}
    expected = {(CRDS.kind, name) for name in CRD_NAMES}
    expected |= {(kind, name) for kind in (ADMISSION_POLICIES.kind, ADMISSION_BINDINGS.kind) for name in POLICY_NAMES}
    assert installed == expected
    assert {document["metadata"]["labels"][VERSION_LABEL] for document in documents()} == {MANIFESTS_VERSION}


def set_in(*path: str, value: Any) -> Tamper:
    def tamper(manifest: dict[str, Any]) -> None:
        target = manifest
        for step in path[:-1]:
            target = target[step]
        target[path[-1]] = value

    return tamper


@pytest.mark.parametrize(
    ("resource", "name", "tamper", "problem"),
    [
        pytest.param(CRDS, REQUESTS_CRD, set_in("status", value={}), "is not established", id="crd-not-established"),
        pytest.param(CRDS, REQUESTS_CRD, set_in("status", value=None), "is not established", id="crd-without-a-status"),
        pytest.param(
            CRDS,
            REQUESTS_CRD,
            set_in("status", value={"conditions": [{"type": "Established", "status": "False"}]}),
            "is not established",
            id="crd-that-says-no",
        ),
        pytest.param(
            CRDS,
            REQUESTS_CRD,
            set_in("metadata", "labels", VERSION_LABEL, value="v0"),
            f"is of version v0, not {MANIFESTS_VERSION}",
            id="crd-of-another-version",
        ),
        pytest.param(
            ADMISSION_POLICIES,
            DECISIONS,
            set_in("metadata", "labels", value=None),
            f"is of version unknown, not {MANIFESTS_VERSION}",
            id="policy-of-no-version",
        ),
        pytest.param(
            ADMISSION_POLICIES,
            DECISIONS,
            set_in("spec", "failurePolicy", value="Ignore"),
            "does not have failurePolicy: Fail",
            id="ignore",
        ),
        pytest.param(
            ADMISSION_BINDINGS, DECISIONS, set_in("spec", "validationActions", value=["Warn"]), "does not deny", id="warn"
        ),
        pytest.param(
            ADMISSION_BINDINGS, DECISIONS, set_in("spec", "validationActions", value=[]), "does not deny", id="no-action"
        ),
        pytest.param(
            ADMISSION_BINDINGS,
            DECISIONS,
            set_in("spec", "policyName", value="other"),
            "is narrowed or belongs to another policy",
            id="bound-to-another",
        ),
        pytest.param(
            ADMISSION_BINDINGS,
            DECISIONS,
            set_in("spec", "matchResources", value={"namespaceSelector": {"matchLabels": {"a": "b"}}}),
            "is narrowed or belongs to another policy",
            id="narrowed-to-some-namespaces",
        ),
        pytest.param(
            ADMISSION_BINDINGS,
            DECISIONS,
            set_in("spec", "paramRef", value={"name": "x"}),
            "is narrowed or belongs to another policy",
            id="with-parameters",
        ),
    ],
)
async def test_what_is_not_in_force_is_a_problem(
    installed: FakeApi, cluster: Cluster, resource: Resource, name: str, tamper: Tamper, problem: str
) -> None:
    found = installed.get(resource, Key("", name))
    assert found
    tamper(found)
    installation = Installation()
    await installation.check(cluster)
    assert installation.problems == (f"{resource.kind} {name} {problem}",)


ALL_OBJECTS = [
    *((CRDS, name) for name in CRD_NAMES),
    *((ADMISSION_POLICIES, name) for name in POLICY_NAMES),
    *((ADMISSION_BINDINGS, name) for name in POLICY_NAMES),
]


@pytest.mark.parametrize(
    ("resource", "name"), [pytest.param(resource, name, id=f"{resource.kind}-{name}") for resource, name in ALL_OBJECTS]
)
async def test_everything_that_is_missing_is_a_problem(
    installed: FakeApi, cluster: Cluster, resource: Resource, name: str
) -> None:
    installation = Installation()
    await installation.check(cluster)
    installed.remove(resource, Key("", name))
    assert await installation.check(cluster)
    assert installation.problems == (f"{resource.kind} {name} is missing",)
    assert installation.has_crds is (resource is not CRDS)


async def test_what_may_not_be_read_is_a_problem_and_not_an_outage(installed: FakeApi, cluster: Cluster) -> None:
    installed.fail("GET validatingadmissionpolicies", 403, "forbidden by RBAC")
    installation = Installation()
    await installation.check(cluster)
    assert installation.problems == (f"{ADMISSION_POLICIES.kind} {POLICY_NAMES[0]} cannot be read: forbidden by RBAC",)


async def test_an_outage_changes_no_finding(installed: FakeApi, cluster: Cluster) -> None:
    installation = Installation()
    await installation.check(cluster)
    installed.fail("GET validatingadmissionpolicybindings", 503)
    with pytest.raises(Outage):
        await installation.check(cluster)
    assert installation.problems == (), "what was found last still holds"


async def test_policies_that_are_there_but_not_enforced_are_a_problem(installed: FakeApi, cluster: Cluster) -> None:
    installed.enforces = False
    installation = Installation()
    await installation.check(cluster)
    assert len(installation.problems) == 1
    assert "a forged AccessRequest is not refused" in installation.problems[0]
    assert (installed.writes, installed.dry_runs) == ([], ["POST accessrequests"]), "the proof leaves no trace"


async def test_another_refusal_of_the_forged_request_proves_nothing(installed: FakeApi, cluster: Cluster) -> None:
    installed.fail("POST accessrequests", 403, "forbidden by RBAC")
    installation = Installation()
    await installation.check(cluster)
    assert installation.problems == ("a forged AccessRequest meets another refusal: forbidden by RBAC",)


async def test_a_forged_request_that_somebody_made_is_a_problem_too(installed: FakeApi, cluster: Cluster) -> None:
    installed.enforces = False
    installed.put(REQUESTS, request_manifest("jitaccess-forged", metadata={"namespace": "default"}))
    installation = Installation()
    await installation.check(cluster)
    assert installation.problems


@pytest.mark.parametrize("actions", [["Deny", "Audit"], ["Audit", "Deny"]])
async def test_auditing_beside_denying_is_no_problem(installed: FakeApi, cluster: Cluster, actions: list[str]) -> None:
    found = installed.get(ADMISSION_BINDINGS, Key("", DECISIONS))
    assert found
    found["spec"]["validationActions"] = actions
    installation = Installation()
    await installation.check(cluster)
    assert installation.problems == ()
