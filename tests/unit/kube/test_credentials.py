"""How the API server is found, and what people are told when it cannot be."""

import base64
import json
import ssl
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from jitaccess.kube import credentials
from jitaccess.kube.credentials import ConfigurationError, Connection, connect, from_kubeconfig
from team import PATIENCE

TIMEOUT = aiohttp.ClientTimeout(total=PATIENCE)
GARBAGE = base64.b64encode(b"-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n").decode()


def kubeconfig(folder: Path, *, user: Any = None, cluster: Any = None, **top: Any) -> Path:
    """A kubeconfig with one context; `top` replaces whole sections."""
    config = {
        "current-context": "prod",
        "contexts": [
            {"name": "other", "context": {"cluster": "x", "user": "x"}},
            {"name": "prod", "context": {"cluster": "c", "user": "u"}},
        ],
        "clusters": [{"name": "c", "cluster": {"server": "https://api.example:6443/"} | (cluster or {})}],
        "users": [{"name": "u", "user": {"token": "secret"} if user is None else user}],
    } | top
    path = folder / "config"
    path.write_text(json.dumps({name: section for name, section in config.items() if section is not Ellipsis}))
    return path


def test_the_current_context_is_used(tmp_path: Path) -> None:
    found = from_kubeconfig(kubeconfig(tmp_path))
    assert (found.server, found.token, found.token_file) == ("https://api.example:6443", "secret", None)
    assert (found.tls.verify_mode, found.tls.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_verification_is_left_out_only_where_it_is_asked_for(tmp_path: Path) -> None:
    found = from_kubeconfig(kubeconfig(tmp_path, cluster={"insecure-skip-tls-verify": True}))
    assert (found.tls.verify_mode, found.tls.check_hostname) == (ssl.CERT_NONE, False)


@pytest.mark.parametrize("absolute", [pytest.param(True, id="absolute"), pytest.param(False, id="beside-the-kubeconfig")])
def test_a_token_file_is_found_as_kubectl_finds_it(tmp_path: Path, absolute: bool) -> None:
    named = str(tmp_path / "token") if absolute else "token"
    assert from_kubeconfig(kubeconfig(tmp_path, user={"tokenFile": named})).token_file == tmp_path / "token"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        pytest.param({"current-context": ...}, "no usable current context: 'current-context'", id="no-current-context"),
        pytest.param({"current-context": "staging"}, "no context named staging", id="a-context-that-is-not-there"),
        pytest.param({"contexts": None}, "no context named prod", id="no-contexts"),
        pytest.param({"contexts": ...}, "no usable current context: 'contexts'", id="no-section-of-contexts"),
        pytest.param({"clusters": []}, "no cluster named c", id="a-cluster-that-is-not-there"),
        pytest.param({"clusters": [{"name": "c", "cluster": {}}]}, "no usable current context: 'server'", id="no-server"),
        pytest.param({"clusters": [{"name": "c", "cluster": None}]}, "no usable current context", id="a-cluster-of-null"),
        pytest.param({"users": []}, "no user named u", id="a-user-that-is-not-there"),
        pytest.param(
            {"user": {"exec": {"command": "aws"}}}, "logs in with exec; the operator takes a token", id="an-exec-plugin"
        ),
        pytest.param({"user": {"auth-provider": {"name": "gcp"}}}, "logs in with auth-provider; the", id="an-auth-provider"),
        pytest.param({"user": {"token": "x", "as": "somebody"}}, "logs in with as; the", id="impersonation"),
        pytest.param({"user": {"as-groups": ["x"], "as": "x"}}, "logs in with as, as-groups; the", id="of-groups-too"),
        pytest.param({"user": {"username": "admin", "password": "x"}}, "logs in with username; the", id="a-password"),
    ],
)
def test_a_kubeconfig_that_cannot_be_used_says_why(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    path = kubeconfig(tmp_path, **changes)
    with pytest.raises(ConfigurationError) as raised:
        from_kubeconfig(path)
    assert told in str(raised.value)
    assert str(path) in str(raised.value), "the message names the file"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("", "no usable current context", id="empty"),
        pytest.param("just words", "no usable current context", id="words"),
        pytest.param("a: [", "no usable current context", id="broken-yaml"),
        pytest.param("- a\n- b", "no usable current context", id="a-list"),
    ],
)
def test_a_file_that_is_no_kubeconfig_says_so(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=told):
        from_kubeconfig(path)


@pytest.mark.parametrize("name", ["missing", "a:b"])
def test_a_kubeconfig_that_is_not_there_says_what_to_do(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"No such file.*name one kubeconfig with --kubeconfig"):
        from_kubeconfig(tmp_path / name)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"cluster": {"certificate-authority": "missing.crt"}}, id="a-ca-file-that-is-not-there"),
        pytest.param(
            {"cluster": {"certificate-authority-data": "%%%"}},
            id="a-ca-that-is-no-base64",
        ),
        pytest.param({"cluster": {"certificate-authority-data": GARBAGE}}, id="a-ca-that-is-no-certificate"),
        pytest.param(
            {"user": {"client-certificate": "missing.crt", "client-key": "missing.key"}},
            id="a-certificate-file-that-is-not-there",
        ),
        pytest.param({"user": {"client-certificate-data": GARBAGE, "client-key-data": GARBAGE}}, id="a-certificate-that-is-none"),
        *(
            pytest.param(
                {"clusters": [{"name": "c", "cluster": {"server": server}}]},
                id=name,
            )
            for name, server in (
                ("a-server-that-is-a-number", 6443),
                ("a-server-without-a-scheme", "api.example:6443"),
                ("a-server-of-null", None),
            )
        ),
    ],
)
def test_credentials_that_cannot_be_read_say_so(tmp_path: Path, changes: dict[str, Any]) -> None:
    path = kubeconfig(tmp_path, **changes)
    with pytest.raises(ConfigurationError, match="kubeconfig"):
        from_kubeconfig(path)


