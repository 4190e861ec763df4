"""Component types from their elements, inheritance merged, expressions parsed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from ..errors import Faults, Place, did_you_mean
from .document import Element
from .expressions import Expression, ExpressionError, is_truth, parse
from .model import (
    Actions,
    Assignment,
    ComponentType,
    ConstantValue,
    DerivedParameter,
    DerivedVariable,
    Dynamics,
    KineticScheme,
    OnCondition,
    OnEvent,
    Port,
    Quantity,
    Regime,
    Slot,
    StateVariable,
    StructureElement,
    TimeDerivative,
)
from .units import NONE, Dimension, Unit, split_quantity

T = TypeVar("T")

#: Spellings of older documents that the reference still reads.
LEGACY = {
    "Behavior": "Dynamics",
    "ComponentTypeRef": "ComponentReference",
    "ComponentRef": "ComponentReference",
}

#: Elements of a type that carry words for people only.
SILENT = frozenset({"About", "Meta", "Display", "notes", "annotation", "Annotation", "Doc"})

Locate = Callable[[Element, str], Place]


@dataclass(slots=True)
class TypeReader:
    """Reads ComponentType elements; faults go to `faults`, places come from `locate`."""

    dimensions: Mapping[str, Dimension]
    units: Mapping[str, Unit]
    faults: Faults
    locate: Locate
    is_packaged: Callable[[Place], bool] = lambda place: False
    elements: dict[str, Element] = field(default_factory=dict)
    done: dict[str, ComponentType] = field(default_factory=dict)

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
                element = self.elements[lineage[-1]]
                self.faults.error(
                    f"the component type {current!r} extends itself through "
                    + " -> ".join([*lineage, current]),
                    self.locate(element, "extends"),
                )
                return None
            if current not in self.elements:
                element = self.elements[lineage[-1]]
                self.faults.error(
                    f"no component type is called {current!r}",
                    self.locate(element, "extends"),
                    did_you_mean(current, self.elements)
                    or "include the file that defines it",
                )
                current = None
                break
            lineage.append(current)
            current = self.elements[current].get("extends")
        for ancestor in reversed(lineage):
            element = self.elements[ancestor]
            base = self.done.get(element.get("extends") or "")
            self.done[ancestor] = self._read(element, base)
        return self.done.get(name)

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
            dynamics=own.dynamics if own.dynamics else base.dynamics if base else None,
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
            default = self._plain(part, "defaultValue") if tag == "Property" else None
            quantity = Quantity(name, self.dimension(part), place, default)
            self._define(group, name, quantity, part)
        elif tag == "Constant":
            value = self.quantity(part, "value")
            if value is not None:
                constant = ConstantValue(name, self.dimension(part), value, place)
                self._define(own.constants, name, constant, part)
        elif tag == "DerivedParameter":
            derived = DerivedParameter(
                name, self.dimension(part), self.expression(part, "value", optional=True),
                part.get("select"), place,
            )
            if derived.value is None and derived.select is None:
                self.faults.error(
                    f"the DerivedParameter {name!r} needs a value or a select", place
                )
            self._define(own.derived_parameters, name, derived, part)
        elif tag == "Fixed":
            own.fixed[name] = (part.get("value") or "", self.locate(part, "value"))
        elif tag == "ComponentRequirement":
            own.component_requirements.append(name)
        elif tag in ("Text", "Path", "IndexParameter", "PathParameter"):
            {
                "Text": own.texts,
                "Path": own.paths,
                "PathParameter": own.paths,
                "IndexParameter": own.index_parameters,
            }[tag].add(name)
        elif tag == "EventPort":
            direction = self.required(part, "direction") or "in"
            if direction not in ("in", "out"):
                self.faults.error(
                    f"an EventPort's direction is 'in' or 'out', not {direction!r}",
                    self.locate(part, "direction"),
                )
            self._define(own.ports, name, Port(name, direction, place), part)
        elif tag in SLOTS:
            self._define(getattr(own, SLOTS[tag]), name, self._slot(part, name), part)
        else:
            self.faults.error(
                f"a ComponentType has no element {part.tag!r}",
                place,
                did_you_mean(part.tag, [*SLOTS, *KNOWN_MEMBERS]),
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
            self.faults.error(
                f"{part.tag} {name!r} is declared twice", self.locate(part, "name")
            )
        group[name] = value

    def _block(self, tag: str, part: Element, own: _Members) -> None:
        if tag == "Dynamics":
            if own.dynamics is not None:
                self.faults.error("a ComponentType has one Dynamics block", part.place)
            own.dynamics = self._dynamics(part)
        elif tag == "Structure":
            own.structure.extend(map(self._structure, part.elements()))
        else:
            own.simulation.extend(map(self._structure, part.elements()))

    def _structure(self, part: Element) -> StructureElement:
        inside = tuple(map(self._structure, part.elements()))
        return StructureElement(part.tag, part.attributes, inside, part.place)

    # --- dynamics --------------------------------------------------------------------------

    def _dynamics(self, block: Element) -> Dynamics:
        parts = _Dynamics()
        for part in block.elements():
            self._dynamics_part(part, parts)
        return Dynamics(
            place=block.place,
            simultaneous=block.get("simultaneous") == "true",
            state_variables=tuple(parts.state_variables),
            derived_variables=(*parts.derived_variables, *parts.conditional),
            time_derivatives=tuple(parts.time_derivatives),
            on_start=tuple(parts.on_start),
            on_events=tuple(parts.on_events),
            on_conditions=tuple(parts.on_conditions),
            regimes=tuple(parts.regimes),
            kinetic_schemes=tuple(parts.kinetic_schemes),
        )

    def _dynamics_part(self, part: Element, parts: _Dynamics) -> None:
        match part.tag:
            case "StateVariable":
                name = self.required(part, "name")
                if name is not None:
                    parts.state_variables.append(
                        StateVariable(name, self.dimension(part), part.get("exposure"), part.place)
                    )
            case "DerivedVariable":
                variable = self._derived(part)
                if variable is not None:
                    parts.derived_variables.append(variable)
            case "ConditionalDerivedVariable":
                variable = self._conditional(part)
                if variable is not None:
                    parts.conditional.append(variable)
            case "TimeDerivative":
                parts.time_derivatives.extend(self._derivative(part))
            case "OnStart":
                parts.on_start.append(self._actions(part))
            case "OnEvent":
                port = self.required(part, "port")
                if port is not None:
                    parts.on_events.append(OnEvent(port, self._actions(part), part.place))
            case "OnCondition":
                parts.on_conditions.extend(self._condition(part))
            case "Regime":
                parts.regimes.append(self._regime(part))
            case "KineticScheme":
                scheme = self._scheme(part)
                if scheme is not None:
                    parts.kinetic_schemes.append(scheme)
            case tag if tag in SILENT:
                pass
            case tag:
                self.faults.error(
                    f"Dynamics has no element {tag!r}",
                    part.place,
                    did_you_mean(tag, DYNAMICS_ELEMENTS),
                )

    def _derived(self, part: Element) -> DerivedVariable | None:
        name = self.required(part, "name")
        if name is None:
            return None
        select, value = part.get("select"), self.expression(part, "value", optional=True)
        if (select is None) == (part.get("value") is None):
            self.faults.error(
                f"the DerivedVariable {name!r} needs a value or a select (one of them)",
                part.place,
            )
            return None
        reduce = part.get("reduce")
        known = {"add": "add", "+": "add", "sum": "add", "plus": "add", "multiply": "multiply",
                 "*": "multiply", "product": "multiply", "times": "multiply"}
        if reduce is not None and reduce not in known:
            self.faults.error(
                f"reduce is 'add' or 'multiply', not {reduce!r}", self.locate(part, "reduce")
            )
        if select is None and value is None:
            return None
        return DerivedVariable(
            name,
            self.dimension(part),
            part.get("exposure"),
            part.place,
            value=value,
            select=select,
            reduce=known.get(reduce or ""),
            required=(part.get("required") or "true") not in ("false", "no"),
        )

    def _conditional(self, part: Element) -> DerivedVariable | None:
        name = self.required(part, "name")
        if name is None:
            return None
        cases: list[tuple[Expression | None, Expression]] = []
        for case in part.elements("Case"):
            value = self.expression(case, "value")
            condition = None
            if case.get("condition") is not None:
                condition = self.expression(case, "condition", truth=True)
                if condition is None:
                    continue
            if value is not None:
                cases.append((condition, value))
        if not cases:
            self.faults.error(f"{name!r} has no Case", part.place)
            return None
        return DerivedVariable(
            name, self.dimension(part), part.get("exposure"), part.place, cases=tuple(cases)
        )

    def _derivative(self, part: Element) -> list[TimeDerivative]:
        variable, value = self.required(part, "variable"), self.expression(part, "value")
        if variable is None or value is None:
            return []
        return [TimeDerivative(variable, value, part.place)]

    def _condition(self, part: Element) -> list[OnCondition]:
        test = self.expression(part, "test", truth=True)
        actions = self._actions(part)
        return [] if test is None else [OnCondition(test, actions, part.place)]

    def _actions(self, block: Element) -> Actions:
        assignments: list[Assignment] = []
        events: list[tuple[str, Place]] = []
        transition: tuple[str, Place] | None = None
        for part in block.elements():
            if part.tag == "StateAssignment":
                variable, value = self.required(part, "variable"), self.expression(part, "value")
                if variable is not None and value is not None:
                    assignments.append(Assignment(variable, value, part.place))
            elif part.tag == "EventOut":
                port = self.required(part, "port")
                if port is not None:
                    events.append((port, self.locate(part, "port")))
            elif part.tag == "Transition":
                regime = self.required(part, "regime")
                if regime is not None:
                    transition = (regime, self.locate(part, "regime"))
            elif part.tag not in SILENT:
                self.faults.error(
                    f"{block.tag} has no element {part.tag!r}",
                    part.place,
                    did_you_mean(part.tag, ("StateAssignment", "EventOut", "Transition")),
                )
        return Actions(tuple(assignments), tuple(events), transition)

    def _regime(self, block: Element) -> Regime:
        derived: list[DerivedVariable] = []
        derivatives: list[TimeDerivative] = []
        conditions: list[OnCondition] = []
        events: list[OnEvent] = []
        entry = Actions()
        for part in block.elements():
            if part.tag == "TimeDerivative":
                derivatives.extend(self._derivative(part))
            elif part.tag == "OnEntry":
                entry = self._actions(part)
            elif part.tag == "OnCondition":
                conditions.extend(self._condition(part))
            elif part.tag == "OnEvent":
                port = self.required(part, "port")
                if port is not None:
                    events.append(OnEvent(port, self._actions(part), part.place))
            elif part.tag == "DerivedVariable":
                variable = self._derived(part)
                if variable is not None:
                    derived.append(variable)
            elif part.tag == "ConditionalDerivedVariable":
                variable = self._conditional(part)
                if variable is not None:
                    derived.append(variable)
            elif part.tag not in SILENT:
                self.faults.error(f"a Regime has no element {part.tag!r}", part.place)
        return Regime(
            self.required(block, "name") or "",
            block.get("initial") == "true",
            entry,
            tuple(derived),
            tuple(derivatives),
            tuple(conditions),
            tuple(events),
            block.place,
        )

    def _scheme(self, part: Element) -> KineticScheme | None:
        wanted = ("name", "nodes", "edges", "stateVariable", "edgeSource", "edgeTarget",
                  "forwardRate", "reverseRate")
        values = [self.required(part, name) for name in wanted]
        if any(value is None for value in values):
            return None
        return KineticScheme(*(value or "" for value in values), place=part.place)

    # --- attributes ---------------------------------------------------------------------

    def required(self, element: Element, name: str) -> str | None:
        """Return an attribute that must be there."""
        value = element.get(name)
        if value is None or value == "":
            self.faults.error(f"{element.tag} needs the attribute {name!r}", element.place)
            return None
        return value

    def dimension(self, element: Element) -> Dimension | None:
        """Return the dimension that an element names; "*" is None, absent is no dimension."""
        name = element.get("dimension")
        if name is None and element.get("exposure") is not None:
            return None  # that of the exposure
        if name is None or name == "none":
            return NONE
        if name == "*":
            return None
        if name not in self.dimensions:
            self.faults.error(
                f"no dimension is called {name!r}",
                self.locate(element, "dimension"),
                did_you_mean(name, self.dimensions),
            )
            return None
        return self.dimensions[name]

    def quantity(self, element: Element, name: str) -> float | None:
        """Return an attribute's value in SI, checked against the element's dimension."""
        text = self.required(element, name)
        if text is None:
            return None
        return read_quantity(
            text, self.dimension(element), self.units, self.faults, self.locate(element, name)
        )

    def _plain(self, element: Element, name: str) -> float | None:
        text = element.get(name)
        if text is None:
            return None
        try:
            return float(text)
        except ValueError:
            self.faults.error(f"{text[:40]!r} is no plain number", self.locate(element, name))
            return None

    def expression(
        self, element: Element, name: str, *, truth: bool = False, optional: bool = False
    ) -> Expression | None:
        """Return an attribute's expression; its faults are placed at their column."""
        text = element.get(name)
        if text is None or not text.strip():
            if not optional:
                self.faults.error(f"{element.tag} needs the attribute {name!r}", element.place)
            return None
        try:
            tree = parse(text)
        except ExpressionError as fault:
            at = self.locate(element, name)
            self.faults.error(
                f"{name} of {element.tag} is no expression: {fault.message}",
                Place(at.file, at.line, at.column + fault.column),
            )
            return None
        if is_truth(tree) != truth:
            wanted = "a comparison" if truth else "a number, not a comparison"
            self.faults.error(f"{name} must give {wanted}", self.locate(element, name))
            return None
        return tree


