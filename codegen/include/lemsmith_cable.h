// One implicit step of the potentials of equal trees of compartments, side by side.
//
// The tree's equations, C dv/dt = I(v) + sum g (v_neighbour - v), are linearised about the
// present potentials and solved by elimination from the leaves to the root, which fills in
// nothing (Hines 1984). Loops over cells are innermost and contiguous, so they vectorise.
#ifndef LEMSMITH_CABLE_H
#define LEMSMITH_CABLE_H

#include <stdint.h>

struct LsTree {
    int64_t cells, nodes, compartments;
    const int32_t *order, *parent;   // parents come before children in `order`
};

// Advance `v` (compartments, cells) and `junctions` (nodes - compartments, cells).
//
// `h` is the time over which the step is implicit: dt for backward Euler; dt / 2 for
// Crank-Nicolson, whose increment is then taken twice (`gain` 2). `current` enters each
// compartment, `slope` is its derivative by v. `d` and `x` are room for (nodes, cells) each.
// Returns whether a potential stopped being finite.
template <typename T>
static inline int ls_cable_step(const LsTree &tree, const T h, const T gain,
                                const T *__restrict conductance, const T *__restrict capacitance,
                                const T *__restrict current, const T *__restrict slope,
                                T *__restrict v, T *__restrict junctions, T *__restrict d,
                                T *__restrict x) {
    const int64_t cells = tree.cells, compartments = tree.compartments, nodes = tree.nodes;
    for (int64_t r = 0; r < compartments; r++) {
        const T c = capacitance[r] / h;
        for (int64_t k = r * cells; k < (r + 1) * cells; k++) {
            d[k] = c - slope[k];
            x[k] = current[k];
        }
    }
    for (int64_t k = compartments * cells; k < nodes * cells; k++) d[k] = x[k] = 0;
    for (int64_t r = 0; r < nodes; r++) {
        const int64_t p = tree.parent[r];
        if (p < 0) continue;
        const T g = conductance[r];
        const T *vr = r < compartments ? v + r * cells : junctions + (r - compartments) * cells;
        const T *vp = p < compartments ? v + p * cells : junctions + (p - compartments) * cells;
        T *__restrict dr = d + r * cells, *__restrict dp = d + p * cells;
        T *__restrict xr = x + r * cells, *__restrict xp = x + p * cells;
        for (int64_t k = 0; k < cells; k++) {
            const T flow = g * (vp[k] - vr[k]);
            xr[k] += flow;
            xp[k] -= flow;
            dr[k] += g;
            dp[k] += g;
        }
    }
    for (int64_t n = nodes - 1; n >= 0; n--) {
        const int64_t r = tree.order[n], p = tree.parent[r];
        if (p < 0) continue;
        const T g = conductance[r];
        T *__restrict dp = d + p * cells, *__restrict xp = x + p * cells;
        const T *__restrict dr = d + r * cells, *__restrict xr = x + r * cells;
        for (int64_t k = 0; k < cells; k++) {
            const T f = g / dr[k];
            dp[k] -= f * g;
            xp[k] += f * xr[k];
        }
    }
    for (int64_t n = 0; n < nodes; n++) {
        const int64_t r = tree.order[n], p = tree.parent[r];
        const T *__restrict dr = d + r * cells;
        T *__restrict xr = x + r * cells;
        if (p < 0) {
            for (int64_t k = 0; k < cells; k++) xr[k] /= dr[k];
            continue;
        }
        const T g = conductance[r];
        const T *__restrict xp = x + p * cells;
        for (int64_t k = 0; k < cells; k++) xr[k] = (xr[k] + g * xp[k]) / dr[k];
    }
    int bad = 0;
    for (int64_t k = 0; k < compartments * cells; k++) {
        v[k] += gain * x[k];
        bad |= !(v[k] - v[k] == 0);
    }
    T *__restrict between = x + compartments * cells;
    for (int64_t k = 0; k < (nodes - compartments) * cells; k++) junctions[k] += gain * between[k];
    return bad;
}

#endif
