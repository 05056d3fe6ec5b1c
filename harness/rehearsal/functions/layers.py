"""Operations on layers: zips of further code, each unpacked for itself, which runs of Python and Node look into."""

import logging
import re

from msgspec.structs import replace

from harness.rehearsal.functions import answers
from harness.rehearsal.functions.records import Configuration, LayerVersion
from harness.rehearsal.functions.registry import Registry
from harness.rehearsal.functions.settings import invalid
from harness.rehearsal.operations import Answer, Params, operation
from harness.rehearsal.refusal import Refusal

log = logging.getLogger(__name__)

_VERSION = re.compile(r"arn:aws[a-z-]*:lambda:[^:]+:(?P<account>\d+):layer:(?P<name>[\w-]+):(?P<version>\d+)")
_OTHERS = "%s is a layer of another account, which this local cloud does not have: %s runs without it."


class LayerOperations(Registry):
    """Layers, operation by operation."""

    @operation
    def publish_layer_version(self, params: Params) -> Answer:
        """PublishLayerVersion."""
        name = params["LayerName"].rpartition(":")[2]
        package = self._packages.package(params["Content"])
        if package.root is None:
            raise invalid("Please provide a source for layer content.")
        versions = self._layers.setdefault(name, {})
        number = max(versions, default=self._layers_deleted.get(name, 0)) + 1
        arn = f"arn:aws:lambda:{self._address.region}:{self._address.account}:layer:{name}"
        about = {
            "LayerArn": arn,
            "LayerVersionArn": f"{arn}:{number}",
            "Version": number,
            "Description": params.get("Description") or "",
            "CreatedDate": answers.timestamp(self._now()),
            "CompatibleRuntimes": params.get("CompatibleRuntimes") or [],
            "Content": {"CodeSha256": package.sha256, "CodeSize": package.size},
        }
        versions[number] = LayerVersion(about=about, root=package.root)
        return about

    @operation
    def get_layer_version(self, params: Params) -> Answer:
        """GetLayerVersion."""
        name = params["LayerName"].rpartition(":")[2]
        return self._layer(name, int(params["VersionNumber"])).about

    @operation
    def list_layer_versions(self, params: Params) -> Answer:
        """ListLayerVersions: the newest first."""
        versions = self._layers.get(params["LayerName"].rpartition(":")[2], {})
        return {"LayerVersions": [_listed(versions[number]) for number in sorted(versions, reverse=True)]}

    @operation
    def list_layers(self, params: Params) -> Answer:  # noqa: ARG002 - pages are not needed
        """ListLayers: each with its newest version."""
        newest = {name: versions[max(versions)] for name, versions in self._layers.items() if versions}
        return {
            "Layers": [
                {"LayerName": name, "LayerArn": one.about["LayerArn"], "LatestMatchingVersion": _listed(one)}
                for name, one in newest.items()
            ]
        }

    @operation
    def delete_layer_version(self, params: Params) -> Answer:
        """DeleteLayerVersion: functions that have it keep it; its number is never used again."""
        name, number = params["LayerName"].rpartition(":")[2], int(params["VersionNumber"])
        if self._layers.get(name, {}).pop(number, None):
            self._layers_deleted[name] = max(number, self._layers_deleted.get(name, 0))
        return {}

    def _with_layers(self, made: Configuration, params: Params) -> Configuration:
        """The configuration with the layers that a request names, of which the last goes first."""
        if "Layers" not in params:
            return made
        found = [self._named_layer(arn, made.code.function) for arn in params["Layers"] or ()]
        own = [one for one in found if one]
        told = [{"Arn": one.about["LayerVersionArn"], "CodeSize": one.about["Content"]["CodeSize"]} for one in own]
        code = replace(made.code, layers=tuple(one.root for one in reversed(own)))
        return replace(made, code=code, echoed={**made.echoed, "Layers": told or None})

    def _named_layer(self, arn: str, function: str) -> LayerVersion | None:
        asked = _VERSION.fullmatch(arn)
        if not asked:
            raise invalid(f"Layer version ARN {arn} is invalid.")
        if asked["account"] != self._address.account:
            log.warning(_OTHERS, arn, function)
            return None
        try:
            return self._layer(asked["name"], int(asked["version"]))
        except Refusal as refusal:
            raise invalid(f"Layer version {arn} does not exist.") from refusal

    def _layer(self, name: str, number: int) -> LayerVersion:
        versions = self._layers.get(name, {})
        if number not in versions:
            raise Refusal("ResourceNotFoundException", "The resource you requested does not exist.")
        return versions[number]


def _listed(version: LayerVersion) -> Answer:
    return {name: value for name, value in version.about.items() if name not in ("LayerArn", "Content")}
