"""Reads what a value of a CloudFormation template is, as far as the template says.

What only AWS or the command line knows stays a name in the text (see `names`), and is listed in `asked`, with the
reason and the option that gives it.
"""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from harness.errors import TemplateError
from harness.templates.conditions import holds, needed_by
from harness.templates.intrinsics import NO_VALUE, READERS, function_of, is_left_out, not_read, text_of
from harness.templates.missing import MissingName, how_to_give
from harness.templates.names import literal, placeholder
from harness.templates.places import Places
from harness.templates.resource_names import arn_of_sam, attribute_of, is_made_by_sam, ref_of
from harness.templates.values import Value

PSEUDO = frozenset(
    f"AWS::{name}"
    for name in ("AccountId", "NoValue", "NotificationARNs", "Partition", "Region", "StackId", "StackName", "URLSuffix")
)
"""The names that every template may refer to (CloudFormation's user guide, pseudo parameters)."""
EXTENSIONS = "AWS::LanguageExtensions"
"""The transform that carries functions out before SAM reads the template, where it stands before it."""
SAM = "AWS::Serverless-2016-10-31"
_NOTIFIED = "AWS::NotificationARNs"
"""A list, and an empty one unless the deployment names topics: hardly one does."""
_DYNAMIC = re.compile(r"\{\{resolve:([^}]+)\}\}")


def transforms_of(template: Value) -> tuple[str, ...]:
    """The names of the transforms that a template asks for, in their order."""
    found = template.get("Transform")
    return () if found is None else tuple(part.text() for part in found.parts() or (found,))


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
        transforms = transforms_of(template)
        self.is_extended = EXTENSIONS in transforms and SAM not in transforms[: transforms.index(EXTENSIONS)]

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

    @property
    def conditions(self) -> Mapping[str, Value]:
        """The conditions that the template declares."""
        return self._sections["Conditions"]

    def value(self, value: Value) -> Value:
        """The value with its functions carried out; AWS::NoValue is left out of maps and lists."""
        function = function_of(value)
        if function:
            name, argument = function
            return READERS.get(name, not_read)(self, argument, name)
        if isinstance(value.content, str):
            return Value(self._dynamic(value), value.line)
        if isinstance(value.content, tuple):
            return Value(tuple(part for part in map(self.value, value.content) if not is_left_out(part)), value.line)
        if isinstance(value.content, dict):
            pairs = ((key, self.value(part)) for key, part in value.content.items())
            return Value({key: part for key, part in pairs if not is_left_out(part)}, value.line)
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

    def reference(self, name: str, line: int) -> Value:
        """What Ref gives."""
        if name in self.parameters:
            return self._parameter(name, line)
        if name == _NOTIFIED:
            return _of_type("CommaDelimitedList", self.given[name], line) if name in self.given else Value((), line)
        if name in PSEUDO:
            return Value(NO_VALUE if name == NO_VALUE else self.pseudo(name, line), line)
        resource, _, attribute = name.partition(".")
        if name in self.resources:
            return Value(ref_of(self, name), line)
        if resource in self.resources and attribute in ("Alias", "Version"):  # as SAM lets them be referred to
            return Value(arn_of_sam(self, resource, attribute), line)
        if is_made_by_sam(self, resource):
            return Value(placeholder(name), line)
        if name.startswith("AWS::"):
            raise self.wrong(line, f"{name} is no pseudo parameter of CloudFormation{_closest(name)}")
        raise self.wrong(line, f"{name} is referred to, and is neither a resource nor a parameter")

    def attribute(self, logical: str, attribute: str, line: int) -> Value:
        """What Fn::GetAtt gives."""
        return attribute_of(self, logical, attribute, line)

    def pseudo(self, name: str, line: int) -> str:
        """What only AWS knows of a deployment, such as its region."""
        return self.unknown(name, "only the deployment knows it", line)

    def _parameter(self, name: str, line: int) -> Value:
        declared = self.parameters[name]
        kind, default = text_of(declared.get("Type")), declared.get("Default")
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
        values = [one.strip() for one in self.given[name].split(",")] if "List" in text_of(declared.get("Type")) else []
        if allowed and not {*(values or [self.given[name]])} <= {*allowed}:
            raise self.wrong(
                listed.line, f"the parameter {name} is one of {', '.join(allowed)}, not {self.given[name]}"
            )

    def within(self, logical: str, value: Value) -> Value:
        """The value, while a resource is being named. Raises TemplateError where its name needs its own name."""
        if logical in self._under_way:
            chain = " → ".join([*self._under_way[self._under_way.index(logical) :], logical])
            raise self.wrong(value.line, f"circular reference: {chain}")
        with self._reading(logical):
            return self.value(value)

    def condition(self, name: str, line: int) -> bool | None:
        """Whether a condition holds; None where that hangs on what is not known here."""
        declared = self.conditions.get(name)
        if declared is None:
            raise self.wrong(line, f"there is no condition {name}")
        step = f"condition {name}"
        if step in self._under_way:
            raise self.wrong(declared.line, f"circular reference: {step} needs itself")
        with self._reading(step):
            return holds(self, declared)

    def needed_by(self, condition: str) -> Iterator[str]:
        """The names that are not known, and on which a condition hangs."""
        return needed_by(self, condition)

    @contextmanager
    def _reading(self, step: str) -> Iterator[None]:
        self._under_way.append(step)
        try:
            yield
        finally:
            self._under_way.pop()


def _of_type(kind: str, text: str, line: int) -> Value:
    """What a parameter of a type gives: a list of texts, or a text."""
    if kind == "CommaDelimitedList" or kind.startswith("List<"):
        return Value(tuple(Value(literal(part.strip()), line) for part in text.split(",")), line)
    return Value(literal(text), line)


def _closest(name: str) -> str:
    """What a name may have been meant to be."""
    found = difflib.get_close_matches(name, PSEUDO, n=1)
    return f"; did you mean {found[0]}?" if found else ""
