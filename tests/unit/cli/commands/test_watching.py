"""What the live list says: what was listed, as of when, and nothing before."""

from typing import cast

import pytest

from jitaccess.cli.api.client import Client
from jitaccess.cli.api.connect import Connection
from jitaccess.cli.api.following import Change
from jitaccess.cli.api.reading import read_request
from jitaccess.cli.commands.filters import ACTIVE_ONES
from jitaccess.cli.commands.watching import _Board
from unit.cli.server import Server
from unit.examples import ALICE, NAME, active_status, request_manifest

ACCESS = request_manifest(status=active_status())
THERE, GONE = Change(read_request(ACCESS), ACCESS), Change(read_request(ACCESS), ACCESS, gone=True)
LISTED, DOWN = Change(None, {}, listed=True), Change(None, {}, trouble="etcd\x1b[2J is away")
NOBODY = "Nobody has access through jitaccess in namespace team-a now."


@pytest.mark.parametrize(
    ("changes", "shown", "not_shown"),
    [
        pytest.param([], "asking the API server", NOBODY, id="nothing-is-known-yet"),
        pytest.param([DOWN], "asking the API server", NOBODY, id="nor-in-an-outage"),
        pytest.param([LISTED], NOBODY, "", id="a-list-that-is-empty-says-so"),
        pytest.param([THERE, LISTED], NAME, NOBODY, id="what-there-is"),
        pytest.param([THERE, LISTED, DOWN], NAME, NOBODY, id="what-there-was-before-an-outage"),
        pytest.param([THERE, LISTED, DOWN], "is away; as of ", "\x1b", id="and-as-of-when"),
        pytest.param([THERE, LISTED, DOWN, GONE, LISTED], NOBODY, "is away", id="what-went-meanwhile-is-not-shown"),
    ],
)
def test_a_board_shows_no_more_than_is_known(changes: list[Change], shown: str, not_shown: str) -> None:
    board = _Board(Client(cast(Connection, Server(ALICE, []))), ACTIVE_ONES, "team-a")
    for change in changes:
        board.hear(change)
    text = board.__rich__().plain
    assert shown in text
    assert not not_shown or not_shown not in text
