"""What a serverless.yml says of its service: names, functions and plugins, its variables filled in."""

from collections.abc import Iterator

from msgspec import Struct

from harness.errors import TemplateError
from harness.templates.places import Places
from harness.templates.release import Problem
from harness.templates.values import Value, made
from harness.templates.variables import Variables

CANARY = "plugin-canary-deployments"
FLAGSMITH = "@flagsmith/serverless-plugin-canary-deployments"
ALERTS = "serverless-plugin-aws-alerts"
ROLES = "serverless-iam-roles-per-function"
NOTHING = Value({}, 0)


class ServerlessFunction(Struct, frozen=True):
    """One function: its key, what the file says of it, and the line of the key."""

    key: str
    says: Value
    line: int

    @property
    def logical(self) -> str:
        """Its logical id in the template."""
        return logical_id(self.key)

    @property
    def version(self) -> str:
        """The logical id of its version; the framework adds a hash to it."""
        return f"{normalized(self.key)}LambdaVersion"


class Service(Struct, frozen=True, kw_only=True):
    """The service. `stage` and `stack` are texts, or functions of CloudFormation where a variable is not known."""

    name: Value
    stage: Value
    stack: Value
    provider: Value
    custom: Value
    functions: tuple[ServerlessFunction, ...]
    plugins: tuple[str, ...]
    line: int
    places: Places

    @property
    def prefix(self) -> Value:
        """What the names of functions begin with."""
        return joined(self.name, "-", self.stage)

    def wrong(self, line: int, problem: str) -> TemplateError:
        """What is raised for a file that the framework or CloudFormation refuses."""
        file, own = self.places.of(line)
        return TemplateError(file, own, problem)

    def has_plugin(self, name: str) -> bool:
        """Whether a plugin, or a fork whose name ends so, is in the list."""
        return any(plugin.endswith(name) for plugin in self.plugins)


def read_service(variables: Variables, whole: Value) -> Service:
    """The service of a file. Raises TemplateError for one that has no name."""
    named = variables.at("service", "name") or variables.at("service") or Value("", whole.line)
    stage = variables.stage(named.line)
    return Service(
        name=named,
        stage=stage,
        stack=variables.at("provider", "stackName") or joined(named, "-", stage),
        provider=variables.at("provider") or NOTHING,
        custom=variables.at("custom") or NOTHING,
        functions=tuple(_functions(variables.at("functions") or NOTHING)),
        plugins=tuple(_plugins(variables.at("plugins") or NOTHING)),
        line=whole.line,
        places=variables.places,
    )


def _functions(value: Value) -> Iterator[ServerlessFunction]:
    """The functions of a map, or of a list of maps."""
    for part in value.parts() or (value,):
        yield from (ServerlessFunction(key, says, says.line) for key, says in part.items())


def _plugins(value: Value) -> Iterator[str]:
    listed = value.get("modules") or value
    yield from (part.text() for part in listed.parts())


def normalized(key: str) -> str:
    """A name as the framework writes it into a logical id."""
    plain = key.replace("-", "Dash").replace("_", "Underscore")
    return plain[:1].upper() + plain[1:]


def logical_id(key: str) -> str:
    """The logical id of the function of a key."""
    return f"{normalized(key)}LambdaFunction"


def joined(*pieces: Value | str) -> Value:
    """Pieces as one text; a function of CloudFormation where one of them is not known."""
    line = next((piece.line for piece in pieces if isinstance(piece, Value)), 0)
    if any(isinstance(piece, Value) and is_call(piece) for piece in pieces):
        return made({"Fn::Join": ["", [*pieces]]}, line)
    return Value("".join(piece if isinstance(piece, str) else piece.text() for piece in pieces), line)


def is_call(value: Value) -> bool:
    """Whether a value is no plain text or number: a function of CloudFormation, where one of the two must be."""
    return isinstance(value.content, dict | tuple)


def laid_over(under: Value, over: Value) -> Value:
    """One value over another: maps are merged, all else is replaced."""
    if not isinstance(under.content, dict) or not isinstance(over.content, dict):
        return over
    both = {**under.content}
    for key, part in over.content.items():
        both[key] = laid_over(both[key], part) if key in both else part
    return Value(both, over.line)


def in_stages(stage: Value, stages: Value | None) -> bool | None:
    """Whether a list of stages has this one, or there is no list; None where one of them is not known."""
    if stages is None or stages.content is None:
        return True
    if any(stage.text() == one.text() for one in stages.parts()) and not is_call(stage):
        return True
    return None if is_call(stage) or isinstance(stages.content, dict) or any(map(is_call, stages.parts())) else False


def not_known_here(setting: str, line: int, function: str = "") -> Problem:
    """What is told where a stage decides whether a plugin acts, and is not known."""
    text = f"Whether {setting} counts is not known: its stages hang on what is not known here."
    return Problem("gradual-shift", "unknown", text, "Give --parameter opt:stage=… .", line, function)
