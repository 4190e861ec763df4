"""A network as one system of differential equations, for adaptive methods.

All integrated states of all populations lie in one vector y, all other stored variables in
another, d, which only events and conditions change. The text that is made here is Python:
functions of (t, y, d) that give derivatives, the truth of conditions, recorded values and the
entries of the Jacobian. Equations of one instance become plain numbers, of many numpy arrays.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from ..converter.calculus import NoDerivative, derivative
from ..converter.expressions import (
    ZERO,
    Binary,
    Choose,
    Expression,
    Name,
    calls,
    names,
    walk,
)
from ..converter.network import (
    Assign,
    Collect,
    Network,
    Population,
    Statement,
    When,
)
from ..converter.simplify import simplify
from ..errors import UsageError
from .continuous_cable import AXIAL, axial_matrix, cable_rate, with_capacitance
from .located import full_tests
from .lower_steps import layout_of, step_count
from .methods.updates import closure
from .print_numpy import ArrayPrinter, NumberPrinter
from .program import Continuous, Program, RecordedColumn, RecordedPort

#: Suffix of the stored value of a variable that a condition keeps setting.
STORED = "__stored"

COMPARISONS = frozenset((">", "<", ">=", "<=", "==", "!="))

Item = tuple[str, str]


def lower_continuous(network: Network) -> Program:
    """Return a program that carries `network` itself; nothing is stepped."""
    for population in network.populations:
        if any(calls(tree, "random") for tree in every_tree(population)):
            raise UsageError(
                f"the population {population.name!r} draws random numbers: there is no "
                "converged solution of it; choose another method"
            )
    settings = network.settings
    return Program(
        schedule="continuous",
        layouts=tuple(layout_of(p) for p in network.populations),
        functions=(),
        advance_lists=(),
        collect_lists=(),
        deliveries=(),
        columns=tuple(
            RecordedColumn(r.name, r.path, r.population, r.variable, r.instance, r.dimension)
            for r in network.records
        ),
        ports=tuple(
            RecordedPort(r.name, r.path, r.population, r.port, r.instance)
            for r in network.event_records
        ),
        step=settings.step,
        steps=step_count(settings.length, settings.step),
        seed=settings.seed,
        root=network.populations[0].name,
        continuous=continuous_of(network),
    )


def every_tree(population: Population) -> list[Expression]:
    """Return every expression of a population."""
    trees = [a.value for a in population.assignments if isinstance(a, Assign)]
    trees += [d.value for d in population.derivatives]
    trees += full_tests(population)
    for body in (*(c.body for c in population.conditions), *population.handlers.values()):
        trees += list(_values(body))
    return trees


def _values(body: Iterable[Statement]) -> Iterable[Expression]:
    for statement in body:
        match statement:
            case Assign(_, value):
                yield value
            case When(condition, inner):
                yield condition
                yield from _values(inner)
            case _:
                pass


def follow_levels(population: Population) -> Population:
    """Return a population in which conditions that keep setting a variable define it.

    While such a condition holds, a step by step method sets the variable at every step to what
    changes from step to step (a sine of the time): it is that function of the time.
    """
    integrated = integrated_states(population)
    moving = {"t", *integrated, *population.reads}
    moving |= {a.variable for a in population.assignments if isinstance(a, Collect)}
    followed: dict[str, Expression] = {}
    for condition, test in zip(population.conditions, full_tests(population), strict=True):
        if not all(isinstance(s, Assign) for s in condition.body):
            continue
        for statement in condition.body:
            if not isinstance(statement, Assign) or statement.variable in integrated:
                continue
            used = closure(population, statement.value)
            if used & moving and statement.variable not in used | closure(population, test):
                before = followed.get(statement.variable, Name(statement.variable + STORED))
                followed[statement.variable] = Choose(test, statement.value, before)
    if not followed:
        return population
    variables = dict(population.variables)
    for name in followed:
        kept = variables[name]
        variables[name + STORED] = replace(kept, name=name + STORED)
        variables[name] = replace(kept, kind="derived")

    def stored(body: tuple[Statement, ...]) -> tuple[Statement, ...]:
        done: list[Statement] = []
        for statement in body:
            match statement:
                case Assign(variable, value) if variable in followed:
                    done.append(Assign(variable + STORED, value))
                case When(condition, inner):
                    done.append(When(condition, stored(inner)))
                case _:
                    done.append(statement)
        return tuple(done)

    return replace(
        population,
        variables=variables,
        assignments=(*(Assign(n, v) for n, v in followed.items()), *population.assignments),
        conditions=tuple(replace(c, body=stored(c.body)) for c in population.conditions),
        handlers={name: stored(body) for name, body in population.handlers.items()},
    )


def integrated_states(population: Population) -> tuple[str, ...]:
    """Return the states that have a derivative or flow in a kinetic scheme."""
    found = [d.state for d in population.derivatives]
    found += [s for flow in population.flows for s in flow.states]
    if population.cable is not None:
        found.append(population.cable.state)
    return tuple(dict.fromkeys(found))


def rates_of(population: Population) -> dict[str, Expression]:
    """Return the derivative of every integrated state."""
    found: dict[str, Expression] = {}
    for d in population.derivatives:
        value = d.value
        if d.guard is not None:
            value = Choose(d.guard, value, found.get(d.state, ZERO))
        found[d.state] = value
    for flow in population.flows:
        for source, target, forward, reverse in flow.edges:
            a, b = flow.states[source], flow.states[target]
            net = Binary(
                "-", Binary("*", Name(forward), Name(a)), Binary("*", Name(reverse), Name(b))
            )
            found[a] = simplify(Binary("-", found.get(a, ZERO), net))
            found[b] = simplify(Binary("+", found.get(b, ZERO), net))
    if population.cable is not None:
        found[population.cable.state] = cable_rate(population.cable)
    return found


def moves_alone(population: Population, state: str, rate: Expression) -> bool:
    """Tell whether nothing but a state itself moves it: at rest it stays until an event."""
    moving = {"t", *integrated_states(population), *population.reads}
    moving |= {a.variable for a in population.assignments if isinstance(a, Collect)}
    return closure(population, rate) & moving <= {state}


def switches(population: Population) -> list[Expression]:
    """Return the comparisons at which a derivative may jump or bend."""
    found: dict[Expression, None] = {}
    trees = [a.value for a in population.assignments if isinstance(a, Assign)]
    trees += [d.value for d in population.derivatives]
    for tree in trees:
        for node in walk(tree):
            if isinstance(node, Choose):
                for inner in walk(node.condition):
                    if isinstance(inner, Binary) and inner.operator in COMPARISONS:
                        found[inner] = None
    return list(found)


@dataclass(slots=True)
class Text:
    """Makes functions of (t, y, d) over a whole network."""

    network: Network
    populations: dict[str, Population] = field(init=False)
    numbers: dict[str, int] = field(init=False)
    #: Where integrated states lie in y, and other stored variables in d.
    places: dict[Item, tuple[str, int]] = field(init=False)
    sizes: dict[str, int] = field(init=False)
    #: Arrays that the text names.
    constants: dict[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.populations = {p.name: p for p in self.network.populations}
        self.numbers = {name: n for n, name in enumerate(self.populations)}
        self.places = {}
        self.sizes = {"y": 0, "d": 0}
        for name, population in self.populations.items():
            integrated = integrated_states(population)
            derived = {a.variable for a in population.assignments}
            for variable in population.variables:
                if variable in derived:
                    continue
                vector = "y" if variable in integrated else "d"
                self.places[name, variable] = (vector, self.sizes[vector])
                self.sizes[vector] += population.size

    def local(self, population: str, name: str) -> str:
        """Return the text's name of a symbol."""
        return f"p{self.numbers[population]}_{_plain(name)}"

    def array(self, value: object) -> str:
        """Return the name of a constant of the text."""
        name = f"c{len(self.constants)}"
        self.constants[name] = value
        return name

    def function(self, name: str, targets: list[tuple[str, Expression]]) -> str:
        """Return the text of a function that gives the values of (population, expression)."""
        lines: list[str] = []
        done: set[Item] = set()
        used: set[str] = set()

        def need(population: str, symbol: str) -> None:
            if symbol == "t" or (population, symbol) in done:
                return
            done.add((population, symbol))
            of = self.populations[population]
            local = self.local(population, symbol)
            assigned = next((a for a in of.assignments if a.variable == symbol), None)
            if isinstance(assigned, Collect):
                for part in assigned.parts:
                    if self.populations[part[0]].size:
                        need(*part)
                lines.append(f"{local} = {self.collected(of, assigned)}")
            elif assigned is not None:
                for other in sorted(names(assigned.value)):
                    need(population, other)
                lines.append(f"{local} = {self.printed(of, assigned.value)}")
            elif symbol in of.reads:
                read = of.reads[symbol]
                need(read.population, read.variable)
                lines.append(f"{local} = {self.read(of, symbol)}")
            elif symbol == AXIAL and of.cable is not None:
                need(population, of.cable.state)
                lines.append(f"{local} = {self.axial(of)}")
            elif symbol in of.parameters:
                value = of.parameters[symbol]
                if np.ndim(value) == 0 or of.size == 1:
                    text = repr(float(np.ravel(value)[0])) if of.size else "0.0"
                    lines.append(f"{local} = {text}")
                else:
                    lines.append(f"{local} = {self.array(self.along(np.asarray(value, float)))}")
            else:
                lines.append(f"{local} = {self.stored(of, symbol, used)}")

        results: list[str] = []
        for population, tree in targets:
            for symbol in sorted(names(tree)):
                need(population, symbol)
            results.append(self.printed(self.populations[population], tree))
        lists = [f"    l{vector} = {vector}.tolist()" for vector in sorted(used)]
        body = [f"    {line}" for line in lines]
        body.append("    return [" + ",\n            ".join(results) + "]")
        return "\n".join([f"def {name}(t, y, d):", *lists, *body, ""])

    def along(self, values: np.ndarray) -> np.ndarray:
        """Return one number per instance as the text has them."""
        return values

    def stored(self, population: Population, symbol: str, used: set[str]) -> str:
        """Return the value of a stored variable; `used` notes which vectors are wanted as lists."""
        vector, start = self.places[population.name, symbol]
        if population.size == 1:
            used.add(vector)
            return f"l{vector}[{start}]"
        return f"{vector}[{start}:{start + population.size}]"

    def printed(self, population: Population, tree: Expression) -> str:
        """Return an expression of one population as text."""

        def load(name: str) -> str:
            return "t" if name == "t" else self.local(population.name, name)

        if population.size == 1:
            return NumberPrinter(load, careful=True)(tree)

        def is_array(name: str) -> bool:
            value = population.parameters.get(name)
            return name != "t" and (value is None or np.ndim(value) > 0)

        return ArrayPrinter(load, is_array)(tree)

    def axial(self, population: Population) -> str:
        """Return what flows into every compartment from its neighbours."""
        assert population.cable is not None
        if population.size == 1:
            return "0.0"
        potential = self.local(population.name, population.cable.state)
        return f"{self.array(axial_matrix(population.cable))} @ {potential}"

    def read(self, population: Population, symbol: str) -> str:
        """Return what another population's variable is for this one's instances."""
        read = population.reads[symbol]
        other = self.populations[read.population]
        index = population.indices[read.index]
        value = self.local(other.name, read.variable)
        if other.size == 1:
            return value if population.size == 1 else f"np.full({population.size}, {value})"
        if population.size == 1:
            return f"float({value}[{int(index[0])}])"
        return f"({value} + np.zeros({other.size}))[{self.array(np.asarray(index))}]"

    def collected(self, population: Population, collect: Collect) -> str:
        """Return a sum or product over attached instances."""
        parts = []
        for name, variable in collect.parts:
            part = self.populations[name]
            if part.size:
                owners = self.array(np.asarray(part.indices["parent"]))
                parts.append(f"({owners}, {self.local(name, variable)})")
        listed = "".join(f"{part}, " for part in parts)
        return self.gathered(population.size, f"{collect.reduce!r}, ({listed})")

    def gathered(self, size: int, what: str) -> str:
        """Return the call that reduces for `size` instances."""
        call = f"gather({size}, {what})"
        return f"float({call}[0])" if size == 1 else call


