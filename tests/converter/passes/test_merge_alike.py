"""Populations that differ in values alone become one, and nothing else changes."""

from __future__ import annotations

from dataclasses import replace

import lemsmith
import numpy as np
import pytest
from lemsmith.codegen.lower_steps import lower_steps
from lemsmith.converter.flatten import flatten
from lemsmith.converter.network import Network
from lemsmith.converter.optimise import optimise
from lemsmith.converter.passes import merge_alike as module
from lemsmith.converter.passes.merge_alike import alike, fused, merge_alike
from lemsmith.converter.read import read
from lemsmith.converter.resolve import resolve
from lemsmith.converter.simulation import simulation_of
from lemsmith.errors import Faults, NumericalError

#: Cells that each have a population of their own, a chain with side branches and inputs.
CELLS = 12


def named_cells(count=CELLS, more="", cells="", thresholds=("-50mV",)):
    """Return a network of `count` populations of one cell each, joined in a chain."""
    types = "".join(
        f'<iafCell id="iaf{n}" leakConductance="{10 + n}nS" leakReversal="-60mV" '
        f'thresh="{thresholds[n % len(thresholds)]}" reset="-70mV" C="0.2nF"/>'
        for n in range(count)
    )
    populations = "".join(
        f'<population id="cell{n}" component="iaf{n}" size="1"/>' for n in range(count)
    )
    joins = "".join(
        f'<projection id="{synapse}{n}" presynapticPopulation="cell{n}" '
        f'postsynapticPopulation="cell{(n * step + 1) % count}" synapse="{synapse}">'
        f'<connectionWD id="0" preCellId="../cell{n}[0]" '
        f'postCellId="../cell{(n * step + 1) % count}[0]" weight="{n + 1}" delay="{n % 3}ms"/>'
        f"</projection>"
        for synapse, step in (("fast", 1), ("slow", 5))
        for n in range(count)
        if synapse == "fast" or n % 3
    )
    inputs = "".join(
        f'<explicitInput target="cell{n}[0]" input="pulse"/>' for n in range(0, count, 2)
    )
    columns = "".join(f'<OutputColumn id="c{n}" quantity="cell{n}[0]/v"/>' for n in range(count))
    events = "".join(
        f'<EventSelection id="{n}" select="cell{n}[0]" eventPort="spike"/>' for n in range(count)
    )
    return f"""<Lems><Target component="sim"/>
<Include file="NeuroML2CoreTypes.xml"/><Include file="Simulation.xml"/>
<pulseGenerator id="pulse" delay="1ms" duration="45ms" amplitude="0.4nA"/>
<expOneSynapse id="fast" gbase="3nS" erev="0mV" tauDecay="5ms"/>
<expTwoSynapse id="slow" gbase="2nS" erev="-80mV" tauRise="1ms" tauDecay="8ms"/>
{types}{cells}<network id="net">{populations}{joins}{inputs}{more}</network>
<Simulation id="sim" length="50ms" step="0.05ms" target="net">
<OutputFile id="of" fileName="v.dat">{columns}</OutputFile>
<EventOutputFile id="ef" fileName="v.spikes" format="ID_TIME">{events}</EventOutputFile>
</Simulation></Lems>"""


def network_of(source: str, schedule: str) -> Network:
    faults = Faults()
    model = resolve(read(source), faults)
    simulation = simulation_of(model, faults)
    return flatten(model, simulation, schedule=schedule, draw=lambda: 0.5, faults=faults)


def recordings(monkeypatch, source, method):
    """Return what a model records as it is written, and with alike populations merged."""
    found = []
    # Another length is another plan: what is kept of one must not serve for the other.
    for least, length in ((10**9, "49.9999ms"), (2, "50ms")):
        monkeypatch.setattr(module.merge_alike, "__defaults__", (least,))
        found.append(lemsmith.run(source, method=method, length=length))
    return found


@pytest.mark.parametrize("method", ["jlems", "default", "rk4"])
def test_a_merged_network_records_the_same(monkeypatch, method):
    apart, merged = recordings(monkeypatch, named_cells(), method)
    assert sum(len(train.times) for train in apart.events) > 20
    # Equations may be rounded otherwise where a number became a parameter; `jlems` must not.
    near = 0.0 if method == "jlems" else 1e-9
    for path in apart.keys():  # noqa: SIM118 - a recording is no mapping
        assert merged[path] == pytest.approx(apart[path], rel=near, abs=0), path
    for one, other in zip(apart.events, merged.events, strict=True):
        assert other.times == pytest.approx(one.times, rel=near, abs=0)


