"""A page as tests read it: its text, its tables by id, and what it would load or run."""

import html.parser
import json
from collections.abc import Mapping
from typing import Any

VOID = {"meta", "link", "br", "img", "input", "hr"}


class Reading(html.parser.HTMLParser):
    """`tables` are rows of cells by the id of the table; `elements` all tags with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, Mapping[str, str | None]]] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.scripts: dict[str, str] = {}
        self.text = ""
        self._open: list[tuple[str, Mapping[str, str | None]]] = []
        self.feed(page)
        self.close()

    def table(self, id_: str) -> list[list[str]]:
        """The body of a table."""
        return [row for row in self.tables[id_][1:] if row]

    @property
    def spec(self) -> Any:
        """The chart."""
        return json.loads(self.scripts["spec"])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Notes an element."""
        given = dict(attrs)
        self.elements.append((tag, given))
        if tag in VOID:
            return
        self._open.append((tag, given))
        table = next((shown for name, shown in reversed(self._open) if name == "table"), None)
        if table is None or not table.get("id"):
            return
        rows = self.tables.setdefault(str(table["id"]), [])
        if tag == "tr":
            rows.append([])
        elif tag in ("td", "th"):
            rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        """Forgets an element."""
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, text: str) -> None:
        """Text of whatever is open."""
        tag, given = self._open[-1] if self._open else ("", {})
        if tag in ("script", "style"):
            self.scripts[str(given.get("id"))] = self.scripts.get(str(given.get("id")), "") + text
            return
        self.text += text
        names = [name for name, _ in self._open]
        table = next((shown for name, shown in reversed(self._open) if name == "table"), None)
        if table is not None and table.get("id") and ("td" in names or "th" in names):
            self.tables[str(table["id"])][-1][-1] += text
