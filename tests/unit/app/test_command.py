"""The command line: complete help, a twin in the environment for every option, and messages that say what to do."""

import logging
import re
import socket
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from click.testing import CliRunner, Result

from jitaccess import __version__
from jitaccess.app.command import main
from jitaccess.app.risk_rules import read_risk_rules
from jitaccess.domain.risk import KNOWN
from unit.kube.test_credentials import kubeconfig
from unit.manifest_files import REPOSITORY

COMMANDS = ("run", "sweep")


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """The commands set up logging for the whole process."""
    loggers = [logging.getLogger(name) for name in ("", "kopf", "aiohttp")]
    before = [(logger, logger.level, list(logger.handlers)) for logger in loggers]
    yield
    for logger, level, handlers in before:
        logger.setLevel(level)
        logger.handlers[:] = handlers


def invoke(*args: str, **environment: str) -> Result:
    return CliRunner().invoke(main, list(args), env={"KUBECONFIG": "", "KUBERNETES_SERVICE_HOST": "", **environment})


def options(command: str) -> Iterator[click.Option]:
    yield from (parameter for parameter in main.commands[command].params if isinstance(parameter, click.Option))


def test_every_command_is_known_here() -> None:
    assert sorted(main.commands) == sorted((*COMMANDS, "notify"))  # a group, whose commands test_notifying.py has


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_tells_of_every_command(flag: str) -> None:
    done = invoke(flag)
    assert done.exit_code == 0
    assert all(re.search(rf"^  {command}  +\S", done.output, re.MULTILINE) for command in COMMANDS), done.output


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_tells_of_every_option_with_its_twin_and_default(command: str, flag: str) -> None:
    done = invoke(command, flag)
    text = re.sub(r"\s+", " ", done.output)
    assert done.exit_code == 0
    for option in options(command):
        assert option.opts[0] in text
        assert option.help, f"{option.opts[0]} has no help"
        assert f"[env var: JITACCESS_{option.name.upper() if option.name else ''}" in text, text
        if isinstance(option.default, str):
            assert f"default: {option.default}]" in text, text


def test_the_version_is_that_of_the_package() -> None:
    assert invoke("--version").output == f"jitaccess, version {__version__}\n"


BAD_VALUES = [
    pytest.param("--retention", "2 days", "'2 days' is not a duration: write it like 30m, 4h or 1h30m", id="retention-in-words"),
    pytest.param("--retention", "0s", "'0s' is not longer than 0s", id="retention-of-zero"),
    pytest.param("--retention", "876001h", "is longer than 876000h", id="retention-of-a-century-and-an-hour"),
    pytest.param("--sweep-every", "-5m", "'-5m' is not a duration", id="sweeping-in-the-past"),
    pytest.param("--health-address", "8080", "'8080' is not HOST:PORT, such as 0.0.0.0:8080", id="a-port-alone"),
    pytest.param("--health-address", ":8080", "is not HOST:PORT", id="no-host"),
    pytest.param("--health-address", "0.0.0.0:http", "is not HOST:PORT", id="a-port-in-words"),
    pytest.param("--health-address", "0.0.0.0:65536", "is not HOST:PORT", id="a-port-too-high"),
    pytest.param("--health-address", "0.0.0.0:-1", "is not HOST:PORT", id="a-negative-port"),
    pytest.param(
        "--identity", "a b", "'a b' is not made of letters, digits, '.', '_' and '-' alone", id="an-identity-of-two-words"
    ),
    pytest.param("--job-image", ":3", "':3' is no image name, such as registry.k8s.io/pause:3.10", id="a-tag-without-an-image"),
    pytest.param("--job-image", "a b", "'a b' is no image name", id="an-image-of-two-words"),
    pytest.param("--risk-rules", "/nonexistent/rules.yaml", "No such file or directory", id="no-risk-rules"),
    pytest.param("--log-level", "loud", "'loud' is not one of 'debug', 'info', 'warning', 'error'", id="an-unknown-level"),
    pytest.param(
        "--kubeconfig", "/nonexistent/config", "File '/nonexistent/config' does not exist", id="a-file-that-is-not-there"
    ),
]


@pytest.mark.parametrize("from_environment", [pytest.param(False, id="option"), pytest.param(True, id="environment")])
@pytest.mark.parametrize(("option", "value", "told"), BAD_VALUES)
def test_a_bad_value_is_told_with_exit_code_2(option: str, value: str, told: str, from_environment: bool) -> None:
    twin = f"JITACCESS_{option.strip('-').replace('-', '_').upper()}"
    done = invoke("run", **{twin: value}) if from_environment else invoke("run", option, value)
    assert done.exit_code == 2, done.output
    assert told in re.sub(r"\s+", " ", done.output), done.output
    assert f"Invalid value for '{option}'" in done.output, "the message names the option"


def test_a_retention_longer_than_python_can_count_is_a_bad_value() -> None:
    assert invoke("run", "--retention", "999999999999999h").exit_code == 2


