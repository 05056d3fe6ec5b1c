"""Notes about calls to AWS: which were made, which lacked permission, and what time it is there."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from harness.aws.clients import Answer, Caller, Patience, action
from harness.aws.eyes import SAME_S
from harness.aws.parsing import date_of
from harness.errors import AccessDenied


@dataclass
class _Notes:
    refused: dict[str, bool] = field(default_factory=dict)
    ahead_s: float | None = None


class Attempts:
    """Makes calls through `aws` and notes them by IAM action; `now` is the clock here, in seconds since 1970."""

    def __init__(self, aws: Caller, now: Callable[[], float], notes: _Notes | None = None) -> None:
        self._aws = aws
        self._now = now
        self._notes = notes or _Notes()

    def with_patience(self, patience: Patience) -> "Attempts":
        """The same notes under another retry policy."""
        return Attempts(self._aws.with_patience(patience), self._now, self._notes)

    def call(self, service: str, operation: str, **params: Any) -> Answer:
        """The answer to one operation; raises HarnessError only."""
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
        """The actions that lacked permission when last called."""
        return tuple(sorted(tried for tried, refused in self._notes.refused.items() if refused))

    @property
    def ahead_s(self) -> float | None:
        """How far AWS's clock is ahead of this machine's, by the last answer with a date; None before any."""
        return self._notes.ahead_s

    def aws_now(self) -> float:
        """The time on AWS, as far as it is known, in seconds since 1970."""
        return self._now() + (self._notes.ahead_s or 0.0)

    def _note_date(self, answer: Answer) -> None:
        date_s = date_of(answer)
        if date_s is not None:
            ahead_s = date_s - self._now()
            self._notes.ahead_s = ahead_s if abs(ahead_s) > SAME_S else 0.0
