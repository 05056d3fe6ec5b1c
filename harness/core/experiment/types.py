"""The experiment file: what is asked and what is expected, as types.

Every key is optional but `name`. Seconds are seconds of experiment time, shares are 0..1, rates are per second of
experiment time. `parse` is the only way from text to an `Experiment`.
"""

from enum import StrEnum
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from harness.core.experiment.part import Count, Duration, Instant, Part, Rate, Seconds, Share
from harness.core.experiment.requests import FaultWhen, Flow, Overlay, Request, Scalar

MAX_USERS = 1_000_000
ROUTE = r"^(ANY|DELETE|GET|HEAD|OPTIONS|PATCH|POST|PUT) /[^ ?#]*$(?!\n)"
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$(?!\n)"
"""What an experiment may be called, as a regular expression."""

Pattern = Literal["even", "bernoulli", "burst"]
Arrivals = Literal["even", "poisson"]
AlarmState = Literal["OK", "ALARM", "INSUFFICIENT_DATA"]
MissingData = Literal["breaching", "notBreaching", "ignore", "missing"]
Statistic = Literal["Sum", "Average", "Minimum", "Maximum", "SampleCount"]
DimensionWord = Literal["function", "alias", "version", "api", "stage"]
Comparison = Literal[
    "GreaterThanOrEqualToThreshold", "GreaterThanThreshold", "LessThanThreshold", "LessThanOrEqualToThreshold"
]
RollbackEvent = Literal["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"]
HookEvent = Literal["BeforeAllowTraffic", "AfterAllowTraffic"]
HookStatus = Literal["Succeeded", "Failed"]

ALL_ROLLBACK_EVENTS: tuple[RollbackEvent, ...] = (
    "DEPLOYMENT_FAILURE",
    "DEPLOYMENT_STOP_ON_ALARM",
    "DEPLOYMENT_STOP_ON_REQUEST",
)

AWS_PREFIX = "CodeDeployDefault.Lambda"
AWS_CONFIGS = frozenset(
    {"AllAtOnce", "Linear10PercentEvery1Minute"}
    | {f"Canary10Percent{minutes}Minutes" for minutes in (5, 10, 15, 30)}
    | {f"Linear10PercentEvery{minutes}Minutes" for minutes in (2, 3, 10)}
)
"""CodeDeploy's own configurations for Lambda. On AWS they have the prefix; a team's own have none."""
REHEARSED_CONFIG = "Canary10Percent5Minutes"
"""How a rehearsal shifts traffic where the experiment does not say."""


class Outcome(StrEnum):
    """The fact: what CodeDeploy did with the canary."""

    PROMOTED = "promoted"
    ROLLED_BACK = "rolled_back"
    STOPPED = "stopped"
    FAILED = "failed"
    NOT_STARTED = "not_started"
    UNKNOWN = "unknown"


class Call(StrEnum):
    """The fact held against the measures."""

    CLEARED = "cleared"
    CAUGHT = "caught"
    MISSED = "missed"
    FALSE_ALARM = "false_alarm"
    INCONCLUSIVE = "inconclusive"


class Target(Part, frozen=True, kw_only=True):
    """Where the service is; a rehearsal serves its own, so `host` stays empty there."""

    host: str | None = None


class RateStep(Part, frozen=True, kw_only=True, omit_defaults=True):
    """A change of the arrival rate, `at_s` after the run began.

    `rate` holds from then on or, as a burst, for `for_s`; then the rate before it returns. `ramp_to` is reached in a
    straight line within `for_s`, and holds afterwards.
    """

    at_s: Seconds
    rate: Rate | None = None
    ramp_to: Rate | None = None
    for_s: Duration | None = None


