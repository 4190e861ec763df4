"""The time loop: chunks of steps, progress between them, Ctrl-C at any time."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from ..codegen.program import Program
from ..converter.network import Array
from ..errors import Fault, Interrupted, NumericalError
from .backends import Running
from .files import joined
from .plan import Plan
from .recording import (
    CableShape,
    DisplayLine,
    DisplaySpec,
    EventFileSpec,
    EventSelectionSpec,
    EventTrain,
    OutputColumnSpec,
    OutputFileSpec,
    Recording,
    Trace,
)
from .request import Request
from .stiffness import StiffnessWatch

Progress = Callable[[float, str], None]

#: A chunk aims at this long, so that Ctrl-C and progress are answered within 0.2 s.
CHUNK_SECONDS = 0.05

#: Warnings of a model that a run repeats.
SHOWN_WARNINGS = 10


class _Stop:
    requested = False


@contextmanager
def interruptible() -> Iterator[_Stop]:
    """Turn Ctrl-C into a request that the loop honours between chunks."""
    stop = _Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def ask(_signum: int, _frame: object) -> None:
        stop.requested = True

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


def simulate(
    plan: Plan, running: Running, request: Request, progress: Progress | None = None
) -> Recording:
    """Run to the end and return the recording.

    Raises `NumericalError` where a state stops being finite, and `Interrupted` with what
    was recorded on Ctrl-C.
    """
    steps = plan.program.steps
    columns = len(plan.program.columns)
    rows = np.empty((steps + 1, columns))
    rows[0] = running.initial_row()
    check_rows(plan, rows, 0, 1)
    watch = StiffnessWatch(plan.program, getattr(running, "variables", {}))
    done, chunk = 0, 1
    with interruptible() as stop:
        while done < steps and not stop.requested:
            begin = time.perf_counter()
            wanted = min(chunk, steps - done, watch.longest)
            try:
                taken = running.advance(wanted, rows[done + 1 : done + 1 + wanted])
                check_rows(plan, rows, done + 1, done + 1 + taken)
            except NumericalError as error:
                why = watch.warnings(request.method)
                raise NumericalError("\n".join([str(error), *why])) from None
            watch.look(running.time)
            done += taken
            took = time.perf_counter() - begin
            if took < CHUNK_SECONDS / 2:
                chunk *= 2
            elif took > CHUNK_SECONDS:
                chunk = max(1, int(chunk * CHUNK_SECONDS / took))
            if progress is not None:
                progress(done / steps, f"t = {running.time:.4g} s")
    recording = replace(
        recorded(plan, request, rows[: done + 1], running.events()),
        cables=cable_shapes(plan.program, running),
    )
    warnings = [*told(plan.warnings), *watch.warnings(request.method)]
    if warnings:
        settings = {**recording.settings, "warnings": "\n".join(warnings)}
        recording = replace(recording, settings=settings)
    if done < steps:
        raise Interrupted(recording)
    return recording


def told(warnings: Sequence[Fault]) -> list[str]:
    """Return the model's warnings, a line each; the first of many stand for the rest."""
    lines = [f"{w.place}: {w.message}" if w.place else w.message for w in warnings]
    lines = list(dict.fromkeys(lines))
    more = len(lines) - SHOWN_WARNINGS
    if more > 1:
        lines[SHOWN_WARNINGS:] = [f"and {more} more; lemsmith check lists them"]
    return lines


def cable_shapes(program: Program, running: Running) -> tuple[CableShape, ...]:
    """Return the shapes of the program's cells, with the potentials reached."""
    found = []
    stored = getattr(running, "variables", {})
    for layout in program.layouts:
        cable = layout.cable
        if cable is None:
            continue
        v = stored.get((layout.name, cable.state))
        found.append(
            CableShape(
                layout.name.removesuffix("_compartments"),
                cable.cells,
                cable.start,
                cable.end,
                cable.diameter,
                None if v is None else np.array(v[:: cable.cells], dtype=np.float64),
            )
        )
    return tuple(found)


def check_rows(plan: Plan, rows: Array, start: int, stop: int) -> None:
    """Raise `NumericalError` where a recorded quantity is no finite number.

    States are watched by the backends themselves; this finds what is derived from them.
    """
    finite = np.isfinite(rows[start:stop])
    if finite.all():
        return
    row, column = np.argwhere(~finite)[0]
    program = plan.program
    raise NumericalError(
        f"the recorded quantity {program.columns[column].path!r} is no finite number at "
        f"t = {float(times(program.step, start + int(row) + 1)[-1]):g} s"
    )


def times(step: float, rows: int) -> Array:
    """Return the times of the rows, accumulated step by step as the reference's (rows,)."""
    return np.concatenate([[0.0], np.cumsum(np.full(rows - 1, step))])


def recorded(plan: Plan, request: Request, rows: Array, events: list[list[float]]) -> Recording:
    """Return rows and events as a recording, with names and units."""
    program = plan.program
    traces = tuple(
        Trace(
            column.name,
            column.path,
            plan.dimensions.get(column.path, ""),
            plan.units.get(column.path, ""),
            rows[:, n],
        )
        for n, column in enumerate(program.columns)
    )
    trains = tuple(
        EventTrain(port.name, port.path, port.port, np.asarray(times_of))
        for port, times_of in zip(program.ports, events, strict=True)
    )
    return Recording(
        time=times(program.step, len(rows)),
        traces=traces,
        events=trains,
        output_files=tuple(
            OutputFileSpec(
                joined(o.path, o.file_name),
                tuple(OutputColumnSpec(c.id, c.quantity) for c in o.columns),
            )
            for o in plan.outputs
        ),
        event_files=tuple(
            EventFileSpec(
                joined(e.path, e.file_name),
                "ID_TIME" if e.format == "ID_TIME" else "TIME_ID",
                tuple(
                    EventSelectionSpec(s.id, s.select, _port(plan, s.select, s.id))
                    for s in e.selections
                ),
            )
            for e in plan.event_files
        ),
        displays=tuple(
            DisplaySpec(
                d.title,
                *d.region,
                d.time_scale or 1.0,
                tuple(
                    DisplayLine(
                        line.id, line.quantity, line.scale or 1.0, line.color, line.time_scale
                    )
                    for line in d.lines
                ),
            )
            for d in plan.displays
        ),
        settings={
            "backend": request.backend,
            "method": request.method,
            "step": program.step,
            "length": program.step * program.steps,
            "seed": plan.seed,
            "precision": request.precision,
        },
        source=request.name,
    )


def _port(plan: Plan, select: str, name: str) -> str:
    return next((p.port for p in plan.program.ports if p.path == select and p.name == name), "")
