"""A server that answers in every wrong way: no traceback, no answer given to another request, and flat memory."""

import random
import socket
import zlib
from collections import Counter
from typing import Any

import gevent
import psutil
import pytest
from gevent.server import StreamServer

from harness.traffic.client.client import Client
from harness.traffic.client.connection import Timeouts
from harness.traffic.client.failures import NoAnswer
from tests.traffic.answers import CASES

SENDERS = 16
PARTS = 10
ANSWERS_A_PART = 300_000
MOST_GROWTH = 48 * 1024 * 1024
"""Bytes of memory; the first requests fill buffers and pools."""
HASTY = Timeouts(connect_s=5.0, read_s=0.5, total_s=1.0)
MORE = b"X-More"
"""Says that another answer follows. The sender waits for it: one that crosses with a request looks like its own."""
GOODBYE = b"HTTP/1.1 408 Request Time-out\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


def token(number: int) -> str:
    """What proves that an answer is the one to a request, whatever was done to its bytes."""
    return f"{number}.{zlib.crc32(str(number).encode())}"


def proven(text: str) -> int | None:
    """The number of the request that an answer proves to belong to."""
    number = text.partition(".")[0]
    return int(number) if number.isdecimal() and token(int(number)) == text else None


def answer_to(number: int, dice: random.Random) -> bytes:
    """A well-formed answer, in one of the forms that servers use."""
    mark, body = token(number).encode(), token(number).encode()
    head = b"HTTP/1.1 200 OK\r\nX-Token: " + mark + b"\r\n"
    if dice.random() < 0.5:
        return head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    chunk = b"%x\r\n%b\r\n" % (len(body), body)
    trailer = b"X-Token: " + token(number + 1).encode() + b"\r\n" if dice.random() < 0.5 else b""
    return head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk + b"0\r\n" + trailer + b"\r\n"


def damaged(stream: bytes, dice: random.Random) -> bytes:
    """An answer with some bytes changed, left out or put in."""
    at, cut = dice.randrange(len(stream)), dice.randrange(3)
    return stream[:at] + dice.randbytes(dice.randrange(4)) + stream[at + cut :]


class Hostile:
    """Plays with each request, by seed."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)
        self.sent_more: set[int] = set()
        self._server = StreamServer(("127.0.0.1", 0), self._serve)
        self._server.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.close = self._server.stop

    def _serve(self, link: Any, _: Any) -> None:
        # Else the kernel would keep what nobody asked for until the next request acknowledges what came before.
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while request := link.recv(65536):
                if not self._answer(link, int(request.split(b" ", 2)[1][1:])):
                    return
        except OSError:
            return
        finally:
            link.close()

    def _answer(self, link: Any, number: int) -> bool:
        """Answers one request; whether the connection goes on."""
        dice, good = self._dice, answer_to(number, self._dice)
        what = dice.random()
        if what < 0.6:
            link.sendall(good)
            return True
        if what < 0.7:  # another answer that nobody asked for, at once or when the connection is idle
            more = dice.choice([GOODBYE, answer_to(number + 7, dice)])
            if dice.random() < 0.5:
                link.sendall(good + more)
            else:
                link.sendall(good.replace(b"\r\n", b"\r\n" + MORE + b": 1\r\n", 1))
                gevent.sleep(0)
                try:
                    link.sendall(more)
                finally:
                    self.sent_more.add(number)
            return dice.random() < 0.5
        if what < 0.75:
            link.sendall(good[: dice.randrange(len(good))])
            return False
        if what < 0.85:
            link.sendall(dice.choice(CASES).stream)
            return False
        if what < 0.9:
            link.sendall(GOODBYE)
            return False
        link.sendall(damaged(good, dice))
        return False


def play(seed: int, answers: int) -> Counter[str]:
    """What came of so many requests: answers to them, to others, refusals and what must never be."""
    server, came, numbers = Hostile(seed), Counter[str](), iter(range(answers))
    clients = [Client(server.url, HASTY) for _ in range(SENDERS)]

    def send(client: Client) -> None:
        for number in numbers:
            try:
                answer = client.send(client.prepare("GET", f"/{number}"))
                marks = {proven(answer.header(b"X-Token") or ""), proven(answer.body().decode("latin-1"))} - {None}
            except NoAnswer:
                came["refused"] += 1
                continue
            except Exception as error:  # noqa: BLE001 - this is what is counted
                came[f"traceback {error!r}"] += 1
                continue
            while answer.header(MORE) and marks == {number} and number not in server.sent_more:
                gevent.sleep(0.001)
            server.sent_more.discard(number)
            came["another's" if marks - {number} else "own" if marks else "without a mark"] += 1

    gevent.joinall([gevent.spawn(send, client) for client in clients])
    for client in clients:
        client.close()
    server.close()
    return came


def hold(seed: int, answers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plays, and asserts what is promised."""
    troubles: list[Any] = []
    monkeypatch.setattr(gevent.get_hub(), "handle_error", lambda *told: troubles.append(told))
    play(seed, 2000)
    before = psutil.Process().memory_info().rss
    came = play(seed + 1, answers)
    assert came.total() == answers
    assert came.keys() <= {"own", "refused", "without a mark"}, came
    assert not troubles
    assert came["own"] > answers / 2
    assert psutil.Process().memory_info().rss - before < MOST_GROWTH


@pytest.mark.slow
def test_no_hostile_answer_is_another_requests_or_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sample of what the soak plays three million times."""
    hold(1, 10_000, monkeypatch)


@pytest.mark.soak
@pytest.mark.parametrize("part", range(PARTS))
def test_millions_of_hostile_answers_are_borne(part: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three million in all, in parts."""
    hold(1000 * (part + 1), ANSWERS_A_PART, monkeypatch)
