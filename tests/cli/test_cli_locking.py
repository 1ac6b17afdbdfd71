"""During an incident: one command that locks somebody out, one that ends everything, and what each of them says."""

import json
from collections.abc import Iterator

import pytest

from cli.plugin import Plugin
from locking import LOCKS, lift
from team import REQUESTS, eventually

ERIN = "erin@example.com"


@pytest.fixture(autouse=True)
def nobody_stays_locked(request: pytest.FixtureRequest) -> Iterator[None]:
    """Locks are about people, and people are of all tests."""
    jit: Plugin = request.getfixturevalue("jit" if "jit" in request.fixturenames else "jit_stamped")
    yield
    for each in jit.team.admin.get(LOCKS).sure()["items"]:
        if not each["spec"].get("lifted") and not (each.get("status") or {}).get("settled"):
            lift(jit.team, each["metadata"]["name"])


def test_one_command_locks_somebody_out_and_one_lets_them_in_again(jit: Plugin) -> None:
    jit.team.policy(requiredApprovals=0, approvers=[])
    name = jit.asked(user=ERIN)
    jit.team.until(name, "Active")
    said = jit.ok("lock", ERIN, "--reason", "INC-7 stolen laptop", "--for", "2h", user="admin")
    lock = said.split()[0].removeprefix("accesslock/")
    assert f"accesslock/{lock}  {ERIN} is locked until " in said
    jit.team.until(name, "Revoked")
    eventually(lambda: not _may_ask(jit, ERIN), "the API server knows of the lock too")
    assert "is locked by AccessLock" in jit.ok("show", name, user=ERIN)
    refused = jit("request", "--reason", "but I need it", user=ERIN)
    assert (refused.code, "INC-7 stolen laptop" in refused.err) == (3, True)
    why = jit("explain", user=ERIN)
    assert (why.code, "INC-7 stolen laptop" in why.out) == (3, True)
    assert "May ask not now, though it names them: see above" in " ".join(why.out.split())
    about = jit("explain", "--user", ERIN, "--group", "developers", user="admin")
    assert (about.code, f"{ERIN} is locked by AccessLock {lock}" in about.out) == (3, True)
    eventually(lambda: jit.team.status(lock, LOCKS).get("endedGrants") == 1, "it is counted")
    listed = json.loads(jit.ok("locks", "-o", "json", user="admin"))["items"]  # of others too, on a shared system
    assert [each["spec"]["by"] for each in listed if each["metadata"]["name"] == lock] == ["admin"]
    assert lock in jit.ok("locks", user="admin")
    assert "lifted: erin@example.com is free to ask" in jit.ok("unlock", ERIN, "--reason", "found it", user="admin")
    eventually(lambda: jit("explain", user=ERIN).code == 0, "she may ask again")
    assert lock in jit.ok("locks", "--all", user="admin")


