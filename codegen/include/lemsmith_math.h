/* Elementary functions for generated code: branch-free, so that loops over them vectorise.
 *
 * Valid as C++17 and as CUDA device code. Needs no -ffast-math and refuses it: NaN and infinity
 * propagate. What follows from IEEE 754 rules alone holds under plain -O3 -march=native;
 * ls_sqrt also needs -fno-math-errno to vectorise, and conditions in the caller's own code need
 * -fno-trapping-math with g++. Neither changes a value.
 *
 * Largest error found, in units in the last place of the result, over 2 million random points of
 * each range and the numbers around 0, against 80-bit arithmetic (float: against double):
 *
 *                 double           float
 *                 FMA   no FMA     FMA   no FMA   range of the argument
 *   ls_exp        0.91   1.21      0.89   1.15    all with a result above 2^-1021.5 (2^-125.5)
 *   ls_expm1      1.58   1.50      1.35   1.45    all
 *   ls_log        0.83   0.84      0.83   0.83    all, subnormals too
 *   ls_pow        1.07   1.31      1.04   1.29    all with a result as for ls_exp
 *   ls_tanh       1.97   2.30      1.91   2.21    all
 *   ls_sinh       2.15   2.12      2.09   2.09    all
 *   ls_cosh       1.27   1.52      1.30   1.53    all
 *   ls_exprelr    1.97   1.95      1.85   1.90    all with a normal result
 *
 * Results below 2^-1021.5 (float: 2^-125.5) are returned as 0 by ls_exp and ls_pow.
 *
 * Where the numbers come from. exp(r) = 1 + r + r^2 q(r) on |r| <= ln(2)/2, with q the minimax
 * polynomial of (exp(r) - 1 - r) / r^2 weighted for the relative error of exp(r) or expm1(r).
 * log(m) = 2 atanh(s), s = (m - 1)/(m + 1), on m in [sqrt(1/2), sqrt(2)], with the minimax
 * polynomial in s^2 of what remains after the leading terms. The fits were made in 50-digit
 * arithmetic by Lawson's iteration (weighted least squares at Chebyshev nodes, weights multiplied
 * by the error until it is level), then rounded to the format. Errors of the fits, relative:
 * exp 2^-57 (float 2^-28), expm1 2^-61 (2^-32), log 2^-58 (2^-36), pow 2^-66 (2^-44).
 */
#ifndef LEMSMITH_MATH_H
#define LEMSMITH_MATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#ifdef __FAST_MATH__
#error "lemsmith_math.h is wrong under -ffast-math: it relies on the order of operations"
#endif

#ifndef LS_FN
#ifdef __CUDACC__
#define LS_FN static __device__ __forceinline__
#else
#define LS_FN static inline __attribute__((always_inline, unused))
#endif
#endif

/* Fused multiply-add, where the target has it; else two roundings. */
#if defined(__CUDACC__) || defined(__FMA__) || defined(__FP_FAST_FMA) || \
    defined(__ARM_FEATURE_FMA)
#define LS_HAS_FMA 1
#ifdef __CUDACC__
LS_FN double ls_fma(double a, double b, double c) { return fma(a, b, c); }
LS_FN float ls_fma(float a, float b, float c) { return fmaf(a, b, c); }
#else
LS_FN double ls_fma(double a, double b, double c) { return __builtin_fma(a, b, c); }
LS_FN float ls_fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
#endif
#else
#define LS_HAS_FMA 0
LS_FN double ls_fma(double a, double b, double c) { return a * b + c; }
LS_FN float ls_fma(float a, float b, float c) { return a * b + c; }
#endif

LS_FN uint64_t ls_bits(double x) { uint64_t u; memcpy(&u, &x, sizeof u); return u; }
LS_FN uint32_t ls_bits(float x) { uint32_t u; memcpy(&u, &x, sizeof u); return u; }
LS_FN double ls_from_bits(uint64_t u) { double x; memcpy(&x, &u, sizeof x); return x; }
LS_FN float ls_from_bits(uint32_t u) { float x; memcpy(&x, &u, sizeof x); return x; }

