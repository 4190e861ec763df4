"""The form of a program: buffers, functions over one instance, and the order of a step.

The integrator has been applied here, so that every backend does the same arithmetic. A
`Program` says what is computed; the templates of a backend say how its loops are written.

Schedule "steps" follows the reference interpreter: one function advances one instance of a
population and everything attached to it, and events are delivered inside it. Schedule
"phases" runs kernels over whole populations, then delivers events, then records.
Schedule "continuous" has no steps: it carries the network for adaptive methods.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..converter.expressions import Expression, show
from ..converter.network import (
    Advance,
    Assign,
    Cable,
    Collect,
    Emit,
    Flow,
    Integrate,
    Member,
    Network,
    Read,
    Run,
    Statement,
    When,
)
from ..converter.units import Dimension

Array = NDArray[np.float64]
Index = NDArray[np.int64]

#: Events without delay inside one another that a run accepts before it calls them a circle.
DEPTH_LIMIT = 1000


#: Suffix of the second copy of a state that others still read.
NEXT = "__next"


@dataclass(frozen=True, slots=True)
class Flag:
    """Note an event on an out port where `condition` holds; sent after the kernel.

    `ago` is the variable with the time, s, that has passed since it happened.
    """

    port: str
    condition: Expression
    ago: str = ""


@dataclass(frozen=True, slots=True)
class Pull:
    """variable := sum or product over attached instances, each evaluated on the spot."""

    variable: str
    listed: str
    reduce: str


@dataclass(frozen=True, slots=True)
class Propagate:
    """Advance locals by dt exactly: x' = A x + b, `rates` its present derivatives.

    `matrix` holds the entries of A by row and column; `scales` are as in a Propagation.
    """

    states: tuple[str, ...]
    matrix: tuple[tuple[int, int, Expression], ...]
    rates: tuple[Expression, ...]
    scales: tuple[float, ...]


#: What bodies are made of: the network's statements and those of kernels.
BodyStatement = Statement | Flag | Pull | Propagate


@dataclass(frozen=True, slots=True)
class Move:
    """target := source for every instance of a population, after a kernel has read it."""

    population: str
    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Phase:
    """One operation of a step: a kernel over a population, or an exchange of events.

    `kind`: "kernel" (run the function `name`), "locate" (advance the instances of population
    `name` that a kernel flagged, condition by condition), "move" (commit the second copy of
    states),
    "tick" (the time becomes that of the step's end; named "added", by adding up halves of
    steps in ms with the round-off of that), "deliver" (events that are due),
    "send" (events noted by kernels), "cable" (solve for the potentials of population `name` by
    backward Euler) and "cable_half" (by Crank-Nicolson), "keep" (a copy of the states of
    population `name`, from which events inside the step start), "exchange" (send and deliver at
    exact times), "record".
    """

    kind: str
    name: str = ""
    move: Move | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """What a population stores: variables and parameters (n,), indices into others (n,)."""

    name: str
    size: int
    component: str
    parent: str | None
    variables: Mapping[str, Array]
    parameters: Mapping[str, Array]
    indices: Mapping[str, Index]
    reads: Mapping[str, Read]
    labels: Mapping[str, str]
    #: Variables that are checked for NaN and infinity.
    checked: tuple[str, ...]
    #: Variables that kernels publish for others and scalar functions evaluate on the spot.
    published: frozenset[str] = frozenset()
    draws: bool = False
    cable: Cable | None = None
    members: tuple[Member, ...] = ()

    def derives(self, variable: str) -> bool:
        """Tell whether who asks for a value at any time gets it worked out, not as it is stored."""
        return variable in self.published or variable not in self.variables

    def ahead(self, states: Iterable[str]) -> str:
        """Return the suffix under which a step stores new values of `states`: NEXT or none."""
        return NEXT if any(state + NEXT in self.variables for state in states) else ""


@dataclass(frozen=True, slots=True)
class Function:
    """Statements over one instance of a population; `locals` live only inside."""

    name: str
    population: str
    body: tuple[BodyStatement, ...]
    locals: tuple[str, ...] = ()
    #: Names of per-connection values that a handler takes.
    arguments: tuple[str, ...] = ()
    #: "kernel" (a loop over all instances), "handler", "value" (returns `result`), "advance";
    #: "step", "tests" and "act" take the values of `states` and return `results`.
    kind: str = "advance"
    result: str = ""
    states: tuple[str, ...] = ()
    results: tuple[Expression, ...] = ()
    #: Of "tests": what may be made of each condition, of "late" (acts at the step's end only),
    #: "passive" (changes nothing that moves) and "clock" (a matter of the time alone).
    roles: tuple[frozenset[str], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class AdvanceList:
    """The instances that hang below each instance of `owner`, in order.

    Instance i's are `entries[starts[i]:starts[i + 1]]`: positions in the populations
    `populations[which]`. One population whose instances follow their owners in order needs
    no `which`.
    """

    name: str
    owner: str
    populations: tuple[str, ...]
    starts: Index
    which: NDArray[np.int32] | None
    entries: Index


@dataclass(frozen=True, slots=True, eq=False)
class CollectList:
    """Where the sum over attached instances finds its terms, in order of attachment."""

    name: str
    owner: str
    parts: tuple[tuple[str, str], ...]
    starts: Index
    which: NDArray[np.int32] | None
    entries: Index


@dataclass(frozen=True, slots=True, eq=False)
class Delivery:
    """Connections from a port to a handler, sorted by source (CSR).

    Source i reaches `targets[starts[i]:starts[i + 1]]`, in document order; `delays` in s
    (schedule "steps") or `delay_steps` in steps ("phases").
    """

    name: str
    source: str
    port: str
    target: str
    handler: str
    starts: Index
    targets: Index
    delays: Array | None = None
    delay_steps: Index | None = None
    values: Mapping[str, Array] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RecordedColumn:
    """A column of the record: where its value lies, and what people call it."""

    name: str
    path: str
    population: str
    variable: str
    instance: int
    dimension: Dimension | None


@dataclass(frozen=True, slots=True)
class RecordedPort:
    """A recorded out port of one instance."""

    name: str
    path: str
    population: str
    port: str
    instance: int


@dataclass(frozen=True, slots=True)
class Watch:
    """How fast a state changes by itself: `slope` of its derivative, after `body`.

    Above `bound` over the step the method is unstable where the slope is negative.
    """

    population: str
    state: str
    body: tuple[BodyStatement, ...]
    slope: Expression
    bound: float


@dataclass(frozen=True, slots=True, eq=False)
class Continuous:
    """A network as one system of equations: its text in Python, and the arrays it names."""

    network: Network
    text: str
    constants: Mapping[str, object]


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """Everything that a backend needs to write a simulation."""

    schedule: str
    layouts: tuple[Layout, ...]
    functions: tuple[Function, ...]
    advance_lists: tuple[AdvanceList, ...]
    collect_lists: tuple[CollectList, ...]
    deliveries: tuple[Delivery, ...]
    columns: tuple[RecordedColumn, ...]
    ports: tuple[RecordedPort, ...]
    step: float
    steps: int
    seed: int
    root: str = ""
    phases: tuple[Phase, ...] = ()
    start: tuple[Phase, ...] = ()
    precision: str = "double"
    watches: tuple[Watch, ...] = ()
    #: Whether events are delivered at their exact times: phases "keep" and "exchange".
    exact_events: bool = False
    #: The equations themselves, for schedule "continuous".
    continuous: Continuous | None = None

    def layout(self, name: str) -> Layout:
        """Return the layout of population `name`."""
        return next(layout for layout in self.layouts if layout.name == name)

    def function(self, name: str) -> Function:
        """Return the function called `name`."""
        return next(function for function in self.functions if function.name == name)


def narrow(program: Program, delivery: str) -> bool:
    """Tell whether 16 bits number every target of the delivery called `delivery`."""
    found = next(d for d in program.deliveries if d.name == delivery)
    return program.layout(found.target).size <= 1 << 16


def sending_ports(program: Program) -> tuple[tuple[str, str], ...]:
    """Return (population, port) of all ports whose events go somewhere, in order."""
    found = {(d.source, d.port) for d in program.deliveries}
    return tuple(sorted(found | {(p.population, p.port) for p in program.ports}))


def most_events(program: Program, least: int = 1 << 22) -> int:
    """Return how many events a list may hold before they count as multiplying without end.

    A list holds what is sent in one step, or due in one: seldom more than an event per connection
    or instance. So `least` plus 16 of each is far from any network that settles, and what it
    takes of memory is small or in proportion to the network's own.
    """
    connections = sum(len(delivery.targets) for delivery in program.deliveries)
    return least + 16 * (connections + sum(layout.size for layout in program.layouts))


def slope_name(current: str) -> str:
    """Return the name of the derivative of a cable's current by its potential."""
    return f"{current}__slope"


