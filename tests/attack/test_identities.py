"""Temporary identities in the hands of whoever may write nearly everything, of other requesters, and of their own bearers."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from attack import refusals
from attack.bearing import ACCOUNTS, account, being, borne, delivered, holding, user_name
from attack.stage import OPERATOR, RBAC, Theatre, binding, clone, job
from attack.table import Attempt, How, Scene, cannot, decides, on_both, play, table
from controlplane.client import Answer, Person
from team import REQUESTS, eventually

UID = "00000000-0000-0000-0000-00000000000a"
NAME = f"jit-x-{UID}"
OTHER = "jit-y-00000000-0000-0000-0000-00000000000b"
LABELS = {
    "app.kubernetes.io/managed-by": "jitaccess",
    "jitaccess.dev/component": "identity",
    "jitaccess.dev/request-uid": UID,
    "jitaccess.dev/request-kind": "AccessRequest",
}
OWNER = {"apiVersion": "batch/v1", "kind": "Job", "name": NAME, "uid": "00000000-0000-0000-0000-000000000001"}
CONTAINER = {"name": "p", "image": "p", "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}}
HARMLESS = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}  # as the namespace's Pod security asks
DEPLOYMENT = "/apis/apps/v1/namespaces/{}/deployments"


# --- what somebody does there, or at home as the honest twin


def there(do: Callable[[Scene, Person, str], Answer]) -> How:
    """To alice's identity, where identities live."""
    return lambda scene, me: do(scene, me.at(ACCOUNTS), account(scene.stage, borne(scene.stage)))


def at_home(do: Callable[[Scene, Person, str], Answer], *resources: str) -> How:
    """To something of one's own, in a namespace like any other; it is made first."""

    def how(scene: Scene, me: Person) -> Answer:
        name = f"own-{next(scene.stage._names)}"
        for resource in resources:
            Theatre.sure(me.create(resource, MADE[resource](name)))
        return do(scene, me, name)

    return how


MADE: dict[str, Callable[[str], dict[str, Any]]] = {
    "serviceaccounts": lambda name: {"metadata": {"name": name}},
    "roles": lambda name: {"metadata": {"name": name}, "rules": []},
    "rolebindings": lambda name: binding(name, name, "mallory", kind="Role"),
    "jobs": job,
}


def made(resource: str, manifest: Callable[[str], dict[str, Any]]) -> Callable[[Scene, Person, str], Answer]:
    """Make an object that has to do with the account of that name, under a name of its own."""
    return lambda _, me, name: me.create(resource, {**manifest(name), "metadata": {"name": "mine"}}, dryRun="All")


def merged(resource: str, patch: dict[str, Any]) -> Callable[[Scene, Person, str], Answer]:
    return lambda _, me, name: me.merge(resource, name, patch)


def deleted(resource: str, **options: Any) -> Callable[[Scene, Person, str], Answer]:
    return lambda _, me, name: me.delete(resource, name, **options)


def minted(**spec: Any) -> Callable[[Scene, Person, str], Answer]:
    return lambda _, me, name: me.call("POST", me.path("serviceaccounts", name, "token"), {"spec": spec})


def pod_under(name: str) -> dict[str, Any]:
    return {"spec": {"containers": [CONTAINER], "securityContext": HARMLESS, "serviceAccountName": name}}


def secret_named(_: Scene, me: Person, name: str) -> Answer:
    """A Secret into which a controller would write a token that never expires."""
    wanted = {"name": "mine", "annotations": {"kubernetes.io/service-account.name": name}}
    return me.create("secrets", {"type": "kubernetes.io/service-account-token", "metadata": wanted}, dryRun="All")


def deployed(_: Scene, me: Person, name: str) -> Answer:
    template = {"metadata": {"labels": {"a": "b"}}, **pod_under(name)}
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template}
    return me.call("POST", DEPLOYMENT.format(me.namespace), {"metadata": {"name": "mine"}, "spec": spec}, dryRun="All")


def recreated(_: Scene, me: Person, name: str) -> Answer:
    """An account of the name of one that has died, which a binding may still point at."""
    return me.create("serviceaccounts", {"metadata": {"name": f"{name[:-1]}x"}}, dryRun="All")


def all_deleted(_: Scene, me: Person, __: str) -> Answer:
    return me.call("DELETE", me.path("rolebindings"), None, labelSelector="jitaccess.dev/component=identity")


def to_me(name: str) -> dict[str, Any]:
    return binding("mine", name, "walt", kind="Role")


