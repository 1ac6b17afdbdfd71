"""An attempt: who tries what, the exact refusal that it must meet, and the honest twin that must succeed."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from _pytest.mark import ParameterSet

from attack.stage import Theatre
from controlplane.client import Answer, Person
from team import REQUESTS, annotations

How = Callable[["Scene", Person], Answer]

STAMPED, BY_HAND = "stamped", "by hand"  # the two installations: they differ in one admission policy, which stamps requests


@dataclass
class Scene:
    """What one attempt acts on: made when it is first asked for, so that attempts share nothing that they could change."""

    stage: Theatre
    _name: str = ""

    @property
    def name(self) -> str:
        """A request of alice's that waits for two approvals."""
        self._name = self._name or self.stage.request()
        return self._name

    def ask(self, user: str, **spec: Any) -> str:
        """Another request, which then is the one that this scene is about."""
        self._name = self.stage.request(user, **spec)
        return self._name

    def about(self, name: str) -> str:
        """Let the scene be about that request."""
        self._name = name
        return name


@dataclass(frozen=True, slots=True)
class Attempt:
    """One row; `{me}`, `{name}`, `{namespace}` and `{robot}` in the refusal stand for who tries, on which request, where.

    `only` is "stamped" or "by hand" where the other installation knows no such attempt; `hole` is what is known to be open.
    """

    id: str
    who: str
    how: How
    refusal: str
    twin: How
    twin_who: str = ""
    status: int = 403
    by_hand: str = ""
    only: str = ""
    hole: str = ""


def table(*attempts: Attempt | Iterable[Attempt]) -> pytest.MarkDecorator:
    """Parametrize a test with attempts; their sentences are its ids."""
    rows = [row for each in attempts for row in ([each] if isinstance(each, Attempt) else each)]
    ids = [row.id for row in rows]
    assert len(set(ids)) == len(ids), f"twice: {sorted({each for each in ids if ids.count(each) > 1})}"
    played = [(row, STAMPED) for row in rows if row.only != BY_HAND] + [(row, BY_HAND) for row in by_hand(rows)]
    return pytest.mark.parametrize(("attempt", "stage"), [_param(*each) for each in played], indirect=["stage"], scope="session")


def by_hand(rows: Iterable[Attempt]) -> Iterator[Attempt]:
    """The attempts that are made where nobody stamps too: whatever differs there, and one for each refusal that does not."""
    met: set[str] = set()
    for row in rows:
        differs = row.only == BY_HAND or bool(row.by_hand)
        if row.only != STAMPED and (differs or row.refusal not in met):
            met.add(row.refusal)
            yield row


def _param(row: Attempt, installation: str) -> ParameterSet:
    marks = [pytest.mark.xfail(strict=True, reason=row.hole)] if row.hole else []
    return pytest.param(row, installation, id=f"{row.id}, {installation}", marks=marks)


def on_both() -> pytest.MarkDecorator:
    """Run a test that takes the stage on both installations, because people's ledger lines come about differently there."""
    return pytest.mark.parametrize("stage", [STAMPED, BY_HAND], indirect=True, scope="session")


def play(attempt: Attempt, stage: Theatre) -> None:
    """Try, be refused for the stated reason, then do the honest thing, which succeeds."""
    scene = Scene(stage)
    refuse(attempt, scene)
    honest = attempt.twin(scene, known(stage, attempt.twin_who or attempt.who))
    assert honest.ok, f"the honest twin must succeed: {honest.status} {honest.message}"


def refuse(attempt: Attempt, scene: Scene) -> None:
    """Try, and be refused for the stated reason."""
    stage = scene.stage
    answer = attempt.how(scene, known(stage, attempt.who))
    words = {"me": known(stage, attempt.who).name, "name": scene._name, "namespace": stage.namespace, "robot": stage.robot}
    refusal = (attempt.refusal if stage.stamped else attempt.by_hand or attempt.refusal).format(**words)
    assert not answer.ok, f"it must be refused ({refusal}), but was answered {answer.status}"
    assert refusal in answer.message, f"refused for another reason: {answer.status} {answer.message}"
    assert answer.status == attempt.status, answer.message


def known(stage: Theatre, who: str) -> Person:
    """A person by name; `robot` and `operator` are ServiceAccounts."""
    if who == "robot":
        return stage.service_account(stage.namespace, "robot")
    return stage.service_account("jitaccess-system", "jitaccess") if who == "operator" else stage.person(who)


def denied(policy: str, sentence: str) -> str:
    """A refusal by one of our admission policies, as the API server words it."""
    name = f"{policy}.jitaccess.dev"
    return f"ValidatingAdmissionPolicy '{name}' with binding '{name}' denied request: {sentence}"


def cannot(verb: str, resource: str = REQUESTS, group: str = "jitaccess.dev") -> str:
    """A refusal by RBAC, as the API server words it."""
    return f'User "{{me}}" cannot {verb} resource "{resource}" in API group "{group}" in the namespace "{{namespace}}"'


# --- what people do


def creates(**spec: Any) -> How:
    """Ask, with these fields; None leaves one out."""
    return lambda scene, me: me.create(REQUESTS, scene.stage.manifest(me.name, **spec))


def creates_with(**metadata: Any) -> How:
    """Ask, with these fields of metadata."""

    def how(scene: Scene, me: Person) -> Answer:
        manifest = scene.stage.manifest(me.name)
        manifest["metadata"] |= metadata
        return me.create(REQUESTS, manifest)

    return how


def writes(ledger: str, value: str | None) -> How:
    """Set a ledger to that text, whatever it was; `{me}` stands for one's own name."""

    def how(scene: Scene, me: Person) -> Answer:
        text = None if value is None else value.replace("{me}", me.name)
        return me.merge(REQUESTS, scene.name, annotations({f"jitaccess.dev/{ledger}": text}))

    return how


def decides(verb: str, note: str = "ok") -> How:
    """Approve, deny or revoke as one does on this system."""
    return lambda scene, me: me.merge(REQUESTS, scene.name, scene.stage.decision(me.name, verb, scene.name, note))


def merges(patch: dict[str, Any], subresource: str = "") -> How:
    """Change the request by a merge patch."""
    return lambda scene, me: me.merge(REQUESTS, scene.name, patch, subresource)


def patches(*operations: dict[str, Any], subresource: str = "") -> How:
    """Change the request by JSON patch operations."""
    return lambda scene, me: me.patch(REQUESTS, scene.name, *operations, subresource=subresource)


def after(first: How, then: How, *, by: str = "") -> How:
    """Do two things, the first of which must succeed; `by` somebody else, perhaps."""

    def how(scene: Scene, me: Person) -> Answer:
        Theatre.sure(first(scene, known(scene.stage, by) if by else me))
        return then(scene, me)

    return how


def about(prepare: Callable[[Scene], object], then: How) -> How:
    """Set the scene first."""

    def how(scene: Scene, me: Person) -> Answer:
        prepare(scene)
        return then(scene, me)

    return how
