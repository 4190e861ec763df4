"""CUDA text, run on the host, does what C++ does: the same states, spikes and times."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from corpus import ABSENT, CORPUS, EXAMPLES, MICRO, ROOT, model_files
from lemsmith.codegen import device_events
from lemsmith.codegen.device_events import events_of
from lemsmith.errors import NumericalError, UsageError
from lemsmith.runner.cuda_host_run import host_grid
from lemsmith.runner.pipeline import run
from nvcc import assert_compiles, needs_nvcc
from side_by_side import advanced, assert_same, assert_same_spikes, on_host, plans
from test_micro_models import RUN
from usable import on_a_gpu

#: The single-compartment examples. Ex18 leaves the finite numbers in C++ as well.
SINGLE = (
    "Ex0_IaF",
    "Ex1_HH",
    "Ex2_Izh",
    "Ex3_Net",
    "Ex4_KS",
    "Ex4a_KS",
    "Ex5_DetCell",
    "Ex6_NMDA",
    "Ex7_STP",
    "Ex8_AdEx",
    "Ex9_FN",
    "Ex10_Q10",
    "Ex11_STDP",
    "Ex12_Net2",
    "Ex13_Instances",
    "Ex14_PyNN",
    "Ex15_CaDynamics",
    "Ex16_Inputs",
    "Ex17_Tissue",
    "Ex19_GapJunctions",
    "Ex19a_GapJunctionInstances",
    "Ex20_AnalogSynapses",
    "Ex20a_AnalogSynapsesHH",
    "Ex21_CurrentBasedSynapses",
    "Ex22_PinskyRinzelCA3",
    "Ex23_Spiketimes",
    "Ex24_FractionalConductance",
    "Ex26_Weights",
    "Ex27_MultiSynapses",
)
#: The multi-compartment one; `test_cables_on_backends.py` holds it to C++, with the morphologies.
MULTIPLE = ("Ex25_MultiComp",)

SHORT, LONG = 500, 200_000


@pytest.mark.skipif(ABSENT is not None, reason=str(ABSENT))
@pytest.mark.parametrize("name", SINGLE)
def test_an_example_takes_the_same_steps_as_in_cpp(name):
    assert_same(EXAMPLES / f"LEMS_NML2_{name}.xml", SHORT)


@pytest.mark.slow
@pytest.mark.skipif(ABSENT is not None, reason=str(ABSENT))
@pytest.mark.parametrize("name", SINGLE)
def test_an_example_ends_as_in_cpp(name):
    assert_same(EXAMPLES / f"LEMS_NML2_{name}.xml", LONG)


@on_a_gpu
@pytest.mark.skipif(ABSENT is not None, reason=str(ABSENT))
@pytest.mark.parametrize("name", SINGLE)
def test_an_example_spikes_on_a_gpu_as_in_cpp(name):
    assert_same_spikes(EXAMPLES / f"LEMS_NML2_{name}.xml", "cuda")


#: The examples held in single precision, too: with fewer digits their spikes come within a step.
FIRING = ("Ex1_HH", "Ex2_Izh", "Ex3_Net", "Ex5_DetCell", "Ex7_STP", "Ex25_MultiComp")


@pytest.mark.skipif(ABSENT is not None, reason=str(ABSENT))
@pytest.mark.parametrize("name", FIRING)
def test_an_example_in_single_precision_spikes_within_a_step_and_a_thousandth(name):
    source = EXAMPLES / f"LEMS_NML2_{name}.xml"
    assert assert_same_spikes(source, "cuda-on-host", relative=1e-3, precision="single") > 0


@pytest.mark.slow
@needs_nvcc
@pytest.mark.skipif(ABSENT is not None, reason=str(ABSENT))
@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("name", [*SINGLE, *MULTIPLE])
def test_nvcc_compiles_an_example_without_a_warning(name, precision, tmp_path):
    (plan,) = plans(EXAMPLES / f"LEMS_NML2_{name}.xml", ("cuda",), precision=precision)
    (again,) = plans(EXAMPLES / f"LEMS_NML2_{name}.xml", ("cuda",), precision=precision)
    assert plan.text == again.text
    assert_compiles(plan.text, tmp_path)


#: Micro-models that only the reference's order of steps runs.
ONLY_JLEMS = ("m08_random", "m08_random_noseed")


@pytest.mark.slow
@pytest.mark.skipif(not MICRO.is_dir(), reason=f"the micro-models are not at {MICRO}")
@pytest.mark.parametrize("name", [name for name in RUN if name not in ONLY_JLEMS])
def test_a_micro_model_takes_the_same_steps_as_in_cpp(name):
    assert_same(MICRO / f"{name}.xml", SHORT)


#: Public models, as far below the collection of osb.
PUBLIC = sorted(
    path
    for path in model_files(CORPUS / "osb", ".xml")
    if path.name.startswith("LEMS_")
    # Too large for fibres, or for a compiler in a test.
    and not any(part in path.name for part in ("BigCA1", "Full", "Complex", "L23_IV"))
)


@pytest.mark.slow
@pytest.mark.skipif(ABSENT is not None, reason=str(ABSENT))
@pytest.mark.parametrize("path", PUBLIC, ids=lambda path: path.stem)
def test_a_public_model_takes_the_same_steps_as_in_cpp(path):
    assert_same(path, 100)


# --- a network of every kind of event ---------------------------------------------------------


def network(delays=("1ms", "0.5ms", "0.2ms", "0ms"), cells=12, seed=4) -> str:
    """Return a network of Poisson inputs, delayed, weighted and plastic synapses."""
    draw = Random(seed)
    lines = []
    for kind, count in (("fast", 5), ("slow", 4)):
        lines.append(
            f'<projection id="{kind}" presynapticPopulation="cells" '
            f'postsynapticPopulation="cells" synapse="{kind}">'
        )
        number = 0
        for pre in range(cells):
            for post in draw.sample(range(cells), count):
                lines.append(
                    f'<connectionWD id="{number}" preCellId="../cells[{pre}]" '
                    f'postCellId="../cells[{post}]" weight="{draw.uniform(0.2, 2):.3f}" '
                    f'delay="{draw.choice(delays)}"/>'
                )
                number += 1
        lines.append("</projection>")
    lines.append(
        '<projection id="drive" presynapticPopulation="inputs" postsynapticPopulation="cells" '
        'synapse="strong">'
    )
    lines.extend(
        f'<connectionWD id="{n}" preCellId="../inputs[{n}]" postCellId="../cells[{n}]" '
        'weight="1" delay="0ms"/>'
        for n in range(cells)
    )
    lines.append("</projection>")
    shown = "".join(f'<OutputColumn id="v{n}" quantity="cells[{n}]/v"/>' for n in range(cells))
    heard = "".join(
        f'<EventSelection id="s{n}" select="cells[{n}]" eventPort="spike"/>' for n in range(cells)
    )
    return f"""<Lems><Target component="sim"/>
