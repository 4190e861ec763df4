"""Merge populations that are attached one to one into the population they are attached to.

A cell with one current source each, or with one lumped state per kind of synapse, becomes one
population: its equations are seen as a whole, and one loop over contiguous arrays advances it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..expressions import Binary, Expression, Name
from ..network import (
    Array,
    Assign,
    Collect,
    Index,
    Network,
    Population,
    Read,
    Variable,
)
from .renaming import (
    renamed_condition,
    renamed_derivative,
    renamed_flow,
    renamed_statement,
    sorted_assignments,
)


def inline_attached(network: Network) -> Network:
    """Return `network` with every one-to-one attached population merged into its parent."""
    while True:
        part = next((p for p in network.populations if _one_to_one(network, p)), None)
        if part is None:
            return network
        network = _merged(network, part)


def _one_to_one(network: Network, part: Population) -> bool:
    if part.parent is None or "parent" not in part.indices or part.cable is not None:
        return False
    parent = network.population(part.parent)
    if parent.size != part.size or part.size == 0 or parent.name == network.populations[0].name:
        return False
    index = part.indices["parent"]
    return bool(np.array_equal(np.sort(index), np.arange(parent.size)))


@dataclass(frozen=True, slots=True)
class _Names:
    symbols: dict[str, Expression]
    ports: dict[str, str]
    handlers: dict[str, str]


def _merged(network: Network, part: Population) -> Network:
    parent = network.population(part.parent or "")
    place = part.indices["parent"]  # instance of the part -> instance of the parent
    order = np.argsort(place)  # instance of the parent -> instance of the part
    made, names = _joined(parent, part, order)
    populations = tuple(
        _redirected(made if p is parent else p, part, parent, names, place)
        for p in network.populations
        if p is not part
    )
    return replace(
        network,
        populations=populations,
        projections=tuple(
            replace(
                p,
                source=parent.name if p.source == part.name else p.source,
                port=names.ports[p.port] if p.source == part.name else p.port,
                source_index=place[p.source_index] if p.source == part.name else p.source_index,
                target=parent.name if p.target == part.name else p.target,
                handler=names.handlers[p.handler] if p.target == part.name else p.handler,
                target_index=place[p.target_index] if p.target == part.name else p.target_index,
            )
            for p in network.projections
        ),
        records=tuple(
            replace(
                r,
                population=parent.name,
                variable=_name(names.symbols, r.variable),
                instance=int(place[r.instance]),
            )
            if r.population == part.name
            else r
            for r in network.records
        ),
        event_records=tuple(
            replace(
                r, population=parent.name, port=names.ports[r.port], instance=int(place[r.instance])
            )
            if r.population == part.name
            else r
            for r in network.event_records
        ),
    )


def _name(symbols: dict[str, Expression], name: str) -> str:
    found = symbols.get(name)
    return found.name if isinstance(found, Name) else name


def _joined(parent: Population, part: Population, order: Index) -> tuple[Population, _Names]:
    used = set(parent.variables) | set(parent.parameters) | set(parent.reads) | {"t", "dt"}
    prefix = part.component.replace("-", "_")
    symbols: dict[str, Expression] = {}

    def fresh(name: str) -> str:
        base = "".join(c if c.isalnum() or c == "_" else "_" for c in f"{prefix}_{name}")
        found, number = base, 2
        while found in used:
            found, number = f"{base}_{number}", number + 1
        used.add(found)
        return found

    variables = dict(parent.variables)
    parameters = dict(parent.parameters)
    units = dict(parent.units)
    reads = dict(parent.reads)
    indices = dict(parent.indices)
    for name, variable in part.variables.items():
        new = fresh(name)
        symbols[name] = Name(new)
        initial = variable.initial
        variables[new] = Variable(
            new,
            variable.kind,
            variable.dimension,
            f"{part.component}/{variable.label}",
            initial if isinstance(initial, float) else initial[order],
        )
        units[new] = variable.dimension
    for name, value in part.parameters.items():
        new = fresh(name)
        symbols[name] = Name(new)
        parameters[new] = value if isinstance(value, float) else np.asarray(value)[order]
    index_names: dict[str, str] = {}
    for name, read in part.reads.items():
        if read.population == parent.name and read.index == "parent":
            symbols[name] = Name(read.variable)
            continue
        index = part.indices[read.index][order]
        if read.index not in index_names:
            index_names[read.index] = _index_name(indices, f"{prefix}_{read.index}", index)
        new = fresh(name)
        symbols[name] = Name(new)
        reads[new] = Read(read.population, read.variable, index_names[read.index])
        units[new] = part.units.get(name)
    ports = {port: _free(f"{prefix}/{port}", parent.ports) for port in part.ports}
    handlers = {name: _free(f"{prefix}/{name}", parent.handlers) for name in part.handlers}
    assignments: list[Assign | Collect] = []
    for statement in part.assignments:
        new_statement = renamed_statement(statement, symbols, ports, handlers)
        assert isinstance(new_statement, Assign | Collect)
        assignments.append(new_statement)
    for statement in parent.assignments:
        assignments.extend(
            _without(statement, part, symbols, variables, fresh)
            if isinstance(statement, Collect)
            else (statement,)
        )
    exposures = {
        **parent.exposures,
        **{
            f"{part.component}/{path}": _name(symbols, symbol)
            for path, symbol in part.exposures.items()
        },
    }
    made = replace(
        parent,
        variables=variables,
        parameters=parameters,
        units=units,
        reads=reads,
        indices=indices,
        ports=(*parent.ports, *ports.values()),
        exposures=exposures,
        assignments=sorted_assignments(assignments),
        derivatives=(
            *parent.derivatives,
            *(renamed_derivative(d, symbols) for d in part.derivatives),
        ),
        flows=(
            *parent.flows,
            *(renamed_flow(f, symbols) for f in part.flows),
        ),
        conditions=(
            *(renamed_condition(c, symbols, ports, handlers) for c in part.conditions),
            *parent.conditions,
        ),
        handlers={
            **parent.handlers,
            **{
                handlers[name]: tuple(renamed_statement(s, symbols, ports, handlers) for s in body)
                for name, body in part.handlers.items()
            },
        },
    )
    return made, _Names(symbols, ports, handlers)


def _free(name: str, taken: object) -> str:
    known = set(taken)  # type: ignore[call-overload]
    found, number = name, 2
    while found in known:
        found, number = f"{name}_{number}", number + 1
    return found


def _index_name(indices: dict[str, Index], wanted: str, index: Index) -> str:
    for name, known in indices.items():
        if len(known) == len(index) and np.array_equal(known, index):
            return name
    name = _free(wanted, indices)
    indices[name] = index
    return name


def _without(
    collect: Collect,
    part: Population,
    symbols: dict[str, Expression],
    variables: dict[str, Variable],
    fresh: object,
) -> tuple[Assign | Collect, ...]:
    """Return `collect` with the merged part's term added directly."""
    mine = [variable for population, variable in collect.parts if population == part.name]
    if not mine:
        return (collect,)
    rest = tuple(p for p in collect.parts if p[0] != part.name)
    operator = "+" if collect.reduce == "add" else "*"
    total: Expression = Name(_name(symbols, mine[0]))
    for variable in mine[1:]:
        total = Binary(operator, total, Name(_name(symbols, variable)))
    if not rest:
        return (Assign(collect.variable, total),)
    name = fresh(f"{collect.variable}_rest")  # type: ignore[operator]
    variables[name] = Variable(name, "derived", None, collect.variable)
    return (
        Collect(name, rest, collect.reduce),
        Assign(collect.variable, Binary(operator, Name(name), total)),
    )


def _redirected(
    population: Population,
    part: Population,
    parent: Population,
    names: _Names,
    place: Index,
) -> Population:
    """Return `population` with what it reads of the merged part read of its parent."""
    reads = dict(population.reads)
    indices = dict(population.indices)
    changed = False
    for name, read in population.reads.items():
        if read.population != part.name:
            continue
        changed = True
        index = place[population.indices[read.index]]
        reads[name] = Read(
            parent.name,
            _name(names.symbols, read.variable),
            _index_name(indices, f"{read.index}_of_{parent.name}", index),
        )
    if population.parent == part.name:
        changed = True
        indices["parent"] = place[population.indices["parent"]]
        population = replace(population, parent=parent.name)
    collects = tuple(
        Collect(
            a.variable,
            tuple(
                (parent.name, _name(names.symbols, v)) if p == part.name else (p, v)
                for p, v in a.parts
            ),
            a.reduce,
        )
        if isinstance(a, Collect) and any(p == part.name for p, _ in a.parts)
        else a
        for a in population.assignments
    )
    if not changed and collects == population.assignments:
        return population
    return replace(population, reads=reads, indices=indices, assignments=collects)


__all__ = ["Array", "inline_attached"]
