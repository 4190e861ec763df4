"""What is wrong with XML that expat doesn't take, in our words."""

from __future__ import annotations

import re
from typing import Final
from xml.parsers.expat import errors

from ..errors import Place

_CODES: Final = errors.codes

_NAME: Final = re.compile(rb"[\w:.-]{1,60}")

#: Faults that need no look at the text.
_MESSAGES: Final[dict[int, tuple[str, str | None]]] = {
    _CODES[errors.XML_ERROR_DUPLICATE_ATTRIBUTE]: ("this attribute is given twice", None),
    _CODES[errors.XML_ERROR_JUNK_AFTER_DOC_ELEMENT]: (
        "there is more after the end of the root element",
        "a file has one root; look for an end tag too early",
    ),
    _CODES[errors.XML_ERROR_UNDEFINED_ENTITY]: (
        "this entity is not defined",
        "XML knows &lt; &gt; &amp; &quot; &apos; and numbers such as &#181;",
    ),
    _CODES[errors.XML_ERROR_BAD_CHAR_REF]: ("this is the number of no character", None),
    _CODES[errors.XML_ERROR_UNCLOSED_TOKEN]: (
        "the file ends inside this tag or comment",
        "look for a missing > or -->",
    ),
    _CODES[errors.XML_ERROR_UNCLOSED_CDATA_SECTION]: ("the file ends inside CDATA", None),
    _CODES[errors.XML_ERROR_PARTIAL_CHAR]: ("the file ends inside a character", None),
    _CODES[errors.XML_ERROR_UNBOUND_PREFIX]: (
        "this namespace prefix is not declared",
        "declare it with xmlns:...= on the root element",
    ),
    _CODES[errors.XML_ERROR_UNKNOWN_ENCODING]: (
        "the file's encoding is not known",
        "save it as UTF-8",
    ),
    _CODES[errors.XML_ERROR_INCORRECT_ENCODING]: (
        "the file is not in the encoding that it declares",
        "save it as UTF-8",
    ),
    _CODES[errors.XML_ERROR_MISPLACED_XML_PI]: (
        "the XML declaration is not the first thing in the file",
        "delete what stands before it",
    ),
}


def explain(code: int, rest: bytes, opened: tuple[str, Place] | None) -> tuple[str, str | None]:
    """Return a message and a hint for expat's error `code`.

    `rest` is the text from the fault on; only the name of an end tag is quoted of it, which
    can't come before a root. `opened` is the element that the fault lies in.
    """
    if code in _MESSAGES:
        return _MESSAGES[code]
    if code == _CODES[errors.XML_ERROR_NO_ELEMENTS]:
        if opened is None:
            return "the file ends before its root element does", None
        return f"the file ends inside <{opened[0]}>, opened at {_at(opened[1])}", None
    if code == _CODES[errors.XML_ERROR_TAG_MISMATCH]:
        found = _NAME.match(rest)
        closing = f"</{found[0].decode('utf-8', 'replace')}>" if found else "this end tag"
        if opened is None:
            return f"{closing} closes nothing that is open", None
        return f"{closing} stands where <{opened[0]}> of {_at(opened[1])} ends", None
    return "this is not well-formed XML", _look(rest)


def _at(place: Place) -> str:
    return f"line {place.line}, column {place.column}"


def _look(rest: bytes) -> str | None:
    """Return a hint from the first bytes of what expat didn't take."""
    if rest[:1] == b"<":
        return "inside an attribute < is written &lt;"
    if rest[:1] == b"&" or rest[:1].isspace():
        return "a lone & is written &amp;"
    if rest and rest[0] >= 0x80:
        return "these bytes are no text in the file's encoding; save it as UTF-8"
    if rest and rest[0] < 0x20:
        return "control characters have no place in XML"
    return 'an attribute is written name="value"' if rest else None
