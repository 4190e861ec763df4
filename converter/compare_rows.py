"""Lists of connections, inputs and instances as multisets of rows, whatever their order.

The columns of both sides become labels, equal where the cells mean the same; rows with the
same labels cancel, and only what is left over is looked at one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import Place
from .cell_paths import CellPaths
from .difference import Findings, plain_number, told
from .document import Column
from .model import Component, ComponentTable, ComponentType

Part = Component | ComponentTable
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

#: Types whose rows mean the same as those of another with what it lacks at its default.
FAMILIES = {
    "connectionWD": "connection",
    "synapticConnectionWD": "synapticConnection",
    "electricalConnectionInstanceW": "electricalConnectionInstance",
    "continuousConnectionInstanceW": "continuousConnectionInstance",
    "inputW": "input",
}

#: What a row means that does not say (NeuroML 2.3, Networks and Inputs).
DEFAULTS = {
    "weight": 1.0, "delay": 0.0,
    "preSegmentId": 0.0, "postSegmentId": 0.0, "preSegment": 0.0, "postSegment": 0.0,
    "segmentId": 0.0,
    "preFractionAlong": 0.5, "postFractionAlong": 0.5, "fractionAlong": 0.5,
}  # fmt: skip

#: Rows of one kind of difference that are told one by one; more are counted.
SHOWN = 5

#: Codes of a plain number, and of a cell that isn't there.
NUMBER, ABSENT = 0, -1


def family(kind: ComponentType) -> str:
    """Return the name under which rows of `kind` are compared."""
    return FAMILIES.get(kind.name, kind.name)


@dataclass(slots=True)
class Codes:
    """The templates of both sides' texts, numbered."""

    templates: list[str] = field(default_factory=lambda: ["{}"])
    numbers: dict[str, int] = field(default_factory=lambda: {"{}": NUMBER})

    def code(self, template: str) -> int:
        """Return the number of `template`."""
        if template not in self.numbers:
            self.numbers[template] = len(self.templates)
            self.templates.append(template)
        return self.numbers[template]


@dataclass(frozen=True, slots=True)
class Cells:
    """A column of one side: row i is the template `codes[i]`, its hole filled by `numbers[i]`."""

    codes: Ints
    numbers: Floats


@dataclass(slots=True)
class Rows:
    """The rows of one side."""

    parts: Sequence[Part]
    starts: Ints
    columns: dict[str, Cells]
    ids: Cells

    @property
    def count(self) -> int:
        """How many rows there are."""
        return int(self.starts[-1])

    def place(self, row: int) -> Place:
        """Return where a row stands."""
        at = int(np.searchsorted(self.starts, row, side="right")) - 1
        part = self.parts[at]
        if isinstance(part, Component):
            return part.place
        return part.table.place_of(row - int(self.starts[at]))


def compare_rows(
    path: str,
    left: Sequence[Part],
    right: Sequence[Part],
    paths: tuple[CellPaths, CellPaths],
    findings: Findings,
) -> None:
    """Note how the rows of two lists of one family differ.

    The ids of connections and inputs mean nothing; instances are known by theirs.
    """
    codes = Codes()
    sides = tuple(_rows(parts, of, codes) for parts, of in zip((left, right), paths, strict=True))
    _Rows(path, sides[0], sides[1], codes, findings, (*left, *right)[0].type).compare()


# --- reading ---------------------------------------------------------------------------------


def _rows(parts: Sequence[Part], paths: CellPaths, codes: Codes) -> Rows:
    counts = [1 if isinstance(part, Component) else part.rows for part in parts]
    read = [
        _of_component(part, paths, codes)
        if isinstance(part, Component)
        else _of_table(part, paths, codes)
        for part in parts
    ]
    names = dict.fromkeys(name for columns in read for name in columns)
    joined = {
        name: _join(
            [
                columns.get(name) or _absent(count)
                for columns, count in zip(read, counts, strict=True)
            ]
        )
        for name in names
    }
    total = sum(counts)
    ids = joined.get("id") or _absent(total)
    if not any(part.type.is_a("instance") for part in parts):
        joined.pop("id", None)
    starts = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
    return Rows(parts, starts.astype(np.int64), joined, ids)


def _join(cells: Sequence[Cells]) -> Cells:
    if len(cells) == 1:
        return cells[0]
    return Cells(
        np.concatenate([c.codes for c in cells]), np.concatenate([c.numbers for c in cells])
    )


def _absent(rows: int) -> Cells:
    return Cells(np.full(rows, ABSENT, np.int64), np.zeros(rows))


def _numbers(values: NDArray[Any]) -> Cells:
    return Cells(np.zeros(len(values), np.int64), values.astype(float))


