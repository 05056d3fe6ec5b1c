"""The code that a rehearsal runs for a template: that of the function itself for both arms, and that of its hooks."""

import re
from collections.abc import Mapping
from typing import cast

from msgspec.structs import replace

from harness.core.experiment.types import (
    ROUTE,
    Arm,
    Experiment,
    FunctionCode,
    HookEvent,
    HookStatus,
    RehearsedApi,
)
from harness.core.rehearsed import ACCOUNT, CANARY, REGION
from harness.errors import UsageError
from harness.templates.cloudformation import bare_function
from harness.templates.missing import how_to_give
from harness.templates.names import names_in
from harness.templates.release import Fact, ReleasedFunction, RunFunction, TemplateRelease

_NAMES = re.compile(r"\$\{([^!}][^}]*)\}")
_OWN_WORDS = "say what answers by handler or url of baseline and canary in the experiment"


def arms_of(release: TemplateRelease, one: ReleasedFunction, experiment: Experiment) -> dict[str, Arm]:
    """Both arms, with the template's code, time-out, memory and environment where the experiment says none.

    Raises UsageError where the code cannot run here and the experiment does not say what answers.
    """
    own = {"baseline": experiment.baseline, "canary": experiment.canary}
    run = release.runs.get(one.function)
    if run is None:
        missing = [name for name, arm in own.items() if arm.is_bundled]
        if missing:
            raise wrong(release, one.line, f"{one.logical} is not a function of the template: {_OWN_WORDS}")
        return own
    return {name: _arm(release, one, run, arm) for name, arm in own.items()}


def api_of(
    release: TemplateRelease, one: ReleasedFunction, experiment: Experiment, arms: Mapping[str, Arm]
) -> RehearsedApi:
    """The API of the template in front of the function, where both `arms` are functions and the experiment says none.

    A route whose path is not known here is left out.
    """
    run = release.runs.get(one.function)
    is_told = arms and run and all(arm.url is None and not arm.is_bundled for arm in arms.values())
    if run is None or not is_told or experiment.api != RehearsedApi():
        return experiment.api
    said = (_route_key(*route.value) for route in run.routes)
    routes = dict.fromkeys(key for key in said if re.fullmatch(ROUTE, key))
    return RehearsedApi(routes=tuple(routes), payload_format="2.0" if run.is_handed_2_0 else "1.0")


def _route_key(method: str, path: str) -> str:
    """A route as HTTP APIs write it; nothing for the default one, which takes what no other does."""
    is_any = method.lower() in ("any", "*", "x-amazon-apigateway-any-method")
    return "" if is_any and path == "/" else f"{'ANY' if is_any else method.upper()} {path}"


def _arm(release: TemplateRelease, one: ReleasedFunction, run: RunFunction, arm: Arm) -> Arm:
    if arm.url is not None:
        return arm
    if arm.is_bundled and run.code is None:
        problem = f"the code of {run.logical} cannot run in a rehearsal: {run.why_not}; {_OWN_WORDS}"
        raise wrong(release, run.line, problem)
    return replace(_running(release, one, run, arm), code=_code(release, one, run) if arm.is_bundled else arm.code)


def _code(release: TemplateRelease, one: ReleasedFunction, run: RunFunction) -> FunctionCode | None:
    """The code, with the names of the layers that it runs without. Raises UsageError where one is not known here."""
    absent = [known_value(release, one, layer, f"{run.logical}: a layer") for layer in run.layers_elsewhere]
    return run.code and replace(run.code, without_layers=tuple(absent))


def _running(release: TemplateRelease, one: ReleasedFunction, run: RunFunction, arm: Arm) -> Arm:
    """The arm with the settings of the template; its own go before them."""
    environment = {
        name: known_value(release, one, value, f"{run.logical}: the variable {name}")
        for name, value in run.environment.items()
        if name not in arm.env
    }
    return replace(
        arm,
        env={**environment, **arm.env},
        timeout_s=arm.timeout_s or _number(release, run.timeout, f"{run.logical}: Timeout"),
        memory_mb=arm.memory_mb or _number(release, run.memory, f"{run.logical}: MemorySize"),
    )


def hooks_of(
    release: TemplateRelease, one: ReleasedFunction, said: Mapping[HookEvent, HookStatus | Arm], *, stand_in: bool
) -> dict[HookEvent, HookStatus | Arm]:
    """What runs at each hooked event that the experiment says nothing of. Raises UsageError where nothing can."""
    left = {cast(HookEvent, event): fact for event, fact in one.hooks.items() if event not in said}
    if stand_in:
        return dict.fromkeys(left, "Succeeded")
    return {event: _hook(release, one, event, fact) for event, fact in left.items()}


def _hook(release: TemplateRelease, one: ReleasedFunction, event: HookEvent, fact: Fact[str]) -> Arm:
    run = release.runs.get(bare_function(fact.value))
    if run is None or run.code is None:
        why_not = run.why_not if run else "the template does not define it"
        told = f"the hook {fact.value} cannot run in a rehearsal: {why_not}; say what it reports in the experiment by "
        raise wrong(release, fact.line, f"{told}deployment: {{hooks: {{{event}: Succeeded}}}}")
    return _running(release, one, run, Arm(code=_code(release, one, run)))


def known_value(release: TemplateRelease, one: ReleasedFunction, said: Fact[str], what: str) -> str:
    """A value as the rehearsal has it. Raises UsageError where it hangs on what is not known here."""
    missing = [name for name in names_in(said.value) if name in release.open_names and name not in _OF_THE_CLOUD]
    if missing:
        raise wrong(release, said.line, f"{what} is not known here ({how_to_give(release.asked, missing)})")
    return playable_name(said.value, _of_the_function(one))


_OF_THE_CLOUD: Mapping[str, str] = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Region": REGION,
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
}


def _of_the_function(one: ReleasedFunction) -> Mapping[str, str]:
    """What the version on trial and the alias are called, for hooks that invoke them."""
    return dict.fromkeys((*names_in(one.version), f"{one.logical}.Version"), CANARY)


def playable_name(text: str, known: Mapping[str, str] = {}) -> str:
    """A text in which each name that only a deployment makes up is the logical id that it stands for."""
    filled = _NAMES.sub(lambda found: known.get(found[1]) or _OF_THE_CLOUD.get(found[1]) or found[1], text)
    return filled.replace("${!", "${")


def _number(release: TemplateRelease, said: Fact[str], what: str) -> int:
    if not said.value.isdecimal():
        raise wrong(release, said.line, f"{what} is not known here: it is {said.value}")
    return int(said.value)


def wrong(release: TemplateRelease, line: int, problem: str) -> UsageError:
    """What is raised for something of the template that cannot be played."""
    return UsageError(f"{release.place(line)}: {problem}")
