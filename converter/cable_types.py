"""What a compartment and a spike detector are, as component types.

A compartment does for its piece of membrane what the type `cell` does for a whole cell of one
segment: it adds up the currents of channels and of what is attached, and shows v, caConc and
their like to whatever hangs below it. Its potential has no TimeDerivative: the cable advances
it from the current `iMemb`.
"""

from __future__ import annotations

from dataclasses import replace

from ..errors import Place
from .expressions import parse
from .model import (
    Actions,
    Assignment,
    ComponentType,
    DerivedVariable,
    Dynamics,
    Model,
    OnCondition,
    Port,
    Quantity,
    Slot,
    StateVariable,
)
from .units import NONE

#: Exposed sums: name, dimension, path, list.
COLLECTED = (
    ("iDensityTotal", "currentDensity", "channelDensities[*]/iDensity"),
    ("iPopulations", "current", "populations[*]/i"),
    ("iSyn", "current", "synapses[*]/i"),
    ("iDensityCa", "currentDensity", "channelDensities[ion='ca']/iDensity"),
    ("iPopulationsCa", "current", "populations[ion='ca']/i"),
    ("iDensityCa2", "currentDensity", "channelDensities[ion='ca2']/iDensity"),
    ("iPopulationsCa2", "current", "populations[ion='ca2']/i"),
    ("caConc", "concentration", "speciesList[ion='ca']/concentration"),
    ("caConcExt", "concentration", "speciesList[ion='ca']/extConcentration"),
    ("caConc2", "concentration", "speciesList[ion='ca2']/concentration"),
    ("caConcExt2", "concentration", "speciesList[ion='ca2']/extConcentration"),
)

VALUES = (
    ("iChannels", "current", "iPopulations + iDensityTotal * surfaceArea"),
    ("iCa", "current", "iPopulationsCa + iDensityCa * surfaceArea"),
    ("iCa2", "current", "iPopulationsCa2 + iDensityCa2 * surfaceArea"),
    ("iMemb", "current", "iChannels + iSyn"),
)

PARAMETERS = (
    ("surfaceArea", "area"),
    ("totSpecCap", "specificCapacitance"),
    ("initMembPot", "voltage"),
)

#: What varies along a group, and the type whose equations hold at each place of it.
UNIFORM = {
    "channelDensityNonUniform": "channelDensity",
    "channelDensityNonUniformNernst": "channelDensityNernst",
    "channelDensityNonUniformGHK": "channelDensityGHK",
}


def compartment_type(model: Model, place: Place) -> ComponentType:
    """Return the type of the compartments of a cell that stands at `place`."""
    known = model.dimensions
    exposures = {
        name: Quantity(name, known.get(dimension), place)
        for name, dimension, _ in (*COLLECTED, *VALUES)
    }
    exposures["v"] = Quantity("v", known.get("voltage"), place)
    derived = [
        DerivedVariable(
            name, known.get(dimension), name, place, select=path, reduce="add", required=False
        )
        for name, dimension, path in COLLECTED
    ]
    derived += [
        DerivedVariable(name, known.get(dimension), name, place, value=parse(text))
        for name, dimension, text in VALUES
    ]
    start = Actions((Assignment("v", parse("initMembPot"), place),))
    return ComponentType(
        name="compartment",
        place=place,
        packaged=True,
        parameters={n: Quantity(n, known.get(dimension), place) for n, dimension in PARAMETERS},
        exposures=exposures,
        attachments={"synapses": Slot("synapses", "basePointCurrent", place)},
        dynamics=Dynamics(
            place,
            state_variables=(StateVariable("v", known.get("voltage"), "v", place),),
            derived_variables=tuple(derived),
            on_start=(start,),
        ),
    )


def detector_type(model: Model, place: Place) -> ComponentType:
    """Return the type of what watches the potential of a compartment for spikes."""
    voltage = model.dimensions.get("voltage")
    crossed = Actions((Assignment("spiking", parse("1"), place),), (("spike", place),))
    below = Actions((Assignment("spiking", parse("0"), place),))
    return ComponentType(
        name="spikeDetector",
        place=place,
        packaged=True,
        parameters={"thresh": Quantity("thresh", voltage, place)},
        exposures={"spiking": Quantity("spiking", NONE, place)},
        requirements={"v": Quantity("v", voltage, place)},
        ports={"spike": Port("spike", "out", place)},
        dynamics=Dynamics(
            place,
            state_variables=(StateVariable("spiking", NONE, "spiking", place),),
            on_start=(below,),
            on_conditions=(
                OnCondition(parse("(v .gt. thresh) .and. (spiking .lt. 0.5)"), crossed, place),
                OnCondition(parse("v .lt. thresh"), below, place),
            ),
        ),
    )


def structure_only(kind: ComponentType) -> ComponentType:
    """Return the type of a cell whose equations are those of its compartments."""
    return replace(kind, dynamics=None, structure=())
