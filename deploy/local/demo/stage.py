"""Plays a story: each command in a shell, as its person, and its real outcome."""

import os
import subprocess
import time

from controlplane.patience import PATIENCE
from controlplane.progress import Progress
from demo.screen import Screen
from demo.script import Outcome, Scene, Step, Story, StoryWentWrong, objection
from demo.story import NAMESPACE
from system import ROOT, System

_AGAIN = 0.3  # seconds between two attempts
_TICK = 0.25  # seconds


class Stage:
    """A system that was started, and the screen on which people see what happens to it."""

    def __init__(self, system: System, screen: Screen) -> None:
        self._system = system
        self._screen = screen

    def play(self, story: Story) -> None:
        """Play it to its end; StoryWentWrong names the first step that did not come out right."""
        for number, scene in enumerate(story, 1):
            self._screen.scene(number, scene)
            self._operator_runs()
            for step in scene.steps:
                self._play(number, scene, step)

    def _operator_runs(self) -> None:
        operator = self._system.operator
        if operator is None or not operator.running:
            operator = self._system.start_operator()
            self._screen.aside(
                f"jitaccess run --kubeconfig ...   (started as process {operator.pid}, "
                "with a token of ServiceAccount jitaccess-system/jitaccess)"
            )

    def _play(self, number: int, scene: Scene, step: Step) -> None:
        self._screen.command(step)
        outcome = self._outcome(step)
        self._screen.outcome(step, outcome)
        if wrong := objection(step, outcome):
            raise StoryWentWrong(f'scene {number}, "{scene.title}":\n{step.who}$ {step.command}\n{wrong}')

    def _outcome(self, step: Step) -> Outcome:
        deadline = time.monotonic() + step.within
        while objection(step, outcome := self._run(step)) and time.monotonic() < deadline:
            time.sleep(_AGAIN)
        return outcome

    def _run(self, step: Step) -> Outcome:
        shell = subprocess.Popen(
            ["/bin/sh", "-c", step.command],
            cwd=ROOT,
            env=self.environment(step.who),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )
        with shell:
            try:
                output = _read(shell, step.while_waiting)
            except BaseException:
                shell.kill()
                raise
        return Outcome(shell.returncode, output)

    def environment(self, who: str) -> dict[str, str]:
        """What that person's shell has: their own kubeconfig, and for the administrator where things are."""
        plane = self._system.plane
        mine = {"KUBECONFIG": str(plane.kubeconfig(who, namespace=NAMESPACE)), "LC_ALL": "C.UTF-8"}
        if who == "admin":
            operator = self._system.operator
            mine |= {"AUDIT_LOG": str(plane.audit_log), "OPERATOR": str(operator.pid) if operator else ""}
        return {**os.environ, **plane.environment(who), **mine}


def _read(shell: "subprocess.Popen[str]", title: str) -> str:
    """Everything that the shell prints; with a title, and where it takes longer, the time it takes."""
    deadline = time.monotonic() + PATIENCE
    progress = Progress(title) if title else None
    while True:
        try:
            output, _ = shell.communicate(timeout=_TICK)
        except subprocess.TimeoutExpired:
            if time.monotonic() > deadline:
                raise
            if progress:
                progress.tick()
        else:
            if progress:
                progress.close("done")
            return output