@pytest.mark.parametrize("schedule", ["jlems", "equations"])
def test_cells_of_one_type_become_one_population(schedule):
    network = network_of(named_cells(), schedule)
    merged = merge_alike(network, 2)
    sizes = {p.component: p.size for p in merged.populations if p.size == CELLS}
    assert "iaf0" in sizes
    assert len(merged.populations) < len(network.populations) / 3
    assert sum(p.size for p in merged.populations) == sum(p.size for p in network.populations)


def test_values_stay_with_their_instances():
    network = network_of(named_cells(), "equations")
    merged = merge_alike(network, 2)
    (cells,) = [p for p in merged.populations if p.component == "iaf0"]
    assert [member.component for member in cells.members] == [f"iaf{n}" for n in range(CELLS)]
    # What differs is a parameter, once; what all have in common is still a number.
    (leak,) = cells.parameters.values()
    assert leak == pytest.approx(1e-9 * (10 + np.arange(CELLS)))


def test_parts_advance_in_the_order_they_were_attached_in():
    network = network_of(named_cells(), "jlems")
    merged = merge_alike(network, 2)
    place = {}
    for population in merged.populations:
        for member in population.members:
            place[member.name] = population.name, member.first

    def order(net):
        """Return what each instance of each owner advances, as (population, instance)."""
        found = {}
        for listed in lower_steps(net).advance_lists:
            which = listed.which if listed.which is not None else np.zeros(len(listed.entries), int)
            for owner in range(len(listed.starts) - 1):
                at = range(listed.starts[owner], listed.starts[owner + 1])
                parts = [(listed.populations[which[k]], int(listed.entries[k])) for k in at]
                found.setdefault((listed.owner, owner), []).extend(parts)
        return found

    def moved(name, instance):
        to, first = place.get(name, (name, 0))
        return to, first + instance

    expected = {
        moved(*owner): [moved(*part) for part in parts] for owner, parts in order(network).items()
    }
    assert order(merged) == expected


def test_connections_of_a_source_stay_in_the_order_of_the_document():
    merged = merge_alike(network_of(named_cells(), "jlems"), 2)
    apart = network_of(named_cells(), "jlems")

    def sent(net):
        found = {}
        for projection in net.projections:
            for n, source in enumerate(projection.source_index):
                key = (projection.source, int(source))
                found.setdefault(key, []).append(float(projection.delay[n]))
        return found

    firsts = {(m.name, 0): (p.name, m.first) for p in merged.populations for m in p.members}
    expected = {firsts.get(key, key): delays for key, delays in sent(apart).items()}
    assert sent(merged) == expected


def test_a_cell_with_other_equations_stays_apart():
    other = '<izhikevich2007Cell id="iz" v0="-60mV" C="100pF" k="0.7nS_per_mV" vr="-60mV" '
    other += 'vt="-40mV" vpeak="35mV" a="0.03per_ms" b="-2nS" c="-50mV" d="100pA"/>'
    source = named_cells(cells=other, more='<population id="odd" component="iz" size="1"/>')
    network = network_of(source, "jlems")
    classes = alike(fused(network.populations))
    assert classes["odd"] not in {classes[f"cell{n}"] for n in range(CELLS)}
    assert len({classes[f"cell{n}"] for n in range(CELLS)}) == 1


def test_parts_of_owners_that_are_not_alike_are_not_alike():
    network = network_of(named_cells(), "jlems")
    kept = [p for p in network.populations if p.name == "cell0"]
    changed = replace(kept[0], ports=(*kept[0].ports, "another"))
    populations = tuple(changed if p.name == "cell0" else p for p in network.populations)
    classes = alike(fused(populations))
    below = [p.name for p in populations if p.parent == "cell0"]
    others = {classes[p.name] for p in populations if p.parent not in ("cell0", None)}
    assert below
    assert all(classes[name] not in others for name in below)


def test_small_networks_stay_as_they_are_written():
    network = network_of(named_cells(3), "jlems")
    assert merge_alike(network) is network
    assert optimise(network) is network


def test_an_error_names_the_population_that_the_model_has(monkeypatch):
    monkeypatch.setattr(module.merge_alike, "__defaults__", (2,))
    bad = """<ComponentType name="runs" extends="baseCell"><Parameter name="k" dimension="none"/>
<Exposure name="x" dimension="none"/><Constant name="S" dimension="time" value="1ms"/><Dynamics>
<StateVariable name="x" dimension="none" exposure="x"/>
<OnStart><StateAssignment variable="x" value="k"/></OnStart>
<TimeDerivative variable="x" value="x * x * x / S"/></Dynamics></ComponentType>"""
    bad += "".join(f'<runs id="r{n}" k="{3 if n == 4 else 0}"/>' for n in range(6))
    more = "".join(f'<population id="run{n}" component="r{n}" size="1"/>' for n in range(6))
    with pytest.raises(NumericalError, match=r"'x' of r4 \(instance 0 of run4\)"):
        lemsmith.run(named_cells(cells=bad, more=more), method="jlems")
