"""All that was read, looked at once: what is valid, what is not, and the policies as the operator reads them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from jitaccess.domain.model import GROUP, AccessPolicy
from jitaccess.lint.cel import Unevaluated, broken_rules
from jitaccess.lint.crds import Kind
from jitaccess.lint.documents import Reading
from jitaccess.lint.findings import Fault, Found
from jitaccess.lint.names import misnamed
from jitaccess.lint.objects import Object, objects
from jitaccess.lint.structure import faults, prepared, unknown
from jitaccess.manifests.kinds import POLICY_KINDS
from jitaccess.manifests.parse import parse_policy

_POLICIES = frozenset(kind.resource.kind for kind in POLICY_KINDS)
# What only a cluster knows of an object; the operator's parser asks for it.
_UNSEEN = {"uid": "", "resourceVersion": "", "creationTimestamp": "1970-01-01T00:00:00Z"}


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy that the API server takes: its spec with the defaults filled in, and what the operator reads in it."""

    object: Object
    spec: Mapping[str, Any]
    parsed: AccessPolicy


@dataclass(slots=True)
class Bundle:
    """What the rules look at."""

    readings: Sequence[Reading]
    objects: list[Object] = field(default_factory=list)
    ours: list[Object] = field(default_factory=list)
    policies: list[Policy] = field(default_factory=list)
    schema: list[Found] = field(default_factory=list)
    cel: list[Found] = field(default_factory=list)
    unevaluated: list[Found] = field(default_factory=list)


def bundle(readings: Sequence[Reading], kinds: Mapping[str, Kind]) -> Bundle:
    """Hold everything that was read against these kinds."""
    whole = Bundle(readings, list(objects(document for reading in readings for document in reading.documents)))
    whole.ours = [each for each in whole.objects if _is_ours(each, kinds)]
    for each in whole.ours:
        _look_at(each, kinds, whole)
    return whole


def _is_ours(each: Object, kinds: Mapping[str, Kind]) -> bool:
    """Whether it is of our API group, or was surely meant to be; others too may have a kind that is called AccessRequest."""
    meant = each.value.get("apiVersion", GROUP)
    return each.group == GROUP or (
        each.kind in kinds and bool(get_close_matches(str(meant).partition("/")[0], [GROUP], cutoff=0.8))
    )


def _look_at(each: Object, kinds: Mapping[str, Kind], whole: Bundle) -> None:
    kind = kinds.get(each.kind)
    if kind is None or each.group != GROUP or each.version not in kind.schemas:
        whole.schema.append(_no_such_kind(each, kinds))
        return
    schema = kind.schemas[each.version]
    value = prepared({name: part for name, part in each.value.items() if name != "status"}, schema)
    wrong = [*unknown(value, schema), *faults(value, schema), *misnamed(each)]
    whole.schema += [each.found(fault.path, fault.message) for fault in wrong]
    broken = [] if any(fault.blocks for fault in wrong) else list(broken_rules(value, schema))
    whole.cel += [each.found(fault.path, fault.message) for fault in broken if isinstance(fault, Fault)]
    whole.unevaluated += [each.found((), str(fault)) for fault in broken if isinstance(fault, Unevaluated)]
    if each.kind in _POLICIES and not wrong and not broken:
        whole.policies.append(_policy(each, value, kind))


def _no_such_kind(each: Object, kinds: Mapping[str, Kind]) -> Found:
    if "apiVersion" not in each.value:
        return each.found(("apiVersion",), "is missing")
    schema = {"type": "string", "enum": list(kinds)}
    if each.kind in kinds:
        versions = [f"{GROUP}/{version}" for version in kinds[each.kind].schemas]
        path, value, schema = "apiVersion", each.value["apiVersion"], {"type": "string", "enum": versions}
    else:
        path, value = "kind", each.value["kind"]
    return next(each.found(fault.path, fault.message) for fault in faults(value, schema, (path,)))


def _policy(each: Object, value: Mapping[str, Any], kind: Kind) -> Policy:
    namespace = each.namespace if kind.namespaced else ""
    # Where no file names the namespace, whoever applies the policy does.
    metadata = {**_UNSEEN, "name": each.name, "namespace": namespace or ("default" if kind.namespaced else "")}
    return Policy(each, value["spec"], parse_policy({**value, "metadata": metadata}))
