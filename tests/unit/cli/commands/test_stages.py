"""Approving in a stage and for less time: which ledger is written, with what, and what is said where that is not clear."""

from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from jitaccess.cli.api.client import Client
from jitaccess.cli.api.connect import Connection
from jitaccess.cli.api.errors import Refused
from jitaccess.cli.api.session import Session
from jitaccess.cli.app import run
from jitaccess.cli.commands.rights import rights_under
from jitaccess.cli.commands.standing import usable
from unit.cli.server import Server
from unit.examples import BOB, CAROL, NAME, approved_by, policy, policy_manifest, request, request_manifest, stages_manifest

TWO = stages_manifest(lead=1, security=1)


def recorded(lead: int = 0, security: int = 0) -> dict[str, Any]:
    """A pending request's status, with how many have approved in each stage."""
    given = {"lead": lead, "security": security}
    stages = [{"name": name, "required": 1, "approvals": number, "approvers": f"Group {name}"} for name, number in given.items()]
    return {"revision": 1, "state": "Pending", "requiredApprovals": 2, "stages": stages}


@dataclass
class Deciding(Server):
    """A server that gives the verb on these names alone."""

    held: tuple[str, ...] = field(default=())

    def post(self, path: str, body: Any, **query: str) -> Any:
        """Who one is, and what one may."""
        answer = super().post(path, body)
        name = body.get("spec", {}).get("resourceAttributes", {}).get("name")
        return {"status": answer["status"] | {"allowed": name in self.held}}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Deciding:
    """A server with Alice's request under a policy of two stages; Bob, who is asking, is a lead."""
    running = Deciding(BOB, [request_manifest(status=recorded())], policies=[policy_manifest(**TWO)], held=("prod-debug:lead",))
    monkeypatch.setattr(Session, "client", Client(cast(Connection, running)))
    return running


@pytest.mark.parametrize(
    ("words", "ledger", "line"),
    [
        pytest.param(["-m", "ok"], "approvals.lead", f"{BOB}: ok", id="the-only-stage-that-is-mine"),
        pytest.param(["--stage", "lead", "-m", "ok"], "approvals.lead", f"{BOB}: ok", id="the-stage-that-was-named"),
        pytest.param(["--stage", "security"], "approvals.security", f"{BOB}: ", id="the-api-server-has-the-last-word"),
        pytest.param(["--for", "30m", "-m", "ok"], "approvals.lead", f"{BOB}: [for 30m] ok", id="for-less-time"),
        pytest.param(["--for", "0.5h"], "approvals.lead", f"{BOB}: [for 30m]", id="for-less-time-without-a-note"),
        pytest.param(["--for", "1h"], "approvals.lead", f"{BOB}: [for 1h]", id="for-all-of-it"),
    ],
)
def test_an_approval_goes_into_its_stage(server: Deciding, words: list[str], ledger: str, line: str) -> None:
    assert run(["approve", NAME, "-y", *words]) == 0
    assert server.patched == [(NAME, {f"jitaccess.dev/{ledger}": line}, False)]


@pytest.mark.parametrize(
    ("held", "words", "code", "said"),
    [
        pytest.param((), [], 3, "no stage of alice-7f3k that is open is yours: lead: 0 of 1, from Group lead;", id="none"),
        pytest.param(
            ("prod-debug:lead", "prod-debug:security"), [], 2, "lead and security are open, and yours", id="several-of-mine"
        ),
        pytest.param(
            ("prod-debug:lead",), ["--stage", "boss"], 2, "has no stage boss: its stages are lead, security", id="no-such-stage"
        ),
        pytest.param(("prod-debug:lead",), ["--for", "2h"], 2, "asks for 1h: --for may be less, never more", id="longer"),
        pytest.param(
            ("prod-debug:lead",), ["--for", "30m", "-m", "[for 10m] x"], 2, "the note says for how long too", id="two-lengths"
        ),
        pytest.param(("prod-debug:lead",), ["--for", "1d"], 2, "--for: '1d' is not a duration", id="no-duration"),
    ],
)
def test_what_is_not_clear_is_said_and_not_sent(
    server: Deciding, capsys: pytest.CaptureFixture[str], held: tuple[str, ...], words: list[str], code: int, said: str
) -> None:
    server.held = held
    assert run(["approve", NAME, "-y", *words]) == code
    assert said in " ".join(capsys.readouterr().err.split())
    assert server.patched == []


@dataclass
class Young(Deciding):
    """A server whose operator looks at the request after so many reads of it; until then nobody decides in a stage."""

    reads: int = 0

    def get(self, path: str, **query: Any) -> Any:
        """What there is, later with its stages."""
        if path.rpartition("/")[2] in ("accessrequests", NAME):
            self.reads -= 1
            if not self.reads:
                self.requests = [request_manifest(status=recorded())]
                self.requests[0]["metadata"]["resourceVersion"] = "11"
        return super().get(path, **query)

    def patch(self, path: str, body: Any, **query: str) -> Any:
        """As the API server, which goes by what is on record."""
        if "status" not in self.requests[0]:
            raise Refused(f"{self.me} is not an approver")
        return super().patch(path, body, **query)


@pytest.fixture
def young(monkeypatch: pytest.MonkeyPatch) -> Young:
    """A server with Alice's request, at which the operator has not looked."""
    running = Young(BOB, [request_manifest()], policies=[policy_manifest(**TWO)], held=("prod-debug:lead",))
    monkeypatch.setattr(Session, "client", Client(cast(Connection, running)))
    return running


