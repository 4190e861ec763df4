"""How far the spikes of runs, and of what other simulators left, are from converged ones."""

from __future__ import annotations

import gzip
import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import lemsmith
import numpy as np
from lemsmith.errors import LemsmithError
from lemsmith.runner.validation.detection import spike_times
from lemsmith.runner.validation.trains import match_trains

SHARED = Path(__file__).parents[2] / "shared"
REFERENCE = SHARED / "reference"

#: Spikes of one cell that are held against one another.
FIRST = 5

#: What membrane potentials are called, and the least range, V, that counts as one that fires.
POTENTIALS = ("v", "V", "Vs")
SMALLEST = 1e-4

#: A fall by this part of the range between two samples is a reset.
RESET = 0.2


@dataclass(slots=True)
class Worst:
    """The worst deviation of spikes, s; None where there are none to compare."""

    deviation: float | None = None
    spikes: int = 0
    missed: int = 0
    #: Of runs without spikes: the largest difference as a part of the range.
    of_range: float | None = None
    reason: str = ""

    def add(self, found: np.ndarray, expected: np.ndarray) -> None:
        """Take one cell's spikes into account."""
        match = match_trains(found[:FIRST], expected[:FIRST])
        if match.deviation is not None:
            self.deviation = max(self.deviation or 0.0, match.deviation)
        self.spikes += match.count_b
        self.missed += len(match.lost) + len(match.extra)

    def text(self) -> str:
        """Return the worst deviation for a table."""
        if self.deviation is not None:
            more = f", {self.missed} amiss" if self.missed else ""
            return f"{self.deviation * 1e3:.2g} ms{more}"
        if self.of_range is not None:
            return f"{self.of_range:.1e} of range"
        return self.reason


@dataclass(slots=True)
class Example:
    """A simulation whose cells' events are recorded beside what its file records."""

    path: Path
    text: str = field(init=False)

    def __post_init__(self) -> None:
        plain = self.path.read_text(encoding="utf-8")
        quantities = dict.fromkeys(re.findall(r'quantity\s*=\s*"([^"]+)"', plain))
        owners = [q.rpartition("/")[0] for q in quantities if q.rpartition("/")[2] == "v"]
        selections = "".join(
            f'<EventSelection id="{n}" select="{owner}" eventPort="spike"/>'
            for n, owner in enumerate(dict.fromkeys(owners))
        )
        added = (
            '<EventOutputFile id="spikes__" fileName="spikes__.dat" format="TIME_ID">'
            f"{selections}</EventOutputFile></Simulation>"
        )
        self.text = plain
        if owners and "</Simulation>" in plain:
            with_events = added.join(plain.rsplit("</Simulation>", 1))
            if self.accepted(with_events):
                self.text = with_events

    def accepted(self, text: str) -> bool:
        """Tell whether the model has the events that `text` records."""
        try:
            self.run_text(text, length=0.0)
        except LemsmithError:
            return False
        return True

    def run(self, method: str, **options: Any) -> lemsmith.Recording:
        """Return what the simulation records by `method`."""
        return self.run_text(self.text, method=method, **options)

    def run_text(self, text: str, **options: Any) -> lemsmith.Recording:
        """Run a text as if it lay where the example lies."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / self.path.name
            file.write_text(text, encoding="utf-8")
            return lemsmith.run(file, include_dirs=[self.path.parent], **options)


def events_of(recording: lemsmith.Recording) -> dict[str, np.ndarray]:
    """Return event times, s, by the path of their cell."""
    return {train.path: train.times for train in recording.events if train.port == "spike"}


def potentials(truth: lemsmith.Recording) -> Iterator[tuple[str, str, float, float]]:
    """Yield (path, cell, least value, range) of every potential that moves."""
    for key in truth:
        owner, _, variable = key.rpartition("/")
        low, span = float(truth[key].min()), float(np.ptp(truth[key]))
        if variable in POTENTIALS and span >= SMALLEST:
            yield key, owner, low, span


def crossings(recording: lemsmith.Recording, key: str, level: float) -> np.ndarray:
    """Return when a quantity rises through `level`, s, interpolated between samples."""
    return spike_times(recording.time, recording[key], threshold=level, interpolate=True)


def of_run(recording: lemsmith.Recording, truth: lemsmith.Recording) -> Worst:
    """Return the worst spike of a run: by recorded events, else by the middle of the range."""
    worst = Worst()
    ours, theirs = events_of(recording), events_of(truth)
    for key, owner, low, span in potentials(truth):
        if len(theirs.get(owner, ())):
            worst.add(ours[owner], theirs[owner])
        else:
            level = low + 0.5 * span
            worst.add(crossings(recording, key, level), crossings(truth, key, level))
    if worst.deviation is None:
        ranges = [
            float(np.abs(recording[key] - truth[key]).max() / np.ptp(truth[key]))
            for key in truth
            if np.ptp(truth[key]) > 0
        ]
        worst.of_range = max(ranges, default=0.0)
    return worst


def cubic_crossings(time: np.ndarray, trace: np.ndarray, level: float) -> np.ndarray:
    """Return when a trace rises through `level`, s, on the cubic through four samples.

    A straight line between samples would err by microseconds on the upstroke of a spike.
    """
    found = []
    for k in np.flatnonzero((trace[:-1] <= level) & (trace[1:] > level)):
        first = min(max(k - 1, 0), len(trace) - 4)
        at = np.arange(first, first + 4) - k
        cubic = np.polyfit(at, trace[first : first + 4] - level, 3)
        low, high = 0.0, 1.0
        for _ in range(60):
            middle = 0.5 * (low + high)
            low, high = (low, middle) if np.polyval(cubic, middle) > 0 else (middle, high)
        found.append(time[k] + high * (time[k + 1] - time[k]))
    return np.array(found)


# --- what other simulators left in shared/reference ---------------------------------------------


@cache
def manifest(simulator: str) -> Any:
    """Return the manifest of one simulator's traces."""
    return json.loads((REFERENCE / simulator / "manifest.json").read_text(encoding="utf-8"))


