"""The whole path of the data, on one screen.

    XML -> Document -> Model -> Network -> (optimised) Network -> Program -> source text
        -> library -> Recording

Each arrow is one public function of the module of its name. A model seen before is recalled
from the cache; only a new one imports the compiling half, which is why `translate` imports
inside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import Fault, Faults, ModelError
from .backends import backend as backend_of
from .plan import Plan, recalled, remember
from .recording import Recording
from .request import Request, made
from .simulate import simulate

if TYPE_CHECKING:
    from ..converter.document import Document
    from ..converter.model import Model
    from ..converter.network import Network
    from ..converter.simulation import Simulation
    from .settings import Draws

Progress = Callable[[float, str], None]


def run(source: str | Path, *, progress: Progress | None = None, **options: Any) -> Recording:
    """Simulate a model file (or its text) and return what it recorded.

    Options (all keyword): backend "cpp", "numpy", "cuda" or "cuda-on-host"; method; step and
    length as texts with a unit ("0.01 ms") or seconds; seed; overrides, a mapping from
    "component/parameter" to a text with a unit; varied, a mapping from "component/parameter" to
    an array (n,) in SI units, of which instance i of every population of that component takes
    the i-th; threads; target (a component to simulate where the document has no Simulation);
    precision; events; discretise, how finely cells are cut ("export", "d_lambda=0.1",
    "refine=3"); include_dirs; confine.
    `progress` is called with the fraction done and a message. Nothing is written.

    Raises `ModelError` where the model is at fault, `UsageError` where the request is,
    `NumericalError` where a state stops being finite, `MissingTool` where something is not
    installed and `Interrupted`, with the recording so far, on Ctrl-C.
    """
    request = made(source, **options)
    plan = recalled(request)
    if plan is None:
        plan, files = translate(request)
        remember(request, plan, files)
    running = backend_of(request.backend).start(plan, request)
    return simulate(plan, running, request, progress)


def translate(request: Request) -> tuple[Plan, tuple[Path, ...]]:
    """Return the plan of a model that was not seen before, and the files it depends on.

    Files that are not there but would be read if they were are among them.
    """
    from ..codegen.emit import emit
    from ..codegen.lower import lower
    from ..converter.optimise import optimise
    from ..converter.read import read
    from .settings import plan_of

    document = read(request.source, include_dirs=request.include_dirs, confine=request.confine)
    with placed(document) as faults:
        model = resolved(document, request, faults)
        network, simulation, draws = flattened(model, request, faults)
        program = lower(optimise(network), request.method, request.precision, request.events)
        text, buffers = emit(program, request.backend, request.name)
        plan = plan_of(model, simulation, program, text, buffers, draws, faults)
    read_from = [s.path for s in document.sources.values() if s.path is not None]
    return plan, (*read_from, *document.absent)


def resolved(document: Document, request: Request, faults: Faults | None = None) -> Model:
    """Return the model of `document` with what the request overrides; raises every fault."""
    from ..converter.overrides import check_once, check_overrides, overridden
    from ..converter.resolve import resolve

    model = resolve(overridden(document, request.overrides), faults)
    check_overrides(model, request.overrides)
    check_once(model, request.overrides, request.varied)
    if faults is not None:
        faults.raise_errors()
    return model


def flattened(model: Model, request: Request, faults: Faults) -> tuple[Network, Simulation, Draws]:
    """Return the network that the request runs, its simulation and the draws of its start."""
    from ..codegen.lower import schedule_of
    from ..converter.flatten import flatten
    from .settings import simulation_for, start_draws

    simulation = simulation_for(model, request, faults)
    draws = start_draws(simulation, request)
    network = flatten(
        model,
        simulation,
        schedule=schedule_of(request.method),
        draw=draws.next,
        faults=faults,
        varied=request.varied,
        discretisation=request.discretise,
    )
    return network, simulation, draws


def load(source: str | Path, **options: Any) -> Model:
    """Return the resolved model of a file or text; raises `ModelError` with every fault."""
    from ..converter.read import read

    request = made(source, **options)
    document = read(request.source, include_dirs=request.include_dirs, confine=request.confine)
    return resolved(document, request)


def check(sources: Sequence[str | Path], **options: Any) -> tuple[Fault, ...]:
    """Return every fault of every source, warnings included."""
    from .checking import check_one

    found = (fault for source in sources for fault in check_one(made(source, **options)))
    return tuple(dict.fromkeys(found))


def show(source: str | Path, stage: str, **options: Any) -> str:
    """Return the form of a model at `stage` as text."""
    from .stages import show_stage

    explain = bool(options.pop("explain", False))
    return show_stage(made(source, **options), stage, explain=explain)


@contextmanager
def placed(document: Document) -> Iterator[Faults]:
    """Collect faults; errors leave as one `ModelError` that shows their source lines."""
    from ..converter.places import about_the_document, with_lines

    faults = Faults()
    try:
        yield faults
        faults.raise_errors()
    except ModelError as error:
        raise with_lines(document, about_the_document(document, error.faults)) from None
