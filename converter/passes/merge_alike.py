"""Make one population of many that differ only in values, as models of named cells have.

A network that gives every cell a population of its own (and so every synapse on it) has one
group per cell where one of many instances would do; its program would repeat the same
equations thousands of times. Groups are alike if everything but values and sizes is the same
and what they read, hang on and are collected by is alike in turn: the coarsest such division
is found by refinement (Hopcroft 1971, in its plain form).

Nothing changes in the order that method `jlems` keeps: the parts of an owner advance, and are
summed, in the order they were attached in, whatever population they are in; connections of
one source stay in the document's order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count

import numpy as np

from ..expressions import Expression, Name, Number
from ..network import (
    Advance,
    Array,
    Assign,
    Collect,
    Index,
    Member,
    Network,
    Population,
    Projection,
    Statement,
    Variable,
    When,
)
from .literals import blanked, literals, with_literals

#: Networks of fewer populations stay as they are written.
LEAST = 64


def merge_alike(network: Network, least: int = LEAST) -> Network:
    """Return `network` with alike populations merged, if it has `least` populations or more."""
    if len(network.populations) < least:
        return network
    network = replace(network, populations=fused(network.populations))
    classes = alike(network.populations)
    if len(set(classes.values())) == len(network.populations):
        return network
    return Merging(network, classes).network_of()


def fused(populations: tuple[Population, ...]) -> tuple[Population, ...]:
    """Let an owner advance what it advances one after the other as one list, in that order.

    The sequence of attachment of what no sum is taken over counts in no other place.
    """
    summed = {
        name
        for population in populations
        for statement in _lists(population)
        if isinstance(statement, Collect)
        for name, _ in statement.parts
    }
    found = {p.name: p for p in populations}
    for owner in populations:
        step: list[Statement] = []
        for statement in owner.step:
            before = step[-1] if step else None
            if (
                isinstance(statement, Advance)
                and isinstance(before, Advance)
                and summed.isdisjoint((*statement.populations, *before.populations))
            ):
                last = max(found[n].sequence.max(initial=-1) for n in before.populations)
                for name in statement.populations:
                    part = found[name]
                    found[name] = replace(part, sequence=part.sequence + last + 1)
                step[-1] = Advance((*before.populations, *statement.populations))
            else:
                step.append(statement)
        if len(step) < len(owner.step):
            found[owner.name] = replace(found[owner.name], step=tuple(step))
    return tuple(found.values())


def alike(populations: tuple[Population, ...]) -> dict[str, int]:
    """Return the number of its class for each population, by name."""
    roles = _roles(populations)
    found: dict[str, int] = {}
    keys: dict[str, object] = {p.name: (p.parent is None, _shape(blanked(p))) for p in populations}
    classes = 0
    while True:
        numbers: dict[object, int] = {}
        found = {name: numbers.setdefault(key, len(numbers)) for name, key in keys.items()}
        if len(numbers) == classes:
            return found
        classes = len(numbers)
        keys = {
            p.name: (
                found[p.name],
                found[p.parent] if p.parent is not None else None,
                tuple(roles.get(p.name, ())),
                tuple(found[read.population] for read in p.reads.values()),
            )
            for p in populations
        }


def _roles(populations: tuple[Population, ...]) -> dict[str, list[tuple[int, str]]]:
    """Return where each population stands in its owner's equations: place and variable."""
    found: dict[str, list[tuple[int, str]]] = {}
    for population in populations:
        for place, statement in enumerate(_lists(population)):
            if isinstance(statement, Advance):
                for name in statement.populations:
                    found.setdefault(name, []).append((place, ""))
            elif isinstance(statement, Collect):
                for name, variable in statement.parts:
                    found.setdefault(name, []).append((place, variable))
    return found


def _lists(population: Population) -> Iterator[Statement]:
    """Yield the statements that name other populations, in a fixed order."""
    for block in (population.step, population.assignments, *population.handlers.values()):
        yield from _inside(block)
    for condition in population.conditions:
        yield from _inside(condition.body)


def _inside(block: tuple[Statement, ...]) -> Iterator[Statement]:
    for statement in block:
        if isinstance(statement, When):
            yield from _inside(statement.body)
        elif isinstance(statement, Advance | Collect):
            yield statement


def _shape(p: Population) -> object:
    """Return everything of a population but its values and the names of others."""
    if p.cable is not None or _ambiguous(p):
        return ("as it is", p.name)
    none: dict[int, Statement] = {}
    return (
        tuple(p.indices),
        tuple(p.parameters),
        tuple((v.name, v.kind, v.dimension, v.label) for v in p.variables.values()),
        tuple((name, read.variable, read.index) for name, read in p.reads.items()),
        tuple(p.exposures.items()),
        p.ports,
        tuple((name, _with_lists(body, none)) for name, body in p.handlers.items()),
        _with_lists(p.step, none),
        _with_lists(p.assignments, none),
        p.derivatives,
        p.flows,
        tuple((c.test, _with_lists(c.body, none), c.guard) for c in p.conditions),
        tuple(p.units.items()),
    )


