// Kinetic schemes: occupancies that flow between states at given rates.
#ifndef LEMSMITH_FLOW_H
#define LEMSMITH_FLOW_H

#include <math.h>
#include <string.h>

// States of one scheme at most; converter/binding.py refuses more.
#define LS_MOST_STATES 128

#ifdef __CUDACC__
#define LS_FLOW_FN static __device__
#else
#define LS_FLOW_FN static inline
#endif

// Let exp(a * dt) act on x (n); a (n x n) is overwritten, work holds 2 n n.
//
// Scaling and squaring with a Taylor sum until terms vanish.
LS_FLOW_FN void ls_exponential(int n, double *a, double dt, double *x, double *work) {
    double norm = 0.0;
    for (int i = 0; i < n * n; i++) {
        a[i] *= dt;
        norm = fmax(norm, fabs(a[i]));
    }
    norm *= n;
    int squarings = 0;
    while (norm > 0.25 && squarings < 1000) {
        norm *= 0.5;
        squarings++;
    }
    double scale = ldexp(1.0, -squarings);
    double *sum = work, *term = work + n * n;
    for (int i = 0; i < n * n; i++) a[i] *= scale;
    for (int i = 0; i < n * n; i++) sum[i] = term[i] = (i % (n + 1) == 0) ? 1.0 : 0.0;
    double row[LS_MOST_STATES];
    for (int k = 1; k < 30; k++) {
        double largest = 0.0;
        for (int i = 0; i < n; i++) {
            for (int j = 0; j < n; j++) {
                double v = 0.0;
                for (int l = 0; l < n; l++) v += term[i * n + l] * a[l * n + j];
                row[j] = v / k;
            }
            for (int j = 0; j < n; j++) {
                term[i * n + j] = row[j];
                sum[i * n + j] += row[j];
                largest = fmax(largest, fabs(row[j]));
            }
        }
        if (!(largest > 1e-18)) break;
    }
    for (int q = 0; q < squarings; q++) {
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++) {
                double v = 0.0;
                for (int l = 0; l < n; l++) v += sum[i * n + l] * sum[l * n + j];
                term[i * n + j] = v;
            }
        memcpy(sum, term, sizeof(double) * n * n);
    }
    for (int i = 0; i < n; i++) {
        double v = 0.0;
        for (int l = 0; l < n; l++) v += sum[i * n + l] * x[l];
        row[i] = v;
    }
    memcpy(x, row, sizeof(double) * n);
}

// Advance occupancies x (n) by exp(a * dt), as ls_exponential.
//
// The columns of a sum to zero and those of exp(a * dt) to one, but for rounding that squaring
// magnifies: the sum is put back.
LS_FLOW_FN void ls_flow(int n, double *a, double dt, double *x, double *work) {
    double before = 0.0, after = 0.0;
    for (int i = 0; i < n; i++) before += x[i];
    ls_exponential(n, a, dt, x, work);
    for (int i = 0; i < n; i++) after += x[i];
    if (!(after > 0.0)) return;
    for (int i = 0; i < n; i++) x[i] = x[i] * before / after;
}

// As ls_linear, by scaling and squaring: for steps over which the system moves far.
LS_FLOW_FN void ls_linear_far(int n, const double *a, const double *f, double dt, double *x) {
    double m[1024], y[32], work[2048];
    double size = 0.0, most = 0.0;
    for (int i = 0; i < n * n; i++) size = fmax(size, fabs(a[i]));
    for (int i = 0; i < n; i++) most = fmax(most, fabs(f[i]));
    const double unit = (most > 0.0 && size > 0.0) ? most / size : 1.0;
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) m[i * (n + 1) + j] = a[i * n + j];
        m[i * (n + 1) + n] = f[i] / unit;
        y[i] = 0.0;
    }
    for (int j = 0; j <= n; j++) m[n * (n + 1) + j] = 0.0;
    y[n] = 1.0;
    ls_exponential(n + 1, m, dt, y, work);
    for (int i = 0; i < n; i++) x[i] = y[i] * unit;
}

// Put into x (n) the increment over dt of y' = a y + b, where f = a y + b is the present
// derivative: dt phi1(dt a) f, by its series where that is short.
LS_FLOW_FN void ls_linear(int n, const double *a, const double *f, double dt, double *x) {
    double norm = 0.0;
    for (int i = 0; i < n; i++) {
        double row = 0.0;
        for (int j = 0; j < n; j++) row += fabs(a[i * n + j]);
        norm = fmax(norm, row);
    }
    if (!(norm * fabs(dt) < 1.0)) {
        ls_linear_far(n, a, f, dt, x);
        return;
    }
    double term[32], next[32];
    for (int i = 0; i < n; i++) x[i] = term[i] = dt * f[i];
    for (int k = 2; k < 24; k++) {
        const double part = dt / k;
        bool more = false;
        for (int i = 0; i < n; i++) {
            double v = 0.0;
            for (int j = 0; j < n; j++) v += a[i * n + j] * term[j];
            next[i] = part * v;
        }
        for (int i = 0; i < n; i++) {
            const double before = x[i];
            term[i] = next[i];
            x[i] += next[i];
            more = more || x[i] != before;
        }
        if (!more) return;
    }
}

// The same by backward Euler, as NEURON's sparse method does: x becomes (1 - a dt)^-1 x.
LS_FLOW_FN void ls_flow_implicit(int n, double *a, double dt, double *x, double *work) {
    (void)work;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) a[i * n + j] = (i == j) - dt * a[i * n + j];
    // The matrix is diagonally dominant by columns: no pivoting.
    for (int k = 0; k < n; k++)
        for (int i = k + 1; i < n; i++) {
            const double f = a[i * n + k] / a[k * n + k];
            for (int j = k; j < n; j++) a[i * n + j] -= f * a[k * n + j];
            x[i] -= f * x[k];
        }
    for (int i = n - 1; i >= 0; i--) {
        for (int j = i + 1; j < n; j++) x[i] -= a[i * n + j] * x[j];
        x[i] /= a[i * n + i];
    }
}

#endif
