"""Where in its file a part of an element stands, found again in the bytes when asked."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..errors import SHOWN_FAULTS, Fault, ModelError, Place
from .document import Document, Element, Source, Table

_NEWLINE: Final = re.compile(rb"\r\n|\r|\n")
_OPENING: Final = re.compile(rb"<[^\s/>=<]+")
_ATTRIBUTE: Final = re.compile(rb"\s+([^\s=<>]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
_CLOSING: Final = re.compile(rb"\s*>(?:\s|<!--.*?-->)*", re.DOTALL)

#: Bytes before the end of a line in which the tag that ends there is looked for.
_WINDOW: Final = 100_000

#: What is one character of an attribute's value.
_CHARACTER: Final = re.compile(rb"&[^;]*;|\r\n|[\x00-\x7f]|[\x80-\xff][\x80-\xbf]*")


def attribute_place(document: Document, element: Element, name: str, offset: int = 0) -> Place:
    """Return where character `offset` of the attribute's value stands.

    The element's own place, if the attribute isn't found there.
    """
    return _value_place(document, element.place, name, offset)


def attribute_place_in_table(
    document: Document, table: Table, row: int, name: str, offset: int = 0
) -> Place:
    """Return where character `offset` of an attribute's value in `row` stands.

    `name` may be that of a leaf, such as "location/x".
    """
    return _value_place(document, table.place_of(row), name, offset)


def place_of_attribute(document: Document, place: Place, name: str) -> Place:
    """Return where the value of an attribute of the element at `place` begins, or `place`."""
    return _value_place(document, place, name, 0) if name else place


def place_at(document: Document, file: str, line: int, tag: str) -> Place:
    """Return where the last element `tag` that starts not after `line` of `file` begins."""
    start = Place(file, line, 1)
    source = _text_source(document, start)
    if source is None:
        return start
    starts = _line_starts(source.content)
    end = int(starts[line]) if line < len(starts) else len(source.content)
    opening = re.compile(rb"<(?:[^\s<>:/]+:)?" + re.escape(tag.encode()) + rb"(?=[\s/>])")
    window = max(0, end - _WINDOW)
    last = None
    for last in opening.finditer(source.content, window, end):  # noqa: B007 - the last is wanted
        pass
    if last is None:
        return start
    at = int(np.searchsorted(starts, last.start(), side="right"))
    text = source.content[int(starts[at - 1]) : last.start()]
    return Place(file, at, len(text.decode("utf-8", "replace")) + 1)


def text_place(document: Document, element: Element) -> Place:
    """Return where the element's text begins, or the element's place if it has none."""
    source = _text_source(document, element.place)
    if source is None:
        return element.place
    content, start = source.content, _offset(source, element.place)
    _, end = _attributes(content, start)
    closing = _CLOSING.match(content, end)
    if closing is None or closing.end() >= len(content):
        return element.place
    return _advance(element.place, content[start : closing.end()])


def about_the_document(document: Document, faults: Iterable[Fault]) -> tuple[Fault, ...]:
    """Return `faults`, those without a place at the beginning of the model's first file."""
    start = Place(next(iter(document.sources)), 1, 1)
    return tuple(f if f.place is not None else replace(f, place=start) for f in faults)


def with_lines(document: Document, faults: Iterable[Fault]) -> ModelError:
    """Return the error of `faults`, with the source lines of those that are shown."""
    found = tuple(faults)
    lines: dict[Place, str] = {}
    once: dict[tuple[str, int], str] = {}  # a line may be long, and have many faults
    for fault in found[:SHOWN_FAULTS]:
        place = fault.place
        source = None if place is None else _text_source(document, place)
        if place is None or source is None:
            continue
        key = (place.file, place.line)
        if key not in once:
            once[key] = _line(source, place.line).decode("utf-8", "replace")
        lines[place] = once[key]
    return ModelError(found, lines)


