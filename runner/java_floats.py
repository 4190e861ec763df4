r"""Text of numbers as the reference interpreter prints them: Java's Float.toString.

The shortest digits that read back as the same float, the nearest of those; at least one
digit on either side of the point; an exponent below 1e-3 and from 1e7 on. Java before 19
printed more digits than needed for some floats above 1e7; nobody depends on those.

Done on whole arrays, since a result file holds a million numbers: a float32 needs 6 to 9
digits, and one multiplication in double says whether n digits suffice. The few values so
near to a tie that double precision cannot tell are left to numpy's exact algorithm.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: Bytes of a cell: the longest text, "-1.23456789E-38", and what separates it from the next.
CELL = 16

DIGITS = 9
POWERS = np.array([float(f"1e{power}") for power in range(-60, 61)])
ZERO, POINT, MINUS, EXPONENT = (ord(sign) for sign in "0.-E")

#: Distance from a tie, in units of half the last place, that double precision tells apart.
MARGIN = 1e-5


def text_of(table: NDArray[np.float64], separator: bytes = b"\t", end: bytes = b"\n") -> bytes:
    r"""Return `table` as text, `separator` after every value and `end` after every row.

    >>> text_of(np.array([[0.0, -0.07], [5e-6, 1e7]]))
    b'0.0\t-0.07\t\n5.0E-6\t1.0E7\t\n'
    """
    rows, columns = table.shape
    lines = np.zeros((rows, columns * CELL + 1), dtype=np.uint8)
    filled = _cells(table.reshape(-1))
    filled[:, -1] = ord(separator)
    lines[:, :-1] = filled.reshape(rows, columns * CELL)
    lines[:, -1] = ord(end)
    kept: NDArray[np.uint8] = lines[lines != 0]
    return kept.tobytes()


def java_floats(values: ArrayLike) -> list[str]:
    """Return Float.toString of `values`, cast to float as the reference does.

    >>> java_floats([1e-4, 0.001, 1e7, -0.0, np.nan, -np.inf, 1e-45])
    ['1.0E-4', '0.001', '1.0E7', '-0.0', 'NaN', '-Infinity', '1.4E-45']
    """
    column = np.asarray(values, dtype=np.float64).reshape(-1, 1)
    return text_of(column, b" ", b" ").decode().split()


def _cells(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return one row of `CELL` bytes per value, zero where there is no character."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        floats = values.astype(np.float32)
    cells = np.zeros((len(floats), CELL), dtype=np.uint8)
    digits, exponents, unsure = _shortest(floats)
    _lay_out(cells, digits, exponents)
    cells[np.signbit(floats), 0] = MINUS
    for row in np.flatnonzero(unsure).tolist():
        text = _exact(floats[row]).encode()
        cells[row] = 0
        cells[row, : len(text)] = np.frombuffer(text, dtype=np.uint8)
    return cells


def _shortest(
    floats: NDArray[np.float32],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Return the shortest digits as nine-digit integers, the exponents, and what is unsure.

    A value is (digits / 10^8) * 10^exponent.
    """
    bits = floats.view(np.uint32)
    # Powers of two have a nearer neighbour below than above; denormals have few bits.
    special = ((bits & 0x7FFFFF) == 0) | ((bits & 0x7F800000) == 0)
    special |= (bits & 0x7FFFFFFF) >= 0x7F7FFFFF  # the greatest, infinity, NaN
    zero = (bits & 0x7FFFFFFF) == 0
    size = np.abs(np.where(special, np.float32(1.5), floats)).astype(np.float64)
    exponents = np.floor(np.log10(size)).astype(np.int64)
    exponents -= size < POWERS[60 + exponents]
    exponents += size >= POWERS[61 + exponents]
    half = np.spacing(size.astype(np.float32)).astype(np.float64) / 2
    digits = np.zeros(len(floats), dtype=np.int64)
    unsure = special & ~zero
    left = np.flatnonzero(~special)
    # Six digits are always told apart, so trailing zeros of the six are no digits at all.
    for count in (6, 7, 8, 9):
        value, shift = size[left], count - 1 - exponents[left]
        scaled = value * POWERS[60 + shift]
        nearest = np.rint(scaled)
        away = np.abs(nearest * POWERS[60 - shift] - value) / half[left]
        tied = np.abs(np.abs(scaled - nearest) - 0.5) < MARGIN
        doubtful = (np.abs(away - 1) < MARGIN) | (tied & (away < 1))
        unsure[left[doubtful]] = True
        done = (away < 1) & ~doubtful
        digits[left[done]] = nearest[done].astype(np.int64) * 10 ** (DIGITS - count)
        left = left[~done & ~doubtful]
    unsure[left] = True
    carried = digits >= 10**DIGITS
    digits[carried] //= 10
    exponents[carried] += 1
    digits[zero] = 0
    exponents[special] = 0
    return digits, exponents, unsure


def _lay_out(
    cells: NDArray[np.uint8], digits: NDArray[np.int64], exponents: NDArray[np.int64]
) -> None:
    """Write digits, point and exponent into `cells`, from the second byte on."""
    signs = np.empty((len(digits), DIGITS), dtype=np.uint8)
    rest = digits.astype(np.int32)
    behind = np.zeros(len(digits), dtype=bool)
    for place in range(DIGITS - 1, -1, -1):
        rest, digit = np.divmod(rest, 10)
        behind |= digit != 0
        # A zero that only zeros follow is no digit; where the form needs one, it is put back.
        signs[:, place] = np.where(behind, digit + ZERO, 0)
    plain = (exponents >= -3) & (exponents < 7)
    for exponent in np.unique(exponents[plain]).tolist():
        rows = np.flatnonzero(exponents == exponent)
        some = signs[rows]
        if exponent < 0:
            some = np.insert(some, [0] * -exponent, ZERO, axis=1)
        whole = max(exponent, 0) + 1
        _put_back_zeros(some, whole + 1)
        cells[rows, 1 : 1 + whole] = some[:, :whole]
        cells[rows, 1 + whole] = POINT
        cells[rows, 2 + whole : 2 + some.shape[1]] = some[:, whole:]
    rows = np.flatnonzero(~plain)
    if len(rows):
        some = signs[rows]
        _put_back_zeros(some, 2)
        power = exponents[rows]
        size = np.abs(power)
        cells[rows, 1] = some[:, 0]
        cells[rows, 2] = POINT
        cells[rows, 3:11] = some[:, 1:]
        cells[rows, 11] = EXPONENT
        cells[rows, 12] = np.where(power < 0, MINUS, 0)
        cells[rows, 13] = np.where(size >= 10, size // 10 + ZERO, 0)
        cells[rows, 14] = size % 10 + ZERO


def _put_back_zeros(signs: NDArray[np.uint8], count: int) -> None:
    first = signs[:, :count]
    first[first == 0] = ZERO


def _exact(value: np.float32) -> str:
    """Return Float.toString of one value."""
    if not np.isfinite(value):
        return "NaN" if np.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    text = np.format_float_scientific(value, unique=True, trim="0", exp_digits=1)
    mantissa, _, power = text.partition("e")
    exponent = int(power)
    if len(mantissa.lstrip("-")) == 3 and mantissa.endswith("0"):
        # One digit may identify a denormal, but Java gives the nearest two.
        mantissa, _, power = f"{float(value):.1e}".partition("e")
        exponent = int(power)
    if -3 <= exponent < 7:
        return np.format_float_positional(value, unique=True, trim="0")
    return f"{mantissa}E{exponent}"
