"""What to run and record: the Simulation blocks of the target component and below."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ..errors import Faults, Place, did_you_mean
from .model import Component, Model, StructureElement


@dataclass(frozen=True, slots=True)
class Line:
    """A quantity to record; `scale` and `time_scale` are a display's units in SI."""

    id: str
    quantity: str
    place: Place
    scale: float | None = None
    time_scale: float | None = None
    color: str | None = None


@dataclass(frozen=True, slots=True)
class Display:
    """A plot that the author asked for."""

    title: str
    region: tuple[float, float, float, float]
    time_scale: float | None
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class OutputFile:
    """A file of columns."""

    file_name: str
    path: str
    columns: tuple[Line, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class EventSelection:
    """An instance's out port whose events are written."""

    id: str
    select: str
    port: str | None
    place: Place


@dataclass(frozen=True, slots=True)
class EventFile:
    """A file of events; `format` is "TIME_ID" or "ID_TIME"."""

    file_name: str
    path: str
    format: str
    selections: tuple[EventSelection, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Simulation:
    """A run: the component to simulate, step and length in s, what to record."""

    target: Component
    step: float
    length: float
    seed: int
    seeded: bool
    displays: tuple[Display, ...] = ()
    outputs: tuple[OutputFile, ...] = ()
    events: tuple[EventFile, ...] = ()


#: The seed of a Simulation that names none (jLEMS, Lems.java).
DEFAULT_SEED = 1234


def simulation_of(
    model: Model,
    faults: Faults,
    *,
    target: str | None = None,
    step: float | None = None,
    length: float | None = None,
) -> Simulation | None:
    """Return the simulation that the model's target describes, or None with a fault noted.

    `target` names the component to simulate instead (a `.nml` has no Simulation); `step` and
    `length` (s) replace those of the document.
    """
    runner = model.components.get(model.target) if model.target is not None else None
    if target is None and runner is not None and not has_run(runner):
        members = tuple(c for c in _in_order(runner) if has_run(c))
        if members:
            return _simulation_set(model, runner, members, faults, step, length)
    if target is not None:
        chosen = model.components.get(target)
        if chosen is None:
            faults.error(
                f"no component has the id {target!r}",
                None,
                did_you_mean(target, model.components),
            )
            return None
        if has_run(chosen):
            runner = chosen
        else:
            if runner is not None and step is None and length is None:
                return _simulation(model, runner, faults, step, length, chosen)
            if step is None or length is None:
                faults.error(
                    f"{target!r} is no Simulation: it needs a length and a step",
                    None,
                    "give --length and --step",
                )
                return None
            return Simulation(chosen, step, length, DEFAULT_SEED, seeded=False)
    if runner is None:
        networks = [c.id for c in model.order if c.type.is_a("network") and c.id]
        hint = (
            f"name the component to run with --target (perhaps {networks[-1]!r})"
            if (networks)
            else "name the component to run with --target"
        )
        faults.error("the document has no Simulation and no Target", None, hint)
        return None
    return _simulation(model, runner, faults, step, length, None)


def has_run(component: Component) -> bool:
    """Tell whether `component` runs a simulation."""
    return any(part.kind == "Run" for part in component.type.simulation)


def _in_order(component: Component) -> Iterator[Component]:
    """Yield `component` and all below it, in document order."""
    yield component
    for _, _, part in component.parts:
        if isinstance(part, Component):
            yield from _in_order(part)


def _simulation_set(
    model: Model,
    holder: Component,
    members: tuple[Component, ...],
    faults: Faults,
    step: float | None,
    length: float | None,
) -> Simulation | None:
    """Return one simulation for all `members` of a SimulationSet.

    They differ only in the method that their Meta asks for, which is not the model's to
    choose here: one run records what each of them records.
    """
    found = [_simulation(model, member, faults, step, length, None) for member in members]
    made = [simulation for simulation in found if simulation is not None]
    if len(made) < len(found):
        return None
    first = made[0]
    for other, member in zip(made[1:], members[1:], strict=True):
        same = (other.target, other.step, other.length, other.seed)
        if same != (first.target, first.step, first.length, first.seed):
            faults.error(
                f"the simulations of {holder.id!r} differ in target, step, length or seed",
                member.place,
                "lemsmith runs one at a time: leave one of them in the set",
            )
            return None
    return replace(
        first,
        displays=tuple(display for one in made for display in one.displays),
        outputs=tuple(output for one in made for output in one.outputs),
        events=tuple(file for one in made for file in one.events),
    )


def _simulation(
    model: Model,
    runner: Component,
    faults: Faults,
    step: float | None,
    length: float | None,
    instead: Component | None,
) -> Simulation | None:
    run = next((p for p in runner.type.simulation if p.kind == "Run"), None)
    if run is None:
        faults.error(
            f"the Target {runner.id!r} is a {runner.type.name!r}, which runs nothing",
            runner.place,
            "the Target names a Simulation, or a set of them",
        )
        return None
    identity = runner.references.get(run.attributes.get("component", ""))
    target = instead
    if target is None:
        if identity is None:
            faults.error(f"the Simulation {runner.id!r} needs a target", runner.place)
            return None
        target = model.components.get(identity)
    if target is None:
        faults.error(
            f"the Simulation's target {identity!r} is no component",
            runner.place,
            did_you_mean(identity or "", model.components),
        )
        return None
    for name in ("increment", "total"):
        if name not in run.attributes:
            faults.error(f"Run needs the attribute {name!r}: which parameter is it?", run.place)
            return None
    found_step = step if step is not None else runner.values.get(run.attributes["increment"])
    found_length = length if length is not None else runner.values.get(run.attributes["total"])
    if found_step is None or found_length is None:
        faults.error(f"the Simulation {runner.id!r} needs a step and a length", runner.place)
        return None
    if not found_step > 0 or not found_length >= 0:
        faults.error("a step must be above zero and a length not below it", runner.place)
        return None
    if found_length / found_step > 1e12:
        faults.error("more than 1e12 steps are asked for", runner.place)
        return None
    seed_text = runner.texts.get("seed")
    seed = DEFAULT_SEED
    if seed_text is not None:
        try:
            seed = int(seed_text)
        except ValueError:
            faults.error(f"the seed {seed_text!r} is no whole number", runner.place)
    recorder = _Recorder(faults)
    recorder.collect(runner)
    return Simulation(
        target,
        found_step,
        found_length,
        seed,
        seed_text is not None,
        tuple(recorder.displays),
        tuple(recorder.outputs),
        tuple(recorder.events),
    )


class _Recorder:
    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self.displays: list[Display] = []
        self.outputs: list[OutputFile] = []
        self.events: list[EventFile] = []

    def collect(self, component: Component) -> None:
        for part in component.type.simulation:
            if part.kind == "DataDisplay":
                self.displays.append(self.display(component, part))
            elif part.kind == "DataWriter":
                self.outputs.append(self.output(component, part))
            elif part.kind == "EventWriter":
                self.events.append(self.event_file(component, part))
        for _, _, child in component.parts:
            if not isinstance(child, Component):
                continue
            if child.type.simulation:
                self.collect(child)
            elif any(part.kind == "Record" for c in _in_order(child) for part in c.type.simulation):
                # The DisplayList of older documents: lines for a Display written elsewhere.
                title = child.texts.get("title") or component.id or ""
                region = (0.0, 0.0, 0.0, 0.0)
                self.displays.append(
                    Display(title, region, child.values.get("timeScale"), self.lines(child))
                )

    def text(self, component: Component, part: StructureElement, name: str) -> str:
        attribute = part.attributes.get(name, "")
        return component.texts.get(attribute, "")

    def lines(self, component: Component) -> tuple[Line, ...]:
        found: list[Line] = []
        for below in _in_order(component):
            for part in below.type.simulation:
                if part.kind != "Record":
                    continue
                quantity = self.text(below, part, "quantity")
                if not quantity:
                    self.faults.error(f"{below.tag} needs a quantity", below.place)
                    continue
                values = below.values
                scale = values.get(part.attributes.get("scale", ""))
                time_scale = values.get(part.attributes.get("timeScale", ""))
                color = self.text(below, part, "color") or None
                found.append(
                    Line(below.id or quantity, quantity, below.place, scale, time_scale, color)
                )
        return tuple(found)

    def display(self, component: Component, part: StructureElement) -> Display:
        names = [n.strip() for n in part.attributes.get("dataRegion", "").split(",")]
        numbers = [component.values.get(name, 0.0) for name in names]
        numbers = (numbers + [0.0] * 4)[:4]
        return Display(
            self.text(component, part, "title"),
            (numbers[0], numbers[1], numbers[2], numbers[3]),
            component.values.get("timeScale"),
            self.lines(component),
        )

    def output(self, component: Component, part: StructureElement) -> OutputFile:
        return OutputFile(
            self.text(component, part, "fileName"),
            self.text(component, part, "path"),
            self.lines(component),
            component.place,
        )

    def event_file(self, component: Component, part: StructureElement) -> EventFile:
        selections: list[EventSelection] = []
        for below in _in_order(component):
            for inner in below.type.simulation:
                if inner.kind != "EventRecord":
                    continue
                quantity = self.text(below, inner, "quantity")
                port = self.text(below, inner, "eventPort") or None
                selections.append(EventSelection(below.id or "0", quantity, port, below.place))
        return EventFile(
            self.text(component, part, "fileName"),
            self.text(component, part, "path"),
            self.text(component, part, "format") or "TIME_ID",
            tuple(selections),
            component.place,
        )
