"""Flattening to equations without lags (schedule "equations").

A Requirement is the ancestor's own symbol, an exposure the variable behind it, a derived
variable an assignment; assignments are sorted by dependence, so that every method solves
the model's equations and nothing else.
"""

from __future__ import annotations

from .binding import Binder, equals, kinetic_flow, selected_statements
from .expressions import Expression, Name, substitute
from .instances import Group, Instances, Node
from .network import Assign, Collect, Condition, Derivative, Flow, Statement
from .paths import select
from .sorting import by_dependence
from .symbols import Symbols


class EquationFlattener(Binder):
    """Collects the equations of every node of a group."""

    def __init__(self, instances: Instances, symbols: Symbols) -> None:
        super().__init__(instances, symbols, lags=False)

    def assignments(self, group: Group) -> tuple[Assign | Collect, ...]:
        """Return the derived variables of `group`, sorted by dependence."""
        found: list[Assign | Collect] = []
        for node in group.top.subtree():
            found.extend(self.node_assignments(node))
        return by_dependence(found, group.top, self.symbols.faults)

    def node_assignments(self, node: Node) -> list[Assign | Collect]:
        """Return the derived variables of `node` alone, as the author ordered them."""
        dynamics = node.type.dynamics
        if dynamics is None:
            return []
        found: list[Assign | Collect] = []
        for variable in dynamics.every_derived():
            symbol = self.variable(node, variable.name)
            if variable.select is None:
                found.append(Assign(symbol, self.value(node, variable)))
                continue
            selection = select(self.symbols, node, variable)
            statements = selected_statements(symbol, selection)
            if len(statements) == 1:
                found.extend(s for s in statements if isinstance(s, Assign | Collect))
                continue
            # A sum over children and attachments: the collected part gets its own name.
            scope = self.symbols.scope(node.group)
            part = scope.variable(node, variable.name, "derived", variable.dimension, "attached")
            collect, total = statements
            assert isinstance(collect, Collect)
            assert isinstance(total, Assign)
            found.append(Collect(part, collect.parts, collect.reduce))
            found.append(Assign(symbol, _renamed(total.value, symbol, part)))
        return found

    def derivatives(self, group: Group) -> tuple[Derivative, ...]:
        """Return the time derivatives of `group`, those of regimes guarded."""
        found: list[Derivative] = []
        for node in group.top.subtree():
            dynamics = node.type.dynamics
            if dynamics is None:
                continue
            found.extend(
                Derivative(self.variable(node, d.variable), self.bound(node, d.value))
                for d in dynamics.time_derivatives
            )
            for number, regime in enumerate(dynamics.regimes):
                guard = equals(self.regime_symbol(node), number)
                found.extend(
                    Derivative(self.variable(node, d.variable), self.bound(node, d.value), guard)
                    for d in regime.time_derivatives
                )
        return tuple(found)

    def flows(self, group: Group) -> tuple[Flow, ...]:
        """Return the kinetic schemes of `group`."""
        found: list[Flow] = []
        for node in group.top.subtree():
            if node.type.dynamics is None:
                continue
            for scheme in node.type.dynamics.kinetic_schemes:
                flow = kinetic_flow(self.symbols, node, scheme.name)
                if flow is not None:
                    found.append(flow)
        return tuple(found)

    def conditions(self, group: Group) -> tuple[Condition, ...]:
        """Return the conditions of `group`, children before their parents."""
        found: list[Condition] = []
        for node in _children_first(group.top):
            dynamics = node.type.dynamics
            if dynamics is None:
                continue
            for condition in dynamics.on_conditions:
                body: list[Statement] = self.actions(node, condition.actions, stale=False)
                test = self.bound(node, condition.test)
                found.append(Condition(test, tuple(body), None, condition.place))
            for number, regime in enumerate(dynamics.regimes):
                guard = equals(self.regime_symbol(node), number)
                for condition in regime.on_conditions:
                    body = self.actions(node, condition.actions, stale=False)
                    test = self.bound(node, condition.test)
                    found.append(Condition(test, tuple(body), guard, condition.place))
        return tuple(found)


def _children_first(node: Node) -> list[Node]:
    found: list[Node] = []
    for below in node.inside():
        found.extend(_children_first(below))
    found.append(node)
    return found


def _renamed(tree: Expression, old: str, new: str) -> Expression:
    return substitute(tree, {old: Name(new)})
