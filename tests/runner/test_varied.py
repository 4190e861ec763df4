"""A batch: instances of one component with parameters of their own, in one run."""

from __future__ import annotations

import numpy as np
import pytest
from lemsmith.errors import UsageError
from lemsmith.runner.pipeline import run, translate
from lemsmith.runner.request import made
from small_models import SQUID

SETS = 6


def model(size: int, parts: str = "") -> str:
    """Return squid axon cells driven alike, all potentials recorded."""
    shown = "".join(f'<OutputColumn id="v{n}" quantity="cells[{n}]/v"/>' for n in range(size))
    inputs = "".join(
        f'<input id="{n}" target="../cells[{n}]" destination="synapses"/>' for n in range(size)
    )
    return f"""<Lems><Target component="sim"/>
<Include file="Cells.xml"/><Include file="Networks.xml"/><Include file="Simulation.xml"/>
{SQUID}
<pointCellCondBased id="cell" C="10pF" v0="-65mV" thresh="20mV">
<channelPopulation id="nas" ionChannel="na" number="120000" erev="50mV"/>
<channelPopulation id="ks" ionChannel="k" number="36000" erev="-77mV"/>
<channelPopulation id="leak" ionChannel="pas" number="300" erev="-54.3mV"/></pointCellCondBased>
<pulseGenerator id="pulse" delay="1ms" duration="15ms" amplitude="80pA"/>{parts}
<network id="net"><population id="cells" component="cell" size="{size}"/>
<inputList id="in" population="cells" component="pulse">{inputs}</inputList></network>
<Simulation id="sim" length="20ms" step="0.025ms" target="net">
<OutputFile id="o" fileName="v.dat">{shown}</OutputFile></Simulation></Lems>"""


VARIED = {
    "cell/C": np.linspace(8e-12, 14e-12, SETS),
    "cell/nas/number": np.linspace(90e3, 150e3, SETS),
    "cell/ks/erev": np.linspace(-0.080, -0.070, SETS),
    "na/m/forwardRate/midpoint": np.linspace(-0.041, -0.038, SETS),
    "pulse/amplitude": np.linspace(60e-12, 120e-12, SETS),
}


def text(path: str, value: float) -> str:
    unit = {"C": "F", "number": "", "erev": "V", "midpoint": "V", "amplitude": "A"}
    return f"{float(value)!r}{unit[path.rpartition('/')[2]]}"


@pytest.mark.parametrize(
    ("path", "method"), [*((path, "default") for path in VARIED), ("cell/C", "jlems")]
)
def test_each_instance_does_what_a_run_with_its_value_does(path, method):
    batch = run(model(SETS), varied={path: VARIED[path]}, method=method)
    assert np.ptp([batch[f"cells[{n}]/v"][-1] for n in range(SETS)]) > 0
    for n in (0, SETS - 1):
        alone = run(model(1), overrides={path: text(path, VARIED[path][n])}, method=method)
        found, expected = batch[f"cells[{n}]/v"], alone["cells[0]/v"]
        assert np.abs(found - expected).max() <= 1e-9 * np.abs(expected).max()


@pytest.mark.parametrize("backend", ["numpy", "cuda-on-host"])
def test_a_batch_of_several_parameters_runs_on_every_backend(backend):
    here = run(model(SETS), varied=VARIED)
    there = run(model(SETS), varied=VARIED, backend=backend)
    for n in range(SETS):
        a, b = here[f"cells[{n}]/v"], there[f"cells[{n}]/v"]
        assert np.abs(a - b).max() <= 1e-9 * np.abs(a).max()


def test_a_batch_is_one_population_whose_text_does_not_grow_with_it():
    few, many = (
        translate(made(model(n), varied={"cell/C": np.linspace(8e-12, 9e-12, n)}))[0].text
        for n in (2, 9)
    )
    assert abs(few.count("\n") - many.count("\n")) <= 7


@pytest.mark.parametrize(
    ("path", "values", "said"),
    [
        ("cell/C", [1e-11] * 5, "5 values for 6 of 'cells'"),
        ("cell/c", [1e-11] * SETS, "no parameter 'c'"),
        ("sell/C", [1e-11] * SETS, "no component 'sell'"),
        ("cell/C", [np.nan] * SETS, "finite"),
        ("C", [1e-11] * SETS, "COMPONENT/PARAMETER"),
        ("k/conductance", list(np.linspace(1e-12, 2e-12, SETS - 1)), "5 values for 6"),
    ],
)
def test_what_cannot_vary_is_refused_by_name(path, values, said):
    with pytest.raises(UsageError, match=said):
        run(model(SETS), varied={path: values})


def test_a_parameter_is_set_once():
    values = {"cell/C": [1e-11] * SETS}
    with pytest.raises(UsageError, match="'C' of one component is set twice: by cell/C and by c"):
        run(model(SETS), varied=values, overrides={"cell/C": "20 pF"})
    with pytest.raises(UsageError, match="set twice: by cell/ks/erev and by ks/erev"):
        run(model(SETS), overrides={"cell/ks/erev": "-75 mV", "ks/erev": "-80 mV"})


MARKED = """<ComponentType name="marked" extends="pulseGenerator">
<Parameter name="mark" dimension="none"/>DERIVED</ComponentType>"""


@pytest.mark.parametrize(
    ("derived", "said"),
    [
        ("", "no equation mentions 'mark' of 'marked'"),
        (
            '<DerivedParameter name="twice" dimension="none" value="2 * mark"/>',
            "the derived parameter 'twice' depends on it",
        ),
    ],
)
def test_what_more_or_less_than_equations_depends_on_is_refused(derived, said):
    source = model(SETS, MARKED.replace("DERIVED", derived))
    source = source.replace("<pulseGenerator", '<marked mark="1"')
    with pytest.raises(UsageError, match=said):
        run(source, varied={"pulse/mark": list(np.linspace(1.0, 2.0, SETS))})
