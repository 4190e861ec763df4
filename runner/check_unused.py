"""Parameters and exposures that a component type declares and nothing uses or sets."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from ..converter.document import Document, Element
from ..converter.model import ComponentType, Model
from ..errors import Faults, Place

_WORD = re.compile(r"[A-Za-z_]\w*")

#: Attributes that declare a name, or only say what it is.
_DECLARING = frozenset({"name", "parameter", "description", "dimension", "extends"})


def check_unused(
    document: Document, model: Model, faults: Faults, own: Callable[[Place], bool]
) -> None:
    """Warn of what the user's own component types declare in vain."""
    words: dict[str, set[str]] = {}
    for element in document.elements:
        if isinstance(element, Element) and element.tag == "ComponentType":
            words.setdefault(element.attributes.get("name", ""), set()).update(_words(element))
    # A child's Requirement, a path of another type or a recorded quantity may mean anything
    # of its name.
    asked = {name for kind in model.types.values() for name in kind.requirements}
    asked |= {word for element in document.elements for word in _last_bits(element)}
    heirs: dict[str, list[str]] = {}
    for kind in model.types.values():
        for ancestor in kind.ancestors:
            heirs.setdefault(ancestor, []).append(kind.name)
    for kind in model.types.values():
        if kind.packaged or not own(kind.place):
            continue
        family = (kind.name, *kind.ancestors, *heirs.get(kind.name, ()))
        used = asked.union(*(words.get(name, ()) for name in family))
        for name, parameter in kind.parameters.items():
            if own(parameter.place) and _declares(kind, model, name) and name not in used:
                faults.warning(
                    f"nothing uses the parameter {name!r} of {kind.name!r}", parameter.place
                )
        _exposures(kind, model, faults, bool(heirs.get(kind.name)))


def _exposures(kind: ComponentType, model: Model, faults: Faults, is_base: bool) -> None:
    dynamics = kind.dynamics
    if dynamics is None or is_base:
        return
    exposed = {variable.exposure for variable in dynamics.variables}
    for name, exposure in kind.exposures.items():
        if name not in exposed and _declares(kind, model, name, "exposures"):
            faults.warning(f"nothing sets the exposure {name!r} of {kind.name!r}", exposure.place)


def _declares(kind: ComponentType, model: Model, name: str, group: str = "parameters") -> bool:
    """Tell whether `kind` itself declares what it calls `name`, and no ancestor does."""
    bases = (model.types.get(ancestor) for ancestor in kind.ancestors)
    return not any(base is not None and name in getattr(base, group) for base in bases)


def _words(element: Element) -> Iterator[str]:
    waiting = [element]
    while waiting:
        current = waiting.pop()
        waiting.extend(current.elements())
        for name, value in current.attributes.items():
            if name not in _DECLARING:
                yield from _WORD.findall(value)


def _last_bits(element: object) -> Iterator[str]:
    """Yield the last word of every attribute that looks like a path, at any depth."""
    waiting = [element]
    while waiting:
        current = waiting.pop()
        if not isinstance(current, Element):
            continue
        waiting.extend(current.children)
        for name, value in current.attributes.items():
            if name in ("quantity", "select") or (current.tag == "Text" and name == "name"):
                yield value.rpartition("/")[2]
