"""The plugin where several groups must approve, and where somebody approves for less time."""

import pytest

from cli.plugin import HASTY, Plugin
from team import PATIENCE, TWO_STAGES, eventually


def test_each_approves_in_their_stage_and_sees_what_is_still_awaited(jit: Plugin) -> None:
    jit.team.policy(**TWO_STAGES)
    assert "decide (lead)" in jit.ok("policies", user="bob")
    explained = " ".join(jit.ok("explain", user="alice").split())
    assert "1 approval from Group leads (stage lead) and 1 approval from Group security (stage security)" in explained
    name = jit.asked("--for", "1h")
    eventually(lambda: jit.team.status(name).get("stages"), "its stages are on record")
    refused = jit("approve", name, "-y", "--stage", "security", user="bob")
    assert refused.code == 3
    assert "bob is not an approver of stage 'security'" in refused.err
    several = jit("approve", name, "-y", user="sue")
    assert several.code == 2
    assert "--stage" in several.err
    for who in ("bob", "sam"):
        assert name in jit.ok("ls", "--reviewable", user=who)
    said = " ".join(jit.ok("approve", name, "-y", "--for", "30m", "-m", "go ahead", user="bob").split())
    assert said.endswith("approved: needs 1 approval from Group security (stage security)")
    eventually(lambda: jit.team.status(name)["summary"] == {"approvals": "1/2"}, "it is on record")
    assert name not in jit.ok("ls", "--reviewable", user="carol"), "a second lead is of no use"
    shown = " ".join(jit.ok("show", name, user="sam").split())
    assert "30m of 1h from the moment it is granted" in shown
    assert "lead: 1 of 1, by bob security: 0 of 1, from Group security" in shown
    assert "Approved bob stage lead, for 30m of 1h: go ahead" in shown
    jit.ok("approve", name, "-y", user="sue")
    approvals = jit.team.until(name, "Active")["status"]["approvals"]
    assert [(a["by"], a["stage"]) for a in approvals] == [("bob", "lead"), ("sue", "security")]
    assert "30m of 1h" in jit.ok("show", name, user="alice")
    csv = jit.ok("export", "-o", "csv", "--since", "1d", user="alice")
    assert "approved by bob in stage lead for 30m" in csv
    jit.ok("deny", name, "-y", "-m", "enough", user="sam")
    jit.team.until(name, "Revoked")


@pytest.mark.parametrize("verb", ["approve", "deny"])
def test_what_the_operator_has_not_looked_at_is_decided_once_it_has(jit: Plugin, verb: str) -> None:
    jit.team.policy(**TWO_STAGES)
    with jit.team.operator_frozen():
        name = jit.asked()
        assert name in jit.ok("ls", "--reviewable", user="bob"), "it waits for him, whoever has looked at it"
        refused = jit(verb, name, "-y", "-m", "no rush", user="bob", program=HASTY)
        assert refused.code == 4
        said = " ".join(refused.err.split())
        assert f"nobody can decide in a stage of {name} now: the operator has not looked at it yet" in said
        waiting = jit.start(verb, name, "-y", "-m", "no rush", user="bob")
        waiting.expect("not looked at yet")
    _, err = waiting.communicate(timeout=PATIENCE)
    assert waiting.returncode == 0, err
    [line] = [line for ledger, line in jit.team.annotations(name).items() if ledger.startswith("jitaccess.dev/")]
    assert line == "bob: no rush"


def test_longer_than_was_asked_for_is_refused_before_it_is_sent(jit_stamped: Plugin) -> None:
    jit_stamped.team.policy()
    name = jit_stamped.asked("--for", "30m")
    jit_stamped.team.until(name, "Pending")
    refused = jit_stamped("approve", name, "-y", "--for", "31m", user="bob")
    assert refused.code == 2
    assert "asks for 30m" in refused.err
    said = jit_stamped.ok("approve", name, "-y", "--for", "5m", user="bob")
    assert "(in 4m" in said or "(in 5m" in said
