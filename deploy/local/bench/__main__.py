"""The command line: python -m bench [PART ...] [--full] [--rounds N] [--repeats N] [--json FILE] [--picture FILE]."""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench import report
from bench.catalogue import PARTS, chosen
from bench.effort import FULL, USUAL, Effort
from bench.machine import Mark, load
from bench.picture import draw
from bench.stage import staged

JSON = Path("dist/bench.json")


def parser() -> argparse.ArgumentParser:
    """What the command line takes."""
    about = [f"  {name:10}{part.usual:4g} min, full {part.full:g} min: {part.about}" for name, part in PARTS.items()]
    top = argparse.ArgumentParser(
        prog="python -m bench",
        description=__doc__.partition(":")[0] if __doc__ else "",
        epilog="\n".join(["parts, and how long they take on two calm cores:", *about]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("parts", nargs="*", metavar="PART", help="the parts to run (default: the usual ones)")
    top.add_argument("--full", action="store_true", help="all parts, and the large sizes")
    top.add_argument("--rounds", type=int, help="how many of what is measured one at a time, in each repeat")
    top.add_argument("--repeats", type=int, help="how often each thing is measured")
    top.add_argument("--sizes", type=int, nargs="+", help="how many are active, one size after the other (part growth)")
    top.add_argument("--dead-sinks", action="store_true", help="with three audit sinks that take nothing")
    top.add_argument("--dead-channels", action="store_true", help="with notifications over channels of which none answers")
    top.add_argument("--json", type=Path, default=JSON, help=f"where the figures go (default {JSON})")
    top.add_argument("--picture", type=Path, help="draw the growth curves of the figures in --json there, and measure nothing")
    return top


def effort_of(options: argparse.Namespace) -> Effort:
    """How much to measure."""
    asked = {name: value for name in ("rounds", "repeats") if (value := getattr(options, name)) is not None}
    sizes: dict[str, Any] = {"sizes": tuple(sorted(options.sizes))} if options.sizes else {}
    return replace(FULL if options.full else USUAL, **asked, **sizes)


async def run_part(name: str, effort: Effort, *, sinks: bool = False, channels: bool = False) -> dict[str, Any]:
    """Measure one part on a control plane of its own; its rows, how long it took, and what else the machine did meanwhile."""
    start, mark, before = time.monotonic(), Mark.now(), load()
    async with staged(audit=PARTS[name].audit, sinks=sinks, channels=channels) as stage:
        rows = await PARTS[name].measure(stage, effort)
        others = mark.others()
    state = {"loadBefore": before, "loadAfter": load(), "coresUsedByOthers": others}
    return {"rows": rows, "seconds": time.monotonic() - start, **state}


def say(name: str, result: dict[str, Any]) -> None:
    """Print what a part came to."""
    busy = f"load {result['loadBefore']:.1f} -> {result['loadAfter']:.1f}, others used {result['coresUsedByOthers']:.2f} cores"
    print(f"\n{name} ({result['seconds']:.0f} s; {busy})")
    print("\n".join(report.lines(result["rows"])), flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table, and write it as JSON; 1 if a goal is missed."""
    options = parser().parse_args(arguments)
    if unknown := [name for name in options.parts if name not in PARTS]:
        parser().error(f"there is no part {unknown[0]}: choose from {', '.join(PARTS)}")
    if options.picture:
        options.picture.write_text(draw(json.loads(options.json.read_text())["parts"]["growth"]["rows"]))
        return 0
    effort, results = effort_of(options), {}
    print(f"{report.HEAD}\n(medians of the repeats, from-to; `!` where a goal is missed)", flush=True)
    for name in chosen(options.parts, full=options.full):
        results[name] = asyncio.run(run_part(name, effort, sinks=options.dead_sinks, channels=options.dead_channels))
        say(name, results[name])
        report.write(options.json, report.document(results, effort))
    missed = [row.name for result in results.values() for row in result["rows"] if row.missed]
    print(f"\n{len(missed)} goals missed; the figures are in {options.json}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
