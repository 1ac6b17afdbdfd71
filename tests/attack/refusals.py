"""The sentences that people meet, word for word."""

from attack.table import denied

# --- asking
NOT_YOUR_GROUPS = denied(
    "requesters", "spec.requesterGroups must be all of your own groups, as `kubectl auth whoami` shows them: leave it out"
)
NOT_YOU = denied("requesters", "spec.requester must be your own user name: write `requester: '{me}'`")


def already_decided(key: str) -> str:
    """An annotation or label at creation that reads as ours."""
    return denied(
        "requesters",
        f"a request cannot be made already decided: leave out the annotation or label '{key}', which reads as jitaccess's own; "
        "an approver adds theirs once the request exists",
    )


_SHOWN = "(no line breaks, control, zero-width, joining or private-use characters, no variation selectors)"


def unclear_when_made(key: str) -> str:
    """An annotation at creation that does not show on one line."""
    return denied(
        "requesters",
        f"the annotation '{key}' must be one line of text, of at most 8192 characters: leave it out, or remove what is "
        f"invisible, or breaks or reorders the line {_SHOWN}",
    )


def hidden(place: int) -> str:
    """A field of the spec with such a character at that place."""
    return f": character {place} is invisible, or breaks or reorders the line: remove it {_SHOWN}"


MARKS = ": has more than 4 combining marks in a row: remove some"
OWN_BOOKKEEPING = denied("requesters", "an AccessRequest is made without metadata.managedFields: leave it to the API server")
TOO_FAR_AHEAD = denied("requesters", "spec.startTime is at most 30 days ahead: ask nearer to the time")
OPERATOR_ASKS = denied("requesters", "the jitaccess operator asks for nothing itself")
NO_OWNERS_YET = denied(
    "requesters",
    "an AccessRequest has no finalizers and no owners: leave out metadata.finalizers and metadata.ownerReferences",
)
TOO_MUCH = denied(
    "requesters",
    "an AccessRequest is made with at most 32 labels and 32 annotations, of at most 32768 bytes together: leave some out",
)


def may_not_request_cluster(policy: str, where: str = " in namespace {namespace}") -> str:
    """A ClusterAccessPolicy that gives no say there; an empty `where` is the whole cluster."""
    at, elsewhere = (" -n {namespace}", "does not select that namespace, ") if where else ("", "")
    return denied(
        "requesters",
        f"{{me}} may not request access under ClusterAccessPolicy '{policy}'{where}: it does not exist, is not Ready, {elsewhere}"
        f"or does not name you as a requester; `kubectl get clusteraccesspolicies{at}` shows what there is, and "
        f"`kubectl auth can-i request clusteraccesspolicies.jitaccess.dev/{policy}{at}` answers for you",
    )


def not_a_cluster_approver(policy: str, where: str = " in namespace {namespace}") -> str:
    """No say on this ClusterAccessPolicy there; an empty `where` is the whole cluster."""
    return denied(
        "decisions",
        f"{{me}} is not an approver of ClusterAccessPolicy '{policy}'{where}, or the policy is gone or not Ready; "
        f"`kubectl get clusteraccesspolicy {policy}` shows who decides",
    )


