"""Everywhere that I have a part: what of all namespaces, and of the whole cluster, one may see without any right to list them."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from jitaccess.cli.api.client import AT_ONCE, Client
from jitaccess.cli.api.errors import NotFound, NotInstalled, Refused
from jitaccess.domain.model import GROUP, AccessPolicy, Key, Manifest, PolicyRef
from jitaccess.manifests.directory import DIRECTORY, policy_of_entry
from jitaccess.manifests.resources import POLICIES

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Places:
    """The policies that name me, by what they name me for, as the operator has published it: a hint, not the right itself."""

    request: frozenset[Key]
    approve: frozenset[Key]
    review: frozenset[Key] = frozenset()

    @property
    def policies(self) -> list[Key]:
        """All of them."""
        return sorted(self.request | self.approve | self.review)

    def namespaces(self, verb: str = "") -> list[str]:
        """The namespaces where a policy names me: for `request`, `approve` or `review`, or for anything (empty)."""
        keys = {"request": self.request, "approve": self.approve, "review": self.review}.get(verb, self.policies)
        return sorted({key.namespace for key in keys})


def parse_places(rules: Iterable[Manifest]) -> Places:
    """Read what a SelfSubjectRulesReview says of the directory."""
    found: dict[str, set[Key]] = {"request": set(), "approve": set(), "review": set()}
    for rule in rules:
        if GROUP in rule.get("apiGroups", ()) and POLICIES.plural in rule.get("resources", ()):
            keys = {key for name in rule.get("resourceNames") or () if (key := policy_of_entry(name))}
            for verb in found.keys() & set(rule.get("verbs", ())):
                found[verb] |= keys
    return Places(frozenset(found["request"]), frozenset(found["approve"]), frozenset(found["review"]))


def gathered(ask: Callable[[T], R], things: Sequence[T]) -> list[R]:
    """The answers for all of the things, many asked for at once; what is not there, or not mine to see any more, is left out."""

    def answer(thing: T) -> list[R]:
        try:
            return [ask(thing)]
        except (NotFound, Refused):
            return []

    with ThreadPoolExecutor(max_workers=AT_ONCE) as threads:
        return [found for answers in threads.map(answer, things) for found in answers]


class Everywhere:
    """All namespaces, for whoever may list them; else those whose policies name me: `namespaces` says which, None for all.

    And the whole cluster, for whoever may see what is asked for there.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self.namespaces: list[str] | None = None

    @cached_property
    def places(self) -> Places:
        """The policies that name me, by the operator's directory."""
        return parse_places(self._client.rules(DIRECTORY))

    def requests(self, selector: str = "", verb: str = "") -> list[Manifest]:
        """The requests there are, or those where a policy names me for that verb. Refused where there is nothing to go by."""
        of_the_cluster = self._of_the_cluster(selector)
        try:
            return [*self._client.requests("", selector), *(of_the_cluster or ())]
        except Refused as refusal:
            self._narrow(refusal, verb, alone=of_the_cluster is None)
        lists = gathered(lambda namespace: self._client.requests(namespace, selector), self.namespaces or [])
        return [*(item for items in lists for item in items), *(of_the_cluster or ())]

    def _of_the_cluster(self, selector: str) -> list[Manifest] | None:
        """None where they are not mine to see, or of an older jitaccess."""
        try:
            return self._client.of_the_cluster.requests("", selector)
        except (Refused, NotFound, NotInstalled):
            return None

    def policies(self, *, alone: bool = True) -> list[AccessPolicy]:
        """The policies of namespaces that there are, or those that name me. Refused where there is nothing to go by.

        Unless something else was found, and they are not all (`alone`).
        """
        try:
            return self._client.policies("")
        except Refused as refusal:
            self._narrow(refusal, alone=alone)
        return gathered(lambda key: self._client.policy(PolicyRef(POLICIES.kind, key)), self.places.policies)

    def _narrow(self, refusal: Refused, verb: str = "", *, alone: bool = True) -> None:
        if alone and not self.places.policies:
            nobody = f"and no policy names {self._client.me}, as far as the operator has published it"
            raise Refused(f"{refusal.message}, {nobody}", refusal.hint) from refusal
        self.namespaces = self.places.namespaces(verb)
