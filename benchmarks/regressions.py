"""Our own times from one change to the next: `make regressions`.

    pytest -o pythonpath=benchmarks benchmarks/regressions.py --benchmark-compare

Needs `lemsmith[bench]` (pytest-benchmark). Every run is kept in .benchmarks and held against the
one before: a least CPU time a quarter above it fails. Models are made here, so that nothing
beside the project is needed; the first group is the way from text to program, the second the time
loop on one thread, without the compiler.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import made_models
import numpy as np
import pytest
from lemsmith.runner import pipeline
from lemsmith.runner.backends import backend
from lemsmith.runner.request import made

ROOT = Path(__file__).parents[1]

#: Models by name: how they are made, and the model time of a round, s.
MODELS: dict[str, tuple[Callable[[], str], float]] = {
    "1,000 Hodgkin-Huxley cells": (lambda: made_models.hh(1000), 20e-3),
    "1,000 Izhikevich cells in a ring": (lambda: made_models.izhikevich(1000), 100e-3),
    "COBAHH, 1,000 cells of 80 synapses": (lambda: made_models.cobahh(1000, 80), 20e-3),
    "20 cells of 100 compartments": (lambda: made_models.cables(20), 20e-3),
}


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, float]:
    """Return the file of a model and the model time of a round, s."""
    write, length = MODELS[request.param]
    file = tmp_path / "model.xml"
    file.write_text(write(), encoding="utf-8")
    return file, length


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEMSMITH_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("method", ["default", "jlems"])
@pytest.mark.benchmark(group="from text to program")
def test_a_model_is_translated(benchmark: Any, method: str) -> None:
    """The squid axon of the project's models, nothing of it kept from round to round."""
    file = ROOT / "models/LEMS_hh.xml"
    benchmark(lambda: pipeline.translate(made(file, method=method)))


@pytest.mark.benchmark(group="from text to program")
def test_a_network_is_translated(benchmark: Any, tmp_path: Path) -> None:
    """A network of 80,000 connections."""
    file = tmp_path / "model.xml"
    file.write_text(made_models.cobahh(1000, 80), encoding="utf-8")
    benchmark(lambda: pipeline.translate(made(file)))


@pytest.mark.benchmark(group="time loop")
def test_a_model_runs(benchmark: Any, model: tuple[Path, float]) -> None:
    """The time loop by the default method."""
    file, length = model
    request = made(file, length=length, threads=1)
    plan, _ = pipeline.translate(request)
    rows = np.empty((plan.program.steps, len(plan.program.columns)))

    def started() -> tuple[tuple[Any], dict[str, Any]]:
        running = backend("cpp").start(plan, request)
        running.initial_row()
        return (running,), {}

    def run(running: Any) -> None:
        running.advance(plan.program.steps, rows)

    benchmark.pedantic(run, setup=started, rounds=10)
    assert np.isfinite(rows).all()
