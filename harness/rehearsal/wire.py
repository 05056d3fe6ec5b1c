"""AWS protocols in front of plain Python services, by moto's parsers and serializers.

A service is any object with one method an operation (`get_deployment` for GetDeployment) that takes the parsed request
and returns the response as dictionaries in AWS's own spelling, or raises `Refusal`. Services that are not ours are
answered by moto's own server where it has them. Whatever happens, the client gets an answer of its protocol.
"""

import gzip
import io
import json
import logging
import re
import threading
import warnings
import zlib
from collections.abc import Callable, Iterable, Mapping
from email.utils import formatdate
from typing import Any
from uuid import uuid4

from botocore import xform_name
from botocore.exceptions import UnknownServiceError
from botocore.validate import ParamValidator
from moto.core.model import OperationModel, ServiceModel
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.serialize import SerializationContext, get_serializer_class
from moto.core.utils import get_service_model
from werkzeug.exceptions import HTTPException
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from harness.rehearsal.clock import Schedule
from harness.rehearsal.refusal import Refusal

WireAnswer = tuple[int, Mapping[str, str], bytes]
StartResponse = Callable[[str, list[tuple[str, str]]], Any]

log = logging.getLogger(__name__)

_SIGNING_NAMES = {"monitoring": "cloudwatch"}
_TARGET_PREFIXES = {"CodeDeploy_20141006": "codedeploy", "GraniteServiceVersion20100801": "cloudwatch"}
_SCOPE = re.compile(r"Credential=[^/]+/\d+/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request")
# What a form says of its service: query calls of CloudWatch by hand, and the calls of STS that need no credentials.
_UNSIGNED = {b"Version=2010-08-01": "cloudwatch", b"Action=AssumeRoleWith": "sts"}
_NOT_NUMBERS = ("NaN", "Infinity", "-Infinity")
"""How JSON of AWS writes the floats that JSON has no words for."""
_FORM = "application/x-www-form-urlencoded"
_NOT_HERE = Refusal("UnknownOperationException", "This local cloud has no such operation.")
_NOT_SIGNED = Refusal("MissingAuthenticationToken", "Missing Authentication Token")
# The services check for themselves what they require, where their own codes say so; Lambda has one code for all.
_MISSING = {"lambda": "ValidationException"}


