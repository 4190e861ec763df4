"""Cables against their theory (Rall 1959, 1962; Jack, Noble and Tsien 1975)."""

from __future__ import annotations

import math

import numpy as np
import pytest
from cables import HH_DENSITIES, driven, leak, model, section, segment
from lemsmith.errors import ModelError, UsageError
from lemsmith.runner.pipeline import run

REST = -0.065
RADIUS = 1e-6
RESISTIVITY = 1.0  # ohm m
LEAK = 3.0  # S/m2
LAMBDA = math.sqrt(RADIUS / (2 * RESISTIVITY * LEAK))
TAU = 0.01 / LEAK


def cylinder(divisions: int, length: float, number: int = 0) -> str:
    """A cylinder of 2 um along x, `length` in um, as one section."""
    one = segment(number, None, (0.0, 0.0, 0.0, 2.0), (length, 0.0, 0.0, 2.0))

    return one + section("cable", [number], divisions)


def two_halves(divisions: int, length: float) -> str:
    """The same cylinder as two segments in one section."""
    half = length / 2
    return (
        segment(0, None, (0.0, 0.0, 0.0, 2.0), (half, 0.0, 0.0, 2.0))
        + segment(1, 0, (half, 0.0, 0.0, 2.0), (length, 0.0, 0.0, 2.0))
        + section("cable", [0, 1], divisions)
    )


def passive(shape: str, amplitude: str, place: tuple[int, float], columns, **options):
    pulse, network = driven(amplitude, *place)
    text = model(shape, leak(), network, columns, extra=pulse, **options)
    method = "default"
    return run(text, method=method)


@pytest.mark.parametrize("method", ["default", "cn", "exponential_euler", "euler", "neuron"])
def test_a_sealed_cable_settles_to_a_hyperbolic_cosine(method):
    length = 400.0  # um, about one length constant
    pulse, network = driven("0.05 nA", 0, 0.0)
    text = model(
        two_halves(101, length),
        leak(),
        network,
        ["p/0/c/0/v", "p/0/c/1/v"],
        extra=pulse,
        length="60 ms",
        step="0.05 ms",
    )
    settled = run(text, method=method)
    reach = length * 1e-6
    infinite = RESISTIVITY * LAMBDA / (math.pi * RADIUS**2)
    for column, x in (("p/0/c/0/v", 0.25), ("p/0/c/1/v", 0.75)):
        expected = (
            0.05e-9 * infinite * math.cosh((1 - x) * reach / LAMBDA) / math.sinh(reach / LAMBDA)
        )
        # The compartment's centre lies up to half a compartment from the segment's.
        assert settled.trace(column).values[-1] - REST == pytest.approx(expected, rel=1e-2, abs=0)


def test_the_error_in_space_falls_with_the_square_of_the_compartments_length():
    length, x = 400.0, 0.5
    reach = length * 1e-6
    infinite = RESISTIVITY * LAMBDA / (math.pi * RADIUS**2)
    expected = 0.05e-9 * infinite * math.cosh((1 - x) * reach / LAMBDA) / math.sinh(reach / LAMBDA)
    thirds = (
        segment(0, None, (0.0, 0.0, 0.0, 2.0), (100.0, 0.0, 0.0, 2.0))
        + segment(1, 0, (100.0, 0.0, 0.0, 2.0), (300.0, 0.0, 0.0, 2.0))
        + segment(2, 1, (300.0, 0.0, 0.0, 2.0), (400.0, 0.0, 0.0, 2.0))
    )
    errors = []
    for divisions in (9, 27):
        found = passive(
            thirds + section("cable", [0, 1, 2], divisions),
            "0.05 nA",
            (0, 0.0),
            ["p/0/c/1/v"],
            length="60 ms",
            step="0.05 ms",
        )
        errors.append(abs(found.trace("p/0/c/1/v").values[-1] - REST - expected))
    assert math.log(errors[0] / errors[1], 3) == pytest.approx(2, abs=0.1)


