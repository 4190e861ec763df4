"""Measures spike-time error against CPU time, ours and other simulators'; draws it.

    LEMSMITH_PEERS=PYTHON make accuracy-cost

PYTHON is an interpreter that has neuron, brian2 and pyneuroml (and Java); without it only
lemsmith is measured. Results go to docs/accuracy_cost.json and docs/accuracy_cost.svg;
benchmarks/accuracy.py puts them into the page. `lemsmith` as an argument measures lemsmith again
and keeps the others' figures.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import lemsmith
import matplotlib.pyplot as plt
import numpy as np
from measuring import looped, yardstick
from spike_errors import cubic_crossings

DOCS = Path(__file__).parents[1] / "docs"
KEPT = DOCS / "accuracy_cost.json"
PLOT = DOCS / "accuracy_cost.svg"
PEERS = os.environ.get("LEMSMITH_PEERS", "")

#: The potential that counts as a spike, V.
LEVEL = -20e-3

#: Models: simulated time (ms), steps (ms), and what other simulators run with which steps.
MODELS: dict[str, dict[str, Any]] = {
    "m1": {
        "title": "one Hodgkin-Huxley cell, 210 ms",
        "length": 210,
        "steps": (0.05, 0.025, 0.01, 0.005),
        "peers": {
            "NEURON, its own hh": ("neuron", "0", (0.05, 0.025, 0.01, 0.005)),
            "NEURON, its own hh, secondorder": ("neuron", "2", (0.05, 0.025, 0.01, 0.005)),
            "NEURON, exported": ("export", "", (0.05, 0.025, 0.01, 0.005)),
            "Brian2, exponential_euler": (
                "brian2", "exponential_euler", (0.05, 0.025, 0.01, 0.005)
            ),
            "Brian2, rk4": ("brian2", "rk4", (0.05, 0.025, 0.01, 0.005)),
            "jNeuroML": ("jneuroml", "", (0.05, 0.025, 0.01, 0.005)),
        },
    },
    "cobahh": {
        "title": "4,000 cells of COBAHH, 50 ms",
        "length": 50,
        "steps": (0.05, 0.025, 0.0125),
        "peers": {
            "Brian2, exponential_euler": ("brian2", "exponential_euler", (0.1, 0.05, 0.025)),
            "Brian2, rk4": ("brian2", "rk4", (0.05, 0.025)),
            "NEURON, exported": ("export", "", (0.05, 0.025)),
            "jNeuroML": ("jneuroml", "", (0.05,)),
        },
    },
}  # fmt: skip

METHODS = (
    ("default", "grid"),
    ("default", "exact"),
    ("rk4", "grid"),
    ("rk2", "grid"),
    ("exponential_euler", "grid"),
    ("euler", "grid"),
)


def write_model(
    model: str, step: float, folder: Path, *, length: float, part: str, more: Sequence[str] = ()
) -> Path:
    """Write a model of shared/bench at a step and length, ms; return its LEMS file."""
    file = yardstick(model, folder, *more, "--dt", f"{step:g}", "--ms", f"{length:g}")
    return file.rename(folder / f"LEMS_{model}_{step:g}_{part}.xml")


# --- spikes: one array of times, s, per cell ----------------------------------------------------


def of_trace(trace: Any, step: float, first: float) -> list[np.ndarray]:
    """Return the spikes of the one cell whose potential is `trace`, V, every `step` s."""
    values = np.asarray(trace, float)
    return [cubic_crossings(first + step * np.arange(len(values)), values, LEVEL)]


def by_cell(i: Any, t: Any, cells: int) -> list[np.ndarray]:
    """Return spikes by cell from pairs of cell and time."""
    which, times = np.asarray(i, int), np.asarray(t, float)
    order = np.lexsort((times, which))
    return np.split(times[order], np.searchsorted(which[order], np.arange(1, cells)))


def errors(found: list[np.ndarray], truth: list[np.ndarray]) -> tuple[float, float, int]:
    """Return the median and the worst error of spikes, s, and how many cells lack one.

    Of a network the first spike of every cell counts: what follows soon is chaotic.
    """
    count = 1 if len(truth) > 1 else None
    pairs = [(a[:count], b[:count]) for a, b in zip(found, truth, strict=True)]
    apart = [a - b for a, b in pairs if len(a) == len(b) and len(a)]
    amiss = sum(len(a) != len(b) for a, b in pairs)
    every = np.abs(np.concatenate(apart)) if apart else np.array([np.nan])
    return float(np.median(every)), float(every.max()), amiss


# --- runs ---------------------------------------------------------------------------------------


def ours(
    file: Path, method: str, step: float, events: str, *, repeat: int
) -> tuple[float, list[np.ndarray]]:
    """Return the CPU time of the time loop, s, and the spikes by cell."""
    loop = looped(file, repeat, method=method, step=step, events=events)
    single = len(loop.plan.program.ports) <= 1
    if not single or method in ("default", "exact"):
        return loop.seconds, loop.events
    return loop.seconds, of_trace(loop.rows[:, 0], step, 0.0)


def truth_of(model: str, file: Path) -> list[np.ndarray]:
    """Return the converged spikes by cell."""
    if model == "m1":
        recording = lemsmith.run(file, method="reference")
        return [recording.events[0].times]
    fine, finer = (ours(file, "default", s, "exact", repeat=1)[1] for s in (4e-6, 2e-6))
    # Second order: the finer run errs a third of what the two differ by.
    print("converged to", [e * 1e3 / 3 for e in errors(fine, finer)[:2]], "ms", file=sys.stderr)
    return finer


def of_peer(simulator: str, model: str, step: float, folder: Path, more: str) -> dict[str, Any]:
    """Return what another simulator gives."""
    script = Path(__file__).with_name("peer_runs.py")
    command = [PEERS, str(script), simulator, model, f"{step:g}", str(folder), more or "-"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    line = next(line for line in done.stdout.splitlines() if line.startswith("RESULT "))
    found: dict[str, Any] = json.loads(line.removeprefix("RESULT "))
    return found


def measure(model: str, folder: Path, kept: dict[str, Any], peers: str) -> dict[str, Any]:
    """Return the results of a model by name: rows of step, CPU time, errors."""
    about = MODELS[model]
    files: dict[float, Path] = {}
    finest = {*about["steps"], *(s for _, _, steps in about["peers"].values() for s in steps)}
    for step in sorted(finest):
        write_model(model, step, folder, length=step, part="short")
        files[step] = write_model(model, step, folder, length=about["length"], part="whole")
    truth = truth_of(model, files[min(finest)])
    results: dict[str, Any] = {}

    def note(name: str, step: float, cpu: float, found: list[np.ndarray]) -> None:
        row = [step, cpu, *errors(found, truth)]
        results.setdefault(name, []).append(row)
        print(model, name, row, file=sys.stderr, flush=True)

    for method, events in METHODS:
        if model == "m1" and events == "exact":
            continue
        name = f"lemsmith, {method}" + (", events exact" if events == "exact" else "")
        for step in about["steps"]:
            repeat = 5 if model == "m1" else 2
            try:
                note(name, step, *ours(files[step], method, step * 1e-3, events, repeat=repeat))
            except lemsmith.NumericalError:
                print(model, name, step, "unstable", file=sys.stderr)
    for name, (simulator, more, steps) in about["peers"].items():
        if not peers:
            results |= {name: kept[name]} if name in kept else {}
            continue
        for step in steps:
            given = of_peer(simulator, model, step, folder, more)
            found = (
                of_trace(given["trace"], step * 1e-3, given["first"])
                if "trace" in given
                else by_cell(given["i"], given["t"], len(truth))
            )
            note(name, step, given["cpu"], found)
    return results


# --- the picture --------------------------------------------------------------------------------


def draw(results: dict[str, Any]) -> None:
    """Draw error against CPU time into docs/accuracy_cost.svg."""
    plt.switch_backend("Agg")
    plt.rcParams["svg.hashsalt"] = "lemsmith"
    figure, axes = plt.subplots(1, len(MODELS), figsize=(12, 5.2))
    for ax, (model, about) in zip(axes, MODELS.items(), strict=True):
        for n, (name, rows) in enumerate(results[model].items()):
            ours_ = name.startswith("lemsmith")
            cpu, error = [r[1] for r in rows], [max(r[2], 1e-10) * 1e3 for r in rows]
            marker = "osD^vP*X<>hp"[n % 12]
            style = "-" if ours_ else "--"
            ax.loglog(cpu, error, style, marker=marker, label=name, lw=1.6 if ours_ else 1.0)
        ax.set_title(about["title"], fontsize=10)
        ax.set_xlabel("CPU time of the time loop, s")
        ax.set_ylabel("median error of spike times, ms")
        ax.grid(visible=True, which="major", alpha=0.3)
        ax.legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(PLOT, metadata={"Date": None})


def main() -> None:
    """Measure, keep the results, draw."""
    peers = "" if "lemsmith" in sys.argv[1:] else PEERS
    kept = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.is_file() else {}
    results = {}
    wanted = [a for a in sys.argv[1:] if a in MODELS] or list(MODELS)
    for model in MODELS:
        before = kept.get("results", {}).get(model, {})
        if model not in wanted:
            results[model] = before
            continue
        with tempfile.TemporaryDirectory() as folder:
            results[model] = measure(model, Path(folder), before, peers)
        whole = {
            "machine": platform.machine(),
            "date": f"{datetime.now(UTC):%Y-%m-%d}",
            "results": results,
        }
        KEPT.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    draw(results)


if __name__ == "__main__":
    main()
