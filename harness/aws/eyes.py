"""Asking AWS while the time is told: every answer comes with the seconds at which it was asked for and received."""

import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from harness.aws.clients import ASK_ONCE, Answer, Caller, action, paged
from harness.aws.parsing import Stamp, date_of
from harness.core.timeline.events import LookFailed
from harness.errors import HarnessError, Unavailable, Unreachable

METRIC_PERIOD_S = 60
SAME_S = 2.0
"""AWS cuts dates of answers to seconds, and an answer takes time: clocks this close count as the same."""


class Blind(Exception):
    """A look failed after its retries; `failed` is what is recorded of it."""

    def __init__(self, failed: LookFailed) -> None:
        super().__init__(failed.message)
        self.failed = failed


class Eyes:
    """Asks AWS and stamps the answers in seconds since the run began, by this machine's clock.

    `ahead_s` is how far AWS's clock is ahead of it, by the dates of its answers; AWS's own dates are corrected by that.
    A service that did not answer is asked once a call, without retries, until the next round begins: a control plane
    that is gone must not hold up the looks at another that is there.
    """

    def __init__(self, aws: Caller, now: Callable[[], float], epoch_s: float) -> None:
        self._aws, self._hasty = aws, aws.with_patience(ASK_ONCE)
        self.now = now
        self._epoch_s = epoch_s
        self.ahead_s = 0.0
        self.lost: set[str] = set()

    def begin_round(self) -> float:
        """Gives every service its full patience again; the instant at which the round begins."""
        self.lost.clear()
        return self.now()

    def date(self, at_s: float) -> datetime:
        """An instant as AWS takes it."""
        return datetime.fromtimestamp(self.began_s + at_s, UTC)

    def minute(self, at_s: float, *, after: bool = False) -> float:
        """The last full minute at or before an instant, or the next one after it: metrics lie in full minutes."""
        minutes = math.floor((self.began_s + at_s) / METRIC_PERIOD_S) + after
        return minutes * METRIC_PERIOD_S - self.began_s

    def start_of_period(self, at_s: float, period_s: int) -> float:
        """The beginning of the period that holds an instant, as CloudWatch cuts periods."""
        return math.floor((self.began_s + at_s) / period_s) * period_s - self.began_s

    def ask(self, service: str, operation: str, **params: Any) -> tuple[Answer, Stamp]:
        """One answer and when it was asked for; raises Blind."""
        asked_s, call = self.now(), action(service, operation)
        aws = self._hasty if service in self.lost else self._aws
        try:
            answer = aws.call(service, operation, **params)
        except HarnessError as error:
            if isinstance(error, Unreachable | Unavailable):
                self.lost.add(service)
            code = getattr(error, "code", type(error).__name__)
            failed = LookFailed(asked_s=asked_s, at_s=self.now(), call=call, code=code, message=str(error))
            raise Blind(failed) from error
        at_s = self.now()
        self._compare_clocks(date_of(answer), asked_s, at_s)
        return answer, Stamp(call, asked_s, at_s, self.began_s)

    def pages(self, service: str, operation: str, **params: Any) -> Iterator[tuple[Answer, Stamp]]:
        """The answers of a listing, page by page; raises Blind."""
        yield from paged(lambda more: self.ask(service, operation, **params, **more), lambda page: page[0])

    @property
    def began_s(self) -> float:
        """When the run began by AWS's clock, in seconds since 1970."""
        return self._epoch_s + self.ahead_s

    def _compare_clocks(self, date_s: float | None, asked_s: float, at_s: float) -> None:
        # What was found once is kept as long as it fits, so that one date of AWS always becomes the same instant.
        if date_s is None:
            return
        least_s, most_s = date_s - self._epoch_s - at_s, date_s + 1 - self._epoch_s - asked_s
        if not least_s - SAME_S <= self.ahead_s <= most_s + SAME_S:
            self.ahead_s = round((least_s + most_s) / 2, 3)
