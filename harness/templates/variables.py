"""The variables of a serverless.yml, such as `${self:custom.alias}` and `${opt:stage, 'dev'}`.

What only the command line, AWS or a program knows becomes a name, as a parameter of CloudFormation without a value is
one: `asked` has the reason, and `--parameter opt:stage=prod` gives it. A default that is used is remembered in
`defaults`. Source: lib/configuration/variables of the Serverless Framework.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from harness.errors import TemplateError
from harness.templates.places import Places
from harness.templates.values import MOST_VALUES, Value
from harness.templates.variable_sources import REMOTE, SOURCES, FoundValue, MissingVariable, has_parts, remote, within
from harness.templates.variable_syntax import Variable, VariableSource, pieces_of


class Variables:
    """Fills in the variables of one serverless.yml, with the values that were given on the command line."""

    def __init__(
        self, path: Path, whole: Value, given: Mapping[str, str], environment: Mapping[str, str], places: Places
    ) -> None:
        self.asked: dict[str, tuple[str, int]] = {}
        self.defaults: dict[str, Value] = {}
        self.used: set[str] = set()
        self.places = places
        self.folder = path.parent
        self._whole = whole
        self._given = given
        self.environment = environment
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
            found = within(self.filled_once(found), key) if found else None
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
        pieces = [*pieces_of(value.content)]
        if not any(isinstance(piece, Variable) for piece in pieces):
            return value
        read = [piece if isinstance(piece, str) else self._variable(piece, value.line) for piece in pieces]
        if len(read) == 1 and isinstance(read[0], Value) and not (within_sub and has_parts(read[0])):
            return Value(read[0].content, read[0].line if has_parts(read[0]) else value.line)
        if len(read) == 1 and isinstance(read[0], MissingVariable) and not within_sub:
            return Value({"Ref": Value(self._ask(read[0], value.line), value.line)}, value.line)
        return self._joined(read, value.line, within_sub=within_sub)

    def _joined(self, pieces: Sequence[str | FoundValue], line: int, *, within_sub: bool) -> Value:
        """The pieces as one text; one of Fn::Sub where something in it is not known."""
        calls = dict(self._calls(pieces))
        is_known = within_sub or not (calls or any(isinstance(piece, MissingVariable) for piece in pieces))
        words = []
        for at, piece in enumerate(pieces):
            if isinstance(piece, MissingVariable):
                words.append(f"${{{self._ask(piece, line)}}}")
            elif isinstance(piece, Value) and has_parts(piece):
                words.append(f"${{{_call_name(at)}}}")
            else:
                text = piece if isinstance(piece, str) else piece.text()
                words.append(text if is_known else text.replace("${", "${!"))
        whole = Value("".join(words), line)
        if is_known and not calls:
            return whole
        return Value({"Fn::Sub": Value((whole, Value(calls, line)), line) if calls else whole}, line)

    def _calls(self, pieces: Sequence[str | FoundValue]) -> Iterator[tuple[str, Value]]:
        """Pieces that are functions of CloudFormation, such as another variable that is not known."""
        for at, piece in enumerate(pieces):
            if isinstance(piece, Value) and has_parts(piece):
                yield _call_name(at), piece

    def _ask(self, missing: MissingVariable, line: int) -> str:
        self.asked.setdefault(missing.name, (missing.why, line))
        return missing.name

    # Variables

    def _variable(self, variable: Variable, line: int) -> FoundValue:
        """The first of its sources that has a value; a default is used only where the ones before it have none."""
        missing: MissingVariable | None = None
        for source in variable.sources:
            found = self._source(source, line)
            if isinstance(found, Value) and found.content is not None:
                return self._by_default(missing.name, found, line) if missing else found
            if isinstance(found, MissingVariable):
                missing = missing or found
                if not found.may_default:
                    return found
        return missing or Value(None, line)

    def _by_default(self, name: str, value: Value, line: int) -> Value:
        if not name.startswith(("self:", "file(")):
            self.defaults.setdefault(name, Value(value.content, value.line or line))
        return value

    def _source(self, source: VariableSource, line: int) -> FoundValue:
        if source.kind is None:
            return source.literal if source.nested is None else self._text(Value(source.nested, line), within_sub=False)
        argument, address = (self._plain(text, line) for text in (source.argument, source.address))
        name = f"{source.kind}({argument})" if source.argument else source.kind
        name += f":{address}" if source.address else ""
        given = self.given(name)
        if given is not None:
            return Value(given, line)
        if source.kind in REMOTE:
            return remote(self, source.kind, address, name, line)
        read = SOURCES.get(source.kind)
        if read is None:
            return MissingVariable(name, "this variable is not read here", may_default=False)
        return read(self, name, argument, address, line)

    def _plain(self, text: str, line: int) -> str:
        """An address, which may have variables in it, but none that is not known."""
        found = self._text(Value(text, line), within_sub=False)
        if not has_parts(found):
            return found.text()
        names = ", ".join(self.asked) or text
        raise self.wrong(line, f"${{{text}}} is needed to read the file: give --parameter {names}=…")

    def within_itself(self, address: str, line: int) -> Value | None:
        """What stands at an address of the file, or the whole file. Raises TemplateError where that needs itself."""
        if address in self._under_way:
            raise self.wrong(line, f"circular reference: {' → '.join([*self._under_way, address])}")
        self._under_way.append(address)
        try:
            return self.at(*address.split(".")) if address else self.filled(self._whole)
        finally:
            self._under_way.pop()

    def given(self, name: str) -> str | None:
        """What was given for a name on the command line."""
        if name not in self._given:
            return None
        self.used.add(name)
        return self._given[name]


def _call_name(at: int) -> str:
    return f"piece {at}"
