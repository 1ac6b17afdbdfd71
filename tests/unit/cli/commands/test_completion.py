"""What the shell offers after Tab: whatever names something that exists completes."""

from collections.abc import Iterator
from typing import Any, cast

import click
import pytest
from click.shell_completion import ShellComplete

from jitaccess.cli.api.client import Client
from jitaccess.cli.api.connect import Connection
from jitaccess.cli.api.session import Session
from jitaccess.cli.app import cli
from jitaccess.domain.text import format_time
from unit.cli.server import Server
from unit.examples import ALICE, BOB, CAROL, DAVE, T0, approved_by, lock_manifest, policy_manifest, request_manifest

# What is made up: words, times, numbers; and what only the shell, a file or the login knows.
FREE = {
    *("reason", "note", "length", "duration", "later", "at", "ticket", "until", "back", "end", "timeout", "limit"),
    *("checkpoint", "request_timeout", "as_user", "as_group", "groups", "words"),
}
OPEN = {"state": "Pending", "observedGeneration": 1, "revision": 1, "settled": False}


def parameters(command: click.Command, path: str = "") -> Iterator[tuple[str, click.Parameter]]:
    """Every argument and option of every command."""
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            yield from parameters(below, f"{path} {name}")
    for param in command.params:
        yield f"{path} {param.name}".strip(), param


TAKES_A_WORD = [
    pytest.param(param, id=where)
    for where, param in parameters(cli)
    if not getattr(param, "is_flag", False) and not isinstance(param.type, (click.Choice, click.Path, click.File))
]


@pytest.mark.parametrize("param", TAKES_A_WORD)
def test_whatever_names_something_that_exists_completes(param: click.Parameter) -> None:
    completes = param._custom_shell_complete is not None  # click has no other way to ask
    assert completes is (param.name not in FREE)


class Locked(Server):
    """A server with locks in it, too."""

    locks: tuple[dict[str, Any], ...] = ()

    def get(self, path: str, **query: Any) -> Any:
        """Locks, or what else there is."""
        if path.rpartition("/")[2] == "accesslocks":
            return {"items": list(self.locks), "metadata": {"resourceVersion": "1"}}
        return super().get(path, **query)


def lock(name: str, *people: str, **fields: Any) -> dict[str, Any]:
    metadata = {"name": name, "uid": name, "resourceVersion": "1", "creationTimestamp": format_time(T0)}
    return lock_manifest(*people, **fields) | {"metadata": metadata}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Locked:
    """Requests of Alice and Dave under two policies, Bob's approvals, and locks of which one is lifted."""
    asked = [
        request_manifest("a1", status=OPEN, approvals=approved_by(BOB)),
        request_manifest("a2", status=OPEN),
        request_manifest("d1", requester=DAVE, status=OPEN),
    ]
    running = Locked(CAROL, asked, policies=[policy_manifest(description="Debug"), policy_manifest("scale")], allows=True)
    running.locks = (
        lock("lock-alice", ALICE),
        lock("lock-two", BOB, DAVE),
        lock("lock-gone", "erin", lifted={"by": CAROL, "reason": "found it"}),
    )
    monkeypatch.setattr(Session, "client", Client(cast(Connection, running)))
    monkeypatch.setattr(Session, "connection", running)
    return running


@pytest.mark.parametrize(
    ("words", "typed", "offered"),
    [
        pytest.param(["unlock"], "", [ALICE, "lock-alice", "lock-two"], id="locks-that-hold-and-whom-they-are-on"),
        pytest.param(["unlock"], "lock-t", ["lock-two"], id="that-begin-so"),
        pytest.param(["unlock", "lock-alice", ALICE], "", ["lock-two"], id="nothing-twice"),
        pytest.param(["lock"], "", [ALICE, DAVE], id="who-has-asked"),
        pytest.param(["lock", ALICE], "", [DAVE], id="nobody-twice"),
        pytest.param(["revoke", "--all", "--user"], "d", [DAVE], id="all-of-somebody"),
        pytest.param(["revoke", "--all", "--policy"], "", ["prod-debug", "scale"], id="all-under-a-policy"),
        pytest.param(["revoke", "--all", "-A", "--policy"], "s", ["scale"], id="in-all-namespaces"),
        pytest.param(["ls", "--user"], "", [ALICE, DAVE], id="somebodys"),
        pytest.param(["explain", "--user"], "", [ALICE, DAVE], id="about-somebody"),
        pytest.param(["audit", "show", "--by"], "", [ALICE, DAVE], id="who-asked"),
        pytest.param(["audit", "show", "--decided-by"], "", [BOB], id="who-decided"),
        pytest.param(["audit", "show", "--role"], "", ["view"], id="a-role"),
        pytest.param(["as"], "", [], id="no-identity-to-be"),
    ],
)
def test_what_there_is_is_offered(server: Locked, words: list[str], typed: str, offered: list[str]) -> None:
    found = ShellComplete(cli, {}, "kubectl jit", "_X").get_completions(words, typed)
    assert [item.value for item in found] == offered
