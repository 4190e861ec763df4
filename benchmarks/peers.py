"""Every model of the yardsticks: ours beside each simulator that is installed, in one run.

    LEMSMITH_PEERS=PYTHON python benchmarks/peers.py [MODEL ...] [--out FILE]

PYTHON is an interpreter that has brian2, neuron, pyneuroml and pylems (and Java). Inputs and hand
kernels lie in `shared/bench` beside the project. CPU seconds: of the loop alone, on one thread, per
second of model time; and of the whole process from file to result with an empty cache, compilers
included, for the model time of its run. Agreement is measured in the same run: of our spikes in
the 20 ms from the first one, cell by cell and one by one, those that the other has within 1 ms, and
the median of what they differ by; and its number of spikes over its run as a part of ours (the
networks are chaotic). Simulators that would take minutes run a shorter time.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from cost import by_cell, of_peer, of_trace, write_model
from lemsmith.errors import LemsmithError
from measuring import BENCH, looped, of_children, processor, whole
from speed import by_hand

PEERS = os.environ.get("LEMSMITH_PEERS", "")

#: Model time, s, from our first spike, over which spikes are held against one another.
EARLY = 20e-3

#: Time, s, by which two spikes may differ and count as the same.
ALIKE = 1e-3

NAMES = {
    "brian2": "Brian2, C++",
    "export": "NEURON, exported by jNeuroML",
    "jneuroml": "jNeuroML",
    "pylems": "PyLEMS",
}

Trains = list[np.ndarray]


@dataclass(frozen=True, slots=True)
class Yardstick:
    """A model, its step and length, ms, and how long, ms, which simulator runs it."""

    title: str
    step: float
    length: float
    peers: dict[str, float]
    arguments: tuple[str, ...] = ()
    single: bool = True


YARDSTICKS = {
    "m1": Yardstick(
        "one HH cell", 0.01, 1000,
        {"brian2": 1000, "export": 1000, "jneuroml": 1000, "pylems": 200}, single=False,
    ),
    "m2": Yardstick(
        "1,000 HH cells", 0.025, 1000, {"brian2": 1000, "export": 1000, "jneuroml": 110},
        ("--n", "1000"),
    ),
    "cuba": Yardstick("CUBA", 0.1, 1000, {"brian2": 1000, "jneuroml": 20}),
    "coba": Yardstick("COBA", 0.1, 1000, {"brian2": 1000, "export": 200, "jneuroml": 20}),
    "cobahh": Yardstick("COBAHH", 0.05, 1000, {"brian2": 1000, "export": 50, "jneuroml": 10}),
    "izh": Yardstick("Izhikevich 10,000 x 100", 0.1, 1000, {"brian2": 1000}),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Measured:
    """CPU seconds of a loop per second of model time and of a whole process, and the spikes."""

    name: str
    loop: float
    whole: float | None
    spikes: Trains | int | None
    length: float


def ours(file: Path, precision: str, length: float, step: float) -> Measured:
    """Return what lemsmith takes and gives by its default method."""
    loop = looped(file, 5, precision=precision)
    spikes = loop.events or of_trace(loop.rows[:, 0], step * 1e-3, 0.0)
    seconds = length * 1e-3
    return Measured(
        f"lemsmith, {precision}",
        loop.seconds / seconds,
        whole(file, precision=precision),
        spikes,
        length,
    )


def kernels(model: str, folder: Path, about: Yardstick) -> Iterator[Measured]:
    """Yield what the hand-written kernels take; of spikes they tell the number."""
    for real, precision in (("double", "double"), ("float", "single")):
        if precision == "single" and not about.single:
            continue
        loop, count = by_hand(model, folder, about.length, real, 5, 1000)
        yield Measured(
            f"hand kernel, {precision}", loop * 1e3 / about.length, None, count, about.length
        )


def peer(name: str, model: str, about: Yardstick, folder: Path) -> Measured:
    """Return what another simulator takes and gives."""
    length = about.peers[name]
    for part, ms in (("short", about.step), ("whole", length)):
        write_model(model, about.step, folder, length=ms, part=part, more=about.arguments)
    begin = of_children()
    given = of_peer(name, model, about.step, folder, "")
    took = of_children() - begin
    cells = int(np.load(folder / f"{model}.npz")["n"])
    spikes = (
        of_trace(given["trace"], about.step * 1e-3, given["first"])
        if "trace" in given
        else by_cell(given["i"], given["t"], cells)
    )
    seconds = length * 1e-3
    return Measured(NAMES[name], given["cpu"] / seconds, took, spikes, length)


def alike(found: Trains, expected: Trains, until: float) -> str:
    """Return how many of the spikes of `expected` before `until` the other has in their places."""
    pairs, apart = 0, []
    for a, b in zip(found, expected, strict=True):
        early = b[b < until - ALIKE]
        other = a[: len(early)]
        pairs += len(early)
        apart.append(np.abs(other - early[: len(other)]))
    every = np.concatenate(apart)
    near = every[every <= ALIKE]
    if not len(near):
        return f"0 of {pairs:,}"
    return f"{len(near):,} of {pairs:,}, {np.median(near) * 1e3:.2g} ms"


def row(about: Yardstick, each: Measured, mine: Measured) -> str:
    """Return the line of one simulator."""
    whole = "" if each.whole is None else f"{each.whole:.1f}"
    head = (
        f"| {about.title} | {each.name} | {each.length:g} | {each.loop:.3g} | "
        f"{each.loop / mine.loop:.2f} | {whole} |"
    )
    assert isinstance(mine.spikes, list)
    until = each.length * 1e-3
    of_ours = sum(int(np.sum(train < until)) for train in mine.spikes)
    if isinstance(each.spikes, int):
        return f"{head} | {each.spikes / of_ours:.3f} |"
    first = min(train[0] for train in mine.spikes if len(train))
    early = alike(each.spikes, mine.spikes, min(first + EARLY, until))
    number = sum(len(train) for train in each.spikes)
    share = f"{number / of_ours:.3f}" if of_ours else ""
    return f"{head} {early} | {share} |"


def compare(model: str) -> Iterator[str]:
    """Yield the lines of one model."""
    about = YARDSTICKS[model]
    with tempfile.TemporaryDirectory() as kept:
        folder = Path(kept)
        file = write_model(
            model, about.step, folder, length=about.length, part="ours", more=about.arguments
        )
        mine = ours(file, "double", about.length, about.step)
        yield row(about, mine, mine)
        if about.single:
            yield row(about, ours(file, "single", about.length, about.step), mine)
        if model != "m1":
            for each in kernels(model, folder, about):
                yield row(about, each, mine)
        for name in about.peers if PEERS else ():
            yield row(about, peer(name, model, about, folder), mine)


def main() -> None:
    """Print the table, and write it where it is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="*", default=list(YARDSTICKS))
    parser.add_argument("--out", type=Path, help="append the table to this file")
    options = parser.parse_args()
    if not BENCH.exists():
        raise SystemExit(f"the benchmark inputs are not there: {BENCH}")
    lines = [
        "| model | simulator | ms | loop, s/s | times ours | whole, s | early spikes | spikes |",
        "|---|---|---|---|---|---|---|---|",
    ]
    print(f"{processor()}, {time.strftime('%Y-%m-%d')}\n", *lines, sep="\n", flush=True)
    for model in options.models:
        try:
            for line in compare(model):
                lines.append(line)
                print(line, flush=True)
        except LemsmithError as error:
            raise SystemExit(f"{model}: {error}") from error
    if options.out:
        with options.out.open("a", encoding="utf-8") as out:
            out.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
