"""What can stand between an approved request and its binding; the reason of Granted=False while the operator retries."""

from jitaccess.domain.model import AccessRequest, RoleRef
from jitaccess.domain.rules import Objection

ROLE_NOT_FOUND = "RoleNotFound"
ROLE_UNREADABLE = "RoleUnreadable"
BIND_FORBIDDEN = "BindForbidden"
BINDING_REFUSED = "BindingRefused"
NAME_TAKEN = "NameTaken"
NOT_INSTALLED = "NotInstalled"
IDENTITY_REFUSED = "IdentityRefused"
AUDIT_AWAY = "AuditUnavailable"
# How RBAC says it, and managed-objects.jitaccess.dev.
_MAY_NOT_BIND = ("attempting to grant RBAC permissions not currently held", "the verb bind-cluster-wide")
OBSTACLES = frozenset(
    {ROLE_NOT_FOUND, ROLE_UNREADABLE, BIND_FORBIDDEN, BINDING_REFUSED, NAME_TAKEN, NOT_INSTALLED, IDENTITY_REFUSED, AUDIT_AWAY}
)


def obstructed(request: AccessRequest) -> bool:
    """Whether, by the record, something stood between the approval of a request and its binding."""
    before = request.recorded.condition("Granted")
    return before is not None and before.reason in OBSTACLES


def role_not_found(request: AccessRequest) -> Objection:
    """There is no such role, yet or any more."""
    where = f" in namespace {request.key.namespace}" if request.role.kind == "Role" else ""
    return Objection(ROLE_NOT_FOUND, f"there is no {request.role}{where}: create it")


def role_unreadable(request: AccessRequest) -> Objection:
    """The operator holds no `get` on the role."""
    role, (grantable, verbs) = request.role, _grantable(request.key.namespace)
    fix = f"add it, with the verbs {' and '.join(verbs.rsplit(', ', 1))}, to the ClusterRole {grantable}"
    return Objection(ROLE_UNREADABLE, f"the operator may not read {role}: {fix}")


def binding_refused(role: RoleRef, namespace: str, message: str) -> Objection:
    """The API server, or an admission policy, refused the binding in a namespace (empty: cluster-wide), with that message."""
    if not any(words in message for words in _MAY_NOT_BIND):
        return Objection(BINDING_REFUSED, f"the binding was refused: {message}")
    (grantable, verbs), where = _grantable(namespace), "" if namespace else " cluster-wide"
    return Objection(
        BIND_FORBIDDEN,
        f"the operator may not bind {role}{where}: add it to the ClusterRole {grantable} (apiGroups "
        f"[rbac.authorization.k8s.io], resources [{role.kind.lower()}s], resourceNames [{role.name}], verbs [{verbs}])",
    )


def _grantable(namespace: str) -> tuple[str, str]:
    """Where it says which roles the operator may bind in a namespace (empty: cluster-wide), and the verbs for that."""
    if namespace:
        return "jitaccess-grantable-roles", "get, bind"
    return "jitaccess-grantable-cluster-wide", "get, bind, bind-cluster-wide"


def component_missing(component: str, what: str) -> Objection:
    """A component of deploy/ that this access needs is not installed."""
    lacks = f"the operator may not make {what}s: add the component deploy/components/{component} to your kustomization"
    return Objection(NOT_INSTALLED, lacks)


def binding_altered() -> Objection:
    """Something in the cluster changed the binding while it was created: it gives something else, so it was deleted."""
    what = "something in the cluster gives new RoleBindings another role or other subjects, so it was deleted at once"
    return Objection(BINDING_REFUSED, f"the binding came out different: {what}; look for a mutating admission policy or webhook")


def identity_refused(message: str) -> Objection:
    """The API server, or an admission policy, refused a temporary identity; the message is theirs."""
    fix = "delivery: Identity needs deploy/components/identities"
    return Objection(IDENTITY_REFUSED, f"the temporary identity was refused ({fix}): {message}")


def sweep_only(kind: str) -> Objection:
    """Why no Job ends such a binding: not in the way of the access, but of its end without the operator."""
    behind = "behind the operator stands the CronJob jitaccess-sweep alone (delivery: Identity has a Job)"
    return Objection("SweepOnly", f"no Job can own a {kind}; {behind}")


def audit_away(why: str) -> Objection:
    """Access begins only once every audit sink has taken the record of it, and one does not."""
    return Objection(AUDIT_AWAY, f"no access begins unless its record is exported (--audit=required): {why}")


def name_taken(kind: str, name: str) -> Objection:
    """An object that is not ours sits where the grant belongs."""
    return Objection(NAME_TAKEN, f"a {kind} {name} that jitaccess did not make is in the way: delete it")


def not_installed(problems: tuple[str, ...]) -> Objection:
    """What must hold in the API server does not; the problems say what to do."""
    return Objection(NOT_INSTALLED, "; ".join(problems))
