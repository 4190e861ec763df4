"""CUDA text of a program of kernels over whole populations.

A step is a row of operations, each a loop that all threads share. Between two of them stands
a barrier of the whole grid only where one thread may touch what another wrote, or write what
another read; an instance belongs to the same thread in every loop, so that operations that
look at nothing but their own instances follow each other freely.
"""

from __future__ import annotations

import re

from ..converter.network import Assign
from ..errors import InternalError, UsageError
from .cuda_program import BLOCK, fault_bits
from .device_events import Events, Keys, events_of, reach, sums_of
from .device_order import OWN, Operation, in_order
from .emit_cuda_exchange import CudaExchangeText
from .kernel_text import Dialect, KernelText
from .located import CROSSED
from .print_c import identifier, number
from .program import (
    NEXT,
    BufferName,
    Flag,
    Function,
    Layout,
    Phase,
    Program,
    half_in_ms,
    slope_name,
)
from .recorded_columns import column_groups
from .templates import render

CUDA = Dialect(
    inline="LS_FN",
    called="LS_CALL",
    short="LS_CALL",
    model="const Model &m",
    run="const LsStep &s",
    note="if ({condition}) note_{number}(m, s, i, now{ago});",
    send="note_{number}(m, s, i, t);",
    reply="push_{number}(m, s, i, t);",
    count="unsigned short",
    crossed="flag_{port}[i] |= {condition};",
)

