"""What the command `diff` does: two files read and resolved, their differences as text or JSON."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..converter.compare_models import SECTIONS, Difference, differences
from ..converter.difference import TOLERANCE
from ..converter.document import Document
from ..converter.model import ComponentTable, Model
from ..converter.places import place_of_attribute
from ..converter.read import read
from ..converter.resolve import resolve
from ..errors import Place

#: Differences whose places are found to the attribute; the rest have that of their element.
PLACED = 1000


def run_diff(
    a: Path,
    b: Path,
    *,
    tolerance: float = TOLERANCE,
    ignored: Collection[str] = (),
    as_json: bool = False,
    include_dirs: Sequence[Path] = (),
    confine: Path | None = None,
) -> tuple[int, str]:
    """Compare two model files; return exit code and text.

    The code is 0 where they are the same model but for the sections `ignored`, else 1.
    Raises `ModelError` where one of them is no model.
    """
    documents = [read(path, include_dirs=include_dirs, confine=confine) for path in (a, b)]
    models = [resolve(document) for document in documents]
    every = differences(models[0], models[1], tolerance=tolerance)
    found = tuple(d for d in every if d.section not in ignored)
    found = tuple(
        placed(d, documents[0], documents[1]) if at < PLACED else d for at, d in enumerate(found)
    )
    text = _json(a, b, found) if as_json else _text(a, b, found, models, ignored)
    return (1 if found else 0), text


def placed(difference: Difference, left: Document, right: Document) -> Difference:
    """Return a difference with the places of its attribute in place of its element's."""
    if not difference.attribute:
        return difference

    def at(document: Document, place: Place | None) -> Place | None:
        return place and place_of_attribute(document, place, difference.attribute)

    return replace(
        difference,
        left_place=at(left, difference.left_place),
        right_place=at(right, difference.right_place),
    )


# --- text ------------------------------------------------------------------------------------


def _text(
    a: Path,
    b: Path,
    found: Sequence[Difference],
    models: Sequence[Model],
    ignored: Collection[str],
) -> str:
    but = f", {', '.join(sorted(ignored))} left out" if ignored else ""
    if not found:
        return f"{a} and {b} are the same model: {_size(models[0])} compared{but}"
    lines = [f"A  {a}", f"B  {b}"]
    for section in SECTIONS:
        told = [d for d in found if d.section == section]
        if told:
            lines += ["", f"{section}:"]
        for difference in told:
            lines += _difference(difference)
    counts = ", ".join(
        f"{count} in {section}"
        for section in SECTIONS
        if (count := sum(d.section == section for d in found))
    )
    plural = "difference" if len(found) == 1 else "differences"
    return "\n".join([*lines, "", f"{len(found)} {plural}: {counts}{but}"])


def _difference(difference: Difference) -> Iterable[str]:
    path, what = difference.path, difference.what
    yield f"  {path}: {what}" if path else f"  {what}"
    sides = (
        ("A", difference.left, difference.left_place),
        ("B", difference.right, difference.right_place),
    )
    for name, text, place in sides:
        shown = "nothing" if text is None else text or '""'
        yield f"    {name}  {shown}" + (f"    [{place}]" if place else "")


def _size(model: Model) -> str:
    """Return in words how much there was to compare."""
    components = [c for top in model.order for c in top.descendants()]
    tables = (p for c in components for _, _, p in c.parts if isinstance(p, ComponentTable))
    rows = sum(table.rows for table in tables)
    types = len({c.type.name for c in components})
    told = [(len(components), "component"), (types, "type")]
    if rows:
        told.append((rows, "connection, input or listed cell"))
    words = [
        f"{count:,} {word}" if count == 1 else f"{count:,} {_plural(word)}" for count, word in told
    ]
    return " and ".join([", ".join(words[:-1]), words[-1]])


def _plural(word: str) -> str:
    return {"connection, input or listed cell": "connections, inputs and listed cells"}.get(
        word, f"{word}s"
    )


def _json(a: Path, b: Path, found: Sequence[Difference]) -> str:
    data = {
        "same": not found,
        "left": str(a),
        "right": str(b),
        "differences": [_as_data(difference) for difference in found],
    }
    return json.dumps(data, indent=2)


def _as_data(difference: Difference) -> dict[str, Any]:
    return {
        "section": difference.section,
        "path": difference.path,
        "what": difference.what,
        "left": difference.left,
        "right": difference.right,
        "left_place": _place(difference.left_place),
        "right_place": _place(difference.right_place),
    }


def _place(place: Place | None) -> dict[str, Any] | None:
    if place is None:
        return None
    return {"file": place.file, "line": place.line, "column": place.column}
