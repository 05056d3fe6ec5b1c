"""The variables of a serverless.yml, such as `${self:custom.alias}` and `${opt:stage, 'dev'}`.

What only the command line, AWS or a program knows becomes a name, as a parameter of CloudFormation without a value is
one: `asked` has the reason, and `--parameter opt:stage=prod` gives it. A default that is used is remembered in
`defaults`. Source: lib/configuration/variables of the Serverless Framework.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from msgspec import Struct

from harness.errors import TemplateError
from harness.files import read_plain
from harness.templates.places import Places
from harness.templates.values import MOST_VALUES, Content, Value, read_values

_TYPED = re.compile(r"([a-z][A-Za-z0-9]*)(?:\((.*)\))?(?::(.*))?", re.DOTALL)
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_WORDS: Mapping[str, Content] = {"true": True, "false": False, "null": None}
_DATA = (".yml", ".yaml", ".json", ".tfstate")
_PROGRAMS = (".js", ".cjs", ".mjs", ".ts")
_REMOTE = {
    "aws": "only AWS knows it",
    "cf": "it is an output of another stack",
    "git": "only the repository knows it",
    "s3": "it is in S3",
    "ssm": "it is in the Parameter Store",
}
_PSEUDO = {"accountId": "AWS::AccountId"}


class _Missing(Struct, frozen=True):
    """A variable without a value: its name, why, and whether its source was asked, so that a default may be used."""

    name: str
    why: str
    may_default: bool = True


Found: TypeAlias = Value | _Missing


class Variables:
    """Fills in the variables of one serverless.yml, with the values that were given on the command line."""

    def __init__(
        self, path: Path, whole: Value, given: Mapping[str, str], environment: Mapping[str, str], places: Places
    ) -> None:
        self.asked: dict[str, tuple[str, int]] = {}
        self.defaults: dict[str, Value] = {}
        self.used: set[str] = set()
        self.places = places
        self._folder = path.parent
        self._whole = whole
        self._given = given
        self._environment = environment
        self._left = MOST_VALUES
        self._under_way: list[str] = []

    def filled(self, value: Value) -> Value:
        """A value without variables. Raises TemplateError for a variable that cannot be, or needs itself."""
        self._left -= 1
        if self._left < 0:
            raise self.wrong(value.line, f"variables stand for more than {MOST_VALUES:,} values")
        if isinstance(value.content, dict):
            return Value({key: self._below(key, part) for key, part in value.content.items()}, value.line)
        if isinstance(value.content, tuple):
            return Value(tuple(self.filled(part) for part in value.content), value.line)
        return self._text(value, within_sub=False)

    def at(self, *keys: str) -> Value | None:
        """What stands at a place of the file, filled in; None where there is nothing."""
        found: Value | None = self._whole
        for key in keys:
            found = _within(self.filled_once(found), key) if found else None
        return self.filled(found) if found and found.content is not None else None

    def wrong(self, line: int, problem: str) -> TemplateError:
        """What is raised for a file that is wrong on a line."""
        file, own = self.places.of(line)
        return TemplateError(file, own, problem)

    def filled_once(self, value: Value) -> Value:
        """A value whose own text is filled in, and what is below it is not: enough to go on to one of its keys."""
        return self._text(value, within_sub=False)

    def stage(self, line: int) -> Value:
        """The stage: of the command line, else the provider's, else dev, as the framework has it."""
        return self._general("opt:stage", "dev", line)

    def region(self, line: int) -> Value:
        """The region: of the command line, else the provider's, else us-east-1, as the framework has it."""
        return self._general("opt:region", "us-east-1", line)

    def _general(self, name: str, default: str, line: int) -> Value:
        given = self.given(name)
        if given is not None:
            return Value(given, line)
        return self.at("provider", name.removeprefix("opt:")) or self._by_default(name, Value(default, line), line)

    # Texts

    def _below(self, key: str, part: Value) -> Value:
        """A part of a map; Fn::Sub fills in the names that are left by itself."""
        if key != "Fn::Sub":
            return self.filled(part)
        first, own = (*part.parts(), Value({}, part.line))[:2] if part.parts() else (part, Value({}, part.line))
        text = self._text(first, within_sub=True)
        argument = text.get("Fn::Sub") or text
        whole, calls = argument.parts() or (argument, Value({}, part.line))
        names = {**dict(self.filled(own).items()), **dict(calls.items())}
        return Value((whole, Value(names, part.line)), part.line) if names else whole

    def _text(self, value: Value, *, within_sub: bool) -> Value:
        if not isinstance(value.content, str):
            return value
        pieces = [*_pieces(value.content)]
        if not any(isinstance(piece, _Variable) for piece in pieces):
            return value
        read = [piece if isinstance(piece, str) else self._variable(piece, value.line) for piece in pieces]
        if len(read) == 1 and isinstance(read[0], Value) and not (within_sub and _has_parts(read[0])):
            return Value(read[0].content, read[0].line if _has_parts(read[0]) else value.line)
        if len(read) == 1 and isinstance(read[0], _Missing) and not within_sub:
            return Value({"Ref": Value(self._ask(read[0], value.line), value.line)}, value.line)
        return self._joined(read, value.line, within_sub=within_sub)

    def _joined(self, pieces: Sequence[str | Found], line: int, *, within_sub: bool) -> Value:
        """The pieces as one text; one of Fn::Sub where something in it is not known."""
        calls = dict(self._calls(pieces))
        is_known = within_sub or not (calls or any(isinstance(piece, _Missing) for piece in pieces))
        words = []
        for at, piece in enumerate(pieces):
            if isinstance(piece, _Missing):
                words.append(f"${{{self._ask(piece, line)}}}")
            elif isinstance(piece, Value) and _has_parts(piece):
                words.append(f"${{{_call_name(at)}}}")
            else:
                text = piece if isinstance(piece, str) else piece.text()
                words.append(text if is_known else text.replace("${", "${!"))
        whole = Value("".join(words), line)
        if is_known and not calls:
            return whole
        return Value({"Fn::Sub": Value((whole, Value(calls, line)), line) if calls else whole}, line)

    def _calls(self, pieces: Sequence[str | Found]) -> Iterator[tuple[str, Value]]:
        """Pieces that are functions of CloudFormation, such as another variable that is not known."""
        for at, piece in enumerate(pieces):
            if isinstance(piece, Value) and _has_parts(piece):
                yield _call_name(at), piece

    def _ask(self, missing: _Missing, line: int) -> str:
        self.asked.setdefault(missing.name, (missing.why, line))
        return missing.name

    # Variables

    def _variable(self, variable: "_Variable", line: int) -> Found:
        """The first of its sources that has a value; a default is used only where the ones before it have none."""
        missing: _Missing | None = None
        for source in variable.sources:
            found = self._source(source, line)
            if isinstance(found, Value) and found.content is not None:
                return self._by_default(missing.name, found, line) if missing else found
            if isinstance(found, _Missing):
                missing = missing or found
                if not found.may_default:
                    return found
        return missing or Value(None, line)

    def _by_default(self, name: str, value: Value, line: int) -> Value:
        if not name.startswith(("self:", "file(")):
            self.defaults.setdefault(name, Value(value.content, value.line or line))
        return value

    def _source(self, source: "_Source", line: int) -> Found:
        if source.kind is None:
            return source.literal if source.nested is None else self._text(Value(source.nested, line), within_sub=False)
        argument, address = (self._plain(text, line) for text in (source.argument, source.address))
        name = f"{source.kind}({argument})" if source.argument else source.kind
        name += f":{address}" if source.address else ""
        given = self.given(name)
        if given is not None:
            return Value(given, line)
        if source.kind in _REMOTE:
            return self._remote(source.kind, address, name, line)
        read = _SOURCES.get(source.kind)
        if read is None:
            return _Missing(name, "this variable is not read here", may_default=False)
        return read(self, name, argument, address, line)

    def _plain(self, text: str, line: int) -> str:
        """An address, which may have variables in it, but none that is not known."""
        found = self._text(Value(text, line), within_sub=False)
        if not _has_parts(found):
            return found.text()
        names = ", ".join(self.asked) or text
        raise self.wrong(line, f"${{{text}}} is needed to read the file: give --parameter {names}=…")

    def given(self, name: str) -> str | None:
        """What was given for a name on the command line."""
        if name not in self._given:
            return None
        self.used.add(name)
        return self._given[name]

    def _remote(self, kind: str, address: str, name: str, line: int) -> Found:
        if kind == "aws" and address in _PSEUDO:
            return Value({"Ref": Value(_PSEUDO[address], line)}, line)
        if kind == "aws" and address == "region":
            return self.region(line)
        return _Missing(name, _REMOTE[kind], may_default=False)

    def _self(self, name: str, _: str, address: str, line: int) -> Found:
        if address in self._under_way:
            raise self.wrong(line, f"circular reference: {' → '.join([*self._under_way, address])}")
        self._under_way.append(address)
        try:
            found = self.at(*address.split(".")) if address else self.filled(self._whole)
        finally:
            self._under_way.pop()
        return found or _Missing(name, f"{name} is nowhere in the file")

    def _opt(self, name: str, _: str, __: str, ___: int) -> Found:
        return _Missing(name, "the command line gives it")

    def _env(self, name: str, _: str, address: str, line: int) -> Found:
        known = self._environment.get(address)
        return _Missing(name, "the environment gives it") if known is None else Value(known, line)

    def _sls(self, name: str, _: str, address: str, line: int) -> Found:
        return self.stage(line) if address == "stage" else _Missing(name, "each deployment makes one")

    def _param(self, name: str, _: str, address: str, line: int) -> Found:
        stage = self.stage(line)
        if _has_parts(stage):
            return _Missing(name, "it hangs on the stage", may_default=False)
        for group in (stage.text(), "default"):
            found = self.at("params", group, address)
            if found:
                return found
        return _Missing(name, "the command line or the dashboard gives it")

    def _str_to_bool(self, name: str, argument: str, _: str, line: int) -> Found:
        word = {"true": True, "1": True, "false": False, "0": False, "null": False}.get(argument.strip(" '\"").lower())
        return _Missing(name, "it is neither true nor false") if word is None else Value(word, line)

    def _file(self, name: str, argument: str, address: str, line: int) -> Found:
        path = self._folder / Path(argument.strip()).expanduser()
        if path.suffix in _PROGRAMS:
            return _Missing(name, f"{argument} is a program, which is not run", may_default=False)
        if not path.is_file():
            return _Missing(name, f"there is no file {argument}")
        found: Value | None = self._content(path, line)
        for key in address.split(".") if address else ():
            found = _within(self.filled_once(found), key) if found else None
        return self.filled(found) if found else _Missing(name, f"{argument} has no {address}")

    def _content(self, path: Path, line: int) -> Value:
        if path.suffix in _DATA:
            return read_values(path, self.places.before(path))
        try:
            return Value(read_plain(path).decode(), line)
        except (OSError, UnicodeDecodeError) as error:
            raise TemplateError(str(path), None, "is not UTF-8 text") from error


