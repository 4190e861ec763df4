"""Quantities as people write them, "10 mV" or "10mV", in SI."""

from __future__ import annotations

import math
from collections.abc import Mapping

from ..errors import Faults, Place, did_you_mean
from .units import NONE, Dimension, Unit, split_quantity


def read_quantity(
    text: str,
    dimension: Dimension | None,
    units: Mapping[str, Unit],
    faults: Faults,
    place: Place | None,
) -> float | None:
    """Return a quantity's text in SI; None, with a fault noted, where it does not fit."""
    try:
        number, symbol = split_quantity(text)
    except ValueError as error:
        faults.error(str(error), place, "write a number and a unit, for instance '10 mV'")
        return None
    if not math.isfinite(number):
        faults.error(f"{text.strip()[:40]!r} is no finite number", place)
        return None
    if not symbol:
        if dimension is not None and dimension != NONE and number != 0:
            faults.error(
                f"{text.strip()!r} has no unit, but the dimension of {dimension} is needed",
                place,
                "add a unit: " + ", ".join(units_of(dimension, units)),
            )
            return None
        return number
    unit = units.get(symbol)
    if unit is None:
        near = did_you_mean(symbol, units)
        fitting = units_of(dimension, units) if dimension is not None else []
        hint = near or ("units that fit: " + ", ".join(fitting) if fitting else None)
        faults.error(f"no unit is called {symbol[:40]!r}", place, hint)
        return None
    if dimension is not None and unit.dimension != dimension:
        fitting_text = ", ".join(units_of(dimension, units)) or "none at all (a plain number)"
        faults.error(
            f"the unit {symbol!r} measures {unit.dimension}, but {dimension} is needed",
            place,
            f"units that fit: {fitting_text}",
        )
        return None
    return unit.si(number)


def units_of(dimension: Dimension, units: Mapping[str, Unit]) -> list[str]:
    """Return the symbols of the units that measure `dimension`, a dozen at most."""
    return [unit.symbol for unit in units.values() if unit.dimension == dimension][:12]
