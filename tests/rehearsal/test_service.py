"""The fake-user service and its authorizer."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.rehearsal import service
from harness.rehearsal.service import BadEnvironment, Behaviour, ServiceFailure, ServiceRequest

GOOD_GROUPS = ["legacy", "standard", "beta", "qa", "dev", "devnewfeature"]


def fake_user(user: str, client_version: str | None = "1") -> ServiceRequest:
    """A request for GET /fakeUser."""
    return ServiceRequest("/fakeUser", user, client_version)


def content(response: service.ServiceResponse) -> dict[str, Any]:
    """The JSON of an answer."""
    parsed: dict[str, Any] = json.loads(response.body)
    return parsed


def toggles(body: bytes) -> service.ServiceResponse:
    """The answer to POST /featureToggles."""
    return service.answer(ServiceRequest("/featureToggles", body=body))


@pytest.mark.parametrize("group", GOOD_GROUPS)
def test_version_1_clients_get_the_legacy_shape(group: str) -> None:
    """Old clients read nothing but the name, whatever their group."""
    response = service.answer(fake_user(f"{group}user@company.com", "1"))
    assert (response.status, content(response)) == (200, {"name": "Someguy Someguyson"})


@pytest.mark.parametrize(
    ("group", "keys"),
    [
        ("legacy", ["name"]),
        ("standard", ["name", "image"]),
        ("qa", ["name", "image"]),
        ("beta", ["name", "image", "id", "email"]),
        ("dev", ["name", "image", "id", "email"]),
        ("devnewfeature", ["name", "image", "id", "email"]),
    ],
)
def test_version_2_clients_get_what_their_group_tries_out(group: str, keys: list[str]) -> None:
    """Legacy users stay with the name; those of the new feature get another user than the others."""
    answer = content(service.answer(fake_user(f"{group}user@company.com", "2")))
    assert [*answer] == keys
    names = {"legacy": "Someguy Someguyson", "devnewfeature": "Amelia Noel"}
    assert answer["name"] == names.get(group, "Leanne Graham")


@pytest.mark.parametrize("client_version", ["1", "2", None])
def test_the_error_user_throws(client_version: str | None) -> None:
    """The error user fails for every client."""
    with pytest.raises(ServiceFailure):
        service.answer(fake_user("erroruser@company.com", client_version))


@pytest.mark.parametrize("client_version", [None, "", "3", "1.0", " 1", "２"])
def test_a_wrong_client_version_throws(client_version: str | None) -> None:
    """A client version that is not 1 or 2 is an unhandled exception."""
    with pytest.raises(ServiceFailure):
        service.answer(fake_user("standarduser@company.com", client_version))


@pytest.mark.parametrize("user", ["new@company.com", "someone@example.org", "ErrorUser@Company.com"])
def test_an_unknown_user_is_a_standard_user(user: str) -> None:
    """Users are known exactly as they are written."""
    assert service.answer(fake_user(user, "2")) == service.answer(fake_user("standarduser@company.com", "2"))


@pytest.mark.parametrize(
    "user", ["nobody", "a+b@company.com", "a b@company.com", "@company.com", "a@company.community"]
)
def test_a_user_that_the_authorizer_lets_in_and_that_is_no_email_makes_the_function_throw(user: str) -> None:
    """The authorizer looks at the end of a user alone, the function at all of it."""
    assert service.principal(user) == user
    with pytest.raises(ServiceFailure):
        service.answer(fake_user(user, "2"))


@pytest.mark.parametrize(
    ("user", "client_version", "status"),
    [("standard", "2", 500), ("devnewfeature", "2", 500), ("standard", "1", 200), ("legacy", "2", 200)],
)
def test_a_failure_behind_the_service_is_a_500_of_its_own(user: str, client_version: str, status: int) -> None:
    """Only those of version 2 hang on it; the function does not throw, so that no error is counted."""
    request = ServiceRequest("/fakeUser", f"{user}user@company.com", client_version, upstream_fails=True)
    answer = service.answer(request)
    assert answer.status == status
    assert (answer.body == b'"No imageResponse!"') is (status == 500)


@pytest.mark.parametrize(
    ("user", "answer"),
    [
        ("legacyuser@company.com", {"enableBetaFeatures": False, "userGroup": "legacy"}),
        ("betauser@company.com", {"enableBetaFeatures": True, "userGroup": "beta"}),
        ("devuser@company.com", {"enableBetaFeatures": True, "userGroup": "dev"}),
        ("qauser@company.com", {"enableBetaFeatures": False, "userGroup": "qa"}),
        (
            "devnewfeatureuser@company.com",
            {"enableBetaFeatures": True, "enableNewUserApi": True, "userGroup": "devNewFeature"},
        ),
        ("nobody", {"enableBetaFeatures": False, "userGroup": "standard"}),
        ("BetaUser@company.com", {"enableBetaFeatures": False, "userGroup": "standard"}),
    ],
)
def test_toggles_are_those_of_the_users_group(user: str, answer: dict[str, Any]) -> None:
    """POST /featureToggles names the group, and what is switched on for it; an unknown user is a standard one."""
    assert content(toggles(json.dumps({"userName": user}).encode())) == answer


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'"betauser@company.com"',
        b'{"userName": null}',
        b'{"userName": 7}',
        b'{"userName": ""}',
        b'{"userName": "a@b"}',
        b'{"userName": "a+b@company.com"}',
        b'{"userName": "betauser@company.com", "more": 1}',
        b'{"userName": "' + b"a" * 5000 + b'@company.com"}',
        b'{"userName": "betauser@company.com"',
        b'{"userName": "\xff\xfe@company.com"}',
        b"[" * 100_000,
    ],
)
def test_a_malformed_body_is_a_400_of_the_function(body: bytes) -> None:
    """Nothing that a client can send to /featureToggles makes the function throw."""
    answer = toggles(body)
    assert (answer.status, answer.body) == (400, b'"Missing or invalid userName!"')


@given(st.binary(max_size=200))
def test_any_body_gets_a_200_or_a_400(body: bytes) -> None:
    """POST /featureToggles is total."""
    assert toggles(body).status in (200, 400)


@pytest.mark.parametrize("token", ["standarduser@company.com", "ErrorUser@COMPANY.com", "user", "a" * 30])
def test_the_authorizer_lets_in_whoever_ends_like_a_user(token: str) -> None:
    """The principal is the user as it is written."""
    assert service.principal(token) == token


@pytest.mark.parametrize("token", ["", "abc", "a" * 31, "standarduser@company.com\n", "user!", "a@company.çom"])
def test_the_authorizer_denies_what_is_too_short_too_long_or_ends_otherwise(token: str) -> None:
    """Such a user has no principal."""
    assert service.principal(token) is None


def test_a_version_without_variables_behaves() -> None:
    """Without variables there are no failures and no latency."""
    assert service.behaviour({}) == Behaviour(fail_ratio=0.0, latency_s=0.0, upstream_fail_ratio=0.0)


def test_the_environment_says_how_a_version_misbehaves() -> None:
    """FAIL_RATIO is a share, LATENCY_MS milliseconds."""
    assert service.behaviour({"FAIL_RATIO": "0.25", "LATENCY_MS": "20"}) == Behaviour(fail_ratio=0.25, latency_s=0.02)


@pytest.mark.parametrize("variable", ["FAIL_RATIO", "LATENCY_MS", "UPSTREAM_FAIL_RATIO"])
@pytest.mark.parametrize("value", ["-0.1", "nan", "inf", "half", "1e9", "0x1"])
def test_a_bad_variable_is_refused_by_name(variable: str, value: str) -> None:
    """The error names the variable and the value."""
    with pytest.raises(BadEnvironment, match=f"{variable} must be a number from 0 to .*{value}"):
        service.behaviour({variable: value})


def lambda_context(**environment: str) -> Any:
    """What the service reads of Lambda's context."""
    return SimpleNamespace(function_version="7", environment=environment)


