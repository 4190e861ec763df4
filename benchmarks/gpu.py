"""Measures the cuda backend, beside cpp with all cores, and writes a table in Markdown.

    python benchmarks/gpu.py [--out FILE] [--case NAME] [--precision double] [--scale 1]
    python benchmarks/gpu.py --backend cuda-on-host --scale 1000 --seconds 0.01

The first needs a GPU, pycuda and nvcc; without them it says what is missing and measures
nothing. The second runs all of it, smaller, on the processor: its figures mean nothing, but
the script is seen to work.

Bytes are counted from the program, not measured: what every kernel of a step loads and stores
of each instance, once. Where that is more than the caches keep, it is what memory must carry.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import made_models as models
import numpy as np
from lemsmith.codegen.emit import emit
from lemsmith.codegen.kernel_names import used_names
from lemsmith.codegen.program import Function, Layout, Program
from lemsmith.converter.network import Assign
from lemsmith.errors import MissingTool
from lemsmith.runner.backends import backend as backend_of
from lemsmith.runner.cuda_run import context_of, pycuda_driver
from lemsmith.runner.pipeline import translate
from lemsmith.runner.plan import Plan
from lemsmith.runner.request import made

#: Passes of the cable's solve over (nodes, cells): what it reads and writes of each [numbers].
SOLVE = 19

#: Bytes of one synaptic event: target, weight, and a sum of 64 bits read and written.
EVENT = 4 + 8 + 16

#: Model time that C++ is given, as a part of the GPU's.
LESS = 0.05


@dataclass(frozen=True)
class Case:
    """One model: how to translate it, for how many cells at full size, for how long [s]."""

    title: str
    plan: Callable[[int, str, str], Plan]
    cells: int
    seconds: float
    fan_out: int = 0


@dataclass(frozen=True)
class Figures:
    """What one run of one backend took, per second of wall time but for the first."""

    seconds: float  # of wall time per second of model time
    cell_steps: float
    events: float
    bytes: float


# --- the models ---------------------------------------------------------------------------


def plan_of(text: str, backend: str, precision: str, **options: Any) -> Plan:
    return translate(made(text, backend=backend, precision=precision, **options))[0]


def hh(cells: int, backend: str, precision: str) -> Plan:
    return plan_of(models.hh(cells), backend, precision)


def batch(cells: int, backend: str, precision: str) -> Plan:
    draw = np.random.default_rng(2)
    varied = {
        "cell/C": draw.uniform(8e-12, 12e-12, cells),
        "cell/nas/number": draw.uniform(90_000, 150_000, cells),
        "cell/ks/number": draw.uniform(27_000, 45_000, cells),
        "cell/leak/number": draw.uniform(200, 400, cells),
    }
    return plan_of(models.hh(cells), backend, precision, varied=varied)


def cables(cells: int, backend: str, precision: str) -> Plan:
    return plan_of(models.cables(cells), backend, precision)


def cobahh(cells: int, backend: str, precision: str) -> Plan:
    return plan_of(models.cobahh(cells, min(80, cells // 5)), backend, precision)


def izhikevich(cells: int, backend: str, precision: str) -> Plan:
    """Return the network of a few cells, its program enlarged: XML of 10^9 lines is no input."""
    few = plan_of(models.izhikevich(models.FEW), backend, precision)
    program = enlarged(few.program, cells, min(1000, cells // 10))
    text, buffers = emit(program, backend, "izhikevich")
    return replace(few, program=program, text=text, buffers=buffers)


def enlarged(program: Program, cells: int, fan_out: int) -> Program:
    """Return `program` for so many cells, each with so many random targets.

    Every population has an instance per cell and every connection but the recurrent ones leads
    to the instance of its own number; anything else is refused.
    """
    few = models.FEW
    draw = np.random.default_rng(1)

    def own(index: np.ndarray, size: int = cells) -> np.ndarray:
        if not index.any():
            return np.zeros(size, dtype=index.dtype)  # all belong to the one network
        if not np.array_equal(index, np.arange(len(index))):
            raise ValueError("an index of the small network is not that of its own instance")
        return np.arange(size, dtype=index.dtype)

    layouts: list[Layout] = []
    for layout in program.layouts:
        if layout.size != few:
            layouts.append(layout)
            continue
        layouts.append(
            replace(
                layout,
                size=cells,
                variables={n: np.resize(v, cells) for n, v in layout.variables.items()},
                parameters={n: np.resize(v, cells) for n, v in layout.parameters.items()},
                indices={n: own(v) for n, v in layout.indices.items() if len(v) == few},
            )
        )
    lists = tuple(
        replace(c, starts=own(c.starts, cells + 1), entries=own(c.entries))
        for c in program.collect_lists
    )
    deliveries = []
    for d in program.deliveries:
        alone = np.array_equal(d.targets, np.arange(few))
        many = cells if alone else cells * fan_out
        targets = np.arange(cells) if alone else draw.integers(0, cells, many)
        assert d.delay_steps is not None
        deliveries.append(
            replace(
                d,
                starts=np.arange(cells + 1) * (many // cells),
                targets=targets,
                delay_steps=np.broadcast_to(d.delay_steps[0], many),
                values={n: np.broadcast_to(v[0], many) for n, v in d.values.items()},
            )
        )
    return replace(
        program, layouts=tuple(layouts), collect_lists=lists, deliveries=tuple(deliveries)
    )


CASES = {
    "hh": Case("HH cells", hh, 1_000_000, 1.0),
    "izhikevich-4": Case("Izhikevich, 1,000 synapses each", izhikevich, 10_000, 1.0, 1000),
    "izhikevich-5": Case("Izhikevich, 1,000 synapses each", izhikevich, 100_000, 1.0, 1000),
    "izhikevich-6": Case("Izhikevich, 1,000 synapses each", izhikevich, 1_000_000, 0.2, 1000),
    "cobahh": Case("COBAHH, 80 synapses each", cobahh, 4_000, 1.0, 80),
    "batch": Case("parameter sets of one HH cell", batch, 100_000, 1.0),
    "cables": Case("cells of 100 compartments", cables, 10_000, 0.2),
}


# --- bytes ------------------------------------------------------------------------------------


def bytes_of_step(program: Program) -> int:
    """Return the bytes that the kernels of one step load and store."""
    real = 4 if program.precision == "single" else 8
    small = 8 if program.precision == "double" else 4
    layouts = {layout.name: layout for layout in program.layouts}
    total = 0
    for phase in program.phases:
        match phase.kind:
            case "kernel":
                function = program.function(phase.name)
                layout = layouts[function.population]
                total += layout.size * _of_instance(function, layout, real, small)
            case "move" if phase.move is not None:
                total += 2 * real * len(phase.move.pairs) * layouts[phase.move.population].size
            case "cable" | "cable_half":
                cable = layouts[phase.name].cable
                assert cable is not None
                total += SOLVE * real * len(cable.parent) * cable.cells
            case _:
                pass
    return total


def _of_instance(function: Function, layout: Layout, real: int, small: int) -> int:
    used = used_names(function)
    loads = real * len(used & layout.variables.keys())
    loads += small * len(used & layout.parameters.keys())
    loads += (4 + real) * len(used & layout.reads.keys())
    stored = {s.variable for s in function.body if isinstance(s, Assign)}
    return loads + real * len(stored & layout.variables.keys())


# --- measuring --------------------------------------------------------------------------------


def measure(case: Case, cells: int, backend: str, precision: str, seconds: float) -> Figures:
    """Run a model and return its figures."""
    request = made("<Lems/>", backend=backend, precision=precision, threads=os.cpu_count())
    plan = case.plan(cells, backend, precision)
    running = backend_of(backend).start(plan, request)
    running.initial_row()
    program = plan.program
    steps = max(1, round(seconds / program.step))
    rows = np.zeros((steps, len(program.columns)))
    running.advance(1, rows)  # what only the first step pays
    before = sum(map(len, running.events()))
    begin = time.perf_counter()
    done = 0
    while done < steps:
        done += running.advance(steps - done, rows[done:])
    took = time.perf_counter() - begin
    # The cells whose spikes are recorded stand for all.
    spikes = (sum(map(len, running.events())) - before) * cells / max(1, len(program.ports))
    connections = sum(d.targets.size for d in program.deliveries)
    events = spikes * connections / cells if case.fan_out else 0.0
    moved = steps * bytes_of_step(program) + EVENT * events
    return Figures(took / (steps * program.step), cells * steps / took, events / took, moved / took)


def copy_bandwidth(backend: str) -> float:
    """Return bytes per second that a plain copy reads and writes, on the GPU or by numpy."""
    size = 1 << 28
    if backend != "cuda":
        one, other = np.ones(size, np.uint8), np.zeros(size, np.uint8)
        begin = time.perf_counter()
        np.copyto(other, one)
        return 2 * size / (time.perf_counter() - begin)
    driver = pycuda_driver()
    context = context_of(driver)
    context.push()
    try:
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


def name_of(backend: str) -> str:
    """Return what the device calls itself; raises `MissingTool` where there is none."""
    return pycuda_driver().Device(0).name() if backend == "cuda" else "no GPU: a dry run"


def table(cases: Sequence[str], options: argparse.Namespace) -> str:
    """Measure cases and return their table."""
    device, copy = name_of(options.backend), copy_bandwidth(options.backend)
    lines = [
        (
            f"{device}, {options.precision} precision, {dt.datetime.now(dt.UTC).date()}, "
            f"{os.cpu_count()} cores; copy {copy / 1e9:.0f} GB/s"
        ),
        "",
        (
            "| model | backend | s per model second | cell-steps/s | synaptic events/s "
            "| GB/s | of copy |"
        ),
        "|---|---|---|---|---|---|---|",
    ]
    for name in cases:
        case = CASES[name]
        cells = max(models.FEW, case.cells // options.scale)
        seconds = options.seconds or case.seconds
        for backend in (options.backend, "cpp"):
            of = f"| {cells:,} {case.title} | {backend} "
            try:
                found = measure(
                    case,
                    cells,
                    backend,
                    options.precision,
                    seconds if backend == options.backend else seconds * LESS,
                )
            except (MissingTool, MemoryError) as error:
                lines.append(f"{of}| not measured: {error} | | | | |")
                continue
            share = f"{found.bytes / copy:.0%}" if backend == "cuda" else ""
            lines.append(
                f"{of}| {found.seconds:.3g} | {found.cell_steps:.3g} | {found.events:.3g} "
                f"| {found.bytes / 1e9:.1f} | {share} |"
            )
            print(lines[-1], flush=True)
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=None, help="write the table there, too")
    parser.add_argument("--case", action="append", choices=CASES, help="only this one")
    parser.add_argument("--backend", default="cuda", choices=("cuda", "cuda-on-host"))
    parser.add_argument("--precision", default="double", choices=("double", "single", "mixed"))
    parser.add_argument("--scale", type=int, default=1, help="divide the cells by this")
    parser.add_argument("--seconds", type=float, default=None, help="of model time")
    options = parser.parse_args()
    try:
        text = table(options.case or list(CASES), options)
    except MissingTool as error:
        raise SystemExit(f"nothing was measured: {error}") from None
    print(text)
    if options.out is not None:
        options.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
