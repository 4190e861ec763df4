"""CUDA text: the same bytes every time, and what nvcc accepts without a warning."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from lemsmith.codegen.cuda_program import fault_bits
from lemsmith.runner.pipeline import translate
from lemsmith.runner.request import made
from nvcc import assert_compiles, needs_nvcc

HEAD = """<Lems><Target component="sim"/>
<Include file="Cells.xml"/><Include file="Networks.xml"/><Include file="Simulation.xml"/>"""

TAIL = """<Simulation id="sim" length="10ms" step="0.05ms" target="net">
<OutputFile id="o" fileName="v.dat"><OutputColumn id="v" quantity="cells[0]/v"/></OutputFile>
<EventOutputFile id="e" fileName="s.dat" format="TIME_ID">
<EventSelection id="s" select="cells[1]" eventPort="spike"/></EventOutputFile>
</Simulation></Lems>"""

CELL = """<izhikevich2007Cell id="cell" v0="-60mV" C="100pF" k="0.7nS_per_mV" vr="-60mV"
  vt="-40mV" vpeak="35mV" a="0.03per_ms" b="-2nS" c="-50mV" d="100pA"/>"""

CONNECTIONS = "".join(
    f'<connectionWD id="{n}" preCellId="../cells[{n % 4}]" postCellId="../cells[{n % 3}]" '
    f'weight="0.{n + 1}" delay="0.{n}ms"/>'
    for n in range(8)
)

MODELS = {
    "cells": f"""{HEAD}{CELL}<network id="net">
<population id="cells" component="cell" size="4"/></network>{TAIL}""",
    "synapses": f"""{HEAD}{CELL}
<expTwoSynapse id="fast" gbase="1nS" erev="0mV" tauRise="0.5ms" tauDecay="3ms"/>
<network id="net"><population id="cells" component="cell" size="4"/>
<projection id="p" presynapticPopulation="cells" postsynapticPopulation="cells" synapse="fast">
{CONNECTIONS}</projection></network>{TAIL}""",
    "plastic": f"""{HEAD}{CELL}
<blockingPlasticSynapse id="slow" gbase="1nS" erev="0mV" tauRise="1ms" tauDecay="8ms">
<plasticityMechanism type="tsodyksMarkramDepFacMechanism" initReleaseProb="0.5"
 tauRec="100ms" tauFac="50ms"/></blockingPlasticSynapse>
<spikeGeneratorPoisson id="poisson" averageRate="300Hz"/>
<network id="net"><population id="cells" component="cell" size="4"/>
<population id="inputs" component="poisson" size="4"/>
<projection id="p" presynapticPopulation="inputs" postsynapticPopulation="cells" synapse="slow">
{CONNECTIONS.replace('preCellId="../cells', 'preCellId="../inputs')}</projection>
</network>{TAIL}""",
}


def text_of(model, **options):
    return translate(made(model, backend="cuda", **options))[0].text


@pytest.mark.parametrize("name", MODELS)
def test_the_same_model_gives_the_same_text(name):
    assert text_of(MODELS[name]) == text_of(MODELS[name])


@pytest.mark.parametrize("seed", ["1", "2"])
def test_the_text_does_not_depend_on_the_order_of_sets(seed):
    script = (
        "import sys; from lemsmith.runner.pipeline import translate; "
        "from lemsmith.runner.request import made; "
        "sys.stdout.write(translate(made(sys.stdin.read(), backend='cuda'))[0].text)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=MODELS["synapses"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": seed},
    )
    assert done.stdout == text_of(MODELS["synapses"])


def test_generating_text_needs_no_pycuda():
    text_of(MODELS["cells"])
    assert "pycuda" not in sys.modules


def test_cells_without_synapses_wait_for_each_other_once_a_step_at_most_for_the_record():
    step = text_of(MODELS["cells"]).partition("long long steps")[2]
    assert step.count("ls_grid_sync") <= 2


@pytest.mark.parametrize("precision", ["single", "mixed"])
def test_a_precision_chooses_the_types_of_states_and_weights(precision):
    text = text_of(MODELS["synapses"], precision=precision)
    real = "float" if precision == "single" else "double"
    assert f"typedef {real} real;" in text
    assert "typedef float small;" in text


def test_a_fault_is_read_back_as_it_was_written():
    program = translate(made(MODELS["synapses"], backend="cuda"))[0].program
    bits = fault_bits(program)
    fault = (((7 << 10 | 1) << bits.variable) | 1) << bits.instance | 3
    assert bits.read(fault) == (7, 1, 1, 3)


@needs_nvcc
@pytest.mark.parametrize("precision", ["double", "single", "mixed"])
def test_nvcc_compiles_the_text_without_a_warning(precision, tmp_path):
    assert_compiles(text_of(MODELS["plastic"], precision=precision), tmp_path)
