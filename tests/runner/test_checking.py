"""What `check` finds, where it says nothing, and how it holds files against NeuroML's XSD."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import lemsmith
import pytest
from lemsmith.runner import check_schema

SHARED = Path(__file__).parents[2].parent / "shared"
CORPUS = SHARED / "corpus"
FAULTS = json.loads((Path(__file__).parent / "corpus_faults.json").read_text(encoding="utf-8"))

needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason=f"the corpus is not at {CORPUS}")
needs_schema = pytest.mark.skipif(
    not check_schema.schemas(), reason="libNeuroML, which ships the XSD, is not installed"
)

CELL = (
    '<iafCell id="c" leakReversal="-50mV" thresh="-55mV" reset="-70mV" {} leakConductance="1nS"/>'
)
GOOD = CELL.format('C="0.1nF"')


def neuroml(body, version="2.3.1", head=""):
    schema = "http://www.neuroml.org/schema/neuroml2"
    location = (
        f'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        f'xsi:schemaLocation="{schema} https://example.org/NeuroML_v{version}.xsd" '
        if version
        else ""
    )
    return f'<neuroml xmlns="{schema}" {location}id="d">\n{head}{body}\n</neuroml>\n'


def found(text, severity=None):
    return [
        str(fault)
        for fault in lemsmith.check([text])
        if severity is None or fault.severity == severity
    ]


# The corpus


def model_files(folder):
    return sorted(p for p in folder.rglob("*") if p.suffix in {".xml", ".nml"} and p.is_file())


def assert_checks(folder):
    checked = 0
    wrong = {}
    for path in model_files(CORPUS / folder):
        name = path.relative_to(CORPUS).as_posix()
        errors = [fault for fault in lemsmith.check([path]) if fault.severity == "error"]
        checked += 1
        if name in FAULTS:
            assert any(FAULTS[name]["says"] in fault.message for fault in errors), name
        elif errors:
            wrong[name] = [str(error) for error in errors[:3]]
    assert wrong == {}
    return checked


@needs_corpus
@needs_schema
def test_the_official_files_check_without_an_error():
    assert assert_checks("neuroml2") == 84


@needs_corpus
@needs_schema
def test_the_files_of_the_lems_repositories_check_or_are_listed_with_their_reason():
    assert assert_checks("lems") == 86


@needs_corpus
@needs_schema
@pytest.mark.slow
def test_the_models_of_public_repositories_check_or_are_listed_with_their_reason():
    assert assert_checks("osb") == 305


@needs_corpus
def test_every_listed_fault_is_of_a_file_that_is_there():
    assert [name for name in FAULTS if not (CORPUS / name).is_file()] == []
    assert all(len(fault["why"]) > 10 for fault in FAULTS.values())


# Fragments


def test_a_file_of_cells_needs_no_simulation():
    assert found(neuroml(GOOD)) == []


def test_a_channel_that_another_file_defines_is_a_warning_in_a_fragment():
    cell = (
        '<pointCellCondBased id="p" C="10pF" v0="-65mV" thresh="20mV">'
        '<channelPopulation id="l" ionChannel="pas" number="3" erev="-54mV" ion="k"/>'
        "</pointCellCondBased>"
    )
    (warning,) = found(f"<Lems><Include file='Cells.xml'/>{cell}</Lems>")
    assert "warning: ionChannel of channelPopulation 'l' names 'pas'" in warning
    assert "the file that includes this one has to define it" in warning


def test_a_lems_file_of_definitions_is_checked_as_its_includer_would():
    kind = (
        '<Lems><ComponentType name="x" extends="baseCell"><Parameter name="tau" '
        'dimension="{}"/><Exposure name="a" dimension="none"/><Dynamics><StateVariable name="a" '
        'dimension="none" exposure="a"/><TimeDerivative variable="a" value="-a / tau"/>'
        "</Dynamics></ComponentType></Lems>"
    )
    (warning,) = found(kind.format("time"))
    assert "as if it included NeuroML2CoreTypes.xml" in warning
    errors = found(kind.format("voltage"), "error")
    assert len(errors) == 1
    assert "the derivative of 'a'" in errors[0]


def test_a_network_without_a_simulation_is_built_nevertheless():
    network = (
        '<network id="n"><population id="p" component="c" size="2"/>'
        '<explicitInput target="p[2]" input="i"/></network>'
    )
    pulse = '<pulseGenerator id="i" delay="0ms" duration="1ms" amplitude="1nA"/>'
    (error,) = found(neuroml(GOOD + pulse + network), "error")
    assert "'p' has no instance 2 (it has 2)" in error


# References


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ('<population id="p" component="d" size="1"/>', "names 'd', and no baseCell has that id"),
        (
            2 * '<population id="p" component="c" size="1"/>',
            "the id 'p' is given twice in network 'n'",
        ),
        (
            ('<population id="p" component="c" size="1"/><explicitInput target="p[0]" input="c"/>'),
            "input of a explicitInput names 'c', a iafCell, and needs a basePointCurrent",
        ),
        (
            (
                '<population id="pop" component="c" size="1"/><projection id="q" synapse="s" '
                'presynapticPopulation="pop" postsynapticPopulation="popp"/>'
            ),
            "network 'n' has no population of that id; did you mean 'pop'?",
        ),
        (
            (
                '<population id="p" component="c" type="populationList">'
                '<instance id="0"><location x="0" y="0" z="0"/></instance>'
                '<instance id="0"><location x="0" y="0" z="0"/></instance></population>'
            ),
            "the id 0 of a instance is given twice in population 'p'",
        ),
    ],
)
def test_a_network_that_names_what_is_not_there_is_wrong(network, message):
    synapse = '<expOneSynapse id="s" gbase="1nS" erev="0mV" tauDecay="1ms"/>'
    text = neuroml(f'{synapse}{GOOD}<network id="n">{network}</network>', version="")
    assert any(message in error for error in found(text, "error")), found(text)


def test_a_gate_without_its_rates_says_which_child_is_missing():
    channel = (
        '<ionChannelHH id="k" conductance="10pS"><gateHHrates id="n" instances="4"><forwardRate '
        'type="HHExpRate" rate="1per_ms" midpoint="0mV" scale="1mV"/></gateHHrates></ionChannelHH>'
    )
    errors = found(neuroml(channel), "error")
    assert len(errors) == 1
    assert "gateHHrates 'n' needs the child 'reverseRate'" in errors[0]


# Structure and what is declared in vain


def lems(member="", equation="-x / tau"):
    return (
        '<Lems><Dimension name="time" t="1"/><ComponentType name="k">\n'
        f'<Parameter name="tau" dimension="time"/>{member}<Exposure name="x" dimension="none"/>'
        '<Dynamics><StateVariable name="x" dimension="none" exposure="x"/>'
        f'<TimeDerivative variable="x" value="{equation}"/></Dynamics></ComponentType></Lems>'
    )


def test_a_type_without_fault_is_without_fault():
    assert found(lems()) == []


def test_a_parameter_that_nothing_uses_is_a_warning():
    (warning,) = found(lems('<Parameter name="rho" dimension="none"/>'))
    assert "warning: nothing uses the parameter 'rho' of 'k'" in warning


def test_a_parameter_that_a_child_requires_is_used():
    text = lems('<Parameter name="rho" dimension="none"/>').replace(
        "</Lems>",
        '<ComponentType name="c"><Requirement name="rho" dimension="none"/></ComponentType></Lems>',
    )
    assert found(text) == []


def test_an_exposure_that_nothing_sets_is_a_warning():
    (warning,) = found(lems('<Exposure name="y" dimension="none"/>'))
    assert "nothing sets the exposure 'y' of 'k'" in warning


def test_an_attribute_that_an_element_does_not_have_is_a_warning():
    (warning,) = found(lems().replace('"-x / tau"', '"-x / tau" exposre="x"'))
    assert "TimeDerivative has no attribute 'exposre'; it is not used" in warning


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name="tau" dimension', 'nme="tau" dimension', "Parameter needs the attribute 'name'"),
        ("<TimeDerivative", "<TimeDerivativ", "has no element 'TimeDerivativ'"),
        ('t="1"', 't="one"', "t of Dimension is no whole number"),
    ],
)
def test_an_element_of_the_wrong_shape_is_an_error(old, new, message):
    errors = found(lems().replace(old, new), "error")
    assert any(message in error for error in errors), errors


def test_all_faults_of_all_files_are_told_at_once_in_the_order_of_their_lines(tmp_path):
    (tmp_path / "a.nml").write_text(neuroml(CELL.format("")))
    (tmp_path / "b.nml").write_text(neuroml(GOOD.replace("-50mV", "-50 mA").replace("1nS", "1nF")))
    faults = lemsmith.check([tmp_path / "a.nml", tmp_path / "b.nml"])
    names = [Path(fault.place.file).name for fault in faults]
    assert names == ["a.nml", "b.nml", "b.nml"]
    assert faults[1].place.column < faults[2].place.column


def test_a_fault_of_a_file_that_two_models_include_is_told_once(tmp_path):
    (tmp_path / "cell.nml").write_text(neuroml(CELL.format("")))
    for name in ("one", "two"):
        head = '<include href="cell.nml"/>'
        (tmp_path / f"{name}.nml").write_text(neuroml("", head=head))
    assert len(lemsmith.check([tmp_path / "one.nml", tmp_path / "two.nml"])) == 1


# The XSD


@needs_schema
def test_the_schema_is_found_without_importing_its_package():
    # In a process of its own: other tests import the package.
    code = (
        "import sys, lemsmith; from lemsmith.runner import check_schema\n"
        "assert '2.3.1' in check_schema.schemas()\n"
        "assert lemsmith.check([sys.stdin.read()]) == ()\n"
        "assert 'neuroml' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], input=neuroml(GOOD), text=True, check=True)


@needs_schema
def test_an_attribute_that_only_the_schema_refuses_is_an_error_at_its_place():
    text = neuroml(GOOD.replace("/>", '\n  colour="red"/>'))
    (error,) = [fault for fault in lemsmith.check([text]) if fault.severity == "error"]
    assert "the schema of NeuroML 2.3.1 refuses this: colour" in error.message
    assert (error.place.line, error.place.column) == (3, 11)


@needs_schema
def test_elements_out_of_the_schemas_order_are_told_to_move():
    synapse = '<expOneSynapse id="s" gbase="1nS" erev="0mV" tauDecay="1ms"/>'
    (error,) = found(neuroml(f"{GOOD}\n{synapse}"), "error")
    assert "move it to where it is expected" in error


@needs_schema
def test_a_type_of_the_models_own_is_a_warning():
    own = '<ComponentType name="myCell" extends="iafCell"/>'
    text = neuroml(f"{GOOD.replace('iafCell', 'myCell')}", head=own)
    assert found(text, "error") == []
    assert any("the type 'myCell' is this model's own" in w for w in found(text, "warning"))


@needs_schema
def test_what_a_later_schema_takes_is_a_warning():
    cell = '<hindmarshRose1984Cell id="h" a="1" b="3" c="-3" d="5" s="4" x1="-1.3" r="0.002" '
    cell += 'x0="-1.1" y0="-9" z0="1" v_scaling="1mV" C="28.57142857pF"/>'
    assert found(neuroml(cell, "2.3.1"), "error") == []
    old = found(neuroml(cell, "2beta4"))
    assert old
    assert all("takes it; declare that version" in warning for warning in old)


@needs_schema
def test_a_version_that_is_not_there_counts_as_the_newest():
    assert found(neuroml(GOOD, "9.9")) == []
    assert "2.3.1" in found(neuroml(GOOD.replace("/>", ' colour="red"/>'), "9.9"), "error")[0]


@needs_schema
def test_the_schema_is_not_asked_about_what_was_said_before():
    (error,) = found(neuroml(CELL.format("")), "error")
    assert "needs the parameter 'C'" in error


@needs_schema
def test_a_file_too_large_for_a_tree_is_left_out_and_that_is_said(monkeypatch):
    monkeypatch.setattr(check_schema, "MAX_COPY", 100)
    (warning,) = found(neuroml(GOOD))
    assert "not held against the NeuroML schema" in warning


def test_thinning_keeps_every_line_and_a_sample_of_each_list():
    instance = b'<instance id="1">\n<location x="1" y="2" z="3"/></instance>\n'
    text = b"<a>" + instance * 1000 + b"<b/>" + b'<connectionWD id="/>"/>\n' * 3000 + b"</a>"
    short = check_schema.thinned(text)
    assert short.count(b"\n") == text.count(b"\n")
    assert short.count(b"<instance") == check_schema.SAMPLE
    assert short.count(b"<b/>") == 1
    assert short.endswith(b"</a>")


def test_a_hostile_text_does_not_reach_out(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("hidden words")
    entity = f'<!DOCTYPE neuroml [<!ENTITY e SYSTEM "{secret}">]>'
    errors = found(f"{entity}{neuroml('<notes>&e;</notes>')}", "error")
    assert errors
    assert not any("hidden words" in error for error in errors)


@needs_schema
def test_ten_megabytes_of_network_are_checked_within_seconds():
    rows = "".join(
        f'<connectionWD id="{n}" preCellId="../p[{n % 1000}]" postCellId="../p[{n * 7 % 1000}]" '
        f'weight="1" delay="0.5ms"/>\n'
        for n in range(100_000)
    )
    synapse = '<expOneSynapse id="s" gbase="1nS" erev="0mV" tauDecay="1ms"/>\n'
    network = (
        '<network id="n"><population id="p" component="c" size="1000"/>\n<projection id="q" '
        f'presynapticPopulation="p" postsynapticPopulation="p" synapse="s">{rows}</projection>'
        "</network>"
    )
    text = neuroml(synapse + GOOD + network)
    assert len(text) > 9_500_000
    start = time.process_time()
    assert found(text) == []
    assert time.process_time() - start < 10


def test_a_derived_variable_may_go_by_its_exposure_as_in_a_run():
    text = (
        '<Lems><Dimension name="time" t="1"/><ComponentType name="k">'
        '<Exposure name="x" dimension="none"/><Dynamics>'
        '<DerivedVariable dimension="none" exposure="x" value="1"/></Dynamics>'
        "</ComponentType></Lems>"
    )
    assert found(text, "error") == []
    assert any("has no name; that of its exposure is taken" in w for w in found(text, "warning"))