def read_quantity(
    text: str,
    dimension: Dimension | None,
    units: Mapping[str, Unit],
    faults: Faults,
    place: Place,
) -> float | None:
    """Return a quantity's text in SI; None, with a fault noted, where it does not fit."""
    try:
        number, symbol = split_quantity(text)
    except ValueError as error:
        faults.error(str(error), place, "write a number and a unit, for instance '10 mV'")
        return None
    if not symbol:
        if dimension is not None and dimension != NONE and number != 0:
            faults.error(
                f"{text.strip()!r} has no unit, but the dimension of {dimension} is needed",
                place,
                "add a unit: " + ", ".join(_units_of(dimension, units)),
            )
            return None
        return number
    unit = units.get(symbol)
    if unit is None:
        near = did_you_mean(symbol, units)
        fitting = _units_of(dimension, units) if dimension is not None else []
        hint = near or ("units that fit: " + ", ".join(fitting) if fitting else None)
        faults.error(f"no unit is called {symbol[:40]!r}", place, hint)
        return None
    if dimension is not None and unit.dimension != dimension:
        fitting = ", ".join(_units_of(dimension, units)) or "none at all (a plain number)"
        faults.error(
            f"the unit {symbol!r} measures {unit.dimension}, but {dimension} is needed",
            place,
            f"units that fit: {fitting}",
        )
        return None
    return unit.si(number)


