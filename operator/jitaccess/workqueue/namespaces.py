"""The namespaces as the watch reported them, and which policies select which; hints, not the truth."""

import itertools
from collections.abc import Collection, Iterable, Mapping

from jitaccess.domain.model import Key

_Labels = tuple[tuple[str, str], ...]


class Namespaces:
    """Labels by namespace, in a few words each, and the namespaces that each policy was last found to select."""

    def __init__(self) -> None:
        self._labels: dict[str, tuple[int, _Labels]] = {}
        self._selected: dict[Key, set[str]] = {}
        self._looks = itertools.count(1)

    def __len__(self) -> int:
        return len(self._labels)

    def see(self, namespace: str, labels: Mapping[str, str], *, first: bool = False) -> bool:
        """Remember the labels of a namespace; False if they are no news, as none are of the `first` list of all namespaces."""
        now = tuple(sorted(labels.items()))
        known = self._labels.get(namespace)
        if known and known[1] == now:
            return False
        self._labels[namespace] = 0 if first else next(self._looks), now
        return not first

    def forget(self, namespace: str) -> None:
        """Drop a namespace that is gone."""
        self._labels.pop(namespace, None)

    def gone(self, listed: Collection[str]) -> list[str]:
        """The namespaces that we know and a full list does not."""
        return [name for name in self._labels if name not in listed]

    def mark(self) -> int:
        """A moment, for `seen_since`."""
        return next(self._looks)

    def seen_since(self, mark: int) -> list[str]:
        """The namespaces whose labels have been news since that moment."""
        return [name for name, (look, _) in self._labels.items() if look > mark]

    def select(self, policy: Key, namespaces: Iterable[str]) -> None:
        """Remember all the namespaces that a policy selects."""
        self._selected[policy] = set(namespaces)

    def deselect(self, policy: Key) -> None:
        """The policy selects nothing any more: it is gone, or not in force."""
        self._selected.pop(policy, None)

    def adjust(self, policy: Key, namespace: str, *, selected: bool) -> bool:
        """Remember whether a policy selects a namespace; False if that is no news, or not known of any other one yet."""
        chosen = self._selected.get(policy)
        if chosen is None or (namespace in chosen) is selected:
            return False
        (chosen.add if selected else chosen.discard)(namespace)
        return True

    def count(self, policy: Key) -> int:
        """How many namespaces a policy selects, as far as is known."""
        return len(self._selected.get(policy, ()))
