"""The command line, over a pipeline that answers what the test wants."""

import json
import os
import subprocess
import sys
import tempfile
from types import SimpleNamespace

import click
import lemsmith
import lemsmith.runner
import numpy as np
import pytest
from click.testing import CliRunner
from lemsmith.command_line import cli
from lemsmith.errors import (
    Fault,
    InternalError,
    Interrupted,
    MissingTool,
    ModelError,
    NumericalError,
    Place,
    UsageError,
)
from lemsmith.runner.recording import (
    DisplayLine,
    DisplaySpec,
    OutputColumnSpec,
    OutputFileSpec,
    Recording,
    Trace,
)

RECORDING = Recording(
    time=np.array([0.0, 1e-3, 2e-3]),
    traces=(Trace("v", "pop[0]/v", "voltage", "V", np.array([-0.07, 0.01, -0.06])),),
    output_files=(OutputFileSpec("results/v.dat", (OutputColumnSpec("v", "pop[0]/v"),)),),
    displays=(DisplaySpec("A cell", 0, 2, -80, 50, 1e-3, (DisplayLine("v", "pop[0]/v", 1e-3),)),),
    settings={"method": "euler"},
    source="LEMS_hh.xml",
)


class Pipeline(SimpleNamespace):
    """Remembers how it was called; returns or raises `answer`."""

    def __init__(self):
        super().__init__(calls=[], answer=RECORDING)

    def _call(self, *arguments, **options):
        options.pop("progress", None)
        self.calls.append((arguments, options))
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer

    run = check = show = _call


@pytest.fixture
def pipeline(monkeypatch):
    fake = Pipeline()
    monkeypatch.setitem(sys.modules, "lemsmith.runner.pipeline", fake)
    monkeypatch.setattr(lemsmith.runner, "pipeline", fake, raising=False)
    return fake


@pytest.fixture
def model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    path = tmp_path / "LEMS_hh.xml"
    path.write_text("<Lems>\n  <Oops/>\n</Lems>\n")
    return path


def call(*arguments):
    return CliRunner().invoke(cli, [str(it) for it in arguments], prog_name="lemsmith")


# run


def test_a_run_writes_the_models_files_in_the_current_folder(pipeline, model, tmp_path):
    result = call("run", model)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "results" / "v.dat").read_text().startswith("0.0\t-0.07\t\n")
    assert "wrote results/v.dat" in result.output
    assert result.output.startswith("LEMS_hh.xml: 1 quantity over 2 ms, 3 samples each, in 0.")


def test_options_that_were_not_given_are_left_to_the_pipeline(pipeline, model):
    call("run", model)
    assert pipeline.calls == [((model,), {})]


def test_every_option_reaches_the_pipeline(pipeline, model, tmp_path):
    result = call(
        "run", model,
        "--backend", "numpy", "--method", "jlems", "--precision", "single", "--target", "net",
        "--step", "0.01ms", "--length", "1 s", "--seed", "7", "--events", "exact",
        "--rtol", "1e-6", "--atol", "1e-9", "--threads", "2",
        "--set", "hh/v0=-60 mV", "--set", "pulse/amplitude=1nA",
        "-I", tmp_path, "--confine", tmp_path,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert pipeline.calls == [
        (
            (model,),
            {
                "backend": "numpy",
                "method": "jlems",
                "precision": "single",
                "target": "net",
                "step": "0.01ms",
                "length": "1 s",
                "seed": 7,
                "events": "exact",
                "rtol": 1e-6,
                "atol": 1e-9,
                "threads": 2,
                "overrides": {"hh/v0": "-60 mV", "pulse/amplitude": "1nA"},
                "include_dirs": (tmp_path,),
                "confine": tmp_path,
            },
        )
    ]


def test_an_option_that_the_pipeline_does_not_take_is_refused_by_name(pipeline, model, monkeypatch):
    def run(source, *, progress=None, seed=None):
        return RECORDING

    monkeypatch.setattr(pipeline, "run", run, raising=False)
    assert call("run", model, "--seed", 1).exit_code == 0
    result = call("run", model, "--rtol", "1e-6")
    assert result.exit_code == 2
    assert "--rtol is not supported yet" in result.output


def test_a_seed_of_zero_counts_as_given(pipeline, model):
    call("run", model, "--seed", "0")
    assert pipeline.calls[0][1] == {"seed": 0}


def test_out_names_the_folder_of_the_files(pipeline, model, tmp_path):
    call("run", model, "--out", "there")
    assert (tmp_path / "there" / "results" / "v.dat").exists()
    assert not (tmp_path / "results").exists()


def test_save_writes_the_format_of_the_suffix(pipeline, model, tmp_path):
    pytest.importorskip("h5py")
    assert call("run", model, "--save", "deep/a.npz").exit_code == 0
    assert call("run", model, "--save", "a.h5").exit_code == 0
    assert (tmp_path / "deep" / "a.npz").read_bytes()[:2] == b"PK"
    assert (tmp_path / "a.h5").read_bytes()[1:4] == b"HDF"


def test_another_suffix_is_refused_before_anything_runs(pipeline, model):
    result = call("run", model, "--save", "a.mat")
    assert result.exit_code == 2
    assert ".npz and FILE.h5" in result.output
    assert pipeline.calls == []


def test_plot_draws_the_displays(pipeline, model, tmp_path):
    pytest.importorskip("matplotlib")
    result = call("run", model, "--plot")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "LEMS_hh.A_cell.png").read_bytes()[1:4] == b"PNG"


