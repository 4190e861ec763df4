"""What threads win: seconds of the loop with 1, 2, ... threads.

    python benchmarks/threads.py [MODEL ...] [--ms T] [--threads N ...]

On the clock, and the CPU seconds of the busiest thread: on a machine that does other work, too,
only the latter says how the work divides. Every run is checked to give the same bits.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
import time
from pathlib import Path

import numpy as np
from lemsmith.runner import pipeline
from lemsmith.runner.build import build, kernel_flags
from lemsmith.runner.native_phases import NativePhases
from lemsmith.runner.plan import Plan
from lemsmith.runner.request import made
from lemsmith.runner.threads import Threads
from measuring import BENCH, yardstick

TASKS = Path("/proc/self/task")


def spent() -> dict[str, float]:
    """Return the CPU seconds of every thread of this process (Linux)."""
    return {
        task.name: int((task / "schedstat").read_text().split()[0]) / 1e9
        for task in TASKS.iterdir()
    }


def once(plan: Plan, library: Path, threads: int) -> tuple[float, float, str]:
    """Return seconds on the clock, CPU seconds of the busiest thread, a hash of the result."""
    running = NativePhases(plan.program, library, plan.buffers, Threads(threads, fixed=True))
    rows = np.empty((plan.program.steps, max(1, len(plan.program.columns))))
    running.initial_row()
    before, begin = spent(), time.perf_counter()
    running.advance(len(rows), rows)
    clock, after = time.perf_counter() - begin, spent()
    digest = hashlib.sha256(repr(running.events()).encode())
    for key in sorted(running.variables):
        digest.update(running.variables[key].tobytes())
    busiest = max(seconds - before.get(task, 0.0) for task, seconds in after.items())
    return clock, busiest, digest.hexdigest()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=["m2", "coba", "cobahh"])
    parser.add_argument("--ms", type=float, default=200.0)
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    if not BENCH.exists():
        raise SystemExit(f"the benchmark inputs are not there: {BENCH}")
    print("| model | threads | on the clock s | busiest thread, CPU s | to one thread |")
    print("|---|---|---|---|---|")
    for name in options.models:
        with tempfile.TemporaryDirectory() as folder:
            size = ["--n", "10000"] if name == "m2" else []
            model = yardstick(name, folder, "--ms", str(options.ms), *size)
            plan, _ = pipeline.translate(made(model))
        library = build(plan.text, kernel_flags())
        results: set[str] = set()
        alone = 0.0
        for threads in options.threads:
            runs = [once(plan, library, threads) for _ in range(options.repeats)]
            results |= {digest for _, _, digest in runs}
            clock, busiest = min(r[0] for r in runs), min(r[1] for r in runs)
            alone = alone or busiest
            print(
                f"| {name} | {threads} | {clock:.3f} | {busiest:.3f} | {alone / busiest:.2f} |",
                flush=True,
            )
        if len(results) > 1:
            raise SystemExit(f"{name}: results differ between numbers of threads")


if __name__ == "__main__":
    main()
