"""The objects that the operator makes, and whether what is there is exactly one of them."""

import copy
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitaccess.domain.model import Key
from jitaccess.manifests.grant import (
    GRACE,
    binding_manifest,
    emptied,
    grant_end,
    grant_name,
    grant_start,
    is_managed,
    is_same,
    job_fault,
    job_manifest,
    kept_by,
)
from jitaccess.manifests.kinds import ACCESS_REQUEST
from unit.examples import ALICE, CAROL, HOUR, JOB_REF, MS, NAME, NAMESPACE, T0, UID, grant

Tamper = Callable[[dict[str, Any]], None]
DNS_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
LABEL_VALUE = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
LABEL = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True)
SUBDOMAINS = st.lists(LABEL, min_size=1, max_size=4).map(".".join).filter(lambda name: len(name) <= 253)


@given(SUBDOMAINS, st.uuids())
def test_names_are_valid_whatever_the_request_is_called(name: str, uid: object) -> None:
    made = grant_name(Key(NAMESPACE, name), str(uid))
    assert len(made) <= 63, f"{made} has {len(made)} characters"
    assert DNS_SUBDOMAIN.fullmatch(made), f"{made} is no DNS name"
    assert LABEL_VALUE.fullmatch(made), f"{made} is no label value, and Jobs copy their name into one"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("alice-7f3k", "jit-alice-7f3k-1a2b3c4d", id="plain"),
        pytest.param("a", "jit-a-1a2b3c4d", id="one-letter"),
        pytest.param("a.b", "jit-a.b-1a2b3c4d", id="a-dot"),
        pytest.param("x" * 50, f"jit-{'x' * 50}-1a2b3c4d", id="just-fits"),
        pytest.param("x" * 253, f"jit-{'x' * 50}-1a2b3c4d", id="cut"),
        pytest.param("x" * 49 + ".y", f"jit-{'x' * 49}-1a2b3c4d", id="cut-at-a-dot"),
        pytest.param("x" * 47 + "---y", f"jit-{'x' * 47}-1a2b3c4d", id="cut-in-dashes"),
    ],
)
def test_names_tell_which_request_they_are_of(name: str, expected: str) -> None:
    assert grant_name(Key(NAMESPACE, name), UID) == expected


def test_requests_of_one_name_made_one_after_the_other_have_different_objects() -> None:
    first, second = (grant_name(Key(NAMESPACE, NAME), uid) for uid in (UID, "9" + UID[1:]))
    assert first != second


@pytest.mark.parametrize(
    ("lasts", "later", "seconds"),
    [
        pytest.param(HOUR, 0 * MS, 3630, id="duration-and-grace"),
        pytest.param(HOUR, MS, 3630, id="rounded-up"),
        pytest.param(HOUR + MS, 0 * MS, 3631, id="rounded-up-and-never-down"),
        pytest.param(MS, 0 * MS, 31, id="short"),
        pytest.param(720 * HOUR, 0 * MS, 720 * 3600 + 30, id="the-longest"),
        pytest.param(HOUR, HOUR / 2, 1830, id="made-again-half-way"),
        pytest.param(HOUR, 2 * HOUR, 0, id="made-again-too-late"),
    ],
)
def test_the_job_ends_after_the_grant_and_the_grace(lasts: timedelta, later: timedelta, seconds: int) -> None:
    assert job_manifest(ACCESS_REQUEST, grant(lasts=lasts), lasts - later)["spec"]["ttlSecondsAfterFinished"] == seconds


@given(st.timedeltas(min_value=MS, max_value=720 * HOUR))
def test_the_job_never_ends_before_the_grant(lasts: timedelta) -> None:
    made = timedelta(seconds=job_manifest(ACCESS_REQUEST, grant(lasts=lasts), lasts)["spec"]["ttlSecondsAfterFinished"])
    assert lasts + GRACE <= made < lasts + GRACE + timedelta(seconds=1)


def test_the_job_runs_no_pod() -> None:
    spec = job_manifest(ACCESS_REQUEST, grant(), HOUR)["spec"]
    assert (spec["completions"], spec["parallelism"]) == (0, 0)
    assert spec["template"]["spec"]["automountServiceAccountToken"] is False


