"""The doctor's questions that a template can answer, each with file and line; the others are left out, and counted."""

from collections.abc import Callable, Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from harness.core.arming import QUESTIONS, Diagnosis, Snapshot, diagnose
from harness.core.arming.alarms import composed
from harness.core.arming.diagnosis import SEVERITIES, Assessment, Check, error, exit_code, note, ok
from harness.core.arming.judge import ArmingQuestion, answered, one_is_sound_by_definition
from harness.core.arming.snapshot import Unseen
from harness.core.experiment.types import AWS_CONFIGS, AWS_PREFIX, Experiment, Traffic
from harness.core.timeline.alarm_rules import metrics_of
from harness.core.timeline.events import AlarmDefined, AliasSeen, GroupSeen
from harness.core.timeline.presets import preset
from harness.errors import UsageError
from harness.templates.guards import guards_of
from harness.templates.missing import how_to_give
from harness.templates.names import may_be_one, names_in
from harness.templates.release import Problem, ReleasedFunction, TemplateAlarm, TemplateRelease

HOOK_PREFIX = "CodeDeployHook_"
MANY = 15
"""So many functions released at once have met limits of AWS (aws/aws-cdk#21516; of 29 aliases two failed)."""
_TOO_MANY = "{} functions are released at once: with as many, deployments have failed at the limits of Lambda's API."
_LIVE = "of the last deployment"
_ANSWERABLE: Mapping[str, Callable[[ReleasedFunction, TemplateAlarm], int]] = {
    "alarm-configured": lambda one, _: one.alarms_line,
    "alarm-enabled": lambda one, _: one.alarms_line,
    "alarm-composite": lambda _, alarm: alarm.line_of("AlarmRule"),
    "alarm-poll-failure": lambda one, _: one.alarms_line,
    "alarm-metric": lambda _, alarm: alarm.line_of("MetricName"),
    "alarm-function": lambda _, alarm: alarm.line_of("Dimensions"),
    "alarm-resource": lambda _, alarm: alarm.line_of("Dimensions"),
    "alarm-versions": lambda _, alarm: alarm.line_of("Dimensions"),
    "alarm-threshold": lambda _, alarm: alarm.line_of("Threshold"),
    "alarm-unit": lambda _, alarm: alarm.line_of("Unit"),
    "alarm-in-time": lambda _, alarm: alarm.line_of("Period"),
    "alarm-missing-data": lambda _, alarm: alarm.line_of("TreatMissingData"),
    "alarm-sound": lambda one, _: one.alarms_line,
    "handled-errors": lambda one, _: one.alarms_line,
    "rollback-on-alarm": lambda one, _: one.rollback_line,
    "rollback-on-failure": lambda one, _: one.rollback_line,
    "rollback-on-request": lambda one, _: one.rollback_line,
    "gradual-shift": lambda one, _: one.config.line,
    "enough-traffic": lambda one, _: one.alarms_line,
}


class TemplateDiagnosis(Struct, frozen=True, kw_only=True):
    """All that doctor says of a template: what is to be told of the whole, and one diagnosis a released function."""

    schema: int = 1
    template: str
    exit_code: int
    checks: tuple[Check, ...]
    diagnoses: tuple[Diagnosis, ...]


def examine_template(
    release: TemplateRelease, experiment: Experiment, function: str | None = None
) -> TemplateDiagnosis:
    """The diagnosis of the function that is named by its logical id or name, or as its tool calls it; of all without.

    Raises UsageError where the template has no such function.
    """
    function = release.meant(function)
    chosen = _chosen(release, function)
    diagnoses = tuple(_diagnosed(release, one, experiment) for one in chosen)
    told = {one.logical for one in chosen}
    others = [one for one in release.problems if not (one.function in told and one.disarms)]
    problems = [one for one in others if function is None or one.function in {"", function, *told}]
    checks = tuple(_check(release, problem) for problem in (*problems, *_of_the_whole(release, function)))
    every = (*checks, *(check for diagnosis in diagnoses for check in diagnosis.checks))
    return TemplateDiagnosis(template=release.file, exit_code=exit_code(every), checks=checks, diagnoses=diagnoses)


