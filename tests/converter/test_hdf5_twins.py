"""A network written by libNeuroML as HDF5 gives what the same network gives as XML."""

from __future__ import annotations

import warnings

import lemsmith
import numpy as np
import pytest

pytest.importorskip("h5py", reason="h5py is not installed")
pytest.importorskip("tables", reason="libNeuroML writes HDF5 with PyTables")
nml = pytest.importorskip("neuroml", reason="libNeuroML is not installed")
pytest.importorskip("neuroml.utils")
writers = pytest.importorskip("neuroml.writers")

CELLS = 3


def network():
    """Return two populations with every kind of connection, and inputs with weights."""
    net = nml.Network(id="net")
    for name in "ab":
        population = nml.Population(id=name, component="c", type="populationList", size=CELLS)
        for i in range(CELLS):
            place = nml.Location(x=i, y=2 * i, z=0)
            population.instances.append(nml.Instance(id=i, location=place))
        net.populations.append(population)
    ends = {"presynaptic_population": "a", "postsynaptic_population": "b"}
    chemical = nml.Projection(id="chemical", synapse="s", **ends)
    for i in range(CELLS):
        way = {"pre_cell_id": f"../a/{i}/c", "post_cell_id": f"../b/{(i + 1) % CELLS}/c"}
        made = nml.ConnectionWD(id=i, weight=0.5 + i, delay=f"{1 + i}ms", **way)
        chemical.connection_wds.append(made)
    electrical = nml.ElectricalProjection(id="electrical", **ends)
    electrical.electrical_connection_instance_ws.append(
        nml.ElectricalConnectionInstanceW(
            id=0, pre_cell="../a/0/c", post_cell="../b/2/c", synapse="g", weight=0.7
        )
    )
    continuous = nml.ContinuousProjection(id="continuous", **ends)
    continuous.continuous_connection_instance_ws.append(
        nml.ContinuousConnectionInstanceW(
            id=0,
            pre_cell="../a/1/c",
            post_cell="../b/0/c",
            pre_component="silent",
            post_component="graded",
            weight=1.5,
        )
    )
    inputs = nml.InputList(id="inputs", populations="a", component="p")
    for i in range(CELLS):
        target = f"../a/{i}/c"
        made = nml.InputW(id=i, target=target, destination="synapses", weight=1 + 0.3 * i)
        inputs.input_ws.append(made)
    net.projections.append(chemical)
    net.electrical_projections.append(electrical)
    net.continuous_projections.append(continuous)
    net.input_lists.append(inputs)
    return net


def document():
    """Return the network with its cells and synapses."""
    made = nml.NeuroMLDocument(id="twin")
    made.iaf_cells.append(
        nml.IafCell(
            id="c",
            leak_reversal="-60mV",
            thresh="-50mV",
            reset="-65mV",
            C="0.2nF",
            leak_conductance="0.01uS",
        )
    )
    made.exp_one_synapses.append(
        nml.ExpOneSynapse(id="s", gbase="2nS", erev="0mV", tau_decay="3ms")
    )
    made.gap_junctions.append(nml.GapJunction(id="g", conductance="1nS"))
    made.silent_synapses.append(nml.SilentSynapse(id="silent"))
    made.graded_synapses.append(
        nml.GradedSynapse(
            id="graded", conductance="0.5nS", delta="5mV", Vth="-55mV", k="0.025per_ms", erev="0mV"
        )
    )
    made.pulse_generators.append(
        nml.PulseGenerator(id="p", delay="5ms", duration="50ms", amplitude="0.15nA")
    )
    made.networks.append(network())
    return made


@pytest.mark.parametrize("method", ["default", "jlems"])
def test_a_network_in_hdf5_runs_as_its_twin_in_xml(tmp_path, method):
    paths = tmp_path / "twin.nml", tmp_path / "twin.nml.h5"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # libNeuroML leaves files open
        for writer, path in zip(
            (writers.NeuroMLWriter, writers.NeuroMLHdf5Writer), paths, strict=True
        ):
            writer.write(document(), str(path))
    options = {"target": "net", "length": "60ms", "step": "0.025ms", "method": method}
    xml, hdf5 = (lemsmith.run(path, backend="numpy", **options) for path in paths)
    assert list(xml.keys()) == list(hdf5.keys())
    assert len(xml.keys()) == 2 * CELLS
    for path in xml:
        assert np.ptp(xml[path]) > 1e-4
        assert np.array_equal(xml[path], hdf5[path])
