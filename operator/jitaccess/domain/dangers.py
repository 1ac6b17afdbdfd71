"""What outlives the hour, as data: rights whose effect stays when the binding is gone, and what they allow, in words."""

from jitaccess.domain.effects import DELETE, WRITE, Effect

_CHANGE = ("update", "patch")
_READ = ("get", "list", "watch")
# Which method of HTTP it is decides about the verb, and a stream that is open when the binding goes stays open.
_CONNECT = ("get", "create", "update", "patch", "delete")
# Constrained impersonation, Kubernetes 1.36+, has verbs of its own.
_WHO = ("uids", "userextras", "userextras/", "users", "groups", "serviceaccounts", "nodes")
_IMPERSONATE = (
    "impersonate",
    "impersonate:user-info",
    "impersonate:serviceaccount",
    "impersonate:arbitrary-node",
    "impersonate:associated-node",
)
_RBAC = ("roles", "rolebindings", "clusterroles", "clusterrolebindings")
_ADMISSION = (
    "mutatingwebhookconfigurations",
    "validatingwebhookconfigurations",
    "mutatingadmissionpolicies",
    "mutatingadmissionpolicybindings",
    "validatingadmissionpolicies",
    "validatingadmissionpolicybindings",
)

_IDENTITY = (
    Effect("write RBAC", "rbac.authorization.k8s.io", _RBAC, (*WRITE, "bind", "escalate")),
    Effect("write RBAC", "authorization.openshift.io", _RBAC, WRITE),  # the same objects, in OpenShift's old API
    Effect("read Secrets", "", ("secrets",), (*_READ, "deletecollection")),  # which answers with what it deletes
    Effect("write Secrets", "", ("secrets",), WRITE),
    Effect("mint ServiceAccount tokens", "", ("serviceaccounts/token",), ("create",)),
    # Bindings name accounts before they exist, clouds give rights by their annotations, and Pods pull with their Secrets.
    Effect("write ServiceAccounts", "", ("serviceaccounts",), WRITE),
    Effect("impersonate", "", ("users", "groups", "serviceaccounts"), ("impersonate",)),
    Effect("impersonate", "authentication.k8s.io", _WHO, _IMPERSONATE),
    Effect(
        "approve CertificateSigningRequests",
        "certificates.k8s.io",
        ("certificatesigningrequests/approval", "certificatesigningrequests/status"),
        _CHANGE,
    ),
    Effect("approve CertificateSigningRequests", "certificates.k8s.io", ("signers",), ("approve", "sign", "attest")),
    # A certificate in the name of a Pod: asked for, or issued.
    Effect("obtain Pod certificates", "certificates.k8s.io", ("podcertificaterequests",), WRITE),
    Effect("obtain Pod certificates", "certificates.k8s.io", ("podcertificaterequests/status",), _CHANGE),
    Effect("write trust bundles", "certificates.k8s.io", ("clustertrustbundles",), WRITE),
)

_WORKLOADS = (
    Effect("create Pods", "", ("pods", "podtemplates", "replicationcontrollers"), WRITE),
    Effect("create Pods", "apps", ("deployments", "daemonsets", "statefulsets", "replicasets", "controllerrevisions"), WRITE),
    Effect("create Pods", "batch", ("jobs", "cronjobs"), WRITE),
    Effect("run commands in Pods", "", ("pods/exec", "pods/attach"), _CONNECT),
    Effect("run commands in Pods", "", ("pods/ephemeralcontainers",), _CHANGE),
    Effect("open connections into Pods", "", ("pods/proxy", "pods/portforward", "services/proxy"), _CONNECT),
    Effect("place Pods on nodes", "", ("pods/binding", "bindings"), ("create",)),  # past the scheduler
    Effect("use security context constraints", "security.openshift.io", ("securitycontextconstraints",), ("use",)),
    Effect("write security context constraints", "security.openshift.io", ("securitycontextconstraints",), WRITE),
    # They go on scaling by the new bounds; a hand on `scale` alone runs what runs already, and they put it right.
    Effect("write autoscalers", "autoscaling", ("horizontalpodautoscalers",), WRITE),
)

_TRAFFIC = (
    # The controllers leave Endpoints without a selector alone, and the addresses in a Service's status (CVE-2020-8554).
    Effect("redirect traffic", "", ("endpoints", "endpoints/restricted"), WRITE),
    Effect("redirect traffic", "", ("services/status",), _CHANGE),
    Effect("redirect traffic", "discovery.k8s.io", ("endpointslices", "endpointslices/restricted"), WRITE),
    # Who holds a Lease leads: a controller that lost its own stands still for as long as the Lease says.
    Effect("write Leases", "coordination.k8s.io", ("leases", "leasecandidates"), WRITE),
)

_CLUSTER = (
    Effect("reach kubelets", "", ("nodes/proxy",), _CONNECT),
    Effect("reach kubelets", "", ("nodes/checkpoint",), ("create",)),  # writes a container's memory to the disk
    Effect("write nodes", "", ("nodes", "nodes/status"), WRITE),
    Effect("write namespaces", "", ("namespaces",), WRITE),  # whose labels say what Pods may do
    Effect("write volumes", "", ("persistentvolumes",), WRITE),
    Effect(
        "write storage classes and drivers",  # a driver is sent the tokens of Pods
        "storage.k8s.io",
        ("storageclasses", "csidrivers", "csinodes", "volumeattachments", "volumeattributesclasses"),
        WRITE,
    ),
    Effect("write runtime classes", "node.k8s.io", ("runtimeclasses",), WRITE),
    Effect("write priority classes", "scheduling.k8s.io", ("priorityclasses",), WRITE),
    Effect(
        "write flow control", "flowcontrol.apiserver.k8s.io", ("flowschemas", "prioritylevelconfigurations"), (*WRITE, *DELETE)
    ),
    Effect("write webhooks and admission policies", "admissionregistration.k8s.io", _ADMISSION, (*WRITE, *DELETE)),
    Effect("write API services", "apiregistration.k8s.io", ("apiservices",), WRITE),
    # Deleting one deletes all that was written with it: policies of other engines, our own record.
    Effect("write CRDs", "apiextensions.k8s.io", ("customresourcedefinitions",), (*WRITE, *DELETE)),
)

_REQUESTS, _POLICIES = ("accessrequests", "clusteraccessrequests"), ("accesspolicies", "clusteraccesspolicies")
_OURS = (
    Effect("decide on access", "jitaccess.dev", _POLICIES, (*WRITE, *DELETE, "approve")),
    Effect("decide on access", "jitaccess.dev", ("grants",), ("manage",)),
    Effect("decide on access", "jitaccess.dev", tuple(f"{kind}/status" for kind in (*_REQUESTS, *_POLICIES)), _CHANGE),
    Effect("ask for more access", "jitaccess.dev", _POLICIES, ("request",)),  # which can be approved afterwards
    Effect("delete the record of access", "jitaccess.dev", _REQUESTS, DELETE),
)

DANGERS: tuple[Effect, ...] = _IDENTITY + _WORKLOADS + _TRAFFIC + _CLUSTER + _OURS
