"""Cluster-wide access delivered as a temporary identity: whose it is, what its bearer may not do, what the operator may make."""

from collections.abc import Callable, Iterator
from typing import Any

from attack import refusals
from attack.bearing import ACCOUNTS
from attack.cluster import asked, cluster_binding, decide, manifest
from attack.stage import RBAC, Theatre
from attack.table import Attempt, How, Scene, cannot, play, table
from attack.test_operator import GRANT, makes
from controlplane.client import Answer, Person
from team import CLUSTER_REQUESTS, eventually

UID = "00000000-0000-0000-0000-00000000000a"
OWN, OTHER = f"jit-x-{UID}", "jit-y-00000000-0000-0000-0000-00000000000b"


# --- alice's identity, which sees the whole cluster


_borne: dict[str, str] = {}  # by the stage's namespace


def account(stage: Theatre) -> str:
    """The name of the account of a cluster-wide request of alice's that is Active throughout."""
    if stage.namespace not in _borne:
        _borne[stage.namespace] = delivered(stage)
    return _borne[stage.namespace]


def delivered(stage: Theatre) -> str:
    scene = Scene(stage)
    name = asked(scene, policy="wide-identity")
    stage.sure(decide(scene, stage.person("bob").at(""), "approve", name))
    found = lambda: stage.status(name, CLUSTER_REQUESTS).get("identity")  # noqa: E731
    made = str(eventually(found, f"{name} is delivered as an identity")).rpartition(":")[2]
    eventually(lambda: being(stage, "alice", made).get("pods").ok, "alice is the account")
    return made


def being(stage: Theatre, user: str, account: str) -> Person:
    """Somebody who impersonates that account, or tries to."""
    return stage.person(user, **{"Impersonate-User": f"system:serviceaccount:{ACCOUNTS}:{account}"}).at("")


def lists_as(user: str) -> How:
    """List the Pods of the whole cluster as that person who impersonates alice's identity."""
    return lambda scene, _: being(scene.stage, user, account(scene.stage)).get("pods")


def there(do: Callable[[Person, str], Answer]) -> How:
    """To alice's identity, where identities live."""
    return lambda scene, me: do(me.at(ACCOUNTS), account(scene.stage))


def mints(me: Person, name: str) -> Answer:
    return me.call("POST", me.path("serviceaccounts", name, "token"), {"spec": {"expirationSeconds": 3600}})


def access(scene: Scene) -> str:
    """The name of the ClusterRoleBinding for alice's identity."""
    found = scene.stage.sure(scene.stage.admin.get("clusterrolebindings", labelSelector="jitaccess.dev/component=grant"))
    return next(str(each["metadata"]["name"]) for each in found["items"] if each["subjects"][0]["name"] == account(scene.stage))


# --- rows


