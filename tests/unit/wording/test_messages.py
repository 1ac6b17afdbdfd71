"""What approvers and requesters read, and many messages in one."""

from datetime import timedelta

import pytest

from jitaccess.domain.notices import Occasion
from jitaccess.domain.recorded import Entry, State
from jitaccess.wording.folding import folded
from jitaccess.wording.messages import message
from jitaccess.wording.titles import Told
from unit.examples import ALICE, BOB, HOUR, NAMESPACE, T0, active_status, approved_by, policy, request, stages_manifest

ROLE = {
    "uid": "r-1",
    "hash": "0123456789abcdef",
    "rules": [{"verbs": ["get", "list"], "groups": [""], "resources": ["pods", "secrets"]}],
    "risks": ["reads Secrets"],
}
CONSOLE = "https://access.example.com/{namespace}/{name}"


def entry(state: State, reason: str, words: str = "", by: str = "") -> Entry:
    """An entry of the history."""
    return Entry(T0, state, reason, words, by)


def test_an_approver_reads_all_that_the_decision_needs() -> None:
    asked = request(status={"role": ROLE, "state": "Pending"}, requesterGroups=["developers"], ticket="INC-42")
    told = Told(Occasion.REQUESTED, asked, policy(), entry(State.PENDING, "Requested", by=ALICE), console=CONSOLE)
    found = message(told, T0 + HOUR)
    assert found.title == "jitaccess: alice\uff20example\u2024com asks for ClusterRole view in namespace team-a"
    assert found.body.split("\n") == [
        "Who: alice\uff20example\u2024com (developers)",
        "Role: ClusterRole view",
        "Allows: get, list: pods, secrets",
        "Outlives the access: " + found.body.partition("Outlives the access: ")[2].partition("\n")[0],
        "Where: namespace team-a",
        "How long: 1h",
        "Why: INC-42 pods crash looping",
        "Ticket: INC-42",
        "Policy: prod-debug, 1 approval from Group leads",
        "Still needed: 1 approval from Group leads",
        "Decide until: 2026-07-02 02:10 UTC (in 23h)",
        "Approve: kubectl jit approve alice-7f3k -n team-a",
        "Deny: kubectl jit deny alice-7f3k -n team-a",
        "Look: https://access.example.com/team-a/alice-7f3k",
    ]
    assert "reads Secrets" in found.body


@pytest.mark.parametrize(
    ("occasion", "told", "title", "line"),
    [
        pytest.param(
            Occasion.GRANTED,
            entry(State.ACTIVE, "Granted"),
            "You have ClusterRole view in namespace team-a until 2026-07-01 03:10 UTC (in 55m)",
            "Give it back: kubectl jit withdraw alice-7f3k -n team-a",
            id="granted",
        ),
        pytest.param(
            Occasion.SCHEDULED,
            entry(State.SCHEDULED, "Scheduled"),
            "Your request for ClusterRole view in namespace team-a is decided and begins 2026-07-01 08:00 UTC (in 5h45m)",
            "Take it back: kubectl jit withdraw alice-7f3k -n team-a",
            id="decided-for-later",
        ),
        pytest.param(
            Occasion.TIMED_OUT,
            entry(State.TIMED_OUT, "OutsideWindow", "approved, but never granted: opens Mon 08:00 CEST"),
            "Your request for ClusterRole view in namespace team-a was approved, and not granted in time",
            "What: approved, but never granted: opens Mon 08\u223600 CEST",
            id="no-window-in-time",
        ),
        pytest.param(
            Occasion.ENDING,
            None,
            "Your access (ClusterRole view in namespace team-a) ends in 55m",
            "Go on after it: kubectl jit extend alice-7f3k -n team-a",
            id="about to end",
        ),
        pytest.param(
            Occasion.INCIDENT,
            entry(State.ACTIVE, "BindingRestored", "the binding was put back"),
            "Binding restored: Your access (ClusterRole view in namespace team-a)",
            "What: the binding was put back",
            id="incident",
        ),
    ],
)
def test_a_requester_reads_what_became_of_it(occasion: Occasion, told: Entry | None, title: str, line: str) -> None:
    state = told.state if told else State.ACTIVE
    status = active_status() if state is State.ACTIVE else {"state": state.value}
    asked = request(status=status, startTime="2026-07-01T08:00:00Z" if state is State.SCHEDULED else None)
    found = message(Told(occasion, asked, policy(), told, own=True), T0 + timedelta(minutes=5))
    assert found.title == f"jitaccess: {title}"
    assert line in found.body.split("\n")
    assert "Who: " not in found.body


