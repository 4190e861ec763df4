"""The form of a flat, symbolic network: the optimiser's subject.

A `Population` is one group of equal instances with everything below them inlined: its
equations mention only its own symbols, `t`, and `reads` of other populations' variables.
Under the schedule "equations" it holds sorted assignments, derivatives, conditions and
handlers; under "jlems" an ordered list of statements with every lag of the reference
explicit (`step`), which no pass may reorder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..errors import Place
from .expressions import Expression
from .units import Dimension

Array = NDArray[np.float64]
Index = NDArray[np.int64]

# --- statements --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Assign:
    """variable := value."""

    variable: str
    value: Expression


@dataclass(frozen=True, slots=True)
class When:
    """Do `body` where `condition` holds."""

    condition: Expression
    body: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Integrate:
    """Advance states by a step: all derivatives from the same state, then all updates.

    `method` is "euler", or "rk4" for types whose Dynamics are `simultaneous`; `derived` are
    the assignments that RK4 evaluates again at each stage.
    """

    derivatives: tuple[tuple[str, Expression], ...]
    method: str = "euler"
    derived: tuple[Assign, ...] = ()


@dataclass(frozen=True, slots=True)
class Emit:
    """Send an event from an out port."""

    port: str


@dataclass(frozen=True, slots=True)
class Run:
    """Run a handler of the same instance."""

    handler: str


@dataclass(frozen=True, slots=True)
class Advance:
    """Advance the instances of other populations that hang below this one, in order."""

    populations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Collect:
    """variable := sum or product over attached instances of a variable of theirs.

    `parts` are (population, variable); the order is that of attachment.
    """

    variable: str
    parts: tuple[tuple[str, str], ...]
    reduce: str


@dataclass(frozen=True, slots=True)
class Flow:
    """Advance occupancies of a kinetic scheme by the exponential of its rate matrix.

    `edges` are (source state number, target state number, forward rate, reverse rate), the
    rates names of variables. `fraction` is how much of the step it is; `implicit` asks for
    backward Euler in place of the exponential.
    """

    states: tuple[str, ...]
    edges: tuple[tuple[int, int, str, str], ...]
    fraction: float = 1.0
    implicit: bool = False


Statement = Assign | When | Integrate | Emit | Run | Advance | Collect | Flow

# --- populations -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Variable:
    """A stored variable of every instance.

    `kind`: "state" (integrated or assigned), "derived", "shadow" (a lagging copy),
    "regime" (the number of the active regime) or "time" (a component's own clock).
    `label` is the path below the instance that people know it by.
    """

    name: str
    kind: str
    dimension: Dimension | None
    label: str
    initial: float | Array = 0.0


@dataclass(frozen=True, slots=True)
class Read:
    """A variable of another population, seen through one of this population's `indices`."""

    population: str
    variable: str
    index: str


@dataclass(frozen=True, slots=True)
class Derivative:
    """d state / dt = value, while `guard` (a regime) holds."""

    state: str
    value: Expression
    guard: Expression | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """When `test` holds after an update, do `body`; `guard` is the regime it belongs to."""

    test: Expression
    body: tuple[Statement, ...]
    guard: Expression | None = None
    place: Place | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Cable:
    """How the instances of a population are joined: compartments of `cells` equal cells.

    Instance i is compartment i // cells of cell i % cells, so that equal compartments of all
    cells lie side by side. The tree has (n,) nodes: first the (c,) compartments, then junctions,
    which have no membrane and start at the potentials `junctions`. `parent` (n,) is -1 at a
    root, `conductance` (n,) [S] leads to the parent, `order` (n,) puts parents before children.
    `state` is the potential's symbol, `current` that of the current [A] that enters through the
    membrane and what is attached to it; the potential has no Derivative.

    For pictures and tables, over compartments: `area` [m2], `diameter` [m], `start` and `end`
    (c, 3) [m].
    """

    state: str
    current: str
    cells: int
    capacitance: Array
    parent: Index
    conductance: Array
    order: Index
    junctions: Array
    area: Array
    diameter: Array
    start: Array
    end: Array


@dataclass(frozen=True, slots=True)
class Member:
    """A population that a merged one was made of: from `first` on, its instances from `own` on."""

    name: str
    component: str
    first: int
    own: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Population:
    """Equal instances: what they store, what they read, what they do."""

    name: str
    size: int
    component: str
    parent: str | None
    indices: Mapping[str, Index]  # "parent", "peer", ... : an instance of another population
    sequence: Index
    parameters: Mapping[str, float | Array]
    variables: Mapping[str, Variable]
    reads: Mapping[str, Read]
    exposures: Mapping[str, str]  # path below the instance -> symbol
    ports: tuple[str, ...]
    handlers: Mapping[str, tuple[Statement, ...]]
    step: tuple[Statement, ...] = ()
    assignments: tuple[Assign | Collect, ...] = ()
    derivatives: tuple[Derivative, ...] = ()
    flows: tuple[Flow, ...] = ()
    conditions: tuple[Condition, ...] = ()
    units: Mapping[str, Dimension | None] = field(default_factory=dict)
    cable: Cable | None = None
    members: tuple[Member, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """Events from a port of one population to a handler of another, connection by connection.

    `delay` in s. `values` are what differs per connection and the handler reads (a weight).
    """

    source: str
    port: str
    target: str
    handler: str
    source_index: Index
    target_index: Index
    delay: Array
    values: Mapping[str, Array] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Record:
    """A recorded column: a variable of one instance."""

    name: str
    path: str
    population: str
    variable: str
    instance: int
    dimension: Dimension | None


@dataclass(frozen=True, slots=True)
class EventRecord:
    """A recorded event port of one instance."""

    name: str
    path: str
    population: str
    port: str
    instance: int


@dataclass(frozen=True, slots=True)
class RunSettings:
    """How long to run, in what steps; s."""

    step: float
    length: float
    seed: int


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """Populations in the order of their making, the root first, and what joins them."""

    schedule: str  # "jlems", "equations", or "compartments": every `cell` is a cable
    populations: tuple[Population, ...]
    projections: tuple[Projection, ...]
    records: tuple[Record, ...]
    event_records: tuple[EventRecord, ...]
    settings: RunSettings

    def population(self, name: str) -> Population:
        """Return the population called `name`."""
        return next(p for p in self.populations if p.name == name)
