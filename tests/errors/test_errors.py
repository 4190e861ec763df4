"""Every wrong model here is refused with its expected message.

A case is two files: a small wrong model and, beside it, what is said of it: the text of the
error that `lemsmith.run` raises, or, for a model that runs nevertheless, what
`lemsmith.check` finds. `python tests/errors/test_errors.py` writes the second of every new
case, to be read before it is committed.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import lemsmith
import pytest
from lemsmith.runner.backends import BACKENDS

FOLDER = Path(__file__).parent

#: Models that are at fault only while they run; every backend must say the same of them.
AT_RUN_TIME = ("nan_in_run", "infinite_in_run", "nan_of_derived")


#: When, in a message, and the step that all the models here take, s.
TIME = re.compile(r"t = ([\d.e-]+) s")
STEP = 1e-4


#: Here a run names the component that cannot be used so, and check the place that uses it.
AT_ITS_USE = {"input_that_is_no_current"}


def cases():
    return sorted(p for p in FOLDER.iterdir() if p.suffix in {".xml", ".nml"})


def said(path, **options):
    """Return what lemsmith says of a model, without this machine's folders."""
    try:
        lemsmith.run(path, method="jlems", **options)
    except lemsmith.LemsmithError as error:
        text = str(error)
    else:
        text = "\n".join(map(str, lemsmith.check([path])))
    return text.replace(f"{FOLDER}/", "").replace(str(FOLDER), "FOLDER") + "\n"


def named(path):
    return path.stem


@pytest.mark.parametrize("path", cases(), ids=named)
def test_a_wrong_model_is_refused_with_its_message(path):
    assert said(path) == path.with_suffix(".expected").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", cases(), ids=named)
def test_check_finds_every_fault_that_stops_a_run(path):
    try:
        lemsmith.run(path, method="jlems")
    except lemsmith.ModelError as error:
        wrong = error.faults
    except lemsmith.NumericalError:
        return
    else:
        wrong = ()
    found = [fault for fault in lemsmith.check([path]) if fault.severity == "error"]
    # A document without a Simulation is no fault of its own.
    wrong = [fault for fault in wrong if "no Simulation" not in fault.message]
    if path.stem in AT_ITS_USE:
        assert len(found) >= len(wrong)
        return
    # The attribute that is wrong is a better place than its element.
    lines = {(fault.place.file, fault.place.line) for fault in found if fault.place}
    assert [f for f in wrong if f.place and (f.place.file, f.place.line) not in lines] == []


@pytest.mark.parametrize("path", cases(), ids=named)
def test_a_message_names_a_place_and_shows_its_line(path):
    text = path.with_suffix(".expected").read_text(encoding="utf-8")
    if path.stem in AT_RUN_TIME or path.stem in {"event_circle", "not_a_model"}:
        return
    first, *rest = text.splitlines()
    name, line, column, message = first.split(":", 3)
    assert (name, bool(message.strip())) == (path.name, True)
    # What `check` alone finds is listed without its line.
    if "warning:" not in first and rest:
        shown = path.read_text().splitlines()[int(line) - 1 :][:1] or [""]
        assert rest[0].strip() in shown[0]
        assert rest[1] == " " * (3 + int(column)) + "^"


@pytest.mark.parametrize("method", ["jlems", "euler"])
@pytest.mark.parametrize("backend", sorted(BACKENDS))
@pytest.mark.parametrize("name", AT_RUN_TIME)
def test_every_backend_says_when_a_number_is_lost(name, backend, method):
    try:
        lemsmith.run(FOLDER / f"{name}.xml", method=method, backend=backend)
    except lemsmith.NumericalError as error:
        text = str(error)
    except (lemsmith.UsageError, lemsmith.MissingTool) as error:
        pytest.skip(str(error))
    expected = (FOLDER / f"{name}.expected").read_text(encoding="utf-8").strip()
    time, expected_time = (float(TIME.search(it)[1]) for it in (text, expected))
    assert TIME.sub("", text) == TIME.sub("", expected)
    # Under jlems what is derived from a state is recorded a step later than the state.
    assert abs(time - expected_time) < 1.5 * STEP


def test_every_expected_message_has_its_model():
    models = {path.stem for path in cases()}
    assert {path.stem for path in FOLDER.glob("*.expected")} == models
    assert len(models) >= 60


def main() -> None:
    """Write the message of every case that has none yet, or of those named."""
    for path in cases():
        expected = path.with_suffix(".expected")
        if path.stem in sys.argv[1:] or not expected.exists():
            expected.write_text(said(path), encoding="utf-8")
            print(f"== {path.name}\n{expected.read_text()}", end="")


if __name__ == "__main__":
    main()
