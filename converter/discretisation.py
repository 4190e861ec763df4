"""How finely cells are cut, as the user chooses it.

export          numberInternalDivisions of each section, as the export to NEURON does
d_lambda[=F]    compartments of at most F (0.1) of the length constant at 100 Hz
                (Hines and Carnevale 2001)
refine=N        N times (odd) as many as the export's
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import UsageError

if TYPE_CHECKING:
    from .compartments import Rule

FORMS = "export, d_lambda, d_lambda=FRACTION and refine=N"


@dataclass(frozen=True, slots=True)
class Discretisation:
    """A rule for the number of compartments of a section, and by how much it is multiplied."""

    rule: Rule = "neuron"
    fraction: float = 0.1
    refine: int = 1


#: As NEURON's export cuts cells.
EXPORT = Discretisation()


def discretisation_of(text: str) -> Discretisation:
    """Return what `text` asks for; raises `UsageError`.

    >>> discretisation_of("d_lambda=0.05")
    Discretisation(rule='d_lambda', fraction=0.05, refine=1)
    """
    name, equals, value = text.strip().partition("=")
    try:
        if text.strip() == "export":
            return EXPORT
        if name == "d_lambda":
            fraction = float(value) if equals else 0.1
            if not (fraction > 0 and math.isfinite(fraction)):
                raise UsageError(f"d_lambda is a fraction above zero, not {value}")
            return Discretisation("d_lambda", fraction)
        if name == "refine" and equals:
            refine = int(value)
            if refine < 1 or refine % 2 == 0:
                raise UsageError(
                    f"refine is an odd number, so that what lies at a compartment's centre stays "
                    f"there, not {value}"
                )
            return Discretisation(refine=refine)
    except ValueError:
        raise UsageError(f"{value!r} in --discretise {text} is no number") from None
    raise UsageError(f"no discretisation is called {text!r}; there are {FORMS}")
