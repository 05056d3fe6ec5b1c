"""Results go to stdout, messages for people to stderr. Both work when they are ASCII, closed, or no longer read."""

import io
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


def bear_any_stream() -> None:
    """Makes both streams safe to print to: replaces what they cannot encode, and opens /dev/null for a closed one."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115, PTH123 - as long as the process
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def say(text: str) -> None:
    """Prints a result. A reader that went away, such as `head`, does not change the exit code."""
    with suppress(BrokenPipeError):
        print(text)  # noqa: T201 - the result


def say_json(document: Any) -> None:
    """Prints a result as JSON that people can read, too."""
    say(pretty_json(document))


def pretty_json(document: Any) -> str:
    """JSON with line breaks, of plain values and of msgspec's types."""
    import msgspec  # only here: `--help` must not wait for it

    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode()


def tell(text: str) -> None:
    """Prints a line for people."""
    with suppress(BrokenPipeError):
        print(text, file=sys.stderr, flush=True)  # noqa: T201 - stderr is for people


def flush() -> None:
    """Writes what is buffered; without a reader, the interpreter would otherwise fail at exit."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # The interpreter flushes again when it exits, and would complain of the closed pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def console(*, stderr: bool = False) -> "Console":
    """A rich console. It falls silent when its reader goes away; the command goes on and keeps its exit code."""
    from rich.console import Console

    class PatientConsole(Console):
        def on_broken_pipe(self) -> None:
            """Rich would end the process here."""
            self.quiet = True

    return PatientConsole(highlight=False, stderr=stderr)
