"""Evaluates OMV's observables on a run's output files and holds them against targets.

    observable + expected + files  ->  Finding

The rule is OMV's own: an observed figure passes where it differs from the expected one by
no more than `tolerance` times the expected one, plus 1e-8.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import numpy as np

from . import detection
from .detection import Floats
from .omv import (
    ActivationVariables,
    Check,
    DataFile,
    DryRun,
    Expected,
    InputResistance,
    Morphology,
    Observable,
    Resting,
    SpikeFile,
    SpikeRate,
    SpikeTimes,
    Temperature,
    TimeSeries,
)

#: What OMV's comparison grants beside the tolerance, in the unit of the figure itself.
ABSOLUTE_TOLERANCE = 1e-8

#: Values kept of each side of a finding; a time series may hold millions.
KEPT_VALUES = 1000

#: Turns a path as the test has it into the file that a run wrote.
Locate = Callable[[str], Path]


#: Works out a figure of the model itself.
Inspect = Callable[["Morphology | Temperature"], float]


class Unobservable(Exception):
    """The observable cannot be had from the files of a run; the message says why."""


class Unsupported(Exception):
    """lemsmith has no means to observe this; the message says why."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What an observable came to.

    `deviation` is the largest |observed - expected| / |expected|, None where the two
    cannot be paired; `worst` is the observed and the expected value there. Long arrays keep
    the values around the worst one only.
    """

    passed: bool
    observed: tuple[float, ...] = ()
    expected: tuple[float, ...] = ()
    deviation: float | None = None
    tolerance: float | None = None
    worst: tuple[float, float] | None = None
    message: str = ""


def judge(
    check: Check, locate: Locate, beside_mep: Locate, inspect: Inspect | None = None
) -> Finding:
    """Return what `check` comes to.

    `locate` finds what the run wrote, `beside_mep` what the expectations refer to, `inspect`
    works out what only the model itself tells. Raises `Unobservable` where a file is missing or
    does not hold what it should, `Unsupported` where the figure cannot be had.
    """
    observable = check.observable
    if isinstance(observable, DryRun):
        return Finding(True, message="ran to its end")
    if isinstance(observable, ActivationVariables):
        return _within_bounds(observable, locate)
    if isinstance(observable, (Morphology, Temperature)) and inspect is not None:
        observed = np.array([inspect(observable)])
    else:
        observed = observe(observable, locate)
    expected = _expected(check.expected, beside_mep)
    return compare_figures(observed, expected, observable.tolerance)


def observe(observable: Observable, locate: Locate) -> Floats:
    """Return the figures of `observable`: one, a list, or rows and columns."""
    if isinstance(observable, SpikeTimes):
        return _spike_times(observable, locate)
    if isinstance(observable, SpikeRate):
        return np.array([_spike_rate(observable, locate)])
    if isinstance(observable, Resting):
        table = read_columns(observable.file, locate)
        return np.array([detection.resting(_column(table, 1), observable.last)])
    if isinstance(observable, TimeSeries):
        return read_columns(observable.file, locate)
    if isinstance(observable, InputResistance):
        return np.array([_input_resistance(observable, locate)])
    if isinstance(observable, (Morphology, Temperature)):
        raise Unsupported(f"the {observable.kind} is not in a run's files")
    raise Unsupported(f"{observable.kind!r} has no figure")


def compare_figures(observed: Floats, expected: Floats, tolerance: float) -> Finding:
    """Return whether `observed` is `expected` within `tolerance`, relative to `expected`.

    >>> finding = compare_figures(np.array([102.0]), np.array([100.0]), 0.01)
    >>> finding.passed, finding.deviation
    (False, 0.02)
    """
    if observed.shape != expected.shape:
        message = f"{_count(observed)} where {_count(expected)} are expected"
        kept = _kept(observed, 0), _kept(expected, 0)
        return Finding(False, *kept, tolerance=tolerance, message=message)
    with np.errstate(all="ignore"):
        difference = np.abs(observed - expected)
        size = np.abs(expected)
        relative = np.where(difference == 0, 0.0, difference / size)
    passed = bool(np.all(difference <= ABSOLUTE_TOLERANCE + tolerance * size))
    if not relative.size:
        return Finding(True, (), (), 0.0, tolerance, message="none, as expected")
    broken = np.isnan(relative)
    worst = int(np.argmax(np.where(broken, np.inf, relative)))
    return Finding(
        passed,
        _kept(observed, worst),
        _kept(expected, worst),
        float(relative.flat[worst]),
        tolerance,
        (float(observed.flat[worst]), float(expected.flat[worst])),
        "" if passed else "too far off",
    )


def read_columns(file: DataFile, locate: Locate) -> Floats:
    """Return the scaled columns of `file` as an array of rows."""
    path = locate(file.path)
    try:
        with path.open(encoding="utf-8") as lines:
            rest = islice(lines, file.header, None)
            first = next((line for line in rest if line.partition("#")[0].strip()), None)
            if first is None:
                raise Unobservable(f"{path.name} is empty below its header")
            table = np.loadtxt(chain([first], rest), usecols=file.columns, ndmin=2)
    except (ValueError, IndexError, OverflowError) as fault:
        raise Unobservable(f"{path.name} has no such columns: {fault}") from fault
    with np.errstate(all="ignore"):
        return np.asarray(table * np.asarray(file.scaling), dtype=np.float64)


def read_spikes(file: SpikeFile, locate: Locate) -> dict[float, Floats]:
    """Return the event times of each id that `file` picks, scaled, in the file's order."""
    path = locate(file.path)
    skipped = 3 if file.format == "ID_TIME_NEST_DAT" else 0
    if not path.read_text(encoding="utf-8").strip():
        return {}
    try:
        table = np.loadtxt(path, usecols=(0, 1), skiprows=skipped, ndmin=2)
    except (ValueError, IndexError) as fault:
        raise Unobservable(f"{path.name} holds no list of events: {fault}") from fault
    ids, times = (table[:, 1], table[:, 0]) if file.format == "TIME_ID" else table.T
    picked = np.unique(ids) if file.ids == "*" else np.array([file.ids])
    trains = {float(source): times[ids == source] * file.scaling for source in picked}
    return {source: times for source, times in trains.items() if times.size}


