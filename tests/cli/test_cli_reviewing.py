"""Emergency access in the terminal: asked for, listed, reviewed; and what a reviewer sees before a yes."""

from cli.plugin import Plugin
from team import eventually

LEADS = [{"kind": "Group", "name": "leads"}]


def glass(jit: Plugin) -> None:
    """A policy for emergencies that the leads review."""
    jit.team.policy(requiredApprovals=0, approvers=LEADS, emergency={"reviewWithin": "24h", "reviewers": LEADS})
    eventually(lambda: jit.team.holds("bob", "review", "debug"), "bob may review")


def test_an_emergency_is_told_as_one_and_reviewed(jit: Plugin) -> None:
    glass(jit)
    said = " ".join(jit("policies", user="bob").out.split())
    assert "review" in said
    said = " ".join(jit("explain", user="bob").out.split())
    assert "no approval needed; an emergency, to be reviewed within 24h of its end by Group leads" in said
    assert "May review yes, though not bob's own access" in said
    name = jit.asked("--for", "2s")
    jit.team.until(name, "Expired")
    listed = jit("ls", "--awaiting-review", user="bob").out
    assert name in listed
    assert "review owed" in listed
    assert "owed until" in jit("show", name, user="alice").out
    refused = jit("reviewed", name, "--fine", "-y", user="alice")
    assert (refused.code, "nobody may review their own access" in refused.err) == (3, True)

    terminal = jit.at_terminal("reviewed", name, "--misuse", "-m", "there was no incident", user="bob")
    assert "INC-42 pods crash looping" in terminal.expect(f"Say that {name} was misuse? [y/N]: ")
    terminal.type("y")
    assert terminal.end() == 0
    assert jit.team.until_condition(name, "Reviewed", "True")["message"] == "bob: there was no incident"
    assert "found to be misuse by bob" in jit("show", name, user="alice").out
    assert name not in jit("ls", "--awaiting-review", user="bob").out


def test_a_dry_run_of_a_review_changes_nothing(jit_stamped: Plugin) -> None:
    glass(jit_stamped)
    name = jit_stamped.asked("--for", "1s")
    jit_stamped.team.until(name, "Expired")
    said = jit_stamped("reviewed", name, "--fine", "--dry-run", user="bob")
    assert (said.code, "nothing was changed" in said.out) == (0, True)
    assert jit_stamped.team.status(name)["awaitingReview"] is True
