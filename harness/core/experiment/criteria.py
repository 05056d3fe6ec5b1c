"""Criteria: the numbers of a verdict that an experiment may hold against a limit."""

import difflib
from collections.abc import Mapping
from typing import Literal

from harness.errors import ExperimentError

LIMITS: Mapping[str, Literal["at most", "at least"]] = {
    "schedule_lag_p99_s": "at most",
    "error_share": "at most",
    "unstarted": "at most",
    "sent": "at least",
    "time_to_detect_s": "at most",
    "time_to_roll_back_s": "at most",
    "failed_requests": "at most",
    "failed_good_requests": "at most",
    "users": "at most",
    "blast_radius": "at most",
    "canary_share": "at least",
    "arms.baseline.requests": "at least",
    "arms.baseline.failures": "at most",
    "arms.baseline.p50_ms": "at most",
    "arms.baseline.p95_ms": "at most",
    "arms.baseline.p99_ms": "at most",
    "arms.canary.requests": "at least",
    "arms.canary.failures": "at most",
    "arms.canary.p50_ms": "at most",
    "arms.canary.p95_ms": "at most",
    "arms.canary.p99_ms": "at most",
}
"""Every name that a criterion may have, and whether its limit is the most or the least that the number may be."""


def check_criteria(criteria: Mapping[str, float]) -> None:
    """Raises ExperimentError for the first name that is no number of the verdict."""
    for name in criteria:
        if name not in LIMITS:
            raise ExperimentError(f"criteria.{name}", f"is no number of the verdict; {_nearest(name)}")


def limit_word(name: str) -> str:
    """`at most` or `at least`, as the limit of this criterion is meant."""
    return LIMITS.get(name, "at most")


def _nearest(name: str) -> str:
    near = difflib.get_close_matches(name, LIMITS, n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(LIMITS)}"
