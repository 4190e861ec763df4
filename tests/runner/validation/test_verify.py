"""Running OMV's tests with engines that are right, wrong, broken and missing."""

from __future__ import annotations

import gzip
import json
import shutil
import threading
import time
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from lemsmith.errors import Fault, LemsmithError, ModelError, NumericalError, UsageError
from lemsmith.runner.validation.verify import method_for, verify

SHARED = Path(__file__).parents[3].parent / "shared"
REFERENCE = SHARED / "reference" / "jneuroml"
EXAMPLES = SHARED / "corpus" / "neuroml2" / "LEMSexamples"


class Engine:
    """A simulator that writes a trace with spikes at given times, and counts its runs."""

    def __init__(self, spikes=(0.010, 0.025), **other) -> None:
        self.spikes = spikes
        self.events = other.get("events", "0\t0.1\n0\t0.2\n1\t0.1\n")
        self.file = other.get("file", "results/v.dat")
        self.runs = []

    def __call__(self, source, *, method, out, progress):
        self.runs.append((source.name, method))
        if progress is not None:
            progress(0.5, "half of it")
        times = np.arange(400) * 1e-4
        trace = np.full(times.size, -0.065)
        for spike in self.spikes:
            trace[(times >= spike - 1e-9) & (times < spike + 1e-3)] = 0.02
        path = out / self.file
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savetxt(path, np.stack([times, trace, np.linspace(0, 1, times.size)], axis=1))
        (out / "results" / "a.spikes").parent.mkdir(exist_ok=True)
        (out / "results" / "a.spikes").write_text(self.events)
        return "a recording"


def refusing(source, *, method, out, progress):
    """Refuse every model."""
    raise ModelError(Fault("no component type is called 'laeky'"))


SPIKES = (
    "      spike times:\n"
    "        file: {path: ../results/v.dat, columns: [0, 1], scaling: [1000, 1000]}\n"
    "        spike detection: {method: threshold, threshold: 0}\n"
    "        tolerance: 0.01\n"
)


@pytest.fixture
def write(tmp_path):
    """Return how to write a test beside a model: observables, what is expected, an engine."""
    (tmp_path / "LEMS_a.xml").write_text("<Lems/>")
    (tmp_path / "test").mkdir()

    def write(
        observables=SPIKES,
        expected="spike times: [10, 25]",
        engine="jNeuroML",
        name="a",
        target="../LEMS_a.xml",
    ):
        folder = tmp_path / "test"
        (folder / f".test.{name}.mep").write_text(
            f"system: a\nexperiments:\n  one:\n    expected:\n      {expected}\n"
        )
        path = folder / f".test.{name}.omt"
        path.write_text(
            f"target: {target}\nengine: {engine}\nmep: .test.{name}.mep\n"
            f"experiments:\n  one:\n    observables:\n{observables}"
        )
        return path

    return write


def only(report):
    (result,) = report.results
    return result


def test_an_engine_that_is_right_passes(write):
    result = only(verify([write()], simulate=Engine()))
    assert result.status == "pass"
    assert result.finding.observed == pytest.approx((10.0, 25.0))
    assert result.finding.deviation == pytest.approx(0, abs=1e-12)


def test_an_engine_that_is_off_fails_with_the_figures(write):
    report = verify([write()], simulate=Engine((0.010, 0.026)))
    result = only(report)
    assert not report.ok
    assert result.status == "fail"
    assert result.finding.deviation == pytest.approx(0.04)
    assert result.finding.worst == pytest.approx((26.0, 25.0))
    assert "25 (1 of 2)" in report.text()


def test_a_lost_spike_fails_and_says_how_many_there_are(write):
    result = only(verify([write()], simulate=Engine((0.010,))))
    assert result.status == "fail"
    assert result.message == "1 values where 2 values are expected"


def test_an_engine_that_refuses_the_model_is_an_error_with_its_words(write):
    report = verify([write(), write(name="b")], simulate=refusing)
    assert [result.status for result in report.results] == ["error", "error"]
    assert "laeky" in report.text()
    assert not report.ok


def test_a_numerical_error_stops_no_other_test(write, tmp_path):
    (tmp_path / "LEMS_b.xml").write_text("<Lems/>")
    right = Engine()

    def simulate(source, *, method, out, progress):
        if source.name == "LEMS_b.xml":
            raise NumericalError("v of pop[0] is NaN at 0.1 s")
        right(source, method=method, out=out, progress=progress)

    tests = [write(), write(name="b", target="../LEMS_b.xml")]
    report = verify(tests, simulate=simulate, jobs=2)
    assert [result.status for result in report.results] == ["pass", "error"]


def test_a_model_that_is_missing_is_named(write):
    result = only(verify([write(target="../LEMS_gone.xml")], simulate=Engine()))
    assert result.status == "error"
    assert "LEMS_gone.xml" in result.message


def test_a_target_for_another_simulator_is_skipped(write):
    result = only(verify([write(target="../cell.hoc")], simulate=Engine()))
    assert result.status == "skip"


