"""Requests of the bundled service."""

import pytest

from harness.core.experiment.requests import RequestParts, request_of


@pytest.mark.parametrize(
    ("endpoint", "parts"),
    [
        (
            "fakeUser",
            RequestParts("GET", "/fakeUser", {"Authorization": "betauser@company.com", "X-Client-Version": "2"}),
        ),
        (
            "featureToggles",
            RequestParts(
                "POST",
                "/featureToggles",
                {"Content-Type": "application/json", "X-Client-Version": "2"},
                b'{"userName": "betauser@company.com"}',
            ),
        ),
    ],
)
def test_a_persona_is_named_where_the_endpoint_looks_for_it(endpoint: str, parts: RequestParts) -> None:
    """In the header Authorization, or in the body."""
    assert request_of("beta", endpoint, "2") == parts


@pytest.mark.parametrize("endpoint", ["fakeUser", "featureToggles"])
def test_an_empty_client_version_is_left_out(endpoint: str) -> None:
    """The service refuses a request without one."""
    assert "X-Client-Version" not in request_of("beta", endpoint, "").headers
