"""Models small enough to read, large enough to have what networks have.

Each is the text of a document; `NETWORKS` names them. They hold enough instances that a
backend which takes many at once does so.
"""

from __future__ import annotations

import random

SIZE = 40

DOCUMENT = """<Lems>
<Target component="sim"/>
<Include file="NeuroML2CoreTypes.xml"/>
<Include file="Simulation.xml"/>
{parts}
<Simulation id="sim" length="{length}" step="{step}" target="net" seed="7">
<OutputFile id="of" fileName="out.dat">
{columns}
</OutputFile>
<EventOutputFile id="ev" fileName="out.spikes" format="ID_TIME">
{events}
</EventOutputFile>
</Simulation>
</Lems>
"""


def document(
    parts: str,
    columns: list[str],
    events: list[tuple[str, str]] | None = None,
    length: str = "20ms",
    step: str = "0.1ms",
) -> str:
    """Return a document that records `columns` and `events`, pairs of a path and a port."""
    return DOCUMENT.format(
        parts=parts,
        length=length,
        step=step,
        columns="\n".join(
            f'<OutputColumn id="c{n}" quantity="{path}"/>' for n, path in enumerate(columns)
        ),
        events="\n".join(
            f'<EventSelection id="{n}" select="{path}" eventPort="{port}"/>'
            for n, (path, port) in enumerate(events or [])
        ),
    )


#: The channels of the squid axon (Hodgkin and Huxley 1952): "na", "k" and a leak, "pas".
SQUID = """
<ionChannelHH id="na" conductance="10pS" species="na"><gateHHrates id="m" instances="3">
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
<ionChannelPassive id="pas" conductance="10pS"/>
"""


def chain_channel(opening: str, closing: str) -> str:
    """Return a channel "k" of four states in a chain, c1 - c2 - o - i.

    The rates of its middle are texts with a unit; those of its ends are 2 and 1, 0.1 and 0.02
    per ms.
    """
    rates = (
        ("c1", "c2", "2per_ms", "1per_ms"),
        ("c2", "o", opening, closing),
        ("o", "i", "0.1per_ms", "0.02per_ms"),
    )
    transitions = "".join(
        f'<{way}Transition id="{way}_{a}" from="{a}" to="{b}">'
        f'<rate type="HHExpRate" rate="{rate}" midpoint="-40mV" scale="{scale}"/></{way}Transition>'
        for a, b, forward, reverse in rates
        for way, rate, scale in (("forward", forward, "10mV"), ("reverse", reverse, "-20mV"))
    )
    return f"""
<ionChannelKS id="k" conductance="10pS" species="k"><gateKS id="n" instances="1">
<closedState id="c1"/><closedState id="c2"/><openState id="o"/><closedState id="i"/>
{transitions}</gateKS></ionChannelKS>
"""


CELLS = """
<pulseGenerator id="pulse" delay="1ms" duration="15ms" amplitude="{amplitude}"/>
<expOneSynapse id="fast" gbase="6nS" erev="0mV" tauDecay="5ms"/>
<expTwoSynapse id="slow" gbase="2nS" erev="-80mV" tauRise="1ms" tauDecay="8ms"/>
<iafRefCell id="iaf" refract="3ms" leakConductance="10nS" leakReversal="-60mV" thresh="-50mV"
    reset="-60mV" C="0.2nF"/>
"""


def connections(
    delay: dict[int, str], synapses: tuple[str, ...] = ("fast", "slow"), count: int = 6
) -> str:
    """Return projections that join each of `SIZE` cells to `count` others, some twice.

    Connection n has the delay `delay[n % len(delay)]`.
    """
    draw = random.Random(3)
    text, number = [], 0
    for synapse in synapses:
        text.append(
            f'<projection id="p_{synapse}" presynapticPopulation="pop" '
            f'postsynapticPopulation="pop" synapse="{synapse}">'
        )
        for source in range(SIZE):
            targets = [draw.randrange(SIZE) for _ in range(count)]
            for target in [*targets, targets[0]]:
                text.append(
                    f'<connectionWD id="{number}" preCellId="../pop[{source}]" '
                    f'postCellId="../pop[{target}]" weight="{draw.randint(1, 5)}" '
                    f'delay="{delay[number % len(delay)]}"/>'
                )
                number += 1
        text.append("</projection>")
    return "\n".join(text)


