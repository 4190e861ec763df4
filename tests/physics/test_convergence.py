"""Methods converge at the order that they promise, and are exact where they say so."""

from __future__ import annotations

import lemsmith
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from small_models import chain_channel

#: The order that each method has on a smooth model, and the two steps that show it, s.
ORDERS = {
    "euler": (1, 1e-4, 2.5e-5),
    "exponential_euler": (1, 1e-4, 2.5e-5),
    "rk2": (2, 4e-3, 1e-3),
    "rk4": (4, 2e-2, 5e-3),
    "default": (2, 4e-3, 1e-3),
}

#: How far a measured order may lie from the promised one.
SLACK = 0.15


def lems(body: str, target: str, columns: dict[str, str], length: str, events: str = "") -> str:
    """Return a model with a Simulation that records `columns` (id -> quantity)."""
    lines = "".join(
        f'<OutputColumn id="{name}" quantity="{path}"/>' for name, path in columns.items()
    )
    file = (
        f'<EventOutputFile id="e" fileName="e.spikes" format="TIME_ID">'
        f'<EventSelection id="0" select="{events}" eventPort="spike"/></EventOutputFile>'
        if events
        else ""
    )
    return (
        '<Lems><Target component="sim"/><Include file="Cells.xml"/>'
        '<Include file="Networks.xml"/><Include file="PyNN.xml"/>'
        f'<Include file="Simulation.xml"/>{body}'
        f'<Simulation id="sim" length="{length}" step="0.1ms" target="{target}">'
        f'<OutputFile id="o" fileName="o.dat">{lines}</OutputFile>{file}</Simulation></Lems>'
    )


PENDULUM = lems(
    """
<ComponentType name="pendulum">
  <Parameter name="friction" dimension="none"/>
  <Parameter name="second" dimension="time"/>
  <Exposure name="angle" dimension="none"/>
  <Exposure name="speed" dimension="none"/>
  <Dynamics>
    <StateVariable name="angle" dimension="none" exposure="angle"/>
    <StateVariable name="speed" dimension="none" exposure="speed"/>
    <OnStart><StateAssignment variable="angle" value="2"/></OnStart>
    <TimeDerivative variable="angle" value="speed / second"/>
    <TimeDerivative variable="speed"
      value="(0 - 9.81 * sin(angle) - friction * speed + cos(3 * t / second)) / second"/>
  </Dynamics>
</ComponentType>
<pendulum id="swing" friction="0.3" second="1s"/>
""",
    "swing",
    {"angle": "angle", "speed": "speed"},
    "2s",
)


def pendulum_at_two() -> np.ndarray:
    """Return angle and speed after two seconds."""
    found = solve_ivp(
        lambda t, y: (y[1], -9.81 * np.sin(y[0]) - 0.3 * y[1] + np.cos(3 * t)),
        (0.0, 2.0),
        (2.0, 0.0),
        method="DOP853",
        rtol=1e-13,
        atol=1e-13,
    )
    return found.y[:, -1]


def slope_of(errors: list[float], steps: list[float]) -> float:
    return float(np.log(errors[0] / errors[-1]) / np.log(steps[0] / steps[-1]))


@pytest.mark.parametrize("method", ORDERS)
def test_a_smooth_model_converges_at_the_order_of_the_method(method: str) -> None:
    order, *steps = ORDERS[method]
    truth = pendulum_at_two()
    errors = []
    for step in steps:
        recording = lemsmith.run(PENDULUM, method=method, step=step)
        errors.append(abs(recording["angle"][-1] - truth[0]))
    assert slope_of(errors, steps) == pytest.approx(order, abs=SLACK)


GATED = lems(
    """
<ComponentType name="gated">
  <Constant name="MS" dimension="time" value="1ms"/>
  <Exposure name="x" dimension="none"/><Exposure name="m" dimension="none"/>
  <Dynamics>
    <StateVariable name="x" dimension="none" exposure="x"/>
    <StateVariable name="m" dimension="none" exposure="m"/>
    <OnStart><StateAssignment variable="x" value="0.3"/>
      <StateAssignment variable="m" value="0.9"/></OnStart>
    <TimeDerivative variable="x" value="(1 - 3 * m * x - x) / MS"/>
    <TimeDerivative variable="m" value="(1 / (1 + exp((0.4 - x) * 5)) - m) / (2 * MS)"/>
  </Dynamics>
</ComponentType>
<gated id="cell"/>
""",
    "cell",
    {"x": "x", "m": "m"},
    "6ms",
)


