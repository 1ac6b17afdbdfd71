"""The state machine: its table, and what is decided of a request at one moment."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise, product
from typing import Any

import pytest

from jitaccess.domain.counting import MOST_APPROVALS, counting_approvals
from jitaccess.domain.lifecycle import TRANSITIONS, decide
from jitaccess.domain.model import AccessPolicy, Decision, Key, PolicyRef
from jitaccess.domain.obstacles import OBSTACLES
from jitaccess.domain.recorded import Condition, Recorded, State
from jitaccess.domain.rules import Objection
from jitaccess.domain.verdicts import blocked
from unit.examples import (
    ALICE,
    BOB,
    CAROL,
    DAVE,
    HOUR,
    MS,
    T0,
    VIEW,
    active_status,
    approved_by,
    lines,
    policy,
    request,
)

DAY = 24 * HOUR
NO_POLICY = {"gone": True}
UNREADABLE: dict[str, Any] = {"duration": "2 days"}
RISKY = {"roles": [{"kind": "ClusterRole", "name": "view", "found": True, "hash": "0123456789abcdef", "risks": ["read Secrets"]}]}


def the_policy(fields: dict[str, Any]) -> AccessPolicy | None:
    return None if fields == NO_POLICY else policy(**fields)


@pytest.mark.parametrize("state", State)
def test_every_state_is_in_the_table(state: State) -> None:
    assert state in TRANSITIONS
    assert TRANSITIONS[state] <= set(State)


@pytest.mark.parametrize("state", State)
def test_settled_states_and_only_they_lead_nowhere(state: State) -> None:
    assert state.settled is (not TRANSITIONS[state]), f"{state} is settled or leads on, not both and not neither"


def test_access_begins_from_what_waits_only() -> None:
    assert [state for state, onward in TRANSITIONS.items() if State.ACTIVE in onward] == [State.PENDING, State.SCHEDULED]


def test_every_settled_state_can_be_reached() -> None:
    reached = {State.PENDING}.union(*TRANSITIONS.values())
    assert reached == set(State)


PENDING_TABLE = [
    # request, policy, when, state, reason
    pytest.param({}, {}, 0 * MS, State.PENDING, "WaitingForApproval", id="nobody-has-decided"),
    pytest.param({"approvals": approved_by(BOB)}, {}, MS, State.ACTIVE, "Granted", id="one-approval-is-enough-for-one"),
    pytest.param(
        {}, {"requiredApprovals": 0, "approvers": None}, MS, State.ACTIVE, "Granted", id="no-approval-is-needed-for-none"
    ),
    pytest.param(
        {"approvals": approved_by(BOB)},
        {"requiredApprovals": 2},
        MS,
        State.PENDING,
        "WaitingForApproval",
        id="one-of-two-is-not-two",
    ),
    pytest.param(
        {"approvals": approved_by(BOB, CAROL)}, {"requiredApprovals": 2}, MS, State.ACTIVE, "Granted", id="two-people-are-two"
    ),
    pytest.param(
        {"approvals": approved_by(BOB, BOB)},
        {"requiredApprovals": 2},
        MS,
        State.PENDING,
        "WaitingForApproval",
        id="the-same-person-twice-counts-once",
    ),
    pytest.param(
        {"approvals": approved_by(BOB, BOB.upper())},
        {"requiredApprovals": 2},
        MS,
        State.PENDING,
        "WaitingForApproval",
        id="the-same-person-in-capitals-counts-once",
    ),
    pytest.param(
        {"approvals": lines((BOB, ""))}, {}, MS, State.ACTIVE, "Granted", id="a-note-is-not-needed-where-none-is-asked-for"
    ),
    pytest.param(
        {"approvals": lines((BOB, ""))},
        {"noteRequired": True},
        MS,
        State.PENDING,
        "WaitingForApproval",
        id="without-the-note-that-is-asked-for-nothing-counts",
    ),
    pytest.param(
        {"approvals": lines((BOB, " \u00a0\u3000"))},
        {"noteRequired": True},
        MS,
        State.PENDING,
        "WaitingForApproval",
        id="spaces-are-no-note",
    ),
    pytest.param(
        {"approvals": lines((BOB, ""), (CAROL, "saw it"), (BOB, "so did I"))},
        {"noteRequired": True, "requiredApprovals": 2},
        MS,
        State.ACTIVE,
        "Granted",
        id="a-note-may-be-added-later",
    ),
    pytest.param(
        {"approvals": lines((BOB, ""), (BOB, "so did I"))},
        {"noteRequired": True, "requiredApprovals": 2},
        MS,
        State.PENDING,
        "WaitingForApproval",
        id="a-note-that-was-added-is-no-second-person",
    ),
    pytest.param(
        {"denials": lines((BOB, ""))}, {"noteRequired": True}, MS, State.DENIED, "DeniedByApprover", id="a-denial-needs-no-note"
    ),
    pytest.param(
        {"approvals": approved_by(ALICE.upper())},
        {},
        MS,
        State.PENDING,
        "WaitingForApproval",
        id="own-approval-in-capitals-does-not-count",
    ),
    pytest.param(
        {"approvals": approved_by("zoë", "ZOË")},
        {"requiredApprovals": 2},
        MS,
        State.ACTIVE,
        "Granted",
        id="capitals-beyond-ascii-are-other-people-as-to-the-api-server",
    ),
    pytest.param(
        {"approvals": approved_by(ALICE)}, {}, MS, State.PENDING, "WaitingForApproval", id="own-approval-does-not-count"
    ),
    pytest.param(
        {"approvals": approved_by(ALICE, BOB)},
        {"requiredApprovals": 2},
        MS,
        State.PENDING,
        "WaitingForApproval",
        id="own-approval-does-not-count-beside-anothers",
    ),
    pytest.param(
        {"approvals": "bob@example.com ok"},
        {},
        MS,
        State.PENDING,
        "WaitingForApproval",
        id="an-approval-by-nobody-does-not-count",
    ),
    pytest.param(
        {"approvals": "x\ny\nz"}, {"requiredApprovals": 2}, MS, State.PENDING, "WaitingForApproval", id="nor-do-several-of-them"
    ),
    pytest.param({"denials": approved_by(BOB)}, {}, MS, State.DENIED, "DeniedByApprover", id="one-denial-is-enough"),
    pytest.param(
        {"approvals": approved_by(BOB, CAROL, DAVE), "denials": approved_by(BOB)},
        {},
        MS,
        State.DENIED,
        "DeniedByApprover",
        id="a-denial-wins-over-any-number-of-approvals",
    ),
    pytest.param(
        {"denials": "garbage"}, {}, MS, State.DENIED, "DeniedByApprover", id="a-denial-that-cannot-be-read-still-denies"
    ),
    pytest.param(
        {"revocations": approved_by(ALICE)},
        {},
        MS,
        State.WITHDRAWN,
        "WithdrawnByRequester",
        id="the-requester-revokes-while-pending",
    ),
    pytest.param(
        {"revocations": approved_by(ALICE), "approvals": approved_by(BOB)},
        {},
        MS,
        State.WITHDRAWN,
        "WithdrawnByRequester",
        id="a-withdrawal-wins-over-approvals",
    ),
    pytest.param(
        {"revocations": approved_by(BOB)}, {}, MS, State.DENIED, "DeniedByApprover", id="an-approver-revokes-while-pending"
    ),
    pytest.param(
        {"revocations": "garbage"}, {}, MS, State.DENIED, "DeniedByApprover", id="a-revocation-that-cannot-be-read-still-denies"
    ),
    pytest.param(
        {"revocations": approved_by(ALICE), "denials": approved_by(BOB)},
        {},
        MS,
        State.DENIED,
        "DeniedByApprover",
        id="a-denial-wins-over-a-withdrawal",
    ),
    pytest.param({**UNREADABLE}, {}, MS, State.FAILED, "InvalidSpec", id="a-spec-that-cannot-be-read-fails"),
    pytest.param({"requester": ""}, {}, MS, State.FAILED, "InvalidSpec", id="a-request-by-nobody-fails"),
    pytest.param(
        {**UNREADABLE, "denials": approved_by(BOB)},
        {},
        MS,
        State.DENIED,
        "DeniedByApprover",
        id="a-denial-needs-no-readable-spec",
    ),
    pytest.param({}, NO_POLICY, MS, State.DENIED, "PolicyNotFound", id="policy-gone"),
    pytest.param(
        {"approvals": approved_by(BOB)}, NO_POLICY, MS, State.DENIED, "PolicyNotFound", id="policy-gone-though-approved"
    ),
    pytest.param(
        {"approvals": approved_by(BOB)},
        {"metadata": {"deletionTimestamp": "2026-07-01T02:10:00Z"}},
        MS,
        State.DENIED,
        "PolicyNotFound",
        id="policy-being-deleted",
    ),
    pytest.param(
        {"approvals": approved_by(BOB)}, {"maxDuration": "1w"}, MS, State.DENIED, "PolicyInvalid", id="policy-unreadable"
    ),
    pytest.param(
        {"approvals": approved_by(BOB)},
        {"roles": [{"kind": "ClusterRole", "name": "edit"}]},
        MS,
        State.DENIED,
        "RoleNotOffered",
        id="role-not-offered",
    ),
    pytest.param(
        {"approvals": approved_by(BOB)},
        {"roles": [{"kind": "Role", "name": "view"}]},
        MS,
        State.DENIED,
        "RoleNotOffered",
        id="a-role-of-the-same-name-and-another-kind-is-another",
    ),
    pytest.param({"duration": "4h"}, {"requiredApprovals": 0}, MS, State.ACTIVE, "Granted", id="exactly-the-longest-is-allowed"),
    pytest.param(
        {"duration": "4h0m0.001s"},
        {"requiredApprovals": 0},
        MS,
        State.DENIED,
        "DurationTooLong",
        id="a-millisecond-longer-is-not",
    ),
    pytest.param({}, {"status": RISKY}, MS, State.DENIED, "PersistentRisk", id="a-role-that-outlives-the-grant"),
    pytest.param(
        {"approvals": approved_by(BOB)},
        {"status": RISKY, "allowPersistentRisk": True},
        MS,
        State.ACTIVE,
        "Granted",
        id="such-a-role-where-the-policy-allows-it",
    ),
    pytest.param({}, {}, DAY - MS, State.PENDING, "WaitingForApproval", id="the-last-millisecond-before-the-timeout-still-waits"),
    pytest.param({}, {}, DAY, State.TIMED_OUT, "PendingTimeout", id="the-exact-timeout-is-over"),
    pytest.param(
        {"approvals": approved_by(BOB)}, {}, DAY - MS, State.ACTIVE, "Granted", id="approved-in-the-last-millisecond-is-granted"
    ),
    pytest.param({"denials": approved_by(BOB)}, {}, DAY, State.DENIED, "DeniedByApprover", id="a-denial-wins-over-the-timeout"),
    pytest.param(
        {},
        {"pendingTimeout": "30m"},
        HOUR / 2,
        State.TIMED_OUT,
        "PendingTimeout",
        id="a-timeout-shortened-meanwhile-counts-at-once",
    ),
    pytest.param(
        {"metadata": {"deletionTimestamp": "2026-07-01T02:10:00Z"}, "approvals": approved_by(BOB)},
        {},
        MS,
        State.WITHDRAWN,
        "RequestDeleted",
        id="a-request-that-is-being-deleted-is-withdrawn",
    ),
]


@pytest.mark.parametrize(("fields", "under", "when", "state", "reason"), PENDING_TABLE)
def test_what_becomes_of_a_pending_request(
    fields: dict[str, Any], under: dict[str, Any], when: timedelta, state: State, reason: str
) -> None:
    verdict = decide(request(**fields), the_policy(under), T0 + when)
    assert (verdict.state, verdict.reason) == (state, reason), verdict.message
    assert verdict.message, "every verdict says why"
    assert (verdict.grant is not None) is (state is State.ACTIVE), "there is a grant exactly when the request is active"
    assert (verdict.wake_at is None) is state.settled, "what is not settled is looked at again, what is settled is not"


ACTIVE = {"approvals": approved_by(BOB), "status": active_status()}
ACTIVE_TABLE = [
    pytest.param({}, {}, MS, State.ACTIVE, "Granted", id="nothing-has-happened"),
    pytest.param({}, {}, HOUR - MS, State.ACTIVE, "Granted", id="the-last-millisecond-is-still-active"),
    pytest.param({}, {}, HOUR, State.EXPIRED, "DurationElapsed", id="the-exact-expiry-is-expired"),
    pytest.param({}, {}, 100 * DAY, State.EXPIRED, "DurationElapsed", id="long-after-the-expiry-is-expired"),
    pytest.param({}, {}, -HOUR, State.ACTIVE, "Granted", id="a-clock-that-stepped-back-changes-nothing"),
    pytest.param({}, NO_POLICY, HOUR, State.EXPIRED, "DurationElapsed", id="expired-comes-before-policy-gone"),
    pytest.param({"revocations": approved_by(ALICE)}, {}, MS, State.REVOKED, "RevokedByRequester", id="the-requester-revokes"),
    pytest.param({"revocations": approved_by(BOB)}, {}, MS, State.REVOKED, "RevokedByApprover", id="an-approver-revokes"),
    pytest.param({"denials": approved_by(BOB)}, {}, MS, State.REVOKED, "RevokedByApprover", id="a-denial-revokes-too"),
    pytest.param({"revocations": "garbage"}, {}, MS, State.REVOKED, "RevokedByApprover", id="what-cannot-be-read-still-revokes"),
    pytest.param(
        {"metadata": {"deletionTimestamp": "2026-07-01T02:10:00Z"}}, {}, MS, State.REVOKED, "RequestDeleted", id="being-deleted"
    ),
    pytest.param({}, NO_POLICY, MS, State.REVOKED, "PolicyNotFound", id="policy-gone"),
    pytest.param(
        {},
        {"metadata": {"deletionTimestamp": "2026-07-01T02:10:00Z"}},
        MS,
        State.REVOKED,
        "PolicyNotFound",
        id="policy-being-deleted",
    ),
    pytest.param({}, {"roles": []}, MS, State.REVOKED, "PolicyInvalid", id="policy-made-unreadable"),
    pytest.param(
        {}, {"roles": [{"kind": "ClusterRole", "name": "edit"}]}, MS, State.REVOKED, "RoleNotOffered", id="narrowed-in-roles"
    ),
    pytest.param({}, {"maxDuration": "59m"}, MS, State.REVOKED, "DurationTooLong", id="narrowed-in-duration"),
    pytest.param({}, {"requiredApprovals": 2}, MS, State.REVOKED, "ApprovalsMissing", id="narrowed-in-approvals"),
    pytest.param({}, {"status": RISKY}, MS, State.REVOKED, "PersistentRisk", id="the-role-has-become-a-risk"),
    pytest.param({}, {"status": RISKY, "allowPersistentRisk": True}, MS, State.ACTIVE, "Granted", id="a-risk-that-is-allowed"),
    pytest.param({}, {"pendingTimeout": "1s"}, MS, State.ACTIVE, "Granted", id="the-pending-timeout-is-over-and-does-not-matter"),
    pytest.param(
        {},
        {"maxDuration": "720h", "requiredApprovals": 0},
        HOUR,
        State.EXPIRED,
        "DurationElapsed",
        id="widened-gives-no-more-time",
    ),
    pytest.param({"status": {"state": "Active"}}, {}, MS, State.EXPIRED, "DurationElapsed", id="a-grant-without-times-is-over"),
    pytest.param({**UNREADABLE}, NO_POLICY, HOUR, State.EXPIRED, "DurationElapsed", id="expiry-needs-no-readable-spec"),
]


@pytest.mark.parametrize(("fields", "under", "when", "state", "reason"), ACTIVE_TABLE)
def test_what_becomes_of_an_active_request(
    fields: dict[str, Any], under: dict[str, Any], when: timedelta, state: State, reason: str
) -> None:
    verdict = decide(request(**ACTIVE | fields), the_policy(under), T0 + when)
    assert (verdict.state, verdict.reason) == (state, reason), verdict.message
    assert (verdict.grant is not None) is (state is State.ACTIVE), "there is a grant exactly when the request is active"
    assert verdict.wake_at == (T0 + HOUR if state is State.ACTIVE else None)


EVERYTHING = {"approvals": approved_by(BOB, CAROL), "denials": approved_by(BOB), "revocations": approved_by(ALICE)}


@pytest.mark.parametrize(
    ("state", "fields", "under"),
    [
        pytest.param(state, fields, under, id=f"{state}-{words}")
        for state in State
        if state.settled
        for fields, under, words in (
            ({}, {}, "though-the-policy-is-there"),
            ({"approvals": approved_by(BOB, CAROL)}, {"requiredApprovals": 0}, "though-approved"),
            (EVERYTHING, NO_POLICY, "whatever-is-decided"),
        )
    ],
)
def test_a_settled_request_stays_as_it_is(state: State, fields: dict[str, Any], under: dict[str, Any]) -> None:
    status = active_status() | {"state": state.value, "settled": True}
    verdict = decide(request(**fields, status=status), the_policy(under), T0 + MS)
    assert (verdict.state, verdict.grant, verdict.wake_at) == (state, None, None)


@pytest.mark.parametrize(
    "status",
    [
        pytest.param(None, id="pending"),
        pytest.param({"state": "Scheduled", "settled": False}, id="scheduled"),
        pytest.param(active_status(), id="active"),
    ],
)
@pytest.mark.parametrize("under", [pytest.param({}, id="under-the-policy"), pytest.param(NO_POLICY, id="without-a-policy")])
def test_no_decision_leads_outside_the_table(status: dict[str, Any] | None, under: dict[str, Any]) -> None:
    ledgers = ["", approved_by(ALICE), approved_by(BOB), "garbage"]
    for approvals, denials, revocations in product(ledgers, repeat=3):
        asked = request(approvals=approvals, denials=denials, revocations=revocations, status=status)
        for when in (0 * MS, HOUR, DAY):
            verdict = decide(asked, the_policy(under), T0 + when)
            assert verdict.state is asked.state or verdict.state in TRANSITIONS[asked.state], f"{asked.state} -> {verdict}"


def test_the_grant_begins_with_the_decision_and_lasts_as_asked() -> None:
    late = T0 + 23 * HOUR
    verdict = decide(request(approvals=approved_by(BOB), duration="90m"), policy(), late)
    assert verdict.grant
    assert (verdict.grant.granted_at, verdict.grant.expires_at) == (late, late + 1.5 * HOUR), "waiting never eats access time"
    assert (verdict.grant.requester, verdict.grant.role, verdict.wake_at) == (ALICE, VIEW, verdict.grant.expires_at)


def test_a_recorded_grant_keeps_its_times() -> None:
    verdict = decide(request(**ACTIVE | {"duration": "4h"}), policy(), T0 + HOUR / 2)
    assert verdict.grant
    assert (verdict.grant.granted_at, verdict.grant.expires_at) == (T0, T0 + HOUR), "what is recorded holds, not what is asked"


@pytest.mark.parametrize(
    ("fields", "by"),
    [
        pytest.param({"denials": lines((BOB, "no"), (CAROL, "never"))}, BOB, id="the-first-denial"),
        pytest.param({"revocations": lines((ALICE, "done"))}, ALICE, id="the-withdrawal"),
        pytest.param({"denials": "garbage"}, "", id="nobody-where-it-cannot-be-read"),
        pytest.param({**UNREADABLE}, "", id="nobody-where-it-was-no-decision"),
    ],
)
def test_a_verdict_names_whose_decision_it_was(fields: dict[str, Any], by: str) -> None:
    assert decide(request(**fields), policy(), T0).by == by


@pytest.mark.parametrize(
    ("granted", "state", "reason", "told"),
    [
        *(
            pytest.param(obstacle, State.FAILED, obstacle, "approved, but never granted: why", id=f"{obstacle}-fails")
            for obstacle in sorted(OBSTACLES)
        ),
        pytest.param(
            "WaitingForApproval",
            State.TIMED_OUT,
            "PendingTimeout",
            "approved, but not granted until 2026-07-02T02:10:00.000Z",
            id="without-an-obstacle-times-out",
        ),
    ],
)
def test_an_obstacle_at_the_timeout_is_a_failure(granted: str, state: State, reason: str, told: str) -> None:
    asked = request(approvals=approved_by(BOB))
    asked = replace(asked, recorded=Recorded(conditions=(Condition("Granted", "False", granted, "why"),)))
    verdict = decide(asked, policy(), T0 + DAY)
    assert (verdict.state, verdict.reason) == (state, reason)
    assert told in verdict.message


@pytest.mark.parametrize(
    ("given", "required", "told"),
    [
        pytest.param("", 1, "no decision until {}: needs 1 approval from Group leads", id="with-none"),
        pytest.param(approved_by(ALICE), 1, "no decision until {}: needs 1 approval from Group leads", id="with-her-own"),
        pytest.param(approved_by(BOB), 2, "no decision until {}: needs 1 more approval from Group leads", id="with-one-of-two"),
        pytest.param(approved_by(BOB), 1, "approved, but not granted until {}", id="while-the-operator-was-away"),
        pytest.param("", 0, "approved, but not granted until {}", id="that-needed-nobody"),
    ],
)
def test_a_timeout_says_what_was_missing(given: str, required: int, told: str) -> None:
    verdict = decide(request(approvals=given), policy(requiredApprovals=required), T0 + DAY)
    assert (verdict.state, verdict.reason) == (State.TIMED_OUT, "PendingTimeout")
    assert verdict.message == told.format("2026-07-02T02:10:00.000Z")


@pytest.mark.parametrize(
    ("given", "under", "told"),
    [
        pytest.param("", {}, "needs 1 approval from Group leads", id="one"),
        pytest.param("", {"requiredApprovals": 2}, "needs 2 approvals from Group leads", id="two"),
        pytest.param(approved_by(BOB), {"requiredApprovals": 2}, "needs 1 more approval from Group leads", id="one-more"),
        pytest.param("", {"noteRequired": True}, "needs 1 approval with a note from Group leads", id="with-a-note"),
        pytest.param(
            lines((CAROL, "ok"), (BOB, "")),
            {"noteRequired": True, "requiredApprovals": 2},
            "needs 1 more approval with a note from Group leads; "
            f"not counted, since it has no note: {BOB} (may approve again, with one)",
            id="with-the-note-that-is-not-there",
        ),
        pytest.param(
            "",
            {"approvers": [{"kind": "Group", "name": "leads"}, {"kind": "User", "name": CAROL}]},
            f"needs 1 approval from Group leads or User {CAROL}",
            id="from-several",
        ),
    ],
)
def test_a_pending_request_says_what_it_waits_for(given: str, under: dict[str, Any], told: str) -> None:
    assert decide(request(approvals=given), policy(**under), T0).message == told


@pytest.mark.parametrize("state", [State.PENDING, State.ACTIVE])
@pytest.mark.parametrize("obstacle", sorted(OBSTACLES))
def test_a_blocked_verdict_gives_nothing_and_is_still_approved(obstacle: str, state: State) -> None:
    verdict = blocked(decide(request(approvals=approved_by(BOB)), policy(), T0), Objection(obstacle, "why"), state)
    assert (verdict.state, verdict.reason, verdict.message, verdict.grant) == (state, obstacle, "why", None)
    assert verdict.approved
    assert [approval.by for approval in verdict.approvals] == [BOB]


def test_approvals_count_in_ledger_order_with_the_first_note_of_each() -> None:
    ledger = lines((CAROL, "first"), (BOB, "second"), (CAROL, "again"), (ALICE, "me"))
    assert counting_approvals(request(approvals=ledger)) == (Decision(CAROL, "first"), Decision(BOB, "second"))


@pytest.mark.parametrize("under", [{"noteRequired": True}, {"noteRequired": False}], ids=["asked-for-since", "not-asked-for"])
@pytest.mark.parametrize("note_required", [True, False])
def test_whether_a_note_was_needed_is_settled_with_the_grant(note_required: bool, under: dict[str, Any]) -> None:
    status = active_status() | ({"noteRequired": True} if note_required else {})
    blank = request(status=status, approvals=lines((BOB, "")))
    verdict = decide(blank, policy(**under), T0 + MS)
    expected = (State.REVOKED, "ApprovalsMissing") if note_required else (State.ACTIVE, "Granted")
    assert (verdict.state, verdict.reason) == expected


def test_no_more_approvals_count_than_a_policy_may_ask_for() -> None:
    assert len(counting_approvals(request(approvals=approved_by(*(f"u{n}" for n in range(40)))))) == MOST_APPROVALS


def test_another_policy_than_the_one_named_allows_nothing() -> None:
    lenient = replace(policy(requiredApprovals=0), ref=PolicyRef("AccessPolicy", Key("team-a", "another")))
    verdict = decide(request(), lenient, T0)
    assert verdict.grant is None, f"granted under policy another, but the request names prod-debug: {verdict}"


def test_states_are_told_apart_by_their_words() -> None:
    words = sorted(state.value for state in State)
    assert all(first != second for first, second in pairwise(words)), words
