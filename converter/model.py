"""The form of a resolved model: what the author wrote, with names bound and values in SI.

A `Model` holds the component types (inheritance merged) and the components. Nothing is
inlined yet: a component still is a tree of children, references are still names bound to
components, and expressions are still those of the component type.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..errors import Place
from .document import Column, Table
from .expressions import Expression
from .units import Dimension, Unit

# --- component types -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Quantity:
    """A declared quantity (Parameter, Exposure, Requirement, Property) and its dimension."""

    name: str
    dimension: Dimension | None  # None: any ("*")
    place: Place
    default: float | None = None  # a Property's default, SI
    required: bool = True


@dataclass(frozen=True, slots=True)
class ConstantValue:
    """A Constant, SI."""

    name: str
    dimension: Dimension | None
    value: float
    place: Place


@dataclass(frozen=True, slots=True)
class DerivedParameter:
    """A parameter computed once per component, by `value` or along a path (`select`)."""

    name: str
    dimension: Dimension | None
    value: Expression | None
    select: str | None
    place: Place


@dataclass(frozen=True, slots=True)
class Slot:
    """A Child, Children, Attachments, ComponentReference or Link: a name and a type."""

    name: str
    type: str
    place: Place
    local: bool = False
    minimum: int = 0
    maximum: int | None = None


@dataclass(frozen=True, slots=True)
class Port:
    """An EventPort."""

    name: str
    direction: str  # "in" or "out"
    place: Place


@dataclass(frozen=True, slots=True)
class StateVariable:
    """A variable that is integrated or assigned."""

    name: str
    dimension: Dimension | None
    exposure: str | None
    place: Place


@dataclass(frozen=True, slots=True)
class DerivedVariable:
    """A variable defined by an expression, by cases, or along a path.

    Exactly one of `value`, `cases` and `select` is given; a case without a condition is the
    last. `reduce` is "add", "multiply" or None.
    """

    name: str
    dimension: Dimension | None
    exposure: str | None
    place: Place
    value: Expression | None = None
    cases: tuple[tuple[Expression | None, Expression], ...] = ()
    select: str | None = None
    reduce: str | None = None
    required: bool = True


@dataclass(frozen=True, slots=True)
class TimeDerivative:
    """d variable / dt = value."""

    variable: str
    value: Expression
    place: Place


@dataclass(frozen=True, slots=True)
class Assignment:
    """variable := value, when its block runs."""

    variable: str
    value: Expression
    place: Place


@dataclass(frozen=True, slots=True)
class Actions:
    """What a block does: assignments in order, then events, then a transition."""

    assignments: tuple[Assignment, ...] = ()
    events: tuple[tuple[str, Place], ...] = ()
    transition: tuple[str, Place] | None = None


@dataclass(frozen=True, slots=True)
class OnEvent:
    """What an event on an in port does."""

    port: str
    actions: Actions
    place: Place


@dataclass(frozen=True, slots=True)
class OnCondition:
    """What holds the block back, and what it does."""

    test: Expression
    actions: Actions
    place: Place


@dataclass(frozen=True, slots=True)
class KineticScheme:
    """Occupancies of the component's `nodes` that flow along its `edges`."""

    place: Place
    name: str
    nodes: str
    edges: str
    state_variable: str
    edge_source: str
    edge_target: str
    forward_rate: str
    reverse_rate: str


@dataclass(frozen=True, slots=True)
class Regime:
    """A mode with its own derivatives, conditions and events."""

    name: str
    initial: bool
    on_entry: Actions
    derived_variables: tuple[DerivedVariable, ...]
    time_derivatives: tuple[TimeDerivative, ...]
    on_conditions: tuple[OnCondition, ...]
    on_events: tuple[OnEvent, ...]
    place: Place

    def every_block(self) -> Iterator[Actions]:
        """Yield every block of actions."""
        yield self.on_entry
        yield from (event.actions for event in self.on_events)
        yield from (condition.actions for condition in self.on_conditions)


@dataclass(frozen=True, slots=True)
class Dynamics:
    """The equations of a component type."""

    place: Place
    simultaneous: bool = False
    state_variables: tuple[StateVariable, ...] = ()
    derived_variables: tuple[DerivedVariable, ...] = ()  # conditional ones after the others
    time_derivatives: tuple[TimeDerivative, ...] = ()
    on_start: tuple[Actions, ...] = ()
    on_events: tuple[OnEvent, ...] = ()
    on_conditions: tuple[OnCondition, ...] = ()
    regimes: tuple[Regime, ...] = ()
    kinetic_schemes: tuple[KineticScheme, ...] = ()

    @property
    def variables(self) -> tuple[StateVariable | DerivedVariable, ...]:
        """The state variables, then the derived ones."""
        return (*self.state_variables, *self.derived_variables)

    def every_derived(self) -> tuple[DerivedVariable, ...]:
        """Return the derived variables, then those of each regime."""
        regimes = (v for regime in self.regimes for v in regime.derived_variables)
        return (*self.derived_variables, *regimes)

    def assigned(self) -> frozenset[str]:
        """Return the names that StateAssignments set."""
        return frozenset(a.variable for actions in self.every_block() for a in actions.assignments)

    def every_block(self) -> Iterator[Actions]:
        """Yield every block of actions, those of regimes included."""
        yield from self.on_start
        yield from (condition.actions for condition in self.on_conditions)
        yield from (event.actions for event in self.on_events)
        for regime in self.regimes:
            yield from regime.every_block()

    def expressions(self) -> Iterator[Expression]:
        """Yield every expression, those of regimes included."""
        for variable in self.every_derived():
            if variable.value is not None:
                yield variable.value
            for condition, value in variable.cases:
                if condition is not None:
                    yield condition
                yield value
        blocks: tuple[Dynamics | Regime, ...] = (self, *self.regimes)
        for block in blocks:
            yield from (derivative.value for derivative in block.time_derivatives)
            yield from (condition.test for condition in block.on_conditions)
        for actions in self.every_block():
            yield from (assignment.value for assignment in actions.assignments)


