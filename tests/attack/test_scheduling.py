"""Beginning when one may not: further ahead than anybody may ask, at another time than was decided, or after a no."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from attack import refusals
from attack.cluster import asks
from attack.stage import Stage, Theatre
from attack.table import Attempt, How, Scene, about, creates, decides, merges, on_both, play, table, writes
from controlplane.client import Answer, Person
from team import REQUESTS

UNDER: dict[str, Any] = {"policyRef": {"name": "scheduling"}}


def ahead(**time: float) -> str:
    """So much later than now, as RFC 3339."""
    return (datetime.now(UTC) + timedelta(**time)).strftime("%Y-%m-%dT%H:%M:%SZ")


def starts(**time: float) -> How:
    """Ask for access that begins so much later than when it is asked for."""

    def how(scene: Scene, me: Person) -> Answer:
        return me.create(REQUESTS, scene.stage.manifest(me.name, **UNDER, startTime=ahead(**time)))

    return how


def starts_wide(scene: Scene, me: Person) -> Answer:
    """Ask for access to the whole cluster that begins in a month and a day."""
    return asks(startTime=ahead(days=31))(scene, me)


def born_later(scene: Scene, me: Person) -> Answer:
    """Ask with a birthday of one's own, from which 30 days are far away."""
    manifest = scene.stage.manifest(me.name, **UNDER, startTime=ahead(days=60))
    manifest["metadata"]["creationTimestamp"] = ahead(days=59)
    return me.create(REQUESTS, manifest)


def scheduled(scene: Scene) -> str:
    """Let the scene be about a request of alice's that bob has approved, and that begins in an hour."""
    name = scene.ask("alice", **UNDER, startTime=ahead(hours=1))
    Stage.sure(scene.stage.decide("bob", "approve", name))
    scene.stage.until(name, "Scheduled")
    return name


def on_scheduled(how: How) -> How:
    """Do it to a request that is scheduled."""
    return about(scheduled, how)


def begins_sooner(scene: Scene, me: Person) -> Answer:
    """Move the beginning of a request that was decided for a later one."""
    return merges({"spec": {"startTime": ahead(seconds=1)}})(scene, me)


def asking() -> Iterator[Attempt]:
    in_time = starts(days=29)
    yield Attempt("to begin in 31 days", "alice", starts(days=31), refusals.TOO_FAR_AHEAD, in_time)
    yield Attempt("to begin 30 days and a minute ahead", "alice", starts(days=30, minutes=1), refusals.TOO_FAR_AHEAD, in_time)
    yield Attempt("to begin in 31 days in the whole cluster", "alice", starts_wide, refusals.TOO_FAR_AHEAD, asks())
    yield Attempt("to begin in 60 days, born in 59", "alice", born_later, refusals.TOO_FAR_AHEAD, in_time)
    yield Attempt(
        "to begin at no time", "alice", creates(**UNDER, startTime="tomorrow"), "must be of type date-time", in_time, status=422
    )
    # What strfmt takes for a time, and neither CEL nor the operator does.
    tomorrow = ahead(days=1).removesuffix("Z")
    for end in (",5Z", ".1234567891Z", "x5Z"):
        yield Attempt(
            f"to begin at a time that ends in {end}",
            "alice",
            creates(**UNDER, startTime=tomorrow + end),
            "spec.startTime in body should match",
            in_time,
            status=422,
        )


def deciding() -> Iterator[Attempt]:
    yield Attempt(
        "the requester approves what is scheduled",
        "alice",
        on_scheduled(decides("approve")),
        refusals.OWN_REQUEST,
        decides("revoke"),
    )
    yield Attempt(
        "a stranger denies what is scheduled",
        "mallory",
        on_scheduled(decides("deny")),
        'User "mallory" cannot patch resource "accessrequests"',
        decides("deny"),
        twin_who="bob",
    )
    yield Attempt(
        "approving what is scheduled in another's name",
        "bob",
        on_scheduled(writes("approvals", "bob: ok\ncarol: ok\nerin: ok")),
        refusals.OWN_LINE,
        decides("revoke"),
    )
    yield Attempt(
        "the requester moves the start of what is scheduled",
        "alice",
        on_scheduled(begins_sooner),
        "an AccessRequest cannot be changed after it was made; make a new one",
        decides("revoke"),
        status=422,
    )


@table(asking(), deciding())
def test_beginning_when_one_may_not(attempt: Attempt, stage: Theatre) -> None:
    play(attempt, stage)


@on_both()
@pytest.mark.parametrize(
    ("who", "verb", "state", "reason"),
    [
        pytest.param("bob", "deny", "Denied", "DeniedByApprover", id="denied-by-an-approver"),
        pytest.param("carol", "revoke", "Denied", "DeniedByApprover", id="revoked-by-another-approver"),
        pytest.param("alice", "revoke", "Withdrawn", "WithdrawnByRequester", id="withdrawn-by-the-requester"),
    ],
)
def test_a_no_before_the_start_is_the_last_word(stage: Theatre, who: str, verb: str, state: str, reason: str) -> None:
    name = scheduled(Scene(stage))
    assert not stage.bindings(name)
    Stage.sure(stage.decide(who, verb, name))
    assert stage.until(name, state)["settled"] is True
    assert stage.condition(name, "Granted")["reason"] == reason
    assert not stage.bindings(name)


@on_both()
def test_a_start_that_the_policy_does_not_allow_is_denied_at_the_first_look(stage: Theatre) -> None:
    name = stage.request(startTime=ahead(hours=1))
    stage.until(name, "Denied")
    assert stage.condition(name, "Denied")["reason"] == "SchedulingNotAllowed"
