"""How CloudWatch names the statistics of a part of the samples: `p99`, `tm90`, `TM(10%:90%)`, `IQM`, `PR(:300)`.

By the user guide, "CloudWatch statistics definitions".
"""

import math
import re

from msgspec import Struct

_PERCENT = r"\d{1,2}(?:\.\d{1,10})?|100(?:\.0{1,10})?"
_SHORT = re.compile(rf"(?P<kind>p|tm|tc|ts|wm)(?P<high>{_PERCENT})")
_NUMBER = r"-?\d+(?:\.\d{1,10})?"
_BETWEEN = re.compile(
    rf"(?P<kind>TM|TC|TS|WM|PR)\((?:(?P<low>{_NUMBER})(?P<low_unit>%?))?:(?:(?P<high>{_NUMBER})(?P<high_unit>%?))?\)"
)
_INTERQUARTILE = "IQM"


class StatisticBounds(Struct, frozen=True):
    """The kind of a statistic and its bounds; `percent` says that those are ranks from 0 to 100."""

    kind: str
    low: float
    high: float
    percent: bool


def read_bounds(name: str) -> StatisticBounds | None:
    """What an extended statistic's name says; None where CloudWatch has none of that name."""
    if name == _INTERQUARTILE:
        return StatisticBounds("TM", 25.0, 75.0, percent=True)
    if found := _SHORT.fullmatch(name):
        return StatisticBounds(found["kind"].upper(), 0.0, float(found["high"]), percent=True)
    found = _BETWEEN.fullmatch(name)
    return _between(found) if found else None


def _between(found: re.Match[str]) -> StatisticBounds | None:
    units = {found[f"{end}_unit"] for end in ("low", "high") if found[end] is not None}
    if len(units) != 1 or (units == {"%"} and found["kind"] == "PR"):
        return None
    percent = units == {"%"}
    least, most = (0.0, 100.0) if percent else (-math.inf, math.inf)
    low = least if found["low"] is None else float(found["low"])
    high = most if found["high"] is None else float(found["high"])
    return StatisticBounds(found["kind"], low, high, percent) if least <= low < high <= most else None
