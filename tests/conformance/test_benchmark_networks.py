"""The benchmark networks, at reduced size, fire on the host's CUDA text as they do in C++.

Chaos lets no two networks stay together for long: the first 20 ms are held spike for spike,
what follows by its rate.
"""

from __future__ import annotations

import subprocess
import sys

import pytest
from corpus import SHARED
from side_by_side import START, advanced, assert_same_events, native, on_host, pair, plans
from usable import on_a_gpu

GENERATOR = SHARED / "bench" / "nmlgen.py"

#: Cells and synapses of each, and when the first of them fire [s].
NETWORKS = {
    "m2": (40, 0, 0.1),
    "cuba": (400, 80, 0.0),
    "coba": (400, 80, 0.0),
    "cobahh": (200, 40, 0.0),
    "izh": (400, 80, 0.037),
}

#: How long networks are held spike for spike, and for how long their rates are [s].
TOGETHER, LONG = 0.020, 0.5

#: What rates may differ by.
RATES = 0.02

pytestmark = pytest.mark.skipif(
    not GENERATOR.is_file(), reason=f"the generator of networks is not at {GENERATOR}"
)
each_network = pytest.mark.parametrize("name", NETWORKS)


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """Return what makes a network's file, once."""
    folder = tmp_path_factory.mktemp("networks")

    def made(name):
        path = folder / name / f"LEMS_{name}.xml"
        if not path.is_file():
            cells, synapses, _ = NETWORKS[name]
            size = ["--n", str(cells), *(["--k", str(synapses)] if synapses else [])]
            subprocess.run(
                [sys.executable, str(GENERATOR), name, str(folder / name), *size], check=True
            )
        return path

    return made


def steps_of(name, run):
    return round((NETWORKS[name][2] + TOGETHER) / run.program.step)


def spikes(run):
    return sum(map(len, run.events()))


@each_network
def test_a_network_begins_spike_for_spike(name, network):
    assert_begins_alike(network(name), name, "cuda-on-host")


@on_a_gpu
@each_network
def test_a_network_begins_spike_for_spike_on_a_gpu(name, network):
    assert_begins_alike(network(name), name, "cuda")


def assert_begins_alike(source, name, backend):
    cpp, other = plans(source, ("cpp", backend))
    one, other = native(cpp), START[backend](other)
    steps = steps_of(name, one)
    advanced(one, steps), advanced(other, steps)
    assert_same_events(one, other)
    assert spikes(one) > 0


@pytest.mark.slow
@each_network
def test_a_network_goes_on_at_the_same_rate(name, network):
    (one, other), _ = pair(network(name), "cuda-on-host")
    steps = round(LONG / one.program.step)
    advanced(one, steps), advanced(other, steps)
    assert spikes(other) == pytest.approx(spikes(one), rel=RATES)


@each_network
@pytest.mark.parametrize("precision", ["single", pytest.param("mixed", marks=pytest.mark.slow)])
def test_a_network_of_another_precision_begins_alike(name, precision, network):
    (whole,) = plans(network(name), ("cpp",))
    (less,) = plans(network(name), ("cuda-on-host",), precision=precision)
    one, other = native(whole), on_host(less)
    steps = steps_of(name, one)
    advanced(one, steps), advanced(other, steps)
    assert_same_events(one, other, relative=1e-3)
    assert spikes(one) > 0
