"""Healing after a crash: finds in a run's journal what was changed on AWS and never undone, and undoes it."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Protocol, cast

from msgspec import Struct
from msgspec.structs import replace

from harness.aws.clients import Aws
from harness.aws.concurrency import THROTTLING, ReservedConcurrency
from harness.aws.deployer import AskedDeployment
from harness.aws.fis import STARTING, FisExperiment
from harness.aws.forced_alarm import FORCING, ForcedAlarm
from harness.aws.journal import AS_BEFORE, SETTLED_S, Journal, JournalEntry
from harness.aws.parsing import UNDATED, config_seen
from harness.aws.redeploy import DESCRIBING, RETURNING, STILL_SHIFTED, Description, PlacedAlias
from harness.core.arming.release import bake_s
from harness.core.arming.snapshot import Unseen
from harness.core.experiment.types import AlarmState, Deployment
from harness.core.foreign import mapping, sequence, text
from harness.core.timeline.deployments import UNDER_WAY
from harness.core.timeline.events import ConfigSeen, Event, Write
from harness.core.timeline.left import Left
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


def heal(
    aws: Aws,
    lefts: Iterable[Left],
    record: Callable[[Event], None],
    now: Callable[[], float],
    deployment: Deployment | None = None,
    *,
    created: Left | None = None,
    rest: Callable[[float], None] | None = None,
) -> list[Healed]:
    """Undoes each of these changes that is still there, and journals that; never raises for what AWS answers.

    `deployment` names the group of the run: while it deploys, its alias cannot be moved. `created` is the deployment
    that the run asked for itself. Where a call without an answer may still act, it waits until that is over, by `rest`.
    """
    notes: list[Write] = []

    def take(event: Event) -> None:
        record(event)
        notes.append(cast(Write, event))

    journal = Journal(take, now, patience_s=SETTLED_S, rest=rest)
    healed = [_heal(aws, left, journal, created, notes) for left in lefts]
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


def _heal(aws: Aws, left: Left, journal: Journal, created: Left | None, notes: list[Write]) -> Healed:
    write, maker = left.write, _MAKERS.get(left.write.call)
    still = partial(Healed, call=write.call, subject=write.subject, healed=False)
    if maker is None:
        return still(told="this version of canary-harness does not know how to undo it")
    try:
        change = maker(aws, left, journal, created)
        if not change.exists():
            told = f"{write.subject} is not found here: are these the account and region of the run?"
            return still(told=told)
        healed = change.heal()
    except HarnessError as error:
        return still(told=str(error))
    except ValueError:  # a number that is none
        return still(told=f"its line says {write.before!r} before and {write.after!r} after, which cannot be")
    told = notes[-1].detail
    return Healed(call=write.call, subject=write.subject, healed=healed, told=told, found=told != AS_BEFORE)


def _resume(entry: JournalEntry, left: Left) -> None:
    """Has the entry of a change know what the journal of an earlier run says of it."""
    entry.before, entry.held = left.write.before, True
    entry.unanswered, entry.at_s = not left.answered, left.at_s


def _alarm(aws: Aws, left: Left, journal: Journal, _: Left | None) -> Leftover:
    reason = "canary-harness: taken back after a crash"
    state = cast(AlarmState, left.write.after)
    change = ForcedAlarm(aws, name=left.write.subject, state=state, reason=reason, journal=journal)
    _resume(change.entry, left)
    return change


def _concurrency(aws: Aws, left: Left, journal: Journal, _: Left | None) -> Leftover:
    limit = int(left.write.after or 0)
    change = ReservedConcurrency(aws, function=left.write.subject, limit=limit, journal=journal)
    _resume(change.entry, left)
    return change


def _fis(aws: Aws, left: Left, journal: Journal, _: Left | None) -> Leftover:
    known = left.told if left.answered else None
    change = FisExperiment(aws, template=left.write.subject, journal=journal, mark=left.write.after, known=known)
    _resume(change.entry, left)
    return change


def _description(aws: Aws, left: Left, journal: Journal, _: Left | None) -> Leftover:
    before, mark = left.write.before or "", left.write.after or ""
    change = Description(aws, function=left.write.subject, mark=mark, journal=journal, before=before)
    _resume(change.entry, left)
    return change


def _alias(aws: Aws, left: Left, journal: Journal, created: Left | None) -> Leftover:
    function, _, alias = left.write.subject.rpartition(":")
    before, after = left.write.before or "", left.write.after or ""
    change = PlacedAlias(aws, function=function, alias=alias, before=before, after=after, journal=journal)
    change.asked = _asked(aws, created, journal) if created else None
    return change


def _asked(aws: Aws, created: Left, journal: Journal) -> AskedDeployment:
    application, _, group = created.write.subject.rpartition("/")
    known = created.told if created.answered else None
    where = {"application": application, "group": group}
    asked = AskedDeployment(aws, **where, journal=journal, mark=created.write.after, deployment_id=known)
    _resume(asked.entry, created)
    return asked


_MAKERS: Mapping[str, Callable[[Aws, Left, Journal, Left | None], Leftover]] = {
    FORCING: _alarm,
    THROTTLING: _concurrency,
    STARTING: _fis,
    DESCRIBING: _description,
    RETURNING: _alias,
}
