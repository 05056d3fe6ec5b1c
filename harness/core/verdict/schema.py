"""The JSON Schema of verdict.json."""

from typing import Any

import msgspec

from harness.core.experiment.parse import DIALECT, with_plain_texts
from harness.core.verdict.types import Verdict


def verdict_schema() -> dict[str, Any]:
    """What the package ships beside this module."""
    return with_plain_texts({"$schema": DIALECT, "title": "canary-harness verdict", **msgspec.json.schema(Verdict)})
