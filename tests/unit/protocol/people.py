"""What everybody but the operator does to the objects, as acts with a name."""

from enum import Enum

from unit.protocol.server import (
    BINDINGS,
    JOBS,
    LOCKS,
    NAMESPACE,
    POLICIES,
    REQUESTS,
    RIGHTS,
    ROLES,
    SERVICE_ACCOUNTS,
    Name,
    Object,
)
from unit.protocol.world import LASTS, World

ALICE, BOB, CAROL = "alice@example.com", "bob@example.com", "carol@example.com"
LOCKED_FOR = 2.0  # seconds
POLICY: Name = (POLICIES, NAMESPACE, "prod-debug")
ROLE: Name = (ROLES, "", "view")
POLICY_SPEC: Object = {
    "roles": [{"kind": "ClusterRole", "name": "view"}],
    "requesters": [{"kind": "Group", "name": "developers"}],
    "approvers": [{"kind": "Group", "name": "leads"}],
    "requiredApprovals": 1,
    "maxDuration": "1h",
    "pendingTimeout": "24h",
    "allowScheduling": True,
}
STAGES = [{"name": name, "required": 1, "approvers": [{"kind": "Group", "name": name}]} for name in ("lead", "security")]
# What a policy says beside that, by the kind of life.
SAYS: dict[str, Object] = {
    "Identity": {"delivery": "Identity"},
    "staged": {"stages": STAGES},
    "limited": {"limits": {"activeInTotal": 1}},
}
GETS_PODS = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
GETS_MORE = [{"apiGroups": [""], "resources": ["pods", "services"], "verbs": ["get"]}]


class Act(Enum):
    """What somebody does."""

    APPROVE = "bob approves"
    APPROVE_TOO = "carol approves too"
    DENY = "bob denies"
    REVOKE = "bob revokes"
    GIVE_BACK = "alice gives it back"
    DELETE_POLICY = "the policy is deleted"
    RECREATE_POLICY = "the policy is deleted and made again"
    WITHDRAW_ROLE = "the policy no longer offers the role"
    ASK_FOR_TWO = "the policy asks for two approvals"
    CHANGE_ROLE = "the role is changed"
    RECREATE_ROLE = "the role is deleted and made again"
    DELETE_REQUEST = "the request is deleted"
    RECREATE_REQUEST = "the request is deleted and made again"
    CHURN = "somebody rewrites the request's metadata"
    DELETE_BINDING = "the binding is deleted by hand"
    EMPTY_BINDING = "the binding is emptied by hand"
    FINALIZE_BINDING = "a finalizer is put on the binding"
    DELETE_JOB = "the Job is deleted by hand"
    DELETE_ACCOUNT = "the account is deleted by hand"
    WIDEN_RIGHT = "the right to impersonate is changed by hand"
    ADD_FINALIZERS = "something adds a finalizer to every new binding"
    LOCK_REQUESTER = "alice is locked"
    LOCK_BRIEFLY = "alice is locked for two seconds"
    LOCK_APPROVER = "bob is locked"
    LIFT = "every lock is lifted"
    SUSPEND = "the policy is suspended"
    APPROVE_ALONE = "bob approves in the other stage too"
    RESTAGE = "a stage becomes another one"
    PROTECT_BINDINGS = "something refuses every change of bindings from now on"


def set_up(world: World, life: str = "") -> None:
    """The policy and the role that everything starts from."""
    made = {"apiVersion": "jitaccess.dev/v1alpha1", "kind": "AccessPolicy"}
    spec = {**POLICY_SPEC, **SAYS.get(life, {})}
    world.server.make(POLICIES, {**made, "metadata": {"name": POLICY[2], "namespace": NAMESPACE}, "spec": spec})
    world.server.make(ROLES, {"kind": "ClusterRole", "metadata": {"name": "view"}, "rules": GETS_PODS})


def ask(world: World, name: str = "alice", later: float = 0.0) -> None:
    """Alice asks for the role, perhaps to begin so many seconds later."""
    start = {"startTime": world.server.now_in(later)} if later else {}
    spec = {
        **start,
        "policyRef": {"kind": "AccessPolicy", "name": POLICY[2]},
        "roleRef": {"kind": "ClusterRole", "name": "view"},
        "duration": f"{LASTS}s",
        "reason": "INC-42",
        "requester": ALICE,
    }
    made = {"apiVersion": "jitaccess.dev/v1alpha1", "kind": "AccessRequest"}
    world.note(f"alice makes the request {name}")
    world.server.make(REQUESTS, {**made, "metadata": {"name": name, "namespace": NAMESPACE}, "spec": spec})


def act(world: World, what: Act, name: str = "alice") -> None:
    """Do that; nothing where there is nothing to do it to."""
    world.note(what.value)
    request = (REQUESTS, NAMESPACE, name)
    if what in _LEDGERS:
        _decide(world, request, *_LEDGERS[what])
    elif what in _LOCKS or what is Act.LIFT:
        _lock(world, what)
    elif what in _POLICY:
        _change_policy(world, what)
    elif what in (Act.CHANGE_ROLE, Act.RECREATE_ROLE):
        world.server.remove(ROLE) if what is Act.RECREATE_ROLE else None
        _change_role(world, recreated=what is Act.RECREATE_ROLE)
    elif what in (Act.DELETE_REQUEST, Act.RECREATE_REQUEST, Act.CHURN):
        _change_request(world, what, request)
    elif what is Act.ADD_FINALIZERS:
        world.server.finalizer = "example.com/kept"
    elif what is Act.PROTECT_BINDINGS:
        world.server.delete_protection = True
    else:
        _meddle(world, what, name)


