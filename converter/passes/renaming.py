"""Statements and expressions with other symbols; what passes that merge populations share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from ..expressions import Expression, Name, names, substitute
from ..network import (
    Assign,
    Collect,
    Condition,
    Derivative,
    Emit,
    Flow,
    Run,
    Statement,
    When,
)

Renames = Mapping[str, Expression]


def renamed_symbol(name: str, renames: Renames) -> str:
    """Return the symbol that a written variable becomes."""
    found = renames.get(name)
    return found.name if isinstance(found, Name) else name


def renamed_statement(
    statement: Statement,
    renames: Renames,
    ports: Mapping[str, str],
    handlers: Mapping[str, str],
) -> Statement:
    """Return `statement` with symbols, ports and handlers replaced."""
    match statement:
        case Assign(variable, value):
            return Assign(renamed_symbol(variable, renames), substitute(value, renames))
        case When(condition, body):
            return When(
                substitute(condition, renames),
                tuple(renamed_statement(s, renames, ports, handlers) for s in body),
            )
        case Emit(port):
            return Emit(ports.get(port, port))
        case Run(handler):
            return Run(handlers.get(handler, handler))
        case Collect(variable, parts, reduce):
            return Collect(renamed_symbol(variable, renames), parts, reduce)
        case Flow():
            return renamed_flow(statement, renames)
        case _:
            raise TypeError(f"{statement!r} has no place in equations")


def renamed_flow(flow: Flow, renames: Renames) -> Flow:
    """Return `flow` with its states and rates replaced."""
    return replace(
        flow,
        states=tuple(renamed_symbol(s, renames) for s in flow.states),
        edges=tuple(
            (a, b, renamed_symbol(f, renames), renamed_symbol(r, renames))
            for a, b, f, r in flow.edges
        ),
    )


def renamed_derivative(derivative: Derivative, renames: Renames) -> Derivative:
    """Return `derivative` with symbols replaced."""
    guard = derivative.guard
    return Derivative(
        renamed_symbol(derivative.state, renames),
        substitute(derivative.value, renames),
        None if guard is None else substitute(guard, renames),
    )


def renamed_condition(
    condition: Condition,
    renames: Renames,
    ports: Mapping[str, str],
    handlers: Mapping[str, str],
) -> Condition:
    """Return `condition` with symbols, ports and handlers replaced."""
    guard = condition.guard
    return Condition(
        substitute(condition.test, renames),
        tuple(renamed_statement(s, renames, ports, handlers) for s in condition.body),
        None if guard is None else substitute(guard, renames),
        condition.place,
    )


def expressions_of(statements: Iterable[Statement]) -> list[Expression]:
    """Return every expression in `statements`."""
    found: list[Expression] = []
    for statement in statements:
        if isinstance(statement, Assign):
            found.append(statement.value)
        elif isinstance(statement, When):
            found.append(statement.condition)
            found.extend(expressions_of(statement.body))
    return found


def written_by(statements: Iterable[Statement]) -> set[str]:
    """Return every variable that `statements` assign."""
    found: set[str] = set()
    for statement in statements:
        if isinstance(statement, Assign | Collect):
            found.add(statement.variable)
        elif isinstance(statement, When):
            found |= written_by(statement.body)
        elif isinstance(statement, Flow):
            found.update(statement.states)
    return found


def sorted_assignments(assignments: Iterable[Assign | Collect]) -> tuple[Assign | Collect, ...]:
    """Return assignments so that each stands after what it uses; the order is kept otherwise."""
    by_name = {a.variable: a for a in assignments}
    done: dict[str, Assign | Collect] = {}
    for first in by_name:
        stack: list[tuple[str, bool]] = [(first, False)]
        while stack:
            name, entered = stack.pop()
            if name in done:
                continue
            statement = by_name[name]
            if entered or isinstance(statement, Collect):
                done[name] = statement
                continue
            stack.append((name, True))
            used = names(statement.value) & by_name.keys()
            stack.extend((n, False) for n in sorted(used, reverse=True) if n not in done)
    return tuple(done.values())
