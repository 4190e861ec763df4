"""C++ text of a program of kernels over whole populations."""

from __future__ import annotations

import numpy as np

from ..converter.expressions import Binary, Choose, Expression, Number, calls, names
from ..converter.network import Assign, Collect, Flow
from ..errors import InternalError
from .emit_steps import BufferName
from .located import CROSSED
from .print_c import VECTOR, Printer, identifier, number
from .program import CollectList, Delivery, Flag, Function, Layout, Program, Pull
from .templates import render

#: Events without delay that one step may exchange before they count as going in a circle.
EVENT_LIMIT = 1_000_000_000


def emit_phases(program: Program, source: str) -> tuple[str, tuple[BufferName, ...]]:
    """Return the program's C++ text and the buffers it takes, in order."""
    return _Emitter(program).emit(source)


class VectorPrinter(Printer):
    """Prints powers with small whole exponents as products, and logic without branches."""

    def __call__(self, tree: Expression) -> str:
        """Return `tree` as a C expression; `and` and `or` evaluate both sides."""
        if isinstance(tree, Binary) and tree.operator in ("and", "or"):
            symbol = "&" if tree.operator == "and" else "|"
            return f"({self(tree.left)} {symbol} {self(tree.right)})"
        if isinstance(tree, Choose) and not calls(tree, "draw"):
            parts = (tree.condition, tree.then, tree.otherwise)
            return f"ls_where({', '.join(map(self, parts))})"
        return super().__call__(tree)

    def power(self, base, exponent):  # type: ignore[no-untyped-def]
        if isinstance(exponent, Number) and exponent.value in (2.0, 3.0, 4.0, -1.0, 0.5):
            inner = self(base)
            match exponent.value:
                case -1.0:
                    return f"({number(1.0, self.real)} / {inner})"
                case 0.5:
                    return f"{self.functions['sqrt']}({inner})"
                case value:
                    return f"ls_power{int(value)}({inner})"
        return super().power(base, exponent)


def used_names(function: Function) -> set[str]:
    """Return every name that the expressions of a function mention."""
    found: set[str] = set()
    for statement in function.body:
        match statement:
            case Assign(_, value):
                found |= names(value)
            case Flag(_, condition):
                found |= names(condition)
            case Flow(_, edges):
                found.update(rate for _, _, f, r in edges for rate in (f, r))
    return found


