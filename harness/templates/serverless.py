"""A serverless.yml as the template that the Serverless Framework packages, with the plugins that matter to a release.

Only what a release is made of is written: functions, versions, the resources of the file, and what
serverless-plugin-canary-deployments (or Flagsmith's fork) and serverless-plugin-aws-alerts add.
Source: the framework's lib/plugins/aws, and the plugins themselves.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from harness.templates.places import Places
from harness.templates.release import Fact, Problem
from harness.templates.serverless_alerts import alerts
from harness.templates.serverless_canary import canaries
from harness.templates.serverless_service import (
    NOTHING,
    ServerlessFunction,
    Service,
    joined,
    laid_over,
    normalized,
    read_service,
)
from harness.templates.translated import Translated
from harness.templates.values import Value, made
from harness.templates.variables import Variables

_SECTIONS = ("Parameters", "Mappings", "Conditions", "Resources")
LAYER = "AWS::Lambda::LayerVersion"
_TIMEOUT_S, _MEMORY_MB = 6, 1024


def is_serverless(whole: Value) -> bool:
    """Whether this is a serverless.yml: it has a service and a provider."""
    return whole.get("service") is not None and whole.get("provider") is not None and whole.get("Resources") is None


def translate(
    path: Path, whole: Value, given: Mapping[str, str], environment: Mapping[str, str], places: Places
) -> Translated:
    """The template of a serverless.yml. Raises TemplateError where the framework would refuse it."""
    variables = Variables(path, whole, given, environment, places)
    service = read_service(variables, whole)
    problems: list[Problem] = []
    resources = {**dict(_functions(service)), **dict(_layers(variables.at("layers") or NOTHING))}
    _add(resources, alerts(service, problems))
    own = _own_sections(variables)
    _add(resources, own.pop("Resources", NOTHING).items())
    _add(resources, canaries(service, resources, problems))
    asked = {name: made({"Type": "String"}, line) for name, (_, line) in variables.asked.items()}
    parameters = {**dict(own.pop("Parameters", NOTHING).items()), **asked}
    template = {**own, "Parameters": Value(parameters, 1), "Resources": Value(resources, whole.line)}
    return Translated(
        template=Value(template, whole.line),
        problems=tuple(problems),
        defaults={name: Fact(value.text(), value.line) for name, value in variables.defaults.items()},
        used=frozenset(variables.used),
        called={function.key: function.logical for function in service.functions},
        invokes_aliases=True,  # so the canary plugin does
    )


def _add(resources: dict[str, Value], more: Iterator[tuple[str, Value]]) -> None:
    for logical, resource in [*more]:
        resources[logical] = laid_over(resources[logical], resource) if logical in resources else resource


def _own_sections(variables: Variables) -> dict[str, Value]:
    """What the file says under `resources`: one map, or a list of them; its extensions are laid over the rest."""
    whole = variables.at("resources") or NOTHING
    sections: dict[str, Value] = {}
    for part in whole.parts() or (whole,):
        for name in _SECTIONS:
            found = part.get(name)
            if found:
                sections[name] = laid_over(sections.get(name, NOTHING), found)
        extensions = part.get("extensions")
        if extensions:
            sections["Resources"] = laid_over(sections.get("Resources", NOTHING), extensions)
    return sections


def _functions(service: Service) -> Iterator[tuple[str, Value]]:
    for function in service.functions:
        yield function.logical, _function(service, function)
        version = {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": function.logical}}}
        yield function.version, made(version, function.line)


def _layers(layers: Value) -> Iterator[tuple[str, Value]]:
    """The layers that the service brings itself."""
    for key, says in layers.items():
        files = (says.get("package") or NOTHING).get("artifact") or says.get("path")
        properties = {"LayerName": says.get("name") or key, "Content": files}
        yield f"{normalized(key)}LambdaLayer", made({"Type": LAYER, "Properties": properties}, says.line)


def _function(service: Service, function: ServerlessFunction) -> Value:
    own, general = function.says, service.provider
    environment = laid_over(general.get("environment") or NOTHING, own.get("environment") or NOTHING)
    properties = {
        "FunctionName": own.get("name") or joined(service.prefix, f"-{function.key}"),
        "Handler": own.get("handler"),
        "Runtime": own.get("runtime") or general.get("runtime"),
        "PackageType": "Image" if own.get("image") else None,
        "Code": (own.get("package") or NOTHING).get("artifact") or ".",
        "Timeout": own.get("timeout") or general.get("timeout") or _TIMEOUT_S,
        "MemorySize": own.get("memorySize") or general.get("memorySize") or _MEMORY_MB,
        "Environment": {"Variables": environment} if environment.content else None,
        "Layers": own.get("layers") or general.get("layers"),
        "Events": dict(_requests(own.get("events") or NOTHING)),
    }
    resource = {"Type": "AWS::Lambda::Function", "Condition": own.get("condition"), "Properties": properties}
    return made(resource, function.line)


def _requests(events: Value) -> Iterator[tuple[str, Value]]:
    """The events that are requests, as SAM has them."""
    for index, event in enumerate(events.parts()):
        for key in ("http", "httpApi"):
            said = event.get(key)
            if said:
                words = said.text().split() if not isinstance(said.content, dict) else []
                method, path = words if len(words) == 2 else (said.get("method"), said.get("path"))
                auth = {
                    "Authorizer": "its own" if said.get("authorizer") else None,
                    "ApiKeyRequired": said.get("private"),
                }
                if key == "httpApi" and "*" in (said.content, path.content if isinstance(path, Value) else path):
                    yield f"Request{index}", made({"Type": "HttpApi", "Properties": {"Auth": auth}}, said.line)
                elif method and path:
                    says = {"Method": method, "Path": path, "Auth": auth}
                    yield f"Request{index}", made({"Type": "Api", "Properties": says}, said.line)
