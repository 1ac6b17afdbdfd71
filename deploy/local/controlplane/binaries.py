"""Finds the control plane's binaries: KUBEBUILDER_ASSETS, else the cache, else a build into the cache."""

import fcntl
import hashlib
import json
import os
import platform
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from controlplane.errors import BuildError
from controlplane.guard import guard
from controlplane.process import Process
from controlplane.progress import run_with_progress, say, wait_with_progress
from controlplane.toolchain import find_go, parse_version

MODULE = Path(__file__).resolve().parent.parent  # where go.mod and go.sum are
PACKAGES = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
}
_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def cache_root() -> Path:
    """Return where built things are kept, outside the tree."""
    if own := os.environ.get("JITACCESS_CACHE"):
        return Path(own).absolute()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base).absolute() / "jitaccess"


def _go_mod(pattern: str) -> tuple[str, ...]:
    match = re.search(pattern, (MODULE / "go.mod").read_text(), re.MULTILINE)
    if match is None:
        raise BuildError(f"{MODULE / 'go.mod'} has no line like {pattern!r}; restore it from Git")
    return match.groups()


def build_flags() -> list[str]:
    """Return the flags of every `go build`; the version the binaries tell comes from go.mod."""
    major, minor, patch = _go_mod(r"^\s*(?:require\s+)?k8s\.io/kubernetes v(\d+)\.(\d+)\.(\d+)\b")
    told = {"gitVersion": f"v{major}.{minor}.{patch}", "gitMajor": major, "gitMinor": minor}
    stamps = [f"-X k8s.io/component-base/version.{name}={value}" for name, value in told.items()]
    ldflags = " ".join(["-s -w", *stamps])
    return ["-ldflags", ldflags]


def build_env() -> dict[str, str]:
    """Return the Go settings that change the output, all pinned, so that the key below tells the truth."""
    machine = platform.machine().lower()
    if machine not in _ARCHITECTURES:
        raise BuildError(f"no build for {machine}; set KUBEBUILDER_ASSETS to your own binaries")
    return {
        "GOOS": platform.system().lower(),
        "GOARCH": _ARCHITECTURES[machine],
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "GOAMD64": "v1",
        "GOARM64": "v8.0",
        "GOFLAGS": "-trimpath -buildvcs=false -mod=readonly",  # here, so that nobody's own GOFLAGS count
        "GOEXPERIMENT": "",
        "CGO_ENABLED": "0",  # the same result with and without a C compiler
    }


def cache_key() -> str:
    """Return the name of a build: everything that changes its output, and nothing that needs Go to be known.

    The `go` line of go.mod is in it; the patch release of the Go that built it is not: it would take a Go to look up a
    warm cache, and it changes nothing that the tests can see.
    """
    recipe = json.dumps([build_flags(), build_env(), PACKAGES], sort_keys=True)
    digest = hashlib.sha256(recipe.encode())
    for name in ("go.mod", "go.sum"):
        digest.update((MODULE / name).read_bytes())
    return digest.hexdigest()[:24]


def cache_dir() -> Path:
    return cache_root() / "controlplane" / cache_key()


def _executable(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


def _search() -> dict[str, Path]:
    places = [cache_dir()]
    if assets := os.environ.get("KUBEBUILDER_ASSETS"):
        places.insert(0, Path(assets).absolute())
    return {
        name: next(place / name for place in places if _executable(place / name))
        for name in PACKAGES
        if any(_executable(place / name) for place in places)
    }


@contextmanager
def building_in(cache: Path) -> Iterator[Path]:
    """A folder to build in, beside what is built; a killed build leaves nothing behind."""
    with tempfile.TemporaryDirectory(prefix=".building-", dir=cache) as scratch:
        guard().tell("watch", scratch)
        yield Path(scratch)
    guard().tell("forget", scratch)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock between processes; the system drops it when its holder ends in whatever way."""
    with path.open("w") as lock:

        def taken() -> bool:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        if not taken():
            wait_with_progress("waiting for another build", taken, lambda: str(path))
        yield


def go_build(title: str, command: Sequence[str], module: Path, scratch: Path, built: Path, otherwise: str) -> None:
    """Build one binary of a Go module with that `go build ... PACKAGE`; it appears whole or not at all.

    BuildError says why it could not be built, and `otherwise` what else to do.
    """
    result = scratch / built.name
    *build, package = command
    process = Process(
        f"go build {built.name}",
        [*build, "-o", result, package],
        scratch / f"{built.name}.log",
        env={**os.environ, **build_env(), "GOTMPDIR": str(scratch)},
        cwd=module,
    )
    if run_with_progress(title, process) != 0:
        raise BuildError(
            f"{built.name} could not be built; the last lines of go:\n{process.log_tail(25)}\n"
            "If a download failed, check the network and GOPROXY and run again: what is done stays done. "
            f"If memory or disk ran out, it takes about 2 GB of memory and 5 GB of disk. {otherwise}"
        )
    result.replace(built)


def _build(name: str, go: Path, scratch: Path, title: str) -> None:
    command = [str(go), "build", *build_flags(), PACKAGES[name]]
    otherwise = "Or set KUBEBUILDER_ASSETS to a directory that holds the binaries."
    go_build(title, command, MODULE, scratch, cache_dir() / name, otherwise)


def _build_missing(missing: list[str]) -> None:
    go = find_go(cache_root(), parse_version(_go_mod(r"^go (\S+)$")[0]))
    say(f"building {', '.join(missing)} with {go} into {cache_dir()}; the first time takes minutes")
    with building_in(cache_dir()) as scratch:
        for number, name in enumerate(missing, start=1):
            _build(name, go, scratch, f"[{number}/{len(missing)}] building {name}")


def ensure_binaries() -> Mapping[str, Path]:
    """Return the path of every binary, building those that are nowhere; BuildError says what to do."""
    if PACKAGES.keys() - _search().keys():
        cache_dir().mkdir(parents=True, exist_ok=True)
        with locked(cache_root() / "build.lock"):
            if missing := [name for name in PACKAGES if name not in _search()]:
                _build_missing(missing)
    return _search()