@pytest.mark.parametrize("quantity", ["x", "m"])
def test_gates_half_a_step_apart_keep_second_order_from_any_start(quantity: str) -> None:
    truth = lemsmith.run(GATED, method="reference")[quantity][-1]
    steps = [2e-4, 5e-5]
    errors = [abs(lemsmith.run(GATED, step=s)[quantity][-1] - truth) for s in steps]
    assert slope_of(errors, steps) == pytest.approx(2, abs=SLACK)


IAF_CONDUCTANCE = lems(
    """
<iafCell id="iaf" leakReversal="-60mV" thresh="-55mV" reset="-62mV" C="0.2nF"
         leakConductance="0.01uS"/>
<expOneSynapse id="syn" gbase="6nS" erev="0mV" tauDecay="8ms"/>
<spikeArray id="spikes">
  <spike id="0" time="8ms"/><spike id="1" time="16ms"/><spike id="2" time="24ms"/>
</spikeArray>
<network id="net">
  <population id="pop" component="iaf" size="1"/>
  <population id="in" component="spikes" size="1"/>
  <synapticConnection from="in[0]" to="pop[0]" synapse="syn" destination="synapses"/>
</network>
""",
    "net",
    {"v": "pop[0]/v"},
    "80ms",
    "pop[0]",
)


def iaf_conductance_spikes() -> np.ndarray:
    """Return when the cell with a conductance fires, s."""

    def rates(t: float, y: np.ndarray) -> tuple[float, float]:
        v, g = y
        return (10e-9 * (-60e-3 - v) - g * v) / 0.2e-9, -g / 8e-3

    def over(t: float, y: np.ndarray) -> float:
        return float(y[0] + 55e-3)

    over.terminal, over.direction = True, 1.0  # type: ignore[attr-defined]
    t, y, spikes = 0.0, np.array([-60e-3, 0.0]), []
    for until in (8e-3, 16e-3, 24e-3, 80e-3):
        while True:
            found = solve_ivp(
                rates,
                (t, until),
                y,
                method="DOP853",
                rtol=1e-13,
                atol=(1e-16, 1e-23),
                events=over,
                max_step=1e-3,
            )
            t, y = found.t[-1], found.y[:, -1]
            if found.status != 1:
                break
            spikes.append(t)
            y = np.array([-62e-3, y[1]])
        y = y + np.array([0.0, 6e-9])
    return np.array(spikes)


def test_spike_times_of_a_cell_that_resets_converge_at_second_order() -> None:
    truth = iaf_conductance_spikes()
    steps = [8e-4, 2e-4]
    errors = []
    for step in steps:
        found = lemsmith.run(IAF_CONDUCTANCE, step=step).event_times("pop[0]")
        assert len(found) == len(truth)
        errors.append(float(np.abs(found - truth).max()))
    assert slope_of(errors, steps) == pytest.approx(2, abs=SLACK)


@pytest.mark.parametrize("method", ["euler", "exponential_euler", "rk2", "rk4"])
def test_methods_that_act_on_the_grid_find_spikes_to_a_step(method: str) -> None:
    truth = iaf_conductance_spikes()
    for step in (1e-4, 1e-5):
        found = lemsmith.run(IAF_CONDUCTANCE, method=method, step=step).event_times("pop[0]")
        assert len(found) == len(truth)
        # Every spike is late by up to a step, and so is what follows it.
        assert np.abs(found - truth).max() < 3 * len(truth) * step


