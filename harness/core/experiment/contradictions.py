"""The checks that types cannot make: values that contradict each other, or what AWS allows."""

import math
import re
import shlex

from harness.core.experiment.alarm_contradictions import about_alarms
from harness.core.experiment.faults import KINDS, effects_of, highest_share, name_of
from harness.core.experiment.group_names import about_names
from harness.core.experiment.hosts import is_host, is_url
from harness.core.experiment.overlay import WAYS
from harness.core.experiment.rails import ROUNDING
from harness.core.experiment.rates import steps
from harness.core.experiment.sendable import about_requests
from harness.core.experiment.shape import Problems, shown
from harness.core.experiment.types import (
    AWS_CONFIGS,
    AWS_PREFIX,
    REHEARSED_CONFIG,
    Arm,
    Deployment,
    Experiment,
    Fault,
    RateStep,
    RehearsedApi,
    Traffic,
)
from harness.errors import ExperimentError
from harness.experiments import SETTINGS

LONGEST_SHIFT_MINUTES = 2880

_CONFIG = re.compile(r"(?:Canary(\d+)Percent|Linear(\d+)PercentEvery)(\d+)Minutes?")
_HANDLER = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
_TEMPLATE = re.compile(r"EXT[A-Za-z0-9]{1,61}")
_TAKEN_NAMES = frozenset({"latest", "index.html"})


def contradictions(experiment: Experiment) -> Problems:
    """Everything that is wrong in an experiment although every value has the right type."""
    yield from _about_words(experiment)
    yield from _about_target(experiment)
    yield from _about_traffic(experiment.traffic)
    if experiment.deployment.config is not None:
        yield from _about_config(experiment.deployment.config)
    yield from about_making(experiment.deployment)
    yield from _about_groups(experiment)
    yield from about_alarms(experiment)
    yield from _about_faults(experiment)
    yield from about_requests(experiment, highest_share(experiment))
    yield from _about_rails(experiment)
    yield from _about_cloud(experiment)
    yield from _about_arm(experiment.baseline, "baseline")
    yield from _about_arm(experiment.canary, "canary")
    yield from _about_api(experiment)
    yield from _about_hooks(experiment.deployment)


def _about_cloud(experiment: Experiment) -> Problems:
    for name in ("alarm_delay_s", "stop_delay_s"):
        span = getattr(experiment.cloud, name)
        if isinstance(span, tuple) and (len(span) != 2 or span[0] > span[1]):
            problem = f"must be one number of seconds, or the least and the most, got {list(span)}"
            yield ExperimentError(f"cloud.{name}", problem)


def _about_words(experiment: Experiment) -> Problems:
    if experiment.name.casefold() in _TAKEN_NAMES:
        yield ExperimentError("name", f"must be another one: {experiment.name} is taken beside the folders of runs")
    if experiment.description.endswith(("\n", "\r")):
        problem = "must not end with a line break; in YAML write >- or |- instead of > or |"
        yield ExperimentError("description", problem)


def _about_target(experiment: Experiment) -> Problems:
    host = experiment.target.host
    if host is not None and not is_url(host):
        yield ExperimentError("target.host", f"must be a URL such as https://example.com/stage, got {shown(host)}")


def _about_traffic(traffic: Traffic) -> Problems:
    # The default rate beside users is what a resolved experiment has.
    if traffic.users is not None and traffic.arrival_rate != Traffic().arrival_rate:
        yield ExperimentError("traffic", "give arrival_rate (open arrivals) or users (closed loop), not both")
    if not isinstance(traffic.arrival_rate, float | int):
        yield from _about_rate_steps(steps(traffic.arrival_rate))


def _about_rate_steps(changes: tuple[RateStep, ...]) -> Problems:
    path = "traffic.arrival_rate"
    if not changes:
        yield ExperimentError(path, "needs at least one step, such as {at_s: 0, rate: 20}")
    if changes and changes[0].at_s:
        yield ExperimentError(f"{path}[0].at_s", f"must be 0, when the run begins, got {changes[0].at_s:g}")
    free_s = 0.0
    for index, step in enumerate(changes):
        yield from _about_rate_step(step, f"{path}[{index}]")
        if step.at_s < free_s:
            problem = f"must be at least {free_s:g}, where the step before it ends, got {step.at_s:g}"
            yield ExperimentError(f"{path}[{index}].at_s", problem)
        free_s = step.at_s + (step.for_s or 0.0)


