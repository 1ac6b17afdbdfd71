"""The benchmark itself: each ratio can be measured, and none has become grossly worse; the goals are for calm machines."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from statistics import median
from xml.etree import ElementTree

import pytest

from bench import report
from bench.__main__ import main, run_part
from bench.effort import SHORT
from bench.figures import Goal, Row, quantile
from bench.machine import Awake
from bench.parts.calls_a_life import count
from bench.picture import draw, points
from system import ROOT

# The row, and what its ratio or figure may be at worst on a machine where four test processes share two cores. The ends that are
# overdue are measured by the start before them, which takes about two seconds on a calm machine.
OVERDUE = "10 overdue of 40: all gone after"
GROSS = (
    ("latency", "approval -> binding, against Job + record + binding, p50", Goal(5)),
    ("burst", "burst of 40, against Job + record + binding", Goal(0.1, at_least=True)),
    ("calls", "writes a life, Events among them", Goal(12, "figure")),
    ("calls", "reads a life", Goal(8, "figure")),
    ("overdue", f"{OVERDUE} leading", Goal(0.9)),
)


@pytest.mark.parametrize("part", sorted({part for part, _, _ in GROSS}))
def test_no_ratio_is_grossly_worse(part: str) -> None:
    result = asyncio.run(run_part(part, SHORT))
    rows: dict[str, Row] = {row.name: row for row in result["rows"]}
    if part == "overdue":
        rows = {name: replace(row, bare=rows[f"{OVERDUE} the start"].ours) for name, row in rows.items()}
    for name, limit in [(name, limit) for of, name, limit in GROSS if of == part]:
        assert name in rows, f"expected a row {name!r} in part {part}; came: {sorted(rows)}"
        row = rows[name]
        values = row.ratios if limit.of == "ratio" else row.ours
        assert values, f"{name}: expected figures of both sides; came ours={row.ours} bare={row.bare}"
        assert limit.met(median(values)), f"{name}: expected {limit}; came {values}, ours {row.ours}, bare {row.bare}"


@pytest.mark.parametrize(
    ("values", "part", "expected"),
    [
        pytest.param([3.0, 1.0, 2.0], 0.5, 2.0, id="the median of three is the middle one, in whatever order"),
        pytest.param([1.0, 2.0], 0.5, 1.5, id="between two values it lies in between"),
        pytest.param([7.0], 0.99, 7.0, id="of one value every quantile is that value"),
        pytest.param([float(n) for n in range(101)], 0.99, 99.0, id="p99 of 0 to 100 is 99"),
    ],
)
def test_a_quantile(values: list[float], part: float, expected: float) -> None:
    assert quantile(values, part) == expected


@pytest.mark.parametrize(
    ("row", "missed"),
    [
        pytest.param(Row("x", "ms", [13.0], [10.0], Goal(1.3)), False, id="exactly the limit is met"),
        pytest.param(Row("x", "ms", [14.0], [10.0], Goal(1.3)), True, id="above the limit is missed"),
        pytest.param(Row("x", "grants/s", [80.0], [100.0], Goal(0.9, at_least=True)), True, id="too slow is missed"),
        pytest.param(Row("x", "ms", [9.0, 90.0, 9.0], [10.0] * 3, Goal(1.3)), False, id="one bad repeat of three is noise"),
        pytest.param(Row("x", "s", [2.5], [], Goal(2, "figure")), True, id="a goal about the figure needs no bare client"),
        pytest.param(Row("x", "s", [99.0]), False, id="where there is no goal nothing is missed"),
    ],
)
def test_a_row_misses_its_goal(row: Row, missed: bool) -> None:
    assert row.missed is missed, f"expected missed={missed} of {row}"
    shown = report.lines([row])[0]
    assert shown.endswith("!") is missed, f"expected a mark only where the goal is missed; came {shown!r}"


def test_what_took_long_because_the_machine_stood_still_did_not_take_long() -> None:
    awake = Awake()
    awake._pauses = [(2.0, 6.0), (7.0, 8.0)]
    assert awake.between(1.0, 9.0) == 3.0, "two pauses, of four seconds and of one"
    assert awake.between(3.0, 7.5) == 1.0, "it began in one and ended in the other"
    assert awake.between(8.5, 9.0) == 0.5, "nothing stood still"


LOOKS = """
import time
from bench.machine import Awake
with Awake() as awake:
    began = time.perf_counter()
    print("on", flush=True)
    input()
    ended = time.perf_counter()
    print(ended - began - awake.between(began, ended))
print(ended - began - awake.between(began, ended))
"""


def test_a_machine_that_stands_still_is_noticed() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "deploy" / "local")}
    with subprocess.Popen(
        [sys.executable, "-c", LOOKS], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as machine:
        assert machine.stdout
        assert machine.stdout.readline() == "on\n"
        machine.send_signal(signal.SIGSTOP)
        time.sleep(1)
        machine.send_signal(signal.SIGCONT)
        at_once, later = map(float, machine.communicate("\n")[0].split())
    assert at_once > 0.5, "whoever asks first after it went on is told too"
    assert later >= at_once


def test_only_the_operators_calls_about_single_objects_count() -> None:
    def event(user: str, verb: str, resource: str, uri: str = "/x", subresource: str = "") -> dict[str, object]:
        about = {"resource": resource} | ({"subresource": subresource} if subresource else {})
        return {"user": {"username": user}, "verb": verb, "objectRef": about, "requestURI": uri}

    operator = "system:serviceaccount:jitaccess-system:jitaccess"
    found = count(
        [
            event(operator, "patch", "accessrequests", subresource="status"),
            event(operator, "create", "rolebindings"),
            event(operator, "create", "rolebindings", "/x?dryRun=All"),
            event(operator, "list", "jobs"),
            event(operator, "update", "leases"),
            event("bob", "patch", "accessrequests"),
        ]
    )
    expected = {("patch", "accessrequests/status"): 1, ("create", "rolebindings"): 1, ("rehearse", "rolebindings"): 1}
    assert found == expected, f"expected {expected}; came {dict(found)}"


def test_the_picture_shows_each_size_once_and_in_order() -> None:
    names = ("start -> first new decision", "operator CPU of a start", "resident memory", "approval -> binding, p50")
    rows = [{"name": f"{size} active: {name}", "ours": [1.0, 3.0, 2.0]} for size in (10_000, 100, 2_000) for name in names]
    assert [size for size, _ in points(rows, names[0])] == [100, 2_000, 10_000]
    picture = ElementTree.fromstring(draw(rows))
    dots = picture.findall(".//{http://www.w3.org/2000/svg}circle")
    assert len(dots) == len(rows), f"expected a dot for each of {len(rows)} figures; came {len(dots)}"


def test_a_part_that_does_not_exist_is_refused_with_those_that_do(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["latensy"])
    said = capsys.readouterr().err
    assert "no part latensy" in said, f"expected it to be named; came {said!r}"
    assert "latency" in said, f"expected the parts to be listed; came {said!r}"
