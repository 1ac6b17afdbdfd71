"""The health port: the two paths, what they say, and that nobody on the network can make it large or slow."""

import asyncio
import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from types import SimpleNamespace

import pytest

from jitaccess.app import health
from jitaccess.app.health import MOST_CONNECTIONS, REQUEST_BYTES, Answer, HealthServer, probes
from jitaccess.workqueue.schedule import Schedule, Target
from team import PATIENCE
from unit.waiting import until


@dataclass
class Operator:
    """What the probes ask about."""

    ended: str = ""
    problems: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    schedule: Schedule = field(default_factory=lambda: Schedule(fire, lambda: datetime.now(UTC)))


async def fire(_: Target) -> None:
    """Nothing is due here."""


@pytest.fixture
def operator() -> Operator:
    """A healthy one."""
    return Operator()


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is hung up on for having been slow, unless a test is about that."""
    monkeypatch.setattr(health, "CONNECTION_SECONDS", 2 * PATIENCE)


@pytest.fixture
async def port(operator: Operator) -> AsyncIterator[int]:
    """Where it serves."""
    routes = probes(operator.schedule, lambda: operator.ended, lambda: operator.problems, lambda: operator.remarks)
    server = HealthServer(routes)
    address = await server.start("127.0.0.1", 0)
    yield int(address.rpartition(":")[2])
    await server.close()


async def ask(port: int, request: bytes) -> tuple[int, str]:
    """Send that, and return the status and body of the answer; (0, "") if there is none."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        with contextlib.suppress(ConnectionError):
            writer.write(request)
            answer = await asyncio.wait_for(reader.read(), PATIENCE)
            head, _, body = answer.decode().partition("\r\n\r\n")
            return (int(head.split()[1]), body) if head else (0, "")
        return 0, ""
    finally:
        writer.close()


def get(path: str) -> bytes:
    """As kubelet asks."""
    return f"GET {path} HTTP/1.1\r\nHost: 10.0.0.7:8080\r\nUser-Agent: kube-probe/1.36\r\nConnection: close\r\n\r\n".encode()


SAID = [
    pytest.param({}, "/livez", (200, "ok\n"), id="alive"),
    pytest.param({}, "/readyz", (200, "ok\n"), id="ready"),
    pytest.param({}, "/readyz?verbose", (200, "ok\n"), id="a query is ignored"),
    pytest.param({"remarks": (" (standby)", "")}, "/readyz", (200, "ok (standby)\n"), id="a standby is ready"),
    pytest.param(
        {"remarks": ("", "; the clock is 120 s behind")}, "/readyz", (200, "ok; the clock is 120 s behind\n"), id="with a remark"
    ),
    pytest.param({"problems": ("a is missing", "", "b")}, "/readyz", (503, "a is missing\nb\n"), id="each problem on a line"),
    pytest.param({"problems": ("a is missing",)}, "/livez", (200, "ok\n"), id="what is missing does not kill it"),
    pytest.param({"ended": "the sweep has ended"}, "/livez", (503, "the sweep has ended\n"), id="half alive is not alive"),
    pytest.param({"ended": "the sweep has ended"}, "/readyz", (503, "the sweep has ended\n"), id="half alive is not ready"),
    pytest.param({}, "/metrics", (404, "there is only /livez, /readyz\n"), id="another path"),
]


@pytest.mark.parametrize(("state", "path", "said"), SAID)
async def test_what_the_probes_say(
    operator: Operator, port: int, state: dict[str, str], path: str, said: tuple[int, str]
) -> None:
    for name, value in state.items():
        setattr(operator, name, value)
    assert await ask(port, get(path)) == said


