/* CUDA text, compiled by a host compiler, its kernels run thread by thread.
 *
 * For tests where no GPU is at hand, and for the checks that a GPU cannot make. Each CUDA thread
 * is a fibre with a stack of its own; it gives up the processor at barriers and warp operations.
 * A launch is serial and, for a given seed, always runs in the same order:
 *   seed 0: blocks and threads in their order;
 *   else:   ready threads in an order drawn from the seed, and atomics are places where another
 *           thread may take over. A kernel whose result depends on the seed has a race.
 * Shared memory starts out as NaN. What can go wrong is an error code and a message, not a hang:
 * a barrier that some thread never reaches, a barrier reached at two places at once, a grid
 * barrier outside a cooperative launch, a stack overrun. Loops that spin on memory are not
 * understood; ls_grid_sync is.
 *
 * As on a device, a thread that has returned no longer counts for __syncthreads and warp
 * operations, but does for ls_grid_sync. A lane that a shuffle's mask names but that is not there
 * gives all bits set.
 */
#ifndef LEMSMITH_CUDA_HOST_H
#define LEMSMITH_CUDA_HOST_H

#include <math.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#if !(defined(__x86_64__) && defined(__ELF__))
#define LS_HOST_UCONTEXT 1
#endif
#ifdef LS_HOST_UCONTEXT
#include <ucontext.h>
#endif

#ifndef LS_FN
#define LS_FN static inline __attribute__((always_inline, unused))
#endif
#define LS_HOST_FN static inline __attribute__((unused))

#define __global__
#define __device__
#define __host__
#define __constant__
#define __managed__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __grid_constant__
#define __align__(n) __attribute__((aligned(n)))

/* Shared variables are static, in a section of their own: what they hold can then be exchanged
 * when another block of a cooperative grid gets its turn. */
#define __shared__ static __attribute__((section("ls_shared")))
extern "C" {
extern char __start_ls_shared[] __attribute__((weak, visibility("hidden")));
extern char __stop_ls_shared[] __attribute__((weak, visibility("hidden")));
}

#define LS_DYNAMIC_SHARED(type, name) type* const name = (type*)ls_host_.dynamic_shared

typedef struct dim3 {
  unsigned int x, y, z;
} dim3;
typedef dim3 uint3;

enum {
  LS_HOST_OK = 0,
  LS_HOST_DEADLOCK = 1,        /* threads wait for others that never come */
  LS_HOST_DIVERGED = 2,        /* threads of a block wait at different barriers */
  LS_HOST_NOT_COOPERATIVE = 3, /* ls_grid_sync in an ordinary launch */
  LS_HOST_BAD_LAUNCH = 4,      /* sizes that no device takes */
  LS_HOST_NO_MEMORY = 5,
  LS_HOST_STACK_OVERRUN = 6    /* define a larger LS_HOST_STACK */
};

#ifndef LS_HOST_STACK
#define LS_HOST_STACK ((size_t)64 << 10)
#endif
#define LS_HOST_CANARY ((uint64_t)0x5AFE57ACC0FFEE00u)

enum ls_host_wait { LS_READY_, LS_AT_BARRIER_, LS_AT_WARP_, LS_AT_GRID_, LS_RETURNED_ };
enum ls_host_kind {
  LS_SYNC_, LS_COUNT_, LS_AND_, LS_OR_,                    /* of a block */
  LS_WARP_SYNC_, LS_SHUFFLE_, LS_BALLOT_, LS_ANY_, LS_ALL_ /* of a warp */
};

typedef struct ls_fibre {
#ifdef LS_HOST_UCONTEXT
  ucontext_t context;
#endif
  void* stack_pointer;
  char* stack; /* while the thread is on its way */
  dim3 thread;
  unsigned int block; /* place in ls_host_.blocks */
  int lane;
  int wait, kind, line;
  unsigned int mask;
  int source;
  uint64_t value, result;
} ls_fibre;

typedef struct ls_host_block {
  dim3 index;
  ls_fibre* fibres;
  unsigned int* ready; /* a ring of the fibres that can go on */
  unsigned int first_ready, ready_count, at_barrier, returned;
  char* dynamic_shared;
  char* static_shared; /* what its shared variables hold while another block has its turn */
} ls_host_block;

