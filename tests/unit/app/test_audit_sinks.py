"""The file that says where the record goes: what it may say, and what is said about one that is wrong."""

import re
from pathlib import Path

import pytest
import yaml

from jitaccess.app.audit_sinks import read_audit_sinks
from jitaccess.publish.audit.export import AuditOptions, SinkSpec
from jitaccess.publish.audit.pace import Pace
from jitaccess.publish.webhook import Endpoint

GOOD = """\
checkpoints: {every: 15m, events: 50}
sinks:
  - name: stdout
    stdout: true
  - name: archive
    file: /var/log/jitaccess/audit.jsonl
  - name: siem
    url: https://siem.example.com/hooks
    secretFile: /keys/signing
    caFile: /keys/ca.crt
  - name: chat
    urlFile: /keys/url
"""
COMPONENT = Path(__file__).parents[3] / "deploy/components/audit/sinks.yaml"


def test_all_kinds_of_sinks_are_read() -> None:
    assert read_audit_sinks(GOOD, "f") == AuditOptions(
        (
            SinkSpec("stdout"),
            SinkSpec("archive", file=Path("/var/log/jitaccess/audit.jsonl")),
            SinkSpec("siem", Endpoint("https://siem.example.com/hooks", None, Path("/keys/signing"), Path("/keys/ca.crt"))),
            SinkSpec("chat", Endpoint("", Path("/keys/url"))),
        ),
        pace=Pace(900.0, 50),
    )


@pytest.mark.parametrize("text", ["", "# nothing\n", "{}", "sinks: []"])
def test_a_file_without_sinks_is_no_fault(text: str) -> None:
    assert read_audit_sinks(text, "f").sinks == ()


def test_the_component_brings_a_file_that_can_be_read() -> None:
    text = yaml.safe_load(COMPONENT.read_text())["data"]["sinks.yaml"]
    assert read_audit_sinks(text, "f").sinks == (SinkSpec("stdout"),)
    commented = re.sub(r"(?m)^(\s*)# ", r"\1", text)
    assert [spec.name for spec in read_audit_sinks(commented, "f").sinks] == ["stdout", "siem"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("sinks: [", "f is not YAML", id="no-yaml"),
        pytest.param("[]", "f, line 1: the file is no mapping of sinks, checkpoints", id="a-list"),
        pytest.param("sink: []", "f, line 1: the file has an unknown field 'sink'", id="unknown-section"),
        pytest.param("sinks: 3", "f, line 1: sinks is no list", id="no-list"),
        pytest.param("sinks:\n- stdout: true", "f, line 2: sinks[0] has no name", id="no-name"),
        pytest.param("sinks:\n- name: A\n  stdout: true", "f, line 2: sinks[0].name is 'A'", id="wrong-name"),
        pytest.param("sinks:\n- name: 3\n  stdout: true", "sinks[0].name is not text: put it in quotes", id="a-number"),
        pytest.param("sinks:\n- name: a", "sinks[0] needs exactly one of stdout, file, url, urlFile", id="nowhere"),
        pytest.param("sinks:\n- name: a\n  stdout: true\n  file: /x", "needs exactly one of", id="two-places"),
        pytest.param("sinks:\n- name: a\n  stdout: false", "line 3: sinks[0].stdout must be true", id="stdout-false"),
        pytest.param("sinks:\n- name: a\n  file: x.jsonl", "sinks[0].file is 'x.jsonl', and no absolute path", id="relative"),
        pytest.param("sinks:\n- name: a\n  url: x", "line 3: sinks[0].url: it is no URL that begins", id="no-url"),
        pytest.param("sinks:\n- name: a\n  file: /x\n  caFile: /y", "line 4: sinks[0].caFile is for sinks with a url", id="ca"),
        pytest.param("sinks:\n- {name: a, stdout: true}\n- {name: a, file: /x}", "line 3: there are two sinks a", id="twice"),
        pytest.param("sinks:\n- {name: a, name: b}", "sinks[0] has name twice", id="field-twice"),
        pytest.param("checkpoints: {every: 1d}", "checkpoints.every: '1d' is not a duration", id="no-duration"),
        pytest.param("checkpoints: {events: 0}", "checkpoints.events is 0, and not 1 to 1000", id="too-few"),
        pytest.param("checkpoints: {events: many}", "checkpoints.events is not a whole number", id="no-number"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        read_audit_sinks(text, "f")
