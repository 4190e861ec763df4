"""Which symbol a name of a component stands for, once everything is inlined.

Lookups follow the reference (StateInstance.getVariable): what a component exposes, else what
it holds, else the same question to its parent. A parameter becomes a number where all
instances share it and a parameter symbol of the population where they do not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ..errors import Faults, did_you_mean
from .evaluate import Value
from .expressions import Expression, Name, Number
from .instances import Group, Node
from .model import ComponentType, DerivedVariable, StateVariable
from .network import Array, Index, Read, Variable
from .units import TIME, Dimension

RESERVED = frozenset({"t", "dt", "i", "n"})


@dataclass(eq=False, slots=True)
class Scope:
    """The symbols of one group."""

    group: Group
    faults: Faults
    names: dict[tuple[Node, str, str], str] = field(default_factory=dict)
    used: set[str] = field(default_factory=lambda: set(RESERVED))
    parameters: dict[str, float | Array] = field(default_factory=dict)
    variables: dict[str, Variable] = field(default_factory=dict)
    reads: dict[str, Read] = field(default_factory=dict)
    indices: dict[str, Index] = field(default_factory=dict)
    dimensions: dict[str, Dimension | None] = field(default_factory=dict)
    #: What variables start with before any OnStart; others start at 0.
    starts: dict[str, Value] = field(default_factory=dict)

    def unique(self, words: tuple[str, ...]) -> str:
        """Return an unused identifier made of `words`."""
        base = re.sub(r"[^A-Za-z0-9_]", "_", "_".join(words)).strip("_") or "x"
        base = re.sub(r"__+", "_", base)
        if base[0].isdigit():
            base = f"x{base}"
        name, number = base, 1
        while name in self.used:
            number += 1
            name = f"{base}_{number}"
        self.used.add(name)
        return name

    def variable(
        self, node: Node, name: str, kind: str, dimension: Dimension | None, role: str = "local"
    ) -> str:
        """Return the symbol of a stored variable of `node`, making it on first use."""
        key = (node, name, role)
        if key not in self.names:
            words = (*node.path, name) if role == "local" else (*node.path, name, role)
            symbol = self.unique(words)
            self.names[key] = symbol
            label = "/".join((*node.path, name))
            self.variables[symbol] = Variable(symbol, kind, dimension, label)
            self.dimensions[symbol] = dimension
        return self.names[key]

    def parameter(self, node: Node, name: str) -> Expression:
        """Return the value of a parameter of `node`: a number, or a symbol where it varies."""
        value = node.values[name]
        if np.ndim(value) == 0:
            return Number(float(value))
        key = (node, name, "parameter")
        if key not in self.names:
            symbol = self.unique((*node.path, name))
            self.names[key] = symbol
            self.parameters[symbol] = np.asarray(value, dtype=float)
        return Name(self.names[key])


@dataclass(frozen=True, slots=True)
class _Variables:
    """The variables of a component type; regimes' own derived variables count too.

    A Property that the Dynamics assign to is a state, which starts with the property's value.
    """

    states: Mapping[str, StateVariable]
    derived: Mapping[str, DerivedVariable]
    exposed: Mapping[str, str]

    @classmethod
    def of(cls, kind: ComponentType) -> _Variables:
        dynamics = kind.dynamics
        if dynamics is None:
            return cls({}, {}, {})
        exposed: dict[str, str] = {}
        for variable in dynamics.variables:
            if variable.exposure is not None:
                exposed.setdefault(variable.exposure, variable.name)
        states = {state.name: state for state in dynamics.state_variables}
        for name in dynamics.assigned() & kind.properties.keys() - states.keys():
            prop = kind.properties[name]
            states[name] = StateVariable(name, prop.dimension, None, prop.place)
        return cls(
            states,
            {derived.name: derived for derived in dynamics.every_derived()},
            exposed,
        )


@dataclass(eq=False, slots=True)
class Symbols:
    """Lookups across groups; one `Scope` per group."""

    faults: Faults
    #: Whether an exposure of a component needs a copy that lags behind its variable.
    shadowed: set[tuple[Node, str]] = field(default_factory=set)
    copies_requirements: bool = False
    #: Nodes that a `simultaneous` ancestor absorbs, and that ancestor itself.
    flattened: dict[Node, Node] = field(default_factory=dict)
    #: What each such ancestor reads from outside on behalf of those it absorbed.
    boundary: dict[Node, dict[str, str]] = field(default_factory=dict)
    scopes: dict[str, Scope] = field(default_factory=dict)
    tables: dict[int, _Variables] = field(default_factory=dict)

    def scope(self, group: Group) -> Scope:
        """Return the scope of `group`."""
        if group.name not in self.scopes:
            self.scopes[group.name] = Scope(group, self.faults)
        return self.scopes[group.name]

    # --- what a node holds ----------------------------------------------------------------

    def variables_of(self, kind: ComponentType) -> _Variables:
        """Return the variables of a type, by name and by exposure."""
        if id(kind) not in self.tables:
            self.tables[id(kind)] = _Variables.of(kind)
        return self.tables[id(kind)]

    def holds(self, node: Node, name: str) -> str | None:
        """Tell what `name` is to `node`: exposure, state, derived, requirement, parameter."""
        variables = self.variables_of(node.type)
        if name in variables.exposed:
            return "exposure"
        if name in variables.states:
            return "state"
        if name in variables.derived:
            return "derived"
        if name in node.values:
            return "parameter"
        if name in node.type.requirements and node.type.dynamics is not None:
            return "requirement"
        return None

    def exposed_by(self, node: Node, exposure: str) -> str:
        """Return the variable of `node` behind an exposure."""
        return self.variables_of(node.type).exposed[exposure]

    def local(self, node: Node, name: str) -> Expression | None:
        """Return what `name` means in the equations of `node` itself."""
        scope = self.scope(node.group)
        variables = self.variables_of(node.type)
        state = variables.states.get(name)
        if state is not None:
            symbol = scope.variable(node, name, "state", state.dimension)
            if name in node.type.properties:
                scope.starts.setdefault(symbol, node.values.get(name, 0.0))
            return Name(symbol)
        derived = variables.derived.get(name)
        if derived is not None:
            return Name(scope.variable(node, name, "derived", derived.dimension))
        if name in node.type.requirements and name not in node.assigned:
            return self.requirement(node, name)
        if name in node.values:
            return scope.parameter(node, name)
        return Name("t") if name == "t" else None

    def copies(self, node: Node) -> bool:
        """Tell whether `node` keeps copies of what its ancestors supply."""
        return self.copies_requirements and node not in self.flattened

    def requirement(self, node: Node, name: str) -> Expression | None:
        """Return what a Requirement of `node` means in its own equations."""
        if self.copies(node):
            quantity = node.type.requirements[name]
            return Name(
                self.scope(node.group).variable(
                    node, name, "shadow", quantity.dimension, "required"
                )
            )
        return self.above(node, name)

    def above(self, node: Node, name: str) -> Expression | None:
        """Return what the ancestors of `node` supply under `name`, seen from its group."""
        root = self.flattened.get(node)
        if root is not None:
            return self.above_flattened(node, root, name)
        return self.outside(node, name)

    def outside(self, node: Node, name: str) -> Expression | None:
        """Return what stands above `node`, which is not absorbed by anything, supplies."""
        for holder in node.above():
            kind = self.holds(holder, name)
            if kind is not None:
                return self.seen(node.group, holder, name, kind)
        return Name("t") if name == "t" else None

    def above_flattened(self, node: Node, root: Node, name: str) -> Expression | None:
        """Return what a node between `node` and `root` supplies, else `root`'s copy from outside.

        Absorbed nodes read each other without a lag; only `root` keeps copies.
        """
        holder = node
        while holder is not root:
            assert holder.parent is not None
            holder = holder.parent
            kind = self.holds(holder, name)
            if kind is not None and kind != "requirement":
                return self.seen(node.group, holder, name, kind)
        if self.outside(root, name) is None:
            return None
        copies = self.boundary.setdefault(root, {})
        if name not in copies:
            quantity = node.type.requirements.get(name)
            copies[name] = self.scope(root.group).variable(
                root, name, "shadow", quantity.dimension if quantity else None, "required"
            )
        return Name(copies[name])

    def public(self, group: Group, node: Node, name: str) -> Expression | None:
        """Return what `node` answers when asked for `name` (exposure, variable, ancestors)."""
        kind = self.holds(node, name)
        if kind is None:
            if node.parent is None:
                return None
            # Through a tunnel or a path the question goes on to the parent.
            found = self.above(node, name) if node.group is group else None
            if found is None and node.group is not group:
                for holder in node.above():
                    above_kind = self.holds(holder, name)
                    if above_kind is not None:
                        return self.seen(group, holder, name, above_kind, via=node.group)
            return found
        if kind == "requirement" and not self.copies(node):
            return (
                self.above(node, name)
                if node.group is group
                else self.public_above(group, node, name)
            )
        return self.seen(group, node, name, kind, via=node.group)

    def public_above(self, group: Group, node: Node, name: str) -> Expression | None:
        """Return what `node`'s ancestors supply, seen from another group through a peer."""
        for holder in node.above():
            kind = self.holds(holder, name)
            if kind is not None and not (kind == "requirement" and not self.copies(holder)):
                return self.seen(group, holder, name, kind, via=node.group)
        return None

    def seen(
        self, group: Group, holder: Node, name: str, kind: str, via: Group | None = None
    ) -> Expression | None:
        """Return a value that `holder` holds, as an expression of `group`'s symbols.

        What `holder` itself requires is None where nothing above it supplies it.
        """
        home = self.scope(holder.group)
        if kind == "parameter":
            value = holder.values[name]
            if np.ndim(value) == 0:
                return Number(float(value))
            if holder.group is group:
                return home.parameter(holder, name)
            return self._parameter_copy(group, holder, name, via)
        symbol = self._symbol(holder, name, kind)
        if symbol is None:
            return self.above(holder, name)
        if holder.group is group:
            return Name(symbol)
        return self._read(group, holder.group, symbol, via)

    def _symbol(self, holder: Node, name: str, kind: str) -> str | None:
        scope = self.scope(holder.group)
        if kind == "requirement":
            if not self.copies(holder):
                return None
            quantity = holder.type.requirements[name]
            return scope.variable(holder, name, "shadow", quantity.dimension, "required")
        variable = self.exposed_by(holder, name) if kind == "exposure" else name
        if kind == "exposure" and (holder, variable) in self.shadowed:
            dimension = holder.type.exposures[name].dimension
            return scope.variable(holder, name, "shadow", dimension, "exposed")
        found = self.local(holder, variable)
        assert isinstance(found, Name)
        return found.name

    # --- values of other groups ---------------------------------------------------------------

    def _read(self, group: Group, other: Group, symbol: str, via: Group | None) -> Expression:
        scope = self.scope(group)
        index = self._index(group, other, via)
        for name, read in scope.reads.items():
            if read == Read(other.name, symbol, index):
                return Name(name)
        name = scope.unique((index, symbol))
        scope.reads[name] = Read(other.name, symbol, index)
        scope.dimensions[name] = self.scope(other).dimensions.get(symbol)
        return Name(name)

    def _parameter_copy(
        self, group: Group, holder: Node, name: str, via: Group | None
    ) -> Expression:
        scope = self.scope(group)
        key = (holder, name, "parameter")
        if key not in scope.names:
            index = scope.indices[self._index(group, holder.group, via)]
            symbol = scope.unique((holder.group.name, *holder.path, name))
            scope.names[key] = symbol
            scope.parameters[symbol] = np.asarray(holder.values[name], dtype=float)[index]
        return Name(scope.names[key])

    def _index(self, group: Group, other: Group, via: Group | None) -> str:
        """Return the name of the index that leads from `group` to instances of `other`."""
        scope = self.scope(group)
        if via is not None and via is not group and not _is_ancestor(group, via):
            node, index = next(
                (peer, at) for peer, at in group.top.peers.values() if peer.group is via
            )
            name = "peer"
        else:
            node, index, name = group.top, np.arange(group.size), "parent"
        current = node.group
        steps = 0
        while current is not other:
            assert current.parent is not None
            index = current.parent_index[index]
            current = current.parent.group
            steps += 1
        if name == "peer" and steps:
            name = "peer_" + "parent" * min(steps, 1) + ("" if steps == 1 else str(steps))
        elif steps > 1:
            name = f"parent{steps}"
        known = scope.indices.get(name)
        if known is not None and not np.array_equal(known, index):
            name = scope.unique((name, other.name))
        scope.indices[name] = index
        return name


def _is_ancestor(group: Group, other: Group) -> bool:
    current: Group | None = group
    while current is not None:
        if current is other:
            return True
        current = current.parent.group if current.parent is not None else None
    return False


def unknown(symbols: Symbols, node: Node, name: str, what: str) -> None:
    """Note that `node` needs `name` and nobody supplies it."""
    chain = (node, *node.above())
    known = sorted({n for holder in chain for n in (*holder.values, *holder.type.exposures)})
    empty = next((h.type.name for h in node.above() if name in h.type.exposures), None)
    symbols.faults.error(
        f"{what} of {node.id or node.type.name!r} needs {name!r}, which nothing around it supplies",
        node.place,
        f"{empty!r} exposes it, but says nowhere what it is"
        if empty
        else did_you_mean(name, known) or f"give it a parent that has {name!r}",
    )


TIME_DIMENSION = TIME
