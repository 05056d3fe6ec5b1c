"""A stage with a cloud on it, for commands that are stopped or killed in the middle."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.rehearsal.fixtures import aws_environment

if TYPE_CHECKING:
    from harness.rehearsal.cloud import Cloud
    from tests.plugin.staging import Stage


@pytest.fixture
def stage(
    canary_cloud_factory: Callable[..., "Cloud"],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> "Iterator[Stage]":
    """A stage with a cloud on it, which this process sees as well; nothing that is started there survives the test."""
    from tests.plugin.staging import EXPERIMENT, SPEED, Stage

    cloud = canary_cloud_factory(EXPERIMENT, speed=getattr(request, "param", SPEED))
    aws_environment(cloud, monkeypatch)
    staged = Stage(cloud, tmp_path)
    yield staged
    staged.close()
