"""The layers of a template's functions: those whose files are on this machine, and those that are elsewhere."""

from pathlib import Path

from msgspec import Struct

from harness.templates.names import names_in, placeholder
from harness.templates.release import Fact
from harness.templates.resolver import Resolver
from harness.templates.sections import Properties
from harness.templates.values import Value

TYPES = ("AWS::Lambda::LayerVersion", "AWS::Serverless::LayerVersion")
_FILES = ("CodeUri", "Code", "ContentUri", "Content")


class FunctionLayers(Struct, frozen=True):
    """`paths` are folders or zips, in the function's order; `elsewhere` are ARNs, or logical ids of layers in S3.

    `why_not` says why the code cannot run as it is; empty where it can.
    """

    paths: tuple[str, ...] = ()
    elsewhere: tuple[Fact[str], ...] = ()
    why_not: str = ""


def layers_of(resolver: Resolver, properties: Properties, folder: Path) -> FunctionLayers:
    """The layers of a function, whose files are looked for from a folder on."""
    before = len(properties.unclear)
    listed = properties.listed("Layers")
    if properties.unclear[before:]:
        return FunctionLayers(why_not=properties.unclear[before].value)
    paths: list[str] = []
    elsewhere: list[Fact[str]] = []
    for one in listed:
        own = _of_the_template(resolver, one.text())
        said = local_path(Properties(resolver, own.get("Properties") or Value({}, own.line)), own) if own else None
        if said is None or names_in(said):
            elsewhere.append(Fact(one.text(), one.line))
        elif (folder / said).exists():
            paths.append(str((folder / said).resolve()))
        else:
            return FunctionLayers(why_not=f"its layer is not there: there is no {folder / said}; build it first")
    return FunctionLayers(tuple(paths), tuple(elsewhere))


def _of_the_template(resolver: Resolver, text: str) -> Value | None:
    """The layer of the template that a text refers to."""
    name = next(iter(names_in(text)), "")
    if text != placeholder(name):
        return None
    found = resolver.resources.get(name) or resolver.resources.get(name.rpartition(".")[0])
    kind = found.get("Type") if found else None
    return found if kind and kind.text() in TYPES else None


def local_path(properties: Properties, resource: Value) -> str | None:
    """Where files are: as SAM, `aws cloudformation package` and the assets of CDK have it; None for files in S3."""
    metadata = resource.get("Metadata") or Value({}, 0)
    asset = metadata.get("aws:asset:path")
    if asset:
        return asset.text()
    for key in _FILES:
        if properties.has(key):
            said = properties.text(key).value
            return None if said == "a map" or said.startswith("s3://") else said
    return None
