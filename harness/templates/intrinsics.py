"""A small reader of CloudFormation's intrinsic functions and conditions: what a value is, as far as the template says.

What only AWS or the command line knows stays a name in the text (see `names`), and is listed in `asked`, with the
reason and the option that gives it.
"""

import difflib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from harness.errors import TemplateError
from harness.templates.names import literal, names_in, pieces, placeholder
from harness.templates.places import Places
from harness.templates.values import Value

NO_VALUE = "AWS::NoValue"
PSEUDO = frozenset(
    f"AWS::{name}"
    for name in ("AccountId", "NoValue", "NotificationARNs", "Partition", "Region", "StackId", "StackName", "URLSuffix")
)
"""The names that every template may refer to (CloudFormation's user guide, pseudo parameters)."""
EXTENSIONS = "AWS::LanguageExtensions"
"""The transform that carries functions out before SAM reads the template, where it stands before it."""
_NOTIFIED = "AWS::NotificationARNs"
"""A list, and an empty one unless the deployment names topics: hardly one does."""
_NAMED_BY = {
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::CloudWatch::CompositeAlarm": "AlarmName",
    "AWS::CodeDeploy::Application": "ApplicationName",
    "AWS::CodeDeploy::DeploymentConfig": "DeploymentConfigName",
    "AWS::CodeDeploy::DeploymentGroup": "DeploymentGroupName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Serverless::Function": "FunctionName",
}
"""The property that is a resource's name; what Ref gives for one of these types."""
_FUNCTIONS = ("AWS::Lambda::Function", "AWS::Serverless::Function")
_ALARMS = ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm")
ALARM_ARN = "arn:aws:cloudwatch:region:account:alarm:"
"""What an alarm's ARN begins with; only its name matters here, which is what a composite's rule is read by."""
_DYNAMIC = re.compile(r"\{\{resolve:([^}]+)\}\}")
_IN_SUB = re.compile(r"\$\{(!?)([^}]+)\}")


class MissingName(Struct, frozen=True):
    """Something that the template does not say: its name, why not, and the line where it is needed.

    `on` are the names that it hangs on, where none of its own can be given.
    """

    name: str
    why: str
    line: int
    on: tuple[str, ...] = ()

    @property
    def option(self) -> str:
        """The option that gives it."""
        return f"--parameter '{self.name}=…'" if ":" in self.name else f"--parameter {self.name}=…"


def _closest(name: str) -> str:
    """What a name may have been meant to be."""
    found = difflib.get_close_matches(name, PSEUDO, n=1)
    return f"; did you mean {found[0]}?" if found else ""


def how_to_give(asked: Mapping[str, MissingName], names: Sequence[str]) -> str:
    """The options that give what is missing; where a name hangs on others, theirs."""
    options = [*dict.fromkeys(option for name in names for option in _options(asked, name))]
    return f"give {' and '.join(options)}" if options else "it hangs on what is not known"


def _options(asked: Mapping[str, MissingName], name: str) -> Iterator[str]:
    one = asked.get(name)
    if one is not None and not one.on:
        yield one.option
    for other in one.on if one else ():
        yield from _options(asked, other)