def test_plot_without_matplotlib_names_what_to_install(pipeline, model, monkeypatch):
    monkeypatch.setitem(sys.modules, "lemsmith.runner.plots", None)
    monkeypatch.delattr(lemsmith.runner, "plots", raising=False)
    result = call("run", model, "--plot")
    assert result.exit_code == 2
    assert "lemsmith[plot]" in result.output
    assert pipeline.calls == []


def test_error_runs_the_reference_method_too_and_compares(pipeline, model):
    result = call("run", model, "--error", "--method", "euler", "--step", "1ms")
    assert [options for _, options in pipeline.calls] == [
        {"method": "euler", "step": "1ms"},
        {"method": "reference", "step": "1ms"},
    ]
    assert "the converged solution" in result.output
    assert "pop[0]/v" in result.output


def test_quiet_says_nothing(pipeline, model):
    assert call("run", model, "-q").output == ""


def test_a_model_without_an_output_file_is_told_how_to_keep_its_results(pipeline, model):
    pipeline.answer = Recording(RECORDING.time, RECORDING.traces)
    assert "--save" in call("run", model).output


@pytest.mark.parametrize("text", ["v0=1mV", "hh/v0", "hh/=1", "/v0=1", "hh/v0="])
def test_a_set_that_is_no_assignment_is_refused_with_an_example(text, pipeline, model):
    result = call("run", model, "--set", text)
    assert result.exit_code == 2
    assert "COMPONENT/PARAM=VALUE" in result.output


def test_a_set_value_may_hold_an_equals_sign_and_a_path_slashes(pipeline, model):
    call("run", model, "--set", "net/pop/cell/note=a=b")
    assert pipeline.calls[0][1]["overrides"] == {"net/pop/cell/note": "a=b"}


def test_a_stopped_run_keeps_what_it_had_as_partial_files(pipeline, model, tmp_path):
    pipeline.answer = Interrupted(RECORDING)
    result = call("run", model, "--save", "a.npz")
    assert result.exit_code == 130
    assert (tmp_path / "results" / "v.dat.partial").exists()
    assert (tmp_path / "a.npz.partial").exists()
    assert not (tmp_path / "results" / "v.dat").exists()
    assert "kept results/v.dat.partial" in result.output


def test_ctrl_c_before_the_run_began_ends_quietly(pipeline, model):
    pipeline.answer = KeyboardInterrupt()
    result = call("run", model)
    assert result.exit_code == 130
    assert result.output == "stopped\n"


# errors


