"""Healing after a crash: finds in a run's journal what was changed on AWS and never undone, and undoes it."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Protocol, cast

from msgspec import Struct
from msgspec.structs import replace

from harness.aws.clients import Aws
from harness.aws.concurrency import THROTTLING, ReservedConcurrency
from harness.aws.fis import STARTING, FisExperiment
from harness.aws.forced_alarm import FORCING, ForcedAlarm
from harness.aws.journal import AS_BEFORE, Journal
from harness.aws.parsing import UNDATED, config_seen, mapping, sequence, text
from harness.aws.redeploy import DESCRIBING, RETURNING, STILL_SHIFTED, Description, PlacedAlias
from harness.core.arming.release import bake_s
from harness.core.arming.snapshot import Unseen
from harness.core.experiment.types import AlarmState, Deployment
from harness.core.timeline.deployments import UNDER_WAY
from harness.core.timeline.events import ConfigSeen, Event, Write
from harness.errors import HarnessError


class Leftover(Protocol):
    """A change of an earlier run that may still be there."""

    def exists(self) -> bool:
        """Whether what was changed exists at all; raises HarnessError if AWS does not tell."""

    def heal(self) -> bool:
        """Undoes it; returns whether nothing is left."""


class Healed(Struct, frozen=True, kw_only=True):
    """What became of one change: `told` is a sentence for a person.

    `healed` says that nothing is left of it, `found` that it was still there when healing began.
    """

    call: str
    subject: str
    healed: bool
    told: str
    found: bool = True


def unhealed(events: Iterable[Event]) -> list[Write]:
    """The intended writes that were never undone, in order; one that was repeated counts once."""
    pending: dict[tuple[str, str, str | None], Write] = {}
    for event in events:
        if not isinstance(event, Write) or event.call not in _MAKERS or event.after is None:
            continue
        key = event.call, event.subject, event.after
        if event.step == "intended":
            pending.setdefault(key, event)
        elif event.step == "undone":
            pending.pop(key, None)
    return [*pending.values()]


def heal(
    aws: Aws,
    writes: Iterable[Write],
    record: Callable[[Event], None],
    now: Callable[[], float],
    deployment: Deployment | None = None,
) -> list[Healed]:
    """Undoes each of these changes that is still there, and journals that; never raises for what AWS answers.

    `deployment` names the group of the run: while it deploys, its alias cannot be moved.
    """
    notes: list[Write] = []

    def take(event: Event) -> None:
        record(event)
        notes.append(cast(Write, event))

    journal = Journal(take, now)
    healed = [_heal(write, _MAKERS[write.call](aws, write, journal), notes) for write in writes]
    return [_explained(aws, one, deployment) for one in healed]


def _explained(aws: Aws, healed: Healed, deployment: Deployment | None) -> Healed:
    """The same, with the deployment that the change has to wait for."""
    under_way = _under_way(aws, deployment) if deployment and healed.told == STILL_SHIFTED else ""
    return replace(healed, told=f"{healed.told}: {under_way}") if under_way else healed


def _under_way(aws: Aws, wanted: Deployment) -> str:
    """Which deployment of a group is under way, and until when; empty if AWS does not tell."""
    group = {"applicationName": wanted.application, "deploymentGroupName": wanted.group}
    try:
        listed = aws.call("codedeploy", "list_deployments", **group, includeOnlyStatuses=UNDER_WAY)
        found = next(filter(None, map(text, sequence(listed.get("deployments")))), None)
        if found is None:
            return ""
        known = mapping(aws.call("codedeploy", "get_deployment", deploymentId=found).get("deploymentInfo"))
        ends = _shifts_until(aws, known)
    except HarnessError:
        return ""
    return f"{found} of {wanted.application}/{wanted.group} is {known.get('status')}{ends}"


def _shifts_until(aws: Aws, deployment: Mapping[str, object]) -> str:
    """When a deployment ends, unless hooks delay it or an alarm stops it; empty if AWS does not tell."""
    name, created = text(deployment.get("deploymentConfigName")), deployment.get("createTime")
    if name is None or not isinstance(created, datetime):
        return ""
    answer = aws.call("codedeploy", "get_deployment_config", deploymentConfigName=name)
    config = config_seen(name, answer.get("deploymentConfigInfo"), UNDATED)
    if not isinstance(config, ConfigSeen):
        return ""
    try:
        shifted = created + timedelta(seconds=bake_s(config))
    except Unseen:
        return ""
    return f" and shifts all traffic at about {shifted.astimezone(UTC):%H:%M:%S} UTC, later if it has hooks"


def _heal(write: Write, left: Leftover, notes: list[Write]) -> Healed:
    try:
        if not left.exists():
            told = f"{write.subject} is not found here: are these the account and region of the run?"
            return Healed(call=write.call, subject=write.subject, healed=False, told=told)
    except HarnessError as error:
        return Healed(call=write.call, subject=write.subject, healed=False, told=str(error))
    healed = left.heal()
    told = notes[-1].detail
    return Healed(call=write.call, subject=write.subject, healed=healed, told=told, found=told != AS_BEFORE)


def _alarm(aws: Aws, write: Write, journal: Journal) -> Leftover:
    reason = "canary-harness: taken back after a crash"
    state = cast(AlarmState, write.after)
    return ForcedAlarm(
        aws, name=write.subject, state=state, reason=reason, journal=journal, before=write.before or "OK"
    )


def _concurrency(aws: Aws, write: Write, journal: Journal) -> Leftover:
    before = None if write.before is None else int(write.before)
    limit = int(write.after or 0)
    return ReservedConcurrency(aws, function=write.subject, limit=limit, journal=journal, before=before, held=True)


def _fis(aws: Aws, write: Write, journal: Journal) -> Leftover:
    return FisExperiment(aws, template=write.subject, journal=journal, mark=write.after)


def _description(aws: Aws, write: Write, journal: Journal) -> Leftover:
    before, mark = write.before or "", write.after or ""
    return Description(aws, function=write.subject, mark=mark, journal=journal, before=before, held=True)


def _alias(aws: Aws, write: Write, journal: Journal) -> Leftover:
    function, _, alias = write.subject.rpartition(":")
    before, after = write.before or "", write.after or ""
    return PlacedAlias(aws, function=function, alias=alias, before=before, after=after, journal=journal)


_MAKERS: Mapping[str, Callable[[Aws, Write, Journal], Leftover]] = {
    FORCING: _alarm,
    THROTTLING: _concurrency,
    STARTING: _fis,
    DESCRIBING: _description,
    RETURNING: _alias,
}
