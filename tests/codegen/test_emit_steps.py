"""Generated text of the reference's order of steps: the same bytes, and only our own names."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys

import lemsmith
import numpy as np
import pytest
import small_models
from lemsmith.codegen.emit import emit
from lemsmith.codegen.emit_numpy_steps import emit_numpy_steps
from lemsmith.codegen.program import (
    AdvanceList,
    Function,
    Layout,
    Program,
    RecordedColumn,
    RecordedPort,
)
from lemsmith.converter.expressions import parse
from lemsmith.converter.network import Advance, Assign, Emit
from lemsmith.runner.build import build
from lemsmith.runner.native import NativeRun
from lemsmith.runner.numpy_run import NumpyRun
from lemsmith.runner.pipeline import translate
from lemsmith.runner.request import made
from usable import unusable

TEXTS = {
    backend: f"import sys, small_models\n"
    f"from lemsmith.runner.pipeline import translate\n"
    f"from lemsmith.runner.request import made\n"
    f"plan, _ = translate(made(small_models.NETWORKS[sys.argv[1]], method='jlems', "
    f"backend={backend!r}))\n"
    f"sys.stdout.write(plan.text)\n"
    for backend in ("cpp", "numpy")
}

#: Names that would end a comment, a string or a line, or are words of a language.
HOSTILE = (
    'p"; system("x\n#include </etc/passwd>',
    "*/ int main() {} /*",
    "lambda",
    "a b",
    "a_b",
    "x\u2028é\0",
    "__import__('os')",
    "{% raw %}{{ 7 * 7 }}",
)

CELL_MODEL = """<Lems>
<Target component="sim"/>
<Include file="Simulation.xml"/>
<ComponentType name='de"cay'>
  <Parameter name="tau" dimension="time"/>
  <Exposure name="lambda" dimension="none"/><Exposure name="double" dimension="none"/>
  <EventPort name="in" direction="out"/>
  <Dynamics>
    <StateVariable name="lambda" dimension="none" exposure="lambda"/>
    <StateVariable name="double" dimension="none" exposure="double"/>
    <StateVariable name="i" dimension="none"/>
    <OnStart><StateAssignment variable="lambda" value="1"/></OnStart>
    <TimeDerivative variable="lambda" value="-lambda / tau"/>
    <TimeDerivative variable="double" value="-(double - lambda) / tau"/>
    <OnCondition test="i .lt. 1"><StateAssignment variable="i" value="2"/>
      <EventOut port="in"/></OnCondition>
  </Dynamics>
</ComponentType>
<ComponentType name="box"><Children name="while" type='de"cay'/></ComponentType>
<Component id="n&#10;#include &lt;x&gt;" type="box">
  <Component id="a b" type='de"cay' tau="2 ms"/>
  <Component id="a_b" type='de"cay' tau="3 ms"/>
  <Component id="*/;import os;os.system('y')" type='de"cay' tau="4 ms"/>
</Component>
<Simulation id="sim" length="1ms" step="0.1ms" target="n&#10;#include &lt;x&gt;">
  <OutputFile id="of" fileName="out.dat">
    <OutputColumn id="x" quantity="a b/lambda"/><OutputColumn id="y" quantity="a_b/double"/>
  </OutputFile>
  <EventOutputFile id="ev" fileName="o.spikes" format="TIME_ID">
    <EventSelection id="0" select="a_b" eventPort="in"/>
    <EventSelection id="1" select="a b" eventPort="in"/>
  </EventOutputFile>
