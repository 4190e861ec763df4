"""From a model to a flat network: populations with symbolic dynamics, projections as arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ..errors import Faults, ModelError
from .binding import Binder, first_in, first_out, handler_name, port_name
from .cable_groups import cable_instances
from .discretisation import EXPORT, Discretisation
from .event_circles import check_circles
from .flatten_equations import EquationFlattener
from .flatten_steps import StepFlattener
from .initial import Initialiser
from .instances import EventLink, Group, Instances
from .model import Model
from .network import (
    Array,
    Cable,
    EventRecord,
    Flow,
    Network,
    Population,
    Projection,
    Record,
    RunSettings,
    Statement,
    Variable,
)
from .paths import locate, ports_at
from .simulation import Simulation
from .single_compartment import check_regions, refuse_compartments
from .start_values import check_start
from .structures import instantiate
from .symbols import Scope, Symbols
from .varied import Varied, check_varied, vary
from .zero_divisors import check_divisors


def flatten(
    model: Model,
    simulation: Simulation,
    *,
    schedule: str = "equations",
    draw: Callable[[], float],
    faults: Faults | None = None,
    start_limit: int | None = None,
    varied: Varied = (),
    discretisation: Discretisation = EXPORT,
) -> Network:
    """Return the network of `simulation`'s target.

    Children are inlined into their parent's equations, paths become symbols, and nothing is
    left that depends on the XML's tree. `draw` gives the uniform numbers that initial values
    use; a network of more than `start_limit` groups is left without them, for who only looks
    for faults. `varied` gives instances parameters of their own; `discretisation` says how
    finely cells are cut. Raises `ModelError` with every fault, unless the caller gives `faults`.
    """
    noted = faults if faults is not None else Faults()
    network = _flatten(
        model, simulation, schedule, draw, noted, start_limit, varied, discretisation
    )
    if faults is None:
        noted.raise_errors()
    if network is None:
        raise ModelError(noted.errors)
    return network


def _flatten(
    model: Model,
    simulation: Simulation,
    schedule: str,
    draw: Callable[[], float],
    faults: Faults,
    start_limit: int | None,
    varied: Varied,
    discretisation: Discretisation,
) -> Network | None:
    if schedule == "jlems":
        instances = instantiate(model, simulation.target, faults)
        refuse_compartments(instances)
    else:
        single = schedule == "compartments"
        instances = cable_instances(
            model, simulation.target, faults, single=single, discretisation=discretisation
        )
    check_regions(instances, model, faults)
    if faults.errors:
        return None
    done = vary(model, instances, varied)
    symbols = Symbols(faults)
    records: list[Record] = []
    binder: Binder
    if schedule == "jlems":
        binder = StepFlattener(instances, symbols)
        steps = {g.name: tuple(binder.advance(g.top)) for g in instances.groups}
        drafts = {name: _Draft(step=step) for name, step in steps.items()}
    else:
        binder = EquationFlattener(instances, symbols)
        drafts = {}
        for group in instances.groups:
            drafts[group.name] = _Draft(
                assignments=binder.assignments(group),
                derivatives=binder.derivatives(group),
                flows=binder.flows(group),
                conditions=binder.conditions(group),
            )
    for group in instances.groups:
        handlers: dict[str, tuple[Statement, ...]] = {}
        for node in group.top.subtree():
            handlers.update(binder.handlers(node))
        drafts[group.name].handlers = handlers
        if schedule != "jlems":
            check_circles(instances, group, handlers, faults)
    projections = [
        made for link in instances.links if (made := _projection(link, faults)) is not None
    ]
    constants: dict[str, list[tuple[str, float]]] = {}
    records.extend(_records(instances, symbols, simulation, constants, faults))
    events = _event_records(instances, simulation, faults)
    if faults.errors:
        return None
    initialiser = Initialiser(instances, symbols, binder, faults, draw)
    far = start_limit is not None and len(instances.groups) > start_limit
    values = {} if far else initialiser.run()
    _initial_occupancies(symbols, drafts, instances, values)
    check_start(instances, symbols, values, records, faults)
    check_divisors(instances, faults)
    if faults.errors:
        return None
    for name, pairs in constants.items():
        for symbol, value in pairs:
            values.setdefault(name, {})[symbol] = np.full(
                next(g.size for g in instances.groups if g.name == name), value
            )
    check_varied(symbols, done)
    populations = tuple(
        _population(group, symbols.scope(group), drafts[group.name], values.get(group.name, {}))
        for group in instances.groups
    )
    settings = RunSettings(simulation.step, simulation.length, simulation.seed)
    return Network(
        schedule, populations, tuple(projections), tuple(records), tuple(events), settings
    )


class _Draft:
    """What a population does, before its initial values are known."""

    def __init__(self, **parts: object) -> None:
        self.parts = parts
        self.handlers: dict[str, tuple[Statement, ...]] = {}


def _population(group: Group, scope: Scope, draft: _Draft, initial: dict[str, Array]) -> Population:
    indices = dict(scope.indices)
    if group.parent is not None:
        indices.setdefault("parent", group.parent_index)
    variables = {
        name: Variable(v.name, v.kind, v.dimension, v.label, _shared(initial.get(name)))
        for name, v in scope.variables.items()
    }
    exposures = {
        "/".join((*node.path, name)): symbol
        for (node, name, role), symbol in scope.names.items()
        if role in ("local", "exposed")
    }
    ports = tuple(
        port_name(node, port.name)
        for node in group.top.subtree()
        for port in node.type.ports.values()
        if port.direction == "out"
    )
    return Population(
        name=group.name,
        size=group.size,
        component=group.top.id or group.top.type.name,
        parent=group.parent.group.name if group.parent is not None else None,
        indices=indices,
        sequence=group.sequence,
        parameters=dict(scope.parameters),
        variables=variables,
        reads=dict(scope.reads),
        exposures=exposures,
        ports=ports,
        handlers=draft.handlers,
        units=dict(scope.dimensions),
        cable=_cable(group, scope),
        **draft.parts,  # type: ignore[arg-type]
    )


def _cable(group: Group, scope: Scope) -> Cable | None:
    if group.cable is None:
        return None
    return replace(
        group.cable,
        state=scope.names[group.top, "v", "local"],
        current=scope.names[group.top, "iMemb", "local"],
    )


def _shared(values: Array | None) -> float | Array:
    """Return one number where all instances start equal, else the array."""
    if values is None:
        return 0.0
    if values.size == 0:
        return 0.0
    return float(values[0]) if np.all(values == values[0]) else values


def _initial_occupancies(
    symbols: Symbols,
    drafts: dict[str, _Draft],
    instances: Instances,
    values: dict[str, dict[str, Array]],
) -> None:
    """Put all of a kinetic scheme's occupancy into its first state (KScheme.java)."""
    for group in instances.groups:
        draft = drafts[group.name]
        for statement in (*draft.parts.get("step", ()), *draft.parts.get("flows", ())):  # type: ignore[misc]
            if isinstance(statement, Flow):
                first, *others = statement.states
                of_group = values.setdefault(group.name, {})
                of_group[first] = np.ones(group.size)
                for other in others:
                    of_group[other] = np.zeros(group.size)
                for state in statement.states:
                    shadow = f"{state}_exposed"
                    if shadow in symbols.scope(group).variables:
                        of_group[shadow] = of_group[state]


