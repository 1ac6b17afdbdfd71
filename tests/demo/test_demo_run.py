"""The demo as people run it: a program, on a control plane of its own, that leaves nothing behind."""

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from controlplane.binaries import ensure_binaries
from controlplane.patience import PATIENCE
from demo.story import STORY
from team import eventually

ROOT = Path(__file__).resolve().parents[2]
DEMO = [sys.executable, "-m", "demo"]
SHORT = """
import sys
from demo.cli import main
from demo.script import Scene, Step
sys.exit(main({argv}, [Scene("Short", "", (Step("{who}", "kubectl get namespaces", says=("default",)),))]))
"""

REFUSED = (
    'User "mallory" cannot create resource "accessrequests"',
    "spec.requester must be your own user name",
    "nobody may approve their own request",
    "an AccessRequest cannot be changed after it was made",
    "may only gain one line, at the end, which starts with your own user name, 'bob: '",
)

Run = subprocess.Popen[str]


Start = Callable[..., Run]


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a run whose temporary files are ours to look at; it must leave neither files nor processes."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    binaries = ensure_binaries()["kubectl"].parent
    yield {
        **os.environ,
        "TMPDIR": str(temporary),
        "PYTHONPATH": str(ROOT / "deploy" / "local"),
        "KUBEBUILDER_ASSETS": str(binaries),
        "TERM": "xterm",
    }
    eventually(lambda: not _processes(temporary), f"no process of {temporary} is left")
    assert not list(temporary.iterdir())


def _processes(temporary: Path) -> list[str]:
    listing = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listing.splitlines() if str(temporary) in line]


@pytest.fixture
def start(environment: dict[str, str]) -> Iterator[Start]:
    """Start runs; one that a failed test left is ended."""
    runs: list[Run] = []

    def run(*argv: str) -> Run:
        runs.append(subprocess.Popen(argv, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return runs[-1]

    yield run
    for each in runs:
        each.kill()
        each.communicate()


def _lines_until(run: Run, words: str) -> str:
    assert run.stdout
    seen = ""
    for line in run.stdout:
        seen += line
        if words in line:
            return seen
    return pytest.fail(f"it never said {words!r}, only: {seen}")


def test_the_story_comes_out_right(start: Start) -> None:
    run = start(*DEMO)
    out, err = run.communicate(timeout=5 * PATIENCE)
    assert run.returncode == 0, out[-3000:] + err[-1000:]
    assert "The story came out right" in out
    assert "\033[" not in out + err, "no colours where there is no terminal"
    told = " ".join(out.split())
    for scene in STORY:
        for step in scene.steps:
            assert " ".join(step.command.split()) in told, "every command is shown"
    for reason in REFUSED:
        assert reason in told
    assert re.search(r"allowed by RoleBinding jit-alice-7f3k-\w{8}/team-a of ClusterRole jitaccess-debug to User alice", told)


def test_a_story_that_comes_out_wrong_is_an_error_that_names_the_step(start: Start) -> None:
    run = start(sys.executable, "-c", SHORT.format(argv=[], who="alice"))
    out, _ = run.communicate(timeout=PATIENCE)
    assert run.returncode == 1
    assert 'wrong in scene 1, "Short":\nalice$ kubectl get namespaces\nit must succeed, but its exit code was 1' in out
    assert "The story came out right" not in out


def test_keep_leaves_it_running_with_a_context_per_person_until_ctrl_c(start: Start, environment: dict[str, str]) -> None:
    run = start(sys.executable, "-c", SHORT.format(argv=["--keep"], who="admin"))
    said = _lines_until(run, "admin get accessrequests -o wide")
    (path,) = re.findall(r"export PATH=(.+):\$PATH", said)
    (kubeconfig,) = re.findall(r"export KUBECONFIG=(.+)", said)
    [path], [kubeconfig] = shlex.split(path), shlex.split(kubeconfig)
    mine = {**environment, "PATH": f"{path}:{environment['PATH']}", "KUBECONFIG": kubeconfig, "KUBECACHEDIR": kubeconfig + ".d"}
    for person in ("alice", "bob", "carol", "mallory", "admin"):
        whoami = ["kubectl", "--context", person, "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"]
        assert subprocess.run(whoami, env=mine, capture_output=True, text=True, check=True).stdout == person
    run.send_signal(signal.SIGINT)
    run.communicate(timeout=PATIENCE)
    assert run.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_an_interrupted_demo_cleans_up(number: signal.Signals, start: Start) -> None:
    run = start(*DEMO)
    _lines_until(run, "---")
    run.send_signal(number)
    _, err = run.communicate(timeout=PATIENCE)
    assert run.returncode == 130
    assert "interrupted" in err
