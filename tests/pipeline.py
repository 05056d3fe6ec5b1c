"""Somebody's pipeline, which deploys while the harness watches."""

from collections.abc import Mapping
from typing import Any

from harness.aws.clients import Aws
from harness.aws.deployer import create_deployment
from harness.aws.journal import Journal


def deploy(ready: Mapping[str, Any], version: str | None = None) -> None:
    """Deploys a version, the canary by default, to the group in the names of a cloud; boto3 must be led there."""
    create_deployment(
        Aws(),
        **{name: ready[name] for name in ("application", "group", "function", "alias")},
        target_version=version or ready["canary"],
        experiment="by somebody else",
        journal=Journal(lambda _: None, lambda: 0.0),
    )
