"""Sums in runs are the sums of the list, term by term."""

from __future__ import annotations

import numpy as np
import pytest
from lemsmith.codegen.attached_runs import in_runs, runs_of
from lemsmith.codegen.program import CollectList


def listed(parents_of_parts, owners):
    """Return the list of parts whose instances hang on the owners given, part after part."""
    parents = np.concatenate([np.asarray(p, np.int64) for p in parents_of_parts])
    which = np.concatenate([np.full(len(p), n, np.int32) for n, p in enumerate(parents_of_parts)])
    entries = np.concatenate([np.arange(len(p)) for p in parents_of_parts])
    order = np.lexsort((entries, which, parents))
    starts = np.concatenate([[0], np.cumsum(np.bincount(parents, minlength=owners))])
    parts = tuple((f"part{n}", "i") for n in range(len(parents_of_parts)))
    return CollectList("c", "owner", parts, starts, which[order], entries[order])


def added(runs, values, owners):
    """Add up runs as the generated code does."""
    sums = np.zeros(owners)
    for part, of in enumerate(values):
        for owner, entry, length in runs.table[runs.bounds[part] : runs.bounds[part + 1]]:
            sums[owner : owner + length] += of[entry : entry + length]
    return sums


@pytest.mark.parametrize("seed", range(20))
def test_runs_add_the_same_terms_in_the_same_order(seed):
    random = np.random.default_rng(seed)
    owners = int(random.integers(1, 40))
    parts = [
        np.sort(random.integers(0, owners, random.integers(0, 60)))
        if random.random() < 0.5
        else np.arange(*np.sort(random.integers(0, owners + 1, 2)))
        for _ in range(4)
    ]
    made = listed(parts, owners)
    values = [random.normal(size=len(p)) * 10.0 ** random.integers(-8, 8) for p in parts]
    expected = np.zeros(owners)
    for owner in range(owners):
        for k in range(made.starts[owner], made.starts[owner + 1]):
            expected[owner] += values[made.which[k]][made.entries[k]]
    runs = in_runs(made)
    assert runs is not None
    assert np.array_equal(added(runs, values, owners), expected)


def test_a_list_whose_terms_do_not_go_by_parts_has_no_runs():
    starts, which = np.array([0, 3]), np.array([0, 1, 0], np.int32)
    made = CollectList("c", "o", (("a", "i"), ("b", "i")), starts, which, np.array([0, 0, 1]))
    assert in_runs(made) is None


def test_runs_are_for_stretches_and_not_for_scattered_entries():
    stretches = listed([np.arange(500), np.arange(200, 400)], 600)
    scattered = listed([np.repeat(np.arange(600), 5)], 600)
    assert runs_of(stretches) is not None
    assert runs_of(scattered) is None