#define LS_INFINITY (ls_from_bits((uint64_t)0x7ff0000000000000u))
#define LS_INFINITYF (ls_from_bits((uint32_t)0x7f800000u))
#define LS_NAN (ls_from_bits((uint64_t)0x7ff8000000000000u))
#define LS_NANF (ls_from_bits((uint32_t)0x7fc00000u))

/* `a` where `c` holds, else `b`; both are evaluated. g++ moves the computation of an operand of
 * ?: into a branch, and the loop stays scalar; a choice by bits leaves it nothing to move. */
#if defined(__CUDACC__) || defined(__clang__)
LS_FN double ls_where(bool c, double a, double b) { return c ? a : b; }
LS_FN float ls_where(bool c, float a, float b) { return c ? a : b; }
#else
LS_FN double ls_where(bool c, double a, double b) {
  const uint64_t m = c ? ~(uint64_t)0 : (uint64_t)0;
  return ls_from_bits((ls_bits(a) & m) | (ls_bits(b) & ~m));
}
LS_FN float ls_where(bool c, float a, float b) {
  const uint32_t m = c ? ~(uint32_t)0 : (uint32_t)0;
  return ls_from_bits((ls_bits(a) & m) | (ls_bits(b) & ~m));
}
#endif

LS_FN double ls_abs(double x) { return ls_from_bits(ls_bits(x) & (uint64_t)0x7fffffffffffffffu); }
LS_FN float ls_abs(float x) { return ls_from_bits(ls_bits(x) & (uint32_t)0x7fffffffu); }

/* |magnitude| with the sign bit of `sign`. */
LS_FN double ls_copysign(double magnitude, double sign) {
  const uint64_t s = (uint64_t)0x8000000000000000u;
  return ls_from_bits((ls_bits(magnitude) & ~s) | (ls_bits(sign) & s));
}
LS_FN float ls_copysign(float magnitude, float sign) {
  const uint32_t s = (uint32_t)0x80000000u;
  return ls_from_bits((ls_bits(magnitude) & ~s) | (ls_bits(sign) & s));
}

/* The smaller of the two; NaN stays. */
LS_FN double ls_at_most_(double x, double high) { return ls_where(x > high, high, x); }
LS_FN float ls_at_most_(float x, float high) { return ls_where(x > high, high, x); }

/* ln(2) in two parts: the first has trailing zeros, so that its product with any exponent is
 * exact. */
#define LS_LN2_HIGH 0x1.62e42fefa3p-1
#define LS_LN2_LOW 0x1.3de6af278ece6p-42
#define LS_LN2_HIGHF 0x1.62e4p-1f
#define LS_LN2_LOWF 0x1.7f7d1cp-20f

/* x = k ln(2) + r + *rest with |r| <= ln(2)/2. Returns r; *scale = 2^(k - down), or 0 at
 * k - down = -1023; nothing of use where x is out of that range. Adding 1.5 * 2^52 rounds to an
 * integer and leaves it, biased, in the low bits: no conversion between double and integer, which
 * AVX2 lacks. */
LS_FN double ls_reduce_(double x, int down, double* scale, double* rest) {
  const double round = 6755399441055744.0 + (1023 - down);
  const double biased = ls_fma(x, 0x1.71547652b82fep+0, round);
  const double k = biased - round;
  const double near = ls_fma(k, -LS_LN2_HIGH, x), r = ls_fma(k, -LS_LN2_LOW, near);
  *rest = ls_fma(k, -LS_LN2_LOW, near - r);
  *scale = ls_from_bits(ls_bits(biased) << 52);
  return r;
}
LS_FN float ls_reduce_(float x, int down, float* scale, float* rest) {
  const float round = 12582912.0f + (float)(127 - down);
  const float biased = ls_fma(x, 0x1.715476p+0f, round);
  const float k = biased - round;
  const float near = ls_fma(k, -LS_LN2_HIGHF, x), r = ls_fma(k, -LS_LN2_LOWF, near);
  *rest = ls_fma(k, -LS_LN2_LOWF, near - r);
  *scale = ls_from_bits(ls_bits(biased) << 23);
  return r;
}

