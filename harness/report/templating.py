"""Fills in the templates of the pages."""

from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from harness.report import facts

if TYPE_CHECKING:
    from jinja2 import Environment


def render(template: str, **context: Any) -> str:
    """A template of this package filled in; whatever is filled in is text and never markup."""
    return _environment().get_template(template).render(**context)


def load_templates() -> None:
    """Reads all templates, which are then kept."""
    environment = _environment()
    for name in environment.list_templates():
        environment.get_template(name)


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("harness.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["plain"] = facts.plain
    environment.filters["as_json"] = lambda value: Markup(_safe_json(value))  # noqa: S704 - escaped by _safe_json
    # Drawn by vl-convert, which escapes the text in it.
    environment.filters["as_svg"] = lambda drawn: Markup(drawn)  # noqa: S704
    # The library is not ours to escape: it is trusted, and only its end tags could end the script element.
    environment.filters["as_script"] = lambda text: Markup(text.replace("</script", "<\\/script"))  # noqa: S704
    return environment


def _safe_json(value: object) -> str:
    """JSON that cannot end the script element it stands in."""
    text = msgspec.json.encode(value).decode()
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
