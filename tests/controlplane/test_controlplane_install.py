"""Installing an overlay of CRDs, a namespace and admission policies, and waiting until it is in force."""

from pathlib import Path

import pytest

from controlplane import ControlPlane, ControlPlaneError, KubectlError
from controlplane.install import install

CRD = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.sample.test}
spec:
  group: sample.test
  scope: Namespaced
  names: {kind: Widget, plural: widgets, singular: widget}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties: {spec: {type: object, properties: {owner: {type: string}, size: {type: integer}}}}
"""
WIDGET = """\
apiVersion: sample.test/v1
kind: Widget
metadata: {name: first, namespace: sample}
spec: {owner: admin, size: 1}
"""
POLICY = """\
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: widgets.sample.test}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules: [{apiGroups: [sample.test], apiVersions: ['*'], resources: [widgets], operations: [CREATE, UPDATE]}]
  validations:
  - expression: >-
      object.spec.owner == request.userInfo.username
      && authorizer.group('sample.test').resource('widgets').check('own').allowed()
    message: "a widget belongs to who makes it"
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: widgets.sample.test}
spec: {policyName: widgets.sample.test, validationActions: [Deny]}
"""
MUTATION = """\
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {name: widgets.sample.test}
spec:
  reinvocationPolicy: Never
  matchConstraints:
    resourceRules: [{apiGroups: [sample.test], apiVersions: ['*'], resources: [widgets], operations: [CREATE]}]
  mutations:
  - patchType: JSONPatch
    jsonPatch: {expression: "[JSONPatch{op: 'add', path: '/spec/owner', value: request.userInfo.username}]"}
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata: {name: widgets.sample.test}
spec: {policyName: widgets.sample.test}
"""
NAMESPACE = "apiVersion: v1\nkind: Namespace\nmetadata: {name: sample}\n"
FORGED = WIDGET.replace("owner: admin", "owner: bob")


def overlay(directory: Path, **files: str) -> Path:
    directory.mkdir(exist_ok=True)
    for name, text in files.items():
        (directory / f"{name}.yaml").write_text(text)
    (directory / "kustomization.yaml").write_text(f"resources: [{', '.join(f'{n}.yaml' for n in files)}]\n")
    return directory


def forged_widget_refused(plane: ControlPlane) -> str:
    said = plane.kubectl("create", "--dry-run=server", "-f", "-", input=FORGED, check=False).stderr
    return "" if "a widget belongs to who makes it" in said else said or "created"


def test_the_first_request_after_an_installation_meets_its_policies(tmp_path: Path) -> None:
    path = overlay(tmp_path, widget=WIDGET, policy=POLICY, crd=CRD, namespace=NAMESPACE)
    with ControlPlane() as plane:
        install(plane, path, probe=forged_widget_refused)
        with pytest.raises(KubectlError, match="belongs to who makes it"):
            plane.kubectl("replace", "-f", "-", input=FORGED)
        plane.kubectl("get", "-f", "-", input=WIDGET)  # the object whose kind came with the overlay
        install(plane, path, probe=forged_widget_refused)  # once more changes nothing
        assert "sentinel" not in plane.kubectl("get", "validatingadmissionpolicies").stdout

        overlay(tmp_path, crd=CRD, policy=POLICY, mutation=MUTATION)
        install(plane, path, probe=lambda _: "")
        plane.kubectl("create", "-f", "-", input=FORGED.replace("first", "second"))  # stamped


def test_a_mistake_in_the_overlay_is_told_at_once(plane: ControlPlane, tmp_path: Path) -> None:
    broken = NAMESPACE.replace("name: sample", "name: Not_A_Name")
    with pytest.raises(ControlPlaneError, match="Not_A_Name"):
        install(plane, overlay(tmp_path, namespace=broken))


def test_a_kind_that_never_appears_is_told_at_the_deadline(plane: ControlPlane, tmp_path: Path) -> None:
    with pytest.raises(ControlPlaneError, match=r"not accepted[\s\S]*no matches for kind"):
        install(plane, overlay(tmp_path, widget=WIDGET.replace("Widget", "Gadget")), timeout=2)


def test_a_probe_that_never_agrees_is_quoted(plane: ControlPlane, tmp_path: Path) -> None:
    path, asked = overlay(tmp_path, namespace=NAMESPACE.replace("sample", "probed"), policy=POLICY), list[str]()

    def wrong(_: ControlPlane) -> str:
        asked.append("the moon is wrong")
        return asked[0]

    with pytest.raises(ControlPlaneError, match="the moon is wrong"):
        install(plane, path, probe=wrong, timeout=6, now=lambda: 3.0 * len(asked))
    assert len(asked) == 2, "again, until the time is up"
