"""Compiled programs of schedule "steps": the C structure, states, events and faults."""

from __future__ import annotations

import ctypes
import gc

import lemsmith
import numpy as np
import pytest
import small_models
from lemsmith.codegen.random_numbers import JavaRandom
from lemsmith.errors import InternalError, NumericalError
from lemsmith.runner.backends import backend as backend_of
from lemsmith.runner.build import build
from lemsmith.runner.native import State, java_state
from lemsmith.runner.pipeline import translate
from lemsmith.runner.request import made
from usable import unusable

needs_compiler = pytest.mark.skipif(unusable("cpp") is not None, reason=str(unusable("cpp")))

CIRCLE = """<Lems>
<Target component="sim"/>
<Include file="Simulation.xml"/>
<ComponentType name="cell">
  <EventPort name="in" direction="in"/><EventPort name="out" direction="out"/>
  <Exposure name="n" dimension="none"/>
  <Dynamics>
    <StateVariable name="n" dimension="none" exposure="n"/>
    <OnCondition test="n .lt. 0.5"><StateAssignment variable="n" value="1"/>
      <EventOut port="out"/></OnCondition>
    <OnEvent port="in"><StateAssignment variable="n" value="n + 1"/>{sent}</OnEvent>
  </Dynamics>
</ComponentType>
<ComponentType name="wire">
  <Parameter name="delay" dimension="time"/><Path name="from"/><Path name="to"/>
  <Structure>
    <With instance="from" as="a"/><With instance="to" as="b"/>
    <EventConnection from="a" to="b" delay="delay"/>
  </Structure>
</ComponentType>
<ComponentType name="pair">
  <Children name="cells" type="cell"/><Children name="wires" type="wire"/>
</ComponentType>
<pair id="c"><cell id="a"/><cell id="b"/>
  <wire id="ab" from="a" to="b" delay="{delay}"/><wire id="ba" from="b" to="a" delay="{delay}"/>
</pair>
<Simulation id="sim" length="2ms" step="0.1ms" target="c">
  <OutputFile id="of" fileName="out.dat">
    <OutputColumn id="a" quantity="a/n"/><OutputColumn id="b" quantity="b/n"/></OutputFile>
  <EventOutputFile id="ev" fileName="out.spikes" format="ID_TIME">
    <EventSelection id="0" select="a" eventPort="out"/>
    <EventSelection id="1" select="b" eventPort="out"/></EventOutputFile>
</Simulation>
</Lems>"""


def started(text, name):
    request = made(text, method="jlems", backend=name)
    plan, _ = translate(request)
    return backend_of(name).start(plan, request), plan


def rows_of(plan, steps):
    return np.empty((steps, len(plan.program.columns)))


@needs_compiler
def test_python_and_c_agree_on_where_every_field_of_the_state_lies():
    names = [name for name, _ in State._fields_]
    text = (
        '#include "lemsmith_runtime.h"\n#include <stddef.h>\n'
        'extern "C" int64_t places(int64_t *out) {\n'
        + "\n".join(f"    out[{n}] = offsetof(LsState, {name});" for n, name in enumerate(names))
        + "\n    return sizeof(LsState);\n}\n"
    )
    library = ctypes.CDLL(str(build(text)))
    library.places.restype = ctypes.c_int64
    places = np.zeros(len(names), dtype=np.int64)
    size = library.places(ctypes.c_void_p(places.ctypes.data))
    assert size == ctypes.sizeof(State)
    assert places.tolist() == [getattr(State, name).offset for name in names]


def test_the_first_row_is_the_initial_state(backend):
    run, plan = started(small_models.NETWORKS["conditions"], backend)
    row = run.initial_row()
    for value, column in zip(row, plan.program.columns, strict=True):
        initial = plan.program.layout(column.population).variables[column.variable]
        assert value == initial[column.instance]


