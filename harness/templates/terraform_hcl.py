"""Terraform's own files: a folder of `.tf`, or one of them, read by python-hcl2 as far as that goes without Terraform.

Literals, references, variables with their values, locals, `jsonencode`, `file` and `templatefile` are read. Other
calls, conditions, modules and copies by `for_each` are asked for by their place; `terraform show -json` of a plan has
them all.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

import hcl2
import lark
from msgspec import Struct

from harness.errors import TemplateError
from harness.files import read_plain
from harness.templates.places import Places
from harness.templates.release import Fact, Problem
from harness.templates.terraform import (
    ALIAS,
    INTEGRATION,
    KINDS,
    OF_REHEARSALS,
    TerraformResource,
    reference,
    translate,
)
from harness.templates.terraform_callers import CALLERS
from harness.templates.translated import Translated
from harness.templates.values import Value, made

_OPTIONS = hcl2.SerializationOptions(
    with_comments=False, explicit_blocks=False, preserve_heredocs=False, strip_string_quotes=True
)
_TRAVERSAL = re.compile(r"[A-Za-z_][\w-]*(?:\.[\w-]+|\[\d+\])*")
_INDENTED = re.compile(r"<<-(\w+)\n(.*?)^[ \t]*\1[ \t]*$", re.DOTALL | re.MULTILINE)
_JSON = re.compile(r"jsonencode\((.*)\)", re.DOTALL)
_FILE = re.compile(
    r'(?:file|templatefile)\(\s*"(?:\$\{path\.(?:module|root)\}/)?([^"$]+)"\s*(?:,\s*(.*))?\)', re.DOTALL
)
_WORDS: Mapping[str, bool | None] = {"true": True, "false": False, "null": None}
_META = ("lifecycle", "provisioner", "connection", "depends_on", "provider", "count", "for_each")
_MOVED = (
    "Terraform itself moves {}: without ignore_changes = [function_version, routing_config] the next apply takes all "
    "traffic at once, or back."
)


def translate_hcl(path: Path, given: Mapping[str, str], environment: Mapping[str, str], places: Places) -> Translated:
    """The template of a module. Raises TemplateError for what is no HCL."""
    files = sorted(path.glob("*.tf")) if path.is_dir() else [path]
    folder = path if path.is_dir() else path.parent
    module = _Module(folder, given, _values_of_variables(folder, environment), places)
    for file in files:
        module.add(file)
    return module.translated()


def _argument(text: str) -> Any:
    """What stands in a call, as the parser has it; None where it cannot be read."""
    try:
        return _read(f"value = {text}\n")["value"]
    except (lark.exceptions.LarkError, ValueError, RecursionError):
        return None


def _content(folder: Path, name: str) -> str | None:
    """The text of a file below a folder; None where there is none."""
    path = (folder / name).resolve()
    try:
        return read_plain(path).decode("utf-8-sig") if path.is_relative_to(folder.resolve()) else None
    except (OSError, UnicodeDecodeError):
        return None


def _split(content: str, given: Mapping[str, Any]) -> list[str]:
    """A text at the holes that something is given for: text, name, text, and so on."""
    names = "|".join(map(re.escape, given))
    return re.split(rf"\$\{{\s*({names})\s*\}}", content) if names else [content]


def _values_of_variables(folder: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    """What Terraform takes by itself for its variables: the environment, then its files, the later ones first."""
    values: dict[str, Any] = {
        name.removeprefix("TF_VAR_"): text for name, text in environment.items() if name.startswith("TF_VAR_")
    }
    for file in [folder / "terraform.tfvars", *sorted(folder.glob("*.auto.tfvars"))]:
        if file.is_file():
            values |= _parsed(file)
    return values


def _parsed(path: Path) -> dict[str, Any]:
    try:
        return _read(read_plain(path).decode("utf-8-sig"))
    except OSError as error:
        raise TemplateError(str(path), None, error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise TemplateError(str(path), None, "is not UTF-8 text") from error
    except (lark.exceptions.LarkError, ValueError, RecursionError) as error:
        line = getattr(error, "line", None)
        raise TemplateError(
            str(path), line if isinstance(line, int) and line > 0 else None, "is no HCL that can be read"
        ) from error


def _read(text: str) -> dict[str, Any]:
    # The parser leaves a plain heredoc as it is, and escapes the quotes of an indented one.
    plain = _INDENTED.sub(lambda found: f"<<{found[1]}\n{dedent(found[2])}{found[1]}", text)
    read: dict[str, Any] = hcl2.loads(plain, serialization_options=_OPTIONS)
    return read


class _Text(Struct, frozen=True):
    """The lines of a file, in which names are looked up: the parser does not tell where it found them."""

    lines: tuple[str, ...]
    before: int
    known: dict[str, int] = {}

    def line_of(self, header: str, path: str = "", *, end: str | None = None) -> int:
        """The line of a block, or of an argument within it; that of the block where it has no line of its own.

        `end` is what the line after the block begins with; without it, the argument may be anywhere after the header.
        """
        at = self.known.get(header)
        if at is None:
            at = self.known[header] = self._next(header, 0) or 0
        for name in path.split("."):
            if name and not name.isdecimal():
                found = self._next(rf'(.*[{{,])?\s*"?{re.escape(name)}"?\s*[={{]', at, end)
                at = at if found is None else found
        return self.before + at + 1

    def _next(self, pattern: str, start: int, end: str | None = None) -> int | None:
        """The first line from one on that begins with a pattern, before one that begins with a text."""
        begins = re.compile(rf"\s*{pattern}").match
        for at in range(start, len(self.lines)):
            if end and at > start and self.lines[at].startswith(end):
                return None
            if begins(self.lines[at]):
                return at
        return None


class _Block(Struct, frozen=True):
    """One resource as it is written."""

    address: str
    kind: str
    says: Mapping[str, Any]
    text: _Text

    def line_of(self, path: str = "") -> int:
        """The line of an argument; that of the resource for one that has none."""
        kind, _, name = self.address.partition(".")
        return self.text.line_of(_header("resource", kind, name), path, end="resource ")


class _Module:
    """The files of one module, and what is asked and told of them."""

    def __init__(self, folder: Path, given: Mapping[str, str], values: Mapping[str, Any], places: Places) -> None:
        self._folder = folder
        self._given = given
        self._values = values
        self._places = places
        self._variables: dict[str, tuple[Any, int]] = {}
        self._locals: dict[str, tuple[Any, int]] = {}
        self._blocks: dict[str, _Block] = {}
        self._modules: list[tuple[str, int]] = []
        self._problems: list[Problem] = []
        self._defaults: dict[str, Fact[str]] = {}
        self._used: set[str] = set()
        self._under_way: list[str] = []

    def add(self, path: Path) -> None:
        """One more file."""
        read = _parsed(path)
        text = _Text(tuple(read_plain(path).decode("utf-8-sig").splitlines()), self._places.before(path))
        for name, says in _named(read, "variable"):
            if "default" in says:
                self._variables[name] = (says["default"], text.line_of(_header("variable", name), "default"))
        for part in read.get("locals", []):
            self._locals |= {name: (value, text.line_of("locals", name)) for name, value in part.items()}
        self._modules += [(name, text.line_of(_header("module", name))) for name, _ in _named(read, "module")]
        for kind, named in _named(read, "resource"):
            for name, says in named.items() if kind in KINDS else ():
                self._blocks[f"{kind}.{name}"] = _Block(f"{kind}.{name}", kind, says, text)

    def translated(self) -> Translated:
        """The template of the module."""
        resources = [self._resource(one) for one in self._blocks.values() if self._is_there(one)]
        self._problems += [_module_problem(name, line, bool(resources)) for name, line in self._modules]
        return translate(resources, self._given, self._problems, self._defaults, frozenset(self._used))

    def _is_there(self, block: _Block) -> bool:
        """Whether there is exactly one of a resource; what is not known is told."""
        if block.kind in (*OF_REHEARSALS, *CALLERS) and {"for_each", "count"} & {*block.says}:
            return block.kind in (INTEGRATION, *CALLERS)  # each copy invokes the same function
        if "for_each" in block.says:
            return self._not_read(block, "it is made by for_each, whose copies are not read")
        if "count" not in block.says:
            return True
        count = self._value(block, block.says["count"], "count")
        if count.get("Ref"):
            return self._not_read(block, f"give --parameter '{block.address}.count=1'")
        if count.text() not in ("0", "1"):
            return self._not_read(block, f"there are {count.text()} of them")
        return count.text() == "1"

    def _not_read(self, block: _Block, why: str) -> bool:
        text = f"Whether {block.address} is there, and how often, is not known here: {why}."
        advice = "Or run doctor with terraform show -json of a plan."
        self._problems.append(Problem("template", "unknown", text, advice, block.line_of()))
        return False

    def _resource(self, block: _Block) -> TerraformResource:
        says = {
            key: self._value(block, part, key)
            for key, part in block.says.items()
            if key not in _META and key != "dynamic"
        }
        for name in (name for part in block.says.get("dynamic", []) for name in part):
            says[name] = self._ask(f"{block.address}.{name}", block.line_of())
        if block.kind == ALIAS and not _ignores_version(block.says):
            advice = "Add lifecycle { ignore_changes = [function_version, routing_config] }."
            self._problems.append(
                Problem("alias-exists", "warning", _MOVED.format(block.address), advice, block.line_of())
            )
        return TerraformResource(block.address, block.kind, Value(says, block.line_of()), block.line_of())

    # Values

    def _value(self, block: _Block, raw: Any, path: str) -> Value:
        """A value, with the line of its argument."""
        line = block.line_of(path)
        if isinstance(raw, dict):
            return Value({key: self._value(block, part, f"{path}.{key}") for key, part in raw.items()}, line)
        if isinstance(raw, list):
            return Value(tuple(self._value(block, part, f"{path}.{at}") for at, part in enumerate(raw)), line)
        if isinstance(raw, str):
            return self._text(raw, f"{block.address}.{path}", line)
        return Value(raw if isinstance(raw, int | float | bool) else None, line)

    def _text(self, raw: str, place: str, line: int) -> Value:
        """A text with interpolations."""
        pieces = [*_pieces(raw)]
        if len(pieces) == 1:
            text, is_expression = pieces[0]
            return self._expression(text, place, line) if is_expression else Value(text, line)
        read = [
            self._expression(text, f"{place}.{at}", line) if is_expression else Value(text, line)
            for at, (text, is_expression) in enumerate(pieces)
        ]
        if any(isinstance(piece.content, dict | tuple) for piece in read):
            return made({"Fn::Join": ["", read]}, line)
        return Value("".join(piece.text() for piece in read), line)

    def _expression(self, text: str, place: str, line: int) -> Value:
        """What one expression is; what is not read is asked for by its place."""
        text = text.strip()
        if place in self._given:
            return self._ask(place, line)
        if text in _WORDS:
            return Value(_WORDS[text], line)
        if not _TRAVERSAL.fullmatch(text):
            return self._called(text, place, line) or self._ask(place, line)
        first, _, rest = text.partition(".")
        if first == "var":
            return self._variable(rest, line)
        if first == "local":
            return self._local(rest, place, line)
        if first in ("each", "count", "self", "path", "terraform"):
            return self._ask(place, line)
        return self._referred(text, line) or self._ask(text, line)

    def _called(self, text: str, place: str, line: int) -> Value | None:
        """What jsonencode, file or templatefile gives; None for any other call."""
        encoded, filed = _JSON.fullmatch(text), _FILE.fullmatch(text)
        address, _, last = place.rpartition(".")
        block = _Block(address, "", {}, _Text((), line - 1))
        if encoded:
            argument = _argument(encoded[1])
            return argument and made({"Fn::ToJsonString": self._value(block, argument, last)}, line)
        content = _content(self._folder, filed[1]) if filed else None
        if filed is None or content is None:
            return None
        given = _argument(filed[2]) if filed[2] else {}
        if not isinstance(given, dict):
            return None
        return self._filled(block, content, given, last)

    def _filled(self, block: _Block, content: str, given: Mapping[str, Any], path: str) -> Value:
        """A file's text with what templatefile gives it; a hole that it does not fill stays."""
        line = block.line_of()
        pieces = [
            self._value(block, given[part], f"{path}.{part}") if at % 2 else Value(part, line)
            for at, part in enumerate(_split(content, given))
        ]
        return made({"Fn::Join": ["", pieces]}, line)

    def _variable(self, name: str, line: int) -> Value:
        full = f"var.{name}"
        if full in self._given:
            return self._ask(full, line)
        if name in self._values:
            return (
                self._text(str(self._values[name]), full, line)
                if _is_plain(self._values[name])
                else self._ask(full, line)
            )
        if name not in self._variables:
            return self._ask(full, line)
        default, where = self._variables[name]
        if not _is_plain(default):
            return made(default, line) if isinstance(default, list) else self._ask(full, line)
        self._defaults.setdefault(full, Fact(made(default, where).text(), where))
        return Value(default, line)

    def _local(self, name: str, place: str, line: int) -> Value:
        if name not in self._locals:
            return self._ask(place, line)
        if name in self._under_way:
            file, own = self._places.of(self._locals[name][1])
            raise TemplateError(file, own, f"circular reference: local.{name} needs itself")
        raw, _ = self._locals[name]
        self._under_way.append(name)
        try:
            return self._value(_Block("local", "", {}, _Text((), line - 1)), raw, name)
        finally:
            self._under_way.pop()

    def _referred(self, text: str, line: int) -> Value | None:
        address, _, attribute = text.rpartition(".")
        block = self._blocks.get(re.sub(r"\[0\]$", "", address))
        if block is None:
            return None
        known = reference(block.address, block.kind, attribute, line)
        if known or attribute not in block.says:
            return known
        if text in self._under_way:
            file, own = self._places.of(line)
            raise TemplateError(file, own, f"circular reference: {' → '.join([*self._under_way, text])}")
        self._under_way.append(text)
        try:
            return self._value(block, block.says[attribute], attribute)
        finally:
            self._under_way.pop()

    def _ask(self, name: str, line: int) -> Value:
        self._used.add(name)
        return made({"Ref": name}, line)


