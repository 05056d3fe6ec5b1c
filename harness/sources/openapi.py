"""OpenAPI 3 and Swagger 2: each operation becomes a request, or is left out with the reason.

Required parameters are sent, and optional ones that have an example. What the document says by example, default or
choice is taken as it is; other values are made up within their constraints, and a note says so.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from harness.core.experiment.composing import scalar_text
from harness.core.experiment.hosts import is_url
from harness.core.experiment.requests import METHODS, Scalar
from harness.sources.credentials import from_environment
from harness.sources.drafts import Described, Draft, LeftOut, NoRequest, made_up, plain, sendable, url_parts
from harness.sources.files import SourceFile, tree_of
from harness.sources.references import followed
from harness.sources.schemas import MISSING, ExampleValues

WHAT = "an OpenAPI file"
_VERSIONS = re.compile(r"2\.0|3\.\d+(\.\d+)?(-.*)?")
_FORM = "application/x-www-form-urlencoded"
_ANY = "x-amazon-apigateway-any-method"
"""A route of API Gateway that takes every method; GET is sent."""
_CORS = re.compile("Access-Control-Allow-Methods", re.IGNORECASE)
_MARK = re.compile(r"\{([^{}]*)\}")
_NOT_SENT = frozenset({"accept", "content-type", "authorization", "host", "user-agent", "content-length"})
"""Headers that OpenAPI describes elsewhere, or that the client sets itself."""
_UNTOLD = (
    "how often each request is sent: the file does not say it, so all have the same weight; "
    "--access-log tells the real mix and rate"
)


def read_openapi(file: SourceFile) -> Described:
    """What an OpenAPI file says; raises UsageError if it is none, or if none of its operations can be sent."""
    tree = tree_of(file, WHAT)
    version = scalar_text(tree.get("openapi", tree.get("swagger", "")))
    if not _VERSIONS.fullmatch(version):
        seen = f"its version is {version!r}" if version else "it has no key openapi or swagger"
        raise file.wrong(f"is no OpenAPI 3 and no Swagger 2: {seen}; give {WHAT}", file.line_with("openapi") or 1)
    described = sendable(_Document(tree).described())
    if not described.drafts:
        first = next(iter(described.left_out), None)
        why = f"{first.label}: {first.why}" if first else "it has no operations below paths; give a file with some"
        raise file.wrong(f"none of it can be sent; {why}", _line(file, why))
    return described


def _line(file: SourceFile, why: str) -> int | None:
    """The line that a reason speaks of, where it names a reference."""
    named = re.search(r"#/[^\s,;)]+", why)
    return file.line_with(named[0]) if named else file.line_with("paths")


class _Document:
    """One document, its operations read one after the other."""

    def __init__(self, tree: Mapping[str, Any]) -> None:
        self._tree = tree
        self._values = ExampleValues(tree)
        self._is_swagger = "swagger" in tree
        server = _swagger_server(tree) if self._is_swagger else _first_server(tree)
        self._host = server.rstrip("/") if is_url(server) else None
        self._base = "" if self._host else url_parts(server).path.rstrip("/")

    def described(self) -> Described:
        drafts, left_out = [], []
        for label, read in self._operations():
            try:
                drafts.append(read())
            except NoRequest as error:
                left_out.append(LeftOut(label, str(error)))
        told = _map(self._tree.get("info")).get("title")
        return Described(
            title=told if isinstance(told, str) else "",
            host=self._host,
            drafts=tuple(drafts),
            left_out=tuple(left_out),
            unknown=(_UNTOLD, *made_up(drafts)),
        )

    def _operations(self) -> Iterator[tuple[str, Any]]:
        for path, node in _map(self._tree.get("paths")).items():
            if path.startswith("x-"):
                continue
            try:
                item = _map(followed(self._tree, node))
            except NoRequest as error:
                yield path, _raising(error)
                continue
            if _ANY in item and "get" not in item:
                item = {**item, "get": item[_ANY]}
            for method in (*METHODS, "trace"):
                if isinstance(item.get(method), Mapping):
                    yield f"{method.upper()} {path}", self._reader(path, method, item)

    def _reader(self, path: str, method: str, item: Mapping[str, Any]) -> Any:
        return lambda: self._draft(path, method, item, item[method])

    def _draft(self, path: str, method: Any, item: Mapping[str, Any], operation: Mapping[str, Any]) -> Draft:
        if method not in METHODS:
            raise NoRequest(f"{method.upper()} cannot be sent")
        if method == "options" and _CORS.search(str(operation.get("responses"))):
            raise NoRequest("browsers send it by themselves before a call of another site (CORS)")
        if any(_map(server).get("url") for server in (*_list(item, "servers"), *_list(operation, "servers"))):
            raise NoRequest("it has a server of its own; an experiment has one")
        self._values.begin()
        sent = _Sent()
        for parameter in self._parameters(item, operation):
            self._add(sent, parameter)
        target = self._target(path, sent)
        self._add_body(sent, operation)
        self._add_security(sent, operation)
        return Draft(
            label=f"{method.upper()} {path}",
            method=method,
            key=str(operation.get("operationId") or ""),
            path=target,
            headers=sent.headers,
            query=sent.query,
            json=sent.json,
            form=sent.form,
            body=sent.body,
            notes=tuple(dict.fromkeys(self._values.made_up)),
        )

    # Parameters

    def _parameters(self, item: Mapping[str, Any], operation: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """Those of the path and of the operation, which may say one anew."""
        both = [_map(followed(self._tree, node)) for part in (item, operation) for node in _list(part, "parameters")]
        return [*{(str(one.get("in")), str(one.get("name"))): one for one in both}.values()]

    def _add(self, sent: "_Sent", parameter: Mapping[str, Any]) -> None:
        place, name = str(parameter.get("in")), plain(str(parameter.get("name")))
        is_required = parameter.get("required") is True or place == "path"
        given = self._example(parameter)
        if given is MISSING and not is_required:
            return
        if place == "header" and name.lower() in _NOT_SENT:
            return
        if place in ("body", "formData"):
            self._add_swagger_body(sent, parameter, place, name, given)
            return
        value = self._values.of(_schema_of(parameter), name) if given is MISSING else given
        if place == "path":
            sent.path[name] = _in_path(value)
        elif place == "query":
            sent.query.update(_in_query(name, value, parameter))
        elif place == "header":
            sent.headers[name] = _joined(value)
        elif place == "cookie":
            sent.cookies.append(f"{name}={scalar_text(_joined(value))}")

    def _example(self, parameter: Mapping[str, Any]) -> Any:
        given = self._values.given(parameter)
        schema = followed(self._tree, _schema_of(parameter))
        return given if given is not MISSING or not isinstance(schema, Mapping) else self._values.given(schema)

    def _add_swagger_body(self, sent: "_Sent", parameter: Mapping[str, Any], place: str, name: str, given: Any) -> None:
        if place == "body":
            sent.json = self._values.of(_schema_of(parameter), name) if given is MISSING else given
        elif parameter.get("type") == "file":
            raise NoRequest("its body holds a file, which an experiment cannot hold")
        else:
            sent.form[name] = _joined(self._values.of(parameter, name) if given is MISSING else given)

    def _target(self, path: str, sent: "_Sent") -> str:
        def filled(mark: re.Match[str]) -> str:
            name = mark[1]
            if name not in sent.path:  # the document does not describe it
                sent.path[name] = "1"
                self._values.made_up.append(name)
            return sent.path[name]

        # A document may use {{ }} itself; what is left of a path must be sent as it is.
        fixed = [plain(part) for part in _MARK.split(path)[::2]]
        if any("{" in part or "}" in part for part in fixed):
            raise NoRequest("its path has a brace without its partner")
        return f"{self._base}{_MARK.sub(filled, path)}"

    # Bodies

    def _add_body(self, sent: "_Sent", operation: Mapping[str, Any]) -> None:
        body = _map(followed(self._tree, operation.get("requestBody")))
        content = _map(body.get("content"))
        chosen = next((kind for kind in content if _is_json(kind)), None) or next(
            (kind for kind in content if kind.startswith((_FORM, "text/"))), None
        )
        if chosen is None:
            if content and body.get("required") is True:
                raise NoRequest(f"its body is {next(iter(content))}, which an experiment cannot hold")
            return
        media = _map(content[chosen])
        given = self._values.given(media)
        value = self._values.of(media.get("schema"), "body") if given is MISSING else given
        if _is_json(chosen):
            sent.json = value
            if not chosen.startswith("application/json"):
                sent.headers["Content-Type"] = plain(chosen) if "*" not in chosen else "application/json"
        elif chosen.startswith(_FORM) and isinstance(value, Mapping):
            sent.form = {str(name): _joined(inner) for name, inner in value.items() if inner is not None}
        else:
            sent.headers["Content-Type"] = plain(chosen)
            sent.body = scalar_text(_joined(value))

    # Security

    def _add_security(self, sent: "_Sent", operation: Mapping[str, Any]) -> None:
        """The credentials of the first way that the operation allows, each from the environment."""
        ways = operation.get("security", self._tree.get("security"))
        ways = [way for way in ways if isinstance(way, Mapping)] if isinstance(ways, list) else []
        if not ways or {} in ways:
            return
        held = self._tree if self._is_swagger else _map(self._tree.get("components"))
        schemes = _map(held.get("securityDefinitions" if self._is_swagger else "securitySchemes"))
        for name in ways[0]:
            self._add_credential(sent, str(name), _map(followed(self._tree, schemes.get(name))))

    def _add_credential(self, sent: "_Sent", name: str, scheme: Mapping[str, Any]) -> None:
        kind, place = scheme.get("type"), scheme.get("in")
        if kind == "apiKey":
            named, value = plain(str(scheme.get("name"))), from_environment(name)
            if place == "query":
                sent.query[named] = value
            elif place == "cookie":
                sent.cookies.append(f"{named}={value}")
            else:
                sent.headers[named] = value
        elif kind == "basic" or (kind == "http" and str(scheme.get("scheme")).lower() == "basic"):
            sent.headers["Authorization"] = f"Basic {from_environment('BASIC_AUTH')}"
        elif kind in ("http", "oauth2", "openIdConnect"):
            sent.headers["Authorization"] = f"Bearer {from_environment('TOKEN')}"


class _Sent:
    """What is sent with one operation, gathered part by part."""

    def __init__(self) -> None:
        self.path: dict[str, str] = {}
        self.headers: dict[str, Scalar] = {}
        self.query: dict[str, Scalar] = {}
        self.cookies: list[str] = []
        self.json: Any = None
        self.form: dict[str, Scalar] = {}
        self.body: str | None = None


def _raising(error: NoRequest) -> Any:
    def read() -> Draft:
        raise error

    return read


# Servers


def _first_server(tree: Mapping[str, Any]) -> str:
    """The URL of the first server, with the defaults of its variables; empty where there is none."""
    server = _map(next(iter(_list(tree, "servers")), None))
    variables = _map(server.get("variables"))
    url = _MARK.sub(
        lambda mark: str(_map(variables.get(mark[1])).get("default", mark[0])), str(server.get("url") or "")
    )
    return re.sub(r"(?<!:)//+", "/", url)  # the default of API Gateway's basePath begins with one, too


def _swagger_server(tree: Mapping[str, Any]) -> str:
    base = str(tree.get("basePath") or "").rstrip("/")
    if not tree.get("host"):
        return base
    schemes = _list(tree, "schemes")
    return f"{'http' if schemes and 'https' not in schemes else 'https'}://{tree['host']}{base}"


# ExampleValues in their places


def _schema_of(parameter: Mapping[str, Any]) -> Any:
    """The schema of a parameter: in Swagger 2 it is one itself, but for a body's."""
    if "schema" in parameter:
        return parameter["schema"]
    content = _map(parameter.get("content"))
    return _map(next(iter(content.values()), None)).get("schema", {}) if content else parameter


