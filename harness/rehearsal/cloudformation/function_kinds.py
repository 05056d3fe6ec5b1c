"""The types of AWS::Lambda, made by the Lambda of this cloud."""

import io
import zipfile
from typing import Any

from harness.rehearsal.cloudformation.kinds import Api, ResourceKind, Say, at_once, tag_map, unless_gone
from harness.rehearsal.cloudformation.records import MadeResource, Properties, WantedResource
from harness.rehearsal.cloudformation.refusals import by_handler
from harness.rehearsal.cloudformation.steps import Steps
from harness.rehearsal.functions.functions import Functions

_UNCHANGED = "A version for this Lambda function exists ( {} ). Modify the function to create a new version."
_LOOK_S = 1.0
"""Seconds between two looks at a function that is being made or changed."""
_NOT_SENT = ("Code", "Tags", "ReservedConcurrentExecutions", "RuntimeManagementConfig", "SnapStart", "RecursiveLoop")
_FILES = {"python": "index.py", "nodejs": "index.js"}


class FunctionKind(ResourceKind):
    """AWS::Lambda::Function."""

    replaced_by = ("FunctionName", "PackageType")
    longest = 64

    def __init__(self, api: Api) -> None:
        self._api = api

    def create(self, wanted: WantedResource, name: str, say: Say) -> Steps[MadeResource]:  # noqa: ARG002 - of the protocol
        """CreateFunction, and waits until it is active."""
        properties = wanted.properties
        self._api.knows("CreateFunction", {key: properties[key] for key in properties if key not in _NOT_SENT})
        own = str(properties.get("FunctionName") or name)
        made = self._api.call(
            "CreateFunction", _sent(properties), FunctionName=own, Code=_code(properties), Tags=tag_map(properties)
        )
        self._reserve(own, properties)
        yield from settled(self._api, own)
        return MadeResource(own, {"Arn": made["FunctionArn"]})

    def update(self, made: MadeResource, was: WantedResource, wanted: WantedResource, say: Say) -> Steps[MadeResource]:  # noqa: ARG002
        """UpdateFunctionConfiguration and UpdateFunctionCode, each where something of it changed."""
        name, old, new = made.physical, was.properties, wanted.properties
        self._api.knows("CreateFunction", {key: new[key] for key in new if key not in _NOT_SENT})
        if _sent(old) != _sent(new):
            yield from settled(self._api, name)
            self._api.call("UpdateFunctionConfiguration", {**_cleared(old, new), **_sent(new)}, FunctionName=name)
        if old.get("Code") != new.get("Code"):
            yield from settled(self._api, name)
            self._api.call("UpdateFunctionCode", _code(new), FunctionName=name)
        yield from settled(self._api, name)
        self._reserve(name, new)
        return made

    @at_once
    def delete(self, made: MadeResource, was: WantedResource) -> None:  # noqa: ARG002
        """DeleteFunction."""
        unless_gone(self._api, "DeleteFunction", FunctionName=made.physical)

    def _reserve(self, name: str, properties: Properties) -> None:
        reserved = properties.get("ReservedConcurrentExecutions")
        if reserved is not None:
            self._api.call("PutFunctionConcurrency", {"ReservedConcurrentExecutions": reserved}, FunctionName=name)


def settled(api: Api, function: str) -> Steps[None]:
    """Waits until a function takes changes again."""
    while True:
        shown = api.call("GetFunctionConfiguration", {}, FunctionName=function)
        if shown.get("State") != "Pending" and shown.get("LastUpdateStatus") != "InProgress":
            return
        yield _LOOK_S


def _sent(properties: Properties) -> dict[str, Any]:
    return {key: value for key, value in properties.items() if key not in _NOT_SENT}


def _cleared(old: Properties, new: Properties) -> dict[str, Any]:
    """The settings that a template gives no more, as they are without being given."""
    unset: dict[str, Any] = {"Environment": {}, "Timeout": 3, "MemorySize": 128, "Description": ""}
    return {key: value for key, value in unset.items() if key in old and key not in new}


def _code(properties: Properties) -> dict[str, Any]:
    """The code of a request: as the template gives it, and where that is a text, as a zip."""
    code = dict(properties.get("Code") or {})
    text = code.get("ZipFile")
    if not isinstance(text, str):
        return code
    runtime = str(properties.get("Runtime", ""))
    file = next((file for start, file in _FILES.items() if runtime.startswith(start)), "index.py")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as files:
        # A date of its own, so that the same text is the same code.
        files.writestr(zipfile.ZipInfo(file, date_time=(1980, 1, 1, 0, 0, 0)), text)
    return {"ZipFile": archive.getvalue()}


class VersionKind(ResourceKind):
    """AWS::Lambda::Version."""

    replaced_by = ("FunctionName", "CodeSha256", "Description")
    longest = 64

    def __init__(self, api: Api, functions: Functions) -> None:
        self._api = api
        self._functions = functions

    def create(self, wanted: WantedResource, name: str, say: Say) -> Steps[MadeResource]:  # noqa: ARG002
        """PublishVersion, and waits until the version is warm.

        A function that has not changed since the last one has no new version.
        """
        function = str(wanted.properties.get("FunctionName", ""))
        yield from settled(self._api, function)
        listed = self._api.call("ListVersionsByFunction", {}, FunctionName=function)["Versions"]
        given = {key: wanted.properties[key] for key in ("CodeSha256", "Description") if key in wanted.properties}
        version = str(self._api.call("PublishVersion", given, FunctionName=function)["Version"])
        if version in {one["Version"] for one in listed}:
            raise by_handler(_UNCHANGED.format(version), "AlreadyExists")
        shown = self._api.call("GetFunctionConfiguration", {}, FunctionName=function)
        warms = self._functions.begin_to_warm(shown["FunctionName"], version)
        while warms():
            yield _LOOK_S
        arn = shown["FunctionArn"]
        return MadeResource(f"{arn}:{version}", {"Version": version, "FunctionArn": f"{arn}:{version}"})

    @at_once
    def update(self, made: MadeResource, was: WantedResource, wanted: WantedResource, say: Say) -> MadeResource:  # noqa: ARG002
        """Nothing of it changes in place that this cloud plays."""
        return made

    @at_once
    def delete(self, made: MadeResource, was: WantedResource) -> None:  # noqa: ARG002
        """DeleteFunction of the one version."""
        unless_gone(self._api, "DeleteFunction", FunctionName=made.physical)