def resets(time: np.ndarray, trace: np.ndarray, span: float) -> np.ndarray:
    """Return the times of the samples before which a trace fell by a reset, s."""
    return time[1:][np.diff(trace) < -RESET * span]


def of_jneuroml(name: str, truth: lemsmith.Recording) -> Worst:
    """Return the worst spike of the reference interpreter's traces of an example."""
    saved: dict[str, tuple[np.ndarray, np.ndarray, Any, int]] = {}
    for entry in manifest("jneuroml"):
        if entry["example"] == name:
            saved |= _saved(entry)
    worst = Worst(reason="no trace")
    events = events_of(truth)
    for key, owner, low, span in potentials(truth):
        if key not in saved:
            continue
        time, trace, column, stride = saved[key]
        if len(events.get(owner, ())) and len(resets(truth.time, truth[key], span)):
            worst.add(resets(time, trace, span), events[owner])
        elif stride <= 2:
            level = low + 0.5 * span
            found = spike_times(time, trace, threshold=level, interpolate=True)
            worst.add(found, crossings(truth, key, level))
        else:
            found = np.array(column["up_cross_t_s"])
            worst.add(found, crossings(truth, key, column["mid_threshold"]))
    return worst


def _saved(entry: Mapping[str, Any]) -> dict[str, tuple[np.ndarray, np.ndarray, Any, int]]:
    found = {}
    for file in entry["files"]:
        if file["kind"] != "trace" or not file.get("saved_as"):
            continue
        with gzip.open(REFERENCE / "jneuroml" / file["saved_as"], "rt") as lines:
            table = np.loadtxt(lines)
        for n, column in enumerate(file["columns"]):
            found[column["path"]] = (table[:, 0], table[:, n + 1], column, file["stride"])
    return found


def of_neuron(source: str, truth: lemsmith.Recording) -> Worst:
    """Return the worst spike of NEURON's traces at the file's step; `source` is its place."""
    entry = next((m for m in manifest("neuron")["models"] if m["source"] == source), None)
    worst = Worst(reason="no trace")
    if entry is None:
        return worst
    listed = entry["runs"]["dt"]["crossings"]
    events = events_of(truth)
    for key, owner, _, _ in potentials(truth):
        found = listed.get(key)
        if found is None:
            continue
        if len(events.get(owner, ())) and found.get("jumps_down_sample_s"):
            worst.add(np.array(found["jumps_down_sample_s"]), events[owner])
            continue
        for level, times in found.items():
            if isinstance(times, dict) and times["interp_s"]:
                worst.add(np.array(times["interp_s"]), crossings(truth, key, float(level)))
                break
    return worst


#: What the simulators are called in the files about public models.
PUBLIC = {"jnml": "jNeuroML", "nrn": "NEURON", "eden": "EDEN"}


def of_public(
    entry: Mapping[str, Any], truth: lemsmith.Recording, run: lemsmith.Recording
) -> dict[str, Worst]:
    """Return the worst crossing of every simulator, and under "lemsmith" of `run`.

    Thresholds are those of the files; all columns count that a simulator has crossings of.
    """
    found = {"lemsmith": Worst()}
    for peer in PUBLIC:
        left = entry["peers"].get(peer)
        found[peer] = Worst(reason="not run" if left is None else left["status"])
        if left is None or left["status"] != "ran":
            continue
        columns = [c for file in left["outputs"] for c in file.get("columns", ())]
        for column in columns:
            key, level = column["quantity"], column.get("threshold")
            if level is None or key not in truth or not column.get("crossings"):
                continue
            expected = crossings(truth, key, level)
            found[peer].add(np.array(column["crossings"]), expected)
            found["lemsmith"].add(crossings(run, key, level), expected)
    return found
