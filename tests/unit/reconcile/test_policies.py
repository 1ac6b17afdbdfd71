"""Policies become RBAC, and what depends on them is looked at again."""

from dataclasses import dataclass, replace
from typing import Any

import pytest

from jitaccess.domain.effects import Effect
from jitaccess.domain.model import Key
from jitaccess.domain.risk import RiskTable
from jitaccess.kube.api import Cluster, Outage
from jitaccess.kube.installation import Installation
from jitaccess.manifests.derived import derived_names
from jitaccess.manifests.kinds import ACCESS_POLICY
from jitaccess.manifests.resources import CLUSTER_ROLES, POLICIES, REQUESTS, ROLE_BINDINGS, ROLES, Resource
from jitaccess.publish.events import Announcer
from jitaccess.publish.notify.channels import Channel, Channels
from jitaccess.publish.publisher import Publisher
from jitaccess.reconcile.policies import PolicyReconciler
from jitaccess.reconcile.recorder import Tools
from jitaccess.workqueue.schedule import Schedule, Target
from jitaccess.workqueue.store import Store
from unit.conftest import Now
from unit.examples import EMERGENCY, KEY, NAMESPACE, POLICY_KEY, policy_manifest, request, stages_manifest
from unit.fake_api import FakeApi

REQUESTER, APPROVER, REVIEWER = (Key(NAMESPACE, name) for name in derived_names(POLICY_KEY, ACCESS_POLICY))
STATUS = "PATCH accesspolicies/status"
MADE = ["POST roles"] * 2 + ["POST rolebindings"] * 2
DEPENDENT = Target(REQUESTS, KEY)
TARGET = Target(POLICIES, POLICY_KEY)
NEWER = {"generation": 4}
SECRETS = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}


@dataclass
class Bench:
    """The operator's part for policies; Alice's request depends on this one."""

    api: FakeApi
    store: Store
    schedule: Schedule
    policies: PolicyReconciler
    configured: list[Channels]

    async def looks(self) -> None:
        self.schedule.forget(DEPENDENT)
        await self.policies.reconcile(POLICY_KEY)

    @property
    def ready(self) -> tuple[str, str, str]:
        condition = self.conditions["Ready"]
        return condition["status"], condition["reason"], condition["message"]

    @property
    def conditions(self) -> dict[str, dict[str, Any]]:
        found = self.api.get(POLICIES, POLICY_KEY)
        assert found
        return {condition["type"]: condition for condition in found["status"]["conditions"]}

    @property
    def stalled(self) -> tuple[str, str]:
        return self.conditions["Stalled"]["status"], self.conditions["Stalled"]["reason"]

    @property
    def derived(self) -> set[tuple[str, str]]:
        """What there is of Roles and RoleBindings."""
        return {
            (resource.kind, found["metadata"]["name"]) for resource in (ROLES, ROLE_BINDINGS) for found in self.api.all(resource)
        }

    @property
    def woke_its_requests(self) -> bool:
        return DEPENDENT in self.schedule._news


ALL_DERIVED = {(resource.kind, key.name) for resource in (ROLES, ROLE_BINDINGS) for key in (REQUESTER, APPROVER)}


async def never(_: Target) -> None:
    raise AssertionError("the clock does not run in these tests")


@pytest.fixture
def bench(api: FakeApi, cluster: Cluster, now: Now) -> Bench:
    api.put_role("view", {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]})
    api.put(POLICIES, policy_manifest())
    store, schedule = Store([REQUESTS], [POLICIES]), Schedule(never, now)
    store.requests[REQUESTS].see(request())
    configured: list[Channels] = []
    tools = Tools(cluster, store, schedule, Publisher(Announcer(cluster)), Installation(), now)
    tools = replace(tools, channels=lambda: configured[-1] if configured else None)
    return Bench(api, store, schedule, PolicyReconciler(tools, ACCESS_POLICY), configured)


