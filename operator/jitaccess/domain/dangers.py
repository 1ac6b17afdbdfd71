"""What outlives the hour, as data: rights whose effect stays when the binding is gone, and what they allow, in words."""

from jitaccess.domain.effects import Effect

_WRITE = ("create", "update", "patch")
# Constrained impersonation, Kubernetes 1.36+, has verbs of its own.
_WHO = ("uids", "userextras", "userextras/", "users", "groups", "serviceaccounts", "nodes")
_IMPERSONATE = (
    "impersonate",
    "impersonate:user-info",
    "impersonate:serviceaccount",
    "impersonate:arbitrary-node",
    "impersonate:associated-node",
)
_WORKLOADS = (
    ("", ("pods", "podtemplates", "replicationcontrollers")),
    ("apps", ("deployments", "daemonsets", "statefulsets", "replicasets", "controllerrevisions")),
    ("batch", ("jobs", "cronjobs")),
)

DANGERS: tuple[Effect, ...] = (
    Effect(
        "write RBAC",
        "rbac.authorization.k8s.io",
        ("roles", "rolebindings", "clusterroles", "clusterrolebindings"),
        (*_WRITE, "bind", "escalate"),
    ),
    Effect("read Secrets", "", ("secrets",), ("get", "list", "watch", "deletecollection")),  # which answers with what it deletes
    Effect("write Secrets", "", ("secrets",), _WRITE),
    Effect("mint ServiceAccount tokens", "", ("serviceaccounts/token",), ("create",)),
    Effect("impersonate", "", ("users", "groups", "serviceaccounts"), ("impersonate",)),
    Effect("impersonate", "authentication.k8s.io", _WHO, _IMPERSONATE),
    *(Effect("create Pods", group, resources, _WRITE) for group, resources in _WORKLOADS),
    Effect(
        "run commands in Pods", "", ("pods/exec", "pods/attach", "pods/proxy"), ("create", "get", "update", "patch", "delete")
    ),
    Effect("run commands in Pods", "", ("pods/ephemeralcontainers",), ("update", "patch")),
    Effect("reach kubelets", "", ("nodes/proxy",), ("get", "create")),
    Effect("write nodes", "", ("nodes",), _WRITE),
    Effect("write namespaces", "", ("namespaces",), _WRITE),  # whose labels say what Pods may do
    Effect("write volumes", "", ("persistentvolumes",), _WRITE),
    Effect(
        "write webhooks and admission policies",
        "admissionregistration.k8s.io",
        (
            "mutatingwebhookconfigurations",
            "validatingwebhookconfigurations",
            "mutatingadmissionpolicies",
            "mutatingadmissionpolicybindings",
            "validatingadmissionpolicies",
            "validatingadmissionpolicybindings",
        ),
        (*_WRITE, "delete", "deletecollection"),
    ),
    Effect("write API services", "apiregistration.k8s.io", ("apiservices",), _WRITE),
    Effect("write CRDs", "apiextensions.k8s.io", ("customresourcedefinitions",), _WRITE),
    Effect(
        "approve CertificateSigningRequests",
        "certificates.k8s.io",
        ("certificatesigningrequests/approval", "certificatesigningrequests/status"),
        ("update", "patch"),
    ),
    Effect("approve CertificateSigningRequests", "certificates.k8s.io", ("signers",), ("approve", "sign", "attest")),
    Effect("decide on access", "jitaccess.dev", ("accesspolicies",), (*_WRITE, "approve")),
    Effect("decide on access", "jitaccess.dev", ("grants",), ("manage",)),
    Effect("decide on access", "jitaccess.dev", ("accessrequests/status", "accesspolicies/status"), ("update", "patch")),
)