def test_chunks_of_steps_give_what_one_chunk_gives(backend):
    text = small_models.NETWORKS["events later"]
    whole, plan = started(text, backend)
    parts, _ = started(text, backend)
    rows, pieces = rows_of(plan, 60), rows_of(plan, 60)
    whole.advance(60, rows)
    for start, stop in ((0, 1), (1, 8), (8, 60)):
        assert parts.advance(stop - start, pieces[start:stop]) == stop - start
    assert np.array_equal(rows, pieces)
    assert whole.events() == parts.events()
    assert whole.time == parts.time


def test_a_run_goes_on_from_where_it_is_placed(backend):
    text = small_models.NETWORKS["conditions"]
    first, plan = started(text, backend)
    first.advance(30, rows_of(plan, 30))
    values, time = {k: v.copy() for k, v in first.variables.items()}, first.time
    expected = rows_of(plan, 30)
    first.advance(30, expected)
    second, _ = started(text, backend)
    second.advance(3, rows_of(plan, 3))
    second.place(values, time)
    found = rows_of(plan, 30)
    second.advance(30, found)
    assert np.array_equal(found, expected)
    assert second.time == first.time


def test_placing_a_run_drops_the_events_that_are_on_their_way(backend):
    run, plan = started(CIRCLE.format(sent="", delay="0.5 ms"), backend)
    run.advance(3, rows_of(plan, 3))
    run.place({}, run.time)
    rows = rows_of(plan, 10)
    run.advance(10, rows)
    assert rows[-1].tolist() == [1.0, 1.0]


def test_events_arrive_after_their_delay(backend):
    run, plan = started(CIRCLE.format(sent="", delay="0.5 ms"), backend)
    rows = rows_of(plan, 10)
    run.advance(10, rows)
    arrived = (rows[:, 0] > 1).argmax()
    assert arrived == 5
    assert run.events() == [[1e-4], [1e-4]]


def test_events_that_go_round_with_a_delay_go_on_for_ever(backend):
    run, plan = started(CIRCLE.format(sent='<EventOut port="out"/>', delay="0.3 ms"), backend)
    run.advance(20, rows_of(plan, 20))
    # While it delivers, the reference counts delays from the step before (semantics, rule 13).
    assert [len(times) for times in run.events()] == [10, 10]


def test_events_that_go_round_at_once_are_stopped(backend):
    with pytest.raises(NumericalError, match=r"round in a circle at t = 0\.0001 s"):
        lemsmith.run(
            CIRCLE.format(sent='<EventOut port="out"/>', delay="0 ms"),
            method="jlems",
            backend=backend,
        )


def test_the_message_names_the_instance_of_a_population(backend):
    run, plan = started(small_models.NETWORKS["conditions"], backend)
    x = next(key for key in run.variables if key[1] == "x")
    values = run.variables[x].copy()
    values[17] = np.inf
    run.place({x: values}, 0.5)
    with pytest.raises(
        NumericalError, match=r"'x' of osc \(instance 17 of pop\).* at t = 0\.5001 s"
    ):
        run.advance(1, rows_of(plan, 1))


@pytest.mark.parametrize("state", [-1, 1 << 48])
def test_a_generator_s_state_has_48_bits(state):
    generator = JavaRandom(1)
    generator.state = state
    with pytest.raises(InternalError):
        java_state(generator)


@pytest.mark.parametrize("delay", ["1e12 s", "1e300 s"])
def test_an_event_due_after_the_run_takes_no_room(backend, delay):
    recording = lemsmith.run(CIRCLE.format(sent="", delay=delay), backend=backend)
    assert recording["a/n"][-1] == 1


@needs_compiler
@pytest.mark.parametrize("backend", ["cpp", "cuda-on-host"])
def test_a_delay_too_long_for_the_memory_is_told_by_the_default_method_too(backend):
    request = made(CIRCLE.format(sent="", delay="9e7 s"), backend=backend, length="9.5e7 s")
    plan, _ = translate(request)
    with pytest.raises(NumericalError, match="no memory left for pending events"):
        backend_of(backend).start(plan, request).initial_row()
    gc.collect()  # what did not get its memory is given back, and nothing is lost by it
    assert lemsmith.run(CIRCLE.format(sent="", delay="0.3 ms"), backend=backend)["a/n"][-1] > 1
