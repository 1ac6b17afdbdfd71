"""What the API server's refusals mean, and which exit code they are."""

from typing import Any

import pytest

from jitaccess.cli.api.errors import (
    AlreadyExists,
    ChangedMeanwhile,
    CliError,
    ExitCode,
    Invalid,
    NotFound,
    NotInstalled,
    Outage,
    Refused,
    api_error,
)

ADMISSION = (
    "accessrequests.jitaccess.dev \"r1\" is forbidden: ValidatingAdmissionPolicy 'decisions.jitaccess.dev' with binding "
    "'decisions.jitaccess.dev' denied request: nobody may approve their own request: ask another approver"
)
RBAC = (
    'accessrequests.jitaccess.dev is forbidden: User "mallory" cannot list resource "accessrequests" in API group "jitaccess.dev"'
)


@pytest.mark.parametrize(
    ("code", "status", "kind", "exit_code", "words"),
    [
        pytest.param(
            403,
            {"message": ADMISSION},
            Refused,
            ExitCode.NO,
            "nobody may approve their own request: ask another approver",
            id="an-admission-policy-is-quoted-and-nothing-else",
        ),
        pytest.param(
            403,
            {"message": f'{RBAC} in the namespace "team-a"'},
            Refused,
            ExitCode.NO,
            "no AccessPolicy there names you",
            id="no-rbac-here",
        ),
        pytest.param(
            403,
            {"message": f"{RBAC} at the cluster scope"},
            Refused,
            ExitCode.NO,
            "in all namespaces at once",
            id="no-rbac-anywhere",
        ),
        pytest.param(401, {}, CliError, ExitCode.ERROR, "does not accept your credentials", id="credentials"),
        pytest.param(
            404,
            {"message": "x", "details": {"name": "r1", "kind": "accessrequests"}},
            NotFound,
            ExitCode.ERROR,
            "there is no request r1",
            id="no-such-request",
        ),
        pytest.param(
            404,
            {"message": "the server could not find the requested resource"},
            NotInstalled,
            ExitCode.ERROR,
            "jitaccess is not installed",
            id="not-installed",
        ),
        pytest.param(409, {"reason": "AlreadyExists", "message": "x"}, AlreadyExists, ExitCode.ERROR, "x", id="name-taken"),
        pytest.param(
            409, {"reason": "Conflict", "message": "x"}, ChangedMeanwhile, ExitCode.ERROR, "x", id="somebody-was-faster"
        ),
        pytest.param(503, {"message": "down"}, Outage, ExitCode.ERROR, "cannot answer now", id="an-outage-is-not-a-no"),
        pytest.param(418, {}, CliError, ExitCode.ERROR, "answered 418", id="anything-else"),
    ],
)
def test_answers_become_sentences(
    code: int, status: dict[str, Any], kind: type[CliError], exit_code: ExitCode, words: str
) -> None:
    error = api_error(code, status)
    assert type(error) is kind
    assert error.code == exit_code
    assert words in error.message
    assert "ValidatingAdmissionPolicy" not in error.message


@pytest.mark.parametrize(
    ("details", "hint"),
    [
        pytest.param(
            {"name": "alice-7f3k", "kind": "accessrequests"},
            "a settled request keeps its name until retention removes it (30 days by default): ask again, under another name",
            id="a-request-may-be-settled-and-still-there",
        ),
        pytest.param({"name": "x", "kind": "configmaps"}, "", id="of-anything-else-nothing-is-known"),
        pytest.param(None, "", id="nor-without-details"),
    ],
)
def test_a_name_that_is_taken_comes_with_what_to_do(details: dict[str, str] | None, hint: str) -> None:
    error = api_error(409, {"reason": "AlreadyExists", "message": "taken", "details": details})
    assert (error.message, error.hint) == ("taken", hint)


def test_schema_refusals_name_the_field() -> None:
    causes = [
        {"field": "spec.duration", "message": 'Invalid value: "1d": is not a duration'},
        {"field": "spec.reason", "message": 'Invalid value: "a\\nb": character 2 breaks the line'},
    ]
    error = api_error(422, {"message": "long", "details": {"causes": causes}})
    assert isinstance(error, Invalid)
    assert error.code == ExitCode.USAGE
    assert error.message == 'spec.duration: "1d": is not a duration; spec.reason: "a\\nb": character 2 breaks the line'


def test_exit_codes_never_change() -> None:
    assert [(code.name, code.value) for code in ExitCode] == [
        ("DONE", 0),
        ("ERROR", 1),
        ("USAGE", 2),
        ("NO", 3),
        ("TIMED_OUT", 4),
        ("INTERRUPTED", 130),
    ]