def test_a_long_cable_charges_as_an_error_function():
    found = passive(
        two_halves(1001, 4000.0),
        "0.05 nA",
        (0, 0.0),
        ["p/0/c/0/v"],
        length="10 ms",
        step="0.01 ms",
    )
    del found
    near = (
        segment(0, None, (0.0, 0.0, 0.0, 2.0), (1.0, 0.0, 0.0, 2.0))
        + segment(1, 0, (1.0, 0.0, 0.0, 2.0), (4000.0, 0.0, 0.0, 2.0))
        + section("cable", [0, 1], 2001)
    )
    trace = passive(near, "0.05 nA", (0, 0.0), ["p/0/c/0/v"], length="10 ms", step="0.005 ms")
    v = trace.trace("p/0/c/0/v").values - REST
    infinite = RESISTIVITY * LAMBDA / (math.pi * RADIUS**2)
    for t in (TAU / 2, TAU, 2 * TAU):
        expected = 0.05e-9 * infinite * math.erf(math.sqrt(t / TAU))
        assert v[round(t / 5e-6)] == pytest.approx(expected, rel=5e-3, abs=0)


def test_a_rall_tree_is_its_equivalent_cylinder():
    # Daughters whose diameters to the power 3/2 add up, cut at equal electrotonic lengths.
    thin = 2.0 / 2 ** (2 / 3)
    reach = 200.0 * math.sqrt(thin / 2.0)
    tree = (
        segment(0, None, (0.0, 0.0, 0.0, 2.0), (200.0, 0.0, 0.0, 2.0))
        + segment(1, 0, (200.0, 0.0, 0.0, thin), (200.0 + reach, 0.0, 0.0, thin))
        + segment(2, 0, (200.0, 0.0, 0.0, thin), (200.0, reach, 0.0, thin))
        + section("trunk", [0], 11)
        + section("one", [1], 11)
        + section("two", [2], 11)
    )
    line = (
        segment(0, None, (0.0, 0.0, 0.0, 2.0), (200.0, 0.0, 0.0, 2.0))
        + segment(1, 0, (200.0, 0.0, 0.0, 2.0), (400.0, 0.0, 0.0, 2.0))
        + section("trunk", [0], 11)
        + section("rest", [1], 11)
    )
    columns = ["p/0/c/0/v", "p/0/c/1/v"]
    a = passive(tree, "0.05 nA", (0, 0.5), columns, length="20 ms")
    b = passive(line, "0.05 nA", (0, 0.5), columns, length="20 ms")
    for column in columns:
        # The points are single precision, as in NEURON.
        assert np.allclose(a.trace(column).values, b.trace(column).values, rtol=0, atol=2e-9)


def test_charge_is_conserved():
    parts = 8
    shape = "".join(
        segment(
            n,
            n - 1 if n else None,
            (10.0 * n, 0.0, 0.0, 2.0 + n % 3),
            (10.0 * n + 10, 0.0, 0.0, 2.0 + n % 3),
        )
        for n in range(parts)
    )
    columns = [f"p/0/c/{n}/v" for n in range(parts)]
    pulse, network = driven("0.01 nA", 2, 0.5, duration="1 ms")
    found = run(model(shape, "", network, columns, extra=pulse, length="5 ms", step="0.01 ms"))
    area = [math.pi * (2.0 + n % 3) * 10 * 1e-12 for n in range(parts)]
    charge = sum(
        0.01 * a * (found.trace(c).values[-1] - REST) for a, c in zip(area, columns, strict=True)
    )
    assert charge == pytest.approx(1e-14, rel=1e-6, abs=0)


def test_two_halves_of_a_segment_are_one_segment():
    halves = (
        two_halves(4, 100.0)
        + segment(9, 1, (100.0, 0.0, 0.0, 1.0), (150.0, 0.0, 0.0, 1.0))
        + section("tip", [9], 1)
    )
    whole = (
        segment(0, None, (0.0, 0.0, 0.0, 2.0), (100.0, 0.0, 0.0, 2.0))
        + section("cable", [0], 4)
        + segment(9, 0, (100.0, 0.0, 0.0, 1.0), (150.0, 0.0, 0.0, 1.0))
        + section("tip", [9], 1)
    )
    runs = [
        passive(shape, "0.05 nA", place, ["p/0/c/9/v"], length="20 ms")
        for shape, place in ((halves, (0, 0.3)), (whole, (0, 0.15)))
    ]
    a, b = (r.trace("p/0/c/9/v").values for r in runs)
    assert np.allclose(a, b, rtol=0, atol=1e-12)


