"""What OpenAPI files say becomes requests: servers, parameters, bodies, credentials, and what cannot be sent."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from harness.errors import UsageError
from harness.sources.drafts import Described, Draft
from harness.sources.files import SourceFile, read_source
from harness.sources.openapi import read_openapi
from tests.sources.shop import OPENAPI


def read(**document: Any) -> Described:
    """What a document of OpenAPI 3 says."""
    return read_openapi(SourceFile("api.yaml", yaml.safe_dump({"openapi": "3.1.0", **document})))


def one(operation: dict[str, Any], path: str = "/x", method: str = "get", **document: Any) -> Draft:
    """The request of a document's only operation."""
    (draft,) = read(paths={path: {method: operation}}, **document).drafts
    return draft


def why_left_out(operation: dict[str, Any], path: str = "/x", method: str = "get", **document: Any) -> str:
    """Why an operation is left out, beside one that is not."""
    (left,) = read(paths={path: {method: operation}, "/fine": {"get": {}}}, **document).left_out
    return left.why


def parameter(name: str, place: str, **more: Any) -> dict[str, Any]:
    """A parameter."""
    return {"name": name, "in": place, **more}


def test_a_file_becomes_requests_by_their_operation_ids() -> None:
    """With path, query and body, and the host of its first server."""
    described = read_openapi(read_source(OPENAPI))
    assert [draft.key for draft in described.drafts] == ["getOrder", "cancelOrder", "search", "login"]
    order, _, search, login = described.drafts
    assert described.host == "https://shop.example.com/prod"
    assert order.path == "/orders/{{random.int(1,500)}}"
    assert search.query == {"q": "red shoes"}
    assert login.json == {"email": "someone@example.com", "password": "11111111"}
    assert login.notes == ("email", "password")


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"example": "a", "schema": {"default": "b"}}, "a"),
        ({"examples": {"first": {"value": "a"}}, "schema": {}}, "a"),
        ({"schema": {"examples": ["a"], "default": "b"}}, "a"),
        ({"schema": {"type": "string", "default": "b", "enum": ["c"]}}, "b"),
        ({"schema": {"enum": [None, "c", "d"]}}, "c"),
        ({"schema": {"const": 7}}, 7),
        ({"schema": {"type": "string", "format": "uuid"}}, "{{uuid}}"),
        ({"schema": {"type": "string", "format": "date-time"}}, "{{now}}"),
        ({"schema": {"type": "integer", "minimum": 3, "maximum": 9}}, "{{random.int(3,9)}}"),
        ({"schema": {"type": "integer", "exclusiveMinimum": 4}}, 5),
        ({"schema": {"type": "integer", "minimum": 7, "multipleOf": 5}}, 10),
        ({"schema": {"type": ["null", "boolean"]}}, True),
        ({"schema": {"type": "string", "minLength": 4, "maxLength": 6}}, "1111"),
        ({"schema": {"type": "string", "pattern": "^[A-Z]+$"}}, "A"),
        ({"schema": {"type": "array", "items": {"type": "string", "enum": ["e"]}}}, "e"),
    ],
)
def test_a_required_parameter_has_what_the_document_says_first(given: dict[str, Any], sent: Any) -> None:
    """An example before a default, a default before a choice, and a value within the constraints last."""
    assert one({"parameters": [parameter("q", "query", required=True, **given)]}).query == {"q": sent}


def test_optional_parameters_are_sent_only_with_an_example() -> None:
    """A default needs no sending."""
    optional = [parameter("a", "query", schema={"default": 1}), parameter("b", "query", example="x")]
    assert one({"parameters": optional}).query == {"b": "x"}


def test_parameters_of_a_path_hold_for_its_operations_unless_these_say_otherwise() -> None:
    """The nearer one counts."""
    item = {
        "parameters": [parameter("id", "path", example=1), parameter("v", "header", required=True, example="old")],
        "get": {"parameters": [parameter("v", "header", required=True, example="new")]},
    }
    (draft,) = read(paths={"/x/{id}": item}).drafts
    assert (draft.path, draft.headers) == ("/x/1", {"v": "new"})


def test_a_value_in_a_path_is_written_as_a_path_has_it() -> None:
    """Slashes and blanks are no parts of the route."""
    assert one({"parameters": [parameter("id", "path", example="a/b c")]}, path="/x/{id}").path == "/x/a%2Fb%20c"


def test_a_path_parameter_that_nobody_describes_is_made_up_and_noted() -> None:
    """So that a person can see it."""
    draft = one({}, path="/x/{id}")
    assert (draft.path, draft.notes) == ("/x/1", ("id",))


