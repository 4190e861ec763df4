"""Pairs the spikes of two trains, and says which have no partner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .detection import Floats


@dataclass(frozen=True, slots=True)
class TrainMatch:
    """Two spike trains, A held against B; times in s.

    `deviation` is the largest |A - B| over the pairs, None without pairs; `lost` are
    spikes of B that A lacks, `extra` those of A that B lacks.
    """

    count_a: int
    count_b: int
    deviation: float | None = None
    lost: tuple[float, ...] = ()
    extra: tuple[float, ...] = ()

    @property
    def same_count(self) -> bool:
        """Whether both trains have as many spikes."""
        return self.count_a == self.count_b

    def notes(self) -> tuple[str, ...]:
        """Return what a reader should know beyond the figures."""
        return (*_named("lost", self.lost), *_named("extra", self.extra))

    def as_data(self) -> dict[str, object]:
        """Return the match as plain JSON-ready values."""
        return {
            "count_a": self.count_a,
            "count_b": self.count_b,
            "deviation_s": self.deviation,
            "lost_s": list(self.lost),
            "extra_s": list(self.extra),
        }


def match_trains(a: Floats, b: Floats) -> TrainMatch:
    """Return how the sorted spike times `a` pair with `b`.

    Trains of equal length pair in order. Otherwise each spike pairs with the nearest one
    that is no further than half of the longer train's median interval.

    >>> match_trains(np.array([1.0, 3.0]), np.array([1.0, 2.0, 3.5]))
    TrainMatch(count_a=2, count_b=3, deviation=0.5, lost=(2.0,), extra=())
    """
    if a.size == b.size:
        deviation = float(np.abs(a - b).max()) if a.size else None
        return TrainMatch(a.size, b.size, deviation)
    longer = a if a.size > b.size else b
    window = float(np.median(np.diff(longer))) / 2 if longer.size > 1 else float("inf")
    left, right = a.tolist(), b.tolist()
    deviation, lost, extra = None, [], []
    i = j = 0
    while i < len(left) and j < len(right):
        apart = abs(left[i] - right[j])
        if j + 1 < len(right) and abs(left[i] - right[j + 1]) < apart:
            lost.append(right[j])
            j += 1
        elif i + 1 < len(left) and abs(left[i + 1] - right[j]) < apart:
            extra.append(left[i])
            i += 1
        elif apart <= window:
            deviation = max(deviation or 0.0, apart)
            i, j = i + 1, j + 1
        elif left[i] > right[j]:
            lost.append(right[j])
            j += 1
        else:
            extra.append(left[i])
            i += 1
    lost += right[j:]
    extra += left[i:]
    return TrainMatch(a.size, b.size, deviation, tuple(lost), tuple(extra))


def match_events(a: Mapping[str, Floats], b: Mapping[str, Floats]) -> dict[str, TrainMatch]:
    """Return the match of every source of events that either side has."""
    none = np.array([])
    return {
        name: match_trains(np.sort(a.get(name, none)), np.sort(b.get(name, none)))
        for name in sorted({*a, *b})
    }


def _named(word: str, times: tuple[float, ...]) -> tuple[str, ...]:
    if not times:
        return ()
    shown = ", ".join(f"{time:.6g}" for time in times[:3])
    more = ", ..." if len(times) > 3 else ""
    spikes = "spike" if len(times) == 1 else "spikes"
    return (f"{len(times)} {spikes} {word} (at {shown}{more} s)",)
