"""The choice of how finely cells are cut."""

from __future__ import annotations

import pytest
from cables import driven, leak, model, section, segment
from lemsmith.converter.discretisation import Discretisation, discretisation_of
from lemsmith.errors import UsageError
from lemsmith.runner.pipeline import run, show


def document() -> str:
    """A cell of a soma in one compartment and a dendrite in three."""
    shape = (
        segment(0, None, (0.0, 0.0, 0.0, 10.0), (10.0, 0.0, 0.0, 10.0))
        + segment(1, 0, (10.0, 0.0, 0.0, 2.0), (210.0, 0.0, 0.0, 2.0))
        + section("soma", [0], 1)
        + section("dend", [1], 3)
    )
    pulse, network = driven("0.1 nA")
    return model(shape, leak(), network, ["p/0/c/0/v"], extra=pulse)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("export", Discretisation()),
        ("d_lambda", Discretisation("d_lambda", 0.1)),
        ("d_lambda=0.02", Discretisation("d_lambda", 0.02)),
        ("refine=5", Discretisation(refine=5)),
    ],
)
def test_a_choice_is_read(text, expected):
    assert discretisation_of(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lambda", "no discretisation is called 'lambda'; there are export"),
        ("refine", "no discretisation is called 'refine'"),
        ("refine=2", "odd"),
        ("refine=-3", "odd"),
        ("d_lambda=0", "above zero"),
        ("d_lambda=x", "'x' in --discretise d_lambda=x is no number"),
        ("d_lambda=nan", "above zero"),
    ],
)
def test_another_is_refused_by_name(text, message):
    with pytest.raises(UsageError, match=message):
        run(document(), discretise=text)


@pytest.mark.parametrize(
    ("text", "compartments"), [("export", 4), ("refine=3", 12), ("d_lambda=0.1", 8)]
)
def test_the_network_shows_the_compartments_that_were_chosen(text, compartments):
    shown = show(document(), "network", discretise=text)
    assert f"cable of {compartments} compartments" in shown


def test_the_method_jlems_has_no_compartments_to_cut():
    with pytest.raises(UsageError, match="jlems"):
        run(document(), method="jlems", discretise="refine=3")
