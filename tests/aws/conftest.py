"""Fixtures of the room that speaks to AWS."""

import pytest

from harness.aws.parsing import Stamp
from tests.aws.scripted_aws import EPOCH_S, Stage


@pytest.fixture
def stage() -> Stage:
    """A scripted AWS with nothing in it."""
    return Stage()


@pytest.fixture
def stamp() -> Stamp:
    """A look that was asked at 10 s and answered at 10.5 s of the run."""
    return Stamp("service:Operation", 10.0, 10.5, EPOCH_S)
