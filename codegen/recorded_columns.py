"""Recorded columns gathered by variable, so that a thousand of them are one loop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .program import Program


@dataclass(frozen=True, slots=True)
class Column:
    """Recorded columns of one variable: which instances, and to which columns."""

    population: str
    variable: str
    instances: tuple[int, ...]
    columns: tuple[int, ...]


def column_groups(program: Program) -> tuple[Column, ...]:
    """Return the recorded columns, variable by variable."""
    found: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for n, column in enumerate(program.columns):
        found.setdefault((column.population, column.variable), []).append((column.instance, n))
    return tuple(
        Column(population, variable, tuple(i for i, _ in items), tuple(n for _, n in items))
        for (population, variable), items in found.items()
    )


def column_loop(
    column: Column, value: Callable[[str], str], mine: Callable[[str], str]
) -> list[str]:
    """Return the C lines that write the columns of one variable into `row`.

    `value` is given the text of an instance and returns that of its value; `mine` that of the
    condition under which this thread writes it, or nothing.
    """
    count = len(column.columns)
    if count == 1:
        at = str(column.instances[0])
        return [f"{mine(at)}row[{column.columns[0]}] = (double){value(at)};"]
    index, at_table = _indices("at", column.instances)
    to, to_table = _indices("to", column.columns)
    write = f"{mine(index)}row[{to}] = (double){value(index)};"
    return [
        "{",
        *(f"    {line}" for line in (*at_table, *to_table)),
        f"    for (int64_t j = 0; j < {count}; j++) {write}",
        "}",
    ]


def _indices(name: str, values: tuple[int, ...]) -> tuple[str, list[str]]:
    """Return the C expression of the j-th value, and the lines of the table that it needs."""
    first, step = values[0], values[1] - values[0]
    if all(value == first + step * n for n, value in enumerate(values)):
        return f"({first} + j * {step})", []
    listed = ", ".join(map(str, values))
    width = "int32_t" if max(values) < 2**31 else "int64_t"
    return f"{name}[j]", [f"static const {width} {name}[] = {{{listed}}};"]
