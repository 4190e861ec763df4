"""The community's own tests of the official examples, met as OMV detects and compares.

Every experiment that some `.omt` asks of jNeuroML runs under method `jlems`, which takes
that engine's steps.
"""

from __future__ import annotations

import corpus
import pytest
from lemsmith.runner.validation.verify import verify

#: Per test how many observables it holds.
CHECKS = {
    "morphologies/.test.jnml.omt": 1,
    "test/.test.ex0.jnml.omt": 4,
    "test/.test.ex1.jnml.omt": 1,
    "test/.test.ex2.jnml.omt": 1,
    "test/.test.ex3.jnml.omt": 2,
    "test/.test.ex4.jnml.omt": 1,
    "test/.test.ex5.jnml.omt": 2,
    "test/.test.ex6.jnml.omt": 5,
    "test/.test.ex7.jnml.omt": 3,
    "test/.test.ex8.jnml.omt": 1,
    "test/.test.ex9.jnml.omt": 2,
    "test/.test.ex10.jnml.omt": 1,
    "test/.test.ex11.jnml.omt": 1,
    "test/.test.ex12.jnml.omt": 6,
    "test/.test.ex13.jnml.omt": 1,
    "test/.test.ex14.jnml.omt": 10,
    "test/.test.ex15.jnml.omt": 3,
    "test/.test.ex16.jnml.omt": 3,
    "test/.test.ex17.jnml.omt": 1,
    "test/.test.ex18.jnml.omt": 1,
    "test/.test.ex19.jnml.omt": 2,
    "test/.test.ex19a.jnml.omt": 2,
    "test/.test.ex20.jnml.omt": 1,
    "test/.test.ex20a.jnml.omt": 2,
    "test/.test.ex21.jnml.omt": 1,
    "test/.test.ex22.jnml.omt": 2,
    "test/.test.ex23.jnml.omt": 1,
    "test/.test.ex24.jnml.omt": 1,
    "test/.test.ex26.jnml.omt": 6,
    "test/.test.ex27.jnml.omt": 1,
}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(corpus.ABSENT is not None, reason=str(corpus.ABSENT)),
]


@pytest.fixture(scope="module")
def results():
    """Return the results of every test, by its path."""
    found = {}
    for result in verify([corpus.NEUROML2], "jNeuroML", jobs=1).results:
        found.setdefault(result.test.relative_to(corpus.EXAMPLES).as_posix(), []).append(result)
    return found


@pytest.mark.parametrize("test", CHECKS)
def test_what_jneuroml_should_give_we_give(results, test):
    assert [(r.status, r.message) for r in results[test] if r.status != "pass"] == []
    assert len(results[test]) == CHECKS[test]


def test_every_test_of_jneuroml_is_held(results):
    assert set(results) == set(CHECKS)


def test_our_deviation_is_that_of_jneuroml_itself(results):
    # Each tolerance was fitted to the deviation that the engine shows, so that a copy of its
    # steps comes to that very figure.
    findings = [
        result.finding
        for found in results.values()
        for result in found
        if result.observable == "spike times"
    ]
    assert len(findings) == 59
    for finding in findings:
        assert finding.deviation == pytest.approx(finding.tolerance, rel=1e-9, abs=1e-12)