/* 2 exp(r) on |r| <= ln(2)/2. Horner's form to the end rounds less than 1 + (r + r^2 q). */
LS_FN double ls_exp_kernel_(double r) {
  double p = 0x1.ad7fc73b26a2bp-25;
  p = ls_fma(p, r, 0x1.28ad787800916p-21);
  p = ls_fma(p, r, 0x1.71df25246c943p-18);
  p = ls_fma(p, r, 0x1.a0199a059b7bep-15);
  p = ls_fma(p, r, 0x1.a01a012a66064p-12);
  p = ls_fma(p, r, 0x1.6c16c1842ce37p-9);
  p = ls_fma(p, r, 0x1.1111111127bd6p-6);
  p = ls_fma(p, r, 0x1.555555555086ep-4);
  p = ls_fma(p, r, 0x1.55555555554fap-2);
  p = ls_fma(p, r, 0x1.000000000000ap+0);
  p = ls_fma(p, r, 2.0);
  return ls_fma(p, r, 2.0);
}
LS_FN float ls_exp_kernel_(float r) {
  float p = 0x1.6a23c4p-9f;
  p = ls_fma(p, r, 0x1.1239fp-6f);
  p = ls_fma(p, r, 0x1.5558f2p-4f);
  p = ls_fma(p, r, 0x1.555492p-2f);
  p = ls_fma(p, r, 0x1.fffffcp-1f);
  p = ls_fma(p, r, 2.0f);
  return ls_fma(p, r, 2.0f);
}

/* exp(x) 2^-k - 1 for the k of ls_reduce_, to full relative precision; *scale as there. */
LS_FN double ls_expm1_kernel_(double x, int down, double* scale) {
  double rest;
  const double r = ls_reduce_(x, down, scale, &rest);
  double q = 0x1.1f954c21fb67dp-29;
  q = ls_fma(q, r, 0x1.af5ebfe333fb4p-26);
  q = ls_fma(q, r, 0x1.27e4c5afd4caep-22);
  q = ls_fma(q, r, 0x1.71ddf85313773p-19);
  q = ls_fma(q, r, 0x1.a01a01b0b013cp-16);
  q = ls_fma(q, r, 0x1.a01a01afe564ap-13);
  q = ls_fma(q, r, 0x1.6c16c16c14467p-10);
  q = ls_fma(q, r, 0x1.111111110f6aep-7);
  q = ls_fma(q, r, 0x1.555555555555ap-5);
  q = ls_fma(q, r, 0x1.5555555555559p-3);
  q = ls_fma(q, r, 0.5);
  return r + ls_fma(r * r, q, rest);
}
LS_FN float ls_expm1_kernel_(float x, int down, float* scale) {
  float rest;
  const float r = ls_reduce_(x, down, scale, &rest);
  float q = 0x1.a194fp-13f;
  q = ls_fma(q, r, 0x1.6d74f2p-10f);
  q = ls_fma(q, r, 0x1.111098p-7f);
  q = ls_fma(q, r, 0x1.5554aep-5f);
  q = ls_fma(q, r, 0x1.555556p-3f);
  q = ls_fma(q, r, 0.5f);
  return r + ls_fma(r * r, q, rest);
}

/* exp(x + more) = 2 exp(r) 2^(k-1): doubling the polynomial keeps 2^(k-1) in range up to the last
 * finite result, lets what is larger overflow by itself, and makes the scale of what is too small
 * 0. The bounds act on the result and not on x: they then lengthen no chain of operations. */
