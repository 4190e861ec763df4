"""Random numbers: known answers, the same bits in Python and C++, and no visible structure."""

from __future__ import annotations

import ctypes
import doctest
import shutil
import subprocess
from pathlib import Path

import lemsmith
import numpy as np
import pytest
from lemsmith.codegen import random_numbers
from lemsmith.codegen.random_numbers import JavaRandom, philox, uniform, uniform_float

INCLUDE = Path(lemsmith.__file__).parent / "codegen" / "include"

#: Counter, key, result: the vectors published with Random123 for philox4x32 with ten rounds.
KNOWN = [
    (
        "00000000 00000000 00000000 00000000",
        "00000000 00000000",
        "6627e8d5 e169c58d bc57ac4c 9b00dbd8",
    ),
    (
        "ffffffff ffffffff ffffffff ffffffff",
        "ffffffff ffffffff",
        "408f276d 41c83b0e a20bc7c6 6d5451fd",
    ),
    (
        "243f6a88 85a308d3 13198a2e 03707344",
        "a4093822 299f31d0",
        "d16cfe09 94fdcceb 5001e420 24126ea1",
    ),
]

#: Seed; the first four numbers that java.util.Random's nextDouble gives, and the 1001st.
JAVA = {
    0: (
        *("0x1.764168ea6ca89p-1", "0x1.ec9e5b3672e14p-3", "0x1.465b93a78ef81p-1"),
        *("0x1.19d2e10efa128p-1", "0x1.efc498fdcaf42p-2"),
    ),
    42: (
        *("0x1.74833a06ff457p-1", "0x1.5dcf778622e01p-1", "0x1.3c20f3f12bbb4p-2"),
        *("0x1.1bba76b52c856p-2", "0x1.25c4abac04df1p-1"),
    ),
    1234: (
        *("0x1.4b0cd12140cbep-1", "0x1.e7185b9e6475bp-1", "0x1.b715d5a8983f9p-1"),
        *("0x1.d53b1c8cba888p-2", "0x1.03a3b1250249p-3"),
    ),
    -1: (
        *("0x1.1365b2708722cp-2", "0x1.921011897ffp-7", "0x1.52fcbccce6ddap-1"),
        *("0x1.aa6ece6637c5p-2", "0x1.ef6a9c9706628p-3"),
    ),
    123456789012345: (
        *("0x1.569a4f4245262p-1", "0x1.ba69344df8852p-1", "0x1.c35bbf6b7031bp-1"),
        *("0x1.62820bb61d1f8p-4", "0x1.f534aca4bef11p-1"),
    ),
}

DRIVER = r"""
#include "lemsmith_random.h"

extern "C" void words(const uint32_t* counter, const uint32_t* key, uint32_t* result) {
  const ls_four_words place = {counter[0], counter[1], counter[2], counter[3]};
  const ls_four_words words = ls_philox(place, key[0], key[1]);
  result[0] = words.x0, result[1] = words.x1, result[2] = words.x2, result[3] = words.x3;
}
extern "C" void uniform(double* __restrict z, const uint64_t* __restrict seed,
                        const uint64_t* __restrict stream, const uint64_t* __restrict counter,
                        long n) {
  for (long i = 0; i < n; i++) z[i] = ls_random(seed[i], stream[i], counter[i]);
}
extern "C" void uniform_float(float* __restrict z, const uint64_t* __restrict seed,
                              const uint64_t* __restrict stream,
                              const uint64_t* __restrict counter, long n) {
  for (long i = 0; i < n; i++) z[i] = ls_random_float(seed[i], stream[i], counter[i]);
}
extern "C" void numbered(double* __restrict z, uint64_t seed, uint64_t step, int n) {
  for (int i = 0; i < n; i++) z[i] = ls_random(seed, (uint64_t)i, step);  // numbered
}
extern "C" void java(double* z, int64_t seed, long n) {
  ls_java_random generator;
  ls_java_seed(&generator, seed);
  for (long i = 0; i < n; i++) z[i] = ls_java_next_double(&generator);
}
"""

needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")


def compile_driver(folder: Path) -> tuple[Path, str]:
    """Return the library and what g++ said of its loops."""
    source, library = folder / "driver.cpp", folder / "driver.so"
    source.write_text(DRIVER, encoding="utf-8")
    command = ["g++", "-std=c++17", "-O3", "-march=native", "-shared", "-fPIC", "-Wall", "-Wextra"]
    command += ["-Werror", "-fopt-info-vec", f"-I{INCLUDE}", str(source), "-o", str(library)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return library, done.stderr


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    return ctypes.CDLL(str(compile_driver(tmp_path_factory.mktemp("random"))[0]))


def pointer(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def hexadecimal(text: str) -> list[int]:
    return [int(word, 16) for word in text.split()]


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN)
def test_philox_gives_the_published_answers(counter: str, key: str, expected: str) -> None:
    place = tuple(np.array([word], np.uint64) for word in hexadecimal(counter))
    under = tuple(np.array([word], np.uint64) for word in hexadecimal(key))
    assert [int(word[0]) for word in philox(place, under)] == hexadecimal(expected)


@needs_compiler
@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN)
def test_philox_in_c_gives_the_published_answers(
    driver: ctypes.CDLL, counter: str, key: str, expected: str
) -> None:
    result = np.empty(4, np.uint32)
    place, under = (np.array(hexadecimal(text), np.uint32) for text in (counter, key))
    driver.words(pointer(place), pointer(under), pointer(result))
    assert result.tolist() == hexadecimal(expected)


