"""Locking people out and letting them in again: what is sent, what a word means, and what makes no sense."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jitaccess.cli.api.errors import NotFound
from jitaccess.cli.api.session import Session
from jitaccess.cli.app import run
from unit.examples import ALICE, BOB, CAROL, lock_manifest

NOW = datetime(2026, 7, 1, 2, 10, tzinfo=UTC)


class Server:
    """An API server with locks in it; who asks is Carol."""

    me = CAROL
    cluster = False
    namespace = "team-a"

    def __init__(self, *locks: dict[str, Any]) -> None:
        self.locks = {lock["metadata"]["name"]: lock for lock in locks}
        self.made: list[dict[str, Any]] = []
        self.lifted: list[tuple[str, Any]] = []

    def now(self) -> datetime:
        return NOW

    def post(self, _: str, body: Any, **query: str) -> Any:
        self.made.append(body)
        return body | {"metadata": body["metadata"] | {"uid": "u", "resourceVersion": "1"}}

    def get(self, path: str, **_: Any) -> Any:
        name = path.rpartition("/")[2]
        if name == "accesslocks":
            return {"items": list(self.locks.values()), "metadata": {"resourceVersion": "1"}}
        if name not in self.locks:
            raise NotFound(name)
        return self.locks[name]

    def patch(self, path: str, body: Any) -> Any:
        name = path.rpartition("/")[2]
        self.lifted.append((name, body["spec"]["lifted"]))
        return self.locks[name] | {"spec": self.locks[name]["spec"] | body["spec"]}


def lock(name: str, *people: str, **fields: Any) -> dict[str, Any]:
    metadata = {"name": name, "uid": name, "resourceVersion": "1", "creationTimestamp": "2026-07-01T02:00:00Z"}
    return lock_manifest(*people, **fields) | {"metadata": metadata}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    """Alice is locked by one lock, Bob and Dave by another, and one is over."""
    over = lock("lock-over", "olga", status={"state": "Over", "settled": True})
    running = Server(lock("lock-alice", ALICE), lock("lock-two", BOB, "dave"), over)
    monkeypatch.setattr(Session, "client", running)
    monkeypatch.setattr(Session, "connection", running)
    return running


@pytest.mark.parametrize(
    ("words", "until"),
    [
        pytest.param([], None, id="until-it-is-lifted"),
        pytest.param(["--for", "4h"], "2026-07-01T06:10:00.000Z", id="for-a-while"),
        pytest.param(["--until", "2026-07-02T00:00:00+02:00"], "2026-07-01T22:00:00.000Z", id="until-then"),
    ],
)
def test_a_lock_is_made_in_ones_own_name(server: Server, words: list[str], until: str | None) -> None:
    assert run(["lock", ALICE, BOB, "--reason", "INC-7", *words]) == 0
    [made] = server.made
    assert made["metadata"]["name"].startswith("lock-alice-")
    people = [{"kind": "User", "name": ALICE}, {"kind": "User", "name": BOB}]
    assert made["spec"] == {"subjects": people, "reason": "INC-7", "by": CAROL} | ({"until": until} if until else {})


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param([], "say why: --reason TEXT", id="no-reason"),
        pytest.param(["-r", "a\nb"], "LINE FEED", id="two-lines"),
        pytest.param(["-r", "x", "--for", "1h", "--until", "2030-01-01T00:00:00Z"], "exclude each other", id="two-ends"),
        pytest.param(["-r", "x", "--until", "2026-07-01T02:10:00Z"], "is over already", id="an-end-that-is-now"),
        pytest.param(["-r", "x", "--for", "2 days"], "is not a duration", id="no-duration"),
    ],
)
def test_what_makes_no_sense_locks_nobody(
    server: Server, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert run(["lock", ALICE, *words]) == 2
    assert said in capsys.readouterr().err
    assert server.made == []


@pytest.mark.parametrize(
    ("word", "name"),
    [
        pytest.param(ALICE, "lock-alice", id="a-user"),
        pytest.param(ALICE.upper(), "lock-alice", id="in-capitals"),
        pytest.param("lock-two", "lock-two", id="a-name"),
        pytest.param("accesslock/lock-two", "lock-two", id="a-name-as-it-was-printed"),
    ],
)
def test_a_lock_is_lifted_by_its_user_or_its_name(server: Server, word: str, name: str) -> None:
    assert run(["unlock", word, "-r", "found it"]) == 0
    assert server.lifted == [(name, {"by": CAROL, "reason": "found it"})]


def test_who_is_locked_by_another_lock_still_is_not_called_free(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.locks["lock-too"] = lock("lock-too", ALICE.upper(), "erin")
    assert run(["unlock", "lock-too", "-r", "found it"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert f"lifted: erin is free to ask and decide again; {ALICE.upper()} is still locked by lock-alice" in said


def test_who_is_named_twice_is_locked_once(server: Server) -> None:
    assert run(["lock", ALICE, BOB, ALICE, "--reason", "INC-7"]) == 0
    assert [each["name"] for each in server.made[0]["spec"]["subjects"]] == [ALICE, BOB]


@pytest.mark.parametrize(
    ("word", "code", "said"),
    [
        pytest.param(BOB, 2, "unlock lock-two", id="one-of-several-is-lifted-as-a-whole"),
        pytest.param(BOB, 2, f"is one on {BOB} and dave, and is lifted as a whole", id="and-names-them"),
        pytest.param("nobody", 1, "there is no lock on nobody", id="nobody-is-locked-so"),
        pytest.param("lock-over", 1, "is over already", id="one-that-is-over"),
    ],
)
def test_what_cannot_be_lifted_says_why(
    server: Server, capsys: pytest.CaptureFixture[str], word: str, code: int, said: str
) -> None:
    assert run(["unlock", word, "-r", "x"]) == code
    assert said in capsys.readouterr().err
    assert server.lifted == []


def test_the_list_says_who_by_whom_and_why(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["locks"]) == 0
    said = capsys.readouterr().out
    assert all(words in said for words in ("lock-alice", ALICE, CAROL, "INC-7 stolen laptop"))


@pytest.mark.parametrize("width", ["60", "200"])
def test_the_list_names_everybody_whom_a_lock_is_on(
    server: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: str
) -> None:
    people = [f"person-{n:02}@example.com" for n in range(64)]
    server.locks = {"lock-many": lock("lock-many", *people)}
    monkeypatch.setenv("COLUMNS", width)
    assert run(["locks"]) == 0
    said = "".join(capsys.readouterr().out.split())
    assert [who for who in people if who not in said] == []


def test_an_end_in_less_than_a_second_is_one(server: Server) -> None:
    run(["lock", ALICE, "-r", "x", "--for", "1ms"])
    assert server.made[0]["spec"]["until"] == (NOW + timedelta(seconds=1)).isoformat(timespec="milliseconds").replace(
        "+00:00", "Z"
    )
