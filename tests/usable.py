"""Which backends this machine can run."""

from __future__ import annotations

from lemsmith.errors import MissingTool
from lemsmith.runner.build import find_compiler

#: The backends that agree with one another; a test that takes `backend` runs on each.
BACKENDS = ("numpy", "cpp")


def unusable(name: str) -> str | None:
    """Return why a backend cannot run here, None where it can."""
    if name == "numpy":
        return None
    try:
        find_compiler()
    except MissingTool as error:
        return str(error)
    return None
