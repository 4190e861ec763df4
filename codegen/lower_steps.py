"""Lowering of the reference's order of steps: forward Euler, statement by statement."""

from __future__ import annotations

import numpy as np

from ..converter.expressions import (
    Binary,
    Call,
    Expression,
    Name,
    Number,
    calls,
    rewrite,
    substitute,
)
from ..converter.network import (
    Advance,
    Array,
    Assign,
    Collect,
    Emit,
    Index,
    Integrate,
    Network,
    Population,
    Projection,
    Statement,
    When,
)
from .program import (
    AdvanceList,
    CollectList,
    Delivery,
    Function,
    Layout,
    Program,
    RecordedColumn,
    RecordedPort,
)

DT = Name("dt")


def lower_steps(network: Network) -> Program:
    """Return the program that follows the reference interpreter step for step."""
    functions: list[Function] = []
    advance_lists: list[AdvanceList] = []
    collect_lists: list[CollectList] = []
    heard = {(p.source, p.port) for p in network.projections}
    heard |= {(r.population, r.port) for r in network.event_records}
    for population in network.populations:
        lowering = _Lowering(network, population, heard, advance_lists, collect_lists)
        body = lowering.block(population.step)
        functions.append(
            Function(f"advance {population.name}", population.name, body, tuple(lowering.locals))
        )
        for handler, statements in population.handlers.items():
            lowering.locals = []
            body = lowering.block(statements)
            functions.append(
                Function(
                    f"handle {population.name} {handler}",
                    population.name,
                    body,
                    tuple(lowering.locals),
                )
            )
    settings = network.settings
    return Program(
        schedule="steps",
        layouts=tuple(map(layout_of, network.populations)),
        functions=tuple(functions),
        advance_lists=tuple(advance_lists),
        collect_lists=tuple(collect_lists),
        deliveries=tuple(
            delivery_of(network, projection, f"d{n}")
            for n, projection in enumerate(network.projections)
        ),
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
    )


def step_count(length: float, step: float) -> int:
    """Return the number of steps: length / step, rounded half up (Sim.java)."""
    return int(np.floor(length / step + 0.5))


def layout_of(population: Population) -> Layout:
    """Return the buffers of a population, filled with initial values."""
    size = population.size

    def full(value: float | Array) -> Array:
        return np.array(np.broadcast_to(np.asarray(value, dtype=float), size))

    return Layout(
        name=population.name,
        size=size,
        component=population.component,
        parent=population.parent,
        variables={name: full(v.initial) for name, v in population.variables.items()},
        parameters={name: full(value) for name, value in population.parameters.items()},
        indices=dict(population.indices),
        reads=dict(population.reads),
        labels={name: v.label for name, v in population.variables.items()},
        checked=tuple(n for n, v in population.variables.items() if v.kind == "state"),
        members=population.members,
    )


def delivery_of(network: Network, projection: Projection, name: str) -> Delivery:
    """Return a projection's connections sorted by source, document order kept."""
    source = network.population(projection.source)
    order = np.argsort(projection.source_index, kind="stable")
    counts = np.bincount(projection.source_index, minlength=source.size)
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Delivery(
        name,
        projection.source,
        projection.port,
        projection.target,
        projection.handler,
        starts,
        projection.target_index[order],
        delays=projection.delay[order],
        values={key: values[order] for key, values in projection.values.items()},
    )


def attached_order(
    owner: Population, parts: list[Population], *, by_part: bool = False
) -> tuple[Index, np.ndarray, Index]:
    """Return (starts, which, entries) of the instances of `parts` below each owner.

    They come in the order of their attachment, or of one part after the other.
    """
    parents = np.concatenate([p.indices["parent"] for p in parts])
    sequence = np.concatenate([p.sequence for p in parts])
    which = np.concatenate([np.full(p.size, n, np.int32) for n, p in enumerate(parts)])
    entries = np.concatenate([np.arange(p.size) for p in parts])
    keys = (sequence, which, parents) if by_part else (sequence, parents)
    order = np.lexsort(keys)
    counts = np.bincount(parents, minlength=owner.size)
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return starts, which[order], entries[order]


