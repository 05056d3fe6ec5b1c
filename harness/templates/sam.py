"""A function of AWS SAM with a DeploymentPreference, as SAM's translator makes an alias and a deployment group of it.

Source: samtranslator, model/preferences/deployment_preference.py and plugins/globals.
"""

from msgspec import Struct

from harness.core.experiment.types import ALL_ROLLBACK_EVENTS, AWS_CONFIGS, AWS_PREFIX
from harness.templates.intrinsics import function_of, references
from harness.templates.names import names_in, placeholder
from harness.templates.release import Fact, Problem, ReleasedFunction
from harness.templates.resolver import Resolver
from harness.templates.sections import Properties
from harness.templates.values import Value

FUNCTION = "AWS::Serverless::Function"
_HOOKS = {"PreTraffic": "BeforeAllowTraffic", "PostTraffic": "AfterAllowTraffic"}
_WITHOUT_ALIAS = (
    "{} has a DeploymentPreference and no AutoPublishAlias: SAM refuses the template, as there is no alias to shift."
)
_WITHOUT_TYPE = "The DeploymentPreference of {} has no Type: SAM refuses the template."
_CARRIED_OUT = ("Ref", "Fn::FindInMap")
"""The functions that SAM carries out in Enabled."""
_OFF = (False, "", "false", "False")
"""What SAM takes for no in Enabled; 0 is one of them, as in Python."""
_ALWAYS_ON = "SAM does not carry out {} in Enabled: the DeploymentPreference of {} is on, whatever that gives."
_PUBLISHED = (
    "SAM publishes a new version of {} only when its CodeUri changes: a deployment that changes only its environment "
    "or its configuration goes live at once, without a canary."
)
_COMPARED = (
    "SAM compares {} as it is written: a deployment that changes only the value of a parameter ({}) publishes no "
    "version, and goes live at once, without a canary."
)


class SamFunction(Struct, frozen=True):
    """What one function of SAM says: its gradual release, or None, and what is to be told of it."""

    released: ReleasedFunction | None
    problems: tuple[Problem, ...] = ()


def read_sam_function(resolver: Resolver, logical: str, resource: Value, common: Value | None) -> SamFunction:
    """One function, with what the Globals say of all."""
    own = resource.get("Properties") or Value({}, resource.line)
    written = merged(common, own) if common else own
    properties = Properties(resolver, written)
    is_always_on = () if resolver.is_extended else _always_on(logical, written)
    preference = properties.part("DeploymentPreference")
    if not [*preference.value.items()] or not (is_always_on or _is_enabled(preference)):
        return SamFunction(None, _unclear_switch(logical, preference))
    alias = properties.text("AutoPublishAlias")
    if not alias.value:
        advice = "Add AutoPublishAlias, such as AutoPublishAlias: live."
        problem = Problem("alias-exists", "error", _WITHOUT_ALIAS.format(logical), advice, preference.line, logical)
        return SamFunction(None, (problem,))
    if not preference.has("Type"):
        advice = "Add a Type, such as Canary10Percent5Minutes."
        problem = Problem("gradual-shift", "error", _WITHOUT_TYPE.format(logical), advice, preference.line, logical)
        return SamFunction(None, (problem,))
    released = _released(resolver, logical, resource.line, alias, preference)
    return SamFunction(released, (*is_always_on, *_published(resolver, logical, written, alias)))


def _always_on(logical: str, written: Value) -> tuple[Problem, ...]:
    """What is told of an Enabled that SAM takes for yes, because it is a function and SAM does not carry it out."""
    preference = written.get("DeploymentPreference")
    enabled = preference.get("Enabled") if preference else None
    called = function_of(enabled) if enabled else None
    if enabled is None or called is None or called[0] in _CARRIED_OUT:
        return ()
    advice = "Write a Ref to a parameter that is true or false, or Fn::FindInMap."
    return (Problem("gradual-shift", "warning", _ALWAYS_ON.format(called[0], logical), advice, enabled.line, logical),)


def _is_enabled(preference: Properties) -> bool:
    """Whether SAM takes Enabled for yes: it does so for all that is not exactly a no."""
    enabled = preference.value.get("Enabled")
    if enabled is not None and names_in(enabled.text()):
        return preference.switch("Enabled", missing=True)
    return enabled is None or enabled.content not in _OFF


def _unclear_switch(logical: str, preference: Properties) -> tuple[Problem, ...]:
    return tuple(
        Problem("gradual-shift", "unknown", f"DeploymentPreference of {logical}: {why.value}.", "", why.line, logical)
        for why in preference.unclear
    )


def _published(resolver: Resolver, logical: str, written: Value, alias: Fact[str]) -> list[Problem]:
    """What is told of changes that go live without a canary, since SAM publishes no version for them."""
    if not Properties(resolver, written).switch("AutoPublishAliasAllProperties", missing=False):
        advice = "Set AutoPublishAliasAllProperties: true if such changes should be canaries, too."
        return [Problem("target-version", "note", _PUBLISHED.format(logical), advice, alias.line, logical)]
    by_parameter = [name for name in dict.fromkeys(references(written)) if name in resolver.parameters]
    if resolver.is_extended or not by_parameter:
        return []
    text, advice = _COMPARED.format(logical, ", ".join(by_parameter)), "Put AWS::LanguageExtensions before SAM."
    return [Problem("target-version", "note", text, advice, alias.line, logical)]


def _released(
    resolver: Resolver, logical: str, line: int, alias: Fact[str], preference: Properties
) -> ReleasedFunction:
    config = preference.text("Type")
    full = f"{AWS_PREFIX}{config.value}" if config.value in AWS_CONFIGS else config.value
    hooks = preference.part("Hooks")
    alarms = tuple(Fact(one.text(), one.line) for one in preference.listed("Alarms"))
    return ReleasedFunction(
        logical=logical,
        line=line,
        by="sam",
        function=resolver.reference(logical, line).text(),
        alias=alias,
        version=placeholder(f"{logical}.Version.Version"),
        application=placeholder("ServerlessDeploymentApplication"),
        group=Fact(placeholder(f"{logical}DeploymentGroup"), preference.line),
        config=Fact(full, config.line),
        alarms=alarms,
        alarms_line=preference.line_of("Alarms"),
        alarms_enabled=bool(alarms),
        rollback_events=ALL_ROLLBACK_EVENTS,
        rollback_line=preference.line,
        hooks={event: hooks.text(key) for key, event in _HOOKS.items() if hooks.has(key)},
        has_own_role=preference.has("Role"),
        unclear=tuple(preference.unclear),
    )


def merged(common: Value, own: Value) -> Value:
    """Globals with a function's own properties over them: maps are merged, lists joined, the rest replaced."""
    if isinstance(common.content, dict) and isinstance(own.content, dict) and not (_calls(common) or _calls(own)):
        both = {**common.content, **own.content}
        mine, theirs = own.content, common.content
        return Value({k: merged(theirs[k], mine[k]) if k in mine and k in theirs else both[k] for k in both}, own.line)
    if isinstance(common.content, tuple) and isinstance(own.content, tuple):
        return Value((*common.content, *own.content), own.line)
    return own


def _calls(value: Value) -> bool:
    names = [name for name, _ in value.items()]
    return len(names) == 1 and (names[0] == "Ref" or names[0].startswith("Fn::"))
