"""Parameters replaced on request, before anything is resolved.

"hh/v0=-60mV" sets the attribute v0 of the component whose id is hh; longer paths go down by
id or tag: "hhcell/biophysicalProperties/membraneProperties/naChans/condDensity".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ..errors import UsageError, did_you_mean, one_of
from .document import Document, Element, Table
from .model import Component, Model


def overridden(document: Document, overrides: Sequence[tuple[str, str]]) -> Document:
    """Return `document` with attributes replaced; raises `UsageError` where a path fails."""
    for path, text in overrides:
        *bits, attribute = path.split("/")
        if not bits or not all(bits) or not attribute:
            raise UsageError(f"--set wants COMPONENT/PARAMETER=VALUE, not {path!r}")
        found = [
            (number, way)
            for number, element in enumerate(document.elements)
            if isinstance(element, Element) and element.tag != "ComponentType"
            for way in _ways(element, bits)
        ]
        if not found:
            known = sorted(_ids(document))
            hint = did_you_mean(bits[0], known)
            raise UsageError(
                f"--set {path}: no component {'/'.join(bits)!r}" + (f"; {hint}" if hint else "")
            )
        if len(found) > 1:
            raise UsageError(
                f"--set {path}: {len(found)} components are called {'/'.join(bits)!r}; "
                "begin the path with a component that only one of them is in"
            )
        number, way = found[0]
        top = document.elements[number]
        assert isinstance(top, Element)
        changed = _changed(top, way, attribute, text)
        elements = (*document.elements[:number], changed, *document.elements[number + 1 :])
        document = replace(document, elements=elements)
    return document


def check_overrides(model: Model, overrides: Sequence[tuple[str, str]]) -> None:
    """Raise `UsageError` where an override names what its component's type does not have."""
    for path, _ in overrides:
        *bits, attribute = path.split("/")
        for top in model.order:
            for component in reached(top, bits):
                kind = component.type
                known = {
                    *kind.parameters, *kind.properties, *kind.derived_parameters, *kind.texts,
                    *kind.paths, *kind.index_parameters, *kind.references, *kind.links,
                }  # fmt: skip
                if attribute not in known:
                    hint = one_of(attribute, sorted(known))
                    raise UsageError(
                        f"--set {path}: {kind.name!r} has no parameter {attribute!r}"
                        + (f"; {hint}" if hint else "")
                    )


def check_once(
    model: Model,
    overrides: Sequence[tuple[str, str]],
    varied: Sequence[tuple[str, Sequence[float]]],
) -> None:
    """Raise `UsageError` where two of the paths name the same parameter of a component."""
    paths = [*(path for path, _ in overrides), *(path for path, _ in varied)]
    given: dict[tuple[int, str], int] = {}
    for number, path in enumerate(paths):
        *bits, name = path.split("/")
        if not bits or not all(bits):
            continue  # said where it is read
        for top in model.order:
            for component in reached(top, bits):
                before = given.setdefault((id(component), name), number)
                if before != number:
                    raise UsageError(
                        f"{name!r} of one component is set twice: by {paths[before]} and by {path}"
                    )


def reached(component: Component, bits: Sequence[str]) -> Iterator[Component]:
    """Yield every component that `bits` names from `component` down, by the rule of `_ways`."""
    parts = [part for _, _, part in component.parts if isinstance(part, Component)]
    if component.id == bits[0] or (len(bits) > 1 and bits[0] in (component.id, component.tag)):
        if len(bits) == 1:
            yield component
            return
        for part in parts:
            if bits[1] in (part.id, part.tag):
                yield from (part,) if len(bits) == 2 else reached(part, bits[1:])
    else:
        for part in parts:
            yield from reached(part, bits)


def _named(element: Element, bit: str) -> bool:
    return bit in (element.get("id"), element.tag)


def _ways(element: Element, bits: list[str]) -> Iterator[tuple[int, ...]]:
    """Yield the child numbers that lead from `element` to what `bits` names."""
    if element.get("id") == bits[0] or (len(bits) > 1 and _named(element, bits[0])):
        if len(bits) == 1:
            yield ()
            return
        for number, child in enumerate(element.children):
            if isinstance(child, Element) and _named(child, bits[1]):
                if len(bits) == 2:
                    yield (number,)
                else:
                    yield from ((number, *way) for way in _ways(child, bits[1:]))
    else:
        for number, child in enumerate(element.children):
            if isinstance(child, Element):
                yield from ((number, *way) for way in _ways(child, bits))


def _changed(element: Element, way: tuple[int, ...], attribute: str, text: str) -> Element:
    if not way:
        return replace(element, attributes={**element.attributes, attribute: text})
    children = list(element.children)
    child = children[way[0]]
    assert isinstance(child, Element)
    children[way[0]] = _changed(child, way[1:], attribute, text)
    return replace(element, children=tuple(children))


def _ids(document: Document) -> Iterator[str]:
    stack = [e for e in document.elements if isinstance(e, Element)]
    while stack:
        element = stack.pop()
        identity = element.get("id")
        if identity is not None:
            yield identity
        stack.extend(c for c in element.children if not isinstance(c, Table))
