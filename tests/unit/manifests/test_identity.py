"""What a temporary identity consists of."""

import re
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from jitaccess.domain.model import Key
from jitaccess.domain.recorded import DeliveredAs
from jitaccess.manifests.accounts import account_key, account_of, user_name
from jitaccess.manifests.grant import binding_manifest
from jitaccess.manifests.identity import identity_parts, job_key, job_of, made_for
from jitaccess.manifests.kinds import ACCESS_REQUEST
from jitaccess.manifests.resources import ROLES
from unit.examples import HOUR, JOB_REF, KEY, NAMESPACE, UID, grant

DNS_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
LABEL = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True)
SUBDOMAINS = st.lists(LABEL, min_size=1, max_size=4).map(".".join).filter(lambda name: len(name) <= 253)
IDENTITY = replace(grant(), delivered_as=DeliveredAs.IDENTITY)


@given(SUBDOMAINS, st.uuids())
def test_names_are_valid_and_end_with_the_whole_uid_whatever_the_request_is_called(name: str, uid: object) -> None:
    made = account_key(Key(NAMESPACE, name), str(uid))
    assert made.namespace == "jitaccess-grants"
    assert len(made.name) <= 63, "Jobs copy their name into a label"
    assert DNS_SUBDOMAIN.fullmatch(made.name), f"{made.name} is no DNS name"
    assert made.name.endswith(f"-{uid}")


def test_a_user_name_leads_back_to_its_account_and_nobody_elses_does() -> None:
    account = account_key(KEY, UID)
    assert account_of(user_name(account)) == account.name
    assert account_of("alice@example.com") == ""
    assert account_of(f"system:serviceaccount:team-a:{account.name}") == ""


def test_the_role_allows_to_be_exactly_this_account_and_nothing_else() -> None:
    role = identity_parts(ACCESS_REQUEST, IDENTITY, JOB_REF)[ROLES]
    assert [(rule["resources"], rule["verbs"]) for rule in role["rules"]] == [
        (["serviceaccounts"], ["impersonate"]),
        (["serviceaccounts/token"], ["create"]),
        (["grants"], ["use"]),
    ]
    assert all(rule["resourceNames"] == [account_key(KEY, UID).name] for rule in role["rules"])


def test_every_part_says_which_request_it_was_made_for() -> None:
    parts = [*identity_parts(ACCESS_REQUEST, IDENTITY, JOB_REF).values(), job_of(ACCESS_REQUEST, IDENTITY, HOUR)]
    assert [made_for(part) for part in parts] == [(KEY, UID)] * 4


def test_what_is_cluster_wide_owns_the_job_and_what_is_in_a_namespace_cannot() -> None:
    wide = replace(IDENTITY, request=Key("", "alice-nodes"))
    assert "ownerReferences" not in job_of(ACCESS_REQUEST, IDENTITY, HOUR)["metadata"]
    [owner] = job_of(ACCESS_REQUEST, wide, HOUR)["metadata"]["ownerReferences"]
    assert (owner["name"], owner["uid"]) == ("alice-nodes", UID)


def test_the_job_is_where_that_is_which_it_takes_along() -> None:
    for how, delivered in ((DeliveredAs.BINDING, grant()), (DeliveredAs.IDENTITY, IDENTITY)):
        metadata = job_of(ACCESS_REQUEST, delivered, HOUR)["metadata"]
        assert Key(metadata["namespace"], metadata["name"]) == job_key(KEY, UID, how)


def test_a_binding_to_the_requester_is_the_jobs_and_one_to_an_account_the_requests() -> None:
    owners = [binding_manifest(ACCESS_REQUEST, each, JOB_REF)["metadata"]["ownerReferences"] for each in (grant(), IDENTITY)]
    assert [owner[0]["kind"] for owner in owners] == ["Job", "AccessRequest"]