def spiking(step: str, method: str, cells: int = 1, **options):
    shape = (
        segment(0, None, (0.0, 0.0, 0.0, 10.0), (20.0, 0.0, 0.0, 10.0))
        + segment(1, 0, (20.0, 0.0, 0.0, 2.0), (420.0, 0.0, 0.0, 1.0))
        + section("soma", [0], 1)
        + section("dend", [1], 5)
    )
    pulse, network = driven("0.3 nA", 0, 0.5, cells, delay="1 ms")
    columns = ["p/0/c/0/v", "p/0/c/1/v", *([f"p/{cells - 1}/c/1/v"] if cells > 1 else [])]
    text = model(
        shape,
        HH_DENSITIES + leak(erev="-54.3 mV"),
        network,
        columns,
        extra=pulse,
        length="12 ms",
        step=step,
    )
    return run(text, method=method, **options)


@pytest.mark.parametrize(
    ("method", "order"),
    [("default", 2), ("cn", 2), ("neuron", 1), ("exponential_euler", 1), ("euler", 1)],
)
def test_a_spiking_cable_converges_at_the_order_of_its_method(method, order):
    steps = {"0.04 ms": 1, "0.02 ms": 2, "0.01 ms": 4}
    if order == 1:
        steps = {"0.01 ms": 1, "0.005 ms": 2, "0.0025 ms": 4}
    coarse = 0.04 if order == 2 else 0.01
    truth = spiking("0.0005 ms", "default").trace("p/0/c/1/v").values
    errors = []
    for step, finer in steps.items():
        v = spiking(step, method).trace("p/0/c/1/v").values[::finer]
        errors.append(np.abs(v - truth[:: round(coarse / 0.0005)][: len(v)]).max())
    # The last halving of the step.
    assert math.log2(errors[1] / errors[2]) == pytest.approx(order, abs=0.35)


def test_the_default_method_leads_to_the_converged_solution_of_a_cable():
    pytest.importorskip("scipy")
    truth = spiking("0.04 ms", "reference", cells=2)
    errors = []
    for step, finer in (("0.02 ms", 2), ("0.01 ms", 4)):
        found = spiking(step, "default", cells=2)
        v = found.trace("p/0/c/1/v").values[::finer]
        errors.append(np.abs(v - truth.trace("p/0/c/1/v").values).max())
    assert math.log2(errors[0] / errors[1]) == pytest.approx(2, abs=0.35)
    assert errors[1] < 1e-3
    assert np.ptp(truth.trace("p/1/c/1/v").values) < 1e-3


def test_cells_side_by_side_are_as_alone():
    alone = spiking("0.025 ms", "default")
    many = spiking("0.025 ms", "default", cells=7)
    for column in ("p/0/c/0/v", "p/0/c/1/v"):
        assert np.abs(alone.trace(column).values - many.trace(column).values).max() < 1e-12
    # The last cell is not driven.
    assert np.ptp(many.trace("p/6/c/1/v").values) < 1e-3


def test_single_precision_follows_double():
    double = spiking("0.025 ms", "default").trace("p/0/c/0/v").values
    single = spiking("0.025 ms", "default", precision="single").trace("p/0/c/0/v").values
    assert np.abs(double - single).max() < 1e-3


def test_a_gap_junction_joins_segments_of_different_cells():
    shape = two_halves(2, 100.0)
    pulse, network = driven("0.05 nA", 0, 0.5, 2)
    joined = network + (
        '<electricalProjection id="e" presynapticPopulation="p" postsynapticPopulation="p">'
        '<electricalConnectionInstance id="0" preCell="../p/0/c" postCell="../p/1/c" '
        'preSegment="1" postSegment="0" synapse="gap"/></electricalProjection>'
    )
    columns = ["p/0/c/1/v", "p/1/c/0/v", "p/1/c/1/v"]
    extra = pulse + '<gapJunction id="gap" conductance="2 nS"/>'
    found = run(model(shape, leak(), joined, columns, extra=extra, length="60 ms"))
    first, second, far = (found.trace(c).values[-1] for c in columns)
    assert REST < far < second < first
    # In the steady state what crosses the junction leaks out of the second cell.
    crossing = 2e-9 * (first - second)
    leaking = LEAK * 2 * math.pi * 1e-6 * 50e-6 * (second + far - 2 * REST)
    assert crossing == pytest.approx(leaking, rel=1e-6, abs=0)


