"""Give removable singularities their limit: x / (exp(x) - 1) and its kin.

Rates of the form x / (1 - exp(-x)) are 0/0 at 0. Written as `exprelr` they are smooth,
accurate near 0 and need no case of their own; a case that the author wrote for x = 0 goes
where it says the same.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from ..evaluate import UnknownName, evaluate
from ..expressions import (
    ONE,
    Binary,
    Call,
    Choose,
    Expression,
    Name,
    Negative,
    Number,
    calls,
    names,
    rewrite,
    substitute,
)
from ..network import Assign, Network, Population
from ..simplify import simplify


def guard_singularities(network: Network) -> Network:
    """Return `network` with removable singularities in derived variables guarded."""
    return replace(network, populations=tuple(map(_guarded, network.populations)))


def _guarded(population: Population) -> Population:
    # An exponential may have a name of its own (the GHK current's expKv).
    exponentials = {
        a.variable: a.value
        for a in population.assignments
        if isinstance(a, Assign) and isinstance(a.value, Call) and a.value.function == "exp"
    }
    assignments = tuple(
        Assign(a.variable, guard(a.value, exponentials)) if isinstance(a, Assign) else a
        for a in population.assignments
    )
    derivatives = tuple(
        replace(d, value=guard(d.value, exponentials)) for d in population.derivatives
    )
    return replace(population, assignments=assignments, derivatives=derivatives)


def guard(tree: Expression, exponentials: Mapping[str, Expression] | None = None) -> Expression:
    """Return `tree` with x / (exp(x) - 1) in all its spellings as exprelr(x).

    `exponentials` are names that stand for exp(...).

    >>> from ..expressions import parse, show
    >>> show(guard(parse("r * x / (1 - exp(0 - x))")))
    'r * exprelr(-x)'
    >>> show(guard(parse("p * v * (c / (1 - e))"), {"e": parse("exp(-(2 * v))")}))
    '(0.5 * (p * c)) * exprelr(-(2 * v))'
    """
    known = exponentials or {}
    guarded = rewrite(simplify(tree), lambda node: _guard_node(node, known))
    return rewrite(guarded, _case)


def _guard_node(node: Expression, exponentials: Mapping[str, Expression]) -> Expression:
    if not isinstance(node, Binary):
        return node
    if node.operator == "/":
        bottom = node.right
        if names(bottom) & exponentials.keys():
            bottom = simplify(substitute(bottom, exponentials))
        guarded = _quotient(Binary("/", node.left, bottom))
        return guarded if calls(guarded, "exprelr") else node
    if node.operator == "*":
        # a * v * (b / (1 - exp(-v))): the factor that vanishes stands outside.
        for factor, rest in _factors(node):
            if isinstance(factor, Binary) and factor.operator == "/":
                whole = Binary("/", simplify(Binary("*", rest, factor.left)), factor.right)
                guarded = _guard_node(whole, exponentials)
                if guarded != whole:
                    return guarded
    return node


def _quotient(node: Expression) -> Expression:
    """Turn a quotient whose bottom is exp(y) - 1 and whose top has the factor y."""
    if not (isinstance(node, Binary) and node.operator == "/"):
        return node
    found = _denominator(node.right)
    if found is None:
        return node
    exponent, sign = found  # bottom = sign * (exp(exponent) - 1)
    for factor, rest in _factors(node.left):
        scale = _ratio(factor, exponent)
        if scale is None:
            continue
        value: Expression = Call("exprelr", (exponent,))
        outer = simplify(Binary("*", Number(sign * scale), rest))
        return simplify(Binary("*", outer, value)) if outer != ONE else value
    return node


def _denominator(tree: Expression) -> tuple[Expression, float] | None:
    match tree:
        case Binary("-", Call("exp", (y,)), Number(1.0)):
            return y, 1.0
        case Binary("-", Number(1.0), Call("exp", (y,))):
            return y, -1.0
        case Binary("+", Call("exp", (y,)), Number(-1.0)):
            return y, 1.0
        case Negative(inner):
            found = _denominator(inner)
            return None if found is None else (found[0], -found[1])
        case _:
            return None


def _factors(tree: Expression) -> list[tuple[Expression, Expression]]:
    """Return (factor, rest) for every way to take one factor out of a product."""
    found: list[tuple[Expression, Expression]] = [(tree, ONE)]
    match tree:
        case Binary("*", left, right):
            found += [(f, simplify(Binary("*", rest, right))) for f, rest in _factors(left)]
            found += [(f, simplify(Binary("*", left, rest))) for f, rest in _factors(right)]
        case Negative(operand):
            found += [(f, simplify(Negative(rest))) for f, rest in _factors(operand)]
        case Binary("/", left, right) if not names(right):
            found += [(f, simplify(Binary("/", rest, right))) for f, rest in _factors(left)]
    return found


def _ratio(factor: Expression, exponent: Expression) -> float | None:
    """Return the constant c with factor = c * exponent, None where there is none.

    Both are compared at a few points; a linear relation that holds at all of them to
    rounding, on expressions of the same names, is taken as an identity.
    """
    symbols = sorted(names(exponent))
    if not symbols or set(symbols) != names(factor):
        return None
    ratios: list[float] = []
    for point in range(6):
        values = {
            s: 0.3717 + 0.6181 * ((point + 1) * (k + 1) % 7) - 1.9 * (point % 2)
            for k, s in enumerate(symbols)
        }
        try:
            top = float(evaluate(factor, values))
            bottom = float(evaluate(exponent, values))
        except (UnknownName, KeyError):
            return None
        if bottom == 0 or math.isnan(top) or math.isnan(bottom):
            return None
        ratios.append(top / bottom)
    first = ratios[0]
    if first == 0 or any(abs(r - first) > 1e-12 * abs(first) for r in ratios):
        return None
    return round(first, 15) if abs(first - round(first)) < 1e-13 else first


def _case(node: Expression) -> Expression:
    """Drop an author's own case for the singular point where exprelr covers it."""
    match node:
        case Choose(Binary("!=", Name() as x, Number(0.0)), then, otherwise):
            regular, special = then, otherwise
        case Choose(Binary("==", Name() as x, Number(0.0)), then, otherwise):
            regular, special = otherwise, then
        case _:
            return node
    if not _has_exprelr(regular):
        return node
    while isinstance(special, Choose):
        # `x == 0` in a second case: the rest can never be reached.
        if special.condition != Binary("==", x, Number(0.0)):
            return node
        special = special.then
    limit = simplify(substitute(regular, {x.name: Number(0.0)}))
    return regular if limit == simplify(substitute(special, {x.name: Number(0.0)})) else node


def _has_exprelr(tree: Expression) -> bool:
    return calls(tree, "exprelr")
