"""C++ text of a program of kernels over whole populations."""

from __future__ import annotations

from collections import Counter

from ..converter.network import Assign
from ..errors import InternalError, UsageError
from .kernel_text import CPP, KernelText, uniform
from .located import CROSSED
from .lower_phases import CLOCK, OLD, VERSION
from .print_c import identifier, number
from .program import BufferName, Delivery, Flag, Function, Layout, Phase, Program, half_in_ms
from .templates import render

#: Events without delay that one step may exchange before they count as going in a circle.
EVENT_LIMIT = 1_000_000_000
ROUND_LIMIT = 10_000_000

#: Events that a kernel can count of one port of one instance: the counts are bytes.
MOST_EVENTS = 255


def emit_phases(program: Program, source: str) -> tuple[str, tuple[BufferName, ...]]:
    """Return the program's C++ text and the buffers it takes, in order."""
    return _Emitter(program).emit(source)


class _Emitter:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.text = KernelText(program, CPP)
        self.layouts = self.text.layouts
        self.pop = self.text.pop
        self.ports = self.text.ports
        self.rings: dict[str, int] = {}
        self.ring_slots: list[int] = []
        for delivery in program.deliveries:
            assert delivery.delay_steps is not None
            longest = int(delivery.delay_steps.max(initial=0))
            if longest > 0 and not program.exact_events:
                self.rings[delivery.name] = len(self.ring_slots)
                self.ring_slots.append(longest + 1)

    # --- the whole ----------------------------------------------------------------------------

    def emit(self, source: str) -> tuple[str, tuple[BufferName, ...]]:
        self.text.collect_buffers()
        functions = [self.function(f) for f in self.program.functions]
        text = render(
            "phases.cpp.jinja",
            source=source,
            real=self.text.real,
            small=self.text.small,
            dt=number(self.program.step, self.text.real),
            fields=self.text.fields,
            declarations=[f"{f['head']};" for f in functions],
            functions=functions,
            send_cases=self.send_cases(),
            deliver_lines=self.deliver_lines(),
            record_lines=self.record_lines(),
            fault_lines=self.fault_lines(),
            bind_lines=[
                f"m.{b.name} = ({self.text.c_type(b)} *)buffers[{n}];"
                for n, b in enumerate(self.text.buffers)
            ],
            start_lines=self.phase_lines(start=True),
            step_lines=self.phase_lines(start=False),
            ring_slots=", ".join(map(str, self.ring_slots)) or "0",
            ring_count=len(self.ring_slots),
            columns=len(self.program.columns),
            event_limit=EVENT_LIMIT if not self.program.exact_events else ROUND_LIMIT,
            exact_events=self.program.exact_events,
            cell_lines=self.text.cell_lines(),
            carry_lines=self.carry_lines(),
            version_cases=self.version_cases(),
            reach_cases=self.reach_cases(),
        )
        return text, tuple(self.text.buffers)

    # --- functions --------------------------------------------------------------------------------

    def function(self, function: Function) -> dict[str, object]:
        if function.kind == "kernel":
            return self.kernel(function, self.layouts[function.population])
        return self.text.function(function)

    def kernel(self, function: Function, layout: Layout) -> dict[str, object]:
        lines = self.text.lines(function, layout, kernel=True)
        written = {
            s.variable
            for s in function.body
            if isinstance(s, Assign) and s.variable in layout.variables
        }
        pointers = [
            f"{'' if name in written else 'const '}"
            f"{'small' if name in layout.parameters else 'real'} *__restrict "
            f"{self.text.variable(layout, name)} = m.{self.text.variable(layout, name)};"
            for name in (*layout.variables, *layout.parameters)
            if any(f"{self.text.variable(layout, name)}[i]" in line for line in lines)
        ]
        checked = [name for name in layout.checked if name in written or f"{name}__next" in written]
        sent = Counter(s.port for s in function.body if isinstance(s, Flag))
        if sent and max(sent.values()) > MOST_EVENTS:
            raise UsageError(
                f"{layout.component!r} can send more than {MOST_EVENTS} events from one port in "
                "one step: choose the method jlems"
            )
        flags = set(sent)
        bad = [
            f"bad |= !({load} - {load} == 0);"
            for name in checked
            for load in [
                self.text.variable(layout, name if name in written else f"{name}__next") + "[i]"
            ]
        ]
        now = "s.t + dt" if function.name.startswith("advance") else "s.t"
        after = [
            f"ls_note_flags(s, {self.ports[(layout.name, port)]}, "
            f"m.flags_{self.pop[layout.name]}_{identifier(port)}, {layout.size}, {now});"
            for port in sorted(flags - {CROSSED})
        ]
        return {
            "head": f"int {self.text.kernel_name(function)}(Model &m, LsPhases &s)",
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
                # An instance touches its own elements only, whatever the pointers look like.
                "LS_INDEPENDENT",
                f"for (int64_t i = 0; i < {layout.size}; i++) {{",
                *(f"    {line}" for line in (*lines, *bad)),
                "}",
                *after,
                "return bad;",
            ],
        }

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

    def send_lines(self, delivery: Delivery) -> list[str]:
        assert delivery.delay_steps is not None
        name = delivery.name
        loop = f"for (int64_t k = m.{name}_starts[i]; k < m.{name}_starts[i + 1]; k++)"
        if self.program.exact_events:
            number = self.program.deliveries.index(delivery)
            due = f"time + m.{name}_delays[k]"
            return [f"{loop} ls_heap_push(s, {{{due}, 0, 0, k, {number}, 0}});"]
        if name not in self.rings:
            return [f"{loop} {self.text.call(delivery)}"]
        ring = self.rings[name]
        if uniform(delivery.delay_steps):
            delay = int(delivery.delay_steps[0])
            return [
                (
                    f"if (m.{name}_starts[i] < m.{name}_starts[i + 1]) "
                    f"ls_ring_push(s, {ring}, {delay}, i);"
                )
            ]
        steps = f"m.{name}_delay_steps[k]"
        return [
            f"{loop} {{",
            f"    if ({steps} > 0) ls_ring_push(s, {ring}, {steps}, k);",
            f"    else {self.text.call(delivery)}",
            "}",
        ]

    def deliver_lines(self) -> list[str]:
        lines: list[str] = []
        for delivery in self.program.deliveries:
            if delivery.name not in self.rings:
                continue
            assert delivery.delay_steps is not None
            name = delivery.name
            lines.extend(
                [
                    "{",
                    f"    LsRing &r = s.rings[{self.rings[name]}];",
                    "    const int64_t slot = s.step % r.slots;",
                    "    for (int64_t n = 0; n < r.sizes[slot]; n++) {",
                ]
            )
            if uniform(delivery.delay_steps):
                lines.append("        const int64_t i = r.items[slot][n];")
                loop = f"for (int64_t k = m.{name}_starts[i]; k < m.{name}_starts[i + 1]; k++)"
                lines.append(f"        {loop} {self.text.call(delivery)}")
            else:
                lines.append("        const int64_t k = r.items[slot][n];")
                lines.append(f"        {self.text.call(delivery)}")
            lines.extend(["    }", "    r.sizes[slot] = 0;", "}"])
        return lines

    # --- events at exact times -----------------------------------------------------------------

    @property
    def reached(self) -> list[str]:
        """The populations that events reach inside a step."""
        return [p.name for p in self.program.phases if p.kind == "keep"]

    def stored(self, population: str, name: str) -> str:
        """Return the buffer of a variable."""
        return f"m.{self.text.variable(self.layouts[population], name)}"

    def carry_lines(self) -> list[str]:
        """Return the functions that bring instances to an event and on from it."""
        lines: list[str] = []
        for name in self.reached:
            act = self.program.function(f"act {name}")
            at = [self.stored(name, state) for state in act.states]
            old = [self.stored(name, state + OLD) for state in act.states]
            text = render(
                "carry.jinja",
                pop=self.pop[name],
                states=len(at),
                tests=len(act.arguments),
                fail="s.error = LS_TOO_DEEP",
                loads=[f"x[{n}] = {a}[i];" for n, a in enumerate(at)],
                stores=[f"{a}[i] = (real)x[{n}];" for n, a in enumerate(at)],
                loads_old=[f"x[{n}] = {a}[i];" for n, a in enumerate(old)],
                stores_old=[f"{a}[i] = (real)x[{n}];" for n, a in enumerate(old)],
                clock=self.stored(name, CLOCK),
                version=self.stored(name, VERSION),
            )
            lines += text.splitlines()
        return lines

    def version_cases(self) -> list[str]:
        """Return how often the future of the instance behind a port was revised."""
        return [
            f"case {n}: return (double){self.stored(population, VERSION)}[i];"
            for (population, _), n in self.ports.items()
            if population in self.reached
        ]

    def reach_cases(self) -> list[str]:
        """Return what a connection's event does to its target."""
        lines: list[str] = []
        for at, delivery in enumerate(self.program.deliveries):
            call = self.text.call(delivery)
            target = f"m.{delivery.name}_targets[k]"
            if delivery.target in self.reached:
                act = f"event_{self.pop[delivery.target]}(m, s, {target}, event.time, end, "
                body = f"{act}[&]() {{ {call} }});"
            else:
                body = f"{{ const double t = s.t; s.t = event.time; {call} s.t = t; }}"
            lines += [f"case {at}:", f"    {body}", "    break;"]
        return lines

    def keep_lines(self, name: str) -> list[str]:
        """Return the copying of a population's states before they advance."""
        size = self.layouts[name].size
        lines = [
            f"memcpy({self.stored(name, state + OLD)}, {self.stored(name, state)}, "
            f"sizeof(real) * {size});"
            for state in self.program.function(f"act {name}").states
        ]
        loop = f"for (int64_t i = 0; i < {size}; i++)"
        return [*lines, f"{loop} {self.stored(name, CLOCK)}[i] = (real)s.t;"]

    # --- the step ---------------------------------------------------------------------------------

    def phase_lines(self, *, start: bool) -> list[str]:
        lines: list[str] = []
        for phase in self.program.start if start else self.program.phases:
            match phase.kind:
                case "kernel":
                    function = self.program.function(phase.name)
                    call = f"{self.text.kernel_name(function)}(m, s);"
                    lines.append(call if start else f"bad |= {call}")
                case "locate":
                    size = self.layouts[phase.name].size
                    loop = f"for (int64_t i = 0; i < {size}; i++)"
                    lines.extend(self.text.locate_lines(phase.name, loop, "s.error = LS_TOO_DEEP"))
                case "cable" | "cable_half":
                    lines.extend(self.cable_lines(phase))
                case "move":
                    assert phase.move is not None
                    layout = self.layouts[phase.move.population]
                    for target, source in phase.move.pairs:
                        lines.append(
                            f"memcpy(m.{self.text.variable(layout, target)}, "
                            f"m.{self.text.variable(layout, source)}, "
                            f"sizeof(real) * {layout.size});"
                        )
                case "tick" if phase.name == "added":
                    half = number(half_in_ms(self.program.step))
                    lines.append("s.step++;")
                    lines.append(f"s.clock += {half};")
                    lines.append(f"s.clock += {half};")
                    lines.append("s.t = s.clock * 1e-3;")
                case "tick":
                    lines.append("s.step++;")
                    lines.append(f"s.t = (double)s.step * {number(self.program.step)};")
                case "deliver":
                    lines.append("deliver(m, s);")
                case "send":
                    lines.append("send(m, s);")
                case "keep":
                    lines.extend(self.keep_lines(phase.name))
                case "exchange":
                    lines.append("exchange(m, s, s.t);")
                case "record":
                    pass
                case kind:
                    raise InternalError(f"no phase is called {kind!r}")
        return lines

    def cable_lines(self, phase: Phase) -> list[str]:
        """Return the solve for the potentials of a population of compartments."""
        layout = self.layouts[phase.name]
        return [
            "{",
            f"    {self.text.cable_tree(layout)}",
            f"    bad |= ls_cable_step<real>(tree, {self.text.cable_arguments(layout, phase)});",
            "}",
        ]

    def record_lines(self) -> list[str]:
        lines: list[str] = []
        for n, c in enumerate(self.program.columns):
            layout = self.layouts[c.population]
            derived = c.variable in layout.published or c.variable not in layout.variables
            value = (
                f"{self.text.value_name(c.population, c.variable)}(m, s, {c.instance})"
                if derived
                else f"m.{self.text.variable(layout, c.variable)}[{c.instance}]"
            )
            lines.append(f"row[{n}] = (double){value};")
        return lines

    def fault_lines(self) -> list[str]:
        lines: list[str] = []
        for p, layout in enumerate(self.program.layouts):
            for v, name in enumerate(layout.checked):
                if name not in layout.variables:
                    continue
                load = f"m.{self.text.variable(layout, name)}[i]"
                lines.append(
                    f"for (int64_t i = 0; i < {layout.size}; i++) "
                    f"if (!({load} - {load} == 0)) {{ s.error = LS_NOT_FINITE; "
                    f"s.error_population = {p}; s.error_variable = {v}; "
                    f"s.error_instance = i; return; }}"
                )
        return lines
