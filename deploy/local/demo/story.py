"""The story of one grant: what people type, and what must come of it."""

from demo.everywhere import EVERYWHERE
from demo.script import FORBIDDEN, LAG, Scene, Step, identity_of

NAMESPACE = "team-a"
# Seconds of access: nobody looks at what is there meanwhile, but the operator must die before its time is up.
BRIEFLY, AGAIN = 10, 20
GRACE = 30  # seconds after which Kubernetes ends what the operator did not


def request(name: str, duration: str, more: str = "", *, policy: str = "prod-debug") -> str:
    """The command that asks for the debugging role."""
    return f"""\
kubectl create -f - <<EOF
apiVersion: jitaccess.dev/v1alpha1
kind: AccessRequest
metadata: {{name: {name}}}
spec:
  policyRef: {{name: {policy}}}
  roleRef: {{kind: ClusterRole, name: jitaccess-debug}}
  duration: {duration}
  reason: INC-42 pods crash looping{more}
EOF"""


HISTORY = r"""kubectl get accessrequest alice-7f3k alice-2m8q \
    -o jsonpath='{range .items[*].status.history[*]}
{.at}{"\t"}{.by}{"\t"}{.reason}: {.message}{end}'"""

EVENTS = """\
kubectl get events --field-selector involvedObject.name=alice-2m8q \\
    -o custom-columns=REASON:.reason,MESSAGE:.message"""

AUDIT = r"""grep '"verb":"delete".*"username":"alice".*"resource":"pods"' $AUDIT_LOG |
    grep -o 'RBAC: allowed by [^}]*alice' | tr -d '\\"'"""

IDENTITY = identity_of("accessrequest alice-5p3x")

AUDIT_OF_IDENTITY = r"""grep '"impersonatedUser":{"username":"[^"]*alice-5p3x' $AUDIT_LOG | tail -n 1 |
    grep -o '"user":{"username":"[^"]*"\|"impersonatedUser":{"username":"[^"]*"'"""

