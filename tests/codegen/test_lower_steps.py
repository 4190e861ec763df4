"""Forward Euler in the reference's order, statement by statement."""

from __future__ import annotations

import numpy as np
import pytest
import small_models
from lemsmith.codegen.lower_steps import attached_order, step_count
from lemsmith.codegen.program import show_program
from lemsmith.converter.network import Advance, Assign, Collect, Emit, Integrate, When
from lemsmith.runner.pipeline import translate
from lemsmith.runner.request import made

MODEL = """<Lems>
<Target component="sim"/>
<Include file="Simulation.xml"/>
<ComponentType name="cell">
  <Exposure name="x" dimension="none"/><Exposure name="y" dimension="none"/>
  <EventPort name="out" direction="out"/>
  <Constant name="SEC" dimension="time" value="1s"/>
  <Dynamics{simultaneous}>
    <StateVariable name="x" dimension="none" exposure="x"/>
    <StateVariable name="y" dimension="none" exposure="y"/>
    {derivatives}
    <OnCondition test="x .gt. 3"><EventOut port="out"/></OnCondition>
  </Dynamics>
</ComponentType>
<cell id="c"/>
<Simulation id="sim" length="{length}" step="{step}" target="c" seed="5">
  <OutputFile id="of" fileName="out.dat"><OutputColumn id="x" quantity="x"/></OutputFile>
</Simulation>
</Lems>"""

TWO = (
    '<TimeDerivative variable="x" value="y / SEC"/><TimeDerivative variable="y" value="-x / SEC"/>'
)
DRAWN = '<TimeDerivative variable="x" value="(random(2) - random(1)) / SEC"/>'


def program_of(derivatives=TWO, simultaneous="", length="1s", step="0.1s"):
    text = MODEL.format(
        derivatives=derivatives, simultaneous=simultaneous, length=length, step=step
    )
    return translate(made(text, method="jlems"))[0].program


def body_of(program):
    return program.function("advance c").body


def everything(statements):
    for statement in statements:
        yield statement
        if isinstance(statement, When):
            yield from everything(statement.body)


@pytest.mark.parametrize(
    ("length", "step", "expected"),
    [(1e-3, 0.3e-3, 3), (1e-3, 1e-4, 10), (0.3, 1e-5, 30000), (0.25, 0.1, 3), (0.0, 0.1, 0)],
)
def test_steps_are_counted_as_the_reference_counts_them(length, step, expected):
    assert step_count(length, step) == expected


def test_all_derivatives_are_taken_from_the_same_state_before_any_update():
    assigned = [s.variable for s in body_of(program_of()) if isinstance(s, Assign)]
    rates = [name for name in assigned if name.startswith("d_")]
    assert rates == ["d_x", "d_y"]
    assert assigned.index("d_y") < assigned.index("x") < assigned.index("y")


def test_no_step_is_left_to_integrate():
    for model in small_models.NETWORKS.values():
        program = translate(made(model, method="jlems"))[0].program
        for function in program.functions:
            assert not [s for s in everything(function.body) if isinstance(s, Integrate)]


def test_simultaneous_dynamics_take_four_stages():
    program = program_of(simultaneous=' simultaneous="true"')
    shown = show_program(program)
    assert [f"k{stage}_x" in shown for stage in range(1, 6)] == [True] * 4 + [False]


def test_each_draw_is_a_statement_of_its_own_in_the_order_of_the_text():
    function = program_of(DRAWN).function("advance c")
    draws = [s for s in function.body if isinstance(s, Assign) and s.variable.startswith("draw")]
    assert [s.variable for s in draws] == ["draw", "draw_2"]
    assert {"draw", "draw_2"} <= set(function.locals)


def test_an_event_that_nobody_hears_is_not_sent():
    assert not [s for s in everything(body_of(program_of())) if isinstance(s, Emit)]


def test_what_is_attached_is_listed_in_order_of_attachment():
    program = translate(made(small_models.NETWORKS["events later"], method="jlems"))[0].program
    statements = program.function("advance pop").body
    advanced = next(s for s in statements if isinstance(s, Advance))
    collected = next(s for s in statements if isinstance(s, Collect))
    below = next(a for a in program.advance_lists if (a.name,) == advanced.populations)
    terms = next(c for c in program.collect_lists if c.name == collected.parts[0][0])
    assert below.starts[-1] == len(below.entries) == len(terms.entries)
    for name in below.populations:
        part = below.populations.index(name)
        assert np.array_equal(
            np.sort(below.entries[below.which == part]), np.arange(program.layout(name).size)
        )


def test_instances_are_ordered_by_owner_then_by_sequence():
    class Part:
        def __init__(self, parents, sequence):
            self.indices = {"parent": np.array(parents)}
            self.sequence = np.array(sequence)
            self.size = len(parents)

    class Owner:
        size = 3

    starts, which, entries = attached_order(
        Owner(), [Part([2, 0, 0], [0, 5, 1]), Part([0, 2], [3, 4])]
    )
    assert starts.tolist() == [0, 3, 3, 5]
    assert list(zip(which.tolist(), entries.tolist(), strict=True)) == [
        (0, 2),
        (1, 0),
        (0, 1),
        (0, 0),
        (1, 1),
    ]


def test_connections_are_sorted_by_source_and_keep_their_order():
    program = translate(made(small_models.NETWORKS["events later"], method="jlems"))[0].program
    for delivery in program.deliveries:
        assert delivery.starts[0] == 0
        assert delivery.starts[-1] == len(delivery.targets) == len(delivery.delays)
        assert len(delivery.starts) == program.layout(delivery.source).size + 1


def test_the_simulation_s_seed_and_step_are_the_program_s():
    program = program_of(step="0.25s")
    assert (program.seed, program.step, program.steps) == (5, 0.25, 4)
