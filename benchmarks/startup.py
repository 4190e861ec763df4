"""How long a user waits for one model: from command to result, cold and warm.

    python benchmarks/startup.py [FILE]

FILE defaults to the official example Ex5 where the test material is beside the project, else
to our own HH cell. Cold: empty cache, so that reading, translating and the C++ compiler are
in it; warm: later runs. Wall and CPU seconds of the whole process, medians of five.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT.parent / "shared/corpus/neuroml2/LEMSexamples/LEMS_NML2_Ex5_DetCell.xml"
OWN = ROOT / "models/LEMS_hh.xml"
REPEATS = 5


def once(model: Path, cache: Path, out: Path, method: str) -> tuple[float, float]:
    """Run `lemsmith run` on `model`; return wall and CPU seconds, children included."""
    environment = {**os.environ, "LEMSMITH_CACHE": str(cache)}
    command = [sys.executable, "-m", "lemsmith", "run", str(model), "--out", str(out)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.perf_counter()
    subprocess.run([*command, "--method", method, "-q"], check=True, env=environment)
    wall = time.perf_counter() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(model: Path, method: str) -> list[tuple[str, float, float]]:
    """Return (what, wall s, CPU s) of a cold and a warm run."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        cold = [once(model, Path(folder) / f"cache{n}", out, method) for n in range(REPEATS)]
        warm = [once(model, Path(folder) / "cache0", out, method) for _ in range(REPEATS)]
    return [
        (what, statistics.median(w for w, _ in runs), statistics.median(c for _, c in runs))
        for what, runs in (("cold", cold), ("warm", warm))
    ]


def main() -> None:
    """Print the table."""
    given = Path(sys.argv[1]) if len(sys.argv) > 1 else EXAMPLE if EXAMPLE.exists() else OWN
    print("| model | method | cache | wall s | CPU s |")
    print("|---|---|---|---|---|")
    for method in ("jlems", "default"):
        for what, wall, cpu in measure(given, method):
            print(f"| {given.name} | {method} | {what} | {wall:.2f} | {cpu:.2f} |", flush=True)


if __name__ == "__main__":
    main()
