"""CodeDeploy's own configurations for Lambda, by their names: what CodeDeploy would answer, as the names say it.

Source: the user guide of CodeDeploy, Deployment configurations on an AWS Lambda compute platform.
"""

import difflib
import re

from harness.core.experiment.types import AWS_CONFIGS, AWS_PREFIX
from harness.core.timeline.events import ConfigSeen
from harness.errors import UsageError

_SHIFTS = re.compile(r"(?:Canary(?P<canary>\d+)Percent|Linear(?P<linear>\d+)PercentEvery)(?P<minutes>\d+)Minutes?")

MOST_STEP = 1.0


def preset(name: str) -> ConfigSeen | None:
    """How one of AWS's configurations shifts traffic; None for a name that AWS has not got."""
    known = name.startswith(AWS_PREFIX) and name.removeprefix(AWS_PREFIX) in AWS_CONFIGS
    return _by_its_name(name) if known else None


def config_named(name: str) -> ConfigSeen:
    """How a configuration shifts traffic, AWS's own with or without prefix, or one of a name like those.

    Raises UsageError for a name that does not say it.
    """
    short = name.removeprefix(AWS_PREFIX)
    found = _by_its_name(AWS_PREFIX + short if short in AWS_CONFIGS else name)
    if found is not None and (found.step is None or 0 < found.step < MOST_STEP):
        return found
    close = difflib.get_close_matches(short, sorted(AWS_CONFIGS), n=1)
    hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(sorted(AWS_CONFIGS))}"
    raise UsageError(f"nothing is known of the deployment configuration {name}; {hint}")


def _by_its_name(name: str) -> ConfigSeen | None:
    short = name.removeprefix(AWS_PREFIX)
    found = _SHIFTS.fullmatch(short)
    if not found:
        all_at_once = ConfigSeen(asked_s=0.0, at_s=0.0, name=name, kind="all_at_once")
        return all_at_once if short == "AllAtOnce" else None
    return ConfigSeen(
        asked_s=0.0,
        at_s=0.0,
        name=name,
        kind="canary" if found["canary"] else "linear",
        step=int(found["canary"] or found["linear"]) / 100,
        interval_s=int(found["minutes"]) * 60.0,
    )
