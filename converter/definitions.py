"""Dimensions, units and constants that a document defines for all of its types."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction

from ..errors import Faults, Place, did_you_mean
from .document import Element
from .evaluate import UnknownName, evaluate
from .expressions import ExpressionError, parse
from .model import ConstantValue
from .quantities import read_quantity
from .units import BASES, NONE, Dimension, Unit

Locate = Callable[[Element, str], Place]

#: Powers of ten beyond which a unit is a mistake: a double ends at 308.
POWER_LIMIT = 300


def read_dimensions(elements: Iterable[Element], faults: Faults) -> dict[str, Dimension]:
    """Return the dimensions that `elements` define, by name."""
    found: dict[str, Dimension] = {"none": NONE}
    for element in elements:
        if element.tag != "Dimension" or element.get("name") is None:
            continue
        try:
            exponents = tuple(Fraction(element.get(base) or "0") for base in BASES)
        except (ValueError, ZeroDivisionError):
            faults.error("a Dimension's exponents are whole numbers", element.place)
            continue
        name, value = element.attributes["name"], Dimension(exponents)
        if found.get(name, value) != value:
            faults.error(f"the dimension {name!r} is defined twice, differently", element.place)
        found[name] = value
    return found


def read_units(
    elements: Iterable[Element], dimensions: Mapping[str, Dimension], faults: Faults
) -> dict[str, Unit]:
    """Return the units that `elements` define, by symbol."""
    found: dict[str, Unit] = {}
    for element in elements:
        symbol, name = element.get("symbol"), element.get("dimension")
        if element.tag != "Unit" or symbol is None or name is None:
            continue
        if name not in dimensions:
            faults.error(
                f"no dimension is called {name!r}", element.place, did_you_mean(name, dimensions)
            )
            continue
        try:
            unit = Unit(
                symbol,
                dimensions[name],
                int(element.get("power") or 0),
                float(element.get("scale") or 1),
                float(element.get("offset") or 0),
            )
        except ValueError:
            faults.error(
                f"the Unit {symbol!r} has a power, scale or offset that is no number",
                element.place,
            )
            continue
        if abs(unit.power) > POWER_LIMIT:
            faults.error(f"the Unit {symbol!r} has a power of ten out of range", element.place)
            continue
        if found.get(symbol, unit) != unit:
            faults.error(f"the unit {symbol!r} is defined twice, differently", element.place)
        found[symbol] = unit
    return found


def read_constants(
    elements: Iterable[Element],
    dimensions: Mapping[str, Dimension],
    units: Mapping[str, Unit],
    faults: Faults,
    locate: Locate,
) -> dict[str, ConstantValue]:
    """Return the constants that `elements` define for every type, by the name to use.

    Where a constant has a symbol, that is what expressions say and `name` are words for
    people. An expression may use constants before it.
    """
    found: dict[str, ConstantValue] = {}
    for element in elements:
        name = element.get("symbol") or element.get("name")
        if element.tag != "Constant" or name is None or element.get("value") is None:
            continue
        wanted = element.get("dimension") or "none"
        if wanted not in dimensions:
            faults.error(
                f"no dimension is called {wanted!r}",
                locate(element, "dimension"),
                did_you_mean(wanted, dimensions),
            )
            continue
        value = constant_value(
            element, dimensions[wanted], units, found, faults, locate(element, "value")
        )
        if value is not None:
            found[name] = ConstantValue(name, dimensions[wanted], value, element.place)
    return found


def constant_value(
    element: Element,
    dimension: Dimension | None,
    units: Mapping[str, Unit],
    known: Mapping[str, ConstantValue],
    faults: Faults,
    place: Place,
) -> float | None:
    """Return a Constant's value in SI: a quantity, a bare number (SI), or an expression.

    Unlike a parameter's, a constant's bare number is a magnitude in SI whatever its
    dimension; text with `*` or `/` is an expression of other constants.
    """
    text = element.attributes["value"]
    if "*" not in text and "/" not in text:
        try:
            return float(text)
        except ValueError:
            return read_quantity(text, dimension, units, faults, place)
    try:
        tree = parse(text)
        return float(evaluate(tree, {name: constant.value for name, constant in known.items()}))
    except ExpressionError as fault:
        faults.error(
            f"value of Constant is no expression: {fault.message}",
            Place(place.file, place.line, place.column + fault.column),
        )
    except UnknownName as unknown:
        faults.error(
            f"a Constant uses {str(unknown)!r}, which is no constant defined before it",
            place,
            did_you_mean(str(unknown), known),
        )
    return None