@pytest.mark.parametrize(
    ("occasion", "told", "title"),
    [
        (
            Occasion.DENIED,
            entry(State.DENIED, "DeniedByApprover", by=BOB),
            "Your request for {} was denied by bob\uff20example\u2024com",
        ),
        (Occasion.TIMED_OUT, entry(State.TIMED_OUT, "PendingTimeout"), "Your request for {} was not decided in time"),
        (Occasion.FAILED, entry(State.FAILED, "RoleNotFound"), "Your request for {} could not be granted"),
        (
            Occasion.WITHDRAWN,
            entry(State.WITHDRAWN, "WithdrawnByRequester", by=ALICE),
            "Your request for {} was withdrawn by alice\uff20example\u2024com",
        ),
        (Occasion.ENDED, entry(State.EXPIRED, "DurationElapsed"), "Your access ({}) has ended"),
        (
            Occasion.ENDED,
            entry(State.REVOKED, "RevokedByApprover", by=BOB),
            "Your access ({}) was revoked by bob\uff20example\u2024com",
        ),
        (
            Occasion.APPROVED,
            entry(State.PENDING, "Approved", by=BOB),
            "Your request for {} was approved by bob\uff20example\u2024com",
        ),
        (Occasion.REMINDER, None, "Still waiting: You ask for {}"),
        (Occasion.ESCALATION, None, "Undecided for 1h: You ask for {}"),
    ],
)
def test_the_title_says_what_has_happened(occasion: Occasion, told: Entry | None, title: str) -> None:
    found = message(Told(occasion, request(), policy(), told, own=True), T0 + HOUR)
    assert found.title == f"jitaccess: {title.format('ClusterRole view in namespace team-a')}"


def test_an_approval_says_its_stage_and_for_how_long() -> None:
    told = Entry(T0, State.PENDING, "Approved", "[for 30m] go ahead", BOB, stage="lead", length=timedelta(minutes=30))
    found = message(Told(Occasion.APPROVED, request(), policy(), told), T0)
    assert any(line.startswith("Note: stage lead, for 30m of 1h") for line in found.body.split("\n"))


def test_who_is_asked_to_decide_reads_which_stages_are_open() -> None:
    asked = request(stages={"lead": approved_by(BOB)})
    found = message(Told(Occasion.REMINDER, asked, policy(**stages_manifest(lead=1, security=1)), None), T0)
    [line] = [line for line in found.body.split("\n") if line.startswith("Still needed")]
    assert "1 approval from Group security" in line
    assert "stage security" in line
    assert "lead" not in line


def test_no_line_begins_with_what_somebody_wrote() -> None:
    hostile = request(requester="- [x] # 1. head", reason="- one\n- two", groups=["-"])
    for occasion in Occasion:
        told = Told(occasion, hostile, policy(), entry(State.PENDING, "x", "- note", "- bob"))
        found = message(told, T0)
        lines = [found.title, *found.body.split("\n")]
        assert all(line.split(": ")[0].replace(" ", "").isalpha() for line in lines), lines


def test_many_messages_are_one() -> None:
    found = folded({(Occasion.REQUESTED, NAMESPACE): 14})
    assert found.title == "jitaccess: 14 more requests in namespace team-a"
    assert found.body == "14 more requests in namespace team-a\nLook: kubectl jit ls -n team-a"


def test_many_messages_of_many_kinds_are_one_short_one() -> None:
    counts = {(Occasion.ENDED, f"team-{number}"): number + 1 for number in range(30)}
    found = folded(counts | {(Occasion.REQUESTED, ""): 1})
    assert found.title == "jitaccess: 466 more messages"
    lines = found.body.split("\n")
    assert lines[0] == "30 more grants ended in namespace team-29"
    assert lines[12] == "and 19 more kinds of news"
    assert len(lines) == 25
