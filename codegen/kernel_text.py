"""The bodies of kernels, handlers and values as text, the same for C++ and CUDA.

What differs between the two is a `Dialect`: a few words. How loops run, how events are
exchanged and what a step does in which order is written by `emit_phases` and `emit_cuda`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..converter.expressions import (
    Choose,
)
from ..converter.network import Assign, Collect, Flow
from ..errors import InternalError
from .attached_runs import Runs, runs_of
from .kernel_names import loaded, local_name, stored, used_names
from .located import CROSSED
from .print_c import VECTOR, Printer, identifier, number
from .program import (
    BufferName,
    CollectList,
    Delivery,
    Flag,
    Function,
    Layout,
    Phase,
    Program,
    Propagate,
    Pull,
    narrow,
    sending_ports,
    slope_name,
)
from .templates import render
from .vector_printer import QUICK, VectorPrinter, truths_of


@dataclass(frozen=True, slots=True)
class Dialect:
    """What differs between the text of one backend and another."""

    #: Before a small function, before a large one, and before a short one of those that carry an
    #: instance through a step.
    inline: str
    called: str
    short: str
    #: How a function is told of buffers and time.
    model: str
    run: str
    #: What a kernel does where instance i of a population sends an event, what a function of
    #: one instance does in its step, and what a handler does.
    note: str
    send: str
    reply: str
    #: The type of the marks of instances that sent events.
    count: str
    #: What a kernel does where instance i must be carried through its step.
    crossed: str


CPP = Dialect(
    inline="inline",
    called="LS_RARE",
    short="LS_FN",
    model="Model &m",
    run="LsPhases &s",
    note="flag_{port}[i] += {condition};",
    send="ls_note(s, {number}, i, t);",
    reply="ls_note(s, {number}, i, t);",
    count="unsigned char",
    crossed="const Word mark = ({condition}) ? ~(Word)0 : (Word)0; hits[i - begin] = mark; "
    "hit |= mark;",
)

#: The functions that carry one instance through a step.
CARRYING = frozenset({"step", "tests", "act"})

#: The most characters of such a function's body that it is inlined with, in each of the two or
#: three places that it is called from; longer ones cost the compiler more than they win.
SHORT = 2500

#: The type of time, states, parameters and per-connection values by precision.
REALS = {"double": ("double", "double"), "single": ("float", "float"), "mixed": ("double", "float")}


#: What the solve of a cable reads and where it works.
CABLE_BUFFERS = (
    "order",
    "parent",
    "conductance",
    "capacitance",
    "junctions",
    "diagonal",
    "increment",
)


class KernelText:
    """Names, buffers and bodies of a program's functions in one dialect."""

    def __init__(self, program: Program, dialect: Dialect) -> None:
        self.program = program
        self.dialect = dialect
        self.real, self.small = REALS[program.precision]
        self.layouts = {layout.name: layout for layout in program.layouts}
        self.pop = {
            layout.name: f"p{n}_{identifier(layout.name)}"
            for n, layout in enumerate(program.layouts)
        }
        self.buffers: list[BufferName] = []
        self.fields: list[str] = []
        self.ports = {key: n for n, key in enumerate(sending_ports(program))}
        #: Bodies of the functions that carry one instance, by name.
        self.scalars: dict[str, list[str]] = {}
        #: The lists that kernels add up in runs.
        self.runs: dict[str, Runs] = {}
        if dialect is CPP:
            found = {c.name: runs_of(c) for c in program.collect_lists}
            self.runs = {name: runs for name, runs in found.items() if runs is not None}

    # --- names -----------------------------------------------------------------------------

    def variable(self, layout: Layout, name: str) -> str:
        """Return the C name of a stored variable or parameter."""
        return f"{self.pop[layout.name]}_{identifier(name)}"

    def kernel_name(self, function: Function) -> str:
        """Return the C name of a kernel."""
        return f"k{self.program.functions.index(function)}_{identifier(function.name)}"

    def handler_name(self, population: str, handler: str) -> str:
        """Return the C name of a handler."""
        return f"handle_{self.pop[population]}_{identifier(handler)}"

    def value_name(self, population: str, variable: str) -> str:
        """Return the C name of a derived variable's function."""
        return f"value_{self.pop[population]}_{identifier(variable)}"

    def value_at(self, population: str, variable: str, at: str) -> str:
        """Return the text of a value of instance `at`, as it is whenever it is asked for."""
        layout = self.layouts[population]
        if layout.derives(variable):
            return f"{self.value_name(population, variable)}(m, s, {at})"
        return f"m.{self.variable(layout, variable)}[{at}]"

    @property
    def taken(self) -> str:
        """The first parameters of every function."""
        return f"{self.dialect.model}, {self.dialect.run}"

    def c_type(self, buffer: BufferName) -> str:
        """Return the C type of a buffer's elements."""
        match buffer.kind, buffer.key:
            case "variable", _:
                return "real"
            case (("parameter" | "delivery_value"), _):
                return "const small"
            case "flags", _:
                return self.dialect.count
            case "draws", _:
                return "uint64_t"
            case "delivery", "delay_steps":
                return "const int32_t"
            case "delivery", "targets" if self.dialect is CPP:
                return "const uint16_t" if narrow(self.program, buffer.owner) else "const int32_t"
            case "delivery", "delays":
                return "const double"
            case (("delivery" | "list"), "starts"):
                return "const int64_t"
            case "port", _:
                return "const int64_t"
            case "cable", ("conductance" | "capacitance"):
                return "const real"
            case "cable", ("junctions" | "diagonal" | "increment"):
                return "real"
            case _:
                return "const int32_t"

    def collect_buffers(self) -> None:
        """List the buffers that the text takes, in order."""
        for layout in self.program.layouts:
            for name in layout.variables:
                self.buffer(self.variable(layout, name), "variable", layout.name, name)
            for name in layout.parameters:
                self.buffer(self.variable(layout, name), "parameter", layout.name, name)
            for name in layout.indices:
                self.buffer(
                    f"{self.pop[layout.name]}_at_{identifier(name)}", "index", layout.name, name
                )
            if layout.cable is not None:
                for key in CABLE_BUFFERS:
                    self.buffer(f"{self.pop[layout.name]}_cable_{key}", "cable", layout.name, key)
            if layout.draws:
                self.buffer(f"{self.pop[layout.name]}_draws", "draws", layout.name, "draws")
        for listed in self.program.collect_lists:
            for key in ("starts", "entries", *(("which",) if listed.which is not None else ())):
                self.buffer(f"{listed.name}_{key}", "list", listed.name, key)
            if listed.name in self.runs:
                self.buffer(f"{listed.name}_runs", "list", listed.name, "runs")
        for delivery in self.program.deliveries:
            assert delivery.delay_steps is not None
            keys = ["starts", "targets"]
            if self.program.exact_events:
                keys.append("delays")
            elif not uniform(delivery.delay_steps):
                keys.append("delay_steps")
            for key in keys:
                self.buffer(f"{delivery.name}_{key}", "delivery", delivery.name, key)
            for key in delivery.values:
                self.buffer(
                    f"{delivery.name}_{identifier(key)}", "delivery_value", delivery.name, key
                )
        crossing = [(p.name, CROSSED) for p in self.program.phases if p.kind == "locate"]
        if self.dialect is CPP:
            crossing = []  # marked in a block's own buffer
        for population, port in (*self.ports, *crossing):
            self.buffer(
                f"flags_{self.pop[population]}_{identifier(port)}", "flags", population, port
            )
        recorded = {(p.population, p.port) for p in self.program.ports}
        for population, port in sorted(recorded):
            self.buffer(
                f"recorded_{self.pop[population]}_{identifier(port)}", "port", population, port
            )

    def buffer(self, name: str, kind: str, owner: str, key: str) -> None:
        """Add one buffer."""
        made = BufferName(name, kind, owner, key)
        self.add_buffer(made, self.c_type(made))

    def add_buffer(self, made: BufferName, c_type: str) -> None:
        """Add one buffer of a given type."""
        self.buffers.append(made)
        self.fields.append(f"{c_type} *{made.name};")

    def cable_tree(self, layout: Layout) -> str:
        """Return the declaration of the tree of a population of compartments."""
        cable = layout.cable
        assert cable is not None
        at = f"m.{self.pop[layout.name]}_cable_"
        return (
            f"const LsTree tree = {{{cable.cells}, {len(cable.parent)}, "
            f"{len(cable.capacitance)}, {at}order, {at}parent}};"
        )

    def cable_arguments(self, layout: Layout, phase: Phase) -> str:
        """Return what a solve takes beside the tree."""
        cable = layout.cable
        assert cable is not None
        at = f"m.{self.pop[layout.name]}_cable_"
        names = (cable.current, slope_name(cable.current), cable.state)
        current, slope, v = (f"m.{self.variable(layout, name)}" for name in names)
        h, gain = ("dt / 2", 2) if phase.kind == "cable_half" else ("dt", 1)
        return (
            f"{h}, {gain}, {at}conductance, {at}capacitance, {current}, {slope}, {v}, "
            f"{at}junctions, {at}diagonal, {at}increment"
        )

    def locate_lines(self, population: str, fail: str, *, quiet: bool = False) -> list[str]:
        """Return what carries flagged instance i of a population through its step.

        `quiet`: where no condition of the time alone turns in the step.
        """
        layout = self.layouts[population]
        act = self.program.function(f"act {population}")
        states, tests = act.states, len(act.arguments)
        pop = self.pop[population]
        suffix = layout.ahead(states)
        loads = [f"x[{n}] = m.{self.variable(layout, s)}[i];" for n, s in enumerate(states)]
        stores = [
            f"m.{self.variable(layout, s + suffix)}[i] = (real)x[{n}];"
            for n, s in enumerate(states)
        ]
        return render(
            "locate.jinja",
            cell=f"{'Quiet' if quiet else 'Cell'}_{pop}",
            fail=fail,
            states=len(states),
            tests=len(self.quiet(population)) if quiet else tests,
            loads=loads,
            stores=stores,
            step=f"(double)(s.step + 1) * {number(self.program.step)} - s.t",
        ).splitlines()

    def cell_lines(self) -> list[str]:
        """Return what presents an instance of every population that is carried through steps."""
        lines: list[str] = []
        for act in (f for f in self.program.functions if f.kind == "act"):
            roles = self.program.function(f"tests {act.population}").roles
            every = list(range(len(roles)))
            quiet = self.quiet(act.population)
            text = render(
                "cell.jinja",
                pop=self.pop[act.population],
                model=self.dialect.model,
                run=self.dialect.run,
                # Inlined once, into what runs in most steps.
                member=self.dialect.called if quiet else "LS_MEMBER",
                tests=len(act.arguments),
                sets=_sets(roles, every),
                quiet=quiet,
                quiet_sets=_sets(roles, quiet),
            )
            lines += [*text.splitlines(), ""]
        return lines

    def quiet(self, population: str) -> list[int]:
        """Return the conditions of a population to look at where none of the time alone turns.

        There are none where that makes no difference, or where the functions are not inlined.
        """
        roles = self.program.function(f"tests {population}").roles
        other = [k for k, found in enumerate(roles) if "timed" not in found]
        functions = [self.program.function(f"{kind} {population}") for kind in CARRYING]
        if len(other) == len(roles) or self.dialect.short == self.dialect.called:
            return []
        return other if all(self.inlined(function) for function in functions) else []

    def inlined(self, function: Function) -> bool:
        """Tell whether a function that carries an instance is short enough to be inlined."""
        if self.dialect.short == self.dialect.called:
            return False
        lines = self.scalar_lines(function, self.layouts[function.population])
        return sum(len(line) for line in lines if not line.startswith("(void)")) <= SHORT

    # --- functions ---

    def function(self, function: Function) -> dict[str, object]:
        """Return head and lines of a function of one instance, not a kernel."""
        layout = self.layouts[function.population]
        _, _, rest = function.name.partition(" ")
        if function.kind in CARRYING:
            return self.scalar(function, layout)
        if function.kind == "handler":
            handler = rest[len(function.population) + 1 :]
            head = f"{self.dialect.inline} void {self.handler_name(function.population, handler)}"
            extra = "".join(f", const real {local_name(a)}" for a in function.arguments)
            lines = self.lines(function, layout, kernel=False)
            return {
                "head": f"{head}({self.taken}, const int64_t i{extra})",
                "lines": ["const real t = (real)s.t;", "(void)t;", "(void)m;", "(void)i;", *lines],
            }
        variable = rest[len(function.population) + 1 :]
        head = f"{self.dialect.inline} real {self.value_name(function.population, variable)}"
        lines = self.lines(function, layout, kernel=False)
        return {
            "head": f"{head}({self.taken}, const int64_t i)",
            "lines": [
                "const real t = (real)s.t;",
                "(void)t;",
                "(void)m;",
                "(void)i;",
                *lines,
                f"return {self.printer(function, layout, kernel=False).load(function.result)};",
            ],
        }

    def scalar(self, function: Function, layout: Layout) -> dict[str, object]:
        """Return a function from states x to results y of one instance.

        It computes in double precision whatever the run's: a time inside a step in single
        precision would be told apart too coarsely for a search to end.
        """
        head = (
            f"{self.dialect.short if self.inlined(function) else self.dialect.called} void "
            f"{function.kind}_{self.pop[layout.name]}({self.taken}, "
            "const int64_t i, const double t, const double dt, const double *x, "
            f"{'const bool *on, ' if function.kind == 'act' else ''}double *y)"
        )
        return {"head": head, "lines": self.scalar_lines(function, layout)}

    def scalar_lines(self, function: Function, layout: Layout) -> list[str]:
        """Return the body of such a function, printed once: its length is asked for first."""
        if function.name not in self.scalars:
            self.scalars[function.name] = self.printed_scalar(function, layout)
        return self.scalars[function.name]

    def printed_scalar(self, function: Function, layout: Layout) -> list[str]:
        """Return the body of a function that carries one instance."""
        printer = self.printer(function, layout, kernel=True)
        return [
            "(void)m; (void)s; (void)i; (void)t; (void)dt; (void)x; (void)y;",
            *(
                f"const double {local_name(state)} = x[{n}]; (void){local_name(state)};"
                for n, state in enumerate(function.states)
            ),
            *(
                f"const double {local_name(name)} = on[{n}] ? 1 : 0; (void){local_name(name)};"
                for n, name in enumerate(function.arguments)
            ),
            *self.lines(function, layout, kernel=True),
            *(f"y[{n}] = {printer(tree)};" for n, tree in enumerate(function.results)),
        ]

    def loads(self, function: Function, layout: Layout) -> list[str]:
        """Return the loading of everything that a kernel uses of its own instance.

        All is loaded before anything is chosen: a load inside a selection would keep the
        loop from vectorising.
        """
        used = used_names(function)
        return [
            f"const real {loaded(name)} = {self.variable(layout, name)}[i];"
            for name in (*layout.variables, *layout.parameters)
            if name in used
        ]

    def lines(self, function: Function, layout: Layout, *, kernel: bool) -> list[str]:
        """Return the lines of a body."""
        done = self.loads(function, layout) if function.kind == "kernel" else []
        flows = {n for s in function.body if isinstance(s, (Flow, Propagate)) for n in s.states}
        printer = self.printer(function, layout, kernel=kernel)
        local = set(function.locals)
        real = self.real_of(function)
        if function.kind == "kernel":
            printer.truths = truths_of(function)
        for statement in function.body:
            match statement:
                case Assign(variable, Choose(condition, _, _)) if variable in printer.truths:
                    done.append(f"const bool {local_name(variable)} = {printer(condition)};")
                case Assign(variable, value):
                    text = printer(value)
                    if variable in local:
                        const = "" if variable in flows else "const "
                        done.append(f"{const}{real} {local_name(variable)} = {text};")
                        done.append(f"(void){local_name(variable)};")
                    elif kernel:
                        # Kept, too, for who looks at it: a load of what was just stored waits.
                        done.append(f"const real {stored(variable)} = {text};")
                        done.append(f"{self.variable(layout, variable)}[i] = {stored(variable)};")
                    else:
                        done.append(f"m.{self.variable(layout, variable)}[i] = {text};")
                case Flag(port, condition, ago):
                    since = f" - (double)m.{self.variable(layout, ago)}[i]" if ago else ""
                    done.append(self.flag_line(function, port, printer(condition), since))
                case Collect(variable, ((name, _),), "add") if (
                    function.kind == "kernel" and name in self.runs
                ):
                    local_sum = local_name(variable)
                    done.append(f"const real {local_sum} = sum_{local_sum}[i - begin];")
                case Collect(variable, ((name, _),), reduce):
                    done.extend(self.collect_lines(variable, name, reduce, real, pull=False))
                case Pull(variable, name, reduce):
                    done.extend(self.collect_lines(variable, name, reduce, real, pull=True))
                case Flow():
                    done.extend(self.flow_lines(statement, real))
                case Propagate():
                    done.extend(propagate_lines(statement, printer))
                case _:
                    raise InternalError(f"{statement!r} cannot be printed")
        return done

    def real_of(self, function: Function) -> str:
        """Return the type that a function computes in."""
        return "double" if function.kind in CARRYING else "real"

    def flag_line(self, function: Function, port: str, condition: str, ago: str) -> str:
        """Return the line that notes an event where a condition holds; `ago` ends its time."""
        word = self.dialect.note if port != CROSSED else self.dialect.crossed
        if function.kind in CARRYING:
            word = f"if ({{condition}}) {self.dialect.send}"
        elif function.kind != "kernel":
            word = f"if ({{condition}}) {self.dialect.reply}"
        at = self.ports.get((function.population, port))
        return word.format(port=identifier(port), condition=condition, number=at, ago=ago)

    def printer(self, function: Function, layout: Layout, *, kernel: bool) -> VectorPrinter:
        """Return what prints the expressions of a body."""
        local = set(function.locals) | set(function.arguments) | set(function.states)
        # Functions that choose by type want both values of one type.
        carries = function.kind in CARRYING
        cast = "(double)" if carries and self.real + self.small != "doubledouble" else ""

        def load(name: str) -> str:
            if name == "draw()":
                population = list(self.layouts).index(layout.name)
                return (
                    f"({self.real_of(function)})ls_random(s.seed, ((uint64_t){population} << 40) "
                    f"+ (uint64_t)i, m.{self.pop[layout.name]}_draws[i]++)"
                )
            if name in ("t", "dt"):
                return name
            if name in local:
                return local_name(name)
            if name in layout.reads:
                read = layout.reads[name]
                other = self.layouts[read.population]
                at = f"m.{self.pop[layout.name]}_at_{identifier(read.index)}[i]"
                if not kernel:
                    return f"{cast}{self.value_at(other.name, read.variable, at)}"
                return f"{cast}m.{self.variable(other, read.variable)}[{at}]"
            if name in layout.variables or name in layout.parameters:
                if function.kind == "kernel":
                    return loaded(name)
                return f"{cast}m.{self.variable(layout, name)}[i]"
            raise InternalError(f"{name!r} is no symbol of {layout.name!r}")

        if carries:
            printer = VectorPrinter(load, QUICK, "double")
            printer.choice = "ls_choose"
            return printer
        if self.real == "double":
            return VectorPrinter(load, VECTOR, "double")

        def load_exactly(name: str) -> str:
            if name == "t":
                return "s.t"
            return number(self.program.step) if name == "dt" else f"(double){load(name)}"

        return VectorPrinter(load, VECTOR, self.real, VectorPrinter(load_exactly, VECTOR, "double"))

    def run_lines(self, function: Function) -> tuple[list[str], list[str]]:
        """Return what a kernel does before its blocks, and in each, for sums in runs."""
        before: list[str] = []
        each: list[str] = []
        for statement in function.body:
            if not isinstance(statement, Collect) or statement.reduce != "add":
                continue
            ((name, _),) = statement.parts
            if name not in self.runs:
                continue
            listed = next(c for c in self.program.collect_lists if c.name == name)
            local = local_name(statement.variable)
            values = [f"m.{self.variable(self.layouts[p], part)}" for p, part in listed.parts]
            bounds = self.runs[name].bounds
            before += [
                f"const real *const of_{local}[] = {{{', '.join(values)}}};",
                f"const int32_t bounds_{local}[] = {{{', '.join(map(str, bounds))}}};",
                f"int32_t at_{local}[] = {{{', '.join(map(str, bounds[:-1]))}}};",
            ]
            each += [
                f"real sum_{local}[LS_BLOCK];",
                (
                    f"ls_add_runs({len(values)}, m.{name}_runs, bounds_{local}, at_{local}, "
                    f"of_{local}, sum_{local}, begin, end);"
                ),
            ]
        return before, each

    def summed_array(self, listed: CollectList, *, pull: bool) -> str | None:
        """Return the one array whose entries a list adds up, None where it is not as simple."""
        if listed.which is not None or self.dialect is not CPP:
            return None
        ((population, part),) = listed.parts
        layout = self.layouts[population]
        return None if pull and layout.derives(part) else f"m.{self.variable(layout, part)}"

    def collect_lines(
        self, variable: str, name: str, reduce: str, real: str, *, pull: bool
    ) -> list[str]:
        """Return the loop that reduces over attached instances."""
        listed: CollectList = next(c for c in self.program.collect_lists if c.name == name)
        start, operator = ("0", "+") if reduce == "add" else ("1", "*")
        loop = f"for (int64_t k = m.{name}_starts[i]; k < m.{name}_starts[i + 1]; k++)"
        local = local_name(variable)
        array = self.summed_array(listed, pull=pull) if reduce == "add" else None
        if array is not None:
            span = f"m.{name}_starts[i], m.{name}_starts[i + 1]"
            return [f"{real} {local} = ls_sum<{real}>({array}, m.{name}_entries, {span});"]
        entry = f"m.{name}_entries[k]"
        terms = [
            self.value_at(population, part, entry)
            if pull
            else f"m.{self.variable(self.layouts[population], part)}[{entry}]"
            for population, part in listed.parts
        ]
        lines = [f"{real} {local} = {start};"]
        if listed.which is None:
            lines.append(f"{loop} {local} = {local} {operator} {terms[0]};")
            return lines
        cases = [
            f"        case {n}: {local} = {local} {operator} {term}; break;"
            for n, term in enumerate(terms)
        ]
        return [
            *lines,
            f"{loop} {{",
            f"    switch (m.{name}_which[k]) {{",
            *cases,
            "        default: break;",
            "    }",
            "}",
        ]

    def flow_lines(self, flow: Flow, real: str) -> list[str]:
        """Return the lines that advance a kinetic scheme."""
        size = len(flow.states)
        lines = ["{", f"    double a[{size * size}] = {{0.0}}, x[{size}], work[{2 * size * size}];"]
        for source, target, forward, reverse in flow.edges:
            f, r = local_name(forward), local_name(reverse)
            lines.append(f"    a[{source * size + source}] -= {f};")
            lines.append(f"    a[{target * size + source}] += {f};")
            lines.append(f"    a[{target * size + target}] -= {r};")
            lines.append(f"    a[{source * size + target}] += {r};")
        names = [local_name(state) for state in flow.states]
        lines.extend(f"    x[{n}] = {name};" for n, name in enumerate(names))
        call = "ls_flow_implicit" if flow.implicit else "ls_flow"
        step = "dt" if flow.fraction == 1.0 else f"{number(flow.fraction)} * dt"
        lines.append(f"    {call}({size}, a, {step}, x, work);")
        lines.extend(f"    {name} = ({real})x[{n}];" for n, name in enumerate(names))
        return [*lines, "}"]

    def call(self, delivery: Delivery, at: str = "k") -> str:
        """Return the call of a handler for connection `at`."""
        handler = self.handler_name(delivery.target, delivery.handler)
        function = self.program.function(f"handle {delivery.target} {delivery.handler}")
        values = "".join(
            f", m.{delivery.name}_{identifier(key)}[{at}]" for key in function.arguments
        )
        return f"{handler}(m, s, m.{delivery.name}_targets[{at}]{values});"


