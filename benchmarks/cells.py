"""Cells of many compartments, one alone and many joined, ours beside NEURON, in one run.

    LEMSMITH_NEURON=PYTHON LEMSMITH_JAR=FILE python benchmarks/cells.py [--cells N] [--ms T]
        [--many-ms T] [--step MS] [NAME ...]

PYTHON is an interpreter with NEURON, FILE jNeuroML's jar (and Java is there): the export is
compiled and run as it is. Without them only ours is measured. The cells lie in
`shared/corpus/osb/Thalamocortical` beside the project; the networks are written here: every cell
driven by a pulse, ten synapses on its dendrites from other cells, a gap junction to the next. CPU
seconds per second of model time and cell: the loop, one thread, the least of three of ours; and the
whole from file to result with an empty cache, compilers included. Spikes are crossings of -20 mV in
the recorded somata; `apart` is the largest difference of one: of NEURON's from ours by the method
`neuron`, of the default method's from its own at an eighth of the step.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from lemsmith.errors import LemsmithError
from lemsmith.runner.recording import crossings
from lemsmith.runner.simulate import times
from measuring import SHARED, looped, of_children, processor, whole

CORPUS = SHARED / "corpus/osb/Thalamocortical"
NEURON, JAR = os.environ.get("LEMSMITH_NEURON", ""), os.environ.get("LEMSMITH_JAR", "")
CELLS = {"L23PyrFRB": "FigA1FRB", "nRT": "nRTFigA8_00"}
METHODS = (("default", "double"), ("default", "single"), ("neuron", "double"))
RECORDED = 10

Trains = list[np.ndarray]


@dataclass(frozen=True, slots=True)
class Measured:
    """CPU seconds of the loop and of the whole process, and the recorded spikes [s]."""

    name: str
    loop: float
    whole: float
    spikes: Trains


def write(cell: str, cells: int, ms: float, step: float, folder: Path) -> Path:
    """Write the model of `cells` cells into a copy of the repository; return its LEMS file."""
    tests = folder / "NeuroML2/test"
    given = (tests / f"{CELLS[cell]}.net.nml").read_text()
    includes = "".join(sorted(set(re.findall(r"<include [^>]*>", given))))
    includes = includes.replace("/>", ">").replace(">", "/>")
    ids = re.findall(
        r'<segment id="(\d+)"', (folder / f"NeuroML2/cells/{cell}.cell.nml").read_text()
    )
    far = ids[len(ids) // 2]
    instances = "".join(
        f'<instance id="{n}"><location x="{n}" y="0" z="0"/></instance>' for n in range(cells)
    )
    inputs = "".join(
        f'<input id="{n}" target="../pop/{n}/{cell}" destination="synapses"/>' for n in range(cells)
    )
    joins = ""
    if cells > 1:
        chemical = "".join(
            f'<connectionWD id="{n * 10 + k}" preCellId="../pop/{n}/{cell}" '
            f'postCellId="../pop/{(n + 7 * k + 1) % cells}/{cell}" preSegmentId="{ids[0]}" '
            f'postSegmentId="{far}" preFractionAlong="0.5" postFractionAlong="0.5" weight="1" '
            f'delay="{1 + k % 3}ms"/>'
            for n in range(cells)
            for k in range(10)
        )
        electrical = "".join(
            f'<electricalConnectionInstance id="{n}" preCell="../pop/{n}/{cell}" '
            f'postCell="../pop/{(n + 1) % cells}/{cell}" preSegment="{ids[0]}" '
            f'postSegment="{ids[0]}" preFractionAlong="0.5" postFractionAlong="0.5" '
            'synapse="gap"/>'
            for n in range(cells)
        )
        joins = (
            '<projection id="syns" presynapticPopulation="pop" postsynapticPopulation="pop" '
            f'synapse="ampa">{chemical}</projection>'
            '<electricalProjection id="gaps" presynapticPopulation="pop" '
            f'postsynapticPopulation="pop">{electrical}</electricalProjection>'
        )
    network = f"""<neuroml xmlns="http://www.neuroml.org/schema/neuroml2" id="cells">{includes}
<expTwoSynapse id="ampa" gbase="0.2nS" erev="0mV" tauRise="0.5ms" tauDecay="3ms"/>
<gapJunction id="gap" conductance="0.1nS"/>
<pulseGenerator id="pulse" delay="2ms" duration="10000ms" amplitude="0.8nA"/>
<network id="net" type="networkWithTemperature" temperature="6.3 degC">
<population id="pop" component="{cell}" size="{cells}" type="populationList">
{instances}</population>{joins}
<inputList id="drive" population="pop" component="pulse">{inputs}</inputList></network></neuroml>"""
    (tests / "cells.net.nml").write_text(network)
    columns = "".join(
        f'<OutputColumn id="v{n}" quantity="pop/{n}/{cell}/v"/>'
        for n in range(min(cells, RECORDED))
    )
    lems = tests / "LEMS_cells.xml"
    lems.write_text(f"""<Lems><Target component="sim"/>
