"""Mutants are made of right models, the same ones for the same seed."""

from __future__ import annotations

from mutants import mutant

TEXT = b'<Lems><a b="1" c="x"><d e="2 mV"/></a><a b="3"/></Lems>'


def test_a_seed_gives_one_mutant():
    assert all(mutant(TEXT, seed) == mutant(TEXT, seed) for seed in range(50))


def test_most_seeds_give_something_else():
    made = {mutant(TEXT, seed) for seed in range(500)}
    assert len(made) > 300


def test_any_bytes_can_be_changed():
    for text in (b"", b"<", b"\xff" * 10, b"a='b"):
        for seed in range(100):
            assert isinstance(mutant(text, seed), bytes)
