"""The experiments that come with the package, one YAML file each, and the requests of the bundled service."""

import math
from collections.abc import Mapping
from importlib import resources

NAMES = (
    "healthy",
    "erroruser",
    "broken-canary",
    "forced-alarm",
    "below-threshold",
    "thin-traffic",
    "late-fault",
    "all-at-once",
    "alarm-already-on",
    "hook-failure",
    "no-rollback",
    "linear",
    "wrong-dimension",
)
PAIR = NAMES[:2]
SERVICE = "service"
"""Names the file with the requests of the bundled service, which is no experiment of its own."""
FAILING, SLOWING, UPSTREAM = "FAIL_RATIO", "LATENCY_MS", "UPSTREAM_FAIL_RATIO"
"""Variables of the bundled service: the share of requests that a version fails, milliseconds that it adds, and the
share for which what it asks itself fails, where it answers 500."""
SETTINGS: Mapping[str, float] = {FAILING: 1.0, SLOWING: math.inf, UPSTREAM: 1.0}
"""Variables that a version of the bundled service reads, all of them numbers from 0, and the highest value of each."""


def text(name: str) -> str:
    """The YAML of one of `NAMES`."""
    return _read(name)


def service() -> str:
    """The YAML of the bundled service's requests."""
    return _read(SERVICE)


def _read(name: str) -> str:
    return resources.files(__name__).joinpath(f"{name}.yaml").read_text(encoding="utf-8")
