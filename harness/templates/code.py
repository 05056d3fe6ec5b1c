"""The code of a template's functions, as far as it is on this machine, and the settings that it runs with."""

import re
from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import replace

from harness.core.experiment.types import FunctionCode
from harness.templates.layers import FunctionLayers, layers_of, local_path
from harness.templates.names import names_in
from harness.templates.release import Fact, RunFunction
from harness.templates.resolver import Resolver
from harness.templates.routes import DEFAULT_ROUTE
from harness.templates.sam import merged
from harness.templates.sections import Properties
from harness.templates.values import Value

_RUNTIMES = re.compile(r"python3\.\d+|nodejs\d+\.x")
_SUFFIXES = {"python": (".py",), "nodejs": (".js", ".mjs", ".cjs")}
_REQUESTS = ("Api", "HttpApi")
_UNBUILT = (".ts", ".mts", ".tsx")


def read_code(
    resolver: Resolver, logical: str, resource: Value, common: Value | None, template: Path, guarded: frozenset[str]
) -> RunFunction:
    """How a function runs, with what the Globals say of all; its code is looked for from the template's folder on.

    `guarded` are the APIs of SAM that have a default authorizer.
    """
    own = resource.get("Properties") or Value({}, resource.line)
    properties = Properties(resolver, merged(common, own) if common else own)
    folder = template if template.is_dir() else template.parent
    layers = layers_of(resolver, properties, folder)
    code, why_not = _code(properties, resource, folder, layers)
    events = properties.part("Events")
    routes = [*_routes(events, guarded)]
    variables = properties.part("Environment").part("Variables")
    return RunFunction(
        logical=logical,
        line=resource.line,
        environment={name: variables.text(name) for name, _ in variables.value.items()},
        timeout=properties.text("Timeout", "3"),
        memory=properties.text("MemorySize", "128"),
        routes=tuple(route for route, _ in routes),
        guarded=frozenset(route.value for route, is_guarded in routes if is_guarded),
        apis=frozenset(_apis(resolver, events)),
        is_handed_2_0=any(_is_of_format_2_0(one, events.part(name)) for name, one in events.value.items()),
        code=code,
        layers_elsewhere=layers.elsewhere,
        why_not=why_not,
    )


def _routes(events: Properties, guarded: frozenset[str]) -> Iterator[tuple[Fact[tuple[str, str]], bool]]:
    """Method and path of each event that is a request, and whether something admits it."""
    for name, event in events.value.items():
        says = events.part(name).part("Properties")
        kind = (event.get("Type") or Value("", 0)).text()
        if kind == "HttpApi" and says.text("Path", DEFAULT_ROUTE).value == DEFAULT_ROUTE:
            yield Fact(("any", "/"), event.line), _is_guarded(says, kind, guarded)
        elif kind in _REQUESTS and says.has("Path"):
            path = says.text("Path")
            route = Fact((says.text("Method", "ANY").value.lower(), path.value), path.line)
            yield route, _is_guarded(says, kind, guarded)


def _is_of_format_2_0(event: Value, says: Properties) -> bool:
    """As SAM has the events of an HTTP API, unless told."""
    kind = (event.get("Type") or Value("", 0)).text()
    return kind == "HttpApi" and says.part("Properties").text("PayloadFormatVersion", "2.0").value == "2.0"


def _apis(resolver: Resolver, events: Properties) -> Iterator[tuple[str, str]]:
    """The dimension that counts each API of the events, where the template says its value."""
    for name, event in events.value.items():
        kind = (event.get("Type") or Value("", 0)).text()
        says = events.part(name).part("Properties")
        if kind == "HttpApi":
            yield "ApiId", says.text("ApiId", "${ServerlessHttpApi}").value
        elif kind == "Api":
            own = resolver.resources.get(next(iter(names_in(says.text("RestApiId").value)), ""), Value({}, 0))
            api = Properties(resolver, own.get("Properties") or Value({}, own.line))
            yield from (("ApiName", called) for called in [api.text("Name").value] if called)


def _is_guarded(event: Properties, kind: str, guarded: frozenset[str]) -> bool:
    auth = event.part("Auth")
    own = auth.text("Authorizer").value
    if auth.switch("ApiKeyRequired", missing=False) or own:
        return own != "NONE"
    api = event.text("RestApiId" if kind == "Api" else "ApiId").value
    return next(iter(names_in(api)), kind) in guarded


def _code(
    properties: Properties, resource: Value, folder: Path, layers: FunctionLayers
) -> tuple[FunctionCode | None, str]:
    """The code, or why it cannot run here."""
    runtime, entry = properties.text("Runtime").value, properties.text("Handler").value
    if properties.text("PackageType").value == "Image" or properties.has("ImageUri"):
        return None, "it is a container image"
    if not _RUNTIMES.fullmatch(runtime) or names_in(entry):
        said = f"its runtime is {runtime}" if runtime else "the template does not say its runtime"
        return None, f"{said}, and a rehearsal runs Python and Node"
    if layers.why_not:
        return None, layers.why_not
    code = FunctionCode(handler=entry, runtime=runtime, layers=layers.paths)
    inline = properties.text("InlineCode").value or properties.part("Code").text("ZipFile").value
    if inline:
        return replace(code, inline=inline), ""
    path = local_path(properties, resource)
    if path is None or names_in(path):
        return None, "its code is not on this machine"
    found = folder / path
    why_not = _why_not_there(found, runtime, entry)
    return (None, why_not) if why_not else (replace(code, path=str(found.resolve())), "")


def _why_not_there(path: Path, runtime: str, entry: str) -> str:
    """Why code cannot run from a path; empty where it can, as far as the names of its files say."""
    if not path.exists():
        return f"there is no {path}; build it first"
    if not path.is_dir():
        return ""
    module = entry.rpartition(".")[0]
    stems = {module, module.replace(".", "/")}
    suffixes = next(found for word, found in _SUFFIXES.items() if runtime.startswith(word))
    if any((path / f"{stem}{suffix}").is_file() for stem in stems for suffix in suffixes):
        return ""
    if any((path / f"{stem}{suffix}").is_file() for stem in stems for suffix in _UNBUILT):
        return f"{path} has the handler {entry} in TypeScript; build it, and give the built template"
    package = runtime.startswith("python") and any((path / stem).is_dir() for stem in stems)
    return "" if package else f"{path} has no file for the handler {entry}"
