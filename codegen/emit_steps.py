"""C++ text of a program with the reference's order of steps."""

from __future__ import annotations

from ..converter.network import (
    Advance,
    Assign,
    Collect,
    Emit,
    Flow,
    Integrate,
    Run,
    When,
)
from ..errors import InternalError
from .print_c import Printer, identifier, number
from .program import (
    DEPTH_LIMIT,
    AdvanceList,
    BodyStatement,
    BufferName,
    CollectList,
    Delivery,
    Flag,
    Function,
    Layout,
    Program,
    Propagate,
    Pull,
)
from .recorded_columns import column_groups, column_loop
from .templates import render


def emit_steps(program: Program, source: str) -> tuple[str, tuple[BufferName, ...]]:
    """Return the program's C++ text and the buffers it takes, in order."""
    return _Emitter(program).emit(source)


class _Emitter:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.layouts = {layout.name: layout for layout in program.layouts}
        self.pop = {
            layout.name: f"p{n}_{identifier(layout.name)}"
            for n, layout in enumerate(program.layouts)
        }
        self.deliveries: dict[tuple[str, str], list[Delivery]] = {}
        for delivery in program.deliveries:
            self.deliveries.setdefault((delivery.source, delivery.port), []).append(delivery)
        self.buffers: list[BufferName] = []
        self.fields: list[str] = []
        self.numbered_ports: dict[tuple[str, str], int] = {}

    # --- names --------------------------------------------------------------------------

    def variable(self, layout: Layout, name: str) -> str:
        return f"{self.pop[layout.name]}_{identifier(name)}"

    def advance_name(self, population: str) -> str:
        return f"advance_{self.pop[population]}"

    def handler(self, population: str, name: str) -> str:
        return f"handle_{self.pop[population]}_{identifier(name)}"

    def emitter(self, population: str, port: str) -> str:
        return f"emit_{self.pop[population]}_{identifier(port)}"

    # --- the whole -------------------------------------------------------------------------

    def emit(self, source: str) -> tuple[str, tuple[BufferName, ...]]:
        self.collect_buffers()
        functions = [self.function(f) for f in self.program.functions]
        emitters = [
            self.emit_function(layout.name, port)
            for layout in self.program.layouts
            for port in self.ports_of(layout.name)
        ]
        root = self.program.root
        text = render(
            "steps.cpp.jinja",
            source=source.replace("\n", " "),
            dt=number(self.program.step),
            fields=self.fields,
            declarations=[f"{f['head']};" for f in (*functions, *emitters)],
            functions=[*emitters, *functions],
            handler_cases=self.handler_cases(),
            record_lines=self.record_lines(),
            finite_lines=self.finite_lines(),
            bind_lines=[
                f"m.{b.name} = ({self.c_type(b)} *)buffers[{n}];"
                for n, b in enumerate(self.buffers)
            ],
            advance_root=f"{self.advance_name(root)}(m, s, 0);",
            columns=len(self.program.columns),
        )
        return text, tuple(self.buffers)

    def c_type(self, buffer: BufferName) -> str:
        if buffer.kind == "variable":
            return "double"
        if buffer.kind == "parameter":
            return "const double"
        if buffer.key.endswith("delays"):
            return "const double"
        if buffer.key.endswith("which"):
            return "const int32_t"
        return "const int64_t"

    def collect_buffers(self) -> None:
        for layout in self.program.layouts:
            for name in layout.variables:
                self.buffer(self.variable(layout, name), "variable", layout.name, name)
            for name in layout.parameters:
                self.buffer(self.variable(layout, name), "parameter", layout.name, name)
            for name in layout.indices:
                self.buffer(
                    f"{self.pop[layout.name]}_at_{identifier(name)}", "index", layout.name, name
                )
        lists: tuple[AdvanceList | CollectList, ...] = (
            *self.program.advance_lists,
            *self.program.collect_lists,
        )
        for listed in lists:
            for key in ("starts", "entries", *(("which",) if listed.which is not None else ())):
                self.buffer(f"{listed.name}_{key}", "list", listed.name, key)
        for delivery in self.program.deliveries:
            keys = ["starts", "targets"]
            if delivery.delays is not None and delivery.delays.any():
                keys.append("delays")
            for key in keys:
                self.buffer(f"{delivery.name}_{key}", "delivery", delivery.name, key)
        recorded = {(p.population, p.port) for p in self.program.ports}
        for population, port in sorted(recorded):
            self.buffer(
                f"recorded_{self.pop[population]}_{identifier(port)}", "port", population, port
            )

    def buffer(self, name: str, kind: str, owner: str, key: str) -> None:
        made = BufferName(name, kind, owner, key)
        self.buffers.append(made)
        self.fields.append(f"{self.c_type(made)} *{name};")

    def ports_of(self, population: str) -> list[str]:
        ports = {port for source, port in self.deliveries if source == population}
        ports |= {p.port for p in self.program.ports if p.population == population}
        return sorted(ports)

    # --- functions ---------------------------------------------------------------------------

    def function(self, function: Function) -> dict[str, object]:
        kind, _, rest = function.name.partition(" ")
        layout = self.layouts[function.population]
        if kind == "advance":
            head = f"void {self.advance_name(function.population)}"
        else:
            name = rest[len(function.population) + 1 :]
            head = f"[[maybe_unused]] void {self.handler(function.population, name)}"
        lines = [f"double {identifier(name)};" for name in function.locals]
        lines.extend(["(void)m;", "(void)s;", "(void)i;"])
        lines.extend(self.lines(function.body, layout, set(function.locals)))
        return {"head": f"{head}(Model &m, LsState &s, const int64_t i)", "lines": lines}

    def lines(
        self, statements: tuple[BodyStatement, ...], layout: Layout, local: set[str]
    ) -> list[str]:
        done: list[str] = []
        for statement in statements:
            done.extend(self.statement(statement, layout, local))
        return done

    def printer(self, layout: Layout, local: set[str]) -> Printer:
        def load(name: str) -> str:
            if name == "draw()":
                return "ls_java_double(s)"
            if name == "t":
                return "s.t"
            if name == "dt" or name in local:
                return identifier(name)
            if name in layout.reads:
                read = layout.reads[name]
                other = self.variable(self.layouts[read.population], read.variable)
                at = f"m.{self.pop[layout.name]}_at_{identifier(read.index)}[i]"
                return f"m.{other}[{at}]"
            if name in layout.variables or name in layout.parameters:
                return f"m.{self.variable(layout, name)}[i]"
            raise InternalError(f"{name!r} is no symbol of {layout.name!r}")

        return Printer(load)

    def statement(self, statement: BodyStatement, layout: Layout, local: set[str]) -> list[str]:
        expression = self.printer(layout, local)
        match statement:
            case Assign(variable, value):
                left = (
                    identifier(variable)
                    if variable in local
                    else f"m.{self.variable(layout, variable)}[i]"
                )
                return [f"{left} = {expression(value)};"]
            case When(condition, body):
                inner = self.lines(body, layout, local)
                test = expression(condition)
                # A second pair around a comparison is a warning of clang's.
                test = test if test.startswith("(") else f"({test})"
                return [f"if {test} {{", *(f"    {x}" for x in inner), "}"]
            case Emit(port):
                return [f"{self.emitter(layout.name, port)}(m, s, i);"]
            case Run(handler):
                return [
                    f"if (++s.depth > {DEPTH_LIMIT}) {{ s.error = LS_TOO_DEEP; return; }}",
                    f"{self.handler(layout.name, handler)}(m, s, i);",
                    "s.depth--;",
                ]
            case Advance((name,)):
                return self.advance_lines(
                    next(a for a in self.program.advance_lists if a.name == name)
                )
            case Collect(variable, ((name, _),), reduce):
                listed = next(c for c in self.program.collect_lists if c.name == name)
                return self.collect_lines(layout, variable, listed, reduce)
            case Flow():
                return self.flow_lines(layout, statement)
            case Integrate() | Advance() | Collect() | Flag() | Pull() | Propagate():
                raise InternalError(f"{statement!r} was not lowered")

    def advance_lines(self, listed: AdvanceList) -> list[str]:
        starts = f"m.{listed.name}_starts"
        loop = f"for (int64_t k = {starts}[i]; k < {starts}[i + 1]; k++)"
        entry = f"m.{listed.name}_entries[k]"
        if listed.which is None:
            return [f"{loop} {self.advance_name(listed.populations[0])}(m, s, {entry});"]
        cases = [
            f"        case {n}: {self.advance_name(name)}(m, s, {entry}); break;"
            for n, name in enumerate(listed.populations)
        ]
        return [f"{loop} {{", f"    switch (m.{listed.name}_which[k]) {{", *cases, "    }", "}"]

    def collect_lines(
        self, layout: Layout, variable: str, listed: CollectList, reduce: str
    ) -> list[str]:
        start, operator = ("0.0", "+") if reduce == "add" else ("1.0", "*")
        starts = f"m.{listed.name}_starts"
        loop = f"for (int64_t k = {starts}[i]; k < {starts}[i + 1]; k++)"
        terms = [
            f"m.{self.variable(self.layouts[p], v)}[m.{listed.name}_entries[k]]"
            for p, v in listed.parts
        ]
        lines = ["{", f"    double total = {start};"]
        if listed.which is None:
            lines.append(f"    {loop} total = total {operator} {terms[0]};")
        else:
            lines.append(f"    {loop} {{")
            lines.append(f"        switch (m.{listed.name}_which[k]) {{")
            lines.extend(
                f"            case {n}: total = total {operator} {term}; break;"
                for n, term in enumerate(terms)
            )
            lines.extend(["        }", "    }"])
        return [*lines, f"    m.{self.variable(layout, variable)}[i] = total;", "}"]

    def flow_lines(self, layout: Layout, flow: Flow) -> list[str]:
        size = len(flow.states)
        load = self.printer(layout, set()).load
        lines = ["{", f"    double a[{size * size}] = {{0.0}}, x[{size}], work[{2 * size * size}];"]
        for source, target, forward, reverse in flow.edges:
            f, r = load(forward), load(reverse)
            lines.append(f"    a[{source * size + source}] -= {f};")
            lines.append(f"    a[{target * size + source}] += {f};")
            lines.append(f"    a[{target * size + target}] -= {r};")
            lines.append(f"    a[{source * size + target}] += {r};")
        names = [f"m.{self.variable(layout, state)}[i]" for state in flow.states]
        lines.extend(f"    x[{n}] = {name};" for n, name in enumerate(names))
        lines.append(f"    ls_flow({size}, a, dt, x, work);")
        lines.extend(f"    {name} = x[{n}];" for n, name in enumerate(names))
        return [*lines, "}"]

    # --- events -------------------------------------------------------------------------------

    def emit_function(self, population: str, port: str) -> dict[str, object]:
        lines = ["(void)m;", "(void)s;", "(void)i;"]
        if any(p.population == population and p.port == port for p in self.program.ports):
            buffer = f"recorded_{self.pop[population]}_{identifier(port)}"
            loop = f"for (int64_t k = m.{buffer}[2 * i]; k < m.{buffer}[2 * i + 1]; k++)"
            lines.append(f"{loop} ls_record_event(s, k);")
        lines.append(f"if (++s.depth > {DEPTH_LIMIT}) {{ s.error = LS_TOO_DEEP; return; }}")
        for delivery in self.deliveries.get((population, port), ()):
            name = delivery.name
            call = f"{self.handler(delivery.target, delivery.handler)}(m, s, m.{name}_targets[k]);"
            loop = f"for (int64_t k = m.{name}_starts[i]; k < m.{name}_starts[i + 1]; k++)"
            if any(b.name == f"{name}_delays" for b in self.buffers):
                number_of = self.program.deliveries.index(delivery)
                push = (
                    f"ls_push(s, s.event_time + m.{name}_delays[k], {number_of}, "
                    f"m.{name}_targets[k]);"
                )
                lines.extend(
                    [
                        f"{loop} {{",
                        f"    if (m.{name}_delays[k] > 0.0) {push}",
                        f"    else {call}",
                        "}",
                    ]
                )
            else:
                lines.append(f"{loop} {call}")
        lines.append("s.depth--;")
        return {
            "head": f"void {self.emitter(population, port)}(Model &m, LsState &s, const int64_t i)",
            "lines": lines,
        }

    def handler_cases(self) -> list[str]:
        return [
            f"case {n}: {self.handler(d.target, d.handler)}(m, s, target); break;"
            for n, d in enumerate(self.program.deliveries)
        ]

    # --- recording -------------------------------------------------------------------------

    def record_lines(self) -> list[str]:
        lines: list[str] = []
        for column in column_groups(self.program):
            name = self.variable(self.layouts[column.population], column.variable)
            lines += column_loop(column, f"m.{name}[{{}}]".format, lambda _: "")
        return lines

    def finite_lines(self) -> list[str]:
        lines: list[str] = []
        for p, layout in enumerate(self.program.layouts):
            for v, name in enumerate(layout.checked):
                pointer = f"m.{self.variable(layout, name)}"
                lines.append("bad = 0.0;")
                lines.append(
                    f"for (int64_t i = 0; i < {layout.size}; i++) "
                    f"bad += {pointer}[i] - {pointer}[i];"
                )
                lines.append(
                    f"if (bad != 0.0) for (int64_t i = 0; i < {layout.size}; i++) "
                    f"if (!({pointer}[i] - {pointer}[i] == 0.0)) {{ s.error = LS_NOT_FINITE; "
                    f"s.error_population = {p}; s.error_variable = {v}; "
                    f"s.error_instance = i; return false; }}"
                )
        return lines
