"""Runs one model in another simulator, and prints its CPU time and spikes as JSON.

    python peer_runs.py SIMULATOR MODEL STEP_MS FOLDER MORE

Runs in an environment of its own that has the simulators (neuron, brian2, pyneuroml, pylems), and
imports nothing of lemsmith. FOLDER holds the model as benchmarks/cost.py or peers.py wrote it.
CPU times are of the time loop: user seconds of the process that runs it, without loading and
compiling.
"""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

#: Surfaces (cm2) and conductances (mS/cm2) of the two cells of shared/bench/nmlgen.py.
CELLS = {
    "m1": {
        "area": 1e-5, "gl": 0.3, "el": -54.3, "gna": 120, "gk": 36, "ek": -77,
        "am": "1/exprel(-(v/mV+40)/10)/ms", "bm": "4*exp(-(v/mV+65)/18)/ms",
        "ah": "0.07*exp(-(v/mV+65)/20)/ms", "bh": "1/(1+exp(-(v/mV+35)/10))/ms",
        "an": "0.1/exprel(-(v/mV+55)/10)/ms", "bn": "0.125*exp(-(v/mV+65)/80)/ms",
    },
    "cobahh": {
        "area": 2e-4, "gl": 0.05, "el": -65, "gna": 100, "gk": 30, "ek": -90,
        "am": "1.28/exprel(-(v/mV+50)/4)/ms", "bm": "1.4/exprel((v/mV+23)/5)/ms",
        "ah": "0.128*exp(-(v/mV+46)/18)/ms", "bh": "4/(1+exp(-(v/mV+23)/5))/ms",
        "an": "0.16/exprel(-(v/mV+48)/5)/ms", "bn": "0.5*exp(-(v/mV+53)/40)/ms",
    },
}  # fmt: skip


#: What the models of shared/bench are in Brian2: equations, threshold, reset, start, and the
#: method that is meant for such equations.
CONDUCTANCES = """
    isyn = ge*(0*mV-v) + gi*(-80*mV-v) : amp
    dge/dt = -ge/(5*ms) : siemens
    dgi/dt = -gi/(10*ms) : siemens
"""
CURRENTS = """
    isyn = ge + gi : amp
    dge/dt = -ge/tau_e : amp
    dgi/dt = -gi/tau_i : amp
"""
FIRING = """
    dv/dt = (10*nS*(el-v) + I + isyn)/(200*pF) : volt (unless refractory)
"""
HODGKIN_HUXLEY = """
    dv/dt = (gl*(el-v) + gna*m**3*h*(ena-v) + gk*n**4*(ek-v) + I + isyn)/C : volt
    dm/dt = am*(1-m) - bm*m : 1
    dh/dt = ah*(1-h) - bh*h : 1
    dn/dt = an*(1-n) - bn*n : 1
"""
IZHIKEVICH = """
    dv/dt = (0.7*nS/mV*(v+60*mV)*(v+40*mV) - u + I + isyn)/(100*pF) : volt
    du/dt = 0.03/ms*(-2*nS*(v+60*mV) - u) : amp
"""


def rates_of(cell: dict[str, Any]) -> str:
    """Return the lines of a Hodgkin-Huxley cell's rates."""
    return "".join(f"\n    {r} = {cell[r]} : Hz" for r in ("am", "bm", "ah", "bh", "an", "bn"))


def brian2_group(model: str, n: int, method: str) -> Any:
    """Return the cells of a model as Brian2 has them, at their start."""
    import brian2 as b  # noqa: PLC0415 - each simulator only where it is asked for
    from brian2 import ms, mV  # noqa: PLC0415

    drive = "\n    I = w*strength : amp\n    w : 1\n    strength : amp (shared)\n"
    if model in ("cuba", "coba"):
        group = b.NeuronGroup(
            n, FIRING + (CURRENTS if model == "cuba" else CONDUCTANCES) + drive,
            method=method or ("exact" if model == "cuba" else "exponential_euler"),
            threshold="v > -50*mV", reset="v = -60*mV", refractory=5 * ms,
            namespace={
                "el": (-49 if model == "cuba" else -60) * mV, "tau_e": 5 * ms, "tau_i": 10 * ms,
            },
        )  # fmt: skip
        group.v = group.namespace["el"]
        return group
    if model == "izh":
        group = b.NeuronGroup(
            n, IZHIKEVICH + CURRENTS + drive, method=method or "euler",
            threshold="v > 35*mV", reset="v = -50*mV; u += 100*pA",
            namespace={"tau_e": 5 * ms, "tau_i": 5 * ms},
        )  # fmt: skip
        group.v = -60 * mV
        return group
    cell = CELLS["cobahh" if model == "cobahh" else "m1"]
    surface = cell["area"] * b.cm**2
    group = b.NeuronGroup(
        n, HODGKIN_HUXLEY + rates_of(cell)
        + (CONDUCTANCES if model == "cobahh" else "\n    isyn = 0*amp : amp") + drive,
        method=method or "exponential_euler",
        threshold="v > -20*mV", refractory="v > -20*mV",
        namespace={
            "C": 1 * b.uF / b.cm**2 * surface,
            **{g: cell[g] * b.msiemens / b.cm**2 * surface for g in ("gl", "gna", "gk")},
            "el": cell["el"] * mV, "ek": cell["ek"] * mV, "ena": 50 * mV,
        },
    )  # fmt: skip
    group.v = -65 * mV
    group.m, group.h, group.n = "am/(am+bm)", "ah/(ah+bh)", "an/(an+bn)"
    return group


