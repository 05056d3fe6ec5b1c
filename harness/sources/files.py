"""The file of a source as text or as plain values, or one sentence about what is wrong with it and what to do."""

import gzip
import io
import re
import zlib
from pathlib import Path
from typing import Any

import msgspec

from harness.core.experiment.plain_yaml import read_yaml
from harness.errors import ExperimentError, UsageError
from harness.files import NOT_JSON, bounded, read_plain
from harness.sources.drafts import on_one_line

_GZIP = b"\x1f\x8b"
_AT_BYTE = re.compile(r" \(byte (\d+)\)")


class SourceFile(msgspec.Struct, frozen=True):
    """A file that was read: its name as a person gave it, and its text."""

    name: str
    text: str

    def wrong(self, problem: str, line: int | None = None) -> UsageError:
        """An error about the file."""
        told = on_one_line(problem)
        return UsageError(f"{self.name}, line {line}: {told}" if line else f"{self.name}: {told}")

    def line_with(self, words: str) -> int | None:
        """The first line that holds some words."""
        at = self.text.find(words)
        return None if at < 0 else self.text.count("\n", 0, at) + 1


def read_source(path: Path) -> SourceFile:
    """A file of text, also compressed by gzip as logs are; raises UsageError."""
    try:
        content = read_plain(path)
        if content.startswith(_GZIP):
            with gzip.open(io.BytesIO(content)) as file:
                content = bounded(file)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UsageError(f"{path}: is compressed by gzip, and damaged: {error}; copy it again") from error
    except OSError as error:
        why = error.strerror or str(error)
        hint = "; give a part of it" if "MiB" in why else ""
        raise UsageError(f"{path}: cannot be read: {why}{hint}") from error
    return SourceFile(str(path), _text(content, path))


def _text(content: bytes, path: Path) -> str:
    if not content.strip():
        raise UsageError(f"{path}: is empty; give a file with something in it")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{path}, line {line}: is no text in UTF-8; save it as UTF-8, or give another file") from error


def json_of(file: SourceFile, what: str) -> dict[str, Any]:
    """The JSON object in a file; `what` says what it should be, as in `a HAR file`. Raises UsageError."""
    try:
        tree = msgspec.json.decode(file.text)
    except NOT_JSON as error:
        at = _AT_BYTE.search(str(error))
        line = file.text.encode()[: int(at[1])].count(b"\n") + 1 if at else file.text.rstrip().count("\n") + 1
        problem = f"is not {what}: {_AT_BYTE.sub('', str(error)) or 'no JSON'}"
        raise file.wrong(f"{problem}; export it again", line) from error
    return _object(file, tree, what)


def tree_of(file: SourceFile, what: str) -> dict[str, Any]:
    """The object in a JSON or YAML file; raises UsageError."""
    if file.text.lstrip().startswith("{"):
        try:
            return _object(file, msgspec.json.decode(file.text), what)
        except NOT_JSON:
            pass  # YAML may begin so, too, and its reader tells the line
    try:
        return _object(file, read_yaml(file.text, ""), what)
    except ExperimentError as error:
        raise UsageError(
            f"{file.name}, {error}" if str(error).startswith("line") else f"{file.name}: {error}"
        ) from error


def _object(file: SourceFile, tree: Any, what: str) -> dict[str, Any]:
    if isinstance(tree, dict):
        return tree
    raise file.wrong(f"is not {what}, which is an object with names and values; give another file", 1)
