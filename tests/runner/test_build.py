"""From text to a library: which compiler, what is cached, what happens to damaged files."""

from __future__ import annotations

import ctypes
import os
import resource
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import lemsmith
import pytest
import small_models
from lemsmith.errors import InternalError, MissingTool
from lemsmith.runner import build as building
from lemsmith.runner.build import build, find_compiler, kernel_flags
from lemsmith.runner.pipeline import translate
from lemsmith.runner.request import made
from usable import unusable

TEXT = 'extern "C" double answer() { return 42.0; }\n'

needs_compiler = pytest.mark.skipif(unusable("cpp") is not None, reason=str(unusable("cpp")))
needs_ziglang = pytest.mark.skipif(
    find_spec("ziglang") is None, reason="the package ziglang is not installed"
)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache of the test's own."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("LEMSMITH_CACHE", str(folder))
    return folder


@pytest.fixture
def no_compiler(monkeypatch, tmp_path):
    """A PATH without a compiler."""
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.setenv("PATH", str(empty))
    monkeypatch.delenv("CXX", raising=False)


@pytest.fixture
def ziglang_only(no_compiler, monkeypatch, tmp_path_factory):
    """Only the packaged compiler; what it makes for itself is kept for the next test."""
    folder = tmp_path_factory.getbasetemp() / "zig"
    monkeypatch.setenv("ZIG_GLOBAL_CACHE_DIR", str(folder))
    monkeypatch.setenv("ZIG_LOCAL_CACHE_DIR", str(folder))


def answer(library):
    function = ctypes.CDLL(str(library)).answer
    function.restype = ctypes.c_double
    return function()


def steps_text(name="conditions"):
    return translate(made(small_models.NETWORKS[name], method="jlems"))[0].text


@needs_compiler
def test_a_text_becomes_a_library_that_works():
    assert answer(build(TEXT)) == 42


@needs_compiler
def test_the_same_text_is_compiled_once(monkeypatch):
    first = build(TEXT)
    monkeypatch.setattr(subprocess, "run", None)
    assert build(TEXT) == first


@needs_compiler
def test_other_flags_are_another_library():
    assert build(TEXT) != build(TEXT, ("-O0",))


@needs_compiler
@pytest.mark.parametrize("size", [0, 100, 5000])
def test_a_library_that_was_cut_short_is_built_again(size):
    library = build(TEXT)
    library.write_bytes(library.read_bytes()[:size])
    again = build(TEXT)
    assert answer(again) == 42


