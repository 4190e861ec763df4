"""The form of a run's result: time, traces and events, and where the model wants them shown.

Everything is in SI and unscaled: the factors of a Display's lines are kept beside its
traces, not applied to them. Arrays are read-only.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InternalError, MissingTool, UsageError, did_you_mean
from .files import replacing

Setting = str | int | float | bool | None
EventFormat = Literal["TIME_ID", "ID_TIME"]

#: Version of the layout of `.npz` and `.h5` files, kept in each.
LAYOUT = 1

#: Traces and events that `repr` lists before it only counts the rest.
SHOWN = 12


class UnknownTrace(UsageError, KeyError):
    """A recording was asked for a column that it does not have."""

    __str__ = UsageError.__str__


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """One quantity at every recorded time.

    `name` is the id of the OutputColumn or Display Line, `path` the quantity in the model,
    `dimension` its LEMS dimension and `unit` the SI symbol of its values ("" if it has none).
    """

    name: str
    path: str
    dimension: str
    unit: str
    values: NDArray[np.float64] = field(repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", _frozen(self.values))


@dataclass(frozen=True, slots=True, eq=False)
class EventTrain:
    """The times, in seconds, at which `port` of the component at `path` emitted an event."""

    name: str
    path: str
    port: str
    times: NDArray[np.float64] = field(repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "times", _frozen(self.times))


@dataclass(frozen=True, slots=True)
class OutputColumnSpec:
    """A column of an OutputFile: its id and the path of the trace that fills it."""

    name: str
    path: str


@dataclass(frozen=True, slots=True)
class OutputFileSpec:
    """An OutputFile of the model: its name as written, and its columns in order after time."""

    file_name: str
    columns: tuple[OutputColumnSpec, ...]


@dataclass(frozen=True, slots=True)
class EventSelectionSpec:
    """A selection of an EventOutputFile: its id, and whose events it takes."""

    name: str
    path: str
    port: str


@dataclass(frozen=True, slots=True)
class EventFileSpec:
    """An EventOutputFile of the model: its name as written, line format and selections."""

    file_name: str
    format: EventFormat
    selections: tuple[EventSelectionSpec, ...]


@dataclass(frozen=True, slots=True)
class DisplayLine:
    """A line of a Display. What is drawn is `values / scale` over `time / time_scale`.

    `time_scale` None means the Display's own.
    """

    name: str
    path: str
    scale: float = 1.0
    colour: str | None = None
    time_scale: float | None = None


@dataclass(frozen=True, slots=True)
class DisplaySpec:
    """A Display of the model; its limits are in the scaled units that it shows."""

    title: str
    xmin: float | None
    xmax: float | None
    ymin: float | None
    ymax: float | None
    time_scale: float
    lines: tuple[DisplayLine, ...]


@dataclass(frozen=True, slots=True, eq=False)
class CableShape:
    """Where the compartments of one kind of cell lie: ends (c, 3) and diameters (c,) [m].

    `potential` (c,) is that of each compartment of the first cell at the end of the run [V],
    where the backend tells.
    """

    name: str
    cells: int
    start: NDArray[np.float64]
    end: NDArray[np.float64]
    diameter: NDArray[np.float64]
    potential: NDArray[np.float64] | None = None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Recording:
    """What a run recorded.

    `recording["hhpop[0]/v"]` is a trace's values by path, or by name where that is
    unambiguous; `recording["t"]` is time. `settings` says how the run was made (backend,
    method, step, length, seed, ...), `source` from which file.
    """

    time: NDArray[np.float64]
    traces: tuple[Trace, ...] = ()
    events: tuple[EventTrain, ...] = ()
    output_files: tuple[OutputFileSpec, ...] = ()
    event_files: tuple[EventFileSpec, ...] = ()
    displays: tuple[DisplaySpec, ...] = ()
    cables: tuple[CableShape, ...] = ()
    settings: Mapping[str, Setting] = field(default_factory=dict)
    source: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "time", _frozen(self.time))
        object.__setattr__(self, "settings", MappingProxyType(dict(self.settings)))
        for trace in self.traces:
            if trace.values.shape != self.time.shape:
                raise InternalError(
                    f"trace {trace.path!r} has shape {trace.values.shape} "
                    f"but time has shape {self.time.shape}"
                )

    def __getitem__(self, key: str) -> NDArray[np.float64]:
        if key in {"t", "time"} and not any(key in (it.path, it.name) for it in self.traces):
            return self.time
        return self.trace(key).values

    def __contains__(self, key: object) -> bool:
        return key in {"t", "time"} or any(key in (it.path, it.name) for it in self.traces)

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __len__(self) -> int:
        return len(self.time)

    def keys(self) -> tuple[str, ...]:
        """Return the path of every trace."""
        return tuple(dict.fromkeys(trace.path for trace in self.traces))

    def trace(self, key: str) -> Trace:
        """Return the trace with path `key`, else the one quantity recorded as `key`."""
        for trace in self.traces:
            if trace.path == key:
                return trace
        named = {trace.path: trace for trace in self.traces if trace.name == key}
        if len(named) == 1:
            return next(iter(named.values()))
        if named:
            paths = ", ".join(sorted(named))
            raise UnknownTrace(f"several quantities were recorded as {key!r}: {paths}")
        known = [name for trace in self.traces for name in (trace.path, trace.name)]
        raise UnknownTrace(_unknown("trace", key, known))

    def event_times(self, key: str) -> NDArray[np.float64]:
        """Return the times of the events with path `key`, `path:port` or name `key`."""
        for train in self.events:
            if key in (f"{train.path}:{train.port}", train.path, train.name):
                return train.times
        known = [name for train in self.events for name in (train.path, train.name)]
        raise UnknownTrace(_unknown("event source", key, known))

    @property
    def columns(self) -> Mapping[str, NDArray[np.float64]]:
        """The values of every trace by path."""
        return {trace.path: trace.values for trace in self.traces}

    @property
    def units(self) -> Mapping[str, str]:
        """The SI unit of time ("t") and of every trace, by path and by name."""
        by_name = {trace.name: trace.unit for trace in self.traces}
        by_path = {trace.path: trace.unit for trace in self.traces}
        return {"t": "s", **by_name, **by_path}

    def spikes(
        self, threshold: float = 0.0, *, interpolate: bool = True
    ) -> dict[str, NDArray[np.float64]]:
        """Return, by path, when each trace rose through `threshold` (in the trace's SI unit).

        Voltages only, if there are any. The crossing is interpolated between samples, or is
        the first sample at or above the threshold with `interpolate=False`.
        """
        voltages = [trace for trace in self.traces if trace.dimension == "voltage"]
        return {
            trace.path: crossings(self.time, trace.values, threshold, interpolate=interpolate)
            for trace in (voltages or self.traces)
        }

    def to_npz(self, path: str | Path) -> None:
        """Write everything to a compressed `.npz` that `numpy.load` opens without pickle.

        `time` and one array per trace under its path; events as `events/PATH:PORT`; names,
        units, settings and the rest as JSON text in `about`.
        """
        arrays: dict[str, NDArray[np.generic]] = {"time": self.time}
        for trace in self.traces:
            arrays.setdefault(trace.path, trace.values)
        for train in self.events:
            arrays.setdefault(f"events/{train.path}:{train.port}", train.times)
        arrays["about"] = np.array(json.dumps(self._about(), ensure_ascii=False))
        with replacing(Path(path)) as file, zipfile.ZipFile(file, "w") as archive:
            for name, array in arrays.items():
                # ZipInfo's own date, 1980: the same recording gives the same bytes.
                entry = zipfile.ZipInfo(f"{name}.npy")
                entry.compress_type = zipfile.ZIP_DEFLATED
                with archive.open(entry, "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)

    def to_hdf5(self, path: str | Path) -> None:
        """Write everything to an HDF5 file (needs h5py, extra `lemsmith[hdf5]`).

        `/time`; a dataset per trace under `/traces` and per event train under `/events`,
        each with `name`, `path`, `unit` and the like as attributes; settings on the root.
        """
        try:
            import h5py  # noqa: PLC0415 - optional, and this method is the one that needs it
        except ImportError:
            raise MissingTool(
                "writing HDF5 needs h5py: pip install 'lemsmith[hdf5]', or save as .npz"
            ) from None
        with replacing(Path(path)) as file, h5py.File(file, "w", track_order=True) as root:
            root.attrs["about"] = json.dumps(self._about(), ensure_ascii=False)
            _put(root, "time", self.time, {"unit": "s"})
            for trace in self.traces:
                facts = {
                    "name": trace.name,
                    "path": trace.path,
                    "dimension": trace.dimension,
                    "unit": trace.unit,
                }
                _put(root, f"traces/{trace.path}", trace.values, facts)
            for train in self.events:
                facts = {"name": train.name, "path": train.path, "port": train.port, "unit": "s"}
                _put(root, f"events/{train.path}:{train.port}", train.times, facts)

    def _about(self) -> dict[str, object]:
        return {
            "layout": LAYOUT,
            "source": self.source,
            "settings": dict(self.settings),
            "traces": [
                {
                    "name": trace.name,
                    "path": trace.path,
                    "dimension": trace.dimension,
                    "unit": trace.unit,
                }
                for trace in self.traces
            ],
            "events": [
                {"name": train.name, "path": train.path, "port": train.port}
                for train in self.events
            ],
        }

    def __repr__(self) -> str:
        span = f", {self.time[0]:g} to {self.time[-1]:g} s" if len(self.time) else ""
        rows = [
            (trace.path, trace.name, trace.unit or "1", _range(trace.values))
            for trace in self.traces
        ] + [
            (f"{train.path}:{train.port}", train.name, "s", f"{len(train.times)} events")
            for train in self.events
        ]
        lines = [f"<Recording of {self.source or 'a model'}: {len(self.time)} samples{span}"]
        widths = [max((len(row[i]) for row in rows[:SHOWN]), default=0) for i in range(3)]
        for row in rows[:SHOWN]:
            cells = [cell.ljust(width) for cell, width in zip(row[:3], widths, strict=True)]
            lines.append(f"  {'  '.join([*cells, row[3]])}")
        if len(rows) > SHOWN:
            lines.append(f"  ... and {len(rows) - SHOWN} more")
        return "\n".join(lines) + ">"


def crossings(
    time: NDArray[np.float64],
    values: NDArray[np.float64],
    threshold: float,
    *,
    interpolate: bool = True,
) -> NDArray[np.float64]:
    """Return when `values` went from below `threshold` to it or above.

    >>> crossings(np.array([0.0, 1.0, 2.0]), np.array([-1.0, 1.0, -1.0]), 0.0)
    array([0.5])
    """
    after = np.flatnonzero((values[:-1] < threshold) & (values[1:] >= threshold)) + 1
    if not interpolate:
        return time[after]
    low, high = values[after - 1], values[after]
    with np.errstate(invalid="ignore"):
        part = np.where(np.isfinite(low) & np.isfinite(high), (threshold - low) / (high - low), 1.0)
    return time[after - 1] + part * (time[after] - time[after - 1])


def _frozen(values: ArrayLike) -> NDArray[np.float64]:
    """Return `values` as a float64 array that cannot be written through."""
    array = np.asarray(values, dtype=np.float64).view()
    array.flags.writeable = False
    return array


def _unknown(kind: str, key: str, known: Iterable[str]) -> str:
    known = tuple(dict.fromkeys(known))
    hint = did_you_mean(key, known)
    if hint is None:
        listed = ", ".join(known[:SHOWN]) + (", ..." if len(known) > SHOWN else "")
        hint = f"recorded are {listed}" if known else "nothing of the kind was recorded"
    return f"no {kind} was recorded as {key!r}; {hint}"


def _range(values: NDArray[np.float64]) -> str:
    if not len(values):
        return "empty"
    return f"{values.min():.4g} .. {values.max():.4g}"


def _put(root: Any, name: str, values: NDArray[np.float64], facts: Mapping[str, str]) -> None:
    """Add a dataset to an HDF5 file, in groups as `name` says.

    HDF5 has no thing that is group and dataset at once, as "cell/m" and "cell/m/q" may ask
    for; the later of two such names is written with bars.
    """
    kind, _, path = name.partition("/")
    parts = path.split("/")
    above = ["/".join([kind, *parts[:depth]]) for depth in range(1, len(parts))]
    if name in root or any(hasattr(root.get(it), "shape") for it in above):
        name = f"{kind}/{'|'.join(parts)}"
    while name in root:
        name += "_"
    dataset = root.create_dataset(name, data=values, track_times=False)
    dataset.attrs.update(facts)
