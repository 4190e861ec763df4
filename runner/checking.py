"""Everything wrong with a model, without running it."""

from __future__ import annotations

from ..codegen.lower import schedule_of
from ..converter.flatten import flatten
from ..converter.overrides import overridden
from ..converter.read import read, with_lines
from ..converter.resolve import has_run, resolve
from ..converter.simulation import simulation_of
from ..errors import Fault, Faults, ModelError
from .request import Request


def check_one(request: Request) -> tuple[Fault, ...]:
    """Return every fault of one source: text, structure, references, dimensions, paths."""
    try:
        document = read(
            request.source, include_dirs=request.include_dirs, confine=request.confine
        )
    except ModelError as error:
        return error.faults
    faults = Faults()
    try:
        model = resolve(overridden(document, request.overrides), faults)
        runner = model.components.get(model.target or "")
        if not faults.errors and runner is not None and has_run(runner.type):
            simulation = simulation_of(model, faults)
            if simulation is not None and not faults.errors:
                flatten(
                    model, simulation, schedule=schedule_of("default"), draw=lambda: 0.5,
                    faults=faults,
                )
    except ModelError as error:
        faults.found.extend(fault for fault in error.faults if fault not in faults.found)
    return tuple(with_lines(document, tuple(faults.found)).faults)
