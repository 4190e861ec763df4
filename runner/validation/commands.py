"""What the commands `verify` and `compare` do, as functions that return exit code and text.

Exit codes: 0 where all is as it should be, 1 where something failed or differs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from ..files import replacing
from . import engine as lemsmith
from .against import Draw, against, trains_text
from .compare import Norm, compare
from .detection import Floats
from .engine import Progress, Simulate, Validate
from .load import Traces, load, load_events
from .peers import PEERS, TIME_LIMIT
from .plot import draw
from .trains import TrainMatch, match_events
from .verify import verify

#: Suffixes by which a file is taken for one of events.
EVENT_SUFFIXES = frozenset({".spikes", ".spk", ".gdf"})

#: Suffixes of recordings, which hold traces and events.
RECORDINGS = frozenset({".npz", ".h5", ".hdf5"})


def run_verify(
    paths: Sequence[Path],
    *,
    engine: str | None = None,
    method: str | None = None,
    jobs: int = 2,
    progress: Progress | None = None,
    as_json: bool = False,
    files: Sequence[Path] = (),
    simulate: Simulate = lemsmith.simulate,
    validate: Validate = lemsmith.validate,
) -> tuple[int, str]:
    """Run the OMV tests that `paths` name or contain; return exit code and text.

    Each of `files` gets the same report, as JSON, JUnit XML or Markdown by its suffix.
    """
    report = verify(
        paths, engine, jobs, progress, method=method, simulate=simulate, validate=validate
    )
    forms = {".json": report.json, ".xml": report.junit, ".md": report.markdown}
    for file in files:
        _write(file, forms[file.suffix]())
    return (0 if report.ok else 1), (report.json() if as_json else report.text())


def run_against(
    models: Sequence[Path],
    peers: Sequence[str],
    *,
    method: str | None = None,
    settings: Mapping[str, str] | None = None,
    tolerance: float = 0.01,
    refine: int = 10,
    time_limit: float = TIME_LIMIT,
    progress: Progress | None = None,
    as_json: bool = False,
    files: Sequence[Path] = (),
    plot: Path | None = None,
    simulate: Simulate = lemsmith.simulate,
) -> tuple[int, str]:
    """Run each model here and on each peer (a simulator's name or a result file).

    `files` get the reports as JSON; `plot` is the folder that a picture of each output file is
    drawn into. A peer that is
    missing or fails is told and does not change the exit code.
    """
    reports = []
    pairs = [(model, peer) for model in models for peer in peers]
    for done, (model, peer) in enumerate(pairs):
        if progress is not None:
            progress(done / len(pairs), f"{model.name} against {peer}")
        reports.append(
            against(
                model,
                peer if peer.lower() in PEERS or not Path(peer).exists() else Path(peer),
                method=method,
                settings=settings,
                tolerance=tolerance,
                refine=refine,
                simulate=simulate,
                time_limit=time_limit,
                draw=_drawing(plot, model, peer),
            )
        )
    data = json.dumps([report.as_data() for report in reports], indent=2)
    for file in files:
        _write(file, data)
    text = data if as_json else "\n\n".join(report.text() for report in reports)
    return (0 if all(report.ok for report in reports) else 1), text


def run_compare(
    a: Path,
    b: Path,
    *,
    tolerance: float = 1e-6,
    norm: Norm = "max",
    threshold: float | None = None,
    events: bool | None = None,
    as_json: bool = False,
    plot: Path | None = None,
) -> tuple[int, str]:
    """Compare two result files; return exit code and text.

    `events` says whether they are event files; by default their suffix does. Two event
    files are equal where every source has as many events at times within `tolerance` s.
    """
    if events or (events is None and _holds_events(a) and _holds_events(b)):
        return _compared_events(load_events(a), load_events(b), tolerance, as_json=as_json)
    left, right = load(a), load(b)
    names = (str(a), str(b))
    comparison = compare(
        left, right, names=names, tolerance=tolerance, norm=norm, threshold=threshold
    )
    # Tables of text hold no events: there is nothing that could be missing from them.
    both = {a.suffix.lower(), b.suffix.lower()} <= RECORDINGS
    trains = match_events(left.events, right.events) if both else {}
    if plot is not None:
        draw(left, right, names, f"{a.name} and {b.name}", plot)
    same = comparison.verdict != "different" and _together(trains, tolerance)
    if as_json:
        data = comparison.as_data() | {"events": _trains_data(trains)}
        return (0 if same else 1), json.dumps(data, indent=2)
    text = comparison.text()
    return (0 if same else 1), f"{text}\n\n{trains_text(trains)}" if trains else text


def _compared_events(
    a: Mapping[str, Floats], b: Mapping[str, Floats], tolerance: float, *, as_json: bool
) -> tuple[int, str]:
    trains = match_events(a, b)
    same = _together(trains, tolerance)
    if as_json:
        return (0 if same else 1), json.dumps({"events": _trains_data(trains)}, indent=2)
    told = f"A and B are {f'equal within {tolerance:g} s' if same else 'different'}"
    return (0 if same else 1), f"{trains_text(trains)}\n\n{told}"


def _together(trains: Mapping[str, TrainMatch], tolerance: float) -> bool:
    return all(
        match.same_count and (match.deviation or 0.0) <= tolerance for match in trains.values()
    )


def _trains_data(trains: Mapping[str, TrainMatch]) -> dict[str, object]:
    return {name: match.as_data() for name, match in trains.items()}


def _holds_events(path: Path) -> bool:
    return not EVENT_SUFFIXES.isdisjoint(path.suffixes)


def _write(path: Path, text: str) -> None:
    with replacing(path) as file:
        file.write(text.encode())


def _drawing(folder: Path | None, model: Path, peer: str) -> Draw | None:
    if folder is None:
        return None

    def into(folder: Path, name: str, ours: Traces, theirs: Traces) -> None:
        other = _flat(str(Path(peer).with_suffix("")))
        place = folder / f"{model.stem}.{other}.{_flat(name)}.png"
        draw(ours, theirs, ("lemsmith", peer), f"{model.name}: {name}", place)

    return partial(into, folder)


def _flat(path: str) -> str:
    """Return a path as a file's name; two results of one name in two folders differ."""
    return re.sub(r"[/\\:]+", "_", path).strip("._")
