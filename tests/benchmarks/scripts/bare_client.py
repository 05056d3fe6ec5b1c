"""The client alone in a loop, without Locust and without records; takes a host and a number of connections."""

import sys

import gevent

from harness.traffic.client.client import Client
from harness.traffic.client.prepared import Prepared

HEADERS = {"Authorization": "standarduser@company.com", "X-Client-Version": "2"}


def ask_for_ever(client: Client, request: Prepared) -> None:
    """One connection's loop."""
    while True:
        client.send(request)


def main() -> None:
    """Asks until it is ended."""
    client = Client(sys.argv[1])
    request = client.prepare("GET", "/fakeUser", headers=HEADERS)
    gevent.joinall([gevent.spawn(ask_for_ever, client, request) for _ in range(int(sys.argv[2]))], raise_error=True)


if __name__ == "__main__":
    main()