typedef struct ls_host_state {
  ls_host_block* blocks;
  unsigned int block_count, threads;
  unsigned int at_grid;
  int cooperative, error;
  uint64_t random; /* 0: in order */
  ls_fibre* current;
  ls_host_block* loaded;
  char* dynamic_shared;
  void* scheduler_stack_pointer;
#ifdef LS_HOST_UCONTEXT
  ucontext_t scheduler;
#endif
  char* stacks;
  char** free_stacks;
  size_t free_stack_count;
  void (*kernel)(void*);
  void* context;
  char message[256];
} ls_host_state;

static ls_host_state ls_host_;
static int ls_host_lock_;
static dim3 threadIdx __attribute__((unused)), blockIdx __attribute__((unused));
static dim3 blockDim __attribute__((unused)), gridDim __attribute__((unused));
static const int warpSize __attribute__((unused)) = 32;

/* ---- Fibres ---- */

#ifndef LS_HOST_UCONTEXT
/* Keep the registers that a call preserves on the old stack, take up those of the new one. */
extern "C" __attribute__((visibility("hidden"))) void ls_host_switch_(void** from, void* to);
__asm__(
    ".pushsection .text\n"
    ".local ls_host_switch_\n"
    ".type ls_host_switch_, @function\n"
    "ls_host_switch_:\n"
    "  pushq %rbp\n  pushq %rbx\n  pushq %r12\n  pushq %r13\n  pushq %r14\n  pushq %r15\n"
    "  movq %rsp, (%rdi)\n"
    "  movq %rsi, %rsp\n"
    "  popq %r15\n  popq %r14\n  popq %r13\n  popq %r12\n  popq %rbx\n  popq %rbp\n"
    "  ret\n"
    ".size ls_host_switch_, . - ls_host_switch_\n"
    ".popsection\n");
#endif

LS_HOST_FN void ls_host_leave_(void) {
#ifdef LS_HOST_UCONTEXT
  swapcontext(&ls_host_.current->context, &ls_host_.scheduler);
#else
  ls_host_switch_(&ls_host_.current->stack_pointer, ls_host_.scheduler_stack_pointer);
#endif
}

static void ls_host_start_(void) {
  ls_host_.kernel(ls_host_.context);
  ls_host_.current->wait = LS_RETURNED_;
  ls_host_leave_();
  abort(); /* nobody resumes a thread that has returned */
}

LS_HOST_FN void ls_host_prepare_(ls_fibre* fibre) {
  fibre->stack = ls_host_.free_stacks[--ls_host_.free_stack_count];
  *(uint64_t*)fibre->stack = LS_HOST_CANARY;
#ifdef LS_HOST_UCONTEXT
  getcontext(&fibre->context);
  fibre->context.uc_stack.ss_sp = fibre->stack + 64;
  fibre->context.uc_stack.ss_size = LS_HOST_STACK - 64;
  fibre->context.uc_link = 0;
  makecontext(&fibre->context, ls_host_start_, 0);
#else
  /* As if ls_host_switch_ had been called just before the first instruction. */
  void** top = (void**)(fibre->stack + LS_HOST_STACK);
  memset(top - 8, 0, 8 * sizeof *top);
  top[-2] = (void*)ls_host_start_;
  fibre->stack_pointer = top - 8;
#endif
}

LS_HOST_FN uint64_t ls_host_draw_(void) { /* xorshift64*, Vigna 2016 */
  uint64_t x = ls_host_.random;
  x ^= x >> 12, x ^= x << 25, x ^= x >> 27;
  ls_host_.random = x;
  return (x * (uint64_t)0x2545F4914F6CDD1Du) >> 32;
}

LS_HOST_FN void ls_host_make_ready_(ls_host_block* block, ls_fibre* fibre) {
  const unsigned int place = (block->first_ready + block->ready_count++) % ls_host_.threads;
  block->ready[place] = (unsigned int)(fibre - block->fibres);
  fibre->wait = LS_READY_;
}

