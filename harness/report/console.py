"""The consoles of our commands, which bear whatever stream they are given."""

from typing import Any

from rich.console import Console


class PatientConsole(Console):
    """A console that falls silent when its reader is gone; what was being done goes on and keeps its exit code."""

    def __init__(self, **options: Any) -> None:
        super().__init__(highlight=False, **options)

    def on_broken_pipe(self) -> None:
        """Says nothing from now on."""
        self.quiet = True