def weights_of(model: str, k: int) -> dict[str, Any]:
    """Return what a spike adds, by the kind of synapse."""
    import brian2 as b  # noqa: PLC0415

    if model == "cuba":
        return {"exc": 16.2 * b.pA, "inh": -90 * b.pA}
    if model == "izh":
        return {"exc": 50 / np.sqrt(k) * b.pA, "inh": -200 / np.sqrt(k) * b.pA}
    return {"exc": 6 * b.nS, "inh": 67 * b.nS}


def number(text: Any) -> float:
    """Return the number that a quantity begins with."""
    return float(re.sub("[a-zA-Z]", "", str(text)))


def brian2(model: str, step: float, folder: Path, method: str) -> dict[str, Any]:
    """Run the model as a C++ program of Brian2's."""
    import brian2 as b  # noqa: PLC0415
    from brian2 import ms  # noqa: PLC0415

    given = np.load(folder / f"{model}.npz")
    n = int(given["n"])
    here = folder / f"brian2-{method}-{step:g}"
    b.set_device("cpp_standalone", directory=str(here), build_on_run=False)
    b.defaultclock.dt = step * ms
    cells = brian2_group(model, n, method.strip("-"))
    cells.w = given["w"]
    parts: list[Any] = [cells]
    for kind, weight in weights_of(model, int(given["k"])).items():
        if f"{kind}_pre" not in given:
            continue
        synapses = b.Synapses(
            cells, cells, on_pre=f"g{kind[0]} += weight", namespace={"weight": weight}
        )
        synapses.connect(i=given[f"{kind}_pre"], j=given[f"{kind}_post"])
        synapses.delay = number(given["syndelay"]) * ms
        parts.append(synapses)
    spikes = b.SpikeMonitor(cells)
    trace = b.StateMonitor(cells, "v", record=[0] if n == 1 else False)
    network = b.Network(*parts, spikes, *([trace] if n == 1 else []))
    end, start = float(given["ms"]), min(float(given["delay"]), float(given["ms"]))
    stop = min(start + float(given["dur"]), end)
    for strength, length in ((0, start), (number(given["amp"]), stop - start), (0, end - stop)):
        cells.strength = strength * b.nA
        if length > 0:
            network.run(length * ms)
    b.device.build(directory=str(here), compile=True, run=False, debug=False)
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    b.device.run(str(here), with_output=False, run_args=[])
    cpu = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    if n == 1:
        return {"cpu": cpu, "trace": np.asarray(trace.v / b.volt)[0].tolist(), "first": 0.0}
    return {"cpu": cpu, "i": np.asarray(spikes.i).tolist(), "t": np.asarray(spikes.t).tolist()}


def by_hand(model: str, step: float, folder: Path, order: str) -> dict[str, Any]:
    """Run the single cell in NEURON with its own mechanism of the squid axon."""
    from neuron import h  # noqa: PLC0415

    assert model == "m1"
    given = np.load(folder / f"{model}.npz")
    soma = h.Section(name="soma")
    soma.L = soma.diam = 17.841242
    soma.cm = 1.0
    soma.insert("hh")
    soma.ena, soma.ek = 50, -77
    soma(0.5).hh.gl, soma(0.5).hh.el = 0.0003, -54.3
    h.usetable_hh = 0
    h.celsius = 6.3
    clamp = h.IClamp(soma(0.5))
    clamp.delay, clamp.dur = float(given["delay"]), float(given["dur"])
    clamp.amp = number(given["amp"])
    v = h.Vector().record(soma(0.5)._ref_v)  # noqa: SLF001 - NEURON's own way
    h.dt = step
    h.secondorder = int(order)
    h.finitialize(-65)
    steps = round(float(given["ms"]) / step)
    begin = time.process_time()
    for _ in range(steps):
        h.fadvance()
    cpu = time.process_time() - begin
    # With secondorder the potential is that of the step's end, gates are half a step later.
    return {"cpu": cpu, "trace": (np.array(v) * 1e-3).tolist(), "first": 0.0}


