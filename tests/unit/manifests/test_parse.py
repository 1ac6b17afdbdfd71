"""Manifests become values; what cannot be read is told in the value and never believed."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitaccess.domain.model import Decision, Key, PolicyRef, RoleRef, Subject
from jitaccess.domain.recorded import ObjectRef, Recorded, State
from jitaccess.domain.text import printable
from jitaccess.manifests.ledgers import parse_ledger
from jitaccess.manifests.parse import parse_policy, parse_request
from unit.examples import ALICE, BOB, HOUR, T0, UID, active_status, lines, policy_manifest, request_manifest


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", [], id="an-empty-ledger-has-no-decisions"),
        pytest.param("bob: ok", [("bob", "ok")], id="one-line"),
        pytest.param("bob: ok\ncarol: me too", [("bob", "ok"), ("carol", "me too")], id="one-line-each"),
        pytest.param("bob: ", [("bob", "")], id="an-empty-note-is-a-note"),
        pytest.param("bob: see: the ticket", [("bob", "see: the ticket")], id="the-name-ends-at-the-first-colon-and-space"),
        pytest.param("bob:: ok", [("bob:", "ok")], id="a-name-may-end-in-a-colon"),
        pytest.param("bob: : ok", [("bob", ": ok")], id="a-note-may-begin-with-a-colon"),
        pytest.param("system:serviceaccount:ci:bot: ok", [("system:serviceaccount:ci:bot", "ok")], id="colons-inside-a-name"),
        pytest.param("zoë-名前: ok", [("zoë-名前", "ok")], id="unicode-in-a-name"),
        pytest.param("b\u043eb: ok", [("b\u043eb", "ok")], id="a-cyrillic-lookalike-is-another-name"),
        pytest.param("bob : ok", [("bob ", "ok")], id="spaces-belong-to-the-name"),
        pytest.param("bob", [("", "bob")], id="a-line-without-a-name-is-nobodys"),
        pytest.param("bob:ok", [("", "bob:ok")], id="a-colon-without-a-space-ends-no-name"),
        pytest.param(": ok", [("", "ok")], id="an-empty-name-is-nobodys"),
        pytest.param("bob: ok\n\ncarol: ok\n", [("bob", "ok"), ("carol", "ok")], id="empty-lines-are-skipped"),
        pytest.param("bob: a\tb", [("", "bob: a\tb")], id="a-tab-makes-the-line-nobodys"),
        pytest.param("bob: \u202egnihsif", [("", "bob: \u202egnihsif")], id="a-reordering-character-makes-it-nobodys"),
        pytest.param("bob\u200b: ok", [("", "bob\u200b: ok")], id="an-invisible-character-in-the-name-makes-it-nobodys"),
        pytest.param("bob: ok\r\ncarol: ok", [("", "bob: ok\r"), ("carol", "ok")], id="windows-line-ends-make-it-nobodys"),
    ],
)
def test_ledgers_are_read_line_by_line(text: str, expected: list[tuple[str, str]]) -> None:
    assert parse_ledger(text) == tuple(Decision(by, note) for by, note in expected)


SEPARATORS = ["\r", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]


@pytest.mark.parametrize("separator", [pytest.param(s, id=f"U+{ord(s):04X}") for s in SEPARATORS])
def test_only_a_line_feed_ends_a_line(separator: str) -> None:
    forged = parse_ledger(f"bob: fine{separator}carol: forged")
    assert [decision.by for decision in forged] == [""], f"one line, and nobody's, is expected; read as {forged}"


SHOWN = st.characters(exclude_categories=("Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"))
NAMES = st.text(SHOWN, min_size=1, max_size=12).filter(lambda name: printable(name) and ": " not in name)
NOTES = st.text(SHOWN, max_size=12).filter(printable)


@given(st.lists(st.tuples(NAMES, NOTES), max_size=5))
def test_what_the_admission_policy_lets_in_is_read_back_exactly(decisions: list[tuple[str, str]]) -> None:
    assert parse_ledger(lines(*decisions)) == tuple(Decision(*decision) for decision in decisions)


@given(st.text(max_size=40))
def test_no_text_makes_more_decisions_than_it_has_lines(text: str) -> None:
    decisions = parse_ledger(text)
    assert len(decisions) <= text.count("\n") + 1
    assert all(printable(f"{decision.by}: {decision.note}") for decision in decisions if decision.by), "a named line is printable"


def test_a_request_is_read_whole() -> None:
    manifest = request_manifest(
        approvals="bob@example.com: ok", denials="", revocations="x", status=active_status(), metadata={"generation": 4}
    )
    read = parse_request(manifest)
    assert read.key == Key("team-a", "alice-7f3k")
    assert (read.uid, read.resource_version, read.generation, read.created) == (UID, "10", 4, T0)
    assert (read.policy, read.role) == (PolicyRef("AccessPolicy", Key("team-a", "prod-debug")), RoleRef("ClusterRole", "view"))
    assert (read.duration, read.requester, read.reason) == (HOUR, ALICE, "INC-42 pods crash looping")
    assert read.approvals == (Decision(BOB, "ok"),)
    assert (read.denials, read.revocations) == ((), (Decision("", "x"),))
    recorded = read.recorded
    assert (read.state, recorded.granted_at, recorded.expires_at) == (State.ACTIVE, T0, T0 + HOUR)
    assert (recorded.binding, recorded.job) == (
        ObjectRef("jit-alice-7f3k-1a2b3c4d"),
        ObjectRef("jit-alice-7f3k-1a2b3c4d", "j-1"),
    )
    assert (read.invalid, read.deleting) == ("", False)


def test_a_fresh_request_is_pending() -> None:
    read = parse_request(request_manifest())
    assert (read.state, read.recorded, read.approvals) == (State.PENDING, Recorded(), ())


def test_a_request_that_is_being_deleted_says_so() -> None:
    assert parse_request(request_manifest(metadata={"deletionTimestamp": "2026-07-01T02:10:00Z"})).deleting


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        pytest.param({"duration": "2 days"}, "spec.duration: '2 days' is not a duration", id="duration-that-is-none"),
        pytest.param({"duration": None}, "spec.duration: '' is not a duration", id="no-duration"),
        pytest.param({"duration": 60}, "spec.duration: '60' is not a duration", id="duration-that-is-a-number"),
        pytest.param({"requester": None}, "spec.requester missing", id="no-requester"),
        pytest.param({"requester": ""}, "spec.requester missing", id="empty-requester"),
        pytest.param({"policyRef": None}, "spec.policyRef missing", id="no-policy"),
        pytest.param({"roleRef": None, "policyRef": None}, "spec.policyRef, spec.roleRef missing", id="all-that-is-missing"),
    ],
)
def test_a_request_that_cannot_be_read_says_why(fields: dict[str, Any], told: str) -> None:
    assert told in parse_request(request_manifest(**fields)).invalid


def test_a_request_without_any_spec_is_read_as_invalid() -> None:
    manifest = request_manifest()
    del manifest["spec"]
    read = parse_request(manifest)
    assert read.invalid
    assert read.duration == timedelta(0), "nothing unreadable may ever give time"


def test_a_request_for_longer_than_python_can_count_is_read_as_invalid() -> None:
    assert parse_request(request_manifest(duration="9999999999999999999999999999999h")).invalid


def test_a_policy_is_read_whole() -> None:
    risky = {"kind": "Role", "name": "db", "found": True, "uid": "u", "hash": "0123456789abcdef", "risks": ["read Secrets"]}
    status = {"roles": [risky, {"kind": "Role", "name": "ok"}]}
    manifest = policy_manifest(
        roles=[{"kind": "Role", "name": "db"}, {"kind": "Role", "name": "ok"}],
        requesters=[{"kind": "ServiceAccount", "name": "ci", "namespace": "team-a"}],
        requiredApprovals=2,
        pendingTimeout="90m",
        allowPersistentRisk=True,
        description="Debug",
        status=status,
    )
    read = parse_policy(manifest)
    assert (read.key, read.uid, read.generation) == (Key("team-a", "prod-debug"), "p-prod-debug", 3)
    assert read.roles == (RoleRef("Role", "db"), RoleRef("Role", "ok"))
    assert read.requesters == (Subject("ServiceAccount", "ci", "team-a"),)
    assert read.approvers == (Subject("Group", "leads"),)
    assert (read.required_approvals, read.max_duration, read.pending_timeout) == (2, 4 * HOUR, HOUR * 1.5)
    assert (read.allow_persistent_risk, read.description, read.invalid, read.deleting) == (True, "Debug", "", False)
    assert read.risky == (RoleRef("Role", "db"),), "only roles with recorded risks are risky"


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        pytest.param({"maxDuration": "1w"}, "'1w' is not a duration", id="longest-duration-that-is-none"),
        pytest.param({"pendingTimeout": "soon"}, "'soon' is not a duration", id="timeout-that-is-none"),
        pytest.param({"roles": []}, "spec.roles missing", id="no-roles"),
        pytest.param(
            {"requesters": None, "maxDuration": None}, "spec.requesters, spec.maxDuration missing", id="all-that-is-missing"
        ),
    ],
)
def test_a_policy_that_cannot_be_read_says_why_and_allows_nothing(fields: dict[str, Any], told: str) -> None:
    read = parse_policy(policy_manifest(**fields))
    assert told in read.invalid
    assert read.max_duration in (timedelta(0), 4 * HOUR)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(True, True, id="true"),
        pytest.param(False, False, id="false"),
        pytest.param(None, False, id="absent"),
        pytest.param("false", False, id="a-string-is-not-true"),
        pytest.param("true", False, id="not-even-the-string-true"),
        pytest.param(1, False, id="one-is-not-true"),
    ],
)
def test_persistent_risk_is_allowed_by_true_alone(value: Any, expected: bool) -> None:
    assert parse_policy(policy_manifest(allowPersistentRisk=value)).allow_persistent_risk is expected


def test_absent_defaults_are_the_strict_ones_of_the_crd() -> None:
    read = parse_policy(policy_manifest(requiredApprovals=None, pendingTimeout=None, allowPersistentRisk=None))
    assert (read.required_approvals, read.pending_timeout, read.allow_persistent_risk) == (1, 24 * HOUR, False)


def test_a_negative_number_of_approvals_makes_a_policy_invalid() -> None:
    assert parse_policy(policy_manifest(requiredApprovals=-1)).invalid


@pytest.mark.parametrize("value", ["two", {}, [], "0.5"])
def test_a_number_of_approvals_that_is_none_makes_a_policy_invalid(value: Any) -> None:
    assert parse_policy(policy_manifest(requiredApprovals=value)).invalid