DECISIONS = [
    pytest.param("approve", {"jitaccess.dev/approvals.lead": f"{BOB}: no rush"}, id="an-approval"),
    pytest.param("deny", {"jitaccess.dev/denials": f"{BOB}: no rush"}, id="a-denial"),
    pytest.param("revoke", {"jitaccess.dev/revocations": f"{BOB}: no rush"}, id="a-revocation"),
]


@pytest.mark.parametrize(("verb", "line"), DECISIONS)
@pytest.mark.parametrize("reads", range(1, 4))
def test_a_decision_in_a_stage_waits_for_the_first_look(young: Young, verb: str, line: dict[str, str], reads: int) -> None:
    young.reads = reads
    assert run([verb, NAME, "-y", "-m", "no rush"]) == 0
    assert young.patched == [(NAME, line, False)]


@pytest.mark.parametrize(("verb", "line"), DECISIONS)
def test_without_an_operator_it_is_said_what_is_missing_and_nothing_is_sent(
    young: Young, capsys: pytest.CaptureFixture[str], verb: str, line: dict[str, str]
) -> None:
    assert run([verb, NAME, "-y", "-m", "no rush"]) == 4
    said = " ".join(capsys.readouterr().err.split())
    assert f"nobody can decide in a stage of {NAME} now: the operator has not looked at it yet (is the operator running?)" in said
    assert "try again in a moment" in said
    assert young.patched == []


def test_who_needs_no_stage_waits_for_none(young: Young) -> None:
    young.requests[0]["status"] = {"observedGeneration": -1}  # and the API server lets a holder of `revoke` through
    assert run(["revoke", NAME, "-y", "-m", "stop"]) == 0
    assert young.asked.count("metadata.name=alice-7f3k") == 0


@pytest.mark.parametrize(
    ("held", "verbs"),
    [
        pytest.param(("prod-debug:security",), {"approve", "deny", "revoke"}, id="who-decides-in-a-stage-of-the-policy"),
        pytest.param(("prod-debug",), set(), id="the-right-on-the-policy-is-none-on-its-stages"),
    ],
)
def test_what_nobody_has_looked_at_waits_for_the_people_of_the_policy(held: tuple[str, ...], verbs: set[str]) -> None:
    client = Client(cast(Connection, Deciding(BOB, [], policies=[policy_manifest(**TWO)], held=held)))
    assert {verb for verb in ("approve", "deny", "revoke") if usable(verb, client, [request()])} == verbs


def test_a_stage_is_not_named_where_there_is_none(server: Deciding, capsys: pytest.CaptureFixture[str]) -> None:
    server.policies = [policy_manifest()]
    server.requests = [request_manifest(status={"revision": 1, "state": "Pending"})]
    assert run(["approve", NAME, "-y", "--stage", "lead"]) == 2
    assert "it is not approved in stages" in capsys.readouterr().err


def test_of_two_stages_of_mine_the_one_that_is_open_is_taken(server: Deciding) -> None:
    server.held = ("prod-debug:lead", "prod-debug:security")
    server.requests = [request_manifest(status=recorded(lead=1), stages={"lead": approved_by(CAROL)})]
    assert run(["approve", NAME, "-y"]) == 0
    assert server.patched == [(NAME, {"jitaccess.dev/approvals.security": f"{BOB}: "}, False)]


@pytest.mark.parametrize(
    ("status", "held", "verbs"),
    [
        pytest.param(recorded(), ("prod-debug:lead",), {"approve", "deny", "revoke"}, id="my-stage-is-open"),
        pytest.param(recorded(lead=1), ("prod-debug:lead",), {"deny", "revoke"}, id="my-stage-has-approved"),
        pytest.param(recorded(lead=1), ("prod-debug:security",), {"approve", "deny", "revoke"}, id="another-has"),
        pytest.param(recorded(), ("prod-debug",), set(), id="the-right-on-the-policy-is-none-on-its-stages"),
        pytest.param(recorded(), (), set(), id="no-stage-is-mine"),
    ],
)
def test_a_request_waits_for_those_whose_stage_is_open(status: dict[str, Any], held: tuple[str, ...], verbs: set[str]) -> None:
    client = Client(cast(Connection, Deciding(BOB, [], held=held)))
    assert {verb for verb in ("approve", "deny", "revoke") if usable(verb, client, [request(status=status)])} == verbs


@pytest.mark.parametrize(
    ("held", "words"),
    [
        pytest.param((), "-", id="nothing"),
        pytest.param(("prod-debug:lead",), "decide (lead)", id="one-stage"),
        pytest.param(("prod-debug:security", "prod-debug:lead"), "decide (lead, security)", id="both"),
        pytest.param(("prod-debug",), "may ask", id="the-policy-alone-is-no-stage"),
    ],
)
def test_the_column_says_in_which_stages_one_decides(held: tuple[str, ...], words: str) -> None:
    ready = {"observedGeneration": 3, "conditions": [{"type": "Ready", "status": "True", "reason": "InForce", "message": ""}]}
    client = Client(cast(Connection, Deciding(BOB, [], held=held)))
    [rights] = rights_under(client, [policy(**TWO, status=ready)], None)
    assert rights.words == words


def test_the_open_stages_are_completed(server: Deciding) -> None:
    from click.shell_completion import ShellComplete  # noqa: PLC0415

    from jitaccess.cli.app import cli  # noqa: PLC0415

    server.requests = [request_manifest(status=recorded(lead=1))]
    offered = ShellComplete(cli, {}, "kubectl jit", "_X").get_completions(["approve", NAME, "--stage"], "")
    assert [(item.value, item.help) for item in offered] == [("security", "Group security")]