async def test_a_policy_is_put_in_force_and_says_so(bench: Bench) -> None:
    await bench.looks()
    assert bench.derived == ALL_DERIVED
    assert bench.ready == ("True", "InForce", "requests are accepted")
    assert bench.stalled == ("False", "InForce")
    assert bench.conditions["RolesFound"]["status"] == "True"
    assert bench.api.writes == [*MADE, STATUS]
    assert bench.woke_its_requests


async def test_reviewers_have_a_role_while_the_policy_names_them(bench: Bench) -> None:
    reviewers = {(resource.kind, REVIEWER.name) for resource in (ROLES, ROLE_BINDINGS)}
    bench.api.put(POLICIES, policy_manifest(requiredApprovals=0, emergency=EMERGENCY))
    await bench.looks()
    assert bench.derived == ALL_DERIVED | reviewers
    bench.api.forget_calls()
    await bench.looks()
    assert bench.api.writes == []
    bench.api.put(POLICIES, policy_manifest(metadata=NEWER))
    await bench.looks()
    assert bench.derived == ALL_DERIVED
    assert bench.api.writes[:2] == ["DELETE rolebindings", "DELETE roles"]


async def test_looking_again_writes_nothing(bench: Bench) -> None:
    await bench.looks()
    bench.api.forget_calls()
    await bench.looks()
    assert bench.api.writes == []


async def test_looking_again_at_a_policy_without_approvers_writes_nothing(bench: Bench) -> None:
    bench.api.put(POLICIES, policy_manifest(requiredApprovals=0, approvers=None))
    await bench.looks()
    bench.api.forget_calls()
    await bench.looks()
    assert bench.api.writes == []


async def test_a_changed_list_changes_the_binding(bench: Bench) -> None:
    await bench.looks()
    bench.api.forget_calls()
    status = bench.api.all(POLICIES)[0]["status"]
    bench.api.put(POLICIES, policy_manifest(approvers=[{"kind": "User", "name": "carol"}], status=status, metadata=NEWER))
    await bench.looks()
    binding = bench.api.get(ROLE_BINDINGS, APPROVER)
    assert binding
    assert [subject["name"] for subject in binding["subjects"]] == ["carol"]
    assert bench.api.writes == ["PUT rolebindings", STATUS]  # nobody is without their rights for a moment
    assert bench.woke_its_requests


def parts(bench: Bench) -> set[str]:
    """What is derived, by the end of its name; each as a Role and a RoleBinding."""
    kinds = [{name.rpartition(":")[2] for kind, name in bench.derived if kind == each.kind} for each in (ROLES, ROLE_BINDINGS)]
    assert kinds[0] == kinds[1], kinds
    return kinds[0]


async def test_each_stage_has_a_role_which_goes_with_the_stage(bench: Bench) -> None:
    bench.api.put(POLICIES, policy_manifest(**stages_manifest(lead=1, security=1)))
    await bench.looks()
    assert parts(bench) == {"requester", "approver", "stage-lead", "stage-security"}
    role = bench.api.get(ROLES, Key(NAMESPACE, "jitaccess:prod-debug:stage-lead"))
    assert role
    assert role["rules"][0]["resourceNames"] == ["prod-debug:lead"]
    bench.api.forget_calls()
    await bench.looks()
    assert bench.api.writes == [], "looking again writes nothing"

    bench.api.put(POLICIES, policy_manifest(**stages_manifest(lead=1, safety=1), metadata=NEWER))
    await bench.looks()
    assert parts(bench) == {"requester", "approver", "stage-lead", "stage-safety"}
    bench.api.remove(POLICIES, POLICY_KEY)
    await bench.looks()
    assert bench.derived == set()