class _Lowering:
    def __init__(
        self,
        network: Network,
        population: Population,
        heard: set[tuple[str, str]],
        advance_lists: list[AdvanceList],
        collect_lists: list[CollectList],
    ) -> None:
        self.network = network
        self.population = population
        self.heard = heard
        self.advance_lists = advance_lists
        self.collect_lists = collect_lists
        self.locals: list[str] = []
        self.used = set(population.variables) | set(population.parameters) | set(population.reads)

    def local(self, base: str) -> str:
        name, number = base, 1
        while name in self.used:
            number += 1
            name = f"{base}_{number}"
        self.used.add(name)
        self.locals.append(name)
        return name

    def block(self, statements: tuple[Statement, ...]) -> tuple[Statement, ...]:
        done: list[Statement] = []
        for statement in statements:
            done.extend(self.statement(statement))
        return tuple(done)

    def statement(self, statement: Statement) -> list[Statement]:
        match statement:
            case Assign(variable, value):
                before, value = self.drawn(value)
                return [*before, Assign(variable, value)]
            case When(condition, body):
                before, condition = self.drawn(condition)
                return [*before, When(condition, self.block(body))]
            case Integrate():
                return self.integrate(statement)
            case Emit(port):
                return [statement] if (self.population.name, port) in self.heard else []
            case Advance(populations):
                parts = [self.network.population(name) for name in populations]
                starts, which, entries = attached_order(self.population, parts)
                name = f"l{len(self.advance_lists)}"
                self.advance_lists.append(
                    AdvanceList(
                        name,
                        self.population.name,
                        populations,
                        starts,
                        which if len(parts) > 1 else None,
                        entries,
                    )
                )
                return [Advance((name,))]
            case Collect(variable, collected, reduce):
                parts = [self.network.population(name) for name, _ in collected]
                starts, which, entries = attached_order(self.population, parts)
                name = f"c{len(self.collect_lists)}"
                self.collect_lists.append(
                    CollectList(
                        name,
                        self.population.name,
                        collected,
                        starts,
                        which if len(parts) > 1 else None,
                        entries,
                    )
                )
                return [Collect(variable, ((name, ""),), reduce)]
            case _:
                return [statement]

    def drawn(self, tree: Expression) -> tuple[list[Statement], Expression]:
        """Take the random draws out of an expression, in order of evaluation.

        C++ leaves the order of operands open, so each draw gets a statement of its own.
        """
        if not calls(tree, "random"):
            return [], tree
        before: list[Statement] = []

        def rule(node: Expression) -> Expression:
            if not (isinstance(node, Call) and node.function == "random"):
                return node
            name = self.local("draw")
            before.append(Assign(name, Call("draw", ())))
            return Binary("*", node.arguments[0], Name(name))

        return before, rewrite(tree, rule)

    def integrate(self, statement: Integrate) -> list[Statement]:
        if statement.method == "rk4":
            return self.runge_kutta(statement)
        done: list[Statement] = []
        if len(statement.derivatives) == 1:
            variable, value = statement.derivatives[0]
            before, value = self.drawn(value)
            return [*before, Assign(variable, _stepped(variable, DT, value))]
        rates: list[tuple[str, str]] = []
        for variable, slope in statement.derivatives:
            before, value = self.drawn(slope)
            rate = self.local(f"d_{variable}")
            done.extend([*before, Assign(rate, value)])
            rates.append((variable, rate))
        done.extend(Assign(v, _stepped(v, DT, Name(rate))) for v, rate in rates)
        return done

    def runge_kutta(self, statement: Integrate) -> list[Statement]:
        """Return the classical fourth-order step in the reference's arithmetic.

        The time of the stages is t, t + dt/2, t + dt/2, t + dt with t already that of the
        step's end, as in StateType.rk4Advance.
        """
        done: list[Statement] = []
        half = self.local("half_dt")
        done.append(Assign(half, Binary("*", Number(0.5), DT)))
        states = [variable for variable, _ in statement.derivatives]
        rates: list[dict[str, str]] = []
        values: dict[str, Expression] = {}
        for stage, (offset, weight) in enumerate(
            ((None, None), (half, half), (half, half), ("dt", "dt"))
        ):
            if stage and weight is not None:
                values = {}
                for state in states:
                    name = self.local(f"{state}_{stage + 1}")
                    step = Binary("*", Name(weight), Name(rates[-1][state]))
                    done.append(Assign(name, Binary("+", Name(state), step)))
                    values[state] = Name(name)
                if offset is not None:
                    values["t"] = Binary("+", Name("t"), Name(offset))
                for assign in statement.derived:
                    name = self.local(f"{assign.variable}_{stage + 1}")
                    before, value = self.drawn(substitute(assign.value, values))
                    done.extend([*before, Assign(name, value)])
                    values[assign.variable] = Name(name)
            found: dict[str, str] = {}
            for state, derivative in statement.derivatives:
                found[state] = self.local(f"k{stage + 1}_{state}")
                before, value = self.drawn(substitute(derivative, values))
                done.extend([*before, Assign(found[state], value)])
            rates.append(found)
        for state in states:
            total: Expression = Name(rates[0][state])
            for stage, factor in ((1, 2.0), (2, 2.0)):
                term = Binary("*", Number(factor), Name(rates[stage][state]))
                total = Binary("+", total, term)
            total = Binary("/", Binary("+", total, Name(rates[3][state])), Number(6.0))
            done.append(Assign(state, _stepped(state, DT, total)))
        return done


def _stepped(variable: str, step: Expression, rate: Expression) -> Expression:
    return Binary("+", Name(variable), Binary("*", step, rate))
