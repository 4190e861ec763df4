"""lemsmith as an engine: the two calls that validation makes, and their shape.

Both can be replaced, by a test's fake or by a run elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from ...errors import ModelError
from ..results import write_files

#: Told now and then: the part that is done, 0 to 1, and what is going on.
Progress = Callable[[float, str], None]


class Simulate(Protocol):
    """Runs a model and writes its output files below `out`, each by its name in the model.

    `method` is the integration method, None for the default one. `progress` may raise to
    stop the run. Faults are raised as `LemsmithError`.
    """

    def __call__(
        self, source: Path, *, method: str | None, out: Path, progress: Progress | None
    ) -> object:
        """Run `source`; what is returned is not looked at."""


class Validate(Protocol):
    """Checks that a document is valid; a fault is raised as `ModelError`."""

    def __call__(self, source: Path) -> object:
        """Check `source`; what is returned is not looked at."""


def simulate(source: Path, *, method: str | None, out: Path, progress: Progress | None) -> object:
    """Run the model at `source` with lemsmith and write its output files below `out`."""
    from ..pipeline import run  # noqa: PLC0415 - comparing files needs no compiler

    return write_files(run(source, progress=progress, method=method or "default"), out)


def validate(source: Path) -> object:
    """Check the document at `source` with lemsmith; warnings do not count."""
    from ..pipeline import check  # noqa: PLC0415 - comparing files needs no compiler

    faults = check([source])
    errors = [fault for fault in faults if fault.severity == "error"]
    if errors:
        raise ModelError(errors)
    return faults
