// Kinetic schemes: occupancies that flow between states at given rates.
#ifndef LEMSMITH_FLOW_H
#define LEMSMITH_FLOW_H

#include <math.h>
#include <string.h>

#ifdef __CUDACC__
#define LS_FLOW_FN static __device__
#else
#define LS_FLOW_FN static inline
#endif

// Advance occupancies x (n) by exp(a * dt); a (n x n) is overwritten, work holds 2 n n.
//
// Scaling and squaring with a Taylor sum until terms vanish; the columns of a sum to zero,
// so occupancies are conserved to rounding.
LS_FLOW_FN void ls_flow(int n, double *a, double dt, double *x, double *work) {
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
    double row[64];
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

#endif
