"""Long runs of like elements, gathered as text and packed into columns.

`Run` takes the attributes of one row after another and gives a `Table`. The rows wait as
one flat list of strings and are packed by the chunk, so that neither an object per element
nor all the text of a million of them is ever held.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .document import Column, Table

#: Strings that wait before they are packed.
CHUNK = 1 << 18

#: Attributes that the rows of one table may have between them; more is no network.
WIDTH = 64

#: Distinct texts remembered per column; each spares the work of taking it apart again.
REMEMBERED = 1 << 18

#: The characters of a plain number; `float` alone would also take "nan" and "1_0".
NUMERIC = frozenset("0123456789+-.eE")

#: Beyond this an integer has no exact float.
EXACT = 1 << 53


class Unstorable(Exception):
    """A text that a column cannot hold: it contains the mark of a hole, `{}`."""


@dataclass(frozen=True, slots=True)
class Packed:
    """One attribute of a chunk of rows; `kind` as in `Column`, or "absent"."""

    kind: str
    rows: int
    numbers: NDArray[Any]
    codes: NDArray[np.int32]
    present: NDArray[np.bool_] | None


class Texts(dict[str, int]):
    """Knows each text as `code << 32 | number`: its template and what fills the hole."""

    def __init__(self) -> None:
        self.codes: dict[str, int] = {}

    def __missing__(self, text: str) -> int:
        template, number = split(text)
        packed = self.codes.setdefault(template, len(self.codes)) << 32 | number
        if len(self) >= REMEMBERED:
            self.clear()
        self[text] = packed
        return packed


def split(text: str) -> tuple[str, int]:
    """Return `text` as a template and the index of a cell that fills its hole.

    Raises `Unstorable` where the text already looks like a template.

    >>> split("../pop2/12/cell_0"), split("pop[3]"), split("0.5ms")
    (('../pop2/{}/cell_0', 12), ('pop[{}]', 3), ('0.5ms', 0))
    """
    if "{}" in text:
        raise Unstorable(text)
    head, bracket, rest = text.partition("[")
    if bracket:
        digits, closing, tail = rest.partition("]")
        if closing and _is_index(digits):
            return f"{head}[{{}}]{tail}", int(digits)
    elif "/" in text:
        parts = text.split("/")
        for i, part in enumerate(parts):
            if _is_index(part):
                parts[i] = "{}"
                return "/".join(parts), int(part)
    return text, 0


def _is_index(text: str) -> bool:
    return (
        0 < len(text) < 10
        and text.isascii()
        and text.isdigit()
        and (text[0] != "0" or len(text) == 1)
    )


@dataclass(slots=True)
class Run:
    """Consecutive elements of one tag, not yet a table.

    `values` holds the rows not yet packed, `len(names)` strings each.
    """

    tag: str
    file: str
    names: list[str] = field(default_factory=list)
    values: list[str | None] = field(default_factory=list)
    lines: array[int] = field(default_factory=lambda: array("i"))
    columns_at: array[int] = field(default_factory=lambda: array("i"))
    packed: dict[str, list[Packed]] = field(default_factory=dict)
    texts: dict[str, Texts] = field(default_factory=dict)
    rows_packed: int = 0

    def add(self, row: Mapping[str, str], line: int, column: int) -> bool:
        """Add a row by attribute; False, and nothing done, if the table has no room for it."""
        new = [name for name in row if name not in self.names]
        if len(self.names) + len(new) > WIDTH and self.lines:
            return False
        if new:
            self.pack()
            self.names = self.names + new
        self.values.extend(map(row.get, self.names))
        self.lines.append(line)
        self.columns_at.append(column)
        return True

    def take_last(self) -> tuple[dict[str, str], int, int]:
        """Take out the row added last, which must not have been packed yet, and its place."""
        start = len(self.values) - len(self.names)
        last = zip(self.names, self.values[start:], strict=True)
        del self.values[start:]
        row = {name: value for name, value in last if value is not None}
        return row, self.lines.pop(), self.columns_at.pop()

    def pack(self) -> None:
        """Turn the waiting text into arrays; raises `Unstorable`."""
        rows = len(self.lines) - self.rows_packed
        if rows == 0:
            return
        width = len(self.names)
        for i, name in enumerate(self.names):
            if name not in self.packed:
                absent = [_absent(self.rows_packed)] if self.rows_packed else []
                self.packed[name] = absent
                self.texts[name] = Texts()
            self.packed[name].append(_pack(self.values[i::width], self.texts[name]))
        self.values.clear()
        self.rows_packed += rows

    def add_packed(self, packed: Sequence[Packed], line: int, column: int) -> None:
        """Add rows that are columns already, one for each of `names`.

        They stand in `line` and those below it, one each, all in `column`.
        """
        rows = packed[0].rows
        self.pack()
        for name, chunk in zip(self.names, packed, strict=True):
            self.packed[name].append(chunk)
        self.lines.frombytes(np.arange(line, line + rows, dtype=np.intc).tobytes())
        self.columns_at.frombytes(np.full(rows, column, dtype=np.intc).tobytes())
        self.rows_packed += rows

    def table(self) -> Table:
        """Return the rows as a table; raises `Unstorable`."""
        self.pack()
        columns = {
            name: _column(chunks, self.texts[name])
            for name, chunks in self.packed.items()
            if any(chunk.kind != "absent" for chunk in chunks)
        }
        return table(self.tag, columns, self.file, self.lines, self.columns_at)


def table(
    tag: str, columns: Mapping[str, Column], file: str, lines: array[int], columns_at: array[int]
) -> Table:
    """Return a table with a row for each of `lines`."""
    return Table(
        tag,
        len(lines),
        columns,
        file,
        np.array(lines, dtype=np.int32),
        np.array(columns_at, dtype=np.int32),
    )


def _absent(rows: int) -> Packed:
    return Packed("absent", rows, _NO_NUMBERS, _NO_CODES, None)


_NO_NUMBERS: NDArray[np.int64] = np.empty(0, dtype=np.int64)
_NO_CODES: NDArray[np.int32] = np.empty(0, dtype=np.int32)


def _pack(values: Sequence[str | None], texts: Texts) -> Packed:
    """Return one attribute's values in the narrowest encoding that keeps them."""
    rows = len(values)
    present = None
    given: list[str] = values  # type: ignore[assignment]  # None is taken out just below
    if None in values:
        given = [value for value in values if value is not None]
        if not given:
            return _absent(rows)
        present = np.fromiter((value is not None for value in values), np.bool_, rows)
    kind, numbers, codes = encode(given, texts)
    if present is None:
        return Packed(kind, rows, numbers, codes, None)
    spread = np.zeros(rows, dtype=numbers.dtype)
    spread[present] = numbers
    if kind == "text":
        spread_codes = np.full(rows, -1, dtype=np.int32)
        spread_codes[present] = codes
        codes = spread_codes
    return Packed(kind, rows, spread, codes, present)


