"""What the doctor saw, in the words of the timeline; instants count from the beginning of the examination."""

from collections.abc import Collection, Mapping
from typing import NoReturn, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from harness.core.experiment.types import Experiment
from harness.core.timeline.composites import ChildIs, expanded, holds, leaves
from harness.core.timeline.events import (
    AlarmDefined,
    AlarmGone,
    AlarmSeen,
    AliasMetricSeen,
    AliasSeen,
    ConfigSeen,
    DeploymentSeen,
    Event,
    GroupSeen,
    LookFailed,
    MetricQuery,
    MetricSeen,
    TargetSeen,
)

GONE = "gone"
NO_HOST = "no host was given"
LOOK_BACK_S = 3600.0
"""How far back "lately" reaches."""

Points = tuple[tuple[float, float], ...]
"""Datapoints: start of the period and value."""

Sighting = TypeVar("Sighting", bound=Event)


class Unseen(Exception):
    """A question cannot be answered, because what it asks about could not be seen."""


class Hook(Struct, frozen=True):
    """A hook of the last deployment's AppSpec; `exists` is None where that could not be seen."""

    event: str
    function: str
    exists: bool | None


class Probed(Struct, frozen=True):
    """How one request of our own was answered; `status` None is no answer, for the reason `problem`.

    `request` is its name. `expected` says that the experiment names the status as a good one, `wrong` why the answer is
    none whatever its status.
    """

    status: int | None
    version: str | None = None
    problem: str = ""
    request: str = ""
    expected: bool = False
    wrong: str = ""

    @property
    def good(self) -> bool:
        """Whether a good request should be answered like this; a redirect is no healthy service."""
        return not self.wrong and self.status is not None and (200 <= self.status < 300 or self.expected)


class FaultCounts(Struct, frozen=True):
    """What CloudWatch counted from the minute of the fault request on: failures an alarm, and the function's own."""

    alarms: Mapping[str, float]
    errors: float
    invocations: float


