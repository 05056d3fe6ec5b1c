"""Certificates for the client's tests."""

from pathlib import Path

import pytest

from tests.traffic.client.tls_server import certify


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an own authority `ca.pem` and certificates of localhost by it (`good.pem`) and of another name."""
    folder = tmp_path_factory.mktemp("authority")
    certify(folder)
    return folder