def test_a_test_that_cannot_be_read_is_an_error_and_stops_no_other(write):
    bad = write(name="b")
    bad.write_text("target: [\n")
    report = verify([write(), bad], simulate=Engine())
    assert [result.status for result in report.results] == ["pass", "error"]


def test_an_output_that_the_run_did_not_write_is_named_with_what_it_wrote(write):
    result = only(verify([write()], simulate=Engine(file="results/w.dat")))
    assert result.status == "error"
    assert "results/v.dat" in result.message
    assert "results/w.dat" in result.message


def test_an_output_is_found_by_its_name_where_its_folder_differs(write):
    assert verify([write()], simulate=Engine(file="elsewhere/v.dat")).ok


@pytest.mark.parametrize(
    ("engine", "method"),
    [
        ("jNeuroML", "jlems"),
        ("PyLEMS_NeuroML2", "euler"),
        ("jNeuroML_NEURON", "neuron"),
        ("jNeuroML_NetPyNE", "neuron"),
        ("jNeuroML_EDEN", "exponential_euler"),
        ("jNeuroML_Brian2", "euler"),
        ("Octave", None),
    ],
)
def test_the_method_is_that_of_the_engine_that_the_test_was_made_for(write, engine, method):
    simulate = Engine()
    verify([write(engine=engine)], simulate=simulate)
    assert simulate.runs == [("LEMS_a.xml", method)]
    assert method_for(engine) == method


def test_the_method_can_be_overridden(write):
    simulate = Engine()
    verify([write()], simulate=simulate, method="rk4")
    assert simulate.runs == [("LEMS_a.xml", "rk4")]


def test_tests_of_one_model_by_one_method_share_a_run(write):
    simulate = Engine()
    tests = [write(), write(name="b"), write(name="c", engine="jNeuroML_NEURON")]
    report = verify(tests, simulate=simulate)
    assert sorted(simulate.runs) == [("LEMS_a.xml", "jlems"), ("LEMS_a.xml", "neuron")]
    assert report.count("pass") == 3


def test_an_engine_can_be_asked_for(write):
    tests = [write(), write(name="b", engine="jNeuroML_NEURON")]
    result = only(verify(tests, "jneuroml_neuron", simulate=Engine()))
    assert result.engine == "jNeuroML_NEURON"
    with pytest.raises(UsageError, match="there are jNeuroML, jNeuroML_NEURON"):
        verify(tests, "nonesuch", simulate=Engine())


def test_a_folder_without_tests_is_said(tmp_path):
    with pytest.raises(UsageError, match=r"no \.omt file"):
        verify([tmp_path], simulate=Engine())


def test_progress_never_falls_and_ends_at_one(write):
    told = []
    tests = [write(), write(name="b", engine="jNeuroML_NEURON")]
    verify(tests, simulate=Engine(), progress=lambda done, what: told.append((done, what)))
    fractions = [done for done, _ in told]
    assert fractions == sorted(fractions)
    assert told[-1] == (1.0, "LEMS_a.xml")


def test_ctrl_c_stops_the_runs_that_go_on(write):
    started, stopped = threading.Event(), threading.Event()

    def simulate(source, *, method, out, progress):
        if method == "neuron":
            started.wait(10)
            raise KeyboardInterrupt
        started.set()
        try:
            for _ in range(1000):
                progress(0.1, "on the way")
                time.sleep(0.01)
        except LemsmithError:
            stopped.set()
            raise

    tests = [write(), write(name="b", engine="jNeuroML_NEURON")]
    with pytest.raises(KeyboardInterrupt):
        verify(tests, simulate=simulate)
    assert stopped.is_set()


def file(columns="[0, 1]", scaling="[1, 1]"):
    return f"file: {{path: ../results/v.dat, columns: {columns}, scaling: {scaling}}}"


RESISTANCE = (
    f"      input resistance:\n        file_Vm: {file('[0, 2]').removeprefix('file: ')}\n"
    f"        file_VC_i: {file('[0, 0]').removeprefix('file: ')}\n"
    "        holding window: [0, 0.001]\n        command window: [0.03, 0.035]\n"
)


@pytest.mark.parametrize(
    ("observables", "expected", "status"),
    [
        (f"      resting:\n        {file(scaling='[1, 1000]')}\n", "resting: -65", "pass"),
        (f"      resting:\n        {file()}\n", "resting: -65", "fail"),
        (f"      activation variables:\n        {file('[0, 2]')}\n", "dry:", "pass"),
        (f"      activation variables:\n        {file('[0, 1]')}\n", "dry:", "fail"),
        (f"      activation variables:\n        {file('[0, 9]')}\n", "dry:", "error"),
        (
            f"      spike rate:\n        {file()}\n        spike detection: {{threshold: 0}}\n",
            "spike rate: 66.667",
            "pass",
        ),
        (
            "      spike rate:\n        spiketimes file: {path: ../results/a.spikes, ids: '*'}\n",
            "spike rate: 5",
            "pass",
        ),
        (
            "      spike times:\n        spiketimes file: {path: ../results/a.spikes, ids: 1}\n",
            "spike times: [0.1]",
            "pass",
        ),
        (
            "      spike times:\n        spiketimes file: {path: ../results/a.spikes, ids: '*'}\n",
            "spike times: [0.1]",
            "error",
        ),
        (
            RESISTANCE,
            "input resistance: 25.06",
            "pass",
        ),
        ("      morphology: {base section: soma}\n", "morphology: {total area: 1}", "skip"),
        ("      temperature:\n", "temperature: 6.3", "skip"),
        ("      dry:\n", "dry:", "pass"),
        ("", "dry:", "pass"),
    ],
)
def test_each_observable_is_judged(write, observables, expected, status):
    assert only(verify([write(observables, expected)], simulate=Engine())).status == status


