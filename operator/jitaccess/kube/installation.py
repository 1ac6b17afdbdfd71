"""Are the CRDs and the admission policies there, in this version and in force? Nothing is granted while they are not."""

import asyncio
from collections.abc import AsyncIterator, Iterator

from jitaccess.domain.model import GROUP, Key, Manifest
from jitaccess.kube.api import Cluster, Conflict, Refused
from jitaccess.manifests.kinds import COMPONENTS
from jitaccess.manifests.lease import LEASE
from jitaccess.manifests.locks import LOCKED_GRANTS
from jitaccess.manifests.resources import ADMISSION_BINDINGS, ADMISSION_POLICIES, CRDS, REQUESTS, WHOAMI, Resource

# The digest of crds/ and deploy/base/admission/, which their label says too: `make digest` writes both.
MANIFESTS_VERSION = "sha256-f6b3bbb27b47"
VERSION_LABEL = f"{GROUP}/manifests"
CRD_NAMES = tuple(
    f"{plural}.{GROUP}"
    for plural in ("accesslocks", "accesspolicies", "accessrequests", "clusteraccesspolicies", "clusteraccessrequests")
)
POLICY_NAMES = tuple(
    f"{name}.{GROUP}"
    for name in (
        "requesters",
        "decisions",
        "request-metadata",
        "status",
        "policy-authors",
        "managed-objects",
        "operator",
        "identities",
        "reviews",
        "locked",
        "locked-grants",
        "locks",
    )
)
# What these policies are evaluated for each of: all locks, or nobody would be kept out.
PARAMETERS = {name: {"selector": {}, "parameterNotFoundAction": "Allow"} for name in (f"locked.{GROUP}", LOCKED_GRANTS)}
NAMESPACE = LEASE.namespace
# Whom the admission policies confine: CEL has this name, so neither it nor the namespace can be changed by kustomize alone.
CONFINED = f"system:serviceaccount:{NAMESPACE}:jitaccess"
FIX = "install this version with `kubectl apply -k deploy/` (Kubernetes 1.36+) or `kubectl apply -k deploy/overlays/pre-1.36`"

# Asked for in another's name, in a namespace of our own, where no other rule of the cluster should have a say.
FORGED = {
    "apiVersion": REQUESTS.api_version,
    "kind": REQUESTS.kind,
    "metadata": {"name": "jitaccess-forged", "namespace": NAMESPACE},
    "spec": {
        "policyRef": {"kind": "AccessPolicy", "name": "none"},
        "roleRef": {"kind": "ClusterRole", "name": "none"},
        "duration": "1s",
        "reason": "must be refused",
        "requester": "somebody-else",
    },
}


def proves(refusal: str) -> bool:
    """Whether this refusal of the forged request is ours, for its forged name, and nobody else's."""
    return f"ValidatingAdmissionPolicy 'requesters.{GROUP}'" in refusal and "spec.requester must be your own" in refusal


class Installation:
    """What is wrong with the installation, as of the last look; `problems` is empty when the operator may grant.

    `unconfined` accepts an account that the admission policies do not confine.
    """

    def __init__(self, *, unconfined: bool = False) -> None:
        self.problems: tuple[str, ...] = ("the installation has not been checked yet",)
        self.components: frozenset[str] | None = None  # not known before the first look
        self._unconfined = unconfined
        self._next = asyncio.Event()

    @property
    def checked(self) -> bool:
        """Whether there was a first look; before that nothing is granted, and nothing is known to be wrong."""
        return self.components is not None

    async def check(self, cluster: Cluster) -> bool:
        """Look again; returns whether the findings have changed."""
        before = self.problems, self.components
        stranger = "" if self._unconfined else await _stranger(cluster)
        missing = [problem async for problem in _problems(cluster)]
        found = (stranger, *missing, FIX) if missing else (stranger, await _unproven(cluster))
        components = frozenset([name for name, made in COMPONENTS.items() if await _may_keep(cluster, made)])
        self.problems, self.components = tuple(problem for problem in found if problem), components
        self._next.set()
        self._next = asyncio.Event()
        return (self.problems, self.components) != before

    async def checked_anew(self) -> None:
        """Return right after the next look that came to an end, and before anything else can happen."""
        await self._next.wait()

    def has(self, component: str) -> bool:
        """Whether the operator may do what that component of deploy/ lets it do."""
        return self.components is not None and component in self.components