_SOURCES: Mapping[str, Callable[[Variables, str, str, str, int], Found]] = {
    "env": Variables._env,
    "file": Variables._file,
    "opt": Variables._opt,
    "param": Variables._param,
    "self": Variables._self,
    "sls": Variables._sls,
    "strToBool": Variables._str_to_bool,
}


def _has_parts(value: Value) -> bool:
    return isinstance(value.content, dict | tuple)


def _call_name(at: int) -> str:
    return f"piece {at}"


def _within(value: Value, key: str) -> Value | None:
    if isinstance(value.content, tuple):
        return value.content[int(key)] if key.isdecimal() and int(key) < len(value.content) else None
    return value.get(key)


# The syntax


class _Source(Struct, frozen=True):
    """One source of a variable: of a kind, with argument and address, or a value that is written out."""

    kind: str | None
    argument: str = ""
    address: str = ""
    literal: Value = Value(None, 0)
    nested: str | None = None


class _Variable(Struct, frozen=True):
    """One `${…}` of a text."""

    sources: tuple[_Source, ...]


def _pieces(text: str) -> Iterator["str | _Variable"]:
    """A text as plain pieces and variables. What looks like none of the framework's, as `${Name}`, is left as it is."""
    at = 0
    while at < len(text):
        start = text.find("${", at)
        if start < 0:
            break
        end = _closing(text, start + 2)
        variable = _variable_of(text[start + 2 : end]) if end is not None else None
        if variable is None or end is None:
            yield text[at : start + 2]
            at = start + 2
            continue
        if start > at:
            yield text[at:start]
        yield variable
        at = end + 1
    if at < len(text):
        yield text[at:]


