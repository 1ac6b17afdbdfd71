"""The sentences that people meet, word for word."""

from attack.table import denied

# --- asking
NOT_YOU = denied("requesters", "spec.requester must be your own user name: write `requester: '{me}'`")
ALREADY_DECIDED = denied(
    "requesters",
    "a request cannot be made already decided: leave out annotations and labels under jitaccess.dev/; "
    "an approver adds theirs once the request exists",
)
OPERATOR_ASKS = denied("requesters", "the jitaccess operator asks for nothing itself")
NO_OWNERS_YET = denied(
    "requesters",
    "an AccessRequest has no finalizers and no owners: leave out metadata.finalizers and metadata.ownerReferences",
)
TOO_MUCH = denied(
    "requesters",
    "an AccessRequest has at most 32 annotations, of at most 8192 characters together, and at most 32 labels: leave some out",
)


def may_not_request(policy: str) -> str:
    """Nobody's policy, or one that is not there or not Ready."""
    return denied(
        "requesters",
        f"{{me}} may not request access under AccessPolicy '{policy}' in namespace {{namespace}}: it does not exist, is "
        f"not Ready, or "
        "does not name you as a requester; `kubectl get accesspolicies -n {namespace}` shows what there is, and "
        f"`kubectl auth can-i request accesspolicies.jitaccess.dev/{policy} -n {{namespace}}` answers for you",
    )


# --- deciding
OWN_LINE = denied(
    "decisions",
    "approvals, denials and revocations may only gain one line, at the end, which starts with your own user name, '{me}: '; "
    "read the request again (somebody else may have decided meanwhile) and add your line to what is there",
)
ONE_LINE = denied(
    "decisions",
    "one decision is one line of text: no line breaks, control characters or invisible formatting characters in the note "
    "or in the "
    "user name",
)
TOO_LONG = denied("decisions", "a note has at most 1024 characters, and a ledger at most 12288: shorten the note")
TWICE = denied(
    "decisions", "{me} has decided this already, and one person's decision counts once; to take an approval back, deny or revoke"
)
OWN_REQUEST = denied("decisions", "nobody may approve their own request: ask another approver")
OPERATOR_DECIDES = denied("decisions", "the jitaccess operator decides nothing itself")
NAME_WITH_COLON = denied(
    "decisions", "a user whose name contains ': ' cannot decide: the ledger ends names there; use another account"
)
NOT_STAMPED_HERE = denied(
    "decisions",
    "the annotations jitaccess.dev/approve, deny and revoke only work where the API server stamps them (Kubernetes 1.36+ "
    "with the "
    "stamping component); add your line to the ledger yourself, for example jitaccess.dev/approvals='{me}: your note'",
)


def settled(state: str) -> str:
    """Too late."""
    return denied("decisions", f"this request is settled ({state}): nothing can be decided any more; make a new one")


def not_an_approver(policy: str = "two") -> str:
    """No say on this policy."""
    return denied(
        "decisions",
        f"{{me}} is not an approver of AccessPolicy '{policy}' in namespace {{namespace}}, or the policy is gone or not Ready; "
        f"`kubectl get accesspolicy {policy} -n {{namespace}}` shows who decides",
    )


def not_a_revoker(requester: str = "alice", policy: str = "two") -> str:
    """Neither the requester nor an approver."""
    return denied(
        "decisions", f"{{me}} may not revoke this request: only {requester} and the approvers of AccessPolicy '{policy}' may"
    )


# --- metadata, spec and status
ANNOTATIONS = denied(
    "request-metadata", "the annotations of an AccessRequest are part of the record: only decisions may be added"
)
LABELS = denied(
    "request-metadata",
    "the labels of an AccessRequest are part of the record and cannot be changed: set them when you make the request",
)
FINALIZERS = denied("request-metadata", "an AccessRequest carries no finalizers: nothing may keep access from ending")
OWNERS = denied("request-metadata", "an AccessRequest has no owners: the record does not go away with something else")
GENERATED_FROM = denied(
    "request-metadata", "metadata.generateName of an AccessRequest cannot be changed: it is part of the record"
)
MANAGERS = denied(
    "request-metadata",
    "at most 16 field managers may apply to an AccessRequest: decide with `kubectl annotate` instead of server-side apply",
)
NOTES = denied(
    "request-metadata",
    "the annotation kubectl.kubernetes.io/last-applied-configuration of an AccessRequest has at most 8192 characters: "
    "use `kubectl create` instead of apply",
)
IMMUTABLE = "spec: Invalid value: an AccessRequest cannot be changed after it was made; make a new one"
STATUS = denied(
    "status",
    "status is the record, and only the jitaccess operator writes it; decide with the annotations jitaccess.dev/approve, "
    "deny and "
    "revoke",
)


# --- the operator's objects
BELONGS = denied(
    "managed-objects",
    "this object belongs to jitaccess (label app.kubernetes.io/managed-by), which alone may change it; end access with "
    "the annotation "
    "jitaccess.dev/revoke on its AccessRequest, change who may ask and decide in the AccessPolicy",
)
ESCALATION = "is attempting to grant RBAC permissions not currently held"


# --- policies
def may_not_bind(role: str) -> str:
    """More than the author has."""
    return denied(
        "policy-authors",
        "a policy may only offer roles that its author may bind; have a cluster administrator give {me} the verb `bind` on "
        + role,
    )


OPERATOR_SHAPES = denied(
    "managed-objects",
    "the jitaccess operator makes only grants (one User, owned by a Job that runs no Pod or by the request) and the Roles "
    "that it "
    "derives from policies, and none of them cluster-wide, in kube-system or in jitaccess-system",
)
OPERATOR_FOREIGN = denied(
    "operator", "the jitaccess operator touches only objects that carry the label app.kubernetes.io/managed-by=jitaccess"
)
RESERVED = denied(
    "operator",
    "Roles named jitaccess:..., and bindings to them, are made by jitaccess alone: name the people in spec.requesters and "
    "spec.approvers of the AccessPolicy",
)
