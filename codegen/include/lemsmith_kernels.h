// What the bodies of kernels need in C++ and in CUDA: small functions, conditions located
// inside a step, kinetic schemes.
#ifndef LEMSMITH_KERNELS_H
#define LEMSMITH_KERNELS_H

#include "lemsmith_math.h"
#include "lemsmith_phi.h"

#ifdef __CUDACC__
#define LS_MEMBER __device__ __forceinline__
#else
#define LS_MEMBER inline __attribute__((always_inline))
#endif

LS_FN double ls_heaviside(double x) { return x > 0.0 ? 1.0 : (x < 0.0 ? 0.0 : 0.5); }

LS_FN double ls_factorial(double x) {
    double product = 1.0;
    for (double k = 2.0; k <= floor(x) && product < HUGE_VAL; k += 1.0) product *= k;
    return product;
}

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

// A choice of single numbers; ls_where is for loops.
LS_FN double ls_choose(bool c, double a, double b) { return c ? a : b; }

template <typename T> LS_FN T ls_least(T a, T b) { return a < b ? a : b; }
template <typename T> LS_FN T ls_largest(T a, T b) { return a > b ? a : b; }
template <typename T> LS_FN T ls_power2(T x) { return x * x; }
template <typename T> LS_FN T ls_power3(T x) { return x * x * x; }
template <typename T> LS_FN T ls_power4(T x) { return (x * x) * (x * x); }

// --- conditions located inside a step ------------------------------------------------------

// Crossings that one instance may make in one step, and points tried per crossing.
enum { LS_CROSSINGS = 10000, LS_BRACKETS = 200 };

// When a point is believed to be the crossing: how near the last one was, as a part of the step and
// of the move before. Its error is about the square of that move: less than 2e-11 of the step.
#define LS_SURE 4e-6
#define LS_SHRUNK 1e-2

// Bit k of a set, for the first 64 conditions.
LS_FN bool ls_in(uint64_t set, int k) { return k < 64 && ((set >> k) & 1) != 0; }

// Mark in `on` the conditions that are false before and true after and act where they cross;
// return how many. `before` and `after` are pairs of truth and gap.
LS_FN int ls_crossing(int n, uint64_t late, const double *before, const double *after, bool *on) {
    int count = 0;
    for (int k = 0; k < n; k++) {
        on[k] = before[2 * k] == 0 && after[2 * k] != 0 && !ls_in(late, k);
        count += on[k];
    }
    return count;
}

// The largest gap of the conditions marked in `on`: how far the nearest is from true.
LS_FN double ls_largest_gap(int n, const bool *on, const double *gaps) {
    double largest = -HUGE_VAL;
    for (int k = 0; k < n; k++)
        if (on[k] && gaps[2 * k + 1] > largest) largest = gaps[2 * k + 1];
    return largest;
}

// A bracket of a crossing: not yet at `low`, but at `high`; `last` is the end that was left
// behind. Gaps are below zero where nothing crosses.
struct LsBracket {
    double low, high, last;
    double low_gap, high_gap, last_gap;
};

// The next point to try: inverse quadratic interpolation where the gap behaves (Chandrupatla
// 1997), else false position, now and then the middle. At least `near` from either end, which
// closes the bracket once interpolation has converged.
LS_FN double ls_between(const LsBracket &b, int k, double near) {
    const double width = b.high - b.low, middle = b.low + 0.5 * width;
    const double off = 0.9 * near;
    if (k % 8 == 7) return middle;
    // Just about to hold (at the end of a refractory time, at an exact hit), or only just holding.
    if (b.low_gap == 0) return b.low + off;
    if (b.high_gap == 0) return b.high - off;
    if (!(b.low_gap < 0) || !(b.high_gap > 0) || !(b.low_gap > -HUGE_VAL) ||
        !(b.high_gap < HUGE_VAL))
        return middle;
    double at = b.low + width * (b.low_gap / (b.low_gap - b.high_gap));
    if (k > 0 && b.last_gap != b.low_gap && b.last_gap != b.high_gap && b.last != b.low &&
        b.last != b.high && b.last_gap > -HUGE_VAL && b.last_gap < HUGE_VAL) {
        const double l = b.low_gap, h = b.high_gap, c = b.last_gap;
        const double curved = b.low * (h * c) / ((l - h) * (l - c)) +
                              b.high * (l * c) / ((h - l) * (h - c)) +
                              b.last * (l * h) / ((c - l) * (c - h));
        if (curved > b.low && curved < b.high) at = curved;
    }
    if (!(width > 2 * off)) return middle;
    return at < b.low + off ? b.low + off : (at > b.high - off ? b.high - off : at);
}

// Put one end of a bracket to a point that was tried.
LS_FN void ls_narrow(LsBracket &b, double at, bool there, double gap) {
    b.last = there ? b.high : b.low;
    b.last_gap = there ? b.high_gap : b.low_gap;
    if (there) {
        b.high = at;
        b.high_gap = gap;
    } else {
        b.low = at;
        b.low_gap = gap;
    }
}

LS_FN void ls_copy(int n, const double *from, double *to) {
    for (int k = 0; k < n; k++) to[k] = from[k];
}

