"""Names of a component's equations bound to symbols; blocks of actions as statements.

Both schedules use it: with `lags` the time in event handlers is that of the component's own
last advance, as in the reference; without, it is the time.
"""

from __future__ import annotations

from collections.abc import Iterable

from .expressions import ZERO, Binary, Choose, Expression, Name, Number, names, substitute
from .instances import Instances, Node
from .java_order import hash_order
from .model import Actions, DerivedVariable, OnCondition, OnEvent, Regime
from .network import Assign, Collect, Emit, Flow, Run, Statement, When
from .paths import Selection, select
from .symbols import TIME_DIMENSION, Symbols, unknown

#: States of one kinetic scheme.
STATE_LIMIT = 128


class Binder:
    """Binds the equations of nodes; the symbols are shared by all groups."""

    def __init__(self, instances: Instances, symbols: Symbols, *, lags: bool) -> None:
        self.instances = instances
        self.symbols = symbols
        self.lags = lags
        symbols.copies_requirements = lags

    def bound(self, node: Node, tree: Expression, *, stale: bool = False) -> Expression:
        """Return `tree` with the names of `node`'s equations replaced by symbols.

        In event handlers (`stale`) the time is that of the component's own last advance.
        """
        values: dict[str, Expression] = {}
        for name in sorted(names(tree)):
            if name == "t":
                if stale and self.lags:
                    values[name] = Name(self.clock(node))
                continue
            found = self.symbols.local(node, name)
            if found is None:
                unknown(self.symbols, node, name, "an equation")
                found = ZERO
            values[name] = found
        return substitute(tree, values)

    def clock(self, node: Node) -> str:
        """Return the symbol of the component's own time."""
        scope = self.symbols.scope(node.group)
        return scope.variable(node, "t", "time", TIME_DIMENSION, "clock")

    def variable(self, node: Node, name: str) -> str:
        """Return the symbol that an assignment of `node` writes."""
        found = self.symbols.local(node, name)
        if isinstance(found, Name) and found.name in self.symbols.scope(node.group).variables:
            return found.name
        prop = node.type.properties.get(name)
        dimension = prop.dimension if prop else None
        return self.symbols.scope(node.group).variable(node, name, "state", dimension)

    def uses(self, node: Node, name: str) -> bool:
        """Tell whether `node` or something below it would read its Requirement `name`."""
        dynamics = node.type.dynamics
        if dynamics is None:
            return False
        if any(name in names(tree) for tree in dynamics.expressions()):
            return True
        return any(
            name in below.type.requirements and self.uses(below, name)
            for below in node.subtree()
            if below is not node
        )

    def value(self, node: Node, variable: DerivedVariable) -> Expression:
        """Return a derived variable's expression; where no case holds it is 0."""
        if variable.value is not None:
            return self.bound(node, variable.value)
        result: Expression = ZERO
        for condition, value in reversed(variable.cases):
            bound = self.bound(node, value)
            result = (
                bound if condition is None else Choose(self.bound(node, condition), bound, result)
            )
        return result

    def selected(self, node: Node, variable: DerivedVariable) -> list[Statement]:
        """Return the evaluation of a derived variable that selects along a path."""
        symbol = self.variable(node, variable.name)
        selection = select(self.symbols, node, variable)
        return selected_statements(symbol, selection)

    def condition(self, node: Node, condition: OnCondition) -> Statement:
        """Return the test of a condition with what it does."""
        body = self.actions(node, condition.actions, stale=False)
        return When(self.bound(node, condition.test), tuple(body))

    def actions(self, node: Node, actions: Actions, *, stale: bool) -> list[Statement]:
        """Return what a block does: assignments in order, then events, then a transition."""
        done: list[Statement] = [
            Assign(self.variable(node, a.variable), self.bound(node, a.value, stale=stale))
            for a in actions.assignments
        ]
        for port, _ in actions.events:
            done.extend(self.emit(node, port))
        if actions.transition is not None:
            done.extend(self.enter(node, actions.transition[0], stale=stale))
        return done

    def emit(self, node: Node, port: str) -> list[Statement]:
        """Return the sending of an event: inside the instance at once, then to the others."""
        done: list[Statement] = []
        outside = False
        for link in self.instances.links:
            if link.source is not node or (link.source_port or first_out(node)) != port:
                continue
            if (
                link.target.group is node.group
                and bool((link.source_index == link.target_index).all())
                and not link.delay.any()
            ):
                target_port = link.target_port or first_in(link.target)
                if target_port is not None:
                    done.append(Run(handler_name(link.target, target_port)))
            else:
                outside = True
        del outside
        done.append(Emit(port_name(node, port)))
        return done

    def regime_symbol(self, node: Node) -> str:
        """Return the symbol that holds the number of the active regime."""
        scope = self.symbols.scope(node.group)
        return scope.variable(node, "regime", "regime", None, "active")

    def enter(self, node: Node, regime: str, *, stale: bool = False) -> list[Statement]:
        """Return the transition into `regime` and what its OnEntry does."""
        dynamics = node.type.dynamics
        assert dynamics is not None
        number, found = next((n, r) for n, r in enumerate(dynamics.regimes) if r.name == regime)
        done: list[Statement] = [Assign(self.regime_symbol(node), Number(float(number)))]
        done.extend(self.actions(node, found.on_entry, stale=stale))
        return done

    def first_regime(self, node: Node) -> Regime | None:
        """Return the regime that a component starts in."""
        dynamics = node.type.dynamics
        if dynamics is None or not dynamics.regimes:
            return None
        initial = [regime for regime in dynamics.regimes if regime.initial]
        if initial:
            return initial[0]
        first = hash_order(regime.name for regime in dynamics.regimes)[0]
        return next(regime for regime in dynamics.regimes if regime.name == first)

    def handlers(self, node: Node) -> Iterable[tuple[str, tuple[Statement, ...]]]:
        """Yield what events on each in port of `node` do."""
        dynamics = node.type.dynamics
        for port in node.type.ports.values():
            if port.direction != "in":
                continue
            body: list[Statement] = []
            if dynamics is not None:
                body.extend(self.on_event(node, dynamics.on_events, port.name))
                listening = {
                    number: self.on_event(node, regime.on_events, port.name)
                    for number, regime in enumerate(dynamics.regimes)
                }
                body.extend(self.by_regime(node, {n: b for n, b in listening.items() if b}))
            yield handler_name(node, port.name), tuple(body)

    def on_event(self, node: Node, events: Iterable[OnEvent], port: str) -> list[Statement]:
        """Return what `events` say about `port`; of several, the reference knows the last."""
        blocks = [self.actions(node, e.actions, stale=True) for e in events if e.port == port]
        if self.lags:
            blocks = blocks[-1:]
        return [statement for block in blocks for statement in block]

    def by_regime(self, node: Node, blocks: dict[int, list[Statement]]) -> list[Statement]:
        """Return the block of the regime that is active when the event comes, and no other."""
        if not blocks:  # asking for the regime would give a node without regimes one
            return []
        symbol = self.regime_symbol(node)
        done: list[Statement] = []
        if len(blocks) > 1:  # one of them may change the regime
            active = symbol
            scope = self.symbols.scope(node.group)
            symbol = scope.variable(node, "regime", "regime", None, "hearing")
            done.append(Assign(symbol, Name(active)))
        done.extend(When(equals(symbol, n), tuple(block)) for n, block in blocks.items())
        return done