LS_HOST_FN void ls_host_fail_(int error, const char* message) {
  if (ls_host_.error != LS_HOST_OK) return;
  ls_host_.error = error;
  snprintf(ls_host_.message, sizeof ls_host_.message, "%s", message);
}

/* Another thread may take over here; in order, none does. */
LS_HOST_FN void ls_host_preempt_(void) {
  if (ls_host_.random == 0 || ls_host_draw_() % 4 != 0) return;
  ls_fibre* const fibre = ls_host_.current;
  ls_host_make_ready_(&ls_host_.blocks[fibre->block], fibre);
  ls_host_leave_();
}

/* ---- Who may go on ---- */

LS_HOST_FN uint64_t ls_host_reduce_(int kind, unsigned int count, unsigned int all) {
  if (kind == LS_COUNT_) return count;
  return kind == LS_AND_ || kind == LS_ALL_ ? count == all : count != 0;
}

LS_HOST_FN void ls_host_release_block_(ls_host_block* block) {
  const unsigned int alive = ls_host_.threads - block->returned;
  if (alive == 0 || block->at_barrier != alive) return;
  const ls_fibre* first = 0;
  unsigned int count = 0;
  for (unsigned int i = 0; i < ls_host_.threads; i++) {
    const ls_fibre* fibre = &block->fibres[i];
    if (fibre->wait != LS_AT_BARRIER_) continue;
    if (first == 0) first = fibre;
    if (fibre->line != first->line || fibre->kind != first->kind) {
      ls_host_fail_(LS_HOST_DIVERGED, "");
      snprintf(ls_host_.message, sizeof ls_host_.message,
               "block (%u, %u, %u): some threads wait at the barrier in line %d, others in line %d",
               block->index.x, block->index.y, block->index.z, first->line, fibre->line);
      return;
    }
    count += fibre->value != 0;
  }
  block->at_barrier = 0;
  for (unsigned int i = 0; i < ls_host_.threads; i++) {
    ls_fibre* fibre = &block->fibres[i];
    if (fibre->wait != LS_AT_BARRIER_) continue;
    fibre->result = ls_host_reduce_(fibre->kind, count, alive);
    ls_host_make_ready_(block, fibre);
  }
}

/* Let those lanes of the warp of `fibre` go on whose whole mask has arrived. */
LS_HOST_FN void ls_host_release_warp_(ls_host_block* block, const ls_fibre* fibre) {
  ls_fibre* const lanes = block->fibres + ((fibre - block->fibres) & ~31);
  const unsigned int size = (unsigned int)(block->fibres + ls_host_.threads - lanes);
  const unsigned int lane_count = size < 32 ? size : 32;
  for (unsigned int i = 0; i < lane_count; i++) {
    if (lanes[i].wait != LS_AT_WARP_) continue;
    const unsigned int mask = lanes[i].mask;
    const int kind = lanes[i].kind;
    unsigned int here = 0, ballot = 0;
    int complete = 1;
    for (unsigned int j = 0; j < lane_count && complete; j++) {
      if (!(mask >> j & 1) || lanes[j].wait == LS_RETURNED_) continue;
      complete = lanes[j].wait == LS_AT_WARP_ && lanes[j].mask == mask && lanes[j].kind == kind;
      here |= 1u << j;
      ballot |= (unsigned int)(lanes[j].value != 0) << j;
    }
    if (!complete) continue;
    for (unsigned int j = 0; j < lane_count; j++) {
      if (!(here >> j & 1)) continue;
      if (kind == LS_SHUFFLE_) {
        const int source = lanes[j].source;
        lanes[j].result = here >> source & 1 ? lanes[source].value : ~(uint64_t)0;
      } else if (kind == LS_BALLOT_) {
        lanes[j].result = ballot;
      } else {
        lanes[j].result = ls_host_reduce_(kind, ballot, here);
      }
    }
    for (unsigned int j = 0; j < lane_count; j++)
      if (here >> j & 1) ls_host_make_ready_(block, &lanes[j]);
  }
}

