"""The record as CloudEvents: every entry of a history one event, the same each time, chained, and as docs/events/ says."""

import hashlib
import json
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_structured
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from jsonschema import Draft202012Validator

from jitaccess.domain.circumstances import Circumstances
from jitaccess.domain.lifecycle import decide
from jitaccess.domain.model import AccessRequest
from jitaccess.domain.recording import Incident, Outcome, next_step
from jitaccess.domain.roles import ShownRole
from jitaccess.manifests.cloudevent import CONTENT_TYPE, Event, canonical, event_hash, request_events
from jitaccess.manifests.parse import parse_request
from jitaccess.manifests.resources import CLUSTER_REQUESTS, REQUESTS
from jitaccess.manifests.status import request_status
from unit.emergencies import ended, reviewed
from unit.examples import (
    ALICE,
    BOB,
    CAROL,
    DELIVERY,
    HOUR,
    T0,
    UID,
    approved_by,
    cluster_request,
    policy,
    request,
    request_manifest,
)

CLUSTER = "0c1d2e3f-0000-4000-8000-00000000000a"
ROLE = ShownRole("r-1", "1111222233334444", ())
CHANGED = ShownRole("r-1", "5555666677778888", ())
SCHEMA = json.loads((Path(__file__).parents[3] / "docs/events/request.v1.json").read_text())
HOSTILE = 'x" }\\n{"id": "forged"} \u202eevil <!here> \u00e9\U0001f600 \x7f'


def looked_at(asked: AccessRequest, at: Any, role: ShownRole | None = ROLE, **outcome: Any) -> AccessRequest:
    """The request after a look, as it comes back from the API server."""
    verdict = decide(asked, policy(), at, Circumstances(role))
    delivery = DELIVERY if verdict.grant else None
    step = next_step(asked, Outcome(verdict, policy(), role, delivery, **outcome), at)
    return replace(asked, recorded=parse_request(request_manifest(status=request_status(step.recorded))).recorded)


def story(**fields: Any) -> list[AccessRequest]:
    """A request after each of its looks: asked, approved and granted, over."""
    asked = looked_at(request(**fields), T0)
    active = looked_at(replace(asked, approvals=request(approvals=approved_by(BOB)).approvals), T0 + HOUR / 2)
    return [asked, active, looked_at(active, T0 + HOUR * 2)]


def events(asked: AccessRequest) -> tuple[Event, ...]:
    return request_events(REQUESTS, asked, CLUSTER)


def test_every_entry_of_the_history_is_an_event_with_who_why_what_and_where() -> None:
    told = events(story()[-1])
    assert [event["type"] for event in told] == [
        f"dev.jitaccess.request.v1.{reason}" for reason in ("Requested", "Approved", "Granted", "DurationElapsed")
    ]
    assert {event["source"] for event in told} == {f"/clusters/{CLUSTER}"}
    assert {event["subject"] for event in told} == {"accessrequests/team-a/alice-7f3k"}
    granted = dict(told[2]["data"])
    del granted["prevHash"]
    assert granted == {
        "index": 2,
        "request": {"kind": "AccessRequest", "namespace": "team-a", "name": "alice-7f3k", "uid": UID},
        "requester": {"name": ALICE},
        "reason": "INC-42 pods crash looping",
        "duration": "1h",
        "role": {"kind": "ClusterRole", "name": "view", "uid": "r-1", "rulesHash": "1111222233334444"},
        "policy": {
            "kind": "AccessPolicy",
            "namespace": "team-a",
            "name": "prod-debug",
            "uid": "p-prod-debug",
            "generation": 3,
        },
        "transition": {
            "state": "Active",
            "settled": False,
            "reason": "Granted",
            "message": "ClusterRole view until 2026-07-01T03:40:00.000Z",
        },
        "decisions": [{"by": BOB, "reason": "Approved", "note": "ok", "at": "2026-07-01T02:40:00.000Z"}],
        "grant": {
            "delivery": "Binding",
            "from": "2026-07-01T02:40:00.000Z",
            "until": "2026-07-01T03:40:00.000Z",
            "binding": "jit-alice-7f3k-1a2b3c4d",
        },
    }


def test_a_decision_names_its_stage_and_the_time_that_it_allows() -> None:
    entries = [
        {"reason": "Requested", "message": "why", "by": ALICE},
        {"reason": "Approved", "message": "[for 30m] ok", "by": BOB, "stage": "lead", "duration": "30m"},
        {"reason": "Approved", "message": "ok", "by": CAROL, "stage": "security"},
    ]
    history = [{"at": "2026-07-01T02:40:00.000Z", "state": "Pending"} | entry for entry in entries]
    told = events(request(status={"state": "Pending", "revision": 1, "history": history}))
    assert not list(Draft202012Validator(SCHEMA).iter_errors(told[-1]["data"]))
    at = {"at": "2026-07-01T02:40:00.000Z", "reason": "Approved"}
    assert told[-1]["data"]["decisions"] == [
        at | {"by": BOB, "note": "[for 30m] ok", "stage": "lead", "duration": "30m"},
        at | {"by": CAROL, "note": "ok", "stage": "security"},
    ]


def test_ids_are_uuid5_of_the_request_and_the_place_in_its_history() -> None:
    assert [event["id"] for event in events(story()[-1])] == [str(uuid.uuid5(uuid.UUID(UID), str(n))) for n in range(4)]