def test_the_binding_gives_the_role_to_the_requester_as_a_user() -> None:
    binding = binding_manifest(ACCESS_REQUEST, grant(), JOB_REF)
    assert (binding["apiVersion"], binding["kind"]) == ("rbac.authorization.k8s.io/v1", "RoleBinding")
    assert binding["roleRef"] == {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
    assert binding["subjects"] == [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": ALICE}]
    assert (grant_start(binding), grant_end(binding)) == (T0, T0 + HOUR)


@pytest.mark.parametrize(
    ("made", "owner"),
    [
        pytest.param(
            binding_manifest(ACCESS_REQUEST, grant(), JOB_REF),
            {"apiVersion": "batch/v1", "kind": "Job", "name": JOB_REF.name, "uid": "j-1"},
            id="the-binding-by-the-job",
        ),
        pytest.param(
            binding_manifest(ACCESS_REQUEST, grant(), None),
            {"apiVersion": "jitaccess.dev/v1alpha1", "kind": "AccessRequest", "name": NAME, "uid": UID},
            id="the-binding-by-the-request-where-there-is-no-job",
        ),
        pytest.param(
            job_manifest(ACCESS_REQUEST, grant(), HOUR),
            {"apiVersion": "jitaccess.dev/v1alpha1", "kind": "AccessRequest", "name": NAME, "uid": UID},
            id="the-job-by-the-request",
        ),
    ],
)
def test_ownership_takes_the_access_with_it_and_holds_up_nothing(made: dict[str, Any], owner: dict[str, str]) -> None:
    assert made["metadata"]["ownerReferences"] == [owner], "one owner, without blockOwnerDeletion"
    assert "finalizers" not in made["metadata"]


def served(manifest: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    """The manifest as the API server gives it back."""
    extra = {"uid": "u-1", "resourceVersion": "7", "creationTimestamp": "2026-07-01T02:10:00Z", "managedFields": [{}]}
    return copy.deepcopy({**manifest, "metadata": manifest["metadata"] | extra | metadata})


def put(*path: str | int, value: Any) -> Tamper:
    """Change one field, somewhere inside."""

    def tamper(manifest: dict[str, Any]) -> None:
        target: Any = manifest
        for step in path[:-1]:
            target = target[step]
        target[path[-1]] = value

    return tamper


OTHER_OWNER = {"apiVersion": "v1", "kind": "ConfigMap", "name": "mine", "uid": "x"}
METADATA_TAMPERING = [
    pytest.param(put("metadata", "labels", value=None), id="labels-gone"),
    pytest.param(put("metadata", "labels", "app.kubernetes.io/managed-by", value="helm"), id="label-managed-by"),
    pytest.param(put("metadata", "labels", "jitaccess.dev/component", value="policy"), id="label-component"),
    pytest.param(put("metadata", "labels", "jitaccess.dev/request-uid", value="another"), id="label-request-uid"),
    pytest.param(put("metadata", "annotations", value=None), id="annotations-gone"),
    pytest.param(put("metadata", "annotations", "jitaccess.dev/request", value="another"), id="annotation-request"),
    pytest.param(
        put("metadata", "annotations", "jitaccess.dev/granted-at", value="2026-01-01T00:00:00Z"), id="annotation-granted-at"
    ),
    pytest.param(
        put("metadata", "annotations", "jitaccess.dev/expires-at", value="2099-01-01T00:00:00Z"), id="annotation-expires-at"
    ),
    pytest.param(put("metadata", "ownerReferences", value=None), id="owner-gone"),
    pytest.param(put("metadata", "ownerReferences", value=[]), id="owners-empty"),
    pytest.param(put("metadata", "ownerReferences", 0, "uid", value="another"), id="owner-uid"),
    pytest.param(put("metadata", "ownerReferences", 0, "name", value="another"), id="owner-name"),
    pytest.param(put("metadata", "ownerReferences", 0, "kind", value="ConfigMap"), id="owner-kind"),
    pytest.param(
        lambda found: found["metadata"]["ownerReferences"].append(OTHER_OWNER), id="a-second-owner-keeps-it-from-being-collected"
    ),
    pytest.param(
        put("metadata", "ownerReferences", 0, "apiVersion", value="example.com/v1"),
        id="owner-api-version",
    ),
    pytest.param(
        put("metadata", "ownerReferences", 0, "blockOwnerDeletion", value=True),
        id="owner-that-it-holds-up",
    ),
]
BINDING_TAMPERING = [
    pytest.param(put("roleRef", "name", value="cluster-admin"), id="role-name"),
    pytest.param(put("roleRef", "kind", value="Role"), id="role-kind"),
    pytest.param(put("roleRef", "apiGroup", value=""), id="role-group"),
    pytest.param(put("subjects", value=None), id="subjects-gone"),
    pytest.param(put("subjects", 0, "name", value=CAROL), id="subject-name"),
    pytest.param(put("subjects", 0, "kind", value="Group"), id="subject-kind"),
    pytest.param(lambda found: found["subjects"].append({"kind": "User", "name": CAROL}), id="a-second-subject"),
]


@pytest.mark.parametrize("tamper", [*METADATA_TAMPERING, *BINDING_TAMPERING])
def test_a_binding_that_was_changed_is_not_ours_any_more(tamper: Tamper) -> None:
    wanted = binding_manifest(ACCESS_REQUEST, grant(), JOB_REF)
    found = served(wanted)
    assert is_same(found, wanted), "what the API server gives back untouched is expected to be the same"
    tamper(found)
    assert not is_same(found, wanted), f"the change was not noticed: {found}"


def test_what_others_may_add_does_not_make_it_another() -> None:
    wanted = binding_manifest(ACCESS_REQUEST, grant(), JOB_REF)
    found = served(wanted)
    found["metadata"]["labels"]["argocd.argoproj.io/instance"] = "team-a"
    found["metadata"]["annotations"]["example.com/seen"] = "yes"
    assert is_same(found, wanted)


def running_job(**metadata: Any) -> dict[str, Any]:
    return served(job_manifest(ACCESS_REQUEST, grant(), HOUR), **metadata)


def fault_of(job: dict[str, Any]) -> str:
    """Why a Job that was made earlier does not guard Alice's hour."""
    return job_fault(job, job_manifest(ACCESS_REQUEST, grant(), HOUR), T0 + HOUR)


JOB_TAMPERING = [
    pytest.param(put("metadata", "labels", value=None), id="labels-gone"),
    pytest.param(put("metadata", "labels", "app.kubernetes.io/managed-by", value="helm"), id="label-managed-by"),
    pytest.param(put("metadata", "labels", "jitaccess.dev/request-uid", value="another"), id="label-request-uid"),
    pytest.param(put("metadata", "ownerReferences", value=None), id="owner-gone"),
    pytest.param(put("metadata", "ownerReferences", 0, "uid", value="another"), id="owner-uid"),
    pytest.param(lambda found: found["metadata"]["ownerReferences"].append(OTHER_OWNER), id="a-second-owner"),
    pytest.param(put("spec", value=None), id="spec-gone"),
    pytest.param(put("spec", "completions", value=1), id="it-would-run-a-pod"),
    pytest.param(put("spec", "completions", value=None), id="no-completions"),
    pytest.param(put("spec", "ttlSecondsAfterFinished", value=None), id="it-never-goes"),
    pytest.param(put("spec", "ttlSecondsAfterFinished", value=3599), id="it-goes-a-second-too-early"),
    pytest.param(put("spec", "ttlSecondsAfterFinished", value=3661), id="it-goes-too-late"),
    pytest.param(put("spec", "ttlSecondsAfterFinished", value=2**31 - 1), id="it-goes-in-68-years"),
    pytest.param(put("metadata", "creationTimestamp", value="2026-07-01T01:10:00Z"), id="made-an-hour-before-the-grant"),
    *(
        pytest.param(
            tamper,
            id=name,
        )
        for tamper, name, why in (
            (
                put("spec", "suspend", value=True),
                "suspended",
                "a suspended Job never completes, so its time to live never starts",
            ),
            (put("spec", "managedBy", value="example.com/x"), "managed-by-another-controller", "nobody completes it"),
            (
                put("metadata", "finalizers", value=["example.com/keep"]),
                "a-finalizer",
                "it never goes, and so neither the binding",
            ),
            (put("metadata", "deletionTimestamp", value="2026-07-01T02:10:00Z"), "being-deleted", "it is as good as gone"),
        )
    ),
]


@pytest.mark.parametrize("tamper", JOB_TAMPERING)
def test_a_job_that_would_not_end_the_grant_in_time_does_not_guard_it(tamper: Tamper) -> None:
    job = running_job()
    assert not fault_of(job), "the Job as we make it is expected to guard the grant"
    tamper(job)
    assert fault_of(job), f"the change was not noticed: {job}"


@pytest.mark.parametrize(
    ("tamper", "fault"),
    [
        pytest.param(lambda job: None, "", id="exactly-as-asked"),
        pytest.param(
            put("spec", "ttlSecondsAfterFinished", value=86400),
            "its time to live is 86400 s instead of 3630 s",
            id="a-day-for-every-job",
        ),
        pytest.param(
            put("spec", "ttlSecondsAfterFinished", value=10),
            "its time to live is 10 s instead of 3630 s",
            id="ten-seconds-for-every-job",
        ),
        pytest.param(
            put("metadata", "finalizers", value=["x.dev/keep"]),
            "it is kept, or going already (finalizers: x.dev/keep)",
            id="a-finalizer",
        ),
        pytest.param(put("spec", "suspend", value=True), "it does not complete at once and go by itself", id="suspended"),
        pytest.param(
            lambda job: job["metadata"]["ownerReferences"].append(OTHER_OWNER),
            "it has other owners or labels than it was made with",
            id="another-owner",
        ),
    ],
)
def test_a_job_that_came_out_different_says_how(tamper: Tamper, fault: str) -> None:
    made = running_job()
    tamper(made)
    assert job_fault(made, job_manifest(ACCESS_REQUEST, grant(), HOUR)) == fault


def test_a_binding_that_would_stay_names_what_keeps_it() -> None:
    found = served(binding_manifest(ACCESS_REQUEST, grant(), JOB_REF), finalizers=["x.dev/a", "x.dev/b"])
    assert kept_by(found) == "x.dev/a, x.dev/b"
    assert kept_by(served(binding_manifest(ACCESS_REQUEST, grant(), JOB_REF))) == ""


def test_a_binding_is_emptied_whatever_its_version_but_only_if_it_is_the_same_object() -> None:
    found = served(binding_manifest(ACCESS_REQUEST, grant(), JOB_REF))
    left = emptied(found)
    assert (left["subjects"], left["roleRef"]) == ([], found["roleRef"])
    assert (left["metadata"]["uid"], left["metadata"].get("resourceVersion")) == ("u-1", None)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        pytest.param(3600, True, id="at-the-very-end-of-the-grant"),
        pytest.param(3660, True, id="twice-the-grace-later"),
    ],
)
def test_a_job_guards_within_the_grace(seconds: int, expected: bool) -> None:
    job = running_job()
    job["spec"]["ttlSecondsAfterFinished"] = seconds
    assert (not fault_of(job)) is expected


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        pytest.param({"app.kubernetes.io/managed-by": "jitaccess", "jitaccess.dev/request-uid": UID}, True, id="ours"),
        pytest.param(
            {"app.kubernetes.io/managed-by": "jitaccess", "jitaccess.dev/request-uid": "x"}, False, id="anothers-request"
        ),
        pytest.param({"app.kubernetes.io/managed-by": "helm", "jitaccess.dev/request-uid": UID}, False, id="another-manager"),
        pytest.param({"jitaccess.dev/request-uid": UID}, False, id="no-manager"),
        pytest.param({"app.kubernetes.io/managed-by": "jitaccess"}, False, id="no-request"),
        pytest.param(None, False, id="no-labels"),
    ],
)
def test_managed_is_what_carries_our_label_for_this_request(labels: dict[str, str] | None, expected: bool) -> None:
    assert is_managed({"metadata": {"labels": labels}}, UID) is expected


@pytest.mark.parametrize(
    "annotations",
    [pytest.param(None, id="none"), pytest.param({}, id="empty"), pytest.param({"jitaccess.dev/granted-at": ""}, id="blank")],
)
def test_a_binding_that_does_not_say_when_has_no_times(annotations: dict[str, str] | None) -> None:
    found = {"metadata": {"annotations": annotations}}
    assert (grant_start(found), grant_end(found)) == (None, None)
