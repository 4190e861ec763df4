"""Models and networks as text for people."""

from __future__ import annotations

import numpy as np

from .expressions import show
from .model import Component, Model
from .network import (
    Assign,
    Collect,
    Emit,
    Flow,
    Integrate,
    Network,
    Population,
    Run,
    Statement,
    When,
)
from .show_cable import show_cable


def show_model(model: Model) -> str:
    """Return the components of `model` with their values in SI; packaged types are left out."""
    lines = [f"target {model.target}"] if model.target else []
    for kind in model.types.values():
        if kind.packaged:
            continue
        lines.append(
            f"type {kind.name}" + (f" extends {kind.ancestors[0]}" if kind.ancestors else "")
        )
    for component in model.order:
        lines.extend(_component(component, ""))
    return "\n".join(lines)


def _component(component: Component, indent: str) -> list[str]:
    constants = component.type.constants
    values = ", ".join(
        f"{name}={value:g}" for name, value in component.values.items() if name not in constants
    )
    others = ", ".join(f"{k}={v}" for k, v in {**component.texts, **component.references}.items())
    head = f"{indent}{component.type.name} {component.id or ''}".rstrip()
    lines = [": ".join(filter(None, (head, "; ".join(filter(None, (values, others))))))]
    for slot, _, part in component.parts:
        if isinstance(part, Component):
            lines.extend(_component(part, indent + "    "))
        else:
            lines.append(f"{indent}    {slot}: {part.rows} x {part.type.name}")
    return lines


def show_network(network: Network) -> str:
    """Return populations with their equations, and projections with their sizes."""
    lines = [f"schedule {network.schedule}"]
    for population in network.populations:
        lines.extend(show_population(population))
    for projection in network.projections:
        delays = np.unique(projection.delay)
        told = f"delay {delays[0]:g} s" if len(delays) == 1 else f"{len(delays)} delays"
        lines.append(
            f"projection {projection.source}.{projection.port} -> "
            f"{projection.target}.{projection.handler}: {len(projection.delay)} connections, "
            f"{told if len(delays) else 'none'}"
        )
    lines.extend(
        f"record {r.path} = {r.population}.{r.variable}[{r.instance}]" for r in network.records
    )
    return "\n".join(lines)


def show_population(population: Population) -> list[str]:
    """Return one population, line by line."""
    where = f" attached to {population.parent}" if population.parent else ""
    lines = [f"population {population.name} x {population.size} ({population.component}){where}"]
    if population.cable is not None:
        lines.extend(show_cable(population.cable))
    for name, value in population.parameters.items():
        lines.append(f"    parameter {name} = {_shown(value)}")
    for name, variable in population.variables.items():
        if variable.kind in ("state", "regime", "shadow", "time"):
            lines.append(f"    {variable.kind} {name}, at first {_shown(variable.initial)}")
    for name, read in population.reads.items():
        lines.append(f"    {name} = {read.population}.{read.variable}[{read.index}]")
    for assignment in (*population.assignments, *population.flows):
        lines.extend(show_lines(assignment, "    "))
    for derivative in population.derivatives:
        guard = f" while {show(derivative.guard)}" if derivative.guard is not None else ""
        lines.append(f"    d{derivative.state}/dt = {show(derivative.value)}{guard}")
    for condition in population.conditions:
        guard = f" and {show(condition.guard)}" if condition.guard is not None else ""
        lines.append(f"    when {show(condition.test)}{guard}:")
        for statement in condition.body:
            lines.extend(show_lines(statement, "        "))
    for statement in population.step:
        lines.extend(show_lines(statement, "    "))
    for name, body in population.handlers.items():
        lines.append(f"    on event {name}:")
        for statement in body:
            lines.extend(show_lines(statement, "        "))
    return lines


def show_lines(statement: Statement, indent: str) -> list[str]:
    """Return a statement, line by line."""
    match statement:
        case Assign(variable, value):
            return [f"{indent}{variable} = {show(value)}"]
        case When(condition, body):
            inner = [line for part in body for line in show_lines(part, indent + "    ")]
            return [f"{indent}when {show(condition)}:", *inner]
        case Integrate(derivatives, method, _):
            return [f"{indent}d{name}/dt = {show(value)} ({method})" for name, value in derivatives]
        case Collect(variable, parts, reduce):
            terms = ", ".join(f"{population}.{name}" for population, name in parts)
            return [f"{indent}{variable} = {reduce} over attached {terms}"]
        case Emit(port):
            return [f"{indent}emit {port}"]
        case Run(handler):
            return [f"{indent}run {handler}"]
        case Flow(states, edges):
            return [f"{indent}{', '.join(states)} flow along {len(edges)} edges"]
        case _:
            return [f"{indent}advance {', '.join(statement.populations)}"]


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    array = np.asarray(value)
    if not array.size:
        return "none"
    return f"{array.min():g} to {array.max():g}"
