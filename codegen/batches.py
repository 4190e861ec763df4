"""Which instances of a program of schedule "steps" may be taken all at once.

The reference advances instance after instance and delivers events inside. Doing one statement
for all instances before the next is the same where no instance can tell: none reads what
another one writes, no event reaches what advances, nothing draws random numbers. That is
decided here from the program's own index arrays; where it cannot be shown, instances go one
by one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..converter.expressions import Expression, calls, names
from ..converter.network import Advance, Assign, Collect, Emit, Flow, Index, Run, When
from .program import AdvanceList, BodyStatement, Function, Program


@dataclass(frozen=True, slots=True)
class Batches:
    """`advance`: populations whose instances may advance together, with all below them.

    `handlers`: (population, handler) that may act on several different instances at once.
    `inert`: handlers that do nothing.
    """

    advance: frozenset[str]
    handlers: frozenset[tuple[str, str]]
    inert: frozenset[tuple[str, str]]


@dataclass(slots=True)
class _Effects:
    """What a function does, the handlers that it runs on its own instance included."""

    writes: set[str] = field(default_factory=set)
    reads: set[str] = field(default_factory=set)
    emits: list[str] = field(default_factory=list)
    advances: list[str] = field(default_factory=list)
    collects: list[str] = field(default_factory=list)
    #: Random draws, locals that cross into a condition, a handler that runs itself.
    ordered: bool = False

    @property
    def nothing(self) -> bool:
        """Whether nobody can tell that the function ran."""
        return not (self.writes or self.emits or self.advances or self.ordered)


@dataclass(frozen=True, slots=True)
class _Reach:
    """The handlers that an event leads to, event after event."""

    handlers: frozenset[tuple[str, str]]
    populations: frozenset[str]
    neighbours: frozenset[str]
    ordered: bool


def handler_of(function: Function) -> str | None:
    """Return the name of the handler that `function` is, None where it advances."""
    kind, _, rest = function.name.partition(" ")
    return rest[len(function.population) + 1 :] if kind == "handle" else None


def batches_of(program: Program) -> Batches:
    """Return what may be taken all at once without anyone telling the difference."""
    analysis = _Analysis(program)
    return Batches(
        frozenset(p.name for p in program.layouts if analysis.advances_together(p.name)),
        frozenset(key for key in analysis.handlers if analysis.acts_together(key)),
        analysis.inert,
    )


class _Analysis:
    def __init__(self, program: Program) -> None:
        self.layouts = {layout.name: layout for layout in program.layouts}
        self.lists = {a.name: a for a in program.advance_lists}
        self.collects = {c.name: c for c in program.collect_lists}
        self.advance: dict[str, Function] = {}
        self.handlers: dict[tuple[str, str], Function] = {}
        for function in program.functions:
            handler = handler_of(function)
            if handler is None:
                self.advance[function.population] = function
            else:
                self.handlers[function.population, handler] = function
        self.effects = {f.name: self.effects_of(f) for f in program.functions}
        self.inert = frozenset(
            key for key, f in self.handlers.items() if self.effects[f.name].nothing
        )
        self.immediate: dict[tuple[str, str], set[tuple[str, str]]] = {}
        self.any_delay: dict[tuple[str, str], set[tuple[str, str]]] = {}
        for d in program.deliveries:
            if not d.targets.size or (d.target, d.handler) in self.inert:
                continue
            self.any_delay.setdefault((d.source, d.port), set()).add((d.target, d.handler))
            if d.delays is None or not (d.delays > 0.0).all():
                self.immediate.setdefault((d.source, d.port), set()).add((d.target, d.handler))
        self.written: dict[str, set[str]] = {name: set() for name in self.layouts}
        for function in program.functions:
            self.written[function.population] |= self.effects[function.name].writes
        self.owners = self.owners_of(program.advance_lists)

    # --- what functions do ------------------------------------------------------------------

    def effects_of(self, function: Function) -> _Effects:
        found = _Effects()
        self.gather(function, function.body, found, (function.name,))
        return found

    def gather(
        self,
        function: Function,
        body: tuple[BodyStatement, ...],
        found: _Effects,
        running: tuple[str, ...],
        outer: frozenset[str] = frozenset(),
    ) -> None:
        """Add what `body` does; `outer` are the locals of enclosing blocks."""
        own: set[str] = set()

        def read(tree: Expression) -> None:
            used = names(tree)
            found.reads |= used
            found.ordered |= calls(tree, "draw") or not outer.isdisjoint(used)

        for statement in body:
            match statement:
                case Assign(variable, value):
                    read(value)
                    if variable in function.locals:
                        own.add(variable)
                    else:
                        found.writes.add(variable)
                case When(condition, inner):
                    read(condition)
                    self.gather(function, inner, found, running, outer | own)
                case Emit(port):
                    found.emits.append(port)
                case Run(handler):
                    other = self.handlers[function.population, handler]
                    if other.name in running:
                        found.ordered = True
                    else:
                        self.gather(other, other.body, found, (*running, other.name))
                case Advance((name,)):
                    found.advances.append(name)
                case Collect(variable, ((name, _),), _):
                    found.writes.add(variable)
                    found.collects.append(name)
                case Flow(states, edges):
                    found.writes |= set(states)
                    found.reads |= set(states)
                    found.reads |= {rate for edge in edges for rate in edge[2:]}
                case _:
                    found.ordered = True

    def owners_of(self, lists: tuple[AdvanceList, ...]) -> dict[str, tuple[str, Index]]:
        """Return whose instance each instance hangs below, where there is one answer."""
        found: dict[str, tuple[str, Index]] = {}
        twice: set[str] = set()
        for listed in lists:
            owner = np.repeat(np.arange(listed.starts.size - 1), np.diff(listed.starts))
            for part, name in enumerate(listed.populations):
                here = slice(None) if listed.which is None else listed.which == part
                entries = listed.entries[here]
                if name in found or np.unique(entries).size != entries.size:
                    twice.add(name)
                to = np.full(self.layouts[name].size, -1, dtype=np.int64)
                to[entries] = owner[here]
                found[name] = (listed.owner, to)
        return {name: value for name, value in found.items() if name not in twice}

    def below(self, population: str) -> list[str] | None:
        """Return `population` and all that advances inside it; None where that is no tree."""
        found, left = [], [population]
        while left:
            name = left.pop()
            if name in found or (name != population and name not in self.owners):
                return None
            found.append(name)
            for listed in self.effects[self.advance[name].name].advances:
                left.extend(self.lists[listed].populations)
        return found

    def reach(
        self, key: tuple[str, str], connections: dict[tuple[str, str], set[tuple[str, str]]]
    ) -> _Reach:
        """Return what an event on `key`, a (population, port), leads to."""
        handlers: set[tuple[str, str]] = set()
        left = list(connections.get(key, ()))
        neighbours: set[str] = set()
        ordered = False
        while left:
            handler = left.pop()
            if handler in handlers:
                continue
            handlers.add(handler)
            effects = self.effects[self.handlers[handler].name]
            ordered |= effects.ordered
            for port in effects.emits:
                left.extend(connections.get((handler[0], port), ()))
            reads = self.layouts[handler[0]].reads
            neighbours |= {reads[name].population for name in effects.reads if name in reads}
        populations = frozenset(population for population, _ in handlers)
        return _Reach(frozenset(handlers), populations, populations | neighbours, ordered)

    # --- what may be taken together -----------------------------------------------------------

    def advances_together(self, population: str) -> bool:
        below = self.below(population)
        if below is None:
            return False
        effects = {name: self.effects[self.advance[name].name] for name in below}
        if any(found.ordered for found in effects.values()):
            return False
        sites = [
            (name, port)
            for name in below
            for port in effects[name].emits
            if (name, port) in self.any_delay
        ]
        reached = [self.reach(site, self.immediate) for site in sites]
        heard: frozenset[str] = frozenset().union(*(r.populations for r in reached))
        if not heard.isdisjoint(below) or any(r.ordered for r in reached):
            return False
        return (
            all(self.reads_alone(name, effects[name], below, heard) for name in below)
            and all(self.hears_alone(handler, below) for r in reached for handler in r.handlers)
            and self.apart([self.reach(site, self.any_delay) for site in sites])
        )

    def reads_alone(
        self, name: str, effects: _Effects, below: list[str], heard: frozenset[str]
    ) -> bool:
        """Tell whether an instance reads only what no other one changes meanwhile."""
        layout = self.layouts[name]
        for symbol in effects.reads & set(layout.reads):
            read = layout.reads[symbol]
            if read.variable not in self.written[read.population]:
                continue
            if read.population in heard:
                return False
            index = layout.indices[read.index]
            if read.population in below and not self.is_ancestor(name, read.population, index):
                return False
        for listed in effects.collects:
            for part, _ in self.collects[listed].parts:
                if part in heard or (part in below and not self.collects_own(listed, part)):
                    return False
        return True

    def is_ancestor(self, name: str, other: str, index: Index) -> bool:
        """Tell whether `index` leads from each instance to the one that it hangs below."""
        to = np.arange(self.layouts[name].size)
        while name in self.owners:
            name, owner = self.owners[name]
            to = np.where(to < 0, -1, owner[to])
            if name == other:
                return np.array_equal(to, index)
        return False

    def collects_own(self, listed: str, part: str) -> bool:
        """Tell whether an owner's terms are those of the instances that hang below it."""
        found = self.collects[listed]
        if part not in self.owners or self.owners[part][0] != found.owner:
            return False
        owner = np.repeat(np.arange(found.starts.size - 1), np.diff(found.starts))
        for number, (name, _) in enumerate(found.parts):
            here = slice(None) if found.which is None else found.which == number
            if name == part and not np.array_equal(
                self.owners[part][1][found.entries[here]], owner[here]
            ):
                return False
        return True

    def hears_alone(self, handler: tuple[str, str], below: list[str]) -> bool:
        """Tell whether a handler outside reads nothing that changes meanwhile."""
        reads = self.layouts[handler[0]].reads
        used = self.effects[self.handlers[handler].name].reads & set(reads)
        return not any(
            reads[name].population in below
            and reads[name].variable in self.written[reads[name].population]
            for name in used
        )

    @staticmethod
    def apart(reached: list[_Reach]) -> bool:
        """Tell whether events from several statements never meet, now or later."""
        return all(
            a.populations.isdisjoint(b.neighbours)
            and b.populations.isdisjoint(a.neighbours)
            and not (a.ordered or b.ordered)
            for n, a in enumerate(reached)
            for b in reached[n + 1 :]
        )

    def acts_together(self, key: tuple[str, str]) -> bool:
        effects = self.effects[self.handlers[key].name]
        reads = self.layouts[key[0]].reads
        return not (
            effects.ordered
            or effects.advances
            or effects.collects
            or any((key[0], port) in self.any_delay for port in effects.emits)
            or any(
                reads[name].population == key[0] and reads[name].variable in self.written[key[0]]
                for name in effects.reads
                if name in reads
            )
        )