<Include file="Cells.xml"/><Include file="Networks.xml"/><Include file="Simulation.xml"/>
<izhikevich2007Cell id="cell" v0="-60mV" C="100pF" k="0.7nS_per_mV" vr="-60mV" vt="-40mV"
  vpeak="35mV" a="0.03per_ms" b="-2nS" c="-50mV" d="100pA"/>
<spikeGeneratorPoisson id="poisson" averageRate="300Hz"/>
<expTwoSynapse id="fast" gbase="1nS" erev="0mV" tauRise="0.5ms" tauDecay="3ms"/>
<expTwoSynapse id="strong" gbase="9nS" erev="0mV" tauRise="0.5ms" tauDecay="3ms"/>
<blockingPlasticSynapse id="slow" gbase="1nS" erev="0mV" tauRise="1ms" tauDecay="8ms">
  <tsodyksMarkramDepFacMechanism type="tsodyksMarkramDepFacMechanism" initReleaseProb="0.5"
    tauRec="100ms" tauFac="50ms"/></blockingPlasticSynapse>
<network id="net"><population id="cells" component="cell" size="{cells}"/>
<population id="inputs" component="poisson" size="{cells}"/>
{"".join(lines)}</network>
<Simulation id="sim" length="40ms" step="0.1ms" target="net">
<OutputFile id="o" fileName="v.dat">{shown}</OutputFile>
<EventOutputFile id="e" fileName="s.dat" format="TIME_ID">{heard}</EventOutputFile>
</Simulation></Lems>"""


def ways(plan):
    return {way.mode for way in events_of(plan.program).ways}


@pytest.mark.parametrize("delays", [("0ms",), ("1ms",), ("1ms", "0.5ms", "0.2ms", "0ms")])
def test_a_network_of_delayed_plastic_and_random_synapses_is_the_same(delays):
    assert_same(network(delays), 400)


def test_the_network_sends_events_in_more_than_one_way():
    _, cuda = plans(network())
    assert {"add", "scatter"} <= ways(cuda)
    recording = run(network(), backend="cuda-on-host")
    assert sum(len(train.times) for train in recording.events) > 20


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("grid", [(1, 32), (3, 64)])
def test_threads_in_any_order_and_number_give_the_same_bits(order, grid):
    _, cuda = plans(network())
    first, other = on_host(cuda, order=0), on_host(cuda, grid=grid, order=order)
    assert np.array_equal(advanced(first, 200), advanced(other, 200))
    for key, values in first.variables.items():
        assert np.array_equal(values, other.variables[key])
    assert first.events() == other.events()


def test_launches_of_any_length_give_the_same_bits():
    _, cuda = plans(network())
    first, other = on_host(cuda), on_host(cuda)
    rows = np.zeros((100, len(cuda.program.columns)))
    other.initial_row()
    for n in range(0, 100, 7):
        other.advance(min(7, 100 - n), rows[n:])
    assert np.array_equal(advanced(first, 100)[1:], rows)


# --- precision and faults -----------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["single", "mixed"])
@pytest.mark.parametrize("backend", ["cpp", "cuda-on-host"])
def test_other_precisions_spike_within_a_step_and_a_thousandth(backend, precision):
    source = network(cells=6)
    whole = run(source, backend="cpp", length="20ms")
    less = run(source, backend=backend, precision=precision, length="20ms")
    for a, b in zip(whole.events, less.events, strict=True):
        assert len(a.times) == len(b.times)
        step = float(whole.settings["step"])
        assert (np.abs(a.times - b.times) <= step + 1e-3 * a.times).all()


def test_a_state_that_is_no_longer_finite_is_named_with_component_and_time():
    text = """<Lems><Target component="sim"/><Include file="Simulation.xml"/>
