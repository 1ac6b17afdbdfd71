"""The locked try to go on, strangers to lock and unlock, and lockers to write in another's name."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from attack import refusals
from attack.cluster import FLEET, asks
from attack.stage import Theatre, binding
from attack.table import BY_HAND, STAMPED, Attempt, How, Scene, creates, decides, denied, known, on_both, play, table, writes
from controlplane.client import Answer, Person
from locking import LOCKS, lift, lock, lock_manifest, locked
from team import REQUESTS, eventually

ERIN, LOCKER, IDENTITY = "erin@example.com", "paul", "system:serviceaccount:jitaccess-grants:jit-x"
LOCKED = denied("locked", "{me} is locked by AccessLock 'lock-")
CHANGED = "an AccessLock cannot be changed after it was made, but for spec.lifted: lift it, and make a new one"
NOT_YOUR_NAME = denied("locks", "spec.by must be your own user name: write `by: '{me}'`")
NOT_YOUR_LIFT = denied("locks", "spec.lifted.by must be your own user name: write `by: '{me}'`")
KEPT = denied("locks", "a lock is on record, so it is lifted, not deleted: kubectl jit unlock, or add spec.lifted; ")
PAST = denied("locks", "spec.until is past, so nobody would be locked")
NO_OWNERS = denied("locks", "an AccessLock has no finalizers and no owners: nothing else may keep it, or take it away")


def cannot(verb: str, resource: str = LOCKS) -> str:
    """A refusal by RBAC, as the API server words it."""
    return f'User "{{me}}" cannot {verb} resource "{resource}" in API group "jitaccess.dev" at the cluster scope'


def furnish(stage: Theatre) -> None:
    """Bind the role that is shipped for lockers, and let somebody write status who should not."""
    if stage.admin.get("clusterrolebindings", "test-lockers").ok:
        return
    wardens = [{"apiGroups": ["jitaccess.dev"], "resources": [f"{LOCKS}/status", LOCKS], "verbs": ["patch", "get"]}]
    stage.sure(stage.admin.create("clusterroles", {"metadata": {"name": "test-lock-wardens"}, "rules": wardens}))
    for name, role, who in (("test-lockers", "jitaccess-locker", LOCKER), ("test-lock-wardens", "test-lock-wardens", "wanda")):
        stage.sure(stage.admin.create("clusterrolebindings", binding(name, role, who) | {"kind": "ClusterRoleBinding"}))
    eventually(lambda: stage.person(LOCKER).may("create", LOCKS, group="jitaccess.dev"), "the locker may lock")
    eventually(lambda: stage.person("wanda").may("patch", LOCKS, group="jitaccess.dev"), "wanda may patch locks")


def is_locked(stage: Theatre, who: str) -> bool:
    """Whether the API server keeps somebody out; whoever may neither ask nor lock is not asked about."""
    me = known(stage, who)
    if who == LOCKER:
        tried = me.create(LOCKS, lock_manifest("nobody", **own(stage, who)), dryRun="All")
    else:
        tried = me.create(REQUESTS, stage.manifest(who), dryRun="All")
    return "is locked by AccessLock" in tried.message


def own(stage: Theatre, who: str) -> dict[str, Any]:
    """One's own name in a lock, where nobody stamps it."""
    return {} if stage.stamped else {"by": who}


def while_locked(who: str, then: How, *, as_named: str = "") -> How:
    """Do something while somebody is locked, which the API server has heard of."""

    def how(scene: Scene, me: Person) -> Answer:
        _ = scene.name  # made before, by whoever may
        with locked(scene.stage, as_named or who):
            eventually(lambda: is_locked(scene.stage, who), f"the API server keeps {who} out")
            return then(scene, me)

    return how


def afterwards(who: str, then: How) -> How:
    """Do something once nobody keeps somebody out any more."""

    def how(scene: Scene, me: Person) -> Answer:
        eventually(lambda: not is_locked(scene.stage, who), f"the API server lets {who} in")
        return then(scene, me)

    return how


def locks(*people: str, **spec: Any) -> How:
    """Make a lock."""
    return lambda scene, me: me.create(LOCKS, lock_manifest(*people or ("nobody",), **own(scene.stage, me.name) | spec))


def a_lock(scene: Scene, *people: str) -> str:
    """A lock that the administrator has made, for this scene."""
    return scene.about(lock(scene.stage, *people or ("nobody",)))


def on_a_lock(*people: str, then: Callable[[Scene, Person, str], Answer]) -> How:
    """Do something to a lock of the administrator's."""
    return lambda scene, me: then(scene, me, a_lock(scene, *people))


def lifts(scene: Scene, me: Person, name: str, **lifted: Any) -> Answer:
    """Lift a lock as one does on this system."""
    wanted = {"reason": "over", **own(scene.stage, me.name), **lifted}
    return me.merge(LOCKS, name, {"spec": {"lifted": wanted}})


