"""A fault that throttles a function by its reserved concurrency, and restores what was reserved before."""

from harness.aws.clients import ASK_ONCE, HEAL, Aws, action, exists
from harness.aws.journal import AS_BEFORE, Journal
from harness.errors import HarnessError, NotFound

THROTTLING = action("lambda", "put_function_concurrency")
NOTHING = "nothing reserved"


class ReservedConcurrency:
    """Holds the reserved concurrency of `function` at `limit` from `inject` to `heal`; 0 throttles every invocation.

    Reserved concurrency belongs to the function: its versions share it, so the fault hits baseline and canary. Both
    calls set a state, so they are retried after any failure. A value that somebody else set in between stays.
    """

    def __init__(
        self,
        aws: Aws,
        *,
        function: str,
        limit: int,
        journal: Journal,
    ) -> None:
        self._aws = aws
        self._function = function
        self._limit = limit
        self.entry = journal.entry(THROTTLING, function, after=str(limit))

    def inject(self) -> None:
        """Throttles; a second call does nothing. Raises HarnessError, NotFound if there is no such function."""
        if self.entry.held:
            return
        before = self.entry.before = self.entry.journal.before_of(self.entry, _word(self._reserved(self._aws)))
        self.entry.make(f"{before or NOTHING} to {self._limit}", self._throttle)

    def heal(self) -> bool:
        """Restores what was reserved before; returns whether nothing is left. Never raises for what AWS answers."""
        return not self.entry.held or self.entry.undo(self._restore, gone="the function is gone")

    def exists(self) -> bool:
        """Whether there is such a function in this account and region; raises HarnessError if AWS does not tell."""
        return exists(lambda: self._reserved(self._aws))

    def _throttle(self) -> str:
        self._put(self._aws, self._limit)
        return str(self._limit)

    def _restore(self) -> str:
        """Restores what was reserved, unless the limit is surely gone; says which. Raises HarnessError."""
        seen, before = _word(self._reserved_or_limit()), self.entry.before
        if seen not in (before, self.entry.after):
            return f"no longer {self._limit} but {seen or NOTHING}, which somebody else set"
        if seen == before and not self.entry.is_fresh:
            return AS_BEFORE
        self._put_back(self._aws.with_patience(HEAL), before)
        self.entry.journal.note_put_back(self.entry)
        return before or NOTHING

    def _reserved_or_limit(self) -> int | None:
        try:
            return self._reserved(self._aws.with_patience(ASK_ONCE))
        except NotFound:
            raise
        except HarnessError:
            return self._limit  # it may still be there, and restoring twice does no harm

    def _put_back(self, aws: Aws, before: str | None) -> None:
        if before is None:
            aws.call("lambda", "delete_function_concurrency", FunctionName=self._function)
        else:
            self._put(aws, int(before))

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
