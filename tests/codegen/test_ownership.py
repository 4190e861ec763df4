"""Which thread owns what, and where threads meet."""

from __future__ import annotations

import numpy as np
import pytest
import small_models
from hypothesis import given
from hypothesis import strategies as st
from lemsmith.codegen import ownership
from lemsmith.codegen.lower_phases import by_target
from lemsmith.codegen.ownership import Access, Ownership, meetings, threaded, window
from lemsmith.codegen.program import Delivery
from lemsmith.runner.pipeline import translate
from lemsmith.runner.request import made


def program_of(name: str, **options):
    return translate(made(small_models.NETWORKS[name], **options))[0].program


def writes(*names):
    return Access(writes=frozenset(names))


def reads_far(*names):
    return Access(far_reads=frozenset(names))


def test_threads_meet_between_a_write_and_a_read_of_anothers_instance():
    assert meetings([writes("cells"), reads_far("cells")], [False, False])[1]


def test_threads_meet_before_what_others_still_read_is_written():
    assert meetings([reads_far("cells"), writes("cells")], [False, False])[1]


def test_the_end_of_a_step_counts_for_the_beginning_of_the_next():
    assert meetings([reads_far("cells"), Access(), writes("cells")], [False] * 3)[0]


def test_threads_that_keep_to_their_own_never_meet():
    own = Access(reads=frozenset({"cells"}), writes=frozenset({"cells"}))
    assert meetings([own, own, own], [False] * 3) == [False] * 3


def test_a_meeting_that_is_there_anyway_is_enough():
    phases = [writes("cells"), Access(), reads_far("cells"), writes("others")]
    assert meetings(phases, [False, True, False, False])[2] is False


names = st.frozensets(st.sampled_from("abc"), max_size=2)
accesses = st.builds(Access, names, names, names, names)


@given(st.lists(accesses, min_size=1, max_size=6))
def test_no_two_phases_that_conflict_lie_between_two_meetings(phases):
    meet = meetings(phases, [False] * len(phases))
    if not any(meet):
        assert not any(a.must_wait_for(b) for a in phases for b in phases)
        return
    since: list[Access] = []
    for turn in range(2 * len(phases)):
        at = turn % len(phases)
        if meet[at]:
            since = []
        assert not any(phases[at].must_wait_for(earlier) for earlier in since)
        since.append(phases[at])


def test_what_hangs_on_cells_goes_with_them():
    # Reached through another cell's potential, junctions are not inlined.
    program = program_of("gap junctions")
    owned = Ownership(program)
    for layout in program.layouts:
        if layout.parent is not None and layout.name != "pop" and "parent" in layout.indices:
            index = layout.indices["parent"]
            if np.all(np.diff(index) >= 0) and program.layout(layout.parent).size > 1:
                assert owned.homes[layout.name].population == "pop"


def test_independent_cells_never_meet_and_gap_junctions_do(monkeypatch):
    monkeypatch.setattr(ownership, "WORTH", 0)
    alone = translate(made(small_models.NETWORKS["kinetic schemes"]))[0].text
    joined = translate(made(small_models.NETWORKS["gap junctions"]))[0].text
    assert "lemsmith_team.h" in alone
    assert "ls_meet" not in alone
    assert "ls_meet" in joined


def test_events_are_exchanged_once_per_least_delay(monkeypatch):
    monkeypatch.setattr(ownership, "WORTH", 0)
    text = translate(made(small_models.NETWORKS["events later"]))[0].text
    # 0.35 ms are four steps of 0.1 ms.
    assert "if (s.step % 4 == 0 || k + 1 == steps) {" in text


def test_the_window_is_the_least_delay_of_connections():
    program = program_of("events later")
    assert window(program.deliveries) == 4
    assert window(program_of("events at once").deliveries) == 1


def test_little_work_is_left_to_one_thread():
    assert not threaded(program_of("events later"))


@pytest.mark.parametrize("events", ["grid", "exact"])
def test_exact_events_are_left_to_one_thread(monkeypatch, events):
    program = program_of("events later", events=events)
    monkeypatch.setattr(ownership, "WORTH", 0)
    assert threaded(program) == (events == "grid")


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=30))
def test_connections_sorted_by_target_are_the_same_ones_in_the_same_order(pairs):
    pairs = sorted(pairs, key=lambda pair: pair[0])
    sources = np.array([source for source, _ in pairs], np.int64)
    targets = np.array([target for _, target in pairs], np.int64)
    starts = np.concatenate([[0], np.cumsum(np.bincount(sources, minlength=5))])
    number = np.arange(len(pairs))
    before = Delivery("d", "a", "p", "b", "h", starts, targets, values={"n": number})
    after = by_target(before)
    for source in range(5):
        row = slice(starts[source], starts[source + 1])
        assert np.all(np.diff(after.targets[row]) >= 0)
        for target in range(5):
            kept = after.values["n"][row][after.targets[row] == target]
            assert np.array_equal(kept, number[row][targets[row] == target])
