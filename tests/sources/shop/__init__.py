"""A shop with three endpoints (orders, search, login), as a server, and as what is known of it in each format."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

FOLDER = Path(__file__).parent
OPENAPI, HAR, POSTMAN = FOLDER / "openapi.yaml", FOLDER / "recording.har", FOLDER / "collection.json"


class Shop(BaseHTTPRequestHandler):
    """Answers what it knows, and 404 to anything else; searches that hold `fails_for` get 502."""

    protocol_version = "HTTP/1.1"
    fails_for = "no search holds this"

    def do_GET(self) -> None:
        """Answers GET."""
        path = self.path.removeprefix("/prod").partition("?")[0]
        if path == "/search":
            self._answer(502 if self.fails_for in self.path else 200, {"found": ["shoes"]})
        elif path.startswith("/orders/") and path.count("/") == 2:
            self._answer(200, {"id": path.rpartition("/")[2]})
        else:
            self._answer(404, {"message": "not found"})

    def do_POST(self) -> None:
        """Answers POST: a login needs an address and a password."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        is_login = self.path.removeprefix("/prod") == "/login" and {"email", "password"} <= json.loads(body).keys()
        self._answer(200 if is_login else 404, {"token": "t"})

    def _answer(self, status: int, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Says nothing."""


class BrokenShop(Shop):
    """A shop whose search fails for those who look for shoes."""

    fails_for = "shoes"


@contextmanager
def served(kind: type[Shop] = Shop) -> Iterator[str]:
    """A shop on a free port of this machine; its URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
