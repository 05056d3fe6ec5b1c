"""Whether an answer is a good one: by its status, by what its body holds, and by what the next steps need of it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from harness.core.experiment.answers import (
    NOTHING,
    Check,
    CheckOfValues,
    NotJson,
    as_scalar,
    check_of,
    check_of_values,
    find_of,
)
from harness.core.experiment.feed import Value
from harness.core.experiment.requests import FromHeader, Request
from harness.traffic.client.answer import HttpAnswer
from harness.traffic.client.failures import NoAnswer

FAILED_FROM = 400
"""The lowest status that is a failure where a request does not say which ones are good."""

Expected = Callable[[int], Sequence[Any]]
Taking = Callable[[HttpAnswer], Value]


class Missing(ValueError):
    """An answer does not hold what later requests need."""


class Judge:
    """Says of each answer to one kind of request why it is a failure, and takes from it what later steps need.

    `expected` are the values that the check asks for, by the number of the feed's row; None where all are alike.
    """

    __slots__ = ("_check", "_check_of_values", "_expect", "_expected", "_taking")

    def __init__(self, request: Request, expected: Expected | None = None) -> None:
        self._expect = frozenset(request.expect)
        self._expected = expected
        self._check: Check | None = None
        self._check_of_values: CheckOfValues | None = None
        if expected and isinstance(request.check, Mapping):
            self._check_of_values = check_of_values(request.check)
        elif request.check is not None:
            self._check = check_of(request.check)
        self._taking = {name: _taking(name, where) for name, where in request.take.items()}

    def failure(self, answer: HttpAnswer, row: int | None = None) -> str | None:
        """Why an answer to a request for this row is a failure; None where it is a good one."""
        status = answer.status
        if self._expect and status not in self._expect:
            return f"HTTP {status}" if status >= FAILED_FROM else f"HTTP {status}, which is not expected"
        if not self._expect and status >= FAILED_FROM:
            return f"HTTP {status}"
        try:
            if self._check is not None:
                return self._check(answer.body())
            if self._check_of_values and self._expected and row is not None:
                return self._check_of_values(answer.body(), self._expected(row))
        except NoAnswer as reason:
            return str(reason)
        return None

    def taken(self, answer: HttpAnswer) -> Mapping[str, Value]:
        """What later steps need of a good answer; raises Missing."""
        try:
            return {name: take(answer) for name, take in self._taking.items()}
        except (NotJson, NoAnswer) as reason:
            raise Missing(str(reason)) from reason


def _taking(name: str, where: str | FromHeader) -> Taking:
    if isinstance(where, FromHeader):
        header = where.header
        return lambda answer: _found(answer.header(header.encode()), None, name)
    find = find_of(where)
    return lambda answer: _found(find(answer.body()), NOTHING, name)


def _found(value: object, nothing: object, name: str) -> Value:
    if value is nothing:
        raise Missing(f"the answer does not hold {name}, which later steps need")
    return as_scalar(value)
