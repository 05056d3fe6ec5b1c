"""The template of a stack: as it was sent, and as it is once its transforms are carried out."""

import json
from typing import Any

from msgspec import Struct

from harness.errors import TemplateError
from harness.rehearsal.cloudformation.refusals import invalid
from harness.templates.values import Value, values_of

MOST_BYTES = 1_048_576
_EMPTY = Value({}, 0)


class StackTemplate(Struct, frozen=True):
    """`original` is what was sent; `values` is what the stack is made of."""

    original: str = "{}"
    values: Value = _EMPTY

    def section(self, name: str) -> dict[str, Value]:
        """A section by the names of its entries; empty where there is none."""
        return dict((self.values.get(name) or _EMPTY).items())

    def text(self, name: str) -> str | None:
        """A text at the top, such as the description."""
        found = self.values.get(name)
        return None if found is None else found.text()

    @property
    def processed(self) -> str:
        """The template after its transforms, as JSON."""
        return json.dumps(as_sent(self.values))


def read_template(text: str) -> Value:
    """The values of a template; raises the Refusal of what is neither YAML nor JSON."""
    if len(text.encode()) > MOST_BYTES:
        raise invalid(f"Template may not exceed {MOST_BYTES} bytes in size.")
    try:
        values = values_of(text, "template")
    except TemplateError as error:
        kind = "JSON" if text.lstrip().startswith("{") else "YAML"
        where = f" (line {error.line})" if error.line else ""
        raise invalid(f"Template format error: {kind} not well-formed.{where}") from error
    if not isinstance(values.content, dict):
        raise invalid("Template format error: unsupported structure.")
    return values


def as_sent(value: Value) -> Any:
    """A value of the template as JSON has it, functions and all."""
    if isinstance(value.content, dict):
        return {key: as_sent(part) for key, part in value.content.items()}
    if isinstance(value.content, tuple):
        return [as_sent(part) for part in value.content]
    return value.content


def as_meant(value: Value) -> Any:
    """A resolved value as JSON has it; see `harness.templates.names.literal`."""
    if isinstance(value.content, dict):
        return {key.replace("${!", "${"): as_meant(part) for key, part in value.content.items()}
    if isinstance(value.content, tuple):
        return [as_meant(part) for part in value.content]
    return value.content.replace("${!", "${") if isinstance(value.content, str) else value.content
