"""The life of a deployment: what each stage does, when the next one comes, and what stops it."""

import logging
import random
from collections.abc import Callable

import msgspec
from msgspec import Struct

from harness.core.delays import FORWARD, ROLLBACK, ROLLBACK_DELAY_S, Range, StepTimes
from harness.rehearsal.clock import Schedule
from harness.rehearsal.cloudwatch.service import CloudWatch
from harness.rehearsal.codedeploy.alarm_watch import AlarmWatch
from harness.rehearsal.codedeploy.alias_shifts import AliasShifter
from harness.rehearsal.codedeploy.failures import HOOK_FAILED, bad_configuration
from harness.rehearsal.codedeploy.hooks import Execution, HookRunner, execution_id
from harness.rehearsal.codedeploy.ids import new_deployment_id
from harness.rehearsal.codedeploy.records import (
    Creator,
    DeploymentRecord,
    Diagnostics,
    ErrorInformation,
    EventRecord,
    EventStatus,
    RollbackTrigger,
)
from harness.rehearsal.codedeploy.rollback import note_on, rollback_of
from harness.rehearsal.codedeploy.routing import landings, shifts
from harness.rehearsal.codedeploy.stages import TRANSITIONS, DeploymentStage, StageSignal
from harness.rehearsal.codedeploy.store import Store
from harness.rehearsal.codedeploy.timing import HOOK_TIMEOUT_S, drawn
from harness.rehearsal.functions.functions import Functions
from harness.rehearsal.refusal import Refusal

log = logging.getLogger(__name__)

ScheduledStep = Callable[[str, float], None]


class _Running(Struct, frozen=True):
    """The pace and the random numbers of one deployment.

    Steps and looks have a generator each, so that a slow hook does not move the looks at alarms.
    """

    pace: StepTimes
    steps: random.Random
    looks: random.Random