def test_a_time_series_is_held_against_the_file_beside_the_expectations(write, tmp_path):
    test = write(
        f"      timeseries:\n        {file()}\n        tolerance: 1e-6\n",
        "timeseries: {file: {path: expected.dat}}",
    )
    assert only(verify([test], simulate=Engine())).status == "error"
    Engine(file="expected.dat")(Path("a"), method=None, out=tmp_path / "test", progress=None)
    assert only(verify([test], simulate=Engine())).status == "pass"
    result = only(verify([test], simulate=Engine((0.010, 0.030))))
    assert result.status == "fail"
    assert len(result.finding.observed) == 800


def test_validation_tests_check_every_document_that_they_name(tmp_path):
    for name in ("a.cell.nml", "b.cell.nml", "c.channel.nml", "d.net.nml"):
        (tmp_path / name).write_text("<neuroml/>")
    test = tmp_path / ".test.validate.omt"
    test.write_text('target: "*.cell.nml *.channel.nml"\nengine: jNeuroML_validate\n')

    def validate(source):
        if source.name == "b.cell.nml":
            raise ModelError(Fault("a cell needs an id"))

    report = verify([test], simulate=refusing, validate=validate)
    statuses = {result.experiment: result.status for result in report.results}
    assert statuses == {"a.cell.nml": "pass", "b.cell.nml": "fail", "c.channel.nml": "pass"}


def test_the_junit_report_parses_and_counts(write):
    tests = [write(), write(name="b", target="../gone.xml"), write(name="c", target="../a.hoc")]
    tests.append(write(name="d", expected="spike times: [11, 25]"))
    root = ET.fromstring(verify(tests, simulate=Engine()).junit())
    counts = {name: root.get(name) for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "4", "failures": "1", "errors": "1", "skipped": "1"}
    assert len(root.findall("testsuite")) == 4
    failure = root.find("testsuite/testcase/failure")
    assert "off by 0.09091, tolerance 0.01" in failure.get("message")
    assert "expected: [11.0, 25.0]" in failure.text


def test_the_junit_report_parses_whatever_an_engine_says(write):
    def simulate(source, *, method, out, progress):
        raise ModelError(Fault("\x1b[31m<red> & \x00 \ud800 \uffff"))

    root = ET.fromstring(verify([write()], simulate=simulate).junit())
    assert "<red> &" in root.find("testsuite/testcase/error").get("message")


def test_the_json_report_holds_the_figures(write):
    report = verify([write(expected="spike times: [0, 25]")], simulate=Engine())
    data = json.loads(report.json())
    assert data["ok"] is False
    assert data["counts"]["fail"] == 1
    (result,) = data["results"]
    assert result["expected"] == [0.0, 25.0]
    assert result["got"] == pytest.approx([10.0, 25.0])
    assert result["deviation"] == "inf"
    assert result["tolerance"] == 0.01


def test_the_markdown_page_is_the_same_each_time(write):
    test = write()
    first, second = (verify([test], simulate=Engine()).markdown() for _ in range(2))
    assert first == second
    assert first.startswith("1 passed.\n\n| result | test |")


@pytest.mark.slow
@pytest.mark.skipif(not REFERENCE.is_dir(), reason=f"{REFERENCE} is not there")
def test_the_reference_interpreters_own_outputs_pass_every_test_written_for_it():
    recorded = {
        Path(run["source"]).name: run["files"]
        for run in json.loads((REFERENCE / "manifest.json").read_text())
        if run["variant"] == "as-is"
    }

    def simulate(source, *, method, out, progress):
        assert method == "jlems"
        for file in recorded[source.name]:
            if file.get("stride") != 1:
                raise UsageError("not every sample was kept of this one")
            path = out / file["file"]
            path.parent.mkdir(parents=True, exist_ok=True)
            with gzip.open(REFERENCE / file["saved_as"]) as packed, path.open("wb") as plain:
                shutil.copyfileobj(packed, plain)

    report = verify([EXAMPLES / "test"], "jNeuroML", simulate=simulate)
    assert report.count("fail") == 0, report.text()
    assert report.count("pass") > 50
    errors = [result.message for result in report.results if result.status == "error"]
    assert set(errors) <= {"not every sample was kept of this one"}
    fitted = [
        result.finding
        for result in report.results
        if result.finding is not None and result.finding.tolerance
    ]
    # Each tolerance was fitted to the deviation that the interpreter itself shows.
    assert all(
        finding.deviation == pytest.approx(finding.tolerance, rel=1e-6, abs=1e-12)
        for finding in fitted
    )
