"""Documents as YAML that people read, too: texts of several lines as such, and what to do with it at the top."""

import re
from collections.abc import Sequence

import yaml

from harness.templates.scaled.run import Document

_OTHER_BREAKS = re.compile("[\r\x85\u2028\u2029]")


class _Printer(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - PyYAML's own
        """Writes everything out."""
        return True


def _text(printer: _Printer, text: str) -> yaml.Node:
    """A text of several lines as a block; where other line breaks are in it, which a block would lose, in quotes."""
    style = '"' if _OTHER_BREAKS.search(text) else "|" if "\n" in text else None
    return printer.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Printer.add_representer(str, _text)


def printed(told: Sequence[str], documents: Sequence[Document]) -> str:
    """The text of documents, below sentences for a person."""
    comments = "".join(f"# {line}".rstrip() + "\n" for line in told)
    return comments + "---\n".join(
        yaml.dump(document, Dumper=_Printer, sort_keys=False, allow_unicode=True, width=120) for document in documents
    )
