"""What all tests share: the local cloud as fixtures."""

pytest_plugins = ["harness.rehearsal.fixtures"]
