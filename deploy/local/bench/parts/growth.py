"""What grows with the number of active grants, and what does not: start, memory, idle work, and the time of one grant."""

from bench.asking import ask_all
from bench.bare import bare_lives
from bench.effort import Effort
from bench.figures import Goal, Row, latency_rows
from bench.parts.latency import rounds
from bench.parts.starting import Start, idle_cpu, start_once
from bench.seeding import CROWD, seed_active
from bench.stage import HOME, Stage
from bench.watching import Watcher, state_of_request
from jitaccess.manifests.resources import REQUESTS, ROLE_BINDINGS

IDLE_SECONDS = 15.0
STARTS = {2_000: 2.0, 10_000: 3.0}  # the goals, in seconds
MOST_MEMORY = 150.0


async def measure(stage: Stage, effort: Effort) -> list[Row]:
    """One size after the other, on the same control plane."""
    await stage.prepare(CROWD)
    rows, there = [], 0
    for size in effort.sizes:
        await stage.stop()
        lives = await bare_lives(stage, f"bare-{size}", 2 * effort.rounds)
        await seed_active(stage, there, size)
        there = size
        starts = [await start_once(stage, f"start-{size}-{repeat}") for repeat in range(effort.repeats)]
        rows += _starts(size, starts)
        idle = await idle_cpu(stage, IDLE_SECONDS)
        rows += [
            Row(f"{size} active: resident memory", "MB", [stage.memory()], (), Goal(MOST_MEMORY, "figure")),
            Row(f"{size} active: idle CPU", "% of a core", [idle]),
        ]
        async with (
            Watcher(stage.admin, ROLE_BINDINGS.path(namespace=HOME)) as bindings,
            Watcher(stage.admin, REQUESTS.path(namespace=HOME), state_of_request) as requests,
        ):
            asked = await ask_all(stage, [f"at-{size}-{number}" for number in range(effort.rounds)], requests)
            ours, short, _ = await rounds(stage, asked, lives, bindings)
        rows += latency_rows(f"{size} active: approval -> binding", [ours], [short], (None, None))
    return rows


def _starts(size: int, starts: list[Start]) -> list[Row]:
    goal = Goal(STARTS[size], "figure") if size in STARTS else None
    return [
        Row(f"{size} active: start -> first new decision", "s", [each.decides for each in starts], (), goal),
        Row(f"{size} active: start -> leading", "s", [each.leads for each in starts]),
        Row(f"{size} active: start -> nothing left to do", "s", [each.quiet for each in starts]),
        Row(f"{size} active: operator CPU of a start", "s", [each.cpu for each in starts]),
    ]
