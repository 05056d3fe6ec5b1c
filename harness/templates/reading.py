"""Reads a release: of SAM, CloudFormation (by hand or from `cdk synth`), the Serverless Framework, or Terraform."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from harness.errors import TemplateError, UsageError
from harness.templates import alarms as alarming
from harness.templates import cloudformation, sam, serverless, terraform_plan
from harness.templates.callers import past_the_alias
from harness.templates.circles import circles
from harness.templates.cloudformation import ShiftedAlias, read_alias, read_config, released
from harness.templates.code import read_code
from harness.templates.hooks import silent_hooks
from harness.templates.loops import LOOP, names_needed, unrolled
from harness.templates.places import Places
from harness.templates.release import (
    Fact,
    Problem,
    ReleasedFunction,
    RunFunction,
    TemplateAlarm,
    TemplateRelease,
)
from harness.templates.resolver import EXTENSIONS, Resolver
from harness.templates.routes import InvokedRoute, guarded_apis, invoked_routes
from harness.templates.translated import Translated
from harness.templates.values import Value, mentions, read_values

_FUNCTIONS = ("AWS::Lambda::Function", sam.FUNCTION)
_TEMPLATES = ("template.y*ml", "serverless.y*ml", "*.template.json", "*.template.y*ml")
_NESTED = ("AWS::CloudFormation::Stack", "AWS::Serverless::Application")


def read_release(
    path: Path, given: Mapping[str, str], environment: Mapping[str, str] = {}, *, with_code: bool = False
) -> TemplateRelease:
    """What a template says of releases, with the parameters that were given, and an environment for `${env:…}`.

    How its functions run is read only `with_code`: it hangs on names that no other question needs.
    Raises TemplateError, and UsageError for a parameter that the template does not speak of.
    """
    places = Places()
    try:
        translated = _translated(path, given, environment, places)
        resolver = Resolver(translated.template, given, places)
        resolver.check_given()
        reading = _Reading(translated, resolver, str(path))
        runs = reading.runs(path) if with_code else {}
        release = reading.release()
        if with_code:
            routed = reading.routed(runs)
            release = replace(release, runs=routed, open_names=frozenset(resolver.open), asked=dict(resolver.asked))
        past = () if translated.invokes_aliases else past_the_alias(resolver, release.released)
        silent = reading.silent_hooks(release, path)
        release = replace(release, problems=(*release.problems, *past, *silent))
    except RecursionError as error:
        raise TemplateError(str(path), None, "is nested too deep to be read") from error
    used = resolver.used | translated.used
    for name in given:
        if name not in used and not name.startswith("AWS::") and not mentions(translated.template, name):
            meant = _meant(name, {*resolver.parameters, *resolver.asked, *release.defaults})
            problem = f"{path} has no such parameter, and speaks of nothing of that name{meant}"
            raise UsageError(f"--parameter {name}: {problem}")
    return release


def _meant(name: str, known: set[str]) -> str:
    """What a name may have been meant to be: one of a Terraform variable without `var.`, or one that is alike."""
    found = [one for one in known if one.endswith(f".{name}")] or difflib.get_close_matches(name, sorted(known), n=1)
    return f"; did you mean {found[0]}?" if found else ""


def _translated(path: Path, given: Mapping[str, str], environment: Mapping[str, str], places: Places) -> Translated:
    """The template of CloudFormation that is read. Raises TemplateError for a file of another kind."""
    if _is_hcl(path):
        from harness.templates import terraform_hcl  # its parser takes a moment to load

        return terraform_hcl.translate_hcl(path, given, environment, places)
    if path.is_dir():
        raise TemplateError(str(path), None, _which_of(path))
    whole = read_values(path, places.before(path))
    if serverless.is_serverless(whole):
        return serverless.translate(path, whole, given, environment, places)
    if terraform_plan.is_plan(whole):
        return terraform_plan.translate_plan(whole, given)
    if not [*(whole.get("Resources") or Value({}, 0)).items()]:
        problem = (
            "is no template of CloudFormation or SAM (it has no Resources), no serverless.yml and no plan of Terraform"
        )
        raise TemplateError(str(path), whole.line, problem)
    return _with_copies(whole, given, places)


def _with_copies(whole: Value, given: Mapping[str, str], places: Places) -> Translated:
    """A template of CloudFormation or SAM with the copies of its loops."""
    resolver = Resolver(whole, given, places)
    template = unrolled(whole, resolver)
    defaults = {name: Fact(value.text(), value.line) for name, value in resolver.defaults.items()}
    return Translated(template=template, defaults=defaults)


def _which_of(folder: Path) -> str:
    """What to say of a folder in which nothing of Terraform is: which template is meant."""
    found = [one for pattern in _TEMPLATES for one in sorted(folder.glob(pattern))]
    return f"is a folder: give the template itself{f', such as {found[0]}' if found else ''}"


def _is_hcl(path: Path) -> bool:
    """Whether this is Terraform's own language: one file of it, or a folder of them."""
    return path.suffix == ".tf" or (path.is_dir() and any(path.glob("*.tf")))


