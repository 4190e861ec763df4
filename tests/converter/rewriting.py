"""Models written differently: other units, order, layout; the same model all the same."""

from __future__ import annotations

import re
from decimal import Decimal
from random import Random

from lxml import etree

#: Units of one dimension, each with its power of ten.
UNITS = (
    {"mV": -3, "V": 0},
    {"ms": -3, "s": 0},
    {"per_ms": 3, "per_s": 0},
    {"pS": -12, "nS": -9, "uS": -6, "mS": -3, "S": 0},
    {"pF": -12, "nF": -9, "uF": -6, "F": 0},
    {"pA": -12, "nA": -9, "uA": -6, "A": 0},
    {"S_per_m2": 0, "mS_per_cm2": 1, "S_per_cm2": 4},
    {"uF_per_cm2": -2, "F_per_m2": 0},
    {"ohm_cm": -2, "kohm_cm": 1, "ohm_m": 0},
)
QUANTITY = re.compile(r"\s*([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)\s*([A-Za-z_][A-Za-z_0-9]*)\s*")

#: Elements whose children are columns or statements: their order means something.
ORDERED = {"OutputFile", "Lems", "OnStart", "OnEvent", "OnEntry", "OnCondition", "Structure",
           "Simulation", "ConditionalDerivedVariable", "Dynamics"}  # fmt: skip


def rewritten(text: str, random: Random) -> str:
    """Return a model's text with units, order of attributes and elements, and layout changed."""
    root = etree.fromstring(text.encode())
    for element in list(root.iter(etree.Element)):
        attributes = list(element.attrib.items())
        random.shuffle(attributes)
        element.attrib.clear()
        for name, value in attributes:
            element.set(name, other_unit(value, random) if name != "id" else value)
        if etree.QName(element).localname not in ORDERED:
            children = list(element)
            random.shuffle(children)
            element[:] = children
        element.tail = random.choice(["", "\n", "\n\n    ", "\t"])
        if len(element):
            element.text = random.choice(["", "\n", "  "])
        if random.random() < 0.2:
            element.addnext(etree.Comment(" said by the way "))
    return etree.tostring(root, encoding="unicode")


def other_unit(text: str, random: Random) -> str:
    """Return a quantity in another unit of its dimension; other text as it is."""
    found = QUANTITY.fullmatch(text)
    units = next((of for of in UNITS if found and found[2] in of), None)
    if found is None or units is None:
        return text
    unit = random.choice(list(units))
    number = Decimal(found[1]).scaleb(units[found[2]] - units[unit])
    space = random.choice(["", " "])
    return f"{random.choice([str(number), f'{number:.17E}'])}{space}{unit}"
