"""CUDA text run on the host: barriers, warps, atomics, races, deadlocks; and under nvcc."""

from __future__ import annotations

import ctypes
import platform
import shutil
import subprocess
from pathlib import Path

import lemsmith
import numpy as np
import pytest

INCLUDE = Path(lemsmith.__file__).parent / "codegen" / "include"

KERNELS = r"""
#include "lemsmith_cuda.h"
#include "lemsmith_math.h"

// Sums 256 values per block through shared memory.
extern "C" __global__ void __launch_bounds__(256) block_sums(const double* __restrict__ x,
                                                             double* __restrict__ sums, int n) {
  __shared__ double part[256];
  const int t = threadIdx.x, i = blockIdx.x * blockDim.x + t;
  part[t] = i < n ? x[i] : 0.0;
  __syncthreads();
  for (int half = blockDim.x / 2; half > 0; half /= 2) {
    if (t < half) part[t] += part[t + half];
    __syncthreads();
  }
  if (t == 0) sums[blockIdx.x] = part[0];
}
LS_HOST_ENTRY(block_sums, (const double*, double*, int))

// The same without the barrier inside the loop: a race.
extern "C" __global__ void racy_sums(const double* x, double* sums, int n) {
  __shared__ double part[256];
  const int t = threadIdx.x, i = blockIdx.x * blockDim.x + t;
  part[t] = i < n ? x[i] : 0.0;
  __syncthreads();
  for (int half = blockDim.x / 2; half > 0; half /= 2)
    if (t < half) part[t] += part[t + half];
  __syncthreads();
  if (t == 0) sums[blockIdx.x] = part[0];
}
LS_HOST_ENTRY(racy_sums)

// Reads, lets another in, writes: an update that can get lost.
extern "C" __global__ void lost_updates(unsigned int* count, unsigned int* other) {
  const unsigned int old = *count;
  atomicAdd(other, 1u);
  *count = old + 1;
}
LS_HOST_ENTRY(lost_updates)

extern "C" __global__ void histogram(const int* value, unsigned int* count, int n) {
  LS_DYNAMIC_SHARED(unsigned int, local);
  for (int bin = threadIdx.x; bin < 16; bin += blockDim.x) local[bin] = 0;
  __syncthreads();
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) atomicAdd(&local[value[i]], 1u);
  __syncthreads();
  for (int bin = threadIdx.x; bin < 16; bin += blockDim.x) atomicAdd(&count[bin], local[bin]);
}
LS_HOST_ENTRY(histogram)

// Diffusion on a ring, one step per generation of the grid's barrier.
extern "C" __global__ void diffuse(double* a, double* b, int n, int steps,
                                   ls_grid_barrier* barrier) {
  __shared__ int mine;  // each block has its own
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (threadIdx.x == 0) mine = blockIdx.x;
  for (int s = 0; s < steps; s++) {
    const double* from = s % 2 ? b : a;
    double* to = s % 2 ? a : b;
    if (i < n) to[i] = 0.5 * from[i] + 0.25 * (from[(i + 1) % n] + from[(i + n - 1) % n]);
    ls_grid_sync(barrier);
  }
  if (mine != (int)blockIdx.x) a[0] = -1;
}
LS_HOST_ENTRY(diffuse)

extern "C" __global__ void warp_operations(int* out) {
  const int t = threadIdx.x, lane = t & 31;
  int sum = t;
  for (int by = 16; by > 0; by /= 2) sum += __shfl_down_sync(0xFFFFFFFFu, sum, by);
  int scan = 1;
  for (int by = 1; by < 32; by *= 2) {
    const int before = __shfl_up_sync(0xFFFFFFFFu, scan, by);
    if (lane >= by) scan += before;
  }
  double wide = 0.5 + t;
  wide = __shfl_xor_sync(0xFFFFFFFFu, wide, 1);
  const unsigned int odd = __ballot_sync(0xFFFFFFFFu, t % 2);
  int upper = 0;
  if (lane >= 16) upper = __shfl_sync(0xFFFF0000u, t, 20);
  __syncwarp();
  int* const o = out + 8 * t;
  o[0] = __shfl_sync(0xFFFFFFFFu, sum, 0), o[1] = scan, o[2] = (int)(2 * wide);
  o[3] = __popc(odd), o[4] = upper, o[5] = __ffs((int)odd), o[6] = __clz(1 << lane);
  o[7] = __any_sync(0xFFFFFFFFu, t == 5) + 2 * __all_sync(0xFFFFFFFFu, t < 64) +
         4 * __shfl_sync(0xFFFFFFFFu, lane, 1, 8);
}
LS_HOST_ENTRY(warp_operations)

extern "C" __global__ void votes(int* out) {
  const int t = threadIdx.x;
  const int count = __syncthreads_count(t % 3 == 0);
  const int any = __syncthreads_or(t == 7), all = __syncthreads_and(t >= 0);
  out[t] = count + 1000 * any + 10000 * all;
}
LS_HOST_ENTRY(votes)

extern "C" __global__ void atomics(int* i, unsigned int* u, unsigned long long* l, float* f,
                                   double* d) {
  const int t = threadIdx.x + blockIdx.x * blockDim.x;
  atomicAdd(i, t), atomicMax(i + 1, t), atomicMin(i + 2, -t), atomicExch(i + 3, 9);
  atomicAdd(u, 2u), atomicOr(u + 1, 1u << (t & 31)), atomicMax(u + 2, (unsigned int)t);
  atomicAdd(l, 1ull << 33), atomicMin(l + 1, 5ull + t);
  atomicAdd(f, 0.5f), atomicAdd(d, 0.25);
  unsigned int seen = u[3], assumed;  // u[3] += 3 by compare and swap
  do {
    assumed = seen;
    seen = atomicCAS(u + 3, assumed, assumed + 3);
  } while (seen != assumed);
}
LS_HOST_ENTRY(atomics)

extern "C" __global__ void where(int* out) {
  const int block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  const int t = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  atomicAdd(&out[block * blockDim.x * blockDim.y * blockDim.z + t], 1 + t);
}
LS_HOST_ENTRY(where)

__constant__ double scale = 2.0;
extern "C" __global__ void uninitialised(double* out) {
  __shared__ double never[4];
  LS_DYNAMIC_SHARED(double, dynamic);
  out[0] = never[0], out[1] = dynamic[1], out[2] = scale * ls_exp(0.0);
  never[0] = dynamic[1] = 1;
}
LS_HOST_ENTRY(uninitialised)

extern "C" __global__ void half_return(ls_grid_barrier* barrier) {
  if (blockIdx.x % 2 == 0) ls_grid_sync(barrier);
}
LS_HOST_ENTRY(half_return)

extern "C" __global__ void two_barriers(int* out) {
  if (threadIdx.x < 16) {
    __syncthreads();
    out[0] = 1;
  } else {
    __syncthreads();
    out[1] = 2;
  }
}
LS_HOST_ENTRY(two_barriers)

extern "C" __global__ void barrier_against_warp(int* out) {
  if (threadIdx.x == 3) __syncwarp();
  else __syncthreads();
  out[threadIdx.x] = 1;
}
LS_HOST_ENTRY(barrier_against_warp)

extern "C" __global__ void early_return(int* out, int n) {
  if ((int)threadIdx.x >= n) return;
  __syncthreads();
  atomicAdd(out, 1);
}
LS_HOST_ENTRY(early_return)

extern "C" __global__ void greedy(int* out) {
  volatile char big[65500];
  for (int i = 0; i < 65500; i++) big[i] = 1;
  out[0] = big[threadIdx.x];
}
LS_HOST_ENTRY(greedy)
"""