<ComponentType name="burst"><Parameter name="rate" dimension="per_time"/>
<Exposure name="x" dimension="none"/><Dynamics>
<StateVariable name="x" dimension="none" exposure="x"/><OnStart>
<StateAssignment variable="x" value="1"/></OnStart>
<TimeDerivative variable="x" value="rate*x*x*x"/></Dynamics></ComponentType>
<burst id="b" rate="1000 per_s"/><Simulation id="sim" length="10ms" step="0.1ms" target="b">
<OutputFile id="o" fileName="x.dat"><OutputColumn id="x" quantity="x"/></OutputFile>
</Simulation></Lems>"""
    said = []
    for backend in ("cpp", "cuda-on-host"):
        with pytest.raises(NumericalError) as error:
            run(text, backend=backend, method="euler")
        said.append(str(error.value))
    assert said[0] == said[1]


@pytest.mark.parametrize("backend", ["cuda", "cuda-on-host"])
@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"method": "jlems"}, "another method than jlems"),
        ({"method": "reference"}, "cannot choose its own steps"),
        ({"method": "cvode"}, "cannot choose its own steps"),
        ({"events": "exact"}, "on the grid of steps"),
    ],
)
def test_what_cuda_cannot_do_is_refused_by_name_before_it_starts(asked, said, backend):
    with pytest.raises(UsageError, match=said):
        plans(ROOT / "models" / "LEMS_hh.xml", (backend,), **asked)


# --- events one by one ------------------------------------------------------------------------

RELAYS = """<Lems><Target component="sim"/>
<Include file="NeuroMLCoreDimensions.xml"/><Include file="Simulation.xml"/>
<ComponentType name="clock"><Parameter name="period" dimension="time"/>
<EventPort name="out" direction="out"/><Dynamics><StateVariable name="next" dimension="time"/>
<OnStart><StateAssignment variable="next" value="period"/></OnStart>
<OnCondition test="t .geq. next"><StateAssignment variable="next" value="next + period"/>
<EventOut port="out"/></OnCondition></Dynamics></ComponentType>
<ComponentType name="relay"><EventPort name="in" direction="in"/>
<EventPort name="out" direction="out"/><Exposure name="x" dimension="none"/>
<Dynamics><StateVariable name="x" dimension="none" exposure="x"/>
<OnEvent port="in"><StateAssignment variable="x" value="0.5 * x + 1"/>SENDS</OnEvent></Dynamics>
</ComponentType>
<ComponentType name="conn"><Path name="from"/><Path name="to"/>
<Parameter name="delay" dimension="time"/><Structure><With instance="from" as="a"/>
<With instance="to" as="b"/><EventConnection from="a" to="b" delay="delay"/></Structure>
</ComponentType>
<ComponentType name="box"><Children name="clocks" type="clock"/>
<Children name="relays" type="relay"/><Children name="conns" type="conn"/></ComponentType>
<box id="b"><clock id="c0" period="1ms"/><clock id="c1" period="1.5ms"/>
<relay id="r0"/><relay id="r1"/><relay id="r2"/>
<conn id="k0" from="c0" to="r0" delay="0ms"/><conn id="k1" from="c1" to="r0" delay="0.3ms"/>
<conn id="k2" from="r0" to="r1" delay="0ms"/><conn id="k3" from="r1" to="r2" delay="0.2ms"/>
<conn id="k4" from="r0" to="r2" delay="0ms"/></box>
<Simulation id="sim" length="20ms" step="0.1ms" target="b"><OutputFile id="of" fileName="x.dat">
<OutputColumn id="x0" quantity="r0/x"/><OutputColumn id="x1" quantity="r1/x"/>
<OutputColumn id="x2" quantity="r2/x"/></OutputFile>
<EventOutputFile id="ev" fileName="m.spikes" format="TIME_ID">
<EventSelection id="0" select="r2" eventPort="out"/></EventOutputFile></Simulation></Lems>"""


def relays(sends=""):
    return RELAYS.replace("SENDS", sends)


def test_events_that_handlers_send_cascade_as_in_cpp():
    source = relays('<EventOut port="out"/>')
    assert events_of(plans(source)[1].program).chained
    assert_same(source, 200)


def test_what_has_no_part_in_a_cascade_is_exchanged_side_by_side():
    source = relays('<EventOut port="out"/>')
    begin = source.index('<ComponentType name="clock"')
    clock = source[begin : source.index("<ComponentType name=", begin + 1)]
    counter = """<ComponentType name="counter"><EventPort name="in" direction="in"/>