class TextOverTime(Text):
    """Makes functions of many moments at once: t (times,) and y (states, times).

    A quantity of one instance is a row (times,) or a number, of many (instances, times).
    """

    def along(self, values: np.ndarray) -> np.ndarray:
        """Return one number per instance as a column."""
        return values[:, None]

    def stored(self, population: Population, symbol: str, used: set[str]) -> str:  # noqa: ARG002
        """Return the value of a stored variable over time."""
        vector, start = self.places[population.name, symbol]
        if population.size == 1:
            return f"{vector}[{start}]"
        rows = f"{start}:{start + population.size}"
        return f"y[{rows}]" if vector == "y" else f"d[{rows}, None]"

    def printed(self, population: Population, tree: Expression) -> str:
        """Return an expression of one population as text."""

        def is_array(name: str) -> bool:
            value = population.parameters.get(name)
            return value is None or (population.size > 1 and np.ndim(value) > 0)

        def load(name: str) -> str:
            return "t" if name == "t" else self.local(population.name, name)

        return ArrayPrinter(load, is_array)(tree)

    def read(self, population: Population, symbol: str) -> str:
        """Return what another population's variable is for this one's instances."""
        read = population.reads[symbol]
        other = self.populations[read.population]
        index = population.indices[read.index]
        value = self.local(other.name, read.variable)
        if other.size == 1:
            return value
        whole = f"({value} + np.zeros(({other.size}, 1)))"
        chosen = int(index[0]) if population.size == 1 else self.array(np.asarray(index))
        return f"{whole}[{chosen}]"

    def gathered(self, size: int, what: str) -> str:
        """Return the call that reduces for `size` instances over time."""
        call = f"gather_rows(({size}, t.size), {what})"
        return f"{call}[0]" if size == 1 else call


