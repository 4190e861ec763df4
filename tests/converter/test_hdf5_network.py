"""Networks in HDF5, as libNeuroML lays them out: the same tables as their XML would give."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lemsmith.converter import hdf5_network
from lemsmith.converter.document import Document, Element, Table, iter_elements, iter_tables
from lemsmith.converter.read import read
from lemsmith.errors import MissingTool, ModelError

h5py: Any = pytest.importorskip("h5py", reason="h5py reads and writes the files of these tests")

SHARED = Path(__file__).parents[2].parent / "shared"

TOP_LEVEL = (
    '<neuroml xmlns="http://www.neuroml.org/schema/neuroml2" id="n">\n'
    '  <include href="cell.nml"/>\n  <expOneSynapse id="syn"/>\n</neuroml>'
)


def write(
    path: Path,
    top_level: str | None = TOP_LEVEL,
    **groups: tuple[dict[str, object], Any, list[str]],
) -> Path:
    """Write a network of groups: attributes, rows and the names of their columns."""
    with h5py.File(path, "w") as file:
        root = file.create_group("neuroml")
        root.attrs["id"] = np.bytes_(b"net file")
        if top_level is not None:
            root.attrs["neuroml_top_level"] = np.bytes_(top_level.encode())
        network = root.create_group("network")
        network.attrs["id"] = np.bytes_(b"net")
        for name, (attributes, rows, columns) in groups.items():
            group = network.create_group(name)
            for key, value in attributes.items():
                group.attrs[key] = np.bytes_(value.encode()) if isinstance(value, str) else value
            if rows is not None:
                data = group.create_dataset(name.partition("_")[2], data=np.asarray(rows, "f4"))
                for i, column in enumerate(columns):
                    data.attrs[f"column_{i}"] = np.bytes_(column.encode())
    (path.parent / "cell.nml").write_text("<neuroml><iafCell id='c'/></neuroml>")
    return path


LISTED = ({"id": "pop", "component": "c"}, [[1, 2.5, 0.1], [3, 4, 5]], ["x", "y", "z"])
SIZED = ({"id": "many", "component": "c", "size": np.int64(7)}, None, [])


def projection(kind: str, pre: str = "pop", post: str = "many", **more: str) -> dict[str, object]:
    ends = {"presynapticPopulation": pre, "postsynapticPopulation": post}
    return {"id": "p", "type": kind, **ends, **more}


def table_of(document: Document, tag: str) -> Table:
    (found,) = iter_tables(document, tag)
    return found


def rows(table: Table) -> list[dict[str, str | None]]:
    return [{n: c.text(i) for n, c in table.columns.items()} for i in range(table.rows)]


def refusal(path: Path) -> str:
    with pytest.raises(ModelError) as raised:
        read(path)
    return str(raised.value)


def test_a_population_has_its_cells_and_properties(tmp_path):
    attributes, data, columns = LISTED
    given = (
        {**attributes, "property:color": "1 0 0", "property:radius": np.int64(5)},
        data,
        columns,
    )
    document = read(write(tmp_path / "a.nml.h5", population_pop=given, population_many=SIZED))
    sized, listed = iter_elements(document, "population")
    assert listed.attributes == {
        "id": "pop", "component": "c", "type": "populationList", "size": "2"
    }  # fmt: skip
    assert sized.attributes == {"id": "many", "component": "c", "size": "7"}
    properties = [(e.get("tag"), e.get("value")) for e in listed.elements("property")]
    assert properties == [("color", "1 0 0"), ("radius", "5")]
    assert rows(table_of(document, "instance")) == [
        {"id": "0", "location/x": "1.0", "location/y": "2.5", "location/z": "0.1"},
        {"id": "1", "location/x": "3.0", "location/y": "4.0", "location/z": "5.0"},
    ]


def test_cells_without_column_names_are_ids_and_coordinates(tmp_path):
    given = ({"id": "pop", "component": "c"}, [[7, 1, 2, 3]], [])
    document = read(write(tmp_path / "a.h5", population_pop=given))
    assert rows(table_of(document, "instance"))[0] == {
        "id": "7", "location/x": "1.0", "location/y": "2.0", "location/z": "3.0"
    }  # fmt: skip


def test_connections_have_paths_to_their_cells(tmp_path):
    given = (
        projection("projection", synapse="syn"),
        [[0, 6], [1, 2]],
        ["pre_cell_id", "post_cell_id"],
    )
    path = write(
        tmp_path / "a.h5", population_pop=LISTED, population_many=SIZED, projection_p=given
    )
    document = read(path)
    (element,) = iter_elements(document, "projection")
    assert element.get("synapse") == "syn"
    assert rows(table_of(document, "connection")) == [
        {"id": "0", "preCellId": "../pop/0/c", "postCellId": "../many[6]"},
        {"id": "1", "preCellId": "../pop/1/c", "postCellId": "../many[2]"},
    ]


def test_weights_and_delays_are_the_decimals_that_were_written(tmp_path):
    columns = ["id", "pre_cell_id", "post_cell_id", "pre_segment_id", "post_fraction_along"]
    given = (
        projection("projection", synapse="syn"),
        [[4, 0, 0, 3, 0.3, 0.05, 1.5], [9, 1, 0, 0, 0.7, 0.1, 0.7]],
        [*columns, "weight", "delay"],
    )
    path = write(
        tmp_path / "a.h5", population_pop=LISTED, population_many=SIZED, projection_p=given
    )
    assert rows(table_of(read(path), "connectionWD")) == [
        {
            "id": "4", "preCellId": "../pop/0/c", "postCellId": "../many[0]", "preSegmentId": "3",
            "postFractionAlong": "0.3", "weight": "0.05", "delay": "1.5ms",
        },
        {
            "id": "9", "preCellId": "../pop/1/c", "postCellId": "../many[0]", "preSegmentId": "0",
            "postFractionAlong": "0.7", "weight": "0.1", "delay": "0.7ms",
        },
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("pre", "columns", "tag", "cell"),
    [
        ("many", [], "electricalConnection", "0"),
        ("pop", [], "electricalConnectionInstance", "../pop/0/c"),
        ("pop", ["weight"], "electricalConnectionInstanceW", "../pop/0/c"),
        ("many", ["weight"], "electricalConnectionInstanceW", "../many[0]"),
    ],
)
def test_gap_junctions_are_of_the_kind_that_fits_their_populations(
    tmp_path, pre, columns, tag, cell
):
    names = ["pre_cell_id", "post_cell_id", *columns]
    given = (
        projection("electricalProjection", pre, synapse="gj"),
        [[0, 1, 2][: len(names)]],
        names,
    )
    path = write(
        tmp_path / "a.h5", population_pop=LISTED, population_many=SIZED, projection_p=given
    )
    (row,) = rows(table_of(read(path), tag))
    assert (row["preCell"], row["synapse"]) == (cell, "gj")
    assert row.get("weight") == ("2.0" if columns else None)


def test_continuous_connections_name_both_their_ends(tmp_path):
    ends = {"preComponent": "silent", "postComponent": "graded"}
    given = (
        projection("continuousProjection", "many", **ends),
        [[3, 1]],
        ["pre_cell_id", "post_cell_id"],
    )
    document = read(write(tmp_path / "a.h5", population_many=SIZED, projection_p=given))
    assert rows(table_of(document, "continuousConnection")) == [
        {
            "id": "0", "preCell": "3", "postCell": "1",
            "preComponent": "silent", "postComponent": "graded",
        }
    ]  # fmt: skip


@pytest.mark.parametrize(("more", "tag"), [([], "input"), (["weight"], "inputW")])
def test_inputs_have_their_targets(tmp_path, more, tag):
    names = ["id", "target_cell_id", "segment_id", "fraction_along", *more]
    attributes: dict[str, object] = {"id": "in", "component": "pulse", "population": "many"}
    given = (attributes, [[0, 5, 0, 0.25, 2.0][: len(names)]], names)
    document = read(write(tmp_path / "a.h5", population_many=SIZED, inputList_in=given))
    (row,) = rows(table_of(document, tag))
    assert row.pop("weight", None) == ("2.0" if more else None)
    assert row == {
        "id": "0", "target": "../many[5]", "destination": "synapses",
        "segmentId": "0", "fractionAlong": "0.25",
    }  # fmt: skip


def test_the_xml_beside_the_network_comes_first_with_its_includes(tmp_path):
    path = write(tmp_path / "a.nml.h5", population_many=SIZED)
    (tmp_path / "root.xml").write_text("<Lems><A/><Include file='a.nml.h5'/><B/></Lems>")
    document = read(tmp_path / "root.xml")
    assert [e.tag for e in document.elements] == ["A", "iafCell", "expOneSynapse", "network", "B"]
    assert str(document.elements[2].place) == f"{path}/neuroml_top_level:3:3"


def test_an_hdf5_file_can_be_the_model_itself(tmp_path):
    document = read(write(tmp_path / "a.nml.h5", population_many=SIZED))
    assert (document.root_tag, document.root_attributes) == ("neuroml", {"id": "net file"})
    assert any(e.get("name") == "iafCell" for e in iter_elements(document, "ComponentType"))


def test_a_temperature_makes_the_network_one_with_temperature(tmp_path):
    path = write(tmp_path / "a.h5", None, population_many=SIZED)
    with h5py.File(path, "a") as file:
        file["neuroml/network"].attrs["temperature"] = "32degC"
    (network,) = iter_elements(read(path), "network")
    assert network.attributes == {
        "id": "net", "type": "networkWithTemperature", "temperature": "32degC"
    }  # fmt: skip


def test_a_fault_of_the_xml_inside_has_its_line(tmp_path):
    path = write(tmp_path / "a.h5", "<neuroml>\n<a></b></neuroml>", population_many=SIZED)
    assert "neuroml_top_level:2:6: </b> stands where <a>" in refusal(path)
    assert "\n    <a></b></neuroml>\n" in refusal(path)


@pytest.mark.parametrize(
    ("data", "columns", "message"),
    [
        ([[0, 1]], ["pre_cell_id", "x"], "a dataset has no column post_cell_id"),
        ([[0.5, 1]], ["pre_cell_id", "post_cell_id"], "not a whole number"),
        ([[np.nan, 1]], ["pre_cell_id", "post_cell_id"], "too large or not finite"),
        ([[1e30, 1]], ["pre_cell_id", "post_cell_id"], "too large or not finite"),
        ([0, 1], [], "not a table of numbers"),
    ],
)
def test_a_dataset_that_is_none_of_connections_is_refused(tmp_path, data, columns, message):
    given = (projection("projection", "many", synapse="syn"), data, columns)
    path = write(tmp_path / "a.h5", population_many=SIZED, projection_p=given)
    assert message in refusal(path)


def test_connections_of_a_population_that_is_not_there_are_refused(tmp_path):
    given = (projection("projection", synapse="s"), [[0, 0]], ["pre_cell_id", "post_cell_id"])
    path = write(tmp_path / "a.h5", population_many=SIZED, projection_p=given)
    assert "no population of the file" in refusal(path)


def test_a_dataset_in_another_file_is_refused(tmp_path):
    path = write(tmp_path / "a.h5", population_many=SIZED)
    (tmp_path / "secret").write_bytes(bytes(64))
    with h5py.File(path, "a") as file:
        group = file["neuroml/network"].create_group("population_x")
        group.create_dataset("x", (2, 3), "f4", external=[(str(tmp_path / "secret"), 0, 24)])
    assert "a dataset lies in another file" in refusal(path)


def test_a_virtual_dataset_is_refused(tmp_path):
    write(tmp_path / "b.h5", population_pop=LISTED)
    path = write(tmp_path / "a.h5", population_many=SIZED)
    layout = h5py.VirtualLayout((2, 3), "f4")
    layout[:] = h5py.VirtualSource(tmp_path / "b.h5", "neuroml/network/population_pop/pop", (2, 3))
    with h5py.File(path, "a") as file:
        file["neuroml/network"].create_group("population_x").create_virtual_dataset("x", layout)
    assert "a dataset lies in another file" in refusal(path)


@pytest.mark.parametrize("soft", [True, False])
def test_links_are_not_followed(tmp_path, soft):
    other = write(tmp_path / "b.h5", population_pop=LISTED)
    path = write(tmp_path / "a.h5", population_many=SIZED)
    with h5py.File(path, "a") as file:
        target = "/neuroml/network/population_pop"
        link = h5py.SoftLink("/neuroml/network") if soft else h5py.ExternalLink(other, target)
        file["neuroml/network"]["population_pop"] = link
    assert [e.get("id") for e in iter_elements(read(path), "population")] == ["many"]


def test_a_dataset_that_only_claims_to_be_vast_is_refused(tmp_path):
    path = write(tmp_path / "a.h5", population_many=SIZED)
    with h5py.File(path, "a") as file:
        group = file["neuroml/network"].create_group("population_x")
        group.create_dataset("x", (10**12, 3), "f4", chunks=(1000, 3), compression="gzip")
    assert "the network is too large" in refusal(path)


def test_an_hdf5_file_without_neuroml_is_no_model(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["secret"] = [1, 2, 3]
    assert refusal(tmp_path / "a.h5") == f"{tmp_path / 'a.h5'} is not a LEMS or NeuroML file"


@pytest.mark.parametrize("kept", [8, 100, 1000, 5000])
def test_a_file_cut_short_is_a_fault(tmp_path, kept):
    path = write(tmp_path / "a.h5", population_pop=LISTED, population_many=SIZED)
    path.write_bytes(path.read_bytes()[:kept])
    assert "damaged" in refusal(path)


def test_without_h5py_the_extra_is_named(tmp_path, monkeypatch):
    path = write(tmp_path / "a.h5", population_many=SIZED)

    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(hdf5_network.importlib, "import_module", missing)
    with pytest.raises(MissingTool, match=r"pip install lemsmith\[hdf5\]"):
        read(path)
    assert importlib is hdf5_network.importlib


@pytest.mark.parametrize("name", ["ACNet", "SpikingNet"])
def test_the_networks_of_the_corpus_are_read(name):
    path = SHARED / f"corpus/osb/OpenCortex/examples/HDF5/{name}.net.nml.h5"
    if not path.exists():
        pytest.skip("the corpus isn't here")
    document = read(path)
    (network,) = iter_elements(document, "network")
    counts = {
        e.get("id"): table.rows
        for e in network.elements()
        for table in e.children
        if isinstance(e, Element) and isinstance(table, Table)
    }
    expected = {
        "ACNet": {
            "pop_bask": 12, "pop_pyr": 48, "Proj_bask_bask_pop_bask_pop_bask": 60,
            "Proj_bask_pyr_pop_bask_pop_pyr": 1008, "Proj_pyr_bask_pop_pyr_pop_bask": 252,
            "Proj_pyr_pyr_pop_pyr_pop_pyr": 336, "Stim0": 48,
        },
        "SpikingNet": {"pop_post": 10, "pop_pre": 10, "proj0_pop_pre_pop_post": 28, "Stim0": 10},
    }  # fmt: skip
    assert counts == expected[name]