def _closing(text: str, start: int) -> int | None:
    """Where the brace is closed that is open at a place."""
    depth = 1
    for at in range(start, len(text)):
        if text.startswith("${", at):
            depth += 1
        elif text[at] == "}":
            depth -= 1
            if not depth:
                return at
    return None


def _variable_of(text: str) -> _Variable | None:
    sources = [_source_of(part.strip()) for part in _by_commas(text)]
    is_ours = sources[0].kind is not None or sources[0].nested is not None
    return _Variable(tuple(sources)) if is_ours else None


def _source_of(text: str) -> _Source:
    typed = _TYPED.fullmatch(text)
    if typed and (typed[2] is not None or typed[3] is not None):
        return _Source(typed[1], typed[2] or "", (typed[3] or "").strip())
    if text.startswith("${"):
        return _Source(None, nested=text)
    return _Source(None, literal=Value(_written(text), 0))


def _written(text: str) -> Content:
    if text in _WORDS:
        return _WORDS[text]
    if _NUMBER.fullmatch(text):
        return float(text) if "." in text else int(text)
    if len(text) > 1 and text[0] == text[-1] == "'":
        return text[1:-1]
    try:
        read = json.loads(text)
    except ValueError:
        return text
    return read if isinstance(read, str) else text


def _by_commas(text: str) -> list[str]:
    """The parts between commas that are within no quotes, brackets or braces."""
    parts, depth, quote = [""], 0, ""
    for sign in text:
        quote = "" if sign == quote else quote or (sign if sign in "'\"" else "")
        depth += 0 if quote else (sign in "{(") - (sign in "})")
        if sign == "," and not quote and not depth:
            parts.append("")
        else:
            parts[-1] += sign
    return parts
