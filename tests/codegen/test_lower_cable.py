"""The order of a step with cables, and the solve itself against the reference in numpy."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

import lemsmith.codegen
import numpy as np
import pytest
from lemsmith.converter.cable_trees import hines_solve
from lemsmith.errors import MissingTool
from lemsmith.runner.build import find_compiler
from lemsmith.runner.pipeline import run, show

INCLUDE = Path(lemsmith.codegen.__file__).parent / "include"

SOURCE = """
#include "lemsmith_cable.h"
typedef REAL real;
extern "C" int solve(int64_t cells, int64_t nodes, int64_t compartments, const int32_t *order,
                     const int32_t *parent, real h, real gain, const real *g, const real *c,
                     const real *current, const real *slope, real *v, real *junctions, real *d,
                     real *x) {
    const LsTree tree = {cells, nodes, compartments, order, parent};
    return ls_cable_step<real>(tree, h, gain, g, c, current, slope, v, junctions, d, x);
}
"""


@pytest.mark.parametrize(("real", "kind"), [("double", np.float64), ("float", np.float32)])
@pytest.mark.parametrize("cells", [1, 5])
def test_a_step_solves_the_trees_linear_system(tmp_path, real, kind, cells):
    try:
        compiler = find_compiler()
    except MissingTool as error:
        pytest.skip(str(error))
    (tmp_path / "solve.cpp").write_text(SOURCE.replace("REAL", real), encoding="utf-8")
    subprocess.run(
        [
            *compiler.command,
            "-O2",
            "-shared",
            "-fPIC",
            f"-I{INCLUDE}",
            "-o",
            "solve.so",
            "solve.cpp",
        ],
        cwd=tmp_path,
        check=True,
    )
    library = ctypes.CDLL(str(tmp_path / "solve.so"))
    random = np.random.default_rng(1)
    parent = np.array([-1, 0, 1, 6, 6, 0, 2], np.int32)  # node 6 is a junction
    order = np.array([0, 1, 2, 6, 3, 4, 5], np.int32)
    nodes, compartments = 7, 6
    g = random.uniform(0.5, 2, nodes).astype(kind)
    c = random.uniform(1, 2, compartments).astype(kind)
    current, v0 = (random.normal(size=(compartments, cells)).astype(kind) for _ in range(2))
    slope = -random.uniform(0, 1, (compartments, cells)).astype(kind)
    v, between = v0.copy(), np.zeros((1, cells), kind)
    work = [np.zeros((nodes, cells), kind) for _ in range(2)]
    c_real = ctypes.c_double if real == "double" else ctypes.c_float
    h = 0.25

    def at(array):
        return ctypes.c_void_p(array.ctypes.data)

    bad = library.solve(
        ctypes.c_int64(cells),
        ctypes.c_int64(nodes),
        ctypes.c_int64(compartments),
        at(order),
        at(parent),
        c_real(h),
        c_real(1),
        at(g),
        at(c),
        at(current),
        at(slope),
        at(v),
        at(between),
        *map(at, work),
    )
    assert bad == 0
    # The same in the order of the elimination, from the reference.
    place = np.argsort(order)
    above = np.where(parent[order] >= 0, place[parent[order]], -1)
    joined = g[order].astype(float)
    all_v = np.vstack([v0, np.zeros((1, cells))])[order].astype(float)
    capacity = np.append(c, 0)[order][:, None] / h
    diagonal = capacity - np.vstack([slope, np.zeros((1, cells))])[order]
    rhs = np.vstack([current, np.zeros((1, cells))])[order].astype(float)
    for node in range(nodes):
        if above[node] >= 0:
            flow = joined[node] * (all_v[above[node]] - all_v[node])
            rhs[node] += flow
            rhs[above[node]] -= flow
            diagonal[node] += joined[node]
            diagonal[above[node]] += joined[node]
    change = hines_solve(above, diagonal, -joined, -joined, rhs)
    expected = (all_v + change)[place]
    tolerance = 1e-12 if real == "double" else 1e-5
    assert np.abs(np.vstack([v, between]) - expected).max() < tolerance


MODEL = """<Lems>
<Include file="Cells.xml"/><Include file="Networks.xml"/><Include file="Simulation.xml"/>
<ionChannelHH id="ch" conductance="1pS"><gateHHrates id="m" instances="1">
  <forwardRate type="HHExpRate" rate="1per_ms" midpoint="-40mV" scale="10mV"/>
  <reverseRate type="HHExpRate" rate="4per_ms" midpoint="-65mV" scale="-18mV"/>