LS_FN double ls_exp_sum_(double x, double more) {
  double half, rest;
  const double r = ls_reduce_(x, 1, &half, &rest);
  const double y = ls_exp_kernel_(r + more) * half;
  return ls_where(x > 709.9, LS_INFINITY, ls_where(x < -708.5, 0.0, y));
}
LS_FN float ls_exp_sum_(float x, float more) {
  float half, rest;
  const float r = ls_reduce_(x, 1, &half, &rest);
  const float y = ls_exp_kernel_(r + more) * half;
  return ls_where(x > 88.9f, LS_INFINITYF, ls_where(x < -87.5f, 0.0f, y));
}

LS_FN double ls_exp(double x) { return ls_exp_sum_(x, -0.0); }
LS_FN float ls_exp(float x) { return ls_exp_sum_(x, -0.0f); }

LS_FN double ls_expm1(double x) {
  double half;
  const double t = ls_expm1_kernel_(x, 1, &half);
  const double y = 2.0 * ls_fma(half, t, half - 0.5);
  return ls_where(x > 709.9, LS_INFINITY, ls_where(x < -40.0, -1.0, y));
}
LS_FN float ls_expm1(float x) {
  float half;
  const float t = ls_expm1_kernel_(x, 1, &half);
  const float y = 2.0f * ls_fma(half, t, half - 0.5f);
  return ls_where(x > 88.9f, LS_INFINITYF, ls_where(x < -20.0f, -1.0f, y));
}

/* x / (exp(x) - 1): 1 at 0, 0 at infinity. The bound is on the safe side of what subnormals lose
 * and what a flush of them to zero takes. */
LS_FN double ls_exprelr(double x) {
  return ls_where(ls_abs(x) < 1e-30, 1.0, ls_at_most_(x, 800.0) / ls_expm1(x));
}
LS_FN float ls_exprelr(float x) {
  return ls_where(ls_abs(x) < 1e-30f, 1.0f, ls_at_most_(x, 800.0f) / ls_expm1(x));
}

/* x / (1 - exp(-x)), the rate of HHExpLinearRate: 1 at 0, 0 at minus infinity. */
LS_FN double ls_explinear(double x) { return ls_exprelr(-x); }
LS_FN float ls_explinear(float x) { return ls_exprelr(-x); }

/* tanh(a) = -e / (2 + e) with e = expm1(-2a), a >= 0, and one correction of the quotient that
 * takes in what the sum lost. */
LS_FN double ls_tanh(double x) {
  const double e = ls_expm1(-2.0 * ls_abs(x));
  const double d = 2.0 + e, d_low = e - (d - 2.0), inverse = 1.0 / d, q = e * inverse;
  const double rest = ls_fma(-q, d_low, ls_fma(-q, d, e));
  return ls_copysign(ls_fma(rest, inverse, q), x);
}
LS_FN float ls_tanh(float x) {
  const float e = ls_expm1(-2.0f * ls_abs(x));
  const float d = 2.0f + e, d_low = e - (d - 2.0f), inverse = 1.0f / d, q = e * inverse;
  const float rest = ls_fma(-q, d_low, ls_fma(-q, d, e));
  return ls_copysign(ls_fma(rest, inverse, q), x);
}

/* sinh(a) = E + E / (2E + 1), E = expm1(a) / 2. The last finite result is at k = 1025: hence
 * 2^(k-2). */
LS_FN double ls_sinh(double x) {
  double quarter;
  const double a = ls_at_most_(ls_abs(x), 710.6);
  const double t = ls_expm1_kernel_(a, 2, &quarter);
  const double e = 2.0 * ls_fma(quarter, t, quarter - 0.25);
  const double bounded = ls_where(e > 0x1p100, 0x1p100, e);
  return ls_copysign(e + bounded / (2.0 * bounded + 1.0), x);
}
LS_FN float ls_sinh(float x) {
  float quarter;
  const float a = ls_at_most_(ls_abs(x), 89.6f);
  const float t = ls_expm1_kernel_(a, 2, &quarter);
  const float e = 2.0f * ls_fma(quarter, t, quarter - 0.25f);
  const float bounded = ls_where(e > 0x1p50f, 0x1p50f, e);
  return ls_copysign(e + bounded / (2.0f * bounded + 1.0f), x);
}

