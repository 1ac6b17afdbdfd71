"""`kubectl jit lint` as people and pipelines run it: what it prints, where, and its exit codes."""

import io
import json
import sys
from functools import partial
from pathlib import Path

import pytest

from jitaccess.cli.app import cli, run
from jitaccess.cli.commands.completion import answer_kubectl
from unit.effort import grows_evenly

GOOD = """\
apiVersion: jitaccess.dev/v1alpha1
kind: AccessPolicy
metadata: {name: debug, namespace: team-a}
spec:
  roles:
    - {kind: ClusterRole, name: view}
  requesters:
    - {kind: Group, name: developers}
  approvers:
    - {kind: User, name: bob}
  maxDuration: 4h
"""
NOTE = GOOD + "  allowPersistentRisk: true\n"
WARNING = GOOD.replace("- {kind: Group, name: developers}", "- {kind: Group, name: developers}\n    - {kind: User, name: bob}")
ERROR = GOOD.replace("4h", "1d")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, and nothing that leads to a cluster."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KUBECONFIG", "/nonexistent")
    return tmp_path


def test_a_finding_is_one_line_that_editors_can_follow(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "policy.yaml").write_text(ERROR)
    assert run(["lint", "policy.yaml"]) == 1
    out, err = capsys.readouterr()
    said = "spec.maxDuration: is not a duration: write it like 30m, 4h or 1h30m, and a day as 24h"
    assert out == f"policy.yaml:11:3: error: {said} (cel)\n"
    assert err == "1 object in 1 file: 1 error\n"


@pytest.mark.parametrize(
    ("text", "least", "code"),
    [
        pytest.param(GOOD, "note", 0, id="nothing"),
        pytest.param(NOTE, "note", 1, id="a-note-at-note"),
        pytest.param(NOTE, "warning", 0, id="a-note-at-warning"),
        pytest.param(WARNING, "warning", 1, id="a-warning-at-warning"),
        pytest.param(WARNING, "error", 0, id="a-warning-at-error"),
        pytest.param(WARNING, "", 0, id="a-warning"),
        pytest.param(ERROR, "error", 1, id="an-error-at-error"),
        pytest.param(ERROR, "", 1, id="an-error"),
        pytest.param("kind: [", "", 1, id="no-yaml"),
        pytest.param("a: 1\n", "note", 0, id="nothing-of-ours"),
        pytest.param("", "note", 0, id="an-empty-file"),
    ],
)
def test_the_exit_code_says_whether_something_was_bad_enough(here: Path, text: str, least: str, code: int) -> None:
    (here / "policy.yaml").write_text(text)
    assert run(["lint", "policy.yaml", *(["--fail-on", least] if least else [])]) == code


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param([], "Missing argument 'FILE...'", id="no-file"),
        pytest.param(["missing.yaml"], "cannot read missing.yaml: No such file or directory", id="no-such-file"),
        pytest.param(["a.yaml", "--fail-on", "always"], "'always'", id="no-such-level"),
        pytest.param(["a.yaml", "--ignore", "cell"], "'cell'", id="no-such-rule"),
        pytest.param(["a.yaml", "-o", "xml"], "'xml'", id="no-such-form"),
    ],
)
def test_what_makes_no_sense_is_exit_code_2(here: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    (here / "a.yaml").write_text(GOOD)
    assert run(["lint", *words]) == 2
    assert said in capsys.readouterr().err


def test_a_file_that_cannot_be_opened_is_exit_code_2(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "loop.yaml").symlink_to(here / "loop.yaml")
    assert run(["lint", "loop.yaml"]) == 2
    assert "cannot read loop.yaml: " in capsys.readouterr().err


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(ERROR.encode())))
    assert run(["lint", "-"]) == 1
    assert capsys.readouterr().out.startswith("-:11:3: error: ")


