"""The two HTTP servers of the local cloud, each in a thread of its own."""

import contextlib
import errno
import socket
import threading
import time

import uvicorn

from harness.errors import CloudError, UsageError
from harness.rehearsal import wire
from harness.rehearsal.gateway import Gateway

KEEP_ALIVE_S = 75
START_TIMEOUT_S = 10.0
_BACKLOG = 2048


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


class ControlPlane:
    """The AWS endpoint."""

    def __init__(self, app: wire.Wire, listening: socket.socket) -> None:
        host, port = listening.getsockname()[:2]
        self._server = wire.serve(app, host, port, fd=listening.fileno())
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


class DataPlane:
    """The service behind the gateway."""

    def __init__(self, app: Gateway, listening: socket.socket) -> None:
        self._listening = listening
        self._app = app
        self._server = uvicorn.Server(_uvicorn_config(app))
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
        self._server.should_exit = True
        self._thread.join()
        self._listening.close()
        self._app.close()


def _uvicorn_config(app: Gateway) -> uvicorn.Config:
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
