"""A fault that throttles a function by its reserved concurrency, and gives back what was reserved before."""

from harness.aws.clients import ASK_ONCE, HEAL, Aws, action
from harness.aws.journal import AS_BEFORE, Journal
from harness.errors import HarnessError, NotFound

THROTTLING = action("lambda", "put_function_concurrency")


class ReservedConcurrency:
    """Holds the reserved concurrency of `function` at `limit` from `inject` to `heal`; 0 throttles every invocation.

    Reserved concurrency belongs to the function: its versions share it, so no arm is spared. Both calls set a state,
    so they are retried whatever went wrong. What somebody else set in between is left alone. `left` says that a run
    throttled the function and could not take it back; then `before` is what to restore, None where nothing was.
    """

    def __init__(
        self,
        aws: Aws,
        *,
        function: str,
        limit: int,
        journal: Journal,
        before: int | None = None,
        left: bool = False,
    ) -> None:
        self._aws = aws
        self._function = function
        self._limit = limit
        self._entry = journal.entry(THROTTLING, function, before=_word(before), after=str(limit))
        self._before = before
        self._held = left

    def inject(self) -> None:
        """Throttles; raises HarnessError, NotFound where there is no such function. A second call does nothing."""
        if self._held:
            return
        self._before = self._reserved(self._aws)
        self._entry.before = _word(self._before)
        self._entry.note("intended", f"{_told(self._before)} to {self._limit}")
        self._held = True  # an answer that is lost may hide a limit that was set
        try:
            self._put(self._aws, self._limit)
        except HarnessError as error:
            self._entry.note("failed", str(error))
            raise
        self._entry.note("done", str(self._limit))

    def heal(self) -> bool:
        """Gives back what was reserved before; whether nothing is left. Never raises for what AWS answers."""
        if not self._held:
            return True
        self._held = not self._healed()
        return not self._held

    def exists(self) -> bool:
        """Whether there is such a function, where these credentials look; raises HarnessError where nobody says."""
        try:
            self._reserved(self._aws)
        except NotFound:
            return False
        return True

    def _healed(self) -> bool:
        try:
            reserved = self._reserved(self._aws.with_patience(ASK_ONCE))
        except NotFound:
            self._entry.note("undone", "the function is gone")
            return True
        except HarnessError:
            reserved = self._limit
        if reserved != self._limit:
            self._entry.note("undone", self._why_gone(reserved))
            return True
        return self._give_back()

    def _why_gone(self, reserved: int | None) -> str:
        """Why there is nothing to give back, where `reserved` is not ours."""
        if reserved == self._before:
            return AS_BEFORE
        return f"no longer {self._limit} but {_told(reserved)}, which somebody else set"

    def _give_back(self) -> bool:
        aws = self._aws.with_patience(HEAL)
        try:
            if self._before is None:
                aws.call("lambda", "delete_function_concurrency", FunctionName=self._function)
            else:
                self._put(aws, self._before)
        except HarnessError as error:
            self._entry.note("failed", str(error))
            return False
        self._entry.note("undone", _told(self._before))
        return True

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