def _units_of(dimension: Dimension, units: Mapping[str, Unit]) -> list[str]:
    return [unit.symbol for unit in units.values() if unit.dimension == dimension][:12]


SLOTS = {
    "Child": "child",
    "Children": "children",
    "Attachments": "attachments",
    "ComponentReference": "references",
    "Link": "links",
    "InstanceRequirement": "instance_requirements",
}

KNOWN_MEMBERS = (
    "Parameter Exposure Requirement Property Constant DerivedParameter Fixed "
    "ComponentRequirement Text Path IndexParameter EventPort Dynamics Structure Simulation"
).split()

DYNAMICS_ELEMENTS = (
    "StateVariable DerivedVariable ConditionalDerivedVariable TimeDerivative OnStart OnEvent "
    "OnCondition Regime KineticScheme"
).split()


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


@dataclass(slots=True)
class _Dynamics:
    state_variables: list[StateVariable] = field(default_factory=list)
    derived_variables: list[DerivedVariable] = field(default_factory=list)
    conditional: list[DerivedVariable] = field(default_factory=list)
    time_derivatives: list[TimeDerivative] = field(default_factory=list)
    on_start: list[Actions] = field(default_factory=list)
    on_events: list[OnEvent] = field(default_factory=list)
    on_conditions: list[OnCondition] = field(default_factory=list)
    regimes: list[Regime] = field(default_factory=list)
    kinetic_schemes: list[KineticScheme] = field(default_factory=list)


def _merged(own: Mapping[str, T], inherited: Mapping[str, T]) -> dict[str, T]:
    return {**own, **{k: v for k, v in inherited.items() if k not in own}}
