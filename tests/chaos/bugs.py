"""The operator with a bug put into it, for the judge to find: `python bugs.py BUG run ...` is `jitaccess run ...` with it."""

import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from jitaccess.app.command import main
from jitaccess.domain import lifecycle
from jitaccess.reconcile import requests
from jitaccess.reconcile.ending import Endings
from jitaccess.reconcile.removal import NotEnded
from jitaccess.reconcile.requests import RequestReconciler


def record_after_binding() -> None:
    """Make the binding, and then record the grant."""
    begin = RequestReconciler._begin

    async def bind_first(self: Any, facts: Any, guard: Any) -> None:
        verdict = requests.decide(facts.request, facts.policy, self._now(), facts.role.shown)
        if verdict.grant:
            await self._grants.bind(verdict.grant, guard.job)
        await begin(self, facts, guard)

    RequestReconciler._begin = bind_first  # type: ignore[method-assign]


def later_end() -> None:
    """Each look at a grant that runs moves its end by a second."""
    decide = lifecycle.decide

    def generous(request: Any, *facts: Any) -> Any:
        verdict = decide(request, *facts)
        if verdict.grant and request.state.value == "Active":
            later = replace(verdict.grant, expires_at=verdict.grant.expires_at + timedelta(seconds=1))
            return replace(verdict, grant=later)
        return verdict

    requests.decide = generous


def deaf_to_revocations() -> None:
    """A revocation of a grant that runs is not looked at."""
    lifecycle._revoked = lambda _: None  # type: ignore[assignment]


def called_over() -> None:
    """A binding that the API server keeps is taken for gone."""
    remove = Endings._remove_binding

    async def optimist(self: Any, key: Any, uid: str) -> Any:
        try:
            return await remove(self, key, uid)
        except NotEnded:
            return None

    Endings._remove_binding = optimist  # type: ignore[method-assign]


BUGS: dict[str, Callable[[], None]] = {
    "record-after-binding": record_after_binding,
    "later-end": later_end,
    "deaf-to-revocations": deaf_to_revocations,
    "called-over": called_over,
}

if __name__ == "__main__":
    BUGS[sys.argv.pop(1)]()
    main()
