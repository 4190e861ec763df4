"""Features that other simulators leave out or get wrong in silence, held to their formulas.

The examples are the official ones; what is expected follows from the equations, not from
another simulator's output.
"""

from __future__ import annotations

import corpus
import lemsmith
import numpy as np
import pytest

pytestmark = pytest.mark.skipif(corpus.ABSENT is not None, reason=str(corpus.ABSENT))

#: Methods whose rows hold derived variables of the same instant as the states.
METHODS = ("default", pytest.param("rk4", marks=pytest.mark.slow))


def run(name, columns=(), method="default", length=None, edit=lambda text: text):
    """Run an official example with further recorded quantities."""
    text = edit((corpus.EXAMPLES / name).read_text(encoding="utf-8"))
    extra = "".join(f'<OutputColumn id="x{n}" quantity="{c}"/>' for n, c in enumerate(columns))
    at = text.index("</OutputFile>")
    return lemsmith.run(
        text[:at] + extra + text[at:],
        method=method,
        length=length,
        include_dirs=(corpus.EXAMPLES,),
    )


def column(recording, path):
    return np.asarray(recording[path])


@pytest.mark.parametrize("method", METHODS)
def test_rates_are_scaled_by_temperature(method):
    gate = "hhpop[0]/bioPhys1/membraneProperties/naChans/naChan/m"
    name = "LEMS_NML2_Ex10_Q10.xml"
    cold = run(name, (f"{gate}/rateScale", f"{gate}/tau"), method, "150ms")
    # 22 degrees in a network whose rates were measured at 32, with a factor of 3 for ten.
    assert column(cold, f"{gate}/rateScale") == pytest.approx(3.0 ** ((22 - 32) / 10), rel=1e-6)
    warm = run(
        name,
        (f"{gate}/tau",),
        method,
        "150ms",
        lambda text: text.replace('"22 degC"', '"32 degC"'),
    )
    # At rest, before anything moves, time constants are three times as long.
    ratio = column(cold, f"{gate}/tau")[1] / column(warm, f"{gate}/tau")[1]
    assert ratio == pytest.approx(3, rel=1e-3)
    v = "hhpop[0]/v"
    assert np.max(np.abs(column(cold, v) - column(warm, v))) > 5e-3


@pytest.mark.parametrize("method", METHODS)
def test_calcium_flows_as_goldman_hodgkin_and_katz_say(method):
    cell = "pop/0/na_k_ca"
    density = f"{cell}/biophys/membraneProperties/ca_all"
    columns = (f"{density}/ca_chan/fopen", f"{cell}/caConcExt")
    done = run("LEMS_NML2_Ex18_GHK.xml", columns, method, "20ms")
    v, inside = column(done, f"{cell}/v"), column(done, f"{cell}/caConc")
    outside, fopen = column(done, f"{cell}/caConcExt"), column(done, f"{density}/ca_chan/fopen")
    faraday, gas, kelvin = 96485.3, 8.3144621, 16.3 + 273.15
    x = 2 * faraday * v / (gas * kelvin)
    # Hille, Ion Channels of Excitable Membranes, 3rd ed., eq. 14.5, inward positive here.
    expected = (
        -2.5e-7 * fopen * 2 * faraday * x * (inside - outside * np.exp(-x)) / (1 - np.exp(-x))
    )
    later = slice(2, None)
    assert np.max(np.abs(expected)) > 1e-3
    assert column(done, f"{density}/iDensity")[later] == pytest.approx(expected[later], rel=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_sub_gates_share_a_conductance_by_their_fractions(method):
    gate = "pop[0]/biophys/membraneProperties/k_slowChans/k_slow/b"
    done = run(
        "LEMS_NML2_Ex24_FractionalConductance.xml",
        (f"{gate}/fcond", f"{gate}/bb/q", f"{gate}/bb1/q"),
        method,
        "200ms",
        lambda text: text.replace('"0.5" id="bb"', '"0.3" id="bb"').replace(
            '"0.5" id="bb1"', '"0.7" id="bb1"'
        ),
    )
    fast, slow = column(done, f"{gate}/bb/q"), column(done, f"{gate}/bb1/q")
    assert np.max(np.abs(fast - slow)) > 1e-3
    expected = 0.3 * fast + 0.7 * slow
    assert column(done, f"{gate}/fcond")[2:] == pytest.approx(expected[2:], rel=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_weights_scale_and_delays_shift_what_a_connection_does(method):
    done = run("LEMS_NML2_Ex12_Net2.xml", (), method, "120ms")
    first = {}
    for cell, delay in ((0, 0.0), (1, 10e-3), (2, 15e-3)):
        v = column(done, f"iafPop[{cell}]/v")
        rise = v - v[0]
        at = int(np.flatnonzero(np.abs(rise) > 1e-9)[0])
        # The spike is at 100 ms, and a step is 5 us.
        assert done.time[at] == pytest.approx(0.1 + delay, abs=2 * 5e-6 + 1e-9)
        begin = at - 1
        first[cell] = rise[begin + 12] - rise[begin + 2]
    assert first[1] / first[0] == pytest.approx(0.5, rel=0.02)
    assert first[2] / first[0] == pytest.approx(0.25, rel=0.02)


@pytest.mark.parametrize("method", METHODS)
def test_a_double_synapse_is_its_two_synapses_at_one_weight(method):
    done = run("LEMS_NML2_Ex27_MultiSynapses.xml", (), method, "120ms")
    both, double = column(done, "iafPop[2]/v"), column(done, "iafPop[3]/v")
    # Cell 3 has one doubleSynapse where cell 2 has its two parts, and hears it 5 ms later.
    late = round(5e-3 / 1e-6)
    assert np.ptp(both) > 5e-4
    assert double[late:] == pytest.approx(both[:-late], abs=1e-7)
    alone = max(np.ptp(column(done, f"iafPop[{cell}]/v")) for cell in (0, 1))
    assert np.ptp(double) > 1.1 * alone