#: A name before an opening parenthesis.
CALL = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)\(")


def emit_cuda(program: Program, source: str) -> tuple[str, tuple[BufferName, ...]]:
    """Return the program's CUDA text and the buffers it takes, in order.

    Raises `UsageError` where the program holds what no CUDA text is written for yet.
    """
    return _Emitter(program).emit(source)


class _Emitter:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.text = KernelText(program, CUDA)
        self.layouts = self.text.layouts
        self.pop = self.text.pop
        self.events: Events = events_of(program)
        self.sums = sums_of(self.events)
        self.bits = fault_bits(program)
        self.columns = column_groups(program)
        self.recorded = {(p.population, p.port) for p in program.ports}
        self.extra: dict[str, dict[str, object]] = {}
        self.exchange = CudaExchangeText(program, self.text, self.events, self.define)

    # --- the whole ----------------------------------------------------------------------------

    def emit(self, source: str) -> tuple[str, tuple[BufferName, ...]]:
        self.text.collect_buffers()
        self.collect_buffers()
        notes = [f for key, n in self.text.ports.items() for f in self.notes(n, key)]
        functions = [self.function(f) for f in self.program.functions]
        start = self.operations(start=True)
        step = self.operations(start=False)
        added = any(p.kind == "tick" and p.name == "added" for p in self.program.phases)
        start_lines = in_order(start, again=False, always=False)
        step_lines = in_order(step, again=True, always=bool(self.events.ports))
        cells = self.text.cell_lines()
        functions = _called(
            [*notes, *functions, *self.extra.values()], [*start_lines, *step_lines, *cells]
        )
        text = render(
            "phases.cu.jinja",
            source=source,
            real=self.text.real,
            small=self.text.small,
            dt=number(self.program.step, self.text.real),
            begin="clock * 1e-3" if added else f"(double)step * {number(self.program.step)}",
            fields=self.text.fields,
            declarations=[f"{f['head']};" for f in functions],
            cell_lines=cells,
            functions=functions,
            start_lines=start_lines,
            step_lines=step_lines,
            columns=len(self.program.columns),
            block=BLOCK,
        )
        return text, tuple(self.text.buffers)

    def collect_buffers(self) -> None:
        add = self.text.add_buffer
        for port in self.events.ports:
            name = self.exchange.port_name(port)
            add(BufferName(f"list_{name}", "list_items", port.population, port.port), "int")
            add(
                BufferName(f"many_{name}", "list_counts", port.population, port.port),
                "unsigned short",
            )
            add(
                BufferName(f"sizes_{name}", "list_sizes", port.population, port.port),
                "unsigned int",
            )
        for population, state in self.sums:
            name = self.text.variable(self.layouts[population], state)
            add(BufferName(f"sum_{name}", "sum", population, state), "unsigned long long")
            add(BufferName(f"scale_{name}", "scale", population, state), "const double")
        for n, _ in enumerate(self.columns):
            add(BufferName(f"row_at_{n}", "row_instances", str(n), ""), "const int")
            add(BufferName(f"row_to_{n}", "row_columns", str(n), ""), "const int")

    # --- operations and barriers ------------------------------------------------------------------

    def operations(self, *, start: bool) -> list[Operation]:
        found: list[Operation] = []
        if not start:
            found.extend(self.exchange.clear_next(port) for port in self.events.ports)
        for phase in self.program.start if start else self.program.phases:
            match phase.kind:
                case "kernel":
                    function = self.program.function(phase.name)
                    found.append(self.call(function))
                case "locate":
                    found.append(self.locate(phase.name))
                case "move":
                    if phase.move is None:
                        raise InternalError("a move without what to move")
                    found.append(self.move(phase.move.population, phase.move.pairs))
                case "cable" | "cable_half":
                    found.append(self.cable(phase))
                case "tick":
                    found.append(Operation(self.tick_lines(phase)))
                case "deliver":
                    found.extend(self.exchange.deliver())
                case "send":
                    found.extend(self.exchange.send())
                case "record":
                    pass
                case kind:
                    raise UsageError(
                        f"the CUDA backends cannot run {kind!r} phases yet; use --backend cpp"
                    )
        return [*found, *self.record()]

    def call(self, function: Function) -> Operation:
        own, others, written = reach(self.program, function)
        return Operation([f"{self.text.kernel_name(function)}(m, s);"], own, written, others)

    def move(self, population: str, pairs: tuple[tuple[str, str], ...]) -> Operation:
        layout = self.layouts[population]
        return Operation(
            [
                OWN.format(size=layout.size) + " {",
                *(
                    f"    m.{self.text.variable(layout, target)}[i] = "
                    f"m.{self.text.variable(layout, source)}[i];"
                    for target, source in pairs
                ),
                "}",
            ],
            frozenset((population, source) for _, source in pairs),
            frozenset((population, target) for target, _ in pairs),
        )

    def tick_lines(self, phase: Phase) -> list[str]:
        """Return how the time becomes that of the step's end."""
        if phase.name != "added":
            return ["s.step++;", f"s.t = (double)s.step * {number(self.program.step)};"]
        add = f"s.clock += {number(half_in_ms(self.program.step))};"
        return ["s.step++;", add, add, "s.t = s.clock * 1e-3;"]

    def cable(self, phase: Phase) -> Operation:
        """Return the solve for the potentials of a population, a thread for every cell."""
        layout = self.layouts[phase.name]
        if layout.cable is None:
            raise InternalError(f"{layout.name!r} is no population of compartments")
        cable, name = layout.cable, f"{phase.kind}_{self.pop[layout.name]}"
        v = f"m.{self.text.variable(layout, cable.state)}"
        self.define(
            name,
            [
                f"{self.text.cable_tree(layout)}",
                f"for (int64_t k = s.first; k < {cable.cells}; k += s.stride) {{",
                (
                    f"    if (!ls_cable_cells<real>(tree, k, k + 1, "
                    f"{self.text.cable_arguments(layout, phase)})) continue;"
                ),
                f"    for (int64_t i = k; i < {layout.size}; i += {cable.cells})",
                f"        {self.check(layout, cable.state, f'{v}[i]', 's.step - s.begin + 1')}",
                "}",
            ],
        )
        names = (cable.current, slope_name(cable.current), cable.state)
        read = frozenset((layout.name, variable) for variable in names)
        own = frozenset({(layout.name, "(junctions)")})
        solved = frozenset({(layout.name, cable.state)})
        return Operation([f"{name}(m, s);"], own, own, read, solved)

    def locate(self, population: str) -> Operation:
        own: Keys = frozenset()
        others: Keys = frozenset()
        written: Keys = frozenset()
        for kind in ("step", "tests", "act"):
            found = reach(self.program, self.program.function(f"{kind} {population}"))
            own, others, written = own | found[0], others | found[1], written | found[2]
        layout = self.layouts[population]
        name = f"locate_{self.pop[population]}"
        lines = [
            f"if (!m.flags_{self.pop[population]}_{identifier(CROSSED)}[i]) continue;",
            *self.text.locate_lines(population, "s.run->deep = 1;"),
        ]
        loop = OWN.format(size=layout.size)
        self.define(name, [f"{loop} {{", *(f"    {line}" for line in lines), "}"])
        states = self.program.function(f"act {population}").states
        suffix = layout.ahead(states)
        stored = frozenset((population, state + suffix) for state in states)
        read = frozenset((population, state) for state in states)
        return Operation([f"{name}(m, s);"], own | read, written | stored, others)

    def define(self, name: str, lines: list[str]) -> None:
        """Add a function that all threads call, once."""
        head = f"LS_CALL void {name}(const Model &m, const LsStep &s)"
        self.extra[name] = {"head": head, "lines": lines}

    # --- functions --------------------------------------------------------------------------------

    def function(self, function: Function) -> dict[str, object]:
        if function.kind == "kernel":
            return self.kernel(function, self.layouts[function.population])
        return self.text.function(function)

    def notes(self, n: int, key: tuple[str, str]) -> list[dict[str, object]]:
        """Return what notes an event: an instance's own thread, or the one that delivers."""
        population, port = key
        flag = f"m.flags_{self.pop[population]}_{identifier(port)}[i]++;"
        record = self.record_event(population, port, "time") if key in self.recorded else ""
        listed = self.events.port(population, port) is not None
        return [
            {
                "head": f"LS_FN void {name}_{n}(const Model &m, const LsStep &s, "
                "const int64_t i, const double time)",
                "lines": [
                    "(void)m; (void)s; (void)i; (void)time;",
                    *([line] if listed else []),
                    *([record] if record else []),
                ],
            }
            for name, line in (("note", flag), ("push", f"ls_push(s, {n}, i);"))
        ]

    def record_event(self, population: str, port: str, time: str) -> str:
        buffer = f"recorded_{self.pop[population]}_{identifier(port)}"
        return (
            f"for (int64_t k = m.{buffer}[2 * i]; k < m.{buffer}[2 * i + 1]; k++) "
            f"ls_record_event(s, (int)k, {time});"
        )

    def kernel(self, function: Function, layout: Layout) -> dict[str, object]:
        lines = self.text.lines(function, layout, kernel=True)
        written = {
            s.variable
            for s in function.body
            if isinstance(s, Assign) and s.variable in layout.variables
        }
        # Parameters alone are promised not to change: the compiler may then read them past the
        # coherent caches, which would miss what another thread writes to a variable.
        pointers = [
            f"{kind} {name} = m.{name};"
            for names, kind in (
                (layout.variables, "real *const"),
                (layout.parameters, "const small *__restrict"),
            )
            for variable in names
            for name in [self.text.variable(layout, variable)]
            if any(f"{name}[i]" in line for line in lines)
        ]
        crossed = [
            f"m.flags_{self.pop[layout.name]}_{identifier(CROSSED)}"
            for s in function.body
            if isinstance(s, Flag) and s.port == CROSSED
        ][:1]
        now = "s.t + (double)dt" if function.name.startswith("advance") else "s.t"
        return {
            "head": f"LS_CALL void {self.text.kernel_name(function)}"
            "(const Model &m, const LsStep &s)",
            "lines": [
                "const real t = (real)s.t;",
                f"const double now = {now};",
                "(void)t; (void)m; (void)now;",
                *pointers,
                *(f"unsigned short *const flag_{identifier(CROSSED)} = {c};" for c in crossed),
                OWN.format(size=layout.size) + " {",
                *(f"    flag_{identifier(CROSSED)}[i] = 0;" for _ in crossed),
                *(f"    {line}" for line in (*lines, *self.checks(function, layout, written))),
                "}",
            ],
        }

    def checks(self, function: Function, layout: Layout, written: set[str]) -> list[str]:
        """Return the lines that note a state that is no longer finite."""
        # What advances a state does so for the time at the end of the step.
        since = "s.step - s.begin" + (" + 1" if self.before_tick(function) else "")
        lines: list[str] = []
        for name in layout.checked:
            stored = name if name in written else name + NEXT
            if stored in written:
                load = f"{self.text.variable(layout, stored)}[i]"
                lines.append(self.check(layout, name, load, since))
        return lines

    def check(self, layout: Layout, state: str, load: str, since: str) -> str:
        """Return the line that notes instance i where its state is no longer finite."""
        place = (list(self.layouts).index(layout.name) << self.bits.variable) + (
            layout.checked.index(state)
        )
        return (
            f"if (!({load} - {load} == 0)) ls_not_finite(s, {since}, "
            f"{place << self.bits.instance}ull + (unsigned long long)i, {self.bits.place});"
        )

    def before_tick(self, function: Function) -> bool:
        """Tell whether a kernel runs before the time becomes that of the step's end."""
        phases = self.program.phases
        tick = next(n for n, phase in enumerate(phases) if phase.kind == "tick")
        return function.name in [phase.name for phase in phases[:tick] if phase.kind == "kernel"]

    # --- records ----------------------------------------------------------------------------------

    def record(self) -> list[Operation]:
        found: list[Operation] = []
        for n, column in enumerate(self.columns):
            layout = self.layouts[column.population]
            value = self.text.value_at(column.population, column.variable, f"m.row_at_{n}[j]")
            if layout.derives(column.variable):
                function = self.program.function(f"value {column.population} {column.variable}")
                own, others, _ = reach(self.program, function)
            else:
                own, others = frozenset({(column.population, column.variable)}), frozenset()
            found.append(
                Operation(
                    [
                        f"for (int64_t j = s.first; j < {len(column.columns)}; j += s.stride)",
                        f"    row[m.row_to_{n}[j]] = (double){value};",
                    ],
                    any_reads=own | others,
                )
            )
        return found


def _called(functions: list[dict[str, object]], roots: list[str]) -> list[dict[str, object]]:
    """Return the functions that `roots` call, themselves or through others, in their order."""
    lines: dict[str, list[str]] = {}
    for function in functions:
        name = str(function["head"]).partition("(")[0].rpartition(" ")[2]
        lines[name] = function["lines"]  # type: ignore[assignment]
    found: set[str] = set()
    pending = list(roots)
    while pending:
        called = set(CALL.findall(pending.pop())) & lines.keys() - found
        found |= called
        pending.extend(line for name in sorted(called) for line in lines[name])
    return [f for f, name in zip(functions, lines, strict=True) if name in found]
