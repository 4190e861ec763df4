"""The iteration order of Java's HashMap, which the reference interpreter's steps depend on.

String.hashCode, spread by h ^ (h >>> 16), 16 buckets that double at load 0.75, insertion
order inside a bucket (java.util.HashMap, OpenJDK).
"""

from __future__ import annotations

from collections.abc import Iterable


def string_hash(text: str) -> int:
    """Return Java's `text.hashCode()` as an unsigned 32-bit number.

    >>> string_hash("ab")
    3105
    """
    value = 0
    units = text.encode("utf-16-be")
    for high, low in zip(units[::2], units[1::2], strict=True):
        value = (31 * value + (high << 8 | low)) & 0xFFFFFFFF
    return value


def hash_order(keys: Iterable[str]) -> list[str]:
    """Return distinct `keys`, given in insertion order, as a HashMap iterates them.

    >>> hash_order(["v", "t", "i"])
    ['t', 'v', 'i']
    """
    distinct = list(dict.fromkeys(keys))
    buckets = 16
    while len(distinct) > 0.75 * buckets:
        buckets *= 2

    def bucket(key: str) -> int:
        value = string_hash(key)
        return (value ^ (value >> 16)) & (buckets - 1)

    return sorted(distinct, key=bucket)
