"""From the code that a request gives to a package: zips are unpacked safely, image URIs name something local."""

import base64
import hashlib
import io
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from harness.core.experiment.hosts import is_loopback
from harness.rehearsal.functions.records import Package
from harness.rehearsal.refusal import Refusal

BUNDLED_IMAGE = "canary-harness:bundled"
"""The image URI of the project's own fake-user service."""

_PYTHON = "python:"
_ZIPPED_LIMIT = 52_428_800
_UNZIPPED_LIMIT = 262_144_000
_IMAGE_FORMS = f"{BUNDLED_IMAGE}, python:module:function, or http://127.0.0.1:PORT"


Objects = Callable[[str, str, str | None], bytes]
"""Reads an object of S3 by bucket, key and version; raises Refusal."""


class Packages:
    """Keeps uploaded code in a temporary folder, one subfolder a zip, until `close`."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._root: Path | None = None

    def package(self, code: Mapping[str, Any]) -> Package:
        """The package of a request's code: `ZipFile`, an object of S3, or `ImageUri`."""
        if code.get("ImageUri"):
            return image(code["ImageUri"])
        if code.get("ZipFile") is not None:
            return self._zip(code["ZipFile"])
        if code.get("S3Bucket") and code.get("S3Key"):
            return self._zip(self._stored(code["S3Bucket"], code["S3Key"], code.get("S3ObjectVersion")))
        raise _invalid("Please provide a source for function code.")

    def _stored(self, bucket: str, key: str, version: str | None) -> bytes:
        try:
            return self._objects(bucket, key, version)
        except Refusal as refusal:
            raise _invalid(refusal.message) from refusal

    def close(self) -> None:
        """Removes all that was unpacked."""
        if self._root:
            shutil.rmtree(self._root, ignore_errors=True)
            self._root = None

    def _zip(self, content: bytes) -> Package:
        digest = hashlib.sha256(content)
        root = self._folder() / digest.hexdigest()
        if not root.exists():
            unpack(content, root)
        return Package(kind="python", sha256=base64.b64encode(digest.digest()).decode(), size=len(content), root=root)

    def _folder(self) -> Path:
        if self._root is None:
            self._root = Path(tempfile.mkdtemp(prefix="canary-harness-functions-"))
        return self._root


def unpack(content: bytes, root: Path) -> None:
    """Unpacks a zip below `root`, all or nothing; refuses what AWS refuses and any entry that would leave `root`."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _check(archive, len(content))
            archive.extractall(root)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        shutil.rmtree(root, ignore_errors=True)
        message = "Could not unzip uploaded file. Please check your file, then try to upload again."
        raise _invalid(message) from error


def image(uri: str) -> Package:
    """The package that an image URI names."""
    digest = hashlib.sha256(uri.encode()).hexdigest()
    if uri == BUNDLED_IMAGE:
        return Package(kind="bundled", sha256=digest, image_uri=uri)
    if uri.startswith(_PYTHON):
        return Package(kind="python", sha256=digest, image_uri=uri, entry=_own_entry(uri))
    if uri.startswith("http://"):
        return Package(kind="url", sha256=digest, image_uri=uri, url=_loopback(uri))
    raise _invalid(f"Source image {uri} is not valid. This local cloud runs {_IMAGE_FORMS}.")


def _own_entry(uri: str) -> str:
    entry = uri.removeprefix(_PYTHON)
    module, _, function = entry.partition(":")
    if not all(part.isidentifier() for part in [*module.split("."), function]):
        raise _invalid(f"Source image {uri} is not valid. Give your own code as python:module:function.")
    return entry


def _loopback(uri: str) -> str:
    try:
        valid = urlsplit(uri).port != 0 and is_loopback(uri)
    except ValueError:
        valid = False
    if not valid:
        raise _invalid(f"Source image {uri} is not valid. The URL of your own service must be on loopback.")
    return uri.rstrip("/")


def _check(archive: zipfile.ZipFile, zipped: int) -> None:
    entries = archive.infolist()
    if not entries:
        raise _invalid("Uploaded file must be a non-empty zip")
    if zipped > _ZIPPED_LIMIT:
        raise Refusal("RequestTooLargeException", f"Zipped size must be smaller than {_ZIPPED_LIMIT} bytes")
    if sum(entry.file_size for entry in entries) > _UNZIPPED_LIMIT:
        raise _invalid(f"Unzipped size must be smaller than {_UNZIPPED_LIMIT} bytes")
    for entry in entries:
        path = PurePosixPath(entry.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
            raise _invalid(f"The zip holds a path that leaves its folder: {entry.filename}")


def _invalid(message: str) -> Refusal:
    return Refusal("InvalidParameterValueException", message)