def _about_rate_step(step: RateStep, path: str) -> Problems:
    if (step.rate is None) == (step.ramp_to is None):
        yield ExperimentError(path, "needs exactly one of rate and ramp_to")
    if step.ramp_to is not None and step.for_s is None:
        yield ExperimentError(f"{path}.for_s", "is missing: how long the ramp takes")


def _about_config(config: str) -> Problems:
    word = config.removeprefix(AWS_PREFIX)
    form = _CONFIG.fullmatch(word)
    if form:
        yield from _about_shift(int(form[1] or form[2]), int(form[3]), word)
    if config.startswith("CodeDeployDefault.") and word not in AWS_CONFIGS:
        yield ExperimentError(
            "deployment.config", f"AWS has no {config}; a configuration of your own has no CodeDeployDefault prefix"
        )


def about_making(deployment: Deployment) -> Problems:
    """Everything that is wrong in how the deployment is to come about."""
    given = [name for name in WAYS if getattr(deployment, name) not in (None, False)]
    if len(given) > 1:
        yield ExperimentError(f"deployment.{given[0]}", f"cannot stand beside {given[1]}: each says what deploys")
    if deployment.target_version is not None and not deployment.target_version.isdecimal():
        problem = f"must be the number of a published version such as 42, got {shown(deployment.target_version)}"
        yield ExperimentError("deployment.target_version", problem)
    if deployment.command is not None and not _words(deployment.command):
        yield ExperimentError("deployment.command", f"must be a command, got {shown(deployment.command)}")


def _about_groups(experiment: Experiment) -> Problems:
    for index, also in enumerate(experiment.also):
        made = [name for name in ("target_version", "redeploy", "command", "hooks") if getattr(also, name)]
        if made:
            yield ExperimentError(f"also[{index}].{made[0]}", "a run makes its first deployment only; leave it out")
        if not any((also.id, also.stack, also.application, also.group, also.function)):
            yield ExperimentError(f"also[{index}]", "names no deployment group: give group, function or stack")
    if experiment.also and experiment.stop_on and not _has_requests_of_its_own(experiment):
        problem = "two functions may have the same version numbers, so their requests must tell them apart"
        cure = "name those of the first group in deployment.requests, and none of them in also"
        yield ExperimentError("stop_on", f"{problem}: {cure}, or give each group a run of its own")
    if experiment.also:
        further = ((f"also[{index}].group", also.group) for index, also in enumerate(experiment.also))
        yield from about_names([("deployment.group", experiment.deployment.group), *further])


def _has_requests_of_its_own(experiment: Experiment) -> bool:
    """Whether the first group names requests that no other group may answer."""
    requests = experiment.deployment.requests
    named = {name for also in experiment.also for name in also.requests}
    return bool(requests) and not named & {*requests}


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:
        return []


def _about_shift(percent: int, minutes: int, word: str) -> Problems:
    if not 1 <= percent <= 99:
        yield ExperimentError("deployment.config", f"must shift between 1 and 99 percent, got {percent} in {word}")
    if not 1 <= minutes <= LONGEST_SHIFT_MINUTES:
        problem = f"must wait between 1 and {LONGEST_SHIFT_MINUTES} minutes, got {minutes} in {word}"
        yield ExperimentError("deployment.config", problem)


def _about_faults(experiment: Experiment) -> Problems:
    for index, fault in enumerate(experiment.faults):
        path = name_of(index)
        given = [kind for kind in KINDS if getattr(fault, kind) is not None]
        if len(given) != 1:
            got = f", got {' and '.join(given)}" if given else ""
            yield ExperimentError(path, f"needs exactly one of {', '.join(KINDS[:-1])} and {KINDS[-1]}{got}")
            return
        if fault.at_s < -experiment.steady_s:
            problem = f"must be at least -steady_s ({-experiment.steady_s:g}), got {fault.at_s:g}"
            yield ExperimentError(f"{path}.at_s", problem)
        if fault.fis_template is not None and not _TEMPLATE.fullmatch(fault.fis_template):
            problem = (
                f"must be the id of an experiment template such as EXT1a2b3c4d5e6f7, got {shown(fault.fis_template)}"
            )
            yield ExperimentError(f"{path}.fis_template", problem)
    if (share := highest_share(experiment)) > ROUNDING:
        yield ExperimentError("faults", f"the shares that overlap come to {share:g} of all requests, at most 1 can be")
    yield from _about_pairs(experiment)