def integrators(delay: dict[int, str]) -> str:
    """Return `SIZE` cells with a refractory regime that excite and inhibit one another."""
    inputs = "".join(f'<explicitInput target="pop[{n}]" input="pulse"/>' for n in range(0, SIZE, 2))
    return document(
        CELLS.format(amplitude="0.5nA")
        + f'<network id="net"><population id="pop" component="iaf" size="{SIZE}"/>'
        + connections(delay)
        + inputs
        + "</network>",
        [f"pop[{n}]/v" for n in range(SIZE)] + ["pop[3]/iSyn"],
        [(f"pop[{n}]", "spike") for n in range(SIZE)],
    )


def generators() -> str:
    """Return regular and random sources that reach every cell of another population."""
    projections = "".join(
        f'<projection id="from_{source}" presynapticPopulation="{source}" '
        f'postsynapticPopulation="pop" synapse="fast">'
        + "".join(
            f'<connection id="{n}" preCellId="../{source}[{n % size}]" '
            f'postCellId="../pop[{n // size % SIZE}]"/>'
            for n in range(SIZE * size)
        )
        + "</projection>"
        for source, size in (("regular", 2), ("poisson", 3))
    )
    return document(
        CELLS.format(amplitude="0.1nA") + '<spikeGenerator id="gen" period="4ms"/>'
        '<spikeGeneratorPoisson id="noise" averageRate="300 Hz"/>'
        '<network id="net"><population id="regular" component="gen" size="2"/>'
        '<population id="poisson" component="noise" size="3"/>'
        f'<population id="pop" component="iaf" size="{SIZE}"/>{projections}</network>',
        [f"pop[{n}]/v" for n in range(SIZE)],
        [(f"pop[{n}]", "spike") for n in range(SIZE)]
        + [(f"poisson[{n}]", "spike") for n in range(3)],
    )


CHANNELS = """
<ionChannelKS id="na" conductance="10pS" species="na">
  <gateKS id="m" instances="3">
    <closedState id="c1"/><closedState id="c2"/><openState id="o1"/>
    <forwardTransition id="f1" from="c1" to="c2">
      <rate type="HHExpLinearRate" rate="2per_ms" midpoint="-40mV" scale="10mV"/>
    </forwardTransition>
    <reverseTransition id="r1" from="c1" to="c2">
      <rate type="HHExpRate" rate="4per_ms" midpoint="-65mV" scale="-18mV"/>
    </reverseTransition>
    <forwardTransition id="f2" from="c2" to="o1">
      <rate type="HHExpLinearRate" rate="1per_ms" midpoint="-40mV" scale="10mV"/>
    </forwardTransition>
    <reverseTransition id="r2" from="c2" to="o1">
      <rate type="HHExpRate" rate="8per_ms" midpoint="-65mV" scale="-18mV"/>
    </reverseTransition>
  </gateKS>
</ionChannelKS>
<ionChannelHH id="leakChan" conductance="10pS"/>
<cell id="point">
  <morphology id="m"><segment id="0" name="soma">
    <proximal x="0" y="0" z="0" diameter="17.841242"/>
    <distal x="0" y="0" z="0" diameter="17.841242"/></segment>
    <segmentGroup id="soma_group"><member segment="0"/></segmentGroup></morphology>
  <biophysicalProperties id="b">
    <membraneProperties>
      <channelDensity id="leak" ionChannel="leakChan" condDensity="0.3 mS_per_cm2"
          erev="-54.3mV" ion="non_specific"/>
      <channelDensity id="nas" ionChannel="na" condDensity="20 mS_per_cm2" erev="50mV" ion="na"/>
      <spikeThresh value="-20mV"/>
      <specificCapacitance value="1.0 uF_per_cm2"/>
      <initMembPotential value="-65mV"/>
    </membraneProperties>
    <intracellularProperties><resistivity value="0.03 kohm_cm"/></intracellularProperties>
  </biophysicalProperties>
</cell>
"""


