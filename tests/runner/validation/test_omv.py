"""Reading OMV's files: the whole corpus, each observable, and what is wrong with a file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from lemsmith.errors import ModelError, UsageError
from lemsmith.runner.validation import omv
from lemsmith.runner.validation.yaml_file import MAX_BYTES

SHARED = Path(__file__).parents[3].parent / "shared"
CORPUS = SHARED / "corpus"

needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason=f"{CORPUS} is not there")


def write(folder: Path, experiment: str, expected: str) -> Path:
    """Write a test whose only experiment has the lines `experiment` and expects `expected`."""

    def block(lines: str) -> str:
        return "".join(f"      {line}\n" for line in lines.strip("\n").splitlines())

    (folder / ".test.mep").write_text(
        f"system: a cell\nexperiments:\n  one:\n    expected:\n{block(expected)}"
    )
    path = folder / ".test.omt"
    path.write_text(
        "target: LEMS_a.xml\nengine: jNeuroML\nmep: .test.mep\n"
        f"experiments:\n  one:\n    observables:\n{block(experiment)}"
    )
    return path


def only_check(path: Path) -> omv.Check:
    (experiment,) = omv.read_test(path).experiments
    (check,) = experiment.checks
    return check


@needs_corpus
def test_every_test_of_the_official_examples_and_of_the_model_repositories_is_read():
    found = omv.find([CORPUS / "neuroml2", CORPUS / "osb"])
    assert len(found) == len(list(CORPUS.rglob("*.omt"))) > 140
    for path in found:
        test = omv.read_test(path)
        assert test.engine
        assert test.experiments
        assert test.validates or test.target.is_file()


@needs_corpus
def test_every_expectation_of_the_corpus_is_read_without_a_warning():
    official = list((CORPUS / "neuroml2").rglob("*.mep"))
    assert len(official) == 22
    for path in [*official, *(CORPUS / "osb").rglob("*.mep")]:
        expectations = omv.read_expectations(path)
        assert expectations.warnings == ()
        assert all(expectations.experiments.values())


@needs_corpus
def test_a_test_of_the_corpus_says_what_its_author_wrote():
    folder = CORPUS / "neuroml2" / "LEMSexamples" / "test"
    test = omv.read_test(folder / ".test.ex6.jnml.omt")
    by_name = {experiment.name: experiment.checks[0] for experiment in test.experiments}
    assert by_name["g"].observable == omv.SpikeTimes(
        omv.DataFile("../results/ex6_g.dat", (0, 1), 0, (1000.0, 1.0)),
        omv.Detection("threshold", 1e-11),
        0.00013229263130050425,
    )
    assert by_name["spikerate"].observable == omv.SpikeRate(
        omv.SpikeFile("../results/ex6.input.spikes"), tolerance=0.0
    )
    assert by_name["spikerate"].expected == 13.333333333333332
    assert by_name["spiketimes"].expected == (0.075, 0.15, 0.225, 0.3, 0.375)


def test_tests_are_found_though_they_are_dot_files_and_each_once(tmp_path):
    inside = tmp_path / "model" / ".test.a.omt"
    inside.parent.mkdir()
    inside.write_text("target: a.xml\nengine: jNeuroML\n")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / ".test.b.omt").write_text("")
    assert omv.find([tmp_path, inside]) == (inside,)


def test_a_path_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(UsageError, match="nowhere does not exist"):
        omv.find([tmp_path / "nowhere"])


def test_a_file_that_is_no_test_is_refused(tmp_path):
    (tmp_path / "a.xml").write_text("<Lems/>")
    with pytest.raises(UsageError, match=r"a\.xml is no OMV test"):
        omv.find([tmp_path / "a.xml"])


def test_a_test_without_expectations_is_a_dry_run(tmp_path):
    path = tmp_path / ".test.omt"
    path.write_text("target: LEMS_a.xml\nengine: jNeuroML\n")
    assert only_check(path) == omv.Check(omv.DryRun(), None)


def test_an_experiment_without_observables_is_a_dry_run(tmp_path):
    path = write(tmp_path, "", "resting: -65")
    assert only_check(path).observable == omv.DryRun()


def test_a_validation_test_names_several_targets(tmp_path):
    path = tmp_path / ".test.validate.omt"
    path.write_text('target: "*.cell.nml *.channel.nml"\nengine: jNeuroML_validate\n')
    test = omv.read_test(path)
    assert test.validates
    assert test.targets == ("*.cell.nml", "*.channel.nml")


@pytest.mark.parametrize(
    ("experiment", "expected", "observable", "figure"),
    [
        pytest.param(
            "spike times:\n  file: {path: a.dat, columns: [0]}",
            "spike times: [1, 2.5]",
            omv.SpikeTimes(omv.DataFile("a.dat", (0,), 0, (1.0,))),
            (1.0, 2.5),
            id="spike times from a list in a file",
        ),
        pytest.param(
            "spike times:\n  file: {path: a.dat, columns: [0, 3], header: 2, scaling: 1000}\n"
            "  spike detection: {method: derivative}\n  tolerance: 1e-3",
            "spike times: [1]",
            omv.SpikeTimes(
                omv.DataFile("a.dat", (0, 3), 2, (1000.0, 1000.0)),
                omv.Detection("derivative"),
                0.001,
            ),
            (1.0,),
            id="spike times by derivative",
        ),
        pytest.param(
            "spike rate:\n  spiketimes file: {path: a.spikes, format: TIME_ID, ids: '*'}\n"
            "  method: duration based\n  start_time: 0.1\n  end_time: 1",
            "spike rate: 20",
            omv.SpikeRate(
                omv.SpikeFile("a.spikes", "TIME_ID", "*"), None, "duration based", 0.1, 1.0
            ),
            20.0,
            id="spike rate",
        ),
        pytest.param(
            "resting:\n  file: {path: a.dat}\n  average last: 10\n  tolerance: 0.01",
            "resting: -65.5",
            omv.Resting(omv.DataFile("a.dat"), 10, 0.01),
            -65.5,
            id="resting",
        ),
        pytest.param(
            "resting:\n  file: {path: a.dat}",
            "resting: {file: {path: b.dat}, average last: 2}",
            omv.Resting(omv.DataFile("a.dat")),
            omv.Resting(omv.DataFile("b.dat"), 2),
            id="resting as in another file",
        ),
        pytest.param(
            "timeseries:\n  file: {path: a.dat}",
            "timeseries: [[0, 1], [1, 2]]",
            omv.TimeSeries(omv.DataFile("a.dat")),
            ((0.0, 1.0), (1.0, 2.0)),
            id="time series",
        ),
        pytest.param(
            "activation variables:\n  file: {path: a.dat, columns: [0, 1, 2]}",
            "activation variables:",
            omv.ActivationVariables(omv.DataFile("a.dat", (0, 1, 2), 0, (1.0, 1.0, 1.0))),
            None,
            id="activation variables",
        ),
        pytest.param(
            "input resistance:\n  file_Vm: {path: v.dat}\n  file_VC_i: {path: i.dat}\n"
            "  holding window: [0, 1]\n  command window: [2, 3]",
            "input resistance: 100",
            omv.InputResistance(
                omv.DataFile("v.dat"), omv.DataFile("i.dat"), (0.0, 1.0), (2.0, 3.0)
            ),
            100.0,
            id="input resistance",
        ),
        pytest.param(
            "morphology:\n  base section: soma\n  scaling: 1e-8",
            "morphology: {total area: 1000}",
            omv.Morphology("soma", 1e-8),
            1000.0,
            id="morphology",
        ),
        pytest.param(
            "temperature:\n  tolerance: 0",
            "temperature: 6.3",
            omv.Temperature(0.0),
            6.3,
            id="temperature",
        ),
        pytest.param("dry:", "dry:", omv.DryRun(), None, id="dry run"),
    ],
)
def test_each_observable_is_read_with_what_is_expected(
    tmp_path, experiment, expected, observable, figure
):
    check = only_check(write(tmp_path, experiment, expected))
    assert check == omv.Check(observable, figure)


@pytest.mark.parametrize(
    ("experiment", "expected", "told"),
    [
        ("spike time:\n  file: {path: a.dat}", "resting: 1", r"7:7: no observable is called"),
        ("spike time:\n  file: {path: a.dat}", "resting: 1", "did you mean 'spike times'"),
        ("resting:\n  file: {path: a.dat}", "spike rate: 1", "expects no 'resting' of 'one'"),
        ("resting:\n  file: {columns: [0, 1]}", "resting: 1", "'path' is missing"),
        ("resting:\n  file: {path: a, columns: [0, x]}", "resting: 1", "list of numbers"),
        ("resting:\n  file: {path: a, columns: [0, 0.5]}", "resting: 1", "whole numbers"),
        ("resting:\n  file: {path: a, scaling: [1]}", "resting: 1", "1 factors for 2 columns"),
        ("resting:\n  file: {path: a}\n  tolerance: -1", "resting: 1", "must be 0 or more"),
        ("resting:\n  file: {path: a}\n  tolerance: yes", "resting: 1", "must be a number"),
        ("resting:\n  file: {path: a}", "resting: fast", r"\.mep:5:16: 'resting' must be a number"),
    ],
)
def test_what_is_wrong_with_a_test_is_named(tmp_path, experiment, expected, told):
    with pytest.raises(ModelError, match=told):
        omv.read_test(write(tmp_path, experiment, expected))


def test_an_experiment_that_is_not_expected_is_named_with_the_nearest(tmp_path):
    path = write(tmp_path, "resting:\n  file: {path: a}", "resting: 1")
    path.write_text(path.read_text().replace("  one:", "  onne:"))
    with pytest.raises(ModelError, match=r"no experiment 'onne'.*did you mean 'one'"):
        omv.read_test(path)


def test_all_that_is_wrong_is_told_at_once(tmp_path):
    path = write(tmp_path, "resting:\n  tolerance: -1\n  file: {path: a, header: -2}", "resting: 1")
    with pytest.raises(ModelError) as caught:
        omv.read_test(path)
    assert len(caught.value.faults) == 2


def test_a_key_that_means_nothing_is_a_warning(tmp_path):
    path = write(tmp_path, "spike times:\n  spiketimes file: {path: a, id: 3}", "spike times: [1]")
    (warning,) = omv.read_test(path).warnings
    assert "'id' has no meaning here; did you mean 'ids'?" in warning


def test_a_missing_expectations_file_is_named(tmp_path):
    path = tmp_path / ".test.omt"
    path.write_text("target: a.xml\nengine: jNeuroML\nmep: .gone.mep\nexperiments: {}\n")
    with pytest.raises(ModelError, match=r"3:6: there is no file .*\.gone\.mep"):
        omv.read_test(path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "- a\n- b\n",
        "target: [a\n",
        "target: !!python/object:os.system ls\nengine: a\n",
        "a: " + "[" * 5000,
        "a: &a [x, x, x, x, x, x, x, x]\n"
        + "".join(
            f"{n}: &{n} [{', '.join([f'*{p}'] * 8)}]\n"
            for p, n in zip("abcdefgh", "bcdefghi", strict=True)
        ),
    ],
    ids=["empty", "a list", "broken", "an object", "nested", "expanding"],
)
def test_a_file_that_is_no_plain_yaml_is_a_fault_of_the_file(tmp_path, text):
    path = tmp_path / ".test.omt"
    path.write_text(text)
    with pytest.raises(ModelError, match=r"\.test\.omt:\d+:\d+"):
        omv.read_test(path)


def test_a_file_that_is_too_large_is_refused_unread(tmp_path):
    path = tmp_path / ".test.omt"
    path.write_text("target: a\nengine: b\n#" + "x" * MAX_BYTES)
    with pytest.raises(ModelError, match="larger than 5 MB"):
        omv.read_test(path)


@pytest.mark.parametrize("value", [".inf", ".nan", "-.inf"])
@pytest.mark.parametrize(
    "text",
    [
        "tolerance: {}\n  file: {{path: a}}",
        "file: {{path: a, scaling: {}}}",
        "file: {{path: a, scaling: [1, {}]}}",
        "spike detection: {{method: threshold, threshold: {}}}\n  file: {{path: a}}",
    ],
)
def test_a_number_must_be_finite(tmp_path, text, value):
    path = write(tmp_path, f"spike times:\n  {text.format(value)}", "spike times: [1]")
    with pytest.raises(ModelError, match="finite number"):
        omv.read_test(path)


def test_expectations_stand_for_the_tests_that_name_them(tmp_path):
    for name, mep in {".one": ".a.mep", "two": "./.a.mep", "other": "b.mep", "dry": "5"}.items():
        (tmp_path / f"{name}.omt").write_text(f"target: m.xml\nengine: jNeuroML\nmep: {mep}\n")
    (tmp_path / "broken.omt").write_text("mep: [.a.mep")
    (tmp_path / ".a.mep").touch()
    found = omv.find([tmp_path / ".a.mep", tmp_path / ".one.omt"])
    assert [path.name for path in found] == [".one.omt", "two.omt"]


def test_what_is_no_test_is_refused_by_what_it_is(tmp_path):
    (tmp_path / "a.mep").touch()
    with pytest.raises(UsageError, match=r"a\.mep says what to expect.* no OMV test"):
        omv.find([tmp_path / "a.mep"])
    os.mkfifo(tmp_path / "pipe.omt")
    with pytest.raises(UsageError, match=r"pipe\.omt is no file"):
        omv.find([tmp_path / "pipe.omt"])
