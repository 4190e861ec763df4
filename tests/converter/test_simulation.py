"""What to run and record."""

from __future__ import annotations

import pytest
from lemsmith.converter.read import read
from lemsmith.converter.resolve import resolve
from lemsmith.converter.simulation import DEFAULT_SEED, Simulation, simulation_of
from lemsmith.errors import Faults, ModelError

HEAD = """<Lems><Include file="Cells.xml"/><Include file="Networks.xml"/>
<Include file="Simulation.xml"/>
<iafTauCell id="c" leakReversal="-50mV" thresh="-55mV" reset="-70mV" tau="30ms"/>
<network id="net"><population id="p" component="c" size="1"/></network>"""

SIM = """<Simulation id="sim" length="10ms" step="0.5ms" target="net" {}>
<Display id="d" title="V" timeScale="1ms" xmin="0" xmax="10" ymin="-80" ymax="50">
  <Line id="v" quantity="p[0]/v" scale="1mV" color="#ff0000" timeScale="1ms"/></Display>
<OutputFile id="of" fileName="o.dat" path="out">
  <OutputColumn id="b" quantity="p[0]/v"/><OutputColumn id="a" quantity="p[0]/thresh"/></OutputFile>
<EventOutputFile id="ef" fileName="e.dat" format="ID_TIME">
  <EventSelection id="3" select="p[0]" eventPort="spike"/></EventOutputFile></Simulation>"""


def _simulation(text: str, **options: object) -> Simulation:
    faults = Faults()
    found = simulation_of(resolve(read(text)), faults, **options)  # type: ignore[arg-type]
    faults.raise_errors()
    assert found is not None
    return found


def test_a_simulation_says_what_runs_and_for_how_long() -> None:
    found = _simulation(HEAD + '<Target component="sim"/>' + SIM.format("") + "</Lems>")
    assert found.target.id == "net"
    assert (found.step, found.length) == (0.0005, 0.01)
    assert (found.seed, found.seeded) == (DEFAULT_SEED, False)


def test_displays_outputs_and_events_keep_their_order_and_units() -> None:
    found = _simulation(HEAD + '<Target component="sim"/>' + SIM.format('seed="5"') + "</Lems>")
    assert found.seed == 5
    (display,) = found.displays
    assert (display.title, display.region) == ("V", (0.0, 10.0, -80.0, 50.0))
    assert (display.lines[0].scale, display.lines[0].time_scale) == (0.001, 0.001)
    (output,) = found.outputs
    assert (output.file_name, output.path) == ("o.dat", "out")
    assert [line.id for line in output.columns] == ["b", "a"]
    (events,) = found.events
    assert (events.format, events.selections[0].port) == ("ID_TIME", "spike")


def test_without_a_target_the_last_simulation_runs() -> None:
    other = SIM.format("").replace('id="sim"', 'id="other"').replace("10ms", "20ms")
    assert _simulation(HEAD + SIM.format("") + other + "</Lems>").length == 0.02


def test_a_request_replaces_step_and_length() -> None:
    text = HEAD + '<Target component="sim"/>' + SIM.format("") + "</Lems>"
    found = _simulation(text, step=1e-4, length=0.5)
    assert (found.step, found.length) == (1e-4, 0.5)


def test_any_component_runs_with_a_step_and_a_length() -> None:
    found = _simulation(HEAD + "</Lems>", target="net", step=1e-4, length=1e-2)
    assert found.target.id == "net"


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("</Lems>", {}, "no Simulation and no Target"),
        ("</Lems>", {"target": "zz"}, "no component has the id 'zz'"),
        ("</Lems>", {"target": "net"}, "needs a length and a step"),
        ('<Target component="net"/></Lems>', {}, "runs nothing"),
        ('<Target component="sim"/>' + SIM.format('seed="x"') + "</Lems>", {}, "no whole number"),
        (
            '<Target component="sim"/>' + SIM.format("").replace("0.5ms", "0ms") + "</Lems>",
            {},
            "above zero",
        ),
        (
            '<Target component="sim"/>' + SIM.format("").replace("0.5ms", "1e-20s") + "</Lems>",
            {},
            "1e12 steps",
        ),
        (
            '<Target component="sim"/>'
            + SIM.format("").replace('target="net"', 'target="zz"')
            + "</Lems>",
            {},
            "'zz' is no component",
        ),
    ],
)
def test_what_cannot_run_is_a_fault(text: str, options: dict[str, object], words: str) -> None:
    with pytest.raises(ModelError, match=words):
        _simulation(HEAD + text, **options)


SET = """<ComponentType name="simulations"><Children name="members" type="Simulation"/>
<Children name="lists" type="lineList"/></ComponentType>
<ComponentType name="lineList"><Text name="title"/><Children name="lines" type="Line"/>
</ComponentType><Target component="set"/><simulations id="set">{}</simulations></Lems>"""


def test_the_simulations_of_a_set_run_as_one() -> None:
    one = SIM.format("")
    found = _simulation(HEAD + SET.format(one + one.replace('id="b"', 'id="x"')))
    assert [[line.id for line in output.columns] for output in found.outputs] == [
        ["b", "a"],
        ["x", "a"],
    ]


def test_the_simulations_of_a_set_must_agree() -> None:
    one = SIM.format("")
    with pytest.raises(ModelError, match="differ in target"):
        _simulation(HEAD + SET.format(one + one.replace("10ms", "20ms")))


def test_lines_outside_a_display_make_one() -> None:
    types = """<ComponentType name="listed" extends="Simulation"><Children name="lists"
    type="lineList"/></ComponentType><ComponentType name="lineList"><Text name="title"/><Children
    name="lines" type="Line"/></ComponentType>"""
    body = """<listed id="sim" length="10ms" step="0.5ms" target="net"><lineList title="all">
    <Line id="v" quantity="p[0]/v" scale="1mV" color="#ff0000" timeScale="1ms"/></lineList></listed>
    </Lems>"""
    found = _simulation(HEAD + types + '<Target component="sim"/>' + body)
    assert [(d.title, d.lines[0].quantity) for d in found.displays] == [("all", "p[0]/v")]


@pytest.mark.parametrize("name", ["increment", "total"])
def test_a_run_that_does_not_say_by_what_it_steps_is_a_fault(name: str) -> None:
    text = """<Lems><Target component="s"/><ComponentType name="sim">
<Parameter name="step" dimension="none"/><ComponentReference name="target" type="Component"/>
<Simulation><Run component="target" variable="t" {}/></Simulation></ComponentType>
<ComponentType name="cell"/><cell id="c"/><sim id="s" step="1" target="c"/></Lems>"""
    given = {"increment": 'increment="step"', "total": 'total="step"'}
    del given[name]
    with pytest.raises(ModelError, match=f"Run needs the attribute {name!r}"):
        _simulation(text.format(*given.values()))