@pytest.mark.parametrize("arguments", [("run", "--nonsense"), ("nonsense",), ("run", "extra")])
def test_what_is_unknown_is_refused_with_exit_code_2(arguments: tuple[str, ...]) -> None:
    assert invoke(*arguments).exit_code == 2


@pytest.mark.parametrize("command", COMMANDS)
def test_with_no_api_server_to_talk_to_people_are_told_what_to_do(command: str) -> None:
    done = invoke(command)
    assert done.exit_code == 1
    assert "Error: no API server to talk to: give --kubeconfig FILE, set KUBECONFIG, or run inside a Pod" in done.output


@pytest.mark.parametrize("command", COMMANDS)
def test_a_kubeconfig_that_cannot_be_used_is_told_in_one_line(command: str, tmp_path: Path) -> None:
    done = invoke(command, "--kubeconfig", str(kubeconfig(tmp_path, **{"current-context": "gone"})))
    assert done.exit_code == 1
    assert done.output.count("\n") == 1, f"one line is expected: {done.output}"
    assert "no context named gone" in done.output


@pytest.mark.parametrize("cluster", [{"certificate-authority": "missing.crt"}, {"certificate-authority-data": "LS0tLS0="}])
def test_a_missing_certificate_is_not_told_as_a_port_in_use(cluster: dict[str, Any], tmp_path: Path) -> None:
    done = invoke("run", "--kubeconfig", str(kubeconfig(tmp_path, cluster=cluster)))
    assert "cannot listen" not in done.output, done.output


def test_risk_rules_that_are_wrong_are_refused_with_the_line(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("dangers:\n  - words: pay invoices\n    groups: billing\n")
    done = invoke("run", JITACCESS_RISK_RULES=str(rules))
    assert done.exit_code == 2, done.output
    assert f"{rules}, line 3: dangers[0].groups is no list" in re.sub(r"\s+", " ", done.output)


def test_the_risk_rules_that_we_install_are_right_and_add_nothing() -> None:
    installed = yaml.safe_load((REPOSITORY / "deploy" / "base" / "risk-rules.yaml").read_text())
    assert read_risk_rules(installed["data"]["risk-rules.yaml"], "risk-rules.yaml") == KNOWN


def test_the_example_of_risk_rules_in_the_docs_is_right() -> None:
    text = (REPOSITORY / "docs" / "operations.md").read_text().partition("path: /data/risk-rules.yaml\n        value: |\n")[2]
    example = textwrap.dedent(text.partition("```")[0])
    assert len(read_risk_rules(example, "operations.md").dangers) == len(KNOWN.dangers) + 1, example


def test_a_port_in_use_is_told_with_what_to_do(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = invoke("run", "--kubeconfig", str(kubeconfig(tmp_path)), "--health-address", address)
    assert done.exit_code == 1
    assert f"cannot listen on {address}" in done.output
    assert "choose another --health-address" in done.output


def test_a_sweep_without_an_api_server_is_told_in_one_line(tmp_path: Path, unused_tcp_port: int) -> None:
    done = invoke("sweep", "--kubeconfig", str(kubeconfig(tmp_path, cluster={"server": f"https://127.0.0.1:{unused_tcp_port}"})))
    assert done.exit_code == 1
    assert re.search(r"^Error: GET /apis/.*: ClientConnector", done.output), done.output


@pytest.mark.parametrize(
    ("arguments", "environment", "warned"),
    [
        pytest.param([], {}, False, id="confined-unless-told-otherwise"),
        pytest.param(["--unconfined"], {}, True, id="by-the-flag"),
        pytest.param([], {"JITACCESS_UNCONFINED": "true"}, True, id="by-the-environment"),
        pytest.param([], {"JITACCESS_UNCONFINED": "false"}, False, id="not-by-the-environment"),
    ],
)
def test_running_unconfined_is_warned_of_at_the_start(
    arguments: list[str], environment: dict[str, str], warned: bool, tmp_path: Path
) -> None:
    with socket.socket() as taken:  # which ends it right after the start
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        where = ("--kubeconfig", str(kubeconfig(tmp_path)), "--health-address", address)
        done = invoke("run", *where, *arguments, **environment)
    assert "cannot listen" in done.output
    assert ("--unconfined: the admission policies may not confine this account" in done.output) is warned, done.output


def test_the_deployment_uses_names_that_exist() -> None:
    deployment = next(yaml.safe_load_all((REPOSITORY / "deploy" / "base" / "deployment.yaml").read_text()))
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    twins = {f"JITACCESS_{option.name.upper()}" for option in options("run") if option.name}
    assert {entry["name"] for entry in container["env"]} <= twins
    assert container["args"][0] in COMMANDS


def test_audit_required_needs_a_sink(tmp_path: Path) -> None:
    done = invoke("run", "--audit", "required")
    assert (done.exit_code, "needs at least one sink" in done.output) == (2, True), done.output
    wrong = tmp_path / "sinks.yaml"
    wrong.write_text("sinks:\n- name: a\n")
    done = invoke("run", "--audit-sinks", str(wrong))
    assert (done.exit_code, "line 2" in done.output) == (2, True), done.output
