"""Dimensions and units: quantities in SI, and the dimension of every expression.

SI value = (number + offset) * scale * 10^power (LEMS 0.7.6, Unit). The literal 0 fits any
dimension, as the component types of NeuroML use it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from .expressions import (
    COMPARISONS,
    LOGICAL,
    Binary,
    Call,
    Choose,
    Expression,
    Name,
    Negative,
    Number,
)

BASES = ("m", "l", "t", "i", "k", "n", "j")
SI_SYMBOLS = ("kg", "m", "s", "A", "K", "mol", "cd")


@dataclass(frozen=True, slots=True)
class Dimension:
    """Exponents of mass, length, time, current, temperature, amount and luminous intensity."""

    exponents: tuple[Fraction, ...] = (Fraction(0),) * 7

    def __mul__(self, other: Dimension) -> Dimension:
        pairs = zip(self.exponents, other.exponents, strict=True)
        return Dimension(tuple(a + b for a, b in pairs))

    def __truediv__(self, other: Dimension) -> Dimension:
        return self * other.power(Fraction(-1))

    def power(self, exponent: Fraction) -> Dimension:
        """Return the dimension of a quantity of this one raised to `exponent`."""
        return Dimension(tuple(a * exponent for a in self.exponents))

    def __str__(self) -> str:
        return SI_NAMES.get(self) or " ".join(
            symbol if exponent == 1 else f"{symbol}^{exponent}"
            for symbol, exponent in zip(SI_SYMBOLS, self.exponents, strict=True)
            if exponent
        )


def dimension(
    m: int = 0,
    l: int = 0,  # noqa: E741 - LEMS's own letter for length
    t: int = 0,
    i: int = 0,
    k: int = 0,
    n: int = 0,
    j: int = 0,
) -> Dimension:
    """Return the dimension with these exponents of the base dimensions."""
    return Dimension(tuple(map(Fraction, (m, l, t, i, k, n, j))))


NONE = dimension()
TIME = dimension(t=1)
VOLTAGE = dimension(m=1, l=2, t=-3, i=-1)

#: The SI symbols that people write for common dimensions.
SI_NAMES: dict[Dimension, str] = {
    NONE: "1",
    TIME: "s",
    dimension(t=-1): "Hz",
    VOLTAGE: "V",
    dimension(i=1): "A",
    dimension(m=-1, l=-2, t=3, i=2): "S",
    dimension(m=1, l=2, t=-3, i=-2): "ohm",
    dimension(m=-1, l=-2, t=4, i=2): "F",
    dimension(l=1): "m",
    dimension(l=2): "m2",
    dimension(l=3): "m3",
    dimension(l=-3, n=1): "mol/m3",
    dimension(l=-2, i=1): "A/m2",
    dimension(m=-1, l=-4, t=3, i=2): "S/m2",
    dimension(m=-1, l=-4, t=4, i=2): "F/m2",
    dimension(t=1, i=1): "C",
    dimension(k=1): "K",
    dimension(n=1): "mol",
    dimension(m=1): "kg",
    dimension(l=1, t=-1): "m/s",
}


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit: SI value = (number + offset) * scale * 10^power."""

    symbol: str
    dimension: Dimension
    power: int = 0
    scale: float = 1.0
    offset: float = 0.0

    def si(self, number: float) -> float:
        """Return `number` of this unit in SI."""
        # One rounding where it can be: a power of ten is exact up to 10^22, a division too.
        factor = 10.0 ** abs(self.power)
        scaled = (number + self.offset) * self.scale if self.offset or self.scale != 1 else number
        return scaled * factor if self.power >= 0 else scaled * (10.0**self.power)


class DimensionError(Exception):
    """Dimensions do not fit; the message names both."""


def split_quantity(text: str) -> tuple[float, str]:
    """Split "10 mV" or "10mV" into number and unit symbol ("" where there is none).

    The split is at the first space, else after the longest text that is a number, as the
    reference reads it. Raises `ValueError` where no number starts the text.
    """
    text = text.strip()
    if " " in text or "\t" in text or "\n" in text:
        head, tail = text.split(None, 1)
        try:
            return _plain_float(head), tail.strip()
        except ValueError:
            text = head + " " + tail
    for end in range(min(len(text), 64), 0, -1):
        try:
            return _plain_float(text[:end]), text[end:].strip()
        except ValueError:
            continue
    raise ValueError(f"{text[:40]!r} does not start with a number")


def _plain_float(text: str) -> float:
    # float() also takes "nan", "inf", "1_000" and other scripts' digits: none is a quantity.
    if not text or not all(char in "+-.eE0123456789" for char in text):
        raise ValueError(text)
    return float(text)


def infer(tree: Expression, known: Mapping[str, Dimension | None]) -> Dimension | None:
    """Return the dimension of `tree`; None where it fits any (a zero, an unknown).

    Raises `DimensionError` where parts do not fit; names absent from `known` count as
    fitting any dimension (they are reported as unknown elsewhere).
    """
    match tree:
        case Number(value):
            return None if value == 0 else NONE
        case Name(name):
            return known.get(name)
        case Negative(operand):
            return infer(operand, known)
        case Binary("*", left, right):
            a, b = infer(left, known), infer(right, known)
            return None if a is None or b is None else a * b
        case Binary("/", left, right):
            a, b = infer(left, known), infer(right, known)
            return None if a is None or b is None else a / b
        case Binary("^", base, exponent):
            return _infer_power(base, exponent, known)
        case Binary(operator, left, right) if operator in LOGICAL:
            infer(left, known)
            infer(right, known)
            return NONE
        case Binary(operator, left, right):
            a, b = infer(left, known), infer(right, known)
            if a is not None and b is not None and a != b:
                verb = "compares" if operator in COMPARISONS else "combines"
                raise DimensionError(f"{operator!r} {verb} {describe(a)} with {describe(b)}")
            return NONE if operator in COMPARISONS else a if a is not None else b
        case Choose(condition, then, otherwise):
            infer(condition, known)
            return infer(Binary("+", then, otherwise), known)
        case Call("sqrt", (argument,)):
            inner = infer(argument, known)
            return None if inner is None else inner.power(Fraction(1, 2))
        case Call("abs" | "random" | "ceil", (argument,)):
            return infer(argument, known)
        case Call("H", (argument,)):
            infer(argument, known)
            return NONE
        case Call(function, arguments):
            for argument in arguments:
                inner = infer(argument, known)
                if inner is not None and inner != NONE:
                    raise DimensionError(f"{function}() of {describe(inner)}")
            return NONE


def _infer_power(
    base: Expression, exponent: Expression, known: Mapping[str, Dimension | None]
) -> Dimension | None:
    of_exponent = infer(exponent, known)
    if of_exponent is not None and of_exponent != NONE:
        raise DimensionError(f"an exponent has {describe(of_exponent)}")
    of_base = infer(base, known)
    if of_base is None or of_base == NONE:
        return of_base
    constant = _constant(exponent)
    if constant is None:
        raise DimensionError(f"{describe(of_base)} is raised to a power that varies")
    return of_base.power(Fraction(constant).limit_denominator(1000))


def _constant(tree: Expression) -> float | None:
    match tree:
        case Number(value):
            return value
        case Negative(operand):
            value_of = _constant(operand)
            return None if value_of is None else -value_of
        case Binary("/", left, right):
            a, b = _constant(left), _constant(right)
            return None if a is None or not b else a / b
        case _:
            return None


def describe(dim: Dimension) -> str:
    """Return `dim` in words for a message."""
    return "no dimension" if dim == NONE else f"the dimension of {dim}"
