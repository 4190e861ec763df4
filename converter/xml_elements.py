"""Expat's events in, elements with exact positions out.

`ElementReader` keeps every element; its child `RowReader` in `xml_rows.py` makes tables of
those that networks repeat.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat

from ..errors import Fault, Place
from .document import Element, Table

#: Elements deeper than this are refused.
MAX_DEPTH: Final = 1000

#: The roots that models have.
ROOTS: Final = frozenset({"Lems", "neuroml"})

#: Elements whose content is for people.
FOR_PEOPLE: Final = frozenset({"annotation", "notes"})

#: How an include may spell what it names.
INCLUDE: Final = ("file", "href", "url")

#: The namespaces of NeuroML and LEMS, each with its versions.
OURS: Final = re.compile(r"https?://(www\.)?neuroml\.org/")

_SCHEMA_LOCATION: Final = "http://www.w3.org/2001/XMLSchema-instance schemaLocation"


class NotAModel(Exception):
    """The file's root is neither `Lems` nor `neuroml`: nothing of it may be shown.

    `fault` says why, if more is known; it quotes nothing. `refused` is that of something
    lemsmith doesn't read, such as a document type, rather than of text that isn't XML.
    """

    def __init__(self, fault: Fault | None = None, refused: Fault | None = None) -> None:
        self.fault = fault or refused
        self.refused = refused
        super().__init__(fault)


class Refused(Exception):
    """The file is a model that is wrong; ends the parse with one fault."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        super().__init__(fault)


@dataclass(frozen=True, slots=True)
class Include:
    """A place in a file where another one is to be spliced in."""

    href: str
    place: Place


@dataclass(slots=True)
class XmlFile:
    """What one file holds, up to its first fault if there is one."""

    name: str
    items: list[Element | Table | Include] = field(default_factory=list)
    root_tag: str = ""
    root_attributes: dict[str, str] = field(default_factory=dict)
    content: bytes = b""
    encoding: str = "utf-8"
    fault: Fault | None = None


@dataclass(slots=True)
class Opened:
    """An element whose end hasn't come yet."""

    tag: str
    attributes: dict[str, str]
    place: Place
    children: list[Element | Table | Include]
    text: list[str]


