"""Which thread owns which instances, and where threads must wait for one another.

Every population is cut into contiguous blocks, one per thread. Instances attached to another
population, in the order of what they hang on, go with it: their home is the population that is
cut. Two instances with the same home and the same place in it are of one thread whatever the
number of threads; what reads or reaches only such instances is near, everything else far.
Threads meet before a phase that reads what another thread may have written since the last
meeting, or writes what another may still read. None of this depends on how many threads there
are, and nothing that is computed does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from ..converter.expressions import Expression, names, operations
from ..converter.network import Assign, Collect, Flow, Index
from .program import (
    Delivery,
    Flag,
    Function,
    Layout,
    Phase,
    Program,
    Propagate,
    Pull,
)

#: Operations per step (instances times the operations of their kernels) above which a program
#: is written for threads: about ten microseconds. How many then pay is measured while it runs.
WORTH = 10_000


@dataclass(frozen=True, slots=True)
class Access:
    """Populations that a phase touches: `near` its own instances, `far` those of others."""

    reads: frozenset[str] = frozenset()
    writes: frozenset[str] = frozenset()
    far_reads: frozenset[str] = frozenset()
    far_writes: frozenset[str] = frozenset()

    def __or__(self, other: Access) -> Access:
        return Access(
            self.reads | other.reads,
            self.writes | other.writes,
            self.far_reads | other.far_reads,
            self.far_writes | other.far_writes,
        )

    def far(self) -> Access:
        """Return the same as seen from another thread's instance."""
        return Access(
            far_reads=self.reads | self.far_reads, far_writes=self.writes | self.far_writes
        )

    def must_wait_for(self, earlier: Access) -> bool:
        """Tell whether threads must meet between `earlier` and this."""
        near, before = self.reads | self.writes, earlier.reads | earlier.writes
        changed = earlier.writes | earlier.far_writes
        return bool(
            self.far_reads & changed
            or (self.writes | self.far_writes) & earlier.far_reads
            or self.far_writes & before
            or near & earlier.far_writes
        )


@dataclass(frozen=True, slots=True)
class Home:
    """Where a population's instances belong: places `at` (n,) of a population that is cut."""

    population: str
    at: Index


@dataclass(slots=True)
class Ownership:
    """The homes of a program's populations and what its functions touch."""

    program: Program
    layouts: dict[str, Layout] = field(init=False)
    homes: dict[str, Home] = field(default_factory=dict)
    _lists: dict[str, bool] = field(default_factory=dict)
    _functions: dict[str, Access] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.layouts = {layout.name: layout for layout in self.program.layouts}
        for layout in self.program.layouts:
            self._find_home(layout)

    def _find_home(self, layout: Layout) -> Home:
        if layout.name in self.homes:
            return self.homes[layout.name]
        above = self.above(layout)
        if above is None:
            home = Home(layout.name, np.arange(layout.size))
        else:
            higher = self._find_home(above)
            home = Home(higher.population, higher.at[layout.indices["parent"]])
        self.homes[layout.name] = home
        return home

    def above(self, layout: Layout) -> Layout | None:
        """Return what a population's instances go with, None where it is cut itself."""
        index = layout.indices.get("parent")
        above = self.layouts.get(layout.parent or "")
        if above is None or index is None or above.size < 2 or layout.cable is not None:
            return None
        return above if bool(np.all(index[1:] >= index[:-1])) else None

    def in_order(self) -> list[Layout]:
        """Return the populations, each after the one that it goes with."""
        return [self.layouts[name] for name in self.homes]

    def together(self, one: str, at: Index, other: str, where: Index) -> bool:
        """Tell whether instances `at` of a population are always of one thread with `where`."""
        first, second = self.homes[one], self.homes[other]
        return first.population == second.population and bool(
            np.array_equal(first.at[at], second.at[where])
        )

    # --- what is near -------------------------------------------------------------------------

    def near_read(self, layout: Layout, name: str) -> bool:
        """Tell whether a read of a population sees its own thread's instances alone."""
        read = layout.reads[name]
        own = np.arange(layout.size)
        return self.together(layout.name, own, read.population, layout.indices[read.index])

    def near_list(self, name: str) -> bool:
        """Tell whether what is collected by a list belongs to the collector's thread."""
        if name not in self._lists:
            listed = next(c for c in self.program.collect_lists if c.name == name)
            owners = np.repeat(np.arange(len(listed.starts) - 1), np.diff(listed.starts))
            near = True
            for number, (part, _) in enumerate(listed.parts):
                chosen = slice(None) if listed.which is None else listed.which == number
                near = near and self.together(
                    listed.owner, owners[chosen], part, listed.entries[chosen]
                )
            self._lists[name] = near
        return self._lists[name]

    def near_delivery(self, delivery: Delivery) -> bool:
        """Tell whether every connection joins instances of one thread."""
        sources = np.repeat(np.arange(len(delivery.starts) - 1), np.diff(delivery.starts))
        return self.together(delivery.source, sources, delivery.target, delivery.targets)

    # --- what functions touch --------------------------------------------------------------------

    def access(self, function: Function) -> Access:
        """Return what one function touches, run over a thread's own instances."""
        if function.name in self._functions:
            return self._functions[function.name]
        # A function that comes back to itself adds nothing to itself.
        self._functions[function.name] = Access()
        layout = self.program.layout(function.population)
        own = frozenset({layout.name})
        found = Access(reads=own)
        for statement in function.body:
            if isinstance(statement, Assign) and statement.variable not in function.locals:
                found |= Access(writes=own)
            elif isinstance(statement, (Collect, Pull)):
                found |= self._collected(statement)
        local = {*function.locals, *function.arguments, *function.states}
        for name in mentioned(function) - local:
            if name in layout.reads:
                found |= self._read(layout, name)
        self._functions[function.name] = found
        return found

    def _collected(self, statement: Collect | Pull) -> Access:
        name = statement.listed if isinstance(statement, Pull) else statement.parts[0][0]
        listed = next(c for c in self.program.collect_lists if c.name == name)
        found = Access()
        for population, variable in listed.parts:
            found |= self._value(population, variable)
        return found if self.near_list(name) else found.far()

    def _read(self, layout: Layout, name: str) -> Access:
        read = layout.reads[name]
        found = self._value(read.population, read.variable)
        return found if self.near_read(layout, name) else found.far()

    def _value(self, population: str, variable: str) -> Access:
        found = Access(reads=frozenset({population}))
        name = f"value {population} {variable}"
        function = next((f for f in self.program.functions if f.name == name), None)
        return found if function is None else found | self.access(function)

    def phase(self, phase: Phase) -> Access:
        """Return what a phase of the step touches; `send` and `record` are not asked here."""
        match phase.kind:
            case "kernel":
                return self.access(self.program.function(phase.name))
            case "locate":
                own = Access(writes=frozenset({phase.name}))
                for kind in ("step", "tests", "act"):
                    own |= self.access(self.program.function(f"{kind} {phase.name}"))
                return own
            case "cable" | "cable_half":
                # By cells, while kernels go by compartments.
                cable = frozenset({phase.name})
                return Access(far_reads=cable, far_writes=cable)
            case "move":
                assert phase.move is not None
                return Access(writes=frozenset({phase.move.population}))
            case "deliver":
                return self.handled(self.program.deliveries)
            case _:
                return Access()

    def handled(self, deliveries: Iterable[Delivery]) -> Access:
        """Return what the handlers of some deliveries touch."""
        found = Access()
        for delivery in deliveries:
            found |= self.access(
                self.program.function(f"handle {delivery.target} {delivery.handler}")
            )
        return found

    def recorded(self) -> Access:
        """Return what recording a row touches."""
        found = Access()
        for column in self.program.columns:
            found |= self._value(column.population, column.variable)
        return found


