"""The comparison of recordings: what it calls the same, and what it finds out."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from lemsmith.errors import UsageError
from lemsmith.runner.validation.compare import compare
from lemsmith.runner.validation.trains import match_trains

STEP = 1e-4


@dataclass
class Recorded:
    """A recording by hand."""

    time: np.ndarray
    columns: dict[str, np.ndarray] = field(default_factory=dict)


def spiking(time: np.ndarray, *, without: int | None = None, late: float = 0.0) -> np.ndarray:
    """Return a voltage in V with a spike every 10 ms, one of them left out."""
    trace = np.full(time.size, -0.065)
    for index in range(5):
        if index != without:
            trace += 0.1 * np.exp(-(((time - 0.005 - 0.01 * index - late) / 4e-4) ** 2))
    return trace


@pytest.fixture
def time():
    return np.arange(501) * STEP


@pytest.fixture
def original(time):
    return Recorded(time, {"v": spiking(time)})


def only(comparison):
    (column,) = comparison.columns
    return column


def test_a_recording_is_identical_to_itself(original):
    comparison = compare(original, original)
    assert comparison.verdict == "identical"
    assert only(comparison).peak == 0
    assert only(comparison).spikes.count_a == 5


def test_a_trace_that_is_shifted_by_one_step_is_flagged(original, time):
    late = Recorded(time, {"v": np.concatenate([[-0.065], original.columns["v"][:-1]])})
    column = only(compare(late, original))
    assert column.verdict == "different"
    assert column.shift == 1
    assert column.notes == ("A lags B by 1 sample (0.0001 s)",)
    assert column.spikes.deviation == pytest.approx(STEP)
    assert only(compare(original, late)).shift == -1


def test_values_at_times_that_are_shifted_by_one_step_are_flagged(original, time):
    column = only(compare(Recorded(time + STEP, original.columns), original))
    assert column.shift == 1


def test_a_trace_that_merely_differs_is_not_called_shifted(original, time):
    other = Recorded(time, {"v": original.columns["v"] + 1e-3 * np.sin(300 * time)})
    column = only(compare(other, original))
    assert column.verdict == "different"
    assert (column.shift, column.factor) == (0, 1.0)


def test_a_lost_spike_is_flagged_with_its_time(original, time):
    column = only(compare(Recorded(time, {"v": spiking(time, without=2)}), original))
    assert column.verdict == "different"
    assert (column.spikes.count_a, column.spikes.count_b) == (4, 5)
    assert column.spikes.lost == pytest.approx((0.0247,), abs=1e-4)
    assert column.diverges == pytest.approx(0.0235, abs=1e-3)
    assert any("1 spike lost (at 0.0246" in note for note in column.notes)


def test_an_extra_spike_is_flagged(original, time):
    column = only(compare(original, Recorded(time, {"v": spiking(time, without=2)})))
    assert len(column.spikes.extra) == 1
    assert column.spikes.lost == ()


def test_a_lost_spike_is_different_though_the_mean_error_is_small(time):
    many = Recorded(time, {"v": spiking(time)})
    fewer = Recorded(time, {"v": spiking(time, without=4)})
    assert compare(fewer, many, norm="rms", tolerance=0.9).verdict == "different"


@pytest.mark.parametrize(
    ("factor", "told"), [(1e3, "A is in mV, B in V"), (1e-3, "B is in mV, A in V")]
)
def test_a_column_in_the_wrong_unit_is_flagged_with_its_unit(time, factor, told):
    base = spiking(time)
    recording = Recorded(time, {"v": base * factor if factor > 1 else base})
    reference = Recorded(time, {"v": base if factor > 1 else base / factor})
    column = only(compare(recording, reference))
    assert column.verdict == "different"
    assert column.factor == pytest.approx(factor)
    assert told in column.notes[0]
    assert column.spikes.same_count


def test_a_wrong_unit_is_seen_though_the_traces_differ_a_little_too(original, time):
    column = only(compare(Recorded(time, {"v": spiking(time, late=2e-4) * 1e3}), original))
    assert column.factor == 1000


def test_a_turned_sign_is_flagged(original, time):
    column = only(compare(Recorded(time, {"v": -original.columns["v"]}), original))
    assert column.factor == -1
    assert "sign" in column.notes[0]


def test_times_in_the_wrong_unit_are_flagged(original, time):
    comparison = compare(Recorded(time * 1e3, original.columns), original)
    assert comparison.verdict == "different"
    assert "the time of A is in ms, that of B in s" in comparison.notes
    assert only(comparison).verdict == "identical"


def test_a_different_sampling_step_is_flagged_and_what_is_left_is_identical(original, time):
    coarse = Recorded(time[::2], {"v": original.columns["v"][::2]})
    for a, b in ((coarse, original), (original, coarse)):
        comparison = compare(a, b)
        assert any("sampling steps differ" in note for note in comparison.notes)
        assert comparison.how == "picked"
        assert only(comparison).verdict == "identical"
        assert comparison.verdict == "identical"


def test_a_different_trace_at_a_different_step_is_still_different(original, time):
    coarse = Recorded(time[::2], {"v": spiking(time, late=STEP)[::2]})
    assert compare(coarse, original).verdict == "different"


def test_straight_lines_are_identical_after_interpolation(time):
    fine = Recorded(time, {"v": 3 * time - 1})
    odd = np.arange(0.0, time[-1], 3.7 * STEP)
    comparison = compare(Recorded(odd, {"v": 3 * odd - 1}), fine)
    assert comparison.how == "interpolated"
    assert comparison.verdict == "identical"


def test_what_interpolation_may_do_is_told_beside_a_difference(original, time):
    odd = np.arange(0.0, time[-1], 3.7 * STEP)
    column = only(compare(Recorded(odd, {"v": spiking(odd)}), original))
    assert column.verdict == "different"
    share = float(column.notes[-1].split()[4])
    assert column.peak < share < 20 * column.peak


def test_times_in_single_precision_are_the_same_times(original):
    rough = Recorded(original.time.astype(np.float32).astype(float), original.columns)
    comparison = compare(rough, original)
    assert comparison.how == "as they are"
    assert comparison.verdict == "identical"


def test_a_recording_that_ends_early_is_different(original):
    short = Recorded(original.time[:400], {"v": original.columns["v"][:400]})
    comparison = compare(short, original)
    assert comparison.verdict == "different"
    assert only(comparison).verdict == "identical"
    assert any("the ends differ" in note for note in comparison.notes)


def test_one_sample_less_at_the_end_is_no_difference(original):
    short = Recorded(original.time[:-1], {"v": original.columns["v"][:-1]})
    assert compare(short, original).verdict == "identical"


def test_recordings_of_different_times_share_nothing(original):
    comparison = compare(Recorded(original.time + 5, original.columns), original)
    assert comparison.verdict == "different"
    assert comparison.columns == ()
    assert "no time in common" in comparison.text()


@pytest.mark.parametrize(("size", "verdict"), [(5e-7, "equal"), (2e-6, "different")])
def test_the_tolerance_is_a_part_of_the_range(original, time, size, verdict):
    reach = float(np.ptp(original.columns["v"]))
    other = Recorded(time, {"v": original.columns["v"].copy()})
    other.columns["v"][100] += size * reach
    comparison = compare(other, original, tolerance=1e-6)
    assert comparison.verdict == verdict
    assert only(comparison).peak == pytest.approx(size)
    assert only(comparison).rms == pytest.approx(size / np.sqrt(501))


def test_a_value_that_is_no_number_on_one_side_only_is_different(original, time):
    broken = Recorded(time, {"v": original.columns["v"].copy()})
    broken.columns["v"][300:] = np.nan
    column = only(compare(broken, original))
    assert column.verdict == "different"
    assert column.diverges == pytest.approx(300 * STEP)
    assert only(compare(broken, broken)).verdict == "identical"


def test_constants_are_compared_by_their_size(time):
    one, more = (Recorded(time, {"v": np.full(time.size, value)}) for value in (2.0, 2.1))
    column = only(compare(more, one))
    assert column.peak == pytest.approx(0.05)
    assert column.spikes is None


def test_a_missing_column_is_named(original, time):
    more = Recorded(time, {**original.columns, "m": time})
    comparison = compare(original, more)
    assert comparison.verdict == "different"
    assert comparison.only_b == ("m",)
    assert "only in B: m" in comparison.text()


def test_columns_without_a_shared_name_pair_by_position(original, time):
    comparison = compare(Recorded(time, {"1": original.columns["v"]}), original)
    assert (only(comparison).name, only(comparison).partner) == ("1", "v")
    assert comparison.verdict == "identical"


def test_a_time_that_runs_backwards_is_refused(original):
    with pytest.raises(UsageError, match="does not run forwards"):
        compare(Recorded(original.time[::-1], original.columns), original)


def test_an_empty_recording_is_refused(original):
    with pytest.raises(UsageError, match="holds no samples"):
        compare(Recorded(np.array([]), {"v": np.array([])}), original)


def test_the_text_shows_the_worst_column_first(original, time):
    both = Recorded(time, {"a": time, **original.columns})
    changed = Recorded(time, {"a": time, "v": original.columns["v"] * 1.1})
    lines = compare(changed, both).text().splitlines()
    order = [line.split()[0] for line in lines if line.startswith(("a ", "v "))]
    assert order == ["v", "a"]
    assert lines[-1] == "A and B are different"


def test_trains_with_a_gap_pair_around_it():
    b = np.arange(10.0)
    match = match_trains(np.delete(b, [3, 7]) + 0.01, b)
    assert match.lost == (3.0, 7.0)
    assert match.extra == ()
    assert match.deviation == pytest.approx(0.01)


def test_trains_without_partners_are_lost_and_extra():
    assert match_trains(np.array([]), np.array([1.0])).lost == (1.0,)
    assert match_trains(np.array([1.0]), np.array([])).extra == (1.0,)
    assert match_trains(np.array([]), np.array([])).deviation is None


def test_noise_on_a_slow_flank_is_one_spike_unless_a_threshold_is_asked_for():
    time = np.linspace(0.0, 0.05, 5001)
    slow = -np.cos(2 * np.pi * time / time[-1])
    noise = 0.009 * np.resize([1.0, -1.0], time.size)
    a, b = Recorded(time, {"v": slow + noise}), Recorded(time, {"v": slow})
    match = only(compare(a, b, tolerance=0.01)).spikes
    assert (match.count_a, match.count_b) == (1, 1)
    assert only(compare(a, b, threshold=0.0)).spikes.count_a > 1
