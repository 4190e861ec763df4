"""Holds lemsmith's run of a model against another simulator's, or against a file.

Both run the same file, with the same step, length and seed. Where they differ, a third
run of lemsmith, at a tenth of the step, says which of the two is nearer the solution.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from ...errors import LemsmithError, MissingTool, ModelError, Place, UsageError
from ..request import seconds
from . import engine as lemsmith
from .compare import ColumnComparison, Comparison, compare
from .engine import Simulate
from .load import Traces, load, load_events
from .model_files import OutputFile, copy_model, divided, read_settings
from .peers import TIME_LIMIT, Peer, PeerFailure, PeerRun, peer_named, run_peer
from .text_table import figure, text_table
from .trains import TrainMatch, match_events

Side = Literal["lemsmith", "peer", "alike"]

#: Sides whose distances differ by less than this part of the larger are alike.
ALIKE = 0.05

#: Called with a file's name, lemsmith's traces and the peer's.
Draw = Callable[[str, Traces, Traces], None]


@dataclass(frozen=True, slots=True)
class Nearness:
    """How far both sides of a column are from the converged solution.

    `measure` says by what: the spikes' times in s where both spike as often as it does,
    the number of spikes where one does not, else the RMS difference over the range.
    """

    column: str
    lemsmith: float
    peer: float
    measure: Literal["spike times", "spike count", "rms"]

    @property
    def nearer(self) -> Side:
        """Which side is nearer."""
        if abs(self.lemsmith - self.peer) <= ALIKE * max(self.lemsmith, self.peer):
            return "alike"
        return "lemsmith" if self.lemsmith < self.peer else "peer"

    def as_data(self) -> dict[str, object]:
        """Return the figures as plain JSON-ready values."""
        return {
            "column": self.column,
            "measure": self.measure,
            "lemsmith": self.lemsmith,
            "peer": self.peer,
            "nearer": self.nearer,
        }


@dataclass(frozen=True, slots=True)
class FileAgainst:
    """An output file of both sides."""

    path: str
    comparison: Comparison
    nearness: tuple[Nearness, ...] = ()


@dataclass(frozen=True, slots=True)
class EventsAgainst:
    """An event file of both sides, by source; events may be `limit` s apart."""

    path: str
    trains: Mapping[str, TrainMatch]
    limit: float

    @property
    def equal(self) -> bool:
        """Whether every source has as many events on both sides, none further apart."""
        return all(
            match.same_count and (match.deviation or 0.0) <= self.limit
            for match in self.trains.values()
        )


@dataclass(frozen=True, slots=True)
class AgainstReport:
    """What `against` found; `skipped` says why the peer gave nothing to compare.

    `unconverged` says why there is no converged solution, where one was asked for.
    Times are in s: what each side's run took, translation and compilation included.
    `method` is lemsmith's that takes the peer's steps, empty where it ran by that one.
    """

    model: Path
    peer: str
    files: tuple[FileAgainst, ...] = ()
    events: tuple[EventsAgainst, ...] = ()
    missing: tuple[str, ...] = ()
    skipped: str = ""
    unconverged: str = ""
    seconds: float = 0.0
    peer_seconds: float | None = None
    method: str = ""

    @property
    def ok(self) -> bool:
        """Whether nothing that was compared differs; a peer that is not there is no fault."""
        return not any(file.comparison.verdict == "different" for file in self.files) and all(
            events.equal for events in self.events
        )

    def as_data(self) -> dict[str, object]:
        """Return the report as plain JSON-ready values."""
        return {
            "model": str(self.model),
            "peer": self.peer,
            "ok": self.ok,
            "skipped": self.skipped,
            "unconverged": self.unconverged,
            "missing": list(self.missing),
            "seconds": self.seconds,
            "peer_seconds": self.peer_seconds,
            "files": [
                {
                    "path": file.path,
                    "comparison": file.comparison.as_data(),
                    "nearness": [nearness.as_data() for nearness in file.nearness],
                }
                for file in self.files
            ],
            "events": [
                {
                    "path": events.path,
                    "equal": events.equal,
                    "limit_s": events.limit,
                    "trains": {name: match.as_data() for name, match in events.trains.items()},
                }
                for events in self.events
            ],
        }

    def text(self) -> str:
        """Return the report for people."""
        head = f"{self.model.name} against {self.peer}"
        if self.skipped:
            return f"{head}: not compared: {self.skipped}"
        took = f", {self.peer} {self.peer_seconds:.1f} s" if self.peer_seconds is not None else ""
        parts = [f"{head} (lemsmith {self.seconds:.1f} s{took})"]
        for file in self.files:
            parts.append(f"{file.path}\n{file.comparison.text()}")
            if file.nearness:
                parts.append(_nearness_text(file.nearness, self.peer))
        parts += [_events_text(events) for events in self.events]
        if self.unconverged:
            parts.append(f"there is no converged solution: {self.unconverged}")
        if self.missing:
            parts.append(f"{self.peer} did not write {', '.join(self.missing)}")
        if self.method and not self.ok:
            parts.append(
                f"{self.peer} takes other steps than lemsmith did: --method {self.method} takes "
                "the same or the nearest, and shows whether both read the model alike"
            )
        return "\n\n".join(parts)


def against(
    model: Path,
    peer: str | Path,
    *,
    method: str | None = None,
    settings: Mapping[str, str] | None = None,
    tolerance: float = 0.01,
    refine: int = 10,
    simulate: Simulate = lemsmith.simulate,
    time_limit: float = TIME_LIMIT,
    draw: Draw | None = None,
) -> AgainstReport:
    """Return how lemsmith's run of the LEMS file `model` compares with a peer's.

    `peer` is a simulator's name or a result file. `settings` replace the simulation's
    `step`, `length` or `seed` on both sides. A column is equal where its RMS difference is
    at most `tolerance` of its range and it spikes as often, a source of events where it has
    as many, none further apart than `tolerance` of the run's length. The converged solution is
    lemsmith's default method at the step over `refine`; 0 leaves it out.

    A peer that is not installed, fails or writes no table is told in the report. Raises
    `UsageError` for an unknown peer and a model that has no simulation or writes nothing, and
    `LemsmithError` where lemsmith itself cannot run the model.
    """
    if not read_settings(model).outputs:
        raise UsageError(f"{model} writes nothing to compare; give its Simulation an OutputFile")
    known = peer_named(peer) if isinstance(peer, str) else None
    title = known.title if known else str(peer)
    with TemporaryDirectory(prefix="lemsmith-against-") as name:
        folder = Path(name)
        try:
            theirs = _peer_files(known, peer, model, folder / "peer", settings, time_limit)
        except MissingTool as fault:
            return AgainstReport(model, title, skipped=str(fault))
        except PeerFailure as fault:
            # Where the fault is the model's, lemsmith fails as well and names it.
            _simulated(model, folder / "ours", settings, method, simulate)
            return AgainstReport(model, title, skipped=str(fault))
        started = time.perf_counter()
        ours = _simulated(model, folder / "ours", settings, method, simulate)
        took = time.perf_counter() - started
        best, unconverged = _converged(model, folder / "best", settings, refine, simulate)
        shared = [output for output in theirs.outputs if output.path in theirs.files]
        try:
            files = tuple(
                _file(output, theirs.files[output.path], ours, best, (title, tolerance), draw)
                for output in shared
                if not output.events
            )
            length = (settings or {}).get("length") or read_settings(model).length
            events = tuple(
                _events(output, theirs.files[output.path], ours, length, tolerance)
                for output in shared
                if output.events
            )
        except UsageError as fault:
            if known is None:
                raise
            return AgainstReport(model, title, skipped=f"{title} wrote no table: {fault}")
    taken = theirs.seconds if known else None
    follows = known.method if known and known.method != (method or "default") else ""
    return AgainstReport(
        model, title, files, events, theirs.missing, "", unconverged, took, taken, follows
    )


def _peer_files(
    known: Peer | None,
    file: str | Path,
    model: Path,
    into: Path,
    settings: Mapping[str, str] | None,
    time_limit: float,
) -> PeerRun:
    """Run the peer, or take a result file for the output of the model that it stands for."""
    if known:
        return run_peer(known, model, into, settings=settings, time_limit=time_limit)
    place = Path(file)
    if not place.is_file():
        raise UsageError(f"there is no result file {place}")
    outputs = read_settings(model).outputs
    named = [output for output in outputs if Path(output.path).name in {place.name, place.stem}]
    chosen = named or (list(outputs) if len(outputs) == 1 else [])
    if len(chosen) != 1:
        names = ", ".join(output.path for output in outputs) or "nothing"
        raise UsageError(f"{place.name} is none of the model's outputs, which are {names}")
    return PeerRun(str(place), {chosen[0].path: place}, tuple(chosen), 0.0)


def _converged(
    model: Path,
    into: Path,
    settings: Mapping[str, str] | None,
    refine: int,
    simulate: Simulate,
) -> tuple[Path | None, str]:
    """Run `model` at its step over `refine`; return its outputs, or why there are none."""
    if refine <= 1:
        return None, ""
    step = (settings or {}).get("step") or read_settings(model).step
    try:
        finer = {**(settings or {}), "step": divided(step, refine)}
        return _simulated(model, into, finer, None, simulate), ""
    except LemsmithError as fault:
        return None, str(fault)


def _simulated(
    model: Path,
    into: Path,
    settings: Mapping[str, str] | None,
    method: str | None,
    simulate: Simulate,
) -> Path:
    """Run a copy of `model` with `settings`; return the folder of its outputs."""
    out = into / "out"
    out.mkdir(parents=True)
    if not settings:
        simulate(model, method=method, out=out, progress=None)
        return out
    copies = into / "model"
    copy = copy_model(model, copies, settings)
    try:
        simulate(copy, method=method, out=out, progress=None)
    except ModelError as error:
        raise _of_the_original(error, copies, Path(model.resolve().anchor)) from None
    return out


def _of_the_original(error: ModelError, copies: Path, root: Path) -> ModelError:
    """Return `error` with the places that it names in `copies` below `root`, as they were."""

    def original(place: Place) -> Place:
        file = Path(place.file)
        if not file.is_relative_to(copies):
            return place
        return replace(place, file=str(root / file.relative_to(copies)))

    faults = [
        replace(fault, place=original(fault.place)) if fault.place else fault
        for fault in error.faults
    ]
    return ModelError(faults, {original(place): line for place, line in error.lines.items()})


def _file(
    output: OutputFile,
    theirs: Path,
    ours: Path,
    best: Path | None,
    told: tuple[str, float],
    draw: Draw | None,
) -> FileAgainst:
    title, tolerance = told
    mine, other = _traces(ours / output.path, output), _traces(theirs, output)
    comparison = compare(mine, other, names=("lemsmith", title), tolerance=tolerance, norm="rms")
    if draw is not None:
        draw(output.path, mine, other)
    if best is None or comparison.verdict == "identical":
        return FileAgainst(output.path, comparison)
    converged = _traces(best / output.path, output)
    return FileAgainst(output.path, comparison, _nearness(mine, other, converged))


def _nearness(ours: Traces, theirs: Traces, best: Traces) -> tuple[Nearness, ...]:
    near, far = (compare(side, best, norm="rms") for side in (ours, theirs))
    others = {column.name: column for column in far.columns}
    return tuple(
        _distances(column, others[column.name]) for column in near.columns if column.name in others
    )


def _distances(ours: ColumnComparison, theirs: ColumnComparison) -> Nearness:
    if ours.spikes and theirs.spikes:
        apart = [abs(side.count_a - side.count_b) for side in (ours.spikes, theirs.spikes)]
        if apart[0] != apart[1]:
            return Nearness(ours.name, apart[0], apart[1], "spike count")
        deviations = (ours.spikes.deviation, theirs.spikes.deviation)
        if apart == [0, 0] and deviations[0] is not None and deviations[1] is not None:
            return Nearness(ours.name, deviations[0], deviations[1], "spike times")
    return Nearness(ours.name, ours.rms, theirs.rms, "rms")


def _events(
    output: OutputFile, theirs: Path, ours: Path, length: str, tolerance: float
) -> EventsAgainst:
    mine, others = load_events(ours / output.path), load_events(theirs)
    try:
        span = seconds(length, "length", above=False) or 0.0
    except UsageError:
        # A unit of the model's own: nothing here knows it, but events end where the run does.
        span = max((float(times.max()) for times in mine.values() if times.size), default=0.0)
    return EventsAgainst(output.path, match_events(mine, others), tolerance * span)


def _traces(path: Path, output: OutputFile) -> Traces:
    """Load a file, its columns named as the model has them where that is possible."""
    names: Sequence[str] | None = output.columns
    if len(set(output.columns)) != len(output.columns):
        names = None
    try:
        return load(path, names)
    except UsageError:
        return load(path)


def _nearness_text(rows: Sequence[Nearness], peer: str) -> str:
    header = ["off the converged solution", "by", "lemsmith", peer, "nearer"]
    units = {"spike times": "s", "spike count": "", "rms": ""}
    return text_table(
        header,
        (
            [
                row.column,
                row.measure,
                figure(row.lemsmith, units[row.measure]),
                figure(row.peer, units[row.measure]),
                {"lemsmith": "lemsmith", "peer": peer, "alike": "alike"}[row.nearer],
            ]
            for row in rows
        ),
    )


def _events_text(events: EventsAgainst) -> str:
    verdict = f"equal within {figure(events.limit, 's')}" if events.equal else "different"
    return f"{events.path}\n{trains_text(events.trains)}\n\nA and B are {verdict}"


def trains_text(trains: Mapping[str, TrainMatch]) -> str:
    """Return a table of matched trains of events."""
    header = ["source", "events A/B", "off by", "notes"]
    return text_table(
        header,
        (
            [
                name,
                f"{match.count_a}/{match.count_b}",
                figure(match.deviation, "s"),
                "; ".join(match.notes()),
            ]
            for name, match in trains.items()
        ),
    )
