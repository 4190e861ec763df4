"""Folding keeps every rate and leaves nothing to compute that is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from expression_trees import TREES, VALUES
from hypothesis import given
from lemsmith.converter.evaluate import evaluate
from lemsmith.converter.expressions import Name, Number, operations, parse, show
from lemsmith.converter.network import Assign, Collect, Network, RunSettings
from lemsmith.converter.passes.fold_constants import fold, fold_constants
from networks import Values, network_of, random_states
from small_models import NETWORKS


@given(TREES, VALUES)
def test_a_value_stays_what_it_was(tree, values):
    before = float(evaluate(tree, values))
    if np.isfinite(before):
        after = float(evaluate(fold(tree), values))
        np.testing.assert_allclose(after, before, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("before", "after"),
    [("v / 4", "v * 0.25"), ("v / (10 * 0.1)", "v"), ("(1 + 2) * x", "3 * x"), ("v / 0", "v / 0")],
)
def test_constants_are_evaluated(before, after):
    assert show(fold(parse(before))) == after


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_keeps_its_rates(name):
    before = network_of(NETWORKS[name])
    after = fold_constants(before)
    states = random_states(before, seed=1)
    for old, new in zip(before.populations, after.populations, strict=True):
        wanted, found = Values(before, states).rates(old), Values(after, states).rates(new)
        assert wanted.keys() == found.keys()
        for state, rate in wanted.items():
            np.testing.assert_allclose(
                found[state], rate, rtol=1e-12, err_msg=f"{old.name} {state}"
            )


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_computes_no_more_than_before(name):
    def work(network):
        return sum(
            operations(tree)
            for p in network.populations
            for tree in [d.value for d in p.derivatives]
            + [a.value for a in p.assignments if isinstance(a, Assign)]
        )

    before = network_of(NETWORKS[name])
    assert work(fold_constants(before)) <= work(before)


def test_a_sum_over_nothing_is_a_number():
    cell = network_of(NETWORKS["kinetic schemes"]).population("pop")
    nothing = Collect("nothing", (), "multiply")
    used = replace(cell.derivatives[0], value=Name("nothing"))
    network = Network(
        "equations",
        (replace(cell, assignments=(nothing,), derivatives=(used,)),),
        *((),) * 3,
        RunSettings(1e-5, 1e-3, 0),
    )
    (folded,) = fold_constants(network).populations
    assert folded.assignments == (Assign("nothing", Number(1.0)),)
    assert folded.derivatives[0].value == Number(1.0)
