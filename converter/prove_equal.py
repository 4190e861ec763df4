"""What the canonical form leaves open, put to sympy; trees are built node by node."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sympy

from .canonical import draws_apart, rational
from .expressions import (
    Binary,
    Call,
    Choose,
    Expression,
    Name,
    Negative,
    Number,
    operations,
)

#: Operations of both sides up to which sympy is asked at all, and to try hard.
ASKED = 300
TRIED = 80

#: Exponents beyond which a power stays closed: sympy would multiply it out.
EXPONENT = 32

FUNCTIONS: dict[str, Any] = {
    "sin": sympy.sin, "cos": sympy.cos, "tan": sympy.tan,
    "sinh": sympy.sinh, "cosh": sympy.cosh, "tanh": sympy.tanh,
    "exp": sympy.exp, "log": sympy.log, "sqrt": sympy.sqrt, "abs": sympy.Abs,
}  # fmt: skip

OPERATORS: dict[str, Any] = {
    "+": lambda a, b: a + b, "-": lambda a, b: a - b,
    "*": lambda a, b: a * b, "/": lambda a, b: a / b,
}  # fmt: skip


class _Closed(Exception):
    """A node that stands for no number."""


def proves_equal(a: Expression, b: Expression) -> bool:
    """Tell whether sympy shows that two number-valued expressions are equal.

    >>> from .expressions import parse
    >>> proves_equal(parse("tanh(x/2)"), parse("(exp(x) - 1) / (exp(x) + 1)"))
    True
    """
    effort = operations(a) + operations(b)
    if effort > ASKED:
        return False
    try:
        difference = _tree(draws_apart(a)) - _tree(draws_apart(b))
        return any(form == 0 for form in _forms(difference, hard=effort <= TRIED))
    except (_Closed, ArithmeticError, NotImplementedError, RecursionError, TypeError, ValueError):
        return False


def _forms(difference: Any, *, hard: bool) -> Iterator[Any]:
    """Yield the difference in ever simpler forms."""
    yield difference
    yield sympy.expand(difference)
    top, _ = sympy.fraction(sympy.together(difference))
    yield sympy.expand(top)
    exponentials = difference.rewrite(sympy.exp)
    top, _ = sympy.fraction(sympy.together(sympy.expand(exponentials)))
    yield sympy.powsimp(sympy.expand(top))
    if hard:
        yield sympy.simplify(difference)


def _tree(tree: Expression) -> Any:
    match tree:
        case Number(value):
            exact = rational(value)
            if exact is None:
                raise _Closed
            return sympy.Rational(exact.numerator, exact.denominator)
        case Name(name):
            return sympy.Symbol(name, real=True)
        case Negative(operand):
            return -_tree(operand)
        case Binary("^", base, exponent):
            power = _tree(exponent)
            if power.is_number and not (power.is_Rational and abs(power) <= EXPONENT):
                return sympy.Function("power")(_tree(base), power)
            return sympy.Pow(_tree(base), power)
        case Binary(operator, left, right) if operator in OPERATORS:
            return OPERATORS[operator](_tree(left), _tree(right))
        case Call("H", (argument,)):
            return sympy.Heaviside(_tree(argument), sympy.Rational(1, 2))
        case Call(function, arguments):
            # An unknown function is one whose value depends on its arguments alone.
            known = FUNCTIONS.get(function) or sympy.Function(f"function {function}")
            return known(*map(_tree, arguments))
        case Choose() | Binary():
            raise _Closed