def kinetic_flow(symbols: Symbols, node: Node, scheme_name: str) -> Flow | None:
    """Return a kinetic scheme of `node` as states and edges over symbols."""
    dynamics = node.type.dynamics
    assert dynamics is not None
    scheme = next(s for s in dynamics.kinetic_schemes if s.name == scheme_name)
    states = node.lists.get(scheme.nodes, [])
    if len(states) > STATE_LIMIT:
        symbols.faults.error(
            f"the KineticScheme of {node.id or node.type.name!r} has {len(states)} states; "
            f"{STATE_LIMIT} are supported, for its matrix exponential grows with their cube",
            node.place,
        )
        return None
    numbers = {state.id: number for number, state in enumerate(states)}
    state_symbols: list[str] = []
    for state in states:
        found = symbols.local(state, scheme.state_variable)
        if not isinstance(found, Name):
            unknown(symbols, state, scheme.state_variable, "a KineticScheme")
            return None
        state_symbols.append(found.name)
    edges: list[tuple[int, int, str, str]] = []
    for edge in node.lists.get(scheme.edges, []):
        ends = [edge.references.get(scheme.edge_source), edge.references.get(scheme.edge_target)]
        if ends[0] not in numbers or ends[1] not in numbers:
            symbols.faults.error(
                f"the edge from {ends[0]!r} to {ends[1]!r} names no state of {node.id!r}",
                edge.place,
            )
            return None
        rates = []
        for name in (scheme.forward_rate, scheme.reverse_rate):
            found = symbols.public(node.group, edge, name)
            if not isinstance(found, Name):
                unknown(symbols, edge, name, "a KineticScheme")
                return None
            rates.append(found.name)
        edges.append((numbers[ends[0]], numbers[ends[1]], rates[0], rates[1]))
    if not states:
        return None
    return Flow(tuple(state_symbols), tuple(edges))


def selected_statements(symbol: str, selection: Selection) -> list[Statement]:
    """Return the assignment of what a path selects: a value, or a sum or product."""
    if selection.parts:
        done: list[Statement] = [Collect(symbol, selection.parts, selection.reduce)]
        if selection.value is not None:
            operator = "+" if selection.reduce == "add" else "*"
            done.append(Assign(symbol, Binary(operator, selection.value, Name(symbol))))
        return done
    return [Assign(symbol, selection.value if selection.value is not None else ZERO)]


def equals(symbol: str, number: int) -> Expression:
    """Return the condition that `symbol` holds `number`."""
    return Binary("==", Name(symbol), Number(float(number)))


def first_out(node: Node) -> str | None:
    """Return the out port that a connection without a port means.

    The reference makes ports as it meets what sends from them: at the start, in handlers
    (in the order of its map of them), in conditions, in regimes.
    """
    ports = [p.name for p in node.type.ports.values() if p.direction == "out"]
    dynamics = node.type.dynamics
    if len(ports) > 1 and dynamics is not None:
        handlers = {event.port: event.actions for event in dynamics.on_events}
        met = [
            *dynamics.on_start,
            *(handlers[port] for port in hash_order(handlers)),
            *(condition.actions for condition in dynamics.on_conditions),
            *(block for regime in dynamics.regimes for block in regime.every_block()),
        ]
        return next((port for actions in met for port, _ in actions.events), ports[0])
    return ports[0] if ports else None


def first_in(node: Node) -> str | None:
    """Return the in port that a connection without a port means."""
    ports = [p.name for p in node.type.ports.values() if p.direction == "in"]
    dynamics = node.type.dynamics
    handled = [e.port for e in dynamics.on_events] if dynamics else []
    ordered = hash_order(handled)
    return ordered[0] if ordered else next(iter(ports), None)


def handler_name(node: Node, port: str) -> str:
    """Return the name of the handler of an in port."""
    return "/".join((*node.path, port))


def port_name(node: Node, port: str) -> str:
    """Return the name of an out port."""
    return "/".join((*node.path, port))