STORY = (
    Scene(
        "The platform team says who may ask for what",
        "No nodes here, so the one Pod stays Pending. The policy names two roles, who may ask for them, and who decides.",
        (
            Step("admin", f"kubectl create namespace {NAMESPACE}", says=("created",)),
            Step("admin", "kubectl run web --image=nginx", says=("pod/web created",), within=LAG),
            Step("admin", "sed -n '/^spec/,$p' deploy/examples/prod-debug.yaml", says=("maxDuration: 4h",)),
            Step("admin", "kubectl apply -f deploy/examples/prod-debug.yaml", says=("prod-debug created",)),
            Step("admin", "kubectl wait --for=condition=Ready accesspolicy/prod-debug", says=("condition met",), within=LAG),
        ),
    ),
    Scene(
        "Alice is on call, and has no access",
        "She is in the group developers. That gives her the right to ask, and nothing else.",
        (
            Step("alice", "kubectl get pods", says=(FORBIDDEN, "cannot list"), refused=True),
            Step("alice", "kubectl auth can-i delete pods", says=("no",), refused=True),
        ),
    ),
    Scene(
        "Mallory is in no policy",
        "She cannot ask, and cannot see who asks.",
        (
            Step("mallory", "kubectl get accessrequests", says=(FORBIDDEN, "cannot list"), refused=True),
            Step("mallory", request("mine", "1h"), says=(FORBIDDEN, "cannot create"), refused=True),
        ),
    ),
    Scene(
        "Alice asks",
        "First in Bob's name, which the API server does not believe; then in her own, which it fills in.",
        (
            Step(
                "alice",
                request("alice-7f3k", "1h", "\n  requester: bob"),
                says=("spec.requester must be your own user name",),
                refused=True,
                within=LAG,
            ),
            Step("alice", request("alice-7f3k", "1h"), says=("created",), within=LAG),
            Step("alice", "kubectl get accessrequest alice-7f3k", says=("Pending", "alice"), within=LAG),
        ),
    ),
    Scene(
        "Nobody gets around the approval",
        "Alice approves her own, Bob makes it last longer, Bob signs as Carol, Mallory approves: all refused at once.",
        (
            Step(
                "alice",
                'kubectl annotate accessrequest alice-7f3k jitaccess.dev/approve="fine with me"',
                says=("nobody may approve their own request",),
                refused=True,
            ),
            Step(
                "bob",
                """kubectl patch accessrequest alice-7f3k --type=merge -p '{"spec":{"duration":"4h"}}'""",
                says=("cannot be changed after it was made",),
                refused=True,
            ),
            Step(
                "bob",
                'kubectl annotate accessrequest alice-7f3k jitaccess.dev/approvals="carol: fine"',
                says=("starts with your own user name",),
                refused=True,
            ),
            Step(
                "mallory",
                'kubectl annotate accessrequest alice-7f3k jitaccess.dev/approve="sure"',
                says=(FORBIDDEN, "mallory"),
                refused=True,
            ),
        ),
    ),
    Scene(
        "Bob approves, and the access is there",
        "The clock starts at the grant: an hour, for the role that was asked for and no other.",
        (
            Step("alice", "kubectl auth can-i delete pods", says=("no",), refused=True),
            Step(
                "bob",
                'kubectl annotate accessrequest alice-7f3k jitaccess.dev/approve="go ahead, I\'m watching"',
                says=("annotated",),
                within=LAG,
            ),
            Step("alice", "kubectl wait --for=condition=Granted accessrequest/alice-7f3k", says=("condition met",), within=LAG),
            Step("alice", "kubectl auth can-i delete pods", says=("yes",), within=LAG),
            Step("alice", "kubectl get pods", says=("web",)),
            Step("alice", "kubectl delete pod web", says=("deleted",)),
            Step("alice", "kubectl get secrets", says=(FORBIDDEN, "secrets"), refused=True),
            Step(
                "admin",
                "kubectl get rolebindings -l jitaccess.dev/component=grant -o wide",
                says=("jit-alice-7f3k-", "ClusterRole/jitaccess-debug"),
            ),
            Step("alice", "kubectl get accessrequest alice-7f3k", says=("Active",)),
        ),
    ),
    Scene(
        "Bob ends it when it is no longer needed",
        "Whoever may approve may revoke. Alice may, too, and whoever asked can always give back.",
        (
            Step("bob", 'kubectl annotate accessrequest alice-7f3k jitaccess.dev/revoke="INC-42 is over"', says=("annotated",)),
            Step(
                "alice",
                "kubectl wait --for=jsonpath='{.status.state}'=Revoked accessrequest/alice-7f3k",
                says=("condition met",),
                within=LAG,
            ),
            Step("alice", "kubectl get pods", says=(FORBIDDEN, "cannot list"), refused=True, within=LAG),
        ),
    ),
    Scene(
        "Or its time is up",
        f"Once more, for {BRIEFLY} s. The operator deletes the binding and the Job behind it at status.expiresAt.",
        (
            Step("alice", request("alice-2m8q", f"{BRIEFLY}s"), says=("created",)),
            Step(
                "bob",
                'kubectl annotate accessrequest alice-2m8q jitaccess.dev/approve="once more"',
                says=("annotated",),
                within=LAG,
            ),
            Step(
                "alice",
                "kubectl wait --for=jsonpath='{.status.state}'=Expired accessrequest/alice-2m8q --timeout=60s",
                says=("condition met",),
                within=LAG,
                while_waiting=f"Waiting for the {BRIEFLY} s to pass",
            ),
            Step("alice", "kubectl get pods", says=(FORBIDDEN, "cannot list"), refused=True, within=LAG),
            Step(
                "admin",
                "kubectl get rolebindings,jobs -l jitaccess.dev/component=grant",
                says=("No resources found",),
                never=("jit-",),
                within=LAG,
            ),
        ),
    ),
    Scene(
        "The record",
        "The request stays: who asked, why, who decided, from when to when. The API server's audit log names the binding.",
        (
            Step("alice", HISTORY, says=("bob\tApproved: go ahead, I'm watching", "bob\tRevokedByApprover", "DurationElapsed")),
            Step("admin", EVENTS, says=("Granted", "DurationElapsed"), within=LAG),
            Step("admin", AUDIT, says=("RoleBinding jit-alice-7f3k-", "ClusterRole jitaccess-debug")),
        ),
    ),
    *EVERYWHERE,
    Scene(
        "Access that is an identity of its own",
        "This policy says delivery: Identity. The role goes to an account of the grant, which Alice alone may impersonate.",
        (
            Step("admin", "kubectl apply -k deploy/examples/identities", says=("prod-identity created",), within=LAG),
            Step("admin", "kubectl wait --for=condition=Ready accesspolicy/prod-identity", says=("condition met",), within=LAG),
            Step("alice", request("alice-5p3x", "1h", policy="prod-identity"), says=("created",), within=LAG),
            Step("bob", 'kubectl annotate accessrequest alice-5p3x jitaccess.dev/approve="ok"', says=("annotated",), within=LAG),
            Step("alice", "kubectl wait --for=condition=Granted accessrequest/alice-5p3x", says=("condition met",), within=LAG),
            Step("alice", "kubectl auth can-i delete pods", says=("no",), refused=True),
            Step("alice", f"kubectl auth can-i delete pods \\\n    --as={IDENTITY}", says=("yes",), within=LAG),
            Step("admin", AUDIT_OF_IDENTITY, says=('"alice"', "jit-alice-5p3x-")),
            Step("alice", 'kubectl annotate accessrequest alice-5p3x jitaccess.dev/revoke="done"', says=("annotated",)),
            Step("alice", f"kubectl get pods --as={IDENTITY}", says=(FORBIDDEN, "cannot"), refused=True, within=LAG),
        ),
    ),
    Scene(
        "The operator dies while access lasts",
        f"Once more, {AGAIN} s, and Carol approves. Then the operator is killed. Kubernetes itself ends the access,\n"
        f"{GRACE} s after its time, through the Job that owns the binding.",
        (
            Step("admin", "kubectl run web --image=nginx", says=("pod/web created",)),
            Step("alice", request("alice-9k2d", f"{AGAIN}s"), says=("created",)),
            Step(
                "carol",
                'kubectl annotate accessrequest alice-9k2d jitaccess.dev/approve="ok"',
                says=("annotated",),
                within=LAG,
            ),
            Step("alice", "kubectl wait --for=condition=Granted accessrequest/alice-9k2d", says=("condition met",), within=LAG),
            Step("admin", "kill -9 $OPERATOR"),
            Step("alice", "kubectl get pods", says=("web",), within=LAG),
            Step(
                "admin",
                "kubectl wait --for=delete rolebinding -l jitaccess.dev/component=grant --timeout=240s",
                says=("jit-alice-9k2d-", "condition met"),
                while_waiting=f"The operator is dead; waiting for Kubernetes to end it (about {AGAIN + GRACE} s)",
            ),
            Step("alice", "kubectl get pods", says=(FORBIDDEN, "cannot list"), refused=True, within=LAG),
        ),
    ),
    Scene(
        "The operator comes back",
        "It reads everything anew and writes down what happened meanwhile.",
        (
            Step(
                "bob",
                "kubectl get accessrequests",
                says=("alice-7f3k", "alice-2m8q", "alice-9k2d", "Expired"),
                never=("Active",),
                within=LAG,
            ),
        ),
    ),
)