</Simulation>
</Lems>"""


def program_of(name, backend="cpp"):
    return translate(made(small_models.NETWORKS[name], method="jlems", backend=backend))[0].program


def hostile_program():
    """Return a program in which everything that has a name has a hostile one."""
    names = HOSTILE
    layouts = [
        Layout(
            name=name,
            size=2 if n else 1,
            component=name,
            parent=None,
            variables={other: np.full(2 if n else 1, 0.5) for other in names[:4]},
            parameters={other: np.full(2 if n else 1, 2.0) for other in names[4:]},
            indices={},
            reads={},
            labels={},
            checked=names[:2],
        )
        for n, name in enumerate(names)
    ]
    body = tuple(Assign(name, parse("dt + t")) for name in names[:4])
    heard = (*body, *(Emit(name) for name in names))
    functions = [
        Function(f"advance {name}", name, heard if name == names[2] else body) for name in names[1:]
    ]
    root = Function(
        f"advance {names[0]}",
        names[0],
        (*body, *(Advance((f"l{n}",)) for n in range(len(names) - 1))),
    )
    return Program(
        schedule="steps",
        layouts=tuple(layouts),
        functions=(root, *functions),
        advance_lists=tuple(
            AdvanceList(f"l{n}", names[0], (name,), np.array([0, 2]), None, np.array([0, 1]))
            for n, name in enumerate(names[1:])
        ),
        collect_lists=(),
        deliveries=(),
        columns=tuple(RecordedColumn(n, n, names[2], n, 1, None) for n in names[:4]),
        ports=tuple(RecordedPort(n, n, names[2], n, 1) for n in names),
        step=0.25,
        steps=4,
        seed=1,
        root=names[0],
    )


@pytest.mark.parametrize("language", TEXTS)
@pytest.mark.parametrize("name", ["events later", "generators"])
def test_the_same_program_gives_the_same_bytes_whatever_the_order_of_hashes(language, name):
    def text(seed):
        return subprocess.run(
            [sys.executable, "-c", TEXTS[language], name],
            env={
                "PYTHONHASHSEED": seed,
                "PYTHONPATH": os.pathsep.join(sys.path),
            },
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    assert text("1") == text("2")
    assert len(text("1")) > 1000


def test_both_names_and_order_come_from_the_program_alone():
    program = program_of("conditions")
    assert emit(program, "cpp", "m") == emit(program, "cpp", "m")
    assert emit(program, "numpy", "m") == emit(program, "numpy", "m")


@pytest.mark.parametrize("backend", ["cpp", "numpy"])
@pytest.mark.parametrize(
    "source", ["a\nint main() { evil(); }", "/etc/*/ evil(); /*", 'x" evil()', "\\\nevil()"]
)
def test_a_file_s_name_stays_inside_the_comment_of_the_first_line(backend, source):
    text, _ = emit(program_of("conditions"), backend, source)
    first, *rest = text.splitlines()
    assert first.startswith(("//", "#"))
    assert re.fullmatch(r"[A-Za-z0-9_. :'/#-]+", first)
    assert "evil" not in "\n".join(rest)


@pytest.mark.parametrize("batch", [1, 10**9])
def test_hostile_names_never_reach_python(batch):
    program = hostile_program()
    text, names = emit_numpy_steps(program, "m", batch)
    assert all(ord(letter) < 128 for letter in text)
    called = {
        node.func.id
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not any("import" in name and "(" in name for name in called)
    assert not re.search(r"system\(|include <|__import__\(|7 \* 7", text)
    run = NumpyRun(program, text, names, 0)
    rows = np.empty((4, 4))
    assert run.advance(4, rows) == 4
    assert rows[:, 0].tolist() == [0.5, 0.75, 1.0, 1.25]
    assert [len(times) for times in run.events()] == [4] * len(HOSTILE)


@pytest.mark.skipif(unusable("cpp") is not None, reason=str(unusable("cpp")))
def test_hostile_names_never_reach_c():
    program = hostile_program()
    text, names = emit(program, "cpp", "m")
    assert all(ord(letter) < 128 for letter in text)
    assert not re.search(r"system\(|include </etc|__import__\(|7 \* 7", text)
    run = NativeRun(program, build(text), names, 0)
    rows = np.empty((4, 4))
    assert run.advance(4, rows) == 4
    assert rows[:, 0].tolist() == [0.5, 0.75, 1.0, 1.25]
    assert [len(times) for times in run.events()] == [4] * len(HOSTILE)


def test_a_model_whose_ids_are_code_runs_as_any_other(backend):
    recording = lemsmith.run(CELL_MODEL, method="jlems", backend=backend)
    assert recording["a b/lambda"][-1] == pytest.approx(0.95**10)
    assert [train.times.tolist() for train in recording.events] == [[1e-4], [1e-4]]


def test_a_population_of_one_is_written_over_plain_floats():
    text, _ = emit_numpy_steps(program_of("conditions"), "m")
    one = text.split("def advance_p0_net(i)")[1].split("def ")[0]
    assert "np." not in one