class _Sorted(Struct, frozen=True):
    """The resources that may be there, by type."""

    by_type: Mapping[str, Mapping[str, Value]]

    def of(self, *types: str) -> Iterator[tuple[str, Value]]:
        """Logical id and resource of all of some types."""
        for kind in types:
            yield from self.by_type.get(kind, {}).items()


class _Reading:
    """One reading of one template; `problems` gathers what is to be told of it."""

    def __init__(self, translated: Translated, resolver: Resolver, file: str) -> None:
        self._resolver = resolver
        self._file = file
        self._common = translated.template.get("Globals") or Value({}, 0)
        self._globals = self._common.get("Function")
        self._problems: list[Problem] = [*translated.problems]
        self._defaults = translated.defaults
        self._called = translated.called
        self._there = self._sorted()

    def release(self) -> TemplateRelease:
        """All that the template says."""
        resolver, there = self._resolver, self._there
        shifted = (*self._of_sam(), *self._of_cloudformation())
        alarms = tuple(alarming.read_alarm(resolver, *one) for one in there.of(*alarming.TYPES))
        functions = {logical: _named(resolver, logical, one) for logical, one in there.of(*_FUNCTIONS)}
        by_name = {fact.value: logical for logical, fact in functions.items()}
        known = {by_name.get(one.function) for one in shifted}
        known |= {problem.function for problem in self._problems if problem.severity == "unknown"}
        self._problems += [_nested(logical, one) for logical, one in there.of(*_NESTED)]
        self._problems += [_circle(circle, resolver) for circle in circles(resolver.resources)]
        by_default = {name: Fact(value.text(), value.line) for name, value in resolver.defaults.items()}
        configs = (read_config(resolver, *one) for one in there.of(cloudformation.CONFIG))
        all_released = tuple(replace(one, logical=by_name.get(one.function, one.logical)) for one in shifted)
        self._problems += self._named_twice(alarms, all_released)
        return TemplateRelease(
            file=self._file,
            places=resolver.places,
            released=all_released,
            unguarded={key: fact for key, fact in functions.items() if key not in known},
            functions=tuple(fact.value for fact in functions.values()),
            called={**_called_by_cdk(there.of(*_FUNCTIONS)), **self._called},
            alarms=alarms,
            configs={config.name: config for config in configs if config},
            problems=tuple(self._problems),
            defaults={**self._defaults, **by_default},
            open_names=frozenset(resolver.open),
            asked=dict(resolver.asked),
        )

    def _named_twice(
        self, alarms: tuple[TemplateAlarm, ...], released: tuple[ReleasedFunction, ...]
    ) -> Iterator[Problem]:
        """Alarms with the name of another one that is there, too, for each function that they guard."""
        named: dict[str, TemplateAlarm] = {}
        for alarm in alarms:
            name = alarm.defined.name
            other = named.setdefault(name, alarm)
            if other is not alarm and not any(map(self._hangs, (alarm.logical, other.logical))):
                guarded = [one.logical for one in released if name in {fact.value for fact in one.alarms}]
                yield from (_same_name(alarm, other, function) for function in guarded or [""])

    def _hangs(self, logical: str) -> bool:
        """Whether it is not known if a resource is there."""
        condition = self._resolver.resources[logical].get("Condition")
        return condition is not None and self._resolver.condition(condition.text(), condition.line) is None

    def runs(self, template: Path) -> Mapping[str, RunFunction]:
        """How each function runs, by its name."""
        resolver, there, common = self._resolver, self._there, self._globals
        apis = guarded_apis(resolver, self._common)
        runs = [read_code(resolver, *one, common, template, apis) for one in there.of(sam.FUNCTION)]
        runs += [read_code(resolver, *one, None, template, apis) for one in there.of("AWS::Lambda::Function")]
        return {resolver.reference(one.logical, one.line).text(): one for one in runs}

    def silent_hooks(self, release: TemplateRelease, template: Path) -> Iterator[Problem]:
        """What is to be told of hooks that cannot report, or do not."""
        return silent_hooks(self._resolver, release.released, self._globals, template)

    def routed(self, runs: Mapping[str, RunFunction]) -> Mapping[str, RunFunction]:
        """The functions with the routes that the template's APIs give to them, too."""
        routes = invoked_routes(self._resolver, self._there.by_type)
        return {name: _with_routes(name, run, routes) for name, run in runs.items()}

    def _sorted(self) -> _Sorted:
        by_type: dict[str, dict[str, Value]] = {}
        for logical, resource in self._resolver.resources.items():
            kind = resource.get("Type")
            if kind is None:
                told = (
                    _loop(logical, resource, self._resolver)
                    if logical.startswith(LOOP)
                    else _without_type(logical, resource)
                )
                self._problems.append(told)
            elif self._is_there(logical, resource, kind.text()):
                by_type.setdefault(kind.text(), {})[logical] = resource
        return _Sorted(by_type)

    def _is_there(self, logical: str, resource: Value, kind: str) -> bool:
        condition = resource.get("Condition")
        if condition is None:
            return True
        holds = self._resolver.condition(condition.text(), condition.line)
        if kind in _MATTER and holds is not True:
            self._problems.append(_conditional(self._resolver, logical, condition, is_known=holds is False))
        return holds is not False

    def _of_sam(self) -> Iterator[ReleasedFunction]:
        for logical, resource in self._there.of(sam.FUNCTION):
            read = sam.read_sam_function(self._resolver, logical, resource, self._globals)
            self._problems += read.problems
            if read.released:
                yield read.released

    def _of_cloudformation(self) -> Iterator[ReleasedFunction]:
        resolver = self._resolver
        found = (read_alias(resolver, *one) for one in self._there.of(cloudformation.ALIAS))
        aliases = [alias for alias in found if alias]
        groups = {
            resolver.reference(key, one.line).text(): (key, one) for key, one in self._there.of(cloudformation.GROUP)
        }
        for alias in aliases:
            yield released(resolver, alias, groups.get(alias.group.value))
        self._problems += [*self._unused(groups, aliases), *self._split_by_hand()]

    def _unused(self, groups: Mapping[str, tuple[str, Value]], aliases: list[ShiftedAlias]) -> Iterator[Problem]:
        named = {alias.group.value for alias in aliases}
        asked = {problem.line for problem in self._problems if problem.id == "alias-exists"}
        for name, (logical, resource) in groups.items():
            if name not in named and resource.line not in asked and not cloudformation.is_for_servers(resource):
                yield _without_alias(logical, resource)

    def _split_by_hand(self) -> Iterator[Problem]:
        """Aliases that the template itself sends to two versions."""
        for logical, resource in self._there.of(cloudformation.ALIAS):
            if words := cloudformation.weights(self._resolver, resource):
                is_shifted = resource.get("UpdatePolicy") is not None
                yield _split(logical, words, resource.line, is_shifted=is_shifted)