async def test_a_stage_whose_binding_is_not_to_be_removed_is_tried_again(bench: Bench) -> None:
    bench.api.put(POLICIES, policy_manifest(**stages_manifest(lead=1, security=1)))
    await bench.looks()
    bench.api.fail("DELETE rolebindings", 503)
    bench.api.put(POLICIES, policy_manifest(**stages_manifest(lead=1), metadata=NEWER))
    with pytest.raises(Outage):
        await bench.looks()
    await bench.looks()
    assert parts(bench) == {"requester", "approver", "stage-lead"}


async def test_a_derived_role_changed_by_hand_is_put_back(bench: Bench) -> None:
    await bench.looks()
    bench.api.forget_calls()
    role = bench.api.get(ROLES, REQUESTER)
    assert role
    role["rules"] = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
    await bench.looks()
    assert bench.api.writes == ["PUT roles"]
    put_back = bench.api.get(ROLES, REQUESTER)
    assert put_back
    assert put_back["rules"][0]["apiGroups"] == ["jitaccess.dev"]


@pytest.mark.parametrize(
    ("fields", "reason", "told"),
    [
        pytest.param({"maxDuration": "1w"}, "Invalid", "'1w' is not a duration", id="that-cannot-be-read"),
        pytest.param(
            {"roles": [{"kind": "ClusterRole", "name": "secrets"}]},
            "PersistentRisk",
            "ClusterRole secrets (read Secrets)",
            id="that-offers-what-outlives-a-grant",
        ),
    ],
)
async def test_a_policy_is_not_in_force(bench: Bench, fields: dict[str, Any], reason: str, told: str) -> None:
    await bench.looks()
    bench.api.put_role("secrets", SECRETS)
    bench.api.put(POLICIES, policy_manifest(**fields, metadata=NEWER))
    await bench.looks()
    assert bench.ready[:2] == ("False", reason)
    assert told in bench.ready[2]
    assert bench.stalled == ("True", reason), "nothing happens before a person puts it right"
    assert bench.derived == set(), "the rights that it gave are taken away again"
    assert bench.woke_its_requests


@pytest.mark.parametrize(
    ("fields", "reason", "left"),
    [
        pytest.param({"suspend": True}, "Suspended", True, id="that-is-suspended"),
        pytest.param({"roles": [{"kind": "ClusterRole", "name": "secrets"}]}, "PersistentRisk", True, id="that-is-too-risky"),
        pytest.param({"maxDuration": "1w"}, "Invalid", False, id="that-cannot-be-read"),
    ],
)
async def test_under_a_policy_not_in_force_what_is_owed_a_review_can_be_reviewed_and_nothing_else_is_left(
    bench: Bench, fields: dict[str, Any], reason: str, left: bool
) -> None:
    bench.api.put_role("secrets", SECRETS)
    emergencies: dict[str, Any] = {"requiredApprovals": 0, "emergency": EMERGENCY}
    reviewers = {(resource.kind, REVIEWER.name) for resource in (ROLES, ROLE_BINDINGS)}
    bench.api.put(POLICIES, policy_manifest(**emergencies))
    await bench.looks()
    assert bench.derived == ALL_DERIVED | reviewers
    bench.api.forget_calls()
    bench.api.put(POLICIES, policy_manifest(**emergencies, **fields, metadata=NEWER))
    await bench.looks()
    assert bench.ready[:2] == ("False", reason)
    assert bench.derived == (reviewers if left else set())
    assert not [write for write in bench.api.writes if write.startswith(("POST role", "PUT role"))], "reviewers lose nothing"
    bench.api.forget_calls()
    await bench.looks()
    assert bench.api.writes == []


async def test_risk_that_is_allowed_is_named(bench: Bench) -> None:
    bench.api.put_role("secrets", SECRETS)
    roles = [{"kind": "ClusterRole", "name": "secrets"}]
    bench.api.put(POLICIES, policy_manifest(roles=roles, allowPersistentRisk=True))
    await bench.looks()
    assert bench.ready[:2] == ("True", "InForce")
    assert "read Secrets" in bench.ready[2]


