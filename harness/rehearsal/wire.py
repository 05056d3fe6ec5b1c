"""AWS protocols in front of plain Python services, by moto's parsers and serializers.

A service is any object with one method an operation (`get_deployment` for GetDeployment) that takes the parsed request
and returns the response as dictionaries in AWS's own spelling, or raises `Refusal`. Services that are not ours are
answered by moto's own server where it has them. Whatever happens, the client gets an answer of its protocol.

Uploaded code runs as the user, so that no browser is answered: `gate.py` says how one is known, and `signature.py` asks
for what every SDK sends and no foreign page can.
"""

import json
import logging
import re
import threading
import warnings
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any
from uuid import uuid4

from botocore import xform_name
from botocore.exceptions import DataNotFoundError
from botocore.model import OperationNotFoundError
from botocore.validate import ParamValidator
from moto.core.model import OperationModel, ServiceModel
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.serialize import SerializationContext, get_serializer_class
from werkzeug.exceptions import HTTPException

from harness.core.experiment.gate import Gate
from harness.core.rehearsed import REGION
from harness.rehearsal import bodies, cbor, signature
from harness.rehearsal.clock import Schedule
from harness.rehearsal.cloudwatch.requests import seconds
from harness.rehearsal.refusal import Refusal
from harness.rehearsal.service_models import service_model

WireAnswer = tuple[int, Mapping[str, str], bytes]
StartResponse = Callable[[str, list[tuple[str, str]]], Any]

log = logging.getLogger(__name__)

_HTTP_APIS = "/v2/"
"""How the paths of version 2 of API Gateway begin, which is signed for as version 1 is."""
_SIGNING_NAMES = {"monitoring": "cloudwatch"}
_TARGET_PREFIXES = {"CodeDeploy_20141006": "codedeploy", "GraniteServiceVersion20100801": "cloudwatch"}
# What tells the service of a request that is not signed, so that it is refused in the right protocol.
_PATHS = {re.compile(r"/20\d\d-\d\d-\d\d/"): "lambda", re.compile("/experiment"): "fis"}
_VERSIONS = {"2010-08-01": "cloudwatch", "2010-05-15": "cloudformation", "2011-06-15": "sts"}
_NOT_NUMBERS = ("NaN", "Infinity", "-Infinity")
"""How JSON of AWS writes the floats that JSON has no words for."""
_UNREADABLE = (ValueError, TypeError, AttributeError, ArithmeticError, LookupError, RuntimeError)
"""What parsers raise for what does not fit or nests too deep, and botocore for an instant beyond the calendar."""
_PAGE = b"<!doctype html"
"""How an answer of moto's web server begins that is for people."""
_FORM = "application/x-www-form-urlencoded"
# Codes that JSON protocols end with "Exception", and those of them that are 403 where the protocol is not JSON.
_COMMON = frozenset({"AccessDenied", "IncompleteSignature", "MissingAuthenticationToken"})
_FORBIDDEN = ("AccessDenied", "MissingAuthenticationToken")
_STATUSES = {"InternalFailure": 500, bodies.TOO_LARGE: 413, bodies.TIMED_OUT: 408}
_OF_QUERY = {"UnknownOperationException": "InvalidAction", "SerializationException": "ValidationError"}
# The services check for themselves what they require, where their own codes say so; Lambda has one code for all.
_MISSING = {"lambda": "ValidationException"}


