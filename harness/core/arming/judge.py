"""The doctor's questions as a table, and the diagnosis that their answers make."""

from collections.abc import Callable, Collection, Mapping, Sequence

from msgspec import Struct

from harness.core.arming import access, alarms, release, traffic
from harness.core.arming import alarm_metrics as metrics
from harness.core.arming.diagnosis import (
    Assessment,
    Check,
    CheckSeverity,
    Diagnosis,
    error,
    exit_code,
    note,
    ok,
    worst,
)
from harness.core.arming.judged import is_to_count_failures
from harness.core.arming.snapshot import Snapshot, Unseen
from harness.core.timeline.events import AlarmDefined, AlarmGone

AskAlarms = Callable[[Snapshot], Assessment]
_OF_EACH_ALARM: tuple[AskAlarms, ...] = (
    metrics.right_name,
    metrics.right_function,
    metrics.right_resource,
    metrics.right_versions,
    alarms.can_breach,
    metrics.right_unit,
    metrics.has_data,
    alarms.in_time,
)


class ArmingQuestion(Struct, frozen=True):
    """One thing that the safety net needs; `ask` answers whether it is so, or raises Unseen."""

    id: str
    matters: str
    ask: Callable[[Snapshot], Assessment]


def one_is_sound(snapshot: Snapshot, asks: Sequence[AskAlarms] = _OF_EACH_ALARM) -> Assessment:
    """One of the guarding alarms has no error of any kind; `asks` are what can be asked of each."""
    names = [alarm.name for alarm in snapshot.guards()]
    if len(names) == 1:
        return note(f"Only {names[0]} guards the group: any error of it is one of the group's.")
    found = {alarm.name: _worst_of(snapshot.only(alarm), asks) for alarm in snapshot.guards()}
    sound = [name for name, severity in found.items() if severity not in ("error", "unknown")]
    if snapshot.suffice(sound):
        return _sound_for_failures(snapshot, found, sound)
    if not snapshot.suffice(names):
        raise Unseen(f"{', '.join(names)} together take no alarm of the group to ALARM, as far as its rule can be read")
    if snapshot.suffice([name for name, severity in found.items() if severity != "error"]):
        raise Unseen(_which_is_not_judged(found))
    if sound:
        seen = f"{', '.join(sound)} alone cannot take the group's alarm to ALARM, and each other one has an error."
        return error(seen, "Correct the other ones.")
    return error(f"Each alarm that guards the group has an error: {', '.join(names)}.", "Correct one of them.")


def _worst_of(snapshot: Snapshot, asks: Sequence[AskAlarms]) -> CheckSeverity:
    return worst(ask(snapshot).severity for ask in asks)


def _sound_for_failures(snapshot: Snapshot, found: Mapping[str, CheckSeverity], sound: Collection[str]) -> Assessment:
    """An alarm on latency may be sound; where others are to count failures, one of those has to be."""
    counting = [alarm.name for alarm in snapshot.guards() if is_to_count_failures(alarm)]
    if not counting or any(name in sound for name in counting):
        return ok(f"No error was found in {', '.join(sound)}.")
    if all(found[name] == "error" for name in counting):
        others = ", ".join(name for name in sound if name not in counting)
        seen = f"Each alarm that is to count failures has an error: {', '.join(counting)}; {others} counts none."
        return error(seen, "Correct one of them.")
    raise Unseen(_which_is_not_judged({name: found[name] for name in counting}))


def _which_is_not_judged(found: Mapping[str, CheckSeverity]) -> str:
    unjudged = ", ".join(name for name, severity in found.items() if severity == "unknown")
    broken = ", ".join(name for name, severity in found.items() if severity == "error")
    return f"{unjudged} is not judged{f', and there is an error in {broken}' if broken else ''}"


def one_is_sound_by_definition(snapshot: Snapshot) -> Assessment:
    """The same where nobody looked for datapoints."""
    return one_is_sound(snapshot, [ask for ask in _OF_EACH_ALARM if ask is not metrics.has_data])


