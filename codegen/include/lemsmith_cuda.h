/* What generated CUDA text needs beyond CUDA itself. Include this first.
 *
 * Under nvcc this is the device side; under any other C++17 compiler it is lemsmith_cuda_host.h,
 * which runs the same kernels on the host. In the text,
 *   LS_DYNAMIC_SHARED(type, name);  stands for   extern __shared__ type name[];
 *   LS_HOST_ENTRY(kernel)           after a kernel defines kernel_host_launch, on the host alone;
 *   ls_grid_sync(barrier)           is a barrier across the grid of a cooperative launch.
 */
#ifndef LEMSMITH_CUDA_H
#define LEMSMITH_CUDA_H

/* A barrier across a grid; all zero before the launch, and again after it. */
typedef struct ls_grid_barrier {
  unsigned int arrived, generation;
} ls_grid_barrier;

#ifndef __CUDACC__
#define LS_CUDA_ON_HOST 1
#include "lemsmith_cuda_host.h"
#else

#ifndef LS_FN
#define LS_FN static __device__ __forceinline__
#endif

#define LS_HOST_ENTRY(...)

/* One array of bytes under every name: nvcc wants all declarations of it alike. */
#define LS_DYNAMIC_SHARED(type, name)                       \
  extern __shared__ __align__(16) unsigned char ls_shared_[]; \
  type* const name = (type*)ls_shared_

/* Wait for every thread of the grid; what any of them wrote before is seen by all after. The last
 * block to arrive starts the next generation, and the others watch for it: with the count reset
 * before that, the barrier is at once ready for its next use. Every block must be resident, which
 * a cooperative launch makes sure of. */
LS_FN void ls_grid_sync(ls_grid_barrier* barrier) {
  __syncthreads();
  if (threadIdx.x == 0 && threadIdx.y == 0 && threadIdx.z == 0) {
    volatile unsigned int* const generation = &barrier->generation;
    const unsigned int now = *generation;
    __threadfence();
    if (atomicAdd(&barrier->arrived, 1u) == gridDim.x * gridDim.y * gridDim.z - 1u) {
      atomicExch(&barrier->arrived, 0u);
      __threadfence();
      atomicAdd(&barrier->generation, 1u);
    } else {
      while (*generation == now) {
      }
    }
    __threadfence();
  }
  __syncthreads();
}

#endif
#endif
