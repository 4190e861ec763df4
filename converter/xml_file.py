"""One XML file of a model: bytes in, elements and tables with exact positions out.

The standard library's expat gives the line and column of every `<`. Nothing is expanded:
a document type declaration is refused where it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat

from ..errors import Fault, Place
from .document import STREAMED, Element, Table
from .tables import CHUNK, Run, Unstorable
from .xml_faults import explain

#: Elements deeper than this are refused.
MAX_DEPTH: Final = 1000

#: Characters of one attribute, and bytes of a start tag, beyond which it is refused.
MAX_ATTRIBUTE: Final = 1 << 20

#: Bytes of a comment or processing instruction beyond which it is refused.
MAX_COMMENT: Final = 1 << 26

#: Bytes handed to expat at a time.
PIECE: Final = 1 << 18

#: The roots that models have.
ROOTS: Final = frozenset({"Lems", "neuroml"})

#: Elements whose content is for people.
FOR_PEOPLE: Final = frozenset({"annotation", "notes"})

#: How an include may spell what it names.
INCLUDE: Final = ("file", "href", "url")

#: The one child that a row of a table may have; its attributes become columns.
LEAVES: Final[Mapping[str, str]] = {"instance": "location"}

#: What an encoding may be called: those that expat knows, and those of a byte a character.
#: Python has codecs for many more, and not all of them are for text.
ENCODINGS: Final = re.compile(
    r"utf-8|utf-16([lb]e)?|us-ascii|iso-8859-([1-9]|1[03456])|windows-125[0-8]|koi8-[ru]"
)

#: The namespaces of NeuroML and LEMS, each with its versions.
OURS: Final = re.compile(r"https?://(www\.)?neuroml\.org/")

_XSI: Final = "http://www.w3.org/2001/XMLSchema-instance "


class NotAModel(Exception):
    """The file's root is neither `Lems` nor `neuroml`: nothing of it may be shown.

    `fault` says why, if more is known; it quotes nothing.
    """

    def __init__(self, fault: Fault | None = None) -> None:
        self.fault = fault
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
class _Open:
    """An element whose end hasn't come yet."""

    tag: str
    attributes: dict[str, str]
    place: Place
    children: list[Element | Table | Include]
    text: list[str]


def parse_xml(pieces: Iterable[bytes], name: str, encoding: str | None = None) -> XmlFile:
    """Return the elements of the file whose bytes `pieces` yield, called `name` in places.

    A fault of a model ends the file and is kept in `fault`. `encoding` overrides what the
    file declares. Raises `NotAModel` unless the root is that of a model.
    """
    parser = _Parser(name, encoding)
    content = bytearray()
    try:
        for piece in pieces:
            content += piece
            parser.feed(content, piece)
        parser.finish(content)
    except Refused as refused:
        parser.file.fault = refused.fault
    except expat.ExpatError as error:
        parser.file.fault = parser.fault_of(error, content)
    parser.file.content = bytes(content)
    if not parser.file.root_tag:
        raise NotAModel(parser.file.fault)
    return parser.file


