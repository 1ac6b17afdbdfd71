"""From nothing to the end of the story, and nothing left behind."""

import argparse
import os
import shlex
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import NoReturn

from controlplane.binaries import ensure_binaries
from controlplane.errors import ControlPlaneError, KubectlError
from controlplane.progress import Progress, say
from demo.screen import Screen
from demo.script import Story, StoryWentWrong, refusals
from demo.stage import Stage
from demo.story import NAMESPACE, STORY
from system import ROOT, System

OVERLAY = ROOT / "deploy" / "examples" / "nodes"  # everything, and cluster-wide access
RIGHT, WRONG, INTERRUPTED = 0, 1, 130
PEOPLE = ("alice", "bob", "carol", "mallory", "admin")
OPENING = """\
jitaccess on a real Kubernetes API server, on this machine's loopback only.
alice is in the group developers, bob and carol are in leads, mallory is in neither; each has a token of their own.
Every command is run as shown, and every answer is the API server's."""
INVITATION = """\
It keeps running until Ctrl-C. For another terminal, with the plugin and a context per person:

  export PATH={path}:$PATH
  export KUBECONFIG={kubeconfig}
{people}

And then, for example:

  alice jit request prod-debug --role view --for 5m --reason "just looking"
  bob jit approve
  alice get pods
  admin get accessrequests -o wide"""


def main(argv: Sequence[str] | None = None, story: Story = STORY) -> int:
    """Play the story; 0 if it came out right, 1 if not, 130 after Ctrl-C."""
    options = _parser().parse_args(argv)
    screen = Screen()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # a shell's background job ignores SIGINT unless told
        signal.signal(number, _interrupted)
    try:
        return _run(story, screen, keep=options.keep)
    except KeyboardInterrupt:
        say("\ninterrupted; everything is cleaned up")
        return INTERRUPTED
    except BrokenPipeError:  # nobody reads on; Python would complain once more at its exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return WRONG
    except (ControlPlaneError, KubectlError) as error:
        say(f"error: {error}")
        return WRONG


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m demo", description="The story of one grant, on a local control plane.")
    parser.add_argument("--keep", action="store_true", help="leave it running after the story, until Ctrl-C")
    return parser


def _interrupted(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _run(story: Story, screen: Screen, *, keep: bool) -> int:
    started = time.monotonic()
    ensure_binaries()
    system = System(overlay=OVERLAY, audit=True)
    try:
        screen.say(OPENING)
        with working("Starting etcd, kube-apiserver and kube-controller-manager; kubectl apply -k deploy/examples/nodes"):
            system.start()
        Stage(system, screen).play(story)
        took = f"{time.monotonic() - started:.0f} s"
        screen.verdict(f"The story came out right, {refusals(story)} refusals included, in {took}.", good=True)
        if keep:
            _leave_running(system, screen)
    except StoryWentWrong as wrong:
        screen.verdict(f"The story came out wrong in {wrong}", good=False)
        _show_log(system, screen)
        return WRONG
    finally:
        system.stop()
    return RIGHT


@contextmanager
def working(title: str) -> Iterator[None]:
    """Show on standard error that something is going on, and how long."""
    progress, over = Progress(title), Event()

    def tick() -> None:
        while not over.wait(0.5):
            progress.tick()

    ticking = Thread(target=tick, daemon=True)
    ticking.start()
    verdict = "FAILED"
    try:
        yield
        verdict = "done"
    finally:
        over.set()
        ticking.join()
        progress.close(verdict)


def _leave_running(system: System, screen: Screen) -> None:
    plane = system.plane
    programs = (plane.binaries["kubectl"].parent, Path(sys.executable).parent)
    screen.verbatim(invitation(programs, plane.kubeconfig_with_contexts(PEOPLE, namespace=NAMESPACE)))
    try:
        while system.operator is None or system.operator.running:
            time.sleep(0.5)
    except KeyboardInterrupt:
        return
    raise ControlPlaneError(f"the operator ended; its last words:\n{system.operator.log_tail()}")


def invitation(programs: Iterable[Path], kubeconfig: Path) -> str:
    """What to paste into another terminal; a path with a space in it is one word."""
    path = shlex.quote(os.pathsep.join(map(str, programs)))
    people = "\n".join(f'  {person}() {{ kubectl "$@" --context {person}; }}' for person in PEOPLE)
    return INVITATION.format(path=path, kubeconfig=shlex.quote(str(kubeconfig)), people=people)


def _show_log(system: System, screen: Screen) -> None:
    fields = ("level", "message", "request", "policy", "reason", "note")
    lines = [" ".join(str(entry[field]) for field in fields if entry.get(field)) for entry in system.log()[-8:]]
    if lines:
        screen.aside("\n".join(["The operator's last words:", *lines]))