@pytest.mark.parametrize(
    ("scheme", "headers", "query"),
    [
        ({"type": "http", "scheme": "bearer"}, {"Authorization": "Bearer {{env.TOKEN}}"}, {}),
        ({"type": "oauth2", "flows": {}}, {"Authorization": "Bearer {{env.TOKEN}}"}, {}),
        ({"type": "http", "scheme": "basic"}, {"Authorization": "Basic {{env.BASIC_AUTH}}"}, {}),
        ({"type": "apiKey", "in": "header", "name": "X-Key"}, {"X-Key": "{{env.SHOP_KEY}}"}, {}),
        ({"type": "apiKey", "in": "query", "name": "k"}, {}, {"k": "{{env.SHOP_KEY}}"}),
    ],
)
def test_credentials_come_from_the_environment(scheme: Any, headers: dict[str, str], query: dict[str, str]) -> None:
    """Each way that OpenAPI describes."""
    draft = one({}, security=[{"shop-key": []}], components={"securitySchemes": {"shop-key": scheme}})
    assert (draft.headers, draft.query) == (headers, query)


def test_an_operation_that_anybody_may_call_has_no_credentials() -> None:
    """Whatever holds for the others."""
    held = {"securitySchemes": {"k": {"type": "http", "scheme": "bearer"}}}
    assert one({"security": []}, security=[{"k": []}], components=held).headers == {}
    assert one({"security": [{"k": []}, {}]}, components=held).headers == {}


@pytest.mark.parametrize(
    ("content", "sent"),
    [
        ({"application/json": {"example": {"a": 1}}}, {"json": {"a": 1}}),
        (
            {"application/vnd.x+json": {"example": [1]}},
            {"json": [1], "headers": {"Content-Type": "application/vnd.x+json"}},
        ),
        ({"application/x-www-form-urlencoded": {"example": {"a": 1}}}, {"form": {"a": 1}}),
        ({"text/plain": {"example": "hi"}}, {"body": "hi", "headers": {"Content-Type": "text/plain"}}),
    ],
)
def test_a_body_is_of_the_first_type_that_can_be_sent(content: Any, sent: dict[str, Any]) -> None:
    """JSON before forms and text, even beside types that cannot."""
    draft = one({"requestBody": {"content": {"image/png": {}, **content}}}, method="post")
    assert draft.request() == {"post": "/x", **sent}


def test_a_schema_gives_what_is_required_of_it_and_what_has_examples() -> None:
    """What the service answers only, and what may be left out, is left out."""
    schema = {
        "allOf": [{"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}, "b": {}}}],
        "type": "object",
        "properties": {"c": {"type": "string", "example": "see"}, "d": {"readOnly": True, "example": "id"}},
    }
    draft = one({"requestBody": {"content": {"application/json": {"schema": schema}}}}, method="put")
    assert draft.json == {"a": 1, "c": "see"}


def test_a_schema_that_holds_itself_ends_where_it_may() -> None:
    """An optional part is left out, and a list of itself is empty."""
    node = {"type": "object", "properties": {"name": {"type": "string"}, "next": {"$ref": "#/components/schemas/N"}}}
    node["properties"]["children"] = {"type": "array", "items": {"$ref": "#/components/schemas/N"}}
    body = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/N"}}}}
    draft = one({"requestBody": body}, method="post", components={"schemas": {"N": node}})
    assert draft.json == {"name": "1", "children": []}


ENDLESS = {"N": {"type": "object", "required": ["next"], "properties": {"next": {"$ref": "#/components/schemas/N"}}}}
CIRCLE = {"N": {"$ref": "#/components/schemas/M"}, "M": {"$ref": "#/components/schemas/N"}}
OF_N = {"requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/N"}}}}}


@pytest.mark.parametrize(
    ("operation", "document", "why"),
    [
        (OF_N, {"components": {"schemas": ENDLESS}}, "holds itself without end (#/components/schemas/N)"),
        (OF_N, {"components": {"schemas": CIRCLE}}, "leads in a circle"),
        (OF_N, {}, "#/components/schemas/N is not in the file"),
        ({"parameters": [{"$ref": "common.yaml#/a"}]}, {}, "is in another file; bundle both into one"),
        ({"requestBody": {"required": True, "content": {"multipart/form-data": {}}}}, {}, "multipart/form-data"),
        ({"servers": [{"url": "https://other.example.com"}]}, {}, "server of its own"),
        ({"parameters": [parameter("q", "query", example="{{x}}")]}, {}, "begins a placeholder"),
        ({"parameters": [parameter("q", "query", required=True, schema={"pattern": "^Z{9}$"})]}, {}, "no example"),
        ({"parameters": [parameter("a\r\nb", "header", example="x")]}, {}, "is no name of a header"),
    ],
)
def test_an_operation_that_cannot_be_sent_is_left_out_with_the_reason(
    operation: Any, document: dict[str, Any], why: str
) -> None:
    """And the others stay."""
    assert why in why_left_out(operation, method="post", **document)