def encode(given: list[str], texts: Texts) -> tuple[str, NDArray[Any], NDArray[np.int32]]:
    """Return the values as kind, numbers and codes."""
    rows, first = len(given), given[0]
    if rows > 1 and given.count(first) == rows:  # a weight that is the same everywhere
        kind, numbers, codes = encode([first], texts)
        return kind, np.repeat(numbers, rows), np.repeat(codes, rows)
    if first.isdecimal() and given[-1].isdecimal():
        start = int(first) if len(first) < 16 else 0
        if given == list(map(str, range(start, start + rows))):  # ids that count
            return "integer", np.arange(start, start + rows, dtype=np.int64), _NO_CODES
    try:
        whole = array("q", map(int, given))
        if list(map(str, whole)) == given:  # "007" and "+7" must come back as written
            return "integer", np.array(whole, dtype=np.int64), _NO_CODES
    except (ValueError, OverflowError):
        pass
    try:
        numbers = np.fromiter(map(float, given), np.float64, rows)
        if NUMERIC.issuperset("".join(given)) and bool(np.isfinite(numbers).all()):
            return "number", numbers, _NO_CODES
    except ValueError:
        pass
    packed = np.fromiter(map(texts.__getitem__, given), np.int64, rows)
    return "text", packed & 0xFFFFFFFF, (packed >> 32).astype(np.int32)


def _column(chunks: Sequence[Packed], texts: Texts) -> Column:
    """Join the chunks of one attribute, in the one encoding that holds them all."""
    kinds = {chunk.kind for chunk in chunks} - {"absent"}
    if kinds == {"integer", "number"} and all(
        chunk.kind == "number" or bool((np.abs(chunk.numbers) <= EXACT).all()) for chunk in chunks
    ):
        kinds = {"number"}
    kind = kinds.pop() if len(kinds) == 1 else "text"
    if kind == "text":
        chunks = [_as_text(chunk, texts) for chunk in chunks]
        codes = _join([chunk.codes for chunk in chunks])
        numbers = _join([chunk.numbers for chunk in chunks])
        return Column("text", numbers, codes, tuple(texts.codes))
    of = np.dtype(np.float64 if kind == "number" else np.int64)
    numbers = _join(
        [
            np.zeros(chunk.rows, of) if chunk.kind == "absent" else chunk.numbers.astype(of)
            for chunk in chunks
        ]
    )
    return Column(kind, numbers, _NO_CODES, (), _presence(chunks))


def _as_text(chunk: Packed, texts: Texts) -> Packed:
    if chunk.kind == "text":
        return chunk
    if chunk.kind == "absent":
        zeros = np.zeros(chunk.rows, dtype=np.int64)
        codes = np.full(chunk.rows, -1, dtype=np.int32)
        return Packed("text", chunk.rows, zeros, codes, None)
    if chunk.kind == "integer":
        hole = texts.codes.setdefault("{}", len(texts.codes))
        numbers = chunk.numbers
        codes = np.full(chunk.rows, hole, dtype=np.int32)
    else:
        spelled = map(repr, chunk.numbers.tolist())
        packed = np.fromiter(map(texts.__getitem__, spelled), np.int64, chunk.rows)
        numbers, codes = packed & 0xFFFFFFFF, (packed >> 32).astype(np.int32)
    if chunk.present is not None:
        codes[~chunk.present] = -1
    return Packed("text", chunk.rows, numbers, codes, None)


def _presence(chunks: Sequence[Packed]) -> NDArray[np.bool_] | None:
    if all(chunk.kind != "absent" and chunk.present is None for chunk in chunks):
        return None
    return _join(
        [
            np.full(chunk.rows, chunk.kind != "absent") if chunk.present is None else chunk.present
            for chunk in chunks
        ]
    )


def _join(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