class Replay(Part, frozen=True, kw_only=True, omit_defaults=True):
    """The rate of production, replayed from the instant on at which the first users are there to send it.

    `source` is a file beside the experiment's, `scale` the part of its traffic that is sent, and `window` when it
    begins and how long it is; a time without a zone is UTC. `steps` are what the file tells, read once: with them, the
    file is not asked any more. When they are over, the last rate holds.
    """

    source: str = msgspec.field(name="from")
    scale: Annotated[float, Meta(gt=0, le=1000)] = 1.0
    window: str | None = None
    steps: tuple[RateStep, ...] = ()


ArrivalRate = Rate | tuple[RateStep, ...] | Replay
"""One rate for the whole run, its changes in order with the first at 0, or production's."""


class Traffic(Part, frozen=True, kw_only=True):
    """What the users send. `users` set means closed loop, otherwise arrivals are open at `arrival_rate`.

    `requests` are what is sent, by the keys that flows and faults know them by; left out, those of the bundled service.
    `feed` are rows for their placeholders: a file of CSV or JSON lines, found beside the experiment's, or the rows
    themselves. `fault` is laid over a request to make it
    fail, by the request's key or for `all`. `flow` are sequences of requests. `fault_when` tells fault requests of a
    locustfile from the others.
    """

    arrival_rate: ArrivalRate = 20.0
    users: Annotated[int, Meta(ge=1, le=MAX_USERS)] | None = None
    arrivals: Arrivals = "even"
    error_share: Share = 0.0
    pattern: Pattern = "even"
    requests: dict[str, Request] = {}
    feed: str | tuple[dict[str, Scalar | None], ...] | None = None
    fault: dict[str, Overlay] = {}
    flow: dict[str, Flow] = {}
    fault_when: FaultWhen | None = None


class Deployment(Part, frozen=True, kw_only=True):
    """Which deployment the run follows.

    One of these says how it comes about; without any, the run waits for the group's next one:

    - `id`: it exists already.
    - `target_version`: the run deploys this published version.
    - `redeploy`: the run publishes the code in service once more, and deploys that.
    - `command`: the run starts this command once traffic is steady. No shell reads it.

    `config` is a CodeDeploy configuration, with or without the prefix `CodeDeployDefault.Lambda`; without it, the
    group's own holds. `stack` is a CloudFormation stack to look in. In a file, `function` may be an ARN or name:alias;
    its alias then goes to `alias`. `hooks` is for rehearsals: the status that a hook reports, or a
    function that runs. `requests` are the names of those that this function answers; empty means all that no other
    group of the run names.
    """

    config: str | None = None
    stack: str | None = None
    application: str | None = None
    group: str | None = None
    function: str | None = None
    alias: str = "Live"
    id: str | None = None
    target_version: str | None = None
    redeploy: bool = False
    command: str | None = None
    hooks: dict[HookEvent, "HookStatus | Arm"] = {}
    requests: tuple[str, ...] = ()


class Also(Deployment, frozen=True, kw_only=True):
    """Another deployment group that is watched and judged in the same run; `expect` absent means the experiment's."""

    expect: "Expect | None" = None


class Alarm(Part, frozen=True, kw_only=True):
    """The alarm that guards the canary; `name` alone where it exists already.

    `namespace` absent is the one that has the metric: AWS/ApiGateway for 5XXError, for example, else AWS/Lambda.
    `dimensions`: `function` counts all versions, `alias` the alias, `version` the canary behind the alias; of API
    Gateway `api` and `stage`; or a map whose values may hold {function}, {alias}, {alias_arn}, {version}, {api},
    {api_id}, {stage}. Absent means `function`, of API Gateway `api`. `statistic` may also be p99, tm90 or PR(:300).
    `datapoints` absent means all `evaluation_periods`.
    """

    name: str | None = None
    metric: str = "Errors"
    namespace: str | None = None
    statistic: str = "Sum"
    period_s: Annotated[int, Meta(ge=10)] = 60
    evaluation_periods: Count = 1
    datapoints: Count | None = None
    threshold: float = 3.0
    comparison: Comparison = "GreaterThanOrEqualToThreshold"
    missing: MissingData = "missing"
    dimensions: DimensionWord | dict[str, str] | None = None


