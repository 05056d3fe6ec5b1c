"""Where the variables of a serverless.yml have their values from, one function a kind of source."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

from harness.errors import TemplateError
from harness.files import read_plain
from harness.templates.values import Value, read_values

if TYPE_CHECKING:
    from harness.templates.variables import Variables

_DATA = (".yml", ".yaml", ".json", ".tfstate")
_PROGRAMS = (".js", ".cjs", ".mjs", ".ts")
REMOTE = {
    "aws": "only AWS knows it",
    "cf": "it is an output of another stack",
    "git": "only the repository knows it",
    "s3": "it is in S3",
    "ssm": "it is in the Parameter Store",
}
_PSEUDO = {"accountId": "AWS::AccountId"}


class MissingVariable(Struct, frozen=True):
    """A variable without a value: its name, why, and whether its source was asked, so that a default may be used."""

    name: str
    why: str
    may_default: bool = True


FoundValue: TypeAlias = Value | MissingVariable


def has_parts(value: Value) -> bool:
    """Whether a value is a map or a list, and not a text."""
    return isinstance(value.content, dict | tuple)


def within(value: Value, key: str) -> Value | None:
    """What a key of a map or a place of a list holds; None where there is nothing."""
    if isinstance(value.content, tuple):
        return value.content[int(key)] if key.isdecimal() and int(key) < len(value.content) else None
    return value.get(key)


def remote(variables: "Variables", kind: str, address: str, name: str, line: int) -> FoundValue:
    """A value that is in none of the files."""
    if kind == "aws" and address in _PSEUDO:
        return Value({"Ref": Value(_PSEUDO[address], line)}, line)
    if kind == "aws" and address == "region":
        return variables.region(line)
    return MissingVariable(name, REMOTE[kind], may_default=False)


def _self(variables: "Variables", name: str, _: str, address: str, line: int) -> FoundValue:
    found = variables.within_itself(address, line)
    return found or MissingVariable(name, f"{name} is nowhere in the file")


def _opt(_: "Variables", name: str, __: str, ___: str, ____: int) -> FoundValue:
    return MissingVariable(name, "the command line gives it")


def _env(variables: "Variables", name: str, _: str, address: str, line: int) -> FoundValue:
    known = variables.environment.get(address)
    return MissingVariable(name, "the environment gives it") if known is None else Value(known, line)


def _sls(variables: "Variables", name: str, _: str, address: str, line: int) -> FoundValue:
    return variables.stage(line) if address == "stage" else MissingVariable(name, "each deployment makes one")


def _param(variables: "Variables", name: str, _: str, address: str, line: int) -> FoundValue:
    stage = variables.stage(line)
    if has_parts(stage):
        return MissingVariable(name, "it hangs on the stage", may_default=False)
    for group in (stage.text(), "default"):
        found = variables.at("params", group, address)
        if found:
            return found
    return MissingVariable(name, "the command line or the dashboard gives it")


def _str_to_bool(_: "Variables", name: str, argument: str, __: str, line: int) -> FoundValue:
    word = {"true": True, "1": True, "false": False, "0": False, "null": False}.get(argument.strip(" '\"").lower())
    return MissingVariable(name, "it is neither true nor false") if word is None else Value(word, line)


def _file(variables: "Variables", name: str, argument: str, address: str, line: int) -> FoundValue:
    path = variables.folder / Path(argument.strip()).expanduser()
    if path.suffix in _PROGRAMS:
        return MissingVariable(name, f"{argument} is a program, which is not run", may_default=False)
    if not path.is_file():
        return MissingVariable(name, f"there is no file {argument}")
    found: Value | None = _content(variables, path, line)
    for key in address.split(".") if address else ():
        found = within(variables.filled_once(found), key) if found else None
    return variables.filled(found) if found else MissingVariable(name, f"{argument} has no {address}")


def _content(variables: "Variables", path: Path, line: int) -> Value:
    if path.suffix in _DATA:
        return read_values(path, variables.places.before(path))
    try:
        return Value(read_plain(path).decode(), line)
    except (OSError, UnicodeDecodeError) as error:
        raise TemplateError(str(path), None, "is not UTF-8 text") from error


SOURCES: Mapping[str, Callable[["Variables", str, str, str, int], FoundValue]] = {
    "env": _env,
    "file": _file,
    "opt": _opt,
    "param": _param,
    "self": _self,
    "sls": _sls,
    "strToBool": _str_to_bool,
}