def jneuroml(model: str, step: float, folder: Path, _: str) -> dict[str, Any]:
    """Run the LEMS file in the reference interpreter; the CPU time is without loading."""
    import pyneuroml  # noqa: PLC0415

    jar = str(next((Path(pyneuroml.__file__).parent / "lib").glob("*.jar")))
    used = []
    for part in ("short", "whole"):
        name = f"LEMS_{model}_{step:g}_{part}.xml"
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        subprocess.run(
            ["java", "-Xmx3000M", "-XX:+UseSerialGC", "-Djava.awt.headless=true", "-jar", jar,
             name, "-nogui"],
            cwd=folder, check=True, capture_output=True,
        )  # fmt: skip
        used.append(resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before)
    return {"cpu": used[1] - used[0], **written(model, folder, 1.0)}


def exported(model: str, step: float, folder: Path, _: str) -> dict[str, Any]:
    """Run the LEMS file as jNeuroML exports it to NEURON."""
    import pyneuroml  # noqa: PLC0415

    jar = str(next((Path(pyneuroml.__file__).parent / "lib").glob("*.jar")))
    name = f"LEMS_{model}_{step:g}_whole"
    bin_folder = str(Path(sys.executable).parent)
    environment = {
        **os.environ, "NEURON_HOME": str(Path(sys.executable).parents[1]),
        "PATH": f"{bin_folder}:{os.environ['PATH']}",
    }  # fmt: skip
    subprocess.run(
        ["java", "-Xmx3000M", "-jar", jar, f"{name}.xml", "-neuron", "-nogui", "-compile"],
        cwd=folder, check=True, capture_output=True, env=environment,
    )  # fmt: skip
    script = folder / f"{name}_nrn.py"
    text = script.read_text().replace("time.time()", "time.process_time()")
    script.write_text(text)
    done = subprocess.run(
        [sys.executable, script.name, "-nogui"],
        cwd=folder, check=True, capture_output=True, text=True, env=environment,
    )  # fmt: skip
    told = re.search(r"Finished NEURON simulation in ([0-9.]+) seconds", done.stdout)
    assert told is not None, done.stdout[-2000:]
    return {"cpu": float(told[1]), **written(model, folder, 1.0)}


def written(model: str, folder: Path, unit: float) -> dict[str, Any]:
    """Return what a LEMS simulator wrote: the trace of one cell, or all spikes."""
    if model == "m1":
        table = np.loadtxt(folder / "m1.v.dat")
        return {"trace": table[:, 1].tolist(), "first": float(table[0, 0])}
    table = np.loadtxt(folder / f"{model}.spikes", ndmin=2)
    return {"i": table[:, 0].astype(int).tolist(), "t": (table[:, 1] * unit).tolist()}


def pylems(model: str, step: float, folder: Path, _: str) -> dict[str, Any]:
    """Run the LEMS file in PyLEMS, which needs the component types unpacked from jNeuroML."""
    import pyneuroml  # noqa: PLC0415

    jar = next((Path(pyneuroml.__file__).parent / "lib").glob("*.jar"))
    types = folder / "types"
    with zipfile.ZipFile(jar) as archive:
        for name in archive.namelist():
            if name.startswith("NeuroML2CoreTypes/") and name.endswith(".xml"):
                archive.extract(name, types)
    used = []
    for part in ("short", "whole"):
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        subprocess.run(
            [str(Path(sys.executable).with_name("pylems")), "-nogui",
             "-I", str(types / "NeuroML2CoreTypes"), f"LEMS_{model}_{step:g}_{part}.xml"],
            cwd=folder, check=True, capture_output=True,
        )  # fmt: skip
        used.append(resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before)
    return {"cpu": used[1] - used[0], **written(model, folder, 1.0)}


SIMULATORS = {
    "brian2": brian2, "neuron": by_hand, "jneuroml": jneuroml, "export": exported, "pylems": pylems,
}  # fmt: skip


def main() -> None:
    """Run what the arguments ask for."""
    simulator, model, step, folder, more = sys.argv[1:6]
    print("RESULT " + json.dumps(SIMULATORS[simulator](model, float(step), Path(folder), more)))


if __name__ == "__main__":
    main()