class Resolver:
    """Reads the values of one template with the parameters that were given; `asked` is what was missing so far."""

    def __init__(self, template: Value, given: Mapping[str, str], places: Places) -> None:
        self.places = places
        self.given = given
        self.asked: dict[str, MissingName] = {}
        self.open: set[str] = set()
        self.used: set[str] = set()
        self.defaults: dict[str, Value] = {}
        self._sections = {
            name: dict((template.get(name) or Value(None, 0)).items())
            for name in ("Parameters", "Mappings", "Conditions", "Resources")
        }
        self._under_way: list[str] = []
        transforms = template.get("Transform") or Value(None, 0)
        self.is_extended = EXTENSIONS in [one.text() for one in transforms.parts()][:-1]

    def wrong(self, line: int, problem: str) -> TemplateError:
        """What is raised for a template that is wrong on a line."""
        file, own = self.places.of(line)
        return TemplateError(file, own, problem)

    @property
    def resources(self) -> Mapping[str, Value]:
        """The resources by their logical ids, whatever their condition."""
        return self._sections["Resources"]

    @property
    def mappings(self) -> Value:
        """The tables that Fn::FindInMap reads."""
        return Value(self._sections["Mappings"], 0)

    @property
    def parameters(self) -> Mapping[str, Value]:
        """The parameters that the template declares."""
        return self._sections["Parameters"]

    def value(self, value: Value) -> Value:
        """The value with its functions carried out; AWS::NoValue is left out of maps and lists."""
        function = function_of(value)
        if function:
            name, argument = function
            return _READERS.get(name, _not_read)(self, argument, name)
        if isinstance(value.content, str):
            return Value(self._dynamic(value), value.line)
        if isinstance(value.content, tuple):
            return Value(tuple(part for part in map(self.value, value.content) if not _is_left_out(part)), value.line)
        if isinstance(value.content, dict):
            pairs = ((key, self.value(part)) for key, part in value.content.items())
            return Value({key: part for key, part in pairs if not _is_left_out(part)}, value.line)
        return value

    def _dynamic(self, value: Value) -> str:
        """A text whose dynamic references are names."""

        def named(found: re.Match[str]) -> str:
            return self.unknown(found[1], "it is a dynamic reference, which only AWS resolves", value.line)

        return _DYNAMIC.sub(named, literal(str(value.content)))

    def unknown(self, name: str, why: str, line: int) -> str:
        """What was given for a name that the template does not explain; else a name that stands for it."""
        if name in self.given:
            self.used.add(name)
            return literal(self.given[name])
        self.asked.setdefault(name, MissingName(name, why, line))
        self.open.add(name)
        return placeholder(name)

    def is_open(self, name: str) -> bool:
        """Whether a name that is not known yet may turn out as anything; that of a resource is of this stack alone."""
        return name in self.open

    def how_to_give(self, names: Sequence[str]) -> str:
        """What is missing, and the options that give it."""
        return how_to_give(self.asked, names)

    def hanging(self, name: str, on: Iterable[str], line: int) -> Value:
        """A name for what hangs on other names that are not known, and so may be anything."""
        self.asked[name] = MissingName(name, "it hangs on others", line, tuple(on))
        self.open.add(name)
        return Value(placeholder(name), line)

    def needed_by(self, condition: str) -> Iterator[str]:
        """The names that are not known, and on which a condition hangs."""
        seen, left = set[str](), [condition]
        while left:
            declared = self._sections["Conditions"].get(name := left.pop())
            if declared is not None and name not in seen:
                seen.add(name)
                names = [*references(declared, "Condition")]
                left += names
                yield from (found for found in names if found in self.asked)

    def reference(self, name: str, line: int) -> Value:
        """What Ref gives."""
        if name in self.parameters:
            return self._parameter(name, line)
        if name == _NOTIFIED:
            return _of_type("CommaDelimitedList", self.given[name], line) if name in self.given else Value((), line)
        if name in PSEUDO:
            return Value(NO_VALUE if name == NO_VALUE else self._pseudo(name, line), line)
        resource, _, attribute = name.partition(".")
        if name in self.resources:
            return Value(self._physical(name), line)
        if resource in self.resources and attribute in ("Alias", "Version"):  # as SAM lets them be referred to
            return Value(self._arn_of_sam(resource, attribute), line)
        if self._is_made_by_sam(resource):
            return Value(placeholder(name), line)
        if name.startswith("AWS::"):
            raise self.wrong(line, f"{name} is no pseudo parameter of CloudFormation{_closest(name)}")
        raise self.wrong(line, f"{name} is referred to, and is neither a resource nor a parameter")

    def _pseudo(self, name: str, line: int) -> str:
        return self.unknown(name, "only the deployment knows it", line)

    def _parameter(self, name: str, line: int) -> Value:
        declared = self.parameters[name]
        kind, default = _text_of(declared.get("Type")), declared.get("Default")
        if name in self.given:
            return _of_type(kind, self.given[name], line)
        if kind.startswith("AWS::SSM::"):
            return Value(self.unknown(name, "its value is in the Parameter Store", line), line)
        if default is None:
            return Value(self.unknown(name, "the parameter has no default", declared.line), line)
        self.defaults.setdefault(name, default)
        return _of_type(kind, default.text(), line)

    def check_given(self) -> None:
        """Raises TemplateError for a parameter with a value that the template does not allow."""
        for name in self.given.keys() & self.parameters.keys():
            self._check_allowed(name, self.parameters[name])

    def _check_allowed(self, name: str, declared: Value) -> None:
        listed = declared.get("AllowedValues") or Value((), declared.line)
        allowed = [one.text() for one in listed.parts()]
        values = (
            [one.strip() for one in self.given[name].split(",")] if "List" in _text_of(declared.get("Type")) else []
        )
        if allowed and not {*(values or [self.given[name]])} <= {*allowed}:
            raise self.wrong(
                listed.line, f"the parameter {name} is one of {', '.join(allowed)}, not {self.given[name]}"
            )

    def _physical(self, logical: str) -> str:
        """What Ref gives for a resource: its name, or the ARN of an alias or version."""
        resource = self.resources[logical]
        kind, properties = _text_of(resource.get("Type")), resource.get("Properties")
        if kind == "AWS::Lambda::Alias" and properties:
            return f"{self._function_arn(properties)}:{self._own(properties, 'Name', logical)}"
        if kind == "AWS::Lambda::Version" and properties:
            return f"{self._function_arn(properties)}:{placeholder(f'{logical}.Version')}"
        named = properties.get(_NAMED_BY[kind]) if properties and kind in _NAMED_BY else None
        if named is None:
            return placeholder(logical)
        with_name = self.within(logical, named)
        return placeholder(logical) if _is_left_out(with_name) else with_name.text()

    def _own(self, properties: Value, key: str, logical: str) -> str:
        found = properties.get(key)
        return self.within(logical, found).text() if found else placeholder(logical)

    def _function_arn(self, properties: Value) -> str:
        function = self._own(properties, "FunctionName", "function")
        return function if function.startswith("arn:") else f"{self._arn()}{function}"

    def _arn(self) -> str:
        partition, region, account = (self._pseudo(f"AWS::{name}", 0) for name in ("Partition", "Region", "AccountId"))
        return f"arn:{partition}:lambda:{region}:{account}:function:"

    def _arn_of_sam(self, resource: str, attribute: str) -> str:
        properties = self.resources[resource].get("Properties")
        alias = properties.get("AutoPublishAlias") if properties else None
        last = self.value(alias).text() if alias and attribute == "Alias" else placeholder(f"{resource}.{attribute}")
        return f"{self._arn()}{self._physical(resource)}:{last}"

    def within(self, logical: str, value: Value) -> Value:
        """The value, while a resource is being named. Raises TemplateError where its name needs its own name."""
        if logical in self._under_way:
            chain = " → ".join([*self._under_way[self._under_way.index(logical) :], logical])
            raise self.wrong(value.line, f"circular reference: {chain}")
        self._under_way.append(logical)
        try:
            return self.value(value)
        finally:
            self._under_way.pop()

    def attribute(self, logical: str, attribute: str, line: int) -> Value:
        """What Fn::GetAtt gives."""
        if logical not in self.resources:
            return Value(placeholder(f"{self.reference(logical, line).text()[2:-1]}.{attribute}"), line)
        kind = _text_of(self.resources[logical].get("Type"))
        if attribute == "Arn" and kind in _FUNCTIONS:
            return Value(f"{self._arn()}{self._physical(logical)}", line)
        if attribute == "Arn" and kind in _ALARMS:
            return Value(f"{ALARM_ARN}{self._physical(logical)}", line)
        if attribute == "AliasArn" and kind == "AWS::Lambda::Alias":
            return Value(self._physical(logical), line)
        return Value(placeholder(f"{logical}.{attribute}"), line)

    def _is_made_by_sam(self, name: str) -> bool:
        functions = (key for key, one in self.resources.items() if _text_of(one.get("Type")).startswith("AWS::Serv"))
        return name.startswith("Serverless") or any(name.startswith(key) for key in functions)

    # Conditions

    def condition(self, name: str, line: int) -> bool | None:
        """Whether a condition holds; None where that hangs on what is not known here."""
        declared = self._sections["Conditions"].get(name)
        if declared is None:
            raise self.wrong(line, f"there is no condition {name}")
        return self.holds_within(f"condition {name}", declared)

    def holds_within(self, name: str, value: Value) -> bool | None:
        """The same of an expression, while a condition is looked at."""
        if name in self._under_way:
            raise self.wrong(value.line, f"circular reference: {name} needs itself")
        self._under_way.append(name)
        try:
            return self.holds(value)
        finally:
            self._under_way.pop()

    def holds(self, value: Value) -> bool | None:
        """Whether an expression holds; None where that hangs on what is not known here."""
        function = function_of(value)
        if function is None:
            return {"true": True, "false": False}.get(value.text().lower())
        name, argument = function
        if name == "Condition":
            return self.condition(argument.text(), argument.line)
        if name == "Fn::Equals":
            return self._equal(argument)
        read = {"Fn::And": _all, "Fn::Or": _any, "Fn::Not": _not}.get(name)
        return read([self.holds(part) for part in argument.parts()]) if read else None

    def _equal(self, argument: Value) -> bool | None:
        sides = [self.value(part).text() for part in argument.parts()]
        if len(sides) != 2:
            return None
        if sides[0] == sides[1]:
            return True
        return None if any(names_in(side) for side in sides) else False


