"""Label selectors, as Kubernetes has them: which namespaces a policy is for. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

# Who can write there can become anybody, or what is there is everybody's: no selector selects them, whatever labels they carry.
NEVER_SELECTED = frozenset(
    {"kube-system", "kube-public", "kube-node-lease", "jitaccess-system", "jitaccess-grants", "jitaccess-directory"}
)

# What each operator of a matchExpression asks of a label's value (None: there is no such label).
OPERATORS: Mapping[str, Callable[[str | None, tuple[str, ...]], bool]] = {
    "In": lambda value, values: value in values,
    "NotIn": lambda value, values: value not in values,
    "Exists": lambda value, _: value is not None,
    "DoesNotExist": lambda value, _: value is None,
}


@dataclass(frozen=True, slots=True)
class Requirement:
    """One thing that a selector asks of the labels of an object; `operator` is one of OPERATORS."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Whether these labels are as asked for."""
        return OPERATORS[self.operator](labels.get(self.key), self.values)

    def __str__(self) -> str:
        """As `kubectl get -l` takes it."""
        if self.operator == "In" and len(self.values) == 1:
            return f"{self.key}={self.values[0]}"
        if self.operator in ("In", "NotIn"):
            return f"{self.key} {self.operator.lower()} ({','.join(self.values)})"
        return self.key if self.operator == "Exists" else f"!{self.key}"


@dataclass(frozen=True, slots=True)
class Selector:
    """A label selector: all of its requirements must hold; one without any selects everything."""

    requirements: tuple[Requirement, ...] = ()

    def selects(self, namespace: str, labels: Mapping[str, str]) -> bool:
        """Whether it selects a namespace with these labels; a few namespaces are never selected."""
        return namespace not in NEVER_SELECTED and all(each.holds(labels) for each in self.requirements)

    def __str__(self) -> str:
        return ",".join(str(each) for each in self.requirements) or "every namespace"
