"""What CodeDeploy remembers: frozen records, replaced on change."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from harness.rehearsal.codedeploy.appspec import AppSpec
from harness.rehearsal.codedeploy.routing import Routing
from harness.rehearsal.codedeploy.stages import EVENTS, RUNNING, STATUS, DeploymentStage

AwsShape = Mapping[str, Any]


class Creator(StrEnum):
    """Who created a deployment; one that CloudFormation starts for Lambda is reported as `user` too."""

    USER = "user"
    ROLLBACK = "codeDeployRollback"


class RollbackTrigger(StrEnum):
    """What an automatic rollback answers to."""

    FAILURE = "DEPLOYMENT_FAILURE"
    ALARM = "DEPLOYMENT_STOP_ON_ALARM"
    REQUEST = "DEPLOYMENT_STOP_ON_REQUEST"


class EventStatus(StrEnum):
    """How a lifecycle event stands; a target has the same words."""

    PENDING = "Pending"
    IN_PROGRESS = "InProgress"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    SKIPPED = "Skipped"


class Alarming(Struct, frozen=True, kw_only=True):
    """An alarm configuration."""

    enabled: bool = False
    ignore_poll_failure: bool = False
    names: tuple[str, ...] = ()

    @property
    def watched(self) -> tuple[str, ...]:
        """The alarms that can stop a deployment."""
        return self.names if self.enabled else ()


class RollingBack(Struct, frozen=True, kw_only=True):
    """An automatic rollback configuration."""

    enabled: bool = False
    events: tuple[str, ...] = ()

    def answers(self, event: RollbackTrigger) -> bool:
        """Whether `event` causes a rollback."""
        return self.enabled and event in self.events


class Revision(Struct, frozen=True, kw_only=True):
    """An AppSpec as it was sent; `kind` is AppSpecContent or the legacy String."""

    kind: str
    content: str
    sha256: str


class RegisteredRevision(Struct, frozen=True, kw_only=True):
    """A revision that an application knows; `used_s` are the creations of its deployments, oldest first."""

    revision: Revision
    registered_s: float
    description: str | None = None
    used_s: tuple[float, ...] = ()


class Application(Struct, frozen=True, kw_only=True):
    """An application; only those of the platform Lambda can have deployment groups here."""

    id: str
    name: str
    platform: str
    created_s: float
    revisions: Mapping[str, RegisteredRevision] = {}


class Group(Struct, frozen=True, kw_only=True):
    """A deployment group; `triggers` are kept and never fired."""

    id: str
    application: str
    name: str
    config: str
    role: str
    alarms: Alarming | None = None
    rollback: RollingBack | None = None
    triggers: tuple[AwsShape, ...] = ()
    outdated_instances: str | None = None


class Config(Struct, frozen=True, kw_only=True):
    """A deployment configuration of the platform Lambda."""

    id: str
    name: str
    routing: Routing
    created_s: float
    preset: bool = False


class ErrorInformation(Struct, frozen=True):
    """Why a deployment did not succeed, in AWS's words."""

    code: str
    message: str


class Diagnostics(Struct, frozen=True, kw_only=True):
    """What AWS says about a lifecycle event that failed."""

    code: str
    script: str
    message: str


class EventRecord(Struct, frozen=True, kw_only=True):
    """One lifecycle event of the target."""

    name: str
    status: EventStatus = EventStatus.PENDING
    started_s: float | None = None
    ended_s: float | None = None
    diagnostics: Diagnostics | None = None


class RollbackNote(Struct, frozen=True, kw_only=True):
    """The rollbackInfo of a deployment: where it was rolled back to, or what it rolls back."""

    message: str
    rollback_id: str | None = None
    triggered_by: str | None = None


class DeploymentRecord(Struct, frozen=True, kw_only=True):
    """One deployment.

    `spec` is None where the revision's AppSpec could not be read, and `spec_problem` says why. `weight` (0..1) is what
    this deployment gave the target version. `moves_alias` is false for the rollback of a deployment that never touched
    the alias, `shifted` says whether it was. `awaits_rollback` holds in the moment between the terminal status
    and the rollback deployment.
    """

    id: str
    application: str
    group: str
    group_id: str
    role: str
    config: str
    routing: Routing
    revision: Revision
    spec: AppSpec | None
    created_s: float
    spec_problem: str | None = None
    creator: Creator = Creator.USER
    description: str | None = None
    alarms: Alarming = Alarming()
    alarms_overridden: bool = False
    rollback: RollingBack = RollingBack()
    previous_revision: Revision | None = None
    stage: DeploymentStage = DeploymentStage.CREATED
    started_s: float | None = None
    completed_s: float | None = None
    updated_s: float | None = None
    events: tuple[EventRecord, ...] = tuple(EventRecord(name=name) for name in EVENTS)
    weight: float = 0.0
    moves_alias: bool = True
    shifted: bool = False
    failure: ErrorInformation | None = None
    rollback_note: RollbackNote | None = None
    awaits_rollback: bool = False

    @property
    def status(self) -> str:
        """The deployment's status, in AWS's word."""
        return STATUS[self.stage]

    @property
    def running(self) -> bool:
        """Whether the deployment is not over."""
        return self.stage in RUNNING

    @property
    def occupies_group(self) -> bool:
        """Whether the group can have no other deployment now."""
        return self.running or self.awaits_rollback

    @property
    def known_spec(self) -> AppSpec:
        """The AppSpec of a deployment that came past the stage Created, which it does only with one."""
        assert self.spec is not None
        return self.spec

    def events_with(self, **changes: object) -> tuple[EventRecord, ...]:
        """The lifecycle events with these fields of the one in progress changed."""
        return tuple(replace(event, **changes) if event.name == self.stage else event for event in self.events)

    @property
    def target_status(self) -> EventStatus:
        """The status of the deployment's only target.

        Assumption: Failed as soon as one lifecycle event failed, Skipped where the deployment ended before any began.
        """
        statuses = [event.status for event in self.events]
        if EventStatus.FAILED in statuses:
            return EventStatus.FAILED
        if self.running:
            return EventStatus.IN_PROGRESS if self.started_s is not None else EventStatus.PENDING
        return EventStatus.SUCCEEDED if EventStatus.SKIPPED not in statuses else EventStatus.SKIPPED


def newest_first(deployments: Sequence[DeploymentRecord]) -> list[DeploymentRecord]:
    """The deployments in the order in which ListDeployments names them; of equal times the later one comes first."""
    return sorted(deployments, key=lambda deployment: deployment.created_s)[::-1]
