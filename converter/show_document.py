"""A document as text for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .document import Document, Element, Table

#: Characters of an attribute that are shown.
SHOWN = 120


def show(document: Document) -> str:
    """Return `document` as an indented tree, a line per element and per table."""
    head = " ".join([document.root_tag, *_attributes(document.root_attributes)])
    return "\n".join([head, *_lines(document)])


def _lines(document: Document) -> Iterator[str]:
    waiting = [(node, 1) for node in reversed(document.elements)]
    while waiting:
        node, depth = waiting.pop()
        indent = "  " * depth
        if isinstance(node, Table):
            yield f"{indent}{node.tag} x {node.rows} ({', '.join(node.columns)})  [{node.place}]"
            continue
        yield f"{indent}{_element(node)}  [{node.place}]"
        waiting.extend((child, depth + 1) for child in reversed(node.children))


def _element(element: Element) -> str:
    text = [_cut(element.text)] if element.text else []
    return " ".join([element.tag, *_attributes(element.attributes), *text])


def _attributes(attributes: Mapping[str, str]) -> list[str]:
    return [f"{name}={_cut(value)}" for name, value in attributes.items()]


def _cut(text: str) -> str:
    whole = text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."
    return '"' + whole.replace("\n", " ") + '"'
