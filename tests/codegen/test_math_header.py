"""The elementary functions that generated code includes: error, edges, vectorisation."""

from __future__ import annotations

import ctypes
import importlib.util
import math
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import lemsmith
import numpy as np
import pytest

INCLUDE = Path(lemsmith.__file__).parent / "codegen" / "include"
POINTS = 400_000
ONE_ARGUMENT = [
    *("exp", "expm1", "log", "tanh", "sinh", "cosh", "exprelr", "explinear"),
    *("abs", "ceil", "floor", "sqrt", "sin", "cos", "tan"),
]
#: What calls the mathematics library, or checks errno, stays scalar.
SCALAR = {"sqrt", "sin", "cos", "tan"}
ON_X86 = platform.machine() in {"x86_64", "AMD64"}
#: Name of a build, its flags.
BUILDS = {"native": ["-march=native"]} | ({"no_fma": ["-march=x86-64-v2"]} if ON_X86 else {})
REAL = {"double": np.float64, "float": np.float32}

#: The largest error allowed, in units in the last place, with FMA and without.
ALLOWED = {
    "exp": (1.0, 1.3),
    "expm1": (1.7, 1.7),
    "log": (0.9, 0.9),
    "pow": (1.1, 1.4),
    "tanh": (2.0, 2.4),
    "sinh": (2.3, 2.3),
    "cosh": (1.4, 1.6),
    "exprelr": (2.0, 2.1),
    "explinear": (2.0, 2.1),
}

pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")


def driver_source() -> str:
    """Return one loop per function and precision; each loop's name ends its only line."""
    lines = ['#include "lemsmith_math.h"']
    for real in REAL:
        head = 'extern "C" void {name}_{real}({real}* __restrict z, const {real}* __restrict x, '
        head += "const {real}* __restrict y, long n) {{ "
        loop = head + "for (long i = 0; i < n; i++) z[i] = {value}; }} // {name}_{real}"
        lines += [
            loop.format(name=name, real=real, value=f"ls_{name}(x[i])") for name in ONE_ARGUMENT
        ]
        lines.append(loop.format(name="pow", real=real, value="ls_pow(x[i], y[i])"))
        where = "ls_where(x[i] < 0, ls_exp(x[i]), y[i] * x[i])"
        lines.append(loop.format(name="where", real=real, value=where))
    return "\n".join(lines) + "\n"


