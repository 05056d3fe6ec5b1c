"""The types of AWS::ApiGateway and AWS::ApiGatewayV2, made by the API Gateway of this cloud."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from harness.rehearsal.cloudformation.kinds import Api, ResourceKind, Say, at_once, tag_map, unless_gone
from harness.rehearsal.cloudformation.records import MadeResource, Properties, WantedResource

Stored = Callable[[str, str], bytes]
"""Reads an object of S3 by its bucket and key."""

_BODY = ("Body", "BodyS3Location", "Mode", "Parameters", "FailOnWarnings", "Tags")


class RestApiKind(ResourceKind):
    """AWS::ApiGateway::RestApi: with all that its definition says."""

    longest = 255

    def __init__(self, api: Api, stored: Stored) -> None:
        self._api, self._stored = api, stored

    @at_once
    def create(self, wanted: WantedResource, name: str, say: Say) -> MadeResource:  # noqa: ARG002 - of the protocol
        """CreateRestApi, and PutRestApi where there is a definition."""
        given = {"Name": _title(wanted.properties) or name, **_without(wanted.properties, *_BODY)}
        made = self._api.call("CreateRestApi", given, Tags=tag_map(wanted.properties))
        return self._defined(str(made["id"]), wanted.properties)

    @at_once
    def update(self, made: MadeResource, was: WantedResource, wanted: WantedResource, say: Say) -> MadeResource:  # noqa: ARG002
        """PutRestApi, in the place of what there was, and UpdateRestApi."""
        changed = _patches(_without(was.properties, *_BODY), _without(wanted.properties, *_BODY))
        self._api.call("UpdateRestApi", {}, restApiId=made.physical, patchOperations=changed)
        return self._defined(made.physical, wanted.properties)

    @at_once
    def delete(self, made: MadeResource, was: WantedResource) -> None:  # noqa: ARG002
        """DeleteRestApi."""
        unless_gone(self._api, "DeleteRestApi", restApiId=made.physical)

    def _defined(self, physical: str, properties: Properties) -> MadeResource:
        if body := _definition(properties, self._stored):
            self._api.call("PutRestApi", {}, restApiId=physical, mode="overwrite", body=body)
        about = self._api.call("GetRestApi", {}, restApiId=physical)
        return MadeResource(physical, {"RestApiId": physical, "RootResourceId": about["rootResourceId"]})


class MethodKind(ResourceKind):
    """AWS::ApiGateway::Method: with its integration and responses."""

    replaced_by = ("RestApiId", "ResourceId", "HttpMethod")

    def __init__(self, api: Api) -> None:
        self._api = api

    @at_once
    def create(self, wanted: WantedResource, name: str, say: Say) -> MadeResource:  # noqa: ARG002
        """PutMethod, PutIntegration and what belongs to them."""
        self._put(wanted.properties)
        return MadeResource(name)

    @at_once
    def update(self, made: MadeResource, was: WantedResource, wanted: WantedResource, say: Say) -> MadeResource:  # noqa: ARG002
        """The same again, in the place of what there was."""
        unless_gone(self._api, "DeleteMethod", **_where(was.properties))
        self._put(wanted.properties)
        return made

    @at_once
    def delete(self, made: MadeResource, was: WantedResource) -> None:  # noqa: ARG002
        """DeleteMethod."""
        unless_gone(self._api, "DeleteMethod", **_where(was.properties))

    def _put(self, properties: Properties) -> None:
        where, integration = _where(properties), properties.get("Integration")
        self._api.call("PutMethod", {"AuthorizationType": "NONE", **properties}, **where)
        for response in properties.get("MethodResponses") or ():
            self._api.call("PutMethodResponse", response, **where)
        if integration:
            self._api.call("PutIntegration", integration, **where)
            for response in integration.get("IntegrationResponses") or ():
                self._api.call("PutIntegrationResponse", response, **where)


class PartKind(ResourceKind):
    """A type that is made, changed by patches and deleted within a REST API; `key` is what its operations call its id.

    `member` is where the answer to its making says that id; without it the id is the property of that name.
    """

    def __init__(
        self, api: Api, word: str, *, key: str, member: str = "id", create: str = "Create", fixed: Collection[str] = ()
    ) -> None:
        self._api, self._word, self._key, self._member, self._create = api, word, key, member, create
        self.replaced_by = ("RestApiId", *fixed)

    @at_once
    def create(self, wanted: WantedResource, name: str, say: Say) -> MadeResource:  # noqa: ARG002
        """Makes it; what has no name in the template has the name that was made up."""
        given = {
            "Name": name.replace("-", ""),
            **wanted.properties,
            **(wanted.properties.get("StageDescription") or {}),
        }
        given.pop("StageDescription", None)
        made = self._api.call(f"{self._create}{self._word}", given, **_tags(wanted.properties))
        physical = str(made[self._member])
        return MadeResource(physical, {f"{self._word}Id": physical, "ResourceId": physical})

    @at_once
    def update(self, made: MadeResource, was: WantedResource, wanted: WantedResource, say: Say) -> MadeResource:  # noqa: ARG002
        """Changes what differs; what AWS only puts is put again."""
        if self._create == "Put":
            self._api.call(f"Put{self._word}", wanted.properties)
        elif changed := _patches(was.properties, wanted.properties):
            self._api.call(
                f"Update{self._word}", wanted.properties, **{self._key: made.physical}, patchOperations=changed
            )
        return made

    @at_once
    def delete(self, made: MadeResource, was: WantedResource) -> None:
        """Deletes it."""
        owner = {"restApiId": was.properties.get("RestApiId")}
        unless_gone(self._api, f"Delete{self._word}", **owner, **{self._key: made.physical})


class HttpApiKind(ResourceKind):
    """AWS::ApiGatewayV2::Api."""

    replaced_by = ("ProtocolType",)
    longest = 128

    def __init__(self, api: Api, stored: Stored) -> None:
        self._api, self._stored = api, stored

    @at_once
    def create(self, wanted: WantedResource, name: str, say: Say) -> MadeResource:  # noqa: ARG002
        """CreateApi, or ImportApi where there is a definition."""
        if body := _definition(wanted.properties, self._stored):
            made = self._api.call("ImportApi", {}, Body=body.decode())
        else:
            given = {"Name": name, **_without(wanted.properties, "Tags")}
            made = self._api.call("CreateApi", given, Tags=tag_map(wanted.properties))
        return MadeResource(made["ApiId"], {"ApiId": made["ApiId"], "ApiEndpoint": made["ApiEndpoint"]})

    @at_once
    def update(self, made: MadeResource, was: WantedResource, wanted: WantedResource, say: Say) -> MadeResource:  # noqa: ARG002
        """ReimportApi or UpdateApi."""
        if body := _definition(wanted.properties, self._stored):
            self._api.call("ReimportApi", {}, ApiId=made.physical, Body=body.decode())
        else:
            self._api.call("UpdateApi", _without(wanted.properties, "Tags"), ApiId=made.physical)
        return made

    @at_once
    def delete(self, made: MadeResource, was: WantedResource) -> None:  # noqa: ARG002
        """DeleteApi."""
        unless_gone(self._api, "DeleteApi", ApiId=made.physical)


class HttpPartKind(ResourceKind):
    """A type that is made, changed and deleted within an HTTP API; `key` is the member with its id."""

    def __init__(self, api: Api, word: str, key: str) -> None:
        self._api, self._word, self._key = api, word, key
        self.replaced_by = ("ApiId", "StageName")

    @at_once
    def create(self, wanted: WantedResource, name: str, say: Say) -> MadeResource:  # noqa: ARG002
        """Makes it."""
        given = {"Name": name, **_without(wanted.properties, "Tags")}
        physical = str(self._api.call(f"Create{self._word}", given, Tags=tag_map(wanted.properties))[self._key])
        return MadeResource(physical, {f"{self._word}Id": physical})

    @at_once
    def update(self, made: MadeResource, was: WantedResource, wanted: WantedResource, say: Say) -> MadeResource:  # noqa: ARG002
        """Changes what is given."""
        self._api.call(f"Update{self._word}", _without(wanted.properties, "Tags"), **{self._key: made.physical})
        return made

    @at_once
    def delete(self, made: MadeResource, was: WantedResource) -> None:
        """Deletes it."""
        where = {"ApiId": was.properties.get("ApiId"), self._key: made.physical}
        unless_gone(self._api, f"Delete{self._word}", **where)


class SettingKind(ResourceKind):
    """AWS::ApiGateway::Account: settings of the account, which nothing here looks at."""

    @at_once
    def create(self, wanted: WantedResource, name: str, say: Say) -> MadeResource:  # noqa: ARG002
        """Takes it."""
        return MadeResource(name, {"Id": name})

    @at_once
    def update(self, made: MadeResource, was: WantedResource, wanted: WantedResource, say: Say) -> MadeResource:  # noqa: ARG002
        """Takes it."""
        return made

    @at_once
    def delete(self, made: MadeResource, was: WantedResource) -> None:
        """Leaves the account as it is, as on AWS."""


def api_kinds(rest: Api, http: Api, stored: Stored) -> Mapping[str, ResourceKind]:
    """The types of both versions of API Gateway."""
    rest_parts = {
        "Resource": PartKind(rest, "Resource", key="resourceId", fixed=("ParentId", "PathPart")),
        "Deployment": PartKind(rest, "Deployment", key="deploymentId"),
        "Stage": PartKind(rest, "Stage", key="stageName", member="stageName", fixed=("StageName",)),
        "Authorizer": PartKind(rest, "Authorizer", key="authorizerId"),
        "RequestValidator": PartKind(rest, "RequestValidator", key="requestValidatorId", fixed=("Name",)),
        "Model": PartKind(rest, "Model", key="modelName", member="name", fixed=("Name", "ContentType")),
        "GatewayResponse": PartKind(
            rest, "GatewayResponse", key="responseType", member="responseType", create="Put", fixed=("ResponseType",)
        ),
        "RestApi": RestApiKind(rest, stored),
        "Method": MethodKind(rest),
        "Account": SettingKind(),
    }
    http_parts = {
        "Api": HttpApiKind(http, stored),
        **{
            word: HttpPartKind(http, word, f"{word}Id") for word in ("Integration", "Route", "Deployment", "Authorizer")
        },
        "Stage": HttpPartKind(http, "Stage", "StageName"),
    }
    return {
        **{f"AWS::ApiGateway::{word}": kind for word, kind in rest_parts.items()},
        **{f"AWS::ApiGatewayV2::{word}": kind for word, kind in http_parts.items()},
    }


def _definition(properties: Properties, stored: Stored) -> bytes | None:
    """The definition that a template gives, in itself or in S3."""
    if body := properties.get("Body"):
        return json.dumps(body).encode()
    place = properties.get("BodyS3Location")
    return stored(place["Bucket"], place["Key"]) if place else None


def _title(properties: Properties) -> str | None:
    name: str | None = properties.get("Name") or ((properties.get("Body") or {}).get("info") or {}).get("title")
    return name


def _where(properties: Properties) -> dict[str, Any]:
    return {
        "restApiId": properties.get("RestApiId"),
        "resourceId": properties.get("ResourceId"),
        "httpMethod": properties.get("HttpMethod"),
    }


def _without(properties: Properties, *names: str) -> dict[str, Any]:
    return {name: value for name, value in properties.items() if name not in names}


def _tags(properties: Properties) -> dict[str, Any]:
    return {"Tags": tag_map(properties)} if properties.get("Tags") else {}


def _patches(was: Mapping[str, Any], wanted: Mapping[str, Any], above: str = "") -> list[dict[str, Any]]:
    """The changes from some properties to others, as patches; lists are left as they were made."""
    return [*_patched(was, wanted, above)]


def _patched(was: Mapping[str, Any], wanted: Mapping[str, Any], above: str) -> Iterator[dict[str, Any]]:
    for name, value in wanted.items():
        path = f"{above}/{name if above else name[:1].lower() + name[1:]}"
        if isinstance(value, Mapping):
            yield from _patched(was.get(name) or {}, value, path)
        elif not isinstance(value, list) and was.get(name) != value:
            yield {"op": "replace", "path": path, "value": value}
    for name in was.keys() - wanted.keys() if above else ():
        yield {"op": "remove", "path": f"{above}/{name}"}
