"""Results have the same bits for any number of threads."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import small_models
from lemsmith.codegen import ownership
from lemsmith.errors import NumericalError
from lemsmith.runner.build import build, kernel_flags
from lemsmith.runner.native_phases import NativePhases
from lemsmith.runner.pipeline import translate
from lemsmith.runner.request import made
from lemsmith.runner.threads import Threads
from usable import unusable

needs_compiler = pytest.mark.skipif(unusable("cpp") is not None, reason=str(unusable("cpp")))
pytestmark = needs_compiler

PLASTIC = """
<blockingPlasticSynapse id="plastic" gbase="4nS" erev="0mV" tauRise="1ms" tauDecay="8ms">
  <tsodyksMarkramDepFacMechanism type="tsodyksMarkramDepFacMechanism" initReleaseProb="0.5"
    tauRec="100ms" tauFac="50ms"/></blockingPlasticSynapse>
"""

#: An instantaneous kick: an event makes a condition true on the spot.
KICKED = """
<ComponentType name="kickSynapse" extends="baseSynapse">
  <Property name="weight" dimension="none" defaultValue="1"/>
  <Parameter name="size" dimension="current"/>
  <EventPort name="in" direction="in"/>
  <Dynamics>
    <StateVariable name="x" dimension="current"/>
    <DerivedVariable name="i" exposure="i" dimension="current" value="x"/>
    <TimeDerivative variable="x" value="-x / TAU"/>
    <OnEvent port="in"><StateAssignment variable="x" value="x * 0.9 + weight * size"/></OnEvent>
  </Dynamics>
  <Constant name="TAU" dimension="time" value="2ms"/>
</ComponentType>
<kickSynapse id="kick" size="0.08nA"/>
"""

CABLE = """
<ionChannelHH id="leakChan" conductance="10pS"/>
<ionChannelHH id="na" conductance="10pS">
  <gateHHrates id="m" instances="3">
    <forwardRate type="HHExpLinearRate" rate="1per_ms" midpoint="-40mV" scale="10mV"/>
    <reverseRate type="HHExpRate" rate="4per_ms" midpoint="-65mV" scale="-18mV"/>
  </gateHHrates>
</ionChannelHH>
<cell id="tree">
  <morphology id="shape">
    <segment id="0" name="soma"><proximal x="0" y="0" z="0" diameter="20"/>
      <distal x="20" y="0" z="0" diameter="20"/></segment>
    <segment id="1" name="a"><parent segment="0"/><proximal x="20" y="0" z="0" diameter="2"/>
      <distal x="120" y="0" z="0" diameter="2"/></segment>
    <segment id="2" name="b"><parent segment="0"/><proximal x="20" y="0" z="0" diameter="2"/>
      <distal x="20" y="100" z="0" diameter="1"/></segment>
  </morphology>
  <biophysicalProperties id="b">
    <membraneProperties>
      <channelDensity id="leak" ionChannel="leakChan" condDensity="0.3 mS_per_cm2"
          erev="-65mV" ion="non_specific"/>
      <channelDensity id="nas" ionChannel="na" condDensity="5 mS_per_cm2" erev="50mV" ion="na"/>
      <spikeThresh value="-20mV"/>
      <specificCapacitance value="1.0 uF_per_cm2"/>
      <initMembPotential value="-65mV"/>
    </membraneProperties>
    <intracellularProperties><resistivity value="0.1 kohm_cm"/></intracellularProperties>
  </biophysicalProperties>