LS_HOST_FN void ls_host_release_grid_(void) {
  if (ls_host_.at_grid != ls_host_.block_count * ls_host_.threads) return;
  ls_host_.at_grid = 0;
  for (unsigned int b = 0; b < ls_host_.block_count; b++)
    for (unsigned int i = 0; i < ls_host_.threads; i++)
      ls_host_make_ready_(&ls_host_.blocks[b], &ls_host_.blocks[b].fibres[i]);
}

/* ---- The scheduler ---- */

/* Bring the block's shared variables in. */
LS_HOST_FN void ls_host_load_(ls_host_block* block) {
  const size_t size = (size_t)(__stop_ls_shared - __start_ls_shared);
  if (ls_host_.loaded == block) return;
  if (ls_host_.loaded != 0 && ls_host_.loaded->static_shared != 0)
    memcpy(ls_host_.loaded->static_shared, __start_ls_shared, size);
  if (block->static_shared != 0) memcpy(__start_ls_shared, block->static_shared, size);
  ls_host_.loaded = block;
  ls_host_.dynamic_shared = block->dynamic_shared;
}

/* Run one ready thread of `block` until it waits, yields or returns. */
LS_HOST_FN void ls_host_step_(ls_host_block* block) {
  const unsigned int threads = ls_host_.threads;
  if (ls_host_.random != 0) {
    const unsigned int first = block->first_ready;
    const unsigned int other = (first + ls_host_draw_() % block->ready_count) % threads;
    const unsigned int swapped = block->ready[first];
    block->ready[first] = block->ready[other];
    block->ready[other] = swapped;
  }
  ls_fibre* const fibre = &block->fibres[block->ready[block->first_ready]];
  block->first_ready = (block->first_ready + 1) % threads;
  block->ready_count--;
  ls_host_load_(block);
  if (fibre->stack == 0) ls_host_prepare_(fibre);
  threadIdx = fibre->thread;
  blockIdx = block->index;
  ls_host_.current = fibre;
#ifdef LS_HOST_UCONTEXT
  swapcontext(&ls_host_.scheduler, &fibre->context);
#else
  ls_host_switch_(&ls_host_.scheduler_stack_pointer, fibre->stack_pointer);
#endif
  if (*(uint64_t*)fibre->stack != LS_HOST_CANARY)
    ls_host_fail_(LS_HOST_STACK_OVERRUN, "a thread used more stack than LS_HOST_STACK");
  if (fibre->wait == LS_RETURNED_) {
    ls_host_.free_stacks[ls_host_.free_stack_count++] = fibre->stack;
    block->returned++;
    ls_host_release_warp_(block, fibre);
    ls_host_release_block_(block);
  } else if (fibre->wait == LS_AT_BARRIER_) {
    block->at_barrier++;
    ls_host_release_block_(block);
  } else if (fibre->wait == LS_AT_WARP_) {
    ls_host_release_warp_(block, fibre);
  } else if (fibre->wait == LS_AT_GRID_) {
    ls_host_.at_grid++;
    ls_host_release_grid_();
  }
}

LS_HOST_FN void ls_host_explain_deadlock_(void) {
  unsigned int counts[5] = {0, 0, 0, 0, 0};
  int line = 0;
  for (unsigned int b = 0; b < ls_host_.block_count; b++)
    for (unsigned int i = 0; i < ls_host_.threads; i++) {
      const ls_fibre* fibre = &ls_host_.blocks[b].fibres[i];
      counts[fibre->wait]++;
      if (fibre->wait == LS_AT_BARRIER_) line = fibre->line;
    }
  ls_host_fail_(LS_HOST_DEADLOCK, "");
  snprintf(ls_host_.message, sizeof ls_host_.message,
           "deadlock: %u threads wait at a block's barrier (one in line %d), %u at a warp "
           "operation, %u at the grid's barrier; %u have returned",
           counts[LS_AT_BARRIER_], line, counts[LS_AT_WARP_], counts[LS_AT_GRID_],
           counts[LS_RETURNED_]);
}

