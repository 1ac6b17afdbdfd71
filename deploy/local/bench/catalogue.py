"""The parts of the benchmark: what each is called, how long it takes, and whether it belongs to the usual run."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from bench.effort import Effort
from bench.figures import Row
from bench.parts import burst, calls_a_life, endings, growth, history, latency, namespaces, overdue, prices, spread
from bench.stage import Stage


@dataclass(frozen=True, slots=True)
class Part:
    """One part; `usual` and `full` are the minutes that it takes on two calm cores."""

    about: str
    measure: Callable[[Stage, Effort], Awaitable[list[Row]]]
    usual: float
    full: float
    audit: bool = False
    only_full: bool = False


PARTS: Mapping[str, Part] = {
    "latency": Part("approval answered -> binding seen, alone and at ten a second; CPU a life", latency.measure, 2, 3.5),
    "calls": Part("writes and reads of one life, by the audit log", calls_a_life.measure, 0.5, 0.5, audit=True),
    "burst": Part("hundreds of approvals at once: grants a second; CPU of a grant", burst.measure, 1.5, 7),
    "endings": Part("hundreds of grants that end in one second: lag and order", endings.measure, 4, 4),
    "spread": Part("ends spread over half a minute beside as many approvals", spread.measure, 1.5, 3.5),
    "overdue": Part("a restart that comes too late for hundreds of grants", overdue.measure, 2, 2),
    "growth": Part("start, memory, idle CPU and latency by how many are active", growth.measure, 3, 12),
    "prices": Part("what one call costs the API server", prices.measure, 2, 2),
    "namespaces": Part(
        "policies for 2,000 namespaces: start, memory, one namespace more, one policy changed",
        namespaces.measure,
        4,
        4,
        only_full=True,
    ),
    "history": Part("settled requests beside active ones: memory and start", history.measure, 1, 5, only_full=True),
}


def chosen(names: list[str], *, full: bool) -> list[str]:
    """The parts to run: those that were named, else the usual ones, or all."""
    return names or [name for name, part in PARTS.items() if full or not part.only_full]
