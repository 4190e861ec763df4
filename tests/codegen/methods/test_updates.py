"""The slopes that methods need, through assignments and sums."""

from __future__ import annotations

import pytest
from lemsmith.codegen.methods.updates import closure, slope
from lemsmith.converter.evaluate import evaluate
from lemsmith.converter.expressions import ZERO, parse, show
from lemsmith.converter.network import Collect
from straight_line import population

SYNAPSE = population(
    derived={"drive": "e - v", "i": "g * drive"}, parameters={"e": 2.0}, states=("v", "g")
)


def test_a_slope_goes_through_assignments():
    assert show(slope(SYNAPSE, parse("i / c"), "v", {})) == "(-g) / c"


def test_what_does_not_depend_on_a_state_has_no_slope():
    assert slope(SYNAPSE, parse("e * 2"), "v", {}) == ZERO


def test_a_sum_has_the_slope_that_is_collected_with_it():
    given = population(
        assignments=(Collect("total", (("q", "i"),), "add"),), states=("v",), parameters={"c": 2.0}
    )
    found = slope(given, parse("total / c"), "v", {("total", "v"): "total__slope"})
    assert evaluate(found, {"total__slope": 6.0, "c": 2.0}) == 3.0
    assert slope(given, parse("total / c"), "v", {}) == ZERO


def test_a_random_value_has_no_slope():
    assert slope(SYNAPSE, parse("random(v)"), "v", {}) is None


@pytest.mark.parametrize(
    ("text", "expected"), [("i", {"i", "g", "drive", "e", "v"}), ("g + 1", {"g"}), ("3", set())]
)
def test_what_a_tree_depends_on_is_found_through_assignments(text, expected):
    assert closure(SYNAPSE, parse(text)) == expected