class ShadowMetric(Part, frozen=True, kw_only=True):
    """A metric that the expression of a shadow alarm names; its fields are those of `Alarm`."""

    metric: str
    namespace: str | None = None
    statistic: str = "Sum"
    dimensions: DimensionWord | dict[str, str] | None = None


class ShadowAlarm(Alarm, frozen=True, kw_only=True):
    """An alarm that does not exist: a run evaluates it beside the real ones, and nothing else depends on it.

    With an `expression`, metric math over the ids of `metrics`, it compares that in place of one metric.
    """

    expression: str | None = None
    metrics: dict[str, ShadowMetric] = {}


class ShadowFile(Part, frozen=True, kw_only=True):
    """A file with nothing but shadow alarms."""

    shadow: tuple[ShadowAlarm, ...]


class FunctionCode(Part, frozen=True, kw_only=True):
    """Code as Lambda takes it: a folder or zip at `path`, from the working directory on, or one file's text `inline`.

    `handler` and `runtime` are those of the function: `app.handler` and `nodejs22.x`, for example. `layers` are folders
    or zips, in the function's order. `without_layers` names those that are not on this machine: the code runs without
    them, which the verdict tells.
    """

    handler: str
    runtime: str
    path: str | None = None
    inline: str | None = None
    layers: tuple[str, ...] = ()
    without_layers: tuple[str, ...] = ()


class Arm(Part, frozen=True, kw_only=True, omit_defaults=True):
    """One version of the service in a rehearsal: the bundled one with `env`, or your own by `handler`, `code` or `url`.

    `timeout_s` and `memory_mb` are the function's; absent, those that never get into the way of a rehearsal.
    """

    env: dict[str, str | float | int] = {}
    handler: str | None = None
    code: FunctionCode | None = None
    url: str | None = None
    timeout_s: Annotated[int, Meta(ge=1, le=900)] | None = None
    memory_mb: Annotated[int, Meta(ge=128, le=10240)] | None = None

    @property
    def is_bundled(self) -> bool:
        """Whether the bundled service answers."""
        return self.handler is None and self.code is None and self.url is None


class RehearsedApi(Part, frozen=True, kw_only=True, omit_defaults=True):
    """The API in front of your own function in a rehearsal, as far as the function is told of it.

    `routes` are methods and paths such as `GET /orders/{id}`, or `ANY /{proxy+}`: the function gets the parameters of
    the path, and the route. A request that none of them fits reaches it all the same. `payload_format` 2.0 is that of
    an HTTP API, which also answers for a function that fails as HTTP APIs do.
    """

    routes: tuple[Annotated[str, Meta(pattern=ROUTE)], ...] = ()
    payload_format: Literal["1.0", "2.0"] = "1.0"


class Fault(Part, frozen=True, kw_only=True):
    """Something that the run breaks on purpose, `at_s` after the deployment's creation (before it if negative).

    Without `for_s` it lasts to the end of the run. Exactly one of the others is set:

    - `error_share`: this share of all requests is sent as `traffic.fault` has them.
    - `force_alarm`: the run holds the alarm in this state.
    - `concurrency`: the function's reserved concurrency; 0 throttles every invocation.
    - `fis_template`: the id of a template of AWS Fault Injection Service, which the run starts and stops again.
    """

    at_s: Instant
    for_s: Duration | None = None
    error_share: Share | None = None
    force_alarm: AlarmState | None = None
    concurrency: Annotated[int, Meta(ge=0)] | None = None
    fis_template: str | None = None


class Rails(Part, frozen=True, kw_only=True):
    """How far a run may go; `rails.RAILS` has the defaults, and says what each number bounds.

    `hosts` are the only ones that traffic may go to besides this machine, `*.example.com` for all below. Without any,
    traffic goes to the host that was named at the start and nowhere else. `blind_s` without any sight of the control
    plane stop all faults, and let the run go on.
    """

    hosts: tuple[str, ...] = ()
    arrival_rate: Rate | None = None
    error_share: Share | None = None
    fault_requests: Annotated[int, Meta(ge=0)] | None = None
    wall_time_s: Duration | None = None
    blind_s: Duration | None = None


