"""Finds promtool, Prometheus' own judge of rules and queries: on PATH, else in the cache, else built into the cache.

Its Go module is one of its own, beside the control plane's, so that neither changes when the other does (docs/adr/0012).
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

from controlplane.binaries import build_env, building_in, cache_root, go_build, locked
from controlplane.errors import BuildError
from controlplane.toolchain import find_go, parse_version

MODULE = Path(__file__).resolve().parent  # where go.mod and go.sum are
PACKAGE = "github.com/prometheus/prometheus/cmd/promtool"
# Without the clients of all the clouds in which Prometheus finds what to scrape: promtool asks none of them here.
FLAGS = ("-tags", "remove_all_sd", "-ldflags", "-s -w")
OTHERWISE = "Or put promtool on PATH."


class Unavailable(Exception):
    """There is no promtool here, and it cannot be built: no Go, or no way to its modules."""


def cache_key() -> str:
    """Return the name of a build: everything that changes its output, and nothing that needs Go to be known."""
    digest = hashlib.sha256(json.dumps([FLAGS, build_env(), PACKAGE], sort_keys=True).encode())
    for name in ("go.mod", "go.sum"):
        digest.update((MODULE / name).read_bytes())
    return digest.hexdigest()[:24]


def cached() -> Path:
    """Return where the build is, or will be."""
    return cache_root() / "promtool" / cache_key() / "promtool"


def ensure_promtool() -> Path:
    """Return the path of promtool, building it if it is nowhere; Unavailable where that cannot be, BuildError where it fails."""
    if found := shutil.which("promtool"):
        return Path(found)
    built = cached()
    if not built.exists():
        built.parent.mkdir(parents=True, exist_ok=True)
        with locked(cache_root() / "build.lock"):
            if not built.exists():
                _build(built)
    return built


def _build(built: Path) -> None:
    go = _go()
    # The modules come first, so that what cannot be had is not taken for what cannot be built.
    wanted = [str(go), "list", *FLAGS[:2], "-deps", PACKAGE]
    listed = subprocess.run(wanted, cwd=MODULE, env={**os.environ, **build_env()}, capture_output=True, text=True, check=False)
    if listed.returncode:
        raise Unavailable(f"the modules of promtool cannot be had: {listed.stderr[-500:]}")
    with building_in(built.parent) as scratch:
        go_build(
            "building promtool; the first time takes minutes",
            [str(go), "build", *FLAGS, PACKAGE],
            MODULE,
            scratch,
            built,
            OTHERWISE,
        )


def _go() -> Path:
    line = re.search(r"^go (\S+)$", (MODULE / "go.mod").read_text(), re.MULTILINE)
    if line is None:
        raise BuildError(f"{MODULE / 'go.mod'} has no line `go 1.x.y`; restore it from Git")
    try:
        return find_go(cache_root(), parse_version(line[1]))
    except BuildError as error:
        raise Unavailable(f"promtool is not on PATH, and there is no Go to build it: {error}") from error
