"""Expressions and statements as C text; nothing else writes C.

Names come from the program's own tables, numbers are written so that they read back exactly.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Mapping

from ..converter.expressions import (
    Binary,
    Call,
    Choose,
    Expression,
    Name,
    Negative,
    Number,
)
from ..errors import InternalError

IDENTIFIER = re.compile(r"\A[A-Za-z_][A-Za-z0-9_]*\Z")

#: C spelling of functions in exact mode: the C library's, as the reference uses Java's.
LIBRARY = {
    "sin": "sin",
    "cos": "cos",
    "tan": "tan",
    "sinh": "sinh",
    "cosh": "cosh",
    "tanh": "tanh",
    "exp": "exp",
    "expm1": "expm1",
    "sqrt": "sqrt",
    "ceil": "ceil",
    "log": "log",
    "abs": "fabs",
    "H": "ls_heaviside",
    "factorial": "ls_factorial",
    "exprelr": "ls_exprelr",
    "phi": "ls_phi",
    "finite": "ls_finite",
    "min": "fmin",
    "max": "fmax",
    "pow": "pow",
}

#: The same in fast mode: our own, which vectorise.
VECTOR = {
    **LIBRARY,
    "exp": "ls_exp",
    "expm1": "ls_expm1",
    "log": "ls_log",
    "tanh": "ls_tanh",
    "sinh": "ls_sinh",
    "cosh": "ls_cosh",
    "pow": "ls_pow",
    "abs": "ls_abs",
    "min": "ls_least",
    "max": "ls_largest",
    "sqrt": "ls_sqrt",
    "ceil": "ls_ceil",
}


def identifier(text: str) -> str:
    """Return `text` as an identifier of C and Python; one that is stays as it is.

    Other text keeps its letters and gets a hash, so that no two of them become the same.

    >>> identifier("hhpop_v"), identifier("a b"), identifier("a/b")
    ('hhpop_v', 'a_b_c8687a08', 'a_b_c14cddc0')
    """
    if IDENTIFIER.match(text):
        return text
    name = re.sub(r"[^A-Za-z0-9_]", "_", text)
    mark = hashlib.sha256(text.encode()).hexdigest()[:8]
    return f"{name}_{mark}" if IDENTIFIER.match(name) else f"x{name}_{mark}"


def number(value: float, real: str = "double") -> str:
    """Return a C literal that reads back as `value`."""
    if math.isnan(value):
        return "NAN"
    if math.isinf(value):
        return "INFINITY" if value > 0 else "(-INFINITY)"
    text = repr(float(value))
    if real == "float":
        text += "f"
    return f"({text})" if value < 0 or text.startswith("-") else text


class Printer:
    """Prints expressions; `load` says how a name is read."""

    def __init__(
        self,
        load: Callable[[str], str],
        functions: Mapping[str, str] = LIBRARY,
        real: str = "double",
    ) -> None:
        self.load = load
        self.functions = functions
        self.real = real

    def __call__(self, tree: Expression) -> str:
        """Return `tree` as a C expression, fully parenthesised."""
        match tree:
            case Number(value):
                return number(value, self.real)
            case Name(name):
                return self.load(name)
            case Negative(operand):
                return f"(-{self(operand)})"
            case Binary("^", base, exponent):
                return self.power(base, exponent)
            case Binary(operator, left, right):
                symbol = {"and": "&&", "or": "||"}.get(operator, operator)
                return f"({self(left)} {symbol} {self(right)})"
            case Choose(condition, then, otherwise):
                return f"({self(condition)} ? {self(then)} : {self(otherwise)})"
            case Call("draw", ()):
                return self.load("draw()")
            case Call(function, arguments):
                if function not in self.functions:
                    raise InternalError(f"no C function for {function!r}")
                inner = ", ".join(self(argument) for argument in arguments)
                return f"{self.functions[function]}({inner})"

    def power(self, base: Expression, exponent: Expression) -> str:
        """Return the text of a power."""
        return f"{self.functions['pow']}({self(base)}, {self(exponent)})"
