"""Exact steps of linear systems with constant coefficients.

States whose derivatives are linear in one another, x' = A x + b with A fixed and b held over
the step, go to x + h phi1(h A) (A x + b), phi1(z) = (exp(z) - 1) / z: exact whatever the step
(Rotter and Diesmann 1999), and without cancellation at rest, where A x + b vanishes. Entries of
h phi1(h A) for the whole step are computed here, once per instance where parameters differ;
parts of a step, up to a condition inside it, are taken by generated code from A itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ...converter.evaluate import UnknownName, evaluate
from ...converter.expressions import ZERO, Binary, Expression, Name, Number
from ...converter.network import Assign, Population
from ...converter.simplify import simplify
from .structured import HALF_DT, group_of, layers_of
from .updates import DT, Group, Groups, Propagation, Slopes, Update, closure, slope

#: States of one system; generated code keeps their matrix in a fixed place.
LARGEST = 31

#: A matrix is scaled until its norm is below this, and squared as often.
NORM = 0.125
TERMS = 24


@dataclass(frozen=True, slots=True, eq=False)
class Exact:
    """A population with the entries that it needs, and how a step and a part of one go."""

    population: Population
    groups: Groups
    partial: tuple[Group, ...]


def exact(population: Population, slopes: Slopes, step: float, *, whole: bool) -> Exact | None:
    """Return the exact step of the population's linear system; None where there is none.

    `whole` asks for a population that is linear altogether; otherwise what is not part of the
    system is split off around it.
    """
    system = linear_system(population, slopes)
    states = tuple(dict.fromkeys(d.state for d in population.derivatives))
    rest = tuple(state for state in states if state not in system)
    if not coupled(population, slopes, system) or (whole and rest):
        return None
    guards = tuple(
        dict.fromkeys(
            d.guard for d in population.derivatives if d.guard is not None and d.state in system
        )
    )
    modes = [_mode(population, slopes, system, guard) for guard in (None, *guards)]
    parameters = dict(population.parameters)
    updates: list[Update] = []
    for number, (guard, mode) in enumerate(zip((None, *guards), modes, strict=True)):
        try:
            entries = propagator(_values(population, mode.matrix, system), step)
        except UnknownName:
            return None
        for i, state in enumerate(system):
            value: Expression = Name(state)
            for j in range(len(system)):
                entry = entries[:, i, j]
                rate = mode.rates[j]
                if rate == ZERO or not entry.any():
                    continue
                if (entry == entry[0]).all():
                    factor: Expression = Number(float(entry[0]))
                else:
                    name = f"exact__{number}_{i}_{j}"
                    parameters[name] = entry
                    factor = Name(name)
                value = Binary("+", value, Binary("*", factor, rate))
            if guard is None or value != Name(state) or mode.matrix != modes[0].matrix:
                updates.append(Update(state, value, guard))
    block = tuple(updates)
    propagation = Propagation(
        system,
        tuple((guard, m.matrix, m.rates) for guard, m in zip((None, *guards), modes, strict=True)),
        scales_of(population, modes, system),
    )
    before, after = _around(population, slopes, rest)
    return Exact(
        replace(population, parameters=parameters),
        (*before, block, *after),
        (*before, propagation, *after),
    )


@dataclass(frozen=True, slots=True)
class _Mode:
    """The system while one guard holds: entries of its matrix, rates of its states."""

    matrix: Mapping[tuple[int, int], Expression]
    rates: tuple[Expression, ...]


def linear_system(population: Population, slopes: Slopes) -> tuple[str, ...]:
    """Return the largest set of states that are linear in one another, coefficients fixed."""
    fixed = set(population.parameters)
    assigned = {a.variable for a in population.assignments if isinstance(a, Assign)}
    states = tuple(sorted({d.state for d in population.derivatives}))
    while True:
        kept: list[str] = []
        for state in states:
            for rate in (d for d in population.derivatives if d.state == state):
                found = [slope(population, rate.value, other, slopes) for other in states]
                if any(s is None or closure(population, s) - assigned - fixed for s in found):
                    break
            else:
                kept.append(state)
        if len(kept) == len(states):
            return states if len(states) <= LARGEST else ()
        states = tuple(kept)


def coupled(population: Population, slopes: Slopes, system: tuple[str, ...]) -> bool:
    """Tell whether one state of a system depends on another."""
    return any(
        slope(population, d.value, other, slopes) != ZERO
        for d in population.derivatives
        if d.state in system
        for other in system
        if other != d.state
    )


def _mode(
    population: Population, slopes: Slopes, system: tuple[str, ...], guard: Expression | None
) -> _Mode:
    rates: dict[str, Expression] = {}
    for rate in population.derivatives:
        if rate.state in system and rate.guard in (None, guard):
            rates[rate.state] = rate.value
    matrix: dict[tuple[int, int], Expression] = {}
    for i, state in enumerate(system):
        for j, other in enumerate(system):
            if state in rates:
                entry = slope(population, rates[state], other, slopes)
                if entry is not None and entry != ZERO:
                    matrix[i, j] = entry
    return _Mode(matrix, tuple(rates.get(state, ZERO) for state in system))


def _values(
    population: Population,
    matrix: Mapping[tuple[int, int], Expression],
    system: tuple[str, ...],
) -> np.ndarray:
    """Return the matrices of all instances that differ (1 or n, states, states)."""
    known: dict[str, object] = dict(population.parameters)
    by_name = {a.variable: a for a in population.assignments if isinstance(a, Assign)}

    def value(tree: Expression) -> object:
        for name in sorted(closure(population, tree)):
            if name in by_name and name not in known:
                known[name] = value(by_name[name].value)
        return evaluate(tree, known)

    found = {at: np.atleast_1d(np.asarray(value(tree), float)) for at, tree in matrix.items()}
    rows = max((len(v) for v in found.values()), default=1)
    values = np.zeros((rows, len(system), len(system)))
    for (i, j), entry in found.items():
        values[:, i, j] = entry
    return values


def propagator(matrices: np.ndarray, step: float) -> np.ndarray:
    """Return step phi1(step A) for each matrix A (n, states, states).

    >>> float(propagator(np.array([[[-2.0]]]), 0.5)[0, 0, 0])  # (1 - e^-1) / 2
    0.31606027941427883
    """
    rows, size, _ = matrices.shape
    scales = balance(matrices)
    # exp of [[h A, h 1], [0, 0]] holds h phi1(h A) in its corner.
    scaled = matrices.astype(np.longdouble) * scales[None, None, :] / scales[None, :, None]
    whole = np.zeros((rows, 2 * size, 2 * size), dtype=np.longdouble)
    whole[:, :size, :size] = scaled * step
    largest = float(np.abs(whole).sum(axis=2).max(initial=0.0))
    whole[:, :size, size:] = np.eye(size)
    squarings = max(0, int(np.ceil(np.log2(max(largest, 1.0) / NORM))))
    whole /= np.longdouble(2) ** squarings
    term = np.broadcast_to(np.eye(2 * size, dtype=np.longdouble), whole.shape)
    total = term.copy()
    for k in range(1, TERMS):
        term = term @ whole / k
        total = total + term
    for _ in range(squarings):
        total = total @ total
    corner = total[:, :size, size:] * step
    return np.asarray(corner * scales[None, :, None] / scales[None, None, :], dtype=float)


def balance(matrices: np.ndarray) -> np.ndarray:
    """Return scales d for which A d_j / d_i has no entry far above its diagonal (states,).

    States of different units (V, A) couple by numbers like 1e9; a matrix exponential wants
    them small. Powers of two, so that scaling rounds nothing.
    """
    size = matrices.shape[1]
    sizes = np.abs(matrices).max(axis=0, initial=0.0)
    bound = np.diagonal(sizes).max(initial=0.0) or sizes.max(initial=0.0)
    exponents = np.zeros(size)
    if bound > 0:
        with np.errstate(divide="ignore"):
            logs = np.log2(sizes / bound)
        np.fill_diagonal(logs, -np.inf)
        for _ in range(size):
            rows = (logs + exponents[None, :] - exponents[:, None]).max(axis=1)
            exponents += np.where(rows > 0, np.ceil(rows), 0.0)
    return np.asarray(2.0**exponents)


def scales_of(
    population: Population, modes: list[_Mode], system: tuple[str, ...]
) -> tuple[float, ...]:
    """Return the scales that the matrices of every mode share."""
    values = [_values(population, mode.matrix, system) for mode in modes]
    return tuple(float(s) for s in balance(np.concatenate(values)))


def _around(population: Population, slopes: Slopes, rest: tuple[str, ...]) -> tuple[Groups, Groups]:
    """Return half steps of what is not part of the system, before and after it."""
    if not rest:
        return (), ()
    others = tuple(d for d in population.derivatives if d.state in rest)
    layers = layers_of(replace(population, derivatives=others), slopes)
    before = tuple(group_of(population, layer, slopes, HALF_DT) for layer in layers)
    after = tuple(group_of(population, layer, slopes, HALF_DT) for layer in reversed(layers))
    return before, after


__all__ = ["DT", "exact", "propagator", "simplify"]
