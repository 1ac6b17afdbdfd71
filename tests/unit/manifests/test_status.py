"""The status: what was decided, when, by whom; written together with the transition, and only when something is new."""

import json
from dataclasses import replace
from datetime import datetime
from itertools import product
from typing import Any

import pytest

from jitaccess.domain.circumstances import Circumstances
from jitaccess.domain.lifecycle import decide
from jitaccess.domain.model import AccessPolicy, AccessRequest, OfferedRole, PolicyRecorded
from jitaccess.domain.obstacles import OBSTACLES
from jitaccess.domain.recorded import Condition, State
from jitaccess.domain.recording import LONGEST_MESSAGE, MOST_INCIDENTS, Delivery, Incident, Outcome, merged_conditions, next_step
from jitaccess.domain.roles import Rule, ShownRole
from jitaccess.domain.rules import Objection
from jitaccess.domain.verdicts import END_REFUSED, Verdict, blocked
from jitaccess.manifests.parse import parse_policy, parse_request
from jitaccess.manifests.status import policy_status, request_status
from unit.examples import (
    ALICE,
    BINDING_REF,
    BOB,
    CAROL,
    DELIVERY,
    EDIT,
    HOUR,
    T0,
    VIEW,
    approved_by,
    lines,
    policy,
    policy_manifest,
    request,
    request_manifest,
)
from unit.manifest_files import crd_schema, schema_faults

STATUS_SCHEMA = crd_schema("accessrequests")["properties"]["status"]
POLICY_STATUS_SCHEMA = crd_schema("accesspolicies")["properties"]["status"]
LATER = T0 + HOUR / 2
RESTORED = Incident("BindingRestored", "the RoleBinding x was deleted by hand and is put back")


def status_of(asked: AccessRequest, outcome: Outcome, now: datetime) -> dict[str, Any]:
    """The status that records the outcome of a look, as the API server gives it back."""
    status: dict[str, Any] = json.loads(json.dumps(request_status(next_step(asked, outcome, now).recorded)))
    return status


def recorded(asked: AccessRequest, now: datetime, under: AccessPolicy | None, delivery: Delivery | None = None) -> dict[str, Any]:
    """The status after one look."""
    return status_of(asked, Outcome(decide(asked, under, now), under, None, delivery), now)


def after(status: dict[str, Any], **fields: Any) -> AccessRequest:
    """The request with that status recorded."""
    return parse_request(request_manifest(status=status, **fields))


PENDING = recorded(request(), T0, policy())
ACTIVE = recorded(after(PENDING, approvals=approved_by(BOB)), LATER, policy(), DELIVERY)


def condition(status: dict[str, Any], kind: str) -> dict[str, Any]:
    found: dict[str, Any] = next((c for c in status["conditions"] if c["type"] == kind), {})
    return found


def test_a_fresh_request_is_recorded_as_asked() -> None:
    status = recorded(request(), T0, policy())
    assert status == {
        "revision": 1,
        "policy": {"uid": "p-prod-debug", "generation": 3},
        "observedGeneration": 1,
        "state": "Pending",
        "settled": False,
        "summary": {"approvals": "0/1"},
        "requiredApprovals": 1,
        "pendingUntil": "2026-07-02T02:10:00.000Z",
        "conditions": [
            {
                "type": kind,
                "status": status,
                "observedGeneration": 1,
                "lastTransitionTime": "2026-07-01T02:10:00.000Z",
                "reason": "WaitingForApproval",
                "message": "needs 1 approval from Group leads",
            }
            for kind, status in (("Approved", "False"), ("Granted", "False"), ("Reconciling", "True"))
        ],
        "history": [
            {
                "at": "2026-07-01T02:10:00.000Z",
                "state": "Pending",
                "reason": "Requested",
                "message": "INC-42 pods crash looping",
                "by": ALICE,
                "policy": {"uid": "p-prod-debug", "generation": 3},
            }
        ],
    }


