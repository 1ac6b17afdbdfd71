"""What `ls` lists, in which order, and which columns it keeps where there is little room."""

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from rich.console import Console

from jitaccess.cli.api.client import Client
from jitaccess.cli.api.connect import Connection
from jitaccess.cli.api.session import Session
from jitaccess.cli.app import run
from jitaccess.cli.commands.filters import ACTIVE_ONES, ALL, MINE, REVIEWABLE, Filter
from jitaccess.cli.commands.looking import requests_table
from jitaccess.cli.terminal import output
from unit.cli.server import Server
from unit.examples import ALICE, BOB, HOUR, T0, active_status, policy_manifest, request, request_manifest

OTHER: dict[str, Any] = {"policyRef": {"kind": "AccessPolicy", "name": "scale"}, "roleRef": {"kind": "Role", "name": "scaler"}}
SETTLED: dict[str, Any] = {"state": "Denied", "settled": True}
REQUESTS = [
    request_manifest("r-old", created=T0, status=SETTLED),
    request_manifest("r-mid", created=T0 + HOUR, status=active_status(), requester=BOB),
    request_manifest("r-new", created=T0 + timedelta(hours=2), **OTHER),
]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    """A server with three requests, two of them Alice's, and no policies; whoever asks may decide."""
    running = Server(ALICE, REQUESTS, allows=True)
    monkeypatch.setattr(Session, "client", Client(cast(Connection, running)))
    return running


@pytest.mark.parametrize(
    ("status", "said"),
    [
        pytest.param(
            "False", "prod-debug: not everybody is told whom it names: there is no channel gone", id="a-channel-is-missing"
        ),
        pytest.param("True", "", id="all-are-there"),
    ],
)
def test_policies_say_whom_they_cannot_tell(server: Server, capsys: pytest.CaptureFixture[str], status: str, said: str) -> None:
    message = "not everybody is told whom it names: there is no channel gone"
    ready = {"type": "Ready", "status": "True", "reason": "InForce", "message": "requests are accepted"}
    found = {"type": "ChannelsFound", "status": status, "reason": "x", "message": message}
    server.policies = [policy_manifest(status={"observedGeneration": 3, "conditions": [ready, found]})]
    assert run(["policies"]) == 0
    assert capsys.readouterr().err.strip() == said


def listed(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    """The names of what is listed."""
    assert run(["ls", *words, "-o", "name"]) == 0
    return [line.partition("/")[2] for line in capsys.readouterr().out.split()]


@pytest.mark.parametrize(
    ("words", "names", "selector"),
    [
        pytest.param([], ["r-new", "r-old"], f"spec.requester={ALICE}", id="mine-the-newest-first"),
        pytest.param(["--all"], ["r-new", "r-mid", "r-old"], "", id="all"),
        pytest.param(["--state", "denied"], ["r-old"], f"spec.requester={ALICE},status.state=Denied", id="state"),
        pytest.param(["--state", "Denied", "--state", "Pending"], ["r-new", "r-old"], f"spec.requester={ALICE}", id="two-states"),
        pytest.param(["--user", BOB], ["r-mid"], f"spec.requester={BOB}", id="user-alone-looks-among-all"),
        pytest.param(["--active", "--user", BOB], ["r-mid"], f"spec.requester={BOB},status.state=Active", id="user-and-active"),
        pytest.param(["--active", "--user", ALICE], [], f"spec.requester={ALICE},status.state=Active", id="nothing-fits"),
        pytest.param(["--all", "--policy", "scale"], ["r-new"], "", id="policy"),
        pytest.param(["--all", "--role", "view"], ["r-mid", "r-old"], "", id="role"),
        pytest.param(["--all", "--role", "role/scaler"], ["r-new"], "", id="role-with-its-kind"),
        pytest.param(["--all", "--role", "clusterrole/scaler"], [], "", id="a-role-of-another-kind"),
        pytest.param(["--all", "--since", "2026-07-01T03:10:00Z"], ["r-new", "r-mid"], "", id="since"),
    ],
)
def test_what_is_listed(
    server: Server, capsys: pytest.CaptureFixture[str], words: list[str], names: list[str], selector: str
) -> None:
    assert listed(capsys, *words) == names
    assert server.asked == [selector], "what the API server can sort out, it does"


def test_what_waits_is_listed_oldest_first(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.me = BOB
    server.requests = [request_manifest(name, created=T0 + n * HOUR) for n, name in enumerate(["r1", "r2", "r3"])]
    assert listed(capsys, "--reviewable") == ["r1", "r2", "r3"]
    assert listed(capsys, "--reviewable", "--limit", "1") == ["r1"], "whoever waits longest is not the one left out"


def test_a_list_in_which_nothing_fits_says_so_and_not_that_there_is_nothing(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["ls", "--state", "Failed"]) == 0
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "No request in namespace team-a fits all of that.\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["--state", "Open"], "'Open'", id="a-state-that-is-none"),
        pytest.param(["--since", "whenever"], "neither a time span", id="a-time-that-is-none"),
        pytest.param(["--role", "a/b"], "is not a role", id="a-role-that-is-none"),
    ],
)
def test_what_makes_no_sense_is_refused(server: Server, capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    assert run(["ls", *words]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("which", "width", "titles"),
    [
        pytest.param(REVIEWABLE, 80, ["NAME", "STATE", "WHO", "ROLE", "FOR", "WHEN", "WHY"], id="to-decide-at-80"),
        pytest.param(REVIEWABLE, 50, ["NAME", "WHO", "ROLE", "FOR", "WHY"], id="to-decide-at-50"),
        pytest.param(REVIEWABLE, 40, ["NAME", "WHO", "ROLE", "WHY"], id="to-decide-at-40"),
        pytest.param(MINE, 50, ["NAME", "STATE", "ROLE", "WHEN"], id="mine-at-50"),
        pytest.param(ACTIVE_ONES, 50, ["NAME", "STATE", "WHO", "WHEN"], id="active-at-50"),
        pytest.param(ALL, 120, ["NAME", "STATE", "WHO", "ROLE", "FOR", "WHEN", "WHY"], id="all-at-120"),
    ],
)
def test_what_matters_for_the_choice_outlives_the_rest(
    monkeypatch: pytest.MonkeyPatch, which: Filter, width: int, titles: list[str]
) -> None:
    monkeypatch.setattr(output, "out", lambda: Console(width=width))
    now = datetime.now(UTC)
    role = {"kind": "ClusterRole", "name": "jitaccess-debug"}
    seen = request(created=now - 9 * HOUR, requester="erin@example.com", roleRef=role, status={"state": "Pending", "revision": 1})
    shown = requests_table([seen], which, now, with_namespace=False).plain
    assert shown.split("\n")[0].split() == titles
    assert max(map(len, shown.split("\n"))) <= width


def test_wide_has_all_of_it_uncut(server: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "out", lambda: Console(width=40))
    line = requests_table(
        [request(approvals=f"{BOB}: ok", status=active_status())], ALL, T0 + 48 * HOUR, False, wide=True
    ).plain.split("\n")[1]
    for words in ("INC-42 pods crash looping", "prod-debug", BOB, "2026-07-01"):
        assert words in line
    assert run(["ls", "-o", "wide"]) == 0
    assert capsys.readouterr().out.split("\n")[0].split()[-5:] == ["POLICY", "DECIDED", "BY", "ASKED", "ENDS"]