/* Run the blocks in ls_host_.blocks to their end. */
LS_HOST_FN void ls_host_schedule_(void) {
  const unsigned int count = ls_host_.block_count;
  unsigned int at = 0, idle = 0;
  while (ls_host_.error == LS_HOST_OK) {
    ls_host_block* const block = &ls_host_.blocks[at];
    /* A block keeps its turn while it can, or, at random, for a few steps. */
    while (block->ready_count != 0 && ls_host_.error == LS_HOST_OK) {
      ls_host_step_(block);
      idle = 0;
      if (ls_host_.random != 0 && count > 1 && ls_host_draw_() % 8 == 0) break;
    }
    if (block->ready_count == 0 && ++idle > count) {
      for (unsigned int b = 0; b < count; b++)
        if (ls_host_.blocks[b].returned != ls_host_.threads) {
          ls_host_explain_deadlock_();
          return;
        }
      return;
    }
    at = (at + 1) % count;
    if (idle == 0 && ls_host_.random != 0) at = (unsigned int)(ls_host_draw_() % count);
  }
}

LS_HOST_FN void ls_host_begin_(ls_host_block* block, unsigned int number, size_t shared_bytes) {
  const size_t size = (size_t)(__stop_ls_shared - __start_ls_shared);
  block->index.x = number % gridDim.x;
  block->index.y = number / gridDim.x % gridDim.y;
  block->index.z = number / gridDim.x / gridDim.y;
  block->first_ready = block->ready_count = block->at_barrier = block->returned = 0;
  memset(block->dynamic_shared, 0xFF, shared_bytes);
  char* const shared = block->static_shared != 0 ? block->static_shared : __start_ls_shared;
  if (size != 0) memset(shared, 0xFF, size);
  for (unsigned int i = 0; i < ls_host_.threads; i++) {
    ls_fibre* const fibre = &block->fibres[i];
    fibre->thread.x = i % blockDim.x;
    fibre->thread.y = i / blockDim.x % blockDim.y;
    fibre->thread.z = i / blockDim.x / blockDim.y;
    fibre->block = (unsigned int)(block - ls_host_.blocks);
    fibre->lane = (int)(i & 31);
    fibre->stack = 0;
    ls_host_make_ready_(block, fibre);
  }
}

