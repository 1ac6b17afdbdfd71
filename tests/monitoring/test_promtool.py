"""Looking for promtool and building it, with a `go` that only pretends; the real one is tried by whoever has a cold cache."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import promtool
from controlplane.binaries import cache_key as key_of_the_control_plane
from controlplane.errors import BuildError
from controlplane.toolchain import GO_BIN, parse_version
from promtool import Unavailable, cached, ensure_promtool

FAKE_GO = """\
#!/bin/sh
if [ "$1" = env ]; then echo go1.99.0; exit; fi
if [ "$1" = list ]; then [ -z "$FAKE_GO_OFFLINE" ] || { echo "dial tcp: no route to host" >&2; exit 1; }; exit; fi
while [ "$1" != -o ]; do shift; done
echo "$2 $3" >> "$FAKE_GO_CALLS"
[ -z "$FAKE_GO_FAILS" ] || { echo "no space left on device" >&2; exit 1; }
printf '#!/bin/sh\\n' > "$2"; chmod +x "$2"
"""


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fake Go and no promtool on PATH, and an empty cache; the file that lists what was built."""
    go = tmp_path / "path" / "go"
    go.parent.mkdir()
    go.write_text(FAKE_GO)
    go.chmod(0o755)
    calls = tmp_path / "calls"
    calls.touch()
    monkeypatch.setenv("PATH", f"{go.parent}{os.pathsep}/usr/bin{os.pathsep}/bin")
    monkeypatch.setenv("FAKE_GO_CALLS", str(calls))
    monkeypatch.setenv("JITACCESS_CACHE", str(tmp_path / "cache"))
    return calls


def test_it_is_built_once_into_a_place_of_its_own(calls: Path) -> None:
    assert ensure_promtool() == ensure_promtool() == cached()
    [line] = calls.read_text().splitlines()
    assert line.endswith(f"/promtool {promtool.PACKAGE}")
    assert cached().parent.name == promtool.cache_key() != key_of_the_control_plane()
    assert [path.name for path in cached().parent.iterdir()] == ["promtool"]


def test_one_on_path_comes_first(calls: Path) -> None:
    own = calls.parent / "path" / "promtool"
    own.touch(mode=0o755)
    assert ensure_promtool() == own
    assert calls.read_text() == ""


@pytest.mark.usefixtures("calls")
def test_a_warm_cache_needs_no_go(monkeypatch: pytest.MonkeyPatch) -> None:
    ensure_promtool()
    monkeypatch.setenv("PATH", "")
    assert ensure_promtool() == cached()


@pytest.mark.usefixtures("calls")
def test_where_its_modules_cannot_be_had_that_is_said_and_nothing_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_GO_OFFLINE", "1")
    with pytest.raises(Unavailable, match="no route to host"):
        ensure_promtool()
    folder = Path(promtool.__file__).parents[1]
    ahead = subprocess.run([sys.executable, "-m", "promtool"], cwd=folder, capture_output=True, text=True, check=False)
    assert (ahead.returncode, ahead.stdout) == (0, "")
    assert "The tests of alerts and dashboard are skipped." in ahead.stderr


@pytest.mark.usefixtures("calls")
def test_a_build_that_fails_is_a_failure_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_GO_FAILS", "1")
    with pytest.raises(BuildError, match=r"no space left on device[\s\S]*put promtool on PATH"):
        ensure_promtool()
    assert list(cached().parent.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("FLAGS", ("-race",), id="flags"),
        pytest.param("build_env", lambda: {"GOARCH": "mips"}, id="platform"),
        pytest.param("PACKAGE", "elsewhere", id="package"),
    ],
)
def test_the_key_changes_with(name: str, value: object, monkeypatch: pytest.MonkeyPatch) -> None:
    before = promtool.cache_key()
    monkeypatch.setattr(promtool, name, value)
    assert promtool.cache_key() != before


@pytest.mark.parametrize("name", ["go.mod", "go.sum"])
def test_the_key_changes_with_the_module(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for file in ("go.mod", "go.sum"):
        (tmp_path / file).write_bytes((promtool.MODULE / file).read_bytes())
    monkeypatch.setattr(promtool, "MODULE", tmp_path)
    before = promtool.cache_key()
    (tmp_path / name).write_bytes(b"// changed\n" + (tmp_path / name).read_bytes())
    assert promtool.cache_key() != before


def test_the_go_from_pypi_is_new_enough_for_go_mod() -> None:
    lines = (promtool.MODULE / "go.mod").read_text().splitlines()
    [wanted] = [parse_version(line) for line in lines if line.startswith("go ")]
    assert parse_version(GO_BIN.partition("==")[2]) >= wanted
