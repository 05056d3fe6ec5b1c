"""CodeDeploy's own configurations for Lambda, by their names: what CodeDeploy would answer, as the names say it.

Source: the user guide of CodeDeploy, Deployment configurations on an AWS Lambda compute platform.
"""

import re

from harness.core.experiment.types import AWS_CONFIGS, AWS_PREFIX
from harness.core.timeline.events import ConfigSeen

_SHIFTS = re.compile(r"(?:Canary(?P<canary>\d+)Percent|Linear(?P<linear>\d+)PercentEvery)(?P<minutes>\d+)Minutes?")


def preset(name: str) -> ConfigSeen | None:
    """How one of AWS's configurations shifts traffic; None for a name that AWS has not got."""
    short = name.removeprefix(AWS_PREFIX)
    if not name.startswith(AWS_PREFIX) or short not in AWS_CONFIGS:
        return None
    found = _SHIFTS.fullmatch(short)
    if not found:
        return ConfigSeen(asked_s=0.0, at_s=0.0, name=name, kind="all_at_once")
    return ConfigSeen(
        asked_s=0.0,
        at_s=0.0,
        name=name,
        kind="canary" if found["canary"] else "linear",
        step=int(found["canary"] or found["linear"]) / 100,
        interval_s=int(found["minutes"]) * 60.0,
    )
