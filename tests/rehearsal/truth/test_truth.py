"""Every captured fact, played: what AWS was seen to do, this cloud does."""

import pytest

from tests.rehearsal.truth.playing import play
from tests.rehearsal.truth.rows import Row, rows, services
from tests.rehearsal.truth.worlds import LocalWorld

ALL = [pytest.param(row, id=f"{service}-{row.name}") for service in services() for row in rows(service)]


@pytest.mark.parametrize("row", ALL)
def test_the_cloud_does_what_was_captured(row: Row) -> None:
    """The row holds, or says why it does not; one that says so and holds has to stop saying so."""
    with LocalWorld() as world:
        outcome = play(row, world)
    assert outcome.held is not None, outcome.why
    if row.not_held:
        assert not outcome.held, f"it holds now: take not_held out of the row {row.name}"
    else:
        assert outcome.held, outcome.why


@pytest.mark.parametrize("row", [param for param in ALL if not param.values[0].not_held])
def test_the_cloud_does_the_same_in_cbor(row: Row) -> None:
    """An SDK that speaks Smithy's rpc-v2-cbor, where the service does, meets the same facts."""
    with LocalWorld(protocol="smithy-rpc-v2-cbor") as world:
        outcome = play(row, world)
    assert outcome.held, outcome.why


def test_rows_are_enough_and_named_once() -> None:
    """There are at least sixty rows, and no name is there twice."""
    names = [row.name for service in services() for row in rows(service)]
    assert len(names) >= 60
    assert len(set(names)) == len(names)
