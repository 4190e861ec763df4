"""Writes docs/accuracy.md: how far methods are from the converged solution, and what it costs.

    make accuracy

The reference interpreter's steps are followed by the method jlems and NEURON's by the method
neuron; neither program runs here.
"""

from __future__ import annotations

import platform
import sys
import time
from pathlib import Path

import lemsmith
import numpy as np
from lemsmith.errors import LemsmithError
from lemsmith.runner.backends import backend
from lemsmith.runner.pipeline import translate
from lemsmith.runner.request import made
from lemsmith.runner.validation.detection import spike_times
from lemsmith.runner.validation.trains import match_trains

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT.parent / "shared" / "corpus" / "neuroml2" / "LEMSexamples"
PAGE = ROOT / "docs" / "accuracy.md"
HH = ROOT / "models" / "LEMS_hh.xml"

#: What is run beside the default method, and what the table calls it.
METHODS = {"default": "lemsmith", "jlems": "jLEMS", "neuron": "NEURON"}

#: Examples that have no converged solution, and why.
SKIPPED = {
    "LEMS_NML2_Ex14_PyNN": "draws random numbers",
    "LEMS_NML2_Ex16_Inputs": "draws random numbers",
    "LEMS_NML2_Ex23_Spiketimes": "draws random numbers",
    "LEMS_NML2_Ex25_MultiComp": "has several compartments",
}


#: Parts of a potential's range that may be its threshold, and the least range, V.
LEVELS = (0.5, 0.7, 0.9)
SMALLEST = 5e-3

#: Spikes of one cell that are held against one another.
FIRST = 5

ABOUT = (
    "The largest difference of a spike's time from the converged solution "
    "(`--method reference`: order 8, tolerance 1e-10, events located), at the step that the file "
    "asks for; where nothing fires, the largest difference of a recorded quantity as a part of its "
    "range. jLEMS stands for the reference interpreter's order of steps (`--method jlems`), NEURON "
    "for its (`--method neuron`); neither column is a run of those programs. "
    "Compared are the first five spikes of every cell: where its potential rises through the "
    "middle of its range (higher for cells that reset above it), interpolated between samples."
)

COST = (
    "One Hodgkin-Huxley cell (`models/{model}`), the CPU time of its time loop on one core "
    "({machine}), and the worst error of a spike's time."
)


def trains(recording: lemsmith.Recording, like: lemsmith.Recording) -> dict[str, np.ndarray]:
    """Return spike times, s, of every potential, through a threshold that suits `like`."""
    found = {}
    for key in recording:
        if key.rsplit("/", 1)[-1].lower() not in ("v", "w") or key not in like:
            continue
        low, high = float(like[key].min()), float(like[key].max())
        if high - low < SMALLEST:
            continue
        # Cells that reset may do so above the middle of their range.
        levels = [low + part * (high - low) for part in LEVELS]
        most = max(levels, key=lambda level: len(_rises(like, key, level)))
        found[key] = _rises(recording, key, most)[:FIRST]
    return found


def _rises(recording: lemsmith.Recording, key: str, level: float) -> np.ndarray:
    return spike_times(recording.time, recording[key], threshold=level, interpolate=True)


def error_of(recording: lemsmith.Recording, truth: lemsmith.Recording) -> str:
    """Return the worst spike-time difference in ms, or of values where nothing fires."""
    worst, count, missed = 0.0, 0, 0
    theirs = trains(truth, truth)
    for key, times in trains(recording, truth).items():
        match = match_trains(times, theirs[key])
        worst = max(worst, (match.deviation or 0.0) * 1e3)
        count += match.count_b
        missed += len(match.lost) + len(match.extra)
    if count:
        return f"{worst:.2g} ms" + (f", {missed} spikes amiss" if missed else "")
    ranges = [
        float(np.abs(recording[key] - truth[key]).max() / np.ptp(truth[key]))
        for key in truth
        if np.ptp(truth[key]) > 0
    ]
    return f"{max(ranges, default=0.0):.1e} of range"


def examples(names: list[str]) -> list[str]:
    """Return the rows of the table of examples."""
    rows = []
    for path in sorted(EXAMPLES.glob("LEMS_NML2_Ex*.xml"), key=_number):
        name = path.stem
        if names and not any(part in name for part in names):
            continue
        if name in SKIPPED:
            rows.append(f"| {name[10:]} | | {SKIPPED[name]} | | |")
            continue
        try:
            truth = lemsmith.run(path, method="reference")
        except LemsmithError as error:
            rows.append(f"| {name[10:]} | | {str(error).splitlines()[0][:60]} | | |")
            continue
        cells = []
        for method in METHODS:
            try:
                cells.append(error_of(lemsmith.run(path, method=method), truth))
            except LemsmithError as error:
                cells.append(f"({str(error).splitlines()[0][:40]})")
        step = float(truth.settings["step"]) * 1e3
        rows.append(f"| {name[10:]} | {step:g} ms | {' | '.join(cells)} |")
        print(rows[-1], file=sys.stderr, flush=True)
    return rows


def _number(path: Path) -> tuple[int, str]:
    digits = "".join(c for c in path.stem.split("_")[2] if c.isdigit())
    return int(digits or 0), path.stem


def cost(path: Path) -> list[str]:
    """Return the rows of the table of accuracy against cost on one cell."""
    truth = lemsmith.run(path, method="reference", step=1e-5)
    key = next(k for k in truth if k.endswith("/v"))
    expected = spike_times(truth.time, truth[key], threshold=0.0, interpolate=True)
    rows = []
    for method in ("default", "exponential_euler", "rk4", "rk2", "euler"):
        for step in (5e-5, 2.5e-5, 1e-5, 2.5e-6):
            request = made(path, method=method, step=step)
            try:
                plan, _ = translate(request)
                best = np.inf
                for _ in range(3):
                    running = backend("cpp").start(plan, request)
                    running.initial_row()
                    rows_made = np.empty((plan.program.steps, len(plan.program.columns)))
                    begin = time.process_time()
                    running.advance(plan.program.steps, rows_made)
                    best = min(best, time.process_time() - begin)
            except LemsmithError as error:
                rows.append(f"| {method} | {step * 1e3:g} ms | | {error} |")
                continue
            at = [c.path for c in plan.program.columns].index(key)
            t = step * np.arange(1, plan.program.steps + 1)
            found = spike_times(t, rows_made[:, at], threshold=0.0, interpolate=True)
            match = match_trains(found, expected)
            off = f"{(match.deviation or 0.0) * 1e3:.2g} ms"
            if not match.same_count:
                off += f", {match.count_a} spikes of {match.count_b}"
            rows.append(f"| {method} | {step * 1e3:g} ms | {best * 1e3:.2f} ms | {off} |")
            print(rows[-1], file=sys.stderr, flush=True)
    return rows


def main() -> None:
    """Write the page."""
    table = examples(sys.argv[1:])
    costs = cost(HH)
    text = "\n".join(
        [
            "# Accuracy",
            "",
            "Written by `make accuracy` (benchmarks/accuracy.py).",
            "",
            ABOUT,
            "",
            f"| Example | step | {' | '.join(METHODS.values())} |",
            "|---|---|" + "---|" * len(METHODS),
            *table,
            "",
            "## Accuracy against cost",
            "",
            COST.format(model=HH.name, machine=platform.machine()),
            "",
            "| Method | step | CPU time | spike times off by |",
            "|---|---|---|---|",
            *costs,
            "",
        ]
    )
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