def kinetics() -> str:
    """Return cells with a kinetic scheme, under currents that differ."""
    pulses = "".join(
        f'<pulseGenerator id="pulse{n}" delay="{n}ms" duration="5ms" amplitude="{0.04 * n:g}nA"/>'
        for n in range(5)
    )
    inputs = "".join(
        f'<explicitInput target="pop[{n}]" input="pulse{n % 5}"/>' for n in range(SIZE)
    )
    return document(
        CHANNELS
        + pulses
        + f'<network id="net"><population id="pop" component="point" size="{SIZE}"/>{inputs}'
        "</network>",
        [f"pop[{n}]/v" for n in range(SIZE)],
        length="5ms",
        step="0.05ms",
    )


def junctions() -> str:
    """Return a ring of cells with gap junctions: each reads what its neighbour writes."""
    ring = "".join(
        f'<electricalConnection id="{n}" preCell="{n}" postCell="{(n + 1) % SIZE}" synapse="gap"/>'
        for n in range(SIZE)
    )
    return document(
        CELLS.format(amplitude="0.5nA") + '<gapJunction id="gap" conductance="1nS"/>'
        f'<network id="net"><population id="pop" component="iaf" size="{SIZE}"/>'
        f'<electricalProjection id="e" presynapticPopulation="pop" postsynapticPopulation="pop">'
        f'{ring}</electricalProjection><explicitInput target="pop[0]" input="pulse"/></network>',
        [f"pop[{n}]/v" for n in range(SIZE)],
        [("pop[0]", "spike")],
    )


OSCILLATOR = """
<ComponentType name="oscillator" extends="baseCell">
  <Constant name="SEC" dimension="time" value="1s"/>
  <Exposure name="x" dimension="none"/><Exposure name="y" dimension="none"/>
  <Exposure name="n" dimension="none"/><Exposure name="d" dimension="none"/>
  <Exposure name="seen" dimension="none"/>
  <EventPort name="up" direction="out"/>
  <Dynamics>
    <StateVariable name="x" dimension="none" exposure="x"/>
    <StateVariable name="y" dimension="none" exposure="y"/>
    <StateVariable name="n" dimension="none" exposure="n"/>
    <StateVariable name="seen" dimension="none" exposure="seen"/>
    <DerivedVariable name="r" dimension="none" value="sqrt(x^2 + y^2)"/>
    <ConditionalDerivedVariable name="d" dimension="none" exposure="d">
      <Case condition="x .gt. 0.5 .or. y .lt. (0-0.5)" value="exp(0-r) / (1 + abs(x))"/>
      <Case condition="(x .gt. 0) .and. (y .gt. 0)" value="H(x - y) + ceil(3*x) - ln(r + 1)"/>
      <Case value="tanh(y) * cos(x) - sinh(y)^3"/>
    </ConditionalDerivedVariable>
    <TimeDerivative variable="x" value="900 * y / SEC"/>
    <TimeDerivative variable="y" value="(0-900) * x * (1 + 0.1 * d) / SEC"/>
    <OnStart>
      <StateAssignment variable="x" value="random(1)"/>
      <StateAssignment variable="y" value="random(2) - 1"/>
    </OnStart>
    <OnCondition test="(y .gt. 0) .and. (n .lt. 1)">
      <StateAssignment variable="n" value="n + 1"/>
      <StateAssignment variable="seen" value="seen + n"/>
      <EventOut port="up"/>
    </OnCondition>
    <OnCondition test="y .lt. 0"><StateAssignment variable="n" value="0"/></OnCondition>
  </Dynamics>
</ComponentType>
<oscillator id="osc"/>
"""


def oscillators(names: tuple[str, ...] = ("x", "d", "seen"), count: int = SIZE) -> str:
    """Return instances that differ from the start, with conditions and every kind of function.

    Recorded are the variables `names` of the first `count`.
    """
    return document(
        OSCILLATOR
        + f'<network id="net"><population id="pop" component="osc" size="{SIZE}"/></network>',
        [f"pop[{n}]/{name}" for n in range(count) for name in names],
        [(f"pop[{n}]", "up") for n in range(SIZE)],
    )


NETWORKS = {
    "events at once": integrators({0: "0ms"}),
    "events later": integrators({0: "0.35ms", 1: "1.2ms", 2: "0.35ms", 3: "2ms"}),
    "events at once and later": integrators({0: "0ms", 1: "0.35ms", 2: "0.35ms"}),
    "equal delays": integrators({0: "1ms"}),
    "generators": generators(),
    "kinetic schemes": kinetics(),
    "gap junctions": junctions(),
    "conditions": oscillators(),
}
