"""The shared corpus: where its files are, what the reference gave, and how we compare.

Everything lies in `shared/` beside this repository. Where that folder is absent the tests
that use it skip, and say so.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from lemsmith.runner.recording import Recording
from lemsmith.runner.results import table_text, write_files
from numpy.typing import NDArray

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared"
CORPUS = SHARED / "corpus"
NEUROML2 = CORPUS / "neuroml2"
EXAMPLES = NEUROML2 / "LEMSexamples"
REFERENCE = SHARED / "reference" / "jneuroml"
MICRO = SHARED / "reference" / "micro"

#: Why a test of the corpus cannot run here; None where it can.
ABSENT = None if CORPUS.is_dir() and REFERENCE.is_dir() else f"the shared corpus is not at {SHARED}"

#: Where the sources of a suite of the reference's manifest are kept.
SUITES = {
    "nml2": EXAMPLES,
    "morph": EXAMPLES / "morphologies",
    "lems": CORPUS / "lems" / "lems-examples",
    "jlems": CORPUS / "lems" / "jlems-tests",
    "jlemsdev": CORPUS / "lems" / "jlems-tests" / "devexamples",
    "pylems": CORPUS / "lems" / "pylems-examples",
}

#: Folders of the corpus whose model files are checked and run.
COLLECTIONS = (NEUROML2, CORPUS / "lems", CORPUS / "osb")

Floats = NDArray[np.float64]


@cache
def manifest() -> tuple[dict[str, Any], ...]:
    """Return the entries of the reference's manifest."""
    return tuple(json.loads((REFERENCE / "manifest.json").read_text(encoding="utf-8")))


def key_of(entry: Mapping[str, Any]) -> str:
    """Return what an entry's source is called here: suite and file name."""
    return f"{entry['suite']}/{Path(entry['source']).name}"


def source_of(key: str) -> Path:
    """Return the model file of an entry."""
    suite, name = key.split("/")
    path = SUITES[suite] / name
    if not path.is_file():
        raise FileNotFoundError(f"no source of {key} in the corpus, looked for {path}")
    return path


def entries(key: str) -> tuple[dict[str, Any], ...]:
    """Return what the reference gave for one source: as it is, and with its Display's lines."""
    return tuple(e for e in manifest() if key_of(e) == key and e["rc"] == 0)


def result_files(key: str) -> Iterator[dict[str, Any]]:
    """Yield every result file that is stored for one source."""
    for entry in entries(key):
        for file in entry["files"]:
            if file.get("present") and file.get("saved_as"):
                yield file


def stored_bytes(file: Mapping[str, Any]) -> bytes:
    """Return what is stored of a reference's file: every `stride`-th line of it."""
    return gzip.decompress((REFERENCE / file["saved_as"]).read_bytes())


def stored_rows(file: Mapping[str, Any]) -> Floats:
    """Return the stored rows of a reference's trace file, time first."""
    text = stored_bytes(file).decode()
    width = len(file["columns"]) + 1
    return np.array(text.split(), dtype=np.float64).reshape(-1, width)


def model_files(folder: Path, *suffixes: str) -> list[Path]:
    """Return the model files below `folder`, sorted."""
    found = (path for path in folder.rglob("*") if path.suffix in (suffixes or (".xml", ".nml")))
    return sorted(path for path in found if path.is_file())


@dataclass(slots=True)
class Comparison:
    """What one source came to against the reference.

    `worst` is the largest difference over its tolerance, of all columns; `faults` says per
    column or file what does not fit.
    """

    columns: int = 0
    rows: int = 0
    event_lines: int = 0
    identical_columns: int = 0
    identical_files: int = 0
    trace_files: int = 0
    event_files: int = 0
    worst: float = 0.0
    faults: list[str] = field(default_factory=list)

    def figures(self) -> dict[str, int]:
        """Return the counts, of which a smaller one would be a silent loss."""
        return {
            "trace_files": self.trace_files,
            "columns": self.columns,
            "rows": self.rows,
            "identical_columns": self.identical_columns,
            "identical_files": self.identical_files,
            "event_files": self.event_files,
            "event_lines": self.event_lines,
        }


def tolerance(reference: Floats) -> float:
    """Return what a column may differ by: 1e-6 of its range, or one float32 ulp."""
    span = float(reference.max() - reference.min())
    return max(1e-6 * span, float(np.spacing(np.float32(np.abs(reference).max()))))


