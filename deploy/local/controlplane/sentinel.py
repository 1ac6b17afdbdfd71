"""Finds out when the API server really applies the admission policies that it has accepted.

It loads all policies it knows of together, about once a second. So policies made after all others, on a ConfigMap that
is only ever a dry run, tell when the others are loaded too: as soon as these answer.
"""

import secrets
import time
from collections.abc import Callable

from controlplane.errors import ControlPlaneError
from controlplane.plane import ControlPlane

_PREFIX = "install-sentinel-"
_MATCH = """\
  matchConstraints:
    resourceRules:
    - {{apiGroups: [""], apiVersions: [v1], resources: [configmaps], operations: [CREATE], resourceNames: [{name}]}}
"""
_VALIDATING = (
    """\
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {{name: {name}}}
spec:
"""
    + _MATCH
    + """\
  validations:
  - expression: "!({condition})"
    message: "{name} is in force"
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {{name: {name}}}
spec: {{policyName: {name}, validationActions: [Deny]}}
"""
)
_MUTATING = (
    """\
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {{name: {name}}}
spec:
  reinvocationPolicy: Never
"""
    + _MATCH
    + """\
  mutations:
  - patchType: ApplyConfiguration
    applyConfiguration: {{expression: 'Object{{data: {{"mutated": "yes"}}}}'}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata: {{name: {name}}}
spec: {{policyName: {name}}}
---
"""
)


def policies_in_force(plane: ControlPlane, late: Callable[[], bool], *, mutating: bool) -> None:
    """Return when every admission policy made before this call is applied; ControlPlaneError when it is late."""
    name = _PREFIX + secrets.token_hex(4)  # no earlier sentinel can answer for this one
    condition = "has(object.data) && 'mutated' in object.data" if mutating else "true"
    manifest = (_MUTATING if mutating else "") + _VALIDATING
    manifest = manifest.format(name=name, condition=condition)
    plane.kubectl("create", "-f", "-", input=manifest)
    try:
        while not _answers(plane, name):
            if late():
                raise ControlPlaneError(
                    "the API server accepted the admission policies but does not apply them; "
                    f"its log is {plane.files.log('kube-apiserver')}"
                )
            time.sleep(0.1)
    finally:
        plane.kubectl("delete", "--wait=false", "-f", "-", input=manifest)


def _answers(plane: ControlPlane, name: str) -> bool:
    done = plane.person().create("configmaps", {"metadata": {"name": name}}, dryRun="All")
    return f"{name} is in force" in done.message
