"""Result files: the OutputFiles and EventOutputFiles of a model, written and read.

Text is what the reference interpreter prints, byte for byte: `(float)` of every value as
Java's Float.toString gives it, a tab after every column, no header.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import Fault, MissingTool, ModelError, UsageError
from .files import replacing
from .java_floats import java_floats, text_of
from .recording import EventFileSpec, OutputFileSpec, Recording

#: Rows that are turned into text at a time, to bound memory.
CHUNK = 1 << 16


# Writing


def write_files(
    recording: Recording, folder: str | Path, *, partial: bool = False
) -> tuple[Path, ...]:
    """Write the model's OutputFiles and EventOutputFiles under `folder`; return their paths.

    Each appears whole or not at all. `partial` marks the files of a run that was stopped:
    `NAME.partial`. A name that leaves `folder` is the model's fault, and then nothing is
    written.
    """
    specs: tuple[OutputFileSpec | EventFileSpec, ...] = (
        *recording.output_files,
        *recording.event_files,
    )
    paths = places([spec.file_name for spec in specs], folder)
    if partial:
        paths = tuple(path.with_name(f"{path.name}.partial") for path in paths)
    for spec, path in zip(specs, paths, strict=True):
        with replacing(path) as file:
            if isinstance(spec, OutputFileSpec):
                columns = [recording.trace(column.path).values for column in spec.columns]
                for start in range(0, len(recording.time), CHUNK):
                    chunk = slice(start, start + CHUNK)
                    file.write(table_text(recording.time[chunk], [c[chunk] for c in columns]))
            else:
                file.write(_event_file_text(recording, spec))
    return paths


def places(names: Sequence[str], folder: str | Path) -> tuple[Path, ...]:
    """Return where under `folder` the files called `names` in a model go.

    Names that are absolute, leave `folder` or are used twice raise a `ModelError`.
    """
    faults = []
    found: dict[Path, str] = {}
    root = Path(folder).resolve()
    for name in names:
        reason = refusal(name)
        path = (root / name).resolve() if reason is None else root
        if reason is None and not path.is_relative_to(root):
            reason = "lies outside the output folder"
        if reason is None and path.is_dir():
            reason = "is a folder"
        if reason is None and path in found:
            reason = "is written by two outputs of this model"
        found[path] = name
        if reason is not None:
            faults.append(
                Fault(
                    f"the output file {name!r} {reason}",
                    hint="give it a relative name inside the output folder, used once",
                )
            )
    if faults:
        raise ModelError(faults)
    return tuple(Path(folder) / name for name in names)


def refusal(name: str) -> str | None:
    """Return what is wrong with `name` as the name of an output file, or None."""
    if not name.strip() or "\0" in name:
        return "has no usable name"
    windows = PureWindowsPath(name)
    if PurePosixPath(name).is_absolute() or windows.drive or windows.root:
        return "has an absolute name"
    if ".." in windows.parts:
        return "lies outside the output folder"
    return None


def table_text(time: NDArray[np.float64], columns: Iterable[NDArray[np.float64]]) -> bytes:
    r"""Return the lines of an OutputFile: time and `columns`, a tab after each.

    >>> table_text(np.array([0.0, 5e-6]), [np.array([-0.07, 0.0001])])
    b'0.0\t-0.07\t\n5.0E-6\t1.0E-4\t\n'
    """
    return text_of(np.stack([time, *columns], axis=1))


def _event_file_text(recording: Recording, spec: EventFileSpec) -> bytes:
    """Return the lines of an EventOutputFile, in order of time, then of selection."""
    trains = {(train.path, train.port): train.times for train in recording.events}
    times: list[NDArray[np.float64]] = []
    ids: list[NDArray[np.intp]] = []
    for number, selection in enumerate(spec.selections):
        found = trains.get((selection.path, selection.port))
        if found is not None:
            times.append(found)
            ids.append(np.full(len(found), number))
    if not times:
        return b""
    when, who = np.concatenate(times), np.concatenate(ids)
    order = np.argsort(when, kind="stable")
    texts = java_floats(when[order])
    names = [spec.selections[i].name for i in who[order].tolist()]
    pairs = (
        zip(names, texts, strict=True)
        if spec.format == "ID_TIME"
        else zip(texts, names, strict=True)
    )
    return "".join(f"{a}\t{b}\n" for a, b in pairs).encode()


# Reading


@dataclass(frozen=True, slots=True, eq=False)
class ResultTable:
    """A result file as columns by name, time first and called "t".

    `units` holds what the file says of units (nothing, for the text files of simulators);
    `events` are trains of event times by id.
    """

    source: str
    columns: Mapping[str, NDArray[np.float64]]
    units: Mapping[str, str]
    events: Mapping[str, NDArray[np.float64]]


def read_table(path: str | Path, names: Sequence[str] | None = None) -> ResultTable:
    """Return the columns of a result file.

    Read are the text that jNeuroML, NEURON and most tools write (columns between tabs,
    spaces or commas, with or without a header, gzipped or not), and our `.npz` and `.h5`.
    Columns of text without a header are called `names`, else "1", "2", ... after time.
    """
    path = Path(path)
    if not path.is_file():
        raise UsageError(f"there is no result file {path}")
    suffix = next((s for s in reversed(path.suffixes) if s not in {".gz", ".partial"}), "")
    try:
        if suffix == ".npz":
            return _read_npz(path)
        if suffix in {".h5", ".hdf5"}:
            return _read_hdf5(path)
        return _read_text(path, names)
    except (OSError, EOFError, zipfile.BadZipFile, KeyError) as error:
        raise UsageError(f"{path} is not a readable result file: {error}") from None


def read_events(path: str | Path, format: str | None = None) -> dict[str, NDArray[np.float64]]:  # noqa: A002 - the attribute's name in LEMS
    """Return the times of an EventOutputFile by id.

    Without `format` (TIME_ID or ID_TIME) the column whose numbers never fall, and are not
    all whole, is taken for time.
    """
    text = _text_of(Path(path))
    rows = [line.split() for line in text.splitlines() if line.strip()]
    for number, row in enumerate(rows, 1):
        if len(row) != 2:
            raise UsageError(f"{path}:{number}: an event is an id and a time, this is {row}")
    if not rows:
        return {}
    if format is None:
        format = "TIME_ID" if _time_likeness(rows, 0) > _time_likeness(rows, 1) else "ID_TIME"  # noqa: A001
    time_at, id_at = (0, 1) if format == "TIME_ID" else (1, 0)
    trains: dict[str, list[float]] = {}
    for number, row in enumerate(rows, 1):
        try:
            trains.setdefault(row[id_at], []).append(float(row[time_at]))
        except ValueError:
            raise UsageError(f"{path}:{number}: {row[time_at]!r} is not a time") from None
    return {name: np.array(times) for name, times in trains.items()}


def _time_likeness(rows: list[list[str]], at: int) -> int:
    try:
        numbers = np.array([float(row[at]) for row in rows])
    except ValueError:
        return 0
    ordered = bool(np.all(np.diff(numbers) >= 0))
    written_as_real = any(not row[at].lstrip("-").isdigit() for row in rows)
    return 1 + ordered + 2 * written_as_real


def _text_of(path: Path) -> str:
    try:
        content = path.read_bytes()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
    except (OSError, EOFError) as error:
        raise UsageError(f"cannot read {path}: {error}") from None
    return content.decode("utf-8", errors="replace")


def _read_text(path: Path, names: Sequence[str] | None) -> ResultTable:
    text = _text_of(path)
    header, start = _header(text)
    first = text[start:].lstrip().partition("\n")[0]
    comma = "," if "," in first else None
    try:
        table = (
            np.loadtxt(io.StringIO(text[start:]), delimiter=comma, ndmin=2, comments=("#", "%"))
            if first
            else np.zeros((0, max(len(header), 1)))
        )
    except ValueError as error:
        raise UsageError(f"{path} is not a table of numbers: {error}") from None
    width = table.shape[1]
    if names is not None and len(names) != width - 1:
        raise UsageError(f"{path} has {width - 1} columns beside time, not {len(names)}")
    if names is None and len(header) == width:
        names = header[1:]
    titles = ["t", *(names or [str(number) for number in range(1, width)])]
    pairs = [_title_and_unit(title) for title in titles]
    units = {name: unit for name, unit in pairs if unit is not None}
    if len(header) == width and (unit := _title_and_unit(header[0])[1]) is not None:
        units["t"] = unit
    columns = {name: table[:, i] for i, (name, _) in enumerate(pairs)}
    if len(columns) != width:
        raise UsageError(f"{path} has two columns of one name in its header")
    return ResultTable(str(path), columns, units, {})


def _header(text: str) -> tuple[list[str], int]:
    """Return the titles in the first line that is no row of numbers, and where rows begin."""
    titles: list[str] = []
    start = 0
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        line = text[start:end].strip()
        comment = line.startswith(("#", "%"))
        cells = [
            cell.strip().strip('"')
            for cell in re.split(r"[,\t]" if re.search(r"[,\t]", line) else r"\s+", line)
        ]
        if line and not comment and all(map(_is_number, filter(None, cells))):
            break
        if comment:
            cells = [cells[0].lstrip("#% "), *cells[1:]]
        titles = [cell for cell in cells if cell] or titles
        start = end + 1
        if line and not comment:
            break
    return titles, start


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _title_and_unit(title: str) -> tuple[str, str | None]:
    """Return name and unit of a column's title.

    >>> _title_and_unit("soma v (mV)"), _title_and_unit("pop[0]/v")
    (('soma v', 'mV'), ('pop[0]/v', None))
    """
    found = re.fullmatch(r"(.*?)\s+[(\[]([^()\[\]]*)[)\]]", title)
    return (found[1], found[2]) if found else (title, None)


def _read_npz(path: Path) -> ResultTable:
    with np.load(path, allow_pickle=False) as data:
        arrays = {name: data[name] for name in data.files}
    about = json.loads(str(arrays.pop("about"))) if "about" in arrays else {}
    units = {trace["path"]: trace["unit"] for trace in about.get("traces", ())}
    time = next((arrays.pop(name) for name in ("time", "t") if name in arrays), None)
    if time is None:
        raise UsageError(f"{path} holds no array called 'time'")
    columns = {"t": time}
    events = {}
    for name, array in arrays.items():
        if name.startswith("events/"):
            events[name.removeprefix("events/")] = array
        elif array.shape == time.shape:
            columns[name] = array
    return ResultTable(str(path), columns, {"t": "s", **units} if units else {}, events)


def _read_hdf5(path: Path) -> ResultTable:
    try:
        import h5py  # noqa: PLC0415 - optional, needed for this format alone
    except ImportError:
        raise MissingTool("reading HDF5 needs h5py: pip install 'lemsmith[hdf5]'") from None
    columns: dict[str, NDArray[np.float64]] = {}
    units: dict[str, str] = {}
    events: dict[str, NDArray[np.float64]] = {}

    def keep(name: str, item: Any) -> None:
        if not hasattr(item, "shape") or item.dtype.kind not in "fiu":
            return
        title = str(item.attrs.get("path", name.removeprefix("traces/")))
        if name.startswith("events/"):
            events[f"{title}:{item.attrs['port']}"] = item[()]
            return
        title = "t" if title == "time" else title
        columns[title] = item[()]
        if "unit" in item.attrs:
            units[title] = str(item.attrs["unit"])

    with h5py.File(path) as root:
        root.visititems(keep)
    if "t" not in columns:
        raise UsageError(f"{path} holds no dataset called 'time'")
    return ResultTable(str(path), {"t": columns.pop("t"), **columns}, units, events)
