"""The policy and the Role of a schedule."""

from collections.abc import Mapping
from typing import Any

POLICY, FENCED = "debug", "fenced"
RULES = {"narrow": ["get"], "wide": ["get", "list", "delete"]}


def policy_manifest(**spec: Any) -> dict[str, Any]:
    """Developers ask for view or db-reader, one lead decides."""
    return {
        "apiVersion": "jitaccess.dev/v1alpha1",
        "kind": "AccessPolicy",
        "metadata": {"name": POLICY},
        "spec": {
            "roles": [{"kind": "ClusterRole", "name": "view"}, {"kind": "Role", "name": "db-reader"}],
            "requesters": [{"kind": "Group", "name": "developers"}],
            "approvers": [{"kind": "Group", "name": "leads"}],
            "requiredApprovals": 1,
            "maxDuration": "2h",
            "pendingTimeout": "1h",
            "allowScheduling": True,
            **spec,
        },
    }


def fenced_manifest(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Developers ask for view; who decides, and what limits it, is in `spec`."""
    said = {"roles": [{"kind": "ClusterRole", "name": "view"}], "requesters": [{"kind": "Group", "name": "developers"}]}
    return {
        "apiVersion": "jitaccess.dev/v1alpha1",
        "kind": "AccessPolicy",
        "metadata": {"name": FENCED},
        "spec": {**said, "maxDuration": "2h", "pendingTimeout": "1h", **spec},
    }


def role(which: str) -> dict[str, Any]:
    """The Role db-reader, narrow or wide."""
    rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": RULES[which]}
    kind = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "db-reader"}}
    return {**kind, "rules": [rule]}