def _sets(roles: tuple[frozenset[str], ...], chosen: list[int]) -> dict[str, int]:
    """Return for every role which of the chosen conditions have it, as bits of a number."""
    first = chosen[:64]
    return {
        role: sum(1 << n for n, k in enumerate(first) if role in roles[k])
        for role in ("late", "passive", "clock")
    }


def propagate_lines(statement: Propagate, printer: Printer) -> list[str]:
    """Return the lines that advance a linear system exactly."""
    size = len(statement.states)
    scales = [number(scale) for scale in statement.scales]
    lines = ["{", f"    double a[{size * size}] = {{0.0}}, f[{size}], x[{size}];"]
    for i, j, entry in statement.matrix:
        factor = number(statement.scales[j] / statement.scales[i])
        lines.append(f"    a[{i * size + j}] = {factor} * {printer(entry)};")
    for n, (rate, scale) in enumerate(zip(statement.rates, scales, strict=True)):
        lines.append(f"    f[{n}] = {printer(rate)} / {scale};")
    lines.append(f"    ls_linear({size}, a, f, dt, x);")
    for n, (state, scale) in enumerate(zip(statement.states, scales, strict=True)):
        lines.append(f"    {identifier(state)} += ({scale} * x[{n}]);")
    return [*lines, "}"]


def uniform(steps: NDArray[np.int64]) -> bool:
    """Tell whether all connections have the same delay."""
    return steps.size == 0 or bool((steps == steps[0]).all())