def snapshots_of(release: TemplateRelease, experiment: Experiment, function: str | None = None) -> tuple[Snapshot, ...]:
    """What the template says of each released function, as if it had been seen on AWS; raises UsageError as above."""
    return tuple(_snapshot(release, one, experiment) for one in _chosen(release, function))


def _chosen(release: TemplateRelease, named: str | None) -> tuple[ReleasedFunction, ...]:
    function = release.meant(named)
    if function is None:
        return release.released
    chosen = tuple(one for one in release.released if function in (one.logical, one.function))
    known = {*(one.logical for one in release.released), *release.unguarded}
    if not chosen and function not in {*release.unguarded, *release.functions}:
        raise UsageError(f"{release.file} has no function {named}; it has {', '.join(sorted(known)) or 'none'}")
    return chosen


def _check(release: TemplateRelease, problem: Problem) -> Check:
    file, line = release.places.of(problem.line)
    return Check(
        id=problem.id,
        severity=problem.severity,
        seen=problem.text,
        matters="",
        advice=problem.advice,
        file=file,
        line=line,
    )


# What is to be told of the whole


def _of_the_whole(release: TemplateRelease, function: str | None) -> Iterator[Problem]:
    for name, default in release.defaults.items():
        text = f"{name} is {default.value or 'empty'} here, by its default."
        yield Problem("parameters", "note", text, f"Give --parameter {name}=… for another value.", default.line)
    for logical, fact in release.unguarded.items():
        if function in (logical, fact.value):
            text = f"No alias of {logical} is shifted by CodeDeploy: each deployment takes all traffic at once."
            yield Problem("gradual-shift", "error", text, "Give it a DeploymentPreference with alarms.", fact.line)
    is_told = any(one.severity in ("error", "unknown") for one in release.problems)
    if function is None and not release.released and not is_told:
        text = "No function of the template is released by CodeDeploy: each deployment takes all traffic at once."
        yield Problem("gradual-shift", "error", text, "Give one a DeploymentPreference with alarms.", 1)
    elif function is None and release.unguarded and not _asks_for_aliases(release):
        names = ", ".join(release.unguarded)
        line = next(iter(release.unguarded.values())).line
        yield Problem("gradual-shift", "note", f"Released all at once, without a canary: {names}.", "", line)
    if function is None and len(release.released) >= MANY:
        advice = "Release them in several stacks, or one after the other by DependsOn."
        yield Problem(
            "many-releases", "note", _TOO_MANY.format(len(release.released)), advice, release.released[0].line
        )
    yield from _unnamed_alarms(release)


def _asks_for_aliases(release: TemplateRelease) -> bool:
    """Whether it is not known which functions are released."""
    return any(one.id == "alias-exists" and one.severity == "unknown" for one in release.problems)


def _unnamed_alarms(release: TemplateRelease) -> Iterator[Problem]:
    """Alarms on a function that is released, which no group names."""
    named = {alarm.name for one in release.released for alarm in guards_of(release, one)}
    may_be_named = [*(fact.value for one in release.released for fact in one.alarms)]
    for alarm in release.alarms:
        name = alarm.defined.name
        sure = not any(may_be_one(name, other, release.open_names) for other in may_be_named)
        watched = [one for one in release.released if one.function in _watched(alarm)]
        if name not in named and sure and watched and not any(one.unclear for one in watched):
            text = f"The alarm {alarm.logical} watches {watched[0].logical}, and no deployment group names it."
            yield Problem("alarm-configured", "warning", text, "Add it to the group's alarms.", alarm.line)


def _watched(alarm: TemplateAlarm) -> set[str]:
    return {metric.dimensions.get("FunctionName", "") for metric in metrics_of(alarm.defined)}


# One released function


def _diagnosed(release: TemplateRelease, one: ReleasedFunction, experiment: Experiment) -> Diagnosis:
    snapshot = _snapshot(release, one, experiment)
    questions = [*_questions(release, experiment.traffic), *_own_questions(release, one)]
    diagnosis = diagnose(snapshot, questions)
    asked = {question.id: question for question in questions}
    checks = tuple(_placed(release, one, snapshot, asked[check.id], check) for check in diagnosis.checks)
    checks += tuple(
        _check(release, problem) for problem in release.problems if problem.function == one.logical and problem.disarms
    )
    left_out = tuple(question.id for question in QUESTIONS if question.id not in asked)
    return replace(diagnosis, exit_code=exit_code(checks), checks=checks, left_out=left_out)


