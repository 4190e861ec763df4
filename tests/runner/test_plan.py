"""Plans are kept between runs, and only as long as they are what would be made."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import small_models
from lemsmith.runner import build as building
from lemsmith.runner import plan as plans
from lemsmith.runner.pipeline import run, translate
from lemsmith.runner.plan import recalled, remember
from lemsmith.runner.request import made

TEXT = small_models.NETWORKS["conditions"]
PART = '<Lems><ComponentType name="thing"/></Lems>'


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache of the test's own."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("LEMSMITH_CACHE", str(folder))
    return folder


@pytest.fixture
def model(tmp_path):
    """A model file that includes another."""
    (tmp_path / "part.xml").write_text(PART)
    path = tmp_path / "model.xml"
    path.write_text(TEXT.replace("<Lems>", '<Lems><Include file="part.xml"/>', 1))
    return path


def kept(request):
    """Translate, remember and return the plan."""
    plan, files = translate(request)
    remember(request, plan, files)
    return plan


def request_of(source, **options):
    return made(source, method="jlems", backend="numpy", **options)


def plan_file(cache):
    return next(cache.glob("*.plan"))


def test_nothing_is_recalled_before_it_was_kept(model):
    assert recalled(request_of(model)) is None


def test_a_kept_plan_is_recalled_as_it_was(model):
    request = request_of(model)
    plan = kept(request)
    again = recalled(request)
    assert again.text == plan.text
    assert again.buffers == plan.buffers
    assert again.random_state == plan.random_state
    assert again.units == plan.units
    for one, other in zip(again.program.layouts, plan.program.layouts, strict=True):
        assert all(np.array_equal(one.variables[n], other.variables[n]) for n in other.variables)


@pytest.mark.parametrize(
    "options", [{"seed": 3}, {"step": 1e-5}, {"length": 1e-3}, {"overrides": {"osc/x": "1"}}]
)
def test_another_request_has_another_plan(model, options):
    kept(request_of(model))
    assert recalled(request_of(model, **options)) is None


def test_another_backend_has_another_plan(model):
    kept(request_of(model))
    assert recalled(made(model, method="jlems", backend="cpp")) is None


def test_the_number_of_threads_makes_no_other_plan(model):
    kept(request_of(model))
    assert recalled(request_of(model, threads=2)) is not None


def test_the_same_file_by_another_way_has_the_same_plan(model, monkeypatch):
    kept(request_of(model))
    monkeypatch.chdir(model.parent)
    assert recalled(request_of("model.xml")) is not None


@pytest.mark.parametrize("name", ["model.xml", "part.xml"])
def test_a_changed_file_is_translated_anew(model, name):
    request = request_of(model)
    kept(request)
    path = model.parent / name
    path.write_text(path.read_text() + " ")
    assert recalled(request) is None


def test_a_removed_file_is_looked_for_anew(model):
    request = request_of(model)
    kept(request)
    (model.parent / "part.xml").unlink()
    assert recalled(request) is None


def test_a_new_file_that_an_include_would_find_first_is_read(tmp_path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "part.xml").write_text(PART)
    (tmp_path / "inner" / "more.xml").write_text('<Lems><Include file="part.xml"/></Lems>')
    path = tmp_path / "model.xml"
    path.write_text(TEXT.replace("<Lems>", '<Lems><Include file="inner/more.xml"/>', 1))
    request = request_of(path)
    kept(request)
    assert recalled(request) is not None
    (tmp_path / "inner" / "part.xml").write_text(PART)
    assert recalled(request) is None


def test_a_new_file_of_an_official_name_beside_the_model_is_read(model):
    request = request_of(model)
    kept(request)
    (model.parent / "Simulation.xml").write_text(PART)
    assert recalled(request) is None


def test_another_version_of_lemsmith_translates_anew(model, monkeypatch):
    request = request_of(model)
    kept(request)
    monkeypatch.setattr(plans, "package_digest", lambda: "another")
    assert recalled(request) is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda content: content[:20],
        lambda content: content[:-1],
        lambda content: content[:1000] + bytes([content[1000] ^ 1]) + content[1001:],
        lambda _: b"not a plan" * 100,
    ],
    ids=["empty", "hash alone", "cut short", "changed", "something else"],
)
def test_a_damaged_plan_is_made_again(model, cache, damage):
    request = request_of(model)
    kept(request)
    path = plan_file(cache)
    path.write_bytes(damage(path.read_bytes()))
    assert recalled(request) is None
    assert len(run(model, method="jlems", backend="numpy", length="1 ms")) == 11


def test_a_text_s_plan_belongs_to_the_folder_that_its_includes_are_read_from(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    request = request_of(TEXT)
    kept(request)
    assert recalled(request) is not None
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert recalled(request) is None


def test_relative_folders_of_includes_belong_to_the_current_one(model, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    request = request_of(model, include_dirs=["."])
    kept(request)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert recalled(request) is None


def test_plans_are_bounded_in_size_and_the_oldest_go_first(model, cache, monkeypatch):
    kept(request_of(model))
    old = plan_file(cache)
    os.utime(old, (1, 1))
    monkeypatch.setattr(building, "CACHE_LIMIT", old.stat().st_size + 1000)
    kept(request_of(model, seed=9))
    assert not old.exists()
    assert recalled(request_of(model, seed=9)) is not None


def test_a_cache_that_cannot_be_written_is_no_fault(model, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LEMSMITH_CACHE", str(tmp_path / "file" / "cache"))
    assert len(run(model, method="jlems", backend="numpy", length="1 ms")) == 11


def test_nothing_but_finished_plans_stays_in_the_cache(model, cache):
    kept(request_of(model))
    assert [path.suffix for path in cache.iterdir()] == [".plan"]


def test_a_model_seen_before_runs_without_the_compiling_half(model, cache):
    kept(request_of(model))
    program = (
        "import sys, lemsmith\n"
        "lemsmith.run(sys.argv[1], method='jlems', backend='numpy')\n"
        "print(sorted({'sympy', 'lxml', 'jinja2', 'pycuda'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(model)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