</gateHHrates></ionChannelHH>
<cell id="c"><morphology id="mo">
  <segment id="0"><proximal x="0" y="0" z="0" diameter="2"/>
    <distal x="10" y="0" z="0" diameter="2"/></segment>
  <segment id="1"><parent segment="0"/><distal x="20" y="0" z="0" diameter="2"/></segment>
</morphology><biophysicalProperties id="b"><membraneProperties>
  <channelDensity id="d" ionChannel="ch" condDensity="1 S_per_m2" erev="0 mV" ion="na"/>
  <specificCapacitance value="1 uF_per_cm2"/><initMembPotential value="-65 mV"/>
  <spikeThresh value="0 mV"/>
</membraneProperties><intracellularProperties><resistivity value="1 ohm_m"/>
</intracellularProperties></biophysicalProperties></cell>
<network id="n"><population id="p" component="c" size="1"/></network>
<Simulation id="s" length="1 ms" step="0.01 ms" target="n"/><Target component="s"/></Lems>"""


SYNAPSE = MODEL.replace(
    '<network id="n">',
    '<expOneSynapse id="syn" gbase="1nS" erev="0mV" tauDecay="2ms"/>'
    '<spikeGenerator id="gen" period="3ms"/><network id="n">',
).replace(
    "</network>",
    '<population id="g" component="gen" size="1"/><projection id="pr" presynapticPopulation="g" '
    'postsynapticPopulation="p" synapse="syn"><connectionWD id="0" preCellId="../g[0]" '
    'postCellId="../p[0]" postSegmentId="1" weight="1" delay="1ms"/></projection></network>',
)

CALCIUM = (
    MODEL.replace('ion="na"', 'ion="ca"')
    .replace(
        '<cell id="c">',
        '<fixedFactorConcentrationModel id="pool" ion="ca" restingConc="1e-4 mM" '
        'decayConstant="5 ms" rho="0.1 mol_per_m_per_A_per_s"/><cell id="c">',
    )
    .replace(
        "<intracellularProperties>",
        '<intracellularProperties><species id="ca" ion="ca" concentrationModel="pool" '
        'initialConcentration="1e-4 mM" initialExtConcentration="2 mM"/>',
    )
)


def test_a_gate_advances_once_and_before_the_solve():
    source = show(MODEL, "source")
    step = source[source.index("take_steps") :]
    assert step.count("_move_") == 1
    assert step.index("_move_") < step.index("ls_cable_cells")
    assert "dt / 2, 2" in step


def test_a_synapse_takes_half_a_step_before_and_one_after_the_solve():
    source = show(SYNAPSE, "source")
    step = source[source.index("take_steps") :]
    moves = [step.index("_move_"), step.rindex("_move_")]
    assert moves[0] < step.index("ls_cable_cells") < moves[1]


def test_concentrations_take_half_steps_between_gates_and_potentials():
    step = show(CALCIUM, "source").partition("take_steps")[2]
    pool = step.index("_ca")
    assert step.index("_move_") < pool < step.index("ls_cable_cells") < step.rindex("_ca")


def test_a_recorded_gate_of_calcium_is_brought_to_the_steps_end():
    gate = (
        '<gateHHrates id="m" instances="1"><forwardRate type="CaRate"/>'
        '<reverseRate type="HHExpRate" rate="4per_ms" midpoint="-65mV" scale="-18mV"/>'
        "</gateHHrates></ionChannelHH>"
    )
    kind = (
        '<ComponentType name="CaRate" extends="baseVoltageConcDepRate">'
        '<Constant name="SCALE" dimension="none" value="1"/>'
        '<Constant name="PER" dimension="per_time" value="1per_ms"/>'
        '<Constant name="HALF" dimension="concentration" value="1e-4 mM"/>'
        '<Dynamics><DerivedVariable name="r" exposure="r" dimension="per_time" '
        'value="PER * caConc / (caConc + HALF)"/></Dynamics></ComponentType>'
    )
    path = "p/0/c/0/b/membraneProperties/d2/ch2/m/q"
    text = (
        CALCIUM.replace('<species id="ca"', '<species id="ca" segmentGroup="one"')
        .replace("<cell id=", f'{kind}<ionChannelHH id="ch2" conductance="1pS">{gate}<cell id=')
        .replace(
            "<specificCapacitance",
            '<channelDensity id="d2" ionChannel="ch2" condDensity="1 S_per_m2" erev="-80 mV" '
            'ion="k" segmentGroup="one"/><specificCapacitance',
        )
        .replace(
            "</morphology>",
            '<segmentGroup id="one"><member segment="0"/></segmentGroup></morphology>',
        )
        .replace(
            'target="n"/>',
            f'target="n"><OutputFile id="o" fileName="o.dat"><OutputColumn id="q" '
            f'quantity="{path}"/></OutputFile></Simulation>',
        )
    )
    finest = run(text, step="0.00125 ms")[path]
    errors = [
        np.abs(run(text, step=f"{0.01 * k} ms")[path] - finest[:: 8 * k]).max() for k in (4, 2, 1)
    ]
    assert errors[2] < errors[1] / 3 < errors[0] / 9


def test_the_method_neuron_tests_before_it_advances_and_holds_conductances():
    source = show(MODEL, "source", method="neuron")
    step = source[source.index("take_steps") :]
    assert step.index("_test_") < step.index("ls_cable_cells") < step.index("_move_")
    program = show(MODEL, "program", method="neuron")
    held = next(line for line in program.splitlines() if "fcond_next =" in line)
    assert "q_next" not in held


def test_in_the_method_neuron_a_child_sees_what_it_requires_of_its_gate_a_step_late():
    # The export computes a time course before the gate's alpha, in one procedure.
    late = (
        MODEL.replace(
            '<ionChannelHH id="ch"',
            '<ComponentType name="inverse" extends="baseVoltageDepTime">'
            '<Requirement name="alpha" dimension="per_time"/>'
            '<Dynamics><DerivedVariable name="t" exposure="t" dimension="time" value="1 / alpha"/>'
            '</Dynamics></ComponentType><ionChannelHH id="ch"',
        )
        .replace("gateHHrates", "gateHHratesTau")
        .replace("</gateHHratesTau>", '<timeCourse type="inverse"/></gateHHratesTau>')
        .replace(
            'target="n"/>',
            'target="n"><OutputFile id="o" fileName="o.dat">'
            '<OutputColumn id="a" quantity="p/0/c/0/b/membraneProperties/d/ch/m/alpha"/>'
            '<OutputColumn id="t" quantity="p/0/c/0/b/membraneProperties/d/ch/m/tau"/>'
            "</OutputFile></Simulation>",
        )
    )
    found = run(late, method="neuron")
    alpha, tau = (
        found.trace(f"p/0/c/0/b/membraneProperties/d/ch/m/{n}").values for n in ("alpha", "tau")
    )
    assert np.ptp(alpha) > 0.01 * alpha[0]
    assert tau[1:] == pytest.approx(1 / alpha[:-1], rel=1e-12, abs=0)


POINTS = """<Lems>
<Include file="Cells.xml"/><Include file="Networks.xml"/><Include file="Simulation.xml"/>
<Include file="Inputs.xml"/>
<izhikevich2007Cell id="cell" v0="-60mV" C="100pF" k="0.7nS_per_mV" vr="-60mV" vt="-40mV"
  vpeak="35mV" a="0.03per_ms" b="-2nS" c="-50mV" d="100pA"/>
