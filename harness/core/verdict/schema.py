"""The JSON Schema of verdict.json."""

from typing import Any

import msgspec

from harness.core.experiment.parse import DIALECT
from harness.core.verdict.types import Verdict


def verdict_schema() -> dict[str, Any]:
    """What the package ships beside this module."""
    return {"$schema": DIALECT, "title": "canary-harness verdict", **msgspec.json.schema(Verdict)}