@needs_compiler
def test_a_library_with_a_changed_byte_is_built_again():
    library = build(TEXT)
    content = bytearray(library.read_bytes())
    content[len(content) // 2] ^= 255
    library.write_bytes(content)
    assert answer(build(TEXT)) == 42


@needs_compiler
def test_nothing_but_finished_files_stays_in_the_cache(cache):
    build(TEXT)
    assert sorted(path.suffix for path in cache.iterdir() if path.is_file()) == [".cpp", ".so"]


@needs_compiler
def test_processes_that_build_the_same_text_at_once_do_not_disturb_each_other(cache):
    program = (
        "import ctypes, sys\n"
        "from lemsmith.runner.build import build\n"
        "library = build(sys.argv[1])\n"
        "function = ctypes.CDLL(str(library)).answer\n"
        "function.restype = ctypes.c_double\n"
        "print(function())\n"
    )
    with ThreadPoolExecutor() as pool:
        done = list(
            pool.map(
                lambda _: subprocess.run(
                    [sys.executable, "-c", program, TEXT],
                    capture_output=True,
                    text=True,
                    check=False,
                ),
                range(4),
            )
        )
    assert [(run.returncode, run.stdout.strip(), run.stderr) for run in done] == [
        (0, "42.0", "")
    ] * 4
    assert not [path for path in cache.iterdir() if path.name.startswith("build-")]


@needs_compiler
def test_the_cache_is_bounded_and_the_oldest_go_first(cache, monkeypatch):
    library = build(TEXT)
    os.utime(library, (1, 1))
    monkeypatch.setattr(building, "CACHE_LIMIT", library.stat().st_size + 1000)
    other = build(TEXT.replace("42", "43"))
    assert not library.exists()
    assert other.exists()


@needs_compiler
def test_a_cache_that_cannot_be_made_is_no_fault(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LEMSMITH_CACHE", str(tmp_path / "file" / "cache"))
    assert answer(build(TEXT)) == 42


@needs_compiler
def test_text_that_the_compiler_refuses_is_kept_and_is_our_fault(cache):
    with pytest.raises(InternalError, match="refused generated code") as caught:
        build("this is no C++\n")
    kept = next(cache.glob("refused-*.cpp"))
    assert str(kept) in str(caught.value)
    assert kept.read_text() == "this is no C++\n"


@needs_compiler
def test_a_compiler_with_options_of_its_own_can_be_chosen(monkeypatch):
    command = find_compiler().command
    monkeypatch.setenv("CXX", f"{command[0]} -DCHOSEN")
    if len(command) > 1:
        pytest.skip("the packaged compiler takes a subcommand")
    assert find_compiler().command[1:] == ("-DCHOSEN",)
    assert answer(build("#ifdef CHOSEN\n" + TEXT + "#endif\n")) == 42


@needs_compiler
@pytest.mark.parametrize("name", small_models.NETWORKS)
def test_generated_text_compiles_without_a_warning(name):
    build(steps_text(name), ("-O2", "-Werror"))


def test_a_missing_compiler_is_a_clear_message(no_compiler, monkeypatch):
    monkeypatch.setattr(building, "find_spec", lambda _: None)
    with pytest.raises(MissingTool) as caught:
        building._find_compiler.__wrapped__("", os.environ["PATH"])
    message = str(caught.value)
    assert 'pip install "lemsmith[compiler]"' in message
    assert "--backend numpy needs none" in message


def test_the_numpy_backend_needs_no_compiler(no_compiler, monkeypatch):
    monkeypatch.setattr(building, "find_spec", lambda _: None)
    recording = lemsmith.run(
        small_models.NETWORKS["conditions"], method="jlems", backend="numpy", length="1 ms"
    )
    assert len(recording) == 11


@needs_ziglang
def test_the_packaged_compiler_is_found_where_there_is_no_other(no_compiler):
    compiler = find_compiler()
    assert Path(compiler.command[0]).name.startswith("zig")
    assert compiler.clang


@needs_ziglang
@pytest.mark.slow
def test_the_packaged_compiler_builds_a_model_that_runs(ziglang_only):
    text = small_models.NETWORKS["conditions"]
    ours = lemsmith.run(text, method="jlems", backend="cpp", length="5 ms")
    python = lemsmith.run(text, method="jlems", backend="numpy", length="5 ms")
    for trace, expected in zip(ours.traces, python.traces, strict=True):
        assert abs(trace.values - expected.values).max() < 1e-12


@needs_ziglang
@pytest.mark.slow
@pytest.mark.parametrize("name", ["conditions", "events later", "kinetic schemes"])
def test_the_packaged_compiler_has_no_warning(ziglang_only, name):
    build(steps_text(name), ("-O2", "-Werror"))


@needs_ziglang
@pytest.mark.slow
def test_the_packaged_compiler_takes_the_flags_of_kernels(ziglang_only):
    assert answer(build(TEXT, kernel_flags())) == 42


@needs_ziglang
@pytest.mark.slow
def test_the_current_folder_cannot_pose_as_the_packaged_compiler(
    ziglang_only, tmp_path, monkeypatch
):
    (tmp_path / "ziglang.py").write_text("raise SystemExit('posing')")
    monkeypatch.chdir(tmp_path)
    assert answer(build(TEXT.replace("42", "42.0 + 0"))) == 42


@needs_compiler
def test_a_model_compiles_in_less_than_two_seconds_of_processor_time():
    text = steps_text("kinetic schemes")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    build(text)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 2
