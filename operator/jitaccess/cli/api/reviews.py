"""What somebody may do, in the API server's own answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jitaccess.domain.model import PolicyRef
from jitaccess.manifests.kinds import policy_resource

if TYPE_CHECKING:
    from jitaccess.cli.api.connect import Connection

AUTHORIZATION = "/apis/authorization.k8s.io/v1"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody to ask about: a user name with groups; nobody (no name) is oneself."""

    name: str = ""
    groups: tuple[str, ...] = ()


def may(connection: "Connection", verb: str, policy: PolicyRef, namespace: str, person: Person) -> bool:
    """Whether that person holds a verb on a policy, asked about in a namespace (empty: in the whole cluster)."""
    resource = policy_resource(policy.kind)
    if resource is None:  # of a newer jitaccess: nothing that this plugin could act on
        return False
    attributes = {"group": resource.group, "resource": resource.plural, "verb": verb}
    place = {"namespace": namespace, "name": policy.key.name}
    spec: dict[str, Any] = {"resourceAttributes": attributes | place}
    kind = "SubjectAccessReview" if person.name or person.groups else "SelfSubjectAccessReview"
    if kind == "SubjectAccessReview":
        spec |= {"user": person.name, "groups": list(person.groups)}
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": spec}
    return bool(connection.post(f"{AUTHORIZATION}/{kind.lower()}s", body)["status"].get("allowed"))


def usual_groups(user: str, groups: Sequence[str]) -> tuple[str, ...]:
    """The groups of a person, with those that everybody who logs in gets from the API server."""
    parts = user.split(":")
    of_account = (
        ("system:serviceaccounts", f"system:serviceaccounts:{parts[2]}")
        if user.startswith("system:serviceaccount:") and len(parts) == 4
        else ()
    )
    return (*groups, *of_account, "system:authenticated")
