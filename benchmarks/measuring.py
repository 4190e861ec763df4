"""What the benchmarks share: the yardsticks' inputs, and what is measured of a run and how."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from lemsmith.runner.backends import Running, backend
from lemsmith.runner.pipeline import translate
from lemsmith.runner.plan import Plan
from lemsmith.runner.request import made

SHARED = Path(__file__).resolve().parents[2] / "shared"
BENCH = SHARED / "bench"
CPU = Path("/proc/cpuinfo")


def processor() -> str:
    """Return what the processor calls itself."""
    lines = CPU.read_text().splitlines() if CPU.exists() else []
    found = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return found[0] if found else platform.processor()


def yardstick(name: str, folder: str | Path, *arguments: str) -> Path:
    """Write a model of shared/bench into `folder`; return its LEMS file."""
    command = [sys.executable, str(BENCH / "nmlgen.py"), name, str(folder), *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return Path(folder) / f"LEMS_{name}.xml"


@dataclass(frozen=True, slots=True)
class Loop:
    """CPU seconds of a time loop, and its last run: the recorded rows, the start's first."""

    seconds: float
    plan: Plan
    rows: np.ndarray
    running: Any

    @property
    def events(self) -> list[np.ndarray]:
        """The times, s, of every recorded port's events."""
        return [np.asarray(times) for times in self.running.events()]


def looped(file: Path, repeats: int = 1, **options: Any) -> Loop:
    """Return the least CPU seconds that the loop of a model takes on one thread."""
    request = made(file, threads=1, **options)
    plan, _ = translate(request)
    return loop_of(plan, lambda: backend("cpp").start(plan, request), repeats)


def loop_of(plan: Plan, start: Callable[[], Running], repeats: int) -> Loop:
    """Return the least CPU seconds of the loop of what `start` makes ready."""
    best = float("inf")
    rows = np.empty((plan.program.steps + 1, len(plan.program.columns)))
    for _ in range(repeats):
        running = start()
        rows[0] = running.initial_row()
        begin = time.process_time()
        running.advance(plan.program.steps, rows[1:])
        best = min(best, time.process_time() - begin)
    return Loop(best, plan, rows, running)


def whole(file: Path, method: str = "default", precision: str = "double") -> float:
    """Return the CPU seconds from a file to its results, the cache empty, compilers included."""
    with tempfile.TemporaryDirectory() as kept:
        environment = {**os.environ, "LEMSMITH_CACHE": kept}
        begin = of_children()
        subprocess.run(
            [
                *(sys.executable, "-m", "lemsmith", "run", str(file), "-q", "--threads", "1"),
                *("--method", method, "--precision", precision, "--out", f"{kept}/out"),
            ],
            check=True,
            env=environment,
        )
        return of_children() - begin


def of_children() -> float:
    """Return the CPU seconds of child processes so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
