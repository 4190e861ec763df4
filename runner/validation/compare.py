"""Compares two recordings: traces by value, by spike and by what may explain a difference.

    two recordings  ->  Comparison

A is the recording in question, B the one it is held against: differences are A - B and
their size is given as a part of B's range. Beyond how much two traces differ, the
comparison says how: by a power of ten (a wrong unit), by whole samples (a shift), by
spikes that are lost, by sampling.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from . import detection
from .detection import Floats
from .explain import factor_of, interpolation_share, name_factor, name_shift, shift_of
from .sampling import Alignment, Sampling, align, sampling_of, values_at
from .text_table import figure, text_table
from .trains import TrainMatch, match_trains

Verdict = Literal["identical", "equal", "different"]
Norm = Literal["max", "rms"]

#: The verdicts from the best to the worst.
VERDICTS: tuple[Verdict, ...] = ("identical", "equal", "different")

#: A trace counts as crossing the middle of its range again once it has sunk by this part of it.
BAND = 0.01

#: Columns shown in a text before the rest is only counted.
SHOWN_COLUMNS = 60


class Recorded(Protocol):
    """What can be compared: times in s and named columns of as many values."""

    @property
    def time(self) -> Floats:
        """The times, in s."""

    @property
    def columns(self) -> Mapping[str, Floats]:
        """The recorded values by name."""


@dataclass(frozen=True, slots=True)
class ColumnComparison:
    """How a column of A differs from its partner in B.

    `peak` and `rms` are the largest and the root mean square difference over B's range;
    `diverges` is the first time, in s, at which the difference exceeds the tolerance.
    `factor` is the power of ten that A is B times, `shift` by how many samples A lags B.
    """

    name: str
    partner: str
    verdict: Verdict
    peak: float
    rms: float
    diverges: float | None
    spikes: TrainMatch | None
    factor: float = 1.0
    shift: int = 0
    notes: tuple[str, ...] = ()

    def as_data(self) -> dict[str, object]:
        """Return the comparison as plain JSON-ready values."""
        return {
            "name": self.name,
            "partner": self.partner,
            "verdict": self.verdict,
            "peak": _finite(self.peak),
            "rms": _finite(self.rms),
            "diverges_s": self.diverges,
            "spikes": self.spikes.as_data() if self.spikes else None,
            "factor": self.factor,
            "shift_samples": self.shift,
            "notes": list(self.notes),
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """How recording A differs from recording B."""

    a: str
    b: str
    sampling_a: Sampling
    sampling_b: Sampling
    how: str
    tolerance: float
    norm: Norm
    columns: tuple[ColumnComparison, ...]
    only_a: tuple[str, ...] = ()
    only_b: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    cut: bool = False

    @property
    def verdict(self) -> Verdict:
        """The worst column's verdict; `different` too where a column or an end is missing."""
        if self.only_a or self.only_b or self.cut or not self.columns:
            return "different"
        return max((column.verdict for column in self.columns), key=VERDICTS.index)

    def as_data(self) -> dict[str, object]:
        """Return the comparison as plain JSON-ready values."""
        return {
            "a": self.a,
            "b": self.b,
            "verdict": self.verdict,
            "tolerance": self.tolerance,
            "norm": self.norm,
            "sampling_a": self.sampling_a.as_data(),
            "sampling_b": self.sampling_b.as_data(),
            "aligned": self.how,
            "notes": list(self.notes),
            "only_a": list(self.only_a),
            "only_b": list(self.only_b),
            "columns": [column.as_data() for column in self.columns],
        }

    def text(self) -> str:
        """Return the comparison for people, the columns that differ most first."""
        lines = [f"A: {self.a} ({self.sampling_a})", f"B: {self.b} ({self.sampling_b})"]
        lines += [f"note: {note}" for note in self.notes]
        for side, names in (("A", self.only_a), ("B", self.only_b)):
            if names:
                lines.append(f"only in {side}: {', '.join(names)}")
        columns = sorted(self.columns, key=lambda column: -VERDICTS.index(column.verdict))
        header = ["column", "verdict", "max/range", "rms/range", "diverges at", "spikes A/B"]
        rows = [_row(column) for column in columns[:SHOWN_COLUMNS]]
        if rows:
            lines += ["", text_table([*header, "spikes off by", "notes"], rows)]
        if len(columns) > SHOWN_COLUMNS:
            rest = columns[SHOWN_COLUMNS:]
            worst = max((column.verdict for column in rest), key=VERDICTS.index)
            lines.append(f"... and {len(rest)} columns more, at worst {worst}")
        told = {
            "identical": "identical",
            "equal": f"equal within {self.tolerance:g} of the range ({self.norm})",
            "different": "different",
        }
        return "\n".join([*lines, "", f"A and B are {told[self.verdict]}"])


