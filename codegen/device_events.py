"""How events travel on a device with many threads: lists of senders, and ways to deliver.

An instance that sends an event is put into its port's list of the present step; a list is
kept for as many steps as the port's longest delay, so that a delivery finds what was sent
that many steps ago. How a delivery reaches its targets depends on whether two events can
meet at one:

- "add": the handler only adds to states what does not depend on them. All threads add to
  whole numbers, in units so small that nothing is lost; whole numbers have the same sum in
  any order, so that every run gives the same bits. The states take the sums up afterwards.
- "scatter": no two connections lead to the same target; every connection has a thread.
- "serial": one thread delivers event by event, in the order of senders.

A handler may send events itself. What reaches such handlers, and what they send, goes that last
way; events of all other ports do not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..converter.evaluate import UnknownName, evaluate
from ..converter.expressions import Binary, Expression, Name, Negative, calls, names, substitute
from ..converter.network import Assign
from .ownership import mentioned
from .program import Delivery, Flag, Function, Layout, Program

#: Bytes that the lists of one port may take before they hold less than every instance.
LIST_BYTES = 256_000_000

#: Threads that share the connections of one event, at most.
LANES = 1024

#: Bits of the whole numbers that sums are made of; one is the sign.
SUM_BITS = 62


@dataclass(frozen=True, slots=True)
class Port:
    """An out port that something listens to, and the lists of its events."""

    number: int
    population: str
    port: str
    slots: int
    room: int


@dataclass(frozen=True, slots=True)
class Way:
    """How the events of one delivery reach their targets."""

    delivery: Delivery
    mode: str  # "add", "scatter" or "serial"
    #: Shortest and longest delay, in steps.
    first: int
    last: int
    #: Threads for one event, a power of two.
    lanes: int
    #: What an event adds to each state, in mode "add".
    increments: tuple[tuple[str, Expression], ...] = ()


@dataclass(frozen=True, slots=True)
class Events:
    """The ports and ways of a program.

    `chained` are the ports (population, port) of cascades: what they send reaches handlers
    that send events, or was sent by one. One thread exchanges their events.
    """

    ports: tuple[Port, ...]
    ways: tuple[Way, ...]
    chained: frozenset[tuple[str, str]]

    def port(self, population: str, port: str) -> Port | None:
        """Return a port that has lists."""
        return next((p for p in self.ports if (p.population, p.port) == (population, port)), None)

    def is_chained(self, way: Way) -> bool:
        """Tell whether a way's events are part of cascades."""
        return (way.delivery.source, way.delivery.port) in self.chained


