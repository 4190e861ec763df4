"""Writes conformance.md: what becomes of every file of the shared corpus.

Per file: does it check, does it run, does it give what the reference interpreter (or, where
that cannot run it, NEURON) gave; and per test of the community, does it pass. The same
lemsmith writes the same text: nothing in it depends on the machine or the hour.

    python docs/conformance.py                 the whole page: an hour of a core
    python docs/conformance.py --tests         only the section of the community's tests
    python docs/conformance.py FOLDER...       only files below these folders, to the screen
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import lemsmith
import numpy as np
from lemsmith.runner.recording import Recording, crossings
from lemsmith.runner.validation.report import CheckResult
from lemsmith.runner.validation.verify import verify

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "conformance"))

import corpus  # noqa: E402 - the tests' helper, found by the line above

PAGE = ROOT / "docs" / "conformance.md"

#: Models whose generated program a C++ compiler works on for too long: numpy runs as much.
SHORTENED: Mapping[str, str] = {"osb/c302/examples/LEMS_c302_C_Full.xml": "5 ms"}

#: Characters of a message that the page keeps.
SHOWN = 160

HEAD = """# Conformance

What becomes of every file of the shared corpus. Written by `make conformance`; do not edit.

- **checked**: `lemsmith check` finds no error (with the number of warnings), or the first error.
- **ran**: the method that it ran by on `cpp`, or why it did not. Files without a Simulation are
  parts of others and are only checked.
- **matched**: against the reference interpreter under `jlems`, whose steps that method takes: every
  stored row of every column within 1e-6 of the column's range or one float32 ulp, every event line;
  "to the byte" where all output files are identical. Public models are compared at 21 samples
  (7 digits) and by when each column rises through its threshold; models of several compartments,
  which the reference interpreter refuses, with NEURON's threshold crossings at the file's own step.

"""


TESTS_TITLE = "## The community's tests"
TESTS = """Each runs by the method that takes the steps of the engine that it was written for,
or the nearest ([validation.md](validation.md)). What is missed is told with its distance, in the
test's own unit (ms for nearly all). Where the very sample is granted, the expected times are that
engine's own output, and one sample beside them is a miss.
"""

#: NEURON's draws are its own, keyed by the export: those of another generator differ.
DRAWS = "**random inputs**, drawn by NEURON's generator: see cables.md"

#: What a run of NEURON with parameters set to all their digits showed.
SIX_DIGITS = (
    "**six digits**: the parameters that the export keeps; NEURON given all of them is within "
    "1e-8 ms of ours"
)

#: Why a test is missed, as it was found out: by running the engine itself, or its export read.
REASONS: Mapping[str, str] = {
    "neuroml2/LEMSexamples/test/.test.ex0.jnmleden.omt": "**EDEN** resets this cell one step "
    "later than our method does, each time",
    "neuroml2/LEMSexamples/test/.test.ex9.jnmleden.omt": "**EDEN** takes types that a model "
    "defines by forward Euler: by `euler` all of it passes",
    "osb/NeuroMLlite/examples/test_files/.test.ex4.jnmleden.omt": "**EDEN** computes in "
    "single precision",
    "neuroml2/LEMSexamples/test/.test.ex3.jnmlnrn.omt": "**the export** to NEURON has spikes "
    "cross 0 mV where the cell says `thresh` 20 mV, which is 0.1 ms later",
    "neuroml2/LEMSexamples/test/.test.ex26.jnmlnrn.omt": "**seven digits**: the export "
    "writes -64.899995 mV as -64.9, which is not yet above the threshold",
    "neuroml2/LEMSexamples/test/.test.ex15.jnmlnrn.omt": SIX_DIGITS,
    "osb/GranuleCell/neuroConstruct/generatedNeuroML2/.test.jnmlnrn.omt": SIX_DIGITS,
    "neuroml2/LEMSexamples/test/.test.ex16.jnmlnrn.omt": "**the export**: array, seven digits "
    "are written, which are the threshold itself; compound, a changing current makes a slope of "
    "its own, since its sum is a call older than its parts (done likewise, 5e-9 V are left)",
    "neuroml2/LEMSexamples/test/.test.ex3.pylems.omt": "**PyLEMS** delivers events otherwise: "
    "its spikes come two samples from ours by the same steps",
    "neuroml2/LEMSexamples/test/.test.ex5.jnmlmoose.omt": "**MOOSE** has a method of its own",
    "osb/GranCellLayer/neuroConstruct/generatedNeuroML2/.test.1d.jnmlnrn.omt": DRAWS,
    "osb/OpenCortex/examples/tests/.test.acnet.h5.jnmlnrn.omt": DRAWS,
    "osb/OpenCortex/examples/tests/.test.balanced.jnmlnrn.omt": DRAWS,
    "osb/OpenCortex/examples/tests/.test.spiking.h5.jnmlnrn.omt": DRAWS,
    "osb/StochasticityShowcase/NeuroML2/.test.tests.jnmlnrn.omt": DRAWS,
}

#: A relative tolerance below this one grants no other sample.
EXACT = 1e-7


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one file."""

    name: str
    checked: str
    ran: str = ""
    matched: str = ""


