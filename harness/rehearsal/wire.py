"""AWS protocols in front of plain Python services, by moto's parsers and serializers.

A service is any object with one method an operation (`get_deployment` for GetDeployment) that takes the parsed request
and returns the response as dictionaries in AWS's own spelling, or raises `Refusal`. Services that are not ours are
answered by moto's own server where it has them. Whatever happens, the client gets an answer of its protocol.
"""

import gzip
import io
import logging
import re
import threading
import warnings
import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from uuid import uuid4

from botocore import xform_name
from moto.core.model import OperationModel, ServiceModel
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.serialize import get_serializer_class
from moto.core.utils import get_service_model
from werkzeug.exceptions import HTTPException
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from harness.rehearsal.clock import Schedule
from harness.rehearsal.refusal import Refusal

Answer = tuple[int, Mapping[str, str], bytes]
StartResponse = Callable[[str, list[tuple[str, str]]], Any]

log = logging.getLogger(__name__)

_SIGNING_NAMES = {"monitoring": "cloudwatch"}
_TARGET_PREFIXES = {"CodeDeploy_20141006": "codedeploy", "GraniteServiceVersion20100801": "cloudwatch"}
_SCOPE = re.compile(r"Credential=[^/]+/\d+/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request")
_CLOUDWATCH_VERSION = b"Version=2010-08-01"


class Wire:
    """The control plane's WSGI application.

    `services` maps boto3's service names to service objects. Every call first runs what is due on `schedule` and then
    holds its lock, but for the operations that a service names in `unlocked` because they wait for user code.
    """

    def __init__(self, services: Mapping[str, object], schedule: Schedule) -> None:
        self._services = services
        self._schedule = schedule
        self._moto: Any = None
        self._moto_lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answers one request, by our services or by moto's."""
        environ = _unpacked(environ)
        request = Request(environ)
        service_name = _service_of(request)
        if service_name in self._services:
            status, headers, body = self._answer(service_name, request)
            start_response(str(status), [*headers.items(), ("Content-Length", str(len(body)))])
            return [body]
        return self._by_moto(environ, start_response)

    def _answer(self, service_name: str, request: Request) -> Answer:
        model: ServiceModel = get_service_model(service_name)
        try:
            operation, uri_params = get_service_router(service_name).match(request)
        except (HTTPException, NotImplementedError):
            unknown = Refusal("UnknownOperationException", f"{service_name} has no such operation here.")
            return _serialized(OperationModel({"name": "Unknown"}, model), _protocol_of(model, request), unknown)
        return _serialized(operation, _protocol_of(model, request), self._call(operation, uri_params, request))

    def _call(self, operation: OperationModel, uri_params: Mapping[str, Any], request: Request) -> object:
        service = self._services[operation.service_model.service_name]
        method = getattr(service, xform_name(operation.name), None)
        if method is None:
            return Refusal("UnknownOperationException", f"{operation.name} is not part of this local cloud.")
        try:
            params = _parsed(operation, uri_params, request)
            self._schedule.run_due()
            if operation.name in getattr(service, "unlocked", ()):
                return method(params)
            with self._schedule.lock:
                return method(params)
        except Refusal as refusal:
            return refusal
        except Exception as error:
            # The outermost frame of a request: a bug of the cloud must answer as AWS would.
            log.exception("%s failed", operation.name)
            return Refusal("InternalFailure", f"The local cloud failed in {operation.name}: {error!r}")

    def _by_moto(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        try:
            return list(self._moto_app()(environ, start_response))
        except Exception as error:
            # moto raises anything at all for what it does not have.
            log.debug("moto has no answer", exc_info=error)
            body = b'{"__type":"UnknownOperationException","message":"This local cloud has no such operation."}'
            start_response("501", [("Content-Type", "application/x-amz-json-1.1"), ("Content-Length", str(len(body)))])
            return [body]

    def _moto_app(self) -> Any:
        with self._moto_lock:
            if self._moto is None:
                from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

                self._moto = DomainDispatcherApplication(create_backend_app)
            return self._moto


def _unpacked(environ: dict[str, Any]) -> dict[str, Any]:
    """The request with its body unzipped: boto3 zips the long bodies of operations that allow it, as PutMetricData."""
    if environ.get("HTTP_CONTENT_ENCODING") != "gzip":
        return environ
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    try:
        body = gzip.decompress(body)
    except (OSError, EOFError, zlib.error):
        log.debug("a body that says it is zipped is not")
    kept = {name: value for name, value in environ.items() if name != "HTTP_CONTENT_ENCODING"}
    return {**kept, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}


def _service_of(request: Request) -> str:
    scope = _SCOPE.search(request.headers.get("Authorization", ""))
    if scope:
        return _SIGNING_NAMES.get(scope["service"], scope["service"])
    target = request.headers.get("X-Amz-Target", "").partition(".")[0]
    if target in _TARGET_PREFIXES:
        return _TARGET_PREFIXES[target]
    if re.match(r"/20\d\d-\d\d-\d\d/functions", request.path):
        return "lambda"
    return "cloudwatch" if _CLOUDWATCH_VERSION in request.get_data() else ""


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
    request_parts = {
        "method": request.method,
        "values": request.values,
        "headers": request.headers,
        "body": request.get_data(),
        "url_path": request.path,
        "url_params": uri_params,
    }
    try:
        parsed: dict[str, Any] = parser.parse(request_parts)
    except (ValueError, TypeError, AttributeError) as error:
        raise Refusal("SerializationException", f"The request cannot be read: {error}") from error
    return parsed


def _serialized(operation: OperationModel, protocol: str, result: object) -> Answer:
    serializer = get_serializer_class(operation.service_model.service_name, protocol)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # moto warns of error codes that no model lists; AWS has many of them
        answer = serializer(operation_model=operation).serialize(result)
    body = answer["body"]
    headers = {"x-amzn-RequestId": str(uuid4()), **answer["headers"]}
    if protocol == "json":
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


class _QuietHandler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's own signature
        log.debug(f"{type}: {message}", *args)


def serve(app: Wire, host: str, port: int, *, fd: int | None = None) -> BaseWSGIServer:
    """A threaded HTTP server for `app`, bound and not yet serving; port 0 takes a free one.

    `fd` is a socket that listens on `port` already.
    """
    server = make_server(host, port, app, threaded=True, request_handler=_QuietHandler, fd=fd)
    server.daemon_threads = True  # type: ignore[attr-defined]
    return server