def _of_table(table: ComponentTable, paths: CellPaths, codes: Codes) -> dict[str, Cells]:
    kind = table.type
    found = {name: _numbers(table.values[name]) for name in kind.parameters if name in table.values}
    known = (
        kind.paths
        | kind.texts
        | kind.index_parameters
        | kind.references.keys()
        | kind.links.keys()
        | {"id", "segment", "segmentGroup"}
    )
    for name, column in table.columns.items():
        slot, slash, _ = name.partition("/")
        if name not in found and (slot in kind.child if slash else name in known):
            found[name] = _of_column(column, paths, codes)
    return found


def _of_column(column: Column, paths: CellPaths, codes: Codes) -> Cells:
    rows = len(column.numbers)
    if column.kind != "text":
        kinds = np.zeros(rows, np.int64)
        if column.present is not None:
            kinds[~column.present] = ABSENT
        return Cells(kinds, column.numbers.astype(float))
    numbers = column.numbers.astype(float)
    mapped = np.full(len(column.templates) + 1, ABSENT, np.int64)  # the last is for -1
    for code, template in enumerate(column.templates):
        value = plain_number(template)
        if value is not None:
            mapped[code] = NUMBER
            numbers[column.codes == code] = value
            continue
        spelling = paths.spelling(template)
        mapped[code] = codes.code(spelling.template)
        if spelling.changes_numbers:
            chosen = np.flatnonzero(column.codes == code)
            numbers[chosen] = spelling.numbers(column.numbers[chosen])
    return Cells(mapped[column.codes], numbers)


def _of_component(component: Component, paths: CellPaths, codes: Codes) -> dict[str, Cells]:
    kind = component.type
    found = {
        name: _numbers(np.array([component.values[name]]))
        for name in kind.parameters
        if name in component.values
    }
    texts = {**component.texts, **component.references}
    if component.id is not None:
        texts["id"] = component.id
    for name, text in texts.items():
        value = plain_number(text)
        if value is not None:
            found[name] = _numbers(np.array([value]))
            continue
        template, number = paths.spelled(text)
        found[name] = Cells(np.array([codes.code(template)]), np.array([float(number)]))
    for slot, _, part in component.parts:
        if isinstance(part, Component):
            inside = _of_component(part, paths, codes)
            found.update({f"{slot}/{name}": cells for name, cells in inside.items()})
    return found


# --- comparing --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Rows:
    path: str
    left: Rows
    right: Rows
    codes: Codes
    findings: Findings
    kind: ComponentType

    def compare(self) -> None:
        names = dict.fromkeys((*self.left.columns, *self.right.columns))
        labels = {name: self.labels(name) for name in names}
        whole = _combined(list(labels.values()), self.left.count + self.right.count)
        left, right = self.left_over(whole)
        if not len(left) and not len(right):
            return
        ends = [
            label
            for name, label in labels.items()
            if name not in self.kind.parameters and name not in DEFAULTS and "/" not in name
        ]
        keys = (_combined(ends, len(whole)), self.id_labels())
        for key in keys:
            at_left, at_right = _joined(key[left], key[self.left.count + right])
            self.pairs(labels, left[at_left], right[at_right])
            left, right = np.delete(left, at_left), np.delete(right, at_right)
        self.alone(left, self.left, on_left=True)
        self.alone(right, self.right, on_left=False)

    def labels(self, name: str) -> Ints:
        """Return numbers that are equal where the cells of a column, left then right, are."""
        return _labels(
            [self.cells(rows, name) for rows in (self.left, self.right)], self.findings.tolerance
        )

    def id_labels(self) -> Ints:
        """Return labels of ids; a row without one has its own."""
        labels = _labels([self.left.ids, self.right.ids], 0.0)
        absent = np.concatenate([self.left.ids.codes, self.right.ids.codes]) == ABSENT
        labels[absent] = -1 - np.arange(len(labels))[absent]
        return labels

    def cells(self, rows: Rows, name: str) -> Cells:
        """Return a column with what is not there at its default."""
        cells = rows.columns.get(name) or _absent(rows.count)
        default = DEFAULTS.get(name)
        missing = cells.codes == ABSENT
        if default is None or not missing.any():
            return cells
        return Cells(
            np.where(missing, NUMBER, cells.codes), np.where(missing, default, cells.numbers)
        )

    def left_over(self, labels: Ints) -> tuple[Ints, Ints]:
        """Return the rows of either side that have no like on the other."""
        size = self.left.count
        if not len(labels):
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        most = int(labels.max()) + 1
        counts = [np.bincount(side, minlength=most) for side in (labels[:size], labels[size:])]
        excess = counts[0] - counts[1]
        if not excess.any():
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        found = []
        for side, surplus in ((labels[:size], excess), (labels[size:], -excess)):
            # Of rows that are alike, the first ones find their like.
            matched = np.minimum(counts[0], counts[1])[side]
            found.append(np.flatnonzero((surplus[side] > 0) & (_ranks(side) >= matched)))
        return found[0], found[1]

    # --- telling ------------------------------------------------------------------------------

    def pairs(self, labels: dict[str, Ints], left: Ints, right: Ints) -> None:
        """Note in which columns rows that belong together differ."""
        for name, label in labels.items():
            differ = np.flatnonzero(label[left] != label[self.left.count + right])
            if len(differ) > SHOWN:
                row, other = int(left[differ[0]]), int(right[differ[0]])
                what = f"{name} of {len(differ):,} rows of {self.kind.name}, first"
                self.cell(self.path, what, name, row, other)
                continue
            for at in differ:
                row, other = int(left[at]), int(right[at])
                self.cell(f"{self.path}/{self.name(self.left, row)}", name, name, row, other)

    def cell(self, path: str, what: str, name: str, left: int, right: int) -> None:
        """Note a difference of one cell."""
        texts: tuple[str | None, str | None]
        if name in self.kind.parameters:
            a, b = (
                float(self.cells(rows, name).numbers[row])
                for rows, row in ((self.left, left), (self.right, right))
            )
            texts = told(a, b, self.kind.parameters[name].dimension)
        else:
            texts = self.text(self.left, name, left), self.text(self.right, name, right)
        # An absent cell is a difference from one with a value, not a row that isn't there.
        shown = ["not given" if text is None else text for text in texts]
        places = self.left.place(left), self.right.place(right)
        self.findings.add(path, what, shown[0], shown[1], places, name)

    def alone(self, rows: Ints, of: Rows, *, on_left: bool) -> None:
        """Note rows that only one side has."""
        for row in map(int, rows if len(rows) <= SHOWN else rows[:1]):
            path, what = f"{self.path}/{self.name(of, row)}", self.kind.name
            shown = self.row(of, row)
            if len(rows) > SHOWN:
                path, what = self.path, f"{len(rows):,} rows of {self.kind.name}, first"
            place = of.place(row)
            if on_left:
                self.findings.add(path, what, shown, None, (place, None))
            else:
                self.findings.add(path, what, None, shown, (None, place))

    def name(self, rows: Rows, row: int) -> str:
        """Return what a row is called."""
        if rows.ids.codes[row] == ABSENT:
            return f"{self.kind.name} {row}"
        return f"{self.kind.name} {self.filled(rows.ids, row)}"

    def row(self, rows: Rows, row: int) -> str:
        """Return all cells of a row as text."""
        cells = ((name, self.text(rows, name, row)) for name in rows.columns if name != "id")
        return ", ".join(f"{name} {text}" for name, text in cells if text is not None)

    def text(self, rows: Rows, name: str, row: int) -> str | None:
        """Return a cell as text."""
        cells = self.cells(rows, name)
        if cells.codes[row] == ABSENT:
            return None
        if name in self.kind.parameters:
            value = float(cells.numbers[row])
            return told(value, value, self.kind.parameters[name].dimension)[0]
        return self.filled(cells, row)

    def filled(self, cells: Cells, row: int) -> str:
        """Return a cell's template with its number in it."""
        template = self.codes.templates[int(cells.codes[row])]
        return template.replace("{}", f"{float(cells.numbers[row]):.15g}")