<Include file="Cells.xml"/><Include file="Networks.xml"/><Include file="Simulation.xml"/>
<Include file="cells.net.nml"/>
<Simulation id="sim" length="{ms}ms" step="{step}ms" target="net" seed="1">
<OutputFile id="of" fileName="cells.dat">{columns}</OutputFile></Simulation></Lems>""")
    return lems


def ours(file: Path, method: str, precision: str) -> Measured:
    """Return what lemsmith takes and gives."""
    took = whole(file, method, precision)
    seconds, spikes = fired(file, 3, method=method, precision=precision)
    return Measured(f"lemsmith, {method}, {precision}", seconds, took, spikes)


def fired(file: Path, repeats: int, **options: Any) -> tuple[float, Trains]:
    """Return the least CPU seconds of the loop, and the spikes of the recorded cells."""
    loop = looped(file, repeats, **options)
    when = times(loop.plan.program.step, len(loop.rows))
    return loop.seconds, [np.asarray(crossings(when, v, -0.02)) for v in loop.rows.T]


def exported(file: Path) -> Measured:
    """Return what NEURON takes and gives with jNeuroML's export."""
    home = Path(NEURON).parent
    environment = {**os.environ, "PATH": f"{home}:{os.environ['PATH']}"}
    environment.pop("PYTHONPATH", None)
    begin = of_children()
    for command in (
        ["java", "-Xmx3000M", "-Djava.awt.headless=true", "-jar", JAR, file.name, "-neuron",
         "-nogui"],
        [str(home / "nrnivmodl")],
    ):  # fmt: skip
        subprocess.run(command, cwd=file.parent, check=True, capture_output=True, env=environment)
    script = file.with_name("LEMS_cells_nrn.py")
    script.write_text(script.read_text().replace("time.time()", "time.process_time()"))
    done = subprocess.run(
        [NEURON, script.name, "-nogui"],
        cwd=file.parent, check=True, capture_output=True, text=True, env=environment,
    )  # fmt: skip
    took = of_children() - begin
    told = re.search(r"Finished NEURON simulation in ([0-9.]+) seconds", done.stdout)
    if told is None:
        raise SystemExit(f"NEURON said {done.stdout[-2000:]}")
    table = np.loadtxt(file.with_name("cells.dat"))
    spikes = [np.asarray(crossings(table[:, 0], v, -0.02)) for v in table[:, 1:].T]
    return Measured("NEURON, exported by jNeuroML", float(told[1]), took, spikes)


def apart(found: Trains, expected: Trains) -> str:
    """Return the largest difference of a spike in ms, or how many there are of each."""
    counts = [sum(map(len, trains)) for trains in (found, expected)]
    if any(len(a) != len(b) for a, b in zip(found, expected, strict=True)):
        return f"{counts[0]} for {counts[1]} spikes"
    gaps = [np.abs(a - b).max() for a, b in zip(found, expected, strict=True) if len(a)]
    return f"{max(gaps) * 1e3:.2g} ms" if gaps else "none"


def compare(cell: str, cells: int, ms: float, step: float) -> Iterator[str]:
    """Yield the lines of one model."""
    with tempfile.TemporaryDirectory() as kept:
        folder = Path(kept) / "copy"
        shutil.copytree(CORPUS, folder)
        file = write(cell, cells, ms, step, folder)
        found: list[Measured] = []
        for method, precision in METHODS:
            try:
                found.append(ours(file, method, precision))
            except LemsmithError as error:
                yield f"| {cell} | {cells} | {method} {precision}: {str(error)[:60]} | | | | | |"
        if NEURON and JAR:
            found.append(exported(file))
        _, finer = fired(file, 1, step=f"{step / 8} ms")
        stepwise = next(m.spikes for m in found if m.name.startswith("lemsmith, neuron"))
        scale = 1e3 / (ms * cells)
        for each in found:
            yield (
                f"| {cell} | {cells} | {each.name} | {ms:g} | {each.loop * scale:.3f} | "
                f"{each.loop / found[0].loop:.2f} | {each.whole:.1f} | "
                f"{sum(map(len, each.spikes))} | "
                f"{apart(each.spikes, finer if 'default' in each.name else stepwise)} |"
            )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", default=list(CELLS))
    parser.add_argument("--cells", type=int, default=100)
    parser.add_argument("--ms", type=float, default=100.0)
    parser.add_argument("--many-ms", type=float, default=10.0)
    parser.add_argument("--step", type=float, default=0.025)
    options = parser.parse_args()
    if not CORPUS.exists():
        raise SystemExit(f"the cells are not there: {CORPUS}")
    if not (NEURON and JAR):
        print("LEMSMITH_NEURON or LEMSMITH_JAR is not set: ours alone\n")
    print(f"{processor()}; steps of {options.step:g} ms\n")
    print(
        "| cell | cells | simulator | ms | loop, CPU s per s and cell | times ours | "
        "file to result, CPU s | spikes | apart |\n|---|---|---|---|---|---|---|---|---|"
    )
    for name in options.names:
        for cells, ms in ((1, options.ms), (options.cells, options.many_ms)):
            for line in compare(name, cells, ms, options.step):
                print(line, flush=True)


if __name__ == "__main__":
    main()