_MATTER = (*_FUNCTIONS, *alarming.TYPES, cloudformation.ALIAS, cloudformation.GROUP, cloudformation.CONFIG)


def _with_routes(name: str, run: RunFunction, routes: tuple[InvokedRoute, ...]) -> RunFunction:
    """A route that is said twice, by an event and by the API's body, is one."""
    found = (*run.routes, *(route.said for route in routes if route.invokes(name)))
    own = {one.value: one for one in reversed(found)}
    # Terraform says of a method what admits its requests, and of another resource what it invokes.
    guarded = run.guarded | {route.said.value for route in routes if route.is_guarded}
    is_2_0 = run.is_handed_2_0 or any(route.is_of_2_0 for route in routes if route.invokes(name))
    return replace(run, routes=tuple(own.values())[::-1], guarded=guarded & own.keys(), is_handed_2_0=is_2_0)


def _called_by_cdk(functions: Iterable[tuple[str, Value]]) -> Mapping[str, str]:
    """Logical ids by the path of the construct, such as `Shop/Basket`, or an end of it that no other one has."""
    found: dict[str, set[str]] = {}
    for logical, resource in functions:
        path = (resource.get("Metadata") or Value({}, 0)).get("aws:cdk:path")
        parts = path.text().removesuffix("/Resource").split("/") if path else []
        for at in range(len(parts)):
            found.setdefault("/".join(parts[at:]), set()).add(logical)
    return {end: next(iter(ones)) for end, ones in found.items() if len(ones) == 1}


