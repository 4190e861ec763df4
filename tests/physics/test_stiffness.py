"""A step that is too long for a method is noticed, and a step that would do is named."""

from __future__ import annotations

import re
from pathlib import Path

import lemsmith
import pytest

HH = Path(__file__).parents[2] / "models" / "LEMS_hh.xml"


def test_a_step_that_is_too_long_is_told_with_one_that_would_do() -> None:
    try:
        told = str(lemsmith.run(HH, method="euler", step="0.2ms").settings["warnings"])
    except lemsmith.NumericalError as error:
        told = str(error)
    found = re.search(r"too long for '([^']*)'.* --step ([0-9.e-]+)ms would do", told)
    assert found is not None, told
    assert "q" in found[1] or "v" in found[1]
    recording = lemsmith.run(HH, method="euler", step=f"{float(found[2]) / 2:g}ms")
    assert "warnings" not in recording.settings


@pytest.mark.parametrize("method", ["euler", "rk4", "default"])
def test_a_step_that_does_is_not_warned_about(method: str) -> None:
    assert "warnings" not in lemsmith.run(HH, method=method, step="0.01ms").settings
