"""Events of which each leads to several others end in an error, not in a full memory.

The networks are rings of cells that answer each event at once with an event to the next four.
"""

from __future__ import annotations

import pytest
from lemsmith.errors import NumericalError
from lemsmith.runner.pipeline import run

CELLS, ANSWERS = 12, 4

MODEL = """<Lems>
<Target component="sim"/>
<Include file="NeuroMLCoreDimensions.xml"/>
<Include file="Simulation.xml"/>
<ComponentType name="answering">
  <Parameter name="start" dimension="time"/>
  <EventPort name="in" direction="in"/>
  <EventPort name="out" direction="out"/>
  <Exposure name="seen" dimension="none"/>
  <Dynamics>
    <StateVariable name="seen" dimension="none" exposure="seen"/>
    <StateVariable name="begun" dimension="none"/>
    <OnCondition test="begun .eq. 0 .and. t .gt. start">
      <StateAssignment variable="begun" value="1"/>
      <EventOut port="out"/>
    </OnCondition>
    <OnEvent port="in">
      <StateAssignment variable="seen" value="seen + 1"/>
      <EventOut port="out"/>
    </OnEvent>
  </Dynamics>
</ComponentType>
<ComponentType name="cells">
  <Parameter name="size" dimension="none"/>
  <ComponentReference name="component" type="answering"/>
  <Structure><MultiInstantiate number="size" component="component"/></Structure>
</ComponentType>
<ComponentType name="wire">
  <Path name="from"/>
  <Path name="to"/>
  <Parameter name="delay" dimension="time"/>
  <Structure>
    <With instance="from" as="a"/>
    <With instance="to" as="b"/>
    <EventConnection from="a" to="b" delay="delay"/>
  </Structure>
</ComponentType>
<ComponentType name="wired">
  <Children name="groups" type="cells"/>
  <Children name="wires" type="wire"/>
</ComponentType>
<answering id="one" start="0.2 ms"/>
<wired id="net"><cells id="pop" component="one" size="{cells}"/>{wires}</wired>
<Simulation id="sim" length="40 ms" step="0.1 ms" target="net">
<OutputFile id="of" fileName="out.dat"><OutputColumn id="c" quantity="pop[0]/seen"/></OutputFile>
</Simulation>
</Lems>
"""


def model(*delays, answers=ANSWERS):
    """Return the network; connections take `delays` [ms] in turn."""
    wires = "".join(
        f'<wire from="pop[{i}]" to="pop[{(i + k + 1) % CELLS}]" '
        f'delay="{delays[(i + k) % len(delays)]} ms"/>'
        for i in range(CELLS)
        for k in range(answers)
    )
    return MODEL.format(cells=CELLS, wires=wires)


def few(_program, _least=0):
    return 3000


@pytest.fixture
def few_events(monkeypatch):
    """Let lists of events be short, so that they are soon full."""
    monkeypatch.setattr("lemsmith.codegen.emit_phases.most_events", few)
    monkeypatch.setattr("lemsmith.codegen.emit_numpy_steps.most_events", few)
    monkeypatch.setattr("lemsmith.runner.native.most_events", few)
    monkeypatch.setattr("lemsmith.runner.numpy_phases.most_events", few)


@pytest.mark.usefixtures("few_events")
@pytest.mark.parametrize("delays", [(0.3,), (0.2, 0.5, 0.3)], ids=["one-delay", "several"])
@pytest.mark.parametrize("method", ["default", "jlems"])
def test_events_that_multiply_end_in_an_error_with_time_and_population(backend, method, delays):
    with pytest.raises(NumericalError, match=r"t = 0\.00\d+ s more of 'out' of 'pop' are on"):
        run(model(*delays), method=method, backend=backend)


@pytest.mark.usefixtures("few_events")
@pytest.mark.parametrize("method", ["default", "jlems"])
def test_delays_below_a_step_do_not_keep_a_step_for_ever(backend, method):
    with pytest.raises(NumericalError, match=r"without end|round in a circle"):
        run(model(0.01), method=method, backend=backend)


@pytest.mark.usefixtures("few_events")
def test_threads_and_exact_times_end_alike():
    for options in ({"threads": 3}, {"events": "exact"}):
        with pytest.raises(NumericalError, match="multiply without end"):
            run(model(0.3), **options)


def test_the_reference_solution_ends_alike(monkeypatch):
    monkeypatch.setattr("lemsmith.runner.adaptive.FEWEST", -700)
    with pytest.raises(NumericalError, match="multiply without end"):
        run(model(0.2, 0.5, 0.3), method="reference")


@pytest.mark.usefixtures("few_events")
@pytest.mark.parametrize("method", ["default", "jlems"])
def test_events_that_are_answered_by_one_each_go_on(backend, method):
    recording = run(model(0.3, answers=1), method=method, backend=backend, length="20 ms")
    (path,) = recording.keys()
    assert recording[path][-1] > 50


@pytest.mark.slow
def test_the_lists_are_full_before_the_memory_is():
    with pytest.raises(NumericalError, match="multiply without end"):
        run(model(0.2, 0.5, 0.3))