<pulseGenerator id="pulse" delay="0ms" duration="90ms" amplitude="200pA"/>
<network id="n">
  <population id="some" component="cell" size="1"/>
  <population id="listed" component="cell" type="populationList">
    <instance id="0"><location x="0" y="0" z="0"/></instance></population>
  <explicitInput target="some[0]" input="pulse"/>
  <explicitInput target="listed/0/cell" input="pulse"/>
</network>
<Simulation id="s" length="90 ms" step="0.01 ms" target="n"><OutputFile id="o" fileName="o.dat">
  <OutputColumn id="a" quantity="some[0]/v"/><OutputColumn id="b" quantity="listed/0/cell/v"/>
</OutputFile></Simulation><Target component="s"/></Lems>"""


def test_in_the_method_neuron_a_cell_with_other_states_holds_its_own_current():
    k, c, vr, vt, r, b, dt, driven = 0.7e-6, 1e-10, -0.06, -0.04, 30.0, -2e-9, 1e-5, 2e-10
    v, u, own = -0.06, 0.0, k * (-0.065 - vr) * (-0.065 - vt)  # that of -65 mV, before u is set
    expected = [v]
    for _ in range(9000):
        if v > 0.035:
            v, u, own = -0.05, u + 1e-10, 0.0
        v += dt * (own + driven) / c
        own = k * (v - vr) * (v - vt) - u
        u += dt * r * (b * (v - vr) - u)
        expected.append(v)
    found = run(POINTS, method="neuron")
    assert np.sum(np.diff(expected) < -0.05) >= 2
    for path in ("some[0]/v", "listed/0/cell/v"):
        assert np.abs(found.trace(path).values - expected).max() < 1e-10
