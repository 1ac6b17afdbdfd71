"""Signed webhooks against real receivers on loopback: taken, refused, slow, broken, not trusted; read by another verifier."""

import asyncio
import base64
import json
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest
import standardwebhooks
from aiohttp import web
from aiohttp.test_utils import TestServer

from jitaccess.publish.webhook import Endpoint, Message, NotSent, Webhook, parse_secrets, signed_headers
from team import PATIENCE

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
OTHER = "whsec_" + base64.b64encode(b"o" * 32).decode()
MESSAGE = Message("msg-1", '{"reason":"<@here> é"}'.encode(), "application/json")
PATIENT = aiohttp.ClientTimeout(total=PATIENCE)

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Receiver:
    """A receiver of webhooks that answers as told, and keeps what it was sent."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answer: Answer = self.take

    async def take(self, _: web.Request) -> web.StreamResponse:
        return web.Response(status=204)

    async def receive(self, request: web.Request) -> web.StreamResponse:
        self.got.append((dict(request.headers), await request.read()))
        return await self.answer(request)

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/hook", self.receive)
        return app


@pytest.fixture
async def receiver() -> AsyncIterator[tuple[Receiver, str]]:
    made = Receiver()
    async with TestServer(made.app()) as server:
        yield made, str(server.make_url("/hook"))


async def sent(endpoint: Endpoint, limit: aiohttp.ClientTimeout = PATIENT) -> None:
    webhook = Webhook(endpoint, limit)
    try:
        await webhook.send(MESSAGE)
    finally:
        await webhook.close()


def secret_file(tmp_path: Path, text: str = SECRET + "\n") -> Path:
    path = tmp_path / "secret"
    path.write_text(text)
    return path


async def test_a_message_is_signed_so_that_the_reference_library_believes_it(
    receiver: tuple[Receiver, str], tmp_path: Path
) -> None:
    there, url = receiver
    await sent(Endpoint(url, secret_file=secret_file(tmp_path)))
    ((headers, body),) = there.got
    assert standardwebhooks.Webhook(SECRET).verify(body, headers) == json.loads(MESSAGE.body)
    assert headers["webhook-id"] == "msg-1"
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(OTHER).verify(body, headers)


async def test_while_a_secret_is_replaced_both_verify(receiver: tuple[Receiver, str], tmp_path: Path) -> None:
    there, url = receiver
    await sent(Endpoint(url, secret_file=secret_file(tmp_path, f"{OTHER}\n{SECRET}\n")))
    ((headers, body),) = there.got
    for secret in (SECRET, OTHER):
        assert standardwebhooks.Webhook(secret).verify(body, headers)


async def test_url_and_secret_are_read_anew_for_each_message(receiver: tuple[Receiver, str], tmp_path: Path) -> None:
    there, url = receiver
    where, secret = tmp_path / "url", secret_file(tmp_path)
    where.write_text("http://127.0.0.1:9/gone\n")
    webhook = Webhook(Endpoint(url_file=where, secret_file=secret), PATIENT)
    with pytest.raises(NotSent):
        await webhook.send(MESSAGE)
    where.write_text(url + "\n")
    secret.write_text(OTHER)
    await webhook.send(MESSAGE)
    await webhook.close()
    ((headers, body),) = there.got
    assert standardwebhooks.Webhook(OTHER).verify(body, headers)


async def test_without_a_secret_nothing_is_signed(receiver: tuple[Receiver, str]) -> None:
    there, url = receiver
    await sent(Endpoint(url))
    ((headers, _),) = there.got
    assert "webhook-signature" not in headers
    assert headers["webhook-id"] == "msg-1"


def answering(status: int, text: str = "no") -> Answer:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=text, headers={"Location": "/elsewhere"} if status == 307 else {})

    return answer


@pytest.mark.parametrize(
    ("status", "refused"),
    [
        pytest.param(500, False, id="an-error-is-an-outage"),
        pytest.param(503, False, id="so-is-unavailable"),
        pytest.param(429, False, id="so-is-pressure"),
        pytest.param(401, False, id="a-wrong-credential-says-nothing-of-the-message"),
        pytest.param(404, False, id="neither-does-a-wrong-path"),
        pytest.param(307, False, id="a-redirect-is-not-followed"),
        pytest.param(400, True, id="400-refuses-the-message"),
        pytest.param(413, True, id="413-refuses-the-message"),
    ],
)
async def test_what_is_not_taken_is_told_with_the_receivers_words(
    receiver: tuple[Receiver, str], status: int, refused: bool
) -> None:
    there, url = receiver
    there.answer = answering(status, "no\x1b[31m\u202e")
    with pytest.raises(NotSent) as caught:
        await sent(Endpoint(url))
    assert caught.value.refused is refused
    assert str(caught.value) == f"it answered {status}: no\ufffd[31m\ufffd"
    assert len(there.got) == 1


async def test_a_receiver_that_does_not_answer_is_given_up(receiver: tuple[Receiver, str]) -> None:
    there, url = receiver
    released = asyncio.Event()

    async def hang(_: web.Request) -> web.StreamResponse:
        await released.wait()
        return web.Response()

    there.answer = hang
    with pytest.raises(NotSent, match="no answer in time"):
        await sent(Endpoint(url), aiohttp.ClientTimeout(total=0.3))
    released.set()


async def test_an_endless_answer_is_not_read_to_its_end(receiver: tuple[Receiver, str]) -> None:
    there, url = receiver

    async def pour(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=200)
        await response.prepare(request)
        while request.transport is not None and not request.transport.is_closing():
            await response.write(b"x" * 65536)
        return response

    there.answer = pour
    await sent(Endpoint(url))


async def test_nobody_listening_is_an_outage_and_the_secret_in_the_url_is_not_told() -> None:
    with pytest.raises(NotSent) as caught:
        await sent(Endpoint("http://127.0.0.1:9/services/T0K3N"))
    assert not caught.value.refused
    assert "T0K3N" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["", "ftp://x/y", "hooks.example.com/T0K3N", "http://", "http://[T0K3N", "https://:99999999/T0K3N"]
)
async def test_what_is_no_url_is_told_without_it(url: str) -> None:
    with pytest.raises(NotSent, match="it is no URL") as caught:
        await sent(Endpoint(url))
    assert "T0K3N" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("", "there is no secret in it", id="empty"),
        pytest.param("s3cret", "line 1 is not", id="no-prefix"),
        pytest.param("whsec_%%%", "line 1 is not base64", id="not-base64"),
        pytest.param("whsec_" + base64.b64encode(b"short").decode(), "24 to 64 bytes", id="too-short"),
        pytest.param(f"{SECRET}\nwhsec_!", "line 2 is not base64", id="the-second-is-wrong"),
    ],
)
async def test_a_wrong_secret_is_said_with_its_line_and_never_shown(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        parse_secrets(text)
    assert "s3cret" not in str(caught.value)
    with pytest.raises(NotSent, match=why):
        await sent(Endpoint("http://127.0.0.1:9/", secret_file=secret_file(tmp_path, text)))


async def test_a_file_that_is_not_there_is_an_outage(tmp_path: Path) -> None:
    for endpoint in (Endpoint(url_file=tmp_path / "x"), Endpoint("http://127.0.0.1:9/", secret_file=tmp_path / "x")):
        with pytest.raises(NotSent, match="No such file"):
            await sent(endpoint)


def test_the_signature_is_the_one_of_the_convention() -> None:
    # The example of the Standard Webhooks specification, as its libraries test it.
    secret = parse_secrets("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    message = Message("msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}', "application/json")
    headers = signed_headers(message, secret, 1614265330)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


# --- TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate for localhost, made by openssl."""
    if not shutil.which("openssl"):
        pytest.skip("needs openssl")
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(command, check=True, capture_output=True)
    return cert, key