_LEDGERS = {
    Act.APPROVE: ("approvals", BOB),
    Act.APPROVE_TOO: ("approvals", CAROL),
    Act.APPROVE_ALONE: ("approvals.security", BOB),
    Act.DENY: ("denials", BOB),
    Act.REVOKE: ("revocations", BOB),
    Act.GIVE_BACK: ("revocations", ALICE),
}
_IN_STAGE = {BOB: "lead", CAROL: "security"}
_POLICY = (Act.DELETE_POLICY, Act.RECREATE_POLICY, Act.WITHDRAW_ROLE, Act.ASK_FOR_TWO, Act.SUSPEND, Act.RESTAGE)
_LOCKS = {Act.LOCK_REQUESTER: ALICE, Act.LOCK_BRIEFLY: ALICE, Act.LOCK_APPROVER: BOB}


_SAID: dict[Act, Object] = {
    Act.WITHDRAW_ROLE: {"roles": [{"kind": "ClusterRole", "name": "other"}]},
    Act.ASK_FOR_TWO: {"requiredApprovals": 2},
    Act.SUSPEND: {"suspend": True},
    Act.RESTAGE: {"stages": [STAGES[0], {**STAGES[1], "name": "other"}]},
}


def _lock(world: World, what: Act) -> None:
    locks = [name for name in world.server.objects if name[0] == LOCKS]
    if what is Act.LIFT:
        for name in locks:
            spec = world.server.objects[name]["spec"]
            if "lifted" not in spec:
                world.server.change(name, spec={**spec, "lifted": {"by": CAROL, "reason": "a drill"}})
        return
    spec = {"subjects": [{"kind": "User", "name": _LOCKS[what]}], "reason": "INC-7", "by": CAROL}
    if what is Act.LOCK_BRIEFLY:
        spec["until"] = world.server.now_in(LOCKED_FOR)
    made = {"apiVersion": "jitaccess.dev/v1alpha1", "kind": "AccessLock"}
    world.server.make(LOCKS, {**made, "metadata": {"name": f"lock-{len(locks) + 1}"}, "spec": spec})


def _decide(world: World, request: Name, ledger: str, by: str) -> None:
    found = world.server.objects.get(request)
    if found is None or (found.get("status") or {}).get("settled"):
        return
    annotations = found["metadata"].get("annotations") or {}
    if ledger == "approvals" and "stages" in world.server.objects.get(POLICY, {}).get("spec", {}):
        ledger = f"approvals.{_IN_STAGE[by]}"
    key, line = f"jitaccess.dev/{ledger}", f"{by}: as agreed\n"
    if line not in annotations.get(key, ""):
        world.server.change(request, metadata={"annotations": {**annotations, key: annotations.get(key, "") + line}})


def _change_policy(world: World, what: Act) -> None:
    found = world.server.objects.get(POLICY)
    if found is None:
        return
    if what in _SAID:
        world.server.change(POLICY, spec={**found["spec"], **_SAID[what]})
    else:
        world.server.remove(POLICY)
        if what is Act.RECREATE_POLICY:
            metadata = {"name": POLICY[2], "namespace": NAMESPACE}
            world.server.make(POLICIES, {**found, "metadata": metadata})


def _change_role(world: World, *, recreated: bool) -> None:
    if recreated:
        world.server.make(ROLES, {"kind": "ClusterRole", "metadata": {"name": "view"}, "rules": GETS_PODS})
    else:
        world.server.change(ROLE, rules=GETS_MORE)


def _change_request(world: World, what: Act, request: Name) -> None:
    if request not in world.server.objects:
        return
    if what is Act.CHURN:
        world.server.change(request, metadata={"managedFields": [{"manager": f"churn-{world.server.time}"}]})
        return
    world.server.remove(request)
    if what is Act.RECREATE_REQUEST:
        ask(world, request[2])  # for as soon as it is approved


def _meddle(world: World, what: Act, name: str) -> None:
    plural = {Act.DELETE_JOB: JOBS, Act.DELETE_ACCOUNT: SERVICE_ACCOUNTS, Act.WIDEN_RIGHT: RIGHTS}.get(what, BINDINGS)
    for found_name, found in list(world.server.objects.items()):
        if found_name[0] != plural or found["metadata"]["annotations"]["jitaccess.dev/request"] != name:
            continue
        if what is Act.EMPTY_BINDING:
            world.server.change(found_name, subjects=[])
        elif what is Act.WIDEN_RIGHT:
            world.server.change(found_name, rules=GETS_MORE)
        elif what is Act.FINALIZE_BINDING:
            world.server.change(found_name, metadata={"finalizers": ["example.com/kept"]})
        else:
            world.server.remove(found_name)