</cell>
"""


def cables(cells: int) -> str:
    """Return cells of several compartments, driven and joined by synapses and gap junctions."""
    joined = "".join(
        f'<connectionWD id="{n}" preCellId="../pop/{n}/tree" preSegmentId="0" '
        f'postCellId="../pop/{(3 * n + 1) % cells}/tree" postSegmentId="2" '
        'weight="2" delay="0.5ms"/>'
        for n in range(cells)
    )
    ring = "".join(
        f'<electricalConnectionInstance id="{n}" preCell="../pop/{n}/tree" preSegment="1" '
        f'postCell="../pop/{(n + 1) % cells}/tree" postSegment="1" synapse="gap"/>'
        for n in range(cells)
    )
    inputs = "".join(
        f'<input id="{n}" target="../pop/{n}/tree" segmentId="0" destination="synapses"/>'
        for n in range(0, cells, 3)
    )
    return small_models.document(
        CABLE
        + '<expOneSynapse id="fast" gbase="6nS" erev="0mV" tauDecay="5ms"/>'
        + '<gapJunction id="gap" conductance="0.2nS"/>'
        + '<pulseGenerator id="pulse" delay="1ms" duration="8ms" amplitude="1nA"/>'
        + f'<network id="net"><population id="pop" type="populationList" component="tree" '
        f'size="{cells}">'
        + "".join(
            f'<instance id="{n}"><location x="{n}" y="0" z="0"/></instance>' for n in range(cells)
        )
        + '</population><projection id="p" presynapticPopulation="pop" '
        f'postsynapticPopulation="pop" synapse="fast">{joined}</projection>'
        '<electricalProjection id="e" presynapticPopulation="pop" postsynapticPopulation="pop">'
        f"{ring}</electricalProjection>"
        f'<inputList id="i" population="pop" component="pulse">{inputs}</inputList></network>',
        [f"pop/{n}/tree/{segment}/v" for n in range(cells) for segment in (0, 2)],
        [(f"pop/{n}/tree", "spike") for n in range(cells)],
        length="6ms",
        step="0.025ms",
    )


def integrators_with(parts: str, synapses: tuple[str, ...], delay: dict[int, str]) -> str:
    """Return cells that excite one another through other synapses."""
    size = small_models.SIZE
    inputs = "".join(f'<explicitInput target="pop[{n}]" input="pulse"/>' for n in range(0, size, 2))
    return small_models.document(
        small_models.CELLS.format(amplitude="0.5nA")
        + parts
        + f'<network id="net"><population id="pop" component="iaf" size="{size}"/>'
        + small_models.connections(delay, synapses)
        + inputs
        + "</network>",
        [f"pop[{n}]/v" for n in range(size)],
        [(f"pop[{n}]", "spike") for n in range(size)],
    )


MODELS = {
    **small_models.NETWORKS,
    "plastic": integrators_with(PLASTIC, ("fast", "plastic"), {0: "0.4ms", 1: "1ms"}),
    "plastic at once": integrators_with(PLASTIC, ("plastic",), {0: "0ms"}),
    "kicked": integrators_with(KICKED, ("kick",), {0: "0.2ms", 1: "0.3ms", 2: "0ms"}),
    "cables": cables(9),
    "one cable": cables(1),
}
NUMBERS = (1, 2, 3, 7)


@pytest.fixture(autouse=True)
def always_threaded(monkeypatch):
    """Let even small programs be written for threads."""
    monkeypatch.setattr(ownership, "WORTH", 0)


@cache
def plan_of(name: str, method: str, precision: str = "double"):
    request = made(MODELS[name], method=method, precision=precision)
    return translate(request)[0]


def started(plan, threads: int) -> NativePhases:
    library = build(plan.text, kernel_flags())
    return NativePhases(plan.program, library, plan.buffers, Threads(threads, fixed=True))


def everything(running: NativePhases, plan, numbers: tuple[int, ...], first: int) -> list[bytes]:
    """Return every row, event and stored value of a whole run, in chunks of growing length.

    Each chunk has the next of `numbers` threads.
    """
    steps = plan.program.steps
    rows = np.empty((steps + 1, max(1, len(plan.program.columns))))
    rows[0, : len(plan.program.columns)] = running.initial_row()
    done, chunk, turn = 0, first, 0
    while done < steps:
        running.threads.settled = numbers[turn % len(numbers)]
        wanted = min(chunk, steps - done)
        assert running.advance(wanted, rows[done + 1 : done + 1 + wanted]) == wanted
        done, chunk, turn = done + wanted, 2 * chunk - 1 if chunk > 1 else 4, turn + 1
    stored = [running.variables[key].tobytes() for key in sorted(running.variables)]
    return [rows.tobytes(), repr(running.events()).encode(), *stored]


CASES = [(name, "default") for name in MODELS]
CASES += [("events at once and later", "euler"), ("conditions", "euler"), ("cables", "neuron")]
CASES += [("events later", "rk4"), ("gap junctions", "rk4"), ("plastic", "exponential_euler")]


@pytest.mark.parametrize(("name", "method"), CASES)
def test_any_number_of_threads_gives_the_same_bits(name, method):
    plan = plan_of(name, method)
    assert "lemsmith_team.h" in plan.text
    alone = everything(started(plan, 1), plan, (1,), 10**6)
    for number in NUMBERS[1:]:
        assert everything(started(plan, number), plan, (number,), 3) == alone


@pytest.mark.parametrize("name", ["events at once and later", "plastic", "generators", "cables"])
def test_the_number_may_change_while_it_runs(name):
    plan = plan_of(name, "default")
    alone = everything(started(plan, 1), plan, (1,), 10**6)
    assert everything(started(plan, 7), plan, (2, 7, 1, 3, 3, 2), 1) == alone


@pytest.mark.parametrize("name", ["events later", "plastic"])
def test_single_precision_has_the_same_bits_too(name):
    plan = plan_of(name, "default", "single")
    alone = everything(started(plan, 1), plan, (1,), 10**6)
    assert everything(started(plan, 3), plan, (3,), 3) == alone


@pytest.mark.parametrize("name", ["events later", "events at once", "gap junctions"])
def test_events_do_occur(name):
    plan = plan_of(name, "default")
    running = started(plan, 3)
    everything(running, plan, (3,), 8)
    assert sum(map(len, running.events())) > 0


def test_a_fault_is_the_same_whoever_finds_it():
    source = small_models.document(
        small_models.OSCILLATOR.replace('value="900 * y / SEC"', 'value="x * x * 900 / SEC"')
        + '<network id="net"><population id="pop" component="osc" size="40"/></network>',
        ["pop[0]/x"],
        length="40ms",
    )
    plan = translate(made(source, method="euler"))[0]
    said = set()
    for number in NUMBERS:
        running = started(plan, number)
        with pytest.raises(NumericalError) as error:
            everything(running, plan, (number,), 64)
        said.add(str(error.value))
    assert len(said) == 1
