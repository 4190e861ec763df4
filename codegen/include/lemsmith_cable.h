// One implicit step of the potentials of equal trees of compartments, side by side.
//
// The tree's equations, C dv/dt = I(v) + sum g (v_neighbour - v), are linearised about the
// present potentials and solved by elimination from the leaves to the root, which fills in
// nothing (Hines 1984). Loops over cells are innermost and contiguous, so they vectorise.
#ifndef LEMSMITH_CABLE_H
#define LEMSMITH_CABLE_H

#include <stdint.h>

// On a device a cell is one thread's, and other threads write what it reads: nothing is promised
// about the pointers.
#ifdef __CUDACC__
#define LS_CABLE_FN static __device__
#define LS_ALONE
#else
#define LS_CABLE_FN static inline
#define LS_ALONE __restrict
#endif

struct LsTree {
    int64_t cells, nodes, compartments;
    const int32_t *order, *parent;   // parents come before children in `order`
};

#ifndef __CUDACC__
// The same as below for a single tree: loops over one cell would cost more than what they do.
template <typename T>
static __attribute__((noinline)) int ls_cable_one(
    const LsTree &tree, const T h, const T gain, const T *LS_ALONE conductance,
    const T *LS_ALONE capacitance, const T *LS_ALONE current, const T *LS_ALONE slope,
    T *LS_ALONE v, T *LS_ALONE junctions, T *LS_ALONE d, T *LS_ALONE x) {
    const int64_t compartments = tree.compartments, nodes = tree.nodes;
    const int32_t *LS_ALONE parent = tree.parent, *LS_ALONE order = tree.order;
    const T rate = 1 / h;
    for (int64_t r = 0; r < compartments; r++) {
        d[r] = capacitance[r] * rate - slope[r];
        x[r] = current[r];
    }
    for (int64_t r = compartments; r < nodes; r++) d[r] = x[r] = 0;
    for (int64_t r = 0; r < nodes; r++) {
        const int64_t p = parent[r];
        if (p < 0) continue;
        const T g = conductance[r];
        const T vr = r < compartments ? v[r] : junctions[r - compartments];
        const T vp = p < compartments ? v[p] : junctions[p - compartments];
        const T flow = g * (vp - vr);
        x[r] += flow;
        x[p] -= flow;
        d[r] += g;
        d[p] += g;
    }
    for (int64_t n = nodes - 1; n >= 0; n--) {
        const int64_t r = order[n], p = parent[r];
        const T g = conductance[r], inverse = 1 / d[r], rest = x[r];
        x[r] = rest * inverse;
        if (p < 0) continue;
        const T f = g * inverse;
        d[p] -= f * g;
        x[p] += f * rest;
        d[r] = f;
    }
    for (int64_t n = 0; n < nodes; n++) {
        const int64_t r = order[n], p = parent[r];
        if (p >= 0) x[r] += d[r] * x[p];
    }
    int bad = 0;
    for (int64_t r = 0; r < compartments; r++) {
        v[r] += gain * x[r];
        bad |= !(v[r] - v[r] == 0);
    }
    for (int64_t r = compartments; r < nodes; r++) junctions[r - compartments] += gain * x[r];
    return bad;
}
#endif

