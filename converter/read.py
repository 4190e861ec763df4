"""XML -> Document: a model's file and all that it includes, with exact positions."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Final

from ..errors import Fault, Faults, ModelError, Place
from .document import Document, Element, Source, Table, iter_elements, iter_tables
from .hdf5_network import SIGNATURE, read_network
from .includes import Budget, Found, Lookup, Unreadable
from .places import attribute_place, attribute_place_in_table, text_place, with_lines
from .show_document import show
from .xml_elements import Include, NotAModel, XmlFile
from .xml_file import PIECE, parse_xml

__all__ = [
    "attribute_place",
    "attribute_place_in_table",
    "iter_elements",
    "iter_tables",
    "read",
    "show",
    "text_place",
    "with_lines",
]

#: Bytes that a model may have, all files together.
MAX_TOTAL: Final = 2 << 30

#: Files that a model may include.
MAX_FILES: Final = 10_000

#: What a `<neuroml>` root takes for granted: every type that the NeuroML schema knows.
CORE_TYPES: Final = ("NeuroML2CoreTypes.xml", "PyNN.xml")

#: What makes a file of an official name the model's own copy of it.
DEFINITIONS: Final = frozenset({"ComponentType", "Dimension", "Unit"})

#: The name of a model that isn't a file.
TEXT: Final = "<text>"


def read(
    source: str | Path, *, include_dirs: Sequence[Path] = (), confine: Path | None = None
) -> Document:
    """Return the model in the file `source`, or in `source` itself if it starts with `<`.

    Includes are looked for in the folder of the file that includes, then that of the root
    file (the current one for XML text), then in `include_dirs`, then among the packaged
    NeuroML types, and spliced in place, each file once. With `confine` nothing outside that
    folder is read.

    Raises `ModelError` with every file's fault, and `MissingTool` for an HDF5 network
    without h5py.
    """
    text = source.lstrip("\ufeff \t\r\n") if isinstance(source, str) else ""
    inline = text.startswith("<")
    root = Path() if inline else Path(source).parent
    lookup = Lookup(root, tuple(map(Path, include_dirs)), confine)
    reader = _Reader(lookup, Budget(MAX_TOTAL))
    if inline:
        first = reader.read_text(text if text.startswith("<?xml") else str(source))
    else:
        first = reader.read_root(Path(source))
    elements = tuple(reader.splice(first))
    document = Document(
        elements, reader.sources, first.root_tag, first.root_attributes, tuple(lookup.absent)
    )
    if reader.faults.errors:
        raise with_lines(document, reader.faults.errors)
    return document


@dataclass(slots=True)
class _Reader:
    """The files met so far and what is wrong with them."""

    lookup: Lookup
    budget: Budget
    faults: Faults = field(default_factory=Faults)
    sources: dict[str, Source] = field(default_factory=dict)
    folders: dict[str, Path] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    own_types: set[str] = field(default_factory=set)
    included: int = 0

    def read_text(self, text: str) -> XmlFile:
        """Read a model that isn't in a file."""
        content = text.removeprefix("\ufeff").encode("utf-8", "surrogatepass")
        pieces = (content[at : at + PIECE] for at in range(0, len(content), PIECE))
        self.folders[TEXT] = self.lookup.root
        try:
            return self.keep(parse_xml(pieces, TEXT, "utf-8"), None)
        except NotAModel as refusal:
            raise ModelError(_refuse("the text", refusal.fault)) from None

    def read_root(self, path: Path) -> XmlFile:
        """Read the model's first file."""
        if not self.lookup.allows(path):
            raise ModelError(Fault(f"{path} leads out of {self.lookup.confine}"))
        try:
            return self.read_file(Found(path, str(path)))
        except Unreadable as error:
            raise ModelError(Fault(f"{path} can't be read: {error}", None, error.hint)) from None
        except NotAModel as refusal:
            raise ModelError(_refuse(str(path), refusal.fault)) from None

    def read_file(self, found: Found) -> XmlFile:
        """Read one file; raises `Unreadable` and `NotAModel`."""
        self.seen.add(os.path.realpath(found.path))
        if found.packaged:
            self.folders[found.name] = found.path.parent
            return self.keep(_packaged(found), found.path)
        name = found.name if found.name not in self.sources else str(found.path)
        self.folders[name] = found.path.parent
        pieces = self.budget.pieces(found.path)
        head = next(pieces, b"")
        if not head.startswith(SIGNATURE):
            file = parse_xml(chain((head,), pieces), name)
            if any(isinstance(item, Element) and item.tag in DEFINITIONS for item in file.items):
                self.own_types.add(found.path.name)
            return self.keep(file, found.path)
        content = head + b"".join(pieces)
        self.sources[name] = Source(name, found.path, content, encoding="")
        network = read_network(content, name)
        if network.file.fault is not None:
            self.faults.found.append(network.file.fault)
        if network.top_level is not None:
            inner = self.keep(network.top_level, None)
            self.folders[inner.name] = self.folders[name]
            network.file.items[:0] = inner.items
        return network.file

    def keep(self, file: XmlFile, path: Path | None) -> XmlFile:
        """Note the source and the fault of a file that has been read."""
        encoding = file.encoding or "utf-8"
        self.sources[file.name] = Source(file.name, path, file.content, encoding)
        if file.fault is not None:
            self.faults.found.append(file.fault)
        return file

    def splice(self, first: XmlFile) -> Iterator[Element | Table]:
        """Yield the elements of `first` with those of every include in its place."""
        waiting = [iter(first.items)]
        if first.root_tag == "neuroml":
            place = Place(first.name, 1, 1)
            for name in reversed(CORE_TYPES):
                core = self.include(Include(name, place), packaged_only=True)
                waiting.append(iter(core))
        while waiting:
            item = next(waiting[-1], None)
            if item is None:
                waiting.pop()
            elif isinstance(item, Include):
                waiting.append(iter(self.include(item)))
            else:
                yield item

    def include(
        self, include: Include, packaged_only: bool = False
    ) -> Sequence[Element | Table | Include]:
        """Return what `include` stands for; nothing if it was read before or can't be."""
        if self.included == MAX_FILES:
            return ()
        name, folder = include.href, self.folders[include.place.file]
        try:
            found = self.lookup.packaged(name) if packaged_only else None
            found = found or self.lookup.find(name, folder)
            if self.was_read(found):
                return ()
            self.included += 1
            if self.included < MAX_FILES:
                return self.read_file(found).items
            self.faults.error(f"the model includes {MAX_FILES} files or more", include.place)
        except Unreadable as error:
            self.faults.error(f"{name!r} can't be included: {error}", include.place, error.hint)
        except NotAModel as refusal:
            fault = _refuse(repr(name), refusal.refused)
            self.faults.error(fault.message, include.place, fault.hint)
        return ()

    def was_read(self, found: Found) -> bool:
        """Whether the file, or the model's own copy of a packaged one, was read before."""
        own = found.packaged and found.path.name in self.own_types
        return own or os.path.realpath(found.path) in self.seen


@cache
def _packaged(found: Found) -> XmlFile:
    """Return one of our own files, which nearly every model includes."""
    return parse_xml([found.path.read_bytes()], found.name)


def _refuse(name: str, reason: Fault | None) -> Fault:
    """Return the fault of a file that is no model, and at most where it stops being one."""
    message = f"{name} is not a LEMS or NeuroML file"
    if reason is None or reason.place is None:
        return Fault(message)
    return Fault(f"{message}: {reason.message}", reason.place, reason.hint)
