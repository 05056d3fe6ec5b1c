"""Numbers as people write them."""

LEAST_SHOWN = 0.001


def figures(value: float, digits: int = 3) -> str:
    """A number of so many figures, without an exponent: 17,000, 2.37, 0.125; one that is hardly any as under 0.001."""
    if 0 < abs(value) < LEAST_SHOWN:
        return f"under {LEAST_SHOWN:g}"
    rounded = float(f"{value:.{digits}g}")
    return f"{rounded:,.0f}" if abs(rounded) >= 10 ** (digits - 1) else f"{rounded:g}"


def of_100(share: float) -> str:
    """A share as a number of 100, which is never 0 or 100 unless it is that exactly."""
    shown = f"{share * 100:.1f}" if 0.1 <= share * 100 <= 99.9 else f"{share * 100:.3g}"
    if share <= 0 or share >= 1 - 1e-12:
        return f"{share * 100:.0f}"
    if share < 0.001:
        return "under 0.1"
    return "over 99.9" if share > 0.999 else shown
