"""APIs as OpenAPI 3.0 documents, as GetExport and ExportApi give them: what their routes ask for, without integrations.

Source: what API Gateway exported of an API of each kind; of validators and models it tells no more than their names.
"""

import re
from collections.abc import Mapping
from typing import Any

from harness.rehearsal.apis.openapi import ANY_METHOD
from harness.rehearsal.apis.rest_api import DeployedApi
from harness.rehearsal.apis.routes import ANY
from harness.rehearsal.operations import Answer
from harness.rehearsal.refusal import Refusal

_PARAMETER = re.compile(r"\{([^}+]+)\+?\}")
_IN = {"querystring": "query", "header": "header", "path": "path"}
_ANSWER = {"responses": {"default": {"description": "Default response"}}}


def of_rest_api(title: str, url: str, definition: DeployedApi, stage: Answer) -> Answer:
    """What a stage of a REST API serves."""
    paths = {
        resource["path"]: {
            _member(name): _operation(resource["path"], method, definition)
            for name, method in resource["resourceMethods"].items()
        }
        for resource in definition.resources
        if resource.get("resourceMethods")
    }
    document = _document(title, url, str(stage["stageName"]), paths)
    schemas: dict[str, Answer] = {name: {} for name in definition.models}
    return {**document, "components": {"schemas": schemas}} if schemas else document


def of_http_api(title: str, url: str, routes: list[Answer], stage: str | None) -> Answer:
    """What an HTTP API serves, at a stage or as it is now."""
    paths: dict[str, Answer] = {}
    for route in routes:
        method, _, path = str(route["RouteKey"]).partition(" ")
        where = (path, _member(method)) if path else ("/$default", ANY_METHOD)
        paths.setdefault(where[0], {})[where[1]] = {**_of_path(where[0]), **_ANSWER}
    return _document(title, url, stage or "", paths)


def only_oas30(asked: str | None) -> None:
    """Raises a Refusal for another form than the one that is written here."""
    if (asked or "").lower() != "oas30":
        raise Refusal("BadRequestException", "This local cloud exports OpenAPI 3.0 alone (oas30).")


def _document(title: str, url: str, stage: str, paths: Mapping[str, Answer]) -> Answer:
    base = "" if stage == "$default" else f"/{stage}" if stage else ""
    server = {"url": f"{url}/{{basePath}}", "variables": {"basePath": {"default": base}}}
    return {
        "openapi": "3.0.1",
        "info": {"title": title, "version": "1.0"},
        **({"servers": [server]} if stage else {}),
        "paths": paths,
    }


def _member(method: str) -> str:
    return ANY_METHOD if method == ANY else method.lower()


def _operation(path: str, method: Answer, definition: DeployedApi) -> Answer:
    """One method: its parameters, its body's model, and its answers."""
    asked = method.get("requestParameters") or {}
    parameters = {one["name"]: one for one in _of_path(path).get("parameters", [])}
    for place, required in asked.items():
        _, _, kind, name = place.split(".", 3)
        parameters[name] = _parameter(name, _IN.get(kind, kind), required=required or kind == "path")
    models = {kind: name for kind, name in (method.get("requestModels") or {}).items() if name in definition.models}
    content = {kind: {"schema": {"$ref": f"#/components/schemas/{name}"}} for kind, name in models.items()}
    operation: Answer = {"parameters": [*parameters.values()]} if parameters else {}
    return {**operation, **({"requestBody": {"content": content, "required": True}} if content else {}), **_ANSWER}


def _of_path(path: str) -> dict[str, Any]:
    """The parameters that a path has."""
    found = [_parameter(name, "path", required=True) for name in _PARAMETER.findall(path)]
    return {"parameters": found} if found else {}


def _parameter(name: str, place: str, *, required: bool) -> Answer:
    return {"name": name, "in": place, "required": required, "schema": {"type": "string"}}
