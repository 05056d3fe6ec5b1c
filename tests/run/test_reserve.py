"""What is kept back for the end of a run."""

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.run.reserve import FILES, Reserve


@contextmanager
def few_descriptors(more: int) -> Iterator[None]:
    """So many more can be had than are open."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.open(os.devnull, os.O_RDONLY)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free + more, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_reserve_that_cannot_be_had_takes_nothing(tmp_path: Path) -> None:
    """What there is stays for whoever tells of it."""
    with few_descriptors(FILES // 2):
        with pytest.raises(OSError, match="Too many open files") as refused:
            Reserve().hold()
        (tmp_path / "told").touch()
    assert refused.value.errno == errno.EMFILE