def _column(table: Floats, index: int) -> Floats:
    if table.shape[1] <= index:
        raise Unobservable("the observable needs a column of time and one of values")
    return np.asarray(table[:, index])


def _detected(file: DataFile, observable: SpikeTimes | SpikeRate, locate: Locate) -> Floats:
    table = read_columns(file, locate)
    if observable.detection is None:
        if table.shape[1] != 1:
            raise Unobservable("a file of spike times without detection has a single column")
        return np.asarray(table[:, 0])
    method, threshold = observable.detection.method, observable.detection.threshold
    return detection.spike_times(table[:, 0], _column(table, 1), method=method, threshold=threshold)


def _spike_times(observable: SpikeTimes, locate: Locate) -> Floats:
    if isinstance(observable.file, DataFile):
        return _detected(observable.file, observable, locate)
    trains = read_spikes(observable.file, locate)
    if len(trains) > 1:
        raise Unobservable(f"{observable.file.path} has spikes of {len(trains)} ids; pick one")
    return next(iter(trains.values()), np.array([]))


def _spike_rate(observable: SpikeRate, locate: Locate) -> float:
    window = (observable.method, observable.start, observable.end)
    if isinstance(observable.file, DataFile):
        return detection.rate(_detected(observable.file, observable, locate), *window)
    return detection.mean_rate(read_spikes(observable.file, locate).values(), *window)


def _input_resistance(observable: InputResistance, locate: Locate) -> float:
    voltage = read_columns(observable.voltage, locate)
    current = read_columns(observable.current, locate)
    if len(voltage) != len(current):
        raise Unobservable("voltage and current are not sampled alike")
    return detection.input_resistance(
        current[:, 0],
        _column(voltage, 1),
        _column(current, 1),
        observable.holding_window,
        observable.command_window,
    )


def _within_bounds(observable: ActivationVariables, locate: Locate) -> Finding:
    values = read_columns(observable.file, locate)[:, 1:]
    if not values.size:
        raise Unobservable("the observable needs a column of time and one of values")
    lowest, highest = float(values.min()), float(values.max())
    passed = lowest >= 0 and highest <= 1
    message = "" if passed else "leaves 0 to 1"
    return Finding(passed, (lowest, highest), (0.0, 1.0), message=message)


def _expected(expected: Expected, beside_mep: Locate) -> Floats:
    if expected is None:
        raise Unobservable("nothing is expected")
    if isinstance(expected, (int, float)):
        return np.array([float(expected)])
    if isinstance(expected, tuple):
        return np.array(expected, dtype=np.float64)
    return observe(expected, beside_mep)


def _kept(values: Floats, worst: int) -> tuple[float, ...]:
    start = max(0, worst - KEPT_VALUES // 2) if values.size > KEPT_VALUES else 0
    return tuple(values.flat[start : start + KEPT_VALUES].tolist())


def _count(values: Floats) -> str:
    return " by ".join(str(length) for length in values.shape) + " values"