class Expect(Part, frozen=True, kw_only=True):
    """What must come out. A key that is left out is not checked. A missed canary is as expected only if `call` says so.

    `call` may list several. `within_s` bounds the time to roll back or promote, from the deployment's creation.
    """

    outcome: Outcome | None = None
    call: Call | tuple[Call, ...] | None = None
    within_s: Duration | None = None

    @property
    def calls(self) -> tuple[Call, ...]:
        """All calls that are as expected; none if any is."""
        if self.call is None:
            return ()
        return self.call if isinstance(self.call, tuple) else (self.call,)


class LatencyObjective(Part, frozen=True, kw_only=True):
    """The latency that is acceptable: a 99th percentile of `p99_s`, or `ratio` times the baseline's."""

    p99_s: Duration | None = None
    ratio: Annotated[float, Meta(ge=1)] | None = None


class Objective(Part, frozen=True, kw_only=True):
    """The share of requests that must be answered well over so many days; the rest is the error budget.

    Failures are held against it where no alarm says how many are acceptable. Without `latency`, a canary is too slow if
    its 99th percentile is surely 1.5 times the baseline's and 50 ms above it.
    """

    availability: Annotated[float, Meta(gt=0, lt=1)] = 0.999
    days: Annotated[float, Meta(gt=0, le=366)] = 30.0
    latency: LatencyObjective | None = None


CloudDelay = Duration | tuple[Seconds, ...]


class CloudTimes(Part, frozen=True, kw_only=True):
    """How long AWS takes in a rehearsal, as `doctor --learn-delays` finds it: one number, or the least and the most.

    `alarm_delay_s` runs from the end of the period that decides to the alarm's ALARM, `stop_delay_s` from there to the
    deployment's status Stopped. What is left out is as captured on other accounts.
    """

    alarm_delay_s: CloudDelay | None = None
    stop_delay_s: CloudDelay | None = None


MessageForm = Literal["json", "slack", "teams"]


class Notify(Part, frozen=True, kw_only=True):
    """A webhook that is told of a run. `address_in` names the environment variable that holds its address, a secret."""

    address_in: Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]*\Z")]
    form: MessageForm = "json"


StopOn = Literal["evidence"]


class Experiment(Part, frozen=True, kw_only=True):
    """One experiment. The run changes nothing on AWS unless `allow_writes` or an option allows it.

    `further_alarms` are those that a rehearsal gives the deployment group besides `alarm`; each has a name. `stop_on`
    has the run stop the deployment, with a rollback, once the comparison of both versions suffices for that.
    `otherwise` are sentences on what a rehearsal plays otherwise than AWS, which the verdict repeats; it adds its own.
    """

    name: Annotated[str, Meta(pattern=NAME)]
    description: str = ""
    target: Target = Target()
    traffic: Traffic = msgspec.field(default_factory=Traffic)
    deployment: Deployment = Deployment()
    also: tuple[Also, ...] = ()
    alarm: Alarm = Alarm()
    further_alarms: tuple[Alarm, ...] = ()
    rollback: tuple[RollbackEvent, ...] = ALL_ROLLBACK_EVENTS
    baseline: Arm = Arm()
    canary: Arm = Arm()
    api: RehearsedApi = RehearsedApi()
    steady_s: Seconds = 60.0
    faults: tuple[Fault, ...] = ()
    rails: Rails = Rails()
    allow_writes: bool = False
    expect: Expect = Expect()
    criteria: dict[str, float] = {}
    objective: Objective = Objective()
    give_up_s: Duration = 1800.0
    stop_on: StopOn | None = None
    cloud: CloudTimes = CloudTimes()
    notify: Notify | None = None
    shadow: tuple[ShadowAlarm, ...] = ()
    otherwise: tuple[str, ...] = ()
    seed: int = 1
