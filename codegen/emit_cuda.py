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
from .cuda_program import BLOCK, column_groups, fault_bits
from .device_events import (
    Events,
    Keys,
    Port,
    Way,
    delays,
    events_of,
    handler_of,
    reach,
    sums_of,
)
from .device_order import Operation, in_order
from .kernel_text import Dialect, KernelText, local_name, uniform
from .located import CROSSED
from .print_c import identifier, number
from .program import (
    BufferName,
    Delivery,
    Flag,
    Function,
    Layout,
    Phase,
    Program,
    half_in_ms,
    slope_name,
)
from .templates import render

CUDA = Dialect(
    inline="LS_FN",
    called="LS_CALL",
    model="const Model &m",
    run="const LsStep &s",
    note="if ({condition}) note_{number}(m, s, i, now);",
    send="note_{number}(m, s, i, t);",
    reply="push_{number}(m, s, i, t);",
    count="unsigned short",
)

#: What a loop over a population's own instances looks like.
OWN = "for (int64_t i = s.first; i < {size}; i += s.stride)"

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
            name = self.port_name(port)
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

    def port_name(self, port: Port) -> str:
        return f"{self.pop[port.population]}_{identifier(port.port)}"

    # --- operations and barriers ------------------------------------------------------------------

    def operations(self, *, start: bool) -> list[Operation]:
        found: list[Operation] = []
        if not start:
            found.extend(self.clear_next(port) for port in self.events.ports)
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
                    found.extend(self.deliver())
                case "send":
                    found.extend(self.send())
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
        self.define(
            name,
            self.text.locate_lines(population, OWN.format(size=layout.size), "s.run->deep = 1"),
        )
        states = self.program.function(f"act {population}").states
        suffix = "__next" if f"{states[0]}__next" in layout.variables else ""
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
            stored = name if name in written else f"{name}__next"
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

    # --- events -----------------------------------------------------------------------------------

    def clear_next(self, port: Port) -> Operation:
        """Empty the list of the step after the one that begins.

        It was last read two steps ago and is written to in the next, with a barrier between.
        """
        return Operation(
            [f"if (s.first == 0) m.sizes_{self.port_name(port)}[(s.step + 2) % {port.slots}] = 0;"]
        )

    def deliver(self) -> list[Operation]:
        late = [way for way in self.events.ways if way.last > 0]
        if self.events.serial:
            lines = [line for way in late for line in self.serial_lines(way, max(1, way.first))]
            return [self.one_thread(lines, late)] if late else []
        found = [self.way(way, max(1, way.first), way.last, "late") for way in late]
        return [*found, *self.take_up(late)]

    def send(self) -> list[Operation]:
        found = [self.collect(port) for port in self.events.ports]
        soon = [way for way in self.events.ways if way.first == 0]
        if self.events.serial:
            return [*found, self.one_thread(self.cascade_lines(), list(self.events.ways))]
        order = {(p.population, p.port): n for n, p in enumerate(self.events.ports)}
        soon.sort(key=lambda way: order[(way.delivery.source, way.delivery.port)])
        found.extend(self.way(way, 0, 0, "soon") for way in soon)
        return [*found, *self.take_up(soon)]

    def collect(self, port: Port) -> Operation:
        """Put the instances that sent an event into the list of this step."""
        name = self.port_name(port)
        size = self.layouts[port.population].size
        self.define(
            f"collect_{name}",
            [
                f"unsigned short *const sent = m.flags_{name};",
                f"const int64_t slot = s.step % {port.slots};",
                # Whole warps go round together.
                f"for (int64_t i = s.first; i - (i & 31) < {size}; i += s.stride) {{",
                f"    const unsigned int count = i < {size} ? sent[i] : 0;",
                "    if (count != 0) sent[i] = 0;",
                (
                    f"    ls_list(s, {port.number}, i, count, m.list_{name} + slot * {port.room}, "
                    f"m.many_{name} + slot * {port.room}, m.sizes_{name} + slot, {port.room});"
                ),
                "}",
            ],
        )
        flags = frozenset({(port.population, f"(flag {port.port})")})
        lists = frozenset({(port.population, f"(list {port.port})")})
        return Operation([f"collect_{name}(m, s);"], flags, flags, frozenset(), lists)

    def list_of(self, way: Way) -> Port:
        port = self.events.port(way.delivery.source, way.delivery.port)
        if port is None:
            raise InternalError(f"{way.delivery.name} has no list of events")
        return port

    def list_lines(self, port: Port, delay: str) -> list[str]:
        """Return the declarations of list, many and size of the events `delay` steps ago."""
        name = self.port_name(port)
        return [
            f"const int64_t slot = (s.step + {port.slots} - {delay}) % {port.slots};",
            f"int *const list = m.list_{name} + slot * {port.room};",
            f"unsigned short *const many = m.many_{name} + slot * {port.room};",
            f"const int64_t size = ls_least<int64_t>(m.sizes_{name}[slot], {port.room});",
        ]

    def bounds(self, delivery: Delivery, delay: str) -> list[str]:
        """Return the declarations of the connections of source i that have a delay."""
        name = delivery.name
        ends = f"m.{name}_starts[i], m.{name}_starts[i + 1]"
        if uniform(delays(delivery)):
            return [f"const int64_t from = m.{name}_starts[i], to = m.{name}_starts[i + 1];"]
        return [
            f"const int64_t from = ls_lower(m.{name}_delay_steps, {ends}, {delay});",
            (
                f"const int64_t to = ls_lower(m.{name}_delay_steps, from, "
                f"m.{name}_starts[i + 1], {delay} + 1);"
            ),
        ]

    def way(self, way: Way, first: int, last: int, when: str) -> Operation:
        """Return the delivery of what was sent `first` to `last` steps ago."""
        if way.mode == "serial":
            return self.one_thread(self.serial_lines(way, first, last), [way])
        delivery, port = way.delivery, self.list_of(way)
        name = f"{when}_{delivery.name}"
        self.define(
            name,
            [
                # A unit of `lanes` threads takes one event, its lanes one connection each.
                f"const int64_t lanes = ls_least<int64_t>({way.lanes}, s.stride);",
                "const int64_t units = s.stride / lanes, unit = s.first / lanes;",
                "const int64_t lane = s.first % lanes;",
                *(
                    self.one_list(way, port, first)
                    if first == last
                    else self.many_lists(way, port, first, last)
                ),
            ],
        )
        return self.operation(f"{name}(m, s);", way, port)

    def operation(self, line: str, way: Way, port: Port) -> Operation:
        own, others, written = self.handler_reach(way)
        lists = frozenset({(port.population, f"(list {port.port})")})
        if way.mode == "add":
            target = way.delivery.target
            written = frozenset((target, f"(sum {state})") for state, _ in way.increments)
            own, others = frozenset(), frozenset()
        return Operation([line], frozenset(), frozenset(), own | others | lists, written)

    def handler_reach(self, way: Way) -> tuple[Keys, Keys, Keys]:
        return reach(self.program, handler_of(self.program, way.delivery))

    def one_list(self, way: Way, port: Port, delay: int) -> list[str]:
        return [
            *self.list_lines(port, str(delay)),
            "for (int64_t n = unit; n < (unit < units ? size : 0); n += units) {",
            *(f"    {line}" for line in self.event_lines(way, str(delay))),
            "}",
        ]

    def many_lists(self, way: Way, port: Port, first: int, last: int) -> list[str]:
        """Return the loop over the lists of several steps, shared among the units."""
        count = last - first + 1
        return [
            # Enough units: every list has some of its own. Too few: every unit has some lists.
            f"const bool wide = units >= {count};",
            f"const int64_t shares = wide ? units / {count} : 1;",
            (
                f"const int64_t begin = unit >= units || (wide && unit >= shares * {count}) "
                f"? {count} : (wide ? unit % {count} : unit);"
            ),
            f"for (int64_t at = begin; at < {count}; at += wide ? {count} : units) {{",
            f"    const int delay = {first} + (int)at;",
            *(f"    {line}" for line in self.list_lines(port, "delay")),
            f"    for (int64_t n = wide ? unit / {count} : 0; n < size; n += shares) {{",
            *(f"        {line}" for line in self.event_lines(way, "delay")),
            "    }",
            "}",
        ]

    def event_lines(self, way: Way, delay: str) -> list[str]:
        delivery = way.delivery
        done = (
            self.add_lines(way)
            if way.mode == "add"
            else [f"for (int round = 0; round < count; round++) {self.text.call(delivery)}"]
        )
        return [
            "const int64_t i = list[n];",
            "const int count = many[n];",
            *self.bounds(delivery, delay),
            "for (int64_t k = from + lane; k < to; k += lanes) {",
            *(f"    {line}" for line in done),
            "}",
        ]

    def add_lines(self, way: Way) -> list[str]:
        delivery = way.delivery
        layout = self.layouts[delivery.target]
        function = handler_of(self.program, delivery)
        printer = self.text.printer(function, layout, kernel=False)
        lines = [
            f"const real {local_name(a)} = m.{delivery.name}_{identifier(a)}[k]; "
            f"(void){local_name(a)};"
            for a in function.arguments
        ]
        lines.append(f"const int64_t i = m.{delivery.name}_targets[k];")
        for state, added in way.increments:
            name = self.text.variable(layout, state)
            lines.append(
                f"ls_add(m.sum_{name} + i, (double){printer(added)}, m.scale_{name}, count);"
            )
        return lines

    def take_up(self, ways: list[Way]) -> list[Operation]:
        """Return the operations by which states take up what was added for them."""
        states = dict.fromkeys(
            (way.delivery.target, state)
            for way in ways
            if way.mode == "add"
            for state, _ in way.increments
        )
        by_population: dict[str, list[str]] = {}
        for population, state in states:
            by_population.setdefault(population, []).append(state)
        found: list[Operation] = []
        for population, names in by_population.items():
            layout = self.layouts[population]
            lines = [OWN.format(size=layout.size) + " {"]
            for state in names:
                name = self.text.variable(layout, state)
                lines.extend(
                    [
                        f"    if (m.sum_{name}[i] != 0) {{",
                        (
                            f"        m.{name}[i] += (real)((double)(long long)m.sum_{name}[i] * "
                            f"m.scale_{name}[1]);"
                        ),
                        f"        m.sum_{name}[i] = 0;",
                        "    }",
                    ]
                )
            keys = frozenset((population, state) for state in names)
            sums = frozenset((population, f"(sum {state})") for state in names)
            found.append(Operation([*lines, "}"], keys | sums, keys | sums))
        return found

    # --- events one by one ------------------------------------------------------------------------

    def one_thread(self, lines: list[str], ways: list[Way]) -> Operation:
        """Return an operation of the first thread alone."""
        read: Keys = frozenset()
        written: Keys = frozenset()
        for way in ways:
            own, others, of = self.handler_reach(way)
            read, written = read | own | others, written | of
            lists = frozenset({(way.delivery.source, f"(list {way.delivery.port})")})
            read, written = read | lists, written | lists
        return Operation(
            ["if (s.first == 0) {", *(f"    {line}" for line in lines), "}"],
            frozenset(),
            frozenset(),
            read,
            written,
        )

    def serial_lines(self, way: Way, first: int, last: int | None = None) -> list[str]:
        """Return the loop that delivers the oldest events first, in the order of senders."""
        last = way.last if last is None else last
        return [
            f"for (int delay = {last}; delay >= {first}; delay--) {{",
            *(f"    {line}" for line in self.list_lines(self.list_of(way), "delay")),
            "    ls_sort(list, many, size);",
            "    for (int64_t n = 0; n < size; n++) {",
            "        const int64_t i = list[n];",
            *(f"        {line}" for line in self.bounds(way.delivery, "delay")),
            "        for (int64_t k = from; k < to; k++)",
            (
                "            for (int round = 0; round < many[n]; round++) "
                f"{self.text.call(way.delivery)}"
            ),
            "    }",
            "}",
        ]

    def cascade_lines(self) -> list[str]:
        """Return the exchange of this step's events, and of those that they cause, one by one."""
        lines: list[str] = []
        for port in self.events.ports:
            lines.extend(
                [
                    "{",
                    *(f"    {line}" for line in self.list_lines(port, "0")),
                    "    ls_sort(list, many, size);",
                    "    for (int64_t n = 0; n < size; n++)",
                    (
                        "        for (int round = 0; round < many[n]; round++) "
                        f"ls_push(s, {port.number}, list[n]);"
                    ),
                    f"    m.sizes_{self.port_name(port)}[slot] = 0;",
                    "}",
                ]
            )
        lines.extend(
            [
                "for (unsigned int n = 0; n < run->noted_size; n++) {",
                "    const int64_t i = run->noted[2 * n + 1];",
                "    switch (run->noted[2 * n]) {",
            ]
        )
        for key, number_of in self.text.ports.items():
            lines.append(f"        case {number_of}: {{")
            lines.extend(f"            {line}" for line in self.cascade_case(key))
            lines.extend(["            break;", "        }"])
        lines.extend(["        default: break;", "    }", "}", "run->noted_size = 0;"])
        return lines

    def cascade_case(self, key: tuple[str, str]) -> list[str]:
        lines: list[str] = []
        port = self.events.port(*key)
        if port is not None and port.slots > 3:
            name = self.port_name(port)
            lines.extend(
                [
                    f"const int64_t slot = s.step % {port.slots};",
                    f"if (m.sizes_{name}[slot] < {port.room}) {{",
                    f"    m.list_{name}[slot * {port.room} + m.sizes_{name}[slot]] = (int)i;",
                    f"    m.many_{name}[slot * {port.room} + m.sizes_{name}[slot]++] = 1;",
                    f"}} else run->overflow = {port.number + 1};",
                ]
            )
        for way in self.events.ways:
            if (way.delivery.source, way.delivery.port) == key and way.first == 0:
                lines.extend(
                    [
                        "{",
                        *(f"    {line}" for line in self.bounds(way.delivery, "0")),
                        f"    for (int64_t k = from; k < to; k++) {self.text.call(way.delivery)}",
                        "}",
                    ]
                )
        return lines

    # --- records ----------------------------------------------------------------------------------

    def record(self) -> list[Operation]:
        found: list[Operation] = []
        for n, column in enumerate(self.columns):
            layout = self.layouts[column.population]
            derived = column.variable in layout.published or column.variable not in layout.variables
            at = f"m.row_at_{n}[j]"
            if derived:
                value = f"{self.text.value_name(column.population, column.variable)}(m, s, {at})"
                function = self.program.function(f"value {column.population} {column.variable}")
                own, others, _ = reach(self.program, function)
            else:
                value = f"m.{self.text.variable(layout, column.variable)}[{at}]"
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
