"""NeuroML files held against the official XSD, which libNeuroML ships.

Only `check` does this: what the XSD refuses may run all the same. Where the reason is a
component type of the model's own, or the version that a file declares, it is a warning.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from ..converter.document import STREAMED, Document, Source
from ..converter.model import ComponentType
from ..converter.places import place_at, place_of_attribute
from ..errors import Faults, Place
from ..schemas.lems import LEMS_ELEMENTS

if TYPE_CHECKING:
    from lxml import etree

#: The version that counts where a file declares none, or one that is not there.
NEWEST = "2.3.1"

#: Rows of a long list of like elements that are validated; the others are cut out of a copy.
SAMPLE = 200

#: Bytes of such a copy from which it is not validated: a tree takes ten times as much.
MAX_COPY = 30_000_000

_VERSION = re.compile(rb"NeuroML_v([\w.]+)\.xsd")
_ELEMENT = re.compile(r"^Element '(?:\{[^}]*\})?([^']+)'(?:, attribute '(?:\{[^}]*\})?([^']+)')?: ")
_NAMESPACE = re.compile(r"\{[^}]*\}")
_TAGS = b"|".join(sorted(tag.encode() for tag in STREAMED))
_ROW = re.compile(
    rb"<(?:"
    + _TAGS
    + rb")\b[^<>]*(?:(?<=/)>|(?<!/)>\s*(?:<\w+\b[^<>]*/>\s*)*</(?:"
    + _TAGS
    + rb")>)\s*"
)


def check_schema(
    document: Document,
    faults: Faults,
    own: Callable[[Place], bool],
    types: Mapping[str, ComponentType],
) -> None:
    """Note what the XSD of the declared version refuses in the user's own NeuroML files.

    Without libNeuroML (extra `lemsmith[xsd]`) nothing is noted.
    """
    if not schemas():
        return
    for source in document.sources.values():
        place = Place(source.name, 1, 1)
        if source.encoding and own(place) and b"<neuroml" in source.content[:100_000]:
            _check_file(document, source, faults, types)


@lru_cache(maxsize=1)
def schemas() -> dict[str, Path]:
    """Return the XSD files by version, found without importing libNeuroML."""
    found = find_spec("neuroml")
    if found is None or found.origin is None:
        return {}
    folder = Path(found.origin).parent / "nml"
    return {path.stem.removeprefix("NeuroML_v"): path for path in folder.glob("NeuroML_v*.xsd")}


def _age(version: str) -> tuple[bool, str]:
    """Return a key that puts versions in order: 2beta4 comes before 2.0."""
    return ("beta" not in version, version)


@dataclass(frozen=True, slots=True)
class Finding:
    """What an XSD refuses: the element, its attribute if it is about one, and why."""

    element: str
    attribute: str | None
    line: int
    message: str
    values: frozenset[str]  # attributes of the element and of those around it, child names


def _check_file(
    document: Document, source: Source, faults: Faults, types: Mapping[str, ComponentType]
) -> None:
    copy = thinned(source.content)
    start = Place(source.name, 1, 1)
    if len(copy) > MAX_COPY:
        faults.warning(
            f"not held against the NeuroML schema: {len(copy) // 1_000_000} MB are too much",
            start,
        )
        return
    declared = _VERSION.search(copy[:5000])
    version = declared[1].decode() if declared else NEWEST
    if version not in schemas():
        version = NEWEST if NEWEST in schemas() else max(schemas())
    findings = validate(copy, version)
    if not findings:
        return
    later = {
        other: {(f.element, f.attribute, f.line) for f in validate(copy, other)}
        for other in sorted(schemas(), key=_age)
        if _age(other) > _age(version)
    }
    for finding in findings:
        key = (finding.element, finding.attribute, finding.line)
        accepting = next((other for other, found in later.items() if key not in found), None)
        place = _place(document, source, finding)
        text = f"the schema of NeuroML {version} refuses this: {finding.message}"
        reason = _excuse(finding, version, types)
        if accepting is not None:
            reason = f"that of {accepting} takes it; declare that version"
        if reason is not None:
            faults.warning(text, place, reason)
        else:
            faults.error(text, place, _hint(finding, version))


def _excuse(finding: Finding, version: str, types: Mapping[str, ComponentType]) -> str | None:
    """Return why a finding is no error: the component types that say more than the schema."""
    if finding.element in LEMS_ELEMENTS:
        return "it is part of a component type, which LEMS knows better"
    for name in (finding.element, *sorted(finding.values)):
        kind = types.get(name)
        if kind is not None and not kind.packaged:
            return f"the type {name!r} is this model's own, which no schema knows"
    if finding.element in types and not _mentions(version, finding.element):
        return "NeuroML's component types have it, its schema does not"
    return None


@lru_cache(maxsize=64)
def _mentions(version: str, element: str) -> bool:
    return f'name="{element}"' in schemas()[version].read_text(encoding="utf-8")


def _hint(finding: Finding, version: str) -> str | None:
    if "not expected" in finding.message and _mentions(version, finding.element):
        return "the schema wants elements in a fixed order: move it to where it is expected"
    return None


def thinned(content: bytes) -> bytes:
    r"""Return `content` with the middle of every long list of rows cut out, lines kept.

    >>> rows = b'<input id="1"/>\n' * 1000
    >>> short = thinned(b"<a>" + rows + b"</a>")
    >>> short.count(b"<input"), short.count(b"\n")
    (200, 1000)
    """
    kept: list[bytes] = []
    copied = 0  # so far, everything before is in `kept`
    count, cut, end = 0, 0, -1  # of the run of rows at hand
    for row in chain(_ROW.finditer(content), (None,)):
        if row is not None and row.start() == end:
            count += 1
        else:
            if count > SAMPLE:
                kept += content[copied:cut], b"\n" * content.count(b"\n", cut, end)
                copied = end
            count = 1
        if row is not None:
            end = row.end()
            if count == SAMPLE:
                cut = end
    return b"".join([*kept, content[copied:]])


@lru_cache(maxsize=8)
def _schema(version: str) -> etree.XMLSchema:
    from lxml import etree  # noqa: PLC0415 - only `check` needs it, and it is slow to import

    return etree.XMLSchema(etree.parse(str(schemas()[version]), _parser()))


def _parser() -> etree.XMLParser:
    from lxml import etree  # noqa: PLC0415

    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )


def validate(content: bytes, version: str) -> list[Finding]:
    """Return what the XSD of `version` refuses in the file that holds `content`."""
    from lxml import etree  # noqa: PLC0415

    try:
        root = etree.fromstring(content, _parser())
    except etree.XMLSyntaxError:
        return []  # expat took it: libxml2's own limits, not the model's fault
    if etree.QName(root).localname != "neuroml":
        return []
    schema = _schema(version)
    if schema.validate(root):
        return []
    found: dict[tuple[str, str | None, int], Finding] = {}
    tree = root.getroottree()
    for entry in schema.error_log:
        match = _ELEMENT.match(entry.message)
        element, attribute = (match[1], match[2]) if match else (str(root.tag), None)
        message = _NAMESPACE.sub("", entry.message[match.end() :] if match else entry.message)
        values: set[str] = set()
        for node in tree.xpath(entry.path) if entry.path else ():
            values.update(node.attrib.values())
            values.update(etree.QName(c).localname for c in node if isinstance(c.tag, str))
            values.update(v for c in node for v in c.attrib.values())
            above = node.getparent()
            if above is not None:
                values.update(above.attrib.values())
        shown = f"{element}: {message}" if attribute is None else f"{attribute}: {message}"
        key = (element, attribute, entry.line)
        found.setdefault(
            key, Finding(element, attribute, entry.line, shown.rstrip("."), frozenset(values))
        )
    return list(found.values())


def _place(document: Document, source: Source, finding: Finding) -> Place:
    """Return where a finding's element begins; libxml2 only knows the line where it ends."""
    place = place_at(document, source.name, finding.line, finding.element)
    if finding.attribute is None:
        return place
    return place_of_attribute(document, place, finding.attribute)