def _questions(release: TemplateRelease, traffic: Traffic) -> Iterator[ArmingQuestion]:
    for question in QUESTIONS:
        if question.id == "alarm-sound":
            yield ArmingQuestion(question.id, question.matters, one_is_sound_by_definition)
        elif question.id == "alarm-composite":
            yield ArmingQuestion(question.id, question.matters, lambda snapshot: composites_can_ring(release, snapshot))
        elif question.id in _ANSWERABLE and (question.id != "enough-traffic" or traffic != Traffic()):
            yield question


def _snapshot(release: TemplateRelease, one: ReleasedFunction, experiment: Experiment) -> Snapshot:
    """What a template says, as if it had been seen on AWS."""
    group = one.group.value if one.group else None
    names = replace(
        experiment.deployment,
        application=one.application,
        group=group,
        function=one.function,
        alias=one.alias.value,
        target_version=one.version,
        config=None,
    )
    config = preset(one.config.value) or release.configs.get(one.config.value)
    alias = AliasSeen(asked_s=0.0, at_s=0.0, function=one.function, alias=one.alias.value, version=_LIVE)
    seen = (_group(one), config, alias, *guards_of(release, one))
    return Snapshot(
        # The experiment's alarm has the name that it has on AWS, which the template need not know.
        experiment=replace(experiment, deployment=names, alarm=replace(experiment.alarm, name=None)),
        sightings=tuple(event for event in seen if event is not None),
        why_not={
            "codedeploy:GetDeploymentGroup": "; ".join(fact.value for fact in one.unclear),
            "codedeploy:GetDeploymentConfig": _why_no_config(release, one),
        },
    )


def _group(one: ReleasedFunction) -> GroupSeen | None:
    """The group; None where what it says is not known here."""
    if one.group is None or one.unclear:
        return None
    return GroupSeen(
        asked_s=0.0,
        at_s=0.0,
        application=one.application,
        group=one.group.value,
        config=one.config.value,
        alarms=tuple(fact.value for fact in one.alarms),
        alarms_enabled=one.alarms_enabled,
        rollback_events=one.rollback_events,
        ignore_poll_failure=one.ignore_poll_failure,
    )


def _why_no_config(release: TemplateRelease, one: ReleasedFunction) -> str:
    name = one.config.value
    missing = [found for found in names_in(name) if found in release.open_names]
    if missing:
        return f"the configuration {name} is not known here ({how_to_give(release.asked, missing)})"
    return f"the template does not define the configuration {name}"


def _placed(
    release: TemplateRelease, one: ReleasedFunction, snapshot: Snapshot, question: ArmingQuestion, check: Check
) -> Check:
    """The check with the line that it is about."""
    line_of = _ANSWERABLE.get(check.id)
    place = line_of(one, _worst_alarm(release, one, snapshot, question)) if line_of else _own_line(one, check.id)
    file, line = release.places.of(place)
    return replace(check, file=file, line=line)


def _worst_alarm(
    release: TemplateRelease, one: ReleasedFunction, snapshot: Snapshot, question: ArmingQuestion
) -> "TemplateAlarm":
    """The alarm that answers a question worst; where the template defines none, one on the line that names them."""
    known = {alarm.defined.name: alarm for alarm in release.alarms}
    guards = [alarm for alarm in snapshot.sighted(AlarmDefined) if alarm.name in known]
    if not guards:
        return TemplateAlarm(logical="", line=one.alarms_line, defined=AlarmDefined(asked_s=0.0, at_s=0.0, name=""))
    if len(guards) == 1 or not question.id.startswith("alarm-"):
        return known[guards[0].name]

    def badness(alarm: AlarmDefined) -> int:
        return SEVERITIES.index(answered(question, snapshot.only(alarm)).severity)

    return known[max(guards, key=badness).name]


# Questions that only a template answers