def _ambiguous(p: Population) -> bool:
    """Tell whether one index of a population leads into several others."""
    of: dict[str, set[str]] = {"parent": {p.parent}} if p.parent is not None else {}
    for read in p.reads.values():
        of.setdefault(read.index, set()).add(read.population)
    return any(len(others) > 1 for others in of.values())


def _with_lists(
    block: tuple[Statement, ...], lists: Mapping[int, Statement]
) -> tuple[Statement, ...]:
    """Return `block` with the statements that name others replaced by `lists`, by identity."""
    done: list[Statement] = []
    for statement in block:
        if isinstance(statement, When):
            done.append(replace(statement, body=_with_lists(statement.body, lists)))
        elif isinstance(statement, Advance):
            done.append(lists.get(id(statement), Advance(())))
        elif isinstance(statement, Collect):
            done.append(lists.get(id(statement), replace(statement, parts=())))
        else:
            done.append(statement)
    return tuple(done)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a population's instances went: the merged population and their places (n,) in it."""

    name: str
    at: Index


class Merging:
    """Merges the populations of each class; `by_parent` sorts instances by what they hang on."""

    def __init__(
        self, network: Network, classes: Mapping[str, int], *, by_parent: bool = False
    ) -> None:
        self.network = network
        self.members: dict[int, list[Population]] = {}
        for population in network.populations:
            self.members.setdefault(classes[population.name], []).append(population)
        self.places: dict[str, _Place] = {}
        #: The instances of a class, one member's after the other's, in their final order.
        self.orders: dict[str, Index] = {}
        for members in self.members.values():
            total = sum(p.size for p in members)
            order = np.arange(total)
            if by_parent and len(members) > 1:
                parents = np.concatenate([p.indices["parent"] for p in members])
                order = np.lexsort((np.concatenate([p.sequence for p in members]), parents))
            self.orders[members[0].name] = order
            at = np.empty(total, np.int64)
            at[order] = np.arange(total)
            first = 0
            for population in members:
                mine = at[first : first + population.size]
                self.places[population.name] = _Place(members[0].name, mine)
                first += population.size

    def network_of(self) -> Network:
        """Return the network of merged populations."""
        return replace(
            self.network,
            populations=tuple(
                self.merged(members) if len(members) > 1 else self.renamed(members[0])
                for members in self.members.values()
            ),
            projections=tuple(self.projections()),
            records=tuple(
                replace(
                    record,
                    population=self.places[record.population].name,
                    instance=int(self.places[record.population].at[record.instance]),
                )
                for record in self.network.records
            ),
            event_records=tuple(
                replace(
                    record,
                    population=self.places[record.population].name,
                    instance=int(self.places[record.population].at[record.instance]),
                )
                for record in self.network.event_records
            ),
        )

    # --- populations -------------------------------------------------------------------------

    def renamed(self, population: Population) -> Population:
        """Return a population that stays alone, with what it names of others."""
        return self.with_others(population, [population])

    def merged(self, members: list[Population]) -> Population:
        """Return one population of the instances of all `members`, one after the other."""
        members = _parametrised(members)
        first = members[0]
        order = self.orders[first.name]
        sizes = [p.size for p in members]
        made = replace(
            first,
            size=sum(sizes),
            sequence=np.concatenate([p.sequence for p in members])[order],
            parameters={
                name: _joined([p.parameters[name] for p in members], sizes, order)
                for name in first.parameters
            },
            variables={
                name: _variable([p.variables[name] for p in members], sizes, order)
                for name in first.variables
            },
            members=tuple(self.origins(members)),
        )
        return self.with_others(made, members)

    def with_others(self, made: Population, members: list[Population]) -> Population:
        """Return `made` of `members` with indices, reads and lists of merged populations."""
        lists = self.lists(members)
        return replace(
            made,
            parent=self.places[made.parent].name if made.parent is not None else None,
            indices={
                name: np.concatenate([self.index(p, name) for p in members])[
                    self.orders[self.places[members[0].name].name]
                ]
                for name in made.indices
            },
            reads={
                name: replace(read, population=self.places[read.population].name)
                for name, read in made.reads.items()
            },
            handlers={name: _with_lists(body, lists) for name, body in made.handlers.items()},
            step=_with_lists(made.step, lists),
            assignments=tuple(
                statement
                for statement in _with_lists(made.assignments, lists)
                if isinstance(statement, Assign | Collect)
            ),
            conditions=tuple(replace(c, body=_with_lists(c.body, lists)) for c in made.conditions),
        )

    def index(self, population: Population, name: str) -> Index:
        """Return an index into others, whose instances come after those of earlier members."""
        others = {r.population for r in population.reads.values() if r.index == name}
        if name == "parent" and population.parent is not None:
            others.add(population.parent)
        index = population.indices[name]
        if not others:
            return index
        return np.where(index >= 0, self.places[min(others)].at[index], index)

    def origins(self, members: list[Population]) -> Iterator[Member]:
        """Yield where each stretch of a merged population's instances comes from."""
        order = self.orders[members[0].name]
        of = np.repeat(np.arange(len(members)), [p.size for p in members])[order]
        own = np.concatenate([np.arange(p.size) for p in members])[order]
        breaks = np.flatnonzero((np.diff(of) != 0) | (np.diff(own) != 1)) + 1
        for begin in [0, *breaks.tolist()][: len(of)]:
            member = members[of[begin]]
            yield Member(member.name, member.component, begin, int(own[begin]))

    def lists(self, members: list[Population]) -> dict[int, Statement]:
        """Return, for the first member's statements that name others, those for all members."""
        found: dict[int, Statement] = {}
        for alike in zip(*(_lists(p) for p in members), strict=True):
            first = alike[0]
            if isinstance(first, Advance):
                names = [n for s in alike if isinstance(s, Advance) for n in s.populations]
                found[id(first)] = Advance(
                    tuple(dict.fromkeys(self.places[name].name for name in names))
                )
            elif isinstance(first, Collect):
                parts = [part for s in alike if isinstance(s, Collect) for part in s.parts]
                merged = dict.fromkeys((self.places[n].name, variable) for n, variable in parts)
                found[id(first)] = replace(first, parts=tuple(merged))
        return found

    # --- connections -------------------------------------------------------------------------

    def projections(self) -> list[Projection]:
        """Return the connections joined as far as each source's keep their order.

        A source sends to its connections in the order of the document. A projection joins an
        earlier one of the same kind unless one of its sources has connections in between.
        """
        joined: list[list[Projection]] = []
        kinds: dict[tuple[object, ...], list[int]] = {}
        latest: dict[tuple[str, str], Array] = {}
        sizes = {members[0].name: sum(p.size for p in members) for members in self.members.values()}
        for projection in self.network.projections:
            source, target = self.places[projection.source], self.places[projection.target]
            moved = replace(
                projection,
                source=source.name,
                target=target.name,
                source_index=source.at[projection.source_index],
                target_index=target.at[projection.target_index],
            )
            kind = (
                *(moved.source, moved.port, moved.target, moved.handler),
                tuple(moved.values),
            )
            port = (moved.source, moved.port)
            if port not in latest:
                latest[port] = np.full(sizes[moved.source], -1)
            last = int(latest[port][moved.source_index].max(initial=-1))
            at = next((n for n in kinds.get(kind, ()) if n >= last), None)
            if at is None:
                at = len(joined)
                joined.append([])
                kinds.setdefault(kind, []).append(at)
            joined[at].append(moved)
            latest[port][moved.source_index] = at
        return [_one(projections) for projections in joined]


