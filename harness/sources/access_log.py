"""Access logs: JSON as API Gateway and nginx write it, the common and combined formats, ALB's and CloudFront's.

The log gives the real mix and the real rate. It holds no bodies and no headers, so those of a request stay unknown.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from harness.errors import UsageError
from harness.files import NOT_JSON
from harness.sources.drafts import Described, Draft, LeftOut, made_up, sendable, url_parts
from harness.sources.files import SourceFile
from harness.sources.log_times import seconds_of
from harness.sources.mix import SeenRequest, mixed

_KNOWN = "JSON with a method and a path, the common or combined format, ALB's, or CloudFront's with its #Fields line"
_SHORTEST_S = 10.0
"""A log that covers less says nothing of the rate."""
_EXPORTED = re.compile(r"^\d{4}-\d\d-\d\dT[\d:.]+Z\s+(?=\S)")
"""What CloudWatch Logs puts before each line that it exports."""
_COMMON = re.compile(r'\S+ \S+ .*?\[(?P<time>[^\]]+)\] "(?P<request>(?:[^"\\]|\\.)*)" (?P<status>\d{3})\b')
_ALB = re.compile(r'(?:https?|h2|grpcs|wss?) (?P<time>\S+Z) (?:\S+ ){6}(?P<status>\d{3}|-) .*?"(?P<request>[^"]*)"')
_REQUEST = re.compile(r"(?P<method>[A-Z]+) (?P<target>\S+)(?: HTTP/[\d.]+)?")
_METHOD = ("httpmethod", "method", "requestmethod", "csmethod", "verb")
_PATH = ("path", "requesturi", "uri", "rawpath", "csuristem", "url", "resourcepath")
_QUERY = ("querystring", "args", "csuriquery")
_STATUS = ("status", "statuscode", "scstatus")
_TIME = ("requesttimeepoch", "requesttime", "timestamp", "timeiso8601", "timelocal", "time", "msec")
_WHOLE = ("routekey", "request")


class _Line(Struct, frozen=True):
    """A line of a log: the request that it tells of, and when that was."""

    seen: SeenRequest
    at_s: float | None
    host: str | None = None


Reader = Callable[[str], _Line | None]
"""Reads a line; None for one that it cannot."""


def read_access_log(file: SourceFile) -> Described:
    """The mix and the rate of a log; raises UsageError where its format is not known, or it holds no request."""
    described = _read(file).described()
    if not described.drafts:
        why = next((f"{one.label}: {one.why}" for one in described.left_out), "it has no line of a request")
        raise file.wrong(f"nothing in it can be sent; {why}")
    return described


def times_of(file: SourceFile) -> list[float]:
    """When each request of a log was, in seconds since 1970; raises UsageError as `read_access_log` does."""
    return _read(file).times


def _read(file: SourceFile) -> "_Log":
    lines = [(number, line) for number, line in enumerate(file.text.splitlines(), 1) if line.strip()]
    read = _format_of(file, lines)
    log = _Log()
    for number, line in lines:
        if not line.startswith("#"):
            log.add(number, read(_EXPORTED.sub("", line, count=1)))
    if log.unread and len(log.unread) >= log.count:
        raise file.wrong(f"this line and {len(log.unread) - 1} more cannot be read; known are {_KNOWN}", log.unread[0])
    return log


class _Log:
    """What the lines of a log come to."""

    def __init__(self) -> None:
        self.seen = Counter[tuple[str, str, int | None]]()
        self.times: list[float] = []
        self.hosts = Counter[str]()
        self.unread: list[int] = []

    @property
    def count(self) -> int:
        """Lines that were read."""
        return self.seen.total()

    def add(self, number: int, line: _Line | None) -> None:
        if line is None:
            self.unread.append(number)
            return
        self.seen[(line.seen.method, line.seen.target, line.seen.status)] += 1
        if line.at_s is not None:
            self.times.append(line.at_s)
        if line.host:
            self.hosts[line.host] += 1

    def described(self) -> Described:
        mix = mixed(
            (SeenRequest(method=method, target=target, status=status), count)
            for (method, target, status), count in self.seen.items()
        )
        left_out = [*mix.left_out]
        if self.unread:
            left_out.append(
                LeftOut(f"{len(self.unread)} lines", f"they cannot be read, the first is line {self.unread[0]}")
            )
        host = next(iter(self.hosts.most_common(1)), (None, 0))[0]
        return sendable(
            Described(
                title="",
                host=host,
                drafts=tuple(map(_without_body, mix.drafts)),
                left_out=tuple(left_out),
                unknown=(*self._unknown(mix.kept), *made_up(mix.drafts)),
                arrival_rate=self._rate(mix.kept),
                feed=mix.feed,
            )
        )

    def _rate(self, kept: int) -> float | None:
        """Requests per second of those that are kept, over the whole time of the log."""
        covered_s = max(self.times) - min(self.times) if self.times else 0.0
        if covered_s < _SHORTEST_S:
            return None
        count = len(self.times)
        is_dense = count > covered_s and all(at_s.is_integer() for at_s in self.times)
        # Times in whole seconds: the last second is as long as the others.
        rate = count / (covered_s + 1) if is_dense else (count - 1) / covered_s
        return float(f"{rate * kept / self.count:.4g}")

    def _unknown(self, kept: int) -> Iterator[str]:
        yield "headers and bodies: a log holds none"
        if self._rate(kept) is None:
            yield f"the rate: the log covers less than {_SHORTEST_S:g} s, or has no times"


def _without_body(draft: Draft) -> Draft:
    """The draft with a note about the body that it may have had."""
    may_have_had = draft.method in ("post", "put", "patch")
    return replace(draft, notes=(*draft.notes, "that it has no body")) if may_have_had else draft


def _format_of(file: SourceFile, lines: list[tuple[int, str]]) -> Reader:
    fields = next((line for _, line in lines if line.startswith("#Fields:")), None)
    if fields:
        return _by_fields(fields.removeprefix("#Fields:").split())
    for number, line in lines[:1]:
        bare = _EXPORTED.sub("", line, count=1)
        for read in (_json_line, _alb_line, _common_line):
            if read(bare):
                return read
        raise file.wrong(f"is in no known format; known are {_KNOWN}", number)
    raise UsageError(f"{file.name}: is empty; give a file with something in it")


# Formats


def _common_line(line: str) -> _Line | None:
    match = _COMMON.match(line)
    return _line(match["request"], match["status"], match["time"]) if match else None


def _alb_line(line: str) -> _Line | None:
    match = _ALB.match(line)
    return _line(match["request"], match["status"], match["time"]) if match else None


def _by_fields(names: list[str]) -> Reader:
    """Reads the lines of CloudFront, whose values stand in the order of its #Fields line."""

    def read(line: str) -> _Line | None:
        values = dict(zip(names, line.split("\t") if "\t" in line else line.split(), strict=False))
        target, query = values.get("cs-uri-stem", ""), values.get("cs-uri-query", "-")
        request = f"{values.get('cs-method', '')} {target}{f'?{query}' if query != '-' else ''}"
        return _line(request, values.get("sc-status"), f"{values.get('date')}T{values.get('time')}Z")

    return read


