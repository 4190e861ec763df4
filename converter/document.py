"""The form of a document that has been read: elements with exact positions.

Includes are already spliced in, so a `Document` is one flat list of top-level elements in
the order in which the reference reader meets them. Long homogeneous lists of a network
(instances, connections, inputs) are a `Table` of columns, never an object per element.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import Place

#: Elements that networks repeat by the thousand; consecutive ones become a `Table`.
STREAMED = frozenset(
    {
        "instance",
        "connection",
        "connectionWD",
        "synapticConnection",
        "synapticConnectionWD",
        "electricalConnection",
        "electricalConnectionInstance",
        "electricalConnectionInstanceW",
        "continuousConnection",
        "continuousConnectionInstance",
        "continuousConnectionInstanceW",
        "explicitInput",
        "input",
        "inputW",
    }
)


@dataclass(frozen=True, slots=True)
class Element:
    """One XML element: local tag name, attributes as written, children, text, position."""

    tag: str
    attributes: Mapping[str, str]
    children: tuple[Element | Table, ...]
    text: str
    place: Place

    def get(self, name: str) -> str | None:
        """Return the attribute `name`, or None."""
        return self.attributes.get(name)

    def elements(self, *tags: str) -> Iterator[Element]:
        """Yield the child elements with one of `tags` (all, if none is given); no tables."""
        for child in self.children:
            if isinstance(child, Element) and (not tags or child.tag in tags):
                yield child


@dataclass(frozen=True, slots=True)
class Column:
    """One attribute of every row of a `Table`, in the narrowest of three encodings.

    `kind` "integer": `numbers` int64 (n,). "number": `numbers` float64 (n,), text that was a
    plain number. "text": row i is `templates[codes[i]]` with its one `{}`, if present,
    replaced by `numbers[i]`: "../pop/12/cell" is template "../pop/{}/cell" and number 12,
    "pop[3]" is "pop[{}]" and 3; other text is a template without a hole.
    A row without the attribute has code -1 (text), or `present` False where given.
    """

    kind: str
    numbers: NDArray[np.int64] | NDArray[np.float64]
    codes: NDArray[np.int32]
    templates: tuple[str, ...]
    present: NDArray[np.bool_] | None = None

    def text(self, row: int) -> str | None:
        """Return the attribute's text in `row` (numbers in their shortest form), or None."""
        if self.present is not None and not self.present[row]:
            return None
        if self.kind != "text":
            return repr(self.numbers[row].item())
        code = int(self.codes[row])
        if code < 0:
            return None
        return self.templates[code].replace("{}", str(int(self.numbers[row])))


@dataclass(frozen=True, slots=True)
class Table:
    """A run of consecutive elements of one tag, as columns.

    `columns` maps attribute names to `Column`s of length `rows`. Children of a row that are
    known leaves appear as columns with a slash in the name: an `instance`'s
    `<location x= y= z=/>` is "location/x" and so on. `lines` and `columns_at` place row i.
    """

    tag: str
    rows: int
    columns: Mapping[str, Column]
    file: str
    lines: NDArray[np.int32]
    columns_at: NDArray[np.int32]

    @property
    def place(self) -> Place:
        """Where the first row stands."""
        return self.place_of(0)

    def place_of(self, row: int) -> Place:
        """Return where `row` stands."""
        return Place(self.file, int(self.lines[row]), int(self.columns_at[row]))


@dataclass(frozen=True, slots=True)
class Source:
    """One file of the model: the path as shown to people, where it is, what it held."""

    name: str
    path: Path | None
    content: bytes = field(repr=False)
    #: How `content` spells text; empty where it is not text at all (HDF5).
    encoding: str = "utf-8"


@dataclass(frozen=True, slots=True)
class Document:
    """A model's text after reading.

    `elements` are the children of every root element, includes spliced in at their place;
    `sources` maps the file names that `Place`s carry to their content, the root file first;
    `root_attributes` are those of the root file's root element (a `<neuroml id=...>`).
    `absent` are the files that an include was looked for in before it was found: with one of
    them the model would be another.
    """

    elements: tuple[Element | Table, ...]
    sources: Mapping[str, Source]
    root_tag: str
    root_attributes: Mapping[str, str]
    absent: tuple[Path, ...] = ()


def iter_elements(document: Document, *tags: str) -> Iterator[Element]:
    """Yield every element at any depth with one of `tags` (all, if none is given), in order."""
    for node in iter_nodes(document):
        if isinstance(node, Element) and (not tags or node.tag in tags):
            yield node


def iter_tables(document: Document, *tags: str) -> Iterator[Table]:
    """Yield every table at any depth with one of `tags` (all, if none is given), in order."""
    for node in iter_nodes(document):
        if isinstance(node, Table) and (not tags or node.tag in tags):
            yield node


def iter_nodes(document: Document) -> Iterator[Element | Table]:
    """Yield every element and table, parents before children, however deep they lie."""
    waiting = list(reversed(document.elements))
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, Element):
            waiting.extend(reversed(node.children))