LS_HOST_FN int ls_host_run_(dim3 grid, dim3 block, size_t shared_bytes, int cooperative,
                            uint64_t seed, void (*kernel)(void*), void* context) {
  ls_host_state* const host = &ls_host_;
  const uint64_t blocks = (uint64_t)grid.x * grid.y * grid.z;
  const uint64_t threads = (uint64_t)block.x * block.y * block.z;
  memset(host, 0, sizeof *host);
  if (blocks == 0 || blocks >> 31 || threads == 0 || threads > 1024 || shared_bytes > 227 << 10 ||
      (cooperative && blocks * threads > 1u << 20)) {
    ls_host_fail_(LS_HOST_BAD_LAUNCH, "no device takes a launch of these sizes");
    return host->error;
  }
  gridDim = grid, blockDim = block;
  host->threads = (unsigned int)threads;
  host->block_count = cooperative ? (unsigned int)blocks : 1;
  host->cooperative = cooperative;
  host->random = seed == 0 ? 0 : (seed * (uint64_t)0x9E3779B97F4A7C15u) | 1;
  host->kernel = kernel, host->context = context;

  const size_t alive = host->block_count, fibres = alive * threads;
  const size_t section = (size_t)(__stop_ls_shared - __start_ls_shared);
  const size_t exchanged = alive > 1 ? section : 0, dynamic = (shared_bytes + 15) & ~(size_t)15;
  host->blocks = (ls_host_block*)calloc(alive, sizeof(ls_host_block));
  ls_fibre* const all_fibres = (ls_fibre*)calloc(fibres, sizeof(ls_fibre));
  unsigned int* const all_ready = (unsigned int*)malloc(fibres * sizeof(unsigned int));
  char* const all_shared = (char*)aligned_alloc(16, alive * dynamic + 16);
  char* const all_exchanged = (char*)malloc(alive * exchanged + 1);
  host->free_stacks = (char**)malloc(fibres * sizeof(char*));
  /* Pages that no stack reaches are never given out. Below the lowest stack is room for what
   * overruns it. */
  const size_t stacks_size = (fibres + 1) * LS_HOST_STACK;
  void* const stacks = mmap(0, stacks_size, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (host->blocks == 0 || all_fibres == 0 || all_ready == 0 || all_shared == 0 ||
      all_exchanged == 0 || host->free_stacks == 0 || stacks == MAP_FAILED) {
    ls_host_fail_(LS_HOST_NO_MEMORY, "not enough memory for the threads of this launch");
  } else {
    for (size_t i = fibres; i-- > 0;)
      host->free_stacks[host->free_stack_count++] = (char*)stacks + (i + 1) * LS_HOST_STACK;
    for (size_t b = 0; b < alive; b++) {
      host->blocks[b].fibres = all_fibres + b * threads;
      host->blocks[b].ready = all_ready + b * threads;
      host->blocks[b].dynamic_shared = all_shared + b * dynamic;
      if (exchanged != 0) host->blocks[b].static_shared = all_exchanged + b * exchanged;
    }
    for (uint64_t number = 0; number < blocks && host->error == LS_HOST_OK; number += alive) {
      host->loaded = 0;
      for (size_t b = 0; b < alive; b++)
        ls_host_begin_(&host->blocks[b], (unsigned int)(number + b), shared_bytes);
      ls_host_schedule_();
    }
  }
  if (stacks != MAP_FAILED) munmap(stacks, stacks_size);
  free(host->free_stacks), free(all_exchanged), free(all_shared), free(all_ready);
  free(all_fibres), free(host->blocks);
  return host->error;
}

template <class Body>
static void ls_host_call_body_(void* body) {
  (*(Body*)body)();
}

/* Call `body` once per thread of the grid, threadIdx and the like set; return an error code. One
 * launch at a time: others wait. */
template <class Body>
static int ls_host_launch(dim3 grid, dim3 block, size_t shared_bytes, int cooperative,
                          uint64_t seed, Body body) {
  while (__atomic_exchange_n(&ls_host_lock_, 1, __ATOMIC_ACQUIRE)) sched_yield();
  const int error = ls_host_run_(grid, block, shared_bytes, cooperative, seed,
                                 ls_host_call_body_<Body>, &body);
  __atomic_store_n(&ls_host_lock_, 0, __ATOMIC_RELEASE);
  return error;
}

/* What went wrong in the last launch, or nothing. */
extern "C" __attribute__((weak)) const char* ls_host_message(void) { return ls_host_.message; }

/* A kernel's arguments from an array of pointers to them, as cuLaunchKernel takes it. */
template <class... Types>
struct ls_host_arguments_ {
  template <class Kernel, class... Given>
  static void call(Kernel kernel, void**, Given... given) {
    kernel(given...);
  }
};
template <class First, class... Rest>
struct ls_host_arguments_<First, Rest...> {
  template <class Kernel, class... Given>
  static void call(Kernel kernel, void** arguments, Given... given) {
    ls_host_arguments_<Rest...>::call(kernel, arguments + 1, given..., *(First*)arguments[0]);
  }
};
template <class... Types>
static int ls_host_entry_(void (*kernel)(Types...), const unsigned int* grid,
                          const unsigned int* block, size_t shared_bytes, int cooperative,
                          uint64_t seed, void** arguments) {
  const dim3 g = {grid[0], grid[1], grid[2]}, b = {block[0], block[1], block[2]};
  return ls_host_launch(g, b, shared_bytes, cooperative, seed,
                        [=] { ls_host_arguments_<Types...>::call(kernel, arguments); });
}

/* Define kernel_host_launch(grid[3], block[3], shared bytes, cooperative, seed, arguments) for
 * callers that know only C. The argument types come from the kernel; more of the macro's
 * arguments are ignored. */
#define LS_HOST_ENTRY(kernel, ...)                                                              \
  extern "C" int kernel##_host_launch(const unsigned int* grid, const unsigned int* block,      \
                                      size_t shared_bytes, int cooperative, uint64_t seed,      \
                                      void** arguments) {                                       \
    return ls_host_entry_(kernel, grid, block, shared_bytes, cooperative, seed, arguments);     \
  }

/* ---- Barriers ---- */

