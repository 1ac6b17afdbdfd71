"""Findings as SARIF 2.1.0, which code hosts show beside the lines. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from jitaccess.lint.findings import Finding
from jitaccess.lint.rules import RULES

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def sarif(findings: Sequence[Finding], version: str) -> Mapping[str, Any]:
    """The whole log: one run, with all rules, whether they found something or not."""
    driver = {"name": "kubectl-jit lint", "version": version, "rules": _rules()}
    results = [_result(finding) for finding in findings]
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}],
    }


def _rules() -> list[Mapping[str, Any]]:
    return [
        {
            "id": rule.name,
            "shortDescription": {"text": rule.says},
            "help": {"text": rule.advice},
            "defaultConfiguration": {"level": str(rule.level)},
        }
        for rule in RULES
    ]


def _result(finding: Finding) -> Mapping[str, Any]:
    place = finding.found.place
    location: dict[str, Any] = {
        "physicalLocation": {
            "artifactLocation": {"uri": _uri(place.file)},
            "region": {"startLine": place.line, "startColumn": place.column},
        }
    }
    if finding.found.subject:
        location["logicalLocations"] = [
            {"fullyQualifiedName": " ".join(filter(None, (finding.found.subject, finding.found.field)))}
        ]
    return {
        "ruleId": finding.rule,
        "ruleIndex": [rule.name for rule in RULES].index(finding.rule),
        "level": str(finding.level),
        "message": {"text": finding.found.message},
        "locations": [location],
    }


def _uri(file: str) -> str:
    """The address of a file for whoever reads the log: relative to where the check ran, unless it was named in full."""
    path = quote("stdin" if file == "-" else file.replace("\\", "/"))
    return f"file://{path}" if path.startswith("/") else path
