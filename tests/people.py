"""The people of the tests, beside alice (developers), bob and carol (leads), mallory (nobody) and admin (system:masters)."""

from controlplane.users import User

LONG_NAME = "long." + "n" * 248
EXTRA_USERS = (
    User("dave", ("leads", "developers")),
    User("erin@example.com", ("developers",)),
    User("paul", ("platform",)),
    User("trent", ("patchers",)),
    User("sven", ("security",)),
    User("olga", ("on-call",)),
    User("petra", ("payments",)),
    User("conrad", ("contractors",)),
    User("vera", ("vendors",)),
    User("bob: x", ("leads", "developers")),
    User("bob:", ("leads", "developers")),
    User("bob, carol", ("leads", "developers")),
    User("bob carol", ("leads", "developers")),
    User("bob\nalice: forged", ("leads", "developers")),
    User("bob ", ("leads", "developers")),
    User("Bob", ("leads", "developers")),
    User("ALICE", ("leads",)),
    User("b\u043eb", ("leads", "developers")),  # the second letter is Cyrillic
    User("zoë-名前", ("leads", "developers")),
    User("bob\u202egnihsif", ("leads", "developers")),
    User(LONG_NAME, ("leads", "developers")),
    User("too-long." + "n" * 245, ("leads", "developers")),
    User("bob\nalice", ("leads", "developers")),
    User("bob\u0085", ("leads", "developers")),
    User("bob\u200b", ("leads", "developers")),
    User("\uff42\uff4f\uff42", ("leads", "developers")),  # full width, which NFKC folds to bob
    User("zoe\u0308-名前", ("leads", "developers")),  # the same as above to a reader, another to a computer
    User("sam", ("security",)),
    User("sue", ("leads", "security")),  # holds two stages
    User("SUE", ("security",)),
    User("ada", ("developers",)),  # is granted `admin` in the namespace of the attacks
    User("pat", ("leads", "patchers")),  # an approver who may patch whatever becomes of the policy
    User("walt", ("wide",)),  # may write everything that Kubernetes has, in every namespace, and nothing of ours
    User("wanda", ("wardens",)),  # every verb on requests and on status, but no say
)
