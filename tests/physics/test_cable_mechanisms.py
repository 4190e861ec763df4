"""What may lie on a membrane, against the same equations written out and solved by scipy.

A soma and a dendrite of one compartment each, a pulse into the dendrite: every form of density,
species with their models of concentration, temperature. The formulas are those of NeuroML 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log, pi, sqrt

import numpy as np
import pytest
from cables import driven, leak, model, section, segment
from lemsmith.runner.pipeline import run

GAS, FARADAY, ALMOST_PI = 8.3144621, 96485.3, 3.14159
KELVIN = 305.15
AREA = np.array([pi * 20 * 20, pi * 2 * 100]) * 1e-12
AXIAL = 1 / (1.0 * (10e-6 / (pi * 10e-6**2) + 50e-6 / (pi * 1e-6**2)))
SHAPE = (
    segment(0, None, (0.0, 0.0, 0.0, 20.0), (20.0, 0.0, 0.0, 20.0))
    + segment(1, 0, (20.0, 0.0, 0.0, 2.0), (120.0, 0.0, 0.0, 2.0))
    + section("soma", [0], 1)
    + section("dend", [1], 1)
)
CHANNEL = """
<ionChannelHH id="chan" conductance="10pS"><gateHHtauInf id="m" instances="2">{q10}
<timeCourse type="fixedTimeCourse" tau="3ms"/>
<steadyState type="{kind}" rate="1" midpoint="-45mV" scale="9mV"/></gateHHtauInf></ionChannelHH>
<ComponentType name="shifted" extends="baseHHVariable"><Requirement name="vShift"
 dimension="voltage"/><Dynamics><DerivedVariable name="x" dimension="none" exposure="x"
 value="rate / (1 + exp((midpoint - (v - vShift)) / scale))"/></Dynamics></ComponentType>
"""
#: Pools of our own: one whose outside is emptied, and one that is filled by the second calcium.
POOLS = """
<decayingPoolConcentrationModel id="shell" restingConc="1e-4 mM" decayConstant="5 ms"
 shellThickness="0.2 um" ion="ca"/>
<fixedFactorConcentrationModel id="factor" restingConc="1e-4 mM" decayConstant="8 ms"
 rho="1 mol_per_m_per_A_per_s" ion="ca"/>
<ComponentType name="bothSides" extends="concentrationModel">
<Parameter name="tau" dimension="time"/><Parameter name="rho" dimension="rho_factor"/>
<Requirement name="iCa" dimension="current"/>
<Dynamics><StateVariable name="concentration" exposure="concentration" dimension="concentration"/>
<StateVariable name="extConcentration" exposure="extConcentration" dimension="concentration"/>
<TimeDerivative variable="concentration"
 value="(iCa / surfaceArea) * rho - (concentration - initialConcentration) / tau"/>
<TimeDerivative variable="extConcentration" value="-100 * (iCa / surfaceArea) * rho"/>
<OnStart><StateAssignment variable="concentration" value="initialConcentration"/>
<StateAssignment variable="extConcentration" value="initialExtConcentration"/></OnStart>
</Dynamics></ComponentType>
<bothSides id="sides" tau="6 ms" rho="2 mol_per_m_per_A_per_s" ion="ca"/>
<ComponentType name="secondPool" extends="concentrationModel">
<Parameter name="tau" dimension="time"/><Parameter name="rho" dimension="rho_factor"/>
<Requirement name="iCa2" dimension="current"/>
<Dynamics><StateVariable name="concentration" exposure="concentration" dimension="concentration"/>
<StateVariable name="extConcentration" exposure="extConcentration" dimension="concentration"/>
<TimeDerivative variable="concentration"
 value="(iCa2 / surfaceArea) * rho - (concentration - initialConcentration) / tau"/>
