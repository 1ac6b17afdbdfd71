"""People at the terminal: a wrong answer is asked again, and nothing that was answered is lost."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from cli.hostile import BODY, Hostile, Reply, as_json, status, whoami
from cli.plugin import ROOT, WARM_PLUGIN, Terminal

REASON = 'INC-42, the "config" of bob\'s'


def policy(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "jitaccess.dev/v1alpha1",
        "kind": "AccessPolicy",
        "metadata": {
            "name": name,
            "namespace": "team-a",
            "uid": name,
            "generation": 1,
            "resourceVersion": "1",
            "creationTimestamp": "2026-06-01T00:00:00Z",
        },
        "spec": {
            "roles": [{"kind": "ClusterRole", "name": "view"}],
            "requesters": [{"kind": "User", "name": "alice"}],
            "approvers": [{"kind": "Group", "name": "leads"}],
            "maxDuration": "4h",
        },
        "status": {
            "observedGeneration": 1,
            "conditions": [{"type": "Ready", "status": "True", "reason": "InForce", "message": "x"}],
        },
    }


class Cluster:
    """An API server with two policies for alice, which takes no request while it is `down`."""

    def __init__(self) -> None:
        self.made: list[dict[str, Any]] = []
        self.down = False
        self.terms: dict[str, Any] = {}  # what its policies ask for beside

    def __call__(self, method: str, path: str, headers: Mapping[str, str]) -> Reply:
        path = path.partition("?")[0]
        if method == "POST" and path.endswith("/accessrequests"):
            return status(503, "Down", "etcd is away") if self.down else self._made(json.loads(headers[BODY]))
        if path.endswith("/selfsubjectaccessreviews"):
            return as_json({"status": {"allowed": True}}, 201)
        policies = [each | {"spec": each["spec"] | self.terms} for each in (policy("debug"), policy("look"))]
        items = {"accesspolicies": policies, "accessrequests": self.made}.get(path.rpartition("/")[2], [])
        return whoami(path) or as_json({"items": items, "metadata": {"resourceVersion": "1"}})

    def _made(self, manifest: dict[str, Any]) -> Reply:
        manifest["metadata"] |= {"uid": "u", "resourceVersion": "2", "creationTimestamp": "2026-06-01T00:00:00Z"}
        self.made.append(manifest | {"status": {"revision": 1, "state": "Pending"}})
        return as_json(manifest, 201)


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def home(tmp_path: Path, cluster: Cluster) -> Iterator[Path]:
    with Hostile(cluster) as server:
        server.kubeconfig(tmp_path)
        yield tmp_path


def at_terminal(home: Path, *args: str) -> Terminal:
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(ROOT / "operator"), "TERM": "xterm"}
    return Terminal([*WARM_PLUGIN, *args], environment | {"KUBECONFIG": str(home / "config")}, 120)


def answered(terminal: Terminal, *pairs: tuple[str, str]) -> None:
    """Answer one question after the other; each must come after what was said to the one before."""
    for question, answer in pairs:
        terminal.expect(question)
        terminal.raw = ""
        terminal.type(answer)


def test_wrong_answers_are_asked_again_and_the_right_ones_stay(home: Path, cluster: Cluster) -> None:
    terminal = at_terminal(home, "request")
    answered(
        terminal,
        ("Which: ", "7"),
        ("Which: ", "look"),
        ("Which: ", "2"),
        ("For how long (at most 4h) [1h]: ", "1d"),
        ("is not a duration: write it like 30m, 4h or 1h30m, and a day as 24h\nFor how long (at most 4h) [1h]: ", "9h"),
        ("allows at most 4h, not 9h\nFor how long (at most 4h) [1h]: ", "10m"),
        ("Why: ", "   "),
        ("say why in words\nWhy: ", "x\u200bx"),
        ("ZERO WIDTH SPACE", REASON),
    )
    assert terminal.end() == 0, terminal.seen
    spec = cluster.made[0]["spec"]
    assert (spec["policyRef"]["name"], spec["duration"], spec["reason"]) == ("look", "10m", REASON)


def test_a_ticket_is_asked_for_where_the_policy_needs_one(home: Path, cluster: Cluster) -> None:
    cluster.terms = {"ticket": {"pattern": "^INC-[0-9]+$", "required": True}}
    cluster.down = True
    terminal = at_terminal(home, "request", "--for", "1h", "--reason", "x", "--ticket", "42")
    answered(
        terminal,
        ("Which: ", "1"),
        ("asks for a ticket that matches ^INC-[0-9]+$: the ticket 42 is none for it\nTicket: ", "INC"),
        ("the ticket INC is none for it\nTicket: ", "INC-42"),
    )
    assert terminal.end() == 1
    assert "--reason x --ticket INC-42" in terminal.seen, "what was answered is not lost"


def test_what_the_command_line_has_wrong_is_asked_for(home: Path, cluster: Cluster) -> None:
    terminal = at_terminal(home, "request", "--for", "9h", "--reason", "x")
    answered(terminal, ("Which: ", "1"), ("allows at most 4h, not 9h\nFor how long (at most 4h) [1h]: ", ""))
    assert terminal.end() == 0, terminal.seen
    assert cluster.made[0]["spec"]["duration"] == "1h"


@pytest.mark.parametrize(("words", "said"), [(["--for", "1d"], "is not a duration"), (["--reason", " "], "say why in words")])
def test_what_makes_no_sense_is_said_before_anything_is_asked(home: Path, words: list[str], said: str) -> None:
    terminal = at_terminal(home, "request", *words)
    assert terminal.end() == 2
    assert said in terminal.seen
    assert "Which" not in terminal.seen


def test_answers_outlast_a_server_that_does_not_take_them(home: Path, cluster: Cluster) -> None:
    cluster.down = True
    terminal = at_terminal(home, "request")
    answered(terminal, ("Which: ", "2"), ("For how long (at most 4h) [1h]: ", "30m"), ("Why: ", REASON))
    assert terminal.end() == 1
    again = (
        "kubectl jit request look -n team-a --role ClusterRole/view --for 30m --reason 'INC-42, the \"config\" of bob'\"'\"'s'"
    )
    assert again in terminal.seen, terminal.seen
    assert "etcd is away" in terminal.seen
