"""The order of Java's HashMap; the expected values are those of OpenJDK."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lemsmith.converter.java_order import hash_order, string_hash


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", 0),
        ("a", 97),
        ("hello", 99162322),
        ("polygenelubricants", 0x80000000),
        ("AaAaAa", 1952508096),
        ("BBBBBB", 1952508096),
    ],
)
def test_strings_hash_as_in_java(text: str, value: int) -> None:
    assert string_hash(text) == value


def test_characters_beyond_the_basic_plane_count_as_two() -> None:
    assert string_hash("\U0001f600") == (31 * 0xD83D + 0xDE00) % 2**32


def test_a_letter_is_in_the_bucket_of_the_last_four_bits_of_its_code() -> None:
    assert hash_order(["v", "t", "i"]) == ["t", "v", "i"]  # 0x76, 0x74, 0x69


def test_names_of_one_hash_stay_in_the_order_of_their_making() -> None:
    assert hash_order(["BB", "Aa"]) == ["BB", "Aa"]
    assert hash_order(["Aa", "BB"]) == ["Aa", "BB"]


def test_the_map_grows_with_its_13th_key() -> None:
    # "p" hashes to 112: bucket 0 of 16, bucket 16 of 32; "a" (97) is in bucket 1 of both.
    twelve = ["p", *"abcdefghijk"]
    assert hash_order(twelve)[0] == "p"
    thirteen = [*twelve, "l"]
    assert hash_order(thirteen)[-1] == "p"


@given(st.lists(st.text(max_size=12), max_size=40))
def test_every_key_comes_once(keys: list[str]) -> None:
    assert sorted(hash_order(keys)) == sorted(set(keys))
