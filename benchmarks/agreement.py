"""Whether the networks of shared/bench do the same here as in their hand-written kernels.

    python benchmarks/agreement.py [MODEL ...] [--ms T] [--seeds N]

The networks are chaotic: two programs that round differently part after some tens of ms, and the
hand kernels take first-order steps. So both go at an eighth of the model's step for the first
20 ms, spike for spike (a spike is met where the same cell's spike of the same number lies within
two of the model's steps), and at a quarter of it for the rates, over several draws of the
connections; the difference of the rates stands beside its standard error.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from measuring import BENCH, looped, yardstick
from speed import DELAYS, FLAGS, NUMBERS, STEPS

#: What a hand kernel does with the spikes of a step, and the same with the spikes told.
COUNTED = "nsp+=L.size();"
TOLD = COUNTED + ' for(int j:L) printf("spike %ld %d\\n",s,j);'
EARLY = 20.0


def written(name: str, folder: Path, ms: float, step: float, seed: int) -> None:
    """Write a network and the hand kernel's input."""
    yardstick(name, folder, "--ms", str(ms), "--dt", str(step), "--seed", str(seed))
    subprocess.run(
        [
            *(sys.executable, str(BENCH / "limit/raw.py")),
            *(str(folder / f"{name}.npz"), str(folder / f"{name}.raw")),
        ],
        check=True,
    )


def kernel(name: str, folder: Path) -> Path:
    """Return the hand kernel, built so that it tells its spikes."""
    text = (BENCH / "limit/net.cpp").read_text(encoding="utf-8")
    if COUNTED not in text:
        raise SystemExit("the hand kernel counts its spikes in another way")
    source = folder / "told.cpp"
    source.write_text(text.replace(COUNTED, TOLD), encoding="utf-8")
    program = folder / f"told_{name}"
    defines = ["-DREAL=double", f"-DMODEL={NUMBERS[name]}"]
    subprocess.run(
        ["g++", "-w", *FLAGS, *defines, str(source), "-o", str(program)],
        check=True,
    )
    return program


def by_hand(program: Path, name: str, folder: Path, ms: float, step: float) -> dict[int, list]:
    """Return the times, ms, of every cell's spikes in the hand kernel."""
    done = subprocess.run(
        [
            *(str(program), str(folder / f"{name}.raw"), str(ms), str(step)),
            str(DELAYS.get(name, 0.5)),
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    spikes: dict[int, list] = {}
    for at, cell in re.findall(r"spike (\d+) (\d+)", done.stdout):
        spikes.setdefault(int(cell), []).append((int(at) + 1) * step)
    return spikes


def ours(model: Path) -> dict[int, list]:
    """Return the times, ms, of every cell's spikes here, by the default method."""
    trains = looped(model).events
    return {cell: [float(t) * 1e3 for t in each] for cell, each in enumerate(trains) if len(each)}


def met(one: dict[int, list], other: dict[int, list], near: float) -> tuple[int, int]:
    """Return how many spikes have their counterpart, and how many there are at most."""
    pairs = [
        abs(a - b) <= near
        for cell in one.keys() & other.keys()
        for a, b in zip(sorted(one[cell]), sorted(other[cell]), strict=False)
    ]
    count = max(sum(map(len, one.values())), sum(map(len, other.values())))
    return sum(pairs), count


def compare(name: str, ms: float, seeds: int) -> None:
    """Print the row of one network."""
    with tempfile.TemporaryDirectory() as kept:
        folder = Path(kept)
        program = kernel(name, folder)
        model = folder / f"LEMS_{name}.xml"
        step = STEPS[name] / 8
        written(name, folder, EARLY, step, 1)
        early = met(by_hand(program, name, folder, EARLY, step), ours(model), 2 * STEPS[name])
        step = STEPS[name] / 4
        counts = []
        for seed in range(1, seeds + 1):
            written(name, folder, ms, step, seed)
            both = (by_hand(program, name, folder, ms, step), ours(model))
            counts.append([sum(map(len, spikes.values())) for spikes in both])
        hand, mine = np.array(counts, dtype=float).T
        off = 100 * (mine.mean() / hand.mean() - 1)
        error = 100 * np.hypot(hand.std(ddof=1), mine.std(ddof=1)) / np.sqrt(seeds) / hand.mean()
        print(
            f"| {name} | {early[0]} of {early[1]} | {mine.mean():.0f} / {hand.mean():.0f} | "
            f"{off:+.1f} ± {error:.1f} % |",
            flush=True,
        )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=list(NUMBERS))
    parser.add_argument("--ms", type=float, default=1000.0)
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    if not BENCH.exists():
        raise SystemExit(f"the benchmark inputs are not there: {BENCH}")
    print("| network | spikes of the first 20 ms met | spikes, ours / hand | rates differ by |")
    print("|---|---|---|---|")
    for name in options.models:
        compare(name, options.ms, options.seeds)


if __name__ == "__main__":
    main()
