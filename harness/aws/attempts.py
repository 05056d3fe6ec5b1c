"""AWS with a memory: which calls were answered, which the credentials may not make, and what time it is there."""

from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any

from harness.aws.clients import Answer, Aws, Patience, action
from harness.aws.parsing import mapping, text
from harness.errors import AccessDenied

SAME_S = 2.0
"""Dates of answers are cut to seconds, and an answer takes its time: clocks this close are the same."""


@dataclass
class _Notes:
    refused: dict[str, bool] = field(default_factory=dict)
    ahead_s: float | None = None


class Attempts(Aws):
    """Another `Aws` whose calls are noted by their IAM action; `now` is this machine's clock, in seconds since 1970."""

    def __init__(self, aws: Aws, now: Callable[[], float], notes: _Notes | None = None) -> None:
        self._aws = aws
        self._now = now
        self._notes = notes or _Notes()

    def with_patience(self, patience: Patience) -> "Attempts":
        """The same notes under another retry policy."""
        return Attempts(self._aws.with_patience(patience), self._now, self._notes)

    def call(self, service: str, operation: str, **params: Any) -> Answer:
        """As `Aws.call`."""
        tried = action(service, operation)
        self._notes.refused[tried] = False
        try:
            answer = self._aws.call(service, operation, **params)
        except AccessDenied:
            self._notes.refused[tried] = True
            raise
        self._note_date(answer)
        return answer

    @property
    def tried(self) -> frozenset[str]:
        """The actions of all calls made."""
        return frozenset(self._notes.refused)

    @property
    def denied(self) -> tuple[str, ...]:
        """The actions that were refused when last tried."""
        return tuple(sorted(tried for tried, refused in self._notes.refused.items() if refused))

    @property
    def ahead_s(self) -> float | None:
        """How far AWS's clock is ahead of this machine's, by the last answer with a date; None before any."""
        return self._notes.ahead_s

    def aws_now(self) -> float:
        """The time on AWS, as far as it is known, in seconds since 1970."""
        return self._now() + (self._notes.ahead_s or 0.0)

    def _note_date(self, answer: Answer) -> None:
        headers = mapping(mapping(answer.get("ResponseMetadata")).get("HTTPHeaders"))
        try:
            date = parsedate_to_datetime(text(headers.get("date")) or "")
        except ValueError:
            return
        ahead_s = date.timestamp() - self._now()
        self._notes.ahead_s = ahead_s if abs(ahead_s) > SAME_S else 0.0