def forges_the_lift(scene: Scene, me: Person, name: str) -> Answer:
    return lifts(scene, me, name, by="admin")


def deletes(scene: Scene, me: Person, name: str) -> Answer:
    return me.delete(LOCKS, name)


def changes(**spec: Any) -> Callable[[Scene, Person, str], Answer]:
    return lambda scene, me, name: me.merge(LOCKS, name, {"spec": spec})


def unlifts(scene: Scene, me: Person, name: str) -> Answer:
    Theatre.sure(lifts(scene, me, name))
    return me.merge(LOCKS, name, {"spec": {"lifted": None}})


def marks_as_over(scene: Scene, me: Person, name: str) -> Answer:
    return me.merge(LOCKS, name, {"status": {"state": "Over", "settled": True}}, "status")


def gives_it_an_owner(scene: Scene, me: Person, name: str) -> Answer:
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "11111111-1111-1111-1111-111111111111"}
    return me.merge(LOCKS, name, {"metadata": {"ownerReferences": [owner]}})


def removes_what_is_over(scene: Scene, me: Person) -> Answer:
    """Remove a lock that is settled, as the operator does after its retention time."""
    name, stage = a_lock(scene), scene.stage
    Theatre.sure(lifts(scene, stage.person(LOCKER), name))
    eventually(lambda: stage.status(name, LOCKS).get("settled"), "it is lifted, on record")
    return me.delete(LOCKS, name)


def as_identity(how: How) -> How:
    """As somebody who can be everybody, in the shape of a temporary identity."""
    headers = {"Impersonate-User": IDENTITY, "Impersonate-Group": "system:masters"}
    return lambda scene, me: how(scene, scene.stage.person("admin", **headers))


def gives_back(scene: Scene, me: Person) -> Answer:
    """Take back a request of one's own while one is locked, and nobody has denied it yet."""
    with scene.stage.operator_frozen():
        name = scene.ask(me.name)
        with_lock = lock(scene.stage, me.name)
        eventually(lambda: is_locked(scene.stage, me.name), "the API server keeps them out")
        answer = me.merge(REQUESTS, name, scene.stage.decision(me.name, "revoke", name))
    lifted = {"reason": "over"} | ({} if scene.stage.stamped else {"by": "admin"})
    scene.stage.sure(scene.stage.admin.merge(LOCKS, with_lock, {"spec": {"lifted": lifted}}))
    eventually(lambda: scene.stage.status(with_lock, LOCKS).get("settled"), "it is lifted")
    return answer


def begins(locked_one: str) -> How:
    """Write the record that access begins of what erin asked for and dave approved, while somebody is locked."""

    def how(scene: Scene, me: Person) -> Answer:
        with scene.stage.operator_frozen():
            name = scene.ask(ERIN)
            with_lock = lock(scene.stage, locked_one)
            if locked_one != "nobody":
                eventually(lambda: is_locked(scene.stage, locked_one.lower()), "the API server knows of the lock")
            now = "2026-07-01T02:10:00.000Z"
            begun = {"state": "Active", "grantedAt": now, "approvals": [{"by": "dave", "note": "", "at": now}]}
            answer = me.merge(REQUESTS, name, {"status": begun}, "status", dryRun="All")
        lift(scene.stage, with_lock)
        return answer

    return how


HONEST = on_a_lock(then=lifts)


def the_locked() -> Iterator[Attempt]:
    for what, who, how in (
        ("asks", ERIN, creates()),
        ("asks under a policy for many namespaces", ERIN, creates(**FLEET)),
        ("asks for the whole cluster", ERIN, asks()),
        ("approves", "dave", decides("approve")),
        ("denies", "dave", decides("deny")),
        ("ends what another has", "dave", decides("revoke")),
    ):
        yield Attempt(f"who is locked {what}", who, while_locked(who, how), LOCKED, afterwards(who, how))
    yield Attempt(
        "who is locked under a name in capitals asks",
        ERIN,
        while_locked(ERIN, creates(), as_named="ERIN@Example.com"),
        LOCKED,
        afterwards(ERIN, creates()),
    )
    yield Attempt(
        "who is locked writes the ledger by hand",
        "dave",
        while_locked("dave", writes("approvals", "{me}: ok")),
        LOCKED,
        gives_back,
        only=STAMPED,
    )
    yield Attempt(
        "who is locked approves by hand", "dave", while_locked("dave", decides("approve")), LOCKED, gives_back, only=BY_HAND
    )
    yield Attempt("who is locked locks another", LOCKER, while_locked(LOCKER, locks()), LOCKED, afterwards(LOCKER, locks()))
    yield Attempt(
        "who is locked lifts a lock on another", LOCKER, while_locked(LOCKER, HONEST), LOCKED, afterwards(LOCKER, HONEST)
    )


