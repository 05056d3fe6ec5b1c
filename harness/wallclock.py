"""Wall time that nobody sets: the system's clock once, and from there on one that only goes forward.

A run's times must not jump where somebody, or a time server, sets this machine's clock. The machine's sleep counts.
"""

import time

_BOOT = getattr(time, "CLOCK_BOOTTIME", None)
"""Goes on while the machine sleeps; where there is none, such a sleep may be left out."""


def _ticks() -> float:
    return time.monotonic() if _BOOT is None else time.clock_gettime(_BOOT)


_BEGAN_S = time.time() - _ticks()


def wall_now() -> float:
    """Seconds since 1970, as they were counted when this process began."""
    return _BEGAN_S + _ticks()


def set_forward_s() -> float:
    """How far this machine's clock has been set forward since then; negative if it was set back."""
    return time.time() - wall_now()
