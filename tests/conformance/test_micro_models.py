"""The reference's micro-models, each of which isolates one rule of its behaviour."""

from __future__ import annotations

import corpus
import lemsmith
import numpy as np
import pytest
from lemsmith.runner.backends import BACKENDS
from lemsmith.runner.results import write_files

#: Model, rows and columns (time included) of what the reference gave.
RUN = {
    "m01_expr": (3, 23),
    "m02_timing": (7, 6),
    "m03_onstart": (3, 7),
    "m04_parentchild": (5, 4),
    "m05_events_dstfirst": (8, 22),
    "m05_events_srcfirst": (8, 22),
    "m06_regime": (9, 5),
    "m07_cdv": (5, 6),
    "m08_random": (7, 2),
    "m08_random_noseed": (7, 2),
    "m09_euler": (11, 4),
    "m09_simultaneous": (11, 4),
    "m10_reduce": (3, 6),
    "m11_offset": (2, 3),
    "m12_steps": (4, 2),
    "m13_precedence_bool": (2, 3),
    "m14_outoforder": (5, 4),
    "m15_expr2": (2, 13),
    "m17_fn_not": (2, 2),
    "m21_onconds": (7, 4),
}

#: Model, place of the fault (line, column) and what the message says. The reference refuses
#: all but m19, a dimension error that it only logs.
REFUSED = {
    "m16_eqand": ((5, 241), "'.and.' takes comparisons"),
    "m17_fn_floor": ((5, 160), "no function is called 'floor'"),
    "m17_fn_int": ((5, 160), "no function is called 'int'"),
    "m17_fn_log10": ((5, 160), "no function is called 'log10'"),
    "m17_fn_min": ((5, 160), "no function is called 'min'"),
    "m17_fn_mod": ((5, 162), "'%' cannot stand in an expression"),
    "m17_fn_pow": ((5, 160), "no function is called 'pow'"),
    "m18_nan": ((6, 1), "'a' of 'e' starts as NaN"),
    "m19_dimerr": ((5, 163), "'a' of 'F' has the dimension of V"),
    "m20_dimerr_deriv": ((5, 210), "the derivative of 'a' of 'F' has the dimension of V"),
}

pytestmark = pytest.mark.skipif(
    not corpus.MICRO.is_dir(), reason=f"the micro-models are not at {corpus.MICRO}"
)

BACKEND = pytest.mark.parametrize(
    "backend",
    [
        "cpp",
        pytest.param(
            "numpy",
            marks=pytest.mark.skipif(
                "numpy" not in BACKENDS, reason="the numpy backend is not there yet"
            ),
        ),
    ],
)


@BACKEND
@pytest.mark.parametrize("name", RUN)
def test_a_micro_model_gives_what_the_reference_gave(name, backend, tmp_path):
    recording = lemsmith.run(corpus.MICRO / f"{name}.xml", method="jlems", backend=backend)
    write_files(recording, tmp_path)
    reference = corpus.MICRO / "jnml" / f"{name}.dat"
    theirs = np.loadtxt(reference, ndmin=2).astype(np.float32)
    ours = np.loadtxt(tmp_path / f"{name}.dat", ndmin=2).astype(np.float32)
    assert theirs.shape == RUN[name]
    np.testing.assert_array_equal(ours, theirs)
    assert (tmp_path / f"{name}.dat").read_bytes() == reference.read_bytes()


@BACKEND
@pytest.mark.parametrize("name", ["m05_events_dstfirst", "m05_events_srcfirst"])
def test_a_micro_model_writes_the_references_events(name, backend, tmp_path):
    recording = lemsmith.run(corpus.MICRO / f"{name}.xml", method="jlems", backend=backend)
    write_files(recording, tmp_path)
    reference = corpus.MICRO / "jnml" / f"{name}.spikes"
    assert (tmp_path / "m05.spikes").read_bytes() == reference.read_bytes() == b"0.003\t0\n"


@pytest.mark.parametrize("name", REFUSED)
def test_a_micro_model_that_makes_no_sense_is_refused_with_its_place(name):
    (line, column), message = REFUSED[name]
    with pytest.raises(lemsmith.ModelError) as raised:
        lemsmith.run(corpus.MICRO / f"{name}.xml", method="jlems")
    fault = raised.value.faults[0]
    assert message in fault.message
    assert (fault.place.line, fault.place.column) == (line, column)


def test_every_micro_model_is_held():
    assert {path.stem for path in corpus.MICRO.glob("*.xml")} == {*RUN, *REFUSED}