def writing() -> Iterator[Attempt]:
    """By walt, whom RBAC lets write everything everywhere."""
    subjects = {"subjects": [{"apiGroup": RBAC, "kind": "User", "name": "walt"}]}
    anybody = [{"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["impersonate"]}]
    rows: tuple[tuple[str, Callable[[Scene, Person, str], Answer], tuple[str, ...]], ...] = (
        ("running a Pod under somebody's identity", made("pods", pod_under), ("serviceaccounts",)),
        ("deploying Pods under somebody's identity", deployed, ("serviceaccounts",)),
        ("a Job beside the identities", made("jobs", job), ()),
        ("a Secret for a token that never dies", secret_named, ("serviceaccounts",)),
        ("a ConfigMap beside the identities", made("configmaps", lambda name: {}), ()),
        ("recreating an account that has died", recreated, ()),
        ("a Role beside the identities", made("roles", MADE["roles"]), ()),
        ("handing a grant's Role to oneself", made("rolebindings", to_me), ("roles",)),
        ("binding another role to oneself there", made("rolebindings", lambda name: binding("x", "view", "walt")), ()),
        ("swapping the rules of a grant's Role", merged("roles", {"rules": anybody}), ("roles",)),
        ("swapping who has a grant's Role", merged("rolebindings", subjects), ("roles", "rolebindings")),
        ("taking the label off a grant's Role", merged("roles", {"metadata": {"labels": None}}), ("roles",)),
        ("disowning an account, so that it outlives its Job", merged("serviceaccounts", _no_owners()), ("serviceaccounts",)),
        ("a finalizer on an account", merged("serviceaccounts", _finalizer()), ("serviceaccounts",)),
        ("a finalizer on the right to impersonate", merged("rolebindings", _finalizer()), ("roles", "rolebindings")),
        ("a Secret in an account", merged("serviceaccounts", {"secrets": [{"name": "mine"}]}), ("serviceaccounts",)),
        ("a longer life for a grant's Job", merged("jobs", {"spec": {"ttlSecondsAfterFinished": 999999}}), ("jobs",)),
        ("deleting an account", deleted("serviceaccounts"), ("serviceaccounts",)),
        ("deleting the right to impersonate", deleted("rolebindings"), ("roles", "rolebindings")),
        ("deleting all rights to impersonate", all_deleted, ()),
        ("orphaning what a grant's Job takes along", deleted("jobs", propagationPolicy="Orphan"), ("jobs",)),
    )
    for words, do, needs in rows:
        yield Attempt(words, "walt", there(do), refusals.CLOSED, at_home(do, *needs))


def _no_owners() -> dict[str, Any]:
    return {"metadata": {"ownerReferences": None}}


def _finalizer() -> dict[str, Any]:
    return {"metadata": {"finalizers": ["example.com/forever"]}}


def tokens() -> Iterator[Attempt]:
    mine = there(minted(expirationSeconds=3600))
    bound = {"kind": "Secret", "apiVersion": "v1", "name": "x"}
    yield Attempt(
        "minting somebody's token as whoever may mint all",
        "walt",
        mine,
        refusals.NOT_YOUR_TOKEN,
        at_home(minted(expirationSeconds=3600), "serviceaccounts"),
    )
    yield Attempt("minting an account's token with a Role of one's own elsewhere", "ada", mine, NO_TOKEN, mine, twin_who="alice")
    yield Attempt("minting another requester's token", "erin@example.com", mine, NO_TOKEN, mine, twin_who="alice")
    for words, spec in (("for a day", {"expirationSeconds": 86400}), ("bound to another object", {"boundObjectRef": bound})):
        yield Attempt(f"minting one's own token {words}", "alice", there(minted(**spec)), refusals.TOKEN_BOUNDS, mine)


NO_TOKEN = cannot("create", "serviceaccounts/token", "").replace("{namespace}", ACCOUNTS)


# --- being somebody


def acts(user: str, do: Callable[[Person], Answer], **headers: str) -> How:
    """Do something as that person who impersonates alice's identity, or tries to."""
    return lambda scene, _: do(being(scene.stage, user, borne(scene.stage), **headers))


def lists(me: Person) -> Answer:
    return me.get("pods")


def impersonating() -> Iterator[Attempt]:
    honest = acts("alice", lists)
    for words, user in (
        ("another requester", "erin@example.com"),
        ("an approver", "bob"),
        ("a namespace admin", "ada"),
        ("who may write everything", "walt"),
        ("nobody in particular", "mallory"),
    ):
        refusal = cannot("impersonate-on:serviceaccount:list", "pods", "")
        yield Attempt(f"{words} impersonating alice's identity", user, acts(user, lists), refusal, honest)
    for words, headers, refusal in (
        ("system:masters beside it", {"Impersonate-Group": "system:masters"}, "groups"),
        ("extra fields beside it", {"Impersonate-Extra-Scopes": "all"}, "scopes"),
        ("a UID beside it", {"Impersonate-Uid": "1"}, "uids"),
    ):
        yield Attempt(f"impersonating one's identity with {words}", "alice", acts("alice", lists, **headers), refusal, honest)
    refusal = cannot("impersonate", "serviceaccounts", "")
    yield Attempt("being a namespace's account that has the name of one's identity", "alice", as_namesake, refusal, honest)


def as_namesake(scene: Scene, _: Person) -> Answer:
    namesake = f"system:serviceaccount:{scene.stage.namespace}:{account(scene.stage, borne(scene.stage))}"
    return lists(scene.stage.person("alice", **{"Impersonate-User": namesake}))


def asks_as_identity(scene: Scene, me: Person) -> Answer:
    bearer = being(scene.stage, "alice", borne(scene.stage))
    manifest = scene.stage.manifest(user_name(scene.stage, borne(scene.stage)), policyRef={"name": "identities"})
    return bearer.create(REQUESTS, manifest)


def decides_as_identity(verb: str) -> How:
    """On a request of alice's under a policy that lets identities decide."""

    def how(scene: Scene, me: Person) -> Answer:
        name = scene.ask("alice", policyRef={"name": "identities"})
        who = user_name(scene.stage, borne(scene.stage))
        return being(scene.stage, "alice", borne(scene.stage)).merge(REQUESTS, name, scene.stage.decision(who, verb, name))

    return how


def bearers() -> Iterator[Attempt]:
    yield Attempt(
        "asking as one's identity",
        "alice",
        asks_as_identity,
        refusals.IDENTITY_ASKS,
        lambda scene, me: me.get(REQUESTS, scene.name),
    )
    for verb in ("approve", "deny", "revoke"):
        yield Attempt(
            f"{verb}: one's own request, as one's identity",
            "alice",
            decides_as_identity(verb),
            refusals.IDENTITY_DECIDES,
            decides(verb),
            twin_who="bob",
        )
    yield Attempt(
        "widening the Role of one's own identity",
        "alice",
        there(merged("roles", {"rules": []})),
        cannot("patch", "roles", RBAC).replace("{namespace}", ACCOUNTS),
        there(minted()),
    )
    yield Attempt(
        "repointing the binding of one's identity to oneself",
        "ada",
        lambda scene, me: me.merge("rolebindings", scene.stage.status(borne(scene.stage))["bindingRef"]["name"], SELF),
        refusals.BELONGS,
        lambda scene, me: me.get("rolebindings"),
    )


SELF = {"subjects": [{"apiGroup": RBAC, "kind": "User", "name": "ada"}]}


# --- the operator's account in the wrong hands


def operates(resource: str, manifest: dict[str, Any], **metadata: Any) -> How:
    """Make something where identities live, as the operator, as a rehearsal."""

    def how(_: Scene, me: Person) -> Answer:
        wanted = clone(manifest)
        wanted["metadata"] = {"name": NAME, "labels": LABELS, "ownerReferences": [OWNER]} | metadata
        return me.at(ACCOUNTS).create(resource, wanted, dryRun="All")

    return how


def role(*rules: dict[str, Any]) -> dict[str, Any]:
    return {"rules": list(rules)}


def to_be(verb: str = "impersonate", resource: str = "serviceaccounts", *names: str) -> dict[str, Any]:
    return {"apiGroups": [""], "resources": [resource], "verbs": [verb]} | ({"resourceNames": list(names)} if names else {})


def hands(*subjects: dict[str, Any], kind: str = "Role", name: str = "") -> How:
    """Give the Role of alice's identity to somebody, as the operator, as a rehearsal: it asks for the Role to be there."""

    def how(scene: Scene, me: Person) -> Answer:
        own = account(scene.stage, borne(scene.stage))
        labels = LABELS | {"jitaccess.dev/request-uid": own[-36:]}
        wanted = {"roleRef": {"apiGroup": RBAC, "kind": kind, "name": name or own}, "subjects": list(subjects)}
        return operates("rolebindings", wanted, name=own, labels=labels, ownerReferences=[OWNER | {"name": own}])(scene, me)

    return how


def user(name: str, kind: str = "User") -> dict[str, Any]:
    return {"apiGroup": RBAC, "kind": kind, "name": name}


def operator_shapes() -> Iterator[Attempt]:
    honest = operates("roles", role(to_be("impersonate", "serviceaccounts", NAME)))
    running = job(NAME) | {"spec": job(NAME)["spec"] | {"completions": 1, "parallelism": 1}}
    for words, how in (
        ("an account of another name than the request's", operates("serviceaccounts", {}, name=OTHER)),
        ("an account without the label", operates("serviceaccounts", {}, labels={})),
        ("an account with Secrets", operates("serviceaccounts", {"secrets": [{"name": "x"}]})),
        ("an account that a ConfigMap owns", operates("serviceaccounts", {}, ownerReferences=[OWNER | {"kind": "ConfigMap"}])),
        ("a Role to impersonate another account", operates("roles", role(to_be("impersonate", "serviceaccounts", OTHER)))),
        ("a Role to impersonate two accounts", operates("roles", role(to_be("impersonate", "serviceaccounts", NAME, OTHER)))),
        ("a Role to impersonate every account", operates("roles", role(to_be()))),
        ("a Role to mint another's tokens", operates("roles", role(to_be("create", "serviceaccounts/token", OTHER)))),
        ("a Role to write accounts", operates("roles", role(to_be("delete", "serviceaccounts", NAME)))),
        ("that right for a group", hands(user("developers", "Group"))),
        ("that right for two", hands(user("alice"), user("mallory"))),
        ("that right for itself", hands(user(OPERATOR))),
        ("that right for an identity", hands(user(f"system:serviceaccount:{ACCOUNTS}:{OTHER}"))),
        ("a ClusterRole in that namespace", hands(user("alice"), kind="ClusterRole", name="view")),
        ("a Job that runs a Pod", operates("jobs", running)),
    ):
        yield Attempt(f"the operator: {words}", "operator", how, refusals.CLOSED, honest)
    yield Attempt(
        "the operator: minting a token", "operator", there(minted()), refusals.NOT_YOUR_TOKEN, there(minted()), twin_who="alice"
    )
    yield Attempt(
        "the operator: a grant for another request's identity",
        "operator",
        access_for(OTHER),
        refusals.OPERATOR_SHAPES,
        access_for(NAME),
    )
    yield Attempt(
        "the operator: a grant for an account elsewhere",
        "operator",
        access_for(NAME, "kube-system"),
        refusals.OPERATOR_SHAPES,
        access_for(NAME),
    )


def access_for(account: str, namespace: str = ACCOUNTS) -> How:
    """The access binding of the request whose UID the label has."""
    grant = LABELS | {"jitaccess.dev/component": "grant"}
    wanted = binding("jit-x-00000000", "view", "x") | {
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}]
    }
    wanted["metadata"] |= {"labels": grant, "ownerReferences": [OWNER]}
    return lambda _, me: me.create("rolebindings", wanted, dryRun="All")