def test_a_grant_is_recorded_with_all_that_it_rests_on() -> None:
    assert {
        field: ACTIVE[field] for field in ("state", "settled", "grantedAt", "expiresAt", "bindingRef", "jobRef", "policy")
    } == {
        "state": "Active",
        "settled": False,
        "grantedAt": "2026-07-01T02:40:00.000Z",
        "expiresAt": "2026-07-01T03:40:00.000Z",
        "bindingRef": {"name": "jit-alice-7f3k-1a2b3c4d"},
        "jobRef": {"name": "jit-alice-7f3k-1a2b3c4d", "uid": "j-1"},
        "policy": {"uid": "p-prod-debug", "generation": 3},
    }
    assert ACTIVE["approvals"] == [{"by": BOB, "note": "ok", "at": "2026-07-01T02:40:00.000Z"}]
    assert [(c["type"], c["status"], c["reason"]) for c in ACTIVE["conditions"]] == [
        ("Approved", "True", "Approved"),
        ("Granted", "True", "Granted"),
        ("Reconciling", "False", "Granted"),
        ("ExpiryGuarded", "True", "JobCreated"),
    ]
    assert [(entry["state"], entry["reason"], entry.get("by")) for entry in ACTIVE["history"]] == [
        ("Pending", "Requested", ALICE),
        ("Pending", "Approved", BOB),
        ("Active", "Granted", None),
    ]


def test_a_policy_that_needs_nobody_approves_by_itself() -> None:
    status = recorded(request(), T0, policy(requiredApprovals=0, approvers=None), DELIVERY)
    assert condition(status, "Approved")["reason"] == "ApprovedByPolicy"
    assert "approvals" not in status


@pytest.mark.parametrize(
    ("status", "ledgers", "now"),
    [
        pytest.param(PENDING, {}, LATER, id="pending"),
        pytest.param(
            recorded(after(PENDING, approvals=approved_by(BOB)), T0, policy(requiredApprovals=2)),
            {"approvals": approved_by(BOB)},
            LATER,
            id="pending-with-one-approval",
        ),
        pytest.param(ACTIVE, {"approvals": approved_by(BOB)}, LATER + HOUR / 2, id="active"),
    ],
)
def test_when_nothing_is_new_nothing_is_written(status: dict[str, Any], ledgers: dict[str, str], now: datetime) -> None:
    needed = status["requiredApprovals"]
    assert recorded(after(status, **ledgers), now, policy(requiredApprovals=needed)) == status


def test_a_blocked_request_is_written_once_and_not_at_every_try() -> None:
    asked = after(PENDING, approvals=approved_by(BOB))
    obstacle = Objection("BindForbidden", "the operator may not bind ClusterRole view")
    verdict = blocked(decide(asked, policy(), T0), obstacle, State.PENDING)
    first = status_of(asked, Outcome(verdict, policy()), T0)
    again = blocked(decide(after(first, approvals=approved_by(BOB)), policy(), LATER), obstacle, State.PENDING)
    assert status_of(after(first, approvals=approved_by(BOB)), Outcome(again, policy()), LATER) == first
    granted = condition(first, "Granted")
    assert (granted["status"], granted["reason"]) == ("False", "BindForbidden")
    assert condition(first, "Approved")["status"] == "True", "the approvals suffice, whatever stands in the way"


def test_a_condition_keeps_its_time_until_its_status_changes() -> None:
    half = recorded(after(PENDING, approvals=approved_by(BOB)), LATER, policy(requiredApprovals=2))
    granted = condition(half, "Granted")
    assert granted["message"] == "needs 1 more approval from Group leads", "the message is new"
    assert granted["lastTransitionTime"] == "2026-07-01T02:10:00.000Z", "but the status is not, and so neither is the time"
    assert condition(ACTIVE, "Granted")["lastTransitionTime"] == "2026-07-01T02:40:00.000Z"


def test_conditions_of_others_are_left_alone() -> None:
    theirs = {
        "type": "Audited",
        "status": "True",
        "observedGeneration": 1,
        "lastTransitionTime": "2026-01-01T00:00:00.000Z",
        "reason": "X",
        "message": "",
    }
    status = recorded(after(PENDING | {"conditions": [theirs, *PENDING["conditions"]]}), LATER, policy())
    assert theirs in status["conditions"]