def _about_pairs(experiment: Experiment) -> Problems:
    """Pairs of faults that hold the same thing at the same time: healing one would undo the other."""
    effects = [*effects_of(experiment)]
    for place, (name, kind, fault) in enumerate(effects):
        for earlier, other_kind, other in effects[:place]:
            if kind == other_kind and kind != "fis_template" and _overlap(fault, other):
                yield ExperimentError(f"{name}.{kind}", f"overlaps {earlier}: end that one before by for_s")


def _overlap(one: Fault, other: Fault) -> bool:
    first, second = sorted((one, other), key=lambda fault: fault.at_s)
    return first.for_s is None or first.at_s + first.for_s > second.at_s


def _about_rails(experiment: Experiment) -> Problems:
    for index, host in enumerate(experiment.rails.hosts):
        if not is_host(host):
            problem = f"must be the name of a host such as api.example.com or *.example.com, got {shown(host)}"
            yield ExperimentError(f"rails.hosts[{index}]", problem)


def _about_hooks(deployment: Deployment) -> Problems:
    for event, hook in deployment.hooks.items():
        if isinstance(hook, Arm):
            yield from _about_arm(hook, f"deployment.hooks.{event}")
            if hook.code is None:
                yield ExperimentError(f"deployment.hooks.{event}", "needs code, or the status that it reports")


def _about_arm(arm: Arm, path: str) -> Problems:
    given = [name for name in ("handler", "code", "url") if getattr(arm, name) is not None]
    if len(given) > 1:
        yield ExperimentError(path, f"give {given[0]} or {given[1]}, not both")
    if arm.code is not None and (arm.code.path is None) == (arm.code.inline is None):
        yield ExperimentError(f"{path}.code", "needs path, a folder or zip, or inline, the text of one file")
    if arm.handler is not None and not _HANDLER.fullmatch(arm.handler):
        yield ExperimentError(f"{path}.handler", f"must be module:function, got {shown(arm.handler)}")
    if arm.url is not None and not is_url(arm.url):
        yield ExperimentError(f"{path}.url", f"must be a URL such as http://127.0.0.1:3000, got {shown(arm.url)}")
    if arm.url is not None and arm.env:
        yield ExperimentError(f"{path}.env", "cannot reach a service that runs elsewhere; set it where url is served")
    if arm.is_bundled:
        yield from _about_bundled(arm, path)


def _about_api(experiment: Experiment) -> Problems:
    """The bundled service has routes of its own, and a service at a URL is told by HTTP alone."""
    arms = (experiment.baseline, experiment.canary)
    if experiment.api != RehearsedApi() and any(arm.handler is None and arm.code is None for arm in arms):
        yield ExperimentError("api", "is told to functions of yours: give baseline and canary a handler or code")


def _about_bundled(arm: Arm, path: str) -> Problems:
    for name, top in SETTINGS.items():
        value = _number(arm.env.get(name, 0))
        if value is None or not 0 <= value <= top:
            wanted = "at least 0" if math.isinf(top) else f"between 0 and {top:g}"
            yield ExperimentError(f"{path}.env.{name}", f"must be {wanted}, got {shown(arm.env[name])}")


def _number(value: str | float) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def only_on_aws(experiment: Experiment) -> Problems:
    """Everything that has no effect in a rehearsal."""
    config = experiment.deployment.config or REHEARSED_CONFIG
    word = config.removeprefix(AWS_PREFIX)
    if word != "AllAtOnce" and not _CONFIG.fullmatch(word):
        wanted = "AllAtOnce, Canary<percent>Percent<minutes>Minutes or Linear<percent>PercentEvery<minutes>Minutes"
        yield ExperimentError("deployment.config", f"a rehearsal knows {wanted}, got {shown(config)}")
    if experiment.traffic.requests and experiment.baseline.is_bundled:
        problem = "the bundled service does not know traffic.requests; name a handler or url of your own"
        yield ExperimentError("baseline", problem)
    if experiment.target.host is not None:
        yield ExperimentError("target.host", "a rehearsal serves its own; leave it out, or name baseline.url")
    if experiment.also:
        yield ExperimentError("also", "a rehearsal has one deployment group; leave it out")
    for name in ("id", "stack", "redeploy", "command"):
        if getattr(experiment.deployment, name) not in (None, False):
            yield ExperimentError(f"deployment.{name}", "a rehearsal creates its own deployment; leave it out")
