"""Follows `$ref` within one document: JSON pointers as RFC 6901 and RFC 3986 have them."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from harness.sources.drafts import NoRequest

_LONGEST_CHAIN = 50
"""References that lead on to others; a chain that is longer leads in a circle."""


def followed(document: Mapping[str, Any], node: Any) -> Any:
    """What a node is, or what it refers to; raises NoRequest where that is not in the document."""
    start = node
    for _ in range(_LONGEST_CHAIN):
        if not isinstance(node, Mapping) or not isinstance(node.get("$ref"), str):
            return node
        node = _at(document, node["$ref"])
    raise NoRequest(f"the reference {start['$ref']} leads in a circle, and never to a value; name a value there")


def reference_of(node: Any) -> str | None:
    """What a node refers to; None where it is a value itself."""
    reference = node.get("$ref") if isinstance(node, Mapping) else None
    return reference if isinstance(reference, str) else None


def _at(document: Mapping[str, Any], reference: str) -> Any:
    if not reference.startswith("#"):
        raise NoRequest(f"{reference} is in another file; bundle both into one")
    node: Any = document
    for word in reference.removeprefix("#").split("/")[1:]:
        name = unquote(word).replace("~1", "/").replace("~0", "~")
        try:
            node = node[int(name)] if isinstance(node, list) else node[name]
        except (KeyError, ValueError, IndexError, TypeError):
            raise NoRequest(f"{reference} is not in the file") from None
    return node