HEALTH = [
    # what was recorded, the verdict on it, and whether something is awaited, and whether it came to nothing
    pytest.param({}, State.PENDING, "WaitingForApproval", "True", "", id="waiting-for-people"),
    pytest.param({}, State.PENDING, "RoleNotFound", "True", "", id="approved-with-something-in-the-way"),
    pytest.param({}, State.PENDING, "OutsideWindow", "True", "", id="approved-outside-a-window"),
    pytest.param({}, State.SCHEDULED, "Scheduled", "True", "", id="approved-for-later"),
    pytest.param({}, State.ACTIVE, "Granted", "False", "", id="granted"),
    pytest.param(ACTIVE, State.ACTIVE, "BindingRefused", "True", "", id="granted-and-the-binding-refused"),
    pytest.param(ACTIVE, State.ACTIVE, END_REFUSED, "True", "", id="granted-and-not-to-be-ended"),
    pytest.param(ACTIVE, State.EXPIRED, "DurationElapsed", "False", "", id="over-in-time"),
    pytest.param(ACTIVE, State.REVOKED, "RevokedByApprover", "False", "", id="revoked"),
    pytest.param(PENDING, State.WITHDRAWN, "WithdrawnByRequester", "False", "", id="taken-back"),
    pytest.param(PENDING, State.DENIED, "DeniedByApprover", "False", "True", id="denied"),
    pytest.param({}, State.DENIED, "DurationTooLong", "False", "True", id="never-allowed"),
    pytest.param(PENDING, State.TIMED_OUT, "PendingTimeout", "False", "True", id="nobody-decided"),
    pytest.param(PENDING, State.FAILED, "RoleNotFound", "False", "True", id="never-granted-for-an-obstacle"),
]


@pytest.mark.parametrize(("before", "state", "reason", "reconciling", "stalled"), HEALTH)
def test_every_end_and_every_wait_shows_in_the_conditions(
    before: dict[str, Any], state: State, reason: str, reconciling: str, stalled: str
) -> None:
    asked = after(before) if before else request()
    status = status_of(asked, Outcome(Verdict(state, reason, "why"), policy()), LATER)
    told = {kind: condition(status, kind).get("status", "") for kind in ("Reconciling", "Stalled")}
    assert told == {"Reconciling": reconciling, "Stalled": stalled}
    assert {condition(status, kind)["reason"] for kind in told if told[kind]} == {reason}
    assert not list(schema_faults(status, STATUS_SCHEMA, "status"))


def test_every_state_has_a_row_of_its_health() -> None:
    assert {row.values[1] for row in HEALTH} == set(State)


def test_the_columns_show_how_many_have_approved_and_the_end_only_while_it_is_to_come() -> None:
    half = recorded(after(PENDING, approvals=approved_by(BOB)), LATER, policy(requiredApprovals=2))
    assert half["summary"] == {"approvals": "1/2"}
    assert ACTIVE["summary"] == {"approvals": "1/1", "expires": "2026-07-01T03:40:00.000Z"}
    expired = recorded(after(ACTIVE, approvals=approved_by(BOB)), LATER + 2 * HOUR, policy())
    assert (expired["summary"], expired["expiresAt"]) == ({"approvals": "1/1"}, "2026-07-01T03:40:00.000Z")
    assert "summary" not in recorded(request(), T0, None), "how many must approve was never known"


def test_that_notes_are_required_is_on_record_until_the_grant_and_then_stays() -> None:
    strict = policy(noteRequired=True)
    pending = recorded(request(), T0, strict)
    assert pending["noteRequired"] is True
    assert "noteRequired" not in recorded(after(pending), LATER, policy()), "the policy no longer asks for notes"
    active = recorded(after(pending, approvals=approved_by(BOB)), LATER, strict, DELIVERY)
    assert recorded(after(active, approvals=approved_by(BOB)), LATER, policy())["noteRequired"] is True
    assert not list(schema_faults(active, STATUS_SCHEMA, "status"))