def compile_driver(folder: Path, name: str, flags: list[str]) -> tuple[Path, set[str]]:
    """Return the library and the loops that g++ says it vectorised."""
    source, library = folder / "driver.cpp", folder / f"{name}.so"
    source.write_text(driver_source(), encoding="utf-8")
    command = ["g++", "-std=c++17", "-O3", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror"]
    command += ["-Wno-unused-parameter", *flags, "-fopt-info-vec", f"-I{INCLUDE}"]
    command += [str(source), "-o", str(library)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = source.read_text(encoding="utf-8").splitlines()
    reported = re.findall(r"driver\.cpp:(\d+):\d+: optimized: loop vectorized", done.stderr)
    return library, {lines[int(number) - 1].rpartition("// ")[2] for number in reported}


class Driver:
    """A compiled driver; calling it evaluates one function on arrays."""

    def __init__(self, library: Path, vectorised: set[str], fused: bool) -> None:
        self.library = ctypes.CDLL(str(library))
        self.vectorised = vectorised
        self.fused = fused

    def __call__(self, name: str, x: np.ndarray, y: np.ndarray | None = None) -> np.ndarray:
        x = np.ascontiguousarray(x)
        y = x if y is None else np.ascontiguousarray(y)
        z = np.empty_like(x)
        real = "double" if x.dtype == np.float64 else "float"
        pointers = [ctypes.c_void_p(array.ctypes.data) for array in (z, x, y)]
        getattr(self.library, f"{name}_{real}")(*pointers, ctypes.c_long(x.size))
        return z


@pytest.fixture(scope="module", params=BUILDS)
def driver(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Driver:
    flags = BUILDS[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    library, vectorised = compile_driver(folder, request.param, flags)
    macros = subprocess.run(
        ["g++", *flags, "-dM", "-E", "-x", "c++", "-"],
        input="",
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    fused = re.search(r"define (__FMA__|__FP_FAST_FMA|__ARM_FEATURE_FMA) ", macros) is not None
    return Driver(library, vectorised, fused)


def wide(x: np.ndarray) -> np.ndarray:
    """Return `x` in a format with at least ten bits more."""
    return x.astype(np.longdouble if x.dtype == np.float64 else np.float64)


REFERENCE = {
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "tanh": np.tanh,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "exprelr": lambda x: x / np.expm1(x),
    "explinear": lambda x: -x / np.expm1(-x),
}


def ulps(value: np.ndarray, exact: np.ndarray) -> float:
    """Return the largest error of `value` in units in its last place."""
    unit = np.spacing(np.abs(exact).astype(value.dtype)).astype(exact.dtype)
    error = np.abs(value.astype(exact.dtype) - exact) / unit
    assert not np.isnan(error).any()
    return float(error.max())


def arguments(name: str, real: str) -> np.ndarray:
    """Return random arguments: the whole range, around 0 (1 for log), and every magnitude."""
    random = np.random.default_rng(20111)
    end = 708.0 if real == "double" else 86.9
    if name == "log":
        tiny = math.log(np.finfo(REAL[real]).smallest_subnormal)
        ranges = [
            np.exp(random.uniform(-end, end, POINTS)),
            random.uniform(0.5, 2, POINTS),
            1 + random.uniform(-1e-3, 1e-3, POINTS),
            np.exp(random.uniform(tiny + 1, -end, POINTS // 10)),
        ]
    else:
        wide_end = {"tanh": 25.0, "explinear": end - 10, "exprelr": end - 10}.get(name, end)
        sign = random.choice([-1.0, 1.0], POINTS)
        ranges = [
            random.uniform(-wide_end, wide_end, POINTS),
            random.uniform(-3, 3, POINTS),
            sign * 10 ** random.uniform(-30, 1, POINTS),
        ]
    return np.concatenate(ranges).astype(REAL[real])


needs_long_double = pytest.mark.skipif(
    np.finfo(np.longdouble).nmant < 63, reason="needs a long double of 64 bits of mantissa"
)


@needs_long_double
@pytest.mark.parametrize("real", REAL)
@pytest.mark.parametrize("name", REFERENCE)
def test_the_error_stays_below_its_bound(driver: Driver, name: str, real: str) -> None:
    x = arguments(name, real)
    worst = ulps(driver(name, x), REFERENCE[name](wide(x)))
    print(f"{name} {real}: {worst:.3f} ulp over {x.size} points")
    assert worst <= ALLOWED[name][0 if driver.fused else 1]


@needs_long_double
@pytest.mark.parametrize("real", REAL)
def test_the_error_of_a_power_stays_below_its_bound(driver: Driver, real: str) -> None:
    random = np.random.default_rng(19)
    end = 700.0 if real == "double" else 85.0
    log_x = np.concatenate([random.uniform(-5, 5, POINTS), random.uniform(-0.1, 0.1, POINTS)])
    log_x = np.concatenate([log_x, random.uniform(-end, end, POINTS)])
    x = np.exp(log_x).astype(REAL[real])
    y = (random.uniform(-end, end, x.size) / np.abs(log_x)).astype(REAL[real])
    exact = np.power(wide(x), wide(y))
    limits = np.finfo(REAL[real])
    kept = (exact > 2 * wide(limits.tiny)) & (exact < wide(limits.max)) & np.isfinite(y)
    worst = ulps(driver("pow", x, y)[kept], exact[kept])
    print(f"pow {real}: {worst:.3f} ulp over {kept.sum()} points")
    assert worst <= ALLOWED["pow"][0 if driver.fused else 1]


def test_the_reference_itself_agrees_with_arbitrary_precision(driver: Driver) -> None:
    mpmath = pytest.importorskip("mpmath")
    random = np.random.default_rng(3)
    with mpmath.workdps(40):
        for name in ("exp", "log", "tanh", "expm1", "sinh", "cosh"):
            x = random.uniform(0.01, 5, 300)
            exact = [getattr(mpmath, name)(mpmath.mpf(float(v))) for v in x]
            errors = [
                abs(mpmath.mpf(float(value)) - true) / math.ulp(float(true))
                for value, true in zip(driver(name, x), exact, strict=True)
            ]
            assert float(max(errors)) <= ALLOWED[name][0 if driver.fused else 1]


INF, NAN = math.inf, math.nan
#: Function, argument, what must come out in either precision.
EDGES = [
    *(("exp", INF, INF), ("exp", -INF, 0.0), ("exp", NAN, NAN), ("exp", 0.0, 1.0)),
    *(("exp", 1e30, INF), ("exp", -1e30, 0.0), ("exp", 710.0, INF), ("exp", -750.0, 0.0)),
    *(("expm1", INF, INF), ("expm1", -INF, -1.0), ("expm1", NAN, NAN), ("expm1", 0.0, 0.0)),
    *(("expm1", 1e30, INF), ("expm1", -1e30, -1.0), ("expm1", 710.0, INF)),
    *(("log", 0.0, -INF), ("log", -0.0, -INF), ("log", -1.0, NAN), ("log", -INF, NAN)),
    *(("log", INF, INF), ("log", NAN, NAN), ("log", 1.0, 0.0)),
    *(("tanh", INF, 1.0), ("tanh", -INF, -1.0), ("tanh", NAN, NAN), ("tanh", -0.0, -0.0)),
    *(("sinh", INF, INF), ("sinh", -INF, -INF), ("sinh", NAN, NAN), ("sinh", -0.0, -0.0)),
    *(("sinh", 711.0, INF), ("sinh", -1e30, -INF), ("cosh", -711.0, INF), ("cosh", 0.0, 1.0)),
    *(("cosh", INF, INF), ("cosh", -INF, INF), ("cosh", NAN, NAN), ("cosh", 1e30, INF)),
    *(("exprelr", 0.0, 1.0), ("exprelr", -0.0, 1.0), ("exprelr", INF, 0.0)),
    *(("exprelr", -INF, INF), ("exprelr", NAN, NAN), ("exprelr", 1e-40, 1.0)),
    *(("exprelr", 1e30, 0.0), ("exprelr", 1e-20, 1.0)),
    *(("explinear", 0.0, 1.0), ("explinear", INF, INF), ("explinear", -INF, 0.0)),
    *(("explinear", NAN, NAN), ("explinear", 1e-40, 1.0), ("explinear", 1e6, 1e6)),
    *(("sqrt", 2.25, 1.5), ("sqrt", -1.0, NAN), ("sqrt", INF, INF), ("sqrt", NAN, NAN)),
    *(("abs", -0.0, 0.0), ("abs", -INF, INF), ("abs", NAN, NAN), ("abs", -2.5, 2.5)),
    *(("ceil", 2.25, 3.0), ("ceil", -0.25, -0.0), ("ceil", -2.75, -2.0), ("ceil", 3.0, 3.0)),
    *(("ceil", 2.0**80, 2.0**80), ("ceil", -INF, -INF), ("ceil", NAN, NAN)),
    *(("floor", 2.75, 2.0), ("floor", -0.25, -1.0), ("floor", -3.0, -3.0), ("floor", NAN, NAN)),
]


def same(value: float, expected: float) -> bool:
    """Return whether both are NaN, or equal with equal sign."""
    if math.isnan(expected):
        return math.isnan(value)
    return value == expected and math.copysign(1, value) == math.copysign(1, expected)


@pytest.mark.parametrize("real", REAL)
def test_edges_come_out_exactly(driver: Driver, real: str) -> None:
    wrong = []
    for name, argument, expected in EDGES:
        # As part of a long array, so that the vectorised loop gives the value.
        x = np.full(64, argument, REAL[real])
        value = driver(name, np.where(np.arange(64) % 2, x, REAL[real](0.5)))[33]
        if not same(float(value), float(REAL[real](expected))):
            wrong.append((name, argument, value, expected))
    assert not wrong


@pytest.mark.parametrize("real", REAL)
def test_the_last_results_before_overflow_and_underflow_are_finite(
    driver: Driver, real: str
) -> None:
    kind = REAL[real]
    top = {"double": (709.78, 709.79, 710.47, 710.48), "float": (88.72, 88.73, 89.41, 89.42)}[real]
    bottom = {"double": -708.0, "float": -86.9}[real]
    assert np.isfinite(driver("exp", np.array([top[0]], kind))[0])
    assert np.isinf(driver("exp", np.array([top[1]], kind))[0])
    assert driver("exp", np.array([bottom], kind))[0] > np.finfo(kind).tiny
    for name in ("sinh", "cosh"):
        assert np.isfinite(driver(name, np.array([top[2]], kind))[0])
        assert np.isinf(driver(name, np.array([top[3]], kind))[0])


@pytest.mark.parametrize("real", REAL)
def test_the_edges_of_a_power_are_those_of_the_c_standard(driver: Driver, real: str) -> None:
    values = [0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5, 3.0, -3.0, 1e30, -1e30, INF, -INF, NAN]
    values += [2.5, -2.5, 8388609.0, 4.0]
    x, y = (grid.ravel().astype(REAL[real]) for grid in np.meshgrid(values, values))
    wrong = []
    for a, b, value in zip(x, y, driver("pow", x, y), strict=True):
        try:
            expected = math.pow(a, b)
        except OverflowError:
            expected = math.copysign(INF, a) if b % 2 == 1 else INF
        except ValueError:  # Python's way to say NaN, or a division by zero
            odd = b % 2 == 1
            expected = NAN if a != 0 else (math.copysign(INF, a) if odd else INF)
        with np.errstate(over="ignore"):
            expected = float(REAL[real](expected))
        near = same(float(value), expected) or math.isclose(value, expected, rel_tol=1e-6)
        if not near:
            wrong.append((a, b, value, expected))
    assert not wrong


def test_a_rate_is_smooth_through_its_removable_singularity(driver: Driver) -> None:
    x = np.linspace(-1e-3, 1e-3, 20_001)
    series = 1 - x / 2 + x**2 / 12 - x**4 / 720
    assert np.abs(driver("exprelr", x) - series).max() < 5e-16
    assert np.abs(driver("explinear", x) - (series + x)).max() < 5e-16


@pytest.mark.skipif(not ON_X86, reason="the list of what vectorises is for x86")
def test_every_loop_but_those_that_call_the_library_vectorises(driver: Driver) -> None:
    names = {*ONE_ARGUMENT, "pow", "where"}
    loops = {f"{name}_{real}" for name in names - SCALAR for real in REAL}
    assert loops <= driver.vectorised
    # The report would name these too if it named every loop.
    calls = {f"{name}_{real}" for name in ("sin", "cos", "tan") for real in REAL}
    assert not calls & driver.vectorised


@pytest.mark.skipif(not ON_X86, reason="the list of what vectorises is for x86")
@pytest.mark.parametrize("width", ["256", "512"])
def test_loops_vectorise_for_avx512_and_with_the_flag_square_roots_too(
    tmp_path: Path, width: str
) -> None:
    flags = ["-march=skylake-avx512", f"-mprefer-vector-width={width}", "-fno-math-errno"]
    _, vectorised = compile_driver(tmp_path, "avx512", flags)
    names = {*ONE_ARGUMENT, "pow", "where"} - {"sin", "cos", "tan"}
    assert {f"{name}_{real}" for name in names for real in REAL} <= vectorised


@pytest.mark.skipif(importlib.util.find_spec("ziglang") is None, reason="needs ziglang")
@pytest.mark.slow
def test_clang_vectorises_the_loops_too(tmp_path: Path) -> None:
    source = tmp_path / "driver.cpp"
    source.write_text(driver_source(), encoding="utf-8")
    command = [sys.executable, "-m", "ziglang", "c++", "-std=c++17", "-O3", "-march=native"]
    command += [f"-I{INCLUDE}", "-Rpass=loop-vectorize", "-c", str(source)]
    done = subprocess.run(
        [*command, "-o", str(tmp_path / "driver.o")], capture_output=True, text=True, check=True
    )
    lines = source.read_text(encoding="utf-8").splitlines()
    numbers = set(re.findall(r"driver\.cpp:(\d+):\d+: remark: vectorized", done.stderr))
    vectorised = {lines[int(number) - 1].rpartition("// ")[2] for number in numbers}
    names = {*ONE_ARGUMENT, "pow", "where"} - SCALAR
    assert {f"{name}_{real}" for name in names for real in REAL} <= vectorised


def test_fast_maths_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "fast.cpp"
    source.write_text('#include "lemsmith_math.h"\n', encoding="utf-8")
    command = ["g++", "-ffast-math", "-fsyntax-only", f"-I{INCLUDE}", str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "-ffast-math" in done.stderr


@pytest.mark.skipif(shutil.which("nvcc") is None, reason="needs nvcc")
@pytest.mark.parametrize("architecture", ["sm_80", "sm_90"])
def test_the_header_is_device_code_without_a_warning(tmp_path: Path, architecture: str) -> None:
    body = " ".join(f"d[i] += ls_{name}(d[i]); f[i] += ls_{name}(f[i]);" for name in ONE_ARGUMENT)
    body += " d[i] = ls_pow(d[i], d[0]); f[i] = ls_pow(f[i], f[0]);"
    source = tmp_path / "kernel.cu"
    source.write_text(
        '#include "lemsmith_math.h"\n'
        f"__global__ void all(double* d, float* f) {{ const int i = threadIdx.x; {body} }}\n",
        encoding="utf-8",
    )
    command = ["nvcc", "-std=c++17", f"-arch={architecture}", "-Werror", "all-warnings", "-cubin"]
    command += [f"-I{INCLUDE}", str(source), "-o", str(tmp_path / "kernel.cubin")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
