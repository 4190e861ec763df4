"""Flattening for the reference's own order of steps (schedule "jlems").

Every rule of the reference interpreter that shows in its traces becomes an explicit
statement: children advance before their parent and read its values of the step before, a
Requirement is a copy refreshed only when its holder advances, derived variables are
evaluated in document order, exposures are copied after the conditions, regimes run last.
"""

from __future__ import annotations

from .binding import Binder, equals, kinetic_flow
from .expressions import ZERO, Name
from .instances import Instances, Node
from .java_order import hash_order
from .model import TimeDerivative
from .network import Advance, Assign, Collect, Integrate, Statement, When
from .paths import select
from .sorting import by_dependence
from .symbols import Symbols, unknown


class StepFlattener(Binder):
    """Makes the statements of every node in the reference's order."""

    def __init__(self, instances: Instances, symbols: Symbols) -> None:
        super().__init__(instances, symbols, lags=True)
        for group in instances.groups:
            self.absorb(group.top, None)
            for node in group.top.subtree():
                if node not in symbols.flattened:
                    self.find_shadows(node)

    def absorb(self, node: Node, root: Node | None) -> None:
        """Note which nodes a `simultaneous` ancestor absorbs (StateType.makeFlattened).

        Members of Children lists are absorbed, though alone they would not flatten.
        """
        dynamics = node.type.dynamics
        if root is None and dynamics is not None and dynamics.simultaneous and node.consolidated:
            root = node
        if root is not None:
            self.symbols.flattened[node] = root
            self.warn_of_loss(node)
        for below in node.inside():
            self.absorb(below, root)

    def warn_of_loss(self, node: Node) -> None:
        """Say what the reference loses when it flattens `node`."""
        dynamics = node.type.dynamics
        faults = self.symbols.faults
        if any(node.groups.values()):
            faults.error(
                f"{node.id or node.type.name!r} is part of simultaneous Dynamics, which method "
                "jlems flattens without attachments and instances",
                node.place,
                "another method runs it",
            )
        if dynamics is not None and (
            dynamics.on_conditions
            or dynamics.on_events
            or dynamics.regimes
            or dynamics.kinetic_schemes
        ):
            faults.warning(
                f"the conditions, events, regimes and kinetic schemes of {node.type.name!r} are "
                "lost where simultaneous Dynamics are flattened, as in the reference",
                dynamics.place,
                "another method keeps them",
            )

    def find_shadows(self, node: Node) -> None:
        """Note the exposed variables that change outside the component's own advance."""
        dynamics = node.type.dynamics
        if dynamics is None:
            return
        changed: set[str] = set()
        for event in dynamics.on_events:
            changed |= {a.variable for a in event.actions.assignments}
        for regime in dynamics.regimes:
            changed |= {d.variable for d in regime.time_derivatives}
            blocks = [
                regime.on_entry,
                *(c.actions for c in regime.on_conditions),
                *(e.actions for e in regime.on_events),
            ]
            changed |= {a.variable for block in blocks for a in block.assignments}
        for state in dynamics.state_variables:
            if state.exposure is not None and state.name in changed:
                self.symbols.shadowed.add((node, state.name))
        # A kinetic scheme sets the occupancies of its nodes after they have advanced.
        for scheme in dynamics.kinetic_schemes:
            for item in node.lists.get(scheme.nodes, ()):
                self.symbols.shadowed.add((item, scheme.state_variable))

    def advance(self, node: Node) -> list[Statement]:
        """Return the statements that advance `node` and all below it by one step."""
        if node in self.symbols.flattened:
            return self.advance_flattened(node)
        done: list[Statement] = []
        for child in (*node.children.values(), *node.child_instances.values()):
            done.extend(self.advance(child))
        for slot in dict.fromkeys((*node.lists, *(s for s in node.groups if s))):
            for item in node.lists.get(slot, ()):
                done.extend(self.advance(item))
            below = [g for g in node.groups.get(slot, ()) if g.kind != "attachments"]
            if below:
                done.append(Advance(tuple(group.name for group in below)))
        for container in hash_order(node.type.attachments):
            attached = [g for g in node.groups.get(container, ()) if g.kind == "attachments"]
            if attached:
                done.append(Advance(tuple(group.name for group in attached)))
        multiple = node.groups.get("", ())
        if multiple:
            done.append(Advance(tuple(group.name for group in multiple)))
        dynamics = node.type.dynamics
        if dynamics is None:
            return done
        for scheme in dynamics.kinetic_schemes:
            done.extend(self.flow(node, scheme.name))
        done.append(Assign(self.clock(node), Name("t")))
        done.extend(self.derived(node))
        done.extend(self.integrate(node))
        done.extend(self.condition(node, condition) for condition in dynamics.on_conditions)
        done.extend(self.exposures(node))
        done.extend(self.regimes(node))
        return done

    # --- simultaneous Dynamics ---------------------------------------------------------------

    def advance_flattened(self, root: Node) -> list[Statement]:
        """Return one Runge-Kutta step of all states below `root` together."""
        derived = self.flattened_derived(root)
        rates = tuple(
            (self.variable(node, d.variable), self.bound(node, d.value))
            for node in root.subtree()
            if node.type.dynamics is not None
            for d in node.type.dynamics.time_derivatives
        )
        done: list[Statement] = [Assign(self.clock(root), Name("t"))]
        done.extend(self.requirements(root))
        done.extend(derived)
        if rates:
            done.append(Integrate(rates, "rk4", derived))
        return done

    def flattened_derived(self, root: Node) -> tuple[Assign, ...]:
        """Return the derived variables below `root`, sorted by dependence."""
        found: list[Assign | Collect] = []
        for node in root.subtree():
            if node.type.dynamics is None:
                continue
            for variable in node.type.dynamics.derived_variables:
                symbol = self.variable(node, variable.name)
                if variable.select is None:
                    found.append(Assign(symbol, self.value(node, variable)))
                else:
                    value = select(self.symbols, node, variable).value
                    found.append(Assign(symbol, value if value is not None else ZERO))
        ordered = by_dependence(found, root, self.symbols.faults)
        return tuple(statement for statement in ordered if isinstance(statement, Assign))

    # --- the parts of an advance --------------------------------------------------------------

    def requirements(self, node: Node) -> list[Statement]:
        """Return the refreshing of the copies of what ancestors supply."""
        done: list[Statement] = []
        if node in self.symbols.flattened:
            for name, symbol in self.symbols.boundary.get(node, {}).items():
                outside = self.symbols.outside(node, name)
                assert outside is not None
                done.append(Assign(symbol, outside))
            return done
        for name in node.type.requirements:
            if name in node.assigned:
                continue
            above = self.symbols.above(node, name)
            if above is None:
                if name in node.values:
                    continue
                if self.uses(node, name):
                    unknown(self.symbols, node, name, "a Requirement")
                continue
            copy = self.symbols.requirement(node, name)
            assert isinstance(copy, Name)
            done.append(Assign(copy.name, above))
        return done

    def derived(self, node: Node) -> list[Statement]:
        """Return the reading of Requirements and the evaluation of derived variables."""
        dynamics = node.type.dynamics
        assert dynamics is not None
        done = self.requirements(node)
        paths = [d for d in dynamics.derived_variables if d.select is not None]
        others = [d for d in dynamics.derived_variables if d.select is None]
        for variable in paths:
            done.extend(self.selected(node, variable))
        for variable in others:
            done.append(Assign(self.variable(node, variable.name), self.value(node, variable)))
        return done

    def integrate(self, node: Node) -> list[Statement]:
        """Return the step of `node`'s time derivatives, all from the same values."""
        dynamics = node.type.dynamics
        assert dynamics is not None
        if not dynamics.time_derivatives:
            return []
        pairs = tuple(
            (self.variable(node, d.variable), self.bound(node, d.value))
            for d in dynamics.time_derivatives
        )
        return [Integrate(pairs)]

    def exposures(self, node: Node) -> list[Statement]:
        """Return the copying of variables to the exposures that others read."""
        dynamics = node.type.dynamics
        assert dynamics is not None
        scope = self.symbols.scope(node.group)
        return [
            Assign(
                scope.variable(node, state.exposure, "shadow", state.dimension, "exposed"),
                Name(self.variable(node, state.name)),
            )
            for state in dynamics.state_variables
            if state.exposure is not None and (node, state.name) in self.symbols.shadowed
        ]

    def regimes(self, node: Node) -> list[Statement]:
        """Return the advance of the active regime; one regime per step."""
        dynamics = node.type.dynamics
        assert dynamics is not None
        if not dynamics.regimes:
            return []
        active = self.regime_symbol(node)
        scope = self.symbols.scope(node.group)
        current = scope.variable(node, "regime", "regime", None, "current")
        done: list[Statement] = [Assign(current, Name(active))]
        for number, regime in enumerate(dynamics.regimes):
            body: list[Statement] = []
            for variable in regime.derived_variables:
                if variable.select is None:
                    body.append(
                        Assign(self.variable(node, variable.name), self.value(node, variable))
                    )
                else:
                    body.extend(self.selected(node, variable))
            # The reference updates one variable after the other here.
            body.extend(self.regime_update(node, d) for d in regime.time_derivatives)
            body.extend(self.condition(node, condition) for condition in regime.on_conditions)
            done.append(When(equals(current, number), tuple(body)))
        return done

    def regime_update(self, node: Node, derivative: TimeDerivative) -> Statement:
        """Return the step of one time derivative of a regime."""
        symbol = self.variable(node, derivative.variable)
        return Integrate(((symbol, self.bound(node, derivative.value)),))

    def flow(self, node: Node, scheme_name: str) -> list[Statement]:
        """Return the advance of a kinetic scheme's occupancies."""
        flow = kinetic_flow(self.symbols, node, scheme_name)
        if flow is None:
            return []
        return [flow]
