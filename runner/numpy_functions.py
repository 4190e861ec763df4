"""What generated Python calls: C's arithmetic at its edges, and lists of instances.

Python's floats are C's doubles until a division by zero, an overflow or an argument outside
a function's domain, where Python raises; the functions here give what C gives. Their
twins are in `codegen/include/lemsmith_runtime.h`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from heapq import heappop, heappush
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]
Index: TypeAlias = NDArray[np.int64]

#: Every instance of a population.
ALL = slice(None)
Chosen: TypeAlias = Index | slice

#: What Python raises where C gives infinity or NaN.
EDGES = (ArithmeticError, ValueError)

#: Below this a term of the matrix exponential adds nothing (lemsmith_flow.h).
FLOW_TERM = 1e-18
FLOW_TERMS = 30
FLOW_NORM = 0.25
FLOW_SQUARINGS = 1000


class TooDeepError(Exception):
    """Events without delay go round in a circle."""


class TooManyError(Exception):
    """Events multiply without end; the argument is the number of the delivery that did."""


# --- numbers of one instance -------------------------------------------------------------


def quotient(a: float, b: float) -> float:
    """Return a / b, infinite or NaN where b is zero.

    >>> quotient(1.0, -0.0), quotient(0.0, 0.0)
    (-inf, nan)
    """
    if b != 0.0:
        return a / b
    if a == 0.0 or math.isnan(a):
        return math.nan
    return math.copysign(math.inf, a) * math.copysign(1.0, b)


def exp(x: float) -> float:
    """Return e^x, infinite where it overflows."""
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


def expm1(x: float) -> float:
    """Return e^x - 1, infinite where it overflows."""
    try:
        return math.expm1(x)
    except OverflowError:
        return math.inf


def sinh(x: float) -> float:
    """Return the hyperbolic sine, infinite where it overflows."""
    try:
        return math.sinh(x)
    except OverflowError:
        return math.copysign(math.inf, x)


def cosh(x: float) -> float:
    """Return the hyperbolic cosine, infinite where it overflows."""
    try:
        return math.cosh(x)
    except OverflowError:
        return math.inf


def log(x: float) -> float:
    """Return the natural logarithm, minus infinity at zero, NaN below."""
    if x > 0.0:
        return math.log(x)
    return -math.inf if x == 0.0 else math.nan


def sqrt(x: float) -> float:
    """Return the square root, NaN below zero."""
    return math.nan if x < 0.0 else math.sqrt(x)


def sin(x: float) -> float:
    """Return the sine, NaN at infinity."""
    return math.nan if math.isinf(x) else math.sin(x)


def cos(x: float) -> float:
    """Return the cosine, NaN at infinity."""
    return math.nan if math.isinf(x) else math.cos(x)


def tan(x: float) -> float:
    """Return the tangent, NaN at infinity."""
    return math.nan if math.isinf(x) else math.tan(x)


def ceil(x: float) -> float:
    """Return the next whole number, with the sign of `x`; infinity and NaN stay."""
    return math.copysign(float(math.ceil(x)), x) if math.isfinite(x) else x


def power(base: float, exponent: float) -> float:
    """Return base ** exponent as C's pow does.

    >>> power(0.0, -1.0), power(-8.0, 1 / 3), power(-10.0, 309.0)
    (inf, nan, -inf)
    """
    try:
        return math.pow(base, exponent)
    except OverflowError:
        return -math.inf if base < 0.0 and math.fmod(exponent, 2.0) != 0.0 else math.inf
    except ValueError:
        if base != 0.0:
            return math.nan
        odd = math.fmod(exponent, 2.0) in (1.0, -1.0)
        return math.copysign(math.inf, base) if odd else math.inf


def square(x: float) -> float:
    """Return x * x, infinite where it overflows."""
    return x * x


def heaviside(x: float) -> float:
    """Return 0 below zero, 1 above and one half elsewhere, as the reference interpreter."""
    return 1.0 if x > 0.0 else (0.0 if x < 0.0 else 0.5)


def factorial(x: float) -> float:
    """Return the factorial of the whole part."""
    product, k = 1.0, 2.0
    while k <= x and product < math.inf:
        product *= k
        k += 1.0
    return product


def exprelr(x: float) -> float:
    """Return x / (exp(x) - 1), 1 at zero."""
    return 1.0 if abs(x) < 1e-30 else min(x, 800.0) / expm1(x)


def least(a: float, b: float) -> float:
    """Return the smaller; the other where one is NaN."""
    return b if a != a or b < a else a  # noqa: PLR0124 - only NaN differs from itself


def largest(a: float, b: float) -> float:
    """Return the larger; the other where one is NaN."""
    return b if a != a or b > a else a  # noqa: PLR0124


def flow(rates: list[float], step: float, occupancies: list[float]) -> list[float]:
    """Return the occupancies (n,) advanced by exp(rates * step); rates (n * n), by rows.

    Operation by operation as `ls_flow`.
    """
    n = len(occupancies)
    places = range(n)
    a = [rate * step for rate in rates]
    norm = 0.0
    for value in a:
        norm = largest(norm, abs(value))
    norm *= n
    squarings = 0
    while norm > FLOW_NORM and squarings < FLOW_SQUARINGS:
        norm *= 0.5
        squarings += 1
    scale = math.ldexp(1.0, -squarings)
    matrix = [[a[i * n + j] * scale for j in places] for i in places]
    total = [[float(i == j) for j in places] for i in places]
    term = [list(row) for row in total]
    for k in range(1, FLOW_TERMS):
        term = [[value / k for value in row] for row in _product(term, matrix)]
        total = [
            [s + t for s, t in zip(*rows, strict=True)] for rows in zip(total, term, strict=True)
        ]
        if not max((largest(0.0, abs(v)) for row in term for v in row), default=0.0) > FLOW_TERM:
            break
    for _ in range(squarings):
        total = _product(total, total)
    moved = [_dot(row, occupancies) for row in total]
    before = after = 0.0
    for value in occupancies:
        before += value
    for value in moved:
        after += value
    return [value * before / after for value in moved] if after > 0.0 else moved


def _product(a: list[list[float]], b: list[list[float]]) -> list[list[float]]:
    columns = list(zip(*b, strict=True))
    return [[_dot(row, column) for column in columns] for row in a]


def _dot(a: Sequence[float], b: Sequence[float]) -> float:
    total = 0.0
    for x, y in zip(a, b, strict=True):
        total += x * y
    return total


# --- arrays of many instances --------------------------------------------------------------


def all_heaviside(x: Array) -> Array:
    """Return `heaviside` of every element."""
    return np.where(x > 0.0, 1.0, np.where(x < 0.0, 0.0, 0.5))


def all_factorial(x: Array) -> Array:
    """Return `factorial` of every element."""
    return np.array([factorial(value) for value in x.tolist()])


def all_exprelr(x: Array) -> Array:
    """Return `exprelr` of every element."""
    small = np.abs(x) < 1e-30
    return np.where(small, 1.0, np.minimum(x, 800.0) / np.where(small, 1.0, np.expm1(x)))


def all_flow(rates: Array, step: float, occupancies: Array) -> Array:
    """Return `flow` of every instance: rates (m, n, n), occupancies (m, n)."""
    m, n = occupancies.shape
    a = rates * step
    norm = np.fmax.reduce(np.abs(a), axis=(1, 2), initial=0.0) * n
    squarings = np.zeros(m, dtype=np.int64)
    large = (norm > FLOW_NORM) & (squarings < FLOW_SQUARINGS)
    while large.any():
        norm[large] *= 0.5
        squarings[large] += 1
        large = (norm > FLOW_NORM) & (squarings < FLOW_SQUARINGS)
    a *= np.ldexp(1.0, -squarings)[:, None, None]
    total = np.broadcast_to(np.eye(n), (m, n, n)).copy()
    term = total.copy()
    left = np.arange(m)
    for k in range(1, FLOW_TERMS):
        term = _products(term, a[left]) / k
        total[left] += term
        more = np.fmax.reduce(np.abs(term), axis=(1, 2), initial=0.0) > FLOW_TERM
        term, left = term[more], left[more]
        if not left.size:
            break
    for q in range(int(squarings.max(initial=0))):
        left = np.flatnonzero(squarings > q)
        total[left] = _products(total[left], total[left])
    moved: Array = _products(total, occupancies[:, :, None])[:, :, 0]
    before, after = np.zeros(m), np.zeros(m)
    for state in range(n):
        before += occupancies[:, state]
        after += moved[:, state]
    kept = after > 0.0
    moved[kept] = moved[kept] * before[kept, None] / after[kept, None]
    return moved


def _products(a: Array, b: Array) -> Array:
    """Return the matrix products of two stacks, terms added in the order of `flow`."""
    total = np.zeros((a.shape[0], a.shape[1], b.shape[2]))
    for k in range(a.shape[2]):
        total += a[:, :, k, None] * b[:, None, k, :]
    return total


# --- lists of instances --------------------------------------------------------------------


def chosen(instances: Chosen, mask: NDArray[np.bool_]) -> Chosen | None:
    """Return those of `instances` where `mask` holds, None if there are none."""
    hits = mask.nonzero()[0]
    if hits.size == mask.size:
        return instances if hits.size else None
    if not hits.size:
        return None
    return hits if isinstance(instances, slice) else instances[hits]


def each(instances: Chosen, size: int) -> Sequence[int]:
    """Return the numbers of the instances, of which the population has `size`."""
    if isinstance(instances, slice):
        return range(size)
    numbers: list[int] = instances.tolist()
    return numbers


def rounds(targets: Index) -> Iterator[Index]:
    """Yield `targets` in as few arrays without repetition as keep every target's order."""
    while targets.size:
        _, first = np.unique(targets, return_index=True)
        if first.size == targets.size:
            yield targets
            return
        first.sort()
        yield targets[first]
        targets = np.delete(targets, first)


