"""A fault that AWS Fault Injection Service makes: an experiment of a template, started and stopped again."""

import secrets

from harness.aws.clients import HEAL, Aws, action, next_page
from harness.aws.journal import Journal
from harness.aws.parsing import mapping, sequence, text
from harness.errors import AwsError, HarnessError, NotFound, Unavailable, Unreachable

STARTING = action("fis", "start_experiment")
TAG = "canary-harness"
ENDED = frozenset({"completed", "stopped", "failed", "cancelled"})
"""States in which an experiment has let go of its targets (ExperimentStatus of the API)."""


class FisExperiment:
    """An experiment of `template` from `inject` to `heal`.

    It is started under a token, so that a second attempt starts no second one, and tagged with that token, so that it
    is found again if its id was lost. FIS itself lets go of its targets up to 20 s after it was stopped. `mark` is the
    token of an experiment that a run started and could not stop; None for a new one.
    """

    def __init__(self, aws: Aws, *, template: str, journal: Journal, mark: str | None = None) -> None:
        self._aws = aws
        self._template = template
        self._mark = mark or secrets.token_hex(8)
        self._entry = journal.entry(STARTING, template, before=None, after=self._mark)
        self._id: str | None = None
        self._started = mark is not None

    def inject(self) -> None:
        """Starts it; raises HarnessError, NotFound where there is no such template. A second call does nothing."""
        if self._started:
            return
        self._entry.note("intended", f"an experiment of {self._template}")
        self._started = True  # an answer that is lost may hide an experiment that was started
        try:
            self._id = self._start()
        except HarnessError as error:
            self._entry.note("failed", str(error))
            raise
        self._entry.note("done", self._id)

    def heal(self) -> bool:
        """Stops it; whether it has ended or is ending. Never raises for what AWS answers."""
        if not self._started:
            return True
        try:
            told = self._stop()
        except HarnessError as error:
            self._entry.note("failed", str(error))
            return False
        self._entry.note("undone", told)
        self._started = False
        return True

    def exists(self) -> bool:
        """Whether there is such a template, where these credentials look; raises HarnessError where nobody says."""
        try:
            self._aws.call("fis", "get_experiment_template", id=self._template)
        except NotFound:
            return False
        return True

    def _start(self) -> str:
        answer = self._aws.call(
            "fis",
            "start_experiment",
            clientToken=self._mark,
            experimentTemplateId=self._template,
            tags={TAG: self._mark},
        )
        started = text(mapping(answer.get("experiment")).get("id"))
        if started is None:
            raise Unreachable(STARTING, "an answer without the id of the experiment")
        return started

    def _stop(self) -> str:
        aws = self._aws.with_patience(HEAL)
        self._id = self._id or self._found(aws)
        if self._id is None:
            return "it never started"
        try:
            aws.call("fis", "stop_experiment", id=self._id)
        except (Unavailable, Unreachable):
            raise
        except AwsError:
            # AWS refuses to stop what has ended, by a word of its own.
            state = _state(aws, self._id)
            if state not in ENDED:
                raise
            return f"{self._id} had {state} by itself"
        return f"{self._id} was stopped"

    def _found(self, aws: Aws) -> str | None:
        page: dict[str, str] = {}
        while True:
            answer = aws.call("fis", "list_experiments", experimentTemplateId=self._template, **page)
            for experiment in map(mapping, sequence(answer.get("experiments"))):
                if mapping(experiment.get("tags")).get(TAG) == self._mark:
                    return text(experiment.get("id"))
            page = next_page(answer)
            if not page:
                return None


def _state(aws: Aws, experiment: str) -> str:
    answer = aws.call("fis", "get_experiment", id=experiment)
    return text(mapping(mapping(answer.get("experiment")).get("state")).get("status")) or "unknown"
