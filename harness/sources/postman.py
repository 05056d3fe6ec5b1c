"""Postman collections of version 2: each saved request once, with the collection's variables filled in.

A variable without a value becomes one of the environment: what the collection calls `{{token}}` is `{{env.TOKEN}}`.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

import msgspec

from harness.core.experiment.requests import METHODS, Scalar
from harness.core.experiment.secrets import SECRET_NAME
from harness.files import NOT_JSON
from harness.sources.credentials import from_environment, without_credentials
from harness.sources.drafts import Described, Draft, LeftOut, NoRequest, sendable, url_parts
from harness.sources.files import SourceFile, json_of

WHAT = "a Postman collection"
_VARIABLE = re.compile(r"\{\{\s*([^{}]+?)\s*\}\}")
_MADE_UP: Mapping[str, str] = {
    "$guid": "{{uuid}}",
    "$randomUUID": "{{uuid}}",
    "$isoTimestamp": "{{now}}",
    "$randomInt": "{{random.int(0,1000)}}",
}
"""Postman's dynamic variables that an experiment has, too."""
_METHODS = {method.upper(): method for method in METHODS}
_NESTED = 20
"""Variables within variables, and folders within folders."""


def read_postman(file: SourceFile) -> Described:
    """What a collection holds; raises UsageError if it is none, or if none of its requests can be sent."""
    tree = json_of(file, WHAT)
    if not isinstance(tree.get("item"), list):
        version = "of version 1" if "requests" in tree else "no list item"
        raise file.wrong(f"is not {WHAT} of version 2 ({version}); export it as Collection v2.1", 1)
    described = sendable(_Collection(tree).described())
    if not described.drafts:
        why = next((f"{one.label}: {one.why}" for one in described.left_out), "it holds no requests")
        raise file.wrong(f"nothing in it can be sent; {why}", file.line_with('"item"'))
    return described


