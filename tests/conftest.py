"""What tests share: `backend`, which runs a test on every backend, and the modules beside."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import settings

# pytest's importlib mode puts no test folder on the path.
sys.path.insert(0, str(Path(__file__).parent))

from usable import BACKENDS, unusable

# The same examples in every run, however slow the computer.
settings.register_profile("lemsmith", derandomize=True, deadline=None)
settings.load_profile("lemsmith")


@pytest.fixture(params=BACKENDS)
def backend(request):
    """The name of a backend, one after the other; skips what this machine cannot run."""
    reason = unusable(request.param)
    if reason is not None:
        pytest.skip(reason)
    return request.param
