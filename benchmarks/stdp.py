"""A cell that learns from 1,000 random inputs (Song, Miller, Abbott 2000), beside Brian2 C++.

    python benchmarks/stdp.py [--brian2 PYTHON] [--seconds S] [--step MS]
                              [--runs R]

PYTHON is an interpreter that has brian2. The cell, its synapses and their plasticity are LEMS
(stdp.xml); 1,000 Poisson sources of 15 Hz, one synapse each, strengths that start evenly between
0 and the largest; one thread. CPU seconds of the loop (of Brian2: of
the compiled program), without compiling; every run has its own random numbers. Learning decides
how strong the inputs become and so how often the cell fires: its rate over the last tenth and the
mean strength at the end agree within their standard errors, where steps are short: what an input
and the cell do in one and the same step, Brian2 takes input first, and lemsmith, which locates
the cell's spike inside the step, both ways.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from measuring import looped

HERE = Path(__file__).resolve().parent
INPUTS = 1000

#: The same model for Brian2, in units of its leak's conductance.
TWIN = """
import json, resource, sys
import numpy as np
from brian2 import *
folder, seconds, runs, step = sys.argv[1], *map(float, sys.argv[2:])
set_device("cpp_standalone", build_on_run=False, directory=folder)
defaultclock.dt = step*ms
inputs = PoissonGroup(1000, rates=15*Hz)
cell = NeuronGroup(1, "dv/dt = (g*(0*mV - v) + (-74*mV - v))/(10*ms) : volt\\n"
                      "dg/dt = -g/(5*ms) : 1",
                   threshold="v > -54*mV", reset="v = -60*mV", method="euler")
cell.v = -60*mV
learning = Synapses(inputs, cell,
                    "w : 1\\n"
                    "dpre/dt = -pre/(20*ms) : 1 (event-driven)\\n"
                    "dpost/dt = -post/(20*ms) : 1 (event-driven)",
                    on_pre="g += 0.01*w\\npre += 0.01\\nw = clip(w + post, 0, 1)",
                    on_post="post -= 0.0105\\nw = clip(w + pre, 0, 1)")
learning.connect()
learning.w = np.loadtxt(folder + "/strengths.txt")
seen = SpikeMonitor(cell)
run(seconds*second)
device.build(directory=folder, compile=True, run=False)
found = []
for _ in range(int(runs)):
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    device.run(folder, with_output=False, run_args=[])
    cpu = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    times = np.asarray(seen.t/second)
    found.append([cpu, float((times > 0.9*seconds).sum()/(0.1*seconds)),
                  float(np.mean(learning.w[:]))])
print(json.dumps(found))
"""


def model(strengths: list[float], seconds: float, step: float) -> str:
    """Return the network as LEMS."""
    types = (HERE / "stdp.xml").read_text(encoding="utf-8")
    connections = "".join(
        f'<connectionWD id="{n}" preCellId="../inputs[{n}]" postCellId="../cells[0]" '
        f'weight="{strength:.17g}" delay="0ms"/>\n'
        for n, strength in enumerate(strengths)
    )
    network = f"""
      <network id="net">
        <population id="inputs" component="input" size="{INPUTS}"/>
        <population id="cells" component="cell" size="1"/>
        <projection id="all" presynapticPopulation="inputs" postsynapticPopulation="cells"
                    synapse="synapse">
          {connections}
        </projection>
      </network>
      <Simulation id="sim" length="{seconds:.9g}s" step="{step:.9g}ms" target="net">
        <EventOutputFile id="spikes" fileName="stdp.spikes" format="ID_TIME">
          <EventSelection id="0" select="cells[0]" eventPort="spike"/>
        </EventOutputFile>
      </Simulation>"""
    includes = "".join(f'<Include file="{n}.xml"/>' for n in ("Cells", "Networks", "Simulation"))
    head = f'<Lems><Target component="sim"/>{includes}'
    return types.replace("<Lems>", head, 1).replace("</Lems>", f"{network}</Lems>")


def ours(file: Path, seconds: float, runs: int) -> list[list[float]]:
    """Return CPU seconds, rate (Hz) and mean strength of every run."""
    found = []
    for seed in range(1, runs + 1):
        loop = looped(file, seed=seed)
        (times,) = loop.events
        late = (times > 0.9 * seconds).sum() / (0.1 * seconds)
        (strengths,) = (v for (_, name), v in loop.running.variables.items() if name == "w")
        found.append([loop.seconds, float(late), float(np.mean(strengths))])
    return found


def row(who: str, found: list[list[float]]) -> str:
    """Return a line of the table."""
    values = np.array(found)
    error = values.std(axis=0, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else [np.nan] * 3
    return (
        f"| {who} | {values[:, 0].min():.2f} | {values[:, 1].mean():.1f} ± {error[1]:.1f} | "
        f"{values[:, 2].mean():.4f} ± {error[2]:.4f} |"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--brian2", help="a Python interpreter that has brian2")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--step", type=float, default=0.02, help="in ms")
    parser.add_argument("--runs", type=int, default=4)
    options = parser.parse_args()
    strengths = np.random.default_rng(1).random(INPUTS).tolist()
    print("| program | CPU s | rate, Hz | mean strength |")
    print("|---|---|---|---|")
    with tempfile.TemporaryDirectory() as kept:
        folder = Path(kept)
        file = folder / "LEMS_stdp.xml"
        file.write_text(model(strengths, options.seconds, options.step), encoding="utf-8")
        print(row("lemsmith", ours(file, options.seconds, options.runs)), flush=True)
        if options.brian2:
            np.savetxt(folder / "strengths.txt", strengths)
            (folder / "twin.py").write_text(TWIN, encoding="utf-8")
            done = subprocess.run(
                [
                    *(options.brian2, str(folder / "twin.py"), str(folder)),
                    *(str(options.seconds), str(options.runs), str(options.step)),
                ],
                check=True,
                capture_output=True,
                text=True,
            )
            print(row("Brian2, C++", json.loads(done.stdout.splitlines()[-1])))
        else:
            print("no interpreter with brian2 was given", file=sys.stderr)


if __name__ == "__main__":
    main()