def _in_path(value: Any) -> str:
    """A value in a path; a placeholder stays one."""
    text = scalar_text(_joined(value))
    return text if text.startswith("{{") else quote(text, safe="") or "1"


def _in_query(name: str, value: Any, parameter: Mapping[str, Any]) -> Iterator[tuple[str, Scalar]]:
    """A value in the query; of a list that repeats its name, the first one only."""
    if isinstance(value, Mapping):
        yield from (
            (f"{name}[{key}]" if parameter.get("style") == "deepObject" else str(key), _joined(inner))
            for key, inner in value.items()
        )
    elif isinstance(value, list):
        explodes = parameter.get("explode", "collectionFormat" not in parameter and "type" not in parameter)
        if value:
            yield name, _joined(value[0] if explodes or parameter.get("collectionFormat") == "multi" else value)
    elif value is not None:
        yield name, value


def _joined(value: Any) -> Scalar:
    """A value as a plain one: a list by commas, an object as JSON."""
    if isinstance(value, list):
        return ",".join(scalar_text(_joined(one)) for one in value)
    if isinstance(value, Mapping):
        return msgspec.json.encode(value).decode()
    return "" if value is None else value


# Nodes


def _is_json(kind: str) -> bool:
    word = kind.partition(";")[0].strip().lower()
    return word in ("application/json", "*/*", "text/json", "application/*") or word.endswith("+json")


def _map(node: Any) -> Mapping[str, Any]:
    return node if isinstance(node, Mapping) else {}


def _list(node: Mapping[str, Any], key: str) -> list[Any]:
    value = node.get(key)
    return value if isinstance(value, list) else []
