"""Places in a request that the settings of an API name, such as `method.request.header.Authorization`."""

import re
import urllib.parse
from collections.abc import Iterable, Sequence

from msgspec import Struct

from harness.rehearsal.admission import value_of
from harness.rehearsal.proxy import ApiRequest

_FORMS = re.compile(r"(?:method\.request|\$request|request)\.(header|querystring|path)\.(.+)")


class Place(Struct, frozen=True):
    """A header, a parameter of the query or one of the path."""

    part: str
    name: str


def places(text: str) -> Sequence[Place]:
    """The places that a list with commas names; what is none, such as a context variable, is left out."""
    found = (_FORMS.fullmatch(one.strip()) for one in text.split(","))
    return [Place(one[1], one[2]) for one in found if one]


def values_of(call: ApiRequest, sources: Iterable[Place]) -> Sequence[str | None]:
    """What stands there, None where nothing does."""
    return [_value(call, place) or None for place in sources]


def _value(call: ApiRequest, place: Place) -> str | None:
    if place.part == "header":
        return value_of(call.headers, place.name.lower().encode()).decode("latin-1")
    if place.part == "path":
        return call.parameters.get(place.name)
    query = dict(urllib.parse.parse_qsl(call.query.decode("latin-1"), keep_blank_values=True))
    return query.get(place.name)
