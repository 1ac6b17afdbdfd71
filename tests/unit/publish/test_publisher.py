"""What is told is what has been recorded: each new entry of the history, once, to every sink."""

import logging
from datetime import timedelta

import pytest

from jitaccess.domain.model import AccessRequest
from jitaccess.domain.recorded import Entry, State
from jitaccess.kube.api import Cluster
from jitaccess.manifests.gone import last_record
from jitaccess.manifests.resources import REQUESTS
from jitaccess.publish.events import Announcer, News
from jitaccess.publish.publisher import Publisher
from jitaccess.publish.transitions import transitions
from unit.examples import ALICE, BOB, KEY, T0, UID, active_status, approved_by, request

REQUESTED = Entry(T0, State.PENDING, "Requested", "INC-42", ALICE)
APPROVED = Entry(T0, State.PENDING, "Approved", "go ahead", BOB)
GRANTED = Entry(T0, State.ACTIVE, "Granted", "ClusterRole view until 2026-07-01T03:10:00.000Z")
REVOKED = Entry(T0 + timedelta(minutes=1), State.REVOKED, "RevokedByRequester", f"{ALICE}: done", ALICE)


class Sink(Announcer):
    """Keeps the Events instead of posting them."""

    def __init__(self) -> None:
        super().__init__(Cluster.__new__(Cluster))
        self.told: list[News] = []

    def tell(self, news: News) -> None:
        self.told.append(news)


@pytest.fixture
def sink() -> Sink:
    return Sink()


def active() -> AccessRequest:
    """Alice's request, granted at T0 for an hour."""
    status = active_status() | {"approvals": [{"by": BOB, "note": "ok", "at": "2026-07-01T02:10:00Z"}]}
    return request(approvals=approved_by(BOB), status=status)


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        pytest.param(REQUESTED, [], id="asking-is-no-event-for-who-asked"),
        pytest.param(APPROVED, [("Approved", f"by {BOB}: go ahead", False)], id="an-approval-says-by-whom"),
        pytest.param(GRANTED, [("Granted", "ClusterRole view until 2026-07-01T03:10:00.000Z", False)], id="a-grant"),
        pytest.param(REVOKED, [("RevokedByRequester", f"{ALICE}: done", False)], id="a-name-is-not-said-twice"),
        pytest.param(
            Entry(T0, State.ACTIVE, "EndRefused", "should have ended, but no"),
            [("EndRefused", "should have ended, but no", True)],
            id="trouble-warns",
        ),
        pytest.param(
            Entry(T0, State.REVOKED, "PolicyRecreated", "ask again"),
            [("PolicyRecreated", "ask again", True)],
            id="an-end-that-nobody-asked-for-warns",
        ),
    ],
)
def test_an_entry_becomes_at_most_one_event(sink: Sink, entry: Entry, told: list[tuple[str, str, bool]]) -> None:
    Publisher(sink).publish(REQUESTS, active(), [entry])
    assert [(news.reason, news.message, news.warning) for news in sink.told] == told
    assert {(news.resource, news.key, news.uid) for news in sink.told} <= {(REQUESTS, KEY, UID)}


def test_every_entry_is_a_line_in_the_log_with_who_what_and_until_when(sink: Sink, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        Publisher(sink).publish(REQUESTS, active(), [REQUESTED, APPROVED, GRANTED])
    lines = [(record.message, record.__dict__["by"], record.__dict__["expires_at"]) for record in caplog.records]
    assert lines == [
        ("request Requested", ALICE, "2026-07-01T03:10:00.000Z"),
        ("request Approved", BOB, "2026-07-01T03:10:00.000Z"),
        ("request Granted", "", "2026-07-01T03:10:00.000Z"),
    ]


def test_nothing_new_is_nothing_told(sink: Sink) -> None:
    Publisher(sink).publish(REQUESTS, active(), [])
    assert sink.told == []


def test_transitions_keep_their_order() -> None:
    made = transitions(REQUESTS, active(), [REQUESTED, APPROVED, GRANTED])
    assert [transition.entry.reason for transition in made] == ["Requested", "Approved", "Granted"]


@pytest.mark.parametrize(
    ("gone", "words"),
    [
        pytest.param(None, "nothing is known of it but its name", id="nothing-known"),
        pytest.param(
            request(),
            f"{ALICE} asked for ClusterRole view under AccessPolicy prod-debug because of: INC-42 pods crash looping; "
            "it was Pending",
            id="pending",
        ),
    ],
)
def test_a_deleted_record_leaves_what_is_known_of_it(sink: Sink, gone: AccessRequest | None, words: str) -> None:
    Publisher(sink).deleted(REQUESTS, KEY, UID, gone, "")
    [news] = sink.told
    assert (news.reason, news.warning) == ("RequestDeleted", True)
    assert news.message == f"the record of this request was deleted: {words}"
    assert news.record == (last_record(gone) if gone else "")
