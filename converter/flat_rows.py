"""Rows that are written alike, taken from bytes many at a time.

Networks list connections by the million, one like the other:

    <connection id="7" preCellId="../a[1]" postCellId="../b[2]"/>

each on a line of its own, with the same attributes in the same order. Where a stretch of a file
is of such rows and of nothing else, their values are found by the quotes around them, for all
rows at once. Anything unusual (an entity, another order, a comment, a child) gives None, and the
stretch is left to the XML parser.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .tables import NUMERIC, Packed, Texts, encode, split

#: Printable ASCII, but for what begins a tag or an entity.
_PLAIN: Final = bytes(c for c in range(0x20, 0x7F) if c not in b"<&")

_NUMERIC: Final = np.zeros(256, dtype=np.bool_)
_NUMERIC[[ord(c) for c in NUMERIC]] = True

_FRACTION: Final = np.zeros(256, dtype=np.bool_)
_FRACTION[[ord(c) for c in ".eE"]] = True

#: What stands before each row: the end of a line and blanks.
_BEFORE: Final = re.compile(rb"(\r?\n)([ \t]*)")

#: Digits beyond which a whole number is left to Python's own.
_DIGITS: Final = 18

Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class FlatRows:
    """Rows found: one `Packed` per attribute, and where the rows stand.

    Row i begins `i + 1` lines below the line in which the stretch begins, in column `column`
    (from 1).
    """

    rows: int
    packed: tuple[Packed, ...]
    column: int


def blanks(content: bytearray, begin: int, end: int) -> bytes:
    """Return blanks that take as many bytes and lines as flat rows do, and end in their column."""
    lines = content.count(b"\n", begin, end)
    last = end - 1 - content.rfind(b"\n", begin, end)
    return b" " * (end - begin - lines - last) + b"\n" * lines + b" " * last


def flat_rows(
    content: bytes, tag: str, names: Sequence[str], texts: Sequence[Texts]
) -> FlatRows | None:
    """Return the rows of `content`, or None unless it is nothing but flat rows.

    `content` begins just behind a row and ends with one. The rows are elements `tag` with the
    attributes `names`; `texts` knows the texts of each attribute so far.
    """
    before = _BEFORE.match(content)
    if before is None or not names:
        return None
    data = np.frombuffer(content, dtype=np.uint8)
    quotes = np.flatnonzero(data == ord('"'))
    rows, rest = divmod(len(quotes), 2 * len(names))
    if rest or not rows:
        return None
    opens, closes = quotes.reshape(rows, -1, 2).transpose(2, 1, 0)
    first = before[0] + f"<{tag} {names[0]}=".encode()
    gaps = [f" {name}=".encode() for name in names[1:]]
    if not (
        content.startswith(first)
        and opens[0, 0] == len(first)
        and content[closes[-1, -1] + 1 :] == b"/>"
        and _all_between(data, closes[-1, :-1], opens[0, 1:], b"/>" + first)
        and all(_all_between(data, closes[n], opens[n + 1], gap) for n, gap in enumerate(gaps))
        and _is_plain(content, rows, before)
    ):
        return None
    packed = []
    for n, known in enumerate(texts):
        column = _column(content, data, opens[n] + 1, closes[n], known)
        if column is None:
            return None
        packed.append(column)
    return FlatRows(rows, tuple(packed), len(before[2]) + 1)


def _is_plain(content: bytes, rows: int, before: re.Match[bytes]) -> bool:
    """Tell whether values hold nothing that XML would change, the rest being checked."""
    odd = content.translate(None, _PLAIN)
    between = (b"\r\n" if len(before[1]) == 2 else b"\n") + b"\t" * before[2].count(b"\t") + b"<"
    return odd == between * rows


def _all_between(data: Bytes, starts: Ints, ends: Ints, expected: bytes) -> bool:
    """Tell whether `expected` stands between every pair of quotes."""
    if not np.array_equal(ends - starts - 1, np.full(len(starts), len(expected))):
        return False
    return _same(data, starts + 1, expected)


def _column(content: bytes, data: Bytes, starts: Ints, ends: Ints, texts: Texts) -> Packed | None:
    """Return the values between `starts` and `ends` as `tables.encode` does."""
    rows, lengths = len(starts), ends - starts
    if not lengths.all():
        return None
    one = content[starts[0] : ends[0]]
    first = one.decode("ascii")
    if rows > 1 and bool((lengths == len(one)).all()) and _same(data, starts, one):
        kind, numbers, codes = encode([first], texts)
        return Packed(kind, rows, np.repeat(numbers, rows), np.repeat(codes, rows), None)
    whole = _whole(data, starts, ends)
    if whole is not None:
        return Packed("integer", rows, whole, _NO_CODES, None)
    if "{}" not in first:
        template, _ = split(first)
        if "{}" in template:
            head, _, tail = (part.encode() for part in template.partition("{}"))
            inner = _inner(data, starts, ends, head, tail)
            if inner is not None:
                code = texts.codes.setdefault(template, len(texts.codes))
                return Packed("text", rows, inner, np.full(rows, code, dtype=np.int32), None)
    if first[0] in NUMERIC:
        numbers_at = _numbers(data, starts, lengths)
        if numbers_at is not None:
            return Packed("number", rows, numbers_at, _NO_CODES, None)
    text = content.decode("ascii")
    given = [text[a:b] for a, b in zip(starts.tolist(), ends.tolist(), strict=True)]
    kind, numbers, codes = encode(given, texts)
    return Packed(kind, rows, numbers, codes, None)


_NO_CODES: Final[NDArray[np.int32]] = np.empty(0, dtype=np.int32)


def _same(data: Bytes, starts: Ints, expected: bytes) -> bool:
    """Tell whether `expected` stands at every place of `starts`."""
    at, size = 0, len(expected)
    while at < size:
        # As long words as fit, read wherever they begin.
        width = next(w for w in (8, 4, 2, 1) if w <= size - at)
        words = np.ndarray((len(data) - width + 1,), f"<u{width}", data, strides=(1,))
        wanted = int.from_bytes(expected[at : at + width], "little")
        if not bool((words[starts + at] == wanted).all()):
            return False
        at += width
    return True


def _whole(data: Bytes, starts: Ints, ends: Ints, most: int = _DIGITS) -> Ints | None:
    """Return whole numbers as people write them, None where there is another thing."""
    lengths = ends - starts
    longest = int(lengths.max())
    if longest > most or int(lengths.min()) < 1:
        return None
    if bool(((data[starts] == ord("0")) & (lengths > 1)).any()):
        return None
    found: Ints = np.zeros(len(starts), dtype=np.int64)
    scale = 1
    shortest = int(lengths.min())
    for place in range(longest):
        # A byte below "0" wraps round: it is above 9, too.
        if place < shortest:
            digit = data[ends - 1 - place] - np.uint8(ord("0"))
        else:
            there = lengths > place
            digit = data[np.where(there, ends - 1 - place, 0)] - np.uint8(ord("0"))
            digit[~there] = 0
        if int(digit.max()) > 9:
            return None
        found += digit * np.int64(scale)
        scale *= 10
    return found


def _inner(data: Bytes, starts: Ints, ends: Ints, head: bytes, tail: bytes) -> Ints | None:
    """Return the numbers between `head` and `tail`, None unless all values are so."""
    inside, outside = starts + len(head), ends - len(tail)
    if bool((outside <= inside).any()):
        return None
    if not (_same(data, starts, head) and _same(data, outside, tail)):
        return None
    return _whole(data, inside, outside, most=9)


def _numbers(data: Bytes, starts: Ints, lengths: Ints) -> NDArray[np.float64] | None:
    """Return plain numbers, None where a value is something else."""
    longest = int(lengths.max())
    if longest > 64:
        return None
    places = np.arange(longest)
    there = places < lengths[:, None]
    cells = data[np.where(there, starts[:, None] + places, starts[:, None])]
    if not bool(_NUMERIC[cells].all()) or not bool(_FRACTION[cells].any()):
        return None  # no numbers, or perhaps whole ones
    cells = np.where(there, cells, 0).astype(np.uint8)
    try:
        found = np.ascontiguousarray(cells).view(f"S{longest}").ravel().astype(np.float64)
    except ValueError:
        return None
    return found if bool(np.isfinite(found).all()) else None
