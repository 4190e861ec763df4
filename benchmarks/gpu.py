"""Measures the cuda backend, beside cpp with all cores, and writes a table in Markdown.

    python benchmarks/gpu.py [--out FILE] [--quick]

Needs a GPU, pycuda and nvcc; without them it says what is missing and measures nothing.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
from lemsmith.errors import MissingTool
from lemsmith.runner.backends import backend
from lemsmith.runner.cuda_run import pycuda_driver
from lemsmith.runner.pipeline import translate
from lemsmith.runner.request import made

HEAD = """<Lems><Target component="sim"/>
<Include file="Cells.xml"/><Include file="Networks.xml"/><Include file="Simulation.xml"/>"""

HH = """<ionChannelHH id="na" conductance="10pS" species="na">
<gateHHrates id="m" instances="3">
<forwardRate type="HHExpLinearRate" rate="1per_ms" midpoint="-40mV" scale="10mV"/>
<reverseRate type="HHExpRate" rate="4per_ms" midpoint="-65mV" scale="-18mV"/></gateHHrates>
<gateHHrates id="h" instances="1">
<forwardRate type="HHExpRate" rate="0.07per_ms" midpoint="-65mV" scale="-20mV"/>
<reverseRate type="HHSigmoidRate" rate="1per_ms" midpoint="-35mV" scale="10mV"/></gateHHrates>
</ionChannelHH>
<ionChannelHH id="k" conductance="10pS" species="k"><gateHHrates id="n" instances="4">
<forwardRate type="HHExpLinearRate" rate="0.1per_ms" midpoint="-55mV" scale="10mV"/>
<reverseRate type="HHExpRate" rate="0.125per_ms" midpoint="-65mV" scale="-80mV"/></gateHHrates>
</ionChannelHH>
<ionChannelHH id="pas" conductance="10pS"/>
<pointCellCondBased id="cell" C="10pF" v0="-65mV" thresh="20mV">
<channelPopulation id="nas" ionChannel="na" number="120000" erev="50mV"/>
<channelPopulation id="ks" ionChannel="k" number="36000" erev="-77mV"/>
<channelPopulation id="leak" ionChannel="pas" number="300" erev="-54.3mV"/>
</pointCellCondBased>"""

IZHIKEVICH = """<izhikevich2007Cell id="cell" v0="-60mV" C="100pF" k="0.7nS_per_mV" vr="-60mV"
 vt="-40mV" vpeak="35mV" a="0.03per_ms" b="-2nS" c="-50mV" d="100pA"/>
<spikeGeneratorPoisson id="poisson" averageRate="20Hz"/>
<expOneSynapse id="fast" gbase="0.05nS" erev="0mV" tauDecay="5ms"/>
<expOneSynapse id="strong" gbase="5nS" erev="0mV" tauDecay="5ms"/>"""


def model(parts: str, network: str, step: str = "0.1ms") -> str:
    """Return a document that records the first cell."""
    return f"""{HEAD}{parts}<network id="net">{network}</network>