def compare(
    a: Recorded,
    b: Recorded,
    *,
    names: tuple[str, str] = ("A", "B"),
    tolerance: float = 1e-6,
    norm: Norm = "max",
    threshold: float | None = None,
) -> Comparison:
    """Return how `a` differs from `b`.

    Columns pair by name; where no name is shared and both have as many, by position. A
    column is equal where its difference, by `norm`, is at most `tolerance` of B's range
    (and with `rms`, where its spikes are as many). Spikes are upward crossings of
    `threshold`, in B's unit, or of the middle of B's range; their times are interpolated.

    Raises `UsageError` where a recording has no samples or its time runs backwards.
    """
    sampling_a, sampling_b = (
        sampling_of(side.time, name) for side, name in zip((a, b), names, strict=True)
    )
    time_factor = _time_factor(sampling_a, sampling_b)
    time_a = a.time / time_factor
    alignment = align(time_a, b.time)
    pairing = paired(tuple(a.columns), tuple(b.columns))
    settings = _Settings(
        tolerance, norm, threshold, max(sampling_a.step / time_factor, sampling_b.step)
    )
    columns = (
        tuple(
            _column(
                (name, partner),
                _Side(time_a, a.columns[name]),
                _Side(b.time, b.columns[partner]),
                alignment,
                settings,
            )
            for name, partner in pairing.pairs
        )
        if alignment.time.size
        else ()
    )
    cut, notes = _sampling_notes(sampling_a, sampling_b, time_factor, alignment)
    if pairing.by_position:
        notes += ("no column's name is shared: columns are paired by position",)
    return Comparison(
        *names, sampling_a, sampling_b, alignment.how, tolerance, norm,
        columns, pairing.only_a, pairing.only_b, notes, cut,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Settings:
    tolerance: float
    norm: Norm
    threshold: float | None
    step: float


@dataclass(frozen=True, slots=True)
class _Side:
    time: Floats
    trace: Floats


def _column(
    names: tuple[str, str], a: _Side, b: _Side, alignment: Alignment, settings: _Settings
) -> ColumnComparison:
    left = values_at(alignment, alignment.a, a.time, a.trace)
    right = values_at(alignment, alignment.b, b.time, b.trace)
    scale = range_of(right)
    with np.errstate(invalid="ignore"):
        difference = np.abs(left - right)
    difference[np.isnan(left) & np.isnan(right) | (left == right)] = 0.0
    difference[np.isnan(difference)] = np.inf
    peak = float(difference.max()) / scale
    rms = float(np.sqrt(np.mean(np.square(difference)))) / scale
    exact = _exact(difference, right, alignment)
    factor = 1.0 if exact else factor_of(left, right)
    shift = 0 if exact or factor != 1.0 else shift_of(left, right)
    threshold = _threshold(right) if settings.threshold is None else settings.threshold
    band = BAND * scale if settings.threshold is None else 0.0
    spikes = None if threshold is None else _spikes(a, b, factor, threshold, band, alignment.time)
    small = (peak if settings.norm == "max" else rms) <= settings.tolerance
    counted = settings.norm == "max" or spikes is None or spikes.same_count
    verdict: Verdict = "identical" if exact else "equal" if small and counted else "different"
    apart = np.flatnonzero(difference > settings.tolerance * scale)
    diverges = float(alignment.time[apart[0]]) if apart.size else None
    notes = spikes.notes() if spikes else ()
    if verdict == "different":
        notes = (*_causes(factor, shift, settings.step, right), *notes)
        if alignment.how == "interpolated":
            share = interpolation_share((a if alignment.a is None else b).trace, scale)
            notes += (f"interpolation may account for {share:.2g} of the range",)
    return ColumnComparison(*names, verdict, peak, rms, diverges, spikes, factor, shift, notes)


def range_of(trace: Floats) -> float:
    """Return what differences from `trace` are measured by: never 0.

    It is the trace's range; of a constant trace its size; of a trace of zeros 1.
    """
    finite = trace[np.isfinite(trace)]
    if not finite.size:
        return 1.0
    return float(np.ptp(finite)) or float(np.abs(finite).max()) or 1.0


def _exact(difference: Floats, right: Floats, alignment: Alignment) -> bool:
    if alignment.how != "interpolated":
        return not difference.any()
    finite = np.abs(right[np.isfinite(right)])
    rounding = 8 * float(np.finfo(np.float64).eps) * (float(finite.max()) if finite.size else 0.0)
    return bool(np.all(difference <= rounding))


def _threshold(right: Floats) -> float | None:
    """Return the middle of the range, or None where a trace hardly moves."""
    finite = right[np.isfinite(right)]
    if not finite.size or float(np.ptp(finite)) <= 1e-4 * float(np.abs(finite).max()):
        return None
    return float(finite.min() + finite.max()) / 2


def _spikes(
    a: _Side, b: _Side, factor: float, threshold: float, band: float, common: Floats
) -> TrainMatch:
    trains = []
    for side, scale in ((a, factor), (b, 1.0)):
        times = detection.spike_times(
            side.time, side.trace / scale, threshold=threshold, interpolate=True, band=band
        )
        trains.append(times[(times >= common[0]) & (times <= common[-1])])
    return match_trains(*trains)


def _causes(factor: float, shift: int, step: float, right: Floats) -> tuple[str, ...]:
    if factor != 1.0:
        return (name_factor(factor, float(np.nanmax(np.abs(right)))),)
    return (name_shift(shift, step),) if shift else ()


def _time_factor(a: Sampling, b: Sampling) -> float:
    """Return the power of ten that A's times are B's times, for as many samples; else 1."""
    if a.samples != b.samples or a.samples < 3 or not a.step or not b.step:
        return 1.0
    ratio = a.step / b.step
    factor = 10.0 ** round(np.log10(ratio))
    alike = abs(ratio / factor - 1) < 1e-3 and abs(a.end - b.end * factor) <= a.step
    return float(factor) if alike and abs(np.log10(factor)) >= 3 else 1.0


def _sampling_notes(
    a: Sampling, b: Sampling, factor: float, alignment: Alignment
) -> tuple[bool, tuple[str, ...]]:
    """Return whether an end is missing or times differ, and what to say of the sampling."""
    if alignment.how == "no overlap":
        return True, ("A and B have no time in common",)
    notes = []
    if factor != 1.0:
        large, small = ("A", "B") if factor > 1 else ("B", "A")
        unit = "ms" if round(max(factor, 1 / factor)) == 1000 else "other units"
        notes.append(f"the time of {large} is in {unit}, that of {small} in s")
    step_a, start_a, end_a = (value / factor for value in (a.step, a.start, a.end))
    coarse = max(step_a, b.step)
    if abs(step_a - b.step) > 1e-3 * coarse:
        notes.append(f"the sampling steps differ: A {step_a:.6g} s, B {b.step:.6g} s")
    if alignment.how == "interpolated":
        notes.append("the finer recording was interpolated to the coarser one's times")
    cut = False
    for name, left, right in (("start", start_a, b.start), ("end", end_a, b.end)):
        if abs(left - right) > coarse * 1.001:
            notes.append(f"the {name}s differ: A {left:.6g} s, B {right:.6g} s")
            cut = True
    return cut or factor != 1.0, tuple(notes)


@dataclass(frozen=True, slots=True)
class Pairing:
    """Which column of A is held against which of B, and which have no partner."""

    pairs: tuple[tuple[str, str], ...]
    only_a: tuple[str, ...] = ()
    only_b: tuple[str, ...] = ()
    by_position: bool = False


def paired(a: tuple[str, ...], b: tuple[str, ...]) -> Pairing:
    """Return how the columns named `a` and `b` pair: by name, else by position.

    >>> paired(("v", "m"), ("1", "2")).pairs
    (('v', '1'), ('m', '2'))
    """
    shared = set(a) & set(b)
    if not shared and a and len(a) == len(b):
        return Pairing(tuple(zip(a, b, strict=True)), by_position=True)
    return Pairing(
        tuple((name, name) for name in a if name in shared),
        tuple(name for name in a if name not in shared),
        tuple(name for name in b if name not in shared),
    )


def _row(column: ColumnComparison) -> list[str]:
    spikes = column.spikes
    pair = column.name if column.name == column.partner else f"{column.name} / {column.partner}"
    return [
        pair,
        column.verdict,
        figure(column.peak),
        figure(column.rms),
        figure(column.diverges, "s"),
        f"{spikes.count_a}/{spikes.count_b}" if spikes else "-",
        figure(spikes.deviation, "s") if spikes else "-",
        "; ".join(column.notes),
    ]


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
