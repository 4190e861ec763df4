"""Component types from their elements, inheritance merged, expressions parsed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TypeVar

from ..errors import Place, did_you_mean
from .attributes import SILENT
from .definitions import constant_value
from .document import Element
from .model import (
    ComponentType,
    ConstantValue,
    DerivedParameter,
    Dynamics,
    Port,
    Quantity,
    Slot,
    StructureElement,
)
from .type_dynamics import DynamicsReader

T = TypeVar("T")

#: Spellings of older documents that the reference still reads.
LEGACY = {
    "Behavior": "Dynamics",
    "ComponentTypeRef": "ComponentReference",
    "ComponentRef": "ComponentReference",
}

SLOTS = {
    "Child": "child",
    "Children": "children",
    "Attachments": "attachments",
    "ComponentReference": "references",
    "Link": "links",
    "InstanceRequirement": "instance_requirements",
}

#: Members other than blocks.
MEMBERS = (
    *SLOTS,
    *"Parameter Exposure Requirement Property Constant DerivedParameter Fixed".split(),
    *"ComponentRequirement Text Path IndexParameter EventPort".split(),
    *"PathParameter IntegerParameter".split(),
)

#: Elements that the reference reads and that never became part of the language.
EXPERIMENTS = frozenset(
    "Procedure Geometry Collection PairCollection ComponentTypeReference SimulatorShortcut "
    "Location Insertion Function AnalogPort Equilibrium".split()
)

#: Types of our own files that were read in this process, and how many are kept.
_KNOWN: dict[tuple[int, int, int], tuple[Element, ComponentType | None, ComponentType]] = {}
MOST_KNOWN = 4000

#: What names of dimensions, units and constants meant when they were read, by number.
_CONTEXTS: dict[tuple[object, ...], int] = {}
_NUMBERS = count()


@dataclass(slots=True)
class TypeReader(DynamicsReader):
    """Reads ComponentType elements."""

    is_packaged: Callable[[Place], bool] = lambda _: False
    constants: Mapping[str, ConstantValue] = field(default_factory=dict)
    elements: dict[str, Element] = field(default_factory=dict)
    done: dict[str, ComponentType] = field(default_factory=dict)
    circular: set[str] = field(default_factory=set)
    context: int | None = None

    # --- one type and its ancestors ------------------------------------------------------

    def read_all(self, elements: Iterable[Element]) -> dict[str, ComponentType]:
        """Return all types by name, in document order."""
        for element in elements:
            name = self.required(element, "name")
            if name is None:
                continue
            if name in self.elements:
                first = self.elements[name].place
                self.faults.error(
                    f"the component type {name!r} is defined twice",
                    self.locate(element, "name"),
                    f"the first definition is at {first}",
                )
                continue
            self.elements[name] = element
        for name in self.elements:
            self.type_named(name)
        return {name: self.done[name] for name in self.elements if name in self.done}

    def type_named(self, name: str) -> ComponentType | None:
        """Return the type `name` with its ancestors merged, reading it on first use."""
        lineage: list[str] = []
        current: str | None = name
        while current is not None and current not in self.done:
            if current in lineage:
                circle = lineage[lineage.index(current) :]
                if self.circular.isdisjoint(circle):
                    self.faults.error(
                        f"the component type {current!r} extends itself: "
                        + " -> ".join([*circle, current]),
                        self.locate(self.elements[circle[-1]], "extends"),
                        "one of them must extend another type, or none",
                    )
                self.circular.update(circle)
                return None
            if current not in self.elements:
                element = self.elements[lineage[-1]]
                self.faults.error(
                    f"no component type is called {current!r}",
                    self.locate(element, "extends"),
                    did_you_mean(current, self.elements) or "include the file that defines it",
                )
                current = None
                break
            lineage.append(current)
            current = self.elements[current].get("extends")
        for ancestor in reversed(lineage):
            element = self.elements[ancestor]
            base = self.done.get(element.get("extends") or "")
            self.done[ancestor] = self._remembered(element, base)
        return self.done.get(name)

    def _remembered(self, element: Element, base: ComponentType | None) -> ComponentType:
        """Read a type, one of our own files only once as long as no name in it changes meaning."""
        if not self.is_packaged(element.place):
            return self._read(element, base)
        if self.context is None:
            names = tuple(tuple(t.items()) for t in (self.dimensions, self.units, self.constants))
            self.context = _CONTEXTS.setdefault(names, next(_NUMBERS))
        key = (id(element), id(base), self.context)
        # What a key was made of is kept with it, so that no other object takes its identity.
        found = _KNOWN.get(key)
        if found is None:
            noted = len(self.faults.found)
            found = (element, base, self._read(element, base))
            if len(self.faults.found) > noted:
                return found[2]
            if len(_KNOWN) >= MOST_KNOWN:
                _KNOWN.clear()
                _CONTEXTS.clear()
                self.context = None
                return found[2]
            _KNOWN[key] = found
        return found[2]

    def _read(self, element: Element, base: ComponentType | None) -> ComponentType:
        own = _Members()
        for part in element.elements():
            self._member(part, own)
        merged = ComponentType(
            name=element.attributes["name"],
            place=element.place,
            description=element.get("description") or "",
            packaged=self.is_packaged(element.place),
            ancestors=(base.name, *base.ancestors) if base else (),
            parameters=_merged(own.parameters, base.parameters if base else {}),
            properties=_merged(own.properties, base.properties if base else {}),
            derived_parameters=_merged(
                own.derived_parameters, base.derived_parameters if base else {}
            ),
            constants=_merged(own.constants, base.constants if base else {}),
            fixed=_merged(own.fixed, base.fixed if base else {}),
            exposures=_merged(own.exposures, base.exposures if base else {}),
            requirements=_merged(own.requirements, base.requirements if base else {}),
            component_requirements=tuple(
                dict.fromkeys(
                    (*own.component_requirements, *(base.component_requirements if base else ()))
                )
            ),
            instance_requirements=_merged(
                own.instance_requirements, base.instance_requirements if base else {}
            ),
            ports=_merged(own.ports, base.ports if base else {}),
            child=_merged(own.child, base.child if base else {}),
            children=_merged(own.children, base.children if base else {}),
            attachments=_merged(own.attachments, base.attachments if base else {}),
            references=_merged(own.references, base.references if base else {}),
            links=_merged(own.links, base.links if base else {}),
            texts=frozenset(own.texts) | (base.texts if base else frozenset()),
            paths=frozenset(own.paths) | (base.paths if base else frozenset()),
            index_parameters=frozenset(own.index_parameters)
            | (base.index_parameters if base else frozenset()),
            dynamics=own.dynamics or (base.dynamics if base else None),
            structure=tuple(own.structure) or (base.structure if base else ()),
            simulation=tuple(own.simulation) or (base.simulation if base else ()),
        )
        # A quantity that a type redeclares in another role replaces the inherited one:
        # channelDensityVShift makes the constant vShift a parameter.
        if base:
            constants = {k: v for k, v in merged.constants.items() if k not in own.parameters}
            parameters = {k: v for k, v in merged.parameters.items() if k not in own.constants}
            merged = replace(merged, constants=constants, parameters=parameters)
        return merged

    # --- members --------------------------------------------------------------------------

    def _member(self, part: Element, own: _Members) -> None:
        tag = LEGACY.get(part.tag, part.tag)
        if tag in SILENT:
            return
        if tag in ("Dynamics", "Structure", "Simulation"):
            self._block(tag, part, own)
            return
        if tag == "Build":  # the Structure of documents before LEMS 0.6
            self._block("Structure", part, own)
            return
        if tag not in MEMBERS:
            self.faults.error(
                f"a ComponentType has no element {part.tag!r}",
                part.place,
                "LEMS 0.7.6 does not have it; no simulator runs it"
                if tag in EXPERIMENTS
                else did_you_mean(part.tag, MEMBERS),
            )
            return
        naming = "parameter" if tag == "Fixed" else "name"
        name = self.required(part, naming)
        if name is None:
            return
        place = part.place
        if tag in ("Parameter", "Exposure", "Requirement", "Property"):
            group = {
                "Parameter": own.parameters,
                "Exposure": own.exposures,
                "Requirement": own.requirements,
                "Property": own.properties,
            }[tag]
            default = self.plain_number(part, "defaultValue") if tag == "Property" else None
            quantity = Quantity(name, self.dimension(part), place, default)
            self._define(group, name, quantity, part)
        elif tag == "Constant":
            self._constant(part, own)
        elif tag == "DerivedParameter":
            derived = DerivedParameter(
                name,
                self.dimension(part),
                self.expression(part, "value", optional=True),
                part.get("select"),
                place,
            )
            if derived.value is None and derived.select is None:
                self.faults.error(f"the DerivedParameter {name!r} needs a value or a select", place)
            self._define(own.derived_parameters, name, derived, part)
        elif tag == "Fixed":
            own.fixed[name] = (part.get("value") or "", self.locate(part, "value"))
        elif tag == "ComponentRequirement":
            own.component_requirements.append(name)
        elif tag in ("Text", "Path", "IndexParameter", "PathParameter", "IntegerParameter"):
            {
                "Text": own.texts,
                "Path": own.paths,
                "PathParameter": own.paths,
                "IndexParameter": own.index_parameters,
                "IntegerParameter": own.index_parameters,
            }[tag].add(name)
        elif tag == "EventPort":
            direction = (self.required(part, "direction") or "in").lower()
            if direction not in ("in", "out"):
                self.faults.error(
                    f"an EventPort's direction is 'in' or 'out', not {direction!r}",
                    self.locate(part, "direction"),
                )
            self._define(own.ports, name, Port(name, direction, place), part)
        else:
            self._define(getattr(own, SLOTS[tag]), name, self._slot(part, name), part)

    def _constant(self, part: Element, own: _Members) -> None:
        name = part.get("symbol") or part.attributes["name"]
        if self.required(part, "value") is None:
            return
        dimension = self.dimension(part)
        known = {**self.constants, **own.constants}
        value = constant_value(
            part, dimension, self.units, known, self.faults, self.locate(part, "value")
        )
        if value is not None:
            self._define(
                own.constants, name, ConstantValue(name, dimension, value, part.place), part
            )

    def _slot(self, part: Element, name: str) -> Slot:
        return Slot(
            name,
            part.get("type") or "Component",
            part.place,
            local=part.get("local") == "true",
            minimum=int(part.get("min") or 0) if (part.get("min") or "0").isdigit() else 0,
            maximum=int(part.attributes["max"]) if (part.get("max") or "").isdigit() else None,
        )

    def _define(self, group: dict[str, T], name: str, value: T, part: Element) -> None:
        if name in group:
            self.faults.error(f"{part.tag} {name!r} is declared twice", self.locate(part, "name"))
        group[name] = value

    def _block(self, tag: str, part: Element, own: _Members) -> None:
        if tag == "Dynamics":
            if own.dynamics is not None:
                self.faults.error("a ComponentType has one Dynamics block", part.place)
            own.dynamics = self._dynamics(part)
            for build in part.elements("Build"):
                self._block("Structure", build, own)
        elif tag == "Structure":
            own.structure.extend(map(self._structure, part.elements()))
        else:
            own.simulation.extend(map(self._structure, part.elements()))

    def _structure(self, part: Element) -> StructureElement:
        inside = tuple(map(self._structure, part.elements()))
        return StructureElement(part.tag, part.attributes, inside, part.place)


@dataclass(slots=True)
class _Members:
    parameters: dict[str, Quantity] = field(default_factory=dict)
    properties: dict[str, Quantity] = field(default_factory=dict)
    derived_parameters: dict[str, DerivedParameter] = field(default_factory=dict)
    constants: dict[str, ConstantValue] = field(default_factory=dict)
    fixed: dict[str, tuple[str, Place]] = field(default_factory=dict)
    exposures: dict[str, Quantity] = field(default_factory=dict)
    requirements: dict[str, Quantity] = field(default_factory=dict)
    component_requirements: list[str] = field(default_factory=list)
    instance_requirements: dict[str, Slot] = field(default_factory=dict)
    ports: dict[str, Port] = field(default_factory=dict)
    child: dict[str, Slot] = field(default_factory=dict)
    children: dict[str, Slot] = field(default_factory=dict)
    attachments: dict[str, Slot] = field(default_factory=dict)
    references: dict[str, Slot] = field(default_factory=dict)
    links: dict[str, Slot] = field(default_factory=dict)
    texts: set[str] = field(default_factory=set)
    paths: set[str] = field(default_factory=set)
    index_parameters: set[str] = field(default_factory=set)
    dynamics: Dynamics | None = None
    structure: list[StructureElement] = field(default_factory=list)
    simulation: list[StructureElement] = field(default_factory=list)


def _merged(own: Mapping[str, T], inherited: Mapping[str, T]) -> dict[str, T]:
    return {**own, **{k: v for k, v in inherited.items() if k not in own}}