@pytest.fixture
async def https(certificate: tuple[Path, Path]) -> AsyncIterator[tuple[Receiver, int]]:
    made, context = Receiver(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    server = TestServer(made.app(), scheme="https")
    await server.start_server(ssl=context)
    try:
        assert server.port is not None
        yield made, server.port
    finally:
        await server.close()


async def test_a_certificate_of_the_ca_file_is_trusted(https: tuple[Receiver, int], certificate: tuple[Path, Path]) -> None:
    there, port = https
    await sent(Endpoint(f"https://localhost:{port}/hook", ca_file=certificate[0]))
    assert len(there.got) == 1


@pytest.mark.parametrize(
    ("host", "trusted"),
    [pytest.param("localhost", False, id="unknown-ca"), pytest.param("127.0.0.1", True, id="another-name")],
)
async def test_a_certificate_that_does_not_hold_is_an_outage(
    https: tuple[Receiver, int], certificate: tuple[Path, Path], host: str, trusted: bool
) -> None:
    there, port = https
    endpoint = Endpoint(f"https://{host}:{port}/hook", ca_file=certificate[0] if trusted else None)
    with pytest.raises(NotSent, match="certificate verify failed"):
        await sent(endpoint)
    assert there.got == []


async def test_a_ca_file_without_a_certificate_is_said(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("nothing")
    with pytest.raises(NotSent, match="has no certificate"):
        await sent(Endpoint("https://localhost:9/", ca_file=path))
