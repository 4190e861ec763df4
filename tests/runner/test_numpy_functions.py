"""What generated Python calls: kinetic schemes, masks, lists of instances."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lemsmith.runner.numpy_functions import (
    ALL,
    Attached,
    all_flow,
    chosen,
    each,
    factorial,
    flow,
    largest,
    least,
    rounds,
    runs,
)

GENERATOR = np.random.default_rng(4)


def rate_matrices(count, size, scale):
    """Return matrices whose columns sum to zero (count, size, size)."""
    rates = GENERATOR.uniform(0, scale, (count, size, size))
    rates[:, range(size), range(size)] = 0
    rates[:, range(size), range(size)] = -rates.sum(axis=1)
    return rates


@pytest.mark.parametrize("scale", [0.0, 1.0, 1e3, 1e6])
@pytest.mark.parametrize("size", [1, 2, 5])
def test_kinetic_schemes_of_many_flow_as_those_of_one(scale, size):
    rates = rate_matrices(7, size, scale) * GENERATOR.uniform(0, 1, 7)[:, None, None]
    occupancies = GENERATOR.uniform(0, 1, (7, size))
    found = all_flow(rates.copy(), 1e-3, occupancies)
    for rate, before, after in zip(rates, occupancies, found, strict=True):
        expected = flow(rate.ravel().tolist(), 1e-3, before.tolist())
        assert after.tolist() == expected


@pytest.mark.parametrize("scale", [1.0, 1e3, 1e6])
def test_occupancies_sum_to_what_they_did(scale):
    rates = rate_matrices(1, 4, scale)[0]
    after = flow(rates.ravel().tolist(), 1e-3, [0.5, 0.25, 0.25, 0.0])
    assert sum(after) == pytest.approx(1, abs=1e-12)
    assert min(after) >= 0


def test_a_scheme_of_two_states_follows_its_exponential():
    after = flow([-3.0, 1.0, 3.0, -1.0], 0.1, [1.0, 0.0])
    assert after[0] == pytest.approx(0.25 + 0.75 * math.exp(-0.4), rel=1e-14)


def test_rates_that_are_not_numbers_give_no_numbers():
    assert all(math.isnan(x) for x in flow([math.nan] * 4, 0.1, [1.0, 0.0]))


def test_a_mask_chooses_instances():
    assert chosen(ALL, np.array([True, True])) is ALL
    assert chosen(ALL, np.array([False, False])) is None
    assert chosen(ALL, np.array([False, True, True])).tolist() == [1, 2]
    assert chosen(np.array([5, 7, 9]), np.array([True, False, True])).tolist() == [5, 9]
    assert chosen(np.array([5, 7]), np.array([True, True])).tolist() == [5, 7]


def test_instances_are_taken_in_order():
    assert list(each(ALL, 3)) == [0, 1, 2]
    assert list(each(np.array([4, 2]), 9)) == [4, 2]


@given(st.lists(st.integers(0, 5), max_size=20))
def test_rounds_hold_every_target_as_often_as_it_came_and_none_twice_at_once(targets):
    found = list(rounds(np.array(targets, dtype=np.int64)))
    assert all(len(set(one.tolist())) == len(one) for one in found)
    assert sorted(np.concatenate([[], *found]).tolist()) == sorted(targets)
    assert len(found) == max((targets.count(t) for t in targets), default=0)


@given(st.lists(st.sampled_from([0.0, 1.0, 2.0]), max_size=20))
def test_runs_are_the_delays_in_order(delays):
    found = list(runs(np.array(delays)))
    assert [d for start, stop, d in found for _ in range(start, stop)] == delays
    assert all(one[2] != other[2] for one, other in pairwise(found))


@pytest.fixture
def mixed():
    """Two populations below three owners: owner 0 has 2 and 1 of them, owner 2 has 1 and 1."""
    return Attached(
        np.array([0, 3, 3, 5]),
        np.array([0, 1, 0, 1, 0], dtype=np.int32),
        np.array([2, 0, 0, 1, 1]),
        (3, 2),
    )


def test_what_is_below_comes_in_order_of_its_owners(mixed):
    assert mixed.below(0, ALL).tolist() == [2, 0, 1]
    assert mixed.below(1, ALL) is ALL
    assert mixed.below(0, np.array([2, 0])).tolist() == [1, 2, 0]
    assert mixed.below(1, np.array([0])).tolist() == [0]
    assert mixed.below(0, np.array([1])) is None


@pytest.mark.parametrize("reduce", ["add", "multiply"])
def test_terms_are_collected_one_after_the_other(mixed, reduce):
    terms = (np.array([1e16, 3.0, 1.0]), np.array([-1e16, 0.5]))
    found = mixed.collected(ALL, terms, reduce)
    if reduce == "add":
        assert found.tolist() == [0.0 + 1.0 - 1e16 + 1e16, 0.0, 3.5]
    else:
        assert found.tolist() == [1.0 * -1e16 * 1e16, 1.0, 1.5]
    part = mixed.collected(np.array([2, 1]), terms, reduce)
    assert part.tolist() == found[[2, 1]].tolist()


def test_nothing_below_sums_to_zero():
    none = Attached(np.zeros(3, dtype=np.int64), None, np.zeros(0, dtype=np.int64), (0,))
    assert none.collected(ALL, (np.zeros(0),), "add").tolist() == [0.0, 0.0]
    assert none.below(0, ALL) is None


def test_smaller_and_larger_pass_over_what_is_no_number():
    assert least(math.nan, 1.0) == least(1.0, math.nan) == least(2.0, 1.0) == 1.0
    assert largest(math.nan, 1.0) == largest(1.0, math.nan) == largest(0.0, 1.0) == 1.0


def test_a_factorial_overflows_to_infinity():
    assert factorial(5.9) == 120
    assert factorial(-3.0) == 1
    assert factorial(1e9) == math.inf
