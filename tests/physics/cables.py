"""Models of cables as text: what the tests of their physics share."""

from __future__ import annotations

from collections.abc import Iterable

HH = """
<ionChannelHH id="na" conductance="10pS">
  <gateHHrates id="m" instances="3">
    <forwardRate type="HHExpLinearRate" rate="1per_ms" midpoint="-40mV" scale="10mV"/>
    <reverseRate type="HHExpRate" rate="4per_ms" midpoint="-65mV" scale="-18mV"/>
  </gateHHrates>
  <gateHHrates id="h" instances="1">
    <forwardRate type="HHExpRate" rate="0.07per_ms" midpoint="-65mV" scale="-20mV"/>
    <reverseRate type="HHSigmoidRate" rate="1per_ms" midpoint="-35mV" scale="10mV"/>
  </gateHHrates>
</ionChannelHH>
<ionChannelHH id="k" conductance="10pS">
  <gateHHrates id="n" instances="4">
    <forwardRate type="HHExpLinearRate" rate="0.1per_ms" midpoint="-55mV" scale="10mV"/>
    <reverseRate type="HHExpRate" rate="0.125per_ms" midpoint="-65mV" scale="-80mV"/>
  </gateHHrates>
</ionChannelHH>
"""

#: Densities of Hodgkin and Huxley (1952).
HH_DENSITIES = """
<channelDensity id="nas" ionChannel="na" condDensity="120 mS_per_cm2" erev="50 mV" ion="na"/>
<channelDensity id="ks" ionChannel="k" condDensity="36 mS_per_cm2" erev="-77 mV" ion="k"/>
"""


def leak(density: str = "0.3 mS_per_cm2", erev: str = "-65 mV") -> str:
    """Return an ohmic leak on the whole cell."""
    return (
        f'<channelDensity id="leaks" ionChannel="leak" condDensity="{density}" erev="{erev}" '
        'ion="non_specific"/>'
    )


def segment(
    number: int,
    parent: int | None,
    start: Iterable[float],
    end: Iterable[float],
    along: float = 1.0,
) -> str:
    """Return a segment from `start` to `end`: x, y, z, diameter [um]."""
    names = ("x", "y", "z", "diameter")
    a = " ".join(f'{n}="{v!r}"' for n, v in zip(names, start, strict=True))
    b = " ".join(f'{n}="{v!r}"' for n, v in zip(names, end, strict=True))
    above = "" if parent is None else f'<parent segment="{parent}" fractionAlong="{along}"/>'
    return f'<segment id="{number}">{above}<proximal {a}/><distal {b}/></segment>'


def section(name: str, segments: Iterable[int], divisions: int) -> str:
    """Return an unbranched group of segments, cut into so many compartments."""
    members = "".join(f'<member segment="{number}"/>' for number in segments)
    return (
        f'<segmentGroup id="{name}" neuroLexId="sao864921383">'
        f'<property tag="numberInternalDivisions" value="{divisions}"/>{members}</segmentGroup>'
    )


def model(
    shape: str,
    densities: str,
    network: str,
    columns: Iterable[str],
    *,
    step: str = "0.025 ms",
    length: str = "100 ms",
    start: str = "-65 mV",
    resistivity: str = "100 ohm_cm",
    extra: str = "",
    capacitance: str = "1 uF_per_cm2",
    events: str = "",
) -> str:
    """Return a document whose cell `c` has a shape and densities; `columns` are recorded."""
    recorded = "".join(
        f'<OutputColumn id="q{n}" quantity="{path}"/>' for n, path in enumerate(columns)
    )
    return f"""<Lems>
<Include file="Cells.xml"/><Include file="Networks.xml"/><Include file="Simulation.xml"/>
<ionChannelPassive id="leak" conductance="10pS"/>{HH}{extra}
<cell id="c">
  <morphology id="shape">{shape}</morphology>
  <biophysicalProperties id="biophys">
    <membraneProperties>{densities}
      <spikeThresh value="0 mV"/>
      <specificCapacitance value="{capacitance}"/>
      <initMembPotential value="{start}"/>
    </membraneProperties>
    <intracellularProperties><resistivity value="{resistivity}"/></intracellularProperties>
  </biophysicalProperties>
</cell>
<network id="net">{network}</network>
<Simulation id="sim" length="{length}" step="{step}" target="net">
  <OutputFile id="out" fileName="out.dat">{recorded}</OutputFile>
  {events}
</Simulation>
<Target component="sim"/>
</Lems>"""


def driven(
    amplitude: str,
    segment: int = 0,
    fraction: float = 0.5,
    cells: int = 1,
    delay: str = "0 ms",
    duration: str = "1000 ms",
) -> tuple[str, str]:
    """Return (the pulse, the network): so many cells, the first of them driven at a place."""
    pulse = (
        f'<pulseGenerator id="pulse" delay="{delay}" duration="{duration}" '
        f'amplitude="{amplitude}"/>'
    )
    network = (
        f'<population id="p" component="c" size="{cells}"/>'
        '<inputList id="drive" population="p" component="pulse">'
        f'<input id="0" target="../p/0/c" segmentId="{segment}" fractionAlong="{fraction}" '
        'destination="synapses"/></inputList>'
    )
    return pulse, network
