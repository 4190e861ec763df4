"""The order of elimination, chains, and the tree solver against a dense one."""

from __future__ import annotations

import doctest
import importlib
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lemsmith.converter.cable_trees import (
    chains,
    elimination_levels,
    hines_solve,
    level_order,
    reordered,
)
from lemsmith.converter.morphology import MorphologyError


@st.composite
def trees(draw: st.DrawFn) -> list[int]:
    """Draw parents of up to 40 nodes, each before its children; sometimes several roots."""
    size = draw(st.integers(1, 40))
    return [-1, *(draw(st.integers(max(-1, node - 4), node - 1)) for node in range(1, size))]


def system(parent: list[int], cells: int | None, seed: int) -> tuple[np.ndarray, ...]:
    """Return d, a, b, rhs of a diagonally dominant tree, with a trailing axis if `cells`."""
    random = np.random.default_rng(seed)
    shape = (len(parent),) if cells is None else (len(parent), cells)
    a, b = -random.uniform(0.1, 2, shape), -random.uniform(0.1, 2, shape)
    d = random.uniform(0.1, 1, shape)
    for node, above in enumerate(parent):
        if above >= 0:
            d[node] -= b[node]
            d[above] -= a[node]
    return d, a, b, random.normal(size=shape)


def dense(parent: list[int], d: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    matrix = np.diag(d)
    for node, above in enumerate(parent):
        if above >= 0:
            matrix[node, above] = b[node]
            matrix[above, node] = a[node]
    return matrix


@given(trees(), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_the_tree_solver_equals_a_dense_solver(parent, seed):
    d, a, b, rhs = system(parent, None, seed)
    expected = np.linalg.solve(dense(parent, d, a, b), rhs)
    assert hines_solve(parent, d, a, b, rhs) == pytest.approx(expected, rel=1e-10, abs=1e-12)


@given(trees(), st.integers(0, 2**32))
@settings(max_examples=20, deadline=None)
def test_many_cells_are_solved_as_each_alone(parent, seed):
    d, a, b, rhs = system(parent, 3, seed)
    together = hines_solve(parent, d, a, b, rhs)
    assert together.shape == (len(parent), 3)
    for k in range(3):
        alone = hines_solve(parent, d[:, k], a[:, k], b[:, k], rhs[:, k])
        assert together[:, k].tolist() == alone.tolist()


def test_one_matrix_serves_many_right_hand_sides():
    parent = [-1, 0, 1, 1]
    d, a, b, _ = system(parent, None, 1)
    rhs = np.random.default_rng(2).normal(size=(4, 5))
    together = hines_solve(parent, d, a, b, rhs)
    assert together == pytest.approx(np.linalg.solve(dense(parent, d, a, b), rhs))


def test_the_solver_leaves_its_arguments_alone():
    given_ = system([-1, 0, 1], None, 3)
    before = [one.copy() for one in given_]
    hines_solve([-1, 0, 1], *given_)
    assert all((one == old).all() for one, old in zip(given_, before, strict=True))


@given(trees(), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_the_solution_does_not_depend_on_the_order_of_the_nodes(parent, seed):
    d, a, b, rhs = system(parent, None, seed)
    order = level_order(parent).order
    taken = hines_solve(reordered(parent, order), d[order], a[order], b[order], rhs[order])
    assert taken == pytest.approx(hines_solve(parent, d, a, b, rhs)[order], rel=1e-10, abs=1e-12)


@given(trees())
@settings(max_examples=60, deadline=None)
def test_a_level_order_is_a_permutation_with_parents_first_and_levels_apart(parent):
    levels = level_order(parent)
    assert sorted(levels.order) == list(range(len(parent)))
    above = reordered(parent, levels.order)
    level_of = np.repeat(np.arange(len(levels.bounds) - 1), np.diff(levels.bounds))
    below = np.flatnonzero(above >= 0)
    assert (level_of[above[below]] < level_of[below]).all()
    assert (np.diff(levels.bounds) > 0).all()


@given(trees())
@settings(max_examples=60, deadline=None)
def test_a_node_is_eliminated_only_after_all_its_children(parent):
    level = elimination_levels(parent)
    for node in range(len(parent)):
        below = [level[child] for child, above in enumerate(parent) if above == node]
        assert level[node] == (max(below) + 1 if below else 0)


@given(trees())
@settings(max_examples=60, deadline=None)
def test_chains_hold_every_node_once_and_end_only_where_the_tree_does_not_go_straight(parent):
    found = chains(parent)
    assert sorted(found.nodes) == list(range(len(parent)))
    children = [parent.count(node) for node in range(len(parent))]
    for index in range(len(found.bounds) - 1):
        run = found.nodes[found.bounds[index] : found.bounds[index + 1]].tolist()
        for before, after in pairwise(run):
            assert parent[after] == before
            assert children[before] == 1
        assert children[run[-1]] != 1
        carrier = found.parent[index]
        if carrier < 0:
            assert parent[run[0]] == -1
        else:
            assert carrier < index
            assert parent[run[0]] == found.nodes[found.bounds[carrier + 1] - 1]
            assert found.level[carrier] > found.level[index]


@pytest.mark.parametrize("parent", [[0], [-1, 2, 0], [-1, -2], [1, -1]])
@pytest.mark.parametrize("function", [elimination_levels, level_order, chains])
def test_a_parent_after_its_node_is_refused(function, parent):
    with pytest.raises(MorphologyError, match="not before it"):
        function(parent)


def test_a_chain_of_a_hundred_thousand_nodes_is_one_chain():
    parent = np.arange(-1, 99_999)
    assert len(chains(parent).parent) == 1
    assert elimination_levels(parent)[0] == 99_999


@pytest.mark.parametrize("name", ["cable_trees", "morphology"])
def test_the_examples_in_the_docstrings_hold(name):
    result = doctest.testmod(importlib.import_module(f"lemsmith.converter.{name}"))
    assert result.attempted > 3
    assert not result.failed