/* cosh(a) = E + 1 / (4E), E = exp(a) / 2. */
LS_FN double ls_cosh(double x) {
  double quarter, rest;
  const double a = ls_at_most_(ls_abs(x), 710.6);
  const double e = ls_exp_kernel_(ls_reduce_(a, 2, &quarter, &rest)) * quarter;
  return e + 0.25 / e;
}
LS_FN float ls_cosh(float x) {
  float quarter, rest;
  const float a = ls_at_most_(ls_abs(x), 89.6f);
  const float e = ls_exp_kernel_(ls_reduce_(a, 2, &quarter, &rest)) * quarter;
  return e + 0.25f / e;
}

/* x = 2^k m, m in [sqrt(1/2), sqrt(2)); returns m and k as a number, for finite x > 0. The
 * exponent is shifted out of the bits unsigned and becomes a number by being the low bits of
 * 2^52: AVX2 has neither a signed 64-bit shift nor a conversion. */
LS_FN double ls_split_(double x, double* k) {
  const bool tiny = x < 0x1p-1022;
  const double normal = x * ls_where(tiny, 0x1p54, 1.0);
  const uint64_t root = (uint64_t)0x3fe6a09e667f3bcdu;
  const uint64_t u = ls_bits(normal) + ((uint64_t)0x3ff0000000000000u - root);
  *k = ls_from_bits((u >> 52) | (uint64_t)0x4330000000000000u) -
       ls_where(tiny, 0x1p52 + 1023 + 54, 0x1p52 + 1023);
  return ls_from_bits((u & (uint64_t)0x000fffffffffffffu) + root);
}
LS_FN float ls_split_(float x, float* k) {
  const bool tiny = x < 0x1p-126f;
  const float normal = x * ls_where(tiny, 0x1p25f, 1.0f);
  const uint32_t root = (uint32_t)0x3f3504f3u;
  const uint32_t u = ls_bits(normal) + ((uint32_t)0x3f800000u - root);
  *k = ls_from_bits((u >> 23) | (uint32_t)0x4b000000u) -
       ls_where(tiny, 0x1p23f + 127 + 25, 0x1p23f + 127);
  return ls_from_bits((u & (uint32_t)0x007fffffu) + root);
}

/* `result` where x is finite and positive; else what a logarithm gives there. */
LS_FN double ls_log_edges_(double x, double result) {
  const double edge = ls_where(x == 0.0, -LS_INFINITY, ls_where(x < 0.0, LS_NAN, x));
  return ls_where((x > 0.0) & (x < LS_INFINITY), result, edge);
}
LS_FN float ls_log_edges_(float x, float result) {
  const float edge = ls_where(x == 0.0f, -LS_INFINITYF, ls_where(x < 0.0f, LS_NANF, x));
  return ls_where((x > 0.0f) & (x < LS_INFINITYF), result, edge);
}

/* log(1 + f) = f - f^2/2 + s (f^2/2 + R(s^2)): f itself is exact, so only small terms round. */
LS_FN double ls_log(double x) {
  double k;
  const double f = ls_split_(x, &k) - 1.0;
  const double s = f / (2.0 + f);
  const double z = s * s;
  double p = 0x1.2f079ff0a20a7p-3;
  p = ls_fma(p, z, 0x1.39a1827b5bf98p-3);
  p = ls_fma(p, z, 0x1.74664113e0c71p-3);
  p = ls_fma(p, z, 0x1.c71c51febc4cep-3);
  p = ls_fma(p, z, 0x1.24924941fe801p-2);
  p = ls_fma(p, z, 0x1.999999997fcbap-2);
  p = ls_fma(p, z, 0x1.5555555555593p-1);
  const double h = 0.5 * f * f;
  const double small = ls_fma(s, ls_fma(p, z, h), k * LS_LN2_LOW);
  return ls_log_edges_(x, ls_fma(k, LS_LN2_HIGH, f - (h - small)));
}
LS_FN float ls_log(float x) {
  float k;
  const float f = ls_split_(x, &k) - 1.0f;
  const float s = f / (2.0f + f);
  const float z = s * s;
  float p = 0x1.e2f83ap-3f;
  p = ls_fma(p, z, 0x1.2438ccp-2f);
  p = ls_fma(p, z, 0x1.999a7ap-2f);
  p = ls_fma(p, z, 0x1.555554p-1f);
  const float h = 0.5f * f * f;
  const float small = ls_fma(s, ls_fma(p, z, h), k * LS_LN2_LOWF);
  return ls_log_edges_(x, ls_fma(k, LS_LN2_HIGHF, f - (h - small)));
}

