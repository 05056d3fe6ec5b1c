"""The times of access logs: ISO 8601, the common log format's, and seconds or milliseconds since 1970."""

from datetime import UTC, datetime
from functools import lru_cache

_COMMON = "%d/%b/%Y:%H:%M:%S %z"
_MILLISECONDS = 1e11
"""Numbers above it are milliseconds: as seconds they would be past the year 5000."""


@lru_cache(maxsize=1024)
def seconds_of(text: str) -> float | None:
    """Seconds since 1970; None for a text that is no time."""
    return _as_number(text) or _as_date(text)


def _as_number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number / 1000 if number > _MILLISECONDS else number


def _as_date(text: str) -> float | None:
    for read in (datetime.fromisoformat, lambda word: datetime.strptime(word, _COMMON)):
        try:
            moment = read(text)
        except (ValueError, OverflowError):
            continue
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return None