def function_of(value: Value) -> tuple[str, Value] | None:
    """The function that a value calls, and its argument."""
    if not isinstance(value.content, dict) or len(value.content) != 1:
        return None
    name, argument = next(iter(value.content.items()))
    is_one = name in ("Ref", "Condition") or name.startswith("Fn::")
    return (name, argument) if is_one else None


def _is_left_out(value: Value) -> bool:
    return value.content == NO_VALUE


def _text_of(value: Value | None) -> str:
    return value.text() if value else ""


def _of_type(kind: str, text: str, line: int) -> Value:
    """What a parameter of a type gives: a list of texts, or a text."""
    if kind == "CommaDelimitedList" or kind.startswith("List<"):
        return Value(tuple(Value(literal(part.strip()), line) for part in text.split(",")), line)
    return Value(literal(text), line)


# The functions


def _ref(resolver: Resolver, argument: Value, _: str) -> Value:
    return resolver.reference(argument.text(), argument.line)


def _get_att(resolver: Resolver, argument: Value, _: str) -> Value:
    words = [part.text() for part in argument.parts()] or argument.text().split(".", 1)
    if len(words) != 2:
        raise resolver.wrong(argument.line, "Fn::GetAtt takes a resource and its attribute")
    return resolver.attribute(words[0], words[1], argument.line)


