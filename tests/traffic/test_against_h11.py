"""Our reading of HTTP held against h11's, which shares no line with it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.traffic.answers import CASES, CHUNKED, FIVE, OK, Case, h11s, ours

VALID = [
    FIVE,
    CHUNKED + b"5\r\nhello\r\n0\r\nX: 1\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n" + FIVE,
    OK + b"\r\nto the end",
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("size", [1 << 20, 1], ids=["at once", "byte by byte"])
def test_a_hostile_answer_is_read_as_h11_reads_it(case: Case, size: int) -> None:
    """The same status and body or a refusal by both; where not, the table says why."""
    read, theirs = ours(case.stream, size), h11s(case.stream)
    agree = bool(read.refused) == bool(theirs.refused) and read[:2] == theirs[:2]
    assert agree == (not case.differs), (read, theirs)
    assert not (case.differs == "ours is stricter" and not read.refused)


@given(
    valid=st.sampled_from(VALID),
    at=st.integers(0, 200),
    insert=st.binary(max_size=3),
    drop=st.integers(0, 3),
    size=st.sampled_from([1, 3, 1 << 20]),
)
def test_no_damage_to_an_answer_makes_another_answer_of_it(
    valid: bytes, at: int, insert: bytes, drop: int, size: int
) -> None:
    """Damaged anywhere, it is refused with a reason or read as h11 reads it; nothing else ever happens."""
    stream = valid[:at] + insert + valid[at + drop :]
    read, theirs = ours(stream, size), h11s(stream)
    if not read.refused and not theirs.refused:
        assert read[:2] == theirs[:2]
