"""A team that asks for access to the whole cluster, under a policy of its own."""

import itertools
import os
from dataclasses import replace
from typing import Any

from controlplane.client import Person
from team import (
    CLUSTER_POLICIES,
    CLUSTER_REQUESTS,
    Team,
    cluster_policy_manifest,
    cluster_request_manifest,
    eventually,
    is_lasting,
)

_numbers = itertools.count(1)


class Wide:
    """A team that asks cluster-wide, under a policy of its own."""

    def __init__(self, team: Team, **spec: Any) -> None:
        self.team = team
        self.policy = f"wide-{os.getpid()}-{next(_numbers)}"
        wanted = cluster_policy_manifest(self.policy, **{"clusterWide": True} | spec)
        team.admin.create(CLUSTER_POLICIES, wanted).sure()

    def person(self, name: str) -> Person:
        """Somebody at work in no namespace."""
        return self.team.person(name).at("")

    def ready(self) -> dict[str, Any]:
        """The condition Ready of the policy."""
        return self.team.condition(self.policy, "Ready", CLUSTER_POLICIES)

    def until_in_force(self) -> None:
        """Wait until alice may ask and bob may decide."""
        for who, verb in (("alice", "request"), ("bob", "approve")):
            holds = lambda who=who, verb=verb: self.person(who).may(  # noqa: E731
                verb, CLUSTER_POLICIES, group="jitaccess.dev", name=self.policy
            )
            eventually(holds, f"{who} may {verb}")

    def request(self, **spec: Any) -> str:
        """Ask as alice."""
        name = f"w{os.getpid()}-{next(_numbers)}"
        stamp = {} if self.team.stamped else {"requester": "alice"}
        self.person("alice").create(CLUSTER_REQUESTS, cluster_request_manifest(name, self.policy, **stamp | spec)).sure()
        return name

    def decide(self, user: str, verb: str, name: str) -> None:
        """Approve, deny or revoke."""
        decision = self.team.decision(user, verb, name, of=CLUSTER_REQUESTS)
        self.person(user).merge(CLUSTER_REQUESTS, name, decision).sure()

    def granted(self, **spec: Any) -> str:
        """A request that bob has approved, with its binding there."""
        name = self.request(**spec)
        self.decide("bob", "approve", name)
        self.until(name, "Active")
        eventually(lambda: self.binding(name), f"{name} has its binding")
        return name

    def granted_for(self, duration: str) -> str:
        """A request that bob has approved and that has its binding; empty if its time was up before that was seen."""
        name = self.request(duration=duration)
        self.decide("bob", "approve", name)
        eventually(lambda: self.binding(name) or self.status(name).get("settled"), f"{name} has, or had, its binding")
        return name if self.lasts(name) else ""

    def lasts(self, name: str) -> bool:
        """Whether a grant is there, with its binding, and nobody has begun to end it."""
        return is_lasting(self.status(name), self.binding(name))

    def status(self, name: str) -> dict[str, Any]:
        """The status of a request."""
        return self.team.status(name, CLUSTER_REQUESTS)

    def until(self, name: str, state: str) -> dict[str, Any]:
        """Wait until a request is in that state; returns its status."""
        eventually(lambda: self.team.status(name, CLUSTER_REQUESTS).get("state") == state, f"{name} is {state}")
        return self.team.status(name, CLUSTER_REQUESTS)

    def why(self, name: str) -> dict[str, Any]:
        """The condition Granted of a request."""
        return self.team.condition(name, "Granted", CLUSTER_REQUESTS)

    def binding(self, name: str) -> dict[str, Any] | None:
        """The ClusterRoleBinding of a request."""
        found = self.team.admin.get("clusterrolebindings", labelSelector="jitaccess.dev/component=grant").sure()["items"]
        return next((each for each in found if each["metadata"]["annotations"]["jitaccess.dev/request"] == name), None)

    def told(self, name: str) -> set[str]:
        """The reasons of the Events about a request; Kubernetes keeps those of what is in no namespace in `default`."""
        events = self.team.admin.at("default").get("events").sure()["items"]
        return {each["reason"] for each in events if each["involvedObject"].get("name") == name}

    def identity(self, name: str, user: str = "alice") -> Person:
        """That person, impersonating the temporary identity of a request, or trying to."""
        account = self.team.status(name, CLUSTER_REQUESTS)["identity"]
        return replace(self.person(user), headers={"Impersonate-User": str(account)})

    def account(self, name: str) -> str:
        """The name of the account of a request."""
        return str(self.team.status(name, CLUSTER_REQUESTS)["identity"]).rpartition(":")[2]

    def token_of_identity(self, name: str) -> Person:
        """Somebody with a token of the temporary identity of a request, minted by alice."""
        path = self.person("alice").at("jitaccess-grants").path("serviceaccounts", self.account(name), "token")
        minted = self.person("alice").call("POST", path, {"spec": {"expirationSeconds": 600}})
        return replace(self.person("alice"), token=minted.sure()["status"]["token"])

    def sees_everything(self, who: Person | None = None) -> bool:
        """Whether alice (or whoever is given) may list Pods in every namespace, by asking for them."""
        return (who or self.person("alice")).call("GET", "/api/v1/pods").ok
