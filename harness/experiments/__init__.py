"""The experiments that come with the package, one YAML file each."""

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


def text(name: str) -> str:
    """The YAML of one of `NAMES`."""
    return resources.files(__name__).joinpath(f"{name}.yaml").read_text(encoding="utf-8")
