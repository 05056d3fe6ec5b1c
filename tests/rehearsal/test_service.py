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


def test_version_2_clients_get_more_the_more_their_group_is_trusted_with() -> None:
    """Each toggle of a group adds its field for new clients."""
    sizes = [len(content(service.answer(fake_user(f"{group}user@company.com", "2")))) for group in GOOD_GROUPS]
    assert sizes == [2, 3, 4, 5, 5, 6]


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


def test_an_unknown_user_of_the_company_is_a_standard_user() -> None:
    """Whoever the authorizer let in gets an answer."""
    assert service.answer(fake_user("new@company.com", "2")) == service.answer(
        fake_user("standarduser@company.com", "2")
    )


@pytest.mark.parametrize("group", [*GOOD_GROUPS, "error"])
def test_toggles_are_those_of_the_users_group(group: str) -> None:
    """POST /featureToggles names the group and says yes or no to each toggle."""
    answer = content(toggles(json.dumps({"userName": f"{group}user@company.com"}).encode()))
    on = {name for name, value in answer.items() if value is True}
    assert (answer["userGroup"], on) == (group, set(service.TOGGLES[group]))


@pytest.mark.parametrize("user", ["nobody@company.com", "someone@example.org", "StandardUser@Company.com"])
def test_an_unknown_user_has_the_standard_toggles(user: str) -> None:
    """Users that the service does not know have the standard toggles."""
    assert content(toggles(json.dumps({"userName": user}).encode()))["userGroup"] == "standard"


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
        b'{"userName": "betauser"}',
        b'{"userName": "a@b"}',
        b'{"userName": "' + b"a" * 5000 + b'@company.com"}',
        b'{"userName": "betauser@company.com"',
        b'{"userName": "\xff\xfe@company.com"}',
        b"[" * 100_000,
    ],
)
def test_a_malformed_body_is_a_400_of_the_function(body: bytes) -> None:
    """Nothing that a client can send to /featureToggles makes the function throw."""
    assert toggles(body).status == 400


@given(st.binary(max_size=200))
def test_any_body_gets_a_200_or_a_400(body: bytes) -> None:
    """POST /featureToggles is total."""
    assert toggles(body).status in (200, 400)


@pytest.mark.parametrize("token", ["standarduser@company.com", "a.b+c@company.com", "ErrorUser@COMPANY.com"])
def test_the_authorizer_lets_emails_of_the_company_in(token: str) -> None:
    """The principal is the email in lower case."""
    assert service.principal(token) == token.lower()


@pytest.mark.parametrize(
    "token",
    [
        "",
        "betauser",
        "@company.com",
        "a@company.com.evil.org",
        "a@evil.org",
        "a b@company.com",
        "a@company.com\n",
        "a@b@company.com",
        "Bearer a@company.com",
        "ü@company.com",
        "a" * 65 + "@company.com",
    ],
)
def test_the_authorizer_denies_what_is_no_email_of_the_company(token: str) -> None:
    """A malformed user has no principal."""
    assert service.principal(token) is None


def test_a_version_without_variables_behaves() -> None:
    """No FAIL_RATIO and no LATENCY_MS mean no failures and no latency."""
    assert service.behaviour({}) == Behaviour(fail_ratio=0.0, latency_s=0.0)


def test_the_environment_says_how_a_version_misbehaves() -> None:
    """FAIL_RATIO is a share, LATENCY_MS milliseconds."""
    assert service.behaviour({"FAIL_RATIO": "0.25", "LATENCY_MS": "20"}) == Behaviour(fail_ratio=0.25, latency_s=0.02)


@pytest.mark.parametrize("variable", ["FAIL_RATIO", "LATENCY_MS"])
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
    assert json.loads(answer["body"])["userGroup"] == "beta"


def test_the_handler_reads_the_header_where_no_authorizer_was() -> None:
    """Invoked without a gateway the Authorization header says who it is."""
    answer = service.handler(proxy_event(requestContext={}), lambda_context())
    assert json.loads(answer["body"])["userGroup"] == "beta"


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
