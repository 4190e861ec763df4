/* Random numbers for generated code: a counter-based generator, and Java's for the reference's
 * draws.
 *
 * Valid as C++17 and as CUDA device code. ls_random is a pure function: its value depends on its
 * three arguments and on nothing else, so that results are the same for any number of threads, any
 * order and any device, and it vectorises. Its twin in Python is codegen/random_numbers.py.
 */
#ifndef LEMSMITH_RANDOM_H
#define LEMSMITH_RANDOM_H

#include <stdint.h>

#ifndef LS_FN
#ifdef __CUDACC__
#define LS_FN static __device__ __forceinline__
#else
#define LS_FN static inline __attribute__((always_inline, unused))
#endif
#endif

typedef struct ls_four_words {
  uint32_t x0, x1, x2, x3;
} ls_four_words;

/* Philox4x32 with ten rounds: Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as
 * 1, 2, 3 (SC 2011). */
LS_FN ls_four_words ls_philox(ls_four_words counter, uint32_t key0, uint32_t key1) {
  uint32_t x0 = counter.x0, x1 = counter.x1, x2 = counter.x2, x3 = counter.x3;
#define LS_PHILOX_ROUND_(n)                                             \
  {                                                                     \
    const uint64_t even = (uint64_t)0xD2511F53u * x0;                   \
    const uint64_t odd = (uint64_t)0xCD9E8D57u * x2;                    \
    x0 = (uint32_t)(odd >> 32) ^ x1 ^ (key0 + (n) * 0x9E3779B9u);       \
    x2 = (uint32_t)(even >> 32) ^ x3 ^ (key1 + (n) * 0xBB67AE85u);      \
    x1 = (uint32_t)odd;                                                 \
    x3 = (uint32_t)even;                                                \
  }
  LS_PHILOX_ROUND_(0u)
  LS_PHILOX_ROUND_(1u)
  LS_PHILOX_ROUND_(2u)
  LS_PHILOX_ROUND_(3u)
  LS_PHILOX_ROUND_(4u)
  LS_PHILOX_ROUND_(5u)
  LS_PHILOX_ROUND_(6u)
  LS_PHILOX_ROUND_(7u)
  LS_PHILOX_ROUND_(8u)
  LS_PHILOX_ROUND_(9u)
#undef LS_PHILOX_ROUND_
  const ls_four_words result = {x0, x1, x2, x3};
  return result;
}

/* The words of draw `counter` of `stream` under `seed`. */
LS_FN ls_four_words ls_random_words(uint64_t seed, uint64_t stream, uint64_t counter) {
  const ls_four_words place = {(uint32_t)counter, (uint32_t)(counter >> 32), (uint32_t)stream,
                               (uint32_t)(stream >> 32)};
  return ls_philox(place, (uint32_t)seed, (uint32_t)(seed >> 32));
}

/* Uniform in [0, 1), all 53 bits. Two signed 32-bit conversions, which every vector unit has. */
LS_FN double ls_random(uint64_t seed, uint64_t stream, uint64_t counter) {
  const ls_four_words words = ls_random_words(seed, stream, counter);
  const double high = (double)(int32_t)(words.x0 >> 5), low = (double)(int32_t)(words.x1 >> 6);
  return (high * 67108864.0 + low) * 0x1p-53;
}

/* Uniform in [0, 1), all 24 bits: the upper ones of ls_random. */
LS_FN float ls_random_float(uint64_t seed, uint64_t stream, uint64_t counter) {
  return (float)(int32_t)(ls_random_words(seed, stream, counter).x0 >> 8) * 0x1p-24f;
}

/* java.util.Random as its documentation specifies it: a linear congruence on 48 bits. */
typedef struct ls_java_random {
  uint64_t state;
} ls_java_random;

#define LS_JAVA_MULTIPLIER ((uint64_t)0x5DEECE66Du)
#define LS_JAVA_MASK (((uint64_t)1 << 48) - 1)

LS_FN void ls_java_seed(ls_java_random* generator, int64_t seed) {
  generator->state = ((uint64_t)seed ^ LS_JAVA_MULTIPLIER) & LS_JAVA_MASK;
}

LS_FN uint64_t ls_java_next_bits(ls_java_random* generator, int bits) {
  generator->state = (generator->state * LS_JAVA_MULTIPLIER + 0xB) & LS_JAVA_MASK;
  return generator->state >> (48 - bits);
}

/* nextDouble(): uniform in [0, 1), 53 bits. */
LS_FN double ls_java_next_double(ls_java_random* generator) {
  const uint64_t high = ls_java_next_bits(generator, 26);
  return (double)(int64_t)((high << 27) + ls_java_next_bits(generator, 27)) * 0x1p-53;
}

#endif