class _Emitter:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.real = "double" if program.precision == "double" else "float"
        self.layouts = {layout.name: layout for layout in program.layouts}
        self.pop = {
            layout.name: f"p{n}_{identifier(layout.name)}"
            for n, layout in enumerate(program.layouts)
        }
        self.buffers: list[BufferName] = []
        self.fields: list[str] = []
        ports: list[tuple[str, str]] = sorted(
            {(d.source, d.port) for d in program.deliveries}
            | {(p.population, p.port) for p in program.ports}
        )
        self.ports = {key: n for n, key in enumerate(ports)}
        self.rings: dict[str, int] = {}
        self.ring_slots: list[int] = []
        for delivery in program.deliveries:
            assert delivery.delay_steps is not None
            longest = int(delivery.delay_steps.max(initial=0))
            if longest > 0:
                self.rings[delivery.name] = len(self.ring_slots)
                self.ring_slots.append(longest + 1)

    # --- names -----------------------------------------------------------------------------

    def variable(self, layout: Layout, name: str) -> str:
        return f"{self.pop[layout.name]}_{identifier(name)}"

    def loaded(self, layout: Layout, name: str) -> str:
        return f"x_{identifier(name)}"

    def kernel_name(self, function: Function) -> str:
        return f"k{self.program.functions.index(function)}_{identifier(function.name)}"

    def handler_name(self, population: str, handler: str) -> str:
        return f"handle_{self.pop[population]}_{identifier(handler)}"

    def value_name(self, population: str, variable: str) -> str:
        return f"value_{self.pop[population]}_{identifier(variable)}"

    # --- the whole ----------------------------------------------------------------------------

    def emit(self, source: str) -> tuple[str, tuple[BufferName, ...]]:
        self.collect_buffers()
        functions = [self.function(f) for f in self.program.functions]
        text = render(
            "phases.cpp.jinja",
            source=source,
            real=self.real,
            dt=number(self.program.step, self.real),
            fields=self.fields,
            declarations=[f"{f['head']};" for f in functions],
            functions=functions,
            send_cases=self.send_cases(),
            deliver_lines=self.deliver_lines(),
            record_lines=self.record_lines(),
            fault_lines=self.fault_lines(),
            bind_lines=[
                f"m.{b.name} = ({self.c_type(b)} *)buffers[{n}];"
                for n, b in enumerate(self.buffers)
            ],
            start_lines=self.phase_lines(start=True),
            step_lines=self.phase_lines(start=False),
            ring_slots=", ".join(map(str, self.ring_slots)) or "0",
            ring_count=len(self.ring_slots),
            columns=len(self.program.columns),
            event_limit=EVENT_LIMIT,
        )
        return text, tuple(self.buffers)

    def c_type(self, buffer: BufferName) -> str:
        match buffer.kind, buffer.key:
            case "variable", _:
                return "real"
            case "parameter", _:
                return "const real"
            case "delivery_value", _:
                return "const real"
            case "flags", _:
                return "unsigned char"
            case "draws", _:
                return "uint64_t"
            case "delivery", "delay_steps":
                return "const int32_t"
            case ("delivery" | "list"), "starts":
                return "const int64_t"
            case "port", _:
                return "const int64_t"
            case _:
                return "const int32_t"

    def collect_buffers(self) -> None:
        for layout in self.program.layouts:
            for name in layout.variables:
                self.buffer(self.variable(layout, name), "variable", layout.name, name)
            for name in layout.parameters:
                self.buffer(self.variable(layout, name), "parameter", layout.name, name)
            for name in layout.indices:
                self.buffer(f"{self.pop[layout.name]}_at_{identifier(name)}", "index",
                            layout.name, name)
            if layout.draws:
                self.buffer(f"{self.pop[layout.name]}_draws", "draws", layout.name, "draws")
        for listed in self.program.collect_lists:
            for key in ("starts", "entries", *(("which",) if listed.which is not None else ())):
                self.buffer(f"{listed.name}_{key}", "list", listed.name, key)
        for delivery in self.program.deliveries:
            assert delivery.delay_steps is not None
            keys = ["starts", "targets"]
            if not _uniform(delivery.delay_steps):
                keys.append("delay_steps")
            for key in keys:
                self.buffer(f"{delivery.name}_{key}", "delivery", delivery.name, key)
            for key in delivery.values:
                self.buffer(f"{delivery.name}_{identifier(key)}", "delivery_value",
                            delivery.name, key)
        crossing = [(p.name, CROSSED) for p in self.program.phases if p.kind == "locate"]
        for population, port in (*self.ports, *crossing):
            self.buffer(f"flags_{self.pop[population]}_{identifier(port)}", "flags",
                        population, port)
        recorded = {(p.population, p.port) for p in self.program.ports}
        for population, port in sorted(recorded):
            self.buffer(f"recorded_{self.pop[population]}_{identifier(port)}", "port",
                        population, port)

    def buffer(self, name: str, kind: str, owner: str, key: str) -> None:
        made = BufferName(name, kind, owner, key)
        self.buffers.append(made)
        self.fields.append(f"{self.c_type(made)} *{name};")

    # --- functions --------------------------------------------------------------------------------

    def function(self, function: Function) -> dict[str, object]:
        layout = self.layouts[function.population]
        _, _, rest = function.name.partition(" ")
        if function.kind == "kernel":
            return self.kernel(function, layout)
        if function.kind in ("step", "tests", "act"):
            return self.scalar(function, layout)
        if function.kind == "handler":
            handler = rest[len(function.population) + 1 :]
            head = f"inline void {self.handler_name(function.population, handler)}"
            extra = "".join(f", const real {identifier(a)}" for a in function.arguments)
            lines = self.lines(function, layout, kernel=False)
            return {
                "head": f"{head}(Model &m, LsPhases &s, const int64_t i{extra})",
                "lines": ["const real t = (real)s.t;", "(void)t;", "(void)m;", "(void)i;", *lines],
            }
        variable = rest[len(function.population) + 1 :]
        head = f"inline real {self.value_name(function.population, variable)}"
        lines = self.lines(function, layout, kernel=False)
        return {
            "head": f"{head}(Model &m, LsPhases &s, const int64_t i)",
            "lines": [
                "const real t = (real)s.t;", "(void)t;", "(void)m;", "(void)i;", *lines,
                f"return {self.printer(function, layout, kernel=False).load(function.result)};",
            ],
        }

    def scalar(self, function: Function, layout: Layout) -> dict[str, object]:
        """Return a function from states x to results y of one instance."""
        head = (
            f"inline void {function.kind}_{self.pop[layout.name]}(Model &m, LsPhases &s, "
            "const int64_t i, const real t, const real dt, const real *x, "
            f"{'const bool *on, ' if function.kind == 'act' else ''}real *y)"
        )
        printer = self.printer(function, layout, kernel=True)
        return {
            "head": head,
            "lines": [
                "(void)m; (void)s; (void)i; (void)t; (void)dt; (void)x; (void)y;",
                *(
                    f"const real {identifier(state)} = x[{n}]; (void){identifier(state)};"
                    for n, state in enumerate(function.states)
                ),
                *(
                    f"const real {identifier(name)} = on[{n}] ? 1 : 0; (void){identifier(name)};"
                    for n, name in enumerate(function.arguments)
                ),
                *self.lines(function, layout, kernel=True),
                *(f"y[{n}] = {printer(tree)};" for n, tree in enumerate(function.results)),
            ],
        }

    def locate_lines(self, population: str) -> list[str]:
        """Return the loop over flagged instances of a population."""
        layout = self.layouts[population]
        act = self.program.function(f"act {population}")
        states, tests = act.states, len(act.arguments)
        pop = self.pop[population]
        flags = f"m.flags_{pop}_{identifier(CROSSED)}"
        suffix = "__next" if f"{states[0]}__next" in layout.variables else ""
        loads = [f"x[{n}] = m.{self.variable(layout, s)}[i];" for n, s in enumerate(states)]
        stores = [
            f"m.{self.variable(layout, s + suffix)}[i] = x[{n}];" for n, s in enumerate(states)
        ]
        return render(
            "locate.jinja", pop=pop, size=layout.size, flags=flags, states=len(states),
            tests=tests, loads=loads, stores=stores,
        ).splitlines()

    def kernel(self, function: Function, layout: Layout) -> dict[str, object]:
        lines = self.lines(function, layout, kernel=True)
        used = used_names(function) & (layout.variables.keys() | layout.parameters.keys())
        # Everything is loaded before anything is chosen: a load inside a selection would
        # keep the loop from vectorising.
        loads = [
            f"const real {self.loaded(layout, name)} = {self.variable(layout, name)}[i];"
            for name in (*layout.variables, *layout.parameters)
            if name in used
        ]
        written = {
            s.variable
            for s in function.body
            if isinstance(s, Assign) and s.variable in layout.variables
        }
        pointers = [
            f"{'' if name in written else 'const '}real *__restrict "
            f"{self.variable(layout, name)} = m.{self.variable(layout, name)};"
            for name in (*layout.variables, *layout.parameters)
            if name in used or name in written
        ]
        checked = [
            name for name in layout.checked if name in written or f"{name}__next" in written
        ]
        flags = {s.port for s in function.body if isinstance(s, Flag)}
        bad = [
            f"bad |= !({load} - {load} == 0);"
            for name in checked
            for load in [self.variable(layout, name if name in written else f"{name}__next")
                         + "[i]"]
        ]
        now = "s.t + dt" if function.name.startswith("advance") else "s.t"
        after = [
            f"ls_note_flags(s, {self.ports[(layout.name, port)]}, "
            f"m.flags_{self.pop[layout.name]}_{identifier(port)}, {layout.size}, {now});"
            for port in sorted(flags - {CROSSED})
        ]
        return {
            "head": f"int {self.kernel_name(function)}(Model &m, LsPhases &s)",
            "lines": [
                "const real t = (real)s.t;",
                "(void)t;",
                "(void)m;",
                *pointers,
                *(
                    f"unsigned char *__restrict flag_{identifier(port)} = "
                    f"m.flags_{self.pop[layout.name]}_{identifier(port)};"
                    for port in sorted(flags)
                ),
                *([f"memset(flag_{identifier(p)}, 0, {layout.size});" for p in sorted(flags)]),
                "int bad = 0;",
                f"for (int64_t i = 0; i < {layout.size}; i++) {{",
                *(f"    {line}" for line in (*loads, *lines, *bad)),
                "}",
                *after,
                "return bad;",
            ],
        }

    def lines(self, function: Function, layout: Layout, *, kernel: bool) -> list[str]:
        done: list[str] = []
        flows = {n for s in function.body if isinstance(s, Flow) for n in s.states}
        printer = self.printer(function, layout, kernel=kernel)
        local = set(function.locals)
        for statement in function.body:
            match statement:
                case Assign(variable, value):
                    text = printer(value)
                    if variable in local:
                        const = "" if variable in flows else "const "
                        done.append(f"{const}real {identifier(variable)} = {text};")
                        done.append(f"(void){identifier(variable)};")
                    elif kernel:
                        done.append(f"{self.variable(layout, variable)}[i] = {text};")
                    else:
                        done.append(f"m.{self.variable(layout, variable)}[i] = {text};")
                case Flag(port, condition):
                    if function.kind in ("step", "tests", "act"):
                        note = f"ls_note(s, {self.ports[(layout.name, port)]}, i, t);"
                        done.append(f"if ({printer(condition)}) {note}")
                    elif kernel:
                        done.append(f"flag_{identifier(port)}[i] |= {printer(condition)};")
                    else:
                        note = f"ls_note(s, {self.ports[(layout.name, port)]}, i, t);"
                        done.append(f"if ({printer(condition)}) {note}")
                case Collect(variable, ((name, _),), reduce):
                    done.extend(self.collect_lines(variable, name, reduce, pull=False))
                case Pull(variable, name, reduce):
                    done.extend(self.collect_lines(variable, name, reduce, pull=True))
                case Flow():
                    done.extend(self.flow_lines(statement))
                case _:
                    raise InternalError(f"{statement!r} cannot be printed")
        return done

    def printer(self, function: Function, layout: Layout, *, kernel: bool) -> Printer:
        local = set(function.locals) | set(function.arguments) | set(function.states)

        def load(name: str) -> str:
            if name == "draw()":
                population = list(self.layouts).index(layout.name)
                return (
                    f"(real)ls_random(s.seed, ((uint64_t){population} << 40) + (uint64_t)i, "
                    f"m.{self.pop[layout.name]}_draws[i]++)"
                )
            if name in ("t", "dt") or name in local:
                return identifier(name)
            if name in layout.reads:
                read = layout.reads[name]
                other = self.layouts[read.population]
                at = f"m.{self.pop[layout.name]}_at_{identifier(read.index)}[i]"
                stored = read.variable in other.variables
                if not kernel and (read.variable in other.published or not stored):
                    return f"{self.value_name(other.name, read.variable)}(m, s, {at})"
                return f"m.{self.variable(other, read.variable)}[{at}]"
            if name in layout.variables or name in layout.parameters:
                if function.kind == "kernel":
                    return self.loaded(layout, name)
                return f"m.{self.variable(layout, name)}[i]"
            raise InternalError(f"{name!r} is no symbol of {layout.name!r}")

        return VectorPrinter(load, VECTOR, self.real)

    def collect_lines(self, variable: str, name: str, reduce: str, *, pull: bool) -> list[str]:
        listed: CollectList = next(c for c in self.program.collect_lists if c.name == name)
        start, operator = ("0", "+") if reduce == "add" else ("1", "*")
        loop = f"for (int64_t k = m.{name}_starts[i]; k < m.{name}_starts[i + 1]; k++)"
        terms: list[str] = []
        for population, part in listed.parts:
            other = self.layouts[population]
            entry = f"m.{name}_entries[k]"
            if pull and (part in other.published or part not in other.variables):
                terms.append(f"{self.value_name(population, part)}(m, s, {entry})")
            else:
                terms.append(f"m.{self.variable(other, part)}[{entry}]")
        local = identifier(variable)
        lines = [f"real {local} = {start};"]
        if listed.which is None:
            lines.append(f"{loop} {local} = {local} {operator} {terms[0]};")
            return lines
        cases = [
            f"        case {n}: {local} = {local} {operator} {term}; break;"
            for n, term in enumerate(terms)
        ]
        return [*lines, f"{loop} {{", f"    switch (m.{name}_which[k]) {{", *cases,
                "        default: break;", "    }", "}"]

    def flow_lines(self, flow: Flow) -> list[str]:
        size = len(flow.states)
        lines = ["{", f"    double a[{size * size}] = {{0.0}}, x[{size}], work[{2 * size * size}];"]
        for source, target, forward, reverse in flow.edges:
            f, r = identifier(forward), identifier(reverse)
            lines.append(f"    a[{source * size + source}] -= {f};")
            lines.append(f"    a[{target * size + source}] += {f};")
            lines.append(f"    a[{target * size + target}] -= {r};")
            lines.append(f"    a[{source * size + target}] += {r};")
        names = [identifier(state) for state in flow.states]
        lines.extend(f"    x[{n}] = {name};" for n, name in enumerate(names))
        lines.append(f"    ls_flow({size}, a, dt, x, work);")
        lines.extend(f"    {name} = (real)x[{n}];" for n, name in enumerate(names))
        return [*lines, "}"]

    # --- events --------------------------------------------------------------------------------

    def send_cases(self) -> list[str]:
        cases: list[str] = []
        for (population, port), n in self.ports.items():
            cases.append(f"case {n}: {{")
            if any(p.population == population and p.port == port for p in self.program.ports):
                buffer = f"recorded_{self.pop[population]}_{identifier(port)}"
                loop = f"for (int64_t k = m.{buffer}[2 * i]; k < m.{buffer}[2 * i + 1]; k++)"
                cases.append(f"    {loop} ls_record_event(s, k, time);")
            for delivery in self.program.deliveries:
                if (delivery.source, delivery.port) == (population, port):
                    cases.extend(f"    {line}" for line in self.send_lines(delivery))
            cases.append("    break;")
            cases.append("}")
        return cases

    def call(self, delivery: Delivery) -> str:
        values = "".join(f", m.{delivery.name}_{identifier(key)}[k]" for key in delivery.values)
        handler = self.handler_name(delivery.target, delivery.handler)
        return f"{handler}(m, s, m.{delivery.name}_targets[k]{values});"

    def send_lines(self, delivery: Delivery) -> list[str]:
        assert delivery.delay_steps is not None
        name = delivery.name
        loop = f"for (int64_t k = m.{name}_starts[i]; k < m.{name}_starts[i + 1]; k++)"
        if name not in self.rings:
            return [f"{loop} {self.call(delivery)}"]
        ring = self.rings[name]
        if _uniform(delivery.delay_steps):
            delay = int(delivery.delay_steps[0])
            return [f"if (m.{name}_starts[i] < m.{name}_starts[i + 1]) "
                    f"ls_ring_push(s, {ring}, {delay}, i);"]
        steps = f"m.{name}_delay_steps[k]"
        return [
            f"{loop} {{",
            f"    if ({steps} > 0) ls_ring_push(s, {ring}, {steps}, k);",
            f"    else {self.call(delivery)}",
            "}",
        ]

    def deliver_lines(self) -> list[str]:
        lines: list[str] = []
        for delivery in self.program.deliveries:
            if delivery.name not in self.rings:
                continue
            assert delivery.delay_steps is not None
            name = delivery.name
            lines.extend([
                "{",
                f"    LsRing &r = s.rings[{self.rings[name]}];",
                "    const int64_t slot = s.step % r.slots;",
                "    for (int64_t n = 0; n < r.sizes[slot]; n++) {",
            ])
            if _uniform(delivery.delay_steps):
                lines.append("        const int64_t i = r.items[slot][n];")
                loop = f"for (int64_t k = m.{name}_starts[i]; k < m.{name}_starts[i + 1]; k++)"
                lines.append(f"        {loop} {self.call(delivery)}")
            else:
                lines.append("        const int64_t k = r.items[slot][n];")
                lines.append(f"        {self.call(delivery)}")
            lines.extend(["    }", "    r.sizes[slot] = 0;", "}"])
        return lines

    # --- the step ---------------------------------------------------------------------------------

    def phase_lines(self, *, start: bool) -> list[str]:
        lines: list[str] = []
        for phase in self.program.start if start else self.program.phases:
            match phase.kind:
                case "kernel":
                    function = self.program.function(phase.name)
                    call = f"{self.kernel_name(function)}(m, s);"
                    lines.append(call if start else f"bad |= {call}")
                case "locate":
                    lines.extend(self.locate_lines(phase.name))
                case "move":
                    assert phase.move is not None
                    layout = self.layouts[phase.move.population]
                    for target, source in phase.move.pairs:
                        lines.append(
                            f"memcpy(m.{self.variable(layout, target)}, "
                            f"m.{self.variable(layout, source)}, "
                            f"sizeof(real) * {layout.size});"
                        )
                case "tick":
                    lines.append("s.step++;")
                    lines.append(f"s.t = (double)s.step * {number(self.program.step)};")
                case "deliver":
                    lines.append("deliver(m, s);")
                case "send":
                    lines.append("send(m, s);")
                case "record":
                    pass
                case kind:
                    raise InternalError(f"no phase is called {kind!r}")
        return lines

    def record_lines(self) -> list[str]:
        lines: list[str] = []
        for n, c in enumerate(self.program.columns):
            layout = self.layouts[c.population]
            derived = c.variable in layout.published or c.variable not in layout.variables
            value = (
                f"{self.value_name(c.population, c.variable)}(m, s, {c.instance})"
                if derived
                else f"m.{self.variable(layout, c.variable)}[{c.instance}]"
            )
            lines.append(f"row[{n}] = (double){value};")
        return lines

    def fault_lines(self) -> list[str]:
        lines: list[str] = []
        for p, layout in enumerate(self.program.layouts):
            for v, name in enumerate(layout.checked):
                if name not in layout.variables:
                    continue
                load = f"m.{self.variable(layout, name)}[i]"
                lines.append(
                    f"for (int64_t i = 0; i < {layout.size}; i++) "
                    f"if (!({load} - {load} == 0)) {{ s.error = LS_NOT_FINITE; "
                    f"s.error_population = {p}; s.error_variable = {v}; "
                    f"s.error_instance = i; return; }}"
                )
        return lines


def _uniform(steps: np.ndarray) -> bool:
    return steps.size == 0 or bool((steps == steps[0]).all())
