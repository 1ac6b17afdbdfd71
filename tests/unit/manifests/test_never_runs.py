"""The Job behind a grant never runs, but policy engines read it: what the usual ones ask for, rule by rule."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jitaccess.domain.model import Key, RoleRef
from jitaccess.domain.verdicts import Grant
from jitaccess.manifests.grant import job_manifest
from jitaccess.manifests.kinds import ACCESS_REQUEST

HOUR = timedelta(hours=1)
NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
UID = "1a2b3c4d-0000-4000-8000-000000000001"
GRANT = Grant(Key("team-a", "alice-7f3k"), UID, "alice", RoleRef("ClusterRole", "view"), NOON, NOON + HOUR)
LABEL_VALUE = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")


def pod_spec(job: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = job["spec"]["template"]["spec"]
    return found


def container(job: dict[str, Any]) -> dict[str, Any]:
    [only] = pod_spec(job)["containers"]
    found: dict[str, Any] = only
    return found


def labels(job: dict[str, Any]) -> list[dict[str, str]]:
    return [job["metadata"]["labels"], job["spec"]["template"]["metadata"]["labels"]]


# What the policy packs of Kyverno and Gatekeeper, and Pod Security's `restricted`, ask of a Job.
RULES: dict[str, Callable[[dict[str, Any]], bool]] = {
    "the image has a registry": lambda job: "." in container(job)["image"].partition("/")[0],
    "the image has a tag, which is not latest": lambda job: (
        re.search(r":(?!latest$)[\w.-]+$", container(job)["image"]) is not None
    ),
    "labels say what it is": lambda job: all(
        {"app.kubernetes.io/name", "app.kubernetes.io/component", "app.kubernetes.io/part-of", "app.kubernetes.io/managed-by"}
        <= set(each)
        for each in labels(job)
    ),
    "labels are valid": lambda job: all(
        LABEL_VALUE.fullmatch(value) and len(value) <= 63 for each in labels(job) for value in each.values()
    ),
    "requests and limits of CPU and memory": lambda job: all(
        set(container(job)["resources"][side]) >= {"cpu", "memory"} for side in ("requests", "limits")
    ),
    "no token": lambda job: pod_spec(job)["automountServiceAccountToken"] is False,
    "no restart": lambda job: pod_spec(job)["restartPolicy"] == "Never",
    "not root, said for the Pod": lambda job: pod_spec(job)["securityContext"]["runAsNonRoot"] is True,
    "not root, said for the container": lambda job: container(job)["securityContext"]["runAsNonRoot"] is True,
    "a user above 0": lambda job: container(job)["securityContext"]["runAsUser"] > 0,
    "a group above 0": lambda job: container(job)["securityContext"]["runAsGroup"] > 0,
    "a seccomp profile": lambda job: container(job)["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"},
    "no privileges": lambda job: container(job)["securityContext"]["privileged"] is False,
    "no escalation": lambda job: container(job)["securityContext"]["allowPrivilegeEscalation"] is False,
    "no capabilities": lambda job: container(job)["securityContext"]["capabilities"] == {"drop": ["ALL"]},
    "a file system that nobody writes": lambda job: container(job)["securityContext"]["readOnlyRootFilesystem"] is True,
    "nothing of the host": lambda job: {"hostNetwork", "hostPID", "hostIPC", "volumes"}.isdisjoint(pod_spec(job)),
    "no ports of the host": lambda job: "ports" not in container(job),
}


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_the_job_passes_the_usual_policy_packs(rule: Callable[[dict[str, Any]], bool]) -> None:
    job = job_manifest(ACCESS_REQUEST, GRANT, HOUR)
    assert rule(job), job


def test_the_job_names_the_image_that_it_is_told_to() -> None:
    assert (
        container(job_manifest(ACCESS_REQUEST, GRANT, HOUR, "registry.example/pause@sha256:1"))["image"]
        == "registry.example/pause@sha256:1"
    )


def test_the_labels_of_the_job_find_no_pod_of_the_operator() -> None:
    assert labels(job_manifest(ACCESS_REQUEST, GRANT, HOUR))[1]["app.kubernetes.io/name"] == "jitaccess-grant"
