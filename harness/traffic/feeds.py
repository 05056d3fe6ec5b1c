"""The feed of an experiment as rows: read from its file, held against the requests that use it."""

import os
from pathlib import Path

from harness.core.experiment.feed import PATH, Feed, feed_of, feed_of_rows
from harness.core.experiment.sendable import about_feed, variables_of
from harness.core.experiment.types import Traffic
from harness.errors import ExperimentError, UsageError

LARGEST = 256 * 1024 * 1024
"""Bytes of a feed's file."""


def read_feed(traffic: Traffic) -> Feed | None:
    """The rows; None where no feed is given. Raises ExperimentError where it cannot be read or lacks a column."""
    if traffic.feed is None:
        return None
    feed = _from_file(Path(traffic.feed)) if isinstance(traffic.feed, str) else feed_of_rows(traffic.feed)
    for problem in about_feed(traffic, feed):
        raise problem
    return feed


def check_values(traffic: Traffic) -> None:
    """Raises UsageError where a placeholder has no value: no column, or a variable that is not set."""
    read_feed(traffic)
    for name in variables_of(traffic):
        if not os.environ.get(name):
            raise UsageError(f"traffic.requests: {{{{env.{name}}}}} has no value; set the environment variable {name}")


def _from_file(path: Path) -> Feed:
    try:
        if path.stat().st_size > LARGEST:
            raise ExperimentError(PATH, f"{path} is larger than {LARGEST:,} bytes; use a part of it")
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ExperimentError(PATH, f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error
    return feed_of(text, str(path))
