"""What is drawn: a seed means what it always meant, and what is new in a schedule is met soon."""

import hashlib
from collections import Counter

from chaos import waves
from chaos.fences import is_fenced
from chaos.plans import Plan, draw

# Of seeds 1 and 7, their first forty schedules, without the second policy; as it was before there was one.
AS_EVER = "513c32e31c793a93780933fc0a543a7955d0a753a7323782dc3c47ca1e6f4eb8"


def told(plan: Plan) -> str:
    """What is done under the first policy."""
    return repr(([(step.at, step.what, step.who, step.request, step.words) for step in plan.steps], plan.faults))


def test_a_seed_draws_what_it_always_drew() -> None:
    drawn = "\n".join(told(draw(seed, number)) for seed in (1, 7) for number in range(40))
    assert hashlib.sha256(drawn.encode()).hexdigest() == AS_EVER


def test_the_short_run_meets_limits_stages_locks_and_suspensions() -> None:
    fences = [plan.fence for plan in waves.wave_of(1, 0, 12) if plan.fence]
    said = Counter(word for fence in fences for word in ("stages", "limits") if word in fence.spec)
    done = Counter(step.what for fence in fences for step in fence.steps)
    suspended = sum('"suspend": true' in " ".join(step.words) for fence in fences for step in fence.steps)
    assert min(said["stages"], said["limits"], done["lock"], done["approve in"], suspended) >= 2, (said, done, suspended)


def test_the_two_policies_of_a_schedule_share_no_request() -> None:
    for plan in waves.wave_of(1, 0):
        if plan.fence is None:
            continue
        assert all(is_fenced(step.request) for step in plan.fence.steps if step.request)
        assert not any(is_fenced(step.request) for step in plan.steps)
        assert plan.all_steps == sorted([*plan.steps, *plan.fence.steps], key=lambda step: step.at)
