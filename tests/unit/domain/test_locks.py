"""What a lock ends, keeps from beginning, and does not touch; and what is recorded of it."""

from datetime import timedelta
from typing import Any

import pytest

from jitaccess.domain.circumstances import NOTHING_AROUND, Circumstances
from jitaccess.domain.lifecycle import decide
from jitaccess.domain.locking import next_lock_record
from jitaccess.domain.locks import Lock, LockState
from jitaccess.domain.recorded import State
from jitaccess.manifests.locks import lock_status, parse_lock
from unit.examples import ALICE, BOB, CAROL, DAVE, HOUR, MS, T0, active_status, approved_by, lock_manifest, locks, policy, request
from unit.manifest_files import crd_schema, schema_faults

LIFTED = {"lifted": {"by": DAVE, "reason": "found it"}}
SETTLED = {"status": {"state": "Over", "settled": True, "settledAt": "2026-07-01T02:00:00.000Z"}}
BOTH = {"approvals": approved_by(BOB, CAROL)}
ACTIVE = {"status": active_status(), "approvals": approved_by(BOB)}

TABLE = [
    # request, policy, around, state, reason
    pytest.param({}, {}, locks(ALICE), State.DENIED, "Locked", id="who-waits-is-denied"),
    pytest.param(BOTH, {}, locks(ALICE), State.DENIED, "Locked", id="though-it-was-approved"),
    pytest.param(ACTIVE, {}, locks(ALICE), State.REVOKED, "Locked", id="what-somebody-has-ends"),
    pytest.param(ACTIVE, {}, locks(ALICE.upper()), State.REVOKED, "Locked", id="under-a-name-in-capitals-too"),
    pytest.param(ACTIVE, {}, locks(DAVE, ALICE), State.REVOKED, "Locked", id="one-of-several"),
    pytest.param(ACTIVE, {}, locks(DAVE), State.ACTIVE, "Granted", id="nobody-else-is-touched"),
    pytest.param(ACTIVE, {}, locks(BOB), State.ACTIVE, "Granted", id="what-was-decided-before-stands-where-it-has-begun"),
    pytest.param(ACTIVE, {}, locks(ALICE, **LIFTED), State.ACTIVE, "Granted", id="a-lifted-lock-ends-nothing"),
    pytest.param(ACTIVE, {}, locks(ALICE, **SETTLED), State.ACTIVE, "Granted", id="nor-one-that-is-over-by-the-record"),
    pytest.param(ACTIVE, {}, locks(ALICE, until=T0 + HOUR), State.REVOKED, "Locked", id="before-its-time-is-up"),
    pytest.param(ACTIVE, {}, locks(ALICE, until=T0 + MS), State.ACTIVE, "Granted", id="the-exact-instant-is-over"),
    pytest.param(BOTH, {"requiredApprovals": 2}, locks(BOB), State.PENDING, "WaitingForApproval", id="the-locked-do-not-count"),
    pytest.param(BOTH, {}, locks(BOB), State.ACTIVE, "Granted", id="where-others-are-enough-it-begins"),
    pytest.param({"denials": approved_by(BOB)}, {}, locks(BOB), State.DENIED, "DeniedByApprover", id="what-was-denied-stays-so"),
    pytest.param(ACTIVE, {}, Circumstances(), State.ACTIVE, "Granted", id="without-locks-nothing-changes"),
    pytest.param({}, {"suspend": True}, NOTHING_AROUND, State.DENIED, "PolicySuspended", id="suspended-what-waits-is-denied"),
    pytest.param(ACTIVE, {"suspend": True}, NOTHING_AROUND, State.REVOKED, "PolicySuspended", id="suspended-what-lasts-ends"),
]


@pytest.mark.parametrize(("fields", "under", "around", "state", "reason"), TABLE)
def test_what_a_lock_and_a_suspension_do(
    fields: dict[str, Any], under: dict[str, Any], around: Circumstances, state: State, reason: str
) -> None:
    verdict = decide(request(**fields), policy(**under), T0 + MS, around)
    assert (verdict.state, verdict.reason) == (state, reason)


