"""Liveness and readiness over HTTP, for kubelet's probes."""

import logging
import time
from collections.abc import Callable

from aiohttp import web

from jitaccess.workqueue.schedule import LONGEST_SLEEP, Schedule

log = logging.getLogger(__name__)

# The waiter looks at least every LONGEST_SLEEP seconds; three missed looks are a hang.
STALE_AFTER = 3 * LONGEST_SLEEP


async def serve(
    host: str, port: int, schedule: Schedule, problems: Callable[[], tuple[str, ...]], leads: Callable[[], bool]
) -> web.AppRunner:
    """Serve /livez and /readyz until the runner is cleaned up; port 0 takes a free one. What is wrong is in the body of a 503."""

    async def livez(_: web.Request) -> web.Response:
        silent = time.monotonic() - schedule.beat
        if silent > STALE_AFTER:
            return web.Response(status=503, text=f"the clock has not looked for {silent:.0f} s\n")
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        if found := problems():
            return web.Response(status=503, text="\n".join(found) + "\n")
        return web.Response(text="ok\n" if leads() else "ok (standby)\n")

    app = web.Application()
    app.add_routes([web.get("/livez", livez), web.get("/readyz", readyz)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    address = "{}:{}".format(*runner.addresses[0])
    log.info("serving /livez and /readyz", extra={"health_address": address})
    return runner
