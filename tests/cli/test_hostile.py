"""The plugin where machines, networks and logins misbehave: a sentence and an exit code, no traceback, no secret, no verdict."""

import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cli.hostile import SECRET, Answers, Hostile, Reply, access, as_json, empty, status
from cli.plugin import HASTY, PLUGIN, ROOT, SLEEPLESS, WARM, Answer, opened, run
from cli.warm import Started, parent
from team import PATIENCE


@dataclass(frozen=True)
class Machine:
    """A home directory, and a server that it leads to."""

    home: Path
    server: Hostile

    def run(self, *args: str, program: Sequence[str] = HASTY, **env: str) -> Answer:
        """Run the plugin there, in a script."""
        return run([*program, *args], self.environment | env)

    def start(self, *args: str) -> Started:
        """Start the plugin there, to run beside others."""
        return opened(Started(parent(), HASTY[2], args, self.environment))

    @property
    def environment(self) -> dict[str, str]:
        """What it starts with."""
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.home), "PYTHONPATH": str(ROOT / "operator"), "TZ": "UTC"}
        return environment | {"KUBECONFIG": str(self.home / "config")}

    def plugin(self, script: str) -> str:
        """A credential plugin, as lines of a kubeconfig's user."""
        file = self.home / "plugin.sh"
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o700)
        return f"exec:\n  apiVersion: client.authentication.k8s.io/v1\n  command: {file}\n  interactiveMode: Never"


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A machine on which all is well: each test breaks one thing."""
    with Hostile() as server:
        server.kubeconfig(tmp_path)
        yield Machine(tmp_path, server)


def written(text: str | bytes) -> Callable[[Machine], None]:
    def prepare(machine: Machine) -> None:
        (machine.home / "config").write_bytes(text if isinstance(text, bytes) else text.encode())

    return prepare


def user(lines: str) -> Callable[[Machine], None]:
    def prepare(machine: Machine) -> None:
        machine.server.kubeconfig(machine.home, user=lines)

    return prepare


def cluster(lines: str) -> Callable[[Machine], None]:
    def prepare(machine: Machine) -> None:
        machine.server.kubeconfig(machine.home, cluster=lines)

    return prepare


def plugin(script: str) -> Callable[[Machine], None]:
    def prepare(machine: Machine) -> None:
        machine.server.kubeconfig(machine.home, user=machine.plugin(script))

    return prepare


def token_file(content: bytes | None) -> Callable[[Machine], None]:
    def prepare(machine: Machine) -> None:
        if content is not None:
            (machine.home / "token").write_bytes(content)
        machine.server.kubeconfig(machine.home, user="tokenFile: token")

    return prepare


def answering(answers: Answers) -> Callable[[Machine], None]:
    def prepare(machine: Machine) -> None:
        machine.server.answers = answers

    return prepare


def always(reply: Reply) -> Callable[[Machine], None]:
    return answering(lambda *_: reply)


POLICY = {
    "metadata": {
        "name": "p",
        "namespace": "team-a",
        "uid": "u",
        "resourceVersion": "1",
        "creationTimestamp": "2026-06-01T00:00:00Z",
    },
    "spec": {
        "roles": [{"kind": "ClusterRole", "name": "view"}],
        "requesters": [{"kind": "User", "name": "alice"}],
        "maxDuration": "4h",
    },
}
ANONYMOUS = (
    'accessrequests.jitaccess.dev is forbidden: User "system:anonymous" cannot list resource "accessrequests" in API group '
    '"jitaccess.dev" in the namespace "team-a"'
)
TOKEN = f"token: {SECRET}"
CREDENTIAL = '{{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{}}}'

FAULTS = [
    pytest.param(
        written(f"users: [{TOKEN}\n  bad: : yaml"), 1, "is not YAML: look at line 2", id="a-kubeconfig-that-is-not-yaml"
    ),
    pytest.param(written(f"a: 2026-99-99\n{TOKEN}"), 1, "is not YAML", id="a-date-that-is-none"),
    pytest.param(written(b"\xff\xfe\x00"), 1, "is no text", id="a-kubeconfig-that-is-no-text"),
    pytest.param(written(f"- {TOKEN}"), 1, "is no mapping", id="a-kubeconfig-that-is-a-list"),
    pytest.param(written(f"{TOKEN}"), 1, "has no current-context", id="a-kubeconfig-that-says-nothing"),
    pytest.param(written(""), 1, "has no current-context", id="an-empty-kubeconfig"),
    pytest.param(written("users: alice"), 1, "users must be a list", id="users-that-are-no-list"),
    pytest.param(written("users: [alice]"), 1, "users[0] has no name", id="a-user-without-a-name"),
    pytest.param(user("token: 123"), 1, "user alice: token must be text", id="a-token-that-is-a-number"),
    pytest.param(user(f'token: "{SECRET}\\n"'), 1, "the token of user alice has a line break", id="a-token-with-a-line-break"),
    pytest.param(user(f"token: {SECRET}é"), 1, "another character that no header has", id="a-token-that-no-header-takes"),
    pytest.param(token_file(None), 1, "cannot be read: No such file", id="no-token-file"),
    pytest.param(token_file(b"\n"), 1, "is empty", id="an-empty-token-file"),
    pytest.param(token_file(f"{SECRET}\nmore".encode()), 1, "has a line break", id="a-token-file-of-two-lines"),
    pytest.param(token_file(b"\xff"), 1, "is no text", id="a-token-file-that-is-no-text"),
    pytest.param(
        user(f"client-key-data: {SECRET}%\nclient-certificate-data: x"), 1, "is not base64", id="keys-that-are-not-base64"
    ),
    pytest.param(written("current-context: gone"), 1, "there is no context gone", id="a-context-that-is-gone"),
    pytest.param(
        written("current-context: x\ncontexts: [{name: x, context: {cluster: c}}]"),
        1,
        "names a cluster that the kubeconfig does not have",
        id="a-cluster-that-is-gone",
    ),
    pytest.param(
        written(
            "current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\n"
            "clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}]"
        ),
        1,
        "names a user that the kubeconfig does not have: u",
        id="a-user-that-is-gone-is-not-nobody",
    ),
    pytest.param(
        plugin(f"echo {SECRET}; echo 'token expired, run login' >&2; exit 3"),
        1,
        "failed with exit code 3",
        id="a-login-that-fails",
    ),
    pytest.param(plugin(f"echo {SECRET}"), 1, "printed no ExecCredential", id="a-login-that-prints-something-else"),
    pytest.param(
        plugin(f"echo '{CREDENTIAL.format('{}')}'"), 1, "brought neither a token nor a certificate", id="an-empty-login"
    ),
    pytest.param(
        plugin(f"echo '{CREDENTIAL.format('{}').replace('/v1', '/v1beta1')}'"),
        1,
        "in another apiVersion",
        id="a-login-of-another-version",
    ),
    pytest.param(
        user("exec:\n  apiVersion: v1\n  command: no-such-login\n  installHint: get it at example.com"),
        1,
        "hint: get it at example.com",
        id="a-login-that-is-not-installed",
    ),
    pytest.param(
        user("exec:\n  apiVersion: v1\n  command: sh\n  interactiveMode: Always"),
        1,
        "wants a terminal",
        id="a-login-that-must-ask",
    ),
    pytest.param(user("auth-provider: {name: gcp}"), 1, "auth-provider gcp", id="a-login-that-kubectl-has-no-longer"),
    pytest.param(user("auth-provider: {name: oidc, config: {id-token: a.b.c}}"), 1, "OIDC", id="an-oidc-token-that-is-none"),
    pytest.param(always(status(403, "Forbidden", ANONYMOUS)), 1, "does not know who you are", id="nobody-is-no-verdict"),
    pytest.param(always(Reply(404, b"404 page not found\n", "text/plain")), 1, "jitaccess is not installed", id="no-crds"),
    pytest.param(always(Reply(200, b"<html>log in</html>", "text/html")), 1, "not as an API server does", id="a-login-page"),
    pytest.param(always(Reply(302, b"", "text/html")), 1, "not as an API server does", id="a-redirect"),
    pytest.param(
        always(Reply(403, b"<html>blocked</html>", "text/html")), 1, "not as an API server does", id="a-proxys-no-is-no-verdict"
    ),
    pytest.param(always(Reply(200, b"[]")), 1, "not as an API server does", id="json-that-is-no-object"),
    pytest.param(
        written(
            "current-context: x\ncontexts: [{name: x, context: {cluster: c}}]\n"
            "clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}]"
        ),
        1,
        "cannot reach http://127.0.0.1:1: [Errno 111] Connection refused",
        id="nobody-there",
    ),
    pytest.param(
        written(
            "current-context: x\ncontexts: [{name: x, context: {cluster: c}}]\n"
            f"clusters: [{{name: c, cluster: {{server: 'http://alice:{SECRET}@127.0.0.1:1'}}}}]"
        ),
        1,
        "cannot reach http://127.0.0.1:1:",
        id="a-password-in-the-address-of-the-server",
    ),
    pytest.param(always(Reply(502, b"bad gateway")), 1, "cannot answer now (502)", id="a-bad-gateway"),
]


@pytest.mark.parametrize(("prepare", "code", "said"), FAULTS)
def test_whatever_is_wrong_is_said_in_a_sentence(
    machine: Machine, prepare: Callable[[Machine], None], code: int, said: str
) -> None:
    prepare(machine)
    answer = machine.run("ls", "--all")
    assert answer.code == code, answer
    assert said in answer.err
    assert "Traceback" not in answer.err
    assert "fault of kubectl jit itself" not in answer.err
    assert SECRET not in answer.out + answer.err, "no error shows a secret"


def test_what_a_failing_login_says_is_passed_on(machine: Machine) -> None:
    plugin("echo 'token expired, run login' >&2; exit 1")(machine)
    answer = machine.run("ls", "--all")
    assert "token expired, run login" in answer.err
    assert machine.server.asked == [], "nobody asks anything as system:anonymous"


@pytest.mark.parametrize(
    ("prepare", "header"),
    [
        pytest.param(token_file(f"{SECRET}\n".encode()), f"Bearer {SECRET}", id="a-token-file-ends-with-a-line-break"),
        pytest.param(
            user(f"token: {SECRET}\nexec: {{apiVersion: v1, command: 'false'}}"), f"Bearer {SECRET}", id="a-token-before-a-plugin"
        ),
        pytest.param(plugin("echo '" + CREDENTIAL.format('{"token":"' + SECRET + '"}') + "'"), f"Bearer {SECRET}", id="a-plugin"),
        pytest.param(user("username: zoë\npassword: pw"), "Basic em/Dqzpwdw==", id="a-password"),
    ],
)
def test_logins_are_taken_as_kubectl_takes_them(machine: Machine, prepare: Callable[[Machine], None], header: str) -> None:
    prepare(machine)
    assert machine.run("ls", "--all").code == 0
    assert {headers.get("authorization") for _, _, headers in machine.server.asked} == {header}


def test_the_first_of_several_kubeconfigs_wins(machine: Machine) -> None:
    other = machine.home / "other"
    other.write_text(
        (machine.home / "config").read_text().replace(SECRET, "another").replace("namespace: team-a", "namespace: team-b")
    )
    assert machine.run("ls", "--all", KUBECONFIG=f"{machine.home}/none:{machine.home}/config:{other}").code == 0
    assert [path.split("/")[5] for _, path, _ in machine.server.asked] == ["team-a"]


@pytest.mark.parametrize(
    ("env", "cluster_lines", "direct"),
    [
        pytest.param({"HTTP_PROXY": "http://127.0.0.1:1"}, "", True, id="loopback-goes-through-no-proxy"),
        pytest.param({"ALL_PROXY": "http://127.0.0.1:1"}, "", True, id="nor-through-what-go-does-not-read"),
        pytest.param({}, "proxy-url: http://127.0.0.1:1", False, id="but-the-kubeconfig-is-obeyed"),
        pytest.param({"NO_PROXY": "*"}, "proxy-url: http://127.0.0.1:1", False, id="whatever-no-proxy-says"),
    ],
)
def test_proxies_follow_the_rule_of_kubectl(machine: Machine, env: dict[str, str], cluster_lines: str, direct: bool) -> None:
    machine.server.kubeconfig(machine.home, cluster=cluster_lines)
    answer = machine.run("ls", "--all", **env)
    assert (answer.code == 0) is direct, answer
    assert bool(machine.server.asked) is direct


@pytest.mark.parametrize(
    ("prepare", "env"),
    [
        pytest.param(cluster(f"proxy-url: 'http://alice:{SECRET}@'"), {}, id="in-the-kubeconfig"),
        pytest.param(cluster(f"proxy-url: 'http://alice:{SECRET}@127.0.0.1:1'"), {}, id="that-nobody-answers-at"),
    ],
)
def test_the_password_of_a_proxy_is_not_shown(machine: Machine, prepare: Callable[[Machine], None], env: dict[str, str]) -> None:
    prepare(machine)
    answer = machine.run("ls", "--all", **env)
    assert answer.code == 1
    assert SECRET not in answer.err
    assert "Traceback" not in answer.err


def ends_before_others(machine: Machine, given: str) -> Answer:
    """What a call says that may take so long, and ends while one waits that was given nothing, and so waits half a minute."""
    given_it = machine.start("ls", "--all", "--request-timeout", given)
    unasked = machine.start("ls", "--all")
    out, err = given_it.communicate(PATIENCE)
    assert unasked.running, "nobody waits for the answer"
    return Answer(given_it.returncode, out, err)


@pytest.mark.parametrize("given", ["1s", "1", "1000ms"])
def test_a_request_takes_no_longer_than_it_may(machine: Machine, given: str) -> None:
    machine.server.answers = lambda *_: Reply(200, b"{}", delay=PATIENCE)
    answer = ends_before_others(machine, given)
    assert answer.code == 1
    assert "does not answer in time: 1s" in answer.err


def test_a_timeout_of_zero_is_none(machine: Machine) -> None:
    machine.server.answers = lambda *words: Reply(200, empty(*words).body, delay=0.5)
    assert machine.run("ls", "--all", "--request-timeout", "0").code == 0


def test_a_connection_that_nobody_takes_ends_in_time(machine: Machine) -> None:
    """An address that is routed nowhere: what is sent there is never answered, and a kernel tries for two minutes."""
    text = (machine.home / "config").read_text()
    (machine.home / "config").write_text(text.replace(machine.server.url, "http://198.51.100.1:80"))
    assert ends_before_others(machine, "2s").code == 1, "an outage is no verdict"


def test_a_busy_server_is_asked_again(machine: Machine) -> None:
    replies = iter([status(429, "TooManyRequests", "later")])
    machine.server.answers = lambda *words: next(replies, None) or empty(*words)
    assert machine.run("ls", "--all").code == 0


@pytest.mark.parametrize(
    "args",
    [
        ["export", "--since", "9999999w"],
        ["export", "--since", "9" * 5000 + "d"],
        ["export", "--since", "0001-01-01T00:00:00+14:00"],
        ["export", "--until", "99999999999d"],
        ["ls", "--request-timeout", "soon"],
        ["ls", "--request-timeout", "99999999999"],
        ["watch", "--timeout", "99999999999h"],
        ["ls", "--as", "a\nb"],
        ["request", "p", "--for", "9" * 400 + "h", "--reason", "x"],
    ],
    ids=lambda args: " ".join(args)[:40].replace("\n", " "),
)
def test_words_that_mean_nothing_are_usage_errors(machine: Machine, args: list[str]) -> None:
    machine.server.answers = lambda *words: as_json(POLICY) if words[1].endswith("/accesspolicies/p") else empty(*words)
    answer = machine.run(*args)
    assert answer.code == 2, answer
    assert "Traceback" not in answer.err
    assert len(answer.err) < 600, "what was typed is not thrown back whole"


def listing(*items: dict[str, Any]) -> Reply:
    return as_json({"kind": "List", "items": items, "metadata": {"resourceVersion": "9"}})


EXPIRED = Reply(200, b'{"type":"ERROR","object":{"kind":"Status","code":410,"message":"too old"}}\n')


ASLEEP = (WARM, "-c", SLEEPLESS)


def scripted(lists: list[Reply], one: Reply, watch: Reply = EXPIRED) -> Answers:
    """An API server whose lists follow each other, the last for ever, whose watches all fail, and that has one request."""

    def answers(method: str, path: str, headers: Mapping[str, str]) -> Reply:
        if path.partition("?")[0].endswith("/alice-7f3k"):
            return one
        if "watch=true" in path:
            return watch
        return lists.pop(0) if len(lists) > 1 else lists[0]

    return answers


def test_a_watch_that_cannot_connect_is_an_error(machine: Machine) -> None:
    (machine.home / "config").write_text((machine.home / "config").read_text().replace(machine.server.url, "http://127.0.0.1:1"))
    answer = machine.run("watch", "--active", "--timeout", "2s")
    assert (answer.code, answer.out) == (1, "")
    assert "cannot reach http://127.0.0.1:1" in answer.err


def test_a_watch_that_lost_the_server_says_so_and_not_that_nobody_has_access(machine: Machine) -> None:
    down = status(503, "ServiceUnavailable", "etcd is away")
    machine.server.answers = scripted([listing(access()), down], down)
    answer = machine.run("watch", "--active", "--timeout", "4s", program=ASLEEP)
    assert answer.code == 1, answer
    assert "etcd is away; what happens since is not known" in answer.err
    assert "alice-7f3k  Active" in answer.out
    assert "Nobody has access" not in answer.out + answer.err


@pytest.mark.parametrize(
    ("one", "out", "err"),
    [
        pytest.param(as_json(access("8", "Expired")), "alice-7f3k  Expired", "", id="it-ended"),
        pytest.param(status(404, "NotFound", "gone"), "", "team-a/alice-7f3k  deleted", id="it-was-deleted"),
        pytest.param(status(503, "Down", "no"), "", "no longer listed, and why is not known", id="nobody-can-tell"),
    ],
)
def test_what_went_while_nobody_watched_is_reported(machine: Machine, one: Reply, out: str, err: str) -> None:
    machine.server.answers = scripted([listing(access()), listing()], one)
    answer = machine.run("watch", "--active", "--timeout", "3s", program=ASLEEP)
    assert answer.code == 0, answer
    assert out in answer.out
    assert err in answer.err
    lists = [path for _, path, _ in machine.server.asked if "watch=true" not in path]
    assert len(lists) < 6, "a server that only has errors is not asked in a busy loop"


def test_a_request_that_was_deleted_while_nobody_watched_ends_its_watch(machine: Machine) -> None:
    machine.server.answers = scripted([listing(access()), listing()], status(404, "NotFound", "gone"))
    answer = machine.run("watch", "alice-7f3k", "--timeout", "1h")
    assert answer.code == 1
    assert "alice-7f3k was deleted: the access that it gave, if any, ends when Kubernetes has collected its binding" in answer.err


def test_the_end_of_a_watch_during_an_outage_is_no_timeout(machine: Machine) -> None:
    down = status(503, "ServiceUnavailable", "etcd is away")
    machine.server.answers = scripted([listing(access()), down], down)
    answer = machine.run("watch", "alice-7f3k", "--timeout", "3s", program=ASLEEP)
    assert answer.code == 1, "an outage is never a verdict"
    assert "what became of alice-7f3k is not known" in answer.err


def test_times_are_told_by_the_api_servers_clock(machine: Machine) -> None:
    """A laptop an hour behind would say that access of half an hour goes on for more than an hour."""
    ends = datetime.now(UTC) + timedelta(hours=1, minutes=30)
    request = access()
    request["status"]["expiresAt"] = ends.strftime("%Y-%m-%dT%H:%M:%SZ")
    machine.server.answers = lambda *_: listing(request)
    machine.server.ahead = timedelta(hours=1)
    answer = machine.run("ls", "--active")
    assert re.search(r"ends in (?:30|2\d)m", answer.out), answer


def test_a_fault_of_our_own_shows_where_and_not_what() -> None:
    script = f"from jitaccess import cli\ndef fail(words): raise ValueError('{SECRET}')\ncli._run = fail\ncli.main()"
    done = subprocess.run(
        [PLUGIN[0], "-c", script],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "operator")},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 1
    assert "this is a fault of kubectl jit itself: ValueError in <string>:2" in done.stderr
    assert SECRET not in done.stderr