def _plain(name: str) -> str:
    return "".join(c if c.isalnum() else f"_{ord(c):x}_" for c in name)


def gather(
    size: int, reduce: str, parts: tuple[tuple[np.ndarray, np.ndarray | float], ...]
) -> np.ndarray:
    """Return sums or products (size,) of the values of attached instances."""
    found = np.zeros(size) if reduce == "add" else np.ones(size)
    for owners, values in parts:
        if reduce == "add":
            weights = np.broadcast_to(np.asarray(values, float), owners.shape)
            found += np.bincount(owners, weights=weights, minlength=size)
        else:
            np.multiply.at(found, owners, values)
    return found


def gather_rows(
    shape: tuple[int, int], reduce: str, parts: tuple[tuple[np.ndarray, np.ndarray | float], ...]
) -> np.ndarray:
    """Return sums or products (instances, times) of the values of attached instances."""
    found = np.zeros(shape) if reduce == "add" else np.ones(shape)
    for owners, values in parts:
        whole = np.broadcast_to(values, (len(owners), shape[1]))
        (np.add if reduce == "add" else np.multiply).at(found, owners, whole)
    return found


def emit_continuous(program: Program, source: str) -> str:
    """Return the text of a network's equations."""
    assert program.continuous is not None
    first = f"# Generated by lemsmith from {source}: derivatives, conditions, records."
    return f"{first}\n{program.continuous.text}"