OK, DEADLOCK, DIVERGED, NOT_COOPERATIVE, BAD_LAUNCH, _, STACK_OVERRUN = range(7)

needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
pytestmark = pytest.mark.skipif(platform.system() != "Linux", reason="needs ELF sections")


class Kernels:
    """A compiled CUDA text; `launch` runs one of its kernels."""

    def __init__(self, library: Path) -> None:
        self.library = ctypes.CDLL(str(library))
        self.library.ls_host_message.restype = ctypes.c_char_p

    def launch(
        self,
        name: str,
        grid: int | tuple[int, int, int],
        block: int | tuple[int, int, int],
        *arguments: np.ndarray | int,
        shared: int = 0,
        cooperative: bool = False,
        seed: int = 0,
    ) -> int:
        values = [
            ctypes.c_int(a) if isinstance(a, int) else ctypes.c_void_p(a.ctypes.data)
            for a in arguments
        ]
        pointers = [ctypes.cast(ctypes.pointer(value), ctypes.c_void_p) for value in values]
        sizes = [
            (ctypes.c_uint * 3)(*(size if isinstance(size, tuple) else (size, 1, 1)))
            for size in (grid, block)
        ]
        return int(
            getattr(self.library, f"{name}_host_launch")(
                *sizes,
                ctypes.c_size_t(shared),
                ctypes.c_int(cooperative),
                ctypes.c_uint64(seed),
                (ctypes.c_void_p * len(pointers))(*pointers),
            )
        )

    @property
    def message(self) -> str:
        return bytes(self.library.ls_host_message()).decode()