def test_neuron_solves_for_the_potential_that_a_voltage_clamp_holds():
    clamp = (
        '<voltageClampTriple id="pulse" active="1" delay="1ms" duration="1s" '
        'conditioningVoltage="-70mV" testingVoltage="-50mV" returnVoltage="-70mV" '
        'simpleSeriesResistance="1Mohm"/>'
    )
    network = driven("0 nA")[1]
    shape = segment(0, None, (0.0, 0.0, 0.0, 20.0), (20.0, 0.0, 0.0, 20.0))
    text = model(shape, leak(), network, ["p/0/c/v"], extra=clamp, length="2 ms", step="0.01 ms")
    ours = run(text, method="neuron").trace("p/0/c/v").values
    area = math.pi * 20e-6 * 20e-6
    capacitance, leaking, clamping = 0.01 * area / 1e-5, 3.0 * area, 1e-6
    v = REST
    for step in range(200):
        held = -0.05 if (step + 0.5) * 1e-5 >= 1e-3 else -0.07
        v = (capacitance * v + leaking * REST + clamping * held) / (
            capacitance + leaking + clamping
        )
        assert ours[step + 1] == pytest.approx(v, abs=1e-12)


@pytest.mark.parametrize("method", ["rk2", "rk4"])
def test_methods_that_cannot_advance_a_cable_say_so(method):
    with pytest.raises(UsageError, match=f"{method}.*compartments"):
        spiking("0.025 ms", method)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("p/0/c/7/v", "no segment 7"),
        ("p/0/c/biophys/membraneProperties/leakz/iDensity", "did you mean 'leaks'"),
        ("p/0/c/0/w", "no variable 'w'"),
        ("p/0/c/0/synapses:pulse:3/i", "no number 3"),
    ],
)
def test_unknown_paths_are_refused(path, message):
    pulse, network = driven("0.05 nA")
    with pytest.raises(ModelError, match=message):
        run(model(two_halves(2, 100.0), leak(), network, [path], extra=pulse))


@pytest.mark.parametrize("listed", [True, False])
def test_every_spelling_of_a_cells_path_is_the_same_cell(listed):
    pulse, network = driven("0.05 nA", cells=3)
    network = network.replace("../p/0/c", "../p/1/c")
    if listed:
        each = "".join(
            f'<instance id="{n}"><location x="0" y="0" z="0"/></instance>' for n in (0, 1, 2)
        )
        network = network.replace(
            'size="3"/>', f'type="populationList" size="3">{each}</population>'
        )
    paths = [f"p{n}v" for n in ("[1]/", "/1/", "/1/c/", "/1/c/0/", "[0]/", "/2/c/")]
    found = run(model(two_halves(2, 100.0), leak(), network, paths, extra=pulse, length="5 ms"))
    driven_cell, *same, first, last = (found.trace(path).values for path in paths)
    assert np.ptp(driven_cell) > 1e-3
    assert all((values == driven_cell).all() for values in same)
    assert np.ptp(first) == np.ptp(last) == 0


def test_channels_gates_currents_and_inputs_are_recorded_by_path():
    pulse, network = driven("0.05 nA", 1, 0.5)
    base = "p/0/c/1/biophys/membraneProperties"
    columns = [
        "p[0]/v",
        "p/0/c/1/v",
        f"{base}/nas/na/m/q",
        f"{base}/nas/iDensity",
        f"{base}/ks/gDensity",
        "p/0/c/1/synapses:pulse:0/i",
        "p/0/c/synapses:pulse:0/i",
        "p/0/c/pulse/i",
    ]
    found = run(
        model(
            two_halves(2, 100.0),
            HH_DENSITIES + leak(),
            network,
            columns,
            extra=pulse,
            length="1 ms",
        )
    )
    assert found.trace(f"{base}/nas/na/m/q").values[0] == pytest.approx(0.0529, abs=1e-4)
    for path in columns[-3:]:
        assert found.trace(path).values[-1] == pytest.approx(5e-11, rel=1e-9, abs=0)
