"""Models of any size as text: cells, networks and cables, for `gpu.py` and `regressions.py`."""

from __future__ import annotations

from random import Random

#: Cells of the network that is enlarged; the least size of any case.
FEW = 20

#: Cells whose spikes are recorded, at most: they stand for all.
HEARD = 1000

HEAD = """<Lems><Target component="sim"/>
<Include file="Cells.xml"/><Include file="Networks.xml"/><Include file="Simulation.xml"/>"""

CHANNELS = """<ionChannelHH id="na" conductance="10pS" species="na">
<gateHHrates id="m" instances="3">
<forwardRate type="HHExpLinearRate" rate="1per_ms" midpoint="-40mV" scale="10mV"/>
<reverseRate type="HHExpRate" rate="4per_ms" midpoint="-65mV" scale="-18mV"/></gateHHrates>
<gateHHrates id="h" instances="1">
<forwardRate type="HHExpRate" rate="0.07per_ms" midpoint="-65mV" scale="-20mV"/>
<reverseRate type="HHSigmoidRate" rate="1per_ms" midpoint="-35mV" scale="10mV"/></gateHHrates>
</ionChannelHH>
<ionChannelHH id="k" conductance="10pS" species="k"><gateHHrates id="n" instances="4">
<forwardRate type="HHExpLinearRate" rate="0.1per_ms" midpoint="-55mV" scale="10mV"/>
<reverseRate type="HHExpRate" rate="0.125per_ms" midpoint="-65mV" scale="-80mV"/></gateHHrates>
</ionChannelHH>
<ionChannelPassive id="pas" conductance="10pS"/>"""

HH = f"""{CHANNELS}
<pointCellCondBased id="cell" C="10pF" v0="-60mV" thresh="20mV">
<channelPopulation id="nas" ionChannel="na" number="120000" erev="50mV"/>
<channelPopulation id="ks" ionChannel="k" number="36000" erev="-77mV"/>
<channelPopulation id="leak" ionChannel="pas" number="300" erev="-54.3mV"/>
</pointCellCondBased>"""

IZHIKEVICH = """<izhikevich2007Cell id="cell" v0="-60mV" C="100pF" k="0.7nS_per_mV" vr="-60mV"
 vt="-40mV" vpeak="35mV" a="0.03per_ms" b="-2nS" c="-50mV" d="100pA"/>
<spikeGeneratorPoisson id="poisson" averageRate="20Hz"/>
<expOneSynapse id="fast" gbase="0.02nS" erev="0mV" tauDecay="5ms"/>
<expOneSynapse id="strong" gbase="20nS" erev="0mV" tauDecay="5ms"/>"""

#: Brette et al. (2007), benchmark 3: cells of Traub and Miles, excitation and inhibition.
COBAHH = """<ionChannelPassive id="pas" conductance="10pS"/>
<ionChannelHH id="na" conductance="10pS" species="na"><gateHHrates id="m" instances="3">
<forwardRate type="HHExpLinearRate" rate="1.28per_ms" midpoint="-50mV" scale="4mV"/>
<reverseRate type="HHExpLinearRate" rate="1.4per_ms" midpoint="-23mV" scale="-5mV"/></gateHHrates>
<gateHHrates id="h" instances="1">
<forwardRate type="HHExpRate" rate="0.128per_ms" midpoint="-46mV" scale="-18mV"/>
<reverseRate type="HHSigmoidRate" rate="4per_ms" midpoint="-23mV" scale="5mV"/></gateHHrates>
</ionChannelHH>
<ionChannelHH id="k" conductance="10pS" species="k"><gateHHrates id="n" instances="4">
<forwardRate type="HHExpLinearRate" rate="0.16per_ms" midpoint="-48mV" scale="5mV"/>
<reverseRate type="HHExpRate" rate="0.5per_ms" midpoint="-53mV" scale="-40mV"/></gateHHrates>
</ionChannelHH>
<pointCellCondBased id="cell" C="200pF" v0="-65mV" thresh="-20mV">
<channelPopulation id="nas" ionChannel="na" number="2000000" erev="50mV"/>
<channelPopulation id="ks" ionChannel="k" number="600000" erev="-90mV"/>
<channelPopulation id="leak" ionChannel="pas" number="1000" erev="-65mV"/></pointCellCondBased>
<expOneSynapse id="exc" gbase="6nS" erev="0mV" tauDecay="5ms"/>
<expOneSynapse id="inh" gbase="67nS" erev="-80mV" tauDecay="10ms"/>
<pulseGenerator id="pulse" delay="0ms" duration="50ms" amplitude="1nA"/>"""


