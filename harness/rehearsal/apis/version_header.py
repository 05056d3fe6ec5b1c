"""Which answers of the gateway name the version that was invoked."""

from typing import Literal

VersionHeader = Literal["all", "answers", "none"]
"""All of them; only answers that the function itself gave, as on AWS, where the gateway makes the 502; or none, as on
AWS where the function names none."""
