"""Who decided what, and when."""

from datetime import timedelta

import pytest

from jitaccess.domain.text import format_time
from jitaccess.wording.decisions import LedgerLine, decisions
from unit.examples import ALICE, BOB, CAROL, T0, lines, request

FIRST, SECOND = T0 + timedelta(minutes=1), T0 + timedelta(minutes=2)


def signed(by: str, note: str) -> dict[str, str]:
    return {"by": by, "note": note, "at": format_time(FIRST)}


ENDED = {"at": format_time(SECOND), "state": "Revoked", "reason": "RevokedByRequester", "by": ALICE}


@pytest.mark.parametrize(
    ("ledgers", "status", "expected"),
    [
        pytest.param(
            {"approvals": lines((BOB, "go"), (CAROL, "me too"))},
            {"approvals": [signed(BOB, "go")]},
            [LedgerLine("approved", BOB, "go", FIRST), LedgerLine("approved", CAROL, "me too", None)],
            id="an-approval-that-is-not-recorded-yet-has-no-time",
        ),
        pytest.param(
            {"denials": lines((BOB, "no"))},
            {"denial": signed(BOB, "no"), "state": "Denied"},
            [LedgerLine("denied", BOB, "no", FIRST)],
            id="a-denial",
        ),
        pytest.param(
            {"approvals": lines((BOB, "go")), "revocations": lines((ALICE, "done"))},
            {"approvals": [signed(BOB, "go")], "revocation": signed(ALICE, "done"), "state": "Revoked"},
            [LedgerLine("approved", BOB, "go", FIRST), LedgerLine("revoked", ALICE, "done", FIRST)],
            id="an-approval-and-a-revocation",
        ),
        pytest.param(
            {"revocations": lines((ALICE, "done"))},
            {"history": [ENDED], "state": "Revoked"},
            [LedgerLine("revoked", ALICE, "done", SECOND)],
            id="where-the-field-is-missing-the-end-of-the-history-has-the-time",
        ),
    ],
)
def test_decisions_carry_the_times_that_were_recorded(
    ledgers: dict[str, str], status: dict[str, object], expected: list[LedgerLine]
) -> None:
    assert decisions(request(**ledgers, status={"state": "Pending"} | status)) == expected


def test_a_line_without_a_name_is_nobodys() -> None:
    assert decisions(request(approvals="no name in it")) == [LedgerLine("approved", "", "no name in it", None)]
