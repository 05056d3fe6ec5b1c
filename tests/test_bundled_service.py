"""The bundled service is data: no room that plays, watches or judges knows it by name."""

import re
from pathlib import Path

import pytest

HOUSE = Path(__file__).resolve().parent.parent / "harness"
NAMES = re.compile(
    r"fakeuser|featuretoggles|company\.com|x-client-version|erroruser|FAIL_RATIO|LATENCY_MS|UPSTREAM_FAIL",
    re.IGNORECASE,
)


@pytest.mark.parametrize("room", ["core", "traffic", "run", "aws", "plugin"])
def test_a_room_does_not_name_the_bundled_service(room: str) -> None:
    """Its paths, its users, its headers and its settings are in `experiments`, and in the cloud that serves it."""
    sources = [path for path in (HOUSE / room).rglob("*") if path.suffix in (".py", ".json", ".js", ".html", ".css")]
    assert sources
    named = [f"{path.relative_to(HOUSE)}: {found[0]}" for path in sources if (found := NAMES.search(path.read_text()))]
    assert named == []
