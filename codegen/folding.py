"""Kernels of a fixed step: what follows from the step's length is a number.

Factors that are numbers are gathered into one, so that a loop multiplies once where the
equations say it several times. Last bits change by that: the methods that copy another
simulator's arithmetic do not come here.
"""

from __future__ import annotations

from ..converter.expressions import Binary, Expression, Negative, Number, names, rewrite, substitute
from ..converter.network import Assign
from ..converter.simplify import simplify
from .program import BodyStatement, Flag


def with_step(statements: tuple[BodyStatement, ...], step: float) -> tuple[BodyStatement, ...]:
    """Return statements with dt replaced by its value and what follows from it folded."""

    def folded(tree: Expression) -> Expression:
        if "dt" in names(tree):
            tree = simplify(substitute(tree, {"dt": Number(step)}))
        return rewrite(tree, gathered)

    found: list[BodyStatement] = []
    for statement in statements:
        match statement:
            case Assign(variable, value):
                found.append(Assign(variable, folded(value)))
            case Flag(port, condition, ago):
                found.append(Flag(port, folded(condition), ago))
            case _:
                found.append(statement)
    return tuple(found)


def gathered(node: Expression) -> Expression:
    """Return a product with its numbers gathered in front; its parts are gathered already.

    >>> from ..converter.expressions import parse, show
    >>> show(rewrite(parse("2 * (x * 3) / 4 * y"), gathered))
    '1.5 * (x * y)'
    """
    if not isinstance(node, (Binary, Negative)):
        return node
    factor, rest = _factored(node)
    if factor == 1.0 or not rest or not 1e-300 < abs(factor) < 1e300:
        return node
    product = rest[0]
    for part in rest[1:]:
        product = Binary("*", product, part)
    return Negative(product) if factor == -1.0 else Binary("*", Number(factor), product)


def _factored(node: Expression) -> tuple[float, list[Expression]]:
    """Return a number and the factors that are none, of a tree that is a product."""
    match node:
        case Number(value):
            return value, []
        case Negative(inner):
            factor, rest = _factored(inner)
            return -factor, rest
        case Binary("*", left, right):
            one, some = _factored(left)
            other, more = _factored(right)
            return one * other, [*some, *more]
        case Binary("/", top, Number(value)) if value != 0:
            factor, rest = _factored(top)
            return factor / value, rest
        case _:
            return 1.0, [node]