class PermissionKind(ResourceKind):
    """AWS::Lambda::Permission."""

    replaced_by = ("Action", "EventSourceToken", "FunctionName", "Principal", "SourceAccount", "SourceArn")

    def __init__(self, api: Api) -> None:
        self._api = api

    @at_once
    def create(self, wanted: WantedResource, name: str, say: Say) -> MadeResource:  # noqa: ARG002
        """AddPermission, under the made-up name."""
        self._api.call("AddPermission", wanted.properties, StatementId=name)
        return MadeResource(name, {"Id": name})

    @at_once
    def update(self, made: MadeResource, was: WantedResource, wanted: WantedResource, say: Say) -> MadeResource:  # noqa: ARG002
        """Every change replaces it."""
        return made

    @at_once
    def delete(self, made: MadeResource, was: WantedResource) -> None:
        """RemovePermission."""
        function = str(was.properties.get("FunctionName"))
        unless_gone(self._api, "RemovePermission", FunctionName=function, StatementId=made.physical)


class UrlKind(ResourceKind):
    """AWS::Lambda::Url."""

    replaced_by = ("TargetFunctionArn", "Qualifier")

    def __init__(self, api: Api) -> None:
        self._api = api

    @at_once
    def create(self, wanted: WantedResource, name: str, say: Say) -> MadeResource:  # noqa: ARG002
        """CreateFunctionUrlConfig."""
        answer = self._api.call("CreateFunctionUrlConfig", wanted.properties, **_of_url(wanted.properties))
        return MadeResource(answer["FunctionArn"], {key: answer[key] for key in ("FunctionUrl", "FunctionArn")})

    @at_once
    def update(self, made: MadeResource, was: WantedResource, wanted: WantedResource, say: Say) -> MadeResource:  # noqa: ARG002
        """UpdateFunctionUrlConfig."""
        self._api.call("UpdateFunctionUrlConfig", wanted.properties, **_of_url(wanted.properties))
        return made

    @at_once
    def delete(self, made: MadeResource, was: WantedResource) -> None:  # noqa: ARG002
        """DeleteFunctionUrlConfig."""
        unless_gone(self._api, "DeleteFunctionUrlConfig", **_of_url(was.properties))


def _of_url(properties: Properties) -> dict[str, Any]:
    return {"FunctionName": properties.get("TargetFunctionArn")}


class EventInvokeKind(ResourceKind):
    """AWS::Lambda::EventInvokeConfig."""

    replaced_by = ("FunctionName", "Qualifier")

    def __init__(self, api: Api) -> None:
        self._api = api

    @at_once
    def create(self, wanted: WantedResource, name: str, say: Say) -> MadeResource:  # noqa: ARG002
        """PutFunctionEventInvokeConfig."""
        self._api.call("PutFunctionEventInvokeConfig", wanted.properties)
        return MadeResource(name)

    @at_once
    def update(self, made: MadeResource, was: WantedResource, wanted: WantedResource, say: Say) -> MadeResource:  # noqa: ARG002
        """PutFunctionEventInvokeConfig, which replaces all of it."""
        self._api.call("PutFunctionEventInvokeConfig", wanted.properties)
        return made

    @at_once
    def delete(self, made: MadeResource, was: WantedResource) -> None:  # noqa: ARG002
        """DeleteFunctionEventInvokeConfig."""
        by = {key: was.properties.get(key) for key in ("FunctionName", "Qualifier")}
        unless_gone(self._api, "DeleteFunctionEventInvokeConfig", **by)


class LayerKind(ResourceKind):
    """AWS::Lambda::LayerVersion."""

    replaced_by = (
        "LayerName",
        "Content",
        "Description",
        "CompatibleRuntimes",
        "CompatibleArchitectures",
        "LicenseInfo",
    )
    longest = 64

    def __init__(self, api: Api) -> None:
        self._api = api

    @at_once
    def create(self, wanted: WantedResource, name: str, say: Say) -> MadeResource:  # noqa: ARG002
        """PublishLayerVersion."""
        made = self._api.call("PublishLayerVersion", {"LayerName": name, **wanted.properties})
        return MadeResource(str(made["LayerVersionArn"]), {"LayerVersionArn": made["LayerVersionArn"]})

    @at_once
    def update(self, made: MadeResource, was: WantedResource, wanted: WantedResource, say: Say) -> MadeResource:  # noqa: ARG002
        """Nothing of a version can change."""
        return made

    @at_once
    def delete(self, made: MadeResource, was: WantedResource) -> None:  # noqa: ARG002
        """DeleteLayerVersion."""
        layer, _, version = made.physical.rpartition(":")
        unless_gone(self._api, "DeleteLayerVersion", LayerName=layer, VersionNumber=version)
