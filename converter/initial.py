"""Initial values, by the reference's own order of initialisation.

The reference initialises a component three times around its children (StateInstance.java):
once without derived variables, then with them after its children have been initialised, and
once more; OnStart blocks of consolidated types stand twice. A component at depth d runs
2^d times as often as the root. For idempotent OnStart blocks this settles every value, and
what has settled is not run again; blocks that count or draw random numbers run as often and
in the same order as in the reference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from ..errors import Faults, InternalError
from .binding import Binder, selected_statements
from .evaluate import UnknownName, Value, evaluate_quietly
from .expressions import Call, Expression, Number, calls, names, substitute, walk
from .flatten_steps import StepFlattener
from .instances import Group, Instances, Node
from .java_order import hash_order
from .network import Array, Assign, Collect, Emit, Index, Run, Statement, When
from .paths import select
from .symbols import Symbols


@dataclass(frozen=True, slots=True, eq=False)
class _Step:
    """A statement with the arrays that it reads and writes looked up.

    `sources` are (name, array, index into it or None for the group's own).
    """

    statement: Statement
    tree: Expression | None
    sources: tuple[tuple[str, Array, Index | None], ...]
    target: Array | None
    groups: frozenset[str]
    body: tuple[_Step, ...] = ()


@dataclass(frozen=True, slots=True)
class _Draws:
    """How many numbers an initialisation draws, and whether that is the same for all."""

    number: int
    regular: bool


@dataclass(slots=True)
class Initialiser:
    """Values of every symbol of every group, as arrays over the group's instances.

    `draw` gives one uniform number. A component that ran without a change, with none since in
    the groups that it and what is below it read, has settled and need not run again, unless
    it draws: `clock` counts changes, `changed` has that of each group's last one.
    """

    instances: Instances
    symbols: Symbols
    binder: Binder
    faults: Faults
    draw: Callable[[], float]
    values: dict[str, dict[str, Array]] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    plans: dict[tuple[Node, bool], tuple[_Step, ...]] = field(default_factory=dict)
    drawing: dict[Node, _Draws] = field(default_factory=dict)
    reads: dict[Node, frozenset[str]] = field(default_factory=dict)
    settled: dict[tuple[Node, bytes], int] = field(default_factory=dict)
    clock: int = 0
    changed: dict[str, int] = field(default_factory=dict)
    #: Draws made beforehand for all instances of a group, one column a time.
    columns: Iterator[Array] | None = None

    def run(self) -> dict[str, dict[str, Array]]:
        """Return initial values by group and symbol."""
        root = self.instances.root
        self.groups = {group.name: group for group in self.instances.groups}
        with np.errstate(all="ignore"):
            self.initialise(root.top, np.arange(root.size))
        for group in self.instances.groups:
            for symbol in self.symbols.scope(group).starts:
                self.array(group, symbol)
        return self.values

    def initialise(self, node: Node, index: Index) -> None:
        """Initialise instances `index` of `node` and everything below it."""
        key = (node, b"" if len(index) == node.group.size else index.tobytes())
        since = self.settled.get(key)
        if since is not None and all(
            self.changed.get(name, 0) <= since for name in self.reads[node]
        ):
            return
        before = self.clock
        self.start(node, index, with_derived=False)
        absorbed = node in self.symbols.flattened
        if not absorbed:
            self.below(node, index)
        self.start(node, index, with_derived=True)
        if not absorbed:
            self.below(node, index)
        self.start(node, index, with_derived=True)
        if self.clock == before and not self.draws(node).number:
            self.settled[key] = before
            if node not in self.reads:
                self.reads[node] = self.read_by(node)

    def below(self, node: Node, index: Index) -> None:
        """Initialise what is directly below `node`, in the reference's order."""
        for child in (*node.children.values(), *node.child_instances.values()):
            self.initialise(child, index)
        for items in node.lists.values():
            for item in items:
                self.initialise(item, index)
        drawing = [g for gs in node.groups.values() for g in gs if self.draws(g.top).number]
        if len(drawing) > 1 and len(index) == 1:
            self.by_attachment(node, index)
            return
        for groups in node.groups.values():
            for group in groups:
                self.group(group, index, node)

    def by_attachment(self, node: Node, index: Index) -> None:
        """Initialise what several groups attach to one instance, in the order of attachment.

        The lists come in the reference's order: children, Attachments as its map has them,
        instances that a Structure made.
        """
        attachments = hash_order(node.type.attachments)
        slots = [slot for slot in node.groups if slot and slot not in attachments]
        for slot in (*slots, *attachments, ""):
            found = [
                (int(group.sequence[member]), n, group, member)
                for n, group in enumerate(node.groups.get(slot, ()))
                for member in np.flatnonzero(group.parent_index == index[0])
            ]
            for _, _, group, member in sorted(found, key=lambda item: item[:2]):
                self.initialise(group.top, np.full(1, member))

    def group(self, group: Group, index: Index, node: Node) -> None:
        """Initialise the members of `group` below instances `index` of `node`.

        Random numbers are drawn member by member, as the reference does: beforehand where
        every member draws as many, else by initialising one member after the other.
        """
        if len(index) == node.group.size:
            members = np.arange(group.size)
        elif len(index) == 1:
            members = np.flatnonzero(group.parent_index == index[0])
        else:
            members = np.flatnonzero(np.isin(group.parent_index, index))
        if not members.size:
            return
        draws = self.draws(group.top)
        if not draws.number or self.columns is not None:
            self.initialise(group.top, members)
        elif draws.regular:
            numbers = [self.draw() for _ in range(draws.number * len(members))]
            table = np.array(numbers).reshape(len(members), draws.number)
            self.columns = iter(np.ascontiguousarray(table.T))
            self.initialise(group.top, members)
            self.columns = None
        else:
            for member in members:
                self.initialise(group.top, np.full(1, member))

    def read_by(self, node: Node) -> frozenset[str]:
        """Return the groups that `node` and everything below it read."""
        found = {node.group.name}
        for with_derived in (False, True):
            for step in self.plans.get((node, with_derived), ()):
                found |= step.groups
        for below in node.inside():
            found |= self.reads.get(below) or self.read_by(below)
        for groups in node.groups.values():
            for group in groups:
                found |= self.reads.get(group.top) or self.read_by(group.top)
        return frozenset(found)

    def draws(self, node: Node) -> _Draws:
        """Return how many numbers one initialisation of `node` draws."""
        if node not in self.drawing:
            self.drawing[node] = self.count_draws(node)
        return self.drawing[node]

    def count_draws(self, node: Node) -> _Draws:
        """Count the draws of three runs of `node` and of two initialisations of its children."""
        dynamics = node.type.dynamics
        if node in self.symbols.flattened:
            every = [
                t for n in node.subtree() if n.type.dynamics for t in n.type.dynamics.expressions()
            ]
            return _Draws(_random(every), regular=False)
        own, regular = 0, True
        if dynamics is not None:
            starts = [a.value for start in dynamics.on_start for a in start.assignments]
            repeats = 2 if node.consolidated and self.binder.lags else 1
            first = self.binder.first_regime(node)
            entry = [a.value for a in first.on_entry.assignments] if first is not None else []
            values = [d.value for d in dynamics.derived_variables if d.value is not None]
            cases = [
                tree
                for d in dynamics.derived_variables
                for case in d.cases
                for tree in case
                if tree is not None
            ]
            regular = not any(calls(tree, "random") for tree in cases)
            own = 3 * (repeats * _random(starts) + _random(entry)) + 2 * _random(values)
            own += 0 if regular else 1
        below = [self.draws(inner) for inner in node.inside()]
        attached = [self.draws(group.top) for groups in node.groups.values() for group in groups]
        regular = regular and not any(draws.number for draws in attached)
        number = own + 2 * sum(draws.number for draws in (*below, *attached))
        return _Draws(number, regular and all(draws.regular for draws in below))

    # --- one component -----------------------------------------------------------------------

    def start(self, node: Node, index: Index, *, with_derived: bool) -> None:
        """Run what `node` does at the start, for the instances `index`."""
        if node.type.dynamics is None:
            return
        key = (node, with_derived)
        if key not in self.plans:
            first = self.derived(node) if with_derived else self.requirements(node)
            self.plans[key] = self.planned(node.group, [*first, *self.start_blocks(node)])
        self.execute(node.group, self.plans[key], index)

    def derived(self, node: Node) -> list[Statement]:
        """Return the evaluation of `node`'s derived variables, selections first."""
        dynamics = node.type.dynamics
        assert dynamics is not None
        if isinstance(self.binder, StepFlattener) and node in self.symbols.flattened:
            sorted_by_dependence = self.binder.flattened_derived(node)
            return [*self.requirements(node), *sorted_by_dependence]
        done = self.requirements(node)
        for variable in dynamics.derived_variables:
            if variable.select is not None:
                symbol = self.binder.variable(node, variable.name)
                done.extend(selected_statements(symbol, select(self.symbols, node, variable)))
        for variable in dynamics.derived_variables:
            if variable.select is None:
                symbol = self.binder.variable(node, variable.name)
                done.append(Assign(symbol, self.binder.value(node, variable)))
        return done

    def requirements(self, node: Node) -> list[Statement]:
        """Return the copying of what `node` requires, where the schedule copies."""
        return self.binder.requirements(node) if isinstance(self.binder, StepFlattener) else []

    def exposures(self, node: Node) -> list[Statement]:
        """Return the copying of what `node` exposes, where the schedule copies."""
        return self.binder.exposures(node) if isinstance(self.binder, StepFlattener) else []

    def start_blocks(self, node: Node) -> list[Statement]:
        """Return what OnStart blocks and the first regime's OnEntry do."""
        dynamics = node.type.dynamics
        assert dynamics is not None
        done: list[Statement] = []
        if node in self.symbols.flattened:
            for below in node.subtree():
                for actions in below.type.dynamics.on_start if below.type.dynamics else ():
                    done.extend(self.binder.actions(below, actions, stale=False))
            return done
        repeats = 2 if node.consolidated and self.binder.lags else 1
        for _ in range(repeats):
            for actions in dynamics.on_start:
                done.extend(self.binder.actions(node, actions, stale=False))
        first = self.binder.first_regime(node)
        if first is not None:
            done.extend(self.binder.enter(node, first.name))
        if not self.binder.lags:
            return self.once(node, done)
        done.extend(self.exposures(node))
        return done

    def once(self, node: Node, blocks: list[Statement]) -> list[Statement]:
        """Return `blocks` such that running them again changes nothing.

        A block that counts (`n = n + 1`) starts from what its variables start with, however
        often values are settled; the reference counts its own repetitions.
        """
        starts = self.symbols.scope(node.group).starts
        fresh = {
            statement.variable: Number(float(starts.get(statement.variable, 0.0)))
            for statement in blocks
            if isinstance(statement, Assign) and not np.ndim(starts.get(statement.variable, 0.0))
        }
        done: list[Statement] = []
        for statement in blocks:
            if isinstance(statement, Assign):
                done.append(Assign(statement.variable, substitute(statement.value, fresh)))
                fresh.pop(statement.variable, None)
            else:
                done.append(statement)
        return done

    # --- plans --------------------------------------------------------------------------------

    def array(self, group: Group, symbol: str) -> Array:
        """Return the values of `symbol` over all instances of `group`; they change in place."""
        of_group = self.values.setdefault(group.name, {})
        if symbol not in of_group:
            scope = self.symbols.scope(group)
            start = scope.parameters.get(symbol, scope.starts.get(symbol, 0.0))
            of_group[symbol] = np.array(np.broadcast_to(np.asarray(start, float), group.size))
        return of_group[symbol]

    def planned(self, group: Group, statements: Iterable[Statement]) -> tuple[_Step, ...]:
        """Return `statements` with their arrays looked up."""
        done: list[_Step] = []
        for statement in statements:
            match statement:
                case Assign(variable, value):
                    target = self.array(group, variable)
                    sources = self.sources(group, value)
                    done.append(
                        _Step(statement, value, sources, target, self.groups_of(group, value))
                    )
                case Collect(variable, parts, _):
                    attached = frozenset(population for population, _ in parts)
                    done.append(_Step(statement, None, (), self.array(group, variable), attached))
                case When(condition, body):
                    inner = self.planned(group, body)
                    sources = self.sources(group, condition)
                    read = self.groups_of(group, condition).union(*(x.groups for x in inner))
                    done.append(_Step(statement, condition, sources, None, read, inner))
                case Emit() | Run():
                    pass  # nothing listens before the first step
                case _:
                    raise InternalError(f"{statement!r} cannot stand in an initialisation")
        return tuple(done)

    def sources(
        self, group: Group, tree: Expression
    ) -> tuple[tuple[str, Array, Index | None], ...]:
        """Return where the names of `tree` have their values."""
        scope = self.symbols.scope(group)
        found: list[tuple[str, Array, Index | None]] = []
        for name in sorted(names(tree)):
            if name == "t":
                found.append((name, np.zeros(group.size), None))
            elif name in scope.reads:
                read = scope.reads[name]
                other = self.array(self.groups[read.population], read.variable)
                found.append((name, other, scope.indices[read.index]))
            else:
                found.append((name, self.array(group, name), None))
        return tuple(found)

    def groups_of(self, group: Group, tree: Expression) -> frozenset[str]:
        """Return the other groups that `tree` reads."""
        reads = self.symbols.scope(group).reads
        return frozenset(reads[name].population for name in names(tree) if name in reads)

    # --- execution ----------------------------------------------------------------------------

    def execute(self, group: Group, steps: tuple[_Step, ...], index: Index) -> None:
        """Do `steps` for the instances `index` of `group`."""
        if not index.size:
            return
        everyone = len(index) == group.size
        for step in steps:
            if isinstance(step.statement, Collect):
                value: Value = self.collected(group, step.statement)
                value = value if everyone else value[index]
            else:
                value = self.value(group, step, None if everyone else index)
            if step.target is not None:
                self.store(group, step.target, None if everyone else index, value)
            elif step.body:
                chosen = np.broadcast_to(np.asarray(value), index.shape)
                self.execute(group, step.body, index[chosen.astype(bool)])

    def store(self, group: Group, target: Array, index: Index | None, value: Value) -> None:
        """Put values in their place, and note whether they differ from what was there."""
        if target.size == 1:  # many groups are one instance: no array arithmetic for those
            old = target[0]
            target[0] = value if np.ndim(value) == 0 else value[0]
            if target[0] != old and not (np.isnan(target[0]) and np.isnan(old)):
                self.clock += 1
                self.changed[group.name] = self.clock
            return
        place = slice(None) if index is None else index
        before = np.array(target[place]).view(np.int64)
        target[place] = value
        if not np.array_equal(before, np.ascontiguousarray(target[place]).view(np.int64)):
            self.clock += 1
            self.changed[group.name] = self.clock

    def value(self, group: Group, step: _Step, index: Index | None) -> Value:
        """Return the value of a step's expression for the instances `index`; None: for all."""
        assert step.tree is not None
        if group.size == 1:
            known = {n: array[0 if at is None else at[0]] for n, array, at in step.sources}
        elif index is None:
            known = {n: array if at is None else array[at] for n, array, at in step.sources}
        else:
            known = {
                name: array[index] if at is None else array[at[index]]
                for name, array, at in step.sources
            }
        try:
            return evaluate_quietly(step.tree, known, self.next_draw)
        except UnknownName as name:
            self.faults.error(f"{str(name)!r} has no value at the start", group.top.place)
            return 0.0

    def next_draw(self) -> Value:
        """Return a uniform number, or one for each of the instances at hand."""
        return self.draw() if self.columns is None else next(self.columns)

    def collected(self, group: Group, statement: Collect) -> Array:
        """Return the sum or product over what is attached, in the order of attachment."""
        add = statement.reduce == "add"
        total = np.full(group.size, 0.0 if add else 1.0)
        parents, sequences, values = [], [], []
        for population, variable in statement.parts:
            part = self.groups[population]
            parents.append(part.parent_index)
            sequences.append(part.sequence)
            values.append(self.array(part, variable))
        if parents:
            at, value = np.concatenate(parents), np.concatenate(values)
            sequence = np.concatenate(sequences)
            if not bool((sequence[1:] >= sequence[:-1]).all()):
                order = np.argsort(sequence, kind="stable")
                at, value = at[order], value[order]
            if add:  # adds in order, as `at` does, and faster
                sums = np.bincount(at, weights=value, minlength=group.size)
                return sums.astype(np.float64, copy=False)
            np.multiply.at(total, at, value)
        return total


def _random(trees: Iterable[Expression]) -> int:
    """Return how many numbers an evaluation of `trees` draws."""
    return sum(
        isinstance(part, Call) and part.function == "random"
        for tree in trees
        for part in walk(tree)
    )
