"""Models of public repositories: what the reference took for them, and what we take.

    python benchmarks/repositories.py [--least S] [NAME ...]

The seconds of jNeuroML's (jLEMS) or NEURON's loop are those recorded in `shared/reference/osb`
beside the project; models where they are under `--least` seconds (5) are left out. Ours are CPU
seconds of this run on one thread: the loop, and everything from file to result with an empty
cache, the C++ compiler included. `spikes` counts the recorded columns that cross their threshold
as often as in the reference's result.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lemsmith.errors import LemsmithError
from lemsmith.runner.recording import crossings
from lemsmith.runner.simulate import times
from measuring import SHARED, looped, of_children

SECONDS = re.compile(r"in ([\d.]+) seconds")
PEERS = {"jnml": "jNeuroML", "nrn": "NEURON"}


@dataclass(frozen=True, slots=True)
class Reference:
    """What another simulator took and gave."""

    name: str
    file: Path
    peer: str
    seconds: float
    columns: tuple[dict[str, Any], ...]


def references(least: float) -> Iterator[Reference]:
    """Yield the recorded runs, the longest first."""
    found: list[Reference] = []
    for path in sorted((SHARED / "reference/osb").glob("*.json")):
        model = json.loads(path.read_text())
        runs = [
            (float(seconds[1]), peer, run)
            for peer, run in model["peers"].items()
            if peer in PEERS and (seconds := SECONDS.search(str(run.get("sim_msg"))))
        ]
        if not runs:
            continue
        seconds, peer, run = max(runs, key=lambda each: each[0])
        columns = tuple(c for file in run["outputs"] for c in file.get("columns", ()))
        folder = SHARED / "corpus/osb" / model["id"].partition("__")[0]
        if seconds >= least:
            found.append(
                Reference(model["id"], folder / model["sim"], PEERS[peer], seconds, columns)
            )
    yield from sorted(found, key=lambda each: -each.seconds)


def row(reference: Reference, method: str) -> str:
    """Return the row of one model."""
    begin = time.process_time() + of_children()
    run = looped(reference.file, method=method)
    whole = time.process_time() + of_children() - begin
    program, rows, loop = run.plan.program, run.rows, run.seconds
    columns = [column.path for column in program.columns]
    time_of = times(program.step, len(rows))
    alike = [
        len(crossings(time_of, rows[:, columns.index(path)], column["threshold"]))
        == column["n_crossings"]
        for column in reference.columns
        if (path := column["quantity"]) in columns and "n_crossings" in column
    ]
    return (
        f"| {reference.name.replace('__', ' ')} | {program.steps:,} | {reference.peer} "
        f"{reference.seconds:.1f} | {loop:.2f} | {reference.seconds / loop:.0f} | {whole:.1f} | "
        f"{sum(alike)} of {len(alike)} |"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--least", type=float, default=5.0)
    parser.add_argument("--method", default="default")
    options = parser.parse_args()
    if not SHARED.exists():
        raise SystemExit(f"the recorded runs are not there: {SHARED}")
    print("| model | steps | reference s | ours s | times faster | file to result s | spikes |")
    print("|---|---|---|---|---|---|---|")
    for reference in references(options.least):
        if options.names and not any(name in reference.name for name in options.names):
            continue
        with tempfile.TemporaryDirectory() as cache:
            os.environ["LEMSMITH_CACHE"] = cache
            try:
                print(row(reference, options.method), flush=True)
            except LemsmithError as error:
                print(f"| {reference.name} | {str(error)[:80]} | | | | | |", flush=True)


if __name__ == "__main__":
    main()
