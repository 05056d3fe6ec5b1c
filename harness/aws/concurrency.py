"""A fault that throttles a function by its reserved concurrency, and restores what was reserved before."""

from harness.aws.clients import ASK_ONCE, HEAL, Aws, action, exists
from harness.aws.journal import AS_BEFORE, Journal
from harness.errors import HarnessError, NotFound

THROTTLING = action("lambda", "put_function_concurrency")


class ReservedConcurrency:
    """Holds the reserved concurrency of `function` at `limit` from `inject` to `heal`; 0 throttles every invocation.

    Reserved concurrency belongs to the function: its versions share it, so the fault hits baseline and canary. Both
    calls set a state, so they are retried after any failure. A value that somebody else set in between stays. `held`
    says that an earlier run throttled the function and did not undo it; `before` is then what to restore, None for
    nothing reserved.
    """

    def __init__(
        self,
        aws: Aws,
        *,
        function: str,
        limit: int,
        journal: Journal,
        before: int | None = None,
        held: bool = False,
    ) -> None:
        self._aws = aws
        self._function = function
        self._limit = limit
        self._entry = journal.entry(THROTTLING, function, before=_word(before), after=str(limit))
        self._before = before
        self._held = held

    def inject(self) -> None:
        """Throttles; a second call does nothing. Raises HarnessError, NotFound if there is no such function."""
        if self._held:
            return
        self._before = self._reserved(self._aws)
        self._entry.before = _word(self._before)
        self._entry.make(f"{_told(self._before)} to {self._limit}", self._throttle)

    def heal(self) -> bool:
        """Restores what was reserved before; returns whether nothing is left. Never raises for what AWS answers."""
        if self._held:
            self._held = not self._entry.undo(self._restore, gone="the function is gone")
        return not self._held

    def exists(self) -> bool:
        """Whether there is such a function in this account and region; raises HarnessError if AWS does not tell."""
        return exists(lambda: self._reserved(self._aws))

    def _throttle(self) -> str:
        self._held = True  # an answer that is lost may hide a limit that was set
        self._put(self._aws, self._limit)
        return str(self._limit)

    def _restore(self) -> str:
        """Restores what was reserved, unless the limit is gone already; says which. Raises HarnessError."""
        reserved = self._reserved_or_limit()
        if reserved == self._limit:
            self._put_back(self._aws.with_patience(HEAL))
            return _told(self._before)
        if reserved == self._before:
            return AS_BEFORE
        return f"no longer {self._limit} but {_told(reserved)}, which somebody else set"

    def _reserved_or_limit(self) -> int | None:
        try:
            return self._reserved(self._aws.with_patience(ASK_ONCE))
        except NotFound:
            raise
        except HarnessError:
            return self._limit  # it may still be there, and restoring twice does no harm

    def _put_back(self, aws: Aws) -> None:
        if self._before is None:
            aws.call("lambda", "delete_function_concurrency", FunctionName=self._function)
        else:
            self._put(aws, self._before)

    def _put(self, aws: Aws, limit: int) -> None:
        aws.call(
            "lambda",
            "put_function_concurrency",
            FunctionName=self._function,
            ReservedConcurrentExecutions=limit,
        )

    def _reserved(self, aws: Aws) -> int | None:
        answer = aws.call("lambda", "get_function_concurrency", FunctionName=self._function)
        reserved = answer.get("ReservedConcurrentExecutions")
        return reserved if isinstance(reserved, int) else None


def _word(reserved: int | None) -> str | None:
    return None if reserved is None else str(reserved)


def _told(reserved: int | None) -> str:
    return "nothing reserved" if reserved is None else str(reserved)