def _own_questions(release: TemplateRelease, one: ReleasedFunction) -> Iterator[ArmingQuestion]:
    def exist(_: Snapshot) -> Assessment:
        return alarms_are_there(release, one)

    def hooks(_: Snapshot) -> Assessment:
        return hooks_can_be_invoked(release, one)

    def config(_: Snapshot) -> Assessment:
        return config_exists(release, one)

    yield ArmingQuestion("alarm-exists", "CodeDeploy stops a deployment whose alarm it cannot find.", exist)
    yield ArmingQuestion("hooks", "A hook that does not exist, or fails, fails the deployment.", hooks)
    yield ArmingQuestion("config-exists", "CodeDeploy takes only configurations that exist.", config)


def _own_line(one: ReleasedFunction, question: str) -> int:
    if question == "hooks" and one.hooks:
        return next(iter(one.hooks.values())).line
    return one.config.line if question == "config-exists" else one.alarms_line


def alarms_are_there(release: TemplateRelease, one: ReleasedFunction) -> Assessment:
    """The template defines the alarms that the group names."""
    if one.unclear:
        raise Unseen("; ".join(fact.value for fact in one.unclear))
    if not one.alarms:
        raise Unseen("the group names no alarm")
    by_arn = [fact.value for fact in one.alarms if fact.value.startswith("arn:")]
    if by_arn:
        seen = f"The group names {', '.join(by_arn)}: CodeDeploy takes an alarm's name, and finds none by its ARN."
        return error(seen, "Write the name; the alarm must be of the group's own account and region.")
    known = {alarm.defined.name for alarm in release.alarms}
    logical = {alarm.logical: alarm for alarm in release.alarms}
    named = [fact.value for fact in one.alarms]
    mistaken = [name for name in named if name not in known and name in logical]
    if mistaken:
        seen = f"The group names {mistaken[0]}, which is an alarm's logical id; its name is another one."
        return error(seen, f"Write !Ref {mistaken[0]}.")
    others = [name for name in named if name not in known]
    if not others:
        return ok(f"The template defines {', '.join(named)}.")
    seen = f"The template does not define {', '.join(others)}: only AWS knows whether there is such an alarm."
    if len(others) == len(named):
        raise Unseen(seen.rstrip("."))
    return note(seen)


def composites_can_ring(release: TemplateRelease, snapshot: Snapshot) -> Assessment:
    """As doctor says it of composites; an alarm that the template does not define may be one."""
    known = {alarm.defined.name for alarm in release.alarms}
    others = [alarm.name for alarm in snapshot.alarms() if alarm.name not in known] if not snapshot.composites() else []
    if not others:
        return composed(snapshot)
    seen = f"The template does not define {', '.join(others)}: only AWS knows whether that is a composite alarm."
    if len(others) == len(snapshot.alarms()):
        raise Unseen(seen.rstrip("."))
    return note(seen)


def hooks_can_be_invoked(release: TemplateRelease, one: ReleasedFunction) -> Assessment:
    """CodeDeploy may invoke the hooks, and the template defines them."""
    if not one.hooks:
        return ok("No hook is configured.")
    names = ", ".join(f"{fact.value} ({event})" for event, fact in one.hooks.items())
    shut = [fact.value for fact in one.hooks.values() if not _may_be_invoked(fact.value)]
    if shut and not one.has_own_role:
        seen = f"{', '.join(shut)}: the role that SAM makes may invoke only functions named {HOOK_PREFIX}…"
        return error(seen, f"Give the hook a FunctionName that begins with {HOOK_PREFIX}, or give a Role.")
    functions = {*release.functions}
    others = [fact.value for fact in one.hooks.values() if _bare(fact.value) not in functions]
    if others:
        return note(f"Hooks: {names}. The template does not define {', '.join(others)}.")
    return ok(f"Hooks: {names}.")


def _bare(function: str) -> str:
    return function.partition(":function:")[2] or function


def _may_be_invoked(function: str) -> bool:
    return _bare(function).startswith(HOOK_PREFIX)


def config_exists(release: TemplateRelease, one: ReleasedFunction) -> Assessment:
    """The deployment configuration is one of AWS's, or one of the template's."""
    name = one.config.value
    if preset(name) or name in release.configs:
        return ok(f"The configuration {name.removeprefix(AWS_PREFIX)} exists.")
    if name.startswith("CodeDeployDefault."):
        seen = f"CodeDeploy has no configuration {name} for Lambda."
        return error(seen, f"It has {', '.join(sorted(AWS_CONFIGS))}.")
    raise Unseen(_why_no_config(release, one))
