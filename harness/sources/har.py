"""HAR 1.2, as browsers and proxies export it: the calls of the API that was recorded, without credentials.

The API is the host that most calls went to which were no files of a page. A recording is one person's: it tells what
is sent, and neither production's rate nor its mix.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import msgspec
from msgspec import Struct

from harness.core.experiment.requests import Scalar
from harness.files import NOT_JSON
from harness.sources.credentials import json_without_credentials, without_credentials, without_shapes
from harness.sources.drafts import Described, LeftOut, NoRequest, listed, made_up, sendable, url_parts
from harness.sources.files import SourceFile, json_of
from harness.sources.mix import SeenRequest, mixed

WHAT = "a HAR file"
_FORM = "application/x-www-form-urlencoded"
_FILES = ("image/", "font/", "audio/", "video/", "text/css", "text/javascript", "application/javascript", "text/html")
"""Answers of these types are files of a page, and no calls of an API."""
_UNKNOWN = (
    "how often each request is sent: a recording counts one person's calls; --access-log tells the real mix and rate",
    "whether the values may be shown to others: credentials are placeholders, and all other values one person's own",
)
_KEPT_HEADERS = frozenset({"accept", "accept-language", "authorization", "content-type", "cookie"})
"""Standard headers that a service looks at; all others but those of its own are left to the client."""


class _Part(Struct, frozen=True, rename="camel"):
    name: str = ""
    value: str = ""


class _Posted(Struct, frozen=True, rename="camel"):
    mime_type: str = ""
    text: str | None = None
    params: list[dict[str, Any]] = []
    encoding: str = ""


class _Asked(Struct, frozen=True, rename="camel"):
    method: str
    url: str
    headers: list[_Part] = []
    post_data: _Posted | None = None
    body_size: int | float = 0


class _Content(Struct, frozen=True, rename="camel"):
    mime_type: str = ""


class _Answered(Struct, frozen=True, rename="camel"):
    status: int = 0
    content: _Content = _Content()


class _Entry(Struct, frozen=True, rename="camel"):
    request: _Asked
    response: _Answered = _Answered()

    @property
    def label(self) -> str:
        parts = url_parts(self.request.url)
        return f"{self.request.method} {parts.path or '/'}"

    @property
    def host(self) -> str:
        parts = url_parts(self.request.url)
        return f"{parts.scheme}://{parts.netloc}" if parts.scheme in ("http", "https") else ""

    @property
    def is_of_a_page(self) -> bool:
        return self.request.method == "GET" and self.response.content.mime_type.startswith(_FILES)


class _Log(Struct, frozen=True):
    entries: list[_Entry]


class _Recording(Struct, frozen=True):
    log: _Log


def read_har(file: SourceFile) -> Described:
    """What a HAR file recorded; raises UsageError if it is none, or if nothing in it can be sent."""
    tree = json_of(file, WHAT)
    try:
        entries = msgspec.convert(tree, _Recording).log.entries
    except msgspec.ValidationError as error:
        raise file.wrong(f"is not {WHAT}: {error}; export it again", 1) from error
    described = sendable(_described(entries))
    if not described.drafts:
        why = next((f"{one.label}: {one.why}" for one in described.left_out), "it has no entries; record some calls")
        raise file.wrong(f"nothing in it can be sent; {why}", file.line_with('"entries"'))
    return described


def _described(entries: list[_Entry]) -> Described:
    calls = [entry for entry in entries if not entry.is_of_a_page]
    host = next(iter(Counter(entry.host for entry in calls if entry.host).most_common(1)), ("", 0))[0]
    seen, left_out = Counter[str](), list[LeftOut](_elsewhere(entries, calls, host))
    kept: dict[str, SeenRequest] = {}
    for entry in calls:
        if host and entry.host == host:
            try:
                one = _seen(entry)
            except NoRequest as error:
                left_out.append(LeftOut(entry.label, str(error)))
            else:
                key = msgspec.json.encode(one).decode()
                kept[key] = one
                seen[key] += 1
    mix = mixed((kept[key], count) for key, count in seen.items())
    return Described(
        title=url_parts(host).hostname or "",
        host=host or None,
        drafts=mix.drafts,
        left_out=(*left_out, *mix.left_out),
        unknown=(*_UNKNOWN, *made_up(mix.drafts)),
        feed=mix.feed,
    )


def _elsewhere(entries: Iterable[_Entry], calls: list[_Entry], host: str) -> Iterator[LeftOut]:
    files = [entry.label for entry in entries if entry.is_of_a_page]
    if files:
        yield LeftOut(f"files of pages ({len(files)})", f"they are no calls of an API: {listed(files, 3)}")
    for other, count in Counter(
        entry.host or entry.request.url[:40] for entry in calls if not host or entry.host != host
    ).items():
        yield LeftOut(
            f"calls of {other} ({count})", f"an experiment has one host, and most calls went to {host or 'none'}"
        )


def _seen(entry: _Entry) -> SeenRequest:
    asked, parts = entry.request, url_parts(entry.request.url)
    headers = dict(_headers(asked.headers))
    target = (parts.path or "/") + _query(parts.query)
    seen = SeenRequest(method=asked.method, target=target, status=entry.response.status or None, headers=headers)
    posted = asked.post_data
    if posted is None or not (posted.text or posted.params):
        if asked.body_size > 0:
            raise NoRequest("its body was not recorded; record it with bodies")
        return seen
    return _with_body(seen, posted)


def _query(query: str) -> str:
    """The query with placeholders for its credentials."""
    pairs = parse_qsl(query, keep_blank_values=True)
    return f"?{urlencode(pairs, quote_via=quote)}" if pairs else ""


def _headers(headers: Iterable[_Part]) -> Iterator[tuple[str, Scalar]]:
    for header in headers:
        name = header.name.lower()
        is_own = name.startswith("x-") and not name.startswith(("x-forwarded", "x-amz", "x-real-ip"))
        if is_own or name in _KEPT_HEADERS or "key" in name or "token" in name:
            yield header.name, without_credentials(name, header.value)


def _with_body(seen: SeenRequest, posted: _Posted) -> SeenRequest:
    kind = posted.mime_type.partition(";")[0].strip().lower()
    text = posted.text or ""
    if posted.encoding or (not text.isprintable() and "\0" in text) or "\ufffd" in text or "multipart/" in kind:
        raise NoRequest(
            f"its body is binary or of several parts ({kind or 'no type'}), which an experiment cannot hold"
        )
    rest = {name: value for name, value in seen.headers.items() if name.lower() != "content-type"}
    if kind == _FORM:
        pairs = [(str(one.get("name")), str(one.get("value") or "")) for one in posted.params]
        pairs = pairs or parse_qsl(text, keep_blank_values=True)
        form = {name: without_credentials(name, value) for name, value in pairs}
        return msgspec.structs.replace(seen, form=form, headers=rest)
    tree = _json(text) if "json" in kind else None
    if tree is not None:
        headers: Mapping[str, Scalar] = rest if kind == "application/json" else seen.headers
        return msgspec.structs.replace(seen, json=json_without_credentials(tree), headers=headers)
    return msgspec.structs.replace(seen, body=without_shapes(text, "body"))


def _json(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except NOT_JSON:
        return None
