"""What `verify` found, for people, for programs and for CI."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree as ET

from .observables import Finding
from .text_table import figure, markdown_table, text_table

Status = Literal["pass", "fail", "error", "skip"]

#: How a status counts in JUnit's report, and the element that tells it.
_JUNIT = {"fail": "failure", "error": "error", "skip": "skipped"}

_HEADER = ("result", "test", "experiment", "observable", "expected", "got", "off by", "tolerance")


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One observable of one experiment of one test.

    `engine` is the one that the test was written for, `method` the one that lemsmith ran,
    None for its default. `message` says why a check did not pass. `seconds` is what the run
    took, which all checks of a test share.
    """

    test: Path
    engine: str
    method: str | None
    target: str
    experiment: str
    observable: str
    status: Status
    finding: Finding | None = None
    message: str = ""
    seconds: float = 0.0

    def as_data(self) -> dict[str, object]:
        """Return the result as plain JSON-ready values."""
        finding = self.finding or Finding(passed=False)
        return {
            "test": str(self.test),
            "engine": self.engine,
            "method": self.method,
            "target": self.target,
            "experiment": self.experiment,
            "observable": self.observable,
            "status": self.status,
            "expected": [_plain(value) for value in finding.expected],
            "got": [_plain(value) for value in finding.observed],
            "deviation": _plain(finding.deviation),
            "tolerance": _plain(finding.tolerance),
            "message": self.message,
            "seconds": self.seconds,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """Every check of a `verify`."""

    results: tuple[CheckResult, ...]
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether something was checked and nothing failed."""
        return bool(self.results) and not any(
            result.status in {"fail", "error"} for result in self.results
        )

    def count(self, status: Status) -> int:
        """Return how many checks ended with `status`."""
        return sum(result.status == status for result in self.results)

    def summary(self) -> str:
        """Return the counts in a line."""
        counts = Counter(result.status for result in self.results)
        words: dict[Status, str] = {
            "pass": "passed",
            "fail": "failed",
            "error": "did not run",
            "skip": "skipped",
        }
        told = [f"{counts[status]} {word}" for status, word in words.items() if counts[status]]
        return f"{', '.join(told) or 'nothing was checked'} in {self.seconds:.1f} s"

    def text(self) -> str:
        """Return a table of all checks, what went wrong in full, and the counts."""
        shown = _shortened(result.test for result in self.results)
        rows = [_row(result, shown[result.test]) for result in self.results]
        lines = [text_table(_HEADER, rows), ""] if rows else []
        for (test, message), group in groupby(
            (result for result in self.results if result.message and result.status != "pass"),
            key=lambda result: (result.test, result.message),
        ):
            names = ", ".join(dict.fromkeys(result.experiment for result in group))
            lines.append(": ".join(part for part in (shown[test], names, message) if part != "-"))
        lines += self.warnings
        return "\n".join([*lines, self.summary()])

    def markdown(self) -> str:
        """Return a table of all checks and the counts."""
        shown = _shortened(result.test for result in self.results)
        rows = (_row(result, shown[result.test]) for result in self.results)
        # A time in a page that is kept would differ every time it is made.
        counts = self.summary().rpartition(" in ")[0]
        return f"{counts[:1].upper()}{counts[1:]}.\n\n{markdown_table(_HEADER, rows)}\n"

    def json(self) -> str:
        """Return the report as JSON text; figures that are infinite or NaN are text in it."""
        counts = {status: self.count(status) for status in ("pass", "fail", "error", "skip")}
        data = {
            "ok": self.ok,
            "counts": counts,
            "seconds": self.seconds,
            "warnings": list(self.warnings),
            "results": [result.as_data() for result in self.results],
        }
        return json.dumps(data, indent=2, allow_nan=False)

    def junit(self) -> str:
        """Return the report as JUnit XML: a suite per test file, a case per check."""
        root = ET.Element("testsuites", _counts(self.results), name="lemsmith verify")
        for test, group in groupby(self.results, key=lambda result: result.test):
            results = tuple(group)
            # A test's checks share a run: the first case takes its time.
            taken = f"{results[0].seconds:.3f}"
            suite = ET.SubElement(
                root, "testsuite", _counts(results), name=_clean(str(test)), time=taken
            )
            for index, result in enumerate(results):
                case = ET.SubElement(
                    suite,
                    "testcase",
                    classname=_clean(str(test)),
                    name=_clean(f"{result.experiment}: {result.observable}"),
                    time=taken if index == 0 else "0",
                )
                if result.status in _JUNIT:
                    why = _clean(_why(result))
                    element = ET.SubElement(case, _JUNIT[result.status], message=why)
                    element.text = _clean(_details(result))
        ET.indent(root)
        return ET.tostring(root, encoding="unicode", xml_declaration=False) + "\n"


def _row(result: CheckResult, test: str) -> list[str]:
    finding = result.finding or Finding(passed=False)
    expected, got = _figures(finding)
    deviation, tolerance = figure(finding.deviation), figure(finding.tolerance)
    names = [result.status, test, result.experiment, result.observable]
    return [*names, expected, got, deviation, tolerance]


def _figures(finding: Finding) -> tuple[str, str]:
    """Return the expected and the observed figure, or the pair that is furthest apart."""
    sides = (finding.expected, finding.observed)
    if finding.worst is not None:
        observed, expected = finding.worst
        among = f" (1 of {len(finding.expected)})" if len(finding.expected) > 1 else ""
        return f"{expected:.6g}{among}", f"{observed:.6g}"
    if not any(sides):
        return "-", "-"
    expected_text, got_text = (
        f"{len(side)} values" if len(side) != 1 else f"{side[0]:.6g}" for side in sides
    )
    return expected_text, got_text


def _why(result: CheckResult) -> str:
    message = result.message.partition("\n")[0]
    finding = result.finding
    if finding is None or finding.deviation is None:
        return message
    off = f"off by {figure(finding.deviation)}, tolerance {figure(finding.tolerance)}"
    return f"{message}: {off}" if message else off


def _details(result: CheckResult) -> str:
    lines = [result.message, f"model: {result.target}, method: {result.method or 'default'}"]
    if result.finding:
        lines.append(f"expected: {list(result.finding.expected)}")
        lines.append(f"got: {list(result.finding.observed)}")
    return "\n".join(lines)


def _counts(results: Iterable[CheckResult]) -> dict[str, str]:
    counts = Counter(result.status for result in results)
    total = sum(counts.values())
    named: dict[str, Status] = {"failures": "fail", "errors": "error", "skipped": "skip"}
    return {"tests": str(total)} | {name: str(counts[key]) for name, key in named.items()}


def _shortened(tests: Iterable[Path]) -> dict[Path, str]:
    """Return the tests' paths without the folders that all of them share."""
    paths = list(dict.fromkeys(tests))
    if not paths:
        return {}
    shared = [set(level) for level in zip(*(path.parent.parts for path in paths), strict=False)]
    depth = next((at for at, names in enumerate(shared) if len(names) > 1), len(shared))
    return {path: str(Path(*path.parts[depth:])) for path in paths}


def _plain(value: float | None) -> float | str | None:
    return value if value is None or math.isfinite(value) else str(value)


def _clean(text: str) -> str:
    """Return `text` without the characters that XML cannot hold."""
    return re.sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "?", text)
