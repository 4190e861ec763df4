// What the bodies of kernels need in C++ and in CUDA: small functions, conditions located
// inside a step, kinetic schemes.
#ifndef LEMSMITH_KERNELS_H
#define LEMSMITH_KERNELS_H

#include "lemsmith_math.h"

LS_FN double ls_heaviside(double x) { return x > 0.0 ? 1.0 : (x < 0.0 ? 0.0 : 0.5); }

LS_FN double ls_factorial(double x) {
    double product = 1.0;
    for (double k = 2.0; k <= floor(x) && product < HUGE_VAL; k += 1.0) product *= k;
    return product;
}

// (exp(z) - 1) / z, 1 at 0: how far an exponential step goes.
LS_FN double ls_phi(double z) { return ls_where(ls_abs(z) < 1e-30, 1.0, ls_expm1(z) / z); }
LS_FN float ls_phi(float z) { return ls_where(ls_abs(z) < 1e-30f, 1.0f, ls_expm1(z) / z); }

// 1 where x is a finite number, else 0.
LS_FN double ls_finite(double x) { return ls_where(ls_abs(x) < LS_INFINITY, 1.0, 0.0); }
LS_FN float ls_finite(float x) { return ls_where(ls_abs(x) < LS_INFINITYF, 1.0f, 0.0f); }

// Tell whether n numbers all are finite.
template <typename T> LS_FN bool ls_all_finite(int n, const T *x) {
    bool all = true;
    for (int k = 0; k < n; k++) all = all && ls_finite(x[k]) != 0;
    return all;
}

// Tell whether a step is short enough: n finite states, and a growth below its bound.
template <typename T> LS_FN bool ls_resolved(int n, const T *x) {
    return ls_all_finite(n, x) && !(x[n] > 1);
}

template <typename T> LS_FN T ls_least(T a, T b) { return a < b ? a : b; }
template <typename T> LS_FN T ls_largest(T a, T b) { return a > b ? a : b; }
template <typename T> LS_FN T ls_power2(T x) { return x * x; }
template <typename T> LS_FN T ls_power3(T x) { return x * x * x; }
template <typename T> LS_FN T ls_power4(T x) { return (x * x) * (x * x); }

// --- conditions located inside a step ------------------------------------------------------

// Crossings that one instance may make in one step, and points tried per crossing.
enum { LS_CROSSINGS = 10000, LS_BRACKETS = 200 };

// Tell whether a condition is false before and true after; `results` are pairs of truth and
// gap. The gaps of the conditions that cross are put into `low` and `high`, the largest first.
template <typename T>
LS_FN bool ls_crosses(int n, const T *before, const T *after, T *low, T *high) {
    bool found = false;
    for (int k = 0; k < n; k++) {
        if (before[2 * k] != 0 || after[2 * k] == 0) continue;
        if (!found || after[2 * k + 1] > *high) {
            *low = before[2 * k + 1];
            *high = after[2 * k + 1];
        }
        found = true;
    }
    return found;
}

// The largest gap of the conditions marked in `on`: how far the nearest is from true.
template <typename T> LS_FN T ls_largest_gap(int n, const bool *on, const T *after) {
    T largest = -HUGE_VAL;
    for (int k = 0; k < n; k++)
        if (on[k] && after[2 * k + 1] > largest) largest = after[2 * k + 1];
    return largest;
}

// How closely a crossing is located: a tiny fraction of a step, but no closer than the time
// itself can be told apart.
template <typename T> LS_FN T ls_resolution(T now, T dt) {
    return sizeof(T) == 8 ? (T)1e-13 * dt + (T)4.5e-16 * (now + dt)
                          : (T)1e-6 * dt + (T)2.4e-7 * (now + dt);
}

// The next point to try between two ends: false position, then a point just beyond the last
// one, which closes the bracket once false position has converged, now and then the middle.
template <typename T>
LS_FN T ls_between(T low, T high, T low_gap, T high_gap, int k, int side, T near) {
    const T middle = low + (T)0.5 * (high - low);
    // A condition that is about to hold at the very start (the end of a refractory time).
    if (k == 0 && low_gap == 0) return low + near < high ? low + near : middle;
    // One that holds only just at the end (a pulse that starts on the grid).
    if (k == 0 && high_gap == 0) return high - near > low ? high - near : middle;
    if (k % 2 == 1 && side != 0) {
        const T beyond = side < 0 ? low + near : high - near;
        if (beyond > low && beyond < high) return beyond;
    }
    if (k % 8 == 6 || !(low_gap < 0) || !(high_gap > 0) || !(low_gap > -HUGE_VAL)) return middle;
    const T at = low + (high - low) * (low_gap / (low_gap - high_gap));
    // Stay off the ends, so that the bracket shrinks from both sides.
    return at > low && at < high ? at : middle;
}

#include "lemsmith_flow.h"

#endif