FAULT = Fault("no component type is called 'Oops'", Place("LEMS_hh.xml", 2, 3))


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (ModelError(FAULT, {FAULT.place: "  <Oops/>"}), 1, "LEMS_hh.xml:2:3"),
        (NumericalError("hh.v became NaN at 3 ms"), 1, "hh.v became NaN"),
        (UsageError("no method is called 'eluer'"), 2, "eluer"),
        (MissingTool("no C++ compiler was found"), 2, "compiler"),
        (MemoryError(), 2, "memory"),
        (FileNotFoundError(2, "No such file", "gone.xml"), 2, "gone.xml: No such file"),
        (InternalError("an index went astray"), 70, "an index went astray"),
        (ZeroDivisionError("division by zero"), 70, "division by zero"),
    ],
)
def test_an_error_is_a_message_and_an_exit_code(error, code, text, pipeline, model):
    pipeline.answer = error
    result = call("run", model)
    assert result.exit_code == code
    assert text in result.output
    assert "Traceback" not in result.output


def test_a_fault_of_the_model_is_shown_under_its_line(pipeline, model):
    pipeline.answer = ModelError(FAULT, {FAULT.place: "  <Oops/>"})
    assert "    " + "  <Oops/>\n      ^" in call("run", model).output


def test_an_internal_error_says_how_to_report_it_and_keeps_the_facts(pipeline, model, tmp_path):
    pipeline.answer = ZeroDivisionError("division by zero")
    result = call("run", model)
    assert "Please report it" in result.output
    (kept,) = tmp_path.glob("lemsmith-fault-*.txt")
    assert str(kept) in result.output
    assert "ZeroDivisionError" in kept.read_text()
    assert lemsmith.__version__ in kept.read_text()


def test_errors_go_to_stderr_and_leave_stdout_to_results(pipeline, model):
    pipeline.answer = UsageError("no")
    result = call("run", model)
    assert result.stdout == ""
    assert "no" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["run"],
        ["run", "missing.xml"],
        ["run", "--backend", "fortran", "LEMS_hh.xml"],
        ["run", "--threads", "0", "LEMS_hh.xml"],
        ["run", "--step"],
        ["fly"],
        ["check"],
        ["show", "--stage", "poetry", "LEMS_hh.xml"],
    ],
)
def test_a_wrong_request_exits_with_two(arguments, pipeline, model):
    result = call(*arguments)
    assert result.exit_code == 2
    assert pipeline.calls == []


# check, show, compare, devices


def test_check_lists_every_fault_under_its_source_line(pipeline, model):
    pipeline.answer = (FAULT, Fault("a parameter nobody reads", severity="warning"))
    result = call("check", model)
    assert result.exit_code == 1
    assert "LEMS_hh.xml:2:3: no component type is called 'Oops'\n      <Oops/>" in result.output
    assert "1 error and 1 warning in 1 file" in result.output


def test_warnings_alone_are_no_failure(pipeline, model):
    pipeline.answer = (Fault("a parameter nobody reads", severity="warning"),)
    assert call("check", model).exit_code == 0


def test_check_gives_faults_as_data(pipeline, model):
    pipeline.answer = (FAULT,)
    result = call("check", "--json", model, model)
    assert result.exit_code == 1
    assert json.loads(result.output)[0]["line"] == 2


def test_check_without_a_fault_says_so(pipeline, model):
    pipeline.answer = ()
    result = call("check", model, model)
    assert result.exit_code == 0
    assert result.output == "no faults in 2 files\n"


def test_show_prints_the_stage(pipeline, model):
    pipeline.answer = "dv = -v"
    result = call("show", model, "--stage", "source", "--backend", "cuda", "--explain")
    assert result.output == "dv = -v\n"
    assert pipeline.calls == [((model, "source"), {"backend": "cuda", "explain": True})]


def test_devices_lists_every_backend_and_what_it_lacks():
    result = call("devices")
    assert result.exit_code == 0
    for backend in ("numpy", "cpp", "cuda", "cuda-on-host"):
        assert backend in result.output


def test_compare_finds_equal_files_equal_and_others_not(model, tmp_path):
    (tmp_path / "a.dat").write_text("0.0\t-0.07\t\n0.001\t0.01\t\n0.002\t-0.05\t\n")
    (tmp_path / "b.csv").write_text("t,v\n0,-0.07\n0.001,0.01\n0.002,-0.05\n")
    (tmp_path / "c.dat").write_text("0.0\t-0.07\t\n0.001\t0.02\t\n0.002\t-0.05\t\n")
    assert call("compare", "a.dat", "b.csv").exit_code == 0
    result = call("compare", "a.dat", "c.dat", "--json")
    assert result.exit_code == 1
    assert json.loads(result.output)["verdict"] == "different"