def mentioned(function: Function) -> set[str]:
    """Return every name that the statements and results of a function mention."""
    trees: list[Expression] = list(function.results)
    found: set[str] = {function.result} if function.result else set()
    for statement in function.body:
        match statement:
            case Assign(_, value):
                trees.append(value)
            case Flag(_, condition):
                trees.append(condition)
            case Propagate(_, matrix, rates):
                trees.extend(entry for _, _, entry in matrix)
                trees.extend(rates)
            case Flow(_, edges):
                found.update(rate for _, _, f, r in edges for rate in (f, r))
            case _:
                pass
    for tree in trees:
        found |= names(tree)
    return found


def flags_events(function: Function) -> bool:
    """Tell whether a function notes events."""
    return any(isinstance(statement, Flag) for statement in function.body)


def work(program: Program) -> int:
    """Return the operations of one step that threads can share."""
    total = 0
    for phase in program.phases:
        if phase.kind != "kernel":
            continue
        function = program.function(phase.name)
        size = program.layout(function.population).size
        if size < 2:
            continue
        trees = [s.value for s in function.body if isinstance(s, Assign)]
        total += size * sum(1 + operations(tree) for tree in trees)
    return total


def window(deliveries: Iterable[Delivery]) -> int:
    """Return how many steps may pass between exchanges: the least delay of a connection."""
    delays = [d.delay_steps for d in deliveries if d.delay_steps is not None]
    least = [int(steps.min()) for steps in delays if steps.size]
    return max(1, min(least, default=1))


def meetings(accesses: list[Access], forced: list[bool]) -> list[bool]:
    """Return before which phases of a step threads meet.

    Steps follow one another, so what the end of one did counts for the beginning of the next.
    `forced` says in which phases threads meet anyway, at their beginning.
    """
    found = [False] * len(accesses)
    pending: list[Access] = []
    for _ in range(2):
        for at, access in enumerate(accesses):
            if at < len(forced) and forced[at]:
                pending = []
            elif found[at] or any(access.must_wait_for(earlier) for earlier in pending):
                found[at] = True
                pending = []
            pending.append(access)
    return found


def threaded(program: Program) -> bool:
    """Tell whether a program is written for threads.

    Not where there is little to do, where events go by their exact times, one after another,
    and where an event without delay may bring about others in the same step.
    """
    if program.exact_events or work(program) < WORTH:
        return False
    for delivery in program.deliveries:
        handler = program.function(f"handle {delivery.target} {delivery.handler}")
        steps = delivery.delay_steps
        if steps is not None and bool((steps == 0).any()) and flags_events(handler):
            return False
    return True
