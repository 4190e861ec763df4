"""The order in which a tree of compartments is solved, and the solver itself as a reference.

In: `parent` (n,), the index of each node's parent, lower than the node's own, -1 at a root.
Out: levels that can be eliminated at once, unbranched chains, and the solution of the tree's
linear system (Hines 1984, Int. J. Bio-Medical Computing 15:69).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .morphology import MorphologyError

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Levels:
    """Nodes sorted so that independent branches run together.

    `order` (n,) is the permutation: place k of the new order holds node `order[k]`, and parents
    still come before children. `bounds` (levels + 1,) cuts the new order into levels, the root's
    first; within a level no node is another's ancestor, and every child is in a later level.
    Elimination runs over the levels from the last to the first, substitution the other way.
    """

    order: Ints
    bounds: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Chains:
    """A tree as unbranched runs of nodes, each a tridiagonal system.

    Chain c is `nodes[bounds[c]:bounds[c + 1]]`, from the root's side outwards; each node but the
    last has one child, the next. `parent[c]` is the chain whose last node carries it (-1 at a
    root). Chains of one `level` (0 where nothing hangs on a chain) can be eliminated side by
    side. Parents come before children.
    """

    nodes: Ints
    bounds: Ints
    parent: Ints
    level: Ints


def check_order(parent: ArrayLike) -> None:
    """Raise unless every parent precedes its node."""
    parents = np.asarray(parent)
    wrong = np.flatnonzero((parents >= np.arange(len(parents))) | (parents < -1))
    if len(wrong):
        node = int(wrong[0])
        raise MorphologyError(f"node {node} has the parent {parents[node]}, which is not before it")


def elimination_levels(parent: ArrayLike) -> Ints:
    """Return the level (n,) of each node: 0 at leaves, else one more than its highest child's.

    All nodes of a level can be eliminated at once when the lower levels are done.

    >>> elimination_levels([-1, 0, 1, 1, 0]).tolist()
    [2, 1, 0, 0, 0]
    """
    check_order(parent)
    parents = np.asarray(parent).tolist()
    level = [0] * len(parents)
    for node in range(len(parents) - 1, -1, -1):
        above = parents[node]
        if above >= 0:
            level[above] = max(level[above], level[node] + 1)
    return np.array(level, np.int32)


def level_order(parent: ArrayLike) -> Levels:
    """Return the permutation that puts nodes of one elimination level side by side.

    >>> levels = level_order([-1, 0, 1, 0, 3])
    >>> levels.order.tolist(), levels.bounds.tolist()
    ([0, 1, 3, 2, 4], [0, 1, 3, 5])
    """
    level = elimination_levels(parent)
    order = np.argsort(-level, kind="stable")
    counts = np.bincount(level)[::-1]
    bounds = np.concatenate([[0], np.cumsum(counts)])
    return Levels(order.astype(np.int32), bounds.astype(np.int32))


def reordered(parent: ArrayLike, order: ArrayLike) -> Ints:
    """Return the parents (n,) of the nodes taken in `order`, as places in that order.

    >>> reordered([-1, 0, 0, 1], [0, 2, 1, 3]).tolist()
    [-1, 0, 0, 2]
    """
    parents, taken = np.asarray(parent), np.asarray(order)
    place = np.empty(len(taken), np.int32)
    place[taken] = np.arange(len(taken), dtype=np.int32)
    above = parents[taken]
    result = np.where(above >= 0, place[above], -1).astype(np.int32)
    check_order(result)
    return result


def chains(parent: ArrayLike) -> Chains:
    """Return the unbranched runs of the tree.

    >>> found = chains([-1, 0, 1, 2, 1])
    >>> found.nodes.tolist(), found.bounds.tolist(), found.parent.tolist(), found.level.tolist()
    ([0, 1, 2, 3, 4], [0, 2, 4, 5], [-1, 0, 0], [1, 0, 0])
    """
    check_order(parent)
    parents = np.asarray(parent).tolist()
    children = [0] * len(parents)
    for above in parents:
        if above >= 0:
            children[above] += 1
    runs: list[list[int]] = []
    chain_of: list[int] = []
    carried: list[int] = []
    for node, above in enumerate(parents):
        if above >= 0 and children[above] == 1:
            chain = chain_of[above]
        else:
            chain = len(runs)
            runs.append([])
            carried.append(chain_of[above] if above >= 0 else -1)
        chain_of.append(chain)
        runs[chain].append(node)
    bounds = np.cumsum([0, *map(len, runs)])
    return Chains(
        nodes=np.array([node for run in runs for node in run], np.int32),
        bounds=bounds.astype(np.int32),
        parent=np.array(carried, np.int32),
        level=elimination_levels(carried),
    )


def hines_solve(
    parent: ArrayLike, d: ArrayLike, a: ArrayLike, b: ArrayLike, rhs: ArrayLike
) -> Floats:
    """Return x with d[i] x[i] + b[i] x[parent[i]] + sum over children c of a[c] x[c] = rhs[i].

    `d`, `a`, `b` and `rhs` have shape (n,) or (n, cells) and broadcast against each other, with
    (n,) holding for every cell; so does the result. b[i] is the entry of row i in the column of
    its parent, a[i] that of the parent's row in column i; both are ignored at a root. There is no
    pivoting: the matrix of a cable is diagonally dominant. Elimination runs from the leaves to
    the root and fills in nothing.
    """
    check_order(parent)
    parents = np.asarray(parent).tolist()
    given = [np.asarray(one, np.float64) for one in (d, a, b, rhs)]
    if any(one.ndim == 2 for one in given):
        given = [one[:, None] if one.ndim == 1 else one for one in given]
    diagonal, above, below, x = given
    shape = np.broadcast_shapes(*(one.shape for one in given))
    diagonal, x = np.broadcast_to(diagonal, shape).copy(), np.broadcast_to(x, shape).copy()
    for node in range(len(parents) - 1, -1, -1):
        carrier = parents[node]
        if carrier >= 0:
            factor = above[node] / diagonal[node]
            diagonal[carrier] -= factor * below[node]
            x[carrier] -= factor * x[node]
    for node, carrier in enumerate(parents):
        if carrier >= 0:
            x[node] -= below[node] * x[carrier]
        x[node] /= diagonal[node]
    return x
