"""One XML file of a model: bytes in, elements and tables with exact positions out.

The standard library's expat gives the line and column of every `<`. Nothing is expanded:
a document type declaration is refused where it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final
from xml.parsers import expat

from ..errors import Fault
from .flat_rows import blanks
from .xml_elements import ElementReader, NotAModel, Refused, XmlFile
from .xml_faults import explain
from .xml_rows import RowReader

#: Characters of a start tag beyond which it is refused.
MAX_TAG: Final = 1 << 20

#: Bytes of a comment or processing instruction beyond which it is refused.
MAX_COMMENT: Final = 1 << 26

#: Bytes of rows from which on it pays to look whether they are written alike.
FLAT: Final = 1 << 12

#: Bytes handed to expat at a time.
PIECE: Final = 1 << 18

#: What an encoding may be called: those that expat knows, and those of a byte a character.
#: Python has codecs for many more, and not all of them are for text.
ENCODINGS: Final = re.compile(
    r"utf-8|utf-16([lb]e)?|us-ascii|iso-8859-([1-9]|1[03456])|windows-125[0-8]|koi8-[ru]"
)

#: How a file of an encoding begins.
_HEADS: Final = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
)


def parse_xml(
    pieces: Iterable[bytes],
    name: str,
    encoding: str | None = None,
    reader: type[ElementReader] = RowReader,
) -> XmlFile:
    """Return the elements of the file whose bytes `pieces` yield, called `name` in places.

    A fault of a model ends the file and is kept in `fault`. `encoding` overrides what the
    file declares. Raises `NotAModel` unless the root is that of a model.
    """
    file = XmlFile(name, encoding=encoding or "")
    feed = _Feed(file, encoding, reader)
    try:
        for piece in pieces:
            feed.piece(piece)
        feed.finish()
    except Refused as refused:
        file.fault = refused.fault
        if not file.root_tag:
            raise NotAModel(refused=refused.fault) from None
    except expat.ExpatError as error:
        file.fault = feed.fault_of(error)
        if not file.root_tag:
            raise NotAModel(file.fault) from None
    file.content = bytes(feed.content)
    file.encoding = file.encoding or "utf-8"
    return file


class _Feed:
    """Hands the bytes of a file to expat and keeps them."""

    def __init__(self, file: XmlFile, encoding: str | None, reader: type[ElementReader]) -> None:
        self.file = file
        self.content = bytearray()
        self.overridden = encoding is not None
        self.expat = expat.ParserCreate(encoding, " ")
        self.expat.XmlDeclHandler = self.declaration
        self.expat.StartDoctypeDeclHandler = self.doctype
        self.reader = reader(file, self.expat)

    def piece(self, piece: bytes) -> None:
        """Parse the next bytes."""
        if not self.content:
            self._look_at_head(piece)
        begin = len(self.content)
        self.content += piece
        self._parse(begin)
        self.reader.after_piece()
        at = max(0, self.expat.CurrentByteIndex)
        if len(self.content) - at > PIECE:
            self._check_long_token(at, len(self.content) - at)

    def _parse(self, begin: int) -> None:
        """Parse what the content has from `begin` on, rows that are written alike at once."""
        row = self.content.find(b"/>", begin) + 2
        end = self.content.find(b"</", row) if row > 1 else -1
        end = self.content.rfind(b"/>", row, end if end >= 0 else len(self.content)) + 2
        if self.reader.reads_rows and row > 1 and end - row > FLAT:
            self.expat.Parse(self.content[begin:row], False)
            begin = row
            if self.reader.flat_rows(self.content, row, end):
                # To the parser they are blanks: its lines and columns stay right.
                self.expat.Parse(blanks(self.content, row, end), False)
                begin = end
        self.expat.Parse(self.content[begin:], False)

    def finish(self) -> None:
        """Parse the end of the file."""
        self.expat.Parse(b"", True)

    def _look_at_head(self, piece: bytes) -> None:
        for head, encoding in _HEADS:
            if piece.startswith(head):
                self.file.encoding = self.file.encoding or encoding
                self.reader.bom = int(b"<" not in head)
                return

    def _check_long_token(self, at: int, pending: int) -> None:
        """Refuse a token that goes on for too long; expat would rescan it for every piece."""
        if self.content.startswith((b"<!--", b"<?"), at):
            if pending > MAX_COMMENT:
                raise Refused(Fault("this comment is too long to be read", self.reader.here()))
        elif pending > MAX_TAG:
            raise self._too_long()
        else:
            self.expat.StartElementHandler = self._start_long_tag

    def _start_long_tag(self, tag: str, attributes: list[str]) -> None:
        """Take the first start tag after a long token, which may have ended just in time."""
        if sum(map(len, attributes)) > MAX_TAG:
            raise self._too_long()
        self.reader.attach()
        self.reader.start_any(tag, attributes)

    def _too_long(self) -> Refused:
        return Refused(
            Fault(
                "this start tag is longer than a megabyte",
                self.reader.here(),
                "give what it lists an element each",
            )
        )

    def declaration(self, _version: str, encoding: str | None, _standalone: int) -> None:
        """Refuse encodings that aren't for text."""
        if self.overridden or encoding is None:
            return
        if not ENCODINGS.fullmatch(encoding.lower()):
            place = self.reader.here()
            raise Refused(Fault("this encoding is not one that is read", place, "save it as UTF-8"))
        self.file.encoding = self.file.encoding or encoding

    def doctype(self, *_: object) -> None:
        """Refuse the declaration: entities can read other files or grow without end."""
        place = self.reader.here()
        at = self.expat.CurrentByteIndex
        start = self.content.rfind(b"<!DOCTYPE", 0, at)
        if start >= 0:  # expat has read on to the declaration's name
            before = self.content[start:at].decode("utf-8", "replace")
            column = place.column + self.reader.bom - len(before)
            place = self.reader.place(place.line, column) if "\n" not in before else place
        raise Refused(
            Fault(
                "a document type declaration (<!DOCTYPE>) is not read",
                place,
                "delete it, and write out what its entities stand for",
            )
        )

    def fault_of(self, error: expat.ExpatError) -> Fault:
        """Say what stopped expat, in our words."""
        at = max(0, self.expat.ErrorByteIndex)
        rest = bytes(self.content[at : at + 64])
        message, hint = explain(error.code, rest, self.reader.innermost())
        return Fault(message, self.reader.place(error.lineno, error.offset + 1), hint)