/* a b - rounded, exactly, where `rounded` is a b rounded. */
LS_FN double ls_product_error_(double a, double b, double rounded) {
#if LS_HAS_FMA
  return ls_fma(a, b, -rounded);
#else
  const double ca = 134217729.0 * a, cb = 134217729.0 * b; /* Dekker 1971 */
  const double ah = ca - (ca - a), bh = cb - (cb - b), al = a - ah, bl = b - bh;
  return ((ah * bh - rounded) + ah * bl + al * bh) + al * bl;
#endif
}
LS_FN float ls_product_error_(float a, float b, float rounded) {
#if LS_HAS_FMA
  return ls_fma(a, b, -rounded);
#else
  return (float)((double)a * b - rounded);
#endif
}

/* log(x), x finite and positive, as an unevaluated sum to about 65 (float: 36) bits:
 * 2 atanh(s) = 2 s (1 + u), u = z/3 + z^2 Q(z), z = s^2, with s, z, u in two parts each. */
LS_FN double ls_log_parts_(double x, double* low) {
  double k;
  const double f = ls_split_(x, &k) - 1.0;
  const double d = 2.0 + f, d_low = f - (d - 2.0), inverse = 1.0 / d, s = f * inverse;
  const double sd = s * d;
  const double s_low = ((f - sd) - ls_product_error_(s, d, sd) - s * d_low) * inverse;
  const double z = s * s, z_low = ls_product_error_(s, s, z) + 2.0 * s * s_low;
  double q = 0x1.0e445f72eb65ep-4;
  q = ls_fma(q, z, 0x1.0f7fba84ced99p-4);
  q = ls_fma(q, z, 0x1.3b1eee15636aap-4);
  q = ls_fma(q, z, 0x1.745ce9d7d4adcp-4);
  q = ls_fma(q, z, 0x1.c71c722d89086p-4);
  q = ls_fma(q, z, 0x1.2492492457bbdp-3);
  q = ls_fma(q, z, 0x1.9999999999b31p-3);
  const double third = 0x1.5555555555555p-2, third_low = 0x1.5555555555555p-56;
  const double zq = z * q, a = third + zq, a_low = (third - a) + zq + third_low;
  const double u = z * a, u_low = ls_product_error_(z, a, u) + z * a_low + z_low * a;
  const double v = s * u, v_low = ls_product_error_(s, u, v) + s * u_low + s_low * u;
  const double w = s + v, w_low = (s - w) + v + (s_low + v_low);
  const double kh = k * LS_LN2_HIGH, sum = kh + 2.0 * w;
  const double rest = (kh - sum) + 2.0 * w + ls_fma(2.0, w_low, k * LS_LN2_LOW);
  const double high = sum + rest;
  *low = (sum - high) + rest;
  return high;
}
LS_FN float ls_log_parts_(float x, float* low) {
  float k;
  const float f = ls_split_(x, &k) - 1.0f;
  const float d = 2.0f + f, d_low = f - (d - 2.0f), inverse = 1.0f / d, s = f * inverse;
  const float sd = s * d;
  const float s_low = ((f - sd) - ls_product_error_(s, d, sd) - s * d_low) * inverse;
  const float z = s * s, z_low = ls_product_error_(s, s, z) + 2.0f * s * s_low;
  float q = 0x1.df9e44p-4f;
  q = ls_fma(q, z, 0x1.245292p-3f);
  q = ls_fma(q, z, 0x1.999ap-3f);
  const float third = 0x1.555556p-2f, third_low = -0x1.555556p-27f;
  const float zq = z * q, a = third + zq, a_low = (third - a) + zq + third_low;
  const float u = z * a, u_low = ls_product_error_(z, a, u) + z * a_low + z_low * a;
  const float v = s * u, v_low = ls_product_error_(s, u, v) + s * u_low + s_low * u;
  const float w = s + v, w_low = (s - w) + v + (s_low + v_low);
  const float kh = k * LS_LN2_HIGHF, sum = kh + 2.0f * w;
  const float rest = (kh - sum) + 2.0f * w + ls_fma(2.0f, w_low, k * LS_LN2_LOWF);
  const float high = sum + rest;
  *low = (sum - high) + rest;
  return high;
}

