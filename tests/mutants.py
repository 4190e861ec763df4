"""Wrong models made from right ones: what a mutation fuzzer feeds to the whole path.

Some mutants are broken as bytes, most only as models: a value, a name, an attribute or an
element is dropped, doubled or taken from elsewhere in the same file, so that they pass the
parser and reach what comes after it.
"""

from __future__ import annotations

import random
import re

#: What takes the place of an attribute's value, besides values of the same file.
VALUES = (
    b"", b" ", b"0", b"-1", b"1", b"0.5", b"1e308", b"1e400", b"-1e-320", b"nan", b"inf",
    b"99999999999999999999", b"1000000", b"0 ms", b"-5 mV", b"1e9s", b"10 furlong", b"mV", b"1 2",
    b"..", b"../..", b"../0", b"pop[0]", b"pop[*]/v", b"a[b='c']/d", b"[", b"/", b"//x", b"this",
    b"parent", b"none", b"voltage", b"true", b"false", b"x", b"t", b"v", b"((((", b"random(1)",
    b"1 / 0", b"x ^ x ^ x", b"10^10^10", b"-x", b"exp(1000)", b"v .gt. 0", b"x .eq. .or. y",
    b"\xc3\xa9", b"\xf0\x9f\xa6\x80", b"&#0;", b"&lt;", b"a b", b"__class__", b"log(-1)", b"H(v)",
)  # fmt: skip

#: What breaks a text where it stands.
TOKENS = (b"<", b">", b"/>", b"'", b'"', b"&", b"<input/>", b"<!--", b"]]>", b"\xff", b"\0", b"{}")

#: Pieces of the expression language.
PIECES = (
    b"+", b"-", b"*", b"/", b"^", b"(", b")", b" .and. ", b" .or. ", b" .gt. ", b" .eq. ", b"exp(",
    b"random(", b"1e", b"x", b"t", b"0", b".", b",", b"!", b"factorial(", b"sqrt(", b"ln(", b"abs(",
)  # fmt: skip

_ATTRIBUTE = re.compile(rb"""\s([A-Za-z_:][\w:.-]*)\s*=\s*("[^"]*"|'[^']*')""")
_CLOSED = re.compile(rb"<([A-Za-z_][\w:.-]*)[^<>]*/>")
_WHOLE = re.compile(rb"<([A-Za-z_][\w:.-]*)(?:\s[^<>]*)?>.*?</\1\s*>", re.DOTALL)
_TAG = re.compile(rb"</?([A-Za-z_][\w:.-]*)")


def mutant(text: bytes, seed: int) -> bytes:
    """Return `text` with one to four changes; the same ones for the same seed."""
    chance = random.Random(seed)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 4))):
        change = chance.choices((_values, _elements, _names, _bytes), (6, 3, 2, 1))[0]
        text = change(text, chance)
    return text


def _values(text: bytes, chance: random.Random) -> bytes:
    """Change the value of an attribute."""
    found = list(_ATTRIBUTE.finditer(text))
    if not found:
        return text
    one, other = chance.choice(found), chance.choice(found)
    start, end = one.start(2) + 1, one.end(2) - 1
    value = text[start:end]
    at = chance.randrange(len(value) + 1)
    match chance.randrange(5):
        case 0:
            value = chance.choice(VALUES)
        case 1:
            value = text[other.start(2) + 1 : other.end(2) - 1]
        case 2:
            value = value[:at] + chance.choice(PIECES) + value[at:]
        case 3:
            value = value[:at] + value[at + chance.randint(1, 4) :]
        case _:
            return text[: one.start()] + text[one.end() :]
    return text[:start] + value.replace(text[end : end + 1], b"") + text[end:]


def _elements(text: bytes, chance: random.Random) -> bytes:
    """Drop, double or move an element."""
    found = [*_CLOSED.finditer(text), *_WHOLE.finditer(text)]
    if not found:
        return text
    one, other = chance.choice(found), chance.choice(found)
    match chance.randrange(3):
        case 0:
            return text[: one.start()] + text[one.end() :]
        case 1:
            return text[: one.end()] + one.group() + text[one.end() :]
        case _:
            return text[: other.start()] + one.group() + text[other.start() :]


def _names(text: bytes, chance: random.Random) -> bytes:
    """Change the name of an attribute or of an element."""
    pattern = chance.choice((_ATTRIBUTE, _TAG))
    found = list(pattern.finditer(text))
    if not found:
        return text
    one, other = chance.choice(found), chance.choice(found)
    return text[: one.start(1)] + other.group(1) + text[one.end(1) :]


def _bytes(text: bytes, chance: random.Random) -> bytes:
    """Change bytes, whatever they mean."""
    at = chance.randrange(len(text) + 1)
    end = min(len(text), at + chance.randint(1, 30))
    match chance.randrange(4):
        case 0:
            return text[:at] + text[end:]
        case 1:
            return text[:end] + text[at:end] + text[end:]
        case 2:
            return text[:at] + chance.choice(TOKENS) + text[at:]
        case _:
            return text[:at] + bytes([chance.randrange(256)]) + text[at + 1 :]
