"""The check of the installation on a real API server, where others have rules of their own."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp

from conftest import Team, eventually
from jitaccess.kube.api import Cluster
from jitaccess.kube.credentials import connect
from jitaccess.kube.installation import Installation

POLICY = "ValidatingAdmissionPolicy"


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
    objects = (
        {"kind": POLICY, "spec": spec},
        {"kind": f"{POLICY}Binding", "spec": {"policyName": name, "validationActions": ["Deny"]}},
    )
    items = [{"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": name}} | each for each in objects]
    manifest = {"apiVersion": "v1", "kind": "List", "items": items}
    team.kubectl("create", "-f", "-", input=json.dumps(manifest))
    try:
        eventually(lambda: "nothing is made here" in attempt(team, namespace), "the namespace is closed")
        yield
    finally:
        team.kubectl("delete", "-f", "-", input=json.dumps(manifest))
        eventually(lambda: "nothing is made here" not in attempt(team, namespace), "the namespace is open again")
        eventually(lambda: team.system.health("/readyz")[0] == 200, "the operator of all tests may have met it, and is over it")


def attempt(team: Team, namespace: str) -> str:
    """What the API server says to a ConfigMap there."""
    words = ("-n", namespace, "create", "configmap", "x", "--dry-run=server")
    return team.plane.kubectl(*words, check=False).stderr


async def problems(team: Team, account: tuple[str, str] = ("jitaccess-system", "jitaccess"), **options: bool) -> tuple[str, ...]:
    """What an operator that runs as that account finds wrong."""
    connection = connect(team.plane.service_account_kubeconfig(*account))
    installation = Installation(**options)
    async with connection.session(aiohttp.ClientTimeout(total=30)) as session:
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
            team.kubectl("label", POLICY, "jitaccess-system-is-closed", f"attempt={attempt}", "--overwrite")
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
    team.kubectl("create", "serviceaccount", "jitaccess")
    team.kubectl("create", "clusterrolebinding", team.namespace, "--clusterrole=jitaccess-operator", f"--user={name}")
    try:
        can = ("auth", "can-i", "create", "accessrequests", "--as", name)
        eventually(lambda: team.kubectl(*can, check=False).strip() == "yes", "it may do what the operator may")
        [problem] = await problems(team, account)
        confined = "system:serviceaccount:jitaccess-system:jitaccess"
        assert problem.startswith(f"the operator runs as {name}, but the admission policies confine {confined}: ")
        assert await problems(team, account, unconfined=True) == ()
    finally:
        team.kubectl("delete", "clusterrolebinding", team.namespace)
