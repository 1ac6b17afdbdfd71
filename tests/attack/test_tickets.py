"""Tickets that hide, that are none, or that were changed; patterns that are none, or that should keep the operator busy."""

from collections.abc import Iterator
from typing import Any

import pytest

from attack import refusals
from attack.stage import Stage, Theatre
from attack.table import Attempt, How, Scene, creates, merges, on_both, play, table
from attack.test_policies import offers
from bench.machine import cpu_seconds
from controlplane.client import Person
from team import CLUSTER_POLICIES, REQUESTS, cluster_policy_manifest, eventually

NO_PATTERN = "error parsing regexp: "
# Each takes Python's own engine longer than anybody lives, with the ticket below.
EXPLODING = ("^(a+)+$", "^(a|a)*$", "^(a|aa)+$", "^(.*a){30}$", "^([a-z]+)*[0-9]$")
FUSE = "a" * 60 + "!"
MARKED = "INC-4e" + "\u0301" * 5
MOST = 20.0  # seconds of processor time for all of them together, which is the same whatever else the machine does


def tickets() -> Iterator[Attempt]:
    rows: list[tuple[str, Any, str]] = [
        ("with a zero-width space", "INC-\u200b42", f'spec.ticket: Invalid value: "INC-\\u200b42"{refusals.hidden(5)}'),
        ("with a line break at its end", "INC-42\n", refusals.hidden(7)),
        ("that is read backwards", "INC-\u202e24", refusals.hidden(5)),
        (
            "of five marks on a letter",
            MARKED,
            f'spec.ticket: Invalid value: "{MARKED}"{refusals.MARKS}',
        ),
        ("of 129 characters", "x" * 129, "spec.ticket: Too long: may not be more than 128 bytes"),
        ("of nothing", "", "spec.ticket in body should be at least 1 chars long"),
        ("as a number", 42, 'spec.ticket in body must be of type string: "integer"'),
    ]
    for words, ticket, refusal in rows:
        yield Attempt(f"a ticket {words}", "alice", creates(ticket=ticket), refusal, creates(ticket="INC-42"), status=422)


def asked(how: How) -> How:
    """Do it to a request that has a ticket."""

    def then(scene: Scene, me: Person) -> Any:
        scene.ask("alice", ticket="INC-42")
        return how(scene, me)

    return then


def changes() -> Iterator[Attempt]:
    for words, who, patch in (
        ("another ticket", "alice", {"ticket": "INC-43"}),
        ("no ticket any more", "alice", {"ticket": None}),
        ("another ticket by an approver", "bob", {"ticket": "INC-43"}),
    ):
        yield Attempt(
            f"{words}, after the request was made",
            who,
            asked(merges({"spec": patch})),
            refusals.IMMUTABLE,
            lambda scene, me: me.get(REQUESTS, scene.name),
            status=422,
        )
    yield Attempt(
        "a ticket added to a request that has none",
        "alice",
        lambda scene, me: merges({"spec": {"ticket": "INC-42"}})(scene, known_request(scene, me)),
        refusals.IMMUTABLE,
        lambda scene, me: me.get(REQUESTS, scene.name),
        status=422,
    )


def known_request(scene: Scene, me: Person) -> Person:
    """Make the request that the scene is about, and go on as that person."""
    assert scene.name
    return me


