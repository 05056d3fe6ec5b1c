"""Servers that answer as told, for the client's tests; the client runs in the test's own greenlet, unpatched."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence

import pytest

from harness.traffic.client.client import Client
from harness.traffic.client.connection import Timeouts

Step = bytes | float | str
"""What a server does next: sends bytes, waits seconds, `ask` reads the next request, `reset` makes the end a reset."""
HASTY = Timeouts(connect_s=1.0, read_s=0.4, total_s=0.8)


def _request(connection: socket.socket) -> bytes:
    """The next request; its body may come after its head."""
    received = connection.recv(65536)
    head, _, body = received.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
    while len(body) < length:
        more = connection.recv(65536)
        if not more:
            break
        received, body = received + more, body + more
    return received


class ScriptedServer:
    """Answers its n-th connection by the n-th script, further ones by the last."""

    def __init__(self, scripts: Sequence[Sequence[Step]], family: int = socket.AF_INET) -> None:
        self.requests: list[bytes] = []
        self._scripts = scripts
        self._listener = socket.socket(family)
        self._listener.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        self._listener.listen(100)
        self.connections = 0
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self._listener.getsockname()[1]
        return port

    def close(self) -> None:
        """Stops listening."""
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            script = self._scripts[min(self.connections, len(self._scripts) - 1)]
            self.connections += 1
            threading.Thread(target=self._play, args=(connection, script), daemon=True).start()

    def _play(self, connection: socket.socket, script: Sequence[Step]) -> None:
        waiting = threading.Event()
        with connection:
            try:
                self.requests.append(_request(connection))
                for step in script:
                    if isinstance(step, bytes):
                        connection.sendall(step)
                    elif isinstance(step, float):
                        waiting.wait(step)
                    elif step == "ask":
                        self.requests.append(_request(connection))
                    elif step == "reset":
                        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            except OSError:
                return


@pytest.fixture
def serve() -> Iterator[Callable[..., ScriptedServer]]:
    """Starts servers that play scripts, one a connection."""
    servers: list[ScriptedServer] = []

    def start(*scripts: Sequence[Step], family: int = socket.AF_INET) -> ScriptedServer:
        servers.append(ScriptedServer(scripts, family))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def client_of() -> Iterator[Callable[..., Client]]:
    """Makes clients of scripted servers, hasty ones unless told otherwise."""
    clients: list[Client] = []

    def make(server: ScriptedServer, timeouts: Timeouts = HASTY) -> Client:
        clients.append(Client(f"http://127.0.0.1:{server.port}", timeouts))
        return clients[-1]

    yield make
    for client in clients:
        client.close()