def _value_place(document: Document, place: Place, name: str, offset: int) -> Place:
    source = _text_source(document, place)
    if source is None:
        return place
    content, start = source.content, _offset(source, place)
    leaf, _, attribute = name.rpartition("/")
    tag = start
    if leaf:
        pattern = rb"<!--.*?-->|<(?:[^\s<>:/]+:)?" + re.escape(leaf.encode()) + rb"(?=[\s/>])"
        for found in re.compile(pattern, re.DOTALL).finditer(content, start):
            if not found[0].startswith(b"<!--"):
                tag = found.start()
                break
    values, _ = _attributes(content, tag)
    wanted = attribute.encode("utf-8", "replace")
    at = values.get(wanted)
    if at is None:
        at = next((at for key, at in values.items() if key.endswith(b":" + wanted)), None)
    if at is None:
        return place
    for _ in range(offset):
        character = _CHARACTER.match(content, at)
        if character is None:
            break
        at = character.end()
    return _advance(place, content[start:at])


def _attributes(content: bytes, start: int) -> tuple[dict[bytes, int], int]:
    """Return where the values of the tag at `start` begin, and where the last of them ends."""
    opening = _OPENING.match(content, start)
    values: dict[bytes, int] = {}
    end = opening.end() if opening else start
    while opening and (found := _ATTRIBUTE.match(content, end)):
        values[found[1]] = found.start(2) if found[2] is not None else found.start(3)
        end = found.end()
    return values, end


def _advance(place: Place, passed: bytes) -> Place:
    """Return the place after the text `passed`, which begins at `place`."""
    newlines = list(_NEWLINE.finditer(passed))
    last = passed[newlines[-1].end() :] if newlines else passed
    column = len(last.decode("utf-8", "replace")) + (1 if newlines else place.column)
    return Place(place.file, place.line + len(newlines), column)


def _text_source(document: Document, place: Place) -> Source | None:
    """Return the file of `place` as UTF-8 without a byte order mark, if it is text."""
    source = document.sources.get(place.file)
    if source is None or not source.encoding:
        return None
    content = source.content
    if source.encoding.lower() not in ("utf-8", "us-ascii"):
        content = _recode(content, source.encoding)
    return Source(source.name, source.path, content.removeprefix(b"\xef\xbb\xbf"))


@lru_cache(maxsize=4)
def _recode(content: bytes, encoding: str) -> bytes:
    return content.decode(encoding, "replace").encode("utf-8").removeprefix(b"\xef\xbb\xbf")


@lru_cache(maxsize=4)
def _line_starts(content: bytes) -> NDArray[np.int64]:
    if b"\r" not in content:
        ends = np.flatnonzero(np.frombuffer(content, dtype=np.uint8) == 0x0A) + 1
    else:
        ends = np.array([found.end() for found in _NEWLINE.finditer(content)], dtype=np.int64)
    return np.concatenate([np.zeros(1, dtype=np.int64), ends])


@lru_cache(maxsize=4)
def _is_ascii(content: bytes) -> bool:
    return content.isascii()


def _line(source: Source, line: int) -> bytes:
    starts = _line_starts(source.content)
    if not 0 < line <= len(starts):
        return b""
    end = int(starts[line]) if line < len(starts) else len(source.content)
    return source.content[int(starts[line - 1]) : end].rstrip(b"\r\n")


def _offset(source: Source, place: Place) -> int:
    """Return the index of the byte at `place`."""
    starts = _line_starts(source.content)
    if not 0 < place.line <= len(starts):
        return len(source.content)
    start = int(starts[place.line - 1])
    if _is_ascii(source.content):
        # A whole file may stand in one line: to copy that for every place takes long.
        end = int(starts[place.line]) if place.line < len(starts) else len(source.content)
        while end > start and source.content[end - 1] in b"\r\n":
            end -= 1
        return min(start + place.column - 1, end)
    text = _line(source, place.line)
    before = text[: place.column - 1]
    if not before.isascii():
        characters = text.decode("utf-8", "replace")[: place.column - 1]
        before = characters.encode("utf-8", "replace")
    return start + len(before)
