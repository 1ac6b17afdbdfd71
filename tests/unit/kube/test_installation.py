"""Nothing is granted while a CRD or an admission policy is missing, of another version, or not in force."""

import copy
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import aiohttp
import pytest
import yaml

import fast_yaml
from jitaccess.domain.model import Key
from jitaccess.kube.api import Cluster, Outage
from jitaccess.kube.installation import CONFINED, CRD_NAMES, MANIFESTS_VERSION, POLICY_NAMES, VERSION_LABEL, Installation
from jitaccess.manifests.resources import ADMISSION_BINDINGS, ADMISSION_POLICIES, CRDS, REQUESTS, Resource
from unit.examples import request_manifest
from unit.fake_api import FakeApi
from unit.manifest_files import ADMISSION, REPOSITORY

KINDS = {resource.kind: resource for resource in (CRDS, ADMISSION_POLICIES, ADMISSION_BINDINGS)}
Tamper = Callable[[dict[str, Any]], None]
DECISIONS = "decisions.jitaccess.dev"
FIX = "install this version with `kubectl apply -k deploy/` (Kubernetes 1.36+) or `kubectl apply -k deploy/overlays/pre-1.36`"
REQUESTS_CRD = "accessrequests.jitaccess.dev"


def documents() -> list[dict[str, Any]]:
    """What `kubectl apply -k deploy/` installs of these kinds, with the labels that its kustomization adds."""
    return copy.deepcopy(_documents())


@cache
def _documents() -> list[dict[str, Any]]:
    return list(_read_documents())


def _read_documents() -> Iterator[dict[str, Any]]:
    for folder in (REPOSITORY / "crds", ADMISSION):
        labels = yaml.safe_load((folder / "kustomization.yaml").read_text())["labels"][0]["pairs"]
        for file in sorted(folder.glob("*.yaml")):
            for document in fast_yaml.documents(file.read_text()):
                if document["kind"] in KINDS:
                    yield {**document, "metadata": {**document["metadata"], "labels": dict(labels)}}


@pytest.fixture
def installed(api: FakeApi) -> FakeApi:
    """Everything is there, as the API server has it."""
    for document in documents():
        established = (
            {"status": {"conditions": [{"type": "Established", "status": "True"}]}} if document["kind"] == CRDS.kind else {}
        )
        api.put(KINDS[document["kind"]], {**document, **established})
    return api


async def look(installation: Installation, cluster: Cluster) -> tuple[str, ...]:
    """What is found wrong now."""
    await installation.check(cluster)
    return installation.problems


async def test_before_the_first_look_nothing_may_be_granted() -> None:
    installation = Installation()
    assert installation.problems


async def test_what_the_repository_installs_is_complete(installed: FakeApi, cluster: Cluster) -> None:
    installation = Installation()
    assert await installation.check(cluster), "from not checked to complete is a change"
    assert installation.problems == ()
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
    assert installation.problems == (f"{resource.kind} {name} {problem}", FIX)


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
    assert installation.problems == (f"{resource.kind} {name} is missing", FIX)


async def test_what_may_not_be_read_is_a_problem_and_not_an_outage(installed: FakeApi, cluster: Cluster) -> None:
    installed.fail("GET validatingadmissionpolicies", 403, "forbidden by RBAC")
    installation = Installation()
    await installation.check(cluster)
    assert installation.problems == (f"{ADMISSION_POLICIES.kind} {POLICY_NAMES[0]} cannot be read: forbidden by RBAC", FIX)


async def test_an_outage_changes_no_finding(installed: FakeApi, cluster: Cluster) -> None:
    installation = Installation()
    await installation.check(cluster)
    installed.fail("GET validatingadmissionpolicybindings", 503)
    with pytest.raises(Outage):
        await installation.check(cluster)
    assert installation.problems == (), "what was found last still holds"


NOT_ENFORCED = (
    "a forged AccessRequest is not refused: the API server does not enforce the ValidatingAdmissionPolicies; turn its admission "
    "plugin ValidatingAdmissionPolicy on"
)


async def test_policies_that_are_there_but_not_enforced_are_a_problem(installed: FakeApi, cluster: Cluster) -> None:
    installed.enforces = False
    installation = Installation()
    await installation.check(cluster)
    assert installation.problems == (NOT_ENFORCED,)
    assert (installed.writes, installed.dry_runs) == ([], ["POST accessrequests"]), "the proof leaves no trace"


OUTVOTED = (
    "something else refused the forged AccessRequest before our admission policies could, so whether they are in force is "
    "unknown: {}; exempt the namespace jitaccess-system from it"
)


