// What generated C++ programs of schedule "phases" share: events noted by kernels, events on
// their way, recorded events, the state of a run.
#ifndef LEMSMITH_PHASES_H
#define LEMSMITH_PHASES_H

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lemsmith_math.h"
#include "lemsmith_random.h"
#include "lemsmith_kernels.h"

// Before a function that runs for single instances: kept apart, so that it compiles once.
#define LS_RARE __attribute__((noinline))

// Before a loop whose rounds do not depend on one another.
#if defined(__clang__)
#define LS_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define LS_INDEPENDENT _Pragma("GCC ivdep")
#endif

// Bits as wide as a number: marks of a vector of numbers need no narrowing.
template <typename T> struct LsBits;
template <> struct LsBits<double> { typedef uint64_t Word; };
template <> struct LsBits<float> { typedef uint32_t Word; };

// The first instance of a block from i on that is marked by all bits, or its end. Marks are rare,
// so look at several at once.
template <typename Word>
static inline int64_t ls_next_hit(const Word *hits, int64_t begin, int64_t i, int64_t end) {
#if defined(__AVX__)
    typedef double Doubles __attribute__((vector_size(32)));
    typedef float Floats __attribute__((vector_size(32)));
    const int64_t wide = 32 / sizeof(Word);
    for (; i + wide <= end; i += wide) {
        int found;
        if (sizeof(Word) == 8) {
            Doubles marks;
            memcpy(&marks, hits + (i - begin), 32);
            found = __builtin_ia32_movmskpd256(marks);
        } else {
            Floats marks;
            memcpy(&marks, hits + (i - begin), 32);
            found = __builtin_ia32_movmskps256(marks);
        }
        if (found) return i + __builtin_ctz((unsigned)found);
    }
#else
    for (const Word *h = hits + (i - begin); i + 4 <= end && !(h[0] | h[1] | h[2] | h[3]); h += 4)
        i += 4;
#endif
    while (i < end && !hits[i - begin]) i++;
    return i;
}

// Sums over what is attached to the owners [begin, end), of which part p gives `values[p]` in the
// runs `table` (owner, entry, length) from bounds[p] to bounds[p + 1]. `at` are the first that
// may still matter; blocks come in order.
template <typename T>
static LS_RARE void ls_add_runs(int64_t parts, const int32_t *table, const int32_t *bounds,
                                int32_t *at, const T *const *values, T *sums, int64_t begin,
                                int64_t end) {
    for (int64_t i = 0; i < end - begin; i++) sums[i] = 0;
    for (int64_t p = 0; p < parts; p++) {
        int32_t k = at[p];
        for (; k < bounds[p + 1]; k++) {
            const int64_t owner = table[3 * k], length = table[3 * k + 2];
            if (owner >= end) break;
            const int64_t first = owner < begin ? begin : owner;
            const int64_t last = owner + length < end ? owner + length : end;
            T *__restrict to = sums + (first - begin);
            const T *__restrict from = values[p] + table[3 * k + 1] + (first - owner);
            for (int64_t i = 0; i < last - first; i++) to[i] += from[i];
            if (owner + length > end) break;
        }
        at[p] = k;
    }
}

// The sum of the listed values: four sums side by side, as one would wait for every addition. Its
// order is that of the list alone.
template <typename Sum, typename T>
static inline Sum ls_sum(const T *values, const int32_t *entries, int64_t from, int64_t to) {
    Sum a = 0, b = 0, c = 0, d = 0;
    int64_t k = from;
    for (; k + 4 <= to; k += 4) {
        a += values[entries[k]];
        b += values[entries[k + 1]];
        c += values[entries[k + 2]];
        d += values[entries[k + 3]];
    }
    for (; k < to; k++) a += values[entries[k]];
    return (a + b) + (c + d);
}

enum { LS_OK = 0, LS_NOT_FINITE = 1, LS_TOO_DEEP = 2, LS_NO_MEMORY = 3, LS_TOO_MANY = 4,
       LS_NO_END = 5 };

// Events of one projection on their way: a slot of a ring for every step of delay. An item is a
// source, whose connections all have the same delay, or (`single`) one connection.
struct LsRing {
    int64_t slots, single, port;
    int64_t *sizes, *rooms;
    int32_t **items;
};

// An event at its exact time: noted by an instance (sent unless its version is no longer that
// of the instance), or on its way to a target.
struct LsEvent {
    double time, version;
    int64_t count, item;
    int32_t delivery, number;    // a connection `item`, or port `number` of instance `item`
};