def what_begins() -> Iterator[Attempt]:
    """By the operator itself, of which nobody knows how late its watch is."""
    for what, who in (
        ("who asked is locked", ERIN),
        ("who approved is locked", "dave"),
        ("who asked is locked in capitals", ERIN.upper()),
    ):
        refusal = denied("locked-grants", f"{'dave' if who == 'dave' else ERIN} is locked by AccessLock 'lock-")
        yield Attempt(f"access begins though {what}", "operator", begins(who), refusal, begins("nobody"))


def lockers() -> Iterator[Attempt]:
    yield Attempt("a stranger locks somebody", "mallory", locks(), cannot("create"), locks(), twin_who=LOCKER)
    yield Attempt("an approver locks somebody", "bob", locks(), cannot("create"), locks(), twin_who=LOCKER)
    yield Attempt("an approver lifts a lock", "bob", HONEST, cannot("patch"), HONEST, twin_who=LOCKER)
    yield Attempt("the operator locks somebody", "operator", locks(), cannot("create"), locks(), twin_who=LOCKER)
    yield Attempt("the operator lifts a lock", "operator", HONEST, cannot("patch"), HONEST, twin_who=LOCKER)
    yield Attempt("in another's name", LOCKER, locks(by="bob"), NOT_YOUR_NAME, locks())
    yield Attempt(
        "made already lifted",
        LOCKER,
        locks(lifted={"reason": "x", "by": LOCKER}),
        denied("locks", "a lock cannot be made already lifted: leave out spec.lifted"),
        locks(),
    )
    yield Attempt(
        "as a temporary identity", "admin", as_identity(locks(by=IDENTITY)), denied("locks", "a temporary identity"), locks()
    )
    yield Attempt("lifts in another's name", LOCKER, on_a_lock(then=forges_the_lift), NOT_YOUR_LIFT, HONEST)
    for spec in (
        {"subjects": [{"kind": "User", "name": "else"}]},
        {"reason": "else"},
        {"until": "2030-01-01T00:00:00Z"},
        {"by": LOCKER},
    ):
        yield Attempt(f"changes {next(iter(spec))}", LOCKER, on_a_lock(then=changes(**spec)), CHANGED, HONEST, status=422)
    yield Attempt(
        "takes back that it was lifted", LOCKER, on_a_lock(then=unlifts), "this AccessLock is lifted for good", HONEST, status=422
    )
    yield Attempt("a locker deletes a lock", LOCKER, on_a_lock(then=deletes), cannot("delete"), HONEST)
    yield Attempt("an administrator deletes a lock that holds", "admin", on_a_lock(then=deletes), KEPT, HONEST)
    yield Attempt("the operator deletes a lock that holds", "operator", on_a_lock(then=deletes), KEPT, removes_what_is_over)
    yield Attempt("gives it an owner that takes it along", LOCKER, on_a_lock(then=gives_it_an_owner), NO_OWNERS, HONEST)
    yield Attempt("says that it is over", "wanda", on_a_lock(then=marks_as_over), refusals.STATUS, HONEST)
    yield Attempt("a locker approves", LOCKER, decides("approve"), refusals.not_an_approver(), decides("revoke"))
    yield Attempt(
        "locks a group", LOCKER, locks(subjects=[{"kind": "Group", "name": "leads"}]), "Unsupported value", locks(), status=422
    )
    later = locks(until="2090-07-01T12:00:00Z")
    yield Attempt("until a time that is past", LOCKER, locks(until="2020-01-01T00:00:00Z"), PAST, later)
    for until in ("2090-07-01t12:00:00z", "2090-07-01T12:00:00x5Z", "2090-07-01T12:00:00.1234567891Z"):
        yield Attempt(f"until {until}", LOCKER, locks(until=until), "spec.until in body should match", later, status=422)
    # A time that only few can write: east of Greenwich it is before year 1 there.
    yield Attempt("until before all time", LOCKER, locks(until="0001-01-01T00:00:00+23:00"), "timestamp", later, status=422)
    yield Attempt("says nothing", LOCKER, locks(reason=" "), "say why in words", locks(), status=422)
    yield Attempt("hides something in the reason", LOCKER, locks(reason="x\u202ey"), "is invisible", locks(), status=422)


@table(the_locked(), what_begins(), lockers())
def test_locks(attempt: Attempt, stage: Theatre) -> None:
    furnish(stage)
    play(attempt, stage)


@on_both()
@pytest.mark.parametrize("name", [LOCKER, LOCKER.upper()])
def test_nobody_lifts_a_lock_on_themselves(stage: Theatre, name: str) -> None:
    furnish(stage)
    with locked(stage, name) as on_me:
        answer = lifts(Scene(stage), stage.person(LOCKER), on_me)
    # Two of our policies refuse, and the API server tells of either.
    assert answer.status == 403
    assert "nobody lifts a lock on themselves" in answer.message or "is locked by AccessLock" in answer.message
