"""Draws how far predictions come true: `python -m tests.core.odds.calibration` plays the whole grid in a minute.

A dot is a setting: its predicted chance across, the share of forty rehearsals that were rolled back in time upwards.
The band is where 95 % of the dots should lie.
"""

from pathlib import Path
from typing import Any

import vl_convert
from scipy.stats import binom

from tests.core.odds.grid import GRID
from tests.core.odds.test_calibration import REHEARSALS, Compared, compared

PICTURE = Path(__file__).resolve().parents[3] / "harness" / "core" / "odds" / "calibration.svg"
_ACROSS = {"type": "quantitative", "title": "predicted chance", "scale": {"domain": [0, 1]}}
_UPWARDS = {"type": "quantitative", "title": f"share of {REHEARSALS} rehearsals", "scale": {"domain": [0, 1]}}


def chart(found: list[Compared]) -> dict[str, Any]:
    """The picture as a Vega-Lite specification."""
    steps = [step / 50 for step in range(51)]
    band = [
        {"at": at, "low": low / REHEARSALS, "high": high / REHEARSALS} for at in steps for low, high in [_bounds(at)]
    ]
    dots = [{"predicted": one.predicted, "seen": one.seen / REHEARSALS, "inside": one.inside} for one in found]
    across, upwards = {"field": "at", **_ACROSS}, {**_UPWARDS}
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "width": 420,
        "height": 420,
        "layer": [
            {
                "data": {"values": band},
                "mark": {"type": "area", "opacity": 0.2},
                "encoding": {"x": across, "y": {"field": "low", **upwards}, "y2": {"field": "high"}},
            },
            {
                "data": {"values": dots},
                "mark": {"type": "point", "filled": True, "size": 60},
                "encoding": {
                    "x": {"field": "predicted", **_ACROSS},
                    "y": {"field": "seen", **upwards},
                    "color": {"field": "inside", "type": "nominal", "title": "inside the band"},
                },
            },
        ],
    }


def _bounds(at: float) -> tuple[float, float]:
    low, high = binom.ppf((0.025, 0.975), REHEARSALS, at)
    return max(0.0, float(low)), float(high)


def main() -> None:
    """Plays the grid, saves the picture, and prints each setting."""
    found = [compared(name) for name in GRID]
    for one in found:
        mark = "" if one.inside and one.times_inside else "  OUTSIDE" if not one.inside else "  times outside"
        print(f"{one.name:<28} {one.predicted:6.3f} {one.seen:3d}/{REHEARSALS}{mark}")  # noqa: T201 - its result
    inside, timely = sum(one.inside for one in found), sum(one.times_inside for one in found)
    print(f"inside: {inside} of {len(found)}; times inside: {timely} of {len(found)}")  # noqa: T201 - its result
    PICTURE.write_text(vl_convert.vegalite_to_svg(chart(found)), encoding="utf-8")


if __name__ == "__main__":
    main()
