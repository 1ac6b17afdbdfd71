"""The Kubernetes resources that the operator reads and writes, as data."""

from dataclasses import dataclass, replace
from urllib.parse import quote

from jitaccess.domain.model import GROUP, VERSION, Key


@dataclass(frozen=True, slots=True)
class Resource:
    """One served resource; `group` is empty for the core API."""

    group: str
    version: str
    plural: str
    kind: str

    @property
    def api_version(self) -> str:
        """As in the `apiVersion` of a manifest."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, key: Key | None = None, *, namespace: str = "", subresource: str = "") -> str:
        """The URL path of one object, of a collection in a namespace, or of the whole collection (neither given)."""
        base = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        space = key.namespace if key else namespace
        parts = [base, f"namespaces/{quote(space, safe='')}" if space else "", self.plural]
        parts += [quote(key.name, safe="") if key else "", subresource]
        return "/".join(part for part in parts if part)


def reviews_of(requests: Resource) -> Resource:
    """The schedule's name for looks at the reviews that requests of a kind are owed, which are settled."""
    return replace(requests, plural=f"{requests.plural}/reviews")


REQUESTS = Resource(GROUP, VERSION, "accessrequests", "AccessRequest")
POLICIES = Resource(GROUP, VERSION, "accesspolicies", "AccessPolicy")
CLUSTER_REQUESTS = Resource(GROUP, VERSION, "clusteraccessrequests", "ClusterAccessRequest")
CLUSTER_POLICIES = Resource(GROUP, VERSION, "clusteraccesspolicies", "ClusterAccessPolicy")
CLUSTER_POLICY_COUNTS = Resource(GROUP, VERSION, "clusteraccesspolicies/status", "ClusterAccessPolicy")
LOCKS = Resource(GROUP, VERSION, "accesslocks", "AccessLock")
OPEN = "status.settled!=true"  # as a field selector, of requests and locks
OPEN_REQUESTS = OPEN
RBAC = "rbac.authorization.k8s.io"
ROLES = Resource(RBAC, "v1", "roles", "Role")
CLUSTER_ROLES = Resource(RBAC, "v1", "clusterroles", "ClusterRole")
ROLE_BINDINGS = Resource(RBAC, "v1", "rolebindings", "RoleBinding")
CLUSTER_ROLE_BINDINGS = Resource(RBAC, "v1", "clusterrolebindings", "ClusterRoleBinding")
NAMESPACES = Resource("", "v1", "namespaces", "Namespace")
SERVICE_ACCOUNTS = Resource("", "v1", "serviceaccounts", "ServiceAccount")
CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap")
JOBS = Resource("batch", "v1", "jobs", "Job")
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")
CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap")
EVENTS = Resource("", "v1", "events", "Event")
CRDS = Resource("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition")
WHOAMI = Resource("authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview")
ACCESS_REVIEWS = Resource("authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview")
ADMISSION = "admissionregistration.k8s.io"
ADMISSION_POLICIES = Resource(ADMISSION, "v1", "validatingadmissionpolicies", "ValidatingAdmissionPolicy")
ADMISSION_BINDINGS = Resource(ADMISSION, "v1", "validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding")
