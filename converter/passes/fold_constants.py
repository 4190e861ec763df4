"""Evaluate every subexpression of constants, and inline derived variables that are constant."""

from __future__ import annotations

from dataclasses import replace

from ..expressions import Binary, Expression, Name, Number, rewrite, substitute
from ..network import (
    Assign,
    Collect,
    Condition,
    Derivative,
    Network,
    Population,
    Statement,
    When,
)
from ..simplify import simplify


def fold_constants(network: Network) -> Network:
    """Return `network` with constants folded, for all its populations."""
    return replace(
        network, populations=tuple(_folded(population) for population in network.populations)
    )


def _folded(population: Population) -> Population:
    known: dict[str, Expression] = {}
    assignments: list[Assign | Collect] = []
    for assignment in population.assignments:
        if isinstance(assignment, Collect):
            assignments.append(
                assignment
                if assignment.parts
                else Assign(assignment.variable, Number(0.0 if assignment.reduce == "add" else 1.0))
            )
            if not assignment.parts:
                known[assignment.variable] = Number(0.0 if assignment.reduce == "add" else 1.0)
            continue
        value = fold(substitute(assignment.value, known))
        if isinstance(value, Number):
            known[assignment.variable] = value
        assignments.append(Assign(assignment.variable, value))
    return replace(
        population,
        assignments=tuple(assignments),
        derivatives=tuple(
            Derivative(
                d.state,
                fold(substitute(d.value, known)),
                None if d.guard is None else fold(substitute(d.guard, known)),
            )
            for d in population.derivatives
        ),
        conditions=tuple(
            Condition(
                fold(substitute(c.test, known)),
                _statements(c.body, known),
                None if c.guard is None else fold(substitute(c.guard, known)),
                c.place,
            )
            for c in population.conditions
        ),
        handlers={n: _statements(body, known) for n, body in population.handlers.items()},
    )


def _statements(
    statements: tuple[Statement, ...], known: dict[str, Expression]
) -> tuple[Statement, ...]:
    done: list[Statement] = []
    for statement in statements:
        if isinstance(statement, Assign):
            done.append(Assign(statement.variable, fold(substitute(statement.value, known))))
        elif isinstance(statement, When):
            done.append(
                When(
                    fold(substitute(statement.condition, known)), _statements(statement.body, known)
                )
            )
        else:
            done.append(statement)
    return tuple(done)


def fold(tree: Expression) -> Expression:
    """Return `tree` simplified, divisions by constants turned into products.

    >>> from ..expressions import parse, show
    >>> show(fold(parse("v / 4 + x^2 / 0.5")))
    '(v * 0.25) + ((x ^ 2) * 2)'
    """
    return rewrite(simplify(tree), _reciprocal)


def _reciprocal(node: Expression) -> Expression:
    match node:
        case Binary("/", left, Number(value)) if value != 0.0 and _finite(1.0 / value):
            return simplify(Binary("*", left, Number(1.0 / value)))
        case _:
            return node


def _finite(value: float) -> bool:
    return abs(value) < 1e300


__all__ = ["Name", "fold", "fold_constants"]