@table(writing(), tokens(), impersonating(), bearers(), operator_shapes())
def test_is_refused_for_the_stated_reason_and_the_honest_twin_succeeds(attempt: Attempt, stage: Theatre) -> None:
    play(attempt, stage)


@on_both()
def test_a_token_that_is_used_after_the_access_was_revoked_gives_nothing_and_is_void_within_the_cache(stage: Theatre) -> None:
    name = delivered(stage)
    holder = holding(stage, "alice", name)
    assert holder.get("pods").ok, "the honest twin"
    binding = stage.status(name)["bindingRef"]["name"]
    assert stage.find(binding, "rolebindings")
    stage.sure(stage.decide("alice", "revoke", name))
    stage.until(name, "Revoked")
    assert stage.find(binding, "rolebindings") is None, "by the time the end is on record it gives nothing"
    eventually(lambda: holder.get("pods").status in (401, 403), "as the API server soon knows")
    eventually(lambda: holder.get("pods").status == 401, "and nobody believes it any more")


@pytest.mark.parametrize(
    ("who", "sees"), [("alice", True), ("erin@example.com", False), ("mallory", False), ("ada", False)], ids=str
)
def test_what_can_i_list_shows(stage: Theatre, who: str, sees: bool) -> None:
    review = {"spec": {"namespace": ACCOUNTS}}
    answer = stage.person(who).call("POST", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", review)
    name = account(stage, borne(stage))
    rules = [rule for rule in stage.sure(answer)["status"]["resourceRules"] if name in rule.get("resourceNames", [])]
    verbs = {verb for rule in rules for verb in rule["verbs"]}
    assert verbs == ({"impersonate", "create", "use"} if sees else set())
