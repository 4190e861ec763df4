"""One implicit step of the potentials of equal trees of compartments, as arrays.

What `lemsmith_cable.h` does in C++: the tree's equations, linearised about the present
potentials, are eliminated from the leaves to the root (Hines 1984). Rows are taken together
where they are equally far from the root, all cells at once.
"""

from __future__ import annotations

import numpy as np

from ..converter.network import Array, Cable, Index


class CableSolver:
    """The potentials of a population of compartments: `cells` trees side by side."""

    def __init__(self, cable: Cable) -> None:
        self.cable = cable
        self.compartments = len(cable.capacitance)
        self.junctions = np.repeat(cable.junctions[:, None], cable.cells, axis=1)
        self.below: Index = np.flatnonzero(cable.parent >= 0)
        self.levels = levels(cable.parent, cable.order)

    def step(self, h: float, gain: float, current: Array, slope: Array, v: Array) -> None:
        """Advance `v` (compartments * cells,) [V] in place.

        `h` [s] is the time over which the step is implicit: dt for backward Euler, dt / 2 for
        Crank-Nicolson, whose increment is then taken twice (`gain` 2). `current` [A] enters each
        compartment, `slope` [S] is its derivative by v; both are of the shape of `v`.
        """
        cable, below = self.cable, self.below
        nodes, shape = len(cable.parent), (self.compartments, cable.cells)
        rows = v.reshape(shape)
        potentials = np.concatenate([rows, self.junctions])
        diagonal, x = np.zeros((2, nodes, cable.cells))
        diagonal[: self.compartments] = (cable.capacitance / h)[:, None] - slope.reshape(shape)
        x[: self.compartments] = current.reshape(shape)
        parents = cable.parent[below]
        g = cable.conductance[below][:, None]
        flow = g * (potentials[parents] - potentials[below])
        x[below] += flow
        np.subtract.at(x, parents, flow)
        diagonal[below] += g
        np.add.at(diagonal, parents, np.broadcast_to(g, flow.shape))
        for level in self.levels[:0:-1]:
            above, joined = cable.parent[level], cable.conductance[level][:, None]
            factor = joined / diagonal[level]
            np.subtract.at(diagonal, above, factor * joined)
            np.add.at(x, above, factor * x[level])
        x[self.levels[0]] /= diagonal[self.levels[0]]
        for level in self.levels[1:]:
            above, joined = cable.parent[level], cable.conductance[level][:, None]
            x[level] = (x[level] + joined * x[above]) / diagonal[level]
        rows += gain * x[: self.compartments]
        self.junctions += gain * x[self.compartments :]


def levels(parent: Index, order: Index) -> list[Index]:
    """Return the nodes by their distance from a root, in links.

    `parent` (n,) is -1 at a root; `order` (n,) puts parents before children.

    >>> [level.tolist() for level in levels(np.array([-1, 0, 1, 0]), np.arange(4))]
    [[0], [1, 3], [2]]
    """
    depth = np.zeros(len(parent), dtype=np.int64)
    for node in order:
        if parent[node] >= 0:
            depth[node] = depth[parent[node]] + 1
    return [np.flatnonzero(depth == level) for level in range(int(depth.max(initial=-1)) + 1)]