/* g++ vectorises rint as it stands, ceil and floor only under -fno-trapping-math. */
LS_FN double ls_ceil(double x) { const double r = rint(x); return ls_where(r < x, r + 1.0, r); }
LS_FN float ls_ceil(float x) { const float r = rintf(x); return ls_where(r < x, r + 1.0f, r); }
LS_FN double ls_floor(double x) { const double r = rint(x); return ls_where(r > x, r - 1.0, r); }
LS_FN float ls_floor(float x) { const float r = rintf(x); return ls_where(r > x, r - 1.0f, r); }
LS_FN double ls_sqrt(double x) { return sqrt(x); }
LS_FN float ls_sqrt(float x) { return sqrtf(x); }
LS_FN double ls_sin(double x) { return sin(x); }
LS_FN float ls_sin(float x) { return sinf(x); }
LS_FN double ls_cos(double x) { return cos(x); }
LS_FN float ls_cos(float x) { return cosf(x); }
LS_FN double ls_tan(double x) { return tan(x); }
LS_FN float ls_tan(float x) { return tanf(x); }

/* x to the power y, with the edge cases of C99 annex F. */
LS_FN double ls_pow(double x, double y) {
  const double a = ls_abs(x);
  double low;
  const double high = ls_log_edges_(a, ls_log_parts_(a, &low));
  const double e = y * high;
  const double e_low = ls_product_error_(y, high, e) + y * low;
  const double size = ls_exp_sum_(e, e_low);
  const double known = ls_where((y == 0.0) | (x == 1.0) |
                                ((x == -1.0) & (ls_abs(y) == LS_INFINITY)), 1.0, size);
  const bool whole = rint(y) == y;
  const bool odd = whole & (rint(0.5 * y) != 0.5 * y);
  const double negative = ls_where(odd, -known, known);
  const bool below = (ls_bits(x) >> 63) != 0;
  const bool invalid = (x < 0.0) & (x > -LS_INFINITY) & !whole;
  return ls_where(invalid, LS_NAN, ls_where(below, negative, known));
}
LS_FN float ls_pow(float x, float y) {
  const float a = ls_abs(x);
  float low;
  const float high = ls_log_edges_(a, ls_log_parts_(a, &low));
  const float e = y * high;
  const float e_low = ls_product_error_(y, high, e) + y * low;
  const float size = ls_exp_sum_(e, e_low);
  const float known = ls_where((y == 0.0f) | (x == 1.0f) |
                               ((x == -1.0f) & (ls_abs(y) == LS_INFINITYF)), 1.0f, size);
  const bool whole = rintf(y) == y;
  const bool odd = whole & (rintf(0.5f * y) != 0.5f * y);
  const float negative = ls_where(odd, -known, known);
  const bool below = (ls_bits(x) >> 31) != 0;
  const bool invalid = (x < 0.0f) & (x > -LS_INFINITYF) & !whole;
  return ls_where(invalid, LS_NANF, ls_where(below, negative, known));
}

#endif