def _projection(link: EventLink, faults: Faults) -> Projection | None:
    source_port = link.source_port or first_out(link.source)
    target_port = link.target_port or first_in(link.target)
    if source_port is None or source_port not in link.source.type.ports:
        faults.error(
            f"{link.source.id or link.source.type.name!r} has no out port"
            + (f" {source_port!r}" if source_port else ""),
            link.place,
        )
        return None
    if target_port is None or target_port not in link.target.type.ports:
        faults.error(
            f"{link.target.id or link.target.type.name!r} has no in port"
            + (f" {target_port!r}" if target_port else ""),
            link.place,
        )
        return None
    inside = link.source.group is link.target.group
    if inside and np.array_equal(link.source_index, link.target_index) and not link.delay.any():
        return None  # sent within the instance
    return Projection(
        link.source.group.name,
        port_name(link.source, source_port),
        link.target.group.name,
        handler_name(link.target, target_port),
        link.source_index,
        link.target_index,
        link.delay,
    )


def _records(
    instances: Instances,
    symbols: Symbols,
    simulation: Simulation,
    constants: dict[str, list[tuple[str, float]]],
    faults: Faults,
) -> list[Record]:
    lines = [line for output in simulation.outputs for line in output.columns]
    lines += [line for display in simulation.displays for line in display.lines]
    found: list[Record] = []
    seen: set[tuple[str, str]] = set()
    for line in lines:
        if (line.id, line.quantity) in seen:
            continue
        seen.add((line.id, line.quantity))
        at = locate(instances, symbols, line.quantity)
        if isinstance(at, str):
            faults.error(f"the path {line.quantity!r} leads nowhere: {at}", line.place)
            continue
        symbol = at.symbol
        if at.value is not None:
            scope = symbols.scope(at.group)
            symbol = scope.variable(
                at.group.top, line.quantity, "constant", at.dimension, "recorded"
            )
            constants.setdefault(at.group.name, []).append((symbol, at.value))
        found.append(
            Record(line.id, line.quantity, at.group.name, symbol, at.instance, at.dimension)
        )
    return found


def _event_records(
    instances: Instances, simulation: Simulation, faults: Faults
) -> list[EventRecord]:
    found: list[EventRecord] = []
    for file in simulation.events:
        for selection in file.selections:
            at = ports_at(instances, selection.select)
            if isinstance(at, str):
                faults.error(f"the path {selection.select!r} leads nowhere: {at}", selection.place)
                continue
            node, instance = at
            port = selection.port or first_out(node)
            declared = node.type.ports.get(port or "")
            if declared is None or declared.direction != "out":
                faults.error(
                    f"{node.id or node.type.name!r} has no out port {port!r}", selection.place
                )
                continue
            found.append(
                EventRecord(
                    selection.id,
                    selection.select,
                    node.group.name,
                    port_name(node, declared.name),
                    instance,
                )
            )
    return found
