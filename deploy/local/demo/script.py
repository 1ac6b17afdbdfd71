"""What a story is made of, and whether a step of it came out right: pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from controlplane.patience import PATIENCE

LAG = PATIENCE  # seconds; milliseconds are usual
FORBIDDEN = "Error from server (Forbidden)"


@dataclass(frozen=True, slots=True)
class Step:
    """One command, as its person types it, and what must come of it.

    `says` are words that its output must hold; `never` are words that it must not. Rights reach the API server's memory a
    moment after they are written: for `within` seconds the step is tried again until it comes out right, so such a step must be
    harmless to repeat. `while_waiting` is the title of a step that takes long.
    """

    who: str
    command: str
    says: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    refused: bool = False
    within: float = 0.0
    while_waiting: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command printed, and its exit code."""

    code: int
    output: str


@dataclass(frozen=True, slots=True)
class Scene:
    """Steps that belong together, and a sentence or two for the reader."""

    title: str
    text: str
    steps: tuple[Step, ...]


Story = Sequence[Scene]


def identity_of(reference: str) -> str:
    """The user name of a grant that is delivered as an identity, as whoever asked for it reads it in a shell."""
    return f"$(kubectl get {reference} -o jsonpath={{.status.identity}})"


class StoryWentWrong(Exception):
    """A step did not come out as the story says; the message names it."""


def objection(step: Step, outcome: Outcome) -> str:
    """Say what is wrong with an outcome; empty if it came out right."""
    return "; ".join(_objections(step, outcome))


def _objections(step: Step, outcome: Outcome) -> Iterator[str]:
    if step.refused and outcome.code == 0:
        yield "it must be refused, but it succeeded"
    if not step.refused and outcome.code != 0:
        yield f"it must succeed, but its exit code was {outcome.code}"
    for words in step.says:
        if words not in outcome.output:
            yield f"it must say {words!r}"
    for words in step.never:
        if words in outcome.output:
            yield f"it must not say {words!r}"


def refusals(story: Story) -> int:
    """How many attempts of the story must fail."""
    return sum(step.refused for scene in story for step in scene.steps)