def model(parts: str, network: str, heard: int, step: str, quantity: str = "cells[0]/v") -> str:
    """Return a document that records a potential and the spikes of the first cells."""
    events = "".join(
        f'<EventSelection id="{n}" select="cells[{n}]" eventPort="spike"/>'
        for n in range(min(heard, HEARD))
    )
    file = f'<EventOutputFile id="e" fileName="s.dat" format="TIME_ID">{events}</EventOutputFile>'
    return f"""{HEAD}{parts}<network id="net">{network}</network>
<Simulation id="sim" length="1s" step="{step}" target="net"><OutputFile id="o" fileName="v.dat">
<OutputColumn id="v" quantity="{quantity}"/></OutputFile>{file if heard else ""}
</Simulation></Lems>"""


def hh(cells: int) -> str:
    """Return Hodgkin-Huxley cells that nothing connects."""
    population = f'<population id="cells" component="cell" size="{cells}"/>'
    return model(HH, population, 0, "0.025ms")


def izhikevich(cells: int) -> str:
    """Return Izhikevich cells, each with a Poisson input and one synapse onto the next cell."""
    ring = "".join(
        f'<connectionWD id="{n}" preCellId="../cells[{n}]" '
        f'postCellId="../cells[{(n + 1) % cells}]" weight="1" delay="1ms"/>'
        for n in range(cells)
    )
    driven = "".join(
        f'<connection id="{n}" preCellId="../inputs[{n}]" postCellId="../cells[{n}]"/>'
        for n in range(cells)
    )
    network = (
        f'<population id="cells" component="cell" size="{cells}"/>'
        f'<population id="inputs" component="poisson" size="{cells}"/>'
        '<projection id="p" presynapticPopulation="cells" postsynapticPopulation="cells" '
        f'synapse="fast">{ring}</projection>'
        '<projection id="q" presynapticPopulation="inputs" postsynapticPopulation="cells" '
        f'synapse="strong">{driven}</projection>'
    )
    return model(IZHIKEVICH, network, cells, "0.1ms")


def cobahh(cells: int, fan_out: int) -> str:
    """Return four excitatory cells for every inhibitory one, connected at random."""
    draw = Random(1)
    parts = [f'<population id="cells" component="cell" size="{cells}"/>']
    border = cells * 4 // 5
    for kind, sources in (("exc", range(border)), ("inh", range(border, cells))):
        lines = "".join(
            f'<connectionWD id="{pre * fan_out + n}" preCellId="../cells[{pre}]" '
            f'postCellId="../cells[{post}]" weight="1" delay="0.5ms"/>'
            for pre in sources
            for n, post in enumerate(draw.sample(range(cells), fan_out))
        )
        parts.append(
            f'<projection id="{kind}s" presynapticPopulation="cells" '
            f'postsynapticPopulation="cells" synapse="{kind}">{lines}</projection>'
        )
    inputs = "".join(
        f'<inputW id="{n}" target="../cells[{n}]" destination="synapses" '
        f'weight="{draw.random():.6f}"/>'
        for n in range(cells)
    )
    parts.append(f'<inputList id="in" population="cells" component="pulse">{inputs}</inputList>')
    return model(COBAHH, "".join(parts), cells, "0.05ms")


def cables(cells: int) -> str:
    """Return cells of a soma and three dendrites of 33 compartments, channels on all of them."""
    segments = [
        (
            '<segment id="0"><proximal x="0" y="0" z="0" diameter="16"/>'
            '<distal x="16" y="0" z="0" diameter="16"/></segment>'
        )
    ]
    groups = [
        '<segmentGroup id="g0" neuroLexId="sao864921383"><member segment="0"/></segmentGroup>'
    ]
    for n, (x, y) in enumerate(((400, 0), (300, 300), (300, -300)), start=1):
        segments.append(
            f'<segment id="{n}"><parent segment="0"/><proximal x="16" y="0" z="0" diameter="3"/>'
            f'<distal x="{x}" y="{y}" z="0" diameter="1"/></segment>'
        )
        groups.append(
            f'<segmentGroup id="g{n}" neuroLexId="sao864921383">'
            f'<property tag="numberInternalDivisions" value="33"/><member segment="{n}"/>'
            "</segmentGroup>"
        )
    densities = "".join(
        f'<channelDensity id="{name}s" ionChannel="{name}" condDensity="{value} mS_per_cm2" '
        f'erev="{erev} mV" ion="{ion}"/>'
        for name, value, erev, ion in (
            ("na", 120, 50, "na"),
            ("k", 36, -77, "k"),
            ("pas", 0.3, -54.3, "non_specific"),
        )
    )
    cell = f"""<cell id="cell"><morphology id="shape">{"".join(segments)}{"".join(groups)}
</morphology><biophysicalProperties id="biophys"><membraneProperties>{densities}
<spikeThresh value="0 mV"/><specificCapacitance value="1 uF_per_cm2"/>
<initMembPotential value="-60 mV"/></membraneProperties>
<intracellularProperties><resistivity value="100 ohm_cm"/></intracellularProperties>
</biophysicalProperties></cell>"""
    population = f'<population id="cells" component="cell" size="{cells}"/>'
    return model(CHANNELS + cell, population, 0, "0.025ms", "cells/0/cell/0/v")
