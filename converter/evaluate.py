"""Values of expressions, over numpy arrays: initial values, folding, and the check of passes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .expressions import Binary, Call, Choose, Expression, Name, Negative, Number

Value = Any  # a float or an array of float64; numpy's operators accept either


class UnknownName(Exception):
    """An expression names something that has no value."""


def _factorial(x: float) -> float:
    return math.gamma(math.floor(x) + 1.0)


FUNCTION_VALUES: Mapping[str, Callable[..., Value]] = {
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": np.tanh,
    "exp": np.exp,
    "expm1": np.expm1,
    "sqrt": np.sqrt,
    "ceil": np.ceil,
    "log": np.log,
    "abs": np.abs,
    "H": lambda x: np.heaviside(x, 0.5),
    "factorial": np.vectorize(_factorial, otypes=[float]),
    "finite": lambda x: np.isfinite(x).astype(float),
    "min": np.minimum,
    "max": np.maximum,
}


def exprelr(x: Value) -> Value:
    """Return x / (exp(x) - 1), 1 at 0: the removable singularity of rate equations."""
    x = np.asarray(x, dtype=float)
    small = np.abs(x) < 1e-300
    return np.where(small, 1.0, x / np.where(small, 1.0, np.expm1(x)))


def phi(z: Value) -> Value:
    """Return (exp(z) - 1) / z, 1 at 0."""
    z = np.asarray(z, dtype=float)
    small = np.abs(z) < 1e-300
    return np.where(small, 1.0, np.expm1(z) / np.where(small, 1.0, z))


def power(base: Value, exponent: Value) -> Value:
    """Return base ** exponent as C's pow does (NaN for a fraction of a negative base)."""
    return np.power(np.asarray(base, dtype=float), exponent)


OPERATORS: Mapping[str, Callable[[Value, Value], Value]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "^": power,
    ">": np.greater,
    "<": np.less,
    ">=": np.greater_equal,
    "<=": np.less_equal,
    "==": np.equal,
    "!=": np.not_equal,
    "and": np.logical_and,
    "or": np.logical_or,
}


def evaluate(
    tree: Expression,
    values: Mapping[str, Value],
    random: Callable[[], Value] | None = None,
) -> Value:
    """Return the value of `tree` where `values` gives the names'.

    `random` supplies uniform draws in [0, 1). Division by zero and overflow give infinities
    and NaN, as in generated code. Raises `UnknownName`.
    """
    with np.errstate(all="ignore"):
        return evaluate_quietly(tree, values, random)


def evaluate_quietly(
    tree: Expression,
    values: Mapping[str, Value],
    random: Callable[[], Value] | None = None,
) -> Value:
    """Return what `evaluate` does; the caller has told numpy to ignore what is not finite."""
    match tree:
        case Name(name):
            try:
                return values[name]
            except KeyError:
                raise UnknownName(name) from None
        case Number(value):
            return value
        case Binary(operator, left, right):
            return OPERATORS[operator](
                evaluate_quietly(left, values, random), evaluate_quietly(right, values, random)
            )
        case Negative(operand):
            return np.negative(evaluate_quietly(operand, values, random))
        case Choose(condition, then, otherwise):
            chosen = evaluate_quietly(condition, values, random)
            if np.ndim(chosen) == 0:
                return evaluate_quietly(then if chosen else otherwise, values, random)
            return np.where(
                chosen,
                evaluate_quietly(then, values, random),
                evaluate_quietly(otherwise, values, random),
            )
        case Call("random", (argument,)):
            if random is None:
                raise UnknownName("random")
            return evaluate_quietly(argument, values, random) * random()
        case Call("exprelr", (argument,)):
            return exprelr(evaluate_quietly(argument, values, random))
        case Call("phi", (argument,)):
            return phi(evaluate_quietly(argument, values, random))
        case Call(function, arguments):
            return FUNCTION_VALUES[function](
                *(evaluate_quietly(argument, values, random) for argument in arguments)
            )