async def test_a_role_that_is_missing_is_named(bench: Bench) -> None:
    bench.api.put(POLICIES, policy_manifest(roles=[{"kind": "Role", "name": "gone"}]))
    await bench.looks()
    assert bench.ready[:2] == ("True", "InForce")
    assert "Role gone" in bench.ready[2]
    assert bench.stalled == ("True", "RolesNotFound")
    found = bench.conditions["RolesFound"]
    assert (found["status"], found["reason"]) == ("False", "RolesNotFound")
    assert found["message"].endswith(": Role gone")
    assert bench.derived == ALL_DERIVED, "what it offers beside that may be asked for"


async def test_a_role_that_appears_ends_the_stall(bench: Bench) -> None:
    bench.api.put(POLICIES, policy_manifest(roles=[{"kind": "ClusterRole", "name": "later"}]))
    await bench.looks()
    assert bench.stalled == ("True", "RolesNotFound")
    assert TARGET in bench.schedule._deadlines, "no event tells of a role: it is looked for again"
    bench.api.put_role("later", {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]})
    await bench.looks()
    assert bench.stalled == ("False", "InForce")
    assert bench.conditions["RolesFound"]["status"] == "True"
    assert bench.schedule.attempts(TARGET) == 0


async def test_a_policy_that_nobody_has_looked_at_is_looked_at_as_any_other(bench: Bench) -> None:
    bench.api.put(POLICIES, policy_manifest(status={"observedGeneration": -1}))
    await bench.looks()
    found = bench.api.get(POLICIES, POLICY_KEY)
    assert found
    assert found["status"]["observedGeneration"] == 3


async def test_a_deleted_policy_gives_nobody_anything(bench: Bench) -> None:
    await bench.looks()
    bench.api.remove(POLICIES, POLICY_KEY)
    await bench.looks()
    assert bench.derived == set()
    assert bench.woke_its_requests
    assert bench.store.policies[POLICIES].all() == []


@pytest.mark.parametrize("resource", [pytest.param(ROLES, id="role"), pytest.param(ROLE_BINDINGS, id="binding")])
async def test_a_planted_object_is_never_adopted_and_never_touched(bench: Bench, resource: Resource) -> None:
    mine = bench.api.put(resource, {"metadata": {"name": REQUESTER.name, "namespace": NAMESPACE}})
    await bench.looks()
    assert bench.ready[:2] == ("False", "NameTaken")
    assert bench.api.get(resource, REQUESTER) == mine
    assert TARGET in bench.schedule._deadlines, "it is tried again"
    bench.api.remove(POLICIES, POLICY_KEY)
    await bench.looks()
    assert bench.api.get(resource, REQUESTER) == mine, "nor is it deleted with the policy"


async def test_a_policy_changed_while_it_is_looked_at_is_looked_at_again(bench: Bench) -> None:
    bench.api.before(STATUS, lambda: bench.api.put(POLICIES, policy_manifest(metadata=NEWER)))
    await bench.looks()
    assert TARGET in bench.schedule._deadlines, "a conflict means: look again"
    assert TARGET not in bench.schedule._news, "but after a pause"


@pytest.mark.parametrize(
    ("call", "status"),
    [
        pytest.param(STATUS, 500, id="the-record-fails"),
        pytest.param("GET clusterroles", 503, id="a-role-cannot-be-looked-at"),
    ],
)
async def test_requests_are_looked_at_again_whatever_goes_wrong_with_the_policy(bench: Bench, call: str, status: int) -> None:
    bench.api.put(POLICIES, policy_manifest(maxDuration="1m"))
    bench.api.fail(call, status)
    with pytest.raises(Outage):
        await bench.looks()
    assert bench.woke_its_requests, "access under the old policy must not wait until the new one is in force"


