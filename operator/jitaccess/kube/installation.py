"""Are the CRDs and the admission policies there, in this version and in force? Nothing is granted while they are not."""

from collections.abc import AsyncIterator, Iterator

from jitaccess.domain.model import GROUP, Key, Manifest
from jitaccess.kube.api import Cluster, Conflict, Refused
from jitaccess.manifests.resources import ADMISSION_BINDINGS, ADMISSION_POLICIES, CRDS, REQUESTS, Resource

# Raised with every change of crds/ and deploy/base/admission/ that the operator relies on.
MANIFESTS_VERSION = "v1"
VERSION_LABEL = f"{GROUP}/manifests"
CRD_NAMES = tuple(f"{plural}.{GROUP}" for plural in ("accesspolicies", "accessrequests"))
POLICY_NAMES = tuple(
    f"{name}.{GROUP}"
    for name in ("requesters", "decisions", "request-metadata", "status", "policy-authors", "managed-objects", "operator")
)
FIX = "install this version with `kubectl apply -k deploy/` (Kubernetes 1.36+) or `kubectl apply -k deploy/overlays/pre-1.36`"


class Installation:
    """What is wrong with the installation, as of the last look; `problems` is empty when the operator may grant."""

    def __init__(self) -> None:
        self.problems: tuple[str, ...] = ("the installation has not been checked yet",)

    @property
    def has_crds(self) -> bool:
        """Whether there is anything to watch at all."""
        return not any(problem.startswith(CRDS.kind) or "not been checked" in problem for problem in self.problems)

    async def check(self, cluster: Cluster) -> bool:
        """Look again; returns whether the findings have changed."""
        before = self.problems
        self.problems = tuple([problem async for problem in _problems(cluster)])
        if not self.problems:
            self.problems = await _proof(cluster)
        return self.problems != before


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


async def _proof(cluster: Cluster) -> tuple[str, ...]:
    """Try what must be refused, without a trace: objects that are there prove nothing if the API server does not enforce them."""
    try:
        await cluster.create(REQUESTS, _FORGED, dry_run=True)
    except Refused as error:
        if "spec.requester must be your own" in str(error):
            return ()
        return (f"a forged AccessRequest meets another refusal: {error}",)
    except Conflict:
        return ("the AccessRequest default/jitaccess-forged is in the way: delete it",)
    return ("a forged AccessRequest is not refused: the API server does not enforce the ValidatingAdmissionPolicies",)


_FORGED = {
    "apiVersion": REQUESTS.api_version,
    "kind": REQUESTS.kind,
    "metadata": {"name": "jitaccess-forged", "namespace": "default"},
    "spec": {
        "policyRef": {"kind": "AccessPolicy", "name": "none"},
        "roleRef": {"kind": "ClusterRole", "name": "none"},
        "duration": "1s",
        "reason": "must be refused",
        "requester": "somebody-else",
    },
}


async def _read(cluster: Cluster, resource: Resource, name: str) -> Manifest | str:
    try:
        return await cluster.find(resource, Key("", name)) or "is missing"
    except Refused as error:
        return f"cannot be read: {error}"


def _crd_faults(crd: Manifest) -> Iterator[str]:
    yield from _version_faults(crd)
    conditions = (crd.get("status") or {}).get("conditions") or []
    if not any(c["type"] == "Established" and c["status"] == "True" for c in conditions):
        yield "is not established"


def _policy_faults(policy: Manifest) -> Iterator[str]:
    yield from _version_faults(policy)
    if policy["spec"].get("failurePolicy") != "Fail":
        yield "does not have failurePolicy: Fail"


def _binding_faults(binding: Manifest) -> Iterator[str]:
    yield from _version_faults(binding)
    spec = binding["spec"]
    if "Deny" not in (spec.get("validationActions") or []):
        yield "does not deny"
    if spec.get("policyName") != binding["metadata"]["name"] or spec.get("matchResources") or spec.get("paramRef"):
        yield "is narrowed or belongs to another policy"


def _version_faults(found: Manifest) -> Iterator[str]:
    version = (found["metadata"].get("labels") or {}).get(VERSION_LABEL)
    if version != MANIFESTS_VERSION:
        yield f"is of version {version or 'unknown'}, not {MANIFESTS_VERSION}"
