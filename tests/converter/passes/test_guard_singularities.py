"""0/0 in rates becomes its limit, and every other value stays."""

from __future__ import annotations

import numpy as np
import pytest
from expression_trees import TREES, VALUES
from hypothesis import given
from lemsmith.converter.evaluate import evaluate
from lemsmith.converter.expressions import Binary, Choose, Name, Number, calls, parse, show
from lemsmith.converter.passes.guard_singularities import guard, guard_singularities
from networks import Values, network_of, random_states
from small_models import NETWORKS

SINGULAR = [
    "x / (exp(x) - 1)",
    "x / (1 - exp(x))",
    "x / (1 - exp(0 - x))",
    "r * x / (1 - exp(-1 * x))",
    "r * x / (exp(x) - 1)",
    "0.1 * (v + 40) / (1 - exp(-0.1 * (v + 40)))",
    "r * ((v - m) / s) / (1 - exp(-(v - m) / s))",
]
VALUE = {"r": 3.0, "m": 0.25, "s": 0.5}


@pytest.mark.parametrize("text", SINGULAR)
def test_a_quotient_of_this_form_is_guarded(text):
    assert calls(guard(parse(text)), "exprelr")


@pytest.mark.parametrize("text", SINGULAR)
def test_it_is_what_it_was_away_from_the_singular_point(text):
    points = {**VALUE, "x": np.linspace(-3.05, 3.1, 40), "v": np.linspace(-80.03, 30.07, 40)}
    before, after = (evaluate(tree, points) for tree in (parse(text), guard(parse(text))))
    np.testing.assert_allclose(after, before, rtol=1e-12)


@pytest.mark.parametrize("text", SINGULAR)
def test_it_goes_smoothly_through_the_singular_point(text):
    at = {"x": 0.0, "v": 0.25 if "s" in text.replace("exp", "") else -40.0}
    near = {name: value + 1e-7 for name, value in at.items()}
    middle, beside = (float(evaluate(guard(parse(text)), {**VALUE, **p})) for p in (at, near))
    assert np.isnan(evaluate(parse(text), {**VALUE, **at}))
    assert middle == pytest.approx(beside, rel=1e-6)


@pytest.mark.parametrize("text", ["x / (exp(y) - 1)", "x^2 / (exp(x) - 2)", "1 / (exp(x) - 1)"])
def test_a_quotient_without_a_limit_stays(text):
    assert show(guard(parse(text))) == show(parse(text))


def test_an_authors_own_case_goes_where_it_says_the_same():
    away = parse("r * x / (1 - exp(0 - x))")
    case = Choose(Binary("!=", Name("x"), Number(0.0)), away, Name("r"))
    assert show(guard(case)) == "r * exprelr(-x)"


def test_an_authors_own_case_stays_where_it_says_something_else():
    away = parse("r * x / (1 - exp(0 - x))")
    case = Choose(Binary("!=", Name("x"), Number(0.0)), away, Number(7.0))
    assert isinstance(guard(case), Choose)
    assert evaluate(guard(case), {"r": 2.0, "x": 0.0}) == 7.0


@given(TREES, VALUES)
def test_a_finite_value_stays_what_it_was(tree, values):
    before = float(evaluate(tree, values))
    if np.isfinite(before):
        after = float(evaluate(guard(tree), values))
        np.testing.assert_allclose(after, before, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_keeps_its_rates(name):
    before = network_of(NETWORKS[name])
    after = guard_singularities(before)
    states = random_states(before, seed=2)
    for old, new in zip(before.populations, after.populations, strict=True):
        found = Values(after, states).rates(new)
        for state, rate in Values(before, states).rates(old).items():
            np.testing.assert_allclose(found[state], rate, rtol=1e-9, err_msg=f"{old.name} {state}")