def continuous_of(network: Network) -> Continuous:
    """Return a network as one system of equations."""
    followed = tuple(follow_levels(with_capacitance(p)) for p in network.populations)
    network = replace(network, populations=followed)
    text = Text(network)
    rates = [(p.name, tree) for p in network.populations if p.size for tree in rates_of(p).values()]
    truths = [(p.name, test) for p in network.populations if p.size for test in full_tests(p)]
    bends = [(p.name, test) for p in network.populations if p.size for test in switches(p)]
    records = [(r.population, Name(r.variable)) for r in network.records]
    parts = [
        text.function("rates", rates),
        text.function("truths", truths + bends),
        TextOverTime(network, text.constants).function("records", list(dict.fromkeys(records))),
        text.function("clocks", [(p, _clock(tree)) for p, tree in timed(network)]),
    ]
    parts += jacobian_text(text)
    return Continuous(network, "\n".join(parts), text.constants)


def timed(network: Network) -> list[tuple[str, Expression]]:
    """Return the comparisons that depend on the time and on what only events change."""
    found: list[tuple[str, Expression]] = []
    for population in network.populations:
        if not population.size:
            continue
        fixed = {"t", *population.parameters, *population.variables}
        fixed -= set(integrated_states(population))
        fixed -= {a.variable for a in population.assignments}
        trees = [*full_tests(population), *switches(population)]
        atoms = {
            node: None
            for tree in trees
            for node in walk(tree)
            if isinstance(node, Binary)
            and node.operator in COMPARISONS
            and "t" in names(node)
            and names(node) <= fixed
        }
        found += [(population.name, atom) for atom in atoms]
    return found


def _clock(atom: Expression) -> Expression:
    assert isinstance(atom, Binary)
    return Binary("-", atom.left, atom.right)


# --- the Jacobian ------------------------------------------------------------------------------


def jacobian_text(text: Text) -> list[str]:
    """Return the functions of the partial derivatives of every rate and what it is made of.

    `PARTIALS` lists what they belong to: (population, what, name), what is a rate's state
    or a derived variable's name marked by "=".
    """
    found: list[tuple[str, str, str]] = []
    targets: list[tuple[str, Expression]] = []
    numeric = False
    for population in text.network.populations:
        if not population.size:
            continue
        constants = set(population.parameters) | {"t"}
        constants |= {
            v
            for v in population.variables
            if text.places.get((population.name, v), ("", 0))[0] == "d"
        }
        trees = list(rates_of(population).items())
        trees += [
            (f"={a.variable}", a.value) for a in population.assignments if isinstance(a, Assign)
        ]
        for what, tree in trees:
            for name in sorted(names(tree) - constants):
                try:
                    slope = derivative(tree, name)
                except NoDerivative:
                    numeric = True
                    continue
                if slope != ZERO:
                    found.append((population.name, what, name))
                    targets.append((population.name, slope))
    return [
        f"PARTIALS = {found!r}",
        f"ANALYTIC = {not numeric!r}",
        text.function("partials", targets),
    ]
