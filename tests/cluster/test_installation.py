"""The check of the installation on a real API server, where others have rules of their own."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import aiohttp

from jitaccess.kube.api import Cluster
from jitaccess.kube.credentials import connect
from jitaccess.kube.installation import Installation
from team import PATIENCE, Team, eventually

POLICIES, BINDINGS = "validatingadmissionpolicies", "validatingadmissionpolicybindings"


@contextmanager
def closed(team: Team, namespace: str) -> Iterator[None]:
    """Somebody's policy engine forbids everything in a namespace; returns when that is in force."""
    name = f"{namespace}-is-closed"
    rule = {"apiGroups": ["", "jitaccess.dev"], "apiVersions": ["*"], "resources": ["configmaps", "accessrequests"]}
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [{**rule, "operations": ["CREATE"]}]},
        "validations": [{"expression": f"request.namespace != '{namespace}'", "message": "nothing is made here"}],
    }
    team.admin.create(POLICIES, {"metadata": {"name": name}, "spec": spec}).sure()
    bound = {"policyName": name, "validationActions": ["Deny"]}
    team.admin.create(BINDINGS, {"metadata": {"name": name}, "spec": bound}).sure()
    try:
        eventually(lambda: "nothing is made here" in attempt(team, namespace), "the namespace is closed")
        yield
    finally:
        for resource in (BINDINGS, POLICIES):
            team.admin.delete(resource, name).sure()
        eventually(lambda: "nothing is made here" not in attempt(team, namespace), "the namespace is open again")
        eventually(lambda: team.system.health("/readyz")[0] == 200, "the operator of all tests may have met it, and is over it")


def attempt(team: Team, namespace: str) -> str:
    """What the API server says to a ConfigMap there."""
    return team.admin.at(namespace).create("configmaps", {"metadata": {"name": "x"}}, dryRun="All").message


async def problems(team: Team, account: tuple[str, str] = ("jitaccess-system", "jitaccess"), **options: bool) -> tuple[str, ...]:
    """What an operator that runs as that account finds wrong."""
    connection = connect(team.plane.service_account_kubeconfig(*account))
    installation = Installation(**options)
    async with connection.session(aiohttp.ClientTimeout(total=PATIENCE)) as session:
        await installation.check(Cluster(session, connection.server))
    return installation.problems


async def test_what_is_installed_is_complete(either: Team) -> None:
    assert await problems(either) == ()


async def test_who_forbids_the_namespace_default_does_not_stop_grants(team: Team) -> None:
    with closed(team, "default"):
        assert await problems(team) == ()


async def test_a_foreign_refusal_that_comes_first_is_named_and_stops_grants_until_it_is_exempt(team: Team) -> None:
    with closed(team, "jitaccess-system"):
        found: tuple[str, ...] = ()
        for attempt in range(60):  # whose refusal is answered is up to the API server, and shuffled whenever a policy changes
            labels = {"metadata": {"labels": {"attempt": str(attempt)}}}
            team.admin.merge(POLICIES, "jitaccess-system-is-closed", labels).sure()
            found = found or await problems(team)
            if found:
                break
        assert len(found) == 1, f"within 60 attempts the foreign refusal comes first: {found}"
        assert "whether they are in force is unknown" in found[0]
        assert "'jitaccess-system-is-closed' denied request: nothing is made here" in found[0]
        assert found[0].endswith("; exempt the namespace jitaccess-system from it")
    assert await problems(team) == ()


async def test_an_account_that_the_policies_do_not_confine_is_found_out(team: Team) -> None:
    account, name = (team.namespace, "jitaccess"), f"system:serviceaccount:{team.namespace}:jitaccess"
    subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "jitaccess-operator"}
    binding = {"metadata": {"name": team.namespace}, "roleRef": role, "subjects": [subject]}
    team.admin.create("serviceaccounts", {"metadata": {"name": "jitaccess"}}).sure()
    team.admin.create("clusterrolebindings", binding).sure()
    try:
        acting = replace(team.admin, headers={"Impersonate-User": name})
        eventually(lambda: acting.may("create", "accessrequests", group="jitaccess.dev"), "it may do what the operator may")
        [problem] = await problems(team, account)
        confined = "system:serviceaccount:jitaccess-system:jitaccess"
        assert problem.startswith(f"the operator runs as {name}, but the admission policies confine {confined}: ")
        assert await problems(team, account, unconfined=True) == ()
    finally:
        team.admin.delete("clusterrolebindings", team.namespace).sure()
