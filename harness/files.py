"""Files that somebody else may have written are read in one way: plain files only, and never more than a bound."""

import errno
import os
import stat
from pathlib import Path
from typing import IO, Protocol

import msgspec

NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding raises for bytes that are no JSON of the kind that is asked for; too deep nesting included."""

MOST_BYTES = 64 * 1024 * 1024
"""More than any file that is read as a whole has: a verdict, a manifest or an experiment takes some kilobytes."""

_PIECE = 256 * 1024


class Readable(Protocol):
    """What `bounded` reads: a binary file, or what unpacks one."""

    def read(self, size: int, /) -> bytes:
        """So many bytes at most."""


def open_plain(path: Path) -> IO[bytes]:
    """Opens a plain file to read. Raises OSError for anything else: opening a FIFO would wait for its writer."""
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "not a plain file", str(path))
    return file


def read_plain(path: Path) -> bytes:
    """The content of a plain file. Raises OSError where it is none, cannot be read, or has more than MOST_BYTES."""
    with open_plain(path) as file:
        return bounded(file)


def bounded(file: Readable) -> bytes:
    """What is left of an open file. Raises OSError beyond MOST_BYTES."""
    content = bytearray()
    while piece := file.read(_PIECE):  # to ask for all at once would take the memory for MOST_BYTES each time
        content += piece
        if len(content) > MOST_BYTES:
            raise OSError(errno.EFBIG, f"it has more than {MOST_BYTES // 2**20} MiB", getattr(file, "name", None))
    return bytes(content)
