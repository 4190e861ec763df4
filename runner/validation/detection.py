"""Finds spikes, rates and resting values in traces, as OMV does and more finely.

Times keep the unit they come in; a rate is in its inverse.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]


def crossings(trace: Floats, threshold: float = 0.0) -> Indices:
    """Return the index of each first sample above `threshold` after one at or below it.

    >>> crossings(np.array([0.0, 0.0, 1.0, 2.0, 0.0, 1.0])).tolist()
    [2, 5]
    """
    below = trace[:-1] <= threshold
    above = trace[1:] > threshold
    return np.flatnonzero(below & above) + 1


def settled(trace: Floats, at: Indices, low: float) -> Indices:
    """Return those of the crossings `at` before which `trace` had sunk to `low` since the last.

    Noise on a slow flank crosses a threshold several times; it counts once.

    >>> trace = np.array([0.0, 2.0, 0.9, 2.0, 0.0, 2.0])
    >>> settled(trace, crossings(trace, 1.0), low=0.5).tolist()
    [1, 5]
    """
    if at.size < 2:
        return at
    deepest = np.minimum.reduceat(trace, at)[:-1]
    return np.compress(np.concatenate([[True], deepest <= low]), at)


def peaks(trace: Floats) -> Indices:
    """Return the index of each sample after which a trace that did not fall falls.

    Every ripple counts; it suits traces without noise.

    >>> peaks(np.array([0.0, 1.0, 0.0, 2.0, 2.0, 1.0])).tolist()
    [1, 4]
    """
    change = np.diff(trace)
    return np.flatnonzero((change[:-1] >= 0) & (change[1:] < 0)) + 1


def spike_times(
    time: Floats,
    trace: Floats,
    *,
    method: Literal["threshold", "derivative"] = "threshold",
    threshold: float = 0.0,
    interpolate: bool = False,
    band: float = 0.0,
) -> Floats:
    """Return the times of the spikes of `trace`, in the unit of `time`.

    As OMV has it, a spike is at the first sample above `threshold`, or at the top of a
    hump; its time is a multiple of the sampling step. With `interpolate` it is where the
    straight line between the two samples meets the threshold, or the vertex of the
    parabola through the three samples of the top: finer than the step. With `band`, a trace
    that crosses the threshold has sunk so far below it since it crossed it last.

    >>> time, trace = np.array([0.0, 1.0, 2.0]), np.array([-1.0, -1.0, 3.0])
    >>> spike_times(time, trace).tolist()
    [2.0]
    >>> spike_times(time, trace, interpolate=True).tolist()
    [1.25]
    """
    at = crossings(trace, threshold) if method == "threshold" else peaks(trace)
    if band and method == "threshold":
        at = settled(trace, at, threshold - band)
    if not interpolate:
        return time[at]
    before = time[at - 1]
    if method == "threshold":
        part = (threshold - trace[at - 1]) / (trace[at] - trace[at - 1])
        return before + part * (time[at] - before)
    after = time[at + 1]
    rising = (trace[at] - trace[at - 1]) / (time[at] - before)
    falling = (trace[at + 1] - trace[at]) / (after - time[at])
    # The slope of a parabola is linear, and equals the chord's halfway.
    return (before + time[at]) / 2 + (after - before) / 2 * rising / (rising - falling)


def rate(
    spikes: Floats,
    method: Literal["isi based", "duration based"] = "isi based",
    start: float = 0.0,
    end: float = float("inf"),
) -> float:
    """Return the rate of `spikes` within `start` and `end`, both included.

    By intervals: the number of intervals between successive spikes of the window over
    their sum, 0 for fewer than two spikes. By duration: the number of spikes in the window
    over its length, so without an end it is 0.

    >>> rate(np.array([0.1, 0.2, 0.3]))
    10.0
    >>> rate(np.array([0.1, 0.2, 0.3]), "duration based", 0.0, 0.5)
    6.0
    """
    inside = (spikes >= start) & (spikes <= end)
    if method == "duration based":
        return float(np.count_nonzero(inside) / (end - start)) if end > start else 0.0
    both = inside[:-1] & inside[1:]
    total = float(np.diff(spikes)[both].sum())
    return float(np.count_nonzero(both) / total) if total else 0.0


def mean_rate(
    trains: Iterable[Floats],
    method: Literal["isi based", "duration based"] = "isi based",
    start: float = 0.0,
    end: float = float("inf"),
) -> float:
    """Return the mean of the rates of `trains`; 0 where there are none."""
    rates = [rate(spikes, method, start, end) for spikes in trains]
    return sum(rates) / len(rates) if rates else 0.0


def resting(trace: Floats, last: int = 1) -> float:
    """Return the mean of the last `last` samples of `trace`."""
    return float(np.mean(trace[-last:]))


def input_resistance(
    time: Floats,
    voltage: Floats,
    current: Floats,
    holding: tuple[float, float],
    command: tuple[float, float],
) -> float:
    """Return the step of the mean voltage over the step of the mean current.

    The windows are in the unit of `time`, both ends included. NaN where a window holds no
    sample, infinite where the current does not change.
    """

    def mean(values: Floats, window: tuple[float, float]) -> Any:
        chosen = values[(time >= window[0]) & (time <= window[1])]
        return chosen.mean() if chosen.size else np.float64("nan")

    with np.errstate(divide="ignore", invalid="ignore"):
        volts = mean(voltage, command) - mean(voltage, holding)
        return float(np.divide(volts, mean(current, command) - mean(current, holding)))
