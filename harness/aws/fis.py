"""A fault that AWS Fault Injection Service injects: an experiment of a template, started and stopped again."""

import secrets
import sys

from harness.aws.clients import HEAL, Aws, action, exists, pages
from harness.aws.journal import Journal
from harness.core.foreign import mapping, sequence, text
from harness.errors import AwsError, Unavailable, Unreachable

STARTING = action("fis", "start_experiment")
TAG = "canary-harness"
ENDED = frozenset({"completed", "stopped", "failed", "cancelled"})
"""States in which an experiment no longer affects its targets (ExperimentStatus of the API)."""


class FisExperiment:
    """An experiment of `template` from `inject` to `heal`.

    A client token keeps a retry from starting a second one. The token is also a tag, by which the experiment is found
    if its id was lost; the list may show it some time after it was started. FIS may affect its targets for up to 20 s
    after it was stopped. `mark` and `known` are token and id of an experiment that an earlier run started and did not
    stop, None where there is none.
    """

    def __init__(
        self, aws: Aws, *, template: str, journal: Journal, mark: str | None = None, known: str | None = None
    ) -> None:
        self._aws = aws
        self._template = template
        self._mark = mark or secrets.token_hex(8)
        self.entry = journal.entry(STARTING, template, before=None, after=self._mark)
        self._id = known

    def inject(self) -> None:
        """Starts it; a second call does nothing. Raises HarnessError, NotFound if there is no such template."""
        if not self.entry.held:
            self._id = self.entry.make(f"an experiment of {self._template}", self._start)

    def heal(self) -> bool:
        """Stops it; returns whether it has ended or is ending. Never raises for what AWS answers."""
        return not self.entry.held or self.entry.undo(self._stop)

    def exists(self) -> bool:
        """Whether there is such a template in this account and region; raises HarnessError if AWS does not tell."""
        return exists(lambda: self._aws.call("fis", "get_experiment_template", id=self._template))

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
        if self._id is None and self.entry.is_fresh:
            self.entry.unanswered = True
            return "no experiment with its tag is listed"
        if self._id is None:
            return "it never started"
        self.entry.unanswered = False  # one token starts one experiment, and this is it
        try:
            aws.call("fis", "stop_experiment", id=self._id)
        except (Unavailable, Unreachable):
            raise
        except AwsError:
            # AWS refuses to stop an experiment that has ended.
            state = _state(aws, self._id)
            if state not in ENDED:
                raise
            return f"{self._id} had {state} by itself"
        return f"{self._id} was stopped"

    def _found(self, aws: Aws) -> str | None:
        # All pages are read: an experiment that is there but not found would be reported as never started.
        for page in pages(aws, "fis", "list_experiments", most=sys.maxsize, experimentTemplateId=self._template):
            for experiment in map(mapping, sequence(page.get("experiments"))):
                if mapping(experiment.get("tags")).get(TAG) == self._mark:
                    return text(experiment.get("id"))
        return None


def _state(aws: Aws, experiment: str) -> str:
    answer = aws.call("fis", "get_experiment", id=experiment)
    return text(mapping(mapping(answer.get("experiment")).get("state")).get("status")) or "unknown"