@pytest.mark.parametrize(
    ("status", "refusal", "problem"),
    [
        pytest.param(
            403, "ValidatingAdmissionPolicy 'closed' with binding 'closed' denied request: no", OUTVOTED, id="another-policy"
        ),
        pytest.param(403, 'admission webhook "closed.example" denied the request: no', OUTVOTED, id="a-webhook"),
        pytest.param(403, "closed: spec.requester must be your own user name", OUTVOTED, id="our-words-in-another-mouth"),
        pytest.param(
            403,
            "ValidatingAdmissionPolicy 'requesters.jitaccess.dev' with binding 'requesters.jitaccess.dev' denied request: "
            "expression 'x' resulted in error: y",
            OUTVOTED,
            id="our-policy-for-another-reason",
        ),
        pytest.param(
            404,
            'namespaces "jitaccess-system" not found',
            f"the namespace jitaccess-system is missing: {FIX}",
            id="no-namespace-of-our-own",
        ),
    ],
)
async def test_another_refusal_proves_nothing_and_is_quoted(
    installed: FakeApi, cluster: Cluster, status: int, refusal: str, problem: str
) -> None:
    installed.fail("POST accessrequests", status, refusal)
    installation = Installation()
    assert await look(installation, cluster) == (problem.format(refusal),)
    assert await look(installation, cluster) == (), "once it is exempt, all is well"


async def test_what_the_cluster_forbids_in_its_namespaces_has_no_say(installed: FakeApi, cluster: Cluster) -> None:
    installed.namespaces = {"jitaccess-system"}
    installation = Installation()
    await installation.check(cluster)
    assert installation.problems == (), "the forged request needs no namespace but ours"


async def test_a_forged_request_that_somebody_made_is_a_problem_too(installed: FakeApi, cluster: Cluster) -> None:
    installed.enforces = False
    installed.put(REQUESTS, request_manifest("jitaccess-forged", metadata={"namespace": "jitaccess-system"}))
    installation = Installation()
    await installation.check(cluster)
    assert installation.problems == ("the AccessRequest jitaccess-system/jitaccess-forged is in the way: delete it",)


STRANGER = (
    "the operator runs as {}, but the admission policies confine system:serviceaccount:jitaccess-system:jitaccess: run it as "
    "that ServiceAccount, in the namespace jitaccess-system (neither can be renamed); to try it out, accept this with "
    "--unconfined"
)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("system:serviceaccount:access:jitaccess", id="another-namespace"),
        pytest.param("system:serviceaccount:jitaccess-system:operator", id="another-account"),
        pytest.param("kubernetes-admin", id="a-person"),
    ],
)
async def test_an_account_that_the_policies_do_not_confine_grants_nothing(
    installed: FakeApi, cluster: Cluster, name: str
) -> None:
    installed.username = name
    installation = Installation()
    await installation.check(cluster)
    assert installation.problems == (STRANGER.format(name),)


async def test_whoever_tries_it_out_may_accept_that(installed: FakeApi, cluster: Cluster) -> None:
    installed.username = "kubernetes-admin"
    installation = Installation(unconfined=True)
    assert await look(installation, cluster) == ()
    installed.remove(ADMISSION_POLICIES, Key("", DECISIONS))
    missing = f"{ADMISSION_POLICIES.kind} {DECISIONS} is missing"
    assert await look(installation, cluster) == (missing, FIX), "all the rest is checked"


async def test_not_being_told_who_one_is_is_a_problem(installed: FakeApi, cluster: Cluster) -> None:
    installed.fail("POST selfsubjectreviews", 403, "forbidden by RBAC")
    installation = Installation()
    await installation.check(cluster)
    assert installation.problems == (
        "the API server does not say who the operator is: forbidden by RBAC; bind the ClusterRole system:basic-user to it",
    )


async def test_a_replica_that_does_not_lead_checks_too(installed: FakeApi) -> None:
    async with aiohttp.ClientSession() as session:
        standby = Cluster(session, installed.url, lambda: False)
        installation = Installation()
        await installation.check(standby)
    assert installation.problems == ()


def test_the_account_that_is_compared_is_the_one_that_the_manifests_install_and_confine() -> None:
    account = "system:serviceaccount:jitaccess-system:jitaccess"
    assert account == CONFINED
    confining = {"requesters", "decisions", "reviews", "managed-objects", "operator", "identities", "locks"}
    assert {file.stem for file in ADMISSION.glob("*.yaml") if f"'{account}'" in file.read_text()} == confining
    rbac = yaml.safe_load_all((REPOSITORY / "deploy" / "base" / "rbac.yaml").read_text())
    accounts = [d["metadata"] for d in rbac if d["kind"] == "ServiceAccount"]
    assert accounts == [{"name": "jitaccess", "namespace": "jitaccess-system"}]


@pytest.mark.parametrize("actions", [["Deny", "Audit"], ["Audit", "Deny"]])
async def test_auditing_beside_denying_is_no_problem(installed: FakeApi, cluster: Cluster, actions: list[str]) -> None:
    found = installed.get(ADMISSION_BINDINGS, Key("", DECISIONS))
    assert found
    found["spec"]["validationActions"] = actions
    installation = Installation()
    await installation.check(cluster)
    assert installation.problems == ()