def compare(
    key: str, recording: Recording, *, steps: int | None = None, folder: Path | None = None
) -> Comparison:
    """Hold a recording against everything that is stored for its source.

    With `steps` the recording is the beginning of the run, and so much is compared. With
    `folder`, where its files were written, those are held against the reference's bytes;
    the lines of Displays, which the model writes nowhere, are turned into text as a file
    would be.
    """
    done = Comparison()
    written = {Path(spec.file_name) for spec in recording.output_files}
    for file in result_files(key):
        if file["kind"] == "events":
            _compare_events(file, recording, steps, folder, done)
            continue
        columns = _compare_traces(file, recording, steps, done)
        if steps is not None or columns is None:
            continue
        if folder is not None and Path(file["file"]) in written:
            text = (folder / file["file"]).read_bytes()
        else:
            text = table_text(recording.time, columns)
        same = hashlib.sha256(text).hexdigest() == file["sha256_full"]
        done.identical_files += same
        if not same and file["stride"] == 1:
            done.faults.append(f"{file['file']}: equal values, but not the reference's bytes")
    return done


def _compare_traces(
    file: Mapping[str, Any], recording: Recording, steps: int | None, done: Comparison
) -> list[Floats] | None:
    """Compare every stored row; return the columns if all are equal as float32."""
    done.trace_files += 1
    reference = stored_rows(file)
    full = file["rows_full"] if steps is None else min(steps + 1, file["rows_full"])
    if len(recording) != full:
        done.faults.append(f"{file['file']}: {len(recording)} rows, not {full}")
        return None
    stride = file["stride"]
    reference = reference[: 1 + (full - 1) // stride]
    named = [("t", recording.time)]
    for column in file["columns"]:
        if column["path"] not in recording:
            done.faults.append(f"{file['file']}: {column['path']!r} was not recorded")
            return None
        named.append((column["path"], recording[column["path"]]))
    same = True
    for number, (path, values) in enumerate(named):
        ours = values[::stride].astype(np.float32).astype(np.float64)
        theirs = reference[:, number].astype(np.float32).astype(np.float64)
        if ours.shape != theirs.shape:
            done.faults.append(f"{file['file']}: {len(ours)} stored rows, not {len(theirs)}")
            return None
        difference = np.abs(ours - theirs)
        allowed = tolerance(theirs)
        worst = float(difference.max())
        if not worst <= allowed:
            first = int(np.argmax(~(difference <= allowed)))
            done.faults.append(
                f"{file['file']}: {path!r} is off by {worst:.3g} where {allowed:.3g} is "
                f"granted, first at t = {recording.time[first * stride]:.6g} s"
            )
        equal = bool(np.all(difference == 0))
        same = same and equal
        if number > 0:
            done.columns += 1
            done.rows += len(ours)
            done.identical_columns += equal
            done.worst = max(done.worst, worst / allowed)
    return [values for _, values in named[1:]] if same else None


def _compare_events(
    file: Mapping[str, Any],
    recording: Recording,
    steps: int | None,
    folder: Path | None,
    done: Comparison,
) -> None:
    """Compare an EventOutputFile line by line."""
    done.event_files += 1
    spec = next((s for s in recording.event_files if Path(s.file_name) == Path(file["file"])), None)
    if spec is None:
        done.faults.append(f"{file['file']}: no such EventOutputFile")
        return
    if folder is not None:
        ours = (folder / spec.file_name).read_text().splitlines()
    else:
        with TemporaryDirectory() as new:
            write_files(recording, new)
            ours = (Path(new) / spec.file_name).read_text().splitlines()
    theirs = stored_bytes(file).decode().splitlines()
    if steps is not None:
        at = 0 if file["format"] == "TIME_ID" else 1
        end = np.float32(recording.time[-1])
        theirs = [line for line in theirs if np.float32(line.split()[at]) <= end]
    done.event_lines += len(theirs)
    if ours != theirs:
        first = next(
            (n for n, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b),
            min(len(ours), len(theirs)),
        )
        done.faults.append(
            f"{file['file']}: {len(ours)} events, not {len(theirs)}; first difference in line "
            f"{first + 1}: {ours[first : first + 1]} where {theirs[first : first + 1]}"
        )
