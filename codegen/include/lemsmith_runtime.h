// What generated C++ programs share: pending events, recorded events, kinetic schemes.
//
// Growable arrays are plain realloc: no exceptions, few headers, quick to compile.
#ifndef LEMSMITH_RUNTIME_H
#define LEMSMITH_RUNTIME_H

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// H(0) is one half, as in the reference interpreter.
static inline double ls_heaviside(double x) { return x > 0.0 ? 1.0 : (x < 0.0 ? 0.0 : 0.5); }

static inline double ls_factorial(double x) {
    double product = 1.0;
    for (double k = 2.0; k <= floor(x) && product < HUGE_VAL; k += 1.0) product *= k;
    return product;
}

enum { LS_OK = 0, LS_NOT_FINITE = 1, LS_TOO_DEEP = 2, LS_NO_MEMORY = 3, LS_TOO_MANY = 4 };

// Where a run stands; the caller keeps it between calls.
struct LsState {
    double t;
    double event_time;    // the reference's event manager lags behind t while it delivers
    int64_t step;
    int64_t error;
    int64_t error_population, error_variable, error_instance;
    int64_t depth;
    uint64_t random;      // state of the linear congruential generator
    int64_t *queue_handlers, *queue_targets, *queue_sequence;
    double *queue_due;
    int64_t queue_size, queue_room, queue_made;
    double *event_times;
    int64_t *event_ports;
    int64_t event_size, event_room;
    int64_t most_events;  // that may be pending, or be delivered in one step
};

static inline bool ls_grow(void **array, int64_t room, size_t size) {
    void *larger = realloc(*array, (size_t)room * size);
    if (!larger) return false;
    *array = larger;
    return true;
}

// --- recorded events -------------------------------------------------------------------

static inline void ls_record_event(LsState &s, int64_t port) {
    if (s.event_size == s.event_room) {
        int64_t room = s.event_room ? 2 * s.event_room : 256;
        if (!ls_grow((void **)&s.event_times, room, sizeof(double)) ||
            !ls_grow((void **)&s.event_ports, room, sizeof(int64_t))) {
            s.error = LS_NO_MEMORY;
            return;
        }
        s.event_room = room;
    }
    s.event_times[s.event_size] = s.t;
    s.event_ports[s.event_size++] = port;
}

// --- pending events: a heap by due time, first in first out among equals ----------------

static inline bool ls_before(const LsState &s, int64_t a, int64_t b) {
    return s.queue_due[a] < s.queue_due[b] ||
           (s.queue_due[a] == s.queue_due[b] && s.queue_sequence[a] < s.queue_sequence[b]);
}

static inline void ls_swap(LsState &s, int64_t a, int64_t b) {
    double due = s.queue_due[a];
    s.queue_due[a] = s.queue_due[b];
    s.queue_due[b] = due;
    int64_t *columns[] = {s.queue_handlers, s.queue_targets, s.queue_sequence};
    for (int64_t *column : columns) {
        int64_t kept = column[a];
        column[a] = column[b];
        column[b] = kept;
    }
}

// Note that events of projection `handler` multiply without end.
static inline void ls_too_many(LsState &s, int64_t handler) {
    s.error = LS_TOO_MANY;
    s.error_population = handler;
}

static inline void ls_push(LsState &s, double due, int64_t handler, int64_t target) {
    if (s.queue_size == s.queue_room) {
        if (s.queue_size >= s.most_events) {
            ls_too_many(s, handler);
            return;
        }
        int64_t room = s.queue_room ? 2 * s.queue_room : 1024;
        if (!ls_grow((void **)&s.queue_due, room, sizeof(double)) ||
            !ls_grow((void **)&s.queue_handlers, room, sizeof(int64_t)) ||
            !ls_grow((void **)&s.queue_targets, room, sizeof(int64_t)) ||
            !ls_grow((void **)&s.queue_sequence, room, sizeof(int64_t))) {
            s.error = LS_NO_MEMORY;
            return;
        }
        s.queue_room = room;
    }
    int64_t at = s.queue_size++;
    s.queue_due[at] = due;
    s.queue_handlers[at] = handler;
    s.queue_targets[at] = target;
    s.queue_sequence[at] = s.queue_made++;
    while (at > 0 && ls_before(s, at, (at - 1) / 2)) {
        ls_swap(s, at, (at - 1) / 2);
        at = (at - 1) / 2;
    }
}

static inline void ls_pop(LsState &s) {
    ls_swap(s, 0, --s.queue_size);
    int64_t at = 0;
    for (;;) {
        int64_t left = 2 * at + 1, right = left + 1, least = at;
        if (left < s.queue_size && ls_before(s, left, least)) least = left;
        if (right < s.queue_size && ls_before(s, right, least)) least = right;
        if (least == at) return;
        ls_swap(s, at, least);
        at = least;
    }
}

// --- java.util.Random, which the reference draws from -------------------------------------

static inline int64_t ls_java_bits(LsState &s, int bits) {
    s.random = (s.random * 0x5DEECE66DULL + 0xBULL) & ((1ULL << 48) - 1);
    return (int64_t)(s.random >> (48 - bits));
}

static inline double ls_java_double(LsState &s) {
    int64_t high = ls_java_bits(s, 26);
    return (double)((high << 27) + ls_java_bits(s, 27)) * 0x1.0p-53;
}

#include "lemsmith_flow.h"

#endif
