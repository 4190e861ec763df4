"""The cuda backend: on a GPU where there is one, and what it says where there is none."""

from __future__ import annotations

import gc
import sys

import numpy as np
import pytest
from fake_pycuda import Gpu
from lemsmith.errors import InternalError, MissingTool, NumericalError
from lemsmith.runner import cuda_driver, cuda_run
from lemsmith.runner.pipeline import run
from usable import on_a_gpu, unusable

needs_compiler = pytest.mark.skipif(unusable("cpp") is not None, reason=str(unusable("cpp")))

MODEL = """<Lems><Target component="sim"/>
<Include file="Cells.xml"/><Include file="Networks.xml"/><Include file="Simulation.xml"/>
<izhikevich2007Cell id="cell" v0="-60mV" C="100pF" k="0.7nS_per_mV" vr="-60mV" vt="-40mV"
  vpeak="35mV" a="0.03per_ms" b="-2nS" c="-50mV" d="100pA"/>
<spikeGeneratorPoisson id="poisson" averageRate="300Hz"/>
<expTwoSynapse id="strong" gbase="9nS" erev="0mV" tauRise="0.5ms" tauDecay="3ms"/>
<network id="net"><population id="cells" component="cell" size="64"/>
<population id="inputs" component="poisson" size="64"/>
<projection id="p" presynapticPopulation="inputs" postsynapticPopulation="cells" synapse="strong">
CONNECTIONS</projection></network>
<Simulation id="sim" length="40ms" step="0.1ms" target="net">
<OutputFile id="o" fileName="v.dat"><OutputColumn id="v" quantity="cells[0]/v"/></OutputFile>
<EventOutputFile id="e" fileName="s.dat" format="TIME_ID">
<EventSelection id="s" select="cells[1]" eventPort="spike"/></EventOutputFile>
</Simulation></Lems>""".replace(
    "CONNECTIONS",
    "".join(
        f'<connectionWD id="{n}" preCellId="../inputs[{n % 64}]" '
        f'postCellId="../cells[{(7 * n) % 64}]" weight="0.{n % 9 + 1}" delay="0.{n % 4}ms"/>'
        for n in range(256)
    ),
)


@on_a_gpu
def test_a_network_does_on_a_gpu_what_it_does_in_cpp():
    here, there = run(MODEL, backend="cpp"), run(MODEL, backend="cuda")
    scale = np.abs(here["cells[0]/v"]).max()
    # Contraction of a*b+c differs, and grows with every spike.
    assert np.abs(here["cells[0]/v"] - there["cells[0]/v"]).max() < 1e-6 * scale
    for a, b in zip(here.events, there.events, strict=True):
        assert np.allclose(a.times, b.times, rtol=0, atol=1e-4)


@on_a_gpu
def test_a_gpu_gives_the_same_bits_in_every_run():
    one, other = run(MODEL, backend="cuda"), run(MODEL, backend="cuda")
    assert np.array_equal(one["cells[0]/v"], other["cells[0]/v"])
    assert all(
        np.array_equal(a.times, b.times) for a, b in zip(one.events, other.events, strict=True)
    )


@on_a_gpu
@pytest.mark.parametrize("precision", ["single", "mixed"])
def test_other_precisions_run_on_a_gpu(precision):
    here = run(MODEL, backend="cpp", precision=precision)
    there = run(MODEL, backend="cuda", precision=precision)
    assert [len(e.times) for e in here.events] == [len(e.times) for e in there.events]


def test_without_pycuda_a_run_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pycuda", None)
    with pytest.raises(MissingTool, match=r"lemsmith\[cuda\]"):
        run(MODEL, backend="cuda")


def test_without_nvcc_a_run_says_so(monkeypatch):
    monkeypatch.setattr(cuda_run.shutil, "which", lambda _: None)
    with pytest.raises(MissingTool, match="nvcc"):
        cuda_run.compiled("")


def test_without_a_driver_a_call_says_so(monkeypatch):
    cuda_driver.driver.cache_clear()

    def absent(name):
        raise OSError(name)

    monkeypatch.setattr(cuda_driver.ctypes, "CDLL", absent)
    with pytest.raises(MissingTool, match="libcuda"):
        cuda_driver.driver()
    cuda_driver.driver.cache_clear()


# --- the runner itself, on a GPU that is the processor ------------------------------------------


@pytest.fixture
def gpu(monkeypatch):
    made = Gpu()
    made.install(monkeypatch, cuda_driver)
    monkeypatch.setattr(cuda_run.shutil, "which", lambda _: "nvcc")
    return made


@needs_compiler
def test_a_run_does_what_the_same_text_does_on_the_host(gpu):
    there, here = run(MODEL, backend="cuda"), run(MODEL, backend="cuda-on-host")
    assert np.array_equal(there["cells[0]/v"], here["cells[0]/v"])
    for a, b in zip(there.events, here.events, strict=True):
        assert np.array_equal(a.times, b.times)
    assert sum(len(train.times) for train in there.events) > 0


@needs_compiler
def test_short_launches_with_copies_between_them_give_the_same_rows(gpu, monkeypatch):
    monkeypatch.setattr(cuda_run, "ROW_BYTES", 8 * 7)
    there, here = run(MODEL, backend="cuda"), run(MODEL, backend="cuda-on-host")
    assert len(gpu.launches) > 400 // 7
    assert np.array_equal(there["cells[0]/v"], here["cells[0]/v"])
    for a, b in zip(there.events, here.events, strict=True):
        assert np.array_equal(a.times, b.times)


@needs_compiler
def test_no_more_blocks_are_launched_than_are_resident_or_have_work(gpu):
    run(MODEL, backend="cuda")
    assert set(gpu.launches) == {(1, 1, 1, cuda_run.BLOCK, 1, 1)}


@needs_compiler
def test_what_a_run_took_is_given_back_and_no_context_is_left_current(gpu):
    run(MODEL, backend="cuda")
    gc.collect()
    assert (gpu.modules, gpu.current) == (0, 0)


@needs_compiler
def test_runs_share_a_context_that_is_given_back_when_python_ends(gpu, monkeypatch):
    kept = []
    monkeypatch.setattr(cuda_run.atexit, "register", lambda *call: kept.append(call))
    for _ in range(2):
        run(MODEL, backend="cuda", length="1ms")
    assert gpu.contexts == 1
    ((give_back, context),) = kept
    give_back(context)
    assert (gpu.detached, gpu.current) == (1, 0)


@needs_compiler
def test_a_fault_on_the_device_is_named_and_leaves_no_context_current(gpu):
    wrong = MODEL.replace('vpeak="35mV"', 'vpeak="1e300V"')
    with pytest.raises(NumericalError, match="is no longer a finite number"):
        run(wrong, backend="cuda", method="euler")
    assert gpu.current == 0


@needs_compiler
def test_a_model_too_large_for_the_memory_is_refused(gpu):
    gpu.room = 10_000
    with pytest.raises(MissingTool, match="does not fit the GPU's memory"):
        run(MODEL, backend="cuda")


@needs_compiler
def test_a_gpu_without_cooperative_launches_is_refused(gpu):
    gpu.cooperative = 0
    with pytest.raises(MissingTool, match="cooperative"):
        run(MODEL, backend="cuda")


def test_what_the_driver_refuses_is_told_in_its_words(gpu):
    with pytest.raises(InternalError, match="cuModuleLoadData: error number 201"):
        cuda_driver.Module(b"")