def _parametrised(members: list[Population]) -> list[Population]:
    """Return `members` with the numbers that differ between them as parameters."""
    columns = list(zip(*map(literals, members), strict=True))
    names: dict[tuple[float, ...], str] = {}
    taken = {*members[0].variables, *members[0].parameters, *members[0].reads}
    for column in columns:
        if len(set(column)) > 1 and column not in names:
            name = next(n for n in map("value_{}".format, count(1)) if n not in taken)
            taken.add(name)
            names[column] = name
    if not names:
        return members
    # The expressions are those of the first member: all are of one form.
    places = iter(columns)

    def new(node: Number) -> Expression:
        name = names.get(next(places))
        return node if name is None else Name(name)

    first = with_literals(members[0], new)
    return [
        replace(
            first if member is members[0] else member,
            parameters={
                **member.parameters,
                **{name: column[number] for column, name in names.items()},
            },
        )
        for number, member in enumerate(members)
    ]


def _one(projections: list[Projection]) -> Projection:
    first = projections[0]
    if len(projections) == 1:
        return first
    return replace(
        first,
        source_index=np.concatenate([p.source_index for p in projections]),
        target_index=np.concatenate([p.target_index for p in projections]),
        delay=np.concatenate([p.delay for p in projections]),
        values={key: np.concatenate([p.values[key] for p in projections]) for key in first.values},
    )


def _joined(values: list[float | Array], sizes: list[int], order: Index) -> float | Array:
    """Return values of members as one: a number where all have the same."""
    if all(np.ndim(value) == 0 for value in values) and len({float(v) for v in values}) == 1:
        return values[0]
    each = [np.broadcast_to(np.asarray(v, float), n) for v, n in zip(values, sizes, strict=True)]
    return np.concatenate(each)[order]


def _variable(variables: list[Variable], sizes: list[int], order: Index) -> Variable:
    initial = _joined([v.initial for v in variables], sizes, order)
    return replace(variables[0], initial=initial)
