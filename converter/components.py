"""Components from their elements: type, values in SI, texts, references, children."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..errors import Faults, Place, did_you_mean
from .document import Column, Element, Table
from .evaluate import evaluate
from .model import Component, ComponentTable, ComponentType
from .quantities import read_quantity
from .units import NONE, Dimension, Unit

#: Elements that people and tools put anywhere and that carry no equations.
SILENT = frozenset({"notes", "annotation", "property", "About", "Meta", "Notes", "RDF"})

#: Elements of the NeuroML schema without a component type: they say where cells are and what
#: surrounds them, and no equation reads them.
DESCRIPTIVE = frozenset({"space", "layout", "extracellularProperties"})

#: Attributes that any component may have.
FREE_ATTRIBUTES = frozenset(
    {"id", "name", "type", "extends", "description", "neuroLexId", "metaid", "tag", "value"}
)

#: Where on a cell's morphology something applies; the schema has them where the types do not.
WHERE = ("segmentGroup", "segment")

Locate = Callable[[Element, str], Place]


@dataclass(slots=True)
class ComponentReader:
    """Reads component elements into `Component`s; faults go to `faults`."""

    types: Mapping[str, ComponentType]
    units: Mapping[str, Unit]
    constants: Mapping[str, float]
    faults: Faults
    locate: Locate
    templates: Mapping[str, Element] = field(default_factory=dict)  # by id, for `extends`

    # --- one component --------------------------------------------------------------------

    def component(self, element: Element) -> Component | None:
        """Return the component of a top-level element, or None with its fault noted."""
        kind = self.type_of(element, None)
        return None if kind is None else self._component(element, kind)

    def type_of(self, element: Element, declared: str | None) -> ComponentType | None:
        """Return the component type of an element; `declared` is its slot's type."""
        given = element.get("type")
        if element.tag == "Component" or declared is not None:
            wanted = given if given is not None else declared
            if given is not None and declared is not None and given not in self.types:
                # Some types have a Text called "type"; then the slot decides.
                slot_type = self.types.get(declared)
                if slot_type is not None and "type" in slot_type.texts:
                    wanted = declared
        elif (
            given is not None
            and given in self.types
            and (
                element.tag not in self.types
                or self.types[given].is_a(element.tag)
                or self._related(given, element.tag)
            )
        ):
            wanted = given
        else:
            wanted = element.tag
        if wanted is None and element.get("extends") in self.templates:
            return self.type_of(self.templates[element.attributes["extends"]], declared)
        if wanted is None:
            self.faults.error(f"{element.tag} needs the attribute 'type'", element.place)
            return None
        found = self.types.get(wanted)
        if found is not None and found.name == "population" and lists_instances(element):
            # A population with its cells listed, whose writer left out the type.
            found = self.types.get("populationList", found)
        if found is None:
            at = self.locate(element, "type") if given == wanted else element.place
            self.faults.error(
                f"no component type is called {wanted[:60]!r}",
                at,
                did_you_mean(wanted, self.types) or "include the file that defines it",
            )
        return found

    def _related(self, given: str, tag: str) -> bool:
        # `<ionChannel type="ionChannelKS">`: both extend one base, neither the other.
        a, b = self.types[given], self.types.get(tag)
        return b is not None and bool(set(a.ancestors) & set(b.ancestors))

    def _component(self, element: Element, kind: ComponentType) -> Component:
        element = self._extended(element, frozenset())
        values: dict[str, float] = dict(self.constants)
        values.update({name: constant.value for name, constant in kind.constants.items()})
        self._parameters(element, kind, values)
        texts = {
            name: element.attributes[name]
            for name in (*kind.texts, *kind.paths, *kind.index_parameters, *WHERE)
            if name in element.attributes
        }
        # An attribute with the name of a Child slot (`morphology="m"`) names what fills it.
        references = {
            name: element.attributes[name]
            for name in (*kind.references, *kind.links, *kind.child)
            if name in element.attributes
        }
        self._unknown_attributes(element, kind)
        parts = tuple(self._parts(element, kind))
        if kind.is_a("populationList"):
            self._check_size(element, parts)
        return Component(
            element.get("id"), element.tag, kind, element.place, values, texts, references, parts
        )

    def _check_size(
        self, element: Element, parts: tuple[tuple[str, str, Component | ComponentTable], ...]
    ) -> None:
        size = element.get("size")
        listed = sum(
            1 if isinstance(part, Component) else part.rows
            for slot, _, part in parts
            if slot == "instances"
        )
        if size is not None and size.strip() != str(listed):
            # Official examples have it (Ex26): the list counts, as in the reference.
            self.faults.warning(
                f"the size of {_describe(element)} is {size!r}, and it lists {listed} "
                "instances, which count",
                self.locate(element, "size"),
                f'write size="{listed}", or leave it out',
            )

    def _extended(self, element: Element, seen: frozenset[str]) -> Element:
        """Return `element` with what the component that it extends gives."""
        base_id = element.get("extends")
        if base_id is None:
            return element
        base = self.templates.get(base_id)
        if base is None or base_id in seen:
            self.faults.error(
                f"no component {base_id!r} to extend"
                if base is None
                else f"the component {base_id!r} extends itself",
                self.locate(element, "extends"),
                did_you_mean(base_id, self.templates),
            )
            return element
        base = self._extended(base, seen | {base_id})
        attributes = {**base.attributes, **element.attributes}
        attributes.pop("extends")
        return Element(
            element.tag,
            attributes,
            (*base.children, *element.children),
            element.text,
            element.place,
        )

    def _parameters(self, element: Element, kind: ComponentType, values: dict[str, float]) -> None:
        for name, parameter in kind.parameters.items():
            if name in kind.derived_parameters and name not in element.attributes:
                continue
            text, place = element.get(name), None
            if text is not None:
                place = self.locate(element, name)
            elif name in kind.fixed:
                text, place = kind.fixed[name]
            if text is None or place is None:
                self.faults.error(
                    f"{_describe(element)} needs the parameter {name!r}",
                    element.place,
                    f'add {name}="..." with the dimension of {parameter.dimension}'
                    if parameter.dimension not in (None, NONE)
                    else f'add {name}="..."',
                )
                continue
            value = read_quantity(text, parameter.dimension, self.units, self.faults, place)
            if value is not None:
                values[name] = value
        for name, prop in kind.properties.items():
            if name in element.attributes:
                value = read_quantity(
                    element.attributes[name],
                    prop.dimension,
                    self.units,
                    self.faults,
                    self.locate(element, name),
                )
                if value is not None:
                    values[name] = value

    def _unknown_attributes(self, element: Element, kind: ComponentType) -> None:
        known = (
            kind.parameters.keys()
            | kind.texts
            | kind.paths
            | kind.index_parameters
            | kind.references.keys()
            | kind.links.keys()
            | kind.properties.keys()
            | kind.derived_parameters.keys()
            | kind.child.keys()
        )
        for name in element.attributes:
            if name in known or name in FREE_ATTRIBUTES or name in WHERE:
                continue
            if ":" in name or "xmlns" in name:
                continue
            if name in kind.constants:
                self.faults.warning(
                    f"{name!r} is a constant of {kind.name!r}; the value given here is not used",
                    self.locate(element, name),
                )
                continue
            self.faults.warning(
                f"{kind.name!r} has no parameter {name!r}; it is not used",
                self.locate(element, name),
                did_you_mean(name, known),
            )

    # --- children --------------------------------------------------------------------------

    def _parts(
        self, element: Element, kind: ComponentType
    ) -> list[tuple[str, str, Component | ComponentTable]]:
        parts: list[tuple[str, str, Component | ComponentTable]] = []
        filled: dict[str, Place] = {}
        for part in element.children:
            if isinstance(part, Table):
                parts.extend(self._table_part(part, kind))
                continue
            if part.tag in kind.child:
                slot = kind.child[part.tag]
                of_type = self.type_of(part, slot.type)
                if of_type is None:
                    continue
                if part.tag in filled and any(part.get(name) is not None for name in WHERE):
                    # Values per segment group or segment: what a Child holds once for each of them.
                    parts.append((part.tag, "children", self._component(part, of_type)))
                    continue
                if part.tag in filled:
                    self.faults.error(
                        f"{_describe(element)} has the child {part.tag!r} twice",
                        part.place,
                        f"the first is at {filled[part.tag]}",
                    )
                    continue
                filled[part.tag] = part.place
                if part.tag not in SILENT:
                    parts.append((part.tag, "child", self._component(part, of_type)))
                elif kind.is_a("segmentGroup"):
                    parts.extend(self._properties(part))
                continue
            if part.tag in SILENT and not _is_wanted(part, kind):
                continue
            if part.tag in DESCRIPTIVE and part.tag not in self.types:
                self.faults.warning(
                    f"{part.tag!r} has no component type: it changes nothing here", part.place
                )
                continue
            of_type = self.type_of(part, None)
            if of_type is None:
                continue
            name = self._children_slot(kind, of_type)
            if name is not None:
                parts.append((name, "children", self._component(part, of_type)))
                continue
            child_slot = next((s.name for s in kind.child.values() if of_type.is_a(s.type)), None)
            if child_slot is not None and child_slot not in filled:
                filled[child_slot] = part.place
                parts.append((child_slot, "child", self._component(part, of_type)))
                continue
            known = [*kind.child, *kind.children]
            self.faults.error(
                f"{part.tag!r} cannot stand in {_describe(element)} (type {kind.name!r})",
                part.place,
                did_you_mean(part.tag, known) or f"it takes {', '.join(known) or 'no children'}",
            )
        return parts

    def _properties(self, element: Element) -> list[tuple[str, str, Component | ComponentTable]]:
        """Return the properties inside an annotation, which may ask for divisions."""
        kind = self.types.get("property")
        return [
            ("property", "children", self._component(part, kind))
            for part in element.elements("property")
            if kind is not None
        ]

    def _children_slot(self, kind: ComponentType, of_type: ComponentType) -> str | None:
        # The reference takes the last list that fits.
        fitting = [s.name for s in kind.children.values() if of_type.is_a(s.type)]
        return fitting[-1] if fitting else None

    def _table_part(
        self, table: Table, kind: ComponentType
    ) -> list[tuple[str, str, Component | ComponentTable]]:
        row_type = self.types.get(table.tag)
        child_slot = kind.child.get(table.tag)
        if child_slot is not None and table.rows == 1:
            row_type = self.types.get(child_slot.type)
        given = table.columns.get("type")
        if given is not None and given.kind == "text" and len(given.templates) == 1:
            row_type = self.types.get(given.templates[0], row_type)
        if row_type is None:
            self.faults.error(
                f"no component type is called {table.tag!r}",
                table.place,
                did_you_mean(table.tag, self.types),
            )
            return []
        slot = self._children_slot(kind, row_type)
        if slot is None:
            self.faults.error(
                f"{table.tag!r} cannot stand in a component of type {kind.name!r}",
                table.place,
                f"it takes {', '.join([*kind.child, *kind.children]) or 'no children'}",
            )
            return []
        return [(slot, "children", self.table(table, row_type))]

    def table(self, table: Table, kind: ComponentType) -> ComponentTable:
        """Return the rows of `table` as components of `kind`, parameters in SI."""
        values: dict[str, NDArray[np.float64]] = {}
        for name, constant in kind.constants.items():
            values[name] = np.full(table.rows, constant.value)
        for name, parameter in kind.parameters.items():
            column = table.columns.get(name)
            if column is None:
                fixed = kind.fixed.get(name)
                value = (
                    read_quantity(fixed[0], parameter.dimension, self.units, self.faults, fixed[1])
                    if fixed
                    else None
                )
                if fixed is None:
                    self.faults.error(f"{table.tag!r} needs the parameter {name!r}", table.place)
                if value is not None:
                    values[name] = np.full(table.rows, value)
                continue
            values[name] = self._column(table, name, column, parameter.dimension)
        for name, derived in kind.derived_parameters.items():
            if derived.value is not None:
                result = evaluate(derived.value, {**self.constants, **values})
                values[name] = np.broadcast_to(np.asarray(result, float), table.rows)
        return ComponentTable(kind, table.rows, values, table.columns, table)

    def _column(
        self, table: Table, name: str, column: Column, dimension: Dimension | None
    ) -> NDArray[np.float64]:
        missing = _missing_rows(column)
        if missing.size:
            self.faults.error(
                f"{table.tag!r} needs the parameter {name!r}", table.place_of(int(missing[0]))
            )
            return np.zeros(table.rows)
        if column.kind != "text":
            if dimension is not None and dimension != NONE and np.any(column.numbers != 0):
                self.faults.error(
                    f"{name!r} has no unit, but the dimension of {dimension} is needed",
                    table.place,
                )
            return column.numbers.astype(float)
        result = np.zeros(table.rows)
        for code, template in enumerate(column.templates):
            rows = np.flatnonzero(column.codes == code)
            if not rows.size:
                continue
            place = table.place_of(int(rows[0]))
            if "{}" not in template:
                value = read_quantity(template, dimension, self.units, self.faults, place)
                result[rows] = 0.0 if value is None else value
                continue
            # "{} ms", "{}.5ms": the number was cut out; few distinct ones are likely.
            distinct, back = np.unique(column.numbers[rows], return_inverse=True)
            texts = [template.replace("{}", str(int(number))) for number in distinct]
            found = [read_quantity(t, dimension, self.units, self.faults, place) for t in texts]
            result[rows] = np.asarray([0.0 if v is None else v for v in found])[back]
        return result


def _is_wanted(element: Element, kind: ComponentType) -> bool:
    """Tell whether a property says how a segment group is divided."""
    return element.tag == "property" and kind.is_a("segmentGroup")


def _missing_rows(column: Column) -> NDArray[np.intp]:
    if column.present is not None:
        return np.flatnonzero(~column.present)
    if column.kind == "text":
        return np.flatnonzero(column.codes < 0)
    return np.empty(0, dtype=np.intp)


def lists_instances(element: Element) -> bool:
    """Tell whether `element` has `instance` elements in it."""
    return any(part.tag == "instance" for part in element.children)


def _describe(element: Element) -> str:
    identity = element.get("id")
    return f"{element.tag} {identity!r}" if identity else element.tag
