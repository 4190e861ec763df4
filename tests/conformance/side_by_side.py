"""Runs of one model on several backends side by side: the same states, spikes and times."""

from __future__ import annotations

import numpy as np
from lemsmith.runner.backends import ON_HOST
from lemsmith.runner.build import build, kernel_flags
from lemsmith.runner.cuda_host_run import CudaHostRun
from lemsmith.runner.cuda_run import CudaRun
from lemsmith.runner.native_phases import NativePhases
from lemsmith.runner.numpy_phases import NumpyPhases
from lemsmith.runner.pipeline import translate
from lemsmith.runner.recording import crossings
from lemsmith.runner.request import made

#: Flags of C++ without contraction of a*b+c.
APART = (*(flag for flag in kernel_flags() if "contract" not in flag), "-ffp-contract=off")

#: What one step may differ by, as a part of a variable's scale.
TOLERANCE = 1e-12

#: C++ takes numbers below the smallest normal one for zero: what has decayed is equal.
DECAYED = 1e-280


def plans(source, backends=("cpp", "cuda-on-host"), **options):
    """Return the plans of a model, backend by backend."""
    return tuple(translate(made(source, backend=backend, **options))[0] for backend in backends)


def on_host(plan, **how):
    return CudaHostRun(plan.program, build(plan.text, ON_HOST), plan.buffers, **how)


def native(plan):
    return NativePhases(plan.program, build(plan.text, APART), plan.buffers)


def arrays(plan):
    return NumpyPhases(plan.program, plan.text, plan.buffers, plan.program.seed)


def on_gpu(plan):
    return CudaRun(plan.program, plan.text, plan.buffers)


START = {"cpp": native, "cuda-on-host": on_host, "cuda": on_gpu, "numpy": arrays}


def pair(source, backend, **options):
    """Return a run of C++, one of `backend`, and what reads and writes all states of each."""
    names = ("cpp", backend)
    made_of = plans(source, names, **options)
    both = tuple(START[name](plan) for name, plan in zip(names, made_of, strict=True))
    return both, tuple(states_of(run, plan) for run, plan in zip(both, made_of, strict=True))


def states_of(run, plan):
    """Return the arrays that a run's next step starts from, by their owner and name."""
    found = dict(run.variables)
    if isinstance(run, NumpyPhases):
        junctions = {name: solver.junctions for name, solver in run.cables.items()}
    else:
        junctions = {
            name.owner: array
            for name, array in zip(plan.buffers, run.arrays, strict=True)
            if (name.kind, name.key) == ("cable", "junctions")
        }
    return found | {(owner, "(junctions)"): array for owner, array in junctions.items()}


def advanced(run, steps):
    """Return the rows of a run's first steps."""
    rows = np.zeros((steps + 1, len(run.program.columns)))
    rows[0] = run.initial_row()
    done = 0
    while done < steps:
        done += run.advance(steps - done, rows[1 + done :])
    return rows


def assert_close(a, b, tolerance=TOLERANCE):
    """Hold every column of b within tolerance of a's scale."""
    scale = np.maximum(np.abs(a).max(axis=0, initial=0.0), DECAYED)
    assert (np.abs(a - b) <= tolerance * scale).all()


def assert_same(source, steps, backend="cuda-on-host", tolerance=TOLERANCE, **options):
    """Hold the first steps of a run to those of C++: rows, states and recorded events."""
    (one, other), (ours, theirs) = pair(source, backend, **options)
    steps = min(steps, one.program.steps)
    assert_close(advanced(one, steps), advanced(other, steps), tolerance)
    for key, values in ours.items():
        assert_close(values.ravel(), theirs[key].ravel(), tolerance)
    assert_same_events(one, other)


def assert_same_events(one, other, relative=0.0):
    """Hold recorded events to equal counts, and times within a step and a part of the time."""
    for a, b in zip(one.events(), other.events(), strict=True):
        assert len(a) == len(b)
        assert np.allclose(b, a, rtol=relative, atol=one.program.step)


def assert_steps_agree(source, backend, *, between, times, **options):
    """Hold single steps to those of C++, each from C++'s own states along the run.

    Between two of them both go on by themselves for `between` steps.
    """
    (one, other), (ours, theirs) = pair(source, backend, **options)
    columns = len(one.program.columns)
    one.initial_row(), other.initial_row()
    scales = dict.fromkeys(ours, DECAYED)
    for _ in range(times):
        for run in (one, other):
            taken = 0
            while taken < between:
                taken += run.advance(between - taken, np.zeros((between - taken, columns)))
        for key, values in ours.items():
            theirs[key][...] = values.reshape(theirs[key].shape)
        rows = [np.zeros((1, columns)) for _ in (one, other)]
        assert one.advance(1, rows[0]) == other.advance(1, rows[1]) == 1
        for key, values in ours.items():
            scales[key] = max(scales[key], np.abs(values).max(initial=0.0))
            difference = np.abs(values - theirs[key].reshape(values.shape)).max(initial=0.0)
            assert difference <= TOLERANCE * scales[key], key


def assert_same_spikes(source, backend, *, steps=None, relative=0.0, precision="double", **options):
    """Hold a run's spikes to those of C++: events, and passes of a potential's middle.

    C++ runs in double precision; times may differ by a step and a part of the time.

    Returns how many there were.
    """
    (cpp,) = plans(source, ("cpp",), **options)
    (plan,) = plans(source, (backend,), precision=precision, **options)
    one, other = native(cpp), START[backend](plan)
    steps = min(steps or one.program.steps, one.program.steps)
    ours, theirs = advanced(one, steps), advanced(other, steps)
    step = one.program.step
    time = step * np.arange(steps + 1)
    spikes = sum(map(len, one.events()))
    for column, a, b in zip(one.program.columns, ours.T, theirs.T, strict=True):
        if not column.path.endswith("v"):
            continue
        middle = (a.min() + a.max()) / 2
        expected, found = crossings(time, a, middle), crossings(time, b, middle)
        assert len(found) == len(expected), column.path
        assert (np.abs(found - expected) <= step + relative * expected).all(), column.path
        spikes += len(expected)
    assert_same_events(one, other, relative)
    return spikes
