"""Threads that wait for user code on behalf of the gateway's loop."""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


class WaitingThreads:
    """Runs blocking work in at most `most` threads, started as they are needed.

    Unlike those of `concurrent.futures` they never keep the process alive: user code may hang, Ctrl-C must not.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._started = 0

    def submit(self, work: Callable[[], T]) -> "Future[T]":
        """Queues `work`; only one thread may submit."""
        future: Future[T] = Future()
        self._work.put(lambda: _settle(future, work))
        if not self._idle.acquire(blocking=False) and self._started < self._most:
            self._started += 1
            threading.Thread(target=self._loop, name=f"invoke-{self._started}", daemon=True).start()
        return future

    def close(self) -> None:
        """Lets idle threads end; those that wait for user code end after it."""
        for _ in range(self._started):
            self._work.put(None)

    def _loop(self) -> None:
        while work := self._work.get():
            work()
            self._idle.release()


def _settle(future: "Future[T]", work: Callable[[], T]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = work()
    except Exception as error:  # noqa: BLE001 - outermost frame of the thread: whoever waits gets it
        future.set_exception(error)
    else:
        future.set_result(result)
