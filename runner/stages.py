"""Every form of a model as text, for people and for tests."""

from __future__ import annotations

from ..codegen.emit import emit
from ..codegen.lower import lower, schedule_of
from ..codegen.program import show_program
from ..converter.discretisation import discretisation_of
from ..converter.flatten import flatten
from ..converter.optimise import explained, optimise
from ..converter.overrides import overridden
from ..converter.read import read
from ..converter.resolve import resolve
from ..converter.show_document import show as show_document
from ..converter.show_network import show_model, show_network
from ..errors import UsageError
from .pipeline import placed
from .request import Request
from .settings import simulation_for, start_draws

STAGES = ("document", "model", "network", "program", "source")


def show_stage(request: Request, stage: str, *, explain: bool = False) -> str:
    """Return the form of a model at `stage` as text."""
    if stage not in STAGES:
        raise UsageError(f"no stage is called {stage!r}; there are {', '.join(STAGES)}")
    document = read(request.source, include_dirs=request.include_dirs, confine=request.confine)
    if stage == "document":
        return show_document(document)
    with placed(document) as faults:
        model = resolve(overridden(document, request.overrides), faults)
        faults.raise_errors()
        if stage == "model":
            return show_model(model)
        simulation = simulation_for(model, request, faults)
        draws = start_draws(simulation, request)
        schedule = schedule_of(request.method)
        flat = flatten(
            model,
            simulation,
            schedule=schedule,
            draw=draws.next,
            faults=faults,
            varied=request.varied,
            discretisation=discretisation_of(request.discretise),
        )
        network = optimise(flat)
        if stage == "network":
            text = show_network(network)
            return f"{explained(flat)}\n\n{text}" if explain else text
        program = lower(network, request.method)
        if stage == "program":
            return show_program(program)
        return emit(program, request.backend, request.name)[0]
