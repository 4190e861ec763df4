"""Runs the community's validation tests with lemsmith as the engine.

    .omt files  ->  Report

Whatever engine a test was written for, lemsmith runs its model: by the method that
computes what that engine computes, since each test's tolerance was fitted to its engine.
Tests of one model by one method share one run.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Lock

from ...errors import LemsmithError, ModelError, UsageError, did_you_mean
from . import engine as lemsmith
from .engine import Progress, Simulate, Validate
from .observables import Finding, Unobservable, Unsupported, judge
from .omv import Check, Morphology, OmvTest, Temperature, find, read_test
from .report import CheckResult, Report, Status

#: Which of lemsmith's methods computes what an engine computes, step by step; EDEN and MOOSE
#: have none, and the nearest: both advance gates exponentially.
METHODS = {
    "jlems": "jlems",
    "jneuroml": "jlems",
    "neuron": "neuron",
    "pyneuron": "neuron",
    "netpyne": "neuron",
    "jneuroml_neuron": "neuron",
    "jneuroml_netpyne": "neuron",
    "jneuroml_pynn_neuron": "neuron",
    "jneuroml_pylems": "euler",
    "pylems": "euler",
    "pylems_neuroml2": "euler",
    "brian2": "euler",
    "jneuroml_brian2": "euler",
    "eden": "exponential_euler",
    "jneuroml_eden": "exponential_euler",
    "moose": "exponential_euler",
    "jneuroml_moose": "exponential_euler",
}

#: What lemsmith reads; other targets are programs for other simulators.
MODEL_SUFFIXES = frozenset({".xml", ".nml"})


def method_for(engine: str) -> str | None:
    """Return the method that stands for an OMV engine; None for lemsmith's default.

    >>> method_for("jNeuroML"), method_for("jNeuroML_NEURON"), method_for("Octave")
    ('jlems', 'neuron', None)
    """
    return METHODS.get(engine.lower())


def verify(
    paths: Iterable[Path],
    engine: str | None = None,
    jobs: int = 2,
    progress: Progress | None = None,
    *,
    method: str | None = None,
    simulate: Simulate = lemsmith.simulate,
    validate: Validate = lemsmith.validate,
) -> Report:
    """Return what the tests that `paths` name or contain come to.

    `engine` keeps only the tests written for that engine, and those that cannot be read;
    `method` overrides the method that `method_for` chooses; `jobs` models run at a time. A test
    that cannot be read, or a model that does not run, is an error in the report and stops
    nothing else.

    Raises `UsageError` where a path does not exist, or no test is left.
    """
    started = time.perf_counter()
    paths = tuple(paths)
    found = find(paths)
    tests, broken = _read(found)
    if engine is not None:
        tests = _made_for(engine, tests)
    if not tests and not broken:
        raise UsageError(f"no .omt file was found in {', '.join(map(str, paths)) or 'no path'}")
    groups = _grouped(tests, method)
    results: dict[Path, list[CheckResult]] = {result.test: [result] for result in broken}
    telling = _Telling(len(groups), progress)
    with ThreadPoolExecutor(max_workers=max(1, jobs)) as pool:
        running = [
            pool.submit(_run, group, simulate, validate, partial(telling.tell, index))
            for index, group in enumerate(groups)
        ]
        try:
            for future in as_completed(running):
                for result in future.result():
                    results.setdefault(result.test, []).append(result)
        except BaseException:
            telling.stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    ordered = tuple(result for path in found for result in results.get(path, ()))
    warnings = tuple(dict.fromkeys(warning for test in tests for warning in test.warnings))
    return Report(ordered, warnings, time.perf_counter() - started)


class _Stopped(LemsmithError):
    """Thrown into the runs that go on when the whole is stopped."""


class _Telling:
    """Adds up how far all runs are; they tell it from their threads."""

    def __init__(self, runs: int, progress: Progress | None) -> None:
        self.stop = Event()
        self._done = [0.0] * runs
        self._progress = progress
        self._lock = Lock()

    def tell(self, run: int, fraction: float, message: str) -> None:
        """Note that `run` has come to `fraction`; stop it if all is to stop."""
        if self.stop.is_set():
            raise _Stopped("stopped")
        with self._lock:
            self._done[run] = fraction
            if self._progress is not None:
                self._progress(sum(self._done) / len(self._done), message)


@dataclass(frozen=True, slots=True)
class _Group:
    """A run, and the tests that look at it."""

    target: Path
    method: str | None
    tests: list[OmvTest] = field(default_factory=list)


def _read(paths: Iterable[Path]) -> tuple[list[OmvTest], list[CheckResult]]:
    tests, broken = [], []
    for path in paths:
        try:
            tests.append(read_test(path))
        except (ModelError, UsageError) as fault:
            broken.append(CheckResult(path, "", None, "", "-", "-", "error", None, str(fault)))
    return tests, broken


def _made_for(engine: str, tests: list[OmvTest]) -> list[OmvTest]:
    chosen = [test for test in tests if test.engine.lower() == engine.lower()]
    if not chosen:
        known = sorted({test.engine for test in tests})
        hint = did_you_mean(engine, known) or f"there are {', '.join(known) or 'none'}"
        raise UsageError(f"no test is written for the engine {engine!r}; {hint}")
    return chosen


def _grouped(tests: Iterable[OmvTest], method: str | None) -> list[_Group]:
    groups: dict[tuple[Path, str | None, bool], _Group] = {}
    for test in tests:
        # Folders of tests may be links; `..` is taken by name, as the engines take it.
        target = Path(os.path.normpath(test.target))
        chosen = None if test.validates else method or method_for(test.engine)
        key = (target, chosen, test.validates)
        groups.setdefault(key, _Group(target, chosen)).tests.append(test)
    return list(groups.values())


def _run(
    group: _Group, simulate: Simulate, validate: Validate, progress: Progress
) -> list[CheckResult]:
    """Return what the tests of `group` come to, and tell `progress` how far their run is."""

    def told(fraction: float, _message: str) -> None:
        # Only the last word says that it is done.
        progress(min(fraction, 0.999), group.target.name)

    told(0.0, "")
    results = _checked(group, simulate, validate, told)
    progress(1.0, group.target.name)
    return results


def _checked(
    group: _Group, simulate: Simulate, validate: Validate, progress: Progress
) -> list[CheckResult]:
    if group.tests[0].validates:
        return [result for test in group.tests for result in _validated(test, validate)]
    if group.target.suffix not in MODEL_SUFFIXES:
        return _all(group, "skip", f"{group.target.name} is no LEMS file")
    if not group.target.is_file():
        return _all(group, "error", f"there is no model {group.target}")
    with TemporaryDirectory(prefix="lemsmith-verify-") as folder:
        started = time.perf_counter()
        try:
            simulate(group.target, method=group.method, out=Path(folder), progress=progress)
        except _Stopped:
            raise
        except LemsmithError as fault:
            return _all(group, "error", str(fault), time.perf_counter() - started)
        seconds = time.perf_counter() - started
        return [
            _judged(group, test, name, check, Path(folder), seconds)
            for test, name, check in _checks(group)
        ]


def _judged(
    group: _Group, test: OmvTest, name: str, check: Check, out: Path, seconds: float
) -> CheckResult:
    def locate(path: str) -> Path:
        return _written(test.folder / path, group.target.parent, out)

    def beside_mep(path: str) -> Path:
        file = (test.mep or test.path).parent / path
        if not file.is_file():
            raise Unobservable(f"there is no file {file} to hold against")
        return file

    result = partial(_result, group, test, name, check, seconds=seconds)
    try:
        finding = judge(check, locate, beside_mep, partial(_inspected, group.target))
    except Unobservable as fault:
        return result("error", str(fault))
    except Unsupported as fault:
        return result("skip", str(fault))
    return result("pass" if finding.passed else "fail", finding.message, finding=finding)


def _inspected(target: Path, asked: Morphology | Temperature) -> float:
    """Return a figure of the model itself; it is resolved anew for each, which takes moments."""
    from .cell_figures import cell_figure  # noqa: PLC0415 - few tests ask for one

    return cell_figure(asked, target)


def _written(wanted: Path, model: Path, out: Path) -> Path:
    """Return the file below `out` that a run in the folder `model` would leave at `wanted`."""
    relative = os.path.relpath(wanted, model)
    place = out / relative
    if not relative.startswith("..") and place.is_file():
        return place
    named = sorted(path for path in out.rglob(wanted.name) if path.is_file())
    if len(named) == 1:
        return named[0]
    if named:
        raise Unobservable(f"the run wrote several files called {wanted.name}")
    wrote = sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file())
    hint = f"; it wrote {', '.join(wrote[:8])}" if wrote else "; it wrote no files"
    raise Unobservable(f"the run wrote no file {relative}{hint}")


def _validated(test: OmvTest, validate: Validate) -> Iterable[CheckResult]:
    """Yield a result for each document that the test's patterns name."""
    result = partial(CheckResult, test.path, test.engine, None)
    documents = sorted({path for pattern in test.targets for path in _matching(test, pattern)})
    if not documents:
        message = f"no document matches {' '.join(test.targets)}"
        yield result("", "Validation", "valid", "error", None, message)
    for document in documents:
        started = time.perf_counter()
        status: Status = "pass"
        message = ""
        try:
            validate(document)
        except LemsmithError as fault:
            status, message = "fail", str(fault)
        seconds = time.perf_counter() - started
        yield result(str(document), document.name, "valid", status, None, message, seconds)


def _matching(test: OmvTest, pattern: str) -> Iterable[Path]:
    anchor = Path(pattern).anchor
    folder = Path(anchor) if anchor else test.folder
    found = (path for path in folder.glob(pattern.removeprefix(anchor)) if path.is_file())
    return (Path(os.path.normpath(path)) for path in found)


def _checks(group: _Group) -> Iterable[tuple[OmvTest, str, Check]]:
    for test in group.tests:
        for experiment in test.experiments:
            for check in experiment.checks:
                yield test, experiment.name, check


def _all(group: _Group, status: Status, message: str, seconds: float = 0.0) -> list[CheckResult]:
    return [
        _result(group, test, name, check, status, message, seconds=seconds)
        for test, name, check in _checks(group)
    ]


def _result(
    group: _Group,
    test: OmvTest,
    name: str,
    check: Check,
    status: Status,
    message: str,
    *,
    seconds: float,
    finding: Finding | None = None,
) -> CheckResult:
    named = (test.path, test.engine, group.method, str(group.target), name)
    return CheckResult(*named, check.observable.kind, status, finding, message, seconds)
