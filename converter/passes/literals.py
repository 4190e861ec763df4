"""The numbers in a population's equations: read in a fixed order, and replaced by others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..expressions import Binary, Expression, Number, children, rebuild
from ..network import Assign, Collect, Integrate, Population, Statement, When

Replace = Callable[[Number], Expression]

BLANK = Number(0.0)


def literals(population: Population) -> list[float]:
    """Return every number in the equations, in the order in which `with_literals` asks."""
    found: list[float] = []

    def note(node: Number) -> Expression:
        found.append(node.value)
        return node

    with_literals(population, note)
    return found


def blanked(population: Population) -> Population:
    """Return `population` with every number the same, so that only the form is left."""
    return with_literals(population, lambda _: BLANK)


def with_literals(population: Population, new: Replace) -> Population:
    """Return `population` with each number of its equations replaced by what `new` gives.

    Constant exponents are no such numbers: powers are computed according to them.
    """
    return replace(
        population,
        handlers={name: _block(body, new) for name, body in population.handlers.items()},
        step=_block(population.step, new),
        assignments=tuple(
            a if isinstance(a, Collect) else Assign(a.variable, _tree(a.value, new))
            for a in population.assignments
        ),
        derivatives=tuple(
            replace(d, value=_tree(d.value, new), guard=d.guard and _tree(d.guard, new))
            for d in population.derivatives
        ),
        conditions=tuple(
            replace(
                c,
                test=_tree(c.test, new),
                body=_block(c.body, new),
                guard=c.guard and _tree(c.guard, new),
            )
            for c in population.conditions
        ),
    )


def _block(block: tuple[Statement, ...], new: Replace) -> tuple[Statement, ...]:
    return tuple(_statement(statement, new) for statement in block)


def _statement(statement: Statement, new: Replace) -> Statement:
    match statement:
        case Assign(variable, value):
            return Assign(variable, _tree(value, new))
        case When(condition, body):
            return When(_tree(condition, new), _block(body, new))
        case Integrate(derivatives, method, derived):
            return Integrate(
                tuple((name, _tree(value, new)) for name, value in derivatives),
                method,
                tuple(Assign(a.variable, _tree(a.value, new)) for a in derived),
            )
        case _:
            return statement


def _tree(tree: Expression, new: Replace) -> Expression:
    if isinstance(tree, Number):
        return new(tree)
    if isinstance(tree, Binary) and tree.operator == "^" and isinstance(tree.right, Number):
        return replace(tree, left=_tree(tree.left, new))
    return rebuild(tree, tuple(_tree(part, new) for part in children(tree)))
