"""Numbers as people write them."""

import pytest

from harness.core.numbers import figures, of_100


@pytest.mark.parametrize(
    ("value", "told"),
    [(17_321.0, "17,300"), (2.374, "2.37"), (0.12, "0.12"), (118.6, "119"), (1e-9, "under 0.001"), (0.0, "0")],
)
def test_a_number_has_no_exponent(value: float, told: str) -> None:
    """Nor more figures than are known."""
    assert figures(value) == told


def test_hardly_any_is_not_none() -> None:
    """Nor is nearly always always."""
    assert [of_100(share) for share in (0.0, 1e-9, 0.25, 0.9999, 1.0)] == ["0", "under 0.1", "25.0", "over 99.9", "100"]
