"""What a request validator of a REST API checks before the function is invoked."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from harness.files import NOT_JSON
from harness.rehearsal.admission import Refused
from harness.rehearsal.apis.places import Place, places, values_of
from harness.rehearsal.proxy import ApiRequest

_MODELS = "#/definitions/"


class Checks(Struct, frozen=True):
    """The parameters that a request must have, and the JSON Schema of its body; None where any body may come."""

    required: Sequence[Place] = ()
    schema: Mapping[str, Any] | None = None

    def check(self, call: ApiRequest) -> None:
        """Raises `Refused` for a request that does not fit."""
        values = values_of(call, self.required)
        missing = [place.name for place, value in zip(self.required, values, strict=True) if value is None]
        if missing:
            raise Refused("bad_parameters", f"Missing required request parameters: [{', '.join(missing)}]")
        if self.schema is not None and not _fits(call.body, self.schema):
            raise Refused("bad_body")


class BodyCheck(Struct, frozen=True):
    """What a body must be, where that is asked too often to read a JSON Schema each time."""

    fits: Callable[[bytes], bool]

    def check(self, call: ApiRequest) -> None:
        """Raises `Refused` for another body."""
        if not self.fits(call.body):
            raise Refused("bad_body")


def checks_of(
    method: Mapping[str, Any], validators: Mapping[str, Mapping[str, Any]], models: Mapping[str, Mapping[str, Any]]
) -> Checks | None:
    """What the validator of a method checks; None where it has none."""
    validator = validators.get(method.get("requestValidatorId") or "")
    if validator is None:
        return None
    asked = method.get("requestParameters") or {}
    required = [place for name, needed in asked.items() if needed for place in places(name)]
    model = models.get((method.get("requestModels") or {}).get("application/json", ""))
    return Checks(
        required=required if validator.get("validateRequestParameters") else (),
        schema=_schema(model, models) if model and validator.get("validateRequestBody") else None,
    )


def _schema(model: Mapping[str, Any], models: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """The schema of a model, with those of all others, which it may name."""
    others = {name: json.loads(one.get("schema") or "{}") for name, one in models.items()}
    text = json.dumps({**others[model["name"]], "definitions": others}).replace("#/components/schemas/", _MODELS)
    schema: Mapping[str, Any] = json.loads(text)
    return schema


def _fits(body: bytes, schema: Mapping[str, Any]) -> bool:
    try:
        content = msgspec.json.decode(body)
    except NOT_JSON:
        return False
    # Loaded when a validator is met for the first time: few APIs have one, and it would be a tenth of the start.
    from jsonschema import Draft4Validator

    validator: Any = Draft4Validator(schema)
    return bool(validator.is_valid(content))
