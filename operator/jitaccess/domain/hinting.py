"""Hints in words: what a role may leave behind through whose API. Pure, and quick however long the lists of a role are."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from functools import cache
from heapq import nsmallest

from jitaccess.domain.effects import EVERYTHING, Effect, Rights
from jitaccess.domain.hints import KNOWN_GROUPS

_FEW = 8  # resources that a hint names before "and 12 more"
_MOST = 32  # hints that are collected: a role with more was made to confuse
_LABELS = 8  # of a group, counted from its end
_WRITING = Effect("", EVERYTHING)


def hints_of(rights: Iterable[Rights], hints: Sequence[Effect], others: Sequence[Effect]) -> tuple[str, ...]:
    """What the rights may leave behind; `others` are effects that are no hint, and need none: dangers, and what is harmless."""
    collected = _Hints(hints, others)
    for each in rights:
        collected.add(each)
    return collected.lines()


class _Hints:
    def __init__(self, hints: Sequence[Effect], others: Sequence[Effect]) -> None:
        self._hints = frozenset(hints)
        self._by_group: dict[str, list[Effect]] = defaultdict(list)
        for effect in (*hints, *others):
            self._by_group[effect.group].append(effect)
        self._through: dict[tuple[str, str], set[str]] = {}
        self._unknown: set[str] = set()

    def add(self, rights: Rights) -> None:
        given = cache(lambda effect: effect.given_by(rights))
        # Very many groups can stand in one rule; those with the same effects have the same answer.
        unknown = cache(lambda effects: _unknown(rights, effects))
        for group in sorted(rights.groups):
            effects = self._about(group, rights)
            for effect in effects:
                if effect in self._hints and given(effect):
                    self._put(effect.words, effect.group if group == EVERYTHING else group, given(effect))
            if group not in KNOWN_GROUPS and unknown(() if group == EVERYTHING else effects):
                self._unknown.add(group)

    def lines(self) -> tuple[str, ...]:
        known = (_through(words, group, resources) for (words, group), resources in sorted(self._through.items()))
        return (*known, *(_not_known(group) for group in sorted(self._unknown)))

    def _about(self, group: str, rights: Rights) -> tuple[Effect, ...]:
        if group == EVERYTHING:  # says it all, unless the resources are named
            every = (effect for effects in self._by_group.values() for effect in effects)
            named = EVERYTHING not in rights.resources
            return tuple(effect for effect in every if named and EVERYTHING not in effect.resources)
        labels = group.split(".")
        endings = (f"*.{'.'.join(labels[n:])}" for n in range(max(1, len(labels) - _LABELS), len(labels)))
        return tuple(effect for key in (group, EVERYTHING, *endings) for effect in self._by_group.get(key, ()))

    def _put(self, words: str, group: str, resources: Iterable[str]) -> None:
        if len(self._through) < _MOST or (words, group) in self._through:
            self._through.setdefault((words, group), set()).update(resources)


def _unknown(rights: Rights, effects: Iterable[Effect]) -> bool:
    """Whether something can be written of which none of these effects tells."""
    written = _WRITING.given_by(rights)
    known = [effect for effect in effects if effect.given_by(rights)]
    if EVERYTHING in written:  # one thing that is known of a group is telling enough, but one harmless thing is not
        return not any(effect.words or EVERYTHING in effect.resources for effect in known)
    return bool(written) and not set().union(*(effect.given_by(rights) for effect in known)).issuperset(written)


def _through(words: str, group: str, resources: Collection[str]) -> str:
    if EVERYTHING in resources:
        return f"{words} through everything in {group}"
    rest = f" and {len(resources) - _FEW} more" if len(resources) > _FEW else ""
    return f"{words} through {f'{group} '.lstrip()}{', '.join(nsmallest(_FEW, resources))}{rest}"


def _not_known(group: str) -> str:
    which = "every API group" if group == EVERYTHING else group
    return f"writes custom resources of {which}: whether that outlives the hour is not known to jitaccess"