// Events that instances sent, in order.
struct LsNoted {
    int32_t *ports, *instances;
    double *times;
    int64_t *steps;              // of those that were seen
    int64_t size, room, seen;    // the first `seen` were looked at by who noted them
};

struct LsTeam;

// The state of a run, or of one thread's part in it. The caller reads the fields up to
// `event_size`.
struct LsPhases {
    double t;
    int64_t step;
    int64_t error;
    int64_t error_population, error_variable, error_instance;
    uint64_t seed;
    int64_t threads;                          // at most so many for the next steps
    double *event_times;                      // recorded events
    int64_t *event_ports;
    int64_t event_size;
    int64_t event_room;
    LsNoted noted[2];                         // one is filled while others may read the other
    int64_t filling;
    int64_t sent;                             // the last step whose events have been sent
    LsRing *rings;
    int64_t ring_count;
    double clock;    // the time in ms as NEURON adds it up, by halves of a step
    struct LsEvent *heap;    // events at exact times: to be sent, and on their way
    int64_t heap_size, heap_room, heap_count;
    int64_t *from, *to;      // this thread's instances of each population
    int64_t rank;
    LsTeam *team;
    int64_t patience, failed;
    int64_t most_events;     // that any one list of events may hold
};

static inline bool ls_grow(void **array, int64_t room, size_t size) {
    void *larger = realloc(*array, (size_t)room * size);
    if (!larger) return false;
    *array = larger;
    return true;
}

// Tell whether a list of events of `port` has to end here: events multiply without end.
static inline bool ls_too_many(LsPhases &s, int64_t size, int64_t port) {
    if (size < s.most_events) return false;
    s.error = LS_TOO_MANY;
    s.error_population = port;
    return true;
}

static inline void ls_note(LsPhases &s, int32_t port, int64_t instance, double time) {
    LsNoted &noted = s.noted[s.filling];
    if (noted.size == noted.room) {
        if (ls_too_many(s, noted.size, port)) return;
        int64_t room = noted.room ? 2 * noted.room : 1024;
        if (!ls_grow((void **)&noted.ports, room, sizeof(int32_t)) ||
            !ls_grow((void **)&noted.instances, room, sizeof(int32_t)) ||
            !ls_grow((void **)&noted.times, room, sizeof(double)) ||
            !ls_grow((void **)&noted.steps, room, sizeof(int64_t))) {
            s.error = LS_NO_MEMORY;
            return;
        }
        noted.room = room;
    }
    noted.ports[noted.size] = port;
    noted.times[noted.size] = time;
    noted.instances[noted.size++] = (int32_t)instance;
}

// Note as many events as a kernel counted; most count none, so look at eight instances at once.
static inline void ls_note_flags(LsPhases &s, int32_t port, const unsigned char *flags, int64_t from,
                                 int64_t to, double time) {
    int64_t i = from;
    for (; i + 8 <= to; i += 8) {
        uint64_t word;
        memcpy(&word, flags + i, 8);
        if (!word) continue;
        for (int64_t j = i; j < i + 8; j++)
            for (int k = 0; k < flags[j]; k++) ls_note(s, port, j, time);
    }
    for (; i < to; i++)
        for (int k = 0; k < flags[i]; k++) ls_note(s, port, i, time);
}

// The same, each at a time of its own: `ago` before `now`.
template <typename real>
static inline void ls_note_flags_ago(LsPhases &s, int32_t port, const unsigned char *flags,
                                     int64_t from, int64_t to, double now, const real *ago) {
    for (int64_t i = from; i < to; i++)
        for (int k = 0; k < flags[i]; k++) ls_note(s, port, i, now - (double)ago[i]);
}

static inline void ls_record_event(LsPhases &s, int64_t port, double time) {
    if (s.event_size == s.event_room) {
        int64_t room = s.event_room ? 2 * s.event_room : 256;
        if (!ls_grow((void **)&s.event_times, room, sizeof(double)) ||
            !ls_grow((void **)&s.event_ports, room, sizeof(int64_t))) {
            s.error = LS_NO_MEMORY;
            return;
        }
        s.event_room = room;
    }
    s.event_times[s.event_size] = time;
    s.event_ports[s.event_size++] = port;
}