async def test_a_schedule_that_does_not_look_is_not_alive(operator: Operator, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = SimpleNamespace(monotonic=lambda: operator.schedule.beat + 91)
    monkeypatch.setattr(health, "time", stopped)
    assert await ask(port, get("/livez")) == (503, "the clock has not looked for 91 s\n")


ODD = [
    pytest.param(b"POST /livez HTTP/1.1\r\n\r\n", 405, id="another method"),
    pytest.param(b"GET /livez\r\n\r\n", 400, id="HTTP/0.9"),
    pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400, id="TLS"),
    pytest.param(b"\r\n\r\n", 400, id="nothing"),
    pytest.param(b"GET /livez HTTP/1.0\r\n\r\n", 200, id="HTTP/1.0"),
    pytest.param(b"GET /livez HTTP/1.1\r\nX: " + b"x" * 2 * REQUEST_BYTES + b"\r\n\r\n", 431, id="a large header"),
]


@pytest.mark.parametrize(("request_bytes", "status"), ODD)
async def test_odd_requests_are_refused(port: int, request_bytes: bytes, status: int) -> None:
    assert (await ask(port, request_bytes))[0] == status


async def test_who_does_not_ask_in_time_is_hung_up_on(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "CONNECTION_SECONDS", 0.2)
    start = time.monotonic()
    assert await ask(port, b"GET /livez HTTP/1.1\r\nX-Slow: ") == (0, "")
    assert time.monotonic() - start >= 0.2


async def test_the_newest_connection_takes_the_place_of_the_oldest(port: int) -> None:
    silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(MOST_CONNECTIONS)]
    assert await ask(port, get("/livez")) == (200, "ok\n")
    with contextlib.suppress(ConnectionError):
        assert await asyncio.wait_for(silent[0][0].read(), PATIENCE) == b"", "the oldest was hung up on"
    silent[-1][1].write(get("/livez"))
    assert (await asyncio.wait_for(silent[-1][0].read(), PATIENCE)).startswith(b"HTTP/1.1 200"), "the newest was not"
    for _, writer in silent:
        writer.close()


async def test_who_does_not_read_the_answer_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "CONNECTION_SECONDS", 0.2)
    asked = asyncio.Event()

    def large() -> Answer:
        asked.set()
        return Answer(HTTPStatus.OK, "x" * 50_000_000)

    server = HealthServer({"/large": large})
    address = await server.start("127.0.0.1", 0)
    with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2]))) as deaf:
        deaf.sendall(get("/large"))
        await until(lambda: asked.is_set() and not server._open, "nobody waits for it")
    await server.close()


# In a process of its own, whose memory can be measured. 300 connections that never finish what they send, nor are timed out.
SERVE = """
import asyncio
from http import HTTPStatus
from jitaccess.app import health
from jitaccess.app.health import Answer, HealthServer

async def main():
    health.CONNECTION_SECONDS = 3600
    print(await HealthServer({"/livez": lambda: Answer(HTTPStatus.OK, "ok\\n")}).start("127.0.0.1", 0), flush=True)
    await asyncio.sleep(3600)

asyncio.run(main())
"""
MEGABYTE = 1024 * 1024


def resident(pid: int) -> int:
    """The memory of a process, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return 1024 * int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"GET /livez HTTP/1.1\r\n", id="slow"),
        pytest.param(b"GET /livez HTTP/1.1\r\nX: " + b"x" * MEGABYTE, id="with a large header"),
        pytest.param(b"GET /livez HTTP/1.1\r\n" + b"X: x\r\n" * 100_000, id="with many headers"),
    ],
)
async def test_three_hundred_connections_cost_little_and_keep_no_probe_out(sent: bytes) -> None:
    server = await asyncio.create_subprocess_exec(sys.executable, "-c", SERVE, stdout=subprocess.PIPE)
    writers = []
    try:
        assert server.stdout
        port = int((await server.stdout.readline()).decode().rpartition(":")[2])
        before = resident(server.pid)
        for number in range(300):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            with contextlib.suppress(ConnectionError):
                writer.write(sent)
            writers.append(writer)
            if number % 100 == 99:
                assert await ask(port, get("/livez")) == (200, "ok\n"), f"with {number} connections"
        await asyncio.sleep(0.5)
        grown = resident(server.pid) - before
        assert grown < 30 * MEGABYTE, f"300 connections cost {grown / MEGABYTE:.0f} MB"
    finally:
        for writer in writers:
            writer.transport.abort()
        server.kill()
        await server.wait()
