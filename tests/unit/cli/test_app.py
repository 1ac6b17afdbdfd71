"""The command line itself: words of other tools, help, versions, and what -o takes."""

from pathlib import Path
from typing import cast

import pytest

from jitaccess import __version__
from jitaccess.cli.api.client import Client
from jitaccess.cli.api.connect import Connection
from jitaccess.cli.api.session import Session
from jitaccess.cli.app import run
from unit.cli.server import Server


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["status"], "there is no command 'status'; did you mean show?", id="status"),
        pytest.param(["create"], "there is no command 'create'; did you mean request?", id="create"),
        pytest.param(["apply"], "did you mean request -f FILE?", id="apply"),
        pytest.param(["delete", "x"], "did you mean withdraw?", id="delete"),
        pytest.param(["pending"], "did you mean review?", id="pending"),
        pytest.param(["statsu"], "did you mean show?", id="a-typing-error-in-another-tools-word"),
        pytest.param(["aprove"], "did you mean approve?", id="a-typing-error"),
        pytest.param(["qqq"], "there is no command 'qqq'\n", id="nobody-knows"),
        pytest.param(["deny", "x", "--reason", "y"], "did you mean --note?", id="deny-reason"),
        pytest.param(["approve", "x", "--message", "y"], "did you mean --note?", id="approve-message"),
        pytest.param(["request", "--duration", "1h"], "did you mean --for?", id="request-duration"),
        pytest.param(["request", "--justification", "y"], "did you mean --reason?", id="request-justification"),
        pytest.param(["request", "-m", "y"], "did you mean --reason?", id="request-m"),
        pytest.param(["request", "--filename", "y"], "did you mean --file?", id="request-filename"),
        pytest.param(["ls", "--requester", "y"], "--user", id="ls-requester"),
    ],
)
def test_the_words_of_other_tools_lead_to_ours(capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    assert run(words) == 2
    err = capsys.readouterr().err
    assert said in err
    assert "--help" in err, "what there is, is a command away"


@pytest.mark.parametrize("form", ["wide", "jsonpath={.metadata.name}", "go-template={{.}}", "custom-columns=A:.b"])
def test_forms_that_only_kubectl_has_are_refused_with_the_way_to_them(capsys: pytest.CaptureFixture[str], form: str) -> None:
    assert run(["show", "x", "-o", form]) == 2
    err = capsys.readouterr().err
    assert f"-o {form.partition('=')[0]} is kubectl's: here it is json, yaml or name" in err
    assert "kubectl get accessrequests" in err


def test_a_form_that_nobody_has_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["show", "x", "-o", "xml"]) == 2
    assert "'xml'" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["approve"], []], ids=["of-a-command", "of-all"])
def test_help_is_a_command_too(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    assert run(["help", *words]) == 0
    said = capsys.readouterr().out
    assert run([*words, "--help"]) == 0
    assert said == capsys.readouterr().out
    assert said.startswith("Usage: kubectl jit")


def test_help_for_what_is_no_command_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["help", "status"]) == 2
    assert "did you mean show?" in capsys.readouterr().err


def test_version_says_what_the_plugin_and_the_cluster_speak(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Session, "client", Client(cast(Connection, Server("alice", []))))
    assert run(["version"]) == 0
    plugin, cluster = capsys.readouterr().out.splitlines()
    assert plugin == f"Plugin   {__version__}, speaks jitaccess.dev/v1alpha1"
    assert cluster == "Cluster  serves jitaccess.dev/v1alpha1, jitaccess.dev/v1"


def test_version_of_the_plugin_alone_asks_nobody(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    assert run(["version", "--client", "-o", "json"]) == 0
    assert f'"version": "{__version__}"' in capsys.readouterr().out
    assert run(["version"]) == 1
    said = capsys.readouterr()
    assert __version__ in said.out
    assert "no kubeconfig was found" in said.err
