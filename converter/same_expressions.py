"""Whether two expressions are equal: shown, refuted, or left open."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from functools import lru_cache
from typing import Any

import mpmath
import numpy as np

from .canonical import canonical, draws_apart
from .expressions import (
    COMPARISONS,
    Binary,
    Call,
    Choose,
    Expression,
    Name,
    Negative,
    Number,
    is_truth,
    names,
    walk,
)

#: Random points at which two expressions must agree, and decimal digits of their values.
POINTS = 36
DIGITS = 50

#: Places at which conditions change that are looked for, and how closely: 2 to this power.
BORDERS = 24
HALVINGS = 100

#: Values beyond this are left out, as are the exponents that lead there.
LARGEST = 1e200
EXPONENT = 400


class Verdict(Enum):
    """What is known of two expressions."""

    SAME = "same"
    DIFFERENT = "different"
    OPEN = "not shown to be equal"


class _Undefined(Exception):
    """An expression has no finite real value at a point."""


@lru_cache(maxsize=4096)
def verdict(a: Expression, b: Expression) -> Verdict:
    """Return whether `a` and `b` are equal wherever both have a value.

    >>> from .expressions import parse
    >>> verdict(parse("a * (b + c)"), parse("a*b + c*a")).name
    'SAME'
    >>> verdict(parse("m^3 * h"), parse("m^4 * h")).name
    'DIFFERENT'
    """
    if a == b or canonical(a) == canonical(b):
        return Verdict.SAME
    if (
        is_truth(a) != is_truth(b)
        or refuted(a, b)
        or (is_truth(a) and (_apart(a, b) or _apart(b, a)))
    ):
        return Verdict.DIFFERENT
    return Verdict.SAME if _shown(a, b) else Verdict.OPEN


def _shown(a: Expression, b: Expression) -> bool:
    """Tell whether `a` and `b`, which no point refutes, are equal part by part or as a whole."""
    match a, b:
        case Choose(), Choose():
            parts = ((a.condition, b.condition), (a.then, b.then), (a.otherwise, b.otherwise))
            return all(verdict(x, y) is Verdict.SAME for x, y in parts)
        case Binary(operator, left, right), Binary(other, _, _) if is_truth(a):
            if operator in COMPARISONS and operator == other:
                difference = Binary("-", left, right)
                return verdict(difference, Binary("-", b.left, b.right)) is Verdict.SAME
            return operator == other and all(
                verdict(x, y) is Verdict.SAME for x, y in ((left, b.left), (right, b.right))
            )
        case _:
            # sympy takes a while to import, and few models need it.
            from .prove_equal import proves_equal  # noqa: PLC0415 - see above

            return proves_equal(a, b)


def refuted(a: Expression, b: Expression) -> bool:
    """Tell whether `a` and `b` have different values at a point that was tried."""
    a, b = draws_apart(a), draws_apart(b)
    known = sorted(names(a) | names(b))
    literals = sorted({n.value for tree in (a, b) for n in walk(tree) if isinstance(n, Number)})
    random = np.random.default_rng(20)
    for point in range(POINTS):
        values = {name: _drawn(random, point, literals) for name in known}
        with mpmath.workdps(DIGITS):
            try:
                x, y = _value(a, values), _value(b, values)
            except (_Undefined, ArithmeticError, ValueError):
                continue
            scale = max(abs(x), abs(y))
            if abs(x - y) > scale * mpmath.mpf(10) ** (-DIGITS // 2):
                return True
    return False


def _apart(a: Expression, b: Expression) -> bool:
    """Tell whether, somewhere, the condition `a` changes and `b` does not.

    Of two points on either side of such a place one refutes that they are equal.
    """
    a, b = draws_apart(a), draws_apart(b)
    known = sorted(names(a) | names(b))
    random = np.random.default_rng(21)
    with mpmath.workdps(DIGITS):
        for point in range(BORDERS):
            ends = [{name: _drawn(random, point + side, []) for name in known} for side in (0, 1)]
            for name in known:
                ends[1][name] *= (-1) ** int(random.integers(2))
            try:
                if _value(a, ends[0]) == _value(a, ends[1]):
                    continue
                near = _border(a, ends)
                if _value(b, near[0]) == _value(b, near[1]):
                    return True
            except (_Undefined, ArithmeticError, ValueError):
                continue
    return False


def _border(a: Expression, ends: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """Return two points between `ends` as near to one another as `a` can tell them apart."""
    low, high = ends
    for _ in range(HALVINGS):
        middle = {name: (low[name] + high[name]) / 2 for name in low}
        if _value(a, middle) == _value(a, low):
            low = middle
        else:
            high = middle
    return low, high


def _drawn(random: np.random.Generator, point: int, literals: list[float]) -> Any:
    """Return a value of a name: small, of any size, or near a number of the expressions."""
    if point % 3 == 0:
        value = random.uniform(-3, 3)
    elif point % 3 == 1 or not literals:
        value = 10 ** random.uniform(-4, 3)
    else:
        value = literals[int(random.integers(len(literals)))] * random.normal(1, 0.3)
    return mpmath.mpf(float(value))


def _value(tree: Expression, values: Mapping[str, Any]) -> Any:
    found = _unchecked(tree, values)
    if not isinstance(found, mpmath.mpf | int) or not abs(found) < LARGEST:
        raise _Undefined
    return found


def _unchecked(tree: Expression, values: Mapping[str, Any]) -> Any:
    match tree:
        case Number(value):
            return mpmath.mpf(repr(value))
        case Name(name):
            return values[name]
        case Negative(operand):
            return -_value(operand, values)
        case Choose(condition, then, otherwise):
            return _value(then if _value(condition, values) else otherwise, values)
        case Binary(operator, left, right):
            a, b = _value(left, values), _value(right, values)
            if operator == "^" and (abs(b) > EXPONENT or (a < 0 and b != int(b))):
                raise _Undefined
            return OPERATORS[operator](a, b)
        case Call(function, (argument,)) if function in FUNCTIONS:
            inner = _value(argument, values)
            if function in GROWING and abs(inner) > EXPONENT:
                raise _Undefined
            return FUNCTIONS[function](inner)
        case _:
            raise _Undefined


GROWING = frozenset(("exp", "sinh", "cosh", "factorial"))

OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "^": lambda a, b: a**b,
    ">": lambda a, b: int(a > b),
    "<": lambda a, b: int(a < b),
    ">=": lambda a, b: int(a >= b),
    "<=": lambda a, b: int(a <= b),
    "==": lambda a, b: int(a == b),
    "!=": lambda a, b: int(a != b),
    "and": lambda a, b: int(bool(a) and bool(b)),
    "or": lambda a, b: int(bool(a) or bool(b)),
}

FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "sin": mpmath.sin,
    "cos": mpmath.cos,
    "tan": mpmath.tan,
    "sinh": mpmath.sinh,
    "cosh": mpmath.cosh,
    "tanh": mpmath.tanh,
    "exp": mpmath.exp,
    "log": mpmath.log,
    "sqrt": mpmath.sqrt,
    "abs": abs,
    "ceil": mpmath.ceil,
    "factorial": lambda x: mpmath.gamma(mpmath.floor(x) + 1),
    "H": lambda x: (mpmath.sign(x) + 1) / 2,
}
