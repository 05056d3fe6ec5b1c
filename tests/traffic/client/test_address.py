"""Addresses of services: which are refused, and which make requests."""

import pytest

from harness.errors import UsageError
from harness.traffic.client.address import service_url
from harness.traffic.client.client import Client


@pytest.mark.parametrize(
    "host", ["", "example.com", "ftp://example.com", "http://", "http://x:99999", "http://u:p@x", "http://x/?q=1", "http://[::1",
     "http://x/st age", "http://x/日本", "http://x/a\tb", "http://ex..ample", "http://a b", "http://a<b>", "http://x:0"]
)  # fmt: skip
def test_an_address_that_cannot_be_is_refused_by_one_sentence(host: str) -> None:
    """The sentence shows what is wrong and what is right."""
    with pytest.raises(UsageError, match="must be an http or https address"):
        service_url(host)


@pytest.mark.parametrize(
    "host",
    ["http://127.0.0.1:1/st%20age", "https://müller.de/s", "http://[::1]:80", "http://[fe80::1%eth0]/", "http://x_y."],
)
def test_an_address_that_can_be_is_taken_and_makes_requests(host: str) -> None:
    """Names of any script, addresses with their zone, percent-encoded paths."""
    assert Client(host).prepare("GET", "/").payload.startswith(b"GET /")
