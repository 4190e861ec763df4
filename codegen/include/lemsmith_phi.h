// How far an exponential step goes: phi(z) = (exp(z) - 1) / z, and expm1(z), for single numbers
// and for blocks of them.
#ifndef LEMSMITH_PHI_H
#define LEMSMITH_PHI_H

#include "lemsmith_math.h"

// (exp(z) - 1) / z, 1 at 0: how far an exponential step goes.
LS_FN double ls_phi(double z) { return ls_where(ls_abs(z) < 1e-30, 1.0, ls_expm1(z) / z); }
LS_FN float ls_phi(float z) { return ls_where(ls_abs(z) < 1e-30f, 1.0f, ls_expm1(z) / z); }

// phi(z) for -2 <= z <= 1/4, which is where a step that resolves its model stays: its Chebyshev
// interpolant there; with round-off its relative error is below 1e-15 (float: 3e-7).
// Its coefficient of z^n is LS_PHI_n, that of z^0 is 1.
#define LS_PHI_1 0x1.0000000000004p-1
#define LS_PHI_2 0x1.5555555554f11p-3
#define LS_PHI_3 0x1.55555555518bap-5
#define LS_PHI_4 0x1.11111111b86f4p-7
#define LS_PHI_5 0x1.6c16c181ef806p-10
#define LS_PHI_6 0x1.a01a01760a755p-13
#define LS_PHI_7 0x1.a019d12a6728p-16
#define LS_PHI_8 0x1.71da20ec164d3p-19
#define LS_PHI_9 0x1.27b6e1cbc8b06p-22
#define LS_PHI_10 0x1.abe5bb4a6a01cp-26
#define LS_PHI_11 0x1.13ce08f262c14p-29
#define LS_PHI_12 0x1.21a20653834c3p-33
#define LS_PHI_13 0x1.6bd8defeb43ap-38
LS_FN double ls_phi_near(double z) {
    double p = LS_PHI_13;
    p = ls_fma(p, z, LS_PHI_12);
    p = ls_fma(p, z, LS_PHI_11);
    p = ls_fma(p, z, LS_PHI_10);
    p = ls_fma(p, z, LS_PHI_9);
    p = ls_fma(p, z, LS_PHI_8);
    p = ls_fma(p, z, LS_PHI_7);
    p = ls_fma(p, z, LS_PHI_6);
    p = ls_fma(p, z, LS_PHI_5);
    p = ls_fma(p, z, LS_PHI_4);
    p = ls_fma(p, z, LS_PHI_3);
    p = ls_fma(p, z, LS_PHI_2);
    p = ls_fma(p, z, LS_PHI_1);
    return ls_fma(p, z, 1.0);
}
LS_FN float ls_phi_near(float z) {
    float p = 0x1.8a9422p-17f;
    p = ls_fma(p, z, 0x1.6047d6p-13f);
    p = ls_fma(p, z, 0x1.6298d6p-10f);
    p = ls_fma(p, z, 0x1.106a0ap-7f);
    p = ls_fma(p, z, 0x1.55504ap-5f);
    p = ls_fma(p, z, 0x1.555616p-3f);
    p = ls_fma(p, z, 0x1.000008p-1f);
    return ls_fma(p, z, 0x1.0p+0f);
}
LS_FN bool ls_is_near(double z) { return (z >= -2.0) & (z <= 0.25); }
LS_FN bool ls_is_near(float z) { return (z >= -2.0f) & (z <= 0.25f); }

// The same for -3/8 <= z <= 1/8, where most of it is in most steps: a shorter interpolant, with
// round-off as near.
LS_FN double ls_phi_small(double z) {
    double p = 0x1.0b703563656c7p-22;
    p = ls_fma(p, z, 0x1.709097bc8092ap-19);
    p = ls_fma(p, z, 0x1.a0160eb2702aep-16);
    p = ls_fma(p, z, 0x1.a01a1da3ef0ffp-13);
    p = ls_fma(p, z, 0x1.6c16c21147f5bp-10);
    p = ls_fma(p, z, 0x1.111111109f449p-7);
    p = ls_fma(p, z, 0x1.555555554afd8p-5);
    p = ls_fma(p, z, 0x1.5555555555556p-3);
    p = ls_fma(p, z, 0x1.0000000000003p-1);
    return ls_fma(p, z, 1.0);
}
LS_FN float ls_phi_small(float z) {
    float p = 0x1.4d8492p-10f;
    p = ls_fma(p, z, 0x1.109a94p-7f);
    p = ls_fma(p, z, 0x1.555928p-5f);
    p = ls_fma(p, z, 0x1.555574p-3f);
    p = ls_fma(p, z, 0x1.0p-1f);
    return ls_fma(p, z, 0x1.0p+0f);
}
// (z + 3/8) (1/8 - z) >= 0: one comparison.
LS_FN bool ls_is_small(double z) { return ls_fma(z, -0.25 - z, 0.046875) >= 0; }
LS_FN bool ls_is_small(float z) { return ls_fma(z, -0.25f - z, 0.046875f) >= 0; }