class Snapshot(Struct, frozen=True, kw_only=True):
    """Everything that was read of one group, and the experiment that it shall serve, with all names filled in.

    `last` is the latest deployment that is no rollback, None if the group never deployed. `points` holds the datapoints
    of each metric that an alarm reads within the last hour, by the alarm's name and the metric's id. `denied` and
    `untried` are IAM actions, `needed` those of them that a run cannot do without; `writes` are the actions that the
    experiment would change AWS with. What could not be read is None, or missing in `points`, and `sightings` has the
    failed look. `target_state` is Lambda's state of the version that the experiment deploys, `GONE` where the function
    has no such version. `why_not_counted` is empty where CloudWatch was asked. `clock_ahead_s` is AWS's less ours.
    `why_not` says why a call was not made whose answer would have been known otherwise, such as from a template.
    """

    experiment: Experiment
    sightings: tuple[Event, ...] = ()
    active: tuple[DeploymentSeen, ...] | None = None
    last: str | None = None
    hooks: tuple[Hook, ...] | None = None
    target_state: str | None = None
    points: Mapping[tuple[str, str], Points] = {}
    good: Probed | None = None
    why_no_request: str = NO_HOST
    unsent: tuple[str, ...] = ()
    fault: Probed | None = None
    why_no_fault: str = NO_HOST
    counted: FaultCounts | None = None
    why_not_counted: str = "no fault request was sent"
    clock_ahead_s: float | None = None
    why_not: Mapping[str, str] = {}
    denied: tuple[str, ...] = ()
    needed: frozenset[str] = frozenset()
    untried: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()

    @property
    def function(self) -> str:
        """The function's name; raises Unseen."""
        return self.experiment.deployment.function or _unseen("the function is not named")

    @property
    def alias_name(self) -> str:
        """The alias's name."""
        return self.experiment.deployment.alias

    def group(self) -> GroupSeen:
        """The deployment group; raises Unseen."""
        return self._only(GroupSeen, "codedeploy:GetDeploymentGroup")

    def alias(self) -> AliasSeen:
        """The alias; raises Unseen."""
        return self._only(AliasSeen, "lambda:GetAlias")

    def config(self) -> ConfigSeen:
        """The configuration that the next deployment uses; raises Unseen."""
        return self._only(ConfigSeen, "codedeploy:GetDeploymentConfig")

    def last_deployment(self) -> DeploymentSeen | None:
        """The latest deployment that is no rollback, None if there never was one; raises Unseen."""
        if self.last is None:
            return None
        seen = [one for one in self.sighted(DeploymentSeen) if one.deployment_id == self.last]
        return seen[-1] if seen else _unseen(self.failure("codedeploy:GetDeployment") or f"{self.last} was not read")

    def target(self) -> TargetSeen | None:
        """The target of the last deployment, if it was seen."""
        return next(reversed(self.sighted(TargetSeen)), None)

    def alarms(self) -> tuple[AlarmDefined, ...]:
        """The metric alarms that guard the group, those below composites too; raises Unseen if there is none to see."""
        guards = tuple(alarm for alarm in self._defined().values() if alarm.kind == "metric")
        return guards or self._unguarded()

    def composites(self) -> tuple[AlarmDefined, ...]:
        """The composite alarms among those that guard the group."""
        return tuple(alarm for alarm in self._defined().values() if alarm.kind == "composite")

    def guards(self) -> tuple[AlarmDefined, ...]:
        """The metric alarms whose ALARM can take the group to one: none that only holds a composite back."""
        only_hold_back = {name for one in self.composites() for name in self.holding_back(one)} - set(self._named())
        return tuple(alarm for alarm in self.alarms() if alarm.name not in only_hold_back)

    def holding_back(self, composite: AlarmDefined) -> tuple[str, ...]:
        """The children that can never make a composite go to ALARM: they are under NOT, OK or INSUFFICIENT_DATA."""
        below = [*leaves(expanded(composite.name, self._defined()))]
        guards = {leaf.name for leaf in below if leaf.guards}
        return tuple(dict.fromkeys(leaf.name for leaf in below if leaf.name not in guards))

    def suffice(self, names: Collection[str]) -> bool:
        """Whether these alarms, with all others in OK, can take an alarm that the group names to ALARM."""
        defined = self._defined()

        def told(leaf: ChildIs) -> bool:
            return leaf.holds_in("ALARM" if leaf.name in names else "OK")

        return any(holds(expanded(name, defined), told) for name in self._named())

    def _named(self) -> tuple[str, ...]:
        seen = self.sighted(GroupSeen)
        return seen[-1].alarms if seen else ()

    def gone(self) -> tuple[str, ...]:
        """The alarms that CloudWatch does not know; raises Unseen where it was not asked."""
        seen = self.sighted(AlarmGone)
        if not seen and not self.sighted(AlarmDefined):
            _unseen(self.failure("cloudwatch:DescribeAlarms") or "no alarm was looked for")
        return tuple(dict.fromkeys(gone.name for gone in seen))

    def states(self) -> Mapping[str, AlarmSeen]:
        """The state of every guarding alarm, metric and composite; raises Unseen unless all were seen."""
        states = {seen.name: seen for seen in self.sighted(AlarmSeen)}
        guards = self._defined() or self._unguarded()
        if guards.keys() - states.keys():
            _unseen(self.failure("cloudwatch:DescribeAlarms") or "the state of an alarm could not be read")
        return {name: states[name] for name in guards}

    def only(self, alarm: AlarmDefined) -> "Snapshot":
        """What would have been seen if this were the group's only alarm."""
        others = (AlarmDefined, AlarmSeen, AlarmGone)
        kept = (event for event in self.sightings if not isinstance(event, others) or event.name == alarm.name)
        return replace(self, sightings=tuple(kept))

    def lately(self, alarm: AlarmDefined, metric: MetricQuery) -> Points:
        """The datapoints of a metric that an alarm reads within the last hour; raises Unseen."""
        points = self.points.get((alarm.name, metric.id))
        if points is None:
            _unseen(self.failure("cloudwatch:GetMetricData") or f"the metric of {alarm.name} could not be read")
        return points

    def invoked(self) -> Points:
        """The invocations of the function by the minute, on any version; raises Unseen."""
        seen = self._invoked()
        if seen is None:
            _unseen(self.failure("cloudwatch:GetMetricData") or "the invocations of the function could not be read")
        return seen.points

    def invocations(self) -> float:
        """How often the function was invoked within the last hour, on any version; raises Unseen."""
        return sum(value for _, value in self.invoked())

    def invocations_of_the_alias(self) -> float:
        """How often the function was invoked by way of the alias within the last hour; raises Unseen."""
        seen = [metric for metric in self.sighted(AliasMetricSeen) if metric.metric == "Invocations"]
        if not seen:
            _unseen(self.failure("cloudwatch:GetMetricData") or "the invocations of the alias could not be read")
        return sum(value for _, value in seen[-1].points)

    def busiest_rate(self) -> float:
        """Invocations a second in the busiest period within the last hour, 0 where none were seen."""
        seen = self._invoked()
        return max((value / seen.period_s for _, value in seen.points), default=0.0) if seen else 0.0

    def awaits_its_version(self, metric: MetricQuery) -> bool:
        """Whether a metric counts one version only, and that is not yet in service."""
        version = metric.dimensions.get("ExecutedVersion")
        return version is not None and version != self.alias().version

    def sighted(self, kind: type[Sighting]) -> list[Sighting]:
        """All sightings of one kind, in the order they were made."""
        return [event for event in self.sightings if isinstance(event, kind)]

    def failed(self, call: str) -> LookFailed | None:
        """The last failed look of this call."""
        return next((look for look in reversed(self.sighted(LookFailed)) if look.call == call), None)

    def failure(self, call: str) -> str | None:
        """Why the look by this call failed, or was not made; None if nothing is known of that."""
        if call in self.why_not:
            return self.why_not[call]
        look = self.failed(call)
        return f"{call} failed: {look.code}" if look else None

    def _invoked(self) -> MetricSeen | None:
        seen = (metric for metric in self.sighted(MetricSeen) if metric.metric == "Invocations" and not metric.version)
        return next(reversed([*seen]), None)

    def _only(self, kind: type[Sighting], call: str) -> Sighting:
        seen = self.sighted(kind)
        return seen[-1] if seen else _unseen(self.failure(call) or f"{call} was not asked")

    def _unguarded(self) -> NoReturn:
        known = "no alarm that CloudWatch knows" if self.group().alarms else "no alarm"
        _unseen(self.failure("cloudwatch:DescribeAlarms") or f"{known} guards the group")

    def _defined(self) -> Mapping[str, AlarmDefined]:
        """The definitions of the group's alarms, and of what composites among them refer to."""
        return {alarm.name: alarm for alarm in self.sighted(AlarmDefined)}


def _unseen(why: str) -> NoReturn:
    raise Unseen(why)
