"""Where values are written, when a release is written in several files: one number stands for file and line."""

from pathlib import Path

_LINES_OF_A_FILE = 100_000_000
"""More lines than any file that is read has, by its size."""


class Places:
    """The files that one release is read from. Each line has a number of its own; in the first file it is the line."""

    def __init__(self, *files: str) -> None:
        self._files = [*files]

    def before(self, path: Path) -> int:
        """What is added to the lines of a file, which is remembered."""
        name = str(path)
        if name not in self._files:
            self._files.append(name)
        return self._files.index(name) * _LINES_OF_A_FILE

    def of(self, line: int) -> tuple[str, int]:
        """The file, and the line in it."""
        number, own = divmod(line, _LINES_OF_A_FILE)
        return self._files[number], own
