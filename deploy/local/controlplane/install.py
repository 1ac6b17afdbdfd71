"""Installs a kustomize overlay and waits until all of it is in force."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from controlplane.binaries import MODULE
from controlplane.errors import ControlPlaneError
from controlplane.patience import PATIENCE
from controlplane.plane import ControlPlane
from controlplane.sentinel import policies_in_force
from fast_yaml import documents
from jitaccess.kube.installation import FORGED, proves

Probe = Callable[[ControlPlane], str]  # what is still wrong; empty when nothing is

# What an API server says while CRDs and the policies on them are settling; everything else is a mistake in the overlay.
SETTLING = (
    "no matches for kind",
    "resource mapping not found",
    "Resource kind",  # 503, `... not found`: an admission policy has not seen the CRD yet
    "could not find the requested resource",
    "not yet ready to handle request",
    "failed to call webhook",
    "the server is currently unable to handle the request",
)
OVERLAY = MODULE.parent  # deploy/: everything, for the newest Kubernetes
_STEP = 0.3  # seconds between two attempts


def forged_request_refused(plane: ControlPlane) -> str:
    """Say what is wrong as long as no admission policy refuses a request in another's name."""
    forged = json.dumps(FORGED)
    said = plane.kubectl("create", "--dry-run=server", "-f", "-", input=forged, check=False).stderr.strip()
    return "" if proves(said) else f"a forged AccessRequest was not refused by our policy; the answer was: {said or 'created'}"


def install(
    plane: ControlPlane,
    overlay: Path = OVERLAY,
    *,
    probe: Probe = forged_request_refused,
    timeout: float = PATIENCE,
    now: Callable[[], float] = time.monotonic,
) -> None:
    """Apply the overlay and return when CRDs are established, admission policies are in force and `probe` finds nothing wrong.

    ControlPlaneError after `timeout` seconds, or at once if the overlay itself is wrong.
    """
    began = now()

    def late() -> bool:
        return now() - began >= timeout

    objects = _rendered(plane, overlay)
    _until(late, "the overlay is not accepted", lambda: _apply(plane, overlay))
    crds = _names(objects, "CustomResourceDefinition")
    _until(late, f"not Established: {', '.join(crds)}", lambda: _established(plane, crds))
    if _names(objects, "ValidatingAdmissionPolicy"):
        mutating = bool(_names(objects, "MutatingAdmissionPolicy"))
        policies_in_force(plane, late, mutating=mutating)
        _until(late, "the probe still fails", lambda: probe(plane))


def _rendered(plane: ControlPlane, overlay: Path) -> list[dict[str, Any]]:
    rendered = plane.kubectl("kustomize", str(overlay)).stdout
    return [document for document in documents(rendered) if document]


def _names(objects: list[dict[str, Any]], kind: str) -> list[str]:
    return [each["metadata"]["name"] for each in objects if each["kind"] == kind]


def _settling(said: str) -> bool:
    return any(words in said for words in SETTLING)


def _apply(plane: ControlPlane, overlay: Path) -> str:
    done = plane.kubectl("apply", "-k", str(overlay), check=False)
    if done.returncode == 0:
        return ""
    mistakes = [line for line in done.stderr.splitlines() if line.strip() and not _settling(line)]
    mistakes = [line for line in mistakes if not line.startswith(("Warning:", "ensure CRDs"))]
    if mistakes:
        raise ControlPlaneError(f"kubectl apply -k {overlay} failed:\n{done.stderr.strip()}")
    return done.stderr.strip()


def _established(plane: ControlPlane, crds: list[str]) -> str:
    waiting = [name for name in crds if not _is_established(plane, name)]
    return f"the API server has not established {', '.join(waiting)}" if waiting else ""


def _is_established(plane: ControlPlane, name: str) -> bool:
    found = plane.person().call("GET", f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}")
    conditions = (found.body.get("status") or {}).get("conditions", [])
    return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)


def _until(late: Callable[[], bool], complaint: str, step: Callable[[], str]) -> None:
    """Repeat a step until it has nothing to say; ControlPlaneError with its last words when it is late."""
    while said := step():
        if late():
            raise ControlPlaneError(f"the installation did not settle in time: {complaint}: {said}")
        time.sleep(_STEP)
