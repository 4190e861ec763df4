"""What a request changes of the model's own Simulation, and the plan that results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from ..codegen.program import BufferName, Program
from ..codegen.random_numbers import JavaRandom, uniform
from ..converter.model import Component, Model
from ..converter.simulation import Display, EventFile, Line, OutputFile, Simulation, simulation_of
from ..converter.units import NONE
from ..errors import Faults, ModelError, Place
from .files import joined
from .plan import Plan
from .request import Request
from .results import refusal

EVENT_FORMATS = ("TIME_ID", "ID_TIME")

#: The stream of the counter-based generator that initial values draw from.
START_STREAM = 2**63


@dataclass(slots=True)
class Draws:
    """Uniform numbers for initial values; `state` is what the run goes on from."""

    next: Callable[[], float]
    java: JavaRandom | None

    @property
    def state(self) -> int:
        """The state of java.util.Random after the start, 0 for other generators."""
        return self.java.state if self.java is not None else 0


def start_draws(simulation: Simulation, request: Request) -> Draws:
    """Return the generator of initial values: the reference's, or the counter-based one."""
    if request.method == "jlems":
        java = JavaRandom(simulation.seed)
        return Draws(java.next_double, java)
    counter = iter(range(2**62))
    return Draws(lambda: float(uniform(simulation.seed, START_STREAM, next(counter))), None)


def simulation_for(model: Model, request: Request, faults: Faults) -> Simulation:
    """Return the simulation that the model and the request together describe."""
    found = simulation_of(
        model, faults, target=request.target, step=request.step, length=request.length
    )
    faults.raise_errors()
    if found is None:
        raise ModelError(faults.errors)
    if request.seed is not None:
        found = replace(found, seed=request.seed)
    check_outputs(found, faults)
    if not found.outputs and not found.displays:
        found = replace(found, displays=(_every_v(model, found.target),))
    return found


def check_outputs(simulation: Simulation, faults: Faults) -> None:
    """Note a fault for every output whose name is refused when it is written."""
    first: dict[str, Place] = {}
    outputs: tuple[OutputFile | EventFile, ...] = (*simulation.outputs, *simulation.events)
    for output in outputs:
        name = joined(output.path, output.file_name)
        reason = refusal(name)
        if reason is None and name in first:
            reason = f"is written already by the output at {first[name]}"
        first.setdefault(name, output.place)
        if reason is not None:
            faults.error(
                f"the output file {name!r} {reason}",
                output.place,
                "give it a relative name inside the output folder, used once",
            )
    for file in simulation.events:
        if file.format not in EVENT_FORMATS:
            faults.error(
                f"an EventOutputFile has no format {file.format!r}",
                file.place,
                f"there are {' and '.join(EVENT_FORMATS)}",
            )


def _every_v(model: Model, target: Component) -> Display:
    """Return a display of the membrane potential of every cell of a network."""
    lines: list[Line] = []
    for population in target.children("populations"):
        cell = model.components.get(population.references.get("component", ""))
        if cell is None:
            continue
        name = next((n for n in ("v", "V") if n in cell.type.exposures), None)
        if name is None:
            continue
        size = int(population.values.get("size", 0)) or sum(
            part.rows for _, _, part in population.parts if not isinstance(part, Component)
        )
        listed = population.type.is_a("populationList")
        for number in range(size):
            path = (
                f"{population.id}/{number}/{cell.id}/{name}"
                if listed
                else f"{population.id}[{number}]/{name}"
            )
            lines.append(Line(f"{population.id}_{number}", path, population.place, 1.0))
    if not lines:
        own = (name for name in ("v", "V") if name in target.type.exposures)
        lines.extend(Line(name, name, target.place, 1.0) for name in own)
    return Display(target.id or "model", (0.0, 0.0, 0.0, 0.0), 1.0, tuple(lines))


def plan_of(
    model: Model,
    simulation: Simulation,
    program: Program,
    text: str,
    buffers: tuple[BufferName, ...],
    draws: Draws,
    faults: Faults,
) -> Plan:
    """Return everything that a run needs, from here on without the model."""
    names = {dimension: name for name, dimension in reversed([*model.dimensions.items()])}
    columns = program.columns
    return Plan(
        program=program,
        text=text,
        buffers=buffers,
        dimensions={
            c.path: names.get(c.dimension, str(c.dimension))
            for c in columns
            if c.dimension is not None and c.dimension != NONE
        },
        units={
            c.path: str(c.dimension)
            for c in columns
            if c.dimension is not None and c.dimension != NONE
        },
        outputs=simulation.outputs,
        event_files=simulation.events,
        displays=simulation.displays,
        random_state=draws.state,
        seed=simulation.seed,
        warnings=tuple(f for f in faults.found if f.severity == "warning"),
    )
