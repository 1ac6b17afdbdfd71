"""What the real kstatus says of an object: its Go library, built once into the cache."""

import hashlib
import json
import os
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from controlplane.binaries import build_env, cache_root
from controlplane.errors import BuildError
from controlplane.patience import PATIENCE
from controlplane.toolchain import find_go

MODULE = Path(__file__).parent / "kstatus"
SOURCES = ("main.go", "go.mod", "go.sum")
OLDEST_GO = (1, 26)


@cache
def program() -> Path:
    """The program around kstatus; the test is skipped where Go or its modules cannot be had."""
    digest = hashlib.sha256(b"".join((MODULE / name).read_bytes() for name in SOURCES)).hexdigest()[:24]
    built = cache_root() / "kstatus" / digest / "kstatus"
    if not built.exists():
        try:
            go = str(find_go(cache_root(), OLDEST_GO))
        except BuildError as error:
            pytest.skip(f"kstatus is a Go library, and there is no Go: {error}")
        downloaded = _run(go, "mod", "download")
        if downloaded.returncode:
            pytest.skip(f"the modules of kstatus cannot be had: {downloaded.stderr[-500:]}")
        scratch = built.with_name(f"kstatus.{os.getpid()}")
        done = _run(go, "build", "-o", str(scratch), ".")
        assert done.returncode == 0, done.stderr
        scratch.replace(built)  # whole or not at all: others may build the same
    return built


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, **build_env()}
    return subprocess.run(command, cwd=MODULE, env=env, capture_output=True, text=True, check=False)


def health(manifest: dict[str, Any]) -> tuple[str, str]:
    """The status that kstatus computes (Current, InProgress, Failed, Terminating, ...), and its message."""
    done = subprocess.run(
        [program()], input=json.dumps([manifest]), capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stderr
    ((status, message),) = json.loads(done.stdout)
    return status, message
