"""What a run will change on AWS, said before it does: every write by name, when, and what undoes it."""

from collections.abc import Iterator

from msgspec import Struct

from harness.core.experiment.faults import EffectKind, effects_of
from harness.core.experiment.types import Deployment, Experiment, Fault

STOPPING = "codedeploy:StopDeployment"
"""It ends a release with a rollback, and is never undone."""


class PlannedWrite(Struct, frozen=True, kw_only=True):
    """One change of AWS: its IAM action, what it is done to, when and how, and what undoes it (None: it stays)."""

    call: str
    subject: str
    what: str
    undone_by: str | None = None


def writes_of(experiment: Experiment) -> tuple[PlannedWrite, ...]:
    """Every change of AWS that the experiment plans."""
    effects = (_effect(experiment, kind, fault) for _, kind, fault in effects_of(experiment))
    return (*_deployment(experiment), *effects, *stops_of(experiment))


def stops_of(experiment: Experiment) -> tuple[PlannedWrite, ...]:
    """The only change of AWS that a run without traffic of its own may plan."""
    if experiment.stop_on is None:
        return ()
    what = "stops the deployment, with a rollback, once the evidence against the canary suffices"
    return (PlannedWrite(call=STOPPING, subject=group_of(experiment.deployment), what=what),)


def group_of(wanted: Deployment) -> str:
    """The name of the deployment group, or what leads to it if it has no name yet."""
    if wanted.application and wanted.group:
        return f"{wanted.application}/{wanted.group}"
    if wanted.group:
        return f"the group {wanted.group}"
    ways = (("stack", wanted.stack), ("application", wanted.application), ("function", wanted.function))
    told = " and ".join(f"the {kind} {name}" for kind, name in ways if name)
    return f"the group of {told}" if told else "the only group there is"


def _deployment(experiment: Experiment) -> Iterator[PlannedWrite]:
    wanted = experiment.deployment
    subject = group_of(wanted)
    if wanted.redeploy:
        yield from _redeployment(experiment, subject)
    if wanted.target_version:
        what = (
            f"deploys version {wanted.target_version} through {wanted.alias} {experiment.steady_s:g} s after the start"
        )
        yield PlannedWrite(call="codedeploy:CreateDeployment", subject=subject, what=what)


def _redeployment(experiment: Experiment, subject: str) -> Iterator[PlannedWrite]:
    wanted, function = experiment.deployment, experiment.deployment.function or "the function of the deployment"
    yield PlannedWrite(
        call="lambda:PublishVersion",
        subject=function,
        what=f"publishes the code in service again {experiment.steady_s:g} s after the start, by another description",
        undone_by="lambda:UpdateFunctionConfiguration (the description; the version stays)",
    )
    yield PlannedWrite(
        call="codedeploy:CreateDeployment",
        subject=subject,
        what=f"deploys that version through {wanted.alias}",
        undone_by="lambda:UpdateAlias (after a promotion)",
    )


def _effect(experiment: Experiment, kind: EffectKind, fault: Fault) -> PlannedWrite:
    when = f"{fault.at_s:g} s after the deployment's creation"
    if kind == "force_alarm":
        subject = experiment.alarm.name or "the alarm of the group"
        what = f"held in {fault.force_alarm} from {when}{_until(fault)}"
        return PlannedWrite(
            call="cloudwatch:SetAlarmState", subject=subject, what=what, undone_by="cloudwatch:SetAlarmState"
        )
    if kind == "concurrency":
        subject = experiment.deployment.function or "the function of the deployment"
        what = f"reserved concurrency {fault.concurrency} from {when}{_until(fault)}"
        undone_by = "lambda:PutFunctionConcurrency or DeleteFunctionConcurrency"
        return PlannedWrite(call="lambda:PutFunctionConcurrency", subject=subject, what=what, undone_by=undone_by)
    what = f"started {when} and stopped{_until(fault) or ' at the end'}"
    return PlannedWrite(
        call="fis:StartExperiment", subject=str(fault.fis_template), what=what, undone_by="fis:StopExperiment"
    )


def _until(fault: Fault) -> str:
    return f", for {fault.for_s:g} s" if fault.for_s is not None else ", to the end of the run"
