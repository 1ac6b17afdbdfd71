"""The component monitoring as data, and promtool, which judges it."""

import json
import re
import subprocess
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from controlplane.patience import PATIENCE
from promtool import Unavailable, ensure_promtool

ROOT = Path(__file__).resolve().parents[2]
MONITORING = ROOT / "deploy" / "components" / "monitoring"
STEP = 30  # seconds between two values of a series
Asked = tuple[str, str, list[dict[str, Any]]]  # a query, when, and the samples that are the answer
SUFFIXES = ("_bucket", "_count", "_sum", "_total")


@cache
def promtool() -> Path:
    """The program; the test is skipped where it cannot be had."""
    try:
        return ensure_promtool()
    except Unavailable as error:
        pytest.skip(str(error))


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """What promtool says."""
    return subprocess.run([promtool(), *words], capture_output=True, text=True, timeout=PATIENCE, check=False)


@cache
def rules() -> dict[str, Any]:
    """The rules as Prometheus itself takes them."""
    manifest: dict[str, Any] = yaml.safe_load((MONITORING / "rules.yaml").read_text())
    return dict(manifest["spec"])


def alerts() -> dict[str, dict[str, Any]]:
    """The alerts by name."""
    return {rule["alert"]: rule for group in rules()["groups"] for rule in group["rules"]}


def queries() -> list[tuple[str, str]]:
    """Every query of the dashboard, with the title of its panel."""
    panels = json.loads((MONITORING / "dashboard.json").read_text())["panels"]
    return [(panel["title"], target["expr"]) for panel in panels for target in panel.get("targets", [])]


def metrics_in(expression: str) -> set[str]:
    """The metrics of ours that a query asks for, without what a counter or a histogram adds to the name."""
    found = re.findall(r"\bjitaccess_\w+", expression)
    return {next((name.removesuffix(each) for each in SUFFIXES if name.endswith(each)), name) for name in found}


def judged(folder: Path, series: Mapping[str, str], asked: Iterable[Asked]) -> str:
    """What promtool has against (query, time, samples) over these series and the alerts of ours; empty if nothing."""
    (folder / "rules.yaml").write_text(yaml.safe_dump(rules()))
    tests = [{"expr": query, "eval_time": when, "exp_samples": samples} for query, when, samples in asked]
    given = [{"series": name, "values": values} for name, values in series.items()]
    case = {"interval": f"{STEP}s", "input_series": given, "promql_expr_test": tests}
    whole = {"rule_files": ["rules.yaml"], "evaluation_interval": f"{STEP}s", "tests": [case]}
    (folder / "test.yaml").write_text(yaml.safe_dump(whole))
    done = run("test", "rules", folder / "test.yaml")
    return "" if done.returncode == 0 else done.stdout + done.stderr