// phi(z) and expm1(z) of a block of at most LS_FAR_BLOCK numbers, in place. Which of three ways a
// number goes is a matter of that number alone, so that results do not depend on how instances
// are cut into blocks. `far`: some are not small. Those out of both polynomials' ranges are few in
// most blocks (a cell in its spike), and are gathered. Returns whether one of them is not finite.
#ifndef __CUDACC__
enum { LS_FAR_BLOCK = 256 };

struct LsPhi {
    template <typename T> LS_FN T small(T z) { return ls_phi_small(z); }
    template <typename T> LS_FN T near(T z) { return ls_phi_near(z); }
    template <typename T> LS_FN T wide(T z) { return ls_phi(z); }
};
struct LsExpm1 {
    template <typename T> LS_FN T small(T z) { return z * ls_phi_small(z); }
    template <typename T> LS_FN T near(T z) { return z * ls_phi_near(z); }
    template <typename T> LS_FN T wide(T z) { return ls_expm1(z); }
};

template <typename F, typename T>
static __attribute__((noinline)) bool ls_far_block(T *__restrict z, int64_t n) {
    typedef decltype(ls_bits(*z)) Word;
    Word small = 0, wide = 0;
    for (int64_t k = 0; k < n; k++) {
        small |= ls_bits(ls_where(ls_is_small(z[k]), (T)1, (T)0));
        wide |= ls_bits(ls_where(ls_is_near(z[k]), (T)0, (T)1));
    }
    T gathered[LS_FAR_BLOCK];
    unsigned char at[LS_FAR_BLOCK];
    int64_t count = 0;
    if (wide)
        for (int64_t k = 0; k < n; k++) {
            gathered[count] = z[k];
            at[count] = (unsigned char)k;
            count += !ls_is_near(z[k]);
        }
    if (small)
        for (int64_t k = 0; k < n; k++)
            z[k] = ls_where(ls_is_small(z[k]), F::small(z[k]), F::near(z[k]));
    else
        for (int64_t k = 0; k < n; k++) z[k] = F::near(z[k]);
    Word lost = 0;
    for (int64_t k = 0; k < count; k++) lost |= ls_bits(gathered[k] - gathered[k]);
    for (int64_t k = 0; k < count; k++) gathered[k] = F::wide(gathered[k]);
    for (int64_t k = 0; k < count; k++) z[at[k]] = gathered[k];
    return lost != 0;
}

template <typename F, typename T> LS_FN bool ls_block(T *__restrict z, int64_t n, bool far) {
    if (far) return ls_far_block<F>(z, n);
    for (int64_t k = 0; k < n; k++) z[k] = F::small(z[k]);
    return false;
}
template <typename T> LS_FN bool ls_phi_block(T *z, int64_t n, bool far) {
    return ls_block<LsPhi>(z, n, far);
}
template <typename T> LS_FN bool ls_expm1_block(T *z, int64_t n, bool far) {
    return ls_block<LsExpm1>(z, n, far);
}
#endif

// The same for single numbers: short chains of operations, and a branch where z is wide.
LS_FN double ls_phi_quick(double z) {
    if (!ls_is_near(z)) return ls_phi(z);
    const double z2 = z * z, z4 = z2 * z2, z8 = z4 * z4;
    const double a = ls_fma(z, LS_PHI_1, 1.0), b = ls_fma(z, LS_PHI_3, LS_PHI_2);
    const double c = ls_fma(z, LS_PHI_5, LS_PHI_4), d = ls_fma(z, LS_PHI_7, LS_PHI_6);
    const double e = ls_fma(z, LS_PHI_9, LS_PHI_8), f = ls_fma(z, LS_PHI_11, LS_PHI_10);
    const double g = ls_fma(z, LS_PHI_13, LS_PHI_12);
    const double low = ls_fma(z4, ls_fma(z2, d, c), ls_fma(z2, b, a));
    const double high = ls_fma(z4, g, ls_fma(z2, f, e));
    return ls_fma(z8, high, low);
}
LS_FN double ls_expm1_quick(double z) {
    return ls_is_near(z) ? z * ls_phi_quick(z) : ls_expm1(z);
}

#endif
