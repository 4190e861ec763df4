"""Random numbers with the same bits as those of generated code.

`uniform` and `uniform_float` are Philox4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random
numbers: as easy as 1, 2, 3, SC 2011), a pure function of seed, stream and counter.
`JavaRandom` is java.util.Random, from which the reference interpreter draws.
Their twins in C++ and CUDA are in `include/lemsmith_random.h`.
"""

from __future__ import annotations

import operator
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Words: TypeAlias = tuple[
    NDArray[np.uint64], NDArray[np.uint64], NDArray[np.uint64], NDArray[np.uint64]
]

ROUNDS = 10
MULTIPLIER_EVEN, MULTIPLIER_ODD = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
WEYL_0, WEYL_1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
LOW_WORD, WORD = np.uint64(0xFFFFFFFF), np.uint64(32)

JAVA_MULTIPLIER, JAVA_INCREMENT, JAVA_MASK = 0x5DEECE66D, 0xB, (1 << 48) - 1


def philox(counter: Words, key: tuple[NDArray[np.uint64], NDArray[np.uint64]]) -> Words:
    """Return the four random 32-bit words at `counter` under `key`, each a uint64 array."""
    x0, x1, x2, x3 = counter
    key0, key1 = key
    for _ in range(ROUNDS):
        even, odd = MULTIPLIER_EVEN * x0, MULTIPLIER_ODD * x2
        x0, x1 = (odd >> WORD) ^ x1 ^ key0, odd & LOW_WORD
        x2, x3 = (even >> WORD) ^ x3 ^ key1, even & LOW_WORD
        key0, key1 = (key0 + WEYL_0) & LOW_WORD, (key1 + WEYL_1) & LOW_WORD
    return x0, x1, x2, x3


def uniform(seed: ArrayLike, stream: ArrayLike, counter: ArrayLike) -> NDArray[np.float64]:
    """Return doubles in [0, 1) with 53 random bits; the arguments broadcast.

    The bits are those of `ls_random`. A negative integer counts as its two's complement.

    >>> uniform(1234, 0, [0, 1, 2]).round(6).tolist()
    [0.127208, 0.620832, 0.249173]
    """
    x0, x1, _, _ = _words(seed, stream, counter)
    high, low = x0 >> np.uint64(5), x1 >> np.uint64(6)
    numbers: NDArray[np.float64] = ((high << np.uint64(26)) + low) * 2.0**-53
    return numbers


def uniform_float(seed: ArrayLike, stream: ArrayLike, counter: ArrayLike) -> NDArray[np.float32]:
    """Return floats in [0, 1) with 24 random bits; the bits are those of `ls_random_float`."""
    x0, _, _, _ = _words(seed, stream, counter)
    return np.multiply((x0 >> np.uint64(8)).astype(np.float32), np.float32(2.0**-24))


class JavaRandom:
    """java.util.Random: the same seed gives the same numbers.

    >>> generator = JavaRandom(42)
    >>> generator.next_double(), generator.next_double()
    (0.7275636800328681, 0.6832234717598454)
    """

    __slots__ = ("state",)

    def __init__(self, seed: int) -> None:
        self.state = 0
        self.seed(seed)

    def seed(self, seed: int) -> None:
        """Start again from `seed`, of which Java uses the low 48 bits."""
        self.state = (operator.index(seed) ^ JAVA_MULTIPLIER) & JAVA_MASK

    def next_double(self) -> float:
        """Return the next double in [0, 1), with 53 random bits."""
        high = self._next_bits(26)
        return ((high << 27) + self._next_bits(27)) * 2.0**-53

    def _next_bits(self, bits: int) -> int:
        self.state = (self.state * JAVA_MULTIPLIER + JAVA_INCREMENT) & JAVA_MASK
        return self.state >> (48 - bits)


def _words(seed: ArrayLike, stream: ArrayLike, counter: ArrayLike) -> Words:
    key, upper, lower = np.broadcast_arrays(_unsigned(seed), _unsigned(stream), _unsigned(counter))
    place = (lower & LOW_WORD, lower >> WORD, upper & LOW_WORD, upper >> WORD)
    return philox(place, (key & LOW_WORD, key >> WORD))


def _unsigned(values: ArrayLike | int) -> NDArray[np.uint64]:
    """Return `values` modulo 2^64."""
    if isinstance(values, int):
        return np.array(values % 2**64, dtype=np.uint64)
    array = np.asarray(values)
    if array.dtype.kind not in "iu":
        raise TypeError(f"random numbers are counted in integers, not in {array.dtype}")
    return array.astype(np.uint64)
