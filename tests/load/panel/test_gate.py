"""Who may talk to the web page."""

import pytest

from harness.load.panel.gate import Gate

HERE = {"Host": "127.0.0.1:8089"}
LOOPBACK = Gate("127.0.0.1")
EVERYWHERE = Gate("0.0.0.0")


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
    assert LOOPBACK.refusal("POST", headers) is None


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"},
    ],
)
@pytest.mark.parametrize("gate", [LOOPBACK, EVERYWHERE])
def test_a_foreign_page_may_not_post(gate: Gate, headers: dict[str, str]) -> None:
    """By script, by form, from another port of this machine, or from a sandbox."""
    assert gate.refusal("POST", {**HERE, **headers})


def test_a_foreign_page_may_not_read() -> None:
    """The token would be in what it reads."""
    assert LOOPBACK.refusal("GET", {**HERE, "Origin": "https://evil.example"})
    assert LOOPBACK.refusal("GET", {**HERE, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"})


def test_a_link_may_lead_to_the_page_but_not_into_a_frame() -> None:
    """A chat links to the game day; a page that frames it could steal clicks."""
    followed = {**HERE, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert LOOPBACK.refusal("GET", {**followed, "Sec-Fetch-Dest": "document"}) is None
    assert LOOPBACK.refusal("GET", {**followed, "Sec-Fetch-Dest": "iframe"})


@pytest.mark.parametrize("host", ["evil.example:8089", "evil.example", "", "127.0.0.1.evil.example", "[::1"])
def test_a_name_that_only_resolves_to_this_machine_is_refused(host: str) -> None:
    """Or a page could make its own name mean this machine, and be its own origin here."""
    assert LOOPBACK.refusal("GET", {"Host": host})


def test_a_proxy_is_let_in_by_name() -> None:
    """A page behind a proxy of this machine has another name, which may even differ from what the proxy passes on."""
    gate = Gate("127.0.0.1", frozenset({"load.example.com"}))
    assert gate.refusal("POST", {"Host": "load.example.com", "Origin": "https://load.example.com"}) is None
    assert gate.refusal("POST", {**HERE, "Origin": "https://load.example.com"}) is None
    assert gate.refusal("POST", {**HERE, "Origin": "https://evil.example"})


def test_a_page_for_the_network_has_any_name() -> None:
    """Which names lead to this machine nobody can know."""
    assert EVERYWHERE.refusal("POST", {"Host": "load.corp:8089", "Origin": "http://load.corp:8089"}) is None
