"""Recorded columns are loops, whichever instances they are of and wherever they go."""

import numpy as np
import pytest
from lemsmith import run
from lemsmith.codegen.recorded_columns import Column, column_loop

CELLS = 6

MODEL = """<Lems><Target component="sim"/>
<Include file="Cells.xml"/><Include file="Networks.xml"/><Include file="Simulation.xml"/>
<network id="net"><population id="cells" component="fn" size="6"/></network>
<fitzHughNagumoCell id="fn" I="{current}"/>
<Simulation id="sim" length="5ms" step="0.1ms" target="net"><OutputFile id="o" fileName="o.dat">
{columns}</OutputFile></Simulation></Lems>"""


def model(instances, states=("V",)):
    columns = "".join(
        f'<OutputColumn id="{state}{n}_{i}" quantity="cells[{i}]/{state}"/>'
        for n, i in enumerate(instances)
        for state in states
    )
    return MODEL.format(current=0.8, columns=columns)


def text_of(instances, columns):
    column = Column("cells", "v", instances, columns)
    return column_loop(column, "m.v[{}]".format, lambda _: "")


def test_one_column_is_one_line():
    assert text_of((3,), (7,)) == ["row[7] = (double)m.v[3];"]


def test_columns_in_step_need_no_table():
    assert "row[(4 + j * 2)] = (double)m.v[(9 + j * -1)];" in text_of((9, 8, 7), (4, 6, 8))[1]


def test_columns_out_of_step_are_looked_up():
    assert any("at[] = {5, 0, 2}" in line for line in text_of((5, 0, 2), (0, 1, 2)))


def test_a_thousand_columns_are_no_longer_than_ten():
    thousand, ten = (len(text_of(tuple(range(n)), tuple(range(n)))) for n in (1000, 10))
    assert thousand == ten


@pytest.mark.parametrize("method", ["default", "jlems"])
@pytest.mark.parametrize("instances", [(4, 1, 5, 0), (0, 1, 2, 3, 4, 5), (5, 3, 1), (2, 2)])
def test_every_column_holds_its_own_instance(method, instances):
    # Cell i is the i-th of the batch, so no two cells agree.
    currents = np.linspace(0.5, 1.5, CELLS)
    varied = {"fn/I": currents} if method == "default" else {}
    found = run(model(instances, ("V", "W")), method=method, varied=varied)
    alone = {i: run(model((i,), ("V", "W")), method=method, varied=varied) for i in set(instances)}
    for n, i in enumerate(instances):
        for state in ("V", "W"):
            assert np.array_equal(found[f"cells[{i}]/{state}"], alone[i][f"cells[{i}]/{state}"]), (
                n,
                i,
                state,
            )
