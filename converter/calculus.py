"""Derivatives of expressions, exactly."""

from __future__ import annotations

from collections.abc import Mapping

from .expressions import (
    ONE,
    ZERO,
    Binary,
    Call,
    Choose,
    Expression,
    Name,
    Negative,
    Number,
    names,
)
from .simplify import simplify, simplify_node


class NoDerivative(Exception):
    """An expression has no derivative that could be written down."""


def derivative(
    tree: Expression, name: str, inner: Mapping[str, Expression] | None = None
) -> Expression:
    """Return d tree / d name, simplified.

    `inner` gives the derivatives of other names that depend on `name` (the chain rule
    through assignments). Raises `NoDerivative` for functions without one.

    >>> from .expressions import parse, show
    >>> show(derivative(parse("g * (e - v)"), "v"))
    '-g'
    """
    known = dict(inner or {})
    known[name] = ONE
    moving = {n for n, slope in known.items() if slope != ZERO}
    return simplify(_slope(tree, known, frozenset(moving)))


def _slope(tree: Expression, known: Mapping[str, Expression], moving: frozenset[str]) -> Expression:
    if not names(tree) & moving:
        return ZERO

    def of(part: Expression) -> Expression:
        return _slope(part, known, moving)

    match tree:
        case Name(name):
            return known.get(name, ZERO)
        case Negative(operand):
            return simplify_node(Negative(of(operand)))
        case Binary("+" | "-", left, right):
            return simplify_node(Binary(tree.operator, of(left), of(right)))
        case Binary("*", left, right):
            return _sum(_times(of(left), right), _times(left, of(right)))
        case Binary("/", left, right):
            slope = _over(of(left), right)
            if not names(right) & moving:
                return slope
            bottom = _over(_times(tree, of(right)), right)
            return simplify_node(Binary("-", slope, bottom))
        case Binary("^", base, exponent):
            return _power_slope(base, exponent, known, moving)
        case Choose(condition, then, otherwise):
            return simplify_node(Choose(condition, of(then), of(otherwise)))
        case Call(function, (argument,)):
            return _times(_outer(function, argument), of(argument))
        case _:
            raise NoDerivative(str(tree))


def _power_slope(
    base: Expression,
    exponent: Expression,
    known: Mapping[str, Expression],
    moving: frozenset[str],
) -> Expression:
    if not names(exponent) & moving:
        less = simplify_node(Binary("-", exponent, ONE))
        outer = _times(exponent, simplify_node(Binary("^", base, less)))
        return _times(outer, _slope(base, known, moving))
    whole = Binary("^", base, exponent)
    by_exponent = _times(_slope(exponent, known, moving), Call("log", (base,)))
    by_base = _times(exponent, _over(_slope(base, known, moving), base))
    return _times(whole, _sum(by_exponent, by_base))


def _outer(function: str, x: Expression) -> Expression:
    """Return the derivative of a function at x."""
    whole = Call(function, (x,))
    match function:
        case "exp":
            return whole
        case "expm1":
            return Call("exp", (x,))
        case "log":
            return _over(ONE, x)
        case "sqrt":
            return _over(Number(0.5), whole)
        case "sin":
            return Call("cos", (x,))
        case "cos":
            return Negative(Call("sin", (x,)))
        case "tan":
            return _sum(ONE, Binary("^", whole, Number(2.0)))
        case "sinh":
            return Call("cosh", (x,))
        case "cosh":
            return Call("sinh", (x,))
        case "tanh":
            return Binary("-", ONE, Binary("^", whole, Number(2.0)))
        case "abs":
            return Choose(Binary("<", x, ZERO), Number(-1.0), ONE)
        case "exprelr":
            # y = x / (e^x - 1): y' = (1 - y (1 + y / x ... )) written without division by x:
            # y' = y (1 - e^x y) / x, and -1/2 at 0.
            slope = _over(_times(whole, Binary("-", ONE, _times(Call("exp", (x,)), whole))), x)
            small = Binary("<", Call("abs", (x,)), Number(1e-5))
            return Choose(small, Binary("-", _over(x, Number(6.0)), Number(0.5)), slope)
        case "ceil" | "H" | "factorial":
            return ZERO
        case _:
            raise NoDerivative(function)


def _sum(a: Expression, b: Expression) -> Expression:
    return simplify_node(Binary("+", a, b))


def _times(a: Expression, b: Expression) -> Expression:
    return simplify_node(Binary("*", a, b))


def _over(a: Expression, b: Expression) -> Expression:
    return simplify_node(Binary("/", a, b))