QUESTIONS = (
    ArmingQuestion("group-exists", "Without its deployment group nothing guards a release.", release.group_exists),
    ArmingQuestion("alarm-configured", "CodeDeploy watches only the alarms of its group.", alarms.configured),
    ArmingQuestion("alarm-enabled", "A group may name alarms and ignore them all.", alarms.enabled),
    ArmingQuestion("alarm-exists", "CodeDeploy stops a deployment whose alarm it cannot find.", alarms.exist),
    ArmingQuestion(
        "alarm-composite", "A child under NOT holds its composite back, and guards nothing.", alarms.composed
    ),
    ArmingQuestion(
        "alarm-poll-failure", "An alarm that cannot be read should stop a deployment too.", alarms.poll_failure_stops
    ),
    ArmingQuestion(
        "alarm-metric",
        "CloudWatch takes any name, and one that AWS never writes has no data.",
        metrics.right_name,
    ),
    ArmingQuestion(
        "alarm-function",
        "An alarm on another function counts the failures of that function.",
        metrics.right_function,
    ),
    ArmingQuestion(
        "alarm-resource",
        "Lambda writes Resource as function:alias; no other value has data.",
        metrics.right_resource,
    ),
    ArmingQuestion(
        "alarm-versions",
        "An alarm on one version guards no other; one on all versions counts the baseline's errors, too.",
        metrics.right_versions,
    ),
    ArmingQuestion(
        "alarm-threshold", "An alarm that never goes to ALARM, or always does, guards nothing.", alarms.can_breach
    ),
    ArmingQuestion(
        "alarm-unit",
        "CloudWatch does not convert units: in another unit the metric has no data.",
        metrics.right_unit,
    ),
    ArmingQuestion("alarm-data", "An alarm without datapoints never goes to ALARM.", metrics.has_data),
    ArmingQuestion(
        "alarm-state",
        "An alarm in ALARM stops a deployment at once; one without data never does.",
        alarms.neither_on_nor_blind,
    ),
    ArmingQuestion(
        "alarm-history", "An alarm that went to ALARM lately would have rolled back a good canary.", alarms.quiet_lately
    ),
    ArmingQuestion("alarm-in-time", "CodeDeploy watches no alarm once the deployment has ended.", alarms.in_time),
    ArmingQuestion(
        "alarm-missing-data", "It decides what the alarm does before and after the traffic.", alarms.missing_data
    ),
    ArmingQuestion("alarm-sound", "An error here and another one there leave no alarm that guards.", one_is_sound),
    ArmingQuestion(
        "handled-errors", "Lambda's Errors counts exceptions, not a 5xx that the code returns.", traffic.handled_errors
    ),
    ArmingQuestion(
        "rollback-on-alarm", "Without it an alarm stops the deployment and leaves the alias split.", release.on_alarm
    ),
    ArmingQuestion("rollback-on-failure", "Without it a failed hook leaves the alias split.", release.on_failure),
    ArmingQuestion("rollback-on-request", "Without it StopDeployment leaves the alias split.", release.on_request),
    ArmingQuestion(
        "alias-exists",
        "CodeDeploy shifts an alias; a first deployment goes live without a canary.",
        release.alias_exists,
    ),
    ArmingQuestion(
        "alias-weights", "A deployment of an alias that is already split fails at once.", release.alias_whole
    ),
    ArmingQuestion(
        "target-version",
        "Traffic cannot shift to a version that does not exist or is live already.",
        release.target_is_there_and_new,
    ),
    ArmingQuestion("no-active-deployment", "A group runs one deployment at a time.", release.none_active),
    ArmingQuestion("gradual-shift", "All traffic at once is no canary.", release.gradual),
    ArmingQuestion(
        "deployed-before", "A first deployment has no good revision to roll back to.", release.deployed_before
    ),
    ArmingQuestion("hooks", "A hook that does not exist, or fails, fails the deployment.", release.hooks),
    ArmingQuestion("host", "Without the service's address nothing can be sent.", traffic.host),
    ArmingQuestion(
        "good-request", "A service that fails good requests makes every canary look bad.", traffic.good_request
    ),
    ArmingQuestion("fault-request", "A fault request that does not fail proves nothing.", traffic.fault_request),
    ArmingQuestion("fault-counted", "The alarm must watch the function that the host leads to.", traffic.fault_counted),
    ArmingQuestion(
        "enough-traffic", "With too few failures a period, the alarm goes to ALARM only by luck.", traffic.enough
    ),
    ArmingQuestion(
        "few-failures", "A rate of few requests goes to ALARM by chance, on any canary.", traffic.few_failures
    ),
    ArmingQuestion("alias-traffic", "Requests that bypass the alias never reach the canary.", traffic.by_the_alias),
    ArmingQuestion(
        "clock", "A run dates what it sees by this machine's clock, and AWS dates its alarms by its own.", access.clock
    ),
    ArmingQuestion("permissions", "A run without these permissions sees nothing.", access.permissions),
    ArmingQuestion("writes", "These calls change AWS; they were not tried.", access.writes),
)


def diagnose(snapshot: Snapshot, questions: Sequence[ArmingQuestion] | None = None) -> Diagnosis:
    """The diagnosis of what was seen; `questions` are those that it can answer, by default all."""
    checks = tuple(answered(question, snapshot) for question in (QUESTIONS if questions is None else questions))
    wanted = snapshot.experiment.deployment
    defined, gone = snapshot.sighted(AlarmDefined), snapshot.sighted(AlarmGone)
    named = [*(alarm.name for alarm in defined), *(alarm.name for alarm in gone)]
    return Diagnosis(
        experiment=snapshot.experiment.name,
        application=wanted.application,
        group=wanted.group,
        function=wanted.function,
        alias=wanted.alias,
        alarms=tuple(dict.fromkeys(named)),
        exit_code=exit_code(checks),
        checks=checks,
    )


def answered(question: ArmingQuestion, snapshot: Snapshot) -> Check:
    """The answer to one question; unknown where it cannot be answered, or fails itself."""
    try:
        answer = question.ask(snapshot)
    except Unseen as unseen:
        answer = Assessment("unknown", f"Not known: {unseen}.")
    except Exception as error:  # noqa: BLE001 - a question that crashes is unknown, and the others are still asked
        answer = Assessment("unknown", f"Not known: the question itself failed ({error!r}).")
    return Check(
        id=question.id, severity=answer.severity, seen=answer.seen, matters=question.matters, advice=answer.advice
    )
