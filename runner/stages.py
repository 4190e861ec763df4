"""Every form of a model as text, for people and for tests."""

from __future__ import annotations

from ..codegen.emit import emit
from ..codegen.lower import lower
from ..codegen.program import show_program
from ..converter.optimise import explained, optimise
from ..converter.read import read
from ..converter.show_document import show as show_document
from ..converter.show_network import show_model, show_network
from ..errors import UsageError
from .pipeline import flattened, placed, resolved
from .request import Request

STAGES = ("document", "model", "network", "program", "source")


def show_stage(request: Request, stage: str, *, explain: bool = False) -> str:
    """Return the form of a model at `stage` as text."""
    if stage not in STAGES:
        raise UsageError(f"no stage is called {stage!r}; there are {', '.join(STAGES)}")
    document = read(request.source, include_dirs=request.include_dirs, confine=request.confine)
    if stage == "document":
        return show_document(document)
    with placed(document) as faults:
        model = resolved(document, request, faults)
        if stage == "model":
            return show_model(model)
        flat, _, _ = flattened(model, request, faults)
        network = optimise(flat)
        if stage == "network":
            text = show_network(network)
            return f"{explained(flat)}\n\n{text}" if explain else text
        program = lower(network, request.method, request.precision, request.events)
        if stage == "program":
            return show_program(program)
        return emit(program, request.backend, request.name)[0]