// Carry one instance from `now` on by `left`, acting on what becomes true between; x are its
// states. Returns false where conditions follow one another without end.
//
// A cell has step(now, by, x, y and how far `by` is too long, above 1), tests(now, x, pairs of
// truth and gap), act(now, x, on, y) and three sets of conditions: `late` act at the step's end
// only, `passive` ones change nothing that moves, the truth of `clock` ones is a matter of the
// time alone while nothing acts.
template <int STATES, int TESTS, typename Cell>
LS_FN bool ls_carry(const Cell &cell, double now, double left, double *x) {
    double y[STATES + 1], z[STATES + 1], before[2 * TESTS], after[2 * TESTS], inside[2 * TESTS];
    bool on[TESTS], now_on[TESTS];
    const double near = 1e-13 * left + 4.5e-16 * (now + left);
    // What holds at the end is asked at one and the same rounding of its time.
    const double end = now + left;
    double reach = left;
    for (int64_t round = 0; left > 0; round++) {
        if (round == LS_CROSSINGS) return false;
        cell.tests(now, x, before);
        double trial = ls_least(left, reach);
        bool timed = false;
        if (Cell::clock != 0) {
            // What is a matter of the time alone is found without a step.
            cell.tests(trial < left ? now + trial : end, x, after);
            timed = ls_crossing(TESTS, ~Cell::clock | Cell::late, before, after, on) > 0;
            if (timed) {
                LsBracket b = {0, trial, 0, ls_largest_gap(TESTS, on, before),
                               ls_largest_gap(TESTS, on, after), 0};
                b.last_gap = b.low_gap;
                for (int k = 0; k < LS_BRACKETS && b.high - b.low > near; k++) {
                    const double at = ls_between(b, k, near);
                    cell.tests(now + at, x, inside);
                    const bool there =
                        ls_crossing(TESTS, ~Cell::clock | Cell::late, before, inside, now_on) > 0;
                    ls_narrow(b, at, there, ls_largest_gap(TESTS, there ? now_on : on, inside));
                }
                trial = b.high;
            }
        }
        const double aim = trial;
        cell.step(now, trial, x, y);
        for (int k = 0; k < LS_BRACKETS && !ls_resolved(STATES, y); k++) {
            trial *= 0.5;
            cell.step(now, trial, x, y);
        }
        const double then = trial < left ? now + trial : end;
        cell.tests(then, y, after);
        const int crossing = ls_crossing(TESTS, Cell::late, before, after, on);
        if (!crossing) {
            if (trial < left && trial > near) {
                ls_copy(STATES, y, x);
                now = then;
                left = end - now;
                reach = trial < aim ? 2 * trial : left;
                continue;
            }
            for (int k = 0; k < TESTS; k++) on[k] = after[2 * k] != 0;
            cell.act(end, y, on, x);
            return true;
        }
        bool passive = crossing == 1;
        for (int k = 0; k < TESTS; k++) {
            timed = timed && (!on[k] || ls_in(Cell::clock, k));
            passive = passive && (!on[k] || ls_in(Cell::passive, k));
        }
        double high_states[STATES + 1];
        ls_copy(STATES, y, high_states);
        LsBracket b = {0, trial, 0, 0, 0, 0};
        if (!timed || trial < aim) {
            const double close = passive ? 1e6 * near : near;
            b.low_gap = b.last_gap = ls_largest_gap(TESTS, on, before);
            b.high_gap = ls_largest_gap(TESTS, on, after);
            // The last point and how far it was from the one before.
            double last = 0, move = trial;
            bool short_of = false;
            for (int k = 0; k < LS_BRACKETS && b.high - b.low > close; k++) {
                double at = ls_between(b, k, close);
                // Interpolation that converges faster than any bisection is believed: beyond the
                // crossing the search ends, short of it one point is tried a little later.
                if (short_of) at = ls_least(last + move * move / left + close, b.high);
                const double moved = at > last ? at - last : last - at;
                const bool sure = short_of || (moved < LS_SHRUNK * move && moved < LS_SURE * left);
                last = at;
                move = moved;
                cell.step(now, at, x, z);
                cell.tests(now + at, z, inside);
                const bool there = ls_crossing(TESTS, Cell::late, before, inside, now_on) > 0;
                ls_narrow(b, at, there, ls_largest_gap(TESTS, there ? now_on : on, inside));
                if (there) {
                    ls_copy(STATES, z, high_states);
                    ls_copy(2 * TESTS, inside, after);
                    if (sure) break;
                }
                short_of = sure && !there && !short_of;
            }
        }
        if (passive) {
            // What acts here moves nothing: the step goes on as it was.
            cell.act(now + b.high, y, on, x);
            now = then;
            left = end - now;
            if (left > near) continue;
            cell.tests(now, x, after);
            for (int k = 0; k < TESTS; k++) on[k] = after[2 * k] != 0 && !on[k];
            ls_copy(STATES, x, y);
            cell.act(now, y, on, x);
            return true;
        }
        ls_crossing(TESTS, Cell::late, before, after, on);
        now += b.high;
        left = end - now;
        reach = left;
        cell.act(now, high_states, on, x);
        if (!(left > near)) return true;
    }
    return true;
}

#include "lemsmith_flow.h"

#endif