def patterns() -> Iterator[Attempt]:
    where, good = "spec.ticket.pattern: Invalid value: ", offers(ticket={"pattern": "^INC-[0-9]+$"})
    for words, pattern, refusal in (
        ("a pattern with an open bracket", "(INC", NO_PATTERN),
        ("a pattern that looks ahead", "(?=INC)", NO_PATTERN),
        ("a pattern that refers back", r"(a)\1", NO_PATTERN),
        ("a pattern that repeats too often", "(a{1000}){1000}", NO_PATTERN),
        ("a pattern with a hidden character", "INC\u200b", refusals.hidden(4)),
    ):
        yield Attempt(
            words, "paul", offers(ticket={"pattern": pattern}), where if refusal == NO_PATTERN else refusal, good, status=422
        )
    yield Attempt(
        "a pattern of 257 characters",
        "paul",
        offers(ticket={"pattern": "a" * 257}),
        "spec.ticket.pattern: Too long: may not be more than 256 bytes",
        good,
        status=422,
    )
    yield Attempt(
        "a ticket rule without a pattern", "paul", offers(ticket={}), "spec.ticket.pattern: Required value", good, status=422
    )
    for words, limits, refusal in (
        (
            "no grant a person",
            {"activePerRequester": 0},
            "spec.limits.activePerRequester in body should be greater than or equal to 1",
        ),
        ("no request a day", {"requestsPerDay": 0}, "spec.limits.requestsPerDay in body should be greater than or equal to 1"),
        ("minus one grant", {"activeInTotal": -1}, "spec.limits.activeInTotal in body should be greater than or equal to 1"),
        ("half a grant", {"activeInTotal": 0.5}, "spec.limits.activeInTotal in body must be of type int32"),
        ("no limit at all", {}, "spec.limits in body should have at least 1 properties"),
    ):
        yield Attempt(
            f"a limit of {words}", "paul", offers(limits=limits), refusal, offers(limits={"activeInTotal": 1}), status=422
        )


@table(tickets(), changes(), patterns())
def test_is_refused_for_the_stated_reason_and_the_honest_twin_succeeds(attempt: Attempt, stage: Theatre) -> None:
    play(attempt, stage)


@pytest.mark.parametrize("pattern", ["(INC", "(?=INC)", r"(a)\1"])
def test_a_cluster_policy_takes_no_such_pattern_either(stage: Theatre, pattern: str) -> None:
    manifest = cluster_policy_manifest("tickets", namespaceSelector={"matchLabels": {"env": "x"}}, ticket={"pattern": pattern})
    answer = stage.admin.create(CLUSTER_POLICIES, manifest, dryRun="All")
    assert (answer.status, "spec.ticket.pattern" in answer.message) == (422, True), answer.message


@on_both()
@pytest.mark.parametrize(
    ("ticket", "reason"),
    [
        pytest.param(None, "TicketMissing", id="none"),
        pytest.param("42", "TicketMismatch", id="of-another-form"),
        pytest.param("xINC-42", "TicketMismatch", id="with-something-before-it"),
        pytest.param("inc-42", "TicketMismatch", id="in-small-letters"),
        pytest.param("INC-\u0664\u0662", "TicketMismatch", id="in-other-digits"),
    ],
)
def test_a_wrong_ticket_is_denied_before_anybody_is_asked(stage: Theatre, ticket: str | None, reason: str) -> None:
    policy = ticketed(stage)
    name = stage.request("alice", policyRef={"name": policy}, ticket=ticket)
    status = stage.until(name, "Denied")
    assert [entry["reason"] for entry in status["history"]] == ["Requested", reason]
    late = stage.decide("bob", "approve", name)
    assert not late.ok, "nobody can approve it any more"
    right = stage.request("alice", policyRef={"name": policy}, ticket="INC-42")
    Stage.sure(stage.decide("bob", "approve", right))
    stage.until(right, "Active")


@on_both()
def test_no_pattern_and_no_ticket_keep_the_operator_busy(stage: Theatre) -> None:
    names = []
    for number, pattern in enumerate(EXPLODING):
        policy = stage.policy(f"exploding-{number}-{next(stage._names)}", ticket={"pattern": pattern})
        names.append(stage.request("alice", policyRef={"name": policy}, ticket=FUSE))
    operator = stage.system.operator
    assert operator
    before = cpu_seconds(operator.pid)
    for name in names:
        stage.until(name, "Denied")
    granted = stage.granted("alice", "debug")
    assert cpu_seconds(operator.pid) - before < MOST
    assert stage.status(granted)["state"] == "Active"


def ticketed(stage: Theatre) -> str:
    """A policy that asks for tickets, one an installation."""
    if not stage.find("ticketed", "accesspolicies"):
        stage.policy("ticketed", ticket={"pattern": "^INC-[0-9]+$"})
        eventually(lambda: stage.holds("alice", "request", "ticketed"), "alice may ask")
    return "ticketed"