def proxy_event(**changes: Any) -> dict[str, Any]:
    """A proxy event of GET /fakeUser by the beta user."""
    event = {
        "path": "/fakeUser",
        "headers": {"X-Client-Version": "2", "authorization": "betauser@company.com"},
        "requestContext": {"authorizer": {"principalId": "betauser@company.com"}},
        "body": None,
    }
    return {**event, **changes}


def test_the_handler_answers_a_proxy_event() -> None:
    """The Lambda handler gives the core's answer in the proxy shape, with its version."""
    answer = service.handler(proxy_event(), lambda_context())
    assert answer["statusCode"] == 200
    assert answer["headers"]["X-Lambda-Version"] == "7"
    assert json.loads(answer["body"])["email"] == "some_test_email@company.com"


def test_the_handler_answers_500_where_the_service_behind_it_fails() -> None:
    """UPSTREAM_FAIL_RATIO 1 has it fail for every request; nothing is thrown."""
    assert service.handler(proxy_event(), lambda_context(UPSTREAM_FAIL_RATIO="1"))["statusCode"] == 500


def test_the_handler_reads_the_header_where_no_authorizer_was() -> None:
    """Invoked without a gateway the Authorization header says who it is."""
    answer = service.handler(proxy_event(requestContext={}), lambda_context())
    assert json.loads(answer["body"])["email"] == "some_test_email@company.com"


def test_the_handler_passes_a_body_on() -> None:
    """POST /featureToggles gets the event's body."""
    event = proxy_event(path="/featureToggles", body='{"userName": "qauser@company.com"}')
    assert json.loads(service.handler(event, lambda_context())["body"])["userGroup"] == "qa"


def test_the_handler_throws_by_fail_ratio() -> None:
    """FAIL_RATIO 1 fails every request."""
    with pytest.raises(ServiceFailure):
        service.handler(proxy_event(), lambda_context(FAIL_RATIO="1"))


def test_an_event_of_no_known_path_throws() -> None:
    """An event that is no proxy event is an unhandled exception, as it would be in Lambda."""
    with pytest.raises(ServiceFailure):
        service.handler({}, lambda_context())
