"""Why two traces differ: a unit, a sign, a shift by whole samples, interpolation.

A cause is named only where taking it away removes most of the difference.
"""

from __future__ import annotations

import numpy as np

from .detection import Floats

#: Shifts looked for, in samples.
MAX_SHIFT = 5

#: A shift or a factor explains a difference that it reduces to this part.
EXPLAINED = 0.1


def factor_of(left: Floats, right: Floats) -> float:
    """Return the power of ten, or the sign, that makes `right` come near `left`; else 1."""
    finite = np.isfinite(left) & np.isfinite(right)
    left, right = left[finite], right[finite]
    size = float(right @ right)
    if not size:
        return 1.0
    ratio = float(left @ right) / size
    if not ratio:
        return 1.0
    factor = float(np.copysign(10.0 ** round(np.log10(abs(ratio))), ratio))
    if factor == 1.0:
        return 1.0
    rest = left / factor - right
    return factor if float(rest @ rest) <= EXPLAINED * size else 1.0


def shift_of(left: Floats, right: Floats) -> int:
    """Return by how many samples `left` lags `right`, where that explains the difference."""
    best, reached = 0, EXPLAINED * _rms(left - right)
    for lag in sorted(range(-MAX_SHIFT, MAX_SHIFT + 1), key=abs)[1:]:
        size = left.size - abs(lag)
        if size < 2 * MAX_SHIFT:
            break
        moved = left[max(lag, 0) :][:size] - right[max(-lag, 0) :][:size]
        if _rms(moved) <= reached:
            best, reached = lag, EXPLAINED * _rms(moved)
    return best


def name_shift(shift: int, step: float) -> str:
    """Return in words that A lags B by `shift` samples of `step` s.

    >>> name_shift(1, 1e-5)
    'A lags B by 1 sample (1e-05 s)'
    """
    word = "lags" if shift > 0 else "leads"
    samples = "sample" if abs(shift) == 1 else "samples"
    return f"A {word} B by {abs(shift)} {samples} ({abs(shift) * step:.4g} s)"


#: What a unit has in front of it where its figures are so many times larger.
_PREFIXES = {1e3: "milli", 1e6: "micro", 1e9: "nano", 1e12: "pico"}


def name_factor(factor: float, size: float) -> str:
    """Return in words what it may mean that A is `factor` times B; `size` is B's largest value.

    >>> name_factor(1000.0, 0.065)
    'A is 1000 times B: A is in mV, B in V'
    >>> name_factor(0.001, 65.0)
    'A is 0.001 times B: B is in mV, A in V'
    """
    told = f"A is {factor:g} times B"
    if factor < 0:
        return f"{told}: the sign is turned around"
    small, large, ratio = ("B", "A", factor) if factor > 1 else ("A", "B", 1 / factor)
    ratio = round(ratio)
    base = size if factor > 1 else size * factor
    if ratio == 1000 and 1e-3 <= base <= 1:
        return f"{told}: {large} is in mV, {small} in V"
    if ratio in _PREFIXES:
        return f"{told}: {large} is in {_PREFIXES[ratio]}-units, {small} in whole ones"
    if ratio == 10:
        return f"{told}: such as S per m2 against mS per cm2"
    if ratio == 10_000:
        return f"{told}: such as per m2 against per cm2"
    return f"{told}: their units differ"


def interpolation_share(fine: Floats, scale: float) -> float:
    """Return how far straight lines between samples of `fine` may be off, over `scale`.

    It is estimated from the curvature: an eighth of the largest second difference.
    """
    bend = np.abs(np.diff(fine, 2))
    return float(np.nanmax(bend)) / 8 / scale if bend.size else 0.0


def _rms(values: Floats) -> float:
    return float(np.sqrt(np.mean(np.square(values))))