def not_a_cluster_revoker(requester: str, policy: str) -> str:
    """Neither the requester nor an approver."""
    return denied(
        "decisions",
        f"{{me}} may not revoke this request: only {requester} and the approvers of ClusterAccessPolicy '{policy}' may",
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


def one_line(place: int) -> str:
    """A line of a ledger with such a character at that place; it begins with the user name."""
    return denied(
        "decisions",
        f"one decision is one line of text, and character {place} of yours ('user name: note') is invisible, or breaks or "
        f"reorders the line: remove it {_SHOWN}",
    )


ONE_LINE = denied("decisions", "one decision is one line of text, ")  # wherever the place of the character is not the point
NOTE_MARKS = denied("decisions", "your note, or your user name, has more than 4 combining marks in a row: remove some")
TOO_LONG = denied("decisions", "a note has at most 1024 characters, and a ledger at most 12288: shorten the note")
TWICE = denied(
    "decisions",
    "{me} has decided this already, and one person's decision counts once (in capitals or not); "
    "to take an approval back, deny or revoke",
)
NOTE_REQUIRED = denied(
    "decisions", "AccessPolicy 'noted' asks for a note with each approval (noteRequired): say in a few words why you approve"
)
OWN_REQUEST = denied("decisions", "nobody may approve their own request: ask another approver")
OWN_REQUEST_IN_CAPITALS = denied(
    "decisions", "nobody may approve their own request, and {me} and alice may be one person: ask another approver"
)
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


ONE_AT_A_TIME = denied(
    "decisions",
    "one decision at a time: a call that approves in a stage writes nothing else; send the other decision by itself",
)
BRACKET = denied(
    "decisions",
    "an approval for less time begins with [for DURATION], and after it the end or a space: '[for 30m] go ahead'; write a note "
    "that is none without the bracket",
)
NOT_LONGER = denied("decisions", "an approval may shorten access, to at least 1ms, and never lengthen it: ")
STAGES_NOT_STAMPED = denied(
    "decisions",
    "this request is approved in stages (open: lead, security): say in which of yours, jitaccess.dev/approve.STAGE='your note'; "
    "where the API server does not stamp that (before Kubernetes 1.36, or without the stamping component) add your line to the "
    "ledger yourself, for example jitaccess.dev/approvals.lead='{me}: your note'",
)
IN_STAGES = denied(
    "decisions",
    "this request is approved in stages (open: lead, security): write to the ledger of yours, for example "
    "jitaccess.dev/approvals.lead='{me}: your note'",
)
NO_STAGES = denied(
    "decisions",
    "AccessPolicy 'two' has no stage 'lead', nor any other that is on record: write to jitaccess.dev/approvals",
)


def no_stage(stage: str) -> str:
    """A stage that the policy does not have."""
    return denied(
        "decisions", f"AccessPolicy 'staged' has no stage '{stage}'; its stages are lead, security (open: lead, security)"
    )


def two_stages(stage: str) -> str:
    """Somebody who counts in another stage already."""
    return denied(
        "decisions",
        "{me} has approved in another stage already (in capitals or not), and one person counts in one stage only: "
        f"ask another approver of stage '{stage}'",
    )


def not_of_the_stage(stage: str, policy: str = "staged") -> str:
    """No say in this stage."""
    return denied(
        "decisions",
        f"{{me}} is not an approver of stage '{stage}' of AccessPolicy '{policy}' in namespace {{namespace}}, or the policy is "
        f"gone or not Ready; `kubectl get accesspolicy {policy} -n {{namespace}}` shows who decides",
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


def annotation(key: str) -> str:
    """An annotation that reads as ours."""
    return denied(
        "request-metadata",
        f"the annotation '{key}' reads as jitaccess's own, but is none: decide with jitaccess.dev/approve, jitaccess.dev/deny, "
        "jitaccess.dev/revoke or jitaccess.dev/review (where nothing stamps them, with your line in jitaccess.dev/approvals, "
        "denials, revocations or reviews); "
        "if an admission webhook or a controller of this cluster adds it, let it leave out accessrequests.jitaccess.dev",
    )


def unclear(key: str) -> str:
    """An annotation that does not show on one line."""
    return denied(
        "request-metadata",
        f"the annotation '{key}' must be one line of text, of at most 8192 characters, without anything that is invisible, or "
        f"breaks or reorders the line {_SHOWN}; if an admission webhook or a controller of this cluster adds it, let it leave "
        "out accessrequests.jitaccess.dev",
    )


NO_ROOM = denied("request-metadata", "no room for the annotation '")
NO_ROOM_WHY = (
    "': an AccessRequest has at most 32 annotations that are not jitaccess's, of at most 32768 bytes together (64 and 98304 in "
    "an update that decides); remove some, or let what adds it leave out accessrequests.jitaccess.dev"
)


def label(key: str) -> str:
    """A label that reads as ours."""
    return denied("request-metadata", f"the label '{key}' of an AccessRequest cannot be changed: leave it as it is")


TOO_MANY_LABELS = denied("request-metadata", "an AccessRequest has at most 32 labels (64 in an update that decides): remove some")
OVERGROWN = denied(
    "request-metadata",
    "metadata.managedFields of an AccessRequest names fields that are not there: leave managedFields to the API server",
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
    "the annotation kubectl.kubernetes.io/last-applied-configuration of an AccessRequest is its requester's: "
    "use `kubectl annotate` instead of apply",
)
IMMUTABLE = "spec: Invalid value: an AccessRequest cannot be changed after it was made; make a new one"
SETTLED_FOR_GOOD = "status: Invalid value: a settled request never changes its state again"
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
    "the jitaccess operator makes only grants (one User, or the identity of the request, owned by a Job that runs no Pod "
    "or by the request) and the Roles that it derives from policies, and none of them in kube-system or in jitaccess-system",
)
NOT_CLUSTER_WIDE = denied(
    "managed-objects",
    "the jitaccess operator may not bind ClusterRole jitaccess-debug cluster-wide: it lacks the verb bind-cluster-wide; add the "
    "role to the ClusterRole jitaccess-grantable-cluster-wide",
)
OPERATOR_FOREIGN = denied(
    "operator", "the jitaccess operator touches only objects that carry the label app.kubernetes.io/managed-by=jitaccess"
)
RESERVED = denied(
    "operator",
    "Roles named jitaccess:..., and bindings to them, are made by jitaccess alone: name the people in spec.requesters and "
    "spec.approvers of the AccessPolicy",
)


# --- temporary identities
CLOSED = denied(
    "identities",
    "the namespace jitaccess-grants is for the temporary identities that jitaccess makes: nobody else makes, changes or "
    "deletes anything in it; end access with the annotation jitaccess.dev/revoke on its AccessRequest",
)
NOT_YOUR_TOKEN = "is for whom the grant was made for, and for nobody else, whatever other rights they have"
TOKEN_BOUNDS = denied(
    "identities",
    "a token of a temporary identity lives for an hour at most, and is bound to no other object: leave out the rest, and "
    "mint another one later",
)
OURS = ".jitaccess.dev' denied request: "  # where two of our policies refuse, the API server tells of either
IDENTITY_ASKS = denied("requesters", "a temporary identity asks for nothing: ask as yourself")
IDENTITY_DECIDES = denied("decisions", "a temporary identity decides nothing: decide as yourself")


# --- reviewing
OWN_ACCESS = denied("reviews", "nobody may review their own access: ask another reviewer")
OWN_ACCESS_IN_CAPITALS = denied(
    "reviews", "nobody may review their own access, and {me} and alice may be one person: ask another reviewer"
)
OPERATOR_REVIEWS = denied("reviews", "the jitaccess operator reviews nothing itself")
IDENTITY_REVIEWS = denied("reviews", "a temporary identity reviews nothing: review as yourself")
REVIEWER_WITH_COLON = denied(
    "reviews", "a user whose name contains ': ' cannot review: the ledger ends names there; use another account"
)
NO_EMERGENCY = denied("reviews", "this is no emergency access: there is nothing to review")
STILL_LASTS = denied("reviews", "this emergency access still lasts: review it once it is over (jitaccess.dev/revoke ends it)")
REVIEWED_ALREADY = denied("reviews", "this emergency access was reviewed already, and that review stands")
OWN_REVIEW = denied(
    "reviews",
    "reviews may only gain one line, at the end, which starts with your own user name, '{me}: '; read the request again "
    "(somebody else may have reviewed it meanwhile) and add your line to what is there",
)
REVIEW_ONE_LINE = denied("reviews", "one review is one line of text, ")
REVIEW_MARKS = denied("reviews", "your note, or your user name, has more than 4 combining marks in a row: remove some")
NO_FINDING = denied(
    "reviews", "a review says 'fine' or 'misuse', and then, if you like, ': ' and a note: for example 'fine: all as said'"
)
REVIEW_TOO_LONG = denied(
    "reviews", "a note has at most 1024 characters, and all reviews together at most 12288 bytes: shorten the note"
)
REVIEWED_TWICE = denied("reviews", "{me} has reviewed this already, and one person's review counts once (in capitals or not)")
REVIEW_NOT_STAMPED = denied(
    "reviews",
    "the annotation jitaccess.dev/review only works where the API server stamps it (Kubernetes 1.36+ with the stamping "
    "component); add your line to the ledger yourself, for example jitaccess.dev/reviews='{me}: fine: your note'",
)


def review_line(place: int) -> str:
    """A review with such a character at that place; it begins with the user name."""
    return denied(
        "reviews",
        f"one review is one line of text, and character {place} of yours ('user name: fine: note') is invisible, or breaks or "
        f"reorders the line: remove it {_SHOWN}",
    )


def not_a_reviewer(policy: str = "glass") -> str:
    """No review on this policy."""
    return denied(
        "reviews",
        f"{{me}} is not a reviewer of AccessPolicy '{policy}' in namespace {{namespace}}, or the policy is gone, is not Ready "
        f"or has no emergency any more; `kubectl get accesspolicy {policy} -n {{namespace}} "
        "-o jsonpath='{{.spec.emergency}}'` shows who reviews",
    )
