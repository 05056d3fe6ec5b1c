"""Memory and descriptors kept back while a run lasts, so that a run which gets no more still heals and reports."""

import mmap
import os
from collections.abc import Callable
from typing import Any

import gevent

from harness.errors import exhausted

MEMORY = 32 << 20
"""Bytes of addresses alone: the system gives no pages to what was never written."""
FILES = 16


class Reserve:
    """Holds both from `hold` until `free`."""

    def __init__(self) -> None:
        self._memory: mmap.mmap | None = None
        self._files: list[int] = []

    def hold(self) -> None:
        """Takes both; where there is too little even for that, takes nothing and raises OSError."""
        try:
            self._memory = mmap.mmap(-1, MEMORY)
            while len(self._files) < FILES:
                self._files.append(os.open(os.devnull, os.O_RDONLY))
        except OSError:
            self.free()
            raise

    def guard(self, tell: Callable[[str], None]) -> None:
        """Frees both and tells of it where the event loop lacks either: it would print a traceback, and break off."""
        hub = gevent.get_hub()

        def hear(context: Any, kind: Any, value: Any, traceback: Any) -> None:
            lack = exhausted(value)
            if lack is None:
                type(hub).handle_error(hub, context, kind, value, traceback)
            elif self._memory:
                self.free()
                gevent.spawn(tell, str(lack))

        hub.handle_error = hear

    def free(self) -> None:
        """Gives both back; a second time does nothing."""
        if self._memory:
            self._memory.close()
        self._memory = None
        while self._files:
            os.close(self._files.pop())
