"""Cells that method jlems runs: one compartment, whatever names it."""

from __future__ import annotations

import lemsmith
import numpy as np
import pytest
from lemsmith.errors import ModelError, UsageError

CELL = """<Lems><Include file="Cells.xml"/><Include file="Networks.xml"/>
<ionChannelHH id="leak" conductance="10pS"/>
<morphology id="m"><segment id="0"><proximal x="0" y="0" z="0" diameter="10"/>
  <distal x="10" y="0" z="0" diameter="10"/></segment>{more}</morphology>
<biophysicalProperties id="b"><membraneProperties>
  <channelDensity id="l" ionChannel="leak" condDensity="3 S_per_m2" erev="-54mV"
    ion="non_specific"/>
  <spikeThresh value="-20mV"/><specificCapacitance value="1 uF_per_cm2"/>
  <initMembPotential value="-65mV"/></membraneProperties>
  <intracellularProperties><resistivity value="0.1 kohm_cm"/></intracellularProperties>
</biophysicalProperties>
<cell id="c" {attributes}/>
<network id="net"><population id="p" component="c" size="1"/></network></Lems>"""

WHOLE = 'morphology="m" biophysicalProperties="b"'


def _run(attributes: str = WHOLE, more: str = "") -> np.ndarray:
    text = CELL.format(attributes=attributes, more=more)
    recording = lemsmith.run(
        text, target="net", length="1 ms", step="0.01 ms", method="jlems", backend="numpy"
    )
    return np.asarray(recording["p[0]/v"])


def test_a_cell_may_name_its_parts_by_attributes() -> None:
    v = _run()
    assert v[0] == -0.065
    assert -0.065 < v[-1] < -0.054


def test_parts_that_do_not_exist_are_a_fault() -> None:
    with pytest.raises(ModelError, match="no component has the id 'mm'"):
        _run(WHOLE.replace('"m"', '"mm"'))


def test_a_cell_without_its_parts_is_a_fault() -> None:
    with pytest.raises(ModelError, match="give it the child 'biophysicalProperties'"):
        _run("")


def test_several_segments_are_refused() -> None:
    more = (
        '<segment id="1"><parent segment="0"/><distal x="20" y="0" z="0" diameter="5"/></segment>'
    )
    with pytest.raises(UsageError, match="single-compartment cells only, and 'c'"):
        _run(more=more)


@pytest.mark.parametrize("method", ["default", "jlems"])
@pytest.mark.parametrize(
    ("group", "told"),
    [
        ('<segmentGroup id="soma"><include segmentGroup="soma"/></segmentGroup>', "each other"),
        ('<segmentGroup id="soma"><member segment="7"/></segmentGroup>', "7"),
    ],
)
def test_a_run_tells_of_segment_groups_that_mean_nothing(method, group, told) -> None:
    text = CELL.format(attributes=WHOLE, more=group)
    recording = lemsmith.run(text, target="net", length="1 ms", step="0.01 ms", method=method)
    warning = str(recording.settings["warnings"])
    assert told in warning
    assert "run as a point" in warning


def test_a_run_tells_of_a_density_on_a_group_that_is_not_there() -> None:
    text = CELL.format(attributes=WHOLE, more="").replace(
        'erev="-54mV"', 'erev="-54mV" segmentGroup="dendrites"'
    )
    recording = lemsmith.run(text, target="net", length="1 ms", step="0.01 ms")
    assert "'dendrites'" in str(recording.settings["warnings"])
