"""The record of many moments at once says what the equations say at each of them."""

from __future__ import annotations

import numpy as np
from lemsmith.codegen.continuous import gather, gather_rows
from numpy.testing import assert_allclose


def test_sums_over_time_are_those_of_every_moment() -> None:
    owners = np.array([0, 2, 2])
    values = np.arange(12.0).reshape(3, 4)
    for reduce in ("add", "mul"):
        rows = gather_rows((3, 4), reduce, ((owners, values), (np.array([1]), 0.5)))
        for k in range(4):
            once = gather(3, reduce, ((owners, values[:, k]), (np.array([1]), 0.5)))
            assert_allclose(rows[:, k], once)