def test_each_event_names_the_hash_of_the_one_before() -> None:
    told = events(story()[-1])
    digests = [f"sha256:{hashlib.sha256(canonical(event)).hexdigest()}" for event in told]
    assert [event["data"]["prevHash"] for event in told] == [None, *digests[:-1]]
    assert [event_hash(event) for event in told] == digests


def test_an_event_is_the_same_whatever_is_recorded_later() -> None:
    asked, active, over = story()
    assert events(asked) == events(over)[:1]
    assert events(active) == events(over)[:3]


def test_a_role_that_changes_later_changes_no_event_before() -> None:
    _, active, _ = story()
    changed = looked_at(active, T0 + HOUR, CHANGED)
    before, after = events(active), events(changed)
    assert after[: len(before)] == before
    assert [event["data"]["role"]["rulesHash"] for event in after] == [ROLE.digest] * 3 + [CHANGED.digest]


def test_a_role_that_changes_before_anybody_approved_changes_no_event_before() -> None:
    asked = looked_at(request(), T0)
    changed = looked_at(asked, T0 + HOUR / 4, CHANGED)
    assert events(changed)[:1] == events(asked)
    assert events(changed)[-1]["data"]["role"]["rulesHash"] == CHANGED.digest


def test_incidents_are_events_too() -> None:
    _, active, _ = story()
    incident = looked_at(active, T0 + HOUR, incidents=(Incident("BindingRestored", "put back"),))
    assert events(incident)[-1]["data"]["transition"]["reason"] == "BindingRestored"


def test_emergency_access_is_marked_and_its_review_names_the_end() -> None:
    told = events(reviewed())
    assert ["emergency" in event["data"] for event in told] == [False, True, True, True, True, True]
    assert [event["type"].rpartition(".")[2] for event in told][2:] == [
        "Emergency",
        "DurationElapsed",
        "ReviewOwed",
        "ReviewedAsFine",
    ]
    end = {"at": "2026-07-01T03:10:00.000Z", "reason": "DurationElapsed"}
    assert [event["data"].get("ended") for event in told][3:] == [None, end, end]
    assert told[-1]["data"]["decisions"] == [
        {"by": BOB, "reason": "ReviewedAsFine", "note": "as said", "at": "2026-07-01T04:10:00.000Z"}
    ]
    assert [list(Draft202012Validator(SCHEMA).iter_errors(event["data"])) for event in told] == [[]] * 6
    assert events(ended()) == told[:5], "a review changes no event before"


def test_a_cluster_wide_request_is_in_no_namespace() -> None:
    asked = looked_at(cluster_request(), T0)
    (event,) = request_events(CLUSTER_REQUESTS, asked, CLUSTER)[:1]
    assert event["subject"] == "clusteraccessrequests/alice-7f3k"
    assert "namespace" not in event["data"]["request"]
    assert "namespace" not in event["data"]["policy"]


@pytest.mark.parametrize("stage", range(3), ids=["asked", "active", "over"])
@pytest.mark.parametrize("reason", ["INC-42", HOSTILE], ids=["plain", "hostile"])
def test_events_are_what_the_schema_and_cloudevents_say(stage: int, reason: str) -> None:
    for event in events(story(reason=reason, requesterGroups=["developers"])[stage]):
        Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(event["data"])
        read = from_structured(HTTPMessage({"content-type": CONTENT_TYPE}, canonical(event)), JSONFormat(), CloudEvent)
        assert read.get_id() == event["id"]
        assert read.get_dataschema() == SCHEMA["$id"]
        assert read.get_data() == event["data"]


def test_the_schema_refuses_what_is_no_such_event() -> None:
    (event,) = events(story()[0])
    for field in SCHEMA["required"]:
        without = {name: value for name, value in event["data"].items() if name != field}
        assert list(Draft202012Validator(SCHEMA).iter_errors(without)), f"{field} is not asked for"


def test_whatever_people_write_an_event_stays_one_line() -> None:
    (event,) = events(story(reason=HOSTILE)[0])
    assert b"\n" not in canonical(event)
    assert json.loads(canonical(event))["data"]["reason"] == HOSTILE


def test_a_start_that_was_asked_for_is_in_every_event() -> None:
    under = policy(allowScheduling=True)
    asked = request(approvals=approved_by(BOB), startTime="2026-07-01T08:00:00Z")
    recorded = next_step(asked, Outcome(decide(asked, under, T0), under, ROLE), T0).recorded
    told = events(replace(asked, recorded=recorded))
    assert [(event["data"]["transition"]["state"], event["data"]["startTime"]) for event in told] == [
        ("Pending", "2026-07-01T08:00:00.000Z"),
        ("Pending", "2026-07-01T08:00:00.000Z"),
        ("Scheduled", "2026-07-01T08:00:00.000Z"),
    ]
    for event in told:
        Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(event["data"])


def test_a_ticket_is_in_every_event_of_its_request_and_in_no_other() -> None:
    tickets = [[event["data"].get("ticket") for event in events(story(**asked)[-1])] for asked in ({"ticket": "INC-42"}, {})]
    assert tickets == [["INC-42"] * 4, [None] * 4]
    assert not any("ticket" in event["data"] for event in events(story()[-1])), "events of old requests keep their hashes"
    for event in events(story(ticket="INC-42")[-1]):
        Draft202012Validator(SCHEMA).validate(event["data"])