def half_in_ms(step: float) -> float:
    """Return half of a step [s] in ms, as NEURON adds it up.

    >>> half_in_ms(2.5e-5)
    0.0125
    """
    return float(f"{step * 1e3:.12g}") / 2


@dataclass(frozen=True, slots=True)
class BufferName:
    """One pointer that the caller supplies: its C name and where its data lie."""

    name: str
    kind: str  # "variable", "parameter", "index", "list", "delivery", "port"
    owner: str
    key: str


def recorded_ranges(program: Program, population: str, port: str) -> dict[int, list[int]]:
    """Return, by instance, the numbers of the recorded ports that its events belong to."""
    found: dict[int, list[int]] = {}
    for number_of, recorded in enumerate(program.ports):
        if recorded.population == population and recorded.port == port:
            found.setdefault(recorded.instance, []).append(number_of)
    return found


def show_statement(statement: BodyStatement, indent: str = "") -> str:
    """Return a statement as text for people."""
    match statement:
        case Flag(port, condition):
            return f"{indent}note {port} where {show(condition)}"
        case Pull(variable, listed, reduce):
            return f"{indent}{variable} = {reduce} over {listed}"
        case Propagate(states):
            return f"{indent}propagate {', '.join(states)} by dt"
        case Assign(variable, value):
            return f"{indent}{variable} = {show(value)}"
        case When(condition, body):
            inner = "\n".join(show_statement(s, indent + "    ") for s in body)
            return f"{indent}when {show(condition)}:\n{inner}"
        case Integrate(derivatives, method, _):
            lines = [f"{indent}d{name}/dt = {_shown(value)}" for name, value in derivatives]
            return "\n".join([f"{indent}integrate ({method}):", *("    " + x for x in lines)])
        case Emit(port):
            return f"{indent}emit {port}"
        case Run(handler):
            return f"{indent}run {handler}"
        case Advance(populations):
            return f"{indent}advance {', '.join(populations)}"
        case Collect(variable, parts, reduce):
            terms = ", ".join(f"{population}.{name}" for population, name in parts)
            return f"{indent}{variable} = {reduce} over attached {terms}"
        case Flow(states, edges):
            return f"{indent}flow of {', '.join(states)} along {len(edges)} edges"


def _shown(tree: Expression) -> str:
    return show(tree)


def show_program(program: Program) -> str:
    """Return `program` as text for people: buffers, then functions."""
    lines = [f"schedule {program.schedule}, {program.steps} steps of {program.step:g} s"]
    for layout in program.layouts:
        lines.append(f"population {layout.name} x {layout.size} ({layout.component})")
        if layout.variables:
            lines.append(f"    stores {', '.join(layout.variables)}")
        if layout.parameters:
            lines.append(f"    parameters {', '.join(layout.parameters)}")
        for name, read in layout.reads.items():
            lines.append(f"    {name} = {read.population}.{read.variable}[{read.index}]")
    for function in program.functions:
        arguments = f"({', '.join(function.arguments)})" if function.arguments else ""
        lines.append(f"{function.name}{arguments} of {function.population}:")
        lines.extend(show_statement(statement, "    ") for statement in function.body)
    lines.extend(
        f"{d.source}.{d.port} -> {d.target}.{d.handler}: {len(d.targets)} connections"
        for d in program.deliveries
    )
    return "\n".join(lines)
