"""Any story that people, time and crashes can tell of one request keeps the promises of the state machine."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import currently_in_test_context, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from jitaccess.domain.circumstances import NOTHING_AROUND, Circumstances
from jitaccess.domain.lifecycle import TRANSITIONS, decide
from jitaccess.domain.locks import Locks
from jitaccess.domain.model import AccessPolicy, AccessRequest, Key
from jitaccess.domain.obstacles import OBSTACLES
from jitaccess.domain.recorded import State
from jitaccess.domain.recording import Delivery, Incident, Outcome, next_step
from jitaccess.domain.reviews import next_review
from jitaccess.domain.rules import Objection
from jitaccess.domain.text import parse_time
from jitaccess.domain.usage import Held, Usage, held
from jitaccess.domain.verdicts import Grant, Verdict, blocked
from jitaccess.manifests.locks import parse_lock
from jitaccess.manifests.parse import parse_policy, parse_request
from jitaccess.manifests.status import request_status
from unit.examples import (
    ALICE,
    BOB,
    CAROL,
    DAVE,
    DELIVERY,
    EMERGENCY,
    T0,
    lock_manifest,
    policy_manifest,
    request_manifest,
    stages_manifest,
)
from unit.manifest_files import crd_schema, schema_faults

PEOPLE = st.sampled_from([ALICE, BOB, CAROL, DAVE])
LINES = st.one_of(
    PEOPLE.map(lambda user: f"{user}: ok"),
    PEOPLE.map(lambda user: f"{user}: "),
    st.sampled_from(["", BOB, f"{CAROL}:ok", ": ok", f"{BOB}: ok\u2028{CAROL}: ok", f"{DAVE}\t: ok", f" {BOB}: ok\r"]),
)
REVIEWS = st.one_of(
    st.tuples(PEOPLE, st.sampled_from(["fine", "misuse", "fine: as said", "Fine", "ok", ""])).map(": ".join),
    st.sampled_from(["", "fine", f"{BOB}: fine\u2028{CAROL}: fine"]),
)
DURATION = timedelta(hours=1)
# T0 is 04:10 in Berlin, and both windows are a while away; the second is open on one day only.
WINDOWS = st.sampled_from(
    [
        [],
        [],
        [{"from": "05:00", "to": "06:30", "timeZone": "Europe/Berlin"}],
        [{"days": ["Thu"], "from": "00:00", "to": "04:00", "timeZone": "Etc/UTC"}],
    ]
)
STARTS = st.sampled_from([None, None, None, "2026-07-01T03:00:00Z", "2026-07-01T08:00:00.001Z", "2026-07-03T02:30:00Z"])
LIMITED: list[dict[str, Any]] = [{"limits": {"activePerRequester": 1}}, {"limits": {"activeInTotal": 2, "requestsPerDay": 1}}]
NARROWER: list[dict[str, Any] | None] = [
    None,
    {"maxDuration": "59m59s"},
    {"roles": [{"kind": "ClusterRole", "name": "edit"}]},
    {"ticket": {"pattern": "^CHG-[0-9]+$"}},
]
LEDGERS = st.sampled_from(["approvals", "approvals.lead", "approvals.security"])
# What an approval says, and how much of the hour it leaves; None where it counts for nothing.
NOTES = {"ok": DURATION, "[for 30m] ok": timedelta(minutes=30), "[for 2h] ok": DURATION, "[for x] ok": None}
STAGES = st.sampled_from([None, None, {"lead": 1, "security": 1}, {"security": 1, "lead": 2}, {"lead": 1}])
MOST_LIVELY = 3  # looks before the first misfortune: stories that end at once tell little


class OneRequest(RuleBasedStateMachine):
    """Alice's request for an hour, the policy it names, the cluster's grant, and the operator that looks at them."""

    def __init__(self) -> None:
        super().__init__()
        self.now: datetime = T0
        self.request: dict[str, Any] = request_manifest(duration="1h", ticket="INC-42")
        self.policy: dict[str, Any] | None = policy_manifest(requiredApprovals=2)
        self.locked: dict[str, datetime | None] = {}  # who, and until when (None: until it is lifted)
        self.obstacle: str = ""
        self.made: Grant | None = None  # the binding that is in the cluster
        self.looks = 0
        self.taken = 0  # grants of Alice's other requests

    @initialize(
        required=st.sampled_from([0, 1, 1, 2, 2, 3]),
        stages=STAGES,
        start=STARTS,
        windows=WINDOWS,
        ends=st.booleans(),
        emergency=st.booleans(),
        terms=st.sampled_from([{}, *LIMITED]),
        taken=st.sampled_from([0, 0, 0, 1]),
    )
    def policy_is_made(
        self,
        required: int,
        stages: dict[str, int] | None,
        start: str | None,
        windows: list[dict[str, Any]],
        ends: bool,
        emergency: bool,
        terms: dict[str, Any],
        taken: int,
    ) -> None:
        decided: dict[str, Any] = stages_manifest(**stages) if stages else {"requiredApprovals": required}
        decided |= {"emergency": EMERGENCY} if emergency and not required and not stages else {}
        self.request = request_manifest(duration="1h", ticket="INC-42", startTime=start)
        self.policy = policy_manifest(allowScheduling=True, windows=windows or None, endWithWindow=ends, **decided, **terms)
        self.taken = taken

    @property
    def settled(self) -> bool:
        """Whether it is on record that the request is."""
        return bool((self.request.get("status") or {}).get("settled"))

    # What people do.

    @rule(line=LINES, ledger=LEDGERS)
    def approve(self, line: str, ledger: str = "approvals") -> None:
        self._decide(ledger, line)

    @rule(users=st.lists(st.sampled_from([BOB, CAROL, DAVE]), min_size=1, max_size=3), ledger=LEDGERS)
    def several_approve_at_once(self, users: list[str], ledger: str = "approvals") -> None:
        for user in users:
            self._decide(ledger, f"{user}: ok")

    @rule(user=PEOPLE, note=st.sampled_from(sorted(NOTES)), ledger=LEDGERS)
    def approve_for_less(self, user: str, note: str, ledger: str) -> None:
        self._decide(ledger, f"{user}: {note}")

    @rule(lead=st.sampled_from([BOB, CAROL]), security=st.sampled_from([CAROL, DAVE]), note=st.sampled_from(sorted(NOTES)))
    def every_stage_approves(self, lead: str, security: str, note: str) -> None:
        self._decide("approvals.lead", f"{lead}: ok")
        self._decide("approvals.security", f"{security}: {note}")

    @rule(
        required=st.integers(0, 3),
        longest=st.sampled_from(["1h", "4h"]),
        offered=st.sampled_from([["view"], ["view", "edit"]]),
        noted=st.booleans(),
        stages=STAGES,
        windows=WINDOWS,
        terms=st.sampled_from([{}, {}, {"ticket": {"pattern": "^INC-[0-9]+$"}}, *LIMITED]),
    )
    def policy_changes(
        self,
        required: int,
        longest: str,
        offered: list[str],
        noted: bool,
        stages: dict[str, int] | None,
        windows: list[dict[str, Any]],
        terms: dict[str, Any],
    ) -> None:
        decided = stages_manifest(**stages) if stages else {"requiredApprovals": required}
        self.policy = policy_manifest(
            **decided,
            maxDuration=longest,
            roles=[{"kind": "ClusterRole", "name": role} for role in offered],
            noteRequired=noted,
            windows=windows or None,
            endWithWindow=noted,
            allowScheduling=True,
            **terms,
        )

    @precondition(lambda self: self.looks >= MOST_LIVELY)
    @rule(ledger=st.sampled_from(["denials", "revocations"]), line=LINES)
    def deny_or_revoke(self, ledger: str, line: str) -> None:
        self._decide(ledger, line)

    @precondition(lambda self: self.looks >= MOST_LIVELY)
    @rule(change=st.sampled_from(NARROWER))
    def policy_is_deleted_or_narrowed(self, change: dict[str, Any] | None) -> None:
        self.policy = policy_manifest(**change) if change else None

    @precondition(lambda self: self.settled)
    @rule(line=REVIEWS)
    def review(self, line: str) -> None:
        self._decide("reviews", line)

    @precondition(lambda self: self.looks >= MOST_LIVELY)
    @rule()
    def policy_is_suspended(self) -> None:
        self.policy = policy_manifest(requiredApprovals=1, suspend=True)

    @rule(who=st.sampled_from([BOB, CAROL]), minutes=st.sampled_from([None, 1, 30]))
    def an_approver_is_locked(self, who: str, minutes: int | None) -> None:
        self.locked[who] = self.now + timedelta(minutes=minutes) if minutes else None

    @precondition(lambda self: self.looks >= MOST_LIVELY)
    @rule(name=st.sampled_from([ALICE, ALICE.upper()]))
    def the_requester_is_locked(self, name: str) -> None:
        self.locked[name] = None

    @rule()
    def all_locks_are_lifted(self) -> None:
        self.locked.clear()

    @precondition(lambda self: self.looks >= MOST_LIVELY)
    @rule()
    def request_is_being_deleted(self) -> None:
        self.request["metadata"]["deletionTimestamp"] = "2026-07-01T02:10:00Z"

    # What happens.

    @rule(taken=st.integers(0, 2))
    def other_requests_of_alice_begin_and_end(self, taken: int) -> None:
        self.taken = taken

    @rule(minutes=st.sampled_from([0, 1, 29, 59]), milliseconds=st.integers(0, 1))
    def time_passes(self, minutes: int, milliseconds: int) -> None:
        self.now += timedelta(minutes=minutes, milliseconds=milliseconds)

    @precondition(lambda self: "startsAt" in (self.request.get("status") or {}))
    @rule(milliseconds=st.integers(-1, 1))
    def the_time_to_begin_comes(self, milliseconds: int) -> None:
        starts = parse_time(self.request["status"]["startsAt"])
        self.now = max(self.now, starts + timedelta(milliseconds=milliseconds))
        self._look(crashes=False)

    @precondition(lambda self: self.looks >= MOST_LIVELY)
    @rule(hours=st.sampled_from([1, 24]), milliseconds=st.integers(-1, 1))
    def much_time_passes(self, hours: int, milliseconds: int) -> None:
        self.now += timedelta(hours=hours, milliseconds=milliseconds)

    @rule(obstacle=st.sampled_from(["", "", *sorted(OBSTACLES)]))
    def something_stands_in_the_way(self, obstacle: str) -> None:
        self.obstacle = obstacle

    # What the operator does. Between any two looks it may have been restarted: it remembers nothing here.

    @rule()
    def operator_looks(self) -> None:
        self._look(crashes=False)

    @rule(user=st.sampled_from([BOB, CAROL, DAVE]), ledger=LEDGERS, note=st.sampled_from(sorted(NOTES)))
    def operator_looks_after_an_approval(self, user: str, ledger: str, note: str) -> None:
        self._decide(ledger, f"{user}: {note}")
        self._look(crashes=False)

    @rule()
    def operator_looks_and_crashes_before_the_record(self) -> None:
        self._look(crashes=True)

    @precondition(lambda self: self.made is None)
    @rule(minutes=st.integers(1, 59))
    def operator_crashes_and_comes_back(self, minutes: int) -> None:
        self._look(crashes=True)
        self.now += timedelta(minutes=minutes)
        self._look(crashes=False)

    @precondition(lambda self: self.made is None)
    @rule(minutes=st.integers(0, 59))
    def operator_crashes_between_the_record_and_the_binding(self, minutes: int) -> None:
        self._look(crashes=False)
        self.made = None
        self.now += timedelta(minutes=minutes)

    @precondition(lambda self: self.made is not None)
    @rule()
    def the_binding_is_changed_by_hand(self) -> None:
        self._look(crashes=False, incident=Incident("BindingRestored", "the RoleBinding was changed by hand and is put back"))

    @precondition(lambda self: self.settled)
    @rule()
    def operator_looks_at_the_review(self) -> None:
        before = self.request["status"]
        policy = parse_policy(self.policy) if self.policy else None
        after = json.loads(json.dumps(request_status(next_review(parse_request(self.request), policy, self.now))))
        self._check_record(before, after)
        self.request["status"] = after
        again = request_status(next_review(parse_request(self.request), policy, self.now))
        assert again == after, "a second look at once writes nothing"
        found = {each["by"] for each in after.get("reviews", [])}
        assert found <= {BOB, CAROL, DAVE}, f"not everybody of {found} may review"
        if after.get("emergency"):
            assert after["awaitingReview"] is not bool(found), "it is owed until it is there"

    def _decide(self, ledger: str, line: str) -> None:
        annotations = self.request["metadata"].setdefault("annotations", {})
        name = f"jitaccess.dev/{ledger}"
        annotations[name] = f"{annotations[name]}\n{line}" if name in annotations else line

    def _look(self, *, crashes: bool, incident: Incident | None = None) -> None:
        request = parse_request(json.loads(json.dumps(self.request)))
        policy = parse_policy(self.policy) if self.policy else None
        verdict, delivery = self._foresee(request, self._decided(request, policy))
        self._check_verdict(request, policy, verdict)
        if crashes:
            self._end(verdict)
            return
        told = (incident,) if incident and request.state is verdict.state is State.ACTIVE else ()
        outcome = Outcome(verdict, policy, None, delivery, told)
        before = self.request.get("status") or {}
        after = json.loads(json.dumps(request_status(next_step(request, outcome, self.now).recorded)))
        self._end(verdict)
        self._check_record(before, after)
        self._check_approved(before, after)
        self.request["status"] = after
        self.made = verdict.grant or self.made
        self.looks += 1
        if before.get("state") != after["state"] and currently_in_test_context():
            event(f"{before.get('state')} -> {after['state']}")
        if not after["settled"]:
            self._check_quiet(policy, after)

    def _decided(self, request: AccessRequest, policy: AccessPolicy | None) -> Verdict:
        locks = Locks(tuple(parse_lock(lock_manifest(who, until=until)) for who, until in self.locked.items()))
        return decide(request, policy, self.now, replace(self._around(policy), locks=locks))

    def _is_locked(self, person: str) -> bool:
        """By another reading than the operator's."""
        return any(who.casefold() == person and (until is None or self.now < until) for who, until in self.locked.items())

    def _check_quiet(self, policy: AccessPolicy | None, recorded: dict[str, Any]) -> None:
        request = parse_request(self.request)
        verdict, _ = self._foresee(request, self._decided(request, policy))
        if verdict.state is request.state:
            again = request_status(next_step(request, Outcome(verdict, policy), self.now).recorded)
            assert again == recorded, f"a second look at once writes nothing, but:\n{again}\nis not\n{recorded}"

    def _around(self, policy: AccessPolicy | None) -> Circumstances:
        if policy is None:
            return NOTHING_AROUND
        others = [Held(Key("team-a", f"other-{n}"), ALICE, self.now + DURATION) for n in range(self.taken)]
        limits = policy.limits
        own, total = (held(len(others), most, others) for most in (limits.active_per_requester, limits.active_in_total))
        return Circumstances(usage=Usage(own, total))

    def _foresee(self, request: AccessRequest, verdict: Verdict) -> tuple[Verdict, Delivery | None]:
        begins = verdict.grant and request.state is not State.ACTIVE
        if begins and self.obstacle:
            return blocked(verdict, Objection(self.obstacle, "why"), request.state), None
        return verdict, DELIVERY if begins else None

    def _end(self, verdict: Verdict) -> None:
        """Access goes before its end is recorded."""
        if verdict.state.settled:
            self.made = None

    def _check_verdict(self, request: AccessRequest, policy: AccessPolicy | None, verdict: Verdict) -> None:
        if verdict.state is not request.state:
            assert verdict.state in TRANSITIONS[request.state], f"{request.state} -> {verdict.state} is not in the table"
        if request.state is State.ACTIVE:
            assert verdict.reason not in ("LimitReached", "DailyLimitReached", "TicketMismatch"), "no such rule ends access"
        if verdict.grant is None:
            return
        assert policy is not None, "no access without a policy"
        status = self.request.get("status") or {}
        noted = policy.note_required if request.state is State.PENDING else status.get("noteRequired", False)
        self._check_quorum(request, policy, noted=noted)
        assert not self._is_locked(ALICE), "nobody who is locked has access"
        assert not policy.suspended, "nor does a suspended policy give any"
        if request.state is State.PENDING:
            room = [most for most in (policy.limits.active_per_requester, policy.limits.active_in_total) if most is not None]
            assert all(self.taken < most for most in room), f"begun with {self.taken} grants of {room}"
            assert policy.ticket is None or policy.ticket.pattern == "^INC-[0-9]+$", "begun with a ticket that does not fit"
        assert request.role in policy.roles, f"{request.role} is not offered"
        assert request.duration <= policy.max_duration, f"{request.duration} is longer than {policy.max_duration}"
        assert not request.denials, f"granted though denied: {request.denials}"
        assert not request.revocations, f"granted though revoked: {request.revocations}"
        assert verdict.grant.requester == ALICE
        assert verdict.grant.expires_at - verdict.grant.granted_at <= DURATION, "more time than was asked for"
        if request.state is not State.ACTIVE:
            self._check_beginning(policy, verdict.grant)
        if request.state is State.PENDING:
            self._check_length(policy, verdict.grant)
        if request.state is State.ACTIVE:
            assert self.now < verdict.grant.expires_at, "active at or after the expiry"

    def _check_beginning(self, policy: AccessPolicy, grant: Grant) -> None:
        """Not before it was to begin, and inside a window as another reading of the policy has it."""
        start = self.request["spec"].get("startTime")
        assert not start or self.now >= parse_time(start), "it begins before its time"
        assert self.policy
        windows = self.policy["spec"].get("windows")
        assert not windows or any(_shows(window, self.now) for window in windows), f"{self.now} is outside of {windows}"
        if policy.end_with_window and windows:
            last = grant.expires_at - timedelta(milliseconds=1)
            assert any(_shows(window, last) for window in windows), f"it lasts until {grant.expires_at}, past {windows}"

    def _check_quorum(self, request: AccessRequest, policy: AccessPolicy, *, noted: bool) -> None:
        """By another reading than the operator's: every stage has its people, and nobody is needed in two of them."""
        ledgers = {f"approvals.{stage.name}": stage.required for stage in policy.stages}
        ledgers = ledgers or {"approvals": policy.required_approvals}
        waits = request.state is State.PENDING
        entitled = {ledger: {*self._lines(ledger, noted=noted, readable=waits)} - {ALICE, ""} for ledger in ledgers}
        if waits:
            entitled = {ledger: {who for who in people if not self._is_locked(who)} for ledger, people in entitled.items()}
        for ledger, required in ledgers.items():
            assert len(entitled[ledger]) >= required, f"{entitled[ledger]} are not {required} people in {ledger}"
        everybody = set().union(*entitled.values())
        assert len(everybody) >= sum(ledgers.values()), f"somebody counts twice: {entitled}, {ledgers}"

    def _check_length(self, policy: AccessPolicy, grant: Grant) -> None:
        """Whoever approved counts with one of their lines in the ledgers that count, so none of them is without effect."""
        allowed: dict[str, list[timedelta]] = {}
        for ledger in [f"approvals.{stage.name}" for stage in policy.stages] or ["approvals"]:
            for who, notes in self._lines(ledger, noted=policy.note_required, readable=True).items():
                allowed.setdefault(who, []).extend(NOTES.get(note) or DURATION for note in notes)
        for who in allowed.keys() - {ALICE}:
            longest = max(allowed[who])
            assert grant.expires_at - grant.granted_at <= longest, f"{who} approved for {longest} at most"

    def _lines(self, ledger: str, *, noted: bool, readable: bool) -> dict[str, list[str]]:
        """The notes of each person in the ledger: any, those that say something, those that can be read."""
        text = (self.request["metadata"].get("annotations") or {}).get(f"jitaccess.dev/{ledger}", "")
        found: dict[str, list[str]] = {}
        for line in text.split("\n"):
            who, colon, note = line.partition("@example.com: ")
            counts = (note in NOTES and (NOTES[note] or not readable)) or (note == "" and not noted)
            if colon and counts and line.isprintable():
                found.setdefault(f"{who}@example.com", []).append(note)
        return found

    def _check_record(self, before: dict[str, Any], after: dict[str, Any]) -> None:
        faults = list(schema_faults(after, crd_schema("accessrequests")["properties"]["status"], "status"))
        assert not faults, f"the API server would refuse the record: {faults}"
        old, new = before.get("history", []), after["history"]
        assert new[: len(old)] == old, "the history was rewritten"
        assert new[-1]["state"] == after["state"], f"the history ends with {new[-1]['state']}, the state is {after['state']}"
        assert after["settled"] is State(after["state"]).settled
        if before.get("settled"):
            assert after["state"] == before["state"], f"a settled request went from {before['state']} to {after['state']}"
            assert after["settledAt"] == before["settledAt"], "the time of settling moved"
        for field in ("grantedAt", "expiresAt"):
            assert before.get(field, after.get(field)) == after.get(field), f"{field} moved once it was granted"
        self._check_review(before, after)

    def _check_approved(self, before: dict[str, Any], after: dict[str, Any]) -> None:
        """By the record alone: what of it has enough approvals says so, whatever else it says, and what has not, does not."""
        told = next(each["status"] for each in after["conditions"] if each["type"] == "Approved") == "True"
        waited = before.get("state", "Pending") == "Pending"
        if not waited or self.policy is None or any(self._is_locked(who) for who in (BOB, CAROL, DAVE)):
            return
        stages, given = after.get("stages", []), len(after.get("approvals", []))
        enough = all(each["approvals"] >= each["required"] for each in stages) if stages else given >= after["requiredApprovals"]
        if given and enough:
            assert told, f"{given} have approved, and {after['conditions']}"
        if not enough and after["state"] == "Pending":
            assert not told, f"{after['conditions']} of {given} approvals"

    def _check_review(self, before: dict[str, Any], after: dict[str, Any]) -> None:
        if "grantedAt" in before:
            assert after.get("emergency") == before.get("emergency"), "an emergency is one from its beginning, or never"
        for field in ("reviewDue", "reviews"):
            assert before.get(field, after.get(field)) == after.get(field), f"{field} changed once it was there"
        assert ("emergency" in after) <= ("grantedAt" in after), "what never began is no emergency"
        assert ("reviewDue" in after) is bool(after.get("emergency") and after["settled"]), "a review is owed once it is over"
        assert ("awaitingReview" in after) is ("emergency" in after)

    @invariant()
    def granted_time_never_exceeds_what_was_asked_for(self) -> None:
        status = self.request.get("status") or {}
        if "expiresAt" in status:
            granted = parse_time(status["expiresAt"]) - parse_time(status["grantedAt"])
            assert granted <= DURATION, f"{granted} was granted, {DURATION} was asked for"

    @invariant()
    def times_in_the_history_never_run_backwards(self) -> None:
        moments = [entry["at"] for entry in (self.request.get("status") or {}).get("history", [])]
        assert moments == sorted(moments), f"the history is out of order: {moments}"

    @invariant()
    def access_is_always_on_record_with_its_end(self) -> None:
        status = self.request.get("status") or {}
        if self.made:
            recorded = (parse_time(status["grantedAt"]), parse_time(status["expiresAt"]))
            assert recorded == (self.made.granted_at, self.made.expires_at), f"{recorded} is recorded, {self.made} is there"

    @invariant()
    def no_review_is_owed_of_access_by_approval(self) -> None:
        status = self.request.get("status") or {}
        assert not status.get("emergency") or not status.get("approvals"), "it was approved, and is no emergency"

    @invariant()
    def no_settled_request_has_access(self) -> None:
        status = self.request.get("status") or {}
        assert not status.get("settled") or self.made is None, f"{status['state']}, but still bound"


def _shows(window: dict[str, Any], moment: datetime) -> bool:
    """Whether a clock in the zone of a window shows a time of it; none of these is over midnight."""
    there = moment.astimezone(ZoneInfo(window["timeZone"]))
    on_a_day = there.strftime("%a") in window.get("days", [there.strftime("%a")])
    return on_a_day and window["from"] <= there.strftime("%H:%M") < window["to"]


OneRequest.TestCase.settings = settings(max_examples=100, stateful_step_count=25, deadline=None, database=None)
TestOneRequest = OneRequest.TestCase


def test_the_story_of_the_design_page() -> None:
    story = OneRequest()
    story.operator_looks()
    story.several_approve_at_once([BOB, CAROL])
    story.operator_looks()
    assert story.request["status"]["state"] == "Active"
    story.time_passes(60, 0)
    story.operator_looks()
    states = [(entry["state"], entry["reason"]) for entry in story.request["status"]["history"]]
    assert states == [
        ("Pending", "Requested"),
        ("Pending", "Approved"),
        ("Pending", "Approved"),
        ("Active", "Granted"),
        ("Expired", "DurationElapsed"),
    ]
    assert story.request["status"]["settledAt"] == "2026-07-01T03:10:00.000Z"
