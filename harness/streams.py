"""Results on stdout, words for people on stderr, whatever these streams are: ASCII, closed, or without a reader."""

import io
import os
import sys
from contextlib import suppress


def bear_any_stream() -> None:
    """Has what an output stream cannot encode replaced, and a closed one swallow everything."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115, PTH123 - as long as the process
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def say(text: str) -> None:
    """Prints a result; a reader that is gone has seen enough, and the exit code is still the command's."""
    with suppress(BrokenPipeError):
        print(text)  # noqa: T201 - the result


def tell(text: str) -> None:
    """Prints a line for people."""
    with suppress(BrokenPipeError):
        print(text, file=sys.stderr, flush=True)  # noqa: T201 - stderr is for people


def flush() -> None:
    """Writes what is left; where nobody reads it, the interpreter must not fail on that pipe when it exits."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
