"""Initial values, by the reference's own order of initialisation.

The reference initialises a component three times around its children (StateInstance.java):
once without derived variables, then with them after its children have been initialised, and
once more; OnStart blocks of consolidated types stand twice. For idempotent OnStart blocks
this settles every value; draws of random numbers follow the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from ..errors import Faults
from .binding import Binder, selected_statements
from .evaluate import UnknownName, Value, evaluate
from .expressions import Expression, calls, names
from .flatten_steps import StepFlattener
from .instances import Group, Instances, Node
from .network import Array, Assign, Collect, Emit, Index, Run, Statement, When
from .paths import select
from .symbols import Symbols


@dataclass(slots=True)
class Initialiser:
    """Values of every symbol of every group, as arrays over the group's instances.

    `draw` gives one uniform number; without one, equations may not draw at the start.
    """

    instances: Instances
    symbols: Symbols
    binder: Binder
    faults: Faults
    draw: Callable[[], float]
    values: dict[str, dict[str, Array]] = field(default_factory=dict)
    plans: dict[tuple[Node, bool], list[Statement]] = field(default_factory=dict)
    starts: dict[Node, list[Statement]] = field(default_factory=dict)

    def run(self) -> dict[str, dict[str, Array]]:
        """Return initial values by group and symbol."""
        root = self.instances.root
        self.initialise(root.top, np.arange(root.size))
        return self.values

    def initialise(self, node: Node, index: Index) -> None:
        """Initialise instances `index` of `node` and everything below it."""
        if node in self.symbols.flattened:
            for with_derived in (False, True, True):
                self.start(node, index, with_derived=with_derived)
            return
        self.start(node, index, with_derived=False)
        self.below(node, index)
        self.start(node, index, with_derived=True)
        self.below(node, index)
        self.start(node, index, with_derived=True)

    def below(self, node: Node, index: Index) -> None:
        for child in (*node.children.values(), *node.child_instances.values()):
            self.initialise(child, index)
        for items in node.lists.values():
            for item in items:
                self.initialise(item, index)
        for groups in node.groups.values():
            for group in groups:
                self.group(group, index, node)

    def group(self, group: Group, index: Index, node: Node) -> None:
        if len(index) == node.group.size:
            members = np.arange(group.size)
        else:
            members = np.flatnonzero(np.isin(group.parent_index, index))
        if not members.size:
            return
        if self.draws(group):
            for member in members:
                self.initialise(group.top, np.full(1, member))
        else:
            self.initialise(group.top, members)

    def draws(self, group: Group) -> bool:
        """Tell whether anything in `group` or below draws at the start."""
        for node in group.top.subtree():
            dynamics = node.type.dynamics
            if dynamics is None:
                continue
            trees: list[Expression] = [
                a.value for start in dynamics.on_start for a in start.assignments
            ]
            trees += [d.value for d in dynamics.derived_variables if d.value is not None]
            trees += [v for d in dynamics.derived_variables for _, v in d.cases]
            trees += [a.value for r in dynamics.regimes for a in r.on_entry.assignments]
            if any(calls(tree, "random") for tree in trees):
                return True
        return any(
            self.draws(below)
            for node in group.top.subtree()
            for groups in node.groups.values()
            for below in groups
        )

    # --- one component -----------------------------------------------------------------------

    def start(self, node: Node, index: Index, *, with_derived: bool) -> None:
        if node.type.dynamics is None:
            return
        key = (node, with_derived)
        if key not in self.plans:
            if with_derived:
                self.plans[key] = self.derived(node)
            else:
                self.plans[key] = self.requirements(node)
        self.execute(node.group, self.plans[key], index)
        if node not in self.starts:
            self.starts[node] = self.start_blocks(node)
        self.execute(node.group, self.starts[node], index)

    def derived(self, node: Node) -> list[Statement]:
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
        return self.binder.requirements(node) if isinstance(self.binder, StepFlattener) else []

    def exposures(self, node: Node) -> list[Statement]:
        return self.binder.exposures(node) if isinstance(self.binder, StepFlattener) else []

    def start_blocks(self, node: Node) -> list[Statement]:
        dynamics = node.type.dynamics
        assert dynamics is not None
        done: list[Statement] = []
        if node in self.symbols.flattened:
            for below in node.subtree():
                for actions in below.type.dynamics.on_start if below.type.dynamics else ():
                    done.extend(self.binder.actions(below, actions, stale=False))
            return done
        repeats = 2 if node.consolidated else 1
        for _ in range(repeats):
            for actions in dynamics.on_start:
                done.extend(self.binder.actions(node, actions, stale=False))
        first = self.binder.first_regime(node)
        if first is not None:
            done.extend(self.binder.enter(node, first.name))
        done.extend(self.exposures(node))
        return done

    # --- values -------------------------------------------------------------------------------

    def array(self, group: Group, symbol: str) -> Array:
        """Return the values of `symbol` over all instances of `group`."""
        of_group = self.values.setdefault(group.name, {})
        if symbol not in of_group:
            scope = self.symbols.scope(group)
            if symbol in scope.parameters:
                of_group[symbol] = np.array(
                    np.broadcast_to(np.asarray(scope.parameters[symbol], float), group.size)
                )
            else:
                of_group[symbol] = np.zeros(group.size)
        return of_group[symbol]

    def lookup(self, group: Group, tree: Expression, index: Index) -> Mapping[str, Value]:
        scope = self.symbols.scope(group)
        found: dict[str, Value] = {"t": 0.0}
        for name in names(tree):
            if name == "t":
                continue
            if name in scope.reads:
                read = scope.reads[name]
                other = next(g for g in self.instances.groups if g.name == read.population)
                found[name] = self.array(other, read.variable)[scope.indices[read.index][index]]
            else:
                found[name] = self.array(group, name)[index]
        return found

    def execute(self, group: Group, statements: list[Statement], index: Index) -> None:
        for statement in statements:
            if isinstance(statement, Assign):
                value = self.value(group, statement.value, index)
                self.array(group, statement.variable)[index] = value
            elif isinstance(statement, Collect):
                self.collect(group, statement, index)
            elif isinstance(statement, When):
                chosen = np.broadcast_to(
                    np.asarray(self.value(group, statement.condition, index)), index.shape
                )
                self.execute(group, list(statement.body), index[chosen.astype(bool)])
            elif isinstance(statement, Emit | Run):
                continue  # nothing listens before the first step
            else:
                raise TypeError(f"{statement!r} cannot stand in an initialisation")

    def value(self, group: Group, tree: Expression, index: Index) -> Value:
        try:
            return evaluate(tree, self.lookup(group, tree, index), self.draw)
        except UnknownName as name:
            self.faults.error(f"{str(name)!r} has no value at the start", group.top.place)
            return 0.0

    def collect(self, group: Group, statement: Collect, index: Index) -> None:
        add = statement.reduce == "add"
        total = np.full(group.size, 0.0 if add else 1.0)
        operation = np.add if add else np.multiply
        groups = {g.name: g for g in self.instances.groups}
        parents, sequences, values = [], [], []
        for population, variable in statement.parts:
            part = groups[population]
            parents.append(part.parent_index)
            sequences.append(part.sequence)
            values.append(self.array(part, variable))
        if parents:
            order = np.argsort(np.concatenate(sequences), kind="stable")
            operation.at(total, np.concatenate(parents)[order], np.concatenate(values)[order])
        self.array(group, statement.variable)[index] = total[index]
