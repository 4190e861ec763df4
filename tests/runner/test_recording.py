"""The form of a recording: names, units, saving."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lemsmith.errors import InternalError, UsageError
from lemsmith.runner.recording import EventTrain, Recording, Trace, crossings

TIME = np.arange(5) * 1e-3


@pytest.fixture
def recording():
    rise = np.array([-0.07, -0.05, 0.01, 0.03, -0.07])
    return Recording(
        time=TIME,
        traces=(
            Trace("v", "hhpop[0]/v", "voltage", "V", rise),
            Trace("gate", "hhpop[0]/na/m/q", "none", "", np.linspace(0, 1, 5)),
            Trace("v", "hhpop[1]/v", "voltage", "V", -rise),
        ),
        events=(EventTrain("0", "spikers[0]", "spike", np.array([0.001, 0.003])),),
        settings={"backend": "numpy", "step": 1e-3, "seed": None},
        source="LEMS_hh.xml",
    )


def test_a_trace_is_found_by_its_path(recording):
    assert recording["hhpop[1]/v"][2] == -0.01


def test_a_trace_is_found_by_its_name_where_only_one_has_it(recording):
    assert recording["gate"][-1] == 1


def test_a_name_that_two_quantities_share_is_refused_with_both_paths(recording):
    with pytest.raises(UsageError, match=r"hhpop\[0\]/v, hhpop\[1\]/v"):
        recording["v"]


def test_a_quantity_recorded_twice_under_one_name_is_not_ambiguous():
    twice = Recording(TIME, (Trace("v", "p/v", "voltage", "V", TIME),) * 2)
    assert twice["v"] is twice["p/v"]


def test_an_unknown_name_suggests_the_nearest(recording):
    with pytest.raises(UsageError, match=r"did you mean 'hhpop\[0\]/v'"):
        recording["hhpop[0]/w"]
    with pytest.raises(KeyError, match="did you mean"):
        recording["hhpop[0]/w"]


def test_time_is_a_column_called_t(recording):
    assert recording["t"] is recording.time
    assert "t" in recording


def test_time_yields_its_name_to_a_trace_called_t():
    recording = Recording(TIME, (Trace("t", "clock/t", "time", "s", TIME + 1),))
    assert recording["t"][0] == 1


def test_arrays_cannot_be_written_to(recording):
    for array in (recording.time, recording["gate"], recording.events[0].times):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_freezing_a_trace_leaves_the_callers_array_writable():
    mine = np.zeros(5)
    Trace("v", "p/v", "voltage", "V", mine)
    mine[0] = 1


def test_units_are_known_by_path_and_by_name(recording):
    assert recording.units["t"] == "s"
    assert recording.units["hhpop[0]/v"] == "V"
    assert recording.units["gate"] == ""


def test_a_trace_of_another_length_than_time_is_our_own_fault():
    with pytest.raises(InternalError, match="p/v"):
        Recording(TIME, (Trace("v", "p/v", "voltage", "V", np.zeros(4)),))


def test_events_are_found_by_path_and_port(recording):
    for key in ("spikers[0]:spike", "spikers[0]", "0"):
        assert recording.event_times(key).tolist() == [0.001, 0.003]


def test_spikes_are_upward_crossings_of_voltages_alone(recording):
    spikes = recording.spikes(0.0)
    assert set(spikes) == {"hhpop[0]/v", "hhpop[1]/v"}
    assert spikes["hhpop[0]/v"] == pytest.approx([1e-3 + 1e-3 * 5 / 6])
    assert recording.spikes(0.0)["hhpop[1]/v"] == pytest.approx([3e-3 + 1e-3 * 3 / 10])


def test_spikes_without_interpolation_fall_on_samples(recording):
    assert recording.spikes(0.0, interpolate=False)["hhpop[0]/v"].tolist() == [0.002]


@given(st.lists(st.sampled_from([-1.0, 0.0, 1.0, np.nan, np.inf]), max_size=30))
def test_every_crossing_lies_within_the_step_that_rose(values):
    values = np.array(values)
    time = np.arange(len(values), dtype=float)
    exact = crossings(time, values, 0.0)
    sampled = crossings(time, values, 0.0, interpolate=False)
    assert len(exact) == len(sampled)
    assert np.all((exact > sampled - 1) & (exact <= sampled))


def test_npz_keeps_every_value_name_and_unit(recording, tmp_path):
    recording.to_npz(tmp_path / "deep" / "run.npz")
    with np.load(tmp_path / "deep" / "run.npz") as data:
        assert np.array_equal(data["hhpop[0]/v"], recording["hhpop[0]/v"])
        assert np.array_equal(data["events/spikers[0]:spike"], [0.001, 0.003])
        about = json.loads(str(data["about"]))
    assert about["settings"] == {"backend": "numpy", "step": 1e-3, "seed": None}
    assert about["traces"][0] == {
        "name": "v",
        "path": "hhpop[0]/v",
        "dimension": "voltage",
        "unit": "V",
    }


def test_the_same_recording_gives_the_same_npz_bytes(recording, tmp_path):
    recording.to_npz(tmp_path / "a.npz")
    recording.to_npz(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_hdf5_keeps_every_value_name_and_unit(recording, tmp_path):
    h5py = pytest.importorskip("h5py")
    recording.to_hdf5(tmp_path / "run.h5")
    with h5py.File(tmp_path / "run.h5") as data:
        v = data["traces/hhpop[0]/v"]
        assert np.array_equal(v, recording["hhpop[0]/v"])
        assert dict(v.attrs) == {
            "name": "v",
            "path": "hhpop[0]/v",
            "dimension": "voltage",
            "unit": "V",
        }
        assert data["events/spikers[0]:spike"].attrs["port"] == "spike"


def test_hdf5_holds_a_quantity_whose_path_is_the_beginning_of_anothers(tmp_path):
    h5py = pytest.importorskip("h5py")
    traces = tuple(Trace(p, p, "none", "", TIME) for p in ("cell/m/q", "cell/m"))
    Recording(TIME, traces).to_hdf5(tmp_path / "run.h5")
    with h5py.File(tmp_path / "run.h5") as data:
        assert data["traces/cell|m"].attrs["path"] == "cell/m"
    Recording(TIME, traces[::-1]).to_hdf5(tmp_path / "other.h5")
    with h5py.File(tmp_path / "other.h5") as data:
        assert data["traces/cell|m|q"].attrs["path"] == "cell/m/q"


def test_its_repr_names_source_span_and_every_column(recording):
    text = repr(recording)
    assert "LEMS_hh.xml" in text
    assert "0 to 0.004 s" in text
    assert "hhpop[0]/v" in text
    assert "-0.07 .. 0.03" in text
    assert "2 events" in text


def test_its_repr_stays_short_however_much_was_recorded():
    traces = tuple(Trace(f"v{i}", f"pop[{i}]/v", "voltage", "V", TIME) for i in range(1000))
    assert len(repr(Recording(TIME, traces)).splitlines()) < 20
