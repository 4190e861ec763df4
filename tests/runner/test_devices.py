"""What is usable here, and why the rest is not."""

import sys

from fake_pycuda import Gpu
from lemsmith.errors import MissingTool
from lemsmith.runner import cuda_driver, devices


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


def test_where_pycuda_lacks_the_driver_that_is_said(monkeypatch):
    class Loader:
        """Finds a pycuda whose driver module cannot be loaded."""

        def find_spec(self, name, *_):
            if name == "pycuda":
                raise ImportError("libcuda.so.1: cannot open shared object file")

    for name in ("pycuda", "pycuda.driver"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(sys, "meta_path", [Loader(), *sys.meta_path])
    assert "pycuda cannot be loaded (libcuda.so.1" in devices.describe()


def test_a_gpu_is_named_by_its_name(monkeypatch):
    Gpu().install(monkeypatch, cuda_driver)
    monkeypatch.setattr(devices.shutil, "which", lambda _: "nvcc")
    assert devices.devices()[2] == devices.Device("cuda", True, "Fake")


def test_a_gpu_without_nvcc_is_not_usable(monkeypatch):
    Gpu().install(monkeypatch, cuda_driver)
    monkeypatch.setattr(devices.shutil, "which", lambda _: None)
    assert "nvcc is not on the PATH" in devices.devices()[2].about
