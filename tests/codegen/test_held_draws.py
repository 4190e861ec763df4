"""random() in equations: one draw per step and instance, whatever looks at it."""

from __future__ import annotations

import lemsmith
import numpy as np
import pytest
from lemsmith.codegen.held_draws import hold_draws, is_draw
from lemsmith.codegen.lower_cable import CABLE_METHODS
from lemsmith.codegen.lower_phases import ONE_STAGE
from lemsmith.codegen.methods.runge_kutta import TABLEAUS
from lemsmith.converter.optimise import optimise
from networks import network_of

METHODS = sorted({*ONE_STAGE, *TABLEAUS, *CABLE_METHODS, "neuron"})

#: `same` is zero where both readers of `r` see one draw; x integrates it; `fires` counts.
MODEL = """<Lems>
<Target component="sim"/>
<Include file="NeuroML2CoreTypes.xml"/>
<Include file="Simulation.xml"/>
<ComponentType name="noisy" extends="baseCell">
  <Parameter name="tau" dimension="time"/>
  <Exposure name="x" dimension="none"/>
  <Exposure name="y" dimension="none"/>
  <Exposure name="r" dimension="none"/>
  <Exposure name="same" dimension="none"/>
  <Exposure name="fires" dimension="none"/>
  <Dynamics>
    <StateVariable name="x" dimension="none" exposure="x"/>
    <StateVariable name="y" dimension="none" exposure="y"/>
    <StateVariable name="fires" dimension="none" exposure="fires"/>
    <DerivedVariable name="r" dimension="none" exposure="r" value="random(2) - 1"/>
    <DerivedVariable name="same" dimension="none" exposure="same" value="r - (r + r) / 2"/>
    <TimeDerivative variable="x" value="r / tau"/>
    <TimeDerivative variable="y" value="random(1) / tau"/>
    <OnCondition test="r .gt. 0.5">
      <StateAssignment variable="fires" value="fires + 1"/>
    </OnCondition>
  </Dynamics>
</ComponentType>
<noisy id="n" tau="1ms"/>
<network id="net"><population id="p" component="n" size="{size}"/></network>
<Simulation id="sim" length="{length}" step="0.1ms" target="net" seed="5">
  <OutputFile id="o" fileName="r.dat">{columns}</OutputFile>
</Simulation>
</Lems>
"""


def model(size=3, length="20ms", names=("x", "y", "r", "same", "fires")):
    columns = [
        f'<OutputColumn id="{name}{n}" quantity="p[{n}]/{name}"/>'
        for n in range(size)
        for name in names
    ]
    return MODEL.format(size=size, length=length, columns="".join(columns))


def column(recording, name, instance=0):
    return np.asarray(recording[f"p[{instance}]/{name}"])


@pytest.mark.parametrize("method", METHODS)
def test_every_reader_of_a_step_sees_one_draw(method):
    recording = lemsmith.run(model(), method=method)
    assert np.all(column(recording, "same") == 0)
    drawn = column(recording, "r")
    assert len(np.unique(drawn)) == len(drawn)


@pytest.mark.parametrize("method", METHODS)
def test_noise_is_constant_during_a_step_so_every_method_integrates_it_exactly(method):
    recording = lemsmith.run(model(), method=method)
    # Row k + 1 holds the draw of the step that led to it.
    expected = np.concatenate([[0], np.cumsum(column(recording, "r")[1:]) * 0.1])
    assert column(recording, "x") == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_a_draw_in_a_derivative_is_one_for_all_stages(method):
    grown = np.diff(column(lemsmith.run(model(), method=method), "y"))
    euler = np.diff(column(lemsmith.run(model(), method="euler"), "y"))
    assert grown == pytest.approx(euler, abs=1e-12)
    assert np.all((grown >= 0) & (grown < 0.1))


def test_a_condition_on_a_draw_is_tested_once_per_step():
    recording = lemsmith.run(model(length="200ms"))
    drawn, fires = column(recording, "r"), column(recording, "fires")
    assert np.array_equal(np.diff(fires), drawn[1:] > 0.5)


def test_draws_are_the_same_on_every_backend(backend):
    source = model(size=40, length="2ms")
    expected = lemsmith.run(source, backend="cpp", method="rk4")
    found = lemsmith.run(source, backend=backend, method="rk4")
    for n in range(40):
        assert np.array_equal(column(found, "r", n), column(expected, "r", n))
        assert column(found, "x", n) == pytest.approx(column(expected, "x", n), abs=1e-12)


def test_draws_depend_on_the_seed_and_the_instance_alone():
    one = lemsmith.run(model())
    again = lemsmith.run(model(size=5), threads=2)
    other = lemsmith.run(model(), seed=6)
    assert np.array_equal(column(one, "r", 2), column(again, "r", 2))
    assert not np.any(column(one, "r") == column(other, "r"))
    assert not np.any(column(one, "r") == column(one, "r", 1))


def test_draws_are_uniform_and_independent_from_step_to_step():
    drawn = column(lemsmith.run(model(size=1, length="2s", names=("r",))), "r")
    # Of 20001 numbers in [-1, 1): four standard errors of mean, variance and correlation.
    assert abs(drawn.mean()) < 4 / np.sqrt(3 * len(drawn))
    assert abs(drawn.var() - 1 / 3) < 4 * np.sqrt(4 / 45 / len(drawn))
    assert abs(np.corrcoef(drawn[1:], drawn[:-1])[0, 1]) < 4 / np.sqrt(len(drawn))


@pytest.mark.parametrize("method", ["reference", "cvode"])
def test_methods_that_choose_their_steps_refuse_noise_by_name(method):
    with pytest.raises(lemsmith.LemsmithError, match="'p' draws random numbers"):
        lemsmith.run(model(), method=method)


def test_a_network_without_draws_is_returned_as_it_is():
    plain = optimise(network_of(model().replace("random(2)", "2").replace("random(1)", "1")))
    assert hold_draws(plain) is plain


def test_each_occurrence_has_a_variable_of_its_own():
    held = hold_draws(optimise(network_of(model())))
    (cells,) = [p for p in held.populations if p.name == "p"]
    assert sum(map(is_draw, cells.variables)) == 2


def test_the_reference_s_runge_kutta_draws_at_every_stage():
    source = model(size=1, names=("x", "y", "r")).replace(
        "<Dynamics>", '<Dynamics simultaneous="true">'
    )
    source = source[: source.index("<OnCondition")] + source[source.index("</OnCondition>") + 14 :]
    recording = lemsmith.run(source, method="jlems", backend="cpp")
    other = lemsmith.run(source, method="jlems", backend="numpy")
    for name in ("x", "y", "r"):
        assert np.array_equal(column(recording, name), column(other, name))
    # A step's increment is a mean of four draws, by weights of 1, 2, 2 and 1 in 6.
    grown = np.diff(column(recording, "y")) / 0.1
    expected = np.sqrt((1 + 4 + 4 + 1) / 36 / 12)
    assert grown.std() == pytest.approx(expected, rel=4 / np.sqrt(2 * len(grown)))