class Wire:
    """The control plane's WSGI application.

    `services` maps boto3's service names to service objects; `schedule` dates the answers.
    """

    def __init__(self, services: Mapping[str, object], schedule: Schedule) -> None:
        self.now = schedule.clock.now
        self._services = services
        self._moto: Any = None
        self._moto_lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answers one request, by our services or by moto's."""
        environ = _read(environ)
        service_name = _service_of(Request(environ))
        if service_name is None:
            return self._send(start_response, _unknown("", Request(environ), _NOT_SIGNED))
        if service_name not in self._services:
            return self._by_moto(service_name, environ, start_response)
        return self._send(start_response, self._answer(service_name, Request(environ)))

    @staticmethod
    def _send(start_response: StartResponse, answer: WireAnswer) -> Iterable[bytes]:
        status, headers, body = answer
        start_response(str(status), [*headers.items(), ("Content-Length", str(len(body)))])
        return [body]

    def _answer(self, service_name: str, request: Request) -> WireAnswer:
        model: ServiceModel = get_service_model(service_name)
        if request.content_type == _FORM and model.protocol == "rest-json":
            # What curl says of any body; the path and not the content type names the operation.
            request = Request({**request.environ, "CONTENT_TYPE": "application/json"})
        try:
            operation, uri_params = get_service_router(service_name).match(request)
        except (HTTPException, NotImplementedError):
            return _unknown(service_name, request)
        return _serialized(operation, _protocol_of(model, request), self._call(operation, uri_params, request))

    def _call(self, operation: OperationModel, uri_params: Mapping[str, Any], request: Request) -> object:
        service = self._services[operation.service_model.service_name]
        method = getattr(service, xform_name(operation.name), None)
        if method is None:
            return Refusal("UnknownOperationException", f"{operation.name} is not part of this local cloud.")
        try:
            params = _parsed(operation, uri_params, request)
            return method(params)
        except Refusal as refusal:
            return refusal
        except Exception as error:
            # The outermost frame of a request: a bug of the cloud must answer as AWS would.
            log.exception("%s failed", operation.name)
            return Refusal("InternalFailure", f"The local cloud failed in {operation.name}: {error!r}")

    def _by_moto(self, service_name: str, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        try:
            return list(self._moto_app()(environ, start_response))
        except Exception as error:
            # moto raises anything at all for what it does not have.
            log.debug("moto has no answer", exc_info=error)
            return self._send(start_response, _unknown(service_name, Request(_rewound(environ))))

    def _moto_app(self) -> Any:
        with self._moto_lock:
            if self._moto is None:
                from moto.moto_server import werkzeug_app

                # It would print on stdout, where our ready line is.
                werkzeug_app.print = log.debug
                self._moto = werkzeug_app.DomainDispatcherApplication(werkzeug_app.create_backend_app)
            return self._moto


def _read(environ: dict[str, Any]) -> dict[str, Any]:
    """The request with its body read, and unzipped: boto3 zips the long bodies of operations that allow it."""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    kept = {**environ}
    if kept.get("HTTP_CONTENT_ENCODING") == "gzip":
        try:
            body = gzip.decompress(body)
        except (OSError, EOFError, zlib.error):
            log.debug("a body that says it is zipped is not")
        del kept["HTTP_CONTENT_ENCODING"]
    return _rewound({**kept, "harness.body": body, "CONTENT_LENGTH": str(len(body))})


def _rewound(environ: dict[str, Any]) -> dict[str, Any]:
    """The request with its body unread again."""
    kept = {name: value for name, value in environ.items() if not name.startswith("werkzeug.request")}
    return {**kept, "wsgi.input": io.BytesIO(environ["harness.body"])}


def _service_of(request: Request) -> str | None:
    """The service that a request is for; None for an unsigned request that nothing else identifies."""
    scope = _SCOPE.search(request.headers.get("Authorization", ""))
    if scope:
        return _SIGNING_NAMES.get(scope["service"], scope["service"])
    target = request.headers.get("X-Amz-Target", "").partition(".")[0]
    if target in _TARGET_PREFIXES:
        return _TARGET_PREFIXES[target]
    if re.match(r"/20\d\d-\d\d-\d\d/functions", request.path):
        return "lambda"
    body = request.environ["harness.body"]
    return next((service for mark, service in _UNSIGNED.items() if mark in body), None)


def _unknown(service_name: str, request: Request, refusal: Refusal = _NOT_HERE) -> WireAnswer:
    """A refusal in the protocol of the service; in JSON for an unknown service."""
    try:
        model = get_service_model(service_name)
    except UnknownServiceError:
        model = get_service_model("codedeploy")
    return _serialized(OperationModel({"name": "Unknown"}, model), _protocol_of(model, request), refusal)


def _protocol_of(model: ServiceModel, request: Request) -> str:
    try:
        protocol = determine_request_protocol(model, request.content_type)
    except NotImplementedError:
        protocol = str(model.protocol)
    if protocol not in PROTOCOL_PARSERS:
        return "json"
    return "query-json" if protocol == "query" and "json" in request.headers.get("Accept", "") else protocol


def _parsed(operation: OperationModel, uri_params: Mapping[str, Any], request: Request) -> dict[str, Any]:
    protocol = determine_request_protocol(operation.service_model, request.content_type)
    parser = PROTOCOL_PARSERS[protocol](operation, map_type=dict)
    body = request.environ["harness.body"]
    request_parts = {
        "method": request.method,
        "values": request.values,
        "headers": request.headers,
        "body": body,
        "url_path": request.path,
        "url_params": uri_params,
    }
    try:
        if "json" in protocol and not _takes_bytes(operation):
            _check_types(operation, _json_object(body))
        parsed: dict[str, Any] = parser.parse(request_parts)
    except (ValueError, TypeError, AttributeError) as error:
        raise Refusal(
            "SerializationException", "The request cannot be read: it is not JSON of this operation."
        ) from error
    _check_present(operation, parsed)
    return parsed


def _takes_bytes(operation: OperationModel) -> bool:
    """Whether the body is one member's own bytes, as the payload of Invoke."""
    shape = operation.input_shape
    return bool(shape and shape.serialization.get("payload"))


def _json_object(body: bytes) -> dict[str, Any]:
    content = json.loads(body or b"{}")
    if not isinstance(content, dict):
        raise ValueError("not an object")
    return content


def _check_types(operation: OperationModel, content: Mapping[str, Any]) -> None:
    """Refuses what boto3 would not have sent."""
    for problem, name, details in _problems(operation, content):
        if problem == "invalid type" and details.get("param") not in _NOT_NUMBERS:
            raise Refusal("SerializationException", f"{name.lstrip('.')} has the wrong type.")


def _check_present(operation: OperationModel, params: Mapping[str, Any]) -> None:
    """Refuses a request without what it must have, unless the service has better messages of its own."""
    code = _MISSING.get(operation.service_model.service_name)
    for problem, _, details in _problems(operation, params) if code else ():
        if problem == "missing required field":
            raise Refusal(str(code), f"{details['required_name']} is required.")


def _problems(operation: OperationModel, params: Mapping[str, Any]) -> Iterable[tuple[str, str, Mapping[str, Any]]]:
    if operation.input_shape is None:
        return ()
    problems: Iterable[tuple[str, str, Mapping[str, Any]]]
    problems = ParamValidator().validate(params, operation.input_shape)._errors
    return problems


def _serialized(operation: OperationModel, protocol: str, result: object) -> WireAnswer:
    serializer = get_serializer_class(operation.service_model.service_name, protocol)
    context = SerializationContext(str(uuid4()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # moto warns of error codes that no model lists; AWS has many of them
        answer = serializer(operation_model=operation, context=context).serialize(result)
    body = answer["body"]
    headers = {"x-amzn-RequestId": context.request_id, **answer["headers"]}
    if protocol == "json":
        if isinstance(result, Refusal):
            body = json.dumps({"__type": result.code, "message": result.message})
        headers["Content-Type"] = f"application/x-amz-json-{operation.service_model.metadata.get('jsonVersion', '1.1')}"
    status = _own_status(operation, result) or answer["status_code"]
    return status, headers, body if isinstance(body, bytes) else body.encode()


def _own_status(operation: OperationModel, result: object) -> int | None:
    """The HTTP status of our own failure, or the one that the result names, where the model binds a member to it."""
    if isinstance(result, Refusal):
        return 500 if result.code == "InternalFailure" else None
    members = operation.output_shape.members if operation.output_shape else {}
    for name, shape in members.items():
        if shape.serialization.get("location") == "statusCode" and isinstance(result, Mapping):
            return result.get(name)
    return None


class _Handler(WSGIRequestHandler):
    """Prints nothing, and dates its answers by the cloud's clock."""

    protocol_version = "HTTP/1.1"
    now: Callable[[], float]

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The Date header."""
        return formatdate(type(self).now() if timestamp is None else timestamp, usegmt=True)

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's own signature
        log.debug(f"{type}: {message}", *args)


def serve(app: Wire, host: str, port: int, *, fd: int | None = None) -> BaseWSGIServer:
    """A threaded HTTP server for `app`, bound and not yet serving; port 0 takes a free one.

    `fd` is a socket that listens on `port` already.
    """
    handler = type("_DatedHandler", (_Handler,), {"now": staticmethod(app.now)})
    server = make_server(host, port, app, threaded=True, request_handler=handler, fd=fd)
    server.daemon_threads = True  # type: ignore[attr-defined]
    return server
