"""The exit codes of the runs of one process, and what its own becomes by them."""

from harness.errors import ExitCode, worst
from harness.streams import tell


class RunCodes:
    """`latest` is the code of the latest run, or of a refused test that counts; `signal` that of a signal in a test."""

    def __init__(self) -> None:
        self.latest: ExitCode | None = None
        self.signal: ExitCode | None = None
        self._of_runs: list[ExitCode] = []

    @property
    def has_run(self) -> bool:
        """Whether any run has ended."""
        return bool(self._of_runs)

    def add(self, code: ExitCode) -> None:
        """Counts a run that has ended."""
        self.latest = code
        self._of_runs.append(code)

    def of_process(self, verdict_code: int | None, *, headless: bool) -> int | None:
        """The worst of all; of the latest run its verdict's, where it has one. None where that is for Locust to say."""
        code = self.signal or self.latest if verdict_code is None else verdict_code
        if code is None and headless:
            code = ExitCode.INCONCLUSIVE  # Locust ended before the test began, and nothing was seen of anything
        if code is None:
            return None
        of_all = worst((code, *self._of_runs))
        if of_all != code:
            told = f"{of_all} is the worst exit code of {len(self._of_runs)} runs, and the last one's is {code}"
            tell(f"canary-harness: {told}.")
        return of_all