def test_an_approval_is_told_once_however_often_the_policy_changes_its_mind_about_notes() -> None:
    blank = lines((BOB, ""))
    status = PENDING
    for required in (False, True, False, True, False):
        status = recorded(after(status, approvals=blank), LATER, policy(noteRequired=required, requiredApprovals=2))
        assert [each["by"] for each in status.get("approvals", [])] == ([] if required else [BOB])
    assert [entry["by"] for entry in status["history"] if entry["reason"] == "Approved"] == [BOB]


def test_a_role_that_changes_after_an_approval_without_its_note_is_not_shown_anew() -> None:
    shown = ShownRole("u-view", "0123456789abcdef", (Rule(("get",), ("",), ("pods",)),))
    other = replace(shown, digest="fedcba9876543210")
    strict = policy(noteRequired=True, requiredApprovals=2)
    first = status_of(request(), Outcome(decide(request(), strict, T0, Circumstances(shown)), strict, shown), T0)
    asked = after(first, approvals=lines((BOB, "")))
    verdict = decide(asked, strict, LATER, Circumstances(other))
    assert verdict.reason == "RoleChanged", "the line may count yet, for what it was written under"


def test_approvals_keep_the_time_of_their_first_record() -> None:
    one = recorded(after(PENDING, approvals=approved_by(BOB)), T0, policy(requiredApprovals=2))
    two = recorded(after(one, approvals=approved_by(BOB, CAROL)), LATER, policy(requiredApprovals=2), DELIVERY)
    assert [(a["by"], a["at"]) for a in two["approvals"]] == [
        (BOB, "2026-07-01T02:10:00.000Z"),
        (CAROL, "2026-07-01T02:40:00.000Z"),
    ]


@pytest.mark.parametrize(
    ("ledgers", "field", "expected"),
    [
        pytest.param({"denials": lines((BOB, "no"))}, "denial", (BOB, "no"), id="a-denial"),
        pytest.param({"revocations": lines((ALICE, "done"))}, "revocation", (ALICE, "done"), id="a-withdrawal"),
        pytest.param({"denials": "garbage"}, "denial", ("", "garbage"), id="a-denial-that-cannot-be-read"),
    ],
)
def test_who_ended_a_pending_request_is_recorded(ledgers: dict[str, str], field: str, expected: tuple[str, str]) -> None:
    status = recorded(after(PENDING, **ledgers), LATER, policy())
    assert (status[field]["by"], status[field]["note"]) == expected
    assert (status["settled"], status["settledAt"]) == (True, "2026-07-01T02:40:00.000Z")


@pytest.mark.parametrize(
    ("ledgers", "field"),
    [
        pytest.param({"revocations": lines((BOB, "stop"))}, "revocation", id="a-revocation"),
        pytest.param({"denials": lines((BOB, "stop"))}, "denial", id="a-denial"),
    ],
)
def test_who_ended_an_active_grant_is_recorded(ledgers: dict[str, str], field: str) -> None:
    status = recorded(after(ACTIVE, approvals=approved_by(BOB), **ledgers), LATER, policy())
    assert status["state"] == "Revoked"
    assert status.get(field, {}).get("by") == BOB, f"status.{field} is expected to name bob: {sorted(status)}"


def test_an_approval_before_the_denial_is_part_of_the_history() -> None:
    status = recorded(after(PENDING, approvals=approved_by(CAROL), denials=approved_by(BOB)), LATER, policy(requiredApprovals=2))
    assert [approval["by"] for approval in status["approvals"]] == [CAROL]
    assert (CAROL, "Approved") in [(entry.get("by"), entry["reason"]) for entry in status["history"]]


