"""Credentials in a recording: each becomes a placeholder of the environment, so that no file of ours holds one."""

import re
from collections.abc import Mapping
from typing import Any

from harness.core.experiment.secrets import SECRET_NAME, SECRET_SHAPE
from harness.sources.drafts import plain

_ALSO = re.compile(r"session|csrf|xsrf|^key$|^sid$|^code$|^assertion$", re.IGNORECASE)
"""Names that hold a credential on the wire, beside those that do in any text."""
_SCHEME = re.compile(r"(Bearer|Basic|Token|ApiKey)\s+\S+", re.IGNORECASE)
_OF_SCHEME: Mapping[str, str] = {"bearer": "TOKEN", "basic": "BASIC_AUTH", "token": "TOKEN", "apikey": "API_KEY"}


def from_environment(name: str) -> str:
    """The placeholder for a secret that is known by a name."""
    variable = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_").upper() or "SECRET"
    return f"{{{{env.{variable if not variable[0].isdigit() else f'_{variable}'}}}}}"


def without_credentials(name: str, value: str) -> str:
    """The value of a header, a parameter or a field, with a placeholder where it is a credential.

    Raises NoRequest if what is left would be read as a placeholder.
    """
    scheme = _SCHEME.fullmatch(value.strip())
    if scheme and SECRET_NAME.search(name):
        return f"{scheme[1]} {from_environment(_OF_SCHEME[scheme[1].lower()])}"
    if value and (SECRET_NAME.search(name) or _ALSO.search(name)):
        return from_environment(name)
    return without_shapes(value, name)


def without_shapes(text: str, name: str) -> str:
    """A text with a placeholder for each key or token that its shape tells."""
    return SECRET_SHAPE.sub(lambda _: from_environment(name), plain(text))


def json_without_credentials(value: Any, name: str = "body") -> Any:
    """The same for a JSON value, each text and number by the name of its field."""
    if isinstance(value, dict):
        return {plain(str(key)): json_without_credentials(inner, str(key)) for key, inner in value.items()}
    if isinstance(value, list):
        return [json_without_credentials(inner, name) for inner in value]
    if isinstance(value, str):
        return without_credentials(name, value)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return from_environment(name) if is_number and SECRET_NAME.search(name) else value
