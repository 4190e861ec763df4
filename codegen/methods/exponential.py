"""Exponential Euler: exact where a state's derivative is linear in it, others held.

For x' = f(x) the update x + dt f(x) phi(dt f'(x)), phi(z) = (exp(z) - 1) / z, is exact where f
is linear (Rush and Larsen 1978; the gates of Hodgkin and Huxley) and of second order for
one nonlinear equation (the exponential Rosenbrock-Euler method, Hochbruck and Ostermann 2010).
"""

from __future__ import annotations

from ...converter.expressions import (
    ONE,
    ZERO,
    Binary,
    Call,
    Expression,
    Name,
    Negative,
    Number,
)
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
    largest: float | None = None,
) -> Expression:
    """Return the value of one state after `step`, by its own linearisation.

    The exponent stays below `largest`, where that is given.
    """
    state = rate.state
    found = slope(population, rate.value, state, slopes)
    increment: Expression = Binary("*", step, rate.value)
    if found is None or found == ZERO:
        return Binary("+", Name(state), increment)
    if only_linear and state in closure(population, found):
        return Binary("+", Name(state), increment)
    exponent = simplify(Binary("*", step, found))
    if state in closure(population, found):
        # A nonlinear state that grows fifty-fold within one step is not resolved by
        # that step; its slope, taken where it stands, must not carry it off.
        exponent = Call("min", (exponent, Number(4.0)))
    if largest is not None:
        exponent = Call("min", (exponent, Number(largest)))
    distance = over_slope(population, rate.value, found)
    if distance is not None:
        # x' = a (x - x_inf): the step needs neither the time constant nor a quotient.
        grown = Binary("*", distance, Call("expm1", (exponent,)))
        return simplify(Binary("+", Name(state), grown))
    return simplify(Binary("+", Name(state), Binary("*", increment, Call("phi", (exponent,)))))


def over_slope(population: Population, value: Expression, found: Expression) -> Expression | None:
    """Return value / found where it can be written without a quotient, else None."""
    bottom, sign = _unsigned(found)
    match value:
        case Binary("/", top, tau) if bottom == simplify(Binary("/", ONE, tau)):
            return top if sign > 0 else simplify(Negative(top))
        case Binary("*", rate, rest) if rate == bottom:
            return rest if sign > 0 else simplify(Negative(rest))
        case Binary("*", rest, rate) if rate == bottom:
            return rest if sign > 0 else simplify(Negative(rest))
        case Negative(inner):
            below = over_slope(population, inner, found)
            return None if below is None else simplify(Negative(below))
        case _:
            return None


def _unsigned(tree: Expression) -> tuple[Expression, float]:
    match tree:
        case Negative(inner):
            return inner, -1.0
        case Number(number) if number < 0:
            return Number(-number), -1.0
        case Binary("*", Number(number), rest) if number < 0:
            return simplify(Binary("*", Number(-number), rest)), -1.0
        case Binary("/", Number(number), rest) if number < 0:
            return simplify(Binary("/", Number(-number), rest)), -1.0
        case _:
            return tree, 1.0