def test_a_request_that_needs_more_approvals_again_is_not_approved() -> None:
    asked = after(PENDING, approvals=approved_by(BOB))
    verdict = blocked(decide(asked, policy(), T0), Objection("RoleNotFound", "there is no ClusterRole view"), State.PENDING)
    stuck = status_of(asked, Outcome(verdict, policy()), T0)
    status = recorded(after(stuck, approvals=approved_by(BOB)), LATER, policy(requiredApprovals=2))
    assert condition(status, "Granted")["reason"] == "WaitingForApproval"
    assert condition(status, "Approved")["status"] == "False", "kubectl wait --for=condition=Approved would be told a lie"


def test_a_denied_request_says_so_in_a_condition_of_its_own() -> None:
    status = recorded(after(PENDING, denials=lines((BOB, "not now"))), LATER, policy())
    denied = condition(status, "Denied")
    assert (denied["status"], denied["reason"], denied["message"]) == ("True", "DeniedByApprover", f"{BOB}: not now")
    assert (condition(status, "Approved")["status"], condition(status, "Granted")["status"]) == ("False", "False")


def test_an_expired_grant_stays_the_record_of_itself() -> None:
    status = recorded(after(ACTIVE, approvals=approved_by(BOB)), LATER + HOUR, policy())
    kept = ("grantedAt", "expiresAt", "bindingRef", "jobRef", "approvals", "policy")
    assert {field: status[field] for field in kept} == {field: ACTIVE[field] for field in kept}
    assert (status["state"], condition(status, "Granted")["status"]) == ("Expired", "False")
    assert status["history"] == [
        *ACTIVE["history"],
        {"at": "2026-07-01T03:40:00.000Z", "state": "Expired", "reason": "DurationElapsed", "message": "the time is up"},
    ]


def test_the_time_of_settling_is_written_once() -> None:
    denied = recorded(after(PENDING, denials=approved_by(BOB)), T0, policy())
    verdict = Verdict(State.DENIED, "DeniedByApprover", "")
    assert status_of(after(denied), Outcome(verdict), LATER)["settledAt"] == "2026-07-01T02:10:00.000Z"


def restored(times: int) -> dict[str, Any]:
    """What is recorded after somebody deleted the binding that often."""
    status = ACTIVE
    for _ in range(times):
        asked = after(status, approvals=approved_by(BOB))
        status = status_of(asked, Outcome(decide(asked, policy(), LATER), policy(), None, DELIVERY, (RESTORED,)), LATER)
    return status


def test_an_incident_is_part_of_the_history_and_changes_no_state() -> None:
    status = restored(1)
    assert status["history"][-1] == {
        "at": "2026-07-01T02:40:00.000Z",
        "state": "Active",
        "reason": "BindingRestored",
        "message": RESTORED.message,
    }
    assert condition(status, "Granted") == condition(ACTIVE, "Granted")


def test_incidents_never_fill_the_history_so_that_the_end_can_be_recorded() -> None:
    status = restored(200)
    assert len(status["history"]) == MOST_INCIDENTS
    ended = recorded(after(status, approvals=approved_by(BOB)), LATER + HOUR, policy())
    assert ended["history"][-1]["state"] == "Expired"
    assert not list(schema_faults(ended, STATUS_SCHEMA, "status"))


def test_as_many_approvals_as_a_policy_may_ask_for_fit_into_the_history() -> None:
    crowd = approved_by(*(f"user-{number}" for number in range(40)))
    status = recorded(after(PENDING, approvals=crowd), LATER, policy(requiredApprovals=16), DELIVERY)
    assert len(status["approvals"]) == 16
    assert not list(schema_faults(status, STATUS_SCHEMA, "status"))


def test_a_grant_without_a_job_names_none_and_says_why() -> None:
    bare = Delivery(BINDING_REF, None, Objection("JobRefused", "the Job was refused: quota"))
    status = recorded(after(PENDING, approvals=approved_by(BOB)), LATER, policy(), bare)
    guarded = condition(status, "ExpiryGuarded")
    assert (guarded["status"], guarded["reason"]) == ("False", "JobRefused")
    assert "quota" in guarded["message"]
    assert "jobRef" not in status
    assert [entry["reason"] for entry in status["history"]] == ["Requested", "Approved", "Granted", "ExpiryUnguarded"]


