"""The parts of a local cloud: one clock and the services by it, which listen nowhere yet."""

import random

from harness.core.delays import STOP_DELAY_S
from harness.core.experiment.types import CloudDelay, Experiment
from harness.core.rehearsed import ACCOUNT, REGION
from harness.rehearsal.apis.http_apis import HttpApis
from harness.rehearsal.apis.integrations import Integrations, Running
from harness.rehearsal.apis.rest_apis import RestApis
from harness.rehearsal.apis.serving import Serving
from harness.rehearsal.apis.stages import Stages
from harness.rehearsal.apis.version_header import VersionHeader
from harness.rehearsal.clock import MINUTE_S, CloudClock, Schedule
from harness.rehearsal.cloudformation import CloudFormation
from harness.rehearsal.cloudwatch.service import CloudWatch
from harness.rehearsal.codedeploy import CodeDeploy
from harness.rehearsal.fis import Fis
from harness.rehearsal.functions.functions import Functions
from harness.rehearsal.kept import Kept
from harness.rehearsal.operations import AwsService

_HOME = {"account": ACCOUNT, "region": REGION}


class Parts:
    """The clock and the services of `experiment`, wired to each other; what they draw is decided by `seed`."""

    def __init__(self, experiment: Experiment, *, speed: float, seed: int, version_header: VersionHeader) -> None:
        Kept(**_HOME).empty()
        self._seed = seed
        self.clock = CloudClock(speed, phase_s=self._rng("clock").uniform(0, MINUTE_S))
        self.schedule = Schedule(self.clock)
        self.cloudwatch = self._cloudwatch(experiment.cloud.alarm_delay_s)
        self.functions = self._functions()
        self.codedeploy = self._codedeploy(experiment.cloud.stop_delay_s)
        self.fis = Fis(self.schedule, rng=self._rng("fis"), **_HOME)
        self._integrations = Integrations(
            Running(version_header=version_header, speed=speed or 1.0),
            self.functions,
            self.cloudwatch.invocations,
            injected=self.fis.error_share,
        )
        self.stages = Stages()
        self.cloudwatch.apis = self.stages.names
        serving = Serving(self.stages, self._integrations, now=self.clock.now, **_HOME)
        self.rest_apis = RestApis(self.schedule, serving, rng=self._rng("rest apis"))
        self.http_apis = HttpApis(self.schedule, serving, rng=self._rng("http apis"))
        self.cloudformation = CloudFormation(self.schedule, self._released(), rng=self._rng("cloudformation"), **_HOME)
        self.cloudwatch.stack_is_made = self.cloudformation.is_at_work

    def _rng(self, part: str) -> random.Random:
        """A stream of its own for each part, so that traffic does not change what CodeDeploy draws."""
        return random.Random(f"{self._seed}:{part}")

    def _cloudwatch(self, alarm_delay_s: CloudDelay | None) -> CloudWatch:
        rng, delay_s = self._rng("cloudwatch"), _span(alarm_delay_s)
        return CloudWatch(self.schedule, rng=rng, alarm_delay_s=delay_s, **_HOME)

    def _functions(self) -> Functions:
        rng, invocations = self._rng("lambda"), self.cloudwatch.invocations
        functions = Functions(self.schedule, invocations, rng=rng, settles_in_s=0.0, **_HOME)
        functions.logs.listeners.append(self.cloudwatch.logged.record)
        self.cloudwatch.logged.filters = functions.logs.filters_of
        return functions

    def _codedeploy(self, stop_delay_s: CloudDelay | None) -> CodeDeploy:
        return CodeDeploy(
            self.schedule,
            self.functions,
            self.cloudwatch,
            rng=self._rng("codedeploy"),
            stop_delay_s=_span(stop_delay_s) or STOP_DELAY_S,
            **_HOME,
        )

    def _released(self) -> dict[str, AwsService]:
        """The services whose resources a stack may have."""
        return {
            "codedeploy": self.codedeploy,
            "cloudwatch": self.cloudwatch,
            "lambda": self.functions,
            "apigateway": self.rest_apis,
            "apigatewayv2": self.http_apis,
        }

    def _services(self) -> dict[str, AwsService]:
        """All that the AWS endpoint answers for by itself, by their names in botocore."""
        return {**self._released(), "fis": self.fis, "cloudformation": self.cloudformation}


def _span(given: CloudDelay | None) -> tuple[float, float] | None:
    """The least and the most seconds."""
    if given is None:
        return None
    return (given[0], given[1]) if isinstance(given, tuple) else (given, given)