async def _stranger(cluster: Cluster) -> str:
    """Ask the API server who we are; RBAC lets everybody who has logged in ask that (system:basic-user)."""
    question = {"apiVersion": WHOAMI.api_version, "kind": WHOAMI.kind, "metadata": {}}
    try:
        answer = await cluster.create(WHOAMI, question, dry_run=True)  # a replica that does not lead asks too
    except Refused as error:
        return f"the API server does not say who the operator is: {error}; bind the ClusterRole system:basic-user to it"
    name = answer["status"]["userInfo"]["username"]
    if name == CONFINED:
        return ""
    return (
        f"the operator runs as {name}, but the admission policies confine {CONFINED}: run it as that ServiceAccount, in the "
        f"namespace {NAMESPACE} (neither can be renamed); to try it out, accept this with --unconfined"
    )


async def _may_keep(cluster: Cluster, resource: Resource) -> bool:
    """Whether we may make such objects, and see what becomes of them."""
    try:
        return all([await cluster.may(verb, resource) for verb in ("create", "list", "watch")])
    except Refused:
        return False  # without system:basic-user, which is a problem of its own


async def _problems(cluster: Cluster) -> AsyncIterator[str]:
    for resource, names, faults in (
        (CRDS, CRD_NAMES, _crd_faults),
        (ADMISSION_POLICIES, POLICY_NAMES, _policy_faults),
        (ADMISSION_BINDINGS, POLICY_NAMES, _binding_faults),
    ):
        for name in names:
            found = await _read(cluster, resource, name)
            for fault in [found] if isinstance(found, str) else faults(found):
                yield f"{resource.kind} {name} {fault}"


async def _unproven(cluster: Cluster) -> str:
    """Try what must be refused, without a trace: objects that are there prove nothing if the API server does not enforce them."""
    try:
        await cluster.create(REQUESTS, FORGED, dry_run=True)
    except Refused as error:
        return "" if proves(str(error)) else _foreign(str(error))
    except Conflict:
        return f"the AccessRequest {NAMESPACE}/jitaccess-forged is in the way: delete it"
    return (
        "a forged AccessRequest is not refused: the API server does not enforce the ValidatingAdmissionPolicies; turn its "
        "admission plugin ValidatingAdmissionPolicy on"
    )


def _foreign(refusal: str) -> str:
    if f'namespaces "{NAMESPACE}" not found' in refusal:
        return f"the namespace {NAMESPACE} is missing: {FIX}"
    return (
        "something else refused the forged AccessRequest before our admission policies could, so whether they are in force is "
        f"unknown: {refusal}; exempt the namespace {NAMESPACE} from it"
    )


async def _read(cluster: Cluster, resource: Resource, name: str) -> Manifest | str:
    try:
        return await cluster.find(resource, Key("", name)) or "is missing"
    except Refused as error:
        return f"cannot be read: {error}"


def _crd_faults(crd: Manifest) -> Iterator[str]:
    yield from _version_faults(crd)
    if not is_established(crd):
        yield "is not established"


def is_established(crd: Manifest) -> bool:
    """Whether the API server serves the objects that a CustomResourceDefinition defines."""
    conditions = (crd.get("status") or {}).get("conditions") or []
    return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)


def _policy_faults(policy: Manifest) -> Iterator[str]:
    yield from _version_faults(policy)
    if policy["spec"].get("failurePolicy") != "Fail":
        yield "does not have failurePolicy: Fail"


def _binding_faults(binding: Manifest) -> Iterator[str]:
    yield from _version_faults(binding)
    spec = binding["spec"]
    if "Deny" not in (spec.get("validationActions") or []):
        yield "does not deny"
    name = binding["metadata"]["name"]
    if spec.get("policyName") != name or spec.get("matchResources") or spec.get("paramRef") != PARAMETERS.get(name):
        yield "is narrowed or belongs to another policy"


def _version_faults(found: Manifest) -> Iterator[str]:
    version = (found["metadata"].get("labels") or {}).get(VERSION_LABEL)
    if version != MANIFESTS_VERSION:
        yield f"is of version {version or 'unknown'}, not {MANIFESTS_VERSION}"