ADEX = lems(
    """
<adExIaFCell id="rebound" C="281pF" gL="30nS" EL="-60mV" reset="-51mV" VT="-54mV" thresh="-30mV"
             delT="2mV" tauw="150ms" a="200nS" b="0.1nA" refract="0ms"/>
<pulseGenerator id="pulse" delay="10ms" duration="50ms" amplitude="-0.5nA"/>
<network id="net"><population id="pop" component="rebound" size="1"/>
  <explicitInput target="pop[0]" input="pulse" destination="synapses"/></network>
""",
    "net",
    {"v": "pop[0]/v"},
    "100ms",
    "pop[0]",
)


@pytest.mark.parametrize("backend", ["cpp", "numpy", "cuda-on-host"])
def test_an_exponential_upstroke_within_a_step_is_resolved(backend: str) -> None:
    truth = lemsmith.run(ADEX, method="reference").event_times("pop[0]")
    found = lemsmith.run(ADEX, step="0.025ms", backend=backend).event_times("pop[0]")
    assert len(truth) == 3
    np.testing.assert_allclose(found, truth, rtol=0, atol=5e-6)


IAF_TAU = lems(
    """
<iafTauCell id="iaf" leakReversal="-50mV" thresh="-55mV" reset="-70mV" tau="30ms"/>
<network id="net"><population id="pop" component="iaf" size="1"/></network>
""",
    "net",
    {"v": "pop[0]/v"},
    "500ms",
    "pop[0]",
)


@pytest.mark.parametrize("step", [1e-5, 7e-5, 1e-3])
def test_a_cell_that_is_solved_exactly_fires_at_exact_times(step: float) -> None:
    found = lemsmith.run(IAF_TAU, step=step).event_times("pop[0]")
    assert len(found) > 10
    interval = 30e-3 * np.log(20 / 5)
    np.testing.assert_allclose(np.diff(found), interval, rtol=0, atol=1e-13)


CURRENT_SYNAPSE = """
<IF_curr_{kind} id="cell" cm="1" i_offset="0" tau_refrac="2" tau_m="20" v_init="-65" v_reset="-70"
         v_rest="-65" v_thresh="{thresh}" tau_syn_E="1" tau_syn_I="1"/>
<{kind}CurrSynapse id="syn" tau_syn="{tau}"/>
<spikeArray id="spikes">
  <spike id="0" time="8ms"/><spike id="1" time="16ms"/>
</spikeArray>
<network id="net">
  <population id="pop" component="cell" size="1"/>
  <population id="in" component="spikes" size="1"/>
  <synapticConnectionWD from="in[0]" to="pop[0]" synapse="syn" weight="{weight}" delay="0ms"
                        destination="synapses"/>
</network>
"""


def response(kind: str, tau: float, t: np.ndarray) -> np.ndarray:
    """Return the potential that one spike of weight 1 makes in the cell (tau 20 ms, 1 nF), V."""
    tau_m, c = 20.0, 1.0
    e = 2.7182818
    t = np.maximum(t, 0.0) * 1e3
    if kind == "exp":
        if tau == tau_m:
            return t * np.exp(-t / tau_m) / c * 1e-3
        k = 1 / tau - 1 / tau_m
        return (np.exp(-t / tau_m) - np.exp(-t / tau)) / (k * c) * 1e-3
    if tau == tau_m:
        return e / tau * t**2 / 2 * np.exp(-t / tau) / c * 1e-3
    k = 1 / tau_m - 1 / tau
    # The integral of s exp(k s) from 0 to t.
    inner = (t / k - 1 / k**2) * np.exp(k * t) + 1 / k**2
    return e / tau * inner * np.exp(-t / tau_m) / c * 1e-3


@pytest.mark.parametrize("step", [2e-5, 1e-3, 4e-3])
@pytest.mark.parametrize("tau", [5.0, 20.0])
@pytest.mark.parametrize("kind", ["exp", "alpha"])
def test_current_synapses_are_exact_between_spikes(kind: str, tau: float, step: float) -> None:
    body = CURRENT_SYNAPSE.format(kind=kind, tau=tau, weight=0.5, thresh=0)
    model = lems(body, "net", {"v": "pop[0]/v"}, "100ms")
    recording = lemsmith.run(model, step=step)
    truth = -65e-3 + 0.5 * sum(response(kind, tau, recording.time - at) for at in (8e-3, 16e-3))
    span = truth.max() - truth.min()
    assert np.abs(recording["v"] - truth).max() < 1e-12 * span + 1e-16