def _labels(cells: Sequence[Cells], tolerance: float) -> Ints:
    """Return a number per cell, the same where code and number are, but for rounding."""
    both = _join(cells)
    codes, numbers = both.codes - ABSENT, both.numbers
    if not len(codes):
        return codes
    if np.all(numbers == numbers[0]):
        return codes
    values, back = np.unique(numbers, return_inverse=True)
    with np.errstate(invalid="ignore"):
        apart = np.diff(values) > tolerance * np.maximum(np.abs(values[1:]), np.abs(values[:-1]))
    cluster = np.concatenate([[0], np.cumsum(apart)])
    return np.asarray(codes * len(values) + cluster[back.ravel()], dtype=np.int64)


def _combined(labels: Sequence[Ints], rows: int) -> Ints:
    """Return a number per row, the same where all labels are, below the number of rows."""
    key = np.zeros(rows, np.int64)
    for label in labels:
        if len(label) and np.all(label == label[0]):
            continue
        joint = key * (int(label.max(initial=0)) + 1) + label
        key = np.unique(joint, return_inverse=True)[1].ravel().astype(np.int64)
    return key


def _ranks(key: Ints) -> Ints:
    """Return how many rows with the same key come before each row."""
    order = np.argsort(key, kind="stable")
    inorder = key[order]
    starts = np.flatnonzero(np.append(True, inorder[1:] != inorder[:-1])[: len(key)])
    ranks = np.empty(len(key), np.int64)
    lengths = np.diff(np.append(starts, len(key)))
    ranks[order] = np.arange(len(key)) - np.repeat(starts, lengths)
    return ranks


def _joined(left: Ints, right: Ints) -> tuple[Ints, Ints]:
    """Return the indices of members that have the same key, one to one, in order."""
    if not len(left) or not len(right):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    ranks = _ranks(left), _ranks(right)
    most = int(max(r.max() for r in ranks)) + 1
    _, at_left, at_right = np.intersect1d(
        left * most + ranks[0], right * most + ranks[1], assume_unique=True, return_indices=True
    )
    return at_left.astype(np.int64), at_right.astype(np.int64)