def test_a_file_without_anything_to_send_names_the_line_of_the_reason() -> None:
    """One sentence with file, line and what to do."""
    text = yaml.safe_dump({"openapi": "3.0.0", "paths": {"/x": {"post": OF_N}}, "components": {"schemas": CIRCLE}})
    with pytest.raises(
        UsageError, match=r"^api.yaml, line \d+: none of it can be sent; POST /x: .* circle.*name a value"
    ):
        read_openapi(SourceFile("api.yaml", text))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"name": "x"}', r"has no key openapi or swagger"),
        ("swagger: '1.2'\n", r"its version is '1.2'"),
        ("[1, 2]", r"is not an OpenAPI file"),
        ("openapi: 3.0.0\npaths: [\n", r"api.yaml, line \d+"),
        ("openapi: 3.0.0\n", r"no operations below paths"),
        ('{"openapi": "3.0.0", "paths": {"/a": {}}}', r"no operations below paths"),
        ("a: &a [*a, *a]\n", r"api.yaml"),
    ],
)
def test_a_file_that_is_none_gets_one_sentence(text: str, says: str) -> None:
    """With the file's name."""
    with pytest.raises(UsageError, match=says) as caught:
        read_openapi(SourceFile("api.yaml", text))
    assert str(caught.value).startswith("api.yaml")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("servers", "host", "path"),
    [
        ([{"url": "https://a.example.com/v1/"}, {"url": "https://b.example.com"}], "https://a.example.com/v1", "/x"),
        ([{"url": "/v2"}], None, "/v2/x"),
        ([], None, "/x"),
        ([{"url": "https://{t}.example.com", "variables": {"t": {"default": "me"}}}], "https://me.example.com", "/x"),
        (
            [{"url": "https://i.example.com/{basePath}", "variables": {"basePath": {"default": "/prod"}}}],
            "https://i.example.com/prod",
            "/x",
        ),
    ],
)
def test_the_first_server_says_where_the_service_is(servers: Any, host: str | None, path: str) -> None:
    """A server without a host is a base path."""
    described = read(paths={"/x": {"get": {}}}, servers=servers)
    assert (described.host, described.drafts[0].path) == (host, path)


def test_swagger_2_is_read_as_well(tmp_path: Path) -> None:
    """Its host, its bodies, its forms and its credentials."""
    document = {
        "swagger": "2.0",
        "host": "api.example.com",
        "basePath": "/v1",
        "schemes": ["http"],
        "securityDefinitions": {"k": {"type": "basic"}},
        "paths": {
            "/a": {"post": {"parameters": [parameter("it", "body", schema={"example": {"a": 1}})]}},
            "/b": {"post": {"parameters": [parameter("f", "formData", type="string", enum=["x"], required=True)]}},
            "/c": {
                "get": {"security": [{"k": []}], "parameters": [parameter("n", "query", type="integer", required=True)]}
            },
            "/d": {"post": {"parameters": [parameter("f", "formData", type="file", required=True)]}},
        },
    }
    (tmp_path / "swagger.json").write_bytes(msgspec.json.encode(document))
    described = read_openapi(read_source(tmp_path / "swagger.json"))
    body, form, get = described.drafts
    assert described.host == "http://api.example.com/v1"
    assert (body.json, form.form, get.query) == ({"a": 1}, {"f": "x"}, {"n": 1})
    assert get.headers == {"Authorization": "Basic {{env.BASIC_AUTH}}"}
    assert "holds a file" in described.left_out[0].why


def test_a_route_of_api_gateway_that_takes_every_method_is_sent_as_get() -> None:
    """And what browsers send for themselves is not sent at all."""
    cors = {"responses": {"200": {"headers": {"Access-Control-Allow-Methods": {}}}}}
    described = read(paths={"/{proxy+}": {"x-amazon-apigateway-any-method": {}, "options": cors}})
    assert [draft.request() for draft in described.drafts] == [{"get": "/1"}]
    assert "CORS" in described.left_out[0].why