def test_a_grant_put_back_still_names_the_policy_that_it_was_granted_under() -> None:
    asked, newer = after(ACTIVE, approvals=approved_by(BOB)), policy(metadata={"generation": 9})
    status = status_of(asked, Outcome(decide(asked, newer, LATER), newer, None, DELIVERY, (RESTORED,)), LATER)
    assert status["policy"] == ACTIVE["policy"]


WAYS: dict[str, tuple[dict[str, Any], AccessPolicy | None]] = {
    "waiting": ({}, policy()),
    "approved": ({"approvals": approved_by(BOB)}, policy()),
    "approved-by-nobody": ({"approvals": "garbage"}, policy()),
    "half-approved": ({"approvals": approved_by(BOB)}, policy(requiredApprovals=2)),
    "denied": ({"approvals": approved_by(BOB), "denials": lines((CAROL, ""))}, policy()),
    "denied-by-nobody": ({"denials": "x"}, policy()),
    "withdrawn": ({"revocations": lines((ALICE, "done"))}, policy()),
    "revoked": ({"approvals": approved_by(BOB), "revocations": lines((BOB, "stop"))}, policy()),
    "policy-gone": ({}, None),
    "policy-narrowed": ({"approvals": approved_by(BOB)}, policy(roles=[{"kind": "Role", "name": "x"}])),
    "unreadable": ({"duration": "2 days"}, policy()),
    "nobody-asked": ({"requester": None, "reason": None}, policy()),
    "being-deleted": ({"metadata": {"deletionTimestamp": "2026-07-01T02:10:00Z"}}, policy()),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("before", "made"),
    [
        pytest.param(None, DELIVERY, id="fresh"),
        pytest.param(PENDING, DELIVERY, id="pending"),
        pytest.param(PENDING, Delivery(BINDING_REF, None, Objection("JobRefused", "refused")), id="pending-without-a-job"),
        pytest.param(ACTIVE, None, id="active"),
    ],
)
def test_whatever_is_recorded_fits_the_crd(before: dict[str, Any] | None, made: Delivery | None, way: str) -> None:
    fields, under = WAYS[way]
    asked = after(before, **fields) if before else request(**fields)
    for now in (T0, LATER, LATER + HOUR, T0 + 24 * HOUR):
        status = recorded(asked, now, under, made)
        faults = list(schema_faults(status, STATUS_SCHEMA, "status"))
        assert not faults, f"the API server would refuse or cut: {faults}"
        assert status["history"][-1]["state"] == status["state"], "the history ends with the state"


@pytest.mark.parametrize(("obstacle", "state"), [*product(sorted(OBSTACLES), (State.PENDING, State.ACTIVE))])
def test_every_obstacle_fits_the_crd(obstacle: str, state: State) -> None:
    asked = after(PENDING if state is State.PENDING else ACTIVE, approvals=approved_by(BOB))
    verdict = blocked(decide(asked, policy(), LATER), Objection(obstacle, "why"), state)
    status = status_of(asked, Outcome(verdict, policy()), LATER)
    assert not list(schema_faults(status, STATUS_SCHEMA, "status"))
    assert status["state"] == state.value
    assert (condition(status, "Granted")["status"], condition(status, "Granted")["reason"]) == ("False", obstacle)


def test_a_refusal_of_any_length_can_be_recorded() -> None:
    asked = after(PENDING, approvals=approved_by(BOB))
    verdict = blocked(decide(asked, policy(), LATER), Objection("BindingRefused", "no " * 20000), State.PENDING)
    status = status_of(asked, Outcome(verdict, policy()), LATER)
    assert not list(schema_faults(status, STATUS_SCHEMA, "status"))
    assert condition(status, "Granted")["message"] == ("no " * 20000)[:LONGEST_MESSAGE]
    assert status_of(after(status, approvals=approved_by(BOB)), Outcome(verdict, policy()), LATER + HOUR) == status, (
        "written once"
    )


