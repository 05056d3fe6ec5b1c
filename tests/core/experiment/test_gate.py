"""Who may talk to the web page and to the local cloud."""

import socket

import pytest

from harness.core.experiment.gate import Gate

HERE = {"Host": "127.0.0.1:8089"}
GATE = Gate(machine=socket.gethostname())


@pytest.mark.parametrize(
    "headers",
    [
        HERE,
        {"Host": "localhost:8089"},
        {"Host": "[::1]:8089"},
        {**HERE, "Origin": "http://127.0.0.1:8089"},
        {**HERE, "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"},
        {**HERE, "Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"},
    ],
)
def test_the_own_page_and_scripts_may_post(headers: dict[str, str]) -> None:
    """A browser that shows the page itself, and a script that is no browser."""
    assert GATE.refusal_by_page("POST", headers) is None


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Origin": "http://127.0.0.1"},
        {"Origin": "http://[::1"},
        {"Origin": "http://127.0.0.1:x"},
        {"Origin": "ftp://127.0.0.1:8089"},
        {"Origin": "http://127.0.0.1:8089", "Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"},
    ],
)
def test_a_foreign_page_may_not_post(headers: dict[str, str]) -> None:
    """By script, by form, from another port of this machine, or from a sandbox."""
    assert GATE.refusal_by_page("POST", {**HERE, **headers})


def test_a_foreign_page_may_not_read() -> None:
    """The token would be in what it reads."""
    assert GATE.refusal_by_page("GET", {**HERE, "Origin": "https://evil.example"})
    assert GATE.refusal_by_page("GET", {**HERE, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"})


def test_a_link_may_lead_to_the_page_but_not_into_a_frame() -> None:
    """A chat links to the game day; a page that frames it could steal clicks."""
    followed = {**HERE, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert GATE.refusal_by_page("GET", {**followed, "Sec-Fetch-Dest": "document"}) is None
    assert GATE.refusal_by_page("GET", {**followed, "Sec-Fetch-Dest": "iframe"})


@pytest.mark.parametrize(
    "host", ["localhost", "192.0.2.7:8089", "[2001:db8::7]:8089", socket.gethostname(), f"{socket.gethostname()}:8089"]
)
def test_this_machine_is_reached_by_its_addresses_and_its_name(host: str) -> None:
    """Wherever the page is bound to."""
    assert GATE.refusal_by_page("POST", {"Host": host, "Origin": f"http://{host}"}) is None


@pytest.mark.parametrize("host", ["evil.example:8089", "evil.example", "", "127.0.0.1.evil.example", "[::1"])
def test_a_name_that_only_resolves_to_this_machine_is_refused(host: str) -> None:
    """Or a page could make its own name mean this machine, and be its own origin here."""
    assert GATE.refusal_by_page("GET", {"Host": host})


def test_a_place_that_cannot_be_read_lets_nobody_in() -> None:
    """All addresses of IPv6 are no name, and neither is a missing one."""
    assert not Gate(frozenset({"::"})).lets_in("")


SDK = {**HERE, "User-Agent": "Boto3/1.40 md/Botocore#1.40"}


@pytest.mark.parametrize("host", ["127.0.0.1:4566", "[::1]:4566", "LOCALHOST", "bucket.s3.localhost:4566", "192.0.2.7"])
def test_the_local_cloud_answers_sdks(host: str) -> None:
    """Also those that put a bucket's name before the host."""
    assert GATE.refusal_by_cloud({**SDK, "Host": host}) is None


@pytest.mark.parametrize(
    "host", ["evil.example", "", "localhost.evil.example", "notlocalhost", "[::1", "127.0.0.1.nip.io"]
)
def test_the_local_cloud_is_not_served_under_foreign_names(host: str) -> None:
    """A name that a foreign page makes mean this machine is not ours."""
    assert GATE.refusal_by_cloud({**SDK, "Host": host})


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://127.0.0.1:8089"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Mode": "navigate"},
        {"Sec-Fetch-Mode": "no-cors"},
        {"Sec-Fetch-Mode": "cors", "Origin": "https://evil.example"},
        {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
        {"Sec-Fetch-Mode": "cors", "User-Agent": "Mozilla/5.0 (X11; Linux x86_64)"},
        {"Sec-Fetch-Dest": "image"},
        {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0"},
    ],
)
def test_the_local_cloud_answers_no_browser(headers: dict[str, str]) -> None:
    """Not even one that shows a page of this machine."""
    assert GATE.refusal_by_cloud({**SDK, **headers})


def test_the_local_cloud_answers_fetch_of_a_server() -> None:
    """Node's says that its mode is `cors`, and has no page to name; a page's request of that mode has an origin."""
    assert GATE.refusal_by_cloud({**SDK, "Sec-Fetch-Mode": "cors", "User-Agent": "node"}) is None


def test_the_local_cloud_is_served_under_the_name_that_it_is_bound_to() -> None:
    """The name given to `--host`."""
    assert Gate(frozenset({"cloud"})).refusal_by_cloud({**SDK, "Host": "cloud:4566"}) is None


PROXIED = Gate(frozenset({"load.example.com", "ops.example.com:8443"}), socket.gethostname())
BEHIND = {"Host": "load.example.com"}


@pytest.mark.parametrize(
    "headers",
    [
        {**BEHIND, "Origin": "https://load.example.com"},
        {**BEHIND, "Origin": "https://load.example.com:443", "Sec-Fetch-Site": "same-origin"},
        {"Host": "load.example.com:9443", "Origin": "https://load.example.com:9443"},
        {**HERE, "Origin": "https://load.example.com"},
        {**HERE, "Origin": "https://ops.example.com:8443"},
    ],
)
def test_a_proxy_is_let_in_by_name(headers: dict[str, str]) -> None:
    """A page behind a proxy of this machine has another name, which may even differ from what the proxy passes on."""
    assert PROXIED.refusal_by_page("POST", headers) is None


@pytest.mark.parametrize(
    "headers",
    [
        {**BEHIND, "Origin": "https://evil.example"},
        {**BEHIND, "Origin": "https://load.example.com:4443"},
        {**BEHIND, "Origin": "https://other.load.example.com"},
        {**BEHIND, "Origin": "https://ops.example.com"},
        {**HERE, "Origin": "http://load.example.com:8089"},
        {**BEHIND, "Origin": "https://load.example.com", "Sec-Fetch-Site": "same-site"},
        {**BEHIND, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"},
        {"Host": "evil.example", "Origin": "https://load.example.com"},
    ],
)
def test_a_proxy_lets_no_other_page_in(headers: dict[str, str]) -> None:
    """Neither by another port of its name, nor from beside it, nor by a name that only means this machine."""
    assert PROXIED.refusal_by_page("POST", headers)
