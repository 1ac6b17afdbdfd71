"""What Kopf asks the API server for, seen on its calls: it tells nobody that it has listed something, or that it watches."""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from types import SimpleNamespace

import aiohttp

from jitaccess.manifests.resources import Resource


class Sight:
    """Which of these resources are watched; `listed` is called for each page of a list of them, also for one that is empty.

    Handlers hear of what a list has, never of what it lacks: only this says that there was one.
    """

    def __init__(self, resources: Iterable[Resource], listed: Callable[[], None]) -> None:
        self._resources = tuple(resources)
        self._listed = listed
        self._watched: set[Resource] = set()
        self._refused: dict[Resource, int] = {}  # with the status of the last answer

    @property
    def problems(self) -> tuple[str, ...]:
        """What is not watched yet, or may not be watched any more, a line each."""
        refused = {each: f": the API server refuses it ({status})" for each, status in self._refused.items()}
        unseen = [each for each in self._resources if each not in self._watched]
        return tuple(f"{each.plural} are not watched{refused.get(each, ' yet')}" for each in unseen)

    def begin(self) -> None:
        """All begins anew: nothing is watched yet."""
        self._watched.clear()
        self._refused.clear()

    def trace(self) -> aiohttp.TraceConfig:
        """For the session with which all this is asked for."""
        trace = aiohttp.TraceConfig()
        trace.on_request_end.append(self._answered)
        return trace

    async def _answered(self, _: aiohttp.ClientSession, __: SimpleNamespace, call: aiohttp.TraceRequestEndParams) -> None:
        asked = next((each for each in self._resources if call.url.path.endswith(each.path())), None)
        if asked is None:
            return
        status = call.response.status
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            self._watched.discard(asked)
            self._refused[asked] = status
        elif status == HTTPStatus.OK and "watch" in call.url.query:
            self._watched.add(asked)
            self._refused.pop(asked, None)
        elif status == HTTPStatus.OK:
            self._listed()
