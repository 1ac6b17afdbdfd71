"""The pure parts of the demo: what counts as right, what the story holds, and how it looks."""

import io
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from demo.cli import invitation
from demo.screen import WIDE, Screen, folded, wants_colour
from demo.script import Outcome, Scene, Step, objection, refusals
from demo.story import STORY

STEPS = [step for scene in STORY for step in scene.steps]
MAY = Step("alice", "kubectl get pods", says=("web",), never=("secret",))
MAY_NOT = Step("alice", "kubectl get pods", says=("Forbidden",), refused=True)


@pytest.mark.parametrize(
    ("step", "outcome", "complaint"),
    [
        pytest.param(MAY, Outcome(0, "web"), "", id="what-should-succeed-succeeds"),
        pytest.param(MAY, Outcome(1, "web"), "must succeed", id="what-should-succeed-fails"),
        pytest.param(MAY, Outcome(0, "none"), "must say 'web'", id="the-words-are-missing"),
        pytest.param(MAY, Outcome(0, "web, secret"), "must not say 'secret'", id="unwanted-words-appear"),
        pytest.param(MAY_NOT, Outcome(1, "Forbidden"), "", id="what-should-be-refused-is-refused"),
        pytest.param(MAY_NOT, Outcome(0, "Forbidden"), "must be refused", id="what-should-be-refused-succeeds"),
        pytest.param(MAY_NOT, Outcome(1, "timeout"), "must say 'Forbidden'", id="an-outage-is-no-refusal"),
    ],
)
def test_an_outcome_is_right_or_says_what_is_wrong(step: Step, outcome: Outcome, complaint: str) -> None:
    said = objection(step, outcome)
    assert complaint in said
    assert bool(said) == bool(complaint)


def test_everybody_plays() -> None:
    assert {step.who for step in STEPS} == {"admin", "alice", "bob", "carol", "mallory"}


@pytest.mark.parametrize("step", STEPS, ids=lambda step: f"{step.who}-{step.command.splitlines()[0][:60]}")
def test_every_step(step: Step) -> None:
    assert step.command.startswith(("kubectl ", "sed ", "grep ", "kill ")), "plain tools only"
    assert "kubectl jit" not in step.command, "the plugin is never needed"
    assert not step.refused or step.says, "a refusal must be for the stated reason"
    assert max(map(len, f"{step.who}$ {step.command}".splitlines())) <= WIDE


def test_refusals_are_counted() -> None:
    assert refusals([Scene("", "", (MAY, MAY_NOT)), Scene("", "", (MAY_NOT,))]) == 2
    assert refusals(STORY) > 10


def test_long_lines_break_between_words_and_lose_nothing() -> None:
    line = "Error from server (Forbidden): " + "denied " * 20
    lines = folded(line, 80).splitlines()
    assert max(map(len, lines)) <= 80
    assert " ".join(lines).split() == line.split()


def test_what_fits_stays_as_it_is() -> None:
    table = "NAME         STATE     REQUESTER"
    assert folded(table, 80) == table


class Terminal(io.StringIO):
    """A stream that calls itself a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "environment", "colour"),
    [
        pytest.param(Terminal(), {"TERM": "xterm"}, True, id="a-terminal-has-colour"),
        pytest.param(Terminal(), {"TERM": "xterm", "NO_COLOR": "1"}, False, id="no-color-is-respected"),
        pytest.param(Terminal(), {"TERM": "xterm", "NO_COLOR": ""}, True, id="an-empty-no-color-is-none"),
        pytest.param(Terminal(), {"TERM": "dumb"}, False, id="a-dumb-terminal-has-none"),
        pytest.param(io.StringIO(), {"TERM": "xterm"}, False, id="a-file-has-none"),
    ],
)
def test_colour_only_where_it_is_welcome(stream: io.StringIO, environment: Mapping[str, str], colour: bool) -> None:
    assert wants_colour(stream, environment) is colour


@pytest.mark.parametrize("colour", [False, True])
def test_colour_is_never_the_only_carrier_of_meaning(colour: bool) -> None:
    stream = io.StringIO()
    screen = Screen(stream, width=80, colour=colour)
    screen.scene(1, Scene("Title", "A sentence.", ()))
    screen.command(MAY_NOT)
    screen.outcome(MAY_NOT, Outcome(1, "\nError: Forbidden\n\n"))
    screen.verdict("it came out wrong", good=False)
    text = stream.getvalue()
    assert ("\033[" in text) is colour
    for code in ("1", "31", "0"):
        text = text.replace(f"\033[{code}m", "")
    assert text == "\n--- 1. Title\nA sentence.\n\nalice$ kubectl get pods\nError: Forbidden\n\nit came out wrong\n"


def test_what_is_to_be_pasted_holds_where_paths_have_spaces(tmp_path: Path) -> None:
    home = tmp_path / "Alice's checkout of $HOME"
    kubeconfig = home / "tmp dir" / "people.kubeconfig"
    said = invitation([home / "assets", home / ".venv" / "bin"], kubeconfig)
    pasted = "\n".join(line for line in said.splitlines() if line.startswith("  export "))
    shell = ["/bin/sh", "-c", f'{pasted}\nprintf "%s\\n" "$PATH" "$KUBECONFIG"']
    done = subprocess.run(shell, env={"PATH": "/usr/bin"}, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"{home}/assets:{home}/.venv/bin:/usr/bin", str(kubeconfig)]
    assert done.stderr == ""
