"""The time loop: rows and times, progress, Ctrl-C, and states that stop being finite."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time

import lemsmith
import numpy as np
import pytest
import small_models
from lemsmith.errors import Interrupted, NumericalError
from lemsmith.runner.simulate import times

TEXT = small_models.NETWORKS["conditions"]

#: A run that takes hours, in a process that says when it begins and what it kept.
LONG = """
import sys, time, lemsmith
from lemsmith.errors import Interrupted
def progress(fraction, message):
    global told
    if not told and fraction > 0:
        told = True
        print("running", flush=True)
told = False
try:
    lemsmith.run(sys.stdin.read(), method="jlems", backend=sys.argv[1], length=5000.0,
                 step=1e-4, progress=progress)
except Interrupted as stopped:
    print("stopped", len(stopped.recording), stopped.recording.time[-1], flush=True)
"""

UNSTABLE = """<Lems>
<Target component="sim"/>
<Include file="Simulation.xml"/>
<ComponentType name="grower">
  <Exposure name="x" dimension="none"/>
  <Constant name="SEC" dimension="time" value="1s"/>
  <Dynamics>
    <StateVariable name="x" dimension="none" exposure="x"/>
    <OnStart><StateAssignment variable="x" value="10"/></OnStart>
    <TimeDerivative variable="x" value="{rate} / SEC"/>
  </Dynamics>
</ComponentType>
<grower id="g"/>
<Simulation id="sim" length="2s" step="0.1s" target="g">
  <OutputFile id="of" fileName="out.dat"><OutputColumn id="x" quantity="x"/></OutputFile>
</Simulation>
</Lems>"""


def test_there_is_a_row_for_the_start_and_one_for_every_step(backend):
    recording = lemsmith.run(TEXT, method="jlems", backend=backend)
    assert len(recording) == 201
    assert all(len(trace.values) == 201 for trace in recording.traces)


def test_times_accumulate_as_the_reference_s_do():
    t, expected = 0.0, [0.0]
    for _ in range(1000):
        t += 1e-5
        expected.append(t)
    assert times(1e-5, 1001).tolist() == expected


def test_a_run_of_no_steps_has_the_start_alone(backend):
    recording = lemsmith.run(TEXT, method="jlems", backend=backend, length=0.0)
    assert len(recording) == 1
    assert np.isfinite(recording.traces[0].values).all()


def test_progress_is_told_from_start_to_end(backend):
    told = []
    lemsmith.run(
        TEXT,
        method="jlems",
        backend=backend,
        progress=lambda fraction, message: told.append((fraction, message)),
    )
    fractions = [fraction for fraction, _ in told]
    assert fractions == sorted(fractions)
    assert 0 < fractions[0] <= fractions[-1] == 1
    assert told[-1][1].startswith("t = 0.02")


def test_a_run_in_another_thread_needs_no_signals(backend):
    found = []
    thread = threading.Thread(
        target=lambda: found.append(lemsmith.run(TEXT, method="jlems", backend=backend))
    )
    thread.start()
    thread.join()
    assert len(found[0]) == 201


def test_ctrl_c_works_as_before_after_a_run(backend):
    before = signal.getsignal(signal.SIGINT)
    lemsmith.run(TEXT, method="jlems", backend=backend)
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_keeps_what_was_recorded(backend):
    def interrupt(fraction, message):
        if fraction < 1:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(Interrupted) as caught:
        lemsmith.run(TEXT, method="jlems", backend=backend, length="1 s", progress=interrupt)
    recording = caught.value.recording
    assert 1 < len(recording) < 10001
    whole = lemsmith.run(TEXT, method="jlems", backend=backend)
    assert np.array_equal(recording.traces[0].values, whole.traces[0].values[: len(recording)])


def stopped_after(backend):
    """Return how long a running simulation takes to end on Ctrl-C, s, and what it says."""
    with subprocess.Popen(
        [sys.executable, "-c", LONG, backend],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        process.stdin.write(small_models.oscillators(("x",), 1))
        process.stdin.close()
        assert process.stdout.readline() == "running\n"
        time.sleep(0.5)
        begin = time.perf_counter()
        process.send_signal(signal.SIGINT)
        line = process.stdout.readline()
        return time.perf_counter() - begin, line


def test_ctrl_c_stops_a_long_run_within_a_fifth_of_a_second(backend):
    # Other programs may hold the processors meanwhile: one of three is enough.
    for _ in range(3):
        took, line = stopped_after(backend)
        word, rows, last = line.split()
        assert word == "stopped"
        assert int(rows) > 100
        assert float(last) == pytest.approx((int(rows) - 1) * 1e-4)
        if took < 0.2:
            return
    pytest.fail(f"it took {took:.2f} s")


@pytest.mark.parametrize(
    ("rate", "row"),
    [("x^3", 6), ("1 / (x - 10)", 1), ("0 - sqrt(x - 9.5) * 4", None), ("exp(x^4)", 1)],
    ids=["overflow", "division by zero", "root of less than zero", "exponential"],
)
def test_a_state_that_stops_being_finite_is_named(backend, rate, row):
    with pytest.raises(NumericalError) as caught:
        lemsmith.run(UNSTABLE.format(rate=rate), method="jlems", backend=backend)
    message = str(caught.value)
    assert "'x' of g" in message
    if row is not None:
        assert f"t = {0.1 * row:g} s" in message


def test_infinity_and_nan_in_what_nobody_integrates_are_as_in_c(backend):
    text = UNSTABLE.format(rate="H(exp(1000*x) / x)")
    recording = lemsmith.run(text, method="jlems", backend=backend)
    assert recording["x"][-1] == pytest.approx(12.0)
