"""One state per cell for all its synapses of a kind, where that is exact.

Synapses whose dynamics and event jumps are linear obey superposition: the sum of their states
obeys the same equations, with every event's jump added to it (Lytton 1996). A network of
320,000 synapses on 4,000 cells then integrates 4,000 states. A synapse that somebody records
or reads keeps its own state.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..calculus import NoDerivative, derivative
from ..expressions import (
    ZERO,
    Binary,
    Choose,
    Expression,
    Name,
    Number,
    calls,
    names,
    show,
    substitute,
)
from ..network import Array, Assign, Collect, Network, Population, Projection, Statement
from ..simplify import simplify
from .renaming import expressions_of


def lump_synapses(network: Network) -> Network:
    """Return `network` with linear synapses summed, one instance per cell and kind."""
    lumped: dict[tuple[str, ...], Population] = {}
    for part in network.populations:
        if not _lumpable(network, part):
            continue
        parent = network.population(part.parent or "")
        key = _signature(network, part)
        same = lumped.get(key)
        made = _summed(part, parent, same)
        if same is None:
            lumped[key] = made
        network = _replaced(network, part, made, same)
        lumped[key] = network.population(lumped[key].name)
    return network


def _lumpable(network: Network, part: Population) -> bool:
    if part.parent is None or part.size == 0 or "parent" not in part.indices:
        return False
    if part.flows or part.conditions or (part.ports and _heard(network, part)):
        return False
    states = {d.state for d in part.derivatives}
    if not states or any(d.guard is not None for d in part.derivatives):
        return False
    if any(v.kind == "regime" for v in part.variables.values()):
        return False
    if any(r.index != "parent" for r in part.reads.values()):
        return False
    if _used_elsewhere(network, part):
        return False
    index = part.indices["parent"]
    size = network.population(part.parent).size
    if len(index) == size and bool((np.bincount(index, minlength=size) == 1).all()):
        return False  # one each: merged as it is
    inlined = _inlined(part)
    arrays = {name for name, value in part.parameters.items() if np.ndim(value)}
    for d in part.derivatives:
        if not _linear(substitute(d.value, inlined), states, arrays):
            return False
    for variable in _collected(network, part):
        tree = inlined.get(variable, Name(variable))
        if not _linear(tree, states, arrays):
            return False
    targets = {p.handler for p in network.projections if p.target == part.name}
    return all(_additive(part.handlers[handler], states, inlined) for handler in targets) and all(
        variable.initial == 0 or name in states
        for name, variable in part.variables.items()
        if variable.kind == "state"
    )


def _heard(network: Network, part: Population) -> bool:
    return any(p.source == part.name for p in network.projections)


def _used_elsewhere(network: Network, part: Population) -> bool:
    if any(r.population == part.name for r in network.records):
        return True
    if any(r.population == part.name for r in network.event_records):
        return True
    for other in network.populations:
        if other.parent == part.name:
            return True
        if any(read.population == part.name for read in other.reads.values()):
            return True
        if other.name != part.parent and any(
            isinstance(a, Collect) and any(p == part.name for p, _ in a.parts)
            for a in other.assignments
        ):
            return True
    return False


def _collected(network: Network, part: Population) -> list[str]:
    parent = network.population(part.parent or "")
    return [
        variable
        for a in parent.assignments
        if isinstance(a, Collect) and a.reduce == "add"
        for population, variable in a.parts
        if population == part.name
    ]


def _inlined(part: Population) -> dict[str, Expression]:
    """Return every derived variable as an expression of states, parameters and reads."""
    found: dict[str, Expression] = {}
    for a in part.assignments:
        if isinstance(a, Assign):
            found[a.variable] = simplify(substitute(a.value, found))
    return found


def _linear(tree: Expression, states: set[str], arrays: set[str]) -> bool:
    """Tell whether `tree` is a sum of states times factors that all instances share."""
    if calls(tree, "random"):
        return False
    try:
        slopes = [derivative(tree, state) for state in sorted(states)]
    except NoDerivative:
        return False
    if any(names(slope) & (states | arrays) for slope in slopes):
        return False
    rest = simplify(substitute(tree, dict.fromkeys(states, ZERO)))
    return rest == ZERO or _is_zero(rest)


def _is_zero(tree: Expression) -> bool:
    match tree:
        case Number(value):
            return value == 0
        case Binary("*", left, right):
            return _is_zero(left) or _is_zero(right)
        case Binary("/", left, _):
            return _is_zero(left)
        case Binary("+" | "-", left, right):
            return _is_zero(left) and _is_zero(right)
        case Choose(_, then, otherwise):
            return _is_zero(then) and _is_zero(otherwise)
        case _:
            return False


def _additive(
    body: tuple[Statement, ...], states: set[str], inlined: dict[str, Expression]
) -> bool:
    """Tell whether a handler only adds to states what does not depend on them."""
    for statement in body:
        if not isinstance(statement, Assign) or statement.variable not in states:
            return False
        tree = substitute(statement.value, inlined)
        if calls(tree, "random"):
            return False
        jump = simplify(Binary("-", tree, Name(statement.variable)))
        try:
            if derivative(jump, statement.variable) != ZERO:
                return False
        except NoDerivative:
            return False
        if names(simplify(substitute(tree, {statement.variable: ZERO}))) & states:
            return False
    return True


def _signature(network: Network, part: Population) -> tuple[str, ...]:
    """Return what two populations of synapses must share to be summed together."""
    parent = network.population(part.parent or "")
    lines = [part.parent or "", part.component]
    lines += [f"{d.state}'={show(d.value)}" for d in part.derivatives]
    lines += [f"{a.variable}={show(a.value)}" for a in part.assignments if isinstance(a, Assign)]
    lines += [f"{n}={r.variable}" for n, r in sorted(part.reads.items())]
    for name, body in sorted(part.handlers.items()):
        lines += [f"on {name}", *(show(tree) for tree in expressions_of(body))]
    for a in parent.assignments:
        if isinstance(a, Collect):
            lines += [f"{a.variable}+={v}" for p, v in a.parts if p == part.name]
    lines += sorted(name for name, value in part.parameters.items() if np.ndim(value))
    return tuple(lines)


def _summed(part: Population, parent: Population, same: Population | None) -> Population:
    index = part.indices["parent"]

    def total(initial: float | Array) -> float | Array:
        if isinstance(initial, float) and initial == 0:
            return 0.0
        values = np.broadcast_to(np.asarray(initial, float), part.size)
        return np.asarray(np.bincount(index, values, parent.size), dtype=np.float64)

    states = {d.state for d in part.derivatives}
    variables = {
        name: replace(v, initial=total(v.initial) if name in states else v.initial)
        for name, v in part.variables.items()
    }
    if same is not None:
        variables = {
            name: replace(v, initial=v.initial + same.variables[name].initial)
            if name in states
            else v
            for name, v in variables.items()
        }
    everyone = np.arange(parent.size)
    return replace(
        part,
        name=same.name if same is not None else part.name,
        size=parent.size,
        indices={"parent": everyone},
        sequence=np.zeros(parent.size, dtype=np.int64),
        variables=variables,
        parameters={n: v for n, v in part.parameters.items() if not np.ndim(v)},
    )


def _replaced(
    network: Network, part: Population, made: Population, same: Population | None
) -> Network:
    index = part.indices["parent"]
    arrays = {n: np.asarray(v) for n, v in part.parameters.items() if np.ndim(v)}

    def projection(p: Projection) -> Projection:
        if p.target != part.name:
            return p
        used = {
            n
            for tree in expressions_of(part.handlers[p.handler])
            for n in names(substitute(tree, _inlined(part)))
        }
        values = {n: v[p.target_index] for n, v in arrays.items() if n in used}
        return replace(
            p,
            target=made.name,
            target_index=index[p.target_index],
            values={**p.values, **values},
        )

    populations: list[Population] = []
    for population in network.populations:
        if population is part:
            if same is None:
                populations.append(made)
            continue
        if same is not None and population is same:
            populations.append(made)
            continue
        if population.name == part.parent and same is not None:
            # The kind's sum is collected already.
            assignments = tuple(
                Collect(a.variable, tuple(x for x in a.parts if x[0] != part.name), a.reduce)
                if isinstance(a, Collect)
                else a
                for a in population.assignments
            )
            populations.append(replace(population, assignments=assignments))
            continue
        populations.append(population)
    return replace(
        network,
        populations=tuple(populations),
        projections=tuple(projection(p) for p in network.projections),
    )
