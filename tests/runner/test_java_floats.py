"""Float.toString, as the reference prints."""

import gzip
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lemsmith.runner.java_floats import _exact, java_floats, text_of

SHARED = Path(__file__).parents[2].parent / "shared" / "reference" / "jneuroml"
FLOATS = st.floats(width=32, allow_subnormal=True)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (1.0, "1.0"),
        (100.0, "100.0"),
        (0.001, "0.001"),
        (0.0009999, "9.999E-4"),
        (1e-4, "1.0E-4"),
        (1.5e-4, "1.5E-4"),
        (5e-6, "5.0E-6"),
        (-0.06999667, "-0.06999667"),
        (9999999.0, "9999999.0"),
        (1e7, "1.0E7"),
        (12345678.0, "1.2345678E7"),
        (1e10, "1.0E10"),
        (3.4028235e38, "3.4028235E38"),
        (1.17549435e-38, "1.1754944E-38"),
        (1e-45, "1.4E-45"),
        (1e39, "Infinity"),
        (-1e39, "-Infinity"),
        (float("nan"), "NaN"),
        (1e-60, "0.0"),
        (0.1 + 0.2, "0.3"),
    ],
)
def test_a_value_prints_as_java_prints_it(value, text):
    assert java_floats([value]) == [text]


@given(st.lists(FLOATS, min_size=1))
def test_every_text_reads_back_as_the_same_float(values):
    values = np.array(values, dtype=np.float32)
    back = np.array(java_floats(values.astype(float)), dtype=np.float32)
    assert np.array_equal(values, back, equal_nan=True)


def test_whole_arrays_print_as_the_exact_algorithm_does_value_by_value():
    random = np.random.default_rng(7)
    patterns = random.integers(0, 0x7F800000, 20000, dtype=np.uint32).view(np.float32)
    usual = (random.normal(size=20000) * 0.07).astype(np.float32)
    grid = (np.arange(20000) * 2.5e-5).astype(np.float32)
    whole = np.arange(0, 10**8, 4999).astype(np.float32)
    few_bits = np.arange(1, 300, dtype=np.uint32).view(np.float32)
    powers = (np.arange(1, 255, dtype=np.uint32) << 23).view(np.float32)
    values = np.concatenate(
        [patterns, usual, grid, whole, few_bits, powers, powers + np.spacing(powers)]
    )
    expected = [_exact(value) if value else "0.0" for value in np.abs(values)]
    assert java_floats(np.abs(values).astype(float)) == expected


def test_cells_are_separated_and_rows_end_with_a_separator():
    assert text_of(np.array([[0.0, 1.0], [2.0, -3.0]])) == b"0.0\t1.0\t\n2.0\t-3.0\t\n"


def test_an_empty_table_is_empty_text():
    assert text_of(np.zeros((0, 3))) == b""


@pytest.mark.skipif(not SHARED.is_dir(), reason="the reference's files are not here")
def test_the_references_own_files_are_reproduced_byte_for_byte():
    compared = 0
    for path in sorted(SHARED.glob("nml2__LEMS_NML2_Ex*/*.dat.gz")):
        text = gzip.decompress(path.read_bytes())
        text = b"".join(text.splitlines(keepends=True)[:5000])
        if not re.match(rb"\S+\t(\S+\t)+\n", text):
            continue  # a stored file may have been thinned and rewritten
        table = np.loadtxt(text.decode().splitlines(), ndmin=2)
        assert text_of(table) == text, path.name
        compared += table.size
    assert compared > 500_000