def test_folders_are_searched_and_what_is_not_ours_is_left_alone(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files: dict[str, str | bytes] = {
        "b/policy.yml": GOOD,
        "a/deep/policy.json": json.dumps({"apiVersion": "jitaccess.dev/v1alpha1", "kind": "AccessPolicy"}),
        "a/template.yaml": "{{ if .Values.x }}\nkind: [\n",
        "a/binary.yaml": b"\xff\xfe",
        "a/policy.txt": ERROR,
        ".git/policy.yaml": ERROR,
        "a/.hidden.yaml": ERROR,
    }
    for name, content in files.items():
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    assert run(["lint", "."]) == 1
    out, err = capsys.readouterr()
    assert [line.partition(" ")[0] for line in out.splitlines()] == ["a/deep/policy.json:1:1:"] * 2
    assert err == "2 objects in 4 files: 2 errors\n"


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["a/policy.yaml", "a/policy.yaml"], id="named-twice"),
        pytest.param(["a", "a/policy.yaml"], id="in-a-folder-and-named"),
        pytest.param(["a/policy.yaml", "."], id="named-and-in-a-folder"),
        pytest.param(["a", "./a"], id="in-two-folders"),
        pytest.param(["a/policy.yaml", "link.yaml"], id="by-another-name"),
    ],
)
def test_a_file_is_read_once(here: Path, capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    (here / "a").mkdir()
    (here / "a" / "policy.yaml").write_text(GOOD)
    (here / "link.yaml").symlink_to(here / "a" / "policy.yaml")
    assert run(["lint", *words]) == 0
    assert capsys.readouterr() == ("", "1 object in 1 file: nothing found\n")


def test_what_is_named_is_read_though_its_folder_is_searched_too(here: Path) -> None:
    (here / "broken.yaml").write_text("kind: [")
    assert (run(["lint", "."]), run(["lint", ".", "broken.yaml"])) == (0, 1)


def test_findings_are_in_the_order_of_files_and_lines(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "b.yaml").write_text(ERROR)
    (here / "a.yaml").write_text(f"{ERROR}---\n{ERROR.replace('debug', 'other')}  delivery: Pigeon\n")
    assert run(["lint", "b.yaml", "a.yaml", "--ignore", "duplicate-object", "--ignore", "overlapping-policies"]) == 1
    places = [line.split(": ")[0] for line in capsys.readouterr().out.splitlines()]
    assert places == ["a.yaml:11:3", "a.yaml:24:3", "b.yaml:11:3"], "the rules of CEL are not asked where delivery is wrong"


def test_roles_of_one_file_are_known_in_another(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "policy.yaml").write_text(GOOD.replace("name: view", "name: reader"))
    (here / "role.yaml").write_text(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: reader}\n"
        "rules: [{apiGroups: [''], resources: [secrets], verbs: [get]}]\n"
    )
    assert run(["lint", "policy.yaml"]) == 0
    assert run(["lint", "policy.yaml", "role.yaml"]) == 1
    assert "(read Secrets; as in role.yaml:1:1)" in capsys.readouterr().out


def test_json_has_each_part_of_a_finding(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "policy.yaml").write_text(ERROR)
    assert run(["lint", "policy.yaml", "-o", "json"]) == 1
    assert json.loads(capsys.readouterr().out) == [
        {
            "file": "policy.yaml",
            "line": 11,
            "column": 3,
            "level": "error",
            "rule": "cel",
            "object": "AccessPolicy team-a/debug",
            "field": "spec.maxDuration",
            "message": "spec.maxDuration: is not a duration: write it like 30m, 4h or 1h30m, and a day as 24h",
        }
    ]


def test_sarif_is_a_whole_log_even_without_findings(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "policy.yaml").write_text(GOOD)
    assert run(["lint", "policy.yaml", "-o", "sarif"]) == 0
    [ran] = json.loads(capsys.readouterr().out)["runs"]
    assert (ran["results"], len(ran["tool"]["driver"]["rules"]) > 10) == ([], True)


@pytest.mark.parametrize("form", [[], ["-o", "json"], ["-o", "sarif"]], ids=["text", "json", "sarif"])
def test_what_a_file_says_steers_no_terminal(here: Path, capsys: pytest.CaptureFixture[str], form: list[str]) -> None:
    (here / "\x1b[31m.yaml").write_text(GOOD.replace("maxDuration: 4h", '"\\e[2J\\u202e": 4h\n  "a\\nb": {}'))
    assert run(["lint", ".", *form]) == 1
    out = "".join(capsys.readouterr())
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "\\u202e" in out


def test_nothing_of_ours_is_said(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "values.yaml").write_text("a: 1\n")
    assert run(["lint", "values.yaml"]) == 0
    assert capsys.readouterr() == ("", "nothing of jitaccess.dev is in these files\n0 objects in 1 file: nothing found\n")


def test_two_hundred_policies_take_no_more_than_ten_times_twenty(here: Path) -> None:
    for number in range(200):
        part = here / str(number // 20)
        part.mkdir(exist_ok=True)
        (part / f"{number}.yaml").write_text(GOOD.replace("team-a", f"team-{number}").replace("bob", f"bob{number}"))

    def lint(folder: Path) -> None:
        assert run(["lint", str(folder)]) == 0

    lint(here / "0")  # what is imported is imported once
    assert grows_evenly(partial(lint, here), [partial(lint, here / str(part)) for part in range(10)])


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        pytest.param(["li"], "lint\tCheck policies offline, for Git.\n:4\n", id="the-command"),
        pytest.param(["lint", "po"], ":0\n", id="files"),
        pytest.param(["lint", "-o", "sa"], "sarif\n:4\n", id="forms"),
        pytest.param(["lint", "--fail-on", "w"], "warning\n:4\n", id="levels"),
        pytest.param(["lint", "--ignore", "over"], "overlapping-policies\n:4\n", id="rules"),
    ],
)
def test_it_is_completed(capsys: pytest.CaptureFixture[str], words: list[str], offered: str) -> None:
    assert answer_kubectl(cli, words) == 0
    assert capsys.readouterr().out == offered
