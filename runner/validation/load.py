"""Result files as what `compare` takes: a time, columns, trains of events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..results import read_events, read_table
from .detection import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Traces:
    """A recording read from a file; times in s, event times by source."""

    time: Floats
    columns: Mapping[str, Floats]
    units: Mapping[str, str] = field(default_factory=dict)
    events: Mapping[str, Floats] = field(default_factory=dict)


def load(path: Path, names: Sequence[str] | None = None) -> Traces:
    """Return the traces of a result file in any format that lemsmith reads.

    `names` name the columns of a text file without a header. Raises `UsageError` where the
    file cannot be read, `MissingTool` where its format needs a package.
    """
    table = read_table(path, names)
    columns = dict(table.columns)
    return Traces(columns.pop("t"), columns, table.units, table.events)


def load_events(path: Path) -> dict[str, Floats]:
    """Return the event times, in s, of an EventOutputFile by source."""
    return read_events(path)
