"""What nobody has begun is not said to be under way."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from jitaccess.domain.model import AccessPolicy, AccessRequest
from jitaccess.domain.text import format_time
from jitaccess.wording.unseen import change_unseen, not_acted_on, operator_words, policy_unseen, request_unseen
from unit.examples import ALICE, BOB, CAROL, T0, active_status, approved_by, policy, request

READY = {"conditions": [{"type": "Ready", "status": "True", "reason": "InForce", "message": "x"}]}
LOOKED_AT = {"revision": 1, "state": "Pending"}


@pytest.mark.parametrize(
    ("about", "after", "words"),
    [
        pytest.param(request(), 5, "", id="it-still-may-look"),
        pytest.param(request(), 6, "not looked at yet: is the operator running?", id="it-should-have"),
        pytest.param(
            request(status={"observedGeneration": -1}), 6, "not looked at yet: is the operator running?", id="a-default"
        ),
        pytest.param(request(status=LOOKED_AT), 600, "", id="it-has"),
    ],
)
def test_a_request_that_should_have_been_looked_at(about: AccessRequest, after: int, words: str) -> None:
    assert request_unseen(about, T0 + timedelta(seconds=after)) == words
    assert about.recorded.unseen is (about.recorded.revision == 0)


def made(generation: int = 3, **fields: Any) -> AccessPolicy:
    return policy(metadata={"creationTimestamp": format_time(T0), "generation": generation}, **fields)


@pytest.mark.parametrize(
    ("about", "after", "unseen", "changed"),
    [
        pytest.param(made(), 1, "not looked at yet", "", id="new"),
        pytest.param(made(), 6, "not looked at yet: is the operator running?", "", id="not-so-new"),
        pytest.param(made(status={"observedGeneration": 3} | READY), 600, "", "", id="looked-at"),
        pytest.param(
            made(status={"observedGeneration": 3} | READY, generation=4),
            600,
            "",
            "its latest change is not looked at yet",
            id="changed-since",
        ),
        pytest.param(
            made(status={"observedGeneration": -1}),
            6,
            "not looked at yet: is the operator running?",
            "",
            id="a-default-is-no-look",
        ),
    ],
)
def test_a_policy_that_was_not_looked_at(about: AccessPolicy, after: int, unseen: str, changed: str) -> None:
    assert (policy_unseen(about, T0 + timedelta(seconds=after)), change_unseen(about)) == (unseen, changed)


def signed(by: str) -> dict[str, Any]:
    return {"by": by, "note": "", "at": "2026-11-24T02:10:00Z"}


@pytest.mark.parametrize(
    ("about", "words"),
    [
        pytest.param(request(status=LOOKED_AT), "", id="nothing-was-decided"),
        pytest.param(request(approvals=approved_by(BOB), status=LOOKED_AT), f"approved by {BOB}", id="an-approval"),
        pytest.param(
            request(approvals=approved_by(BOB, CAROL), status=LOOKED_AT | {"approvals": [signed(BOB)]}),
            f"approved by {CAROL}",
            id="the-second-approval",
        ),
        pytest.param(
            request(approvals=approved_by(BOB), status=LOOKED_AT | {"approvals": [signed(BOB)]}), "", id="all-on-record"
        ),
        pytest.param(
            request(approvals=approved_by(BOB), denials=f"{CAROL}: no", status=LOOKED_AT),
            f"denied by {CAROL}",
            id="a-denial-wins",
        ),
        pytest.param(
            request(revocations=f"{ALICE}: done", status=active_status()), f"revoked by {ALICE}", id="access-that-was-to-end"
        ),
        pytest.param(request(denials="???", status=active_status()), "denied by somebody", id="by-nobody-knows-whom"),
        pytest.param(request(denials=f"{BOB}: no", status={"revision": 2, "state": "Denied"}), "", id="settled"),
    ],
)
def test_decisions_that_nobody_acted_on(about: AccessRequest, words: str) -> None:
    assert not_acted_on(about) == (f"{words}; the operator has not acted on that yet" if words else "")


@pytest.mark.parametrize(
    ("heard", "words"),
    [
        pytest.param(None, "is the operator running?", id="not-known"),
        pytest.param(T0 - timedelta(minutes=12), "the operator is not running: it was last heard of 12m ago", id="silent"),
        pytest.param(T0 - timedelta(seconds=2), "the operator is running: its log and /readyz say more", id="running"),
    ],
)
def test_the_operator_in_words(heard: datetime | None, words: str) -> None:
    assert operator_words(heard, T0) == words
