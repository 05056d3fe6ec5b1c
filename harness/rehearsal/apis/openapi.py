"""OpenAPI definitions with API Gateway's extensions, as the parts that the control plane keeps for a REST API.

Swagger 2.0 and OpenAPI 3.0, in JSON or YAML; SAM writes its APIs so, and `aws apigateway put-rest-api` takes them.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from harness.rehearsal.apis.rest_api import RestApi
from harness.rehearsal.apis.routes import ANY
from harness.rehearsal.operations import Answer
from harness.rehearsal.refusal import Refusal

_OF_AWS = "x-amazon-apigateway-"
INTEGRATION = f"{_OF_AWS}integration"
AUTHORIZER = f"{_OF_AWS}authorizer"
ANY_METHOD = f"{_OF_AWS}any-method"
_METHODS = ("get", "head", "options", "post", "put", "patch", "delete", ANY_METHOD)
_PLACES = {"query": "querystring", "header": "header", "path": "path"}
_NAMED_TYPES = {"token": "TOKEN", "request": "REQUEST", "cognito_user_pools": "COGNITO_USER_POOLS"}


def read(body: bytes | str) -> Mapping[str, Any]:
    """A definition; raises a Refusal for what is none."""
    try:
        content = yaml.safe_load(body)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _invalid(f"it cannot be read: {error}") from error
    if not isinstance(content, dict) or not ("swagger" in content or "openapi" in content):
        raise _invalid("it has neither swagger nor openapi")
    if not isinstance(content.get("paths", {}), dict):
        raise _invalid("paths must be an object")
    return content


def methods(content: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Path, method or ANY, and content of each operation."""
    for path, item in content.get("paths", {}).items():
        for name in _METHODS:
            if name in (item or {}):
                yield path, ANY if name == ANY_METHOD else name.upper(), item[name] or {}


def schemes(content: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    """The security schemes by name."""
    found: Mapping[str, Mapping[str, Any]] = content.get("securityDefinitions") or (
        (content.get("components") or {}).get("securitySchemes") or {}
    )
    return found


def asked_by(content: Mapping[str, Any], operation: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    """The schemes that admit the requests of an operation, by name; none where all may pass."""
    asked = operation.get("security", content.get("security")) or []
    known = schemes(content)
    return {name: known[name] for one in asked for name in one if name in known}


def is_of_iam(scheme: Mapping[str, Any]) -> bool:
    """Whether a scheme asks for a signature of IAM."""
    return scheme.get(f"{_OF_AWS}authtype") == "awsSigv4"


def laid_into(api: RestApi, content: Mapping[str, Any]) -> None:
    """Gives an API all that a definition says."""
    api.about.setdefault("name", (content.get("info") or {}).get("title", "api"))
    authorizers = {name: _authorizer(api, name, scheme) for name, scheme in schemes(content).items()}
    validators = {
        name: api.validators.put({"name": name, **flags})["id"]
        for name, flags in (content.get(f"{_OF_AWS}request-validators") or {}).items()
    }
    for name, schema in _schemas(content).items():
        api.models.put({"name": name, "contentType": "application/json", "schema": json.dumps(schema)})
    for kind, response in (content.get(f"{_OF_AWS}gateway-responses") or {}).items():
        api.responses.put({"responseType": kind, **response})
    for path, name, operation in methods(content):
        resource = api.resource_at(path)
        asked = operation.get(f"{_OF_AWS}request-validator", content.get(f"{_OF_AWS}request-validator"))
        method = {
            "httpMethod": name,
            **_security(authorizers, asked_by(content, operation)),
            "requestValidatorId": validators.get(asked),
            "requestParameters": dict(_required(operation)),
            "requestModels": _models(operation),
            "methodIntegration": _integration(operation),
        }
        resource.setdefault("resourceMethods", {})[name] = {key: one for key, one in method.items() if one is not None}


def _authorizer(api: RestApi, name: str, scheme: Mapping[str, Any]) -> Answer | None:
    given = scheme.get(AUTHORIZER)
    if given is None:
        return None
    kind = given.get("type", "token")
    source = f"method.request.header.{scheme['name']}" if kind == "token" and "name" in scheme else None
    return api.authorizers.put(
        {"identitySource": source, **given, "name": name, "type": _NAMED_TYPES.get(kind, str(kind).upper())}
    )


def _security(authorizers: Mapping[str, Answer | None], asked: Mapping[str, Mapping[str, Any]]) -> Answer:
    key = {"apiKeyRequired": any(_is_key(scheme) for scheme in asked.values())}
    authorizer = next(filter(None, (authorizers.get(name) for name in asked)), None)
    if authorizer is None:
        return {**key, "authorizationType": "AWS_IAM" if any(map(is_of_iam, asked.values())) else "NONE"}
    kind = "COGNITO_USER_POOLS" if authorizer["type"] == "COGNITO_USER_POOLS" else "CUSTOM"
    return {**key, "authorizationType": kind, "authorizerId": authorizer["id"]}


def _is_key(scheme: Mapping[str, Any]) -> bool:
    """Whether a scheme asks for a key of a usage plan."""
    return (
        scheme.get("type") == "apiKey" and str(scheme.get("name")).lower() == "x-api-key" and AUTHORIZER not in scheme
    )


def _required(operation: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    for one in operation.get("parameters") or ():
        if one.get("in") in _PLACES:
            yield f"method.request.{_PLACES[one['in']]}.{one['name']}", bool(one.get("required"))


def _models(operation: Mapping[str, Any]) -> dict[str, str]:
    """The name of the body's model, by content type."""
    bodies = [one.get("schema") for one in operation.get("parameters") or () if one.get("in") == "body"]
    content = (operation.get("requestBody") or {}).get("content") or {}
    bodies += [one.get("schema") for one in content.values()]
    names = [one["$ref"].rpartition("/")[2] for one in bodies if one and "$ref" in one]
    return {"application/json": names[0]} if names else {}


def _schemas(content: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = content.get("definitions") or (content.get("components") or {}).get("schemas") or {}
    return found


def _integration(operation: Mapping[str, Any]) -> Answer | None:
    given = operation.get(INTEGRATION)
    if given is None:
        return None
    responses = {str(one.get("statusCode", "200")): one for one in (given.get("responses") or {}).values()}
    kept = {name: value for name, value in given.items() if name not in ("responses", "type")}
    return {**kept, "type": str(given.get("type", "")).upper(), "integrationResponses": responses}


def _invalid(problem: str) -> Refusal:
    return Refusal("BadRequestException", f"Invalid OpenAPI input: {problem}")
