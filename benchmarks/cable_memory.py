"""What 1,000 cells of 500 compartments with ten channels take of memory, compiled and run.

    python benchmarks/cable_memory.py [CELLS]

Prints the largest resident size of the process, the compiler's own left out.
"""

from __future__ import annotations

import resource
import sys
import time

import lemsmith

COMPARTMENTS = 500
CHANNELS = 10

CHANNEL = """<ionChannelHH id="ch{n}" conductance="10pS">
  <gateHHrates id="m" instances="{m}">
    <forwardRate type="HHExpLinearRate" rate="{a}per_ms" midpoint="-55mV" scale="10mV"/>
    <reverseRate type="HHExpRate" rate="0.125per_ms" midpoint="-65mV" scale="-80mV"/>
  </gateHHrates></ionChannelHH>"""


def model(cells: int) -> str:
    """Return the network: a cable of 500 um per cell, every channel all over it."""
    channels = "".join(CHANNEL.format(n=n, m=1 + n % 4, a=0.1 + 0.01 * n) for n in range(CHANNELS))
    densities = "".join(
        f'<channelDensity id="d{n}" ionChannel="ch{n}" condDensity="{1 + n} S_per_m2" '
        f'erev="{-80 + 3 * n} mV" ion="k"/>'
        for n in range(CHANNELS)
    )
    return f"""<Lems>
<Include file="Cells.xml"/><Include file="Networks.xml"/><Include file="Simulation.xml"/>
{channels}
<cell id="c"><morphology id="m">
  <segment id="0"><proximal x="0" y="0" z="0" diameter="2"/>
    <distal x="500" y="0" z="0" diameter="2"/></segment>
  <segment id="1"><parent segment="0"/><distal x="501" y="0" z="0" diameter="2"/></segment>
  <segmentGroup id="long" neuroLexId="sao864921383">
    <property tag="numberInternalDivisions" value="{COMPARTMENTS - 1}"/>
    <member segment="0"/></segmentGroup>
  <segmentGroup id="tip" neuroLexId="sao864921383"><member segment="1"/></segmentGroup>
</morphology><biophysicalProperties id="b"><membraneProperties>{densities}
  <spikeThresh value="0 mV"/><specificCapacitance value="1 uF_per_cm2"/>
  <initMembPotential value="-65 mV"/></membraneProperties>
  <intracellularProperties><resistivity value="100 ohm_cm"/></intracellularProperties>
</biophysicalProperties></cell>
<network id="n"><population id="p" component="c" size="{cells}"/></network>
<Simulation id="s" length="0.25 ms" step="0.025 ms" target="n">
  <OutputFile id="o" fileName="o.dat"><OutputColumn id="v" quantity="p/0/c/0/v"/></OutputFile>
</Simulation><Target component="s"/></Lems>"""


def main() -> None:
    cells = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    begin = time.process_time()
    recording = lemsmith.run(model(cells))
    told = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{cells} cells x {COMPARTMENTS} compartments x {CHANNELS} channels: {told:.2f} GiB at "
        f"most, {time.process_time() - begin:.0f} s of CPU, v = {recording['v'][-1]:.4f} V"
    )


if __name__ == "__main__":
    main()
