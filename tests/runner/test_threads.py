"""How the number of threads is chosen while a run goes on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lemsmith.runner.threads import Threads, available

#: Chunks of the time loop take about so long.
CHUNK = 0.02


def after(threads: Threads, seconds_per_step, chunks: int) -> list[int]:
    """Return the numbers used while steps with n threads take `seconds_per_step(n)`."""
    used = []
    for _ in range(chunks):
        now = threads.now
        used.append(now)
        steps = max(1, int(CHUNK / seconds_per_step(now)))
        threads.took(steps, steps * seconds_per_step(now))
    return used


def test_as_many_are_taken_as_make_it_faster():
    used = after(Threads(8), lambda n: 1e-4 / n, 40)
    assert used[0] == 1
    assert used[-1] == 8


def test_no_more_are_kept_than_pay():
    threads = Threads(16)
    after(threads, lambda n: 1e-4 / min(n, 4) + 1e-6 * n, 60)
    assert threads.settled == 4


@pytest.mark.parametrize("cost", [1.0, 1.5])
def test_threads_that_gain_nothing_are_seldom_tried(cost):
    used = after(Threads(4), lambda n: 1e-4 if n == 1 else cost * 1e-4, 500)
    assert sum(n > 1 for n in used) <= 0.02 * len(used)


def test_the_choice_follows_a_machine_that_becomes_busy():
    threads = Threads(4)
    after(threads, lambda n: 1e-4 / n, 40)
    assert threads.settled == 4
    after(threads, lambda n: 1e-4 * n, 2000)
    assert threads.settled == 1


def test_a_short_run_has_one_thread():
    threads = Threads(4)
    used = []
    for steps in (1, 2, 4, 8, 16, 32):
        used.append(threads.now)
        threads.took(steps, 1e-5 * steps)
    assert set(used) == {1}


@given(
    st.integers(1, 9),
    st.lists(st.tuples(st.integers(0, 1000), st.floats(0, 1)), max_size=50),
)
def test_there_are_never_more_than_asked_for_nor_none(most, chunks):
    threads = Threads(most)
    for steps, seconds in chunks:
        assert 1 <= threads.now <= most
        threads.took(steps, seconds)
    assert 1 <= threads.now <= most


def test_a_fixed_number_stays():
    threads = Threads(3, fixed=True)
    assert set(after(threads, lambda n: 1e-4 * n, 50)) == {3}


def test_there_is_a_core():
    assert available() >= 1