static inline bool ls_before(const LsEvent &a, const LsEvent &b) {
    if (a.time != b.time) return a.time < b.time;
    // What is to be sent goes first: a delivery may revise it.
    if ((a.delivery < 0) != (b.delivery < 0)) return a.delivery < 0;
    return a.count < b.count;
}

// `port` is the one that an event on its way was sent from.
static inline void ls_heap_push(LsPhases &s, LsEvent event, int64_t port) {
    if (s.heap_size == s.heap_room) {
        if (ls_too_many(s, s.heap_size, port)) return;
        int64_t room = s.heap_room ? 2 * s.heap_room : 256;
        if (!ls_grow((void **)&s.heap, room, sizeof(LsEvent))) {
            s.error = LS_NO_MEMORY;
            return;
        }
        s.heap_room = room;
    }
    event.count = s.heap_count++;
    int64_t k = s.heap_size++;
    for (; k > 0 && ls_before(event, s.heap[(k - 1) / 2]); k = (k - 1) / 2)
        s.heap[k] = s.heap[(k - 1) / 2];
    s.heap[k] = event;
}

static inline LsEvent ls_heap_pop(LsPhases &s) {
    const LsEvent top = s.heap[0], last = s.heap[--s.heap_size];
    int64_t k = 0;
    for (int64_t child; (child = 2 * k + 1) < s.heap_size; k = child) {
        if (child + 1 < s.heap_size && ls_before(s.heap[child + 1], s.heap[child])) child++;
        if (!ls_before(s.heap[child], last)) break;
        s.heap[k] = s.heap[child];
    }
    s.heap[k] = last;
    return top;
}

// Put an item on its way, due in step `due`.
static inline void ls_ring_push(LsPhases &s, int64_t ring, int64_t due, int64_t item) {
    LsRing &r = s.rings[ring];
    int64_t slot = due % r.slots;
    if (r.sizes[slot] == r.rooms[slot]) {
        if (ls_too_many(s, r.sizes[slot], r.port)) return;
        int64_t room = r.rooms[slot] ? 2 * r.rooms[slot] : 64;
        if (!ls_grow((void **)&r.items[slot], room, sizeof(int32_t))) {
            s.error = LS_NO_MEMORY;
            return;
        }
        r.rooms[slot] = room;
    }
    r.items[slot][r.sizes[slot]++] = (int32_t)item;
}

static inline void ls_make_rings(LsPhases &s, const int64_t *slots, const int64_t *single,
                                 const int64_t *ports, int64_t count) {
    if (s.rings || !count) return;
    s.rings = (LsRing *)calloc((size_t)count, sizeof(LsRing));
    s.ring_count = s.rings ? count : 0;
    if (!s.rings) s.error = LS_NO_MEMORY;
    for (int64_t r = 0; r < s.ring_count; r++) {
        s.rings[r].slots = slots[r];
        s.rings[r].single = single[r];
        s.rings[r].port = ports[r];
        s.rings[r].sizes = (int64_t *)calloc((size_t)slots[r], sizeof(int64_t));
        s.rings[r].rooms = (int64_t *)calloc((size_t)slots[r], sizeof(int64_t));
        s.rings[r].items = (int32_t **)calloc((size_t)slots[r], sizeof(int32_t *));
        if (!s.rings[r].sizes || !s.rings[r].rooms || !s.rings[r].items) s.error = LS_NO_MEMORY;
    }
}

static inline void ls_free_phases(LsPhases &s) {
    for (int64_t r = 0; r < s.ring_count; r++) {
        // A ring that found no memory has no items.
        for (int64_t slot = 0; s.rings[r].items && slot < s.rings[r].slots; slot++)
            free(s.rings[r].items[slot]);
        free(s.rings[r].items);
        free(s.rings[r].sizes);
        free(s.rings[r].rooms);
    }
    free(s.rings);
    for (LsNoted &noted : s.noted) {
        free(noted.ports);
        free(noted.instances);
        free(noted.times);
        free(noted.steps);
    }
    free(s.from);
    free(s.event_times);
    free(s.event_ports);
    free(s.heap);
}

// Denormals cost a hundred cycles each and mean nothing here: flush them while a run goes on.
struct LsFlush {
#if defined(__SSE__)
    unsigned int before;
    LsFlush() : before(__builtin_ia32_stmxcsr()) { __builtin_ia32_ldmxcsr(before | 0x8040u); }
    ~LsFlush() { __builtin_ia32_ldmxcsr(before); }
#endif
};

#endif