LS_HOST_FN uint64_t ls_host_barrier_(int kind, int value, int line) {
  ls_fibre* const fibre = ls_host_.current;
  fibre->wait = LS_AT_BARRIER_;
  fibre->kind = kind, fibre->line = line, fibre->value = value != 0;
  ls_host_leave_();
  return fibre->result;
}
#define __syncthreads() ((void)ls_host_barrier_(LS_SYNC_, 0, __LINE__))
#define __syncthreads_count(p) ((int)ls_host_barrier_(LS_COUNT_, (p) != 0, __LINE__))
#define __syncthreads_and(p) ((int)ls_host_barrier_(LS_AND_, (p) != 0, __LINE__))
#define __syncthreads_or(p) ((int)ls_host_barrier_(LS_OR_, (p) != 0, __LINE__))

LS_HOST_FN void ls_grid_sync(ls_grid_barrier* barrier) {
  ls_fibre* const fibre = ls_host_.current;
  if (!ls_host_.cooperative)
    ls_host_fail_(LS_HOST_NOT_COOPERATIVE, "ls_grid_sync in a launch that is not cooperative");
  if (barrier == 0 || barrier->arrived != 0)
    ls_host_fail_(LS_HOST_DEADLOCK, "the grid's barrier was not zero before the launch");
  fibre->wait = LS_AT_GRID_;
  ls_host_leave_();
}

LS_HOST_FN void __threadfence(void) { ls_host_preempt_(); }
LS_HOST_FN void __threadfence_block(void) { ls_host_preempt_(); }
LS_HOST_FN void __threadfence_system(void) { ls_host_preempt_(); }
LS_HOST_FN void __nanosleep(unsigned int) { ls_host_preempt_(); }

/* ---- Warps ---- */

LS_HOST_FN uint64_t ls_host_warp_(int kind, unsigned int mask, uint64_t value, int source) {
  ls_fibre* const fibre = ls_host_.current;
  if (!(mask >> fibre->lane & 1))
    ls_host_fail_(LS_HOST_DIVERGED, "a warp operation's mask leaves out the lane that executes it");
  fibre->wait = LS_AT_WARP_;
  fibre->kind = kind, fibre->mask = mask, fibre->value = value, fibre->source = source;
  ls_host_leave_();
  return fibre->result;
}
LS_HOST_FN void __syncwarp(unsigned int mask = 0xFFFFFFFFu) {
  ls_host_warp_(LS_WARP_SYNC_, mask, 0, 0);
}
LS_HOST_FN unsigned int __ballot_sync(unsigned int mask, int p) {
  return (unsigned int)ls_host_warp_(LS_BALLOT_, mask, p != 0, 0);
}
LS_HOST_FN int __any_sync(unsigned int mask, int p) {
  return (int)ls_host_warp_(LS_ANY_, mask, p != 0, 0);
}
LS_HOST_FN int __all_sync(unsigned int mask, int p) {
  return (int)ls_host_warp_(LS_ALL_, mask, p != 0, 0);
}

template <class T>
static inline T ls_host_shuffle_(unsigned int mask, T value, int source) {
  static_assert(sizeof(T) <= sizeof(uint64_t), "a shuffle moves at most eight bytes");
  uint64_t bits = 0;
  memcpy(&bits, &value, sizeof value);
  bits = ls_host_warp_(LS_SHUFFLE_, mask, bits, source);
  memcpy(&value, &bits, sizeof value);
  return value;
}
template <class T>
static inline T __shfl_sync(unsigned int mask, T value, int source, int width = 32) {
  const int lane = ls_host_.current->lane;
  return ls_host_shuffle_(mask, value, (lane & ~(width - 1)) | (source & (width - 1)));
}
template <class T>
static inline T __shfl_up_sync(unsigned int mask, T value, unsigned int by, int width = 32) {
  const int lane = ls_host_.current->lane, source = lane - (int)by;
  return ls_host_shuffle_(mask, value, source < (lane & ~(width - 1)) ? lane : source);
}
template <class T>
static inline T __shfl_down_sync(unsigned int mask, T value, unsigned int by, int width = 32) {
  const int lane = ls_host_.current->lane, source = lane + (int)by;
  return ls_host_shuffle_(mask, value, source > (lane | (width - 1)) ? lane : source);
}
template <class T>
static inline T __shfl_xor_sync(unsigned int mask, T value, int with, int width = 32) {
  const int lane = ls_host_.current->lane, source = lane ^ with;
  return ls_host_shuffle_(mask, value, source > (lane | (width - 1)) ? lane : source);
}

