"""Result files: written as the reference writes them, and read back."""

import gzip
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lemsmith.errors import ModelError, UsageError
from lemsmith.runner.recording import (
    EventFileSpec,
    EventSelectionSpec,
    EventTrain,
    OutputColumnSpec,
    OutputFileSpec,
    Recording,
    Trace,
)
from lemsmith.runner.results import places, read_events, read_table, write_files

SHARED = Path(__file__).parents[2].parent / "shared" / "reference"


@pytest.fixture
def recording():
    return Recording(
        time=np.array([0.0, 5e-6, 1e-5]),
        traces=(
            Trace("v", "pop[0]/v", "voltage", "V", np.array([-0.05, -0.07, 1e-4])),
            Trace("q", "pop[0]/q", "none", "", np.array([0.0, 0.5, 1.0])),
        ),
        events=(
            EventTrain("1", "src[1]", "spike", np.array([0.02, 0.03])),
            EventTrain("0", "src[0]", "spike", np.array([0.01, 0.03])),
        ),
        output_files=(
            OutputFileSpec(
                "results/a.dat",
                (OutputColumnSpec("q", "pop[0]/q"), OutputColumnSpec("v", "pop[0]/v")),
            ),
        ),
        event_files=(
            EventFileSpec(
                "a.spikes",
                "ID_TIME",
                (
                    EventSelectionSpec("zero", "src[0]", "spike"),
                    EventSelectionSpec("one", "src[1]", "spike"),
                ),
            ),
        ),
    )


def test_an_output_file_has_time_then_its_columns_in_its_order(recording, tmp_path):
    write_files(recording, tmp_path)
    assert (tmp_path / "results" / "a.dat").read_bytes() == (
        b"0.0\t0.0\t-0.05\t\n5.0E-6\t0.5\t-0.07\t\n1.0E-5\t1.0\t1.0E-4\t\n"
    )


def test_an_event_file_is_in_order_of_time_then_of_selection(recording, tmp_path):
    write_files(recording, tmp_path)
    assert (tmp_path / "a.spikes").read_bytes() == (
        b"zero\t0.01\none\t0.02\nzero\t0.03\none\t0.03\n"
    )


def test_time_stands_first_in_an_event_file_that_asks_for_it(recording, tmp_path):
    spec = replace(recording.event_files[0], format="TIME_ID")
    write_files(replace(recording, event_files=(spec,)), tmp_path)
    assert (tmp_path / "a.spikes").read_text().startswith("0.01\tzero\n")


def test_an_event_file_of_no_events_is_empty(recording, tmp_path):
    write_files(replace(recording, events=()), tmp_path)
    assert (tmp_path / "a.spikes").read_bytes() == b""


def test_the_files_of_a_stopped_run_are_marked_partial(recording, tmp_path):
    paths = write_files(recording, tmp_path, partial=True)
    assert [path.name for path in paths] == ["a.dat.partial", "a.spikes.partial"]
    assert not (tmp_path / "a.spikes").exists()