def _named(resolver: Resolver, logical: str, resource: Value) -> Fact[str]:
    return Fact(resolver.reference(logical, resource.line).text(), resource.line)


def _conditional(resolver: Resolver, logical: str, condition: Value, *, is_known: bool) -> Problem:
    if is_known:
        text = f"{logical} is not deployed: its condition {condition.text()} does not hold."
        return Problem("condition", "note", text, "", condition.line)
    text = f"Whether {logical} is deployed is not known: it hangs on the condition {condition.text()}."
    advice = resolver.how_to_give([*resolver.needed_by(condition.text())])
    return Problem("condition", "unknown", text, f"{advice[:1].upper()}{advice[1:]}.", condition.line)


def _loop(logical: str, resource: Value, resolver: Resolver) -> Problem:
    """What is to be told of a loop that is left: nothing carries it out, or what it goes over is not known."""
    if not resolver.is_extended:
        text = f"{logical} is no resource: only the transform {EXTENSIONS} carries it out."
        advice = f"Let {EXTENSIONS} stand first in Transform."
        return Problem("template", "error", text, advice, resource.line)
    advice = resolver.how_to_give(names_needed(resolver, resource))
    text = f"What {logical} makes is not known: it hangs on what only the deployment knows."
    return Problem("template", "unknown", text, f"{advice[:1].upper()}{advice[1:]}.", resource.line)


def _without_type(logical: str, resource: Value) -> Problem:
    if logical.startswith("Fn::"):
        text, advice = f"{logical} makes resources that are not read here.", "Run doctor with the processed template."
        return Problem("template", "unknown", text, advice, resource.line)
    text = f"{logical} has no Type: CloudFormation refuses the template."
    return Problem("template", "error", text, "Give it a Type.", resource.line)


def _nested(logical: str, resource: Value) -> Problem:
    text = f"{logical} is a stack of its own: its template is not read."
    return Problem("nested-stack", "note", text, "Run doctor with that template, too.", resource.line)


def _circle(circle: tuple[str, ...], resolver: Resolver) -> Problem:
    text = f"Circular reference: {' → '.join(circle)}. CloudFormation refuses the template."
    return Problem(
        "circular-reference", "error", text, "Take one of the references out.", resolver.resources[circle[0]].line
    )


def _split(logical: str, words: str, line: int, *, is_shifted: bool) -> Problem:
    if is_shifted:
        text = (
            f"The template splits the alias {logical} itself ({words}): CodeDeploy fails a deployment of such an alias."
        )
        return Problem("alias-weights", "error", text, "Take its RoutingConfig out.", line)
    text = f"The template splits the alias {logical} itself ({words}): no alarm stops that canary, and it never ends."
    return Problem("alias-weights", "warning", text, "Have a deployment group shift the alias.", line)


def _same_name(alarm: TemplateAlarm, other: TemplateAlarm, function: str) -> Problem:
    text = f"The alarms {other.logical} and {alarm.logical} have one name, {alarm.defined.name}: the deployment fails."
    return Problem("alarm-exists", "error", text, "Give each a name of its own.", alarm.line, function)


def _without_alias(logical: str, resource: Value) -> Problem:
    text = (
        f"No alias names the group {logical} in an UpdatePolicy: CloudFormation shifts all traffic at once, unless "
        "something else creates its deployments."
    )
    advice = f"Give the alias an UpdatePolicy with {cloudformation.UPDATE_POLICY}."
    return Problem("gradual-shift", "warning", text, advice, resource.line)
