"""Every event that a step sends is delivered: two from one port are two."""

from __future__ import annotations

import lemsmith
import numpy as np
import pytest
from lemsmith.errors import UsageError

MODEL = """<Lems>
<Target component="sim"/>
<Include file="NeuroML2CoreTypes.xml"/>
<Include file="Simulation.xml"/>
<ComponentType name="source">
  <EventPort name="out" direction="out"/>
  <Exposure name="ticks" dimension="none"/>
  <Dynamics>
    <StateVariable name="ticks" dimension="none" exposure="ticks"/>
    <OnCondition test="ticks .lt. 10.5">
      <StateAssignment variable="ticks" value="ticks + 1"/>
      {sent}
    </OnCondition>
    <OnCondition test="ticks .gt. 7.5 .and. ticks .lt. 10.5"><EventOut port="out"/></OnCondition>
  </Dynamics>
</ComponentType>
<ComponentType name="counter">
  <EventPort name="in" direction="in"/>
  <Exposure name="n" dimension="none"/>
  <Dynamics>
    <StateVariable name="n" dimension="none" exposure="n"/>
    <OnEvent port="in"><StateAssignment variable="n" value="n + 1"/></OnEvent>
  </Dynamics>
</ComponentType>
<ComponentType name="wire">
  <Path name="from"/><Path name="to"/><Parameter name="delay" dimension="time"/>
  <Structure>
    <With instance="from" as="a"/><With instance="to" as="b"/>
    <EventConnection from="a" to="b" delay="delay"/>
  </Structure>
</ComponentType>
<ComponentType name="box">
  <Children name="sources" type="source"/>
  <Children name="counters" type="counter"/>
  <Children name="wires" type="wire"/>
</ComponentType>
<Component id="b" type="box">
  <Component id="s" type="source"/>
  <Component id="c" type="counter"/><Component id="late" type="counter"/>
  <Component id="w" type="wire" from="s" to="c" delay="0ms"/>
  <Component id="v" type="wire" from="s" to="late" delay="2ms"/>
</Component>
<Simulation id="sim" length="20ms" step="1ms" target="b">
  <OutputFile id="o" fileName="n.dat">
    <OutputColumn id="n" quantity="c/n"/><OutputColumn id="late" quantity="late/n"/>
  </OutputFile>
  <EventOutputFile id="e" fileName="n.spikes" format="TIME_ID">
    <EventSelection id="0" select="s" eventPort="out"/>
  </EventOutputFile>
</Simulation>
</Lems>
"""

TWICE = '<EventOut port="out"/><EventOut port="out"/>'


@pytest.mark.parametrize("method", ["jlems", "euler", "default", "rk4"])
def test_events_of_one_port_in_one_step_all_arrive(method, backend):
    if method == "jlems" and backend.startswith("cuda"):
        pytest.skip("CUDA does not follow the reference's order of steps")
    recording = lemsmith.run(MODEL.format(sent=TWICE), method=method, backend=backend)
    # Eleven steps send two, and three of them a third: from the other block.
    assert recording["c/n"][-1] == 25
    assert recording["late/n"][-1] == 25
    (train,) = recording.events
    assert len(train.times) == 25


def test_a_step_that_could_send_more_than_can_be_counted_is_refused():
    sent = '<EventOut port="out"/>' * 300
    with pytest.raises(UsageError, match="more than 255 events from one port"):
        lemsmith.run(MODEL.format(sent=sent), method="euler")
    assert np.max(lemsmith.run(MODEL.format(sent=sent), method="jlems")["c/n"]) == 3303