def _may_ask(jit: Plugin, who: str) -> bool:
    return jit.team.person(who).create(REQUESTS, jit.team.request_manifest("rehearsal", who), dryRun="All").ok


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        pytest.param(["lock", ERIN], 2, "say why: --reason TEXT", id="without-a-reason"),
        pytest.param(["lock", ERIN, "-r", "x", "--for", "1h", "--until", "2030-01-01T00:00:00Z"], 2, "exclude", id="two-ends"),
        pytest.param(["lock", ERIN, "-r", "x", "--until", "tomorrow"], 2, "not an RFC 3339 time", id="an-end-that-is-no-time"),
        pytest.param(["lock", ERIN, "-r", "x", "--until", "2020-01-01T00:00:00Z"], 2, "is over already", id="an-end-in-the-past"),
        pytest.param(["unlock", "nobody", "-r", "x"], 1, "there is no lock on nobody", id="nobody-is-locked-so"),
        pytest.param(["revoke", "--all", "-y"], 2, "--all goes with --policy or --user", id="all-of-everything"),
        pytest.param(["revoke", "x", "--user", ERIN, "-y"], 2, "go with --all", id="a-name-and-a-user"),
        pytest.param(["revoke", "--all", "--user", ERIN], 2, "there is no terminal to ask at", id="nobody-to-ask"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_way_out(jit_stamped: Plugin, words: list[str], code: int, said: str) -> None:
    answer = jit_stamped(*words, user="admin")
    assert (answer.code, said in answer.err) == (code, True), answer


def test_whoever_is_no_locker_is_told_what_is_missing(jit_stamped: Plugin) -> None:
    for words in (["lock", ERIN, "-r", "x"], ["locks"]):
        answer = jit_stamped(*words, user="bob")
        assert (answer.code, "jitaccess-locker" in answer.err) == (3, True), answer


def test_a_lock_on_several_is_lifted_by_its_name(jit_stamped: Plugin) -> None:
    said = jit_stamped.ok("lock", ERIN, "dave", "-r", "INC-7", user="admin")
    lock = said.split()[0].removeprefix("accesslock/")
    assert f"{ERIN} and dave are locked until somebody lifts it" in said
    answer = jit_stamped("unlock", "dave", "-r", "x", user="admin")
    assert (answer.code, f"unlock {lock}" in answer.err) == (2, True)
    jit_stamped.ok("unlock", lock, "-r", "over", user="admin")
    again = jit_stamped("unlock", lock, "-r", "over", user="admin")
    assert (again.code, "is over already" in again.err) == (1, True)


def test_who_may_lock_is_offered_whom_and_what_there_is(jit_stamped: Plugin) -> None:
    jit, team = jit_stamped, jit_stamped.team
    team.policy()
    team.policy("other")
    team.until(jit.asked("other", user=ERIN), "Pending")
    [offered] = jit.offered("lock", "erin", user="admin")
    assert offered.startswith(f"{ERIN}\trequests: "), "whoever has or wants something, in the whole cluster"
    assert jit.offered("revoke", "--all", "--user", "erin", user="bob") == [f"{ERIN}\trequests: 1"]
    assert jit.offered("revoke", "--all", "--policy", "o", user="bob") == ["other"]
    assert "other" in jit.offered("revoke", "--all", "-A", "--policy", "o", user="admin")
    said = jit.ok("lock", ERIN, "dave", "-r", "INC-7", user="admin")
    several = said.split()[0].removeprefix("accesslock/")
    one = jit.ok("lock", "mallory", "-r", "INC-8", user="admin").split()[0].removeprefix("accesslock/")
    offers = jit.offered("unlock", "", user="admin")
    assert f"{several}\t{ERIN}, dave: INC-7" in offers
    assert f"{one}\tmallory: INC-8" in offers
    assert "mallory\tINC-8" in offers, "one person's lock goes by that person too"
    assert not any(word.startswith("dave\t") for word in offers)
    assert jit.offered("unlock", one, "lock-mal", user="admin") == [], "nothing twice"
    assert jit.offered("unlock", "", user="bob") == [], "who may not see locks is offered none"


def test_all_of_a_person_and_all_under_a_policy_ends_after_a_look(jit: Plugin) -> None:
    team = jit.team
    team.policy("open", requiredApprovals=0, approvers=[{"kind": "Group", "name": "leads"}])
    team.policy("debug")
    hers = [jit.asked("open", user=ERIN) for _ in range(2)]
    waits, alices = jit.asked("debug", user=ERIN), jit.asked("open")
    for name in (*hers, alices):
        team.until(name, "Active")
    rehearsed = jit.ok("revoke", "--all", "--user", ERIN, "--dry-run", user="bob")
    assert rehearsed.count("would be revoked") == 3
    terminal = jit.at_terminal("revoke", "--all", "--policy", "open", "--user", ERIN, "-m", "INC-7", user="bob")
    shown = terminal.expect("End these 2? [y/N]: ")
    assert all(name in shown for name in hers)
    assert waits not in shown
    terminal.type("y")
    assert terminal.end() == 0
    for name in hers:
        assert team.until(name, "Revoked")["status"]["revocation"]["note"] == "INC-7"
    jit.ok("revoke", "--all", "--user", ERIN, "-A", "-y", user="admin")
    team.until(waits, "Denied")
    assert team.state(alices) == "Active"


def test_what_could_not_be_ended_is_told_and_the_rest_is_ended(jit: Plugin) -> None:
    team = jit.team
    team.policy("ours", requiredApprovals=0)
    team.policy("theirs", requiredApprovals=0, approvers=[{"kind": "User", "name": "carol"}])
    ended, kept = jit.asked("ours", user=ERIN), jit.asked("theirs", user=ERIN)
    team.until(ended, "Active")
    team.until(kept, "Active")
    answer = jit("revoke", "--all", "--user", ERIN, "-y", user="bob")
    assert answer.code == 3
    assert f"{team.namespace}/{kept} was not ended: bob may not revoke this request" in answer.err
    assert "1 of 2 were not ended" in answer.err
    team.until(ended, "Revoked")
    assert team.state(kept) == "Active"