def test_it_says_who_is_locked_by_what_until_when_and_why() -> None:
    verdict = decide(request(), policy(), T0, locks(ALICE, until=T0 + HOUR))
    assert verdict.message == (
        "alice@example.com is locked by AccessLock lock-1 of carol@example.com "
        "until 2026-07-01T03:10:00.000Z: INC-7 stolen laptop"
    )
    assert "until it is lifted" in decide(request(), policy(), T0, locks(ALICE)).message


def test_it_says_whose_approval_does_not_count() -> None:
    verdict = decide(request(**BOTH), policy(requiredApprovals=2), T0, locks(BOB))
    assert verdict.message == ("needs 1 more approval from Group leads; not counted while they are locked: bob@example.com")


def read(**fields: Any) -> Lock:
    return parse_lock(lock_manifest(ALICE, **fields))


@pytest.mark.parametrize(
    ("lock", "after", "state", "told"),
    [
        pytest.param(read(), MS, LockState.ACTIVE, [("Locked", CAROL, "INC-7 stolen laptop")], id="made"),
        pytest.param(read(**LIFTED), MS, LockState.LIFTED, [("Lifted", DAVE, "found it")], id="lifted-before-anybody-looked"),
        pytest.param(
            read(until=T0), MS, LockState.OVER, [("TimeIsUp", "", "it was to end at 2026-07-01T02:10:00.000Z")], id="over-at-once"
        ),
    ],
)
def test_each_change_of_a_lock_is_on_record_once(
    lock: Lock, after: timedelta, state: LockState, told: list[tuple[str, str, str]]
) -> None:
    recorded = next_lock_record(lock, 3, T0 + after)
    assert (recorded.state, recorded.ended) == (state, 3)
    assert [(entry.reason, entry.by, entry.message) for entry in recorded.history] == told
    assert (recorded.settled_at is None) is (state is LockState.ACTIVE)
    status = lock_status(recorded)
    assert not list(schema_faults(status, crd_schema("accesslocks")["properties"]["status"], "status"))
    lifted: dict[str, Any] = LIFTED if lock.lifted else {}
    again = parse_lock(lock_manifest(ALICE, until=lock.until, status=status, **lifted))
    assert next_lock_record(again, 0, T0 + HOUR) == again.recorded == recorded, "a second look writes nothing"


def test_a_status_of_a_newer_jitaccess_keeps_the_lock_in_force() -> None:
    assert read(status={"state": "Frozen", "settled": False}).holds(T0)


def test_an_end_that_cannot_be_read_is_none() -> None:
    manifest = lock_manifest(ALICE)
    manifest["spec"]["until"] = "tomorrow"
    assert parse_lock(manifest).holds(T0 + 1000 * HOUR)


@pytest.mark.parametrize(
    ("people", "shown"),
    [
        pytest.param([ALICE], ALICE, id="one"),
        pytest.param([ALICE, BOB, CAROL], f"{ALICE}, {BOB}, {CAROL}", id="all-of-a-few"),
        pytest.param(
            [f"u{n:03}" for n in range(64)], ", ".join(f"u{n:03}" for n in range(17)) + " and 47 more", id="of-many-some"
        ),
        pytest.param(["a, b", BOB], f'"a, b", {BOB}', id="a-name-that-looks-like-two"),
        pytest.param(["x" * 253, BOB], "x" * 253 + " and 1 more", id="one-in-any-case"),
    ],
)
def test_the_column_names_all_or_says_how_many_more(people: list[str], shown: str) -> None:
    status = lock_status(next_lock_record(parse_lock(lock_manifest(*people)), 0, T0))
    assert status["summary"] == {"subjects": shown}
    again = parse_lock(lock_manifest(*people) | {"status": status})
    assert next_lock_record(again, 0, T0 + HOUR) == again.recorded, "a further look writes nothing"
