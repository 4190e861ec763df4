"""Forward Euler: every state from the same values, without the reference's lags."""

from __future__ import annotations

from ...converter.expressions import Binary, Name
from ...converter.network import Population
from .updates import DT, Groups, Slopes, Update


def euler(population: Population, slopes: Slopes) -> Groups:  # noqa: ARG001 - methods are called alike
    """Return x + dt f(x, t) for every state."""
    updates = tuple(
        Update(d.state, Binary("+", Name(d.state), Binary("*", DT, d.value)), d.guard)
        for d in population.derivatives
    )
    return (updates,) if updates else ()
