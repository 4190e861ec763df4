"""Exponential Euler: exact where a state's derivative is linear in it, others held.

For x' = f(x) the update x + dt f(x) phi(dt f'(x)), phi(z) = (exp(z) - 1) / z, is exact where f
is linear (Rush and Larsen 1978; the gates of Hodgkin and Huxley) and of second order for
one nonlinear equation (the exponential Rosenbrock-Euler method, Hochbruck and Ostermann 2010).
"""

from __future__ import annotations

from ...converter.expressions import ONE, ZERO, Binary, Call, Expression, Name, Number
from ...converter.network import Derivative, Population
from ...converter.simplify import simplify
from .updates import DT, Groups, Slopes, Update, closure, slope


def exponential_euler(population: Population, slopes: Slopes) -> Groups:
    """Return the exponential update of every conditionally linear state, Euler's of others."""
    updates = tuple(
        Update(d.state, exponential_step(population, d, slopes, DT, only_linear=True), d.guard)
        for d in population.derivatives
    )
    return (updates,) if updates else ()


def exponential_step(
    population: Population,
    rate: Derivative,
    slopes: Slopes,
    step: Expression,
    *,
    only_linear: bool = False,
) -> Expression:
    """Return the value of one state after `step`, by its own linearisation."""
    state = rate.state
    found = slope(population, rate.value, state, slopes)
    increment: Expression = Binary("*", step, rate.value)
    if found is None or found == ZERO:
        return Binary("+", Name(state), increment)
    if only_linear and state in closure(population, found):
        return Binary("+", Name(state), increment)
    return simplify(Binary("+", Name(state), Binary("*", increment, phi(step, found))))


def phi(step: Expression, rate: Expression) -> Expression:
    """Return (exp(z) - 1) / z for z = step rate."""
    return Binary("/", ONE, Call("exprelr", (simplify(Binary("*", step, rate)),)))


HALF = Number(0.5)