@pytest.fixture(scope="module", params=["own_switch", "ucontext"])
def kernels(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Kernels:
    if shutil.which("g++") is None:
        pytest.skip("needs g++")
    folder = tmp_path_factory.mktemp(request.param)
    source, library = folder / "kernels.cu", folder / "kernels.so"
    source.write_text(KERNELS, encoding="utf-8")
    command = ["g++", "-x", "c++", "-std=c++17", "-O3", "-march=native", "-shared", "-fPIC"]
    command += ["-Wall", "-Wextra", "-Werror", "-Wno-uninitialized", f"-I{INCLUDE}"]
    if request.param == "ucontext":
        command.append("-DLS_HOST_UCONTEXT")
    done = subprocess.run(
        [*command, str(source), "-o", str(library)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return Kernels(library)


SEEDS = [0, 1, 2, 12345]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_reduction_in_shared_memory_is_exact_in_any_order(kernels: Kernels, seed: int) -> None:
    x = np.random.default_rng(1).integers(-1000, 1000, 1000).astype(float)
    sums = np.zeros(4)
    assert kernels.launch("block_sums", 4, 256, x, sums, 1000, seed=seed) == OK
    assert kernels.message == ""
    expected = [x[start : start + 256].sum() for start in range(0, 1000, 256)]
    assert sums.tolist() == expected


@pytest.mark.parametrize("seed", SEEDS)
def test_blocks_of_a_cooperative_grid_have_shared_memory_of_their_own(
    kernels: Kernels, seed: int
) -> None:
    x = np.arange(1024.0)
    sums = np.zeros(4)
    arguments = ("block_sums", 4, 256, x, sums, 1024)
    assert kernels.launch(*arguments, cooperative=True, seed=seed) == OK
    assert sums.tolist() == x.reshape(4, 256).sum(axis=1).tolist()


def test_a_missing_barrier_shows_in_random_order(kernels: Kernels) -> None:
    x = np.arange(1024.0)
    results = set()
    for seed in range(5):
        sums = np.zeros(4)
        assert kernels.launch("racy_sums", 4, 256, x, sums, 1024, seed=seed) == OK
        results.add(tuple(sums))
    assert len(results) > 1


def test_an_update_that_is_not_atomic_shows_in_random_order(kernels: Kernels) -> None:
    results = {}
    for seed in range(4):
        count, other = np.zeros(1, np.uint32), np.zeros(1, np.uint32)
        assert kernels.launch("lost_updates", 2, 128, count, other, seed=seed) == OK
        assert other[0] == 256
        results[seed] = int(count[0])
    assert results[0] == 256
    assert min(results.values()) < 256


def test_the_same_seed_gives_the_same_order(kernels: Kernels) -> None:
    def racy(seed: int) -> list[float]:
        sums = np.zeros(4)
        kernels.launch("racy_sums", 4, 256, np.arange(1024.0), sums, 1024, seed=seed)
        return sums.tolist()

    assert racy(7) == racy(7)
    assert racy(7) != racy(8)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_histogram_by_atomics_counts_everything_once(kernels: Kernels, seed: int) -> None:
    value = np.random.default_rng(2).integers(0, 16, 5000).astype(np.int32)
    count = np.zeros(16, np.uint32)
    arguments = ("histogram", 40, 128, value, count, 5000)
    assert kernels.launch(*arguments, shared=64, seed=seed) == OK
    assert count.tolist() == np.bincount(value, minlength=16).tolist()


@pytest.mark.parametrize("seed", SEEDS)
def test_every_atomic_does_what_its_name_says(kernels: Kernels, seed: int) -> None:
    i, u = np.array([0, -1, 0, 0], np.int32), np.zeros(4, np.uint32)
    long, f, d = np.array([0, 2**40], np.uint64), np.zeros(1, np.float32), np.zeros(1)
    assert kernels.launch("atomics", 3, 64, i, u, long, f, d, seed=seed) == OK
    assert i.tolist() == [sum(range(192)), 191, -191, 9]
    assert u.tolist() == [384, 2**32 - 1, 191, 576]
    assert long.tolist() == [192 * 2**33, 5]
    assert (f[0], d[0]) == (96.0, 48.0)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_grid_barrier_separates_steps(kernels: Kernels, seed: int) -> None:
    n, steps = 200, 9
    start = np.random.default_rng(3).random(n)
    a, b, barrier = start.copy(), np.zeros(n), np.zeros(2, np.uint32)
    arguments = ("diffuse", 5, 41, a, b, n, steps, barrier)
    assert kernels.launch(*arguments, cooperative=True, seed=seed) == OK
    expected = start
    for _ in range(steps):
        expected = 0.5 * expected + 0.25 * (np.roll(expected, -1) + np.roll(expected, 1))
    assert np.allclose(b, expected, rtol=1e-15, atol=0)
    assert not barrier.any()


@pytest.mark.parametrize("seed", SEEDS)
def test_warp_operations_follow_the_manual(kernels: Kernels, seed: int) -> None:
    out = np.zeros((64, 8), np.int32)
    assert kernels.launch("warp_operations", 1, 64, out, seed=seed) == OK
    thread = np.arange(64)
    lane, warp = thread % 32, thread // 32
    assert out[:, 0].tolist() == [sum(range(w * 32, w * 32 + 32)) for w in warp]
    assert out[:, 1].tolist() == (lane + 1).tolist()
    assert out[:, 2].tolist() == (2 * (thread ^ 1) + 1).tolist()
    assert set(out[:, 3]) == {16}
    assert out[:, 4].tolist() == np.where(lane >= 16, warp * 32 + 20, 0).tolist()
    assert set(out[:, 5]) == {2}
    assert out[:, 6].tolist() == (31 - lane).tolist()
    any_five = (warp == 0).astype(int)
    assert out[:, 7].tolist() == (any_five + 2 + 4 * (lane // 8 * 8 + 1)).tolist()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_block_counts_its_votes(kernels: Kernels, seed: int) -> None:
    out = np.zeros(50, np.int32)
    assert kernels.launch("votes", 1, 50, out, seed=seed) == OK
    assert set(out) == {17 + 1000 + 10000}


@pytest.mark.parametrize("cooperative", [False, True])
def test_every_thread_of_a_grid_in_three_dimensions_runs_once(
    kernels: Kernels, cooperative: bool
) -> None:
    out = np.zeros((2 * 3 * 4, 5 * 2 * 3), np.int32)
    assert kernels.launch("where", (2, 3, 4), (5, 2, 3), out, cooperative=cooperative) == OK
    assert (out == 1 + np.arange(30)).all()


def test_shared_memory_starts_out_as_nan_in_every_block(kernels: Kernels) -> None:
    out = np.zeros(3)
    for _ in range(2):
        assert kernels.launch("uninitialised", 3, 1, out, shared=16) == OK
        assert np.isnan(out[:2]).all()
        assert out[2] == 2.0


@pytest.mark.parametrize("seed", SEEDS)
def test_a_grid_barrier_that_half_the_blocks_never_reach_is_a_deadlock(
    kernels: Kernels, seed: int
) -> None:
    barrier = np.zeros(2, np.uint32)
    error = kernels.launch("half_return", 4, 32, barrier, cooperative=True, seed=seed)
    assert error == DEADLOCK
    assert "64 at the grid's barrier; 64 have returned" in kernels.message
    # And all is well again at the next launch.
    assert kernels.launch("votes", 1, 50, np.zeros(50, np.int32)) == OK
    assert kernels.message == ""


def test_a_barrier_against_a_warp_operation_is_a_deadlock(kernels: Kernels) -> None:
    out = np.zeros(32, np.int32)
    assert kernels.launch("barrier_against_warp", 1, 32, out) == DEADLOCK
    assert "31 threads wait at a block's barrier" in kernels.message
    assert "1 at a warp operation" in kernels.message
    assert not out.any()


def test_barriers_in_two_branches_are_told_apart(kernels: Kernels) -> None:
    assert kernels.launch("two_barriers", 1, 32, np.zeros(2, np.int32)) == DIVERGED
    lines = [n for n, line in enumerate(KERNELS.splitlines(), 1) if "__syncthreads();" in line]
    start = next(n for n, line in enumerate(KERNELS.splitlines(), 1) if "void two_barriers" in line)
    first, second = [line for line in lines if line > start][:2]
    assert f"in line {first}, others in line {second}" in kernels.message


def test_threads_that_have_returned_do_not_hold_up_a_block(kernels: Kernels) -> None:
    out = np.zeros(1, np.int32)
    assert kernels.launch("early_return", 2, 64, out, 10) == OK
    assert out[0] == 20


def test_a_grid_barrier_needs_a_cooperative_launch(kernels: Kernels) -> None:
    assert kernels.launch("half_return", 4, 32, np.zeros(2, np.uint32)) == NOT_COOPERATIVE


def test_a_grid_barrier_must_be_zero_at_first(kernels: Kernels) -> None:
    barrier = np.array([1, 0], np.uint32)
    assert kernels.launch("half_return", 1, 1, barrier, cooperative=True) == DEADLOCK
    assert "not zero" in kernels.message


@pytest.mark.parametrize(("grid", "block", "shared"), [(0, 1, 0), (1, 1025, 0), (1, 1, 300_000)])
def test_sizes_that_no_device_takes_are_refused(
    kernels: Kernels, grid: int, block: int, shared: int
) -> None:
    out = np.zeros(2048, np.int32)
    assert kernels.launch("where", grid, block, out, shared=shared) == BAD_LAUNCH
    assert not out.any()


def test_a_stack_overrun_is_noticed(kernels: Kernels) -> None:
    assert kernels.launch("greedy", 1, 1, np.zeros(1, np.int32)) == STACK_OVERRUN
    assert "LS_HOST_STACK" in kernels.message


@pytest.mark.skipif(shutil.which("nvcc") is None, reason="needs nvcc")
@pytest.mark.parametrize("architecture", ["sm_80", "sm_90"])
def test_the_same_text_is_cuda_without_a_warning(tmp_path: Path, architecture: str) -> None:
    source = tmp_path / "kernels.cu"
    source.write_text(KERNELS, encoding="utf-8")
    command = ["nvcc", "-std=c++17", f"-arch={architecture}", "-Werror", "all-warnings", "-cubin"]
    command += [f"-I{INCLUDE}", str(source), "-o", str(tmp_path / "kernels.cubin")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
