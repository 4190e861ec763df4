"""What a component type declares, held against itself and against the types that it names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from ..errors import Faults, Place, did_you_mean
from .dimensions import known_dimensions
from .expressions import names
from .model import ComponentType, ConstantValue, DerivedVariable, Dynamics, Regime, StateVariable
from .units import TIME, Dimension, DimensionError, describe, infer

#: Finds the place of an attribute of the element at a place.
At = Callable[[Place, str], Place]


def check_declarations(
    types: Mapping[str, ComponentType],
    constants: Mapping[str, ConstantValue],
    faults: Faults,
    at: At,
) -> None:
    """Note what no type can mean: two of what there is one of, lists and dimensions that differ.

    Types that lemsmith itself ships are held against the official ones by our tests.
    """
    for kind in types.values():
        if kind.packaged:
            continue
        _derived_parameters(kind, constants, faults, at)
        _time(kind, faults, at)
        if kind.dynamics is not None:
            _given_twice(kind, kind.dynamics, faults)
            _kinetic_schemes(kind, kind.dynamics, faults, at)
            blocks: list[Dynamics | Regime] = [kind.dynamics, *kind.dynamics.regimes]
            for block in blocks:
                for variable in block.derived_variables:
                    _selected(kind, variable, types, faults, at)


def _derived_parameters(
    kind: ComponentType, constants: Mapping[str, ConstantValue], faults: Faults, at: At
) -> None:
    known = known_dimensions(kind, constants)
    for derived in kind.derived_parameters.values():
        # An unknown name is a fault of the component, whose parameters may be others.
        if derived.value is None or not names(derived.value) <= known.keys():
            continue
        what = f"the DerivedParameter {derived.name!r} of {kind.name!r}"
        try:
            found = infer(derived.value, known)
        except DimensionError as fault:
            faults.error(f"{what} mixes dimensions: {fault}", at(derived.place, "value"))
            continue
        if found is not None and derived.dimension not in (None, found):
            faults.error(
                f"{what} has {describe(found)}, but {describe(derived.dimension)} is needed",
                at(derived.place, "value"),
            )


def _time(kind: ComponentType, faults: Faults, at: At) -> None:
    time = kind.requirements.get("t")
    if time is not None and time.dimension not in (None, TIME):
        faults.error(
            f"{kind.name!r} requires 't', the time, and gives it {describe(time.dimension)}",
            at(time.place, "dimension"),
        )


def _given_twice(kind: ComponentType, dynamics: Dynamics, faults: Faults) -> None:
    given: list[StateVariable | DerivedVariable] = [
        *dynamics.state_variables,
        *dynamics.derived_variables,
    ]
    # Published models have a line that was pasted twice; it says nothing new.
    variables = {replace(v, place=dynamics.place): v for v in reversed(given)}
    _once(
        [(v.name, v.place) for v in reversed(variables.values())],
        "the variable {} of {} is declared twice",
        kind,
        faults,
    )
    _once(
        [(r.name, r.place) for r in dynamics.regimes],
        "the regime {} of {} is defined twice",
        kind,
        faults,
    )
    blocks: list[Dynamics | Regime] = [dynamics, *dynamics.regimes]
    for block in blocks:
        _once(
            [(d.variable, d.place) for d in block.time_derivatives],
            "the derivative of {} of {} is given twice",
            kind,
            faults,
        )
    initial = [regime for regime in dynamics.regimes if regime.initial]
    for regime in initial[1:]:
        faults.error(
            f"{kind.name!r} has two initial regimes, {initial[0].name!r} and {regime.name!r}",
            regime.place,
        )


def _once(
    given: Iterable[tuple[str, Place]], words: str, kind: ComponentType, faults: Faults
) -> None:
    first: dict[str, Place] = {}
    for name, place in given:
        if first.setdefault(name, place) is not place:
            faults.error(
                words.format(repr(name), repr(kind.name)), place, f"the first is at {first[name]}"
            )


def _kinetic_schemes(kind: ComponentType, dynamics: Dynamics, faults: Faults, at: At) -> None:
    for scheme in dynamics.kinetic_schemes:
        for attribute in ("nodes", "edges"):
            name = getattr(scheme, attribute)
            if name not in kind.children:
                faults.error(
                    f"the KineticScheme {scheme.name!r} of {kind.name!r} has the {attribute} "
                    f"{name!r}, and the type has no Children of that name",
                    at(scheme.place, attribute),
                    did_you_mean(name, kind.children),
                )


def _selected(
    kind: ComponentType,
    variable: DerivedVariable,
    types: Mapping[str, ComponentType],
    faults: Faults,
    at: At,
) -> None:
    """Note a list that the type does not have, and what it selects of another dimension."""
    first, _, rest = (variable.select or "").partition("/")
    name, bracket, _ = first.partition("[")
    if bracket and name not in (*kind.children, *kind.attachments, *kind.child):
        faults.error(
            f"{variable.name!r} of {kind.name!r} selects from {name!r}, and the type has no "
            "Children or Attachments of that name",
            at(variable.place, "select"),
            did_you_mean(name, (*kind.children, *kind.attachments)),
        )
        return
    slot = next((s[name] for s in (kind.child, kind.children, kind.attachments) if name in s), None)
    found = types.get(slot.type) if slot is not None else None
    exposed: Dimension | None = None
    if found is not None and rest in found.exposures:
        exposed = found.exposures[rest].dimension
    if variable.reduce != "multiply" and exposed is not None:
        wanted = variable.dimension
        if wanted is not None and wanted != exposed:
            faults.error(
                f"{variable.name!r} of {kind.name!r} selects {rest!r}, which has "
                f"{describe(exposed)}, but {describe(wanted)} is needed",
                at(variable.place, "select"),
            )