def events_of(program: Program) -> Events:
    """Return how the events of `program` travel."""
    numbers = {
        key: n
        for n, key in enumerate(
            sorted(
                {(d.source, d.port) for d in program.deliveries}
                | {(p.population, p.port) for p in program.ports}
            )
        )
    }
    heard = [d for d in program.deliveries if d.targets.size and not _idle(program, d)]
    chained = _chained(program, heard)
    ports: list[Port] = []
    for population, port in dict.fromkeys((d.source, d.port) for d in heard):
        longest = max(
            int(delays(d).max(initial=0)) for d in heard if (d.source, d.port) == (population, port)
        )
        size = program.layout(population).size
        # The method "neuron" sends before the tick: one more step until a list is free.
        slots = longest + 4
        # Handlers may send again what they sent in this step: one by one, into the same list.
        wanted = max(1024, 4 * size) if (population, port) in chained else size
        room = min(wanted, max(1024, LIST_BYTES // (6 * slots)))
        ports.append(Port(numbers[(population, port)], population, port, slots, room))
    ports.sort(key=lambda p: p.number)
    ways = (_way(program, d, heard, (d.source, d.port) in chained) for d in heard)
    return Events(tuple(ports), tuple(ways), chained)


def _chained(program: Program, heard: list[Delivery]) -> frozenset[tuple[str, str]]:
    """Return the ports whose events reach handlers that send events, and those that they send."""
    found: set[tuple[str, str]] = set()
    for delivery in heard:
        sent = [s.port for s in handler_of(program, delivery).body if isinstance(s, Flag)]
        if sent:
            found.add((delivery.source, delivery.port))
            found.update((delivery.target, port) for port in sent)
    return frozenset(found)


def delays(delivery: Delivery) -> np.ndarray:
    """Return the delays in steps of a delivery's connections."""
    if delivery.delay_steps is None:
        return np.zeros(delivery.targets.size, dtype=np.int64)
    return delivery.delay_steps


def by_delay(delivery: Delivery) -> Delivery:
    """Return `delivery` with the connections of every source in order of their delay."""
    steps = delays(delivery)
    if steps.size == 0 or (steps == steps[0]).all():
        return delivery
    sources = np.repeat(np.arange(len(delivery.starts) - 1), np.diff(delivery.starts))
    order = np.lexsort((steps, sources))
    return replace(
        delivery,
        targets=delivery.targets[order],
        delay_steps=steps[order],
        values={key: values[order] for key, values in delivery.values.items()},
    )


def handler_of(program: Program, delivery: Delivery) -> Function:
    """Return the function that a delivery's events run."""
    return program.function(f"handle {delivery.target} {delivery.handler}")


def _idle(program: Program, delivery: Delivery) -> bool:
    function = handler_of(program, delivery)
    return not any(
        isinstance(s, Flag) or (isinstance(s, Assign) and s.variable not in function.locals)
        for s in function.body
    )


def _way(program: Program, delivery: Delivery, heard: list[Delivery], serial: bool) -> Way:
    steps = delays(delivery)
    first, last = int(steps.min()), int(steps.max())
    senders = max(1, int(np.count_nonzero(np.diff(delivery.starts))))
    lanes = 1
    while lanes < LANES and 4 * lanes < delivery.targets.size / senders:
        lanes *= 2
    if serial:
        return Way(delivery, "serial", first, last, lanes)
    increments = increments_of(program, delivery)
    others = [d for d in heard if d.target == delivery.target]
    if increments is not None and all(_agrees(program, d, set(increments)) for d in others):
        return Way(delivery, "add", first, last, lanes, tuple(sorted(increments.items())))
    apart = np.unique(delivery.targets).size == delivery.targets.size
    if apart and not _sees_itself(program, delivery):
        return Way(delivery, "scatter", first, last, lanes)
    return Way(delivery, "serial", first, last, lanes)


def _agrees(program: Program, delivery: Delivery, states: set[str]) -> bool:
    """Tell whether a handler leaves `states` alone or only adds to all of its own."""
    function = handler_of(program, delivery)
    touched = {
        name
        for s in function.body
        if isinstance(s, Assign)
        for name in (s.variable, *names(s.value))
    }
    return not touched & states or increments_of(program, delivery) is not None


def _sees_itself(program: Program, delivery: Delivery) -> bool:
    """Tell whether a handler may look at other instances of what it writes."""
    layout = program.layout(delivery.target)
    function = handler_of(program, delivery)
    written = {s.variable for s in function.body if isinstance(s, Assign)}
    seen = foreign_reads(program, function)
    return any((layout.name, name) in seen for name in written)


def increments_of(program: Program, delivery: Delivery) -> dict[str, Expression] | None:
    """Return what the handler adds to each state, or None where it does anything else."""
    function = handler_of(program, delivery)
    layout = program.layout(delivery.target)
    free = set(function.arguments) | set(layout.parameters) | {"dt"}
    values: dict[str, Expression] = {}
    found: dict[str, Expression] = {}
    for statement in function.body:
        if not isinstance(statement, Assign) or calls(statement.value, "draw"):
            return None
        tree = substitute(statement.value, values)
        if statement.variable in function.locals:
            values[statement.variable] = tree
            continue
        added = _added(tree, statement.variable)
        if added is None or not names(added) <= free:
            return None
        found[statement.variable] = added
    return found or None


def _added(tree: Expression, state: str) -> Expression | None:
    match tree:
        case Binary("+", Name(name), added) if name == state:
            return added
        case Binary("+", added, Name(name)) if name == state:
            return added
        case Binary("-", Name(name), taken) if name == state:
            return Negative(taken)
        case Binary("+", left, right):
            # (x + a) + b, as several statements leave it.
            for one, other in ((left, right), (right, left)):
                inner = _added(one, state)
                if inner is not None and state not in names(other):
                    return Binary("+", inner, other)
    return None


def foreign_reads(program: Program, function: Function) -> frozenset[tuple[str, str]]:
    """Return the stored variables that a function may read of any instance."""
    return reach(program, function)[1]


Keys = frozenset[tuple[str, str]]


def reach(
    program: Program, function: Function, seen: frozenset[str] = frozenset()
) -> tuple[Keys, Keys, Keys]:
    """Return what a function reads of its own instance, of others, and what it writes."""
    layout = program.layout(function.population)
    own: set[tuple[str, str]] = set()
    foreign: set[tuple[str, str]] = set()
    written: set[tuple[str, str]] = set()

    def read(population: str, variable: str) -> None:
        other = program.layout(population)
        if other.derives(variable) and function.kind != "kernel":
            value = f"value {population} {variable}"
            if value in seen or not any(f.name == value for f in program.functions):
                return
            inner = reach(program, program.function(value), seen | {value})
            foreign.update(inner[0] | inner[1])
        foreign.add((population, variable))

    local = set(function.locals) | set(function.arguments) | set(function.states)
    parts = {c.name: c.parts for c in program.collect_lists}
    for statement in function.body:
        match statement:
            case Assign(variable, value):
                if calls(value, "draw"):
                    written.add((layout.name, "(draws)"))
                if variable not in local:
                    written.add((layout.name, variable))
            case Flag(port, _):
                written.add((layout.name, f"(flag {port})"))
            case _:
                listed = getattr(statement, "listed", None)
                if listed is None and getattr(statement, "parts", None):
                    listed = statement.parts[0][0]  # type: ignore[union-attr]
                for population, variable in parts.get(listed or "", ()):
                    read(population, variable)
    for name in mentioned(function) - local:
        if name in layout.reads:
            read(layout.reads[name].population, layout.reads[name].variable)
        elif name in layout.variables:
            own.add((layout.name, name))
    return frozenset(own), frozenset(foreign), frozenset(written)


def sums_of(events: Events) -> tuple[tuple[str, str], ...]:
    """Return the states (population, variable) that take up sums, in order."""
    return tuple(
        dict.fromkeys(
            (way.delivery.target, state) for way in events.ways for state, _ in way.increments
        )
    )


def scale_of(program: Program, events: Events, population: str, state: str) -> float:
    """Return by how much what is added to a state is scaled: a power of two.

    In those units the most that one step can add to any instance, all connections taken
    together, still fits a whole number of 64 bits.
    """
    layout = program.layout(population)
    most = np.zeros(layout.size)
    for way in events.ways:
        for name, added in way.increments:
            if (way.delivery.target, name) == (population, state):
                sizes = np.abs(_amounts(program, layout, way.delivery, added))
                most += np.bincount(way.delivery.targets, weights=sizes, minlength=layout.size)
    largest = float(most.max(initial=0.0))
    if not np.isfinite(largest):
        return float("nan")
    if largest == 0.0:
        return 1.0
    return float(2.0 ** (SUM_BITS - 2 - int(np.ceil(np.log2(largest)))))


def _amounts(program: Program, layout: Layout, delivery: Delivery, added: Expression) -> np.ndarray:
    values: dict[str, object] = {"dt": program.step, **delivery.values}
    for name in names(added):
        if name in layout.parameters:
            values[name] = layout.parameters[name][delivery.targets]
    try:
        found = evaluate(added, values)
    except UnknownName:
        found = np.inf
    return np.broadcast_to(np.asarray(found, dtype=float), delivery.targets.shape)
