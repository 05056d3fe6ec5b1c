"""What the cloud knows of a function: frozen versions, aliases, and the one record that holds them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

from harness.rehearsal.functions.concurrency import Slots

EngineKind = Literal["bundled", "python", "node", "url"]
NODE = "nodejs"
"""What the names of Node's runtimes begin with."""


class Package(Struct, frozen=True, kw_only=True):
    """Code as it was given: a zip laid out under `root`, or an image URI that names something local.

    `sha256` is base64 for a zip and hexadecimal for an image, as in AWS; `size` is in bytes, 0 for an image.
    """

    kind: EngineKind
    sha256: str
    size: int = 0
    root: Path | None = None
    image_uri: str | None = None
    url: str | None = None
    entry: str | None = None


class Code(Struct, frozen=True, kw_only=True, dict=True):
    """What one version runs, frozen with it: package, environment and limits.

    `entry` is `module.function` in the zip under `root`, or `module:function` of your own; None for other kinds.
    `runtime` is what a zip asks for, `layers` where its layers are unpacked, the last of them first. `url` is the base
    URL of kind "url".
    """

    function: str
    version: str
    arn: str
    package: Package
    entry: str | None
    environment: Mapping[str, str]
    timeout_s: int
    memory_mb: int
    runtime: str | None = None
    layers: tuple[Path, ...] = ()

    @cached_property
    def kind(self) -> EngineKind:
        """How it runs."""
        return "node" if (self.runtime or "").startswith(NODE) else self.package.kind

    @property
    def url(self) -> str | None:
        """The base URL that a version of kind "url" sends its requests to."""
        return self.package.url


class Settling(Struct, frozen=True, kw_only=True):
    """What was done to a version last, `created` or updated, and the instant at which it settles.

    `revision_id` is the version's until then, `settled_revision_id` from then on. A version that is published has
    settled, and keeps its revision.
    """

    created: bool
    settles_s: float
    revision_id: str
    settled_revision_id: str

    def revision(self, now_s: float) -> str:
        """The revision id at an instant."""
        return self.settled_revision_id if now_s >= self.settles_s else self.revision_id


class Configuration(Struct, frozen=True, kw_only=True):
    """A version with all that AWS says of it; `echoed` are settings that are stored and have no effect here."""

    code: Code
    role: str
    runtime: str | None
    handler: str | None
    description: str
    echoed: Mapping[str, Any]
    last_modified_s: float
    change: Settling


class Provisioned(Struct, frozen=True, kw_only=True):
    """The provisioned concurrency that was asked for one version or alias."""

    executions: int
    asked_s: float


class Alias(Struct, frozen=True, kw_only=True):
    """An alias: `version` gets what `weights` leave."""

    name: str
    version: str
    weights: Mapping[str, float]
    description: str
    revision_id: str


class LayerVersion(Struct, frozen=True, kw_only=True):
    """A version of a layer: what AWS says of it, and where its code is."""

    about: dict[str, Any]
    root: Path


@dataclass
class Function:
    """A function with its versions and aliases.

    `published` counts versions ever published: a number is never used again; `published_change` is the change of
    $LATEST that the last one was made of. `policies` maps a qualifier, or "" for the function itself, to its
    statements; `urls` likewise. `event_invokes` and `provisioned` are by qualifier.
    """

    name: str
    latest: Configuration
    published: int = 0
    published_change: Settling | None = None
    versions: dict[str, Configuration] = field(default_factory=dict)
    aliases: dict[str, Alias] = field(default_factory=dict)
    policies: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    urls: dict[str, dict[str, Any]] = field(default_factory=dict)
    event_invokes: dict[str, dict[str, Any]] = field(default_factory=dict)
    provisioned: dict[str, Provisioned] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    slots: Slots = field(default_factory=Slots)
