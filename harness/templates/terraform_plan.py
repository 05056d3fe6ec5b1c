"""What `terraform show -json` writes of a plan or a state.

A plan does not say what is only known once it is applied, but which references that hangs on. A value that hangs on one
such reference is taken for the same: `function_version = aws_lambda_function.api.version`. Others are asked for.
Source: Terraform's documentation, JSON Output Format.
"""

from collections.abc import Iterator, Mapping

from msgspec import Struct

from harness.templates.release import Problem
from harness.templates.terraform import KINDS, TerraformResource, reference, translate
from harness.templates.translated import Translated
from harness.templates.values import Value, made

_NOTHING = Value({}, 0)
_UNKNOWN_AT_FIRST = ("arn", "version", "id", "invoke_arn", "qualified_arn")


def is_plan(whole: Value) -> bool:
    """Whether this is what `terraform show -json` writes."""
    return whole.get("format_version") is not None and bool(whole.get("planned_values") or whole.get("values"))


def translate_plan(whole: Value, given: Mapping[str, str]) -> Translated:
    """The template of a plan or a state."""
    root = (whole.get("planned_values") or whole.get("values") or _NOTHING).get("root_module") or _NOTHING
    found = {one.address: one for one in _resources(root)}
    if whole.get("planned_values"):
        reading = _Plan(whole, found)
        resources = [reading.filled(one) for one in found.values()]
    else:
        resources = [_of_state(one) for one in found.values()]
    problems: list[Problem] = []
    return translate(resources, given, problems, {}, frozenset())


def _resources(module: Value) -> Iterator[TerraformResource]:
    for one in (module.get("resources") or _NOTHING).parts():
        address, kind = one.get("address"), one.get("type")
        if address and kind and kind.text() in KINDS and (one.get("mode") or _NOTHING).text() != "data":
            yield TerraformResource(address.text(), kind.text(), one.get("values") or _NOTHING, one.line)
    for child in (module.get("child_modules") or _NOTHING).parts():
        yield from _resources(child)


def _of_state(one: TerraformResource) -> TerraformResource:
    """A resource of a state, which has the number of the last version wherever the next one may be meant."""
    says = dict(one.says.items())
    if "function_version" in says:
        says["function_version"] = made({"Ref": f"{one.address}.function_version"}, one.line)
    dimensions = one.says.get("dimensions")
    if dimensions and dimensions.get("ExecutedVersion"):
        number = made({"Ref": f"{one.address}.dimensions.ExecutedVersion"}, one.line)
        says["dimensions"] = Value({**dict(dimensions.items()), "ExecutedVersion": number}, dimensions.line)
    return TerraformResource(one.address, one.kind, Value(says, one.line), one.line)


class _Expressions(Struct, frozen=True):
    """What the configuration says of one resource, and the module that it is in."""

    module: str
    says: Value


class _Plan:
    """Fills in what a plan leaves open, as far as its configuration says what that is."""

    def __init__(self, whole: Value, found: Mapping[str, TerraformResource]) -> None:
        self._found = found
        self._unknown = {
            (change.get("address") or _NOTHING).text(): (change.get("change") or _NOTHING).get("after_unknown")
            for change in (whole.get("resource_changes") or _NOTHING).parts()
        }
        root = (whole.get("configuration") or _NOTHING).get("root_module") or _NOTHING
        self._expressions = dict(_configured(root, ""))

    def filled(self, one: TerraformResource) -> TerraformResource:
        """A resource whose open values are references, or names that are asked for."""
        unknown = self._unknown.get(one.address)
        says = self._laid(one, one.says, unknown, ()) if unknown else one.says
        return TerraformResource(one.address, one.kind, says, one.line)

    def _laid(self, one: TerraformResource, known: Value, unknown: Value, path: tuple[str, ...]) -> Value:
        if unknown.content is True:
            return self._open(one, path)
        if isinstance(unknown.content, dict):
            own = dict(known.items())
            for key, part in unknown.items():
                laid = self._laid(one, own.get(key, Value(None, one.line)), part, (*path, key))
                if laid.content is not None:
                    own[key] = laid
            return Value(own, known.line or one.line)
        if isinstance(unknown.content, tuple) and unknown.content:
            parts = [*known.parts()] + [Value(None, one.line)] * (len(unknown.content) - len(known.parts()))
            laid_parts = (
                self._laid(one, part, of, (*path, str(at)))
                for at, (part, of) in enumerate(zip(parts, unknown.content, strict=False))
            )
            return Value(tuple(laid_parts), known.line or one.line)
        return known

    def _open(self, one: TerraformResource, path: tuple[str, ...]) -> Value:
        """A value that is not known before the plan is applied."""
        expressions = self._expressions.get(_without_index(one.address))
        if expressions:
            names = [*_references(expressions.says, path)]
            found = [*filter(None, (self._referred(expressions.module, name, one.line) for name in names))]
            if len(found) == 1:
                return found[0]
        return made({"Ref": ".".join([one.address, *path])}, one.line)

    def _referred(self, module: str, name: str, line: int) -> Value | None:
        """What a reference to an attribute is that is not known either; None for any other reference."""
        address, _, attribute = name.rpartition(".")
        candidates = (f"{module}{address}", f"{module}{_without_index(address)}", f"{module}{address}[0]")
        known = next((self._found[key] for key in candidates if key in self._found), None)
        if known is None or attribute not in _UNKNOWN_AT_FIRST:
            return None
        return reference(known.address, known.kind, attribute, line)


def _configured(module: Value, prefix: str) -> Iterator[tuple[str, _Expressions]]:
    for one in (module.get("resources") or _NOTHING).parts():
        address = f"{prefix}{(one.get('address') or _NOTHING).text()}"
        yield address, _Expressions(prefix, one.get("expressions") or _NOTHING)
    for name, call in (module.get("module_calls") or _NOTHING).items():
        yield from _configured(call.get("module") or _NOTHING, f"{prefix}module.{name}.")


def _references(expression: Value, path: tuple[str, ...]) -> Iterator[str]:
    """The references of an expression, the longer where one is the beginning of another."""
    found: Value | None = expression
    for key in path:
        if found is None or found.get("references"):
            break
        found = found.parts()[int(key)] if key.isdecimal() and int(key) < len(found.parts()) else found.get(key)
    names = [part.text() for part in ((found.get("references") if found else None) or _NOTHING).parts()]
    yield from (name for name in names if not any(other.startswith(f"{name}.") for other in names))


def _without_index(address: str) -> str:
    return address.partition("[")[0] if address.endswith("]") else address
