"""What can go wrong, as data.

A fault of the user's model is a `Fault`: a message, the place it is about and what to do.
Faults are collected and raised together as one `ModelError`, whose text shows every
place with its source line and a caret. `InternalError` is a fault of lemsmith's own.
Nothing else is raised on purpose.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Literal

Severity = Literal["error", "warning"]

#: A source line longer than this is cut around the caret; a model is text for people,
#: but a hostile one may hold a hundred megabytes in a line.
SHOWN_WIDTH = 160

#: Faults shown in full before the rest is only counted.
SHOWN_FAULTS = 50

#: Known names that a hint lists where none of them is near.
SHOWN_NAMES = 8


@dataclass(frozen=True, slots=True)
class Place:
    """A position in a file of the model; line and column count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a model."""

    message: str
    place: Place | None = None
    hint: str | None = None
    severity: Severity = "error"

    def __str__(self) -> str:
        where = f"{self.place}: " if self.place else ""
        mark = "warning: " if self.severity == "warning" else ""
        hint = f"; {self.hint}" if self.hint else ""
        return f"{where}{mark}{self.message}{hint}"

    def as_data(self) -> dict[str, object]:
        """Return the fault as plain JSON-ready values."""
        return {
            "file": self.place.file if self.place else None,
            "line": self.place.line if self.place else None,
            "column": self.place.column if self.place else None,
            "severity": self.severity,
            "message": self.message,
            "hint": self.hint,
        }


class LemsmithError(Exception):
    """Anything that lemsmith raises on purpose."""


class ModelError(LemsmithError):
    """The model is at fault.

    `faults` holds every fault found, in the order of the model's text; `lines` gives the
    source line of a place where it is known.
    """

    def __init__(
        self, faults: Iterable[Fault] | Fault, lines: Mapping[Place, str] | None = None
    ) -> None:
        self.faults: tuple[Fault, ...] = (faults,) if isinstance(faults, Fault) else tuple(faults)
        self.lines: dict[Place, str] = dict(lines or {})
        super().__init__(self.faults)

    def __str__(self) -> str:
        shown = "\n".join(
            render(fault, self.lines.get(fault.place) if fault.place else None)
            for fault in self.faults[:SHOWN_FAULTS]
        )
        rest = len(self.faults) - SHOWN_FAULTS
        return f"{shown}\n... and {rest} more" if rest > 0 else shown

    @property
    def place(self) -> Place | None:
        """The place of the first fault."""
        return self.faults[0].place if self.faults else None


class UsageError(LemsmithError):
    """The request is at fault: an option that does not exist or does not fit the model."""


class MissingTool(LemsmithError):
    """Something outside lemsmith that this request needs is not installed."""


class NumericalError(LemsmithError):
    """A state became NaN or infinite; the message names component, variable and time."""


class Interrupted(LemsmithError):
    """The run was stopped; `recording` holds what was recorded until then."""

    def __init__(self, recording: object) -> None:
        self.recording = recording
        super().__init__("the run was interrupted")


class InternalError(LemsmithError):
    """A fault of lemsmith's own."""


@dataclass(slots=True)
class Faults:
    """Collects faults while a stage goes on, so that all are reported together."""

    found: list[Fault] = field(default_factory=list)

    def error(self, message: str, place: Place | None = None, hint: str | None = None) -> None:
        """Note an error."""
        self.found.append(Fault(message, place, hint))

    def warning(self, message: str, place: Place | None = None, hint: str | None = None) -> None:
        """Note a warning."""
        self.found.append(Fault(message, place, hint, "warning"))

    @property
    def errors(self) -> tuple[Fault, ...]:
        """The faults that stop a run, each once."""
        return tuple(dict.fromkeys(f for f in self.found if f.severity == "error"))

    def raise_errors(self) -> None:
        """Raise a `ModelError` with every error noted so far, if there is one."""
        if self.errors:
            raise ModelError(self.errors)


def render(fault: Fault, line: str | None) -> str:
    """Return `fault` as text, with its source line and a caret where the line is known."""
    if line is None or fault.place is None:
        return str(fault)
    start = max(0, fault.place.column - 1 - SHOWN_WIDTH // 2)
    cut = line[start : start + SHOWN_WIDTH].replace("\t", " ").rstrip("\r\n")
    caret = " " * (fault.place.column - 1 - start) + "^"
    return f"{fault}\n    {cut}\n    {caret}"


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """Return a hint with the known name nearest to `name` and not itself, if one is near."""
    near = get_close_matches(name, [each for each in known if each != name], n=1)
    return f"did you mean {near[0]!r}?" if near else None


def one_of(name: str, known: Iterable[str]) -> str | None:
    """Return a hint with the known name nearest to `name`, else with all, if they are few.

    >>> one_of("spike", ["in", "out"]), one_of("spkie", ["spike"]), one_of("spike", [])
    ('there are in, out', "did you mean 'spike'?", None)
    """
    known = tuple(dict.fromkeys(known))
    near = did_you_mean(name, known)
    if near is not None or not 0 < len(known) <= SHOWN_NAMES:
        return near
    return f"there {'is' if len(known) == 1 else 'are'} {', '.join(known)}"
