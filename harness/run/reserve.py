"""Memory and descriptors kept back while a run lasts, so that a run which gets no more still heals and reports."""

import os

MEMORY = 32 << 20
"""Bytes of addresses alone: the system gives no pages to what was never written."""
FILES = 16


class Reserve:
    """Holds both from `hold` until `free`."""

    def __init__(self) -> None:
        self._memory = bytearray()
        self._files: list[int] = []

    def hold(self) -> None:
        """Takes both; raises OSError or MemoryError where there is too little even for that."""
        self._memory = bytearray(MEMORY)
        while len(self._files) < FILES:
            self._files.append(os.open(os.devnull, os.O_RDONLY))

    def free(self) -> None:
        """Gives both back; a second time does nothing."""
        self._memory = bytearray()
        while self._files:
            os.close(self._files.pop())
