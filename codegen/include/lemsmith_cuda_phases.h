// What generated CUDA programs of schedule "phases" share. The same text runs on the host with
// lemsmith_cuda_host.h.
//
// One cooperative launch takes many steps. Thread `first` of `stride` owns the instances
// first, first + stride, ... of every population: what it alone touches needs no barrier.
#ifndef LEMSMITH_CUDA_PHASES_H
#define LEMSMITH_CUDA_PHASES_H

#include "lemsmith_cuda.h"
#include "lemsmith_cable.h"
#include "lemsmith_kernels.h"
#include "lemsmith_math.h"
#include "lemsmith_random.h"

#ifdef __CUDACC__
#define LS_CALL static __device__ __noinline__
#else
#define LS_CALL static __attribute__((noinline, unused))
#endif

// Where a run stands; the caller keeps it in the device's memory.
struct LsRun {
    ls_grid_barrier barrier;
    unsigned long long seed;
    unsigned long long fault;   // the first state that is not finite, all bits set if none is
    unsigned int overflow;      // 1 + the port whose list was too short
    unsigned int deep;          // 1: too many crossings in a step, 2: too many events
    unsigned int event_size, event_room;
    double *event_times;
    int *event_ports;
    int *noted;                 // events that handlers send, as pairs of port and instance
    unsigned int noted_size, noted_room;
};

// What every thread knows for itself.
struct LsStep {
    double t;
    double clock;    // the time in ms as NEURON adds it up, by halves of a step
    int64_t step, begin;
    uint64_t seed;
    int64_t first, stride;
    LsRun *run;
};

LS_FN LsStep ls_step(LsRun *run, long long step) {
    LsStep s;
    s.t = s.clock = 0;
    s.step = s.begin = step;
    s.seed = run->seed;
    s.first = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
    s.stride = (int64_t)gridDim.x * blockDim.x;
    s.run = run;
    return s;
}

// Remember the earliest fault, and among those of one step the first in order.
LS_FN void ls_not_finite(const LsStep &s, int64_t since, unsigned long long place,
                         int place_bits) {
    atomicMin(&s.run->fault, (unsigned long long)since << place_bits | place);
}

LS_FN void ls_record_event(const LsStep &s, int port, double time) {
    const unsigned int at = atomicAdd(&s.run->event_size, 1u);
    if (at >= s.run->event_room) return;  // counted all the same
    s.run->event_times[at] = time;
    s.run->event_ports[at] = port;
}

// Note that a handler sent an event; only the one thread that delivers does.
LS_FN void ls_push(const LsStep &s, int port, int64_t i) {
    LsRun *run = s.run;
    if (run->noted_size >= run->noted_room) {
        run->deep = 2;
        return;
    }
    run->noted[2 * run->noted_size] = port;
    run->noted[2 * run->noted_size + 1] = (int)i;
    run->noted_size++;
}

// Put instance i, which sent `count` events, into a list; every lane of a warp calls this.
LS_FN void ls_list(const LsStep &s, int port, int64_t i, unsigned int count, int *list,
                   unsigned short *many, unsigned int *size, unsigned int room) {
    const unsigned int senders = __ballot_sync(0xFFFFFFFFu, count != 0);
    if (senders == 0) return;
    const unsigned int lane = threadIdx.x & 31u;
    unsigned int base = 0;
    if (lane == 0) base = atomicAdd(size, (unsigned int)__popc(senders));
    base = __shfl_sync(0xFFFFFFFFu, base, 0);
    if (count == 0) return;
    const unsigned int at = base + (unsigned int)__popc(senders & ((1u << lane) - 1u));
    if (at < room) {
        list[at] = (int)i;
        many[at] = (unsigned short)count;
    } else {
        atomicMax(&s.run->overflow, (unsigned int)port + 1u);
    }
}

// Put a list into the order of its instances; one thread does.
LS_FN void ls_sort(int *list, unsigned short *many, int64_t size) {
    for (int64_t n = 1; n < size; n++) {
        const int item = list[n];
        const unsigned short count = many[n];
        int64_t at = n;
        for (; at > 0 && list[at - 1] > item; at--) {
            list[at] = list[at - 1];
            many[at] = many[at - 1];
        }
        list[at] = item;
        many[at] = count;
    }
}

// The first place in [low, high) whose value is not below `value`, in a sorted array.
LS_FN int64_t ls_lower(const int *sorted, int64_t low, int64_t high, int value) {
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (sorted[middle] < value) low = middle + 1;
        else high = middle;
    }
    return low;
}

// Add to a sum of whole numbers: the same in any order. scale is [units per one, one per unit].
LS_FN void ls_add(unsigned long long *sum, double amount, const double *scale, int count) {
    const double units = amount * scale[0];
    atomicAdd(sum, (unsigned long long)((long long)rint(units) * count));
}

#endif
