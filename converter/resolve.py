"""From a document to a model: types bound, inheritance merged, values in SI."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..errors import Faults, ModelError, Place, did_you_mean
from ..schemas import core_types
from .component_types import LEGACY, TypeReader
from .components import ComponentReader
from .declarations import check_declarations
from .definitions import read_constants, read_dimensions, read_units
from .derived_parameters import derive_parameters
from .dimensions import check_dimensions, infer_dimensions
from .document import Document, Element, Table
from .model import Component, ComponentType, Model
from .places import place_of_attribute
from .read import attribute_place, with_lines

#: Top-level elements that are the language's own; every other one is a component.
LANGUAGE = frozenset(
    {
        "Target",
        "DefaultRun",
        "Dimension",
        "Unit",
        "Constant",
        "ComponentType",
        "Include",
        "include",
        "Assertion",
        "About",
        "notes",
        "annotation",
        "property",
        "Meta",
        "Description",
    }
)

PACKAGED = Path(core_types.__file__).parent


def resolve(document: Document, faults: Faults | None = None) -> Model:
    """Return the model that `document` describes.

    Every fault found is collected; raises `ModelError` with all of them, placed, unless the
    caller gives its own `faults` (then it is to raise them).
    """
    noted = faults if faults is not None else Faults()
    model = _resolve(document, noted)
    if faults is None and noted.errors:
        raise with_lines(document, noted.errors)
    return model


def _resolve(document: Document, faults: Faults) -> Model:
    def locate(element: Element, name: str) -> Place:
        return attribute_place(document, element, name)

    def at(place: Place, attribute: str) -> Place:
        return place_of_attribute(document, place, attribute)

    def packaged(place: Place) -> bool:
        source = document.sources.get(place.file)
        # A model's own copy of an official file counts as ours: it is as loose in places.
        return (
            source is not None
            and source.path is not None
            and (PACKAGED in source.path.parents or source.path.name in core_types.CORE_TYPE_FILES)
        )

    elements = [e for e in document.elements if isinstance(e, Element)]
    for table in document.elements:
        if isinstance(table, Table):
            faults.error(f"{table.tag!r} cannot stand at the top of a document", table.place)
    dimensions = read_dimensions(elements, faults)
    units = read_units(elements, dimensions, faults)
    global_constants = read_constants(elements, dimensions, units, faults, locate)
    constants = {name: constant.value for name, constant in global_constants.items()}
    type_reader = TypeReader(
        dimensions, units, faults, locate, is_packaged=packaged, constants=global_constants
    )
    types = type_reader.read_all(e for e in elements if e.tag == "ComponentType")
    types = infer_dimensions(types, global_constants)
    check_dimensions(types, global_constants, faults, at)
    check_declarations(types, global_constants, faults, at)
    # Components of types that are wrong would only repeat their faults.
    broken_types = bool(faults.errors)
    templates = {e.attributes["id"]: e for e in elements if e.tag not in LANGUAGE and e.get("id")}
    reader = ComponentReader(types, units, constants, faults, locate, templates)
    components: dict[str, Component] = {}
    order: list[Component] = []
    for element in elements:
        if element.tag in LANGUAGE or element.tag in LEGACY:
            continue
        if broken_types and element.tag not in types:
            continue
        component = reader.component(element)
        if component is None:
            continue
        order.append(component)
        if component.id is None:
            continue
        if component.id in components:
            first = components[component.id].place
            faults.error(
                f"the id {component.id!r} is given twice",
                locate(element, "id"),
                f"the first is at {first}",
            )
            continue
        components[component.id] = component
    _nested_ids(order, components)
    derive_parameters(order, components, faults)
    target = _target(elements, components, faults)
    return Model(types, units, dimensions, constants, components, target, tuple(order))


def _nested_ids(order: list[Component], components: dict[str, Component]) -> None:
    """Let references reach standalone components that are written inside others."""
    for top in order:
        for component in top.descendants():
            if component.id is not None and component.type.is_a("baseStandalone"):
                components.setdefault(component.id, component)


def _target(
    elements: list[Element],
    components: Mapping[str, Component],
    faults: Faults,
) -> str | None:
    for element in elements:
        if element.tag in ("Target", "DefaultRun"):
            wanted = element.get("component")
            if wanted is None:
                faults.error("Target needs the attribute 'component'", element.place)
            elif wanted not in components:
                faults.error(
                    f"the Target names {wanted!r}, and no component has that id",
                    element.place,
                    did_you_mean(wanted, components),
                )
            else:
                return wanted
    simulations = [c.id for c in components.values() if has_run(c.type)]
    return simulations[-1] if simulations else None


def has_run(kind: ComponentType) -> bool:
    """Tell whether components of `kind` run a simulation."""
    return any(part.kind == "Run" for part in kind.simulation)


__all__ = ["LANGUAGE", "ModelError", "has_run", "resolve"]
