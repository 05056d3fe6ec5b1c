"""Packs the code of an experiment's function as a deployment tool would."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

from harness.core.experiment.types import FunctionCode
from harness.errors import ExperimentError

_SKIPPED = frozenset({".git", ".venv", "__pycache__", ".aws-sam", ".serverless", "cdk.out", ".terraform"})
"""Folders that no tool packs, and that hold the packages of earlier deployments."""


def zipped(code: FunctionCode, field: str) -> bytes:
    """The zip of a folder, of one text, or one that is there already. Raises ExperimentError with the field."""
    if code.inline is not None:
        name = f"index{'.js' if code.runtime.startswith('nodejs') else '.py'}"
        return _archive([(name, code.inline.encode())])
    return zipped_files(Path(code.path or ""), f"{field}.path")


def zipped_files(path: Path, field: str) -> bytes:
    """The zip of a folder, or one that is there already. Raises ExperimentError with the field."""
    try:
        return _archive(_files(path)) if path.is_dir() else path.read_bytes()
    except OSError as error:
        raise ExperimentError(field, f"cannot be read: {error.strerror or error}: {path}") from error


def _archive(files: "list[tuple[str, bytes]] | Iterator[tuple[str, bytes]]") -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, text in files:
            archive.writestr(zipfile.ZipInfo(name), text)
    return content.getvalue()


def _files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for file in sorted(folder.rglob("*")):
        inside = file.relative_to(folder)
        if file.is_file() and not _SKIPPED & {*inside.parts}:
            yield inside.as_posix(), file.read_bytes()
