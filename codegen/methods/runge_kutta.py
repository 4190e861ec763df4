"""Explicit Runge-Kutta methods as tableaus, applied to the whole network stage by stage."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tableau:
    """A Butcher tableau: stage times, rows of the matrix, weights."""

    offsets: tuple[float, ...]
    rows: tuple[tuple[float, ...], ...]
    weights: tuple[float, ...]
    order: int


TABLEAUS = {
    # The midpoint method (Runge 1895).
    "rk2": Tableau((0.0, 0.5), ((), (0.5,)), (0.0, 1.0), 2),
    # The classical method (Kutta 1901).
    "rk4": Tableau(
        (0.0, 0.5, 0.5, 1.0),
        ((), (0.5,), (0.0, 0.5), (0.0, 0.0, 1.0)),
        (1 / 6, 1 / 3, 1 / 3, 1 / 6),
        4,
    ),
}
