"""Fixtures for every part of the local cloud."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.rehearsal.shapes import assert_error_fits_model, assert_fits_model


@pytest.fixture
def fits_model() -> Callable[[Any, str, Mapping[str, Any]], None]:
    """`fits_model(client, "GetDeployment", answer)` fails where the answer is not what botocore's model allows."""
    return assert_fits_model


@pytest.fixture
def error_fits_model() -> Callable[[Any, str, ClientError], None]:
    """`error_fits_model(client, "GetDeployment", error)` fails where the model does not list the error for it."""
    return assert_error_fits_model
