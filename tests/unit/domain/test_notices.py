"""Which entry of a history is an occasion for what, and when the clock says something."""

from datetime import timedelta

import pytest

from jitaccess.domain.notices import Notify, Occasion, occasion_of
from jitaccess.domain.recorded import Entry, State
from jitaccess.manifests.notices import parse_notify
from unit.examples import HOUR, T0

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("state", "reason", "occasion"),
    [
        (State.PENDING, "Requested", Occasion.REQUESTED),
        (State.PENDING, "Approved", Occasion.APPROVED),
        (State.PENDING, "RoleNotFound", Occasion.INCIDENT),
        (State.SCHEDULED, "Scheduled", Occasion.SCHEDULED),
        (State.SCHEDULED, "RoleNotFound", Occasion.INCIDENT),
        (State.ACTIVE, "Granted", Occasion.GRANTED),
        (State.ACTIVE, "BindingRestored", Occasion.INCIDENT),
        (State.ACTIVE, "EndRefused", Occasion.INCIDENT),
        (State.EXPIRED, "DurationElapsed", Occasion.ENDED),
        (State.REVOKED, "GuardGone", Occasion.ENDED),
        (State.DENIED, "RoleChanged", Occasion.DENIED),
        (State.WITHDRAWN, "RequestDeleted", Occasion.WITHDRAWN),
        (State.TIMED_OUT, "PendingTimeout", Occasion.TIMED_OUT),
        (State.FAILED, "InvalidSpec", Occasion.FAILED),
        (State.DENIED, "UnreviewedEmergency", Occasion.DENIED),
        (State.ACTIVE, "Emergency", Occasion.EMERGENCY),
        (State.EXPIRED, "ReviewOwed", Occasion.REVIEW_OWED),
        (State.REVOKED, "ReviewOverdue", Occasion.REVIEW_OVERDUE),
        (State.EXPIRED, "ReviewedAsFine", Occasion.REVIEWED),
        (State.REVOKED, "ReviewedAsMisuse", Occasion.REVIEWED),
    ],
)
def test_every_entry_is_an_occasion(state: State, reason: str, occasion: Occasion) -> None:
    assert occasion_of(Entry(T0, state, reason)) is occasion


def test_every_settled_state_is_an_occasion() -> None:
    assert {occasion_of(Entry(T0, state, "x")) for state in State if state.settled} <= set(Occasion)


def test_the_clock_tells_of_what_waits_and_of_what_ends() -> None:
    notify = Notify("chat", remind_after=30 * MINUTE, escalate_after=HOUR, warn_before=10 * MINUTE)
    assert notify.due(Occasion.REMINDER, T0, None) == T0 + 30 * MINUTE
    assert notify.due(Occasion.ESCALATION, T0, None) == T0 + HOUR
    assert notify.due(Occasion.ENDING, T0, None) is None
    assert notify.due(Occasion.ENDING, None, T0 + HOUR) == T0 + 50 * MINUTE
    assert notify.due(Occasion.REMINDER, None, T0 + HOUR) is None
    assert Notify("chat").due(Occasion.REMINDER, T0, None) is None


def test_a_policy_says_who_is_told() -> None:
    spec = {
        "notify": [
            {"channel": "chat", "when": ["Requested", "Newer"], "remindAfter": "30m"},
            {"channel": "requester", "warnBefore": "10m", "escalateAfter": "nonsense"},
        ]
    }
    assert parse_notify(spec) == (
        Notify("chat", frozenset({Occasion.REQUESTED}), remind_after=30 * MINUTE),
        Notify("requester", warn_before=10 * MINUTE),
    )
    assert parse_notify({"notify": []}) == ()
    assert parse_notify({}) is None