class Wire:
    """The control plane's WSGI application.

    `services` maps boto3's service names to service objects; `schedule` dates the answers; `gate` knows its own names.
    `before` is what is done before moto answers for a service.
    """

    def __init__(
        self,
        services: Mapping[str, object],
        schedule: Schedule,
        gate: Gate = Gate(),  # noqa: B008
        before: Mapping[str, Callable[[], None]] = {},
    ) -> None:
        self.now = schedule.clock.now
        self._clock = schedule.clock
        self._gate = gate
        self._services = services
        self._before = before
        self._moto: Any = None
        self._moto_lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answers one request, by our services or by moto's."""
        environ, too_large = bodies.read(signature.in_headers(environ))
        request = Request(environ)
        service_name = _service_of(request)
        if refusal := self._refusal(request) or too_large:
            return self._send(start_response, _unknown(service_name, request, refusal))
        if service_name not in self._services:
            return self._by_moto(service_name, environ, start_response)
        _tell_region(signature.region_of(request) or REGION)
        return self._send(start_response, self._answer(service_name, Request(environ)))

    def _refusal(self, request: Request) -> Refusal | None:
        """Why nobody may answer a request; None if somebody may."""
        reason = self._gate.refusal_by_cloud(request.headers)
        return Refusal("AccessDenied", reason) if reason else signature.refusal(request)

    @staticmethod
    def _send(start_response: StartResponse, answer: WireAnswer) -> Iterable[bytes]:
        status, headers, body = answer
        start_response(str(status), [*headers.items(), ("Content-Length", str(len(body)))])
        return [body]

    def _answer(self, service_name: str, request: Request) -> WireAnswer:
        model: ServiceModel = service_model(service_name)
        request = _as_meant(model, request)
        try:
            operation, uri_params = _operation_of(model, request)
        except (HTTPException, NotImplementedError, OperationNotFoundError):
            asked = _asked_of(request)
            here = hasattr(self._services[service_name], xform_name(asked))
            return _unknown(service_name, request, _not_as_asked(asked) if here else None)
        protocol, result = _protocol_of(model, request), self._call(operation, uri_params, request)
        return _serialized(operation, protocol, _spelt(result, protocol) if isinstance(result, Refusal) else result)

    def _call(self, operation: OperationModel, uri_params: Mapping[str, Any], request: Request) -> object:
        service = self._services[operation.service_model.service_name]
        method = getattr(service, xform_name(operation.name), None)
        if method is None:
            return _not_here(operation.name)
        try:
            params = _parsed(operation, uri_params, request)
            return method(self._in_our_time(operation, params) if signature.is_of_function(request) else params)
        except Refusal as refusal:
            return refusal
        except Exception as error:
            # The outermost frame of a request: a bug of the cloud must answer as AWS would.
            log.exception("%s failed", operation.name)
            return Refusal("InternalFailure", f"The local cloud failed in {operation.name}: {error!r}")

    def _in_our_time(self, operation: OperationModel, params: dict[str, Any]) -> dict[str, Any]:
        """The request of a function, whose own clock is the wall's: `now` of its code is now of this cloud.

        What is nearer to simulated time, as the time in the event of a request, is left as it is.
        """
        ahead_s, now_s = self._clock.ahead_s(), self._clock.now()

        def instant(given: Any) -> float:
            at_s = seconds(given)
            return at_s + ahead_s if at_s < now_s - ahead_s / 2 else at_s

        return {} if operation.input_shape is None else cbor.shaped(operation.input_shape, params, instant)

    def _by_moto(self, service_name: str, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        if request.path.lstrip("/").startswith("moto-api"):
            # moto's own page and its reset, which are no part of AWS.
            return self._send(start_response, _unknown(service_name, request))
        self._before.get(service_name, _nothing)()
        begun = _Begun()
        app = None
        try:
            app = self._moto_app().get_application(environ)
            body = b"".join(app(environ, begun))
        except Exception as error:
            # moto raises anything at all, for what it does not have and for what it cannot read.
            log.debug("moto has no answer", exc_info=error)
            request = Request(bodies.rewound(environ))
            refusal = _of_moto(error, _asked_of(request)) if app else None
            return self._send(start_response, _unknown(service_name, request, refusal))
        if body[: len(_PAGE)].lower() == _PAGE or _is_unknown_path(service_name, begun, body):
            return self._send(start_response, _unknown(service_name, Request(bodies.rewound(environ))))
        start_response(begun.status, begun.headers)
        return [body]

    def _moto_app(self) -> Any:
        with self._moto_lock:
            if self._moto is None:
                from moto.moto_server import werkzeug_app

                # It would print on stdout, where our ready line is.
                werkzeug_app.print = log.debug
                self._moto = werkzeug_app.DomainDispatcherApplication(werkzeug_app.create_backend_app)
            return self._moto


@cache
def _tell_region(region: str) -> None:
    """Says once of another region that its requests are answered, too."""
    if region != REGION:
        log.warning(
            "A request is for the region %s: this local cloud is %s, as its ARNs say, and answers all regions.",
            region,
            REGION,
        )


def _nothing() -> None:
    """What is done before most services."""


class _Begun:
    """How an answer of moto begins, kept until all of it is there."""

    status = ""
    headers: list[tuple[str, str]]

    def __call__(self, status: str, headers: list[tuple[str, str]], _failed: object = None) -> None:
        self.status, self.headers = status, headers


def _is_unknown_path(service_name: str, begun: _Begun, body: bytes) -> bool:
    """Whether moto's web server has no such path; objects of S3 that are not there are missed in the same words."""
    return service_name != "s3" and begun.status.startswith("404") and not body


def _of_moto(error: Exception, operation: str) -> Refusal | None:
    """Why moto raised; None where it has no such operation."""
    if isinstance(error, NotImplementedError | OperationNotFoundError | HTTPException):
        return None
    code = "SerializationException" if isinstance(error, _UNREADABLE) else "InternalFailure"
    return Refusal(code, f"moto, which answers {operation} here, could not read the request or failed: {error!r}")


def _service_of(request: Request) -> str:
    """The service that a request is for; empty where nothing tells it."""
    signed = signature.service_of(request)
    if signed == "apigateway" and request.path.startswith(_HTTP_APIS):
        return "apigatewayv2"
    if signed:
        return _SIGNING_NAMES.get(signed, signed)
    target = request.headers.get("X-Amz-Target", "").partition(".")[0] or cbor.target_of(request)[0]
    if target in _TARGET_PREFIXES:
        return _TARGET_PREFIXES[target]
    by_path = next((service for form, service in _PATHS.items() if form.match(request.path)), "")
    return by_path or _VERSIONS.get(signature.form_of(request).get("Version", ""), "")


def _as_meant(model: ServiceModel, request: Request) -> Request:
    """The request with the content type that it means, where it has none or curl's."""
    if request.content_type == _FORM and model.protocol == "rest-json":
        # What curl says of any body; the path and not the content type names the operation.
        return Request({**request.environ, "CONTENT_TYPE": "application/json"})
    if request.content_type or cbor.is_asked(request) or model.protocol == "rest-json":
        return request
    if "X-Amz-Target" in request.headers:
        return Request({**request.environ, "CONTENT_TYPE": "application/x-amz-json-1.1"})
    if "Action" in signature.form_of(request):
        # The query protocol, whose parameters may be in the URL of a GET.
        return Request({**request.environ, "CONTENT_TYPE": _FORM, "REQUEST_METHOD": "POST"})
    return request


def _operation_of(model: ServiceModel, request: Request) -> tuple[OperationModel, Mapping[str, Any]]:
    """The operation that a request names, with what its path says."""
    if not cbor.is_asked(request):
        operation, uri_params = get_service_router(model.service_name).match(request)
        return operation, uri_params
    target, name = cbor.target_of(request)
    if cbor.PROTOCOL not in model.metadata.get("protocols", ()) or target != model.metadata.get("targetPrefix"):
        raise NotImplementedError(f"{model.service_name} has no {request.path} in this protocol")
    return model.operation_model(name), {}


def _asked_of(request: Request) -> str:
    """What a request calls its operation, in whatever protocol."""
    _, by_path = cbor.target_of(request)
    by_header = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
    by_form = signature.form_of(request).get("Action", "")
    return by_path or by_header or by_form or f"{request.method} {request.path}"


def _unknown(service_name: str, request: Request, refusal: Refusal | None = None) -> WireAnswer:
    """A refusal in the protocol of the service; in JSON for an unknown service."""
    refusal = refusal or _not_here(_asked_of(request))
    try:
        model = service_model(service_name)
    except DataNotFoundError:
        model = service_model("codedeploy")
    protocol = _protocol_of(model, request)
    return _serialized(OperationModel({"name": "Unknown"}, model), protocol, _spelt(refusal, protocol))


def _not_here(operation: str) -> Refusal:
    return Refusal("UnknownOperationException", f"{operation} is not part of this local cloud.")


def _not_as_asked(operation: str) -> Refusal:
    reason = (
        f"{operation} cannot be asked for like this: the method, the path, the content type or the target is wrong."
    )
    return Refusal("UnknownOperationException", reason)


def _spelt(refusal: Refusal, protocol: str) -> Refusal:
    """The refusal under the code that AWS has for it in a protocol."""
    if protocol.startswith(("query", "ec2")) and refusal.code in _OF_QUERY:
        return Refusal(_OF_QUERY[refusal.code], refusal.message)
    if refusal.code in _COMMON and protocol in ("json", "rest-json", cbor.PROTOCOL):
        return Refusal(f"{refusal.code}Exception", refusal.message)
    return refusal


def _protocol_of(model: ServiceModel, request: Request) -> str:
    if cbor.is_asked(request):
        return cbor.PROTOCOL
    try:
        protocol = determine_request_protocol(model, request.content_type)
    except NotImplementedError:
        protocol = str(model.protocol)
    if protocol not in PROTOCOL_PARSERS:
        return "json"
    return "query-json" if protocol == "query" and "json" in request.headers.get("Accept", "") else protocol


def _parsed(operation: OperationModel, uri_params: Mapping[str, Any], request: Request) -> dict[str, Any]:
    body = request.environ["harness.body"]
    if cbor.is_asked(request):
        return _from_cbor(operation, body)
    protocol = determine_request_protocol(operation.service_model, request.content_type)
    parser = PROTOCOL_PARSERS[protocol](operation, map_type=dict)
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
            content = _json_object(body)
            _check_types(operation, content)
            request_parts["body"] = json.dumps(content).encode()
        parsed: dict[str, Any] = parser.parse(request_parts)
    except _UNREADABLE as error:
        raise _unreadable() from error
    _check_present(operation, parsed)
    return parsed


def _from_cbor(operation: OperationModel, body: bytes) -> dict[str, Any]:
    try:
        content = _without_nulls(cbor.decoded(body))
        _check_types(operation, content)
    except _UNREADABLE as error:
        raise _unreadable() from error
    return {} if operation.input_shape is None else cbor.shaped(operation.input_shape, content)


def _unreadable() -> Refusal:
    return Refusal("SerializationException", "The request cannot be read: its body does not fit this operation.")


def _takes_bytes(operation: OperationModel) -> bool:
    """Whether the body is one member's own bytes, as the payload of Invoke."""
    shape = operation.input_shape
    return bool(shape and shape.serialization.get("payload"))


def _json_object(body: bytes) -> dict[str, Any]:
    content = json.loads(body or b"{}")
    if not isinstance(content, dict):
        raise ValueError("not an object")
    return dict(_without_nulls(content))


def _without_nulls(content: Any) -> Any:
    """The content without members that are null, which are as if they were absent."""
    if isinstance(content, dict):
        return {name: _without_nulls(value) for name, value in content.items() if value is not None}
    return [_without_nulls(value) for value in content] if isinstance(content, list) else content


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
    if protocol == cbor.PROTOCOL:
        return _in_cbor(operation, result)
    serializer = get_serializer_class(operation.service_model.service_name, protocol)
    context = SerializationContext(str(uuid4()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # moto warns of error codes that no model lists; AWS has many of them
        answer = serializer(operation_model=operation, context=context).serialize(result)
    body = answer["body"]
    headers = {"x-amzn-RequestId": context.request_id, **answer["headers"]}
    if protocol == "json":
        if isinstance(result, Refusal):
            body = json.dumps({"__type": _type_of(operation, result.code), "message": result.message})
        headers["Content-Type"] = f"application/x-amz-json-{operation.service_model.metadata.get('jsonVersion', '1.1')}"
    status = _own_status(operation, protocol, result) or answer["status_code"]
    return status, headers, body if isinstance(body, bytes) else body.encode()


def _in_cbor(operation: OperationModel, result: object) -> WireAnswer:
    """An answer in CBOR; an error is the one of JSON, with its status and headers."""
    if isinstance(result, Refusal):
        status, headers, body = _serialized(operation, "json", result)
        body = cbor.encoded_error(json.loads(body))
    else:
        status, headers, body = 200, {"x-amzn-RequestId": str(uuid4())}, cbor.encoded(operation.output_shape, result)
    return status, {**headers, "Content-Type": cbor.CONTENT_TYPE, "smithy-protocol": "rpc-v2-cbor"}, body


def _type_of(operation: OperationModel, code: str) -> str:
    """What JSON and CBOR call an error: the name of its shape, which need not be its code."""
    shapes = {shape.metadata.get("error", {}).get("code"): shape.name for shape in operation.service_model.error_shapes}
    return str(shapes.get(code, code))


def _own_status(operation: OperationModel, protocol: str, result: object) -> int | None:
    """The HTTP status of an error of ours, or the one that the result names, where the model binds a member to it."""
    if isinstance(result, Refusal):
        return _status_of(result.code, protocol)
    members = operation.output_shape.members if operation.output_shape else {}
    for name, shape in members.items():
        if shape.serialization.get("location") == "statusCode" and isinstance(result, Mapping):
            return result.get(name)
    return None


def _status_of(code: str, protocol: str) -> int | None:
    """The HTTP status of an error; None where the model of the service decides it."""
    if code in _STATUSES:
        return _STATUSES[code]
    return 403 if protocol != "json" and code.startswith(_FORBIDDEN) else None