def main(folders: Sequence[str] = ()) -> None:
    if corpus.ABSENT is not None:
        sys.exit(corpus.ABSENT)
    if find_spec("neuroml") is None:
        sys.exit("the page says what NeuroML's schema refuses: pip install 'lemsmith[xsd]'")
    if list(folders) == ["--tests"]:
        before = PAGE.read_text(encoding="utf-8").partition(TESTS_TITLE)[0]
        PAGE.write_text(before + tests_section(), encoding="utf-8")
        return
    chosen = [Path(folder).resolve() for folder in folders]
    sections = []
    with ProcessPoolExecutor(max_workers=os.cpu_count()) as pool:
        for title, folder in (
            ("The official examples", corpus.NEUROML2),
            ("LEMS, jLEMS and PyLEMS examples", corpus.CORPUS / "lems"),
            ("Models of public repositories", corpus.CORPUS / "osb"),
        ):
            files = [
                path
                for path in corpus.model_files(folder)
                if not chosen or any(path.resolve().is_relative_to(it) for it in chosen)
            ]
            rows = list(pool.map(row_of, files))
            if rows:
                sections.append(section(title, rows))
    if not chosen:
        sections.append(tests_section())
    text = HEAD + "\n".join(sections)
    if chosen:
        print(text)
    else:
        PAGE.write_text(text, encoding="utf-8")


def row_of(path: Path) -> Row:
    """Return what becomes of one file."""
    name = path.relative_to(corpus.CORPUS).as_posix()
    checked = check(path)
    if not re.search(rb"<(Target|DefaultRun)\b", path.read_bytes()):
        return Row(name, checked)
    try:
        method, recording = run(path, name)
    except lemsmith.LemsmithError as error:
        return Row(name, checked, f"no: {shown(error, path)}")
    if name in SHORTENED:
        ran = f"{method} on numpy, {SHORTENED[name]} of it: the program is too long for a compiler"
        return Row(name, checked, ran, "not compared")
    return Row(name, checked, method, compare(path, method, recording))


def check(path: Path) -> str:
    faults = lemsmith.check([path])
    errors = [fault for fault in faults if fault.severity == "error"]
    if errors:
        return f"no: {shown(lemsmith.ModelError(errors[:1]), path)}"
    return f"yes, {len(faults)} warning{'s' * (len(faults) > 1)}" if faults else "yes"


def run(path: Path, name: str) -> tuple[str, Recording]:
    """Run by the reference's steps, or by NEURON's where there are compartments."""
    length = SHORTENED.get(name)
    backend = "numpy" if name in SHORTENED else "cpp"
    try:
        return "jlems", lemsmith.run(path, method="jlems", length=length, backend=backend)
    except lemsmith.UsageError as error:
        if "single-compartment" not in str(error):
            raise
        return "neuron", lemsmith.run(path, method="neuron", length=length, backend=backend)


def shown(error: lemsmith.LemsmithError, path: Path) -> str:
    """Return the first line of a message, without this machine's folders."""
    text = str(error).splitlines()[0]
    text = text.replace(f"{path.parent}/", "").replace(f"{corpus.CORPUS}/", "")
    text = text.replace(f"{ROOT}/", "").replace("|", "\\|")
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


# What a run is compared with


def compare(path: Path, method: str, recording: Recording) -> str:
    key = key_of(path)
    if key is not None:
        return against_reference(key, recording)
    peers = osb_reference(path)
    if peers is None:
        return against_neuron(path, recording) if method == "neuron" else "nothing to compare with"
    peer = "jnml" if method == "jlems" else "nrn"
    return against_peer(peers, peer, recording)