def test_an_incident_of_any_length_can_be_recorded() -> None:
    asked, told = after(ACTIVE, approvals=approved_by(BOB)), Incident("BindingRestored", "x" * 40000)
    status = status_of(asked, Outcome(decide(asked, policy(), LATER), policy(), None, DELIVERY, (told,)), LATER)
    assert status["history"][-1]["message"] == "x" * LONGEST_MESSAGE


def test_a_policy_refused_at_any_length_can_be_recorded() -> None:
    status = ready(in_force=False, reason="Refused", message="no " * 20000)
    assert len(condition(status, "Ready")["message"]) == LONGEST_MESSAGE
    assert not list(schema_faults(status, POLICY_STATUS_SCHEMA, "status"))


VIEW_SHOWN = OfferedRole(VIEW, ShownRole("u-view", "0123456789abcdef", (Rule(("get",), ("",), ("pods",)),)))


def record_of(
    under: AccessPolicy, in_force: bool = True, reason: str = "InForce", message: str = "requests are accepted"
) -> PolicyRecorded:
    """What is recorded of a policy after one look at T0."""
    wanted = {"Ready": ("True" if in_force else "False", reason, message)}
    conditions = merged_conditions(under.recorded.conditions, wanted, under.generation, T0)
    return PolicyRecorded(under.generation, (VIEW_SHOWN, OfferedRole(EDIT, None)), conditions)


def ready(
    in_force: bool = True, reason: str = "InForce", message: str = "requests are accepted", **fields: Any
) -> dict[str, Any]:
    """The status of a policy after one look."""
    under = policy(**fields)
    return policy_status(under, record_of(under, in_force, reason, message))


def test_a_policy_is_read_back_as_it_was_recorded() -> None:
    recorded = record_of(policy())
    status = json.loads(json.dumps(policy_status(policy(), recorded)))
    assert parse_policy(policy_manifest(status=status)).recorded == recorded
    assert [(role["name"], role["found"]) for role in status["roles"]] == [("view", True), ("edit", False)]


def test_a_policy_in_force_is_summed_up() -> None:
    status = ready(approvers=[{"kind": "Group", "name": "leads"}, {"kind": "User", "name": CAROL}])
    assert status["summary"] == {
        "reach": "its own namespace",
        "roles": "view",
        "requesters": "Group developers",
        "approvals": "1",
        "approvers": f"Group leads or User {CAROL}",
    }
    assert (condition(status, "Ready")["status"], status["observedGeneration"]) == ("True", 3)
    assert not list(schema_faults(status, POLICY_STATUS_SCHEMA, "status"))


def test_a_policy_without_approvers_says_that_nobody_is_needed() -> None:
    assert ready(approvers=None, requiredApprovals=0)["summary"]["approvers"] == "nobody needed"


def test_a_policy_that_is_not_in_force_says_why() -> None:
    status = ready(in_force=False, reason="PersistentRisk", message="ClusterRole edit (read Secrets)")
    assert (condition(status, "Ready")["status"], condition(status, "Ready")["reason"]) == ("False", "PersistentRisk")
    assert not list(schema_faults(status, POLICY_STATUS_SCHEMA, "status"))


def test_conditions_are_found_by_their_type() -> None:
    granted = after(ACTIVE).recorded.condition("Granted")
    assert granted == Condition("Granted", "True", "Granted", "ClusterRole view until 2026-07-01T03:40:00.000Z", LATER, 1)
    assert after(ACTIVE).recorded.condition("Nonsense") is None


@pytest.mark.parametrize(
    ("status", "unseen"),
    [
        pytest.param(None, True, id="no-status"),
        pytest.param({"observedGeneration": -1}, True, id="the-default-of-the-crd"),
        pytest.param({"observedGeneration": 1, "state": "Pending", "settled": False}, False, id="a-status-of-version-0.1.0"),
        pytest.param(PENDING, False, id="recorded"),
    ],
)
def test_a_request_that_nobody_has_looked_at_is_known_by_its_status(status: dict[str, Any] | None, unseen: bool) -> None:
    assert parse_request(request_manifest(status=status)).recorded.unseen is unseen