def _json_line(line: str) -> _Line | None:
    try:
        tree = msgspec.json.decode(line)
    except NOT_JSON:
        return None
    if not isinstance(tree, dict):
        return None
    values = {re.sub(r"[^a-z0-9]", "", str(name).lower()): value for name, value in tree.items()}
    method, path = _first(values, _METHOD), _first(values, _PATH)
    query = _first(values, _QUERY)
    request = f"{method} {path}{f'?{query}' if query not in ('', '-') and '?' not in path else ''}"
    whole = request if method and path else _first(values, _WHOLE)
    return _line(_without_stage(whole, _first(values, ("stage",))), _first(values, _STATUS), _first(values, _TIME))


def _first(values: Mapping[str, Any], names: tuple[str, ...]) -> str:
    """The first value that is there; API Gateway writes - for one that is not."""
    return next((str(values[name]) for name in names if values.get(name) not in (None, "", "-")), "")


def _without_stage(request: str, stage: str) -> str:
    """A request without the stage before its path, which is a part of the API's address."""
    method, _, target = request.partition(" ")
    has_stage = stage and re.match(rf"/{re.escape(stage)}(?=[/?]|$)", target)
    return f"{method} {target[len(stage) + 1 :] or '/'}" if has_stage else request


def _line(request: str, status: str | None, time: str) -> _Line | None:
    match = _REQUEST.match(request)
    if not match:
        return None
    target, host = match["target"], None
    if not target.startswith("/"):
        parts = url_parts(target)
        if not parts.netloc:
            return None
        host = f"{parts.scheme}://{parts.netloc}"
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    known = int(status) if status and status.isdecimal() else None
    return _Line(SeenRequest(method=match["method"], target=target, status=known), seconds_of(time), host)
