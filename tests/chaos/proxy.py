"""A loopback proxy between one operator and the API server, which does to its writes what the rules say."""

import asyncio
import contextlib
import json
import ssl
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any, Self, TypeVar

import aiohttp
from aiohttp import web
from yarl import URL

from chaos import faults
from chaos.faults import Rules, Write, write_of
from chaos.journal import Journal

_HOP = {"host", "connection", "transfer-encoding", "content-length", "keep-alive"}
_FOREVER = aiohttp.ClientTimeout(total=None)
_HUNG_SECONDS = 300.0  # for which a call is left without an answer, unless the operator gives it up
NOISE = b'{"type": "MODIFIED", "object": {"kind": \xff\n'


T = TypeVar("T")


class Loop:
    """An event loop in a thread of its own, for all proxies of a run."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._begun: list[Future[Any]] = []
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxies", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        wait(self._begun, 20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run it there and wait for the result."""
        return self.begin(work).result(30)

    def begin(self, work: Coroutine[Any, Any, Any]) -> "Future[Any]":
        """Run it there, without waiting; it is waited for at the end of all."""
        future: Future[Any] = asyncio.run_coroutine_threadsafe(work, self._loop)
        self._begun.append(future)
        return future


class Proxy:
    """Listens on loopback for one operator; `kill` ends that operator at once."""

    def __init__(self, server: str, authority: Path, rules: Rules, journal: Journal, kill: Callable[[], None]) -> None:
        self._server = server
        self._authority = authority
        self._rules = rules
        self._journal = journal
        self._kill = kill
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None
        self._open: dict[int, web.Request] = {}
        self._under_way: set[asyncio.Future[Any]] = set()
        self._partitioned = False
        self._garbled = False
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._watches: set[web.StreamResponse] = set()

    async def start(self) -> str:
        """Listen; returns the URL for the operator's kubeconfig."""
        tls = ssl.create_default_context(cafile=str(self._authority))
        connector = aiohttp.TCPConnector(limit=0, ssl=tls)
        self._session = aiohttp.ClientSession(connector=connector, timeout=_FOREVER, auto_decompress=False)
        application = web.Application(client_max_size=16 * 2**20)
        application.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(application, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}"

    async def stop(self) -> None:
        """Cut everything, let arrive what is under way, and close."""
        self._partitioned = True
        self._abort_all()
        while self._under_way:
            await asyncio.wait(self._under_way)
        if self._session:
            await self._session.close()
        if self._runner:
            await self._runner.cleanup()

    async def partition(self, seconds: float) -> None:
        """Cut everything, watches too, and let nothing through for so long."""
        self._partitioned = True
        self._abort_all()
        await asyncio.sleep(seconds)
        self._partitioned = False

    async def freeze(self, seconds: float) -> None:
        """Keep every connection, and let nothing through for so long."""
        self._flowing.clear()
        await asyncio.sleep(seconds)
        self._flowing.set()

    async def garble(self, seconds: float) -> None:
        """Say what nobody can decode: to each watch once, and in every answer to a GET for so long."""
        self._garbled = True
        for watch in list(self._watches):
            with contextlib.suppress(ConnectionError):
                await watch.write(NOISE)
        await asyncio.sleep(seconds)
        self._garbled = False

    def _abort_all(self) -> None:
        for request in list(self._open.values()):
            _abort(request)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if self._partitioned:
            return _cut(request)
        self._open[id(request)] = request
        try:
            await self._flowing.wait()
            return await self._pass(request)
        except aiohttp.ClientError:
            return _cut(request)
        finally:
            self._open.pop(id(request), None)

    async def _pass(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        write = write_of(request.method, request.path, request.query_string, body)
        if write is None:
            return await self._stream(request, body)
        fault = self._rules.fault_of(write)
        if fault:
            self._journal.note(f"{write.verb} {write.resource} {fault}", **_where(write, fault))
        if fault in (faults.HANG, faults.HANG_DONE):
            return await self._hang(request, body, done=fault == faults.HANG_DONE)
        # Shielded: what is on its way arrives even if its sender dies.
        return await asyncio.shield(self._keep(self._write(request, body, fault)))

    async def _hang(self, request: web.Request, body: bytes, *, done: bool) -> web.StreamResponse:
        if done:
            await asyncio.shield(self._keep(self._forward(request, body)))
        await asyncio.sleep(_HUNG_SECONDS)  # cancelled as soon as the operator gives up
        return _cut(request)

    def _keep(self, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task

    async def _write(self, request: web.Request, body: bytes, fault: str) -> web.StreamResponse:
        if fault in faults.REFUSALS:
            return _refusal(*faults.REFUSALS[fault])
        if fault == faults.KILL_BEFORE:
            self._kill()
        if fault in (faults.CUT, faults.KILL_BEFORE):
            return _cut(request)
        if fault == faults.DELAY:
            await asyncio.sleep(faults.LATE_SECONDS)
        try:
            answer = await self._forward(request, body, faults.LATE if fault == faults.DELAY else "")
        except aiohttp.ClientError:
            return _cut(request)
        if fault == faults.KILL_AFTER:
            self._kill()
        if fault in (faults.SWALLOW, faults.KILL_AFTER):
            return _cut(request)
        if fault == faults.LATE_ANSWER:
            await asyncio.sleep(faults.LATE_SECONDS)
        if fault == faults.TWICE:
            self._keep(self._repeat(request, body))
        return answer

    async def _repeat(self, request: web.Request, body: bytes) -> None:
        await asyncio.sleep(faults.AGAIN_SECONDS)
        with contextlib.suppress(aiohttp.ClientError):
            await self._forward(request, body, mark=faults.AGAIN)

    async def _forward(self, request: web.Request, body: bytes, mark: str = "") -> web.Response:
        async with self._call(request, body, mark) as answer:
            return web.Response(status=answer.status, body=await answer.read(), headers=_headers(answer.headers))

    async def _stream(self, request: web.Request, body: bytes) -> web.StreamResponse:
        async with self._call(request, body) as answer:
            if "watch" not in request.query:
                text = await answer.read()
                text = text[: len(text) // 2] if self._garbled else text
                return web.Response(status=answer.status, body=text, headers=_headers(answer.headers))
            response = web.StreamResponse(status=answer.status, headers=_headers(answer.headers))
            await response.prepare(request)
            self._watches.add(response)
            try:
                async for chunk in answer.content.iter_any():
                    await self._flowing.wait()
                    await response.write(chunk)
            finally:
                self._watches.discard(response)
            return response

    def _call(self, request: web.Request, body: bytes, mark: str = "") -> Any:
        assert self._session
        headers = _headers(request.headers)
        headers["User-Agent"] = f"{headers.get('User-Agent', '')} {mark}".strip()
        url = URL(f"{self._server}{request.raw_path}", encoded=True)
        return self._session.request(request.method, url, data=body or None, headers=headers, allow_redirects=False)


def _where(write: Write, fault: str) -> dict[str, Any]:
    return {"seconds": faults.LASTS.get(fault, 0.0), "namespace": write.namespace, "request": write.request}


def _headers(headers: Any) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in _HOP}


def _abort(request: web.Request) -> None:
    if request.transport:
        request.transport.abort()


def _cut(request: web.Request) -> web.Response:
    _abort(request)
    return web.Response(status=502)  # which nobody reads any more


def _refusal(status: int, reason: str) -> web.Response:
    message = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "refused by chaos", "reason": reason}
    return web.Response(status=status, body=json.dumps({**message, "code": status}).encode(), content_type="application/json")
