"""The form of a method's result, and the slopes that methods need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...converter.calculus import NoDerivative, derivative
from ...converter.expressions import ZERO, Expression, Name, names
from ...converter.network import Assign, Population

DT = Name("dt")


@dataclass(frozen=True, slots=True)
class Update:
    """state := value at the end of the step, while `guard` holds; else it stays.

    `growth`, of a state that is nonlinear in itself, is the step times the present slope of its
    derivative: the step resolves the state's growth while this is well below one.
    """

    state: str
    value: Expression
    guard: Expression | None = None
    growth: Expression | None = None


Groups = tuple[tuple[Update, ...], ...]


@dataclass(frozen=True, slots=True)
class Propagation:
    """The exact step of a linear system x' = A x + b by whatever dt.

    `modes` are (guard, entries of A by row and column, present derivatives), the first while
    no guard holds; state i counts in units of `scales[i]`, which keep A's entries alike.
    """

    states: tuple[str, ...]
    modes: tuple[
        tuple[Expression | None, Mapping[tuple[int, int], Expression], tuple[Expression, ...]],
        ...,
    ]
    scales: tuple[float, ...]


Group = tuple[Update, ...] | Propagation

#: Derivatives of collected sums: (sum, state of the population) -> symbol that holds it.
Slopes = Mapping[tuple[str, str], str]


def slope(
    population: Population, tree: Expression, state: str, slopes: Slopes
) -> Expression | None:
    """Return d tree / d state through the population's assignments, None where there is none."""
    inner: dict[str, Expression] = {}
    try:
        for assignment in population.assignments:
            if not isinstance(assignment, Assign):
                symbol = slopes.get((assignment.variable, state))
                if symbol is not None:
                    inner[assignment.variable] = Name(symbol)
                continue
            moving = {state, *(n for n, s in inner.items() if s != ZERO)}
            if names(assignment.value) & moving:
                inner[assignment.variable] = derivative(assignment.value, state, inner)
        return derivative(tree, state, inner)
    except NoDerivative:
        return None


def closure(population: Population, tree: Expression) -> frozenset[str]:
    """Return every name that `tree` depends on, through assignments."""
    by_name = {a.variable: a for a in population.assignments if isinstance(a, Assign)}
    found: set[str] = set()
    stack = list(names(tree))
    while stack:
        name = stack.pop()
        if name in found:
            continue
        found.add(name)
        if name in by_name:
            stack.extend(names(by_name[name].value))
    return frozenset(found)