async def test_requests_are_looked_at_before_anything_else(bench: Bench) -> None:
    woken = []
    bench.api.before("GET clusterroles", lambda: woken.append(bench.woke_its_requests))
    await bench.looks()
    assert woken == [True]


async def test_requests_are_looked_at_once_for_each_version_of_a_policy(bench: Bench) -> None:
    woken = []
    for metadata in ({}, {}, NEWER, NEWER, NEWER | {"uid": "made-again"}):
        bench.api.put(POLICIES, policy_manifest(status=bench.api.all(POLICIES)[0].get("status"), metadata=metadata))
        await bench.looks()
        woken.append(bench.woke_its_requests)
    assert woken == [True, False, True, False, True], "each sweep looks at each policy"


async def test_requests_are_looked_at_again_when_a_risk_is_on_record_or_gone(bench: Bench) -> None:
    await bench.looks()
    woken = []
    bench.api.before(STATUS, lambda: woken.append(bench.woke_its_requests))
    for rule in (SECRETS, {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}):
        bench.api.put_role("view", rule)
        await bench.looks()
        woken.append(bench.woke_its_requests)
    for _ in range(2):
        await bench.looks()
    woken.append(bench.woke_its_requests)
    assert woken == [False, True, True, False], "the policy is the same, its role is not: not before that is on record"


@pytest.mark.parametrize(("call", "kind"), [("POST roles", "Role"), ("POST rolebindings", "RoleBinding")])
async def test_a_policy_whose_rbac_may_not_be_made_says_so(bench: Bench, call: str, kind: str) -> None:
    bench.api.fail(call, 403, "exceeded quota: roles=0")
    await bench.looks()
    assert bench.ready[:2] == ("False", "Refused")
    assert bench.ready[2] == f"the {kind} {REQUESTER.name} was refused: exceeded quota: roles=0"
    assert bench.woke_its_requests
    assert TARGET in bench.schedule._deadlines, "it is tried again"
    await bench.looks()
    assert bench.ready[:2] == ("True", "InForce")


async def test_what_a_role_may_leave_behind_is_said_and_refuses_nothing(bench: Bench) -> None:
    bench.api.put_role("view", {"apiGroups": ["tekton.dev"], "resources": ["pipelineruns"], "verbs": ["create"]})
    await bench.looks()
    hint = "ClusterRole view (may run Pods through tekton.dev pipelineruns)"
    accepted = f"requests are accepted; look at what these roles may leave behind: {hint}"
    assert bench.ready == ("True", "InForce", accepted)


async def test_what_the_operator_was_taught_is_refused_like_the_rest(bench: Bench) -> None:
    table = RiskTable(dangers=(Effect("pay invoices", "billing.example.com"),))
    bench.policies._tools = replace(bench.policies._tools, table=table)
    bench.api.put_role("view", {"apiGroups": ["billing.example.com"], "resources": ["invoices"], "verbs": ["create"]})
    await bench.looks()
    assert bench.ready[:2] == ("False", "PersistentRisk")
    assert "ClusterRole view (pay invoices)" in bench.ready[2]


async def test_a_role_is_recorded_with_its_uid_and_a_digest_of_its_rules(bench: Bench) -> None:
    seen = []
    for rule in (SECRETS, SECRETS | {"verbs": ["get", "list"]}):
        bench.api.put(CLUSTER_ROLES, {"metadata": {"name": "view", "uid": "u-view"}, "rules": [rule]})
        await bench.looks()
        found = bench.api.get(POLICIES, POLICY_KEY)
        assert found
        seen.append((found["status"]["roles"][0]["uid"], found["status"]["roles"][0]["hash"]))
    (first, before), (second, after) = seen
    assert (first, second) == ("u-view", "u-view")
    assert before != after, "the role was widened"