@dataclass(frozen=True, slots=True)
class StructureElement:
    """One element of a Structure block, with its attributes and the elements inside it."""

    kind: str
    attributes: Mapping[str, str]
    inside: tuple[StructureElement, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class ComponentType:
    """A type definition with everything that it inherits merged in.

    Own members come first, inherited ones that are not redefined after them, as the
    reference merges; Dynamics, Structure and Simulation are the own block, else the nearest
    ancestor's.
    """

    name: str
    place: Place
    ancestors: tuple[str, ...] = ()
    description: str = ""
    packaged: bool = False
    parameters: Mapping[str, Quantity] = field(default_factory=dict)
    properties: Mapping[str, Quantity] = field(default_factory=dict)
    derived_parameters: Mapping[str, DerivedParameter] = field(default_factory=dict)
    constants: Mapping[str, ConstantValue] = field(default_factory=dict)
    fixed: Mapping[str, tuple[str, Place]] = field(default_factory=dict)
    exposures: Mapping[str, Quantity] = field(default_factory=dict)
    requirements: Mapping[str, Quantity] = field(default_factory=dict)
    component_requirements: tuple[str, ...] = ()
    instance_requirements: Mapping[str, Slot] = field(default_factory=dict)
    ports: Mapping[str, Port] = field(default_factory=dict)
    child: Mapping[str, Slot] = field(default_factory=dict)
    children: Mapping[str, Slot] = field(default_factory=dict)
    attachments: Mapping[str, Slot] = field(default_factory=dict)
    references: Mapping[str, Slot] = field(default_factory=dict)
    links: Mapping[str, Slot] = field(default_factory=dict)
    texts: frozenset[str] = frozenset()
    paths: frozenset[str] = frozenset()
    index_parameters: frozenset[str] = frozenset()
    dynamics: Dynamics | None = None
    structure: tuple[StructureElement, ...] = ()
    simulation: tuple[StructureElement, ...] = ()

    def is_a(self, name: str) -> bool:
        """Tell whether this type is `name` or extends it."""
        return self.name == name or name in self.ancestors


# --- components ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Component:
    """An instance of a component type in the document.

    `values`: parameters, constants and derived parameters in SI. `texts`: Text, Path and
    IndexParameter attributes as written. `references`: ids of referenced components.
    `parts`: (slot name, "child" or "children", component or table) in document order.
    """

    id: str | None
    tag: str
    type: ComponentType
    place: Place
    values: Mapping[str, float]
    texts: Mapping[str, str]
    references: Mapping[str, str]
    parts: tuple[tuple[str, str, Component | ComponentTable], ...] = ()

    def child(self, slot: str) -> Component | None:
        """Return the component in a Child slot, or None."""
        for name, kind, part in self.parts:
            if kind == "child" and name == slot and isinstance(part, Component):
                return part
        return None

    def children(self, slot: str) -> Iterator[Component]:
        """Yield the components of a Children list, in document order; no tables."""
        for name, kind, part in self.parts:
            if kind == "children" and name == slot and isinstance(part, Component):
                yield part

    def descendants(self) -> Iterator[Component]:
        """Yield this component and all below it."""
        stack = [self]
        while stack:
            component = stack.pop()
            yield component
            stack.extend(p for _, _, p in component.parts if isinstance(p, Component))


@dataclass(frozen=True, slots=True, eq=False)
class ComponentTable:
    """Many components of one type, as columns: parameters as float64 (n,), SI."""

    type: ComponentType
    rows: int
    values: Mapping[str, NDArray[np.float64]]
    columns: Mapping[str, Column]
    table: Table


@dataclass(frozen=True, slots=True)
class Model:
    """Types, units and components of a document, and the component to simulate."""

    types: Mapping[str, ComponentType]
    units: Mapping[str, Unit]
    dimensions: Mapping[str, Dimension]
    constants: Mapping[str, float]
    components: Mapping[str, Component]
    target: str | None
    order: tuple[Component, ...] = ()