// Advance `v` (compartments, cells) and `junctions` (nodes - compartments, cells) of the cells
// [first, last).
//
// `h` is the time over which the step is implicit: dt for backward Euler; dt / 2 for
// Crank-Nicolson, whose increment is then taken twice (`gain` 2). `current` enters each
// compartment, `slope` is its derivative by v. `d` and `x` are room for (nodes, cells) each.
// Returns whether a potential stopped being finite.
//
// Eliminating a node leaves in `d` how its increment follows its parent's, in `x` the rest of it.
template <typename T>
LS_CABLE_FN int ls_cable_cells(const LsTree &tree, const int64_t first, const int64_t last,
                               const T h, const T gain, const T *LS_ALONE conductance,
                               const T *LS_ALONE capacitance, const T *LS_ALONE current,
                               const T *LS_ALONE slope, T *LS_ALONE v, T *LS_ALONE junctions,
                               T *LS_ALONE d, T *LS_ALONE x) {
#ifndef __CUDACC__
    if (tree.cells == 1) {
        if (first >= last) return 0;
        return ls_cable_one<T>(tree, h, gain, conductance, capacitance, current, slope, v,
                               junctions, d, x);
    }
#endif
    const int64_t cells = tree.cells, compartments = tree.compartments, nodes = tree.nodes;
    for (int64_t r = 0; r < compartments; r++) {
        const T c = capacitance[r] / h;
        for (int64_t k = r * cells + first; k < r * cells + last; k++) {
            d[k] = c - slope[k];
            x[k] = current[k];
        }
    }
    for (int64_t r = compartments; r < nodes; r++)
        for (int64_t k = r * cells + first; k < r * cells + last; k++) d[k] = x[k] = 0;
    for (int64_t r = 0; r < nodes; r++) {
        const int64_t p = tree.parent[r];
        if (p < 0) continue;
        const T g = conductance[r];
        const T *vr = r < compartments ? v + r * cells : junctions + (r - compartments) * cells;
        const T *vp = p < compartments ? v + p * cells : junctions + (p - compartments) * cells;
        T *LS_ALONE dr = d + r * cells, *LS_ALONE dp = d + p * cells;
        T *LS_ALONE xr = x + r * cells, *LS_ALONE xp = x + p * cells;
        for (int64_t k = first; k < last; k++) {
            const T flow = g * (vp[k] - vr[k]);
            xr[k] += flow;
            xp[k] -= flow;
            dr[k] += g;
            dp[k] += g;
        }
    }
    for (int64_t n = nodes - 1; n >= 0; n--) {
        const int64_t r = tree.order[n], p = tree.parent[r];
        T *LS_ALONE dr = d + r * cells, *LS_ALONE xr = x + r * cells;
        if (p < 0) {
            for (int64_t k = first; k < last; k++) xr[k] /= dr[k];
            continue;
        }
        const T g = conductance[r];
        T *LS_ALONE dp = d + p * cells, *LS_ALONE xp = x + p * cells;
        for (int64_t k = first; k < last; k++) {
            const T inverse = 1 / dr[k], f = g * inverse;
            dp[k] -= f * g;
            xp[k] += f * xr[k];
            dr[k] = f;
            xr[k] *= inverse;
        }
    }
    for (int64_t n = 0; n < nodes; n++) {
        const int64_t r = tree.order[n], p = tree.parent[r];
        if (p < 0) continue;
        const T *LS_ALONE f = d + r * cells, *LS_ALONE xp = x + p * cells;
        T *LS_ALONE xr = x + r * cells;
        for (int64_t k = first; k < last; k++) xr[k] += f[k] * xp[k];
    }
    // Those of all cells lie in one row.
    const bool all = last - first == cells;
    const int64_t rows = all ? 1 : compartments, between = all ? 1 : nodes - compartments;
    const int64_t ends = all ? compartments * cells : last;
    const int64_t last_between = all ? (nodes - compartments) * cells : last;
    int bad = 0;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t k = r * cells + first; k < r * cells + ends; k++) {
            v[k] += gain * x[k];
            bad |= !(v[k] - v[k] == 0);
        }
    const T *LS_ALONE rest = x + compartments * cells;
    for (int64_t r = 0; r < between; r++)
        for (int64_t k = r * cells + first; k < r * cells + last_between; k++)
            junctions[k] += gain * rest[k];
    return bad;
}

// The same for all cells.
template <typename T>
LS_CABLE_FN int ls_cable_step(const LsTree &tree, const T h, const T gain,
                              const T *LS_ALONE conductance, const T *LS_ALONE capacitance,
                              const T *LS_ALONE current, const T *LS_ALONE slope, T *LS_ALONE v,
                              T *LS_ALONE junctions, T *LS_ALONE d, T *LS_ALONE x) {
    return ls_cable_cells<T>(tree, 0, tree.cells, h, gain, conductance, capacitance, current,
                             slope, v, junctions, d, x);
}

#endif