def test_a_binary_file_is_no_kubeconfig(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError):
        from_kubeconfig(path)


@pytest.mark.parametrize("only", ["client-certificate-data", "client-key-data"])
def test_half_a_client_certificate_is_told(tmp_path: Path, only: str) -> None:
    with pytest.raises(ConfigurationError):
        from_kubeconfig(kubeconfig(tmp_path, user={only: GARBAGE}))


def test_a_user_of_null_is_anonymous_as_for_kubectl(tmp_path: Path) -> None:
    found = from_kubeconfig(kubeconfig(tmp_path, users=[{"name": "u", "user": None}]))
    assert (found.token, found.token_file) == ("", None)


def test_the_option_goes_before_the_environment(tmp_path: Path) -> None:
    found = connect(kubeconfig(tmp_path), {"KUBECONFIG": str(tmp_path / "missing"), "KUBERNETES_SERVICE_HOST": "10.0.0.1"})
    assert found.server == "https://api.example:6443"


def test_kubeconfig_in_the_environment_goes_before_the_pod(tmp_path: Path) -> None:
    found = connect(None, {"KUBECONFIG": str(kubeconfig(tmp_path)), "KUBERNETES_SERVICE_HOST": "10.0.0.1"})
    assert found.server == "https://api.example:6443"


@pytest.mark.parametrize(
    "environment",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"KUBECONFIG": ""}, id="an-empty-kubeconfig"),
        pytest.param({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, id="a-pod-without-a-service-account"),
    ],
)
def test_with_nothing_to_go_by_people_are_told_what_to_do(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "SERVICE_ACCOUNT", tmp_path / "none")
    with pytest.raises(ConfigurationError, match=r"--kubeconfig FILE, set KUBECONFIG, or run inside a Pod"):
        connect(None, environment)


@pytest.mark.parametrize(
    ("environment", "server"),
    [
        pytest.param({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "https://10.0.0.1:443", id="the-default-port"),
        pytest.param(
            {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "6443"}, "https://10.0.0.1:6443", id="another-port"
        ),
        pytest.param({"KUBERNETES_SERVICE_HOST": "fd00::1"}, "https://[fd00::1]:443", id="ipv6"),
    ],
)
def test_a_pod_finds_its_api_server(
    environment: dict[str, str], server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "SERVICE_ACCOUNT", tmp_path)
    (tmp_path / "ca.crt").write_text(authority())
    found = connect(None, environment)
    assert (found.server, found.token, found.token_file) == (server, "", tmp_path / "token")


def authority() -> str:
    """Any certificate authority of this machine."""
    context = ssl.create_default_context()
    found = context.get_ca_certs(binary_form=True)
    if not found:
        pytest.skip("this machine has no certificate authorities")
    return ssl.DER_cert_to_PEM_cert(found[0])


class Gate:
    """A server that lets one token in, and remembers which it saw."""

    def __init__(self) -> None:
        self.valid = "first"
        self.seen: list[str] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.seen.append(request.headers.get("Authorization", ""))
        return web.Response(status=200 if self.seen[-1] == f"Bearer {self.valid}" else 401)


async def statuses(gate: Gate, connection: Connection, calls: list[Any]) -> list[int]:
    """Call the server once for each entry, and do what the entry says before."""
    application = web.Application()
    application.router.add_get("/", gate.answer)
    async with TestServer(application) as server, connection.session(TIMEOUT) as session:
        answers = []
        for before in calls:
            before()
            async with session.get(server.make_url("/")) as response:
                answers.append(response.status)
        return answers


def nothing() -> None:
    """Nothing happens before the call."""


async def test_a_token_is_on_every_request() -> None:
    gate = Gate()
    assert await statuses(gate, Connection("", ssl.create_default_context(), "first"), [nothing, nothing]) == [200, 200]
    assert gate.seen == ["Bearer first"] * 2


async def test_without_a_token_there_is_no_header() -> None:
    gate = Gate()
    await statuses(gate, Connection("", ssl.create_default_context()), [nothing])
    assert gate.seen == [""]


async def test_a_token_file_is_read_again_once_the_token_is_refused(tmp_path: Path) -> None:
    gate, file = Gate(), tmp_path / "token"
    file.write_text("first\n")

    def rotate() -> None:
        gate.valid = "second"
        file.write_text("second\n")

    connection = Connection("", ssl.create_default_context(), token_file=file)
    assert await statuses(gate, connection, [nothing, rotate, nothing]) == [200, 401, 200]
    assert gate.seen == ["Bearer first", "Bearer first", "Bearer second"]


async def test_a_token_file_is_read_again_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, file = Gate(), tmp_path / "token"
    file.write_text("first")
    monkeypatch.setattr(credentials, "TOKEN_REREAD_SECONDS", -1.0)
    connection = Connection("", ssl.create_default_context(), token_file=file)
    await statuses(gate, connection, [nothing, lambda: file.write_text("second")])
    assert gate.seen == ["Bearer first", "Bearer second"]


async def test_a_token_file_is_not_read_for_every_request(tmp_path: Path) -> None:
    gate, file = Gate(), tmp_path / "token"
    file.write_text("first")
    connection = Connection("", ssl.create_default_context(), token_file=file)
    assert await statuses(gate, connection, [nothing, file.unlink, nothing]) == [200, 200, 200]


async def test_a_token_file_goes_before_a_token(tmp_path: Path) -> None:
    gate, file = Gate(), tmp_path / "token"
    file.write_text("first")
    connection = Connection("", ssl.create_default_context(), "stale", file)
    assert await statuses(gate, connection, [nothing]) == [200]
