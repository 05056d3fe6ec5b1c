"""What is to run on several machines, and the words that its master and its workers are started with."""

from collections.abc import Mapping
from dataclasses import dataclass, field

HOME = "/work"
"""Where the image works; its user may write there."""
REPORTS = f"{HOME}/reports"
Document = dict[str, object]


@dataclass(frozen=True)
class ScaledRun:
    """One master and its workers.

    `experiment` is a packaged name, or a file among `files` or in the image; `locustfile` is None for ours. `files` are
    texts by their names, which stand in one folder. `requests_need` and `master_needs` are variables of the environment
    that hold secrets; only their names are known here. `region` absent is that of the machine, `host` absent the
    experiment's or the locustfile's.
    """

    name: str
    workers: int
    image: str
    experiment: str | None = None
    locustfile: str | None = None
    host: str | None = None
    region: str | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    requests_need: tuple[str, ...] = ()
    master_needs: tuple[str, ...] = ()

    @property
    def secrets(self) -> tuple[str, ...]:
        """All variables that hold secrets."""
        return tuple(dict.fromkeys((*self.requests_need, *self.master_needs)))


def words(run: ScaledRun, folder: str) -> list[str]:
    """The words that master and workers have in common, where the files are in a folder."""
    return ["locust", *(("-f", _place(run, run.locustfile, folder)) if run.locustfile else ())]


def master_words(run: ScaledRun, folder: str) -> list[str]:
    """What only the master is told: what to play, where its reports go, and how many workers to wait for."""
    experiment = ("--canary-experiment", _place(run, run.experiment, folder)) if run.experiment else ()
    host = ("--host", run.host) if run.host else ()
    return [*experiment, *host, "--canary-reports", REPORTS]


def _place(run: ScaledRun, name: str, folder: str) -> str:
    return f"{folder}/{name}" if name in run.files else name


def counted(workers: int) -> str:
    """So many workers, in words."""
    return f"{workers} worker{'' if workers == 1 else 's'}"