def test_compare_finds_a_lost_event(model, tmp_path):
    (tmp_path / "a.spikes").write_text("0\t0.01\n")
    (tmp_path / "b.spikes").write_text("0\t0.01\n0\t0.02\n")
    assert call("compare", "a.spikes", "a.spikes").exit_code == 0
    result = call("compare", "a.spikes", "b.spikes")
    assert result.exit_code == 1
    assert "lost" in result.output


def test_verify_hands_its_options_to_the_validation(model, tmp_path, monkeypatch):
    calls = []

    def verified(*arguments, **options):
        del options["progress"]
        calls.append((arguments, options))
        return 1, "a table"

    monkeypatch.setattr("lemsmith.runner.validation.commands.run_verify", verified)
    result = call("verify", tmp_path, "--engine", "jLEMS", "--report", "a.xml", "--jobs", 3)
    assert result.exit_code == 1
    assert result.output == "a table\n"
    arguments, options = calls[0]
    assert arguments == ((tmp_path,),)
    assert options["engine"] == "jLEMS"
    assert [file.name for file in options["files"]] == ["a.xml"]
    assert options["jobs"] == 3


def test_verify_against_peers_hands_over_models_peers_and_settings(model, monkeypatch):
    calls = []

    def compared(*arguments, **options):
        calls.append((arguments, options))
        return 0, "a table"

    monkeypatch.setattr("lemsmith.runner.validation.commands.run_against", compared)
    result = call(
        "verify", model, "--against", "neuron", "--against", "a.dat", "--step", "1ms", "--seed", 0
    )
    assert result.exit_code == 0, result.output
    arguments, options = calls[0]
    assert arguments == ((model,), ("neuron", "a.dat"))
    assert options["settings"] == {"step": "1ms", "seed": "0"}
    assert "time_limit" not in options


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--plot", "pictures"), "--plot is for --against alone"),
        (("--refine", "3"), "--refine is for --against alone"),
        (("--against", "neuron", "--engine", "jLEMS"), "--engine is not for --against"),
        (("--against", "neuron", "--method", "magic"), "no method is called 'magic'"),
        (("--against", "neuron", "--step", "bogus"), "--step"),
        (("--against", "neuron", "--report", "a.xml"), "--report knows .json here"),
    ],
)
def test_verify_refuses_what_it_would_not_look_at(model, words, told):
    result = call("verify", model, *words)
    assert result.exit_code == 2
    assert told in result.output


def test_verify_refuses_a_report_of_an_unknown_kind(model, tmp_path):
    assert call("verify", tmp_path, "--report", "a.pdf").exit_code == 2


# The whole


def test_every_command_has_examples_that_are_commands():
    for name, command in cli.commands.items():
        examples = [
            line.split()
            for line in (command.epilog or "").splitlines()
            if line.strip().startswith("lemsmith ")
        ]
        assert examples, name
        for _, command_name, *words in examples:
            assert command_name == name
            arguments = words[: words.index(">")] if ">" in words else words
            known = {
                opt for param in command.params for opt in (*param.opts, *param.secondary_opts)
            }
            assert {it for it in arguments if it.startswith("-")} <= known


def test_every_option_says_what_it_does():
    for name, command in cli.commands.items():
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, f"{name} {parameter.name}"
                assert parameter.help.endswith("."), f"{name} {parameter.name}"


def python(*arguments):
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "100"},
    )  # fmt: skip


def test_the_version_is_answered_without_importing_anything_heavy():
    heavy = ["numpy", "sympy", "lxml", "jinja2", "rich", "matplotlib"]
    code = (
        "import sys; from lemsmith.command_line import cli\n"
        "cli(['--version'], prog_name='lemsmith', standalone_mode=False)\n"
        f"print([it for it in {heavy} if it in sys.modules])"
    )
    assert python("-c", code).stdout == f"lemsmith {lemsmith.__version__}\n[]\n"


def test_python_m_lemsmith_is_the_command_line():
    assert python("-m", "lemsmith", "--version").stdout == f"lemsmith {lemsmith.__version__}\n"