class Lifecycle:
    """Moves deployments through their stages, in simulated time; all of it happens under the schedule's lock."""

    def __init__(
        self,
        schedule: Schedule,
        store: Store,
        functions: Functions,
        alarms: CloudWatch,
        rng: random.Random,
        stop_delay_s: Range,
    ) -> None:
        self._schedule = schedule
        self._store = store
        self._alias = AliasShifter(schedule, functions)
        self._rng = rng
        self._hooks = HookRunner(functions, self._hook_refused, self._hook_returned)
        self._watch = AlarmWatch(schedule, store, alarms, self.stop, stop_delay_s)
        self._runs: dict[str, _Running] = {}
        self.executions: dict[str, Execution] = {}
        self._enter: dict[DeploymentStage, ScheduledStep] = {
            DeploymentStage.START: self._start,
            DeploymentStage.BEFORE_ALLOW_TRAFFIC: self._after(lambda pace: pace.gap_s, self._begin_hookable),
            DeploymentStage.ALLOW_TRAFFIC: self._after(lambda pace: pace.gap_s, self._begin_traffic),
            DeploymentStage.AFTER_ALLOW_TRAFFIC: self._after(lambda pace: pace.gap_s, self._begin_hookable),
            DeploymentStage.END: self._after(lambda pace: pace.end_s, self._done),
            DeploymentStage.SUCCEEDED: self._complete,
            DeploymentStage.FAILED: self._complete,
            DeploymentStage.STOPPED: self._complete,
        }

    def begin(self, deployment: DeploymentRecord) -> None:
        """Starts a new deployment, in the stage Created."""
        pace = ROLLBACK if deployment.creator is Creator.ROLLBACK else FORWARD
        self._runs[deployment.id] = _Running(pace, *(random.Random(self._rng.getrandbits(64)) for _ in range(2)))
        self._store.add(deployment)
        self._later(deployment.id, deployment.created_s, pace.created_s, self._leave_created)

    def stop(self, deployment_id: str, at_s: float, failure: ErrorInformation, *, roll_back: bool) -> None:
        """Stops a running deployment; the alias stays as it is unless it is rolled back."""
        self._break_off(deployment_id, at_s, StageSignal.STOP, failure, roll_back=roll_back)

    def report(self, execution: Execution, at_s: float, *, succeeded: bool) -> None:
        """Accepts the report of a hook whose lifecycle event is in progress."""
        if succeeded:
            self._finish_event(execution.deployment_id, at_s)
        else:
            self._fail_hook(execution, at_s, "ScriptFailed", "The validation function reported Failed.")

    # stages, in their order

    def _leave_created(self, deployment_id: str, at_s: float) -> None:
        problem = self._store.deployments[deployment_id].spec_problem
        if problem is None:
            self._done(deployment_id, at_s)
        else:
            self._fail(deployment_id, at_s, bad_configuration(problem))

    def _start(self, deployment_id: str, at_s: float) -> None:
        self._store.change(deployment_id, started_s=at_s, updated_s=at_s)
        run = self._runs[deployment_id]
        self._watch.begin(deployment_id, at_s, run.looks)
        self._later(deployment_id, at_s, run.pace.start_s, self._check)

    def _check(self, deployment_id: str, at_s: float) -> None:
        failure = self._alias.problem(self._store.deployments[deployment_id], at_s)
        if failure:
            self._fail(deployment_id, at_s, failure)
        else:
            self._done(deployment_id, at_s)

    def _begin_hookable(self, deployment_id: str, at_s: float) -> None:
        deployment = self._begin_event(deployment_id, at_s)
        function = deployment.known_spec.hooks.get(deployment.stage)
        if function is None:
            self._later(deployment_id, at_s, self._runs[deployment_id].pace.event_s, self._finish_event)
        else:
            self._launch(deployment, function, at_s)

    def _begin_traffic(self, deployment_id: str, at_s: float) -> None:
        deployment = self._begin_event(deployment_id, at_s)
        run = self._runs[deployment_id]
        for shift in landings(shifts(deployment.routing), run.pace, run.steps):
            self._later(deployment_id, at_s, (shift.after_s, shift.after_s), self._shifting_to(shift.weight))

    def _shifting_to(self, weight: float) -> ScheduledStep:
        def step(deployment_id: str, at_s: float) -> None:
            deployment = self._store.deployments[deployment_id]
            failure = self._alias.shift(deployment, weight, at_s, self._runs[deployment_id].steps)
            if failure:
                self._fail(deployment_id, at_s, failure)
                return
            self._store.change(deployment_id, weight=weight, shifted=deployment.moves_alias, updated_s=at_s)
            if weight == 1.0:
                self._finish_event(deployment_id, at_s)

        return step

    def _complete(self, deployment_id: str, at_s: float) -> None:
        deployment = self._store.change(deployment_id, completed_s=at_s, updated_s=at_s)
        log.info("deployment %s %s", deployment_id, deployment.status)
        if deployment.awaits_rollback:
            self._schedule.at(at_s + ROLLBACK_DELAY_S, lambda now_s: self._roll_back(deployment_id, now_s))

    # lifecycle events

    def _begin_event(self, deployment_id: str, at_s: float) -> DeploymentRecord:
        return self._change_event(deployment_id, at_s, status=EventStatus.IN_PROGRESS, started_s=at_s)

    def _finish_event(self, deployment_id: str, at_s: float) -> None:
        self._change_event(deployment_id, at_s, status=EventStatus.SUCCEEDED, ended_s=at_s)
        self._done(deployment_id, at_s)

    def _change_event(self, deployment_id: str, at_s: float, **changes: object) -> DeploymentRecord:
        events = self._store.deployments[deployment_id].events_with(**changes)
        return self._store.change(deployment_id, events=events, updated_s=at_s)

    # hooks

    def _launch(self, deployment: DeploymentRecord, function: str, at_s: float) -> None:
        execution = Execution(
            id=execution_id(self._runs[deployment.id].steps),
            deployment_id=deployment.id,
            stage=deployment.stage,
            function=function,
        )
        self.executions[execution.id] = execution
        timeout_s = (HOOK_TIMEOUT_S, HOOK_TIMEOUT_S)
        self._later(deployment.id, at_s, timeout_s, lambda _, now_s: self._time_out(execution, now_s))
        self._hooks.launch(execution)

    def _time_out(self, execution: Execution, at_s: float) -> None:
        self._fail_hook(execution, at_s, "ScriptTimedOut", "The validation function did not report within one hour.")

    def _hook_refused(self, execution: Execution, refusal: Refusal) -> None:
        with self._schedule.lock:
            self._schedule.run_due()
            if self.awaits(execution):
                self._fail_hook(execution, self._schedule.clock.now(), "ScriptMissing", refusal.message)

    def _hook_returned(self, execution: Execution) -> None:
        if self.awaits(execution):
            log.warning(
                "%s waits in %s: its hook function %s ended without calling PutLifecycleEventHookExecutionStatus; "
                "CodeDeploy waits an hour for that, and then fails the deployment",
                execution.deployment_id,
                execution.stage,
                execution.function,
            )

    def awaits(self, execution: Execution) -> bool:
        """Whether the lifecycle event of the hook is still in progress."""
        return self._store.deployments[execution.deployment_id].stage is execution.stage

    def _fail_hook(self, execution: Execution, at_s: float, code: str, message: str) -> None:
        diagnostics = Diagnostics(code=code, script=execution.function, message=message)
        self._change_event(execution.deployment_id, at_s, diagnostics=diagnostics)
        self._fail(execution.deployment_id, at_s, HOOK_FAILED)

    # ends and ways back

    def _fail(self, deployment_id: str, at_s: float, failure: ErrorInformation) -> None:
        roll_back = self._store.deployments[deployment_id].rollback.answers(RollbackTrigger.FAILURE)
        self._break_off(deployment_id, at_s, StageSignal.FAIL, failure, roll_back=roll_back)

    def _break_off(
        self, deployment_id: str, at_s: float, signal: StageSignal, failure: ErrorInformation, *, roll_back: bool
    ) -> None:
        deployment = self._store.deployments[deployment_id]
        self._store.change(
            deployment_id,
            failure=failure,
            events=tuple(_broken_off(event, at_s) for event in deployment.events),
            awaits_rollback=roll_back and deployment.spec is not None and deployment.creator is Creator.USER,
        )
        self._signal(deployment_id, signal, at_s)

    def _roll_back(self, deployment_id: str, at_s: float) -> None:
        forward = self._store.deployments[deployment_id]
        rollback = rollback_of(forward, new_deployment_id(self._rng, self._store.deployments), at_s)
        self._store.change(forward.id, rollback_note=note_on(forward, rollback.id), awaits_rollback=False)
        self.begin(rollback)

    # the machine

    def _signal(self, deployment_id: str, signal: StageSignal, at_s: float) -> None:
        stage = TRANSITIONS[self._store.deployments[deployment_id].stage][signal]
        self._store.change(deployment_id, stage=stage)
        self._enter[stage](deployment_id, at_s)

    def _done(self, deployment_id: str, at_s: float) -> None:
        self._signal(deployment_id, StageSignal.DONE, at_s)

    def _later(self, deployment_id: str, at_s: float, span: Range, step: ScheduledStep) -> None:
        """Takes `step` after a time out of `span`, unless the deployment has left its stage by then."""
        stage = self._store.deployments[deployment_id].stage

        def action(now_s: float) -> None:
            if self._store.deployments[deployment_id].stage is stage:
                step(deployment_id, now_s)

        self._schedule.at(at_s + drawn(span, self._runs[deployment_id].steps), action)

    def _after(self, wait: Callable[[StepTimes], Range], step: ScheduledStep) -> ScheduledStep:
        """Entering a stage that begins with a wait: `step` comes after it."""
        return lambda deployment_id, at_s: self._later(deployment_id, at_s, wait(self._runs[deployment_id].pace), step)


def _broken_off(event: EventRecord, at_s: float) -> EventRecord:
    match event.status:
        case EventStatus.IN_PROGRESS:
            return msgspec.structs.replace(event, status=EventStatus.FAILED, ended_s=at_s)
        case EventStatus.PENDING:
            return msgspec.structs.replace(event, status=EventStatus.SKIPPED)
        case _:
            return event
