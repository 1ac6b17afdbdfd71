"""A request that somebody wrote into a file: read, and completed with what the command line and the login know."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TextIO

import yaml

from jitaccess.cli.api.errors import UsageError
from jitaccess.cli.commands.choosing import request_name
from jitaccess.domain.model import API_VERSION, AccessRequest
from jitaccess.domain.text import format_time
from jitaccess.manifests.parse import parse_request
from jitaccess.manifests.resources import REQUESTS


def read_manifest(file: TextIO) -> dict[str, Any]:
    """The one AccessRequest in a YAML or JSON file; UsageError if that is not what is in it."""
    try:
        documents = [document for document in yaml.safe_load_all(file) if document is not None]
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{file.name} is not YAML: {' '.join(str(error).split())}") from None
    if len(documents) != 1:
        raise UsageError(
            f"{file.name} has {len(documents)} objects: one request is made at a time", "kubectl create -f takes more"
        )
    [manifest] = documents
    found = (manifest.get("apiVersion"), manifest.get("kind")) if isinstance(manifest, dict) else (None, None)
    if found != (API_VERSION, REQUESTS.kind):
        what = f"a {found[1]} of {found[0]}" if all(found) else "no Kubernetes object"
        raise UsageError(f"{file.name} has {what}, not an {REQUESTS.kind} of {API_VERSION}")
    parts = [manifest.get(part, {}) for part in ("metadata", "spec")]
    if not all(isinstance(part, dict) for part in parts):
        raise UsageError(f"{file.name}: metadata and spec must be maps of fields")
    return dict(manifest)


def completed(manifest: Mapping[str, Any], namespace: str, given: str, me: str) -> dict[str, Any]:
    """The request as the API server gets it: in that namespace, with a name, and in my name, as far as the file has none of that.

    `given` is the namespace of the command line, with which the file must agree.
    """
    metadata, spec = manifest.get("metadata") or {}, manifest.get("spec") or {}
    own = metadata.get("namespace")
    if own and given not in ("", own):
        raise UsageError(f"the file is for namespace {own}, not {given}: leave -n out, or the namespace in the file")
    name = {} if metadata.get("name") or metadata.get("generateName") else {"name": request_name(me)}
    return {
        **manifest,
        "metadata": {**metadata, "namespace": own or namespace, **name},
        "spec": {**spec, "requester": spec.get("requester") or me},
    }


def as_request(manifest: Mapping[str, Any]) -> AccessRequest:
    """What is asked for, before the API server has seen it."""
    unseen = {"name": "", "uid": "", "resourceVersion": "", "creationTimestamp": format_time(datetime.now(UTC))}
    return parse_request({**manifest, "metadata": {**unseen, **manifest["metadata"]}})