class ElementReader:
    """Fills `file` from what `parser` finds; `bom` is 1 after a byte order mark."""

    def __init__(self, file: XmlFile, parser: expat.XMLParserType) -> None:
        self.file = file
        self.parser = parser
        self.bom = 0
        self.local: dict[str, str] = {}  # expat's names -> ours, "" where foreign
        self.root_namespace = ""
        self.open: list[Opened] = []
        self.passing = 0  # open elements of a part that is passed over
        self.passing_for_people = False  # that part is the content of the innermost open element
        parser.ordered_attributes = True
        parser.buffer_text = True
        self.attach()

    def attach(self) -> None:
        """Have expat call this reader."""
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.CharacterDataHandler = self.characters

    def start_any(self, tag: str, attributes: list[str]) -> None:
        """Take a start tag, whatever is being read."""
        self.start(tag, attributes)

    @property
    def reads_rows(self) -> bool:
        """Whether rows of a table are being read."""
        return False

    def flat_rows(self, _content: bytearray, _begin: int, _end: int) -> int:
        """Take rows that are written alike, if this reader makes tables; tell how many."""
        return 0

    def after_piece(self) -> None:
        """Do what can wait until a piece of the file has been parsed."""

    # --- positions ---

    def place(self, line: int, column: int) -> Place:
        """Return the place of a column that counts from 1 but with the byte order mark."""
        if line == 1 and self.bom:
            column = max(1, column - 1)
        return Place(self.file.name, line, column)

    def here(self) -> Place:
        """Return where the token stands that expat is at."""
        return self.place(self.parser.CurrentLineNumber, self.parser.CurrentColumnNumber + 1)

    def innermost(self) -> tuple[str, Place] | None:
        """Return the tag and place of the element that is open, if it is one that is kept."""
        if self.passing or not self.open:
            return None
        return self.open[-1].tag, self.open[-1].place

    # --- events ---

    def start(self, tag: str, attributes: list[str]) -> None:
        """Take a start tag; `attributes` are names and values in turn."""
        local = self.local_name(tag)
        if self.passing or not local:
            self.pass_over(local, attributes)
            return
        self.push(local, named(attributes), self.here())
        if len(self.open) == 1:
            self._note_root(attributes)
        if local in FOR_PEOPLE:
            self.passing = 1
            self.passing_for_people = True

    def end(self, _tag: str) -> None:
        """Take an end tag."""
        if self.passing:
            self.passing -= 1
            if self.passing or not self.passing_for_people:
                return
            self.passing_for_people = False
        self.close()

    def characters(self, text: str) -> None:
        """Take text between tags."""
        if not self.passing:
            self.open[-1].text.append(text)

    # --- elements ---

    def local_name(self, tag: str) -> str:
        """Return our name for expat's, "" if it belongs to somebody else."""
        local = self.local.get(tag)
        if local is None:
            namespace, _, name = tag.rpartition(" ")
            if not self.file.root_tag:
                if name not in ROOTS:
                    raise Refused(Fault("the root is not one of a model"))
                self.root_namespace = namespace
            ours = namespace in ("", self.root_namespace) or OURS.match(namespace)
            local = self.local[tag] = name if ours else ""
        return local

    def push(self, local: str, attributes: dict[str, str], place: Place) -> None:
        """Open an element."""
        if len(self.open) >= MAX_DEPTH:
            raise Refused(Fault(f"elements lie more than {MAX_DEPTH} deep", place))
        self.open.append(Opened(local, attributes, place, [], []))

    def close(self) -> None:
        """Close the innermost element and give it to its parent."""
        closed = self.open.pop()
        if not self.open:
            return
        if len(self.open) == 1 and closed.tag in ("Include", "include"):
            given = [closed.attributes[name] for name in INCLUDE if name in closed.attributes]
            if not given:
                raise Refused(Fault("this include names no file", closed.place, "write file=..."))
            self.open[-1].children.append(Include(given[0].strip(), closed.place))
            return
        text = "".join(closed.text).strip() if closed.text else ""
        children: tuple[Element | Table, ...] = tuple(closed.children)  # type: ignore[arg-type]  # includes lie in roots alone
        element = Element(closed.tag, closed.attributes, children, text, closed.place)
        self.open[-1].children.append(element)

    def pass_over(self, local: str, attributes: list[str]) -> None:
        """Skip an element, except for a property in an annotation."""
        if self.passing_for_people and local == "property":
            found = Element("property", named(attributes), (), "", self.here())
            self.open[-1].children.append(found)
        self.passing += 1
        if len(self.open) + self.passing > MAX_DEPTH:
            raise Refused(Fault(f"elements lie more than {MAX_DEPTH} deep", self.here()))

    def _note_root(self, attributes: list[str]) -> None:
        root = self.open[0]
        self.file.root_tag = root.tag
        self.file.root_attributes = dict(root.attributes)
        self.file.items = root.children
        names = attributes[::2]
        if _SCHEMA_LOCATION in names:
            value = attributes[2 * names.index(_SCHEMA_LOCATION) + 1]
            self.file.root_attributes["schemaLocation"] = value


def named(attributes: list[str]) -> dict[str, str]:
    """Return attributes by local name, without those of foreign namespaces."""
    found = dict(zip(attributes[::2], attributes[1::2], strict=True))
    for name in found:
        if " " in name:
            break
    else:
        return found
    ours = {}
    for name, value in found.items():
        namespace, _, local = name.rpartition(" ")
        if not namespace or OURS.match(namespace):
            ours[local] = value
    return ours
