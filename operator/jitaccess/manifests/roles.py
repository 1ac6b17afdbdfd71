"""Roles as the status of policies and requests has them: structure, which wording/ puts into words. Pure, both ways."""

from typing import Any

from jitaccess.domain.model import Manifest
from jitaccess.domain.roles import Role, Rule, ShownRole, parse_rules


def parse_role(manifest: Manifest) -> Role:
    """Read a Role or ClusterRole."""
    return Role(manifest["metadata"].get("uid", ""), parse_rules(manifest.get("rules")))


def role_status(role: ShownRole) -> dict[str, Any]:
    """What was shown of a role, for a status; `parse_role_status` reads it back as it was."""
    return {
        "uid": role.uid,
        "hash": role.digest,
        "rules": [_rule_status(rule) for rule in role.rules],
        "risks": list(role.risks),
        "hints": list(role.hints),
        "omittedRules": role.omitted,  # 0 too: a merge patch would keep what stood there before
    }


def parse_role_status(status: Manifest) -> ShownRole | None:
    """Read what was shown of a role; None where nothing was, as for a role that nobody could read."""
    if not status.get("hash"):
        return None
    return ShownRole(
        uid=status.get("uid", ""),
        digest=status["hash"],
        rules=tuple(_parse_rule(rule) for rule in status.get("rules") or ()),
        risks=tuple(status.get("risks") or ()),
        hints=tuple(status.get("hints") or ()),
        omitted=status.get("omittedRules", 0),
    )


def _rule_status(rule: Rule) -> dict[str, Any]:
    """One rule without its empty lists."""
    lists = {"verbs": rule.verbs, "groups": rule.groups, "resources": rule.resources, "names": rule.names, "urls": rule.urls}
    status: dict[str, Any] = {field: list(entries) for field, entries in lists.items() if entries}
    return status | ({"cut": True} if rule.cut else {})


def _parse_rule(status: Manifest) -> Rule:
    verbs, groups, resources, names, urls = (
        tuple(status.get(field) or ()) for field in ("verbs", "groups", "resources", "names", "urls")
    )
    return Rule(verbs, groups, resources, names, urls, cut=status.get("cut", False))