<OnStart><StateAssignment variable="concentration" value="initialConcentration"/>
<StateAssignment variable="extConcentration" value="initialExtConcentration"/></OnStart>
</Dynamics></ComponentType>
<secondPool id="second" tau="4 ms" rho="3 mol_per_m_per_A_per_s" ion="ca2"/>
"""


@dataclass(frozen=True)
class Case:
    """A mechanism: its text, and what it makes of (v, f_open, inside, outside)."""

    density: str
    pool: str = ""
    q10: str = ""
    kind: str = "HHSigmoidVariable"
    midpoint: float = -0.045
    pace: float = 1.0
    ion: str = "ca"


def ghk(v, f, inside, outside):
    k = 2 * FARADAY / (GAS * KELVIN)
    flux = (inside - outside * exp(-k * v)) / (1 - exp(-k * v))
    return -f * 2e-7 * 2 * FARADAY * k * v * flux


def ghk2(v, f, inside, outside):
    unit = 25 * KELVIN / (293.15 * 2) * 1e-3
    return (
        20.0 * f * unit * (1 - inside / outside * exp(v / unit)) * (v / unit) / (exp(v / unit) - 1)
    )


def nernst(v, f, inside, outside):
    return 5.0 * f * (GAS * KELVIN / (2 * FARADAY) * log(outside / inside) - v)


def ohmic(v, f, inside, outside):
    return 5.0 * f * (0.05 - v)


def shell(i, c, area):
    radius = sqrt(area / (4 * ALMOST_PI))
    volume = 4 / 3 * ALMOST_PI * (radius**3 - (radius - 0.2e-6) ** 3)
    return i / (2 * FARADAY * volume) - (c - 1e-4) / 5e-3, 0.0


def factor(i, c, area):
    return i / area - (c - 1e-4) / 8e-3, 0.0


def sides(i, c, area):
    return 2 * i / area - (c - 1e-4) / 6e-3, -200 * i / area


def second(i, c, area):
    return 3 * i / area - (c - 1e-4) / 4e-3, 0.0


DENSITY = '<channelDensity{} id="d" ionChannel="chan" ion="{}" {}/>'
CONDUCTANCE = 'condDensity="5 S_per_m2"'
OHMIC = DENSITY.format("", "ca", CONDUCTANCE + ' erev="50 mV"')
TEN_DEGREES = '<q10Settings type="q10ExpTemp" q10Factor="3" experimentalTemp="22degC"/>'
CASES = {
    "GHK": (Case(DENSITY.format("GHK", "ca", 'permeability="2e-7 m_per_s"'), "shell"), ghk, shell),
    "GHK2": (
        Case(DENSITY.format("GHK2", "ca", 'condDensity="20 S_per_m2"'), "shell"),
        ghk2,
        shell,
    ),
    "Nernst, a shell": (Case(DENSITY.format("Nernst", "ca", CONDUCTANCE), "shell"), nernst, shell),
    "Nernst, a factor": (
        Case(DENSITY.format("Nernst", "ca", CONDUCTANCE), "factor"),
        nernst,
        factor,
    ),
    "Nernst, both sides": (
        Case(DENSITY.format("Nernst", "ca", CONDUCTANCE), "sides"),
        nernst,
        sides,
    ),
    "Nernst, second calcium": (
        Case(DENSITY.format("NernstCa2", "ca2", CONDUCTANCE), "second", ion="ca2"),
        nernst,
        second,
    ),
    "shifted": (
        Case(
            DENSITY.format("VShift", "ca", CONDUCTANCE + ' erev="50 mV" vShift="7 mV"'),
            kind="shifted",
            midpoint=-0.038,
        ),
        ohmic,
        None,
    ),
    "ten degrees warmer": (Case(OHMIC, q10=TEN_DEGREES, pace=3.0), ohmic, None),
    "fixed speed": (
        Case(OHMIC, q10='<q10Settings type="q10Fixed" fixedQ10="1.7"/>', pace=1.7),
        ohmic,
        None,
    ),
}


def measured(case: Case, **options):
    """Return times and, by row, potentials and concentrations of soma and dendrite."""
    pulse, network = driven("0.05 nA", 1, 0.5, delay="2 ms", duration="10 ms")
    conc = "caConc2" if case.ion == "ca2" else "caConc"
    columns = [f"p/0/c/{n}/v" for n in (0, 1)]
    if case.pool:
        columns += [f"p/0/c/{n}/{conc}" for n in (0, 1)]
    extra = pulse + CHANNEL.format(q10=case.q10, kind=case.kind) + POOLS
    text = model(
        SHAPE, case.density + leak(), network, columns, extra=extra, length="30 ms", step="0.01 ms"
    )
    text = text.replace(
        '<network id="net">',
        '<network id="net" type="networkWithTemperature" temperature="32degC">',
    )
    if case.pool:
        species = (
            f'<species id="{case.ion}" ion="{case.ion}" concentrationModel="{case.pool}" '
            'initialConcentration="1e-4 mM" initialExtConcentration="2 mM"/>'
        )
        text = text.replace("<intracellularProperties>", "<intracellularProperties>" + species)
    if case.ion == "ca2":
        text = text.replace('<cell id="c">', '<cell2CaPools id="c">')
        text = text.replace("</cell>", "</cell2CaPools>")
        for name in ("biophysicalProperties", "membraneProperties", "intracellularProperties"):
            text = text.replace(f"<{name}", f"<{name}2CaPools")
            text = text.replace(f"</{name}", f"</{name}2CaPools")
    found = run(text, **options)
    return found.time, np.array([found.trace(c).values for c in columns])


def expected(case: Case, current, pool, times):
    """Return the same rows from the equations as they are written down here."""
    from scipy.integrate import solve_ivp

    def open_at_rest(v):
        return 1 / (1 + exp((case.midpoint - v) / 0.009))

    def rates(t, y):
        v, m, inside, outside = y[0:2], y[2:4], y[4:6], y[6:8]
        found = np.zeros(8)
        for n in (0, 1):
            density = current(v[n], m[n] ** 2, inside[n], outside[n])
            total = AREA[n] * (density + 3.0 * (-0.065 - v[n])) + AXIAL * (v[1 - n] - v[n])
            if n == 1 and 2e-3 <= t < 12e-3:
                total += 0.05e-9
            found[n] = total / (AREA[n] * 0.01)
            found[2 + n] = case.pace * (open_at_rest(v[n]) - m[n]) / 3e-3
            if pool:
                found[4 + n], found[6 + n] = pool(density * AREA[n], inside[n], AREA[n])
        return found

    y = np.array([-0.065, -0.065, *[open_at_rest(-0.065)] * 2, 1e-4, 1e-4, 2.0, 2.0])
    rows = [y[:, None]]
    for start, end in ((0.0, 2e-3), (2e-3, 12e-3), (12e-3, times[-1])):
        at = times[(times > start + 1e-9) & (times < end + 1e-9)]
        at[-1] = end
        # Up to just before a switch, so that a step does not look past it.
        done = solve_ivp(
            lambda t, y, s=start, e=end: rates(min(max(t, s), e - 1e-12), y),
            (start, end),
            y,
            "LSODA",
            at,
            rtol=1e-9,
            atol=1e-12,
        )
        y = done.y[:, -1]
        rows.append(done.y)
    found = np.hstack(rows)
    return found[[0, 1, 4, 5]] if pool else found[:2]


@pytest.mark.parametrize("name", CASES)
def test_a_mechanism_does_what_its_equations_say(name):
    pytest.importorskip("scipy")
    case, current, pool = CASES[name]
    times, ours = measured(case)
    theirs = expected(case, current, pool, times)
    spread = np.ptp(theirs, axis=1)
    assert (spread[:2] > 5e-3).all()
    assert (np.abs(ours - theirs).max(axis=1) < 2e-4 * spread).all()