<Simulation id="sim" length="1s" step="{step}" target="net"><OutputFile id="o" fileName="v.dat">
<OutputColumn id="v" quantity="cells[0]/v"/></OutputFile></Simulation></Lems>"""


def cells(size: int) -> str:
    """Return Hodgkin-Huxley cells that nothing connects."""
    return model(HH, f'<population id="cells" component="cell" size="{size}"/>', "0.025ms")


def connected(size: int, fan_out: int) -> str:
    """Return Izhikevich cells with Poisson inputs and random connections."""
    draw = Random(1)
    lines = [
        (
            f'<population id="cells" component="cell" size="{size}"/>'
            f'<population id="inputs" component="poisson" size="{size}"/>'
            '<projection id="p" presynapticPopulation="cells" postsynapticPopulation="cells" '
            'synapse="fast">'
        )
    ]
    number = 0
    for pre in range(size):
        for _ in range(fan_out):
            lines.append(
                f'<connectionWD id="{number}" preCellId="../cells[{pre}]" '
                f'postCellId="../cells[{draw.randrange(size)}]" weight="1" delay="1ms"/>'
            )
            number += 1
    lines.append(
        '</projection><projection id="q" presynapticPopulation="inputs" '
        'postsynapticPopulation="cells" synapse="strong">'
    )
    lines.extend(
        f'<connection id="{n}" preCellId="../inputs[{n}]" postCellId="../cells[{n}]"/>'
        for n in range(size)
    )
    lines.append("</projection>")
    return model(IZHIKEVICH, "".join(lines))


@dataclass(frozen=True)
class Figures:
    """What one run of one backend took."""

    seconds: float  # of wall time per second of model time
    cell_steps: float  # per second of wall time
    bytes_per_second: float  # of states read and written


def measure(source: str, name: str, model_seconds: float) -> Figures:
    """Run a model and return its figures."""
    request = made(source, backend=name, threads=os.cpu_count())
    plan, _ = translate(request)
    running = backend(name).start(plan, request)
    running.initial_row()
    program = plan.program
    steps = max(1, round(model_seconds / program.step))
    rows = np.zeros((steps, len(program.columns)))
    running.advance(1, rows)  # what only the first step pays
    begin = time.perf_counter()
    done = 0
    while done < steps:
        done += running.advance(steps - done, rows[done:])
    took = time.perf_counter() - begin
    largest = max(layout.size for layout in program.layouts)
    size = 4 if program.precision == "single" else 8
    # Every variable is read and written once a step, every parameter read.
    moved = sum(
        layout.size * size * (2 * len(layout.variables) + len(layout.parameters))
        for layout in program.layouts
    )
    return Figures(took / (steps * program.step), largest * steps / took, moved * steps / took)


def copy_bandwidth() -> float:
    """Return bytes per second that the device reads and writes in a plain copy."""
    driver = pycuda_driver()
    context = driver.Device(0).retain_primary_context()
    context.push()
    try:
        size = 1 << 28
        one, other = driver.mem_alloc(size), driver.mem_alloc(size)
        driver.memcpy_dtod(one, other, size)
        context.synchronize()
        begin = time.perf_counter()
        for _ in range(20):
            driver.memcpy_dtod(one, other, size)
        context.synchronize()
        return 40 * size / (time.perf_counter() - begin)
    finally:
        context.pop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=None)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    try:
        driver = pycuda_driver()
    except MissingTool as error:
        raise SystemExit(f"nothing was measured: {error}") from None
    device = driver.Device(0).name()
    copy = copy_bandwidth()
    scale = 100 if options.quick else 1
    cases = [
        ("HH cells, 10^6", cells(1_000_000 // scale), 1.0),
        (
            "Izhikevich, 10^4 cells, 1,000 synapses each",
            connected(10_000 // scale, 1_000 // scale),
            1.0,
        ),
    ]
    lines = [
        (
            f"{device}, {dt.datetime.now(dt.UTC).date()}, {os.cpu_count()} cores; "
            f"copy {copy / 1e9:.0f} GB/s"
        ),
        "",
        "| model | backend | s per model second | cell-steps/s | GB/s of states | of copy |",
        "|---|---|---|---|---|---|",
    ]
    for title, source, seconds in cases:
        for name in ("cuda", "cpp"):
            found = measure(source, name, seconds if name == "cuda" else seconds / 20)
            share = f"{found.bytes_per_second / copy:.0%}" if name == "cuda" else ""
            lines.append(
                f"| {title} | {name} | {found.seconds:.3g} | {found.cell_steps:.3g} "
                f"| {found.bytes_per_second / 1e9:.1f} | {share} |"
            )
    text = "\n".join(lines) + "\n"
    print(text)
    if options.out is not None:
        options.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