def _module_problem(name: str, line: int, is_alone: bool) -> Problem:
    text = f"module.{name} is not read: what it makes is not known here."
    advice = "Run doctor with terraform show -json of a plan."
    return Problem("template", "note" if is_alone else "unknown", text, advice, line)


def _ignores_version(says: Mapping[str, Any]) -> bool:
    return any(
        "function_version" in str(part.get("ignore_changes", "")) or "all" in str(part.get("ignore_changes", ""))
        for part in says.get("lifecycle", [])
    )


def _header(*words: str) -> str:
    """What a block begins with."""
    return r"\s+".join(rf'"?{re.escape(word)}"?' for word in words)


def _named(read: Mapping[str, Any], kind: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The blocks of a kind, by their first label."""
    for part in read.get(kind, []):
        yield from ((name, says) for name, says in part.items() if isinstance(says, dict))


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float | bool)


def _pieces(text: str) -> Iterator[tuple[str, bool]]:
    """A text as plain pieces and expressions."""
    at = 0
    while at < len(text):
        start = text.find("${", at)
        if start > 0 and text[start - 1] == "$":  # $${ is a text
            yield text[at : start - 1] + "${", False
            at = start + 2
            continue
        if start < 0:
            break
        if start > at:
            yield text[at:start], False
        end = _closing(text, start + 2)
        yield text[start + 2 : end], True
        at = end + 1
    if at < len(text) or not text:
        yield text[at:], False


def _closing(text: str, start: int) -> int:
    depth = 1
    for at in range(start, len(text)):
        depth += (text[at] == "{") - (text[at] == "}")
        if not depth:
            return at
    return len(text)