/* ---- Atomics: no other thread runs meanwhile; one may run before ---- */

#define LS_HOST_ATOMIC_(name, T, update)              \
  LS_HOST_FN T name(T* address, T value) {            \
    ls_host_preempt_();                               \
    const T old = *address;                           \
    *address = (T)(update);                           \
    return old;                                       \
  }
#define LS_HOST_ATOMICS_(T)                                              \
  LS_HOST_ATOMIC_(atomicAdd, T, old + value)                             \
  LS_HOST_ATOMIC_(atomicExch, T, value)
#define LS_HOST_INTEGER_ATOMICS_(T)                                      \
  LS_HOST_ATOMIC_(atomicMin, T, value < old ? value : old)               \
  LS_HOST_ATOMIC_(atomicMax, T, value > old ? value : old)               \
  LS_HOST_ATOMIC_(atomicAnd, T, old & value)                             \
  LS_HOST_ATOMIC_(atomicOr, T, old | value)                              \
  LS_HOST_ATOMIC_(atomicXor, T, old ^ value)                             \
  LS_HOST_FN T atomicCAS(T* address, T expected, T value) {              \
    ls_host_preempt_();                                                  \
    const T old = *address;                                              \
    if (old == expected) *address = value;                               \
    return old;                                                          \
  }
LS_HOST_ATOMICS_(int)
LS_HOST_ATOMICS_(unsigned int)
LS_HOST_ATOMICS_(unsigned long long)
LS_HOST_ATOMICS_(float)
LS_HOST_ATOMIC_(atomicAdd, double, old + value)
LS_HOST_ATOMIC_(atomicSub, int, old - value)
LS_HOST_ATOMIC_(atomicSub, unsigned int, old - value)
LS_HOST_INTEGER_ATOMICS_(int)
LS_HOST_INTEGER_ATOMICS_(unsigned int)
LS_HOST_INTEGER_ATOMICS_(unsigned long long)

/* ---- Small functions ---- */

template <class T>
static inline T __ldg(const T* address) {
  return *address;
}
LS_HOST_FN int __popc(unsigned int x) { return __builtin_popcount(x); }
LS_HOST_FN int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
LS_HOST_FN int __ffs(int x) { return __builtin_ffs(x); }
LS_HOST_FN int __ffsll(long long x) { return __builtin_ffsll(x); }
LS_HOST_FN int __clz(int x) { return x == 0 ? 32 : __builtin_clz((unsigned int)x); }
LS_HOST_FN int __clzll(long long x) {
  return x == 0 ? 64 : __builtin_clzll((unsigned long long)x);
}
LS_HOST_FN long long __double_as_longlong(double x) { long long y; memcpy(&y, &x, 8); return y; }
LS_HOST_FN double __longlong_as_double(long long x) { double y; memcpy(&y, &x, 8); return y; }
LS_HOST_FN int __float_as_int(float x) { int y; memcpy(&y, &x, 4); return y; }
LS_HOST_FN float __int_as_float(int x) { float y; memcpy(&y, &x, 4); return y; }

#define LS_HOST_EXTREMA_(T)                                            \
  LS_HOST_FN T min(T a, T b) { return b < a ? b : a; }                 \
  LS_HOST_FN T max(T a, T b) { return a < b ? b : a; }
LS_HOST_EXTREMA_(int)
LS_HOST_EXTREMA_(unsigned int)
LS_HOST_EXTREMA_(long long)
LS_HOST_EXTREMA_(unsigned long long)
LS_HOST_FN float min(float a, float b) { return fminf(a, b); }
LS_HOST_FN float max(float a, float b) { return fmaxf(a, b); }
LS_HOST_FN double min(double a, double b) { return fmin(a, b); }
LS_HOST_FN double max(double a, double b) { return fmax(a, b); }

#endif
