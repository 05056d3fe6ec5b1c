"""The two HTTP servers of the local cloud, each in a thread of its own."""

import asyncio
import contextlib
import errno
import io
import json
import logging
import socket
import sys
import threading
import time
from collections.abc import Callable
from email.utils import formatdate
from http import HTTPStatus
from typing import Any

import uvicorn
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from harness.errors import CloudError, UsageError, exhausted
from harness.rehearsal.url_gateway import UrlGateway
from harness.rehearsal.wire import Wire

KEEP_ALIVE_S = 75
START_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 10.0
"""How long the AWS endpoint waits for the next byte of a request."""
_BACKLOG = 2048
_CORRECTS_SKEW = "aws-sdk-js"
"""How a client begins that takes the date of an error, where that is minutes off, for the reason of the error: it sets
its clock and asks again, up to ten times with growing pauses, while time here goes on many times as fast."""
_TLS = b"\x16"
"""The first byte of a client that speaks TLS."""

log = logging.getLogger(__name__)


def bound(host: str, port: int, option: str) -> socket.socket:
    """A socket that listens on `host:port`, port 0 meaning any; raises UsageError naming `--host` or `option`."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with contextlib.ExitStack() as undo:
            listening = undo.enter_context(socket.socket(family, socket.SOCK_STREAM))
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((host, port))
            listening.listen(_BACKLOG)
            undo.pop_all()
            return listening
    except (OSError, OverflowError) as error:
        # An address that is not ours is wrong with any port.
        if getattr(error, "errno", None) in (socket.EAI_NONAME, errno.EADDRNOTAVAIL):
            raise UsageError(f"--host: cannot listen on {host} ({error}); give an address of this machine.") from error
        raise UsageError(f"{option}: cannot listen on {host}:{port} ({error}); choose another port.") from error


def url(host: str, listening: socket.socket) -> str:
    """The base URL of a listening socket."""
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{listening.getsockname()[1]}"


class _Incoming(io.RawIOBase):
    """What a client sends; unlike the file of a socket it can still be read, and emptied, after a time-out."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def readable(self) -> bool:
        """It is for reading."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Reads what is there; raises TimeoutError when nothing comes."""
        return self._connection.recv_into(buffer)


class _Handler(WSGIRequestHandler):
    """Prints nothing, dates its answers by the cloud's clock, and says in JSON what is wrong with a request."""

    protocol_version = "HTTP/1.1"
    timeout = READ_TIMEOUT_S
    command = requestline = ""
    now: Callable[[], float]

    def setup(self) -> None:
        """Reads by way of `_Incoming`."""
        super().setup()
        self.rfile.close()
        self.rfile = self._incoming = io.BufferedReader(_Incoming(self.connection))

    def handle_one_request(self) -> None:
        """Refuses at once a client that would wait for an answer in TLS."""
        if self._incoming.peek(1)[:1] == _TLS:
            self.send_error(HTTPStatus.BAD_REQUEST, "This endpoint speaks HTTP, not TLS: its URL begins with http://")
        else:
            super().handle_one_request()

    def send_error(self, code: int, message: str | None = None, _explain: str | None = None) -> None:
        """The answer to what is no request: nothing tells for which service it is."""
        body = json.dumps({"message": message or HTTPStatus(code).phrase}).encode()
        self.request_version, self.close_connection = self.protocol_version, True
        self.send_response(code)
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": len(body),
            "Connection": "close",
        }.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)

    def send_response(self, code: int, message: str | None = None) -> None:
        """Begins an answer, with its date, but where that would have the SDK for JavaScript ask again and again."""
        self.send_response_only(code, message)
        self.send_header("Server", self.version_string())
        sent = getattr(self, "headers", None) or {}
        if code < HTTPStatus.BAD_REQUEST or not (sent.get("User-Agent") or "").startswith(_CORRECTS_SKEW):
            self.send_header("Date", self.date_time_string())

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
    server.handle_error = _tell_of  # type: ignore[assignment, method-assign]
    return server


def _tell_of(_request: Any, client: Any) -> None:
    """Says in one sentence why a client got no answer; a traceback only of what is a bug."""
    error = sys.exc_info()[1]
    lack = exhausted(error)
    log.error("%s got no answer: %s", client, lack or repr(error), exc_info=None if lack else error)


class ControlPlane:
    """The AWS endpoint."""

    def __init__(self, app: Wire, listening: socket.socket) -> None:
        host, port = listening.getsockname()[:2]
        self._server = serve(app, host, port, fd=listening.fileno())
        self._thread = threading.Thread(target=self._serve, name="control-plane", daemon=True)

    def _serve(self) -> None:
        self._server.serve_forever(poll_interval=0.02)

    def start(self) -> None:
        """Begins to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Stops answering and closes the port."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(uvicorn.Server):
    """Ends once it is told to: uvicorn looks every 0.1 s whether it should, and waits 0.1 s even without a client."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._told = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begins to answer."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)

    async def main_loop(self) -> None:
        """Answers until the end; the first look is what makes the headers of all answers."""
        await self.on_tick(0)
        await self._told.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Closes the port, and what clients there are."""
        if self.server_state.connections or self.server_state.tasks:
            await super().shutdown(sockets)
            return
        for server in self.servers:
            server.close()
        for listening in sockets or ():
            listening.close()

    def end(self) -> None:
        """Tells it to end, from any thread."""
        self.should_exit = True
        if self._loop:
            with contextlib.suppress(RuntimeError):  # it has ended already
                self._loop.call_soon_threadsafe(self._told.set)


class DataPlane:
    """The service behind the gateway."""

    def __init__(self, app: UrlGateway, listening: socket.socket) -> None:
        self._listening = listening
        self._app = app
        self._server = _Server(_uvicorn_config(app))
        self._thread = threading.Thread(target=self._server.run, args=([listening],), name="gateway", daemon=True)

    def start(self) -> None:
        """Begins to answer; raises CloudError if it does not come up."""
        self._thread.start()
        give_up = time.monotonic() + START_TIMEOUT_S
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > give_up:
                raise CloudError("The gateway did not start.")
            time.sleep(0.002)

    def stop(self) -> None:
        """Stops answering and closes the port; requests under way get a second to end."""
        self._server.end()
        self._thread.join()
        self._listening.close()
        self._app.close()


def _uvicorn_config(app: UrlGateway) -> uvicorn.Config:
    # A REST API has no WebSocket and does not name its server. The gateway logs its own failures; what is left for
    # uvicorn to say is noise of clients that hang up.
    return uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        log_level="critical",
        proxy_headers=False,
        access_log=False,
        server_header=False,
        date_header=False,  # the gateway dates its answers by the cloud's clock
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=1,
    )
