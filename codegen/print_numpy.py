"""Expressions as Python text: plain floats for one instance, numpy arrays for many.

Nothing else writes Python. Names come from the caller's own tables, numbers are written so
that they read back exactly. The functions that the text calls are those of
`runner/numpy_functions.py`.

Python raises where C gives infinities and NaN. The text for one instance is therefore
written twice: `QUICK` calls Python's operators and its `math` module, which agree with C as
long as nothing is raised; `CAREFUL` calls our own functions, which agree everywhere and are
slower. `risky` tells which expressions can raise at all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..converter.expressions import (
    Binary,
    Call,
    Choose,
    Expression,
    Name,
    Negative,
    Number,
    walk,
)
from ..errors import InternalError

#: Functions of one instance's numbers, where nothing is divided by zero or overflows.
QUICK: Mapping[str, str] = {
    "sin": "math.sin",
    "cos": "math.cos",
    "tan": "math.tan",
    "sinh": "math.sinh",
    "cosh": "math.cosh",
    "tanh": "math.tanh",
    "exp": "math.exp",
    "expm1": "math.expm1",
    "sqrt": "math.sqrt",
    "ceil": "ceil",
    "log": "math.log",
    "abs": "math.fabs",
    "H": "heaviside",
    "factorial": "factorial",
    "exprelr": "exprelr",
    "phi": "all_phi",
    "finite": "all_finite",
    "min": "least",
    "max": "largest",
    "pow": "math.pow",
}

#: The same with C's results at every edge.
CAREFUL: Mapping[str, str] = {
    **QUICK,
    "sin": "sin",
    "cos": "cos",
    "tan": "tan",
    "sinh": "sinh",
    "cosh": "cosh",
    "exp": "exp",
    "expm1": "expm1",
    "sqrt": "sqrt",
    "log": "log",
    "pow": "power",
}

#: Functions of arrays.
ARRAY: Mapping[str, str] = {
    "sin": "np.sin",
    "cos": "np.cos",
    "tan": "np.tan",
    "sinh": "np.sinh",
    "cosh": "np.cosh",
    "tanh": "np.tanh",
    "exp": "np.exp",
    "expm1": "np.expm1",
    "sqrt": "np.sqrt",
    "ceil": "np.ceil",
    "log": "np.log",
    "abs": "np.abs",
    "H": "all_heaviside",
    "factorial": "all_factorial",
    "exprelr": "all_exprelr",
    "phi": "all_phi",
    "finite": "all_finite",
    "min": "np.fmin",
    "max": "np.fmax",
    "pow": "np.power",
}

#: Functions that Python never refuses.
SAFE = frozenset(("abs", "H", "factorial", "tanh", "ceil", "exprelr", "min", "max", "draw"))


def number(value: float) -> str:
    """Return Python text that reads back as `value`.

    >>> number(0.1), number(-2), number(float("-inf"))
    ('0.1', '(-2.0)', '(-inf)')
    """
    if math.isnan(value):
        return "nan"
    text = repr(float(value))
    return f"({text})" if text.startswith("-") else text


def risky(tree: Expression) -> bool:
    """Tell whether Python can refuse to evaluate `tree` where C gives infinity or NaN."""
    return any(_refusable(node) for node in walk(tree))


def _refusable(node: Expression) -> bool:
    match node:
        case Binary("/", _, Number(value)):
            return value == 0.0
        case Binary("^", _, Number(2.0)):
            return False
        case Binary("/" | "^", _, _):
            return True
        case Call(function, _):
            return function not in SAFE
        case _:
            return False


@dataclass(frozen=True, slots=True)
class NumberPrinter:
    """Prints expressions over the numbers of one instance; `load` says how a name is read."""

    load: Callable[[str], str]
    careful: bool = False

    def __call__(self, tree: Expression) -> str:
        """Return `tree` as Python, fully parenthesised."""
        functions = CAREFUL if self.careful else QUICK
        match tree:
            case Number(value):
                return number(value)
            case Name(name):
                return self.load(name)
            case Negative(operand):
                return f"(-{self(operand)})"
            case Binary("^", base, Number(2.0)):
                # C compilers square so, and Java does.
                inner = self(base)
                return f"({inner} * {inner})" if isinstance(base, Name) else f"square({inner})"
            case Binary("^", base, exponent):
                return f"{functions['pow']}({self(base)}, {self(exponent)})"
            case Binary("/", left, right) if self.careful and _refusable(tree):
                return f"quotient({self(left)}, {self(right)})"
            case Binary(operator, left, right):
                return f"({_left(operator, left, self)} {operator} {self(right)})"
            case Choose(condition, then, otherwise):
                return f"({self(then)} if {self(condition)} else {self(otherwise)})"
            case Call("draw", ()):
                return "draw()"
            case Call(function, arguments):
                return _call(functions, function, arguments, self)


@dataclass(frozen=True, slots=True)
class ArrayPrinter:
    """Prints expressions over the arrays of many instances.

    `load` says how a name is read, `is_array` whether it differs between instances: what does
    not is evaluated once, as a plain number.
    """

    load: Callable[[str], str]
    is_array: Callable[[str], bool]

    def varies(self, tree: Expression) -> bool:
        """Tell whether the value of `tree` is an array."""
        return any(isinstance(node, Name) and self.is_array(node.name) for node in walk(tree))

    def __call__(self, tree: Expression) -> str:
        """Return `tree` as Python, fully parenthesised."""
        if not self.varies(tree):
            return NumberPrinter(self.load, careful=True)(tree)
        match tree:
            case Name(name):
                return self.load(name)
            case Negative(operand):
                return f"(-{self(operand)})"
            case Binary("^", base, Number(2.0)):
                return f"np.square({self(base)})"
            case Binary("^", base, exponent):
                return f"{ARRAY['pow']}({self(base)}, {self(exponent)})"
            case Binary(operator, left, right):
                symbol = {"and": "&", "or": "|"}.get(operator, operator)
                return f"({_left(operator, left, self)} {symbol} {self(right)})"
            case Choose(condition, then, otherwise):
                return f"np.where({self(condition)}, {self(then)}, {self(otherwise)})"
            case Call(function, arguments):
                return _call(ARRAY, function, arguments, self)
            case _:
                raise InternalError(f"{tree!r} cannot be an array")


#: Operators that a chain may mix: left to right without parentheses.
CHAINS = (frozenset("+-"), frozenset("*/"), frozenset(("and",)), frozenset(("or",)))


def _left(operator: str, left: Expression, printed: Callable[[Expression], str]) -> str:
    """Return a left operand; long sums must not nest parentheses, of which Python takes 200."""
    text = printed(left)
    chained = isinstance(left, Binary) and any(
        operator in chain and left.operator in chain for chain in CHAINS
    )
    return text[1:-1] if chained and text.startswith("(") else text


def _call(
    functions: Mapping[str, str],
    function: str,
    arguments: tuple[Expression, ...],
    printed: Callable[[Expression], str],
) -> str:
    if function not in functions:
        raise InternalError(f"no Python function for {function!r}")
    return f"{functions[function]}({', '.join(map(printed, arguments))})"
