"""Mutants of the corpus give a model or named faults: the short run of `benchmarks/fuzz.py`."""

from __future__ import annotations

import os
import subprocess
import sys

import corpus
import pytest

#: Mutants that are tried; more at night. They start where the run by hand ended.
MUTANTS = int(os.environ.get("LEMSMITH_FUZZ", "150"))
FIRST = 200_000

pytestmark = pytest.mark.skipif(corpus.ABSENT is not None, reason=str(corpus.ABSENT))


def test_no_mutant_ends_in_a_traceback_a_hang_or_more_than_two_gigabytes():
    script = corpus.ROOT / "benchmarks" / "fuzz.py"
    # Models that take seconds by themselves are for the run by hand.
    slow = ("LEMS_c302_C_Full", "c302_C_Full.net")
    done = subprocess.run(
        [
            *(sys.executable, str(script), *map(str, corpus.COLLECTIONS)),
            *(f"--skip={name}" for name in slow),
            *(f"--from={FIRST}", f"--to={FIRST + MUTANTS}"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith(f"{MUTANTS} mutants of ")