def _sub(resolver: Resolver, argument: Value, _: str) -> Value:
    text, own = (argument, Value({}, argument.line)) if not argument.parts() else (*argument.parts(), Value({}, 0))[:2]

    def filled(found: re.Match[str]) -> str:
        escaped, name = found[1], found[2].strip()
        if escaped:
            return literal(f"${{{name}}}")
        given = own.get(name)
        if given:
            return resolver.value(given).text()
        resource, _, attribute = name.partition(".")
        if attribute and resource in resolver.resources and attribute not in ("Alias", "Version"):
            return resolver.attribute(resource, attribute, text.line).text()
        return resolver.reference(name, text.line).text()

    return Value(_IN_SUB.sub(filled, text.text()), argument.line)


def _join(resolver: Resolver, argument: Value, name: str) -> Value:
    parts = argument.parts()
    listed = resolver.value(parts[1]) if len(parts) == 2 else None
    if listed is None or not isinstance(listed.content, tuple):
        return _not_read(resolver, argument, name)
    return Value(parts[0].text().join(part.text() for part in listed.content), argument.line)


def _split(resolver: Resolver, argument: Value, name: str) -> Value:
    parts = argument.parts()
    if len(parts) != 2:
        return _not_read(resolver, argument, name)
    text = resolver.value(parts[1]).text()
    return Value(tuple(Value(piece, argument.line) for piece in pieces(text, parts[0].text())), argument.line)


def _select(resolver: Resolver, argument: Value, name: str) -> Value:
    parts = argument.parts()
    index = resolver.value(parts[0]).text() if parts else ""
    listed = resolver.value(parts[1]).parts() if len(parts) == 2 else ()
    if not index.isdecimal() or int(index) >= len(listed):
        return _not_read(resolver, argument, name)
    return listed[int(index)]


