"""How the tables and the report write names and numbers."""

import math

from timbretree.methods import METHODS

NOTHING = "–"
"""Stands where there is no number."""


def short(method: str) -> str:
    """The name of a method for figures and narrow columns."""
    return METHODS[method].short


def percent(share: float | None) -> str:
    """A share in percent, one decimal: 91.7."""
    return NOTHING if share is None else _unsigned(100 * share)


def points(share: float | None) -> float | None:
    """A share in percent as a number for csv files, four decimals."""
    return None if share is None else round(100 * share, 4)


def signed(share: float | None) -> str:
    """A difference in percentage points: +0.3, −0.1, 0.0."""
    if share is None:
        return NOTHING
    text = _unsigned(100 * share)
    return text.replace("-", "−") if share <= 0 or text == "0.0" else f"+{text}"


def chance(p: float | None) -> str:
    """A p value: 0.012, <0.001."""
    if p is None:
        return NOTHING
    return "<0.001" if p < 0.0005 else f"{p:.3f}"


def loss(value: float) -> str:
    """A loss, four decimals."""
    return f"{value:.4f}" if math.isfinite(value) else "diverged"


def weight(value: float) -> str:
    """A lambda: 0.85, 1."""
    return f"{value:g}" if value != round(value, 2) or value in (0, 1) else f"{value:.2f}"


def _unsigned(value: float) -> str:
    return f"{round(value, 1) + 0.0:.1f}"  # + 0.0 makes a negative zero a plain one