class _Parser:
    """Expat's callbacks and what they share."""

    def __init__(self, name: str, encoding: str | None) -> None:
        self.file = XmlFile(name, encoding=encoding or "")
        self.overridden = encoding is not None
        self.local: dict[str, str] = {}  # expat's names -> ours, "" where foreign
        self.root_namespace = ""
        self.open: list[_Open] = []
        self.passing = 0  # open elements of a part that is passed over
        self.passing_for_people = False  # that part is the content of the innermost open element
        self.run: Run | None = None
        self.run_names: list[str] | None = None  # a row with these can go straight in
        self.run_tag = ""  # as expat spells it
        self.run_leaf = ""  # the child that its rows may have
        self.in_row = 0  # 1 inside a row's element, 2 inside its leaf
        self.row: list[str] = []  # a row that waits for its leaf
        self.row_at = (0, 0)
        self.leaf: tuple[list[str], int, int] | None = None
        self.leaf_names: dict[str, str] = {}
        self.bom = 0
        self.content = bytearray()
        self.expat = self._new_expat(encoding)

    def _new_expat(self, encoding: str | None) -> expat.XMLParserType:
        parser = expat.ParserCreate(encoding, " ")
        parser.ordered_attributes = True
        parser.buffer_text = True
        parser.StartElementHandler = self.start
        parser.EndElementHandler = self.end
        parser.CharacterDataHandler = self.characters
        parser.XmlDeclHandler = self.declaration
        parser.StartDoctypeDeclHandler = self.doctype
        return parser

    # --- bytes ---

    def feed(self, content: bytearray, piece: bytes) -> None:
        """Parse `piece`, the last bytes of `content`."""
        if len(content) == len(piece):
            self.content = content
            self._note_encoding(content)
        self.expat.Parse(piece, False)
        at = max(0, self.expat.CurrentByteIndex)
        pending = len(content) - at
        if pending > PIECE:
            self._check_pending(content, at, pending)

    def finish(self, content: bytearray) -> None:
        """Parse the end of the file."""
        if not content:
            self._note_encoding(content)
        self.expat.Parse(b"", True)

    def _note_encoding(self, content: bytearray) -> None:
        head = bytes(content[:4])
        if head.startswith(b"\xef\xbb\xbf"):
            self.bom = 1
            guess = "utf-8"
        elif head.startswith((b"\xff\xfe", b"\xfe\xff")):
            self.bom = 1
            guess = "utf-16"
        elif head.startswith(b"<\0"):
            guess = "utf-16-le"
        elif head.startswith(b"\0<"):
            guess = "utf-16-be"
        else:
            guess = ""
        self.file.encoding = self.file.encoding or guess

    def _check_pending(self, content: bytearray, at: int, pending: int) -> None:
        """Refuse a token that goes on for too long; expat would rescan it for every piece."""
        if content.startswith((b"<!--", b"<?"), at):
            if pending > MAX_COMMENT:
                raise Refused(Fault("this comment is too long to be read", self.here()))
        elif pending > MAX_ATTRIBUTE:
            raise Refused(
                Fault("this start tag is longer than a megabyte", self.here(), "split the model")
            )
        else:
            self.expat.StartElementHandler = self._start_checked

    def _start_checked(self, tag: str, attributes: list[str]) -> None:
        self.expat.StartElementHandler = self.start
        if sum(map(len, attributes)) > MAX_ATTRIBUTE:
            raise Refused(
                Fault("this start tag is longer than a megabyte", self.here(), "split the model")
            )
        self.start(tag, attributes)

    # --- positions and faults ---

    def _place(self, line: int, column: int) -> Place:
        """Return the place of a column that counts from 1 but with the byte order mark."""
        return Place(self.file.name, line, max(1, column - self.bom) if line == 1 else column)

    def here(self) -> Place:
        """Where the token stands that expat is at."""
        return self._place(self.expat.CurrentLineNumber, self.expat.CurrentColumnNumber + 1)

    def fault_of(self, error: expat.ExpatError, content: bytearray) -> Fault:
        """Say what stopped expat, in our words."""
        at = max(0, self.expat.ErrorByteIndex)
        rest = bytes(content[at : at + 64]) if self.file.root_tag else b""
        opened = self._innermost()
        message, hint = explain(error.code, rest, opened)
        return Fault(message, self._place(error.lineno, error.offset + 1), hint)

    def _innermost(self) -> tuple[str, Place] | None:
        """The tag and place of the element that is open, if it is one that is kept."""
        if self.passing or not self.open:
            return None
        if self.run is not None and self.in_row:
            if self.run_leaf:
                return self.run.tag, self._place(*self.row_at)
            return self.run.tag, self._place(self.run.lines[-1], self.run.columns_at[-1])
        return self.open[-1].tag, self.open[-1].place

    # --- prolog ---

    def declaration(self, version: str, encoding: str | None, standalone: int) -> None:
        """Refuse encodings that aren't for text."""
        if self.overridden or encoding is None:
            return
        if not ENCODINGS.fullmatch(encoding.lower()):
            raise Refused(
                Fault("this encoding is not one that is read", self.here(), "save it as UTF-8")
            )
        self.file.encoding = self.file.encoding or encoding

    def doctype(self, name: str, system: str | None, public: str | None, internal: int) -> None:
        """Refuse the declaration: entities can read other files or grow without end."""
        place = self.here()
        at = self.expat.CurrentByteIndex
        before = self.content[self.content.rfind(b"<!DOCTYPE", 0, at) : at]
        if before.startswith(b"<!DOCTYPE") and before.isascii() and b"\n" not in before:
            place = Place(place.file, place.line, place.column - len(before))
        raise Refused(
            Fault(
                "a document type declaration (<!DOCTYPE>) is not read",
                place,
                "delete it, and write out what its entities stand for",
            )
        )

    # --- elements ---

    def start(self, tag: str, attributes: list[str]) -> None:
        """A start tag; `attributes` are names and values in turn."""
        run = self.run
        if run is not None and not self.passing:
            if self.in_row:
                if self._start_in_row(run, tag, attributes):
                    return
            elif tag == self.run_tag:
                parser = self.expat
                if attributes[::2] == self.run_names:
                    if len(run.values) > CHUNK:
                        self._pack(run)
                    run.values += attributes[1::2]
                    run.lines.append(parser.CurrentLineNumber)
                    run.columns_at.append(parser.CurrentColumnNumber + 1)
                    self.in_row = 1
                    return
                if self._start_row(run, attributes):
                    return
                self._end_run(run)
            else:
                self._end_run(run)
        local = self.local.get(tag)
        if local is None:
            local = self._learn(tag)
        if self.passing or not local:
            self._pass_over(local, attributes)
        elif local in STREAMED and len(self.open) > 0:
            self._start_run(local, tag, attributes)
        else:
            self._push(local, _named(attributes), self.here())
            if len(self.open) == 1:
                self._note_root(local, attributes)
            if local in FOR_PEOPLE:
                self.passing = 1
                self.passing_for_people = True

    def end(self, tag: str) -> None:
        """An end tag."""
        if self.passing:
            self.passing -= 1
            if self.passing or not self.passing_for_people:
                return
            self.passing_for_people = False
        elif self.in_row:
            self.in_row -= 1
            if self.run_leaf and not self.in_row and self.run is not None:
                self._commit_row(self.run)
            return
        if self.run is not None:
            self._end_run(self.run)
        self._close()

    def characters(self, text: str) -> None:
        """Text between tags."""
        if not self.passing:
            self.open[-1].text.append(text)

    def _learn(self, tag: str) -> str:
        """Return our name for expat's, "" if it belongs to somebody else."""
        namespace, _, name = tag.rpartition(" ")
        if not self.open and not self.file.root_tag:
            self.root_namespace = namespace
            if name not in ROOTS:
                raise Refused(Fault("the root is not one of a model"))
        known = namespace in ("", self.root_namespace) or OURS.match(namespace)
        self.local[tag] = name if known else ""
        return self.local[tag]

    def _push(self, local: str, attributes: dict[str, str], place: Place) -> None:
        if len(self.open) >= MAX_DEPTH:
            raise Refused(Fault(f"elements lie more than {MAX_DEPTH} deep", place))
        self.open.append(_Open(local, attributes, place, [], []))

    def _note_root(self, local: str, attributes: list[str]) -> None:
        self.file.root_tag = local
        self.file.root_attributes = _named(attributes)
        location = _XSI + "schemaLocation"
        if location in attributes[::2]:
            value = attributes[2 * attributes[::2].index(location) + 1]
            self.file.root_attributes["schemaLocation"] = value
        self.file.items = self.open[0].children

    def _close(self) -> None:
        closed = self.open.pop()
        if not self.open:
            return
        item: Element | Table | Include
        if len(self.open) == 1 and closed.tag in ("Include", "include"):
            given = [closed.attributes[name] for name in INCLUDE if name in closed.attributes]
            if not given:
                raise Refused(Fault("this include names no file", closed.place, "write file=..."))
            item = Include(given[0].strip(), closed.place)
        else:
            text = "".join(closed.text).strip()
            children: tuple[Element | Table, ...] = tuple(closed.children)  # type: ignore[arg-type]
            item = Element(closed.tag, closed.attributes, children, text, closed.place)
        self.open[-1].children.append(item)

    def _pass_over(self, local: str, attributes: list[str]) -> None:
        """Skip an element, except for a property in an annotation."""
        if self.passing_for_people and local == "property":
            found = Element("property", _named(attributes), (), "", self.here())
            self.open[-1].children.append(found)
        self.passing += 1
        if len(self.open) + self.passing > MAX_DEPTH:
            raise Refused(Fault(f"elements lie more than {MAX_DEPTH} deep", self.here()))

    # --- rows of tables ---

    def _start_run(self, local: str, tag: str, attributes: list[str]) -> None:
        self.run = Run(local, self.file.name)
        self.run_tag = tag
        self.run_leaf = LEAVES.get(local, "")
        self.expat.CharacterDataHandler = None
        self._start_row(self.run, attributes)

    def _start_row(self, run: Run, attributes: list[str]) -> bool:
        """Begin a row that isn't like the one before; False if the table has no room."""
        line, column = self.expat.CurrentLineNumber, self.expat.CurrentColumnNumber + 1
        if self.run_leaf:
            self.row, self.row_at, self.leaf = attributes, (line, column), None
            self.run_names = None
        else:
            if not self._add(run, attributes, line, column):
                return False
            self.run_names = run.names
        self.in_row = 1
        return True

    def _add(self, run: Run, attributes: list[str], line: int, column: int) -> bool:
        named = [text for pair in _named(attributes).items() for text in pair]
        try:
            return run.add(named, line, column)
        except Unstorable:
            raise self._unstorable(run) from None

    def _start_in_row(self, run: Run, tag: str, attributes: list[str]) -> bool:
        """A start tag inside a row; False if the row is an element like others after all."""
        local = self.local.get(tag)
        if local is None:
            local = self._learn(tag)
        if not local or local in FOR_PEOPLE:
            self.passing = 1
            return True
        if local == self.run_leaf and self.in_row == 1 and self.leaf is None:
            parser = self.expat
            self.leaf = (attributes, parser.CurrentLineNumber, parser.CurrentColumnNumber + 1)
            self.in_row = 2
            return True
        self._open_row(run)
        return False

    def _commit_row(self, run: Run) -> None:
        """The end of a row that waited for its leaf."""
        row = self.row
        if self.leaf is not None:
            row = list(row)
            for i, text in enumerate(self.leaf[0]):
                row.append(text if i % 2 else self._leaf_name(text))
        if row[::2] == run.names:
            if len(run.values) > CHUNK:
                self._pack(run)
            run.values += row[1::2]
            run.lines.append(self.row_at[0])
            run.columns_at.append(self.row_at[1])
        elif not self._add(run, row, *self.row_at):
            self.in_row = 1
            self._open_row(run)
            self._close()

    def _leaf_name(self, name: str) -> str:
        joined = self.leaf_names.get(name)
        if joined is None:
            ours = next(iter(_named([name, ""])), None)
            joined = " " if ours is None else f"{self.run_leaf}/{ours}"
            self.leaf_names[name] = joined
        return joined

    def _open_row(self, run: Run) -> None:
        """Make the row that is being read an open element: it holds more than a table can."""
        depth, leaf = self.in_row, self.leaf
        self.in_row = 0
        if self.run_leaf:
            attributes, (line, column) = _named(self.row), self.row_at
        else:
            last = run.values[-len(run.names) :] if run.names else []
            pairs = zip(run.names, last, strict=True)
            attributes = {name: value for name, value in pairs if value is not None}
            line, column = run.lines[-1], run.columns_at[-1]
            run.drop_last()
        self._end_run(run)
        self._push(run.tag, attributes, self._place(line, column))
        if leaf is not None:
            opened = _named(leaf[0])
            self._push(self.run_leaf, opened, self._place(leaf[1], leaf[2]))
            if depth == 1:
                self._close()

    def _pack(self, run: Run) -> None:
        try:
            run.pack()
        except Unstorable:
            raise self._unstorable(run) from None

    def _unstorable(self, run: Run) -> Refused:
        """The fault of the first waiting row with braces in it."""
        at = next(i for i, value in enumerate(run.values) if value is not None and "{}" in value)
        row = run.rows_packed + at // len(run.names)
        place = self._place(run.lines[row], run.columns_at[row])
        return Refused(Fault(f"this {run.tag} names something with '{{}}' in it", place))

    def _end_run(self, run: Run) -> None:
        self.run = None
        self.expat.CharacterDataHandler = self.characters
        if not run.lines:
            return
        if self.bom and run.lines[0] == 1:
            for row, line in enumerate(run.lines):
                run.columns_at[row] -= line == 1
        self._pack(run)
        self.open[-1].children.append(run.table())


def _named(attributes: list[str]) -> dict[str, str]:
    """Return attributes by local name, without those of foreign namespaces."""
    named = {}
    for i in range(0, len(attributes), 2):
        namespace, _, name = attributes[i].rpartition(" ")
        if not namespace or OURS.match(namespace):
            named[name] = attributes[i + 1]
    return named