@pytest.mark.parametrize("step", [2e-5, 1e-3, 4e-3])
def test_a_current_synapse_makes_a_cell_fire_at_an_exact_time(step: float) -> None:
    body = CURRENT_SYNAPSE.format(kind="exp", tau=5.0, weight=2.0, thresh=-60)
    model = lems(body, "net", {"v": "pop[0]/v"}, "20ms", "pop[0]")
    found = lemsmith.run(model, step=step).event_times("pop[0]")
    low, high = 8e-3, 14e-3
    for _ in range(200):
        middle = 0.5 * (low + high)
        above = 2.0 * response("exp", 5.0, np.array([middle - 8e-3]))[0] > 5e-3
        low, high = (low, middle) if above else (middle, high)
    assert found[0] == pytest.approx(high, abs=1e-13)


SCHEME = (
    chain_channel("900per_ms", "300per_ms")
    + """
<pointCellCondBased id="cell" C="10pF" v0="-60mV" thresh="20mV">
  <channelPopulation id="kp" ionChannel="k" number="1000" erev="-77mV"/>
</pointCellCondBased>
<pulseGenerator id="pulse" delay="5ms" duration="20ms" amplitude="0.1nA"/>
<network id="net">
  <population id="pop" component="cell" size="1"/>
  <explicitInput target="pop[0]" input="pulse"/>
</network>
"""
)


def test_a_kinetic_scheme_keeps_its_sum() -> None:
    columns = {s: f"pop[0]/kp/k/n/{s}/occupancy" for s in ("c1", "c2", "o", "i")}
    recording = lemsmith.run(lems(SCHEME, "net", columns, "40ms"), step=2.5e-5)
    total = sum(recording[s] for s in columns)
    assert np.abs(total - total[0]).max() < 1e-12
    assert recording["o"].max() > 0.1


MANY = """
<ComponentType name="spinning"><Parameter name="rate" dimension="none"/>
  <Property name="k" dimension="none" defaultValue="1"/>
  <Exposure name="v" dimension="none"/><Exposure name="u" dimension="none"/>
  <Dynamics>
    <StateVariable name="x" dimension="none"/>
    <StateVariable name="v" dimension="none" exposure="v"/>
    <StateVariable name="u" dimension="none" exposure="u"/>
    <OnStart><StateAssignment variable="x" value="1"/></OnStart>
    <TimeDerivative variable="x" value="(0 - rate * v) / 1s"/>
    <TimeDerivative variable="v" value="rate * x / 1s"/>
    <TimeDerivative variable="u" value="(x * v - u) / 1s"/>
  </Dynamics>
</ComponentType>
<spinning id="spin" rate="3"/>
"""


@pytest.mark.parametrize("step", [1e-3, 0.25])
def test_exact_solves_the_linear_part_of_a_nonlinear_model(step: float) -> None:
    body = MANY.replace("/ 1s", "/ SEC").replace(
        '<Property name="k" dimension="none" defaultValue="1"/>',
        '<Constant name="SEC" dimension="time" value="1s"/>',
    )
    model = lems(body, "spin", {"v": "v", "u": "u"}, "2s")
    recording = lemsmith.run(model, method="exact", step=step)
    np.testing.assert_allclose(recording["v"], np.sin(3 * recording.time), rtol=0, atol=1e-12)


@pytest.mark.parametrize("method", [*ORDERS, "exact"])
def test_every_method_is_the_same_on_every_backend(method: str) -> None:
    found = [
        lemsmith.run(model, method=method, step="0.02ms", length="12ms", backend=backend)
        for model in (lems(SCHEME, "net", {"v": "pop[0]/v"}, "40ms"), IAF_CONDUCTANCE)
        for backend in ("cpp", "numpy", "cuda-on-host")
    ]
    for first, *others in (found[:3], found[3:]):
        assert np.ptp(first["v"]) > 1e-3
        for other in others:
            np.testing.assert_allclose(other["v"], first["v"], rtol=0, atol=1e-12)
