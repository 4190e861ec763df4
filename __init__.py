"""lemsmith translates NeuroML 2 and LEMS models into C++ and CUDA, and runs them.

    >>> import lemsmith
    >>> recording = lemsmith.run("LEMS_hh.xml", backend="cpp")  # doctest: +SKIP
    >>> recording["hhpop[0]/v"]  # doctest: +SKIP

Importing the package imports nothing heavy; `run`, `load` and the rest are found when
they are first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from lemsmith.errors import (
    Fault,
    InternalError,
    Interrupted,
    LemsmithError,
    MissingTool,
    ModelError,
    NumericalError,
    Place,
    UsageError,
)

if TYPE_CHECKING:
    from lemsmith.runner.pipeline import check, load, run, show
    from lemsmith.runner.recording import Recording

__version__ = "0.1.0"

__all__ = [
    "Fault",
    "InternalError",
    "Interrupted",
    "LemsmithError",
    "MissingTool",
    "ModelError",
    "NumericalError",
    "Place",
    "Recording",
    "UsageError",
    "__version__",
    "check",
    "load",
    "run",
    "show",
]

#: Where the names live that are only imported when asked for.
_LAZY = {
    "Recording": "lemsmith.runner.recording",
    "check": "lemsmith.runner.pipeline",
    "load": "lemsmith.runner.pipeline",
    "run": "lemsmith.runner.pipeline",
    "show": "lemsmith.runner.pipeline",
}


def __getattr__(name: str) -> object:
    """Import the public name `name` on first use."""
    if name not in _LAZY:
        raise AttributeError(f"module 'lemsmith' has no attribute {name!r}")
    value = getattr(import_module(_LAZY[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, imported or not."""
    return sorted({*globals(), *_LAZY})
