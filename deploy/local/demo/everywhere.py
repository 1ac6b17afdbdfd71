"""Two scenes of the story: one policy for many namespaces, and access to the whole cluster."""

from demo.script import FORBIDDEN, LAG, Scene, Step, identity_of

FLEET = """\
kubectl create -n team-b -f - <<EOF
apiVersion: jitaccess.dev/v1alpha1
kind: AccessRequest
metadata: {name: alice-f1ee}
spec:
  policyRef: {kind: ClusterAccessPolicy, name: prod-fleet}
  roleRef: {kind: ClusterRole, name: view}
  duration: 15m
  reason: INC-43 it is slow everywhere
EOF"""

NODES = """\
kubectl create -f - <<EOF
apiVersion: jitaccess.dev/v1alpha1
kind: ClusterAccessRequest
metadata: {name: alice-n0de}
spec:
  policyRef: {name: nodes}
  roleRef: {kind: ClusterRole, name: node-viewer}
  duration: 15m
  reason: INC-44 a node is gone
EOF"""

IDENTITY = identity_of("clusteraccessrequest alice-n0de")

EVERYWHERE = (
    Scene(
        "One policy for every namespace with a label",
        "Written once. A namespace that gets the label has the policy; one that loses the label loses the access too.",
        (
            Step("admin", "kubectl apply -f deploy/examples/prod-fleet.yaml", says=("prod-fleet created",)),
            Step("admin", "kubectl create namespace team-b", says=("created",)),
            Step("alice", FLEET, says=(FORBIDDEN,), refused=True),
            Step("admin", "kubectl label namespace team-b env=prod", says=("labeled",)),
            Step("alice", FLEET, says=("created",), within=LAG),
            Step(
                "bob",
                'kubectl annotate accessrequest alice-f1ee -n team-b jitaccess.dev/approve="have a look"',
                says=("annotated",),
                within=LAG,
            ),
            Step(
                "alice",
                "kubectl wait --for=condition=Granted accessrequest/alice-f1ee -n team-b",
                says=("condition met",),
                within=LAG,
            ),
            Step("alice", "kubectl get pods -n team-b", says=("No resources found",), within=LAG),
            Step("admin", "kubectl get clusteraccesspolicy prod-fleet", says=("True", "env=prod"), within=LAG),
            Step("admin", "kubectl label namespace team-b env-", says=("unlabeled",)),
            Step("alice", "kubectl get pods -n team-b", says=(FORBIDDEN, "cannot list"), refused=True, within=LAG),
            Step(
                "admin", "kubectl get accessrequest alice-f1ee -n team-b -o wide", says=("Revoked", "does not select"), within=LAG
            ),
        ),
    ),
    Scene(
        "The whole cluster, for a while",
        "Nodes are in no namespace. The role goes to an account that only Alice may impersonate, and that dies by itself.",
        (
            Step("admin", "kubectl apply -f deploy/examples/nodes/policy.yaml", says=("nodes created",)),
            Step("alice", "kubectl get nodes", says=(FORBIDDEN, "cannot list"), refused=True),
            Step("alice", NODES, says=("created",), within=LAG),
            Step(
                "bob",
                'kubectl annotate clusteraccessrequest alice-n0de jitaccess.dev/approve="look, do not touch"',
                says=("annotated",),
                within=LAG,
            ),
            Step(
                "alice",
                "kubectl wait --for=condition=Granted clusteraccessrequest/alice-n0de",
                says=("condition met",),
                within=LAG,
            ),
            Step("alice", f"kubectl get nodes \\\n    --as={IDENTITY}", says=("No resources found",), within=LAG),
            Step(
                "admin",
                "kubectl get clusterrolebindings -l jitaccess.dev/component=grant -o wide",
                says=("jit-alice-n0de-", "ClusterRole/node-viewer"),
            ),
            Step("alice", 'kubectl annotate clusteraccessrequest alice-n0de jitaccess.dev/revoke="done"', says=("annotated",)),
            Step("alice", f"kubectl get nodes \\\n    --as={IDENTITY}", says=(FORBIDDEN, "cannot"), refused=True, within=LAG),
        ),
    ),
)
