"""Texts that rows are known by: bounded in length and number, since others choose them."""

from harness.traffic.fired import bounded

OTHER = "other"
"""What stands for all texts beyond the bound."""


class Folded:
    """Texts of one kind: so many different ones at most, `OTHER` for the rest; `beyond` counts uses of that."""

    __slots__ = ("_known", "_most", "beyond")

    def __init__(self, most: int) -> None:
        self._known: set[str] = set()
        self._most = most
        self.beyond = 0

    def __call__(self, text: str) -> str:
        """The text itself, cut where it is too long, or `OTHER`."""
        if text in self._known:
            return text
        text = bounded(text)
        if text in self._known or len(self._known) < self._most:
            self._known.add(text)
            return text
        self.beyond += 1
        return OTHER