def test_an_older_result_stays_whole_when_writing_fails(recording, tmp_path, monkeypatch):
    write_files(recording, tmp_path)
    before = (tmp_path / "results" / "a.dat").read_bytes()

    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("lemsmith.runner.results.table_text", fail)
    with pytest.raises(KeyboardInterrupt):
        write_files(recording, tmp_path)
    assert (tmp_path / "results" / "a.dat").read_bytes() == before
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["a.dat"]


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "../a.dat",
        "a/../../b.dat",
        "..\\a.dat",
        "C:\\a.dat",
        "\\\\server\\a.dat",
        "",
        ".",
        "a\0b",
    ],
)
def test_a_name_outside_the_folder_is_refused_before_anything_is_written(name, recording, tmp_path):
    bad = replace(recording, output_files=(*recording.output_files, OutputFileSpec(name, ())))
    with pytest.raises(ModelError, match="output file"):
        write_files(bad, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_link_that_leads_out_of_the_folder_is_refused(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "door").symlink_to(tmp_path)
    with pytest.raises(ModelError, match="outside"):
        places(["door/a.dat"], tmp_path / "out")


def test_two_outputs_of_one_name_are_refused(tmp_path):
    with pytest.raises(ModelError, match="two outputs"):
        places(["a.dat", "./a.dat"], tmp_path)


def test_a_folder_that_cannot_be_made_is_a_usage_error(recording, tmp_path):
    (tmp_path / "results").write_text("a file in the way")
    with pytest.raises(UsageError, match="cannot write"):
        write_files(recording, tmp_path)


def test_written_files_have_the_usual_permissions(recording, tmp_path):
    path = write_files(recording, tmp_path)[0]
    (tmp_path / "usual").touch()
    assert path.stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_an_output_file_reads_back_with_the_names_given(recording, tmp_path):
    path = write_files(recording, tmp_path)[0]
    table = read_table(path, ["q", "v"])
    assert list(table.columns) == ["t", "q", "v"]
    assert table.columns["v"].tolist() == [-0.05, -0.07, 1e-4]


def test_columns_without_names_are_counted(recording, tmp_path):
    assert list(read_table(write_files(recording, tmp_path)[0]).columns) == ["t", "1", "2"]


def test_npz_reads_back_with_units_and_events(recording, tmp_path):
    recording.to_npz(tmp_path / "a.npz")
    table = read_table(tmp_path / "a.npz")
    assert list(table.columns) == ["t", "pop[0]/v", "pop[0]/q"]
    assert table.units["pop[0]/v"] == "V"
    assert table.events["src[1]:spike"].tolist() == [0.02, 0.03]


def test_hdf5_reads_back_with_units_and_events(recording, tmp_path):
    pytest.importorskip("h5py")
    recording.to_hdf5(tmp_path / "a.h5")
    table = read_table(tmp_path / "a.h5")
    assert set(table.columns) == {"t", "pop[0]/v", "pop[0]/q"}
    assert table.columns["t"].tolist() == [0.0, 5e-6, 1e-5]
    assert table.units == {"t": "s", "pop[0]/v": "V", "pop[0]/q": ""}
    assert table.events["src[1]:spike"].tolist() == [0.02, 0.03]


@pytest.mark.parametrize(
    "text",
    [
        "t (ms),soma v (mV)\n0,-65\n0.1,-64\n",
        "# t (ms)\tsoma v (mV)\n0\t-65\t\n0.1\t-64\t\n",
        '"t (ms)","soma v (mV)"\n0,-65\n0.1,-64\n\n',
    ],
)
def test_a_header_gives_names_and_units(text, tmp_path):
    (tmp_path / "a.csv").write_text(text)
    table = read_table(tmp_path / "a.csv")
    assert table.units == {"t": "ms", "soma v": "mV"}
    assert table.columns["soma v"].tolist() == [-65, -64]


def test_the_text_of_neuron_is_read(tmp_path):
    (tmp_path / "a.dat").write_text(
        "0.000000e+00\t-6.000000e-02\t\n1.000000e-04\t-5.999914e-02\t\n"
    )
    assert read_table(tmp_path / "a.dat").columns["1"][1] == -5.999914e-2


def test_nan_and_infinity_are_read(tmp_path):
    (tmp_path / "a.dat").write_text("0.0\tNaN\t\n1.0\t-Infinity\t\n")
    values = read_table(tmp_path / "a.dat").columns["1"]
    assert np.isnan(values[0])
    assert values[1] == -np.inf


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.dat", b"0.0\t1.0\n0.1\n"),
        ("a.dat", b"hello\nworld\n"),
        ("a.npz", b"PK\x03\x04 no archive"),
        ("a.h5", b"no such format"),
        ("a.dat.gz", b"\x1f\x8b cut off"),
    ],
)
def test_a_file_that_is_no_result_is_a_usage_error_that_names_it(name, content, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=name):
        read_table(tmp_path / name)


def test_a_missing_result_file_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="no result file"):
        read_table(tmp_path / "a.dat")


@pytest.mark.parametrize("text", ["0\t0.003\n1\t0.003\n", "0.003\t0\n0.003\t1\n"])
def test_events_are_read_in_either_format(text, tmp_path):
    (tmp_path / "a.spikes").write_text(text)
    events = read_events(tmp_path / "a.spikes")
    assert {name: times.tolist() for name, times in events.items()} == {"0": [0.003], "1": [0.003]}


def test_events_of_whole_seconds_are_read_when_the_format_is_said(tmp_path):
    (tmp_path / "a.spikes").write_text("1\t5\n1\t6\n")
    assert read_events(tmp_path / "a.spikes", "ID_TIME")["1"].tolist() == [5, 6]


def test_a_line_that_is_no_event_is_named(tmp_path):
    (tmp_path / "a.spikes").write_text("0\t0.1\n0\n")
    with pytest.raises(UsageError, match=":2:"):
        read_events(tmp_path / "a.spikes")


@pytest.mark.skipif(not SHARED.is_dir(), reason="the reference's files are not here")
def test_a_spike_file_of_the_reference_is_reproduced(tmp_path):
    source = SHARED / "jneuroml" / "nml2__LEMS_NML2_Ex12_Net2" / "ex12.spikes.gz"
    events = read_events(source)
    recording = Recording(
        np.zeros(0),
        events=tuple(EventTrain(n, f"pop[{n}]", "spike", t) for n, t in events.items()),
        event_files=(
            EventFileSpec(
                "a.spikes",
                "ID_TIME",
                tuple(EventSelectionSpec(n, f"pop[{n}]", "spike") for n in events),
            ),
        ),
    )
    written = write_files(recording, tmp_path)[0].read_bytes()
    assert written == gzip.decompress(source.read_bytes())
