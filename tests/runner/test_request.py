"""What a caller may ask for, and how a wrong request is told."""

from __future__ import annotations

import inspect
from pathlib import Path

import lemsmith
import numpy as np
import pytest
import small_models
from lemsmith.errors import UsageError
from lemsmith.runner.backends import BACKENDS as STARTED
from lemsmith.runner.request import BACKENDS, METHODS, Request, is_text, made, seconds


def test_a_plain_request_runs_the_model_as_it_is():
    request = made("model.xml")
    assert (request.backend, request.method) == ("cpp", "default")
    assert (request.step, request.length, request.seed, request.target) == (None,) * 4


def test_every_field_of_a_request_can_be_asked_for():
    assert set(inspect.signature(made).parameters) == set(Request.__dataclass_fields__)


def test_every_backend_that_can_be_asked_for_is_there():
    assert set(BACKENDS) == set(STARTED)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0.01 ms", 1e-5), ("0.01ms", 1e-5), ("3 s", 3.0), ("25us", 2.5e-5), (" 7 ns ", 7e-9)],
)
def test_a_time_is_a_number_with_a_unit(text, expected):
    assert seconds(text, "step", above=True) == pytest.approx(expected, rel=1e-15)


def test_a_time_without_a_unit_is_seconds_where_it_is_a_number():
    assert seconds(0.25, "step", above=True) == 0.25
    assert seconds(None, "step", above=True) is None


@pytest.mark.parametrize("text", ["5", "0.1 parsecs", "1 mV", "", "ms", "1e400 s", "nan s"])
def test_a_text_that_is_no_time_is_refused_with_an_example(text):
    with pytest.raises(UsageError, match="--step"):
        seconds(text, "step", above=True)


@pytest.mark.parametrize("value", [0.0, -1e-3, float("inf"), float("nan"), "0 ms", "-1 ms"])
def test_a_step_is_a_time_above_zero(value):
    with pytest.raises(UsageError, match="--step must be a time above zero"):
        made("model.xml", step=value)


def test_a_length_may_be_zero_and_nothing_below():
    assert made("model.xml", length=0).length == 0
    with pytest.raises(UsageError, match="--length must be a time from zero"):
        made("model.xml", length=-1.0)


@pytest.mark.parametrize(
    ("what", "wrong", "near"),
    [
        ("backend", "cp", "cpp"),
        ("backend", "numppy", "numpy"),
        ("method", "euller", "euler"),
        ("precision", "doubel", "double"),
        ("events", "exakt", "exact"),
    ],
)
def test_a_misspelt_choice_is_told_with_the_one_meant(what, wrong, near):
    with pytest.raises(UsageError) as caught:
        made("model.xml", **{what: wrong})
    assert f"no {what} is called {wrong!r}" in str(caught.value)
    assert f"did you mean {near!r}" in str(caught.value)


def test_every_method_is_listed_where_none_is_near():
    with pytest.raises(UsageError) as caught:
        made("model.xml", method="?")
    assert all(method in str(caught.value) for method in METHODS)


def test_there_is_at_least_one_thread():
    assert made("model.xml", threads=1).threads == 1
    with pytest.raises(UsageError, match="threads"):
        made("model.xml", threads=0)


def test_the_order_of_overrides_is_no_difference():
    one = made("m.xml", overrides={"a/b": "1", "c/d": "2"})
    assert one == made("m.xml", overrides={"c/d": "2", "a/b": "1"})


@pytest.mark.parametrize(
    "text", ["<Lems/>", "\ufeff<Lems/>", "\n  <?xml version='1.0'?><neuroml/>"]
)
def test_a_text_that_begins_with_a_tag_is_a_model(text):
    assert is_text(text)
    assert made(text).name == "model"


def test_anything_else_is_a_path():
    assert not is_text("model.xml")
    assert not is_text(Path("<odd>"))
    assert made(Path("folder/model.xml")).name == "folder/model.xml"


def test_folders_are_paths_however_they_are_given():
    request = made("m.xml", include_dirs=["a", Path("b")], confine="c")
    assert request.include_dirs == (Path("a"), Path("b"))
    assert request.confine == Path("c")


def test_an_option_that_does_not_exist_is_python_s_own_error():
    with pytest.raises(TypeError):
        lemsmith.run(small_models.NETWORKS["conditions"], stepp="1 ms")


def test_the_numpy_backend_runs_other_methods_than_the_reference_s_too():
    result = lemsmith.run(small_models.NETWORKS["conditions"], backend="numpy", method="euler")
    assert result.settings["method"] == "euler"


@pytest.mark.parametrize("backend", ["cuda", "cuda-on-host"])
def test_a_gpu_cannot_follow_the_reference_s_order(backend):
    with pytest.raises(UsageError, match="another method than jlems"):
        lemsmith.run(small_models.NETWORKS["conditions"], backend=backend, method="jlems")


def test_the_default_method_has_a_name_of_its_own():
    assert made("model.xml", method="structured") == made("model.xml")


@pytest.mark.parametrize("values", [1e-11, np.ones((2, 2)), ["8pF", "9pF"], "8pF", [1j, 2j]])
def test_what_varies_is_a_row_of_numbers(values):
    with pytest.raises(UsageError, match=r"cell/C: .*numbers"):
        made("model.xml", varied={"cell/C": values})
