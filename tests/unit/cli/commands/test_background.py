"""What an approver is shown of the requester, as far as it can be known."""

from datetime import timedelta
from typing import Any, cast

from jitaccess.cli.api.client import Client
from jitaccess.cli.api.connect import Connection
from jitaccess.cli.api.errors import Refused
from jitaccess.cli.commands.background import background
from unit.cli.server import Server
from unit.examples import ALICE, BOB, HOUR, T0, active_status, request, request_manifest

NOW = T0 + timedelta(minutes=30)


def shown(server: Server) -> list[tuple[str, str]]:
    """The fields about Alice, who asks for something."""
    return background(Client(cast(Connection, server)), request(), NOW)


def test_what_else_the_requester_has_is_shown_and_nobody_elses() -> None:
    others = [request_manifest(f"r{n}", status=active_status(lasts=(n + 1) * HOUR)) for n in range(2)]
    server = Server(BOB, [request_manifest(), *others, request_manifest("bobs", requester=BOB, status=active_status())])
    assert shown(server) == [("Also has", "ClusterRole view, ends in 1h30m (r1)"), ("", "ClusterRole view, ends in 30m (r0)")]
    assert server.asked == [f"spec.requester={ALICE}"]


def test_nothing_else_is_nothing_to_show() -> None:
    assert shown(Server(BOB, [request_manifest()])) == []


def test_what_cannot_be_read_is_said_to_be_there() -> None:
    server = Server(BOB, [request_manifest("r1", status={"state": "Suspended"})])
    assert shown(server) == [("Unknown", "requests there that this plugin cannot read: 1")]


class Closed(Server):
    """A server that lets nobody list."""

    def get(self, path: str, **query: Any) -> Any:
        """No."""
        raise Refused("no")


def test_a_list_that_is_refused_is_not_taken_for_an_empty_one() -> None:
    assert shown(Closed(BOB, [])) == [("Also has", "not known: you may not list the requests there")]
