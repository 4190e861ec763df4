"""Brings two recordings onto common times.

Where one is sampled at times that the other has too, samples are picked and nothing is
computed; only where times differ is the finer one interpolated linearly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ...errors import UsageError
from .detection import Floats, Indices

#: Times are often written in single precision: they count as the same within this part.
SINGLE = float(np.finfo(np.float32).eps)

How = Literal["as they are", "picked", "interpolated", "no overlap"]


@dataclass(frozen=True, slots=True)
class Sampling:
    """When a recording was sampled; times in s, `step` is the median one."""

    samples: int
    start: float
    end: float
    step: float

    def __str__(self) -> str:
        return (
            f"{self.samples} samples, {self.start:.6g} to {self.end:.6g} s, step {self.step:.6g} s"
        )

    def as_data(self) -> dict[str, object]:
        """Return the sampling as plain JSON-ready values."""
        return {
            "samples": self.samples,
            "start_s": self.start,
            "end_s": self.end,
            "step_s": self.step,
        }


@dataclass(frozen=True, slots=True)
class Alignment:
    """Common times of A and B, and the samples that lie there (None: interpolate)."""

    how: How
    time: Floats
    a: Indices | None
    b: Indices | None


def sampling_of(time: Floats, name: str) -> Sampling:
    """Return how `time` is sampled.

    Raises `UsageError` where `time` is empty, not finite or runs backwards; `name` says whose.
    """
    if not time.size:
        raise UsageError(f"{name} holds no samples")
    steps = np.diff(time) if np.all(np.isfinite(time)) else np.array([-1.0])
    if np.any(steps < 0):
        raise UsageError(f"the time of {name} does not run forwards")
    step = float(np.median(steps)) if steps.size else 0.0
    return Sampling(time.size, float(time[0]), float(time[-1]), step)


def align(a: Floats, b: Floats) -> Alignment:
    """Return the times at which recordings sampled at `a` and at `b` can be compared.

    They are those of the coarser one, as far as both reach.

    >>> found = align(np.array([0.0, 1.0, 2.0, 3.0]), np.array([0.0, 2.0]))
    >>> found.how, found.time.tolist(), found.a.tolist()
    ('picked', [0.0, 2.0], [0, 2])
    """
    step_a, step_b = sampling_of(a, "A").step, sampling_of(b, "B").step
    swapped = step_b > step_a
    coarse, fine = (b, a) if swapped else (a, b)
    slack = _slack(coarse, min(step_a, step_b))
    inside = (coarse >= fine[0] - slack) & (coarse <= fine[-1] + slack)
    chosen = np.flatnonzero(inside)
    if not chosen.size:
        return Alignment("no overlap", np.array([]), None, None)
    time = coarse[chosen]
    nearest = _nearest(fine, time)
    if np.all(np.abs(fine[nearest] - time) <= slack[chosen]):
        whole = a.size == b.size == chosen.size
        sides = (nearest, chosen) if swapped else (chosen, nearest)
        return Alignment("as they are" if whole else "picked", time, *sides)
    within = (time >= fine[0]) & (time <= fine[-1])
    chosen, time = chosen[within], time[within]
    if swapped:
        return Alignment("interpolated", time, None, chosen)
    return Alignment("interpolated", time, chosen, None)


def values_at(alignment: Alignment, picked: Indices | None, time: Floats, trace: Floats) -> Floats:
    """Return `trace`, sampled at `time`, at the common times of `alignment`."""
    return trace[picked] if picked is not None else np.interp(alignment.time, time, trace)


def _slack(time: Floats, step: float) -> Floats:
    rounding = np.maximum(1e-3 * step, 4 * SINGLE * np.abs(time))
    return np.minimum(rounding, 0.25 * step) if step else rounding


def _nearest(time: Floats, wanted: Floats) -> Indices:
    after = np.clip(np.searchsorted(time, wanted), 0, time.size - 1)
    before = np.maximum(after - 1, 0)
    closer = np.abs(time[before] - wanted) < np.abs(time[after] - wanted)
    return np.where(closer, before, after)
