"""How far a run is from the converged solution: per recorded column, and per spike.

    a recording and the converged one, sampled alike  ->  RunError

Spikes are the events that both recorded; of a potential whose cell's events are not recorded,
the upward crossings of the middle of its range, interpolated between samples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..recording import Recording
from .compare import range_of
from .detection import Floats, spike_times
from .text_table import figure, text_table
from .trains import TrainMatch, match_trains

#: Spikes of one train whose errors are listed one by one.
LISTED = 12


@dataclass(frozen=True, slots=True)
class ColumnError:
    """The largest error of a recorded quantity, in its unit and of its range, and when, s."""

    name: str
    unit: str
    largest: float
    of_range: float
    at: float


@dataclass(frozen=True, slots=True, eq=False)
class SpikeError:
    """The spikes of one train against the converged ones; `late` (spikes,) in s.

    `late` is empty where the trains have not as many spikes.
    """

    name: str
    match: TrainMatch
    late: Floats


@dataclass(frozen=True, slots=True)
class RunError:
    """The error of every recorded column and of every spike."""

    method: str
    step: float
    columns: tuple[ColumnError, ...]
    spikes: tuple[SpikeError, ...]

    def text(self) -> str:
        """Return the errors for people."""
        told = f"the method {self.method} at a step of {self.step * 1e3:g} ms"
        lines = [
            f"error of {told}, against the converged solution:",
            text_table(
                ["column", "largest", "of its range", "at"],
                [
                    [c.name, figure(c.largest, c.unit), f"{c.of_range:.2g}", figure(c.at, "s")]
                    for c in self.columns
                ],
            ),
        ]
        if self.spikes:
            rows = [
                [
                    s.name,
                    f"{s.match.count_a} of {s.match.count_b}",
                    "-" if s.match.deviation is None else f"{s.match.deviation * 1e3:.3g} ms",
                    _each(s.late) or "; ".join(s.match.notes()),
                ]
                for s in self.spikes
            ]
            header = ["spikes of", "number", "off by at most", "each late by, ms"]
            lines += ["", text_table(header, rows)]
        return "\n".join(lines)


def run_error(recording: Recording, truth: Recording) -> RunError:
    """Return how far `recording` is from `truth`, which has the same columns and times."""
    columns = tuple(_column(recording, truth, name) for name in recording if name in truth)
    trains = {
        (t.path, t.port): t.times
        for t in truth.events
        if any((o.path, o.port) == (t.path, t.port) for o in recording.events)
    }
    spikes = [
        _spikes(f"{path} ({port})", _times(recording, path, port), times)
        for (path, port), times in trains.items()
        if times.size or _times(recording, path, port).size
    ]
    covered = {path for path, _ in trains}
    for name in recording:
        owner, _, variable = name.rpartition("/")
        if variable not in ("v", "V") or owner in covered or name not in truth:
            continue
        low, high = float(truth[name].min()), float(truth[name].max())
        found, expected = (
            spike_times(r.time, r[name], threshold=0.5 * (low + high), interpolate=True)
            for r in (recording, truth)
        )
        if high > low and expected.size:
            spikes.append(_spikes(name, found, expected))
    method = str(recording.settings.get("method", "this run"))
    step = float(recording.settings.get("step") or np.nan)
    return RunError(method, step, columns, tuple(spikes))


def _column(recording: Recording, truth: Recording, name: str) -> ColumnError:
    apart = np.abs(recording[name] - truth[name])
    at = int(np.argmax(apart))
    largest = float(apart[at])
    return ColumnError(
        name,
        recording.units.get(name, ""),
        largest,
        largest / range_of(truth[name]),
        float(recording.time[at]),
    )


def _times(recording: Recording, path: str, port: str) -> Floats:
    return next(t.times for t in recording.events if (t.path, t.port) == (path, port))


def _spikes(name: str, found: Floats, expected: Floats) -> SpikeError:
    match = match_trains(found, expected)
    late = found - expected if match.same_count else np.zeros(0)
    return SpikeError(name, match, late)


def _each(late: Floats) -> str:
    shown = " ".join(f"{1e3 * value:+.2g}" for value in late[:LISTED])
    return shown + (" ..." if late.size > LISTED else "")