def others() -> Iterator[Attempt]:
    for who in ("bob", "erin@example.com", "ada", "walt", "mallory"):
        refusal = cannot("impersonate-on:serviceaccount:list", "pods", "").partition(" in the namespace")[0]
        yield Attempt(f"{who} impersonating alice's cluster-wide identity", who, lists_as(who), refusal, lists_as("alice"))
    no_token = cannot("create", "serviceaccounts/token", "").replace("{namespace}", ACCOUNTS)
    for who, refusal in (("erin@example.com", no_token), ("bob", no_token), ("walt", refusals.NOT_YOUR_TOKEN)):
        yield Attempt(
            f"{who} minting a token of alice's cluster-wide identity", who, there(mints), refusal, there(mints), twin_who="alice"
        )
    me = {"subjects": [{"apiGroup": RBAC, "kind": "User", "name": "walt"}]}
    everybody = [{"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["impersonate"]}]
    for words, do in (
        ("deleting its account", lambda me, name: me.delete("serviceaccounts", name)),
        ("taking its right to impersonate", lambda who, name: who.merge("rolebindings", name, me)),
        ("widening its Role", lambda me, name: me.merge("roles", name, {"rules": everybody})),
        ("a longer life for its Job", lambda me, name: me.merge("jobs", name, {"spec": {"ttlSecondsAfterFinished": 99999}})),
        ("taking its Job away", lambda me, name: me.delete("jobs", name, propagationPolicy="Orphan")),
    ):
        yield Attempt(f"{words}, as who may write everything", "walt", there(do), refusals.CLOSED, lists_as("alice"))
    for words, how in (
        ("binding the whole cluster to oneself", lambda scene, who: who.merge("clusterrolebindings", access(scene), me)),
        ("deleting what binds the cluster to it", lambda scene, who: who.delete("clusterrolebindings", access(scene))),
    ):
        yield Attempt(f"{words} in its place", "wanda", how, refusals.BELONGS, lists_as("alice"))


def bearer() -> Iterator[Attempt]:
    def asks(scene: Scene, _: Person) -> Answer:
        name = account(scene.stage)
        wanted = manifest(scene, f"system:serviceaccount:{ACCOUNTS}:{name}", "wide-identities")
        return being(scene.stage, "alice", name).create(CLUSTER_REQUESTS, wanted)

    honest = lambda scene, me: me.at("").create(CLUSTER_REQUESTS, manifest(scene, "alice", "wide-identities"))  # noqa: E731
    yield Attempt("asking cluster-wide as one's identity", "alice", asks, refusals.IDENTITY_ASKS, honest)
    for verb in ("approve", "deny", "revoke"):
        yield Attempt(
            f"{verb}: one's own cluster-wide request, as one's identity",
            "alice",
            decides_as_identity(verb),
            refusals.IDENTITY_DECIDES,
            decides_as_oneself(verb),
            twin_who="bob",
        )


def decides_as_identity(verb: str) -> How:
    def how(scene: Scene, _: Person) -> Answer:
        stage, name = scene.stage, asked(scene, policy="wide-identities")
        who = f"system:serviceaccount:{ACCOUNTS}:{account(stage)}"
        decision = stage.decision(who, verb, name, of=CLUSTER_REQUESTS)
        return being(stage, "alice", account(stage)).merge(CLUSTER_REQUESTS, name, decision)

    return how


def decides_as_oneself(verb: str) -> How:
    return lambda scene, me: decide(scene, me.at(""), verb, asked(scene, policy="wide-identities"))


def to_account(account: str, namespace: str = ACCOUNTS, role: str = "view", **changed: Any) -> dict[str, Any]:
    """A ClusterRoleBinding for an account, as the operator makes it for an identity."""
    subject = {"kind": "ServiceAccount", "name": account, "namespace": namespace}
    return cluster_binding("jit-x-00000000", role, "x") | {"subjects": [subject]} | changed


def operator() -> Iterator[Attempt]:
    labels = GRANT | {"jitaccess.dev/request-uid": UID}
    honest = makes("clusterrolebindings", to_account(OWN), labels=labels)
    both = [*to_account(OWN)["subjects"], *to_account(OTHER)["subjects"]]
    for words, made, said in (
        ("for another request's identity", to_account(OTHER), labels),
        ("for an account elsewhere", to_account(OWN, "kube-system"), labels),
        ("for two identities", to_account(OWN, subjects=both), labels),
        ("for an identity of no request", to_account(OWN), GRANT),
        ("for an identity under another name", to_account(OWN, metadata={"name": "x"}), labels),
    ):
        how = makes("clusterrolebindings", made, labels=said)
        yield Attempt(f"the operator: a cluster-wide grant {words}", "operator", how, refusals.OPERATOR_SHAPES, honest)
    for words, role, refusal in (
        ("what may be granted in namespaces alone", "jitaccess-debug", refusals.NOT_CLUSTER_WIDE),
        ("cluster-admin", "cluster-admin", refusals.ESCALATION),
    ):
        how = makes("clusterrolebindings", to_account(OWN, role=role), labels=labels)
        yield Attempt(f"the operator: {words}, cluster-wide, for an identity", "operator", how, refusal, honest)


@table(others(), bearer(), operator())
def test_is_refused_for_the_stated_reason_and_the_honest_twin_succeeds(attempt: Attempt, stage: Theatre) -> None:
    play(attempt, stage)
