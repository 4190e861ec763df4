"""Instances are taken together only where nobody can tell the difference."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from lemsmith.codegen.batches import batches_of
from lemsmith.codegen.program import (
    AdvanceList,
    CollectList,
    Delivery,
    Function,
    Layout,
    Program,
)
from lemsmith.converter.expressions import Call, Name, parse
from lemsmith.converter.network import Advance, Assign, Collect, Emit, Read, Run, When

SIZE = 4


def layout(name, *, reads=None, indices=None):
    return Layout(
        name=name,
        size=1 if name == "root" else SIZE,
        component=name,
        parent=None,
        variables={v: np.zeros(1 if name == "root" else SIZE) for v in ("v", "w")},
        parameters={"p": np.ones(1 if name == "root" else SIZE)},
        indices=indices or {},
        reads=reads or {},
        labels={},
        checked=(),
    )


def advances(name, owner, population):
    owners = 1 if owner == "root" else SIZE
    per = SIZE // owners
    return AdvanceList(
        name, owner, (population,), np.arange(owners + 1) * per, None, np.arange(SIZE)
    )


def sends(name, source, target, delay=0.0, handler="in", port="spike"):
    return Delivery(
        name,
        source,
        port,
        target,
        handler,
        np.arange(SIZE + 1),
        np.arange(SIZE)[::-1],
        delays=np.full(SIZE, delay),
    )


STEP = Assign("v", parse("v + dt * p"))
SPIKE = When(parse("v .gt. 1"), (Assign("v", parse("0")), Emit("spike")))


def program(**changes):
    """Return cells with one synapse each, which `changes` make different."""
    given = {
        "cell": (STEP, Advance(("l1",)), Collect("w", (("c0", ""),), "add"), SPIKE),
        "synapse": (Assign("v", parse("v - dt * parent_v")),),
        "in": (Assign("v", parse("v + 1")),),
        "deliveries": (),
        "reads": {"parent_v": Read("cell", "v", "parent")},
        "indices": {"parent": np.arange(SIZE)},
        "cell_reads": {},
        "cell_indices": {},
        "locals": (),
    } | changes
    return Program(
        schedule="steps",
        layouts=(
            layout("root"),
            layout("cell", reads=given["cell_reads"], indices=given["cell_indices"]),
            layout("synapse", reads=given["reads"], indices=given["indices"]),
        ),
        functions=(
            Function("advance root", "root", (Advance(("l0",)),)),
            Function("advance cell", "cell", given["cell"], given["locals"]),
            Function("handle cell in", "cell", given["in"]),
            Function("advance synapse", "synapse", given["synapse"]),
            Function("handle synapse in", "synapse", given["in"]),
        ),
        advance_lists=(advances("l0", "root", "cell"), advances("l1", "cell", "synapse")),
        collect_lists=(
            CollectList(
                "c0", "cell", (("synapse", "v"),), np.arange(SIZE + 1), None, np.arange(SIZE)
            ),
        ),
        deliveries=given["deliveries"],
        columns=(),
        ports=(),
        step=0.1,
        steps=10,
        seed=1,
        root="root",
    )


def together(**changes):
    return "cell" in batches_of(program(**changes)).advance


def test_cells_that_mind_their_own_business_advance_together():
    assert together()


def test_events_that_arrive_later_keep_them_together():
    assert together(deliveries=(sends("d0", "cell", "synapse", 1e-3),))


@pytest.mark.parametrize("target", ["cell", "synapse"])
def test_an_event_at_once_to_one_another_parts_them(target):
    assert not together(deliveries=(sends("d0", "cell", target),))


def test_an_event_at_once_that_does_nothing_keeps_them_together():
    changes = {"deliveries": (sends("d0", "cell", "synapse"),), "in": ()}
    assert together(**changes)
    assert batches_of(program(**changes)).inert == {("cell", "in"), ("synapse", "in")}


def test_some_delays_of_zero_part_them():
    mixed = replace(sends("d0", "cell", "synapse"), delays=np.array([1e-3, 0.0, 1e-3, 1e-3]))
    assert not together(deliveries=(mixed,))


def test_reading_what_a_neighbour_writes_parts_them():
    reads = {"other_v": Read("cell", "v", "next")}
    assert not together(
        cell=(Assign("v", parse("v + dt * other_v")), Advance(("l1",))),
        cell_reads=reads,
        cell_indices={"next": np.roll(np.arange(SIZE), 1)},
    )


def test_reading_what_nobody_writes_keeps_them_together():
    assert together(
        cell=(Assign("v", parse("v + dt * other_p")), Advance(("l1",))),
        cell_reads={"other_p": Read("cell", "p", "next")},
        cell_indices={"next": np.roll(np.arange(SIZE), 1)},
    )


def test_a_synapse_that_reads_another_cell_parts_them():
    assert not together(indices={"parent": np.roll(np.arange(SIZE), 1)})


def test_random_numbers_are_drawn_in_order_one_by_one():
    assert not together(cell=(Assign("v", Call("draw", ())), Advance(("l1",))))


def test_a_local_that_crosses_into_a_condition_parts_them():
    assert not together(
        cell=(Assign("x", Name("v")), When(parse("v .gt. 0"), (Assign("v", Name("x")),))),
        locals=("x",),
    )


def test_a_handler_that_runs_itself_parts_them():
    assert not together(cell=(STEP, Run("in")), **{"in": (Run("in"),)})


def test_two_events_that_meet_at_one_target_part_them():
    cell = (STEP, SPIKE, When(parse("v .lt. 0"), (Emit("spike"),)))
    later = (sends("d0", "cell", "synapse", 1e-3),)
    assert not together(cell=cell, deliveries=later)
    assert together(cell=cell)


def test_terms_that_hang_below_another_owner_part_them():
    crossed = replace(program().collect_lists[0], entries=np.arange(SIZE)[::-1].copy())
    assert "cell" not in batches_of(replace(program(), collect_lists=(crossed,))).advance


def test_an_instance_that_advances_twice_parts_its_population():
    twice = replace(program().advance_lists[1], entries=np.zeros(SIZE, dtype=np.int64))
    lists = (program().advance_lists[0], twice)
    assert "cell" not in batches_of(replace(program(), advance_lists=lists)).advance


def test_a_handler_acts_on_many_where_it_touches_only_its_own():
    assert ("synapse", "in") in batches_of(program()).handlers


def test_a_handler_that_sends_on_acts_one_by_one():
    changes = {
        "in": (Assign("v", parse("v + 1")), Emit("spike")),
        "deliveries": (sends("d0", "synapse", "cell", 1e-3),),
    }
    handlers = batches_of(program(**changes)).handlers
    assert ("synapse", "in") not in handlers
    assert ("cell", "in") in handlers