def key_of(path: Path) -> str | None:
    """Return the key of a file among what the reference interpreter ran, or None."""
    for suite, folder in corpus.SUITES.items():
        key = f"{suite}/{path.name}"
        if path.parent == folder and corpus.entries(key):
            return key
    return None


def against_reference(key: str, recording: Recording) -> str:
    done = corpus.compare(key, recording)
    if done.faults:
        return f"no: {done.faults[0]}"
    if not done.trace_files:
        return "ran there too, and recorded nothing"
    events = f", {done.event_lines} events" if done.event_files else ""
    exact = " to the byte" if done.identical_files == done.trace_files else ""
    return f"yes{exact}: {done.columns} columns, {done.rows} rows{events}"


def osb_reference(path: Path) -> dict[str, Any] | None:
    """Return what other simulators gave for a model of a public repository, or None."""
    folder = corpus.SHARED / "reference" / "osb"
    for file in sorted(folder.glob("*.json")):
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        repository = file.stem.partition("__")[0]
        if path == corpus.CORPUS / "osb" / repository / found["sim"]:
            return found
    return None


def against_neuron(path: Path, recording: Recording) -> str:
    """Compare threshold crossings with NEURON's, of models that are no public repository's."""
    folder = corpus.SHARED / "reference" / "neuron"
    models = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["models"]
    source = path.relative_to(corpus.CORPUS).as_posix()
    found = next((model for model in models if model["source"] == source), None)
    if found is None:
        return "nothing to compare with"
    compared, counts, late = 0, 0, 0.0
    for quantity, thresholds in found["runs"]["dt"]["crossings"].items():
        for threshold, theirs in thresholds.items():
            if quantity not in recording or "interp_s" not in theirs:
                continue
            ours = crossings(recording.time, recording[quantity], float(threshold))
            there = np.asarray(theirs["interp_s"])
            compared += 1
            counts += len(ours) == len(there)
            shared = min(len(ours), len(there))
            if shared:
                late = max(late, float(np.abs(ours[:shared] - there[:shared]).max()))
    return (
        f"{compared} thresholds with NEURON: {counts} of {compared} crossed as often, "
        f"within {late * 1e3:.2g} ms"
    )


def against_peer(peers: Mapping[str, Any], peer: str, recording: Recording) -> str:
    """Compare samples (of the reference interpreter) and threshold crossings."""
    found = peers["peers"].get(peer)
    if not found or not found.get("outputs"):
        return f"{peer} gave nothing to compare with"
    columns = [c for output in found["outputs"] for c in output.get("columns", ())]
    compared, equal, counts, late = 0, 0, 0, 0.0
    for column in columns:
        if column["quantity"] not in recording or column["min"] is None:
            continue
        values = recording[column["quantity"]]
        compared += 1
        threshold = column.get("threshold")
        ours = np.zeros(0)
        if threshold is not None:
            ours = crossings(recording.time, values, threshold)
        theirs = np.asarray(column.get("crossings", ()))
        counts += len(ours) == column.get("n_crossings", 0)
        shared = min(len(ours), len(theirs))
        if shared:
            late = max(late, float(np.abs(ours[:shared] - theirs[:shared]).max()))
        samples = np.asarray(column["samples"])
        at = np.linspace(0, len(values) - 1, len(samples)).round().astype(int)
        worst = float(np.abs(values[at].astype(np.float32) - samples).max())
        equal += worst <= corpus.tolerance(np.array([column["min"], column["max"]]))
    if not compared:
        return f"{peer} recorded other quantities"
    spikes = f"{counts} of {compared} with as many crossings, within {late * 1e3:.2g} ms"
    if peer == "jnml":
        answer = "yes" if equal == compared else "no"
        return f"{answer}: {equal} of {compared} columns equal at every sample; {spikes}"
    return f"{compared} columns with {peer}: {spikes}"


# The page


