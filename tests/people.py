"""The people of the tests, beside alice (developers), bob and carol (leads), mallory (nobody) and admin (system:masters)."""

from controlplane.users import User

LONG_NAME = "long." + "n" * 248
EXTRA_USERS = (
    User("dave", ("leads", "developers")),
    User("erin@example.com", ("developers",)),
    User("paul", ("platform",)),
    User("trent", ("patchers",)),
    User("bob: x", ("leads", "developers")),
    User("bob:", ("leads", "developers")),
    User("bob, carol", ("leads", "developers")),
    User("bob carol", ("leads", "developers")),
    User("bob\nalice: forged", ("leads", "developers")),
    User("bob ", ("leads", "developers")),
    User("Bob", ("leads", "developers")),
    User("bоb", ("leads", "developers")),  # the second letter is Cyrillic
    User("zoë-名前", ("leads", "developers")),
    User("bob\u202egnihsif", ("leads", "developers")),
    User(LONG_NAME, ("leads", "developers")),
    User("too-long." + "n" * 245, ("leads", "developers")),
)
