"""Durations as people write them: `90`, `30s`, `5m` or `1h30m`."""

import re

from harness.core.experiment.part import LONGEST_S

WORDS = "30s, 5m or 1h30m"
"""What a duration looks like."""
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0}
_NUMBER = r"(\d+(?:\.\d*)?)"
_FORM = re.compile(rf"(?:{_NUMBER}h)?(?:{_NUMBER}m)?(?:{_NUMBER}s?)?", re.IGNORECASE)


def duration_s(text: str, *, may_be_zero: bool = False) -> float:
    """The seconds of a duration; raises ValueError."""
    form = _FORM.fullmatch(text.strip())
    if not form or not any(form.groups()):
        raise ValueError(f"a duration is like {WORDS}, not {text!r}")
    seconds = sum(float(count or 0) * unit for count, unit in zip(form.groups(), _UNITS.values(), strict=True))
    if not (seconds > 0 or may_be_zero) or seconds > LONGEST_S:
        raise ValueError(f"a duration must be {'0' if may_be_zero else 'more than 0'} and at most {LONGEST_S:,.0f} s")
    return seconds
