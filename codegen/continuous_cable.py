"""Cells of compartments as equations: what flows between compartments, as one sparse matrix.

The potential of a compartment follows C dv/dt = I(v) + sum g (v_neighbour - v). Junctions, which
have no membrane, are no states: they are eliminated, each leaving conductances between its
neighbours.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..converter.expressions import Binary, Expression, Name
from ..converter.network import Cable, Population
from ..errors import MissingTool

#: Symbols of what flows into a compartment from its neighbours, A, and of its capacitance, F.
AXIAL, CAPACITANCE = "axial__current", "cable__capacitance"


def with_capacitance(population: Population) -> Population:
    """Return a population of compartments with their capacitances among its parameters."""
    cable = population.cable
    if cable is None:
        return population
    values = np.repeat(np.asarray(cable.capacitance, float), cable.cells)
    return replace(population, parameters={**population.parameters, CAPACITANCE: values})


def cable_rate(cable: Cable) -> Expression:
    """Return the derivative of a compartment's potential."""
    whole = Binary("+", Name(cable.current), Name(AXIAL))
    return Binary("/", whole, Name(CAPACITANCE))


def couplings(cable: Cable) -> dict[tuple[int, int], float]:
    """Return the conductance, S, between every two compartments of a cell that have one."""
    neighbours: dict[int, dict[int, float]] = {n: {} for n in range(len(cable.parent))}
    for child, parent in enumerate(cable.parent):
        if parent >= 0:
            g = float(cable.conductance[child])
            neighbours[child][int(parent)] = g
            neighbours[int(parent)][child] = g
    for junction in range(len(cable.capacitance), len(cable.parent)):
        ends = neighbours.pop(junction)
        total = sum(ends.values())
        for a, g in ends.items():
            del neighbours[a][junction]
            for b, h in ends.items():
                if a != b:
                    neighbours[a][b] = neighbours[a].get(b, 0.0) + g * h / total
    return {(a, b): g for a, near in neighbours.items() for b, g in near.items()}


def axial_matrix(cable: Cable) -> Any:
    """Return the sparse matrix (instances, instances), S, that takes potentials to currents."""
    try:
        from scipy import sparse  # noqa: PLC0415 - optional, and its one user
    except ImportError:
        raise MissingTool("adaptive methods need scipy: pip install scipy") from None
    found = couplings(cable)
    size = len(cable.capacitance)
    rows, columns, values = [], [], []
    for (a, b), g in found.items():
        rows += [a, a]
        columns += [b, a]
        values += [g, -g]
    one = sparse.csr_matrix((values, (rows, columns)), (size, size))
    return sparse.kron(one, sparse.identity(cable.cells), format="csr")