<Exposure name="n" dimension="none"/><Dynamics><StateVariable name="n" dimension="none"
 exposure="n"/><OnEvent port="in"><StateAssignment variable="n" value="n + 1"/></OnEvent>
</Dynamics></ComponentType>"""
    beside = clock.replace('"clock"', '"metronome"') + counter
    source = source.replace('<ComponentType name="conn"', beside + '<ComponentType name="conn"')
    source = source.replace(
        '<Children name="conns"',
        '<Children name="beats" type="metronome"/><Children name="counters" type="counter"/>'
        '<Children name="conns"',
    ).replace(
        '<conn id="k0"',
        '<metronome id="m0" period="0.7ms"/><counter id="n0"/><counter id="n1"/>'
        '<conn id="a0" from="m0" to="n0" delay="0ms"/><conn id="a1" from="m0" to="n1" '
        'delay="0.4ms"/><conn id="k0"',
    )
    _, cuda = plans(source)
    assert events_of(cuda.program).chained
    assert {"add", "serial"} <= ways(cuda)
    assert_same(source, 200)


@pytest.mark.parametrize("delays", [("0ms",), ("1ms",), ("1ms", "0.5ms", "0.2ms", "0ms")])
def test_one_thread_delivers_what_can_meet_at_a_target(delays, monkeypatch):
    chosen = device_events._way

    def serial(*arguments):
        return replace(chosen(*arguments), mode="serial", increments=())

    monkeypatch.setattr(device_events, "_way", serial)
    source = network(delays)
    assert ways(plans(source)[1]) == {"serial"}
    assert_same(source, 200)


@pytest.mark.parametrize("grid", ["0x64", "2x7", "2x2048", "1025x1024", "2", "x", "²x32"])
def test_a_grid_that_no_device_takes_is_refused(grid, monkeypatch):
    monkeypatch.setenv("LEMSMITH_HOST_GRID", grid)
    with pytest.raises(UsageError, match="LEMSMITH_HOST_GRID is blocks x threads"):
        host_grid()


#: What is recorded is a state of another thread's under another name, and nothing else.
NAMED_TWICE = """<Lems><Target component="sim"/>
<Include file="Cells.xml"/><Include file="Networks.xml"/><Include file="Simulation.xml"/>
<ComponentType name="ramp" extends="baseCell"><Exposure name="y" dimension="time"/><Dynamics>
<StateVariable name="x" dimension="time"/><TimeDerivative variable="x" value="1"/>
<DerivedVariable name="y" dimension="time" exposure="y" value="x"/></Dynamics></ComponentType>
<ramp id="cell"/><network id="net"><population id="cells" component="cell" size="3"/></network>
<Simulation id="sim" length="2ms" step="0.1ms" target="net"><OutputFile id="o" fileName="y.dat">
<OutputColumn id="y" quantity="cells[1]/y"/></OutputFile></Simulation></Lems>"""


def test_a_recorded_quantity_that_only_renames_a_state_is_that_of_its_own_step():
    assert_same(NAMED_TWICE, 20)