async def test_what_the_roles_allow_is_told(bench: Bench) -> None:
    bench.api.put_role("secrets", SECRETS)
    names = ("view", "secrets", "gone", "hidden")
    roles = [{"kind": "ClusterRole", "name": name} for name in names[:3]] + [{"kind": "Role", "name": "hidden"}]
    bench.api.put(POLICIES, policy_manifest(roles=roles))
    bench.api.fail("GET roles", 403)
    await bench.looks()
    found = bench.api.get(POLICIES, POLICY_KEY)
    assert found
    seen = {role["name"]: (role["found"], role.get("risks"), role.get("rules")) for role in found["status"]["roles"]}
    assert seen == {
        "view": (True, [], [{"verbs": ["get"], "groups": [""], "resources": ["pods"]}]),
        "secrets": (True, ["read Secrets"], [{"verbs": ["get"], "groups": [""], "resources": ["secrets"]}]),
        "gone": (False, [], None),
        "hidden": (False, [], None),
    }


CHAT = Channels({"chat": Channel("chat"), "ops": Channel("ops", namespaces=("elsewhere-*",))})
NOBODY_TOLD = "not everybody is told whom it names: "


def wishes(*names: str) -> dict[str, Any]:
    return {"notify": [{"channel": name, "when": ["Ended"]} for name in names]}


@pytest.mark.parametrize(
    ("wish", "channels", "said"),
    [
        pytest.param(wishes("chat"), CHAT, ("True", "AllFound", "every channel that it names is there"), id="all-are-there"),
        pytest.param(
            wishes("chat", "gone"), CHAT, ("False", "ChannelUnknown", f"{NOBODY_TOLD}there is no channel gone"), id="one-is-not"
        ),
        pytest.param(
            wishes("ops"),
            CHAT,
            ("False", "ChannelUnknown", f"{NOBODY_TOLD}the channel ops is not open to namespace team-a"),
            id="not-for-that-namespace",
        ),
        pytest.param(
            wishes("requester"),
            CHAT,
            ("False", "ChannelUnknown", f"{NOBODY_TOLD}nobody has set up mail to requesters"),
            id="no-mail",
        ),
        pytest.param(
            wishes("chat"),
            Channels({}),
            ("False", "ChannelUnknown", f"{NOBODY_TOLD}there is no channel chat"),
            id="no-channels-at-all",
        ),
        pytest.param(wishes("gone"), None, None, id="not-known-yet"),
        pytest.param(wishes(), CHAT, None, id="names-none"),
        pytest.param({}, CHAT, None, id="says-nothing"),
    ],
)
async def test_a_policy_says_whether_the_channels_that_it_names_are_there_and_is_in_force(
    bench: Bench, wish: dict[str, Any], channels: Channels | None, said: tuple[str, str, str] | None
) -> None:
    bench.api.put(POLICIES, policy_manifest(**wish))
    bench.configured += [channels] if channels else []
    await bench.looks()
    found = bench.conditions.get("ChannelsFound")
    assert (found and (found["status"], found["reason"], found["message"])) == said
    assert (bench.ready[:2], bench.stalled) == (("True", "InForce"), ("False", "InForce"))


async def test_what_is_said_of_channels_follows_the_policy_and_the_channels(bench: Bench) -> None:
    bench.api.put(POLICIES, policy_manifest(**wishes("gone")))
    bench.configured.append(CHAT)
    await bench.looks()
    assert bench.conditions["ChannelsFound"]["status"] == "False"
    bench.configured.append(Channels({"gone": Channel("gone")}))
    await bench.looks()
    assert bench.conditions["ChannelsFound"]["status"] == "True"
    writes = list(bench.api.writes)
    await bench.looks()
    assert bench.api.writes == writes, "a further look writes nothing"
    bench.configured.append(CHAT)
    await bench.looks()
    bench.api.put(POLICIES, policy_manifest() | {"status": (bench.api.get(POLICIES, POLICY_KEY) or {})["status"]})
    await bench.looks()
    assert bench.conditions["ChannelsFound"]["status"] == "True", "what it does not name any more is not missed"
