"""How CodeDeploy's delays are drawn, and its limits in time; the delays themselves are in `core/delays.py`."""

import random

from harness.core.delays import Range

MINUTE_S = 60.0

HOOK_TIMEOUT_S = 3600.0
"""A hook has one hour to report (AppSpec reference, hooks section)."""

ROLE_BURST = 27
ROLE_RATE = 1.0
"""Deployments that one service role can start at once, and how many more each second, before Lambda throttles it.

Captured: of 29 at once, two failed (2026-10). Assumption: the rate.
"""


def drawn(span: Range, rng: random.Random) -> float:
    """One duration out of `span`, in seconds."""
    return rng.uniform(*span)
