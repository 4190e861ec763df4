"""The simulation loop's speed beside hand-written kernels, on the same models, in one run.

    python benchmarks/speed.py [MODEL ...] [--ms T] [--repeats R]

Models: m2 (10,000 HH cells), cuba, coba, cobahh (Brette et al. 2007), izh. Inputs and hand
kernels lie in `shared/bench` beside the project; without them there is nothing to compare
with and the script says so. CPU seconds of the loop alone, one thread, the least of the
repeats; the spikes of both are counted in the same run (the networks are chaotic: a count
within 2 % is agreement).
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from lemsmith.errors import LemsmithError
from measuring import BENCH, looped, yardstick

FLAGS = (
    "-O3",
    "-march=native",
    "-mprefer-vector-width=512",
    "-ffast-math",
    "-fopenmp-simd",
    "-DPOLY",
    "-DRUSHLARSEN",
)
STEPS = {"m2": 0.025, "cuba": 0.1, "coba": 0.1, "cobahh": 0.05, "izh": 0.1}
#: Model time, ms, of what takes long.
LENGTHS = {"m2": 200.0}
NUMBERS = {"cuba": 0, "coba": 1, "cobahh": 2, "izh": 3}
METHODS = (("default", "double"), ("euler", "double"), ("default", "single"))
#: Delays of the connections, ms, as the inputs have them.
DELAYS = {"izh": 1.0}


def by_hand(
    name: str, folder: Path, ms: float, real: str, repeats: int, cells: int = 10_000
) -> tuple[float, int]:
    """Return CPU seconds and spikes of the hand-written kernel."""
    source = BENCH / "limit" / ("hh.cpp" if name == "m2" else "net.cpp")
    program = folder / f"hand_{name}_{real}"
    defines = [f"-DREAL={real}"] + ([f"-DMODEL={NUMBERS[name]}"] if name in NUMBERS else [])
    subprocess.run(
        ["g++", *FLAGS, *defines, str(source), "-o", str(program)],
        check=True,
    )
    arguments = [str(cells), str(ms), str(STEPS[name])]
    if name != "m2":
        raw = folder / f"{name}.raw"
        subprocess.run(
            [sys.executable, str(BENCH / "limit/raw.py"), str(folder / f"{name}.npz"), str(raw)],
            check=True,
        )
        arguments = [str(raw), str(ms), str(STEPS[name]), str(DELAYS.get(name, 0.5))]
    best, spikes = float("inf"), 0
    for _ in range(repeats):
        done = subprocess.run(
            [str(program), *arguments], check=True, capture_output=True, text=True
        )
        seconds = re.search(r"cpu ([\d.]+) s", done.stdout)
        count = re.search(r"spikes (\d+)", done.stdout)
        if seconds is None or count is None:
            raise SystemExit(f"the hand kernel said {done.stdout!r}")
        best, spikes = min(best, float(seconds[1])), int(count[1])
    return best, spikes


def compare(name: str, ms: float, repeats: int) -> None:
    """Print the rows of one model."""
    with tempfile.TemporaryDirectory() as kept:
        folder = Path(kept)
        model = yardstick(name, folder, "--ms", str(ms))
        hand = {
            precision: by_hand(name, folder, ms, real, repeats)
            for precision, real in (("double", "double"), ("single", "float"))
        }
        for method, precision in METHODS:
            head = f"| {name} | {precision} | {method} |"
            try:
                loop = looped(model, repeats, method=method, precision=precision)
            except LemsmithError as error:
                print(f"{head} {str(error)[:70]} | | | |", flush=True)
                continue
            mine, events = loop.seconds, sum(map(len, loop.events))
            theirs, spikes = hand[precision]
            print(
                f"{head} {mine:.3f} | {theirs:.3f} | {mine / theirs:.2f} | {events} / {spikes} |",
                flush=True,
            )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=list(STEPS))
    parser.add_argument("--ms", type=float, help="of model time; by default 1000, of m2 200")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    if not BENCH.exists():
        raise SystemExit(f"the benchmark inputs are not there: {BENCH}")
    print("| model | precision | method | ours s | hand kernel s | ratio | spikes ours / hand |")
    print("|---|---|---|---|---|---|---|")
    for name in options.models:
        compare(name, options.ms or LENGTHS.get(name, 1000.0), options.repeats)


if __name__ == "__main__":
    main()
