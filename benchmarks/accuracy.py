"""Writes docs/accuracy.md: how far spikes are from the converged solution, and what it costs.

    make accuracy [ONLY="Ex1_ Ex8"]

What jNeuroML, NEURON and EDEN give is read from their traces in shared/reference. The part about
cost is what benchmarks/cost.py kept (`make accuracy-cost`). Rows of examples that are not asked
for stay as they are.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from cost import KEPT, MODELS, PLOT
from lemsmith.errors import LemsmithError
from spike_errors import (
    PUBLIC,
    REFERENCE,
    SHARED,
    Example,
    of_jneuroml,
    of_neuron,
    of_public,
    of_run,
)

ROOT = Path(__file__).parents[1]
EXAMPLES = SHARED / "corpus" / "neuroml2" / "LEMSexamples"
PAGE = ROOT / "docs" / "accuracy.md"

#: Examples that have no converged solution.
RANDOM = ("Ex14_PyNN", "Ex16_Inputs", "Ex23_Spiketimes")

#: Simulations of public repositories that draw no random numbers and that EDEN runs.
REPOSITORIES = (
    "FitzHugh-Nagumo__FitzHughNagumo",
    "GranCellLayer__TestNet",
    "IzhikevichModel__2007Cells",
    "IzhikevichModel__2007One",
    "NeuroMLlite__SimExample4",
    "Thalamocortical__SomaTest",
    "hodgkin_huxley_tutorial__HH_SingleAP",
)

ABOUT = """\
# Accuracy

Written by `make accuracy` (benchmarks/accuracy.py).

The largest difference of a spike's time from the converged solution (`--method reference`: order 8,
relative tolerance 1e-10, events located; cells of compartments included), at the step that the
file asks for. Compared are the first five spikes of every cell: the events that cells send, and of
potentials without events the upward crossings of the middle of their range, interpolated between
samples. A cell of another simulator that resets spikes at the sample of its reset. jNeuroML 0.14.0
and NEURON 9.0.2 (through jNeuroML's export) are those programs' own traces, in
`shared/reference`; of EDEN there are none for these files, see the second table.

| Example | step | lemsmith | jNeuroML | NEURON |
|---|---|---|---|---|
"""

PUBLIC_ABOUT = """
Simulations of public repositories, as their authors published them; spikes are upward crossings of
the file's own threshold, interpolated.

| Simulation | step | lemsmith | jNeuroML | NEURON | EDEN |
|---|---|---|---|---|---|
"""

COST_ABOUT = """
## Accuracy against cost

![Error of spike times against CPU time]({plot})

Drawn by `make accuracy-cost` (benchmarks/cost.py), {date}, {machine}, one thread. The CPU time is
that of the time loop (user seconds), without reading, translating and compiling; of jNeuroML a run
minus a run of one step. Spikes are compared with the converged solution: of the single cell the
crossings of -20 mV, on the cubic through four samples where a simulator does not locate them; of
the network the first spike of every cell, as each simulator reports it (all but lemsmith's default
method on the grid). The converged network is lemsmith with `--events exact` at a step of 2 us; some
cells fire at all only in some runs (amiss), and late first spikes are chaotic. For
"NEURON, its own hh" the cell is written by hand with NEURON's built-in mechanism, the rest is what
jNeuroML exports.
"""


def kept_rows() -> dict[str, str]:
    """Return the rows of the tables that the page has, by their first cell."""
    if not PAGE.is_file():
        return {}
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    return {line.split("|")[1].strip(): line for line in lines if line.startswith("| ")}


def example_row(path: Path) -> str:
    """Return the row of an official example."""
    name = path.stem.removeprefix("LEMS_NML2_")
    example = Example(path)
    truth = example.run("reference")
    cells = [
        of_run(example.run("default"), truth).text(),
        of_jneuroml(path.stem, truth).text(),
        of_neuron(f"neuroml2/LEMSexamples/{path.name}", truth).text(),
    ]
    return f"| {name} | {float(truth.settings['step'] or 0) * 1e3:g} ms | {' | '.join(cells)} |"


def public_row(name: str) -> str:
    """Return the row of a public simulation."""
    entry: Any = json.loads((REFERENCE / "osb" / f"{name}.json").read_text(encoding="utf-8"))
    folder = name.partition("__")[0]
    example = Example(SHARED / "corpus" / "osb" / folder / entry["sim"])
    truth = example.run("reference")
    found = of_public(entry, truth, example.run("default"))
    cells = [found[key].text() for key in ("lemsmith", *PUBLIC)]
    return f"| {name} | {entry['step']} | {' | '.join(cells)} |"


def rows(wanted: list[str]) -> tuple[list[str], list[str]]:
    """Return the rows of the two tables; those not wanted as they were."""
    before = kept_rows()
    examples = []
    for path in sorted(EXAMPLES.glob("LEMS_NML2_Ex*.xml"), key=_number):
        name = path.stem.removeprefix("LEMS_NML2_")
        if name in RANDOM:
            examples.append(f"| {name} | | draws random numbers | | |")
            continue
        examples.append(_row(name, wanted, before, lambda path=path: example_row(path)))
    public = [
        _row(name, wanted, before, lambda name=name: public_row(name)) for name in REPOSITORIES
    ]
    return examples, public


def _row(name: str, wanted: list[str], before: dict[str, str], make: Any) -> str:
    if name in before and wanted and not any(part in name for part in wanted):
        return before[name]
    begin = time.process_time()
    try:
        row: str = make()
    except LemsmithError as error:
        row = f"| {name} | | {str(error).splitlines()[0][:80]} | | |"
    print(row, f"{time.process_time() - begin:.0f} s", file=sys.stderr, flush=True)
    return row


def _number(path: Path) -> tuple[int, str]:
    digits = "".join(c for c in path.stem.split("_")[2] if c.isdigit())
    return int(digits or 0), path.stem


def cost_lines() -> list[str]:
    """Return the part about cost."""
    if not KEPT.is_file():
        return []
    kept = json.loads(KEPT.read_text(encoding="utf-8"))
    about = COST_ABOUT.format(plot=PLOT.name, date=kept["date"], machine=kept["machine"])
    lines = about.splitlines()
    for model, results in kept["results"].items():
        if not results:
            continue
        title = MODELS[model]["title"]
        lines += ["", f"### {title[0].upper()}{title[1:]}", ""]
        lines += ["| Simulator, method | step | CPU time | median error | worst error |"]
        lines += ["|---|---|---|---|---|"]
        for name, found in results.items():
            for step, cpu, median, worst, amiss in found:
                more = f", {amiss} cells amiss" if amiss else ""
                lines.append(
                    f"| {name} | {step:g} ms | {cpu * 1e3:.3g} ms | {median * 1e3:.2g} ms | "
                    f"{worst * 1e3:.2g} ms{more} |"
                )
    return lines


def main() -> None:
    """Write the page."""
    examples, public = rows(sys.argv[1:])
    second = [PUBLIC_ABOUT.rstrip("\n"), *public] if public else []
    text = ABOUT + "\n".join([*examples, *second, *cost_lines(), ""])
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
