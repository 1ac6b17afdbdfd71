"""Which requests a command is of use for, to whom."""

from typing import Any, cast

import pytest

from jitaccess.cli.api.client import Client
from jitaccess.cli.api.connect import Connection
from jitaccess.cli.commands.standing import usable
from jitaccess.domain.model import AccessRequest
from unit.cli.server import Server
from unit.examples import ALICE, BOB, CAROL, active_status, request

OWN = {"requester": BOB}
PENDING, DENIED = {"revision": 1, "state": "Pending"}, {"revision": 1, "state": "Denied"}


class Deciding(Server):
    """A server that lets whoever asks approve under every policy, or under none."""

    may = True

    def post(self, path: str, body: Any, **query: str) -> Any:
        """Who one is, and what one may."""
        return super().post(path, body) | {"status": super().post(path, body)["status"] | {"allowed": self.may}}


@pytest.mark.parametrize(
    ("about", "may", "verbs"),
    [
        pytest.param(request(status=PENDING), True, {"approve", "deny", "revoke"}, id="anothers-that-waits"),
        pytest.param(request(status=PENDING), False, set(), id="which-is-not-mine-to-decide"),
        pytest.param(request(status=active_status()), True, {"deny", "revoke"}, id="anothers-access"),
        pytest.param(request(status=DENIED), True, set(), id="anothers-that-is-settled"),
        pytest.param(request(**OWN, status=PENDING), True, {"revoke", "withdraw", "extend"}, id="my-own"),
        pytest.param(request(requester=BOB.upper(), status=PENDING), True, set(), id="one-who-may-be-me"),
        pytest.param(request(**OWN, status=DENIED), True, {"extend"}, id="my-own-that-is-settled"),
        pytest.param(request(approvals=f"{BOB}: ok", status=PENDING), True, {"deny", "revoke"}, id="what-i-approved"),
        pytest.param(request(denials=f"{BOB}: no", status=PENDING), True, {"revoke"}, id="what-i-denied"),
        pytest.param(
            request(approvals=f"{CAROL}: ok", status=PENDING), True, {"approve", "deny", "revoke"}, id="what-another-approved"
        ),
        pytest.param(request(**OWN, revocations=f"{BOB}: done", status=PENDING), True, {"extend"}, id="what-i-took-back"),
    ],
)
def test_a_command_is_offered_what_it_is_of_use_for(about: AccessRequest, may: bool, verbs: set[str]) -> None:
    assert ALICE != BOB
    server = Deciding(BOB, [])
    server.may = may
    client = Client(cast(Connection, server))
    assert {verb for verb in ("approve", "deny", "revoke", "withdraw", "extend") if usable(verb, client, [about])} == verbs