@needs_compiler
def test_python_and_c_draw_the_same_bits(driver: ctypes.CDLL) -> None:
    size = 100_000
    random = np.random.default_rng(5)
    seed, stream, counter = random.integers(0, 2**64, (3, size), np.uint64, endpoint=False)
    seed[:1000], counter[:1000] = 7, np.arange(1000)
    doubles, floats = np.empty(size), np.empty(size, np.float32)
    arrays = [pointer(array) for array in (seed, stream, counter)]
    driver.uniform(pointer(doubles), *arrays, ctypes.c_long(size))
    driver.uniform_float(pointer(floats), *arrays, ctypes.c_long(size))
    assert np.array_equal(doubles, uniform(seed, stream, counter))
    assert np.array_equal(floats, uniform_float(seed, stream, counter))
    # Seed, stream and counter each have their place: any exchange gives other numbers.
    assert not np.any(doubles == uniform(stream, seed, counter))
    assert not np.any(doubles == uniform(seed, counter, stream))


def test_numbers_lie_in_the_half_open_unit_interval_and_use_every_bit() -> None:
    counter = np.arange(200_000)
    for numbers, bits in ((uniform(1, 2, counter), 53), (uniform_float(1, 2, counter), 24)):
        assert numbers.min() >= 0
        assert numbers.max() < 1
        integers = (numbers.astype(np.float64) * 2.0**bits).astype(np.uint64)
        assert np.array_equal(integers.astype(np.float64), numbers * 2.0**bits)
        for bit in range(bits):
            share = ((integers >> np.uint64(bit)) & np.uint64(1)).mean()
            assert abs(share - 0.5) < 0.006  # five standard deviations


def test_the_distribution_is_uniform_and_draws_are_independent() -> None:
    size = 400_000
    along_counter = uniform(99, 0, np.arange(size))
    along_stream = uniform(99, np.arange(size), 0)
    along_seed = uniform(np.arange(size), 0, 0)
    for numbers in (along_counter, along_stream, along_seed):
        assert abs(numbers.mean() - 0.5) < 5 * np.sqrt(1 / 12 / size)
        counts = np.bincount((numbers * 256).astype(int), minlength=256)
        chi_squared = ((counts - size / 256) ** 2 / (size / 256)).sum()
        assert abs(chi_squared - 255) < 5 * np.sqrt(2 * 255)
        for lag in (1, 2, 7, 256):
            correlation = np.corrcoef(numbers[lag:], numbers[:-lag])[0, 1]
            assert abs(correlation) < 5 / np.sqrt(size)
    for one, other in ((along_counter, along_stream), (along_stream, along_seed)):
        assert abs(np.corrcoef(one[1:], other[1:])[0, 1]) < 5 / np.sqrt(size)


def test_arguments_broadcast_and_negative_integers_wrap() -> None:
    table = uniform(3, np.arange(4)[:, None], np.arange(5))
    assert table.shape == (4, 5)
    assert table[2, 3] == uniform(3, 2, 3)
    assert uniform(-1, 0, 0) == uniform(2**64 - 1, 0, 0)
    assert uniform(np.array([-1]), 0, 0)[0] == uniform(2**64 - 1, 0, 0)
    with pytest.raises(TypeError, match="integers"):
        uniform(1.5, 0, 0)


@pytest.mark.parametrize("seed", JAVA)
def test_the_java_generator_gives_what_java_gives(seed: int) -> None:
    generator = JavaRandom(seed)
    numbers = [generator.next_double() for _ in range(1001)]
    expected = [float.fromhex(text) for text in JAVA[seed]]
    assert [*numbers[:4], numbers[1000]] == expected
    generator.seed(seed)
    assert generator.next_double() == expected[0]


@needs_compiler
@pytest.mark.parametrize("seed", JAVA)
def test_the_java_generator_in_c_gives_what_java_gives(driver: ctypes.CDLL, seed: int) -> None:
    numbers = np.empty(1001)
    driver.java(pointer(numbers), ctypes.c_int64(seed), ctypes.c_long(1001))
    expected = [float.fromhex(text) for text in JAVA[seed]]
    assert [*numbers[:4], numbers[1000]] == expected


@needs_compiler
def test_a_loop_over_instances_vectorises(tmp_path: Path) -> None:
    _, report = compile_driver(tmp_path)
    line = DRIVER.splitlines().index(next(x for x in DRIVER.splitlines() if "// numbered" in x))
    assert f"driver.cpp:{line + 1}:" in report
    # The report would name this one too if it named every loop.
    serial = next(i for i, x in enumerate(DRIVER.splitlines(), 1) if "ls_java_next_double" in x)
    assert f"driver.cpp:{serial}:" not in report


@pytest.mark.skipif(shutil.which("nvcc") is None, reason="needs nvcc")
@pytest.mark.parametrize("architecture", ["sm_80", "sm_90"])
def test_the_header_is_device_code_without_a_warning(tmp_path: Path, architecture: str) -> None:
    source = tmp_path / "kernel.cu"
    source.write_text(
        '#include "lemsmith_random.h"\n'
        "__global__ void draw(double* d, float* f, int64_t seed) {\n"
        "  const int i = threadIdx.x;\n"
        "  ls_java_random generator;\n"
        "  ls_java_seed(&generator, seed);\n"
        "  d[i] = ls_random(1, 2, i) + ls_java_next_double(&generator);\n"
        "  f[i] = ls_random_float(1, 2, i);\n"
        "}\n",
        encoding="utf-8",
    )
    command = ["nvcc", "-std=c++17", f"-arch={architecture}", "-Werror", "all-warnings", "-cubin"]
    command += [f"-I{INCLUDE}", str(source), "-o", str(tmp_path / "kernel.cubin")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_examples_hold() -> None:
    failed, attempted = doctest.testmod(random_numbers)
    assert attempted
    assert not failed
