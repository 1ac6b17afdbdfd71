"""Approving without the note that the policy asks for."""

from collections.abc import Iterator

import pytest

from attack import refusals
from attack.stage import Stage, Theatre
from attack.table import Attempt, How, Scene, about, after, decides, merges, on_both, play, table
from attack.test_deciding import APPROVALS, both, own_line
from attack.test_metadata import replaces
from controlplane.client import Answer, Person
from team import REQUESTS, eventually

# What shows as nothing: each is let through by the schema of a line, and none of it says anything.
BLANK = {
    "nothing": "",
    "a space": " ",
    "three spaces": "   ",
    "no-break spaces": "\u00a0\u00a0",
    "ideographic spaces": "\u3000\u2003 ",
}


def noted(scene: Scene) -> str:
    """A request under the policy that asks for notes, once the operator has recorded that."""
    name = scene.ask("alice", policyRef={"name": "noted"})
    eventually(lambda: scene.stage.status(name).get("noteRequired"), f"it is on record that {name} needs notes")
    return name


def on_noted(how: How) -> How:
    return about(noted, how)


def after_carol(how: How) -> How:
    """Do it once carol has approved, with her note."""

    def then(scene: Scene, me: Person) -> Answer:
        Stage.sure(scene.stage.decide("carol", "approve", scene.name, "I have seen the incident"))
        return how(scene, me)

    return then


def blanks() -> Iterator[Attempt]:
    for words, note in BLANK.items():
        yield Attempt(
            f"{words} for a note",
            "bob",
            on_noted(decides("approve", note)),
            refusals.NOTE_REQUIRED,
            decides("approve", f"{note}a"),
        )
        yield Attempt(
            f"{words} for a note, by hand",
            "bob",
            on_noted(own_line(note=note)),
            refusals.NOTE_REQUIRED,
            own_line(note=f"{note}a"),
        )


@table(
    blanks(),
    Attempt(
        "no note behind another's line",
        "bob",
        on_noted(after_carol(decides("approve", ""))),
        refusals.NOTE_REQUIRED,
        decides("approve", "so have I"),
    ),
    Attempt(
        "one's own name for a note that is not there",
        "bob ",
        on_noted(own_line(note=" ")),
        refusals.NOTE_REQUIRED,
        own_line(note="bob :"),
    ),
    Attempt(
        "no note, and a denial that has one",
        "bob",
        on_noted(both(approvals="{me}: ", denials="{me}: a note")),
        refusals.NOTE_REQUIRED,
        both(approvals="{me}: a note", denials="{me}: "),
    ),
    Attempt(
        "no note, with a status that asks for none",
        "pat",
        on_noted(
            lambda scene, me: replaces(
                status={**scene.stage.status(scene.name), "noteRequired": False}, metadata={"annotations": {APPROVALS: "pat: "}}
            )(scene, me)
        ),
        refusals.NOTE_REQUIRED,
        replaces(metadata={"annotations": {APPROVALS: "pat: seen"}}),
    ),
    Attempt(
        "writing into status that no note is needed",
        "wanda",
        on_noted(merges({"status": {"noteRequired": None}}, "status")),
        refusals.STATUS,
        lambda scene, me: me.get(REQUESTS, scene.name),
    ),
    Attempt(
        "writing into status that enough have approved",
        "wanda",
        on_noted(merges({"status": {"summary": {"approvals": "2/2"}}}, "status")),
        refusals.STATUS,
        lambda scene, me: me.get(REQUESTS, scene.name),
    ),
    Attempt(
        "a second line where the first has its note",
        "bob",
        on_noted(after(own_line(note="seen"), own_line(note="more"))),
        refusals.TWICE,
        own_line("denials", ""),
    ),
)
def test_is_refused_for_the_stated_reason_and_the_honest_twin_succeeds(attempt: Attempt, stage: Theatre) -> None:
    play(attempt, stage)


@on_both()
@pytest.mark.parametrize("ledger", ["denials", "revocations"])
def test_denying_and_revoking_need_no_note_ever(stage: Theatre, ledger: str) -> None:
    scene = Scene(stage)
    noted(scene)
    Stage.sure(own_line(ledger, "")(scene, stage.person("bob")))
    stage.until(scene.name, "Denied")


@on_both()
def test_an_approval_that_comes_before_the_record_counts_once_it_has_its_note(stage: Theatre) -> None:
    with stage.operator_frozen():
        name = stage.request(policyRef={"name": "noted"})
        Stage.sure(stage.decide("bob", "approve", name, ""))
    eventually(lambda: "no note: bob" in stage.condition(name, "Granted").get("message", ""), "why bob's does not count is said")
    Stage.sure(stage.decide("carol", "approve", name, "seen"))
    eventually(lambda: stage.status(name).get("summary") == {"approvals": "1/2"}, "carol's counts, bob's does not")
    assert not stage.bindings(name)
    Stage.sure(stage.decide("bob", "approve", name, "seen too"))
    status = stage.until(name, "Active")
    assert [(each["by"], each["note"]) for each in status["approvals"]] == [("bob", "seen too"), ("carol", "seen")]


@on_both()
def test_a_policy_that_asks_for_notes_later_leaves_access_alone(stage: Theatre) -> None:
    stage.policy("noted-later")
    running = stage.request(policyRef={"name": "noted-later"})
    Stage.sure(stage.decide("bob", "approve", running, ""))
    stage.until(running, "Active")
    Stage.sure(stage.admin.merge("accesspolicies", "noted-later", {"spec": {"noteRequired": True}}))
    fresh = stage.request(policyRef={"name": "noted-later"})
    eventually(lambda: stage.status(fresh).get("noteRequired"), "the policy asks for notes now")
    assert "asks for a note" in stage.decide("bob", "approve", fresh, "").message
    Stage.sure(stage.decide("bob", "approve", fresh, "seen"))
    stage.until(fresh, "Active")
    assert stage.status(running)["state"] == "Active", "it was approved as it had to be then"