def _find_in_map(resolver: Resolver, argument: Value, name: str) -> Value:
    keys = [resolver.value(part).text() for part in argument.parts()[:3]]
    found: Value | None = resolver.mappings
    for key in keys:
        found = found.get(key) if found else None
    if found is not None and len(keys) == 3:
        return resolver.value(found)
    if any(names_in(key) for key in keys):
        open_here = (found for key in keys for found in names_in(key))
        return resolver.hanging(f"{name} {'.'.join(map(_bare, keys))}", open_here, argument.line)
    default = argument.parts()[3].get("DefaultValue") if len(argument.parts()) == 4 else None
    if default:
        return resolver.value(default)
    raise resolver.wrong(argument.line, f"{name} finds no {'.'.join(keys)} in the Mappings")


def _length(resolver: Resolver, argument: Value, name: str) -> Value:
    listed = resolver.value(argument)
    if not isinstance(listed.content, tuple):
        return _not_read(resolver, argument, name)
    return Value(len(listed.content), argument.line)


def _if(resolver: Resolver, argument: Value, name: str) -> Value:
    parts = argument.parts()
    if len(parts) != 3:
        raise resolver.wrong(argument.line, "Fn::If takes a condition and two values")
    holds = resolver.condition(parts[0].text(), parts[0].line)
    if holds is None:
        condition = parts[0].text()
        return resolver.hanging(f"{name} {condition}", resolver.needed_by(condition), argument.line)
    return resolver.value(parts[1 if holds else 2])


def _bare(text: str) -> str:
    """A text that can stand within a name."""
    return text.replace("${", "").replace("}", "")


def _import(resolver: Resolver, argument: Value, _: str) -> Value:
    name = resolver.value(argument).text()
    return Value(resolver.unknown(name, "it is imported from another stack", argument.line), argument.line)


def _to_json(resolver: Resolver, argument: Value, _: str) -> Value:
    return Value(json.dumps(_plain(resolver.value(argument)), separators=(",", ":")), argument.line)


def _plain(value: Value) -> object:
    """A value as JSON has it; its texts may have names in them that are not known yet."""
    if isinstance(value.content, dict):
        return {key: _plain(part) for key, part in value.content.items()}
    return [*map(_plain, value.content)] if isinstance(value.content, tuple) else value.content


def _not_read(resolver: Resolver, argument: Value, name: str) -> Value:
    what = f"{name} on line {argument.line}"
    return Value(resolver.unknown(what, "this function is not read here", argument.line), argument.line)


Reader = Callable[[Resolver, Value, str], Value]
_READERS: Mapping[str, Reader] = {
    "Fn::FindInMap": _find_in_map,
    "Fn::GetAtt": _get_att,
    "Fn::If": _if,
    "Fn::ImportValue": _import,
    "Fn::Join": _join,
    "Fn::Length": _length,
    "Fn::Select": _select,
    "Fn::Split": _split,
    "Fn::Sub": _sub,
    "Fn::ToJsonString": _to_json,
    "Ref": _ref,
}


def _all(parts: Sequence[bool | None]) -> bool | None:
    return False if False in parts else None if None in parts else True


def _any(parts: Sequence[bool | None]) -> bool | None:
    return True if True in parts else None if None in parts else False


def _not(parts: Sequence[bool | None]) -> bool | None:
    return None if len(parts) != 1 or parts[0] is None else not parts[0]


def references(value: Value, *more: str) -> Iterator[str]:
    """The logical ids, and other names, that a value refers to whatever its conditions are.

    `more` are functions besides Ref that name what they refer to.
    """
    for key, part in value.items():
        if key == "Fn::If":
            continue
        if key in ("Ref", *more):
            yield part.text().partition(".")[0]
        elif key == "Fn::GetAtt":
            yield (part.parts()[0] if part.parts() else part).text().partition(".")[0]
        elif key == "Fn::Sub":
            text = part.parts()[0] if part.parts() else part
            yield from (found[2].partition(".")[0] for found in _IN_SUB.finditer(text.text()) if not found[1])
        yield from references(part, *more)
    for part in value.parts():
        yield from references(part, *more)
