"""Method `jlems` against everything that the reference interpreter gave, row by row.

`reference_traces.json` says for each source how much there is to compare, so that a column
or an event that is silently lost fails. `python tests/conformance/record_figures.py` writes
it anew.
"""

from __future__ import annotations

import json
from pathlib import Path

import corpus
import lemsmith
import pytest
from lemsmith.runner.backends import BACKENDS
from lemsmith.runner.request import seconds
from lemsmith.runner.results import write_files

FIGURES = json.loads((Path(__file__).parent / "reference_traces.json").read_text(encoding="utf-8"))

#: Steps that slower backends take of every model.
BEGINNING = 2000

#: The models that slower backends run to the end in every test; the others in the slow ones.
IN_FULL = (
    "nml2/LEMS_NML2_Ex0_IaF.xml",
    "nml2/LEMS_NML2_Ex1_HH.xml",
    "nml2/LEMS_NML2_Ex3_Net.xml",
    "nml2/LEMS_NML2_Ex5_DetCell.xml",
    "nml2/LEMS_NML2_Ex9_FN.xml",
)

pytestmark = pytest.mark.skipif(corpus.ABSENT is not None, reason=str(corpus.ABSENT))

numpy_only = pytest.mark.skipif(
    "numpy" not in BACKENDS, reason="the numpy backend is not there yet"
)


def sources(chosen=tuple(FIGURES)):
    """Return the parameters of a test over sources; what fails today is marked as such."""
    marks = {
        key: [pytest.mark.xfail(reason=figures["wrong"])]
        for key, figures in FIGURES.items()
        if "wrong" in figures
    }
    return [pytest.param(key, id=key, marks=marks.get(key, ())) for key in chosen]


def assert_equal(done, figures, but=()):
    assert done.faults == []
    known = {name: value for name, value in figures.items() if name not in {"wrong", *but}}
    assert {name: done.figures()[name] for name in known} == known


@pytest.mark.parametrize("key", sources())
def test_every_row_on_cpp_equals_the_reference(key, tmp_path):
    recording = lemsmith.run(corpus.source_of(key), method="jlems", backend="cpp")
    write_files(recording, tmp_path)
    assert_equal(corpus.compare(key, recording, folder=tmp_path), FIGURES[key])


@numpy_only
@pytest.mark.parametrize("key", sources())
def test_the_first_steps_on_numpy_equal_the_reference(key):
    step = seconds(corpus.entries(key)[0]["dt"], "step", above=True)
    steps = min(BEGINNING, corpus.entries(key)[0]["steps"])
    recording = lemsmith.run(
        corpus.source_of(key), method="jlems", backend="numpy", length=steps * step
    )
    assert len(recording) == steps + 1
    but = {"rows", "event_lines", "identical_columns", "identical_files"}
    assert_equal(corpus.compare(key, recording, steps=steps), FIGURES[key], but)


@numpy_only
@pytest.mark.parametrize(
    "key",
    [
        pytest.param(key, id=key, marks=() if key in IN_FULL else pytest.mark.slow)
        for key in FIGURES
    ],
)
def test_every_row_on_numpy_equals_the_reference(key):
    recording = lemsmith.run(corpus.source_of(key), method="jlems", backend="numpy")
    # numpy's exp may differ in the last bit of a double.
    assert_equal(
        corpus.compare(key, recording), FIGURES[key], {"identical_columns", "identical_files"}
    )


def test_every_source_that_the_reference_ran_is_compared():
    ran = {corpus.key_of(entry) for entry in corpus.manifest() if entry["rc"] == 0}
    assert ran == set(FIGURES)


def test_what_is_compared_amounts_to_the_whole_reference():
    names = ("trace_files", "columns", "rows", "event_files", "event_lines")
    total = {name: sum(figures[name] for figures in FIGURES.values()) for name in names}
    stored = [file for key in FIGURES for file in corpus.result_files(key)]
    traces = [file for file in stored if file["kind"] == "trace"]
    assert total == {
        "trace_files": len(traces),
        "columns": sum(len(file["columns"]) for file in traces),
        "rows": sum(len(file["columns"]) * file["rows_saved"] for file in traces),
        "event_files": len(stored) - len(traces),
        "event_lines": sum(file["rows_saved"] for file in stored if file not in traces),
    }