def runs(delays: Array) -> Iterator[tuple[int, int, float]]:
    """Yield (start, stop, delay) of the runs of equal neighbours."""
    bounds = [0, *(np.flatnonzero(np.diff(delays)) + 1).tolist(), delays.size]
    for start, stop in pairwise(bounds):
        if stop > start:
            yield start, stop, float(delays[start])


class Attached:
    """The instances that hang below each instance of an owner, in order."""

    def __init__(
        self,
        starts: Index,
        which: NDArray[np.int32] | None,
        entries: Index,
        sizes: Sequence[int],
    ) -> None:
        self.starts = starts
        self.entries = entries
        self.which = np.zeros(entries.size, np.int32) if which is None else which
        self.parts = len(sizes)
        self.owner = np.repeat(np.arange(starts.size - 1), np.diff(starts))
        self.places = [np.flatnonzero(self.which == part) for part in range(self.parts)]
        self.whole = [
            _whole(entries[places], size) for places, size in zip(self.places, sizes, strict=True)
        ]

    def below(self, part: int, owners: Chosen) -> Chosen | None:
        """Return the instances of population `part` below `owners`, in order of advance."""
        if isinstance(owners, slice):
            return self.whole[part]
        at: Index = self.positions(owners)
        if self.parts > 1:
            at = at[self.which[at] == part]
        below: Index = self.entries[at]
        return below if at.size else None

    def positions(self, owners: Index) -> Index:
        """Return the places in `entries` of what hangs below `owners`."""
        counts = self.starts[owners + 1] - self.starts[owners]
        before = np.repeat(np.cumsum(counts) - counts, counts)
        at: Index = np.arange(counts.sum()) - before + np.repeat(self.starts[owners], counts)
        return at

    def collected(self, owners: Chosen, terms: Sequence[Array], reduce: str) -> Array:
        """Return the sum or product of terms below each owner, added in order of attachment."""
        if isinstance(owners, slice):
            values = np.empty(self.entries.size)
            for places, term in zip(self.places, terms, strict=True):
                values[places] = term[self.entries[places]]
            owner, count = self.owner, self.starts.size - 1
        else:
            at = self.positions(owners)
            values = np.empty(at.size)
            for part, term in enumerate(terms):
                places = np.flatnonzero(self.which[at] == part)
                values[places] = term[self.entries[at[places]]]
            owner = np.repeat(np.arange(owners.size), self.starts[owners + 1] - self.starts[owners])
            count = owners.size
        if reduce == "add":
            # One after the other, as a loop in C adds them.
            total: Array = np.bincount(owner, weights=values, minlength=count).astype(float)
            return total
        product = np.ones(count)
        np.multiply.at(product, owner, values)
        return product


def _whole(entries: Index, size: int) -> Chosen | None:
    if not entries.size:
        return None
    if entries.size == size and np.array_equal(entries, np.arange(size)):
        return ALL
    return entries


def functions() -> dict[str, object]:
    """Return what generated text may name, by name."""
    found: tuple[Callable[..., object] | type, ...] = (
        quotient,
        exp,
        expm1,
        sinh,
        cosh,
        log,
        sqrt,
        sin,
        cos,
        tan,
        ceil,
        power,
        heaviside,
        square,
        factorial,
        exprelr,
        least,
        largest,
        flow,
        all_heaviside,
        all_factorial,
        all_exprelr,
        all_flow,
        chosen,
        each,
        rounds,
        runs,
        heappush,
        heappop,
        TooDeepError,
        TooManyError,
    )
    return {f.__name__: f for f in found} | {
        "math": math,
        "np": np,
        "inf": math.inf,
        "nan": math.nan,
        "EDGES": EDGES,
        "ALL": ALL,
    }
