"""Dimensions and names of every expression of a component type, checked.

Types that lemsmith itself ships are not checked at run time: a few official definitions are
dimensionally loose, and our tests hold ours against them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from ..errors import Faults, Place, did_you_mean, one_of
from .expressions import Expression, names
from .model import (
    Actions,
    ComponentType,
    ConstantValue,
    DerivedVariable,
    Dynamics,
    Regime,
)
from .units import NONE, TIME, Dimension, DimensionError, describe, infer

#: Finds the place of an attribute of the element at a place.
At = Callable[[Place, str], Place]


def infer_dimensions(
    types: Mapping[str, ComponentType], constants: Mapping[str, ConstantValue]
) -> dict[str, ComponentType]:
    """Return `types` with the dimension of derived variables that name none filled in.

    It is that of the expression, else the exposure's. A variable whose expression mixes
    dimensions stays without one: `check_dimensions` reports it.
    """
    return {name: _inferred(kind, constants) for name, kind in types.items()}


def _inferred(kind: ComponentType, constants: Mapping[str, ConstantValue]) -> ComponentType:
    dynamics = kind.dynamics
    if dynamics is None or all(v.dimension is not None for v in dynamics.derived_variables):
        return kind
    known = known_dimensions(kind, constants)
    found: dict[str, Dimension] = {}
    pending = [v for v in dynamics.derived_variables if v.dimension is None]
    of_exposure = {v.name: known[v.name] for v in pending}
    known.update(dict.fromkeys(of_exposure))
    progress = True
    while progress:
        progress = False
        for variable in pending:
            if variable.name in found:
                continue
            dimension = _of_definition(variable, known)
            if dimension is None and variable.select is not None:
                dimension = of_exposure[variable.name]
            if dimension is not None:
                found[variable.name] = known[variable.name] = dimension
                progress = True
    found = {**{n: d for n, d in of_exposure.items() if d is not None}, **found}
    derived = tuple(
        replace(v, dimension=found[v.name]) if v.dimension is None and v.name in found else v
        for v in dynamics.derived_variables
    )
    return replace(kind, dynamics=replace(dynamics, derived_variables=derived))


def _of_definition(
    variable: DerivedVariable, known: Mapping[str, Dimension | None]
) -> Dimension | None:
    values = [value for _, value in variable.cases]
    if variable.value is not None:
        values.append(variable.value)
    for value in values:
        try:
            dimension = infer(value, known)
        except DimensionError:
            continue
        if dimension is not None:
            return dimension
    return None


def check_dimensions(
    types: Mapping[str, ComponentType],
    constants: Mapping[str, ConstantValue],
    faults: Faults,
    at: At,
) -> None:
    """Note a fault for every unknown name and every dimension that does not fit."""
    for kind in types.values():
        if not kind.packaged:
            _check_type(kind, constants, faults, at)


def known_dimensions(
    kind: ComponentType, constants: Mapping[str, ConstantValue]
) -> dict[str, Dimension | None]:
    """Return what the expressions of `kind` may name, with its dimension (None: any)."""
    known = {name: constant.dimension for name, constant in constants.items()}
    known["t"] = TIME
    groups = (
        kind.exposures,
        kind.requirements,
        kind.properties,
        kind.parameters,
        kind.constants,
        kind.derived_parameters,
    )
    for group in groups:
        known.update({name: member.dimension for name, member in group.items()})
    if kind.dynamics is not None:
        variables = kind.dynamics.variables
        for variable in variables:
            exposure = kind.exposures.get(variable.exposure or "")
            declared = variable.dimension
            known[variable.name] = exposure.dimension if declared is None and exposure else declared
        for regime in kind.dynamics.regimes:
            known.update({v.name: v.dimension for v in regime.derived_variables})
    return known


def _check_type(
    kind: ComponentType, constants: Mapping[str, ConstantValue], faults: Faults, at: At
) -> None:
    known = known_dimensions(kind, constants)
    if kind.dynamics is None:
        return
    for expression, element, attribute, wanted, what in _expressions(kind.dynamics, known):
        unknown = sorted(names(expression) - known.keys())
        for name in unknown:
            faults.error(
                f"{what} of {kind.name!r} uses {name!r}, which is not defined there",
                at(element, attribute),
                did_you_mean(name, known)
                or "declare it as a Parameter, a Requirement or a variable",
            )
        if unknown:
            continue
        try:
            found = infer(expression, known)
        except DimensionError as fault:
            faults.error(
                f"{what} of {kind.name!r} mixes dimensions: {fault}",
                at(element, attribute),
                "multiply or divide by a Parameter or Constant that has the missing dimension",
            )
            continue
        if wanted is not None and found is not None and found != wanted:
            faults.error(
                f"{what} of {kind.name!r} has {describe(found)}, but {describe(wanted)} is needed",
                at(element, attribute),
                f"it lacks a factor with {describe(wanted / found)}",
            )
    _check_names(kind, kind.dynamics, faults)


#: An expression, where its element stands, its attribute, its dimension, what it is.
_Checked = tuple[Expression, Place, str, Dimension | None, str]


def _expressions(dynamics: Dynamics, known: Mapping[str, Dimension | None]) -> Iterator[_Checked]:
    """Yield each expression of a block of equations, and of its regimes."""
    yield from _of_block(dynamics, known)
    for regime in dynamics.regimes:
        yield from _of_block(regime, known)


def _of_block(
    block: Dynamics | Regime, known: Mapping[str, Dimension | None]
) -> Iterator[_Checked]:
    for variable in block.derived_variables:
        if variable.value is not None:
            yield (
                variable.value,
                variable.place,
                "value",
                known[variable.name],
                (f"{variable.name!r}"),
            )
        for condition, value in variable.cases:
            if condition is not None:
                yield condition, variable.place, "", NONE, f"a condition of {variable.name!r}"
            yield value, variable.place, "", known[variable.name], f"a case of {variable.name!r}"
    for derivative in block.time_derivatives:
        of_variable = known.get(derivative.variable)
        wanted = None if of_variable is None else of_variable / TIME
        yield (
            derivative.value,
            derivative.place,
            "value",
            wanted,
            (f"the derivative of {derivative.variable!r}"),
        )
    starts = block.on_start if isinstance(block, Dynamics) else (block.on_entry,)
    for actions in starts:
        yield from _of_actions(actions, known)
    for event in block.on_events:
        yield from _of_actions(event.actions, known)
    for on_condition in block.on_conditions:
        yield on_condition.test, on_condition.place, "test", NONE, "a condition"
        yield from _of_actions(on_condition.actions, known)


def _of_actions(actions: Actions, known: Mapping[str, Dimension | None]) -> Iterator[_Checked]:
    for assignment in actions.assignments:
        yield (
            assignment.value,
            assignment.place,
            "value",
            known.get(assignment.variable),
            f"the assignment to {assignment.variable!r}",
        )


def _check_names(kind: ComponentType, dynamics: Dynamics, faults: Faults) -> None:
    states = {v.name for v in dynamics.state_variables}
    assignable = states | kind.properties.keys()
    regimes = {regime.name for regime in dynamics.regimes}
    blocks: list[Dynamics | Regime] = [dynamics, *dynamics.regimes]
    for block in blocks:
        for derivative in block.time_derivatives:
            if derivative.variable not in states:
                faults.error(
                    f"{kind.name!r} has no StateVariable {derivative.variable!r}",
                    derivative.place,
                    one_of(derivative.variable, states),
                )
        starts = block.on_start if isinstance(block, Dynamics) else (block.on_entry,)
        every = [
            *starts,
            *(e.actions for e in block.on_events),
            *(c.actions for c in block.on_conditions),
        ]
        for actions in every:
            for assignment in actions.assignments:
                if assignment.variable not in assignable:
                    faults.error(
                        f"{kind.name!r} has no StateVariable {assignment.variable!r}",
                        assignment.place,
                        one_of(assignment.variable, assignable),
                    )
            for port, place in actions.events:
                declared = kind.ports.get(port)
                if declared is None or declared.direction != "out":
                    faults.error(
                        f"{kind.name!r} has no out port {port!r}",
                        place,
                        one_of(port, kind.ports),
                    )
            if actions.transition is not None and actions.transition[0] not in regimes:
                faults.error(
                    f"{kind.name!r} has no regime {actions.transition[0]!r}",
                    actions.transition[1],
                    one_of(actions.transition[0], regimes),
                )
        for event in block.on_events:
            declared = kind.ports.get(event.port)
            if declared is None or declared.direction != "in":
                faults.error(
                    f"{kind.name!r} has no in port {event.port!r}",
                    event.place,
                    one_of(event.port, kind.ports),
                )
    for variable in dynamics.variables:
        exposure = kind.exposures.get(variable.exposure or "")
        own, exposed = variable.dimension, exposure.dimension if exposure else None
        if own is not None and exposed is not None and own != exposed:
            faults.warning(
                f"{variable.name!r} of {kind.name!r} has {describe(own)}, and "
                f"its Exposure {describe(exposed)}",
                variable.place,
            )
        if variable.exposure is not None and variable.exposure not in kind.exposures:
            faults.error(
                f"{kind.name!r} has no Exposure {variable.exposure!r}",
                variable.place,
                one_of(variable.exposure, kind.exposures),
            )
