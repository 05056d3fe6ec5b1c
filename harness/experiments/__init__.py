"""The experiments that come with the package, one YAML file each, and the requests of the bundled service."""

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


def text(name: str) -> str:
    """The YAML of one of `NAMES`."""
    return _read(name)


def service() -> str:
    """The YAML of the bundled service's requests."""
    return _read(SERVICE)


def _read(name: str) -> str:
    return resources.files(__name__).joinpath(f"{name}.yaml").read_text(encoding="utf-8")