class _Collection:
    """One collection, its folders read one after the other."""

    def __init__(self, tree: Mapping[str, Any]) -> None:
        self._tree = tree
        variables = [_map(one) for one in _list(tree.get("variable"))]
        self._variables = {str(one.get("key") or one.get("id")): one.get("value") for one in variables}

    def described(self) -> Described:
        drafts, left_out = list[tuple[str, Draft]](), list[LeftOut]()
        for label, item, auth in self._requests(self._tree, "", self._tree.get("auth"), 0):
            try:
                drafts.append(self._draft(label, item, auth))
            except NoRequest as error:
                left_out.append(LeftOut(label, str(error)))
        host = next(iter(Counter(host for host, _ in drafts if host).most_common(1)), ("", 0))[0]
        for other, draft in drafts:
            if other not in (host, ""):
                left_out.append(LeftOut(draft.label, f"it goes to {other}, and an experiment has one host, {host}"))
        title = _map(self._tree.get("info")).get("name")
        return Described(
            title=title if isinstance(title, str) else "",
            host=host or None,
            drafts=tuple(draft for other, draft in drafts if other in (host, "")),
            left_out=tuple(left_out),
            unknown=("how often each request is sent: a collection does not say it, so all have the same weight",),
        )

    def _requests(self, node: Any, label: str, auth: Any, depth: int) -> Iterator[tuple[str, Mapping[str, Any], Any]]:
        """Each request with its name, and how it is allowed in: by its own way, or its folder's."""
        for item in map(_map, _list(_map(node).get("item"))):
            name = f"{label} / {item.get('name', '')}" if label else str(item.get("name", ""))
            if "request" in item:
                request = item["request"]
                asked = {"url": request, "method": "GET"} if isinstance(request, str) else _map(request)
                yield name, asked, asked.get("auth") or item.get("auth") or auth
            elif depth < _NESTED:
                yield from self._requests(item, name, item.get("auth") or auth, depth + 1)

    def _draft(self, label: str, asked: Mapping[str, Any], auth: Any) -> tuple[str, Draft]:
        method = _METHODS.get(str(asked.get("method") or "GET").upper())
        if method is None:
            raise NoRequest(f"{asked.get('method')} cannot be sent")
        host, path, query = self._address(asked.get("url"))
        headers = dict(self._pairs(asked.get("header")))
        self._allow(_map(auth), headers, query)
        body = self._body(_map(asked.get("body")), headers)
        return host, Draft(label=label, method=method, path=path, headers=headers, query=query, **body)

    def _filled(self, text: Any) -> str:
        """A text with the variables of the collection; what it does not know is left to the environment."""
        filled = "" if text is None else str(text)
        for _ in range(_NESTED):
            after = _VARIABLE.sub(self._known, filled)
            if after == filled:
                break
            filled = after
        return _VARIABLE.sub(_unknown, filled)

    def _known(self, mark: re.Match[str]) -> str:
        value = self._variables.get(mark[1])
        is_told = value not in (None, "") and not SECRET_NAME.search(mark[1])
        return str(value) if is_told else mark[0]

    def _address(self, url: Any) -> tuple[str, str, dict[str, Scalar]]:
        """Host, path and query; the host is empty where only the environment knows it."""
        raw = url if isinstance(url, str) else _map(url).get("raw", "")
        text = self._filled(raw)
        text = re.sub(r"^\{\{env\.\w+\}\}", "", text)  # a base URL that the collection does not know
        if text and not text.startswith(("/", "http://", "https://", "?")):
            text = f"https://{text}"
        parts = url_parts(text)
        values = {str(one.get("key")): one.get("value") for one in map(_map, _list(_map(url).get("variable")))}
        path = "/".join(self._segment(part, values) for part in (parts.path or "/").split("/"))
        pairs = parse_qsl(parts.query.replace("+", "%2B"), keep_blank_values=True)
        query: dict[str, Scalar] = {name: _shown(name, value) for name, value in pairs}
        return f"{parts.scheme}://{parts.netloc}" if parts.netloc else "", path, query

    def _segment(self, part: str, values: Mapping[str, Any]) -> str:
        if not part.startswith(":"):
            return part
        value = self._filled(values.get(part[1:])) or "1"
        return value if "{{" in value else quote(unquote(value), safe="")

    def _pairs(self, pairs: Any) -> Iterator[tuple[str, Scalar]]:
        for one in map(_map, _list(pairs)):
            if one.get("disabled") is not True and one.get("key"):
                name = self._filled(one["key"])
                yield name, _shown(name, self._filled(one.get("value")))

    def _allow(self, auth: Mapping[str, Any], headers: dict[str, Scalar], query: dict[str, Scalar]) -> None:
        kind = auth.get("type")
        if kind in ("bearer", "oauth2", "jwt"):
            headers["Authorization"] = f"Bearer {from_environment('TOKEN')}"
        elif kind == "basic":
            headers["Authorization"] = f"Basic {from_environment('BASIC_AUTH')}"
        elif kind == "apikey":
            given = {one.get("key"): one.get("value") for one in map(_map, _list(auth.get("apikey")))}
            name = self._filled(given.get("key")) or "X-Api-Key"
            (query if given.get("in") == "query" else headers)[name] = from_environment(name)
        elif kind not in (None, "noauth"):
            raise NoRequest(f"it is signed by {kind}, which an experiment cannot do")

    def _body(self, body: Mapping[str, Any], headers: dict[str, Scalar]) -> dict[str, Any]:
        kind = body.get("mode")
        if kind is None or body.get("disabled") is True:
            return {}
        if kind == "urlencoded":
            return {"form": dict(self._pairs(body.get("urlencoded")))}
        if kind == "graphql":
            return {"json": self._tree_of(_graphql(_map(body.get("graphql"))), "body")}
        if kind != "raw":
            raise NoRequest(f"its body is of the kind {kind}, which an experiment cannot hold")
        return self._raw(str(body.get("raw") or ""), headers)

    def _raw(self, text: str, headers: dict[str, Scalar]) -> dict[str, Any]:
        """A body as it was typed: JSON where it is some, so that its values can be seen."""
        if not text.strip():
            return {}
        try:
            tree = msgspec.json.decode(text)
        except NOT_JSON:
            return {"body": self._filled(text)}
        if tree is None:
            return {"body": text}
        for name in [
            name for name in headers if name.lower() == "content-type" and headers[name] == "application/json"
        ]:
            del headers[name]
        return {"json": self._tree_of(tree, "body")}

    def _tree_of(self, value: Any, name: str) -> Any:
        if isinstance(value, dict):
            return {key: self._tree_of(inner, key) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._tree_of(inner, name) for inner in value]
        return _shown(name, self._filled(value)) if isinstance(value, str) else value


def _unknown(mark: re.Match[str]) -> str:
    """A variable that the collection has no value for."""
    word = mark[1]
    if word.startswith(("env.", "random.")) or word in ("uuid", "now"):
        return mark[0]  # ours already
    if word in _MADE_UP:
        return _MADE_UP[word]
    if word.startswith("$"):
        raise NoRequest(f"an experiment cannot make {{{{{word}}}}} up; write a value there")
    return from_environment(word)


def _shown(name: str, value: str) -> str:
    """A value without credentials; one with a placeholder holds none."""
    return value if "{{" in value else without_credentials(name, value)


def _graphql(body: Mapping[str, Any]) -> dict[str, Any]:
    try:
        variables = msgspec.json.decode(str(body.get("variables") or "{}"))
    except NOT_JSON:
        raise NoRequest("its GraphQL variables are no JSON") from None
    return {"query": str(body.get("query") or ""), "variables": variables}


def _map(node: Any) -> Mapping[str, Any]:
    return node if isinstance(node, Mapping) else {}


def _list(node: Any) -> Iterable[Any]:
    return node if isinstance(node, list) else []