def section(title: str, rows: list[Row]) -> str:
    checked = sum(row.checked.startswith("yes") for row in rows)
    tried = [row for row in rows if row.ran]
    ran = [row for row in tried if not row.ran.startswith("no")]
    matched = Counter(row.matched.partition(":")[0].partition(" to the")[0] for row in ran)
    summary = (
        f"{len(rows)} files, {checked} check without an error; {len(ran)} of {len(tried)} "
        f"simulations run; {matched['yes']} match the reference interpreter.\n"
    )
    lines = [
        f"## {title}\n",
        summary,
        "| file | checked | ran | matched |",
        "|---|---|---|---|",
        *(f"| {row.name} | {row.checked} | {row.ran} | {row.matched} |" for row in rows),
        "",
    ]
    return "\n".join(lines)


def tests_section() -> str:
    """Return the table of the community's own tests, by the method that each engine takes."""
    results = verify([corpus.NEUROML2, corpus.CORPUS / "osb"], jobs=os.cpu_count() or 1).results
    by_test: dict[Path, list[CheckResult]] = {}
    for result in results:
        by_test.setdefault(result.test, []).append(result)
    counted = Counter(result.status for result in results)
    lines = [
        f"{TESTS_TITLE}\n",
        f"{len(by_test)} tests for OMV, {len(results)} observables: "
        + ", ".join(f"{counted[status]} {status}" for status in ("pass", "fail", "error", "skip"))
        + ".\n",
        TESTS,
        "| engine | method | tests | observables | pass |",
        "|---|---|---|---|---|",
        *engine_rows(results),
        "",
        "| test | engine | method | passed | what did not, and why |",
        "|---|---|---|---|---|",
        *sorted(test_rows(by_test)),
        "",
    ]
    return "\n".join(lines)


def engine_rows(results: Sequence[CheckResult]) -> Iterator[str]:
    """Yield per engine what its tests come to."""
    engines: dict[str, list[CheckResult]] = {}
    for result in results:
        engines.setdefault(result.engine, []).append(result)
    for engine, found in sorted(engines.items()):
        method = named(found[0])
        tests = len({result.test for result in found})
        passed = sum(result.status == "pass" for result in found)
        yield f"| {engine} | {method} | {tests} | {len(found)} | {passed} |"


def test_rows(by_test: Mapping[Path, list[CheckResult]]) -> Iterator[str]:
    own = engines_own()
    for test, found in by_test.items():
        name = test.relative_to(corpus.CORPUS).as_posix()
        passed = sum(result.status == "pass" for result in found)
        missed = [result for result in found if result.status != "pass"]
        told = [miss(result, own.get((name, result.experiment))) for result in missed]
        wrong = "; ".join(told + ([REASONS.get(name, "not explained yet")] if missed else []))
        method = named(found[0])
        yield f"| {name} | {found[0].engine} | {method} | {passed} of {len(found)} | {wrong} |"


def named(result: CheckResult) -> str:
    """Return the method of a result: the documents of a validation are not run."""
    return result.method or ("none" if result.observable == "valid" else "default")


def miss(result: CheckResult, own: Mapping[str, Any] | None) -> str:
    """Return how far a check is off: of what is granted, in samples, and from the engine itself."""
    finding = result.finding
    if finding is None or finding.worst is None:
        message = lemsmith.LemsmithError(result.message or result.status)
        told = shown(message, result.test)
    else:
        got, expected = finding.worst
        exact = (finding.tolerance or 0) < EXACT
        granted = "the very sample" if exact else f"{finding.tolerance:.2g}"
        off = f"{abs(got - expected):.3g} at {expected:.6g} ({finding.deviation:.2g} of it)"
        told = f"off by {off}, granted {granted}"
    if own is not None and finding is not None and own.get("got") and own["result"] == "pass":
        theirs, ours = np.asarray(own["got"]), np.asarray(finding.observed)
        if len(theirs) == len(ours):
            told += f"; {np.abs(theirs - ours).max():.3g} from what that engine gave here"
        else:
            told += f"; {len(ours)} spikes, that engine gave {len(theirs)} here"
    return f"{result.experiment}: {told}"


def engines_own() -> dict[tuple[str, str], dict[str, Any]]:
    """Return what the engines themselves gave for their own tests, by test and experiment."""
    found = {}
    for file in sorted((corpus.SHARED / "reference" / "osb").glob("*.json")):
        repository = file.stem.partition("__")[0]
        peers = json.loads(file.read_text(encoding="utf-8"))["peers"]
        for entry in (entry for peer in peers.values() for entry in peer.get("mep") or ()):
            if entry.get("own"):
                found[f"osb/{repository}/{entry['omt']}", entry["exp"]] = entry
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
