"""Small exact simplifications of expressions: constants folded, neutral elements gone.

Only identities that hold for all finite values are used; 0 * x becomes 0 although x might
be infinite, since a state that is infinite stops a run anyway.
"""

from __future__ import annotations

import math

from .evaluate import FUNCTION_VALUES, exprelr, phi, power
from .expressions import (
    ONE,
    ZERO,
    Binary,
    Call,
    Choose,
    Expression,
    Negative,
    Number,
    rewrite,
)

TRUE = Binary("==", ZERO, ZERO)
FALSE = Binary("!=", ZERO, ZERO)


def simplify(tree: Expression) -> Expression:
    """Return `tree` with constants folded and neutral elements removed.

    >>> from .expressions import parse, show
    >>> show(simplify(parse("v / (10 * 0.1) + 0 * x")))
    'v'
    """
    return rewrite(tree, simplify_node)


def simplify_node(node: Expression) -> Expression:
    """Return one node simplified; its parts are simple already."""
    match node:
        case Negative(Number(value)):
            return Number(-value)
        case Negative(Negative(inner)):
            return inner
        case Negative(Binary("-", left, right)):
            return simplify_node(Binary("-", right, left))
        case Binary(operator, Number(a), Number(b)):
            return _folded(operator, a, b)
        case Binary("+", left, right):
            return _sum(left, right)
        case Binary("-", left, right):
            return _difference(left, right)
        case Binary("*", left, right):
            return _product(left, right)
        case Binary("/", left, right):
            return _quotient(left, right)
        case Binary("^", base, Number(1.0)):
            return base
        case Binary("^", _, Number(0.0)):
            return ONE
        case Binary("and", left, right):
            if FALSE in (left, right):
                return FALSE
            return right if left == TRUE else left if right == TRUE else node
        case Binary("or", left, right):
            if TRUE in (left, right):
                return TRUE
            return right if left == FALSE else left if right == FALSE else node
        case Choose(condition, then, otherwise):
            if condition == TRUE or then == otherwise:
                return then
            return otherwise if condition == FALSE else node
        case Call("exprelr", (Number(value),)):
            return Number(float(exprelr(value)))
        case Call("phi", (Number(value),)):
            return Number(float(phi(value)))
        case Call(function, (Number(value),)) if function in FUNCTION_VALUES:
            found = float(FUNCTION_VALUES[function](value))
            return Number(found) if math.isfinite(found) else node
        case _:
            return node


def _folded(operator: str, a: float, b: float) -> Expression:
    comparisons = {
        ">": a > b,
        "<": a < b,
        ">=": a >= b,
        "<=": a <= b,
        "==": a == b,
        "!=": a != b,
    }
    if operator in comparisons:
        return TRUE if comparisons[operator] else FALSE
    try:
        match operator:
            case "+":
                found = a + b
            case "-":
                found = a - b
            case "*":
                found = a * b
            case "/":
                found = a / b
            case _:
                found = float(power(a, b))
    except (ZeroDivisionError, OverflowError):
        return Binary(operator, Number(a), Number(b))
    return Number(found) if math.isfinite(found) else Binary(operator, Number(a), Number(b))


def _sum(left: Expression, right: Expression) -> Expression:
    if left == ZERO:
        return right
    if right == ZERO:
        return left
    match left, right:
        case _, Negative(inner):
            return _difference(left, inner)
        case Negative(inner), _:
            return _difference(right, inner)
        case _:
            return Binary("+", left, right)


def _difference(left: Expression, right: Expression) -> Expression:
    if right == ZERO:
        return left
    if left == right:
        return ZERO
    if left == ZERO:
        return right.operand if isinstance(right, Negative) else Negative(right)
    if isinstance(right, Negative):
        return _sum(left, right.operand)
    return Binary("-", left, right)


def _product(left: Expression, right: Expression) -> Expression:
    if ZERO in (left, right):
        return ZERO
    if left == ONE:
        return right
    if right == ONE:
        return left
    match left, right:
        case Number(-1.0), _:
            return simplify_node(Negative(right))
        case _, Number(-1.0):
            return simplify_node(Negative(left))
        case Negative(a), Negative(b):
            return _product(a, b)
        case Number(a), Binary("*", Number(b), inner):
            return _product(Number(a * b), inner)
        case Binary("*", Number(b), inner), Number(a):
            return _product(Number(a * b), inner)
        case _:
            return Binary("*", left, right)


def _quotient(left: Expression, right: Expression) -> Expression:
    if left == ZERO:
        return ZERO
    if right == ONE:
        return left
    if right == Number(-1.0):
        return simplify_node(Negative(left))
    if isinstance(left, Negative) and isinstance(right, Negative):
        return _quotient(left.operand, right.operand)
    match right:
        case Binary("/", top, bottom):
            return _quotient(_product(left, bottom), top)
        case Negative(Binary("/", top, bottom)):
            return simplify_node(Negative(_quotient(_product(left, bottom), top)))
        case _:
            return Binary("/", left, right)
