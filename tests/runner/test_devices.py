"""What is usable here, and why the rest is not."""

import sys

from lemsmith.errors import MissingTool
from lemsmith.runner import devices


def test_numpy_always_works():
    assert devices.devices()[0].usable


def test_without_a_compiler_the_one_that_pip_installs_is_named(monkeypatch):
    def nothing():
        raise MissingTool("no C++ compiler was found; pip install 'lemsmith[compiler]'")

    monkeypatch.setattr(devices, "find_compiler", nothing)
    cpp = devices.devices()[1]
    assert not cpp.usable
    assert "lemsmith[compiler]" in cpp.about


def test_without_pycuda_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pycuda.driver", None)
    assert "lemsmith[cuda]" in devices.describe()
