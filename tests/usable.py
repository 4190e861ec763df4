"""Which backends this machine can run."""

from __future__ import annotations

import importlib.util
import shutil

import pytest
from lemsmith.errors import MissingTool
from lemsmith.runner.build import find_compiler
from lemsmith.runner.cuda_run import pycuda_driver

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


def without_gpu() -> str | None:
    """Return why no GPU can be used here, None where one can."""
    if importlib.util.find_spec("pycuda") is None:
        return "pycuda is not installed"
    if shutil.which("nvcc") is None:
        return "nvcc is not on the PATH"
    try:
        pycuda_driver()
    except MissingTool as error:
        return str(error)
    return None


def on_a_gpu(test):
    """Mark a test that needs a GPU, and skip it with the reason where there is none."""
    reason = without_gpu()
    return pytest.mark.gpu(pytest.mark.skipif(reason is not None, reason=str(reason))(test))
