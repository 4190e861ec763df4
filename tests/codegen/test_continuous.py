"""The record of many moments at once says what the equations say at each of them."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from lemsmith.codegen.continuous import gather, gather_rows
from lemsmith.codegen.continuous_cable import axial_matrix, couplings
from numpy.testing import assert_allclose


def test_sums_over_time_are_those_of_every_moment() -> None:
    owners = np.array([0, 2, 2])
    values = np.arange(12.0).reshape(3, 4)
    for reduce in ("add", "mul"):
        rows = gather_rows((3, 4), reduce, ((owners, values), (np.array([1]), 0.5)))
        for k in range(4):
            once = gather(3, reduce, ((owners, values[:, k]), (np.array([1]), 0.5)))
            assert_allclose(rows[:, k], once)


#: Compartments 0, 1 and 2 meet at the junction 3, which hangs on 0; 4 S, 2 S and 3 S.
STAR = SimpleNamespace(
    cells=2,
    capacitance=np.ones(3),
    parent=np.array([-1, 3, 3, 0]),
    conductance=np.array([0.0, 2.0, 3.0, 4.0]),
)


def test_a_junction_leaves_conductances_between_its_neighbours() -> None:
    found = couplings(STAR)  # type: ignore[arg-type]
    assert found[0, 1] == pytest.approx(4 * 2 / 9)
    assert found[1, 2] == found[2, 1] == pytest.approx(2 * 3 / 9)
    assert all(3 not in pair for pair in found)


def test_what_flows_along_a_cable_leaves_what_it_comes_from() -> None:
    pytest.importorskip("scipy")
    matrix = axial_matrix(STAR).toarray()  # type: ignore[arg-type]
    assert_allclose(matrix.sum(axis=0), 0, atol=1e-15)
    assert_allclose(matrix @ np.ones(6), 0, atol=1e-15)
    # Cells do not touch one another.
    assert matrix[0, 3] == 0
    assert matrix[0, 2] == pytest.approx(4 * 2 / 9)
