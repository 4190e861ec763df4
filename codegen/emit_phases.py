"""C++ text of a program of kernels over whole populations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from ..converter.expressions import Name
from ..converter.network import Assign
from ..errors import InternalError, UsageError
from .emit_exchange import ExchangeText
from .finite_checks import stepped, told_by
from .kernel_names import local_name, stored
from .kernel_text import CPP, KernelText
from .located import CROSSED, TURNING
from .lower_phases import CLOCK, OLD, VERSION
from .ownership import Access, Ownership, meetings, threaded
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
    most_events,
)
from .recorded_columns import column_groups, column_loop
from .templates import render
from .vector_loops import BLOCK, Loops, Stage, shared_part, staged

#: Events at exact times that one step may exchange before they count as going in a circle.
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
        #: Who owns what, where the program is written for threads.
        self.owned = Ownership(program) if threaded(program) else None
        self.events = ExchangeText(program, self.text, self.owned)
        self.number = self.events.number
        #: What becomes of a member's own events before anybody else sees them, and what every
        #: member makes of everybody's.
        self.near_cases: list[str] = []
        self.far_cases: list[str] = []
        if self.owned is not None:
            self.near_cases = self.events.send_cases(self.events.near, record=True)
            self.far_cases = self.events.send_cases(self.events.far, record=False)

    # --- the whole ----------------------------------------------------------------------------

    def emit(self, source: str) -> tuple[str, tuple[BufferName, ...]]:
        self.text.collect_buffers()
        functions = [self.function(f) for f in self.program.functions]
        step_lines = self.step_lines()
        text = render(
            "phases.cpp.jinja",
            source=source,
            real=self.text.real,
            small=self.text.small,
            dt=number(self.program.step, self.text.real),
            fields=self.text.fields,
            declarations=[
                *(f"{f['head']};" for f in functions),
                *(
                    f"{self.locate_head(p.name, quiet=quiet)};"
                    for p in self.program.phases
                    if p.kind == "locate"
                    for quiet in self.ways(p.name)
                ),
            ],
            functions=functions,
            block=BLOCK,
            locate_lines=self.locate_functions(),
            deliver_lines=self.events.deliver_lines(),
            record_lines=self.record_lines(),
            fault_lines=self.fault_lines(),
            bind_lines=[
                f"m.{b.name} = ({self.text.c_type(b)} *)buffers[{n}];"
                for n, b in enumerate(self.text.buffers)
            ],
            start_lines=self.start_lines(),
            step_lines=step_lines,
            ring_slots=", ".join(map(str, self.events.ring_slots)) or "0",
            ring_single=", ".join(map(str, self.events.ring_single())) or "0",
            ring_ports=", ".join(map(str, self.events.ring_ports())) or "0",
            ring_count=len(self.events.ring_slots),
            most_events=most_events(self.program),
            threaded=self.owned is not None,
            # Whether threads ever meet inside a chunk of steps.
            meets=any("ls_meet" in line for line in step_lines),
            **self.team_lines(),
            columns=len(self.program.columns),
            round_limit=ROUND_LIMIT,
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
        sent = Counter(s.port for s in function.body if isinstance(s, Flag))
        if sent and max(sent.values()) > MOST_EVENTS:
            raise UsageError(
                f"{layout.component!r} can send more than {MOST_EVENTS} events from one port in "
                "one step: choose the method jlems"
            )
        crossing = CROSSED in sent
        flags = sorted(set(sent) - {CROSSED})
        shared, own = shared_part(function)
        loops = staged(own)
        before = self.text.lines(shared, layout, kernel=True)
        stages = [line for s in loops.stages for line in self.stage_lines(s, loops.last, layout)]
        lines = [
            *(read_buffer(name) for name in loops.read),
            *self.text.lines(loops.last, layout, kernel=True),
            *self.finite_lines(function, layout, loops),
        ]
        every = [*lines, *stages]
        run_cursors, run_sums = self.text.run_lines(own)
        now = "s.t + dt" if function.name.startswith("advance") else "s.t"
        first, last = ("from", "to") if self.owned is not None else ("0", str(layout.size))
        block = []
        if self.owned is not None:
            number = self.number[layout.name]
            block = [f"const int64_t from = s.from[{number}], to = s.to[{number}];"]
        length = last if first == "0" else f"(size_t)({last} - {first})"
        pop = self.pop[layout.name]
        hits = ["Word hits[LS_BLOCK];", "Word hit = 0;"] if crossing else []
        locate = self.locate_calls(function) if crossing else []
        return {
            "head": f"int {self.text.kernel_name(function)}(Model &m, LsPhases &s)",
            "lines": [
                "typedef LsBits<real>::Word Word;",
                "const real t = (real)s.t;",
                "(void)t;",
                "(void)m;",
                *block,
                *self.pointers(function, layout, every),
                *(
                    f"unsigned char *__restrict flag_{identifier(port)} = "
                    f"m.flags_{pop}_{identifier(port)};"
                    for port in flags
                ),
                *(f"memset(flag_{identifier(p)} + {first}, 0, {length});" for p in flags),
                *before,
                *run_cursors,
                "Word bad = 0;",
                f"for (int64_t begin = {first}; begin < {last}; begin += LS_BLOCK) {{",
                f"    const int64_t end = begin + LS_BLOCK < {last} ? begin + LS_BLOCK : {last};",
                *(f"    {line}" for line in run_sums),
                *(f"    {line}" for line in stages),
                *(f"    {line}" for line in hits),
                # An instance touches its own elements only, whatever the pointers look like.
                "    LS_INDEPENDENT",
                "    for (int64_t i = begin; i < end; i++) {",
                *(f"        {line}" for line in lines),
                "    }",
                *(f"    {line}" for line in locate),
                "}",
                *(
                    self.note_line(function, layout, port, f"{first}, {last}, {now}")
                    for port in flags
                ),
                "return bad != 0;",
            ],
        }

    def note_line(self, function: Function, layout: Layout, port: str, when: str) -> str:
        """Return the line that notes the events that a kernel flagged of one port."""
        (ago,) = {s.ago for s in function.body if isinstance(s, Flag) and s.port == port}
        buffer = f"m.flags_{self.pop[layout.name]}_{identifier(port)}"
        told = f"s, {self.ports[(layout.name, port)]}, {buffer}, {when}"
        if ago:
            return f"ls_note_flags_ago({told}, m.{self.text.variable(layout, ago)});"
        return f"ls_note_flags({told});"

    def pointers(self, function: Function, layout: Layout, lines: list[str]) -> list[str]:
        """Return the kernel's own names of the arrays that its lines mention."""
        written = _written(function, layout)
        return [
            f"{'' if name in written else 'const '}"
            f"{'small' if name in layout.parameters else 'real'} *__restrict {array} = m.{array};"
            for name in (*layout.variables, *layout.parameters)
            for array in [self.text.variable(layout, name)]
            if any(f"{array}[i]" in line for line in lines)
        ]

    def finite_lines(self, function: Function, layout: Layout, loops: Loops) -> list[str]:
        """Return what notes a state that is not finite: all others minus themselves are 0.

        Of an instance that is carried through its step, what the step would have come to is
        looked at: what is carried is looked at in the step that follows.
        """
        new = stepped(function)
        checked = [at for name in layout.checked for at in (name, name + NEXT) if at in new]
        told = told_by(function, [e.argument for s in loops.stages for e in s.evaluations], checked)
        found = [
            local_name(value.name) if isinstance(value := new[at], Name) else stored(at)
            for at in checked
            if at not in told
        ]
        if not found:
            return []
        # In pairs: one sum of all would make every round of the loop wait for it.
        pairs = [found[n : n + 2] for n in range(0, len(found), 2)]
        texts = [
            f"({pair[0]} - {pair[0]})"
            if len(pair) == 1
            else f"ls_fma({pair[1]}, (real)0, {pair[0]} - {pair[0]})"
            for pair in pairs
        ]
        return [f"bad |= {' | '.join(f'ls_bits({text})' for text in texts)};"]

    def stage_lines(self, stage: Stage, function: Function, layout: Layout) -> list[str]:
        """Return a loop over a block and the evaluations that follow it."""
        arguments = tuple(Assign(e.local, e.argument) for e in stage.evaluations)
        part = replace(function, body=(*stage.body, *arguments))
        kept = [*stage.kept, *(e.local for e in stage.evaluations)]
        lines = [
            *(f"real {buffer(name)}[LS_BLOCK];" for name in kept),
            f"Word {' = 0, '.join(f'far_{e.local}' for e in stage.evaluations)} = 0;",
            "LS_INDEPENDENT",
            "for (int64_t i = begin; i < end; i++) {",
            *(f"    {read_buffer(name)}" for name in stage.read),
            *(f"    {line}" for line in self.text.lines(part, layout, kernel=True)),
            *(
                f"    far_{e.local} |= "
                f"ls_bits(ls_where(ls_is_small({local_name(e.local)}), (real)0, (real)1));"
                for e in stage.evaluations
            ),
            *(f"    {buffer(name)}[i - begin] = {local_name(name)};" for name in kept),
            "}",
        ]
        for e in stage.evaluations:
            lines += [
                f"bad |= ls_{e.function}_block({buffer(e.local)}, end - begin, far_{e.local} != 0);"
            ]
        return lines

    def ways(self, population: str) -> tuple[bool, ...]:
        """Return the ways in which a flagged instance is carried: always all, and the quiet."""
        return (False, True) if self.text.quiet(population) else (False,)

    def locate_functions(self) -> list[str]:
        """Return what carries an instance that a kernel flagged through its step."""
        lines: list[str] = []
        for phase in (p for p in self.program.phases if p.kind == "locate"):
            for quiet in self.ways(phase.name):
                body = self.text.locate_lines(phase.name, self.no_end(phase.name), quiet=quiet)
                head = self.locate_head(phase.name, quiet=quiet)
                lines += [f"{head} {{", *(f"    {x}" for x in body), "}", ""]
        return lines

    def no_end(self, population: str) -> str:
        """Return the statement that notes that conditions follow one another without end."""
        return f"{{ s.error = LS_NO_END; s.error_population = {self.number[population]}; }}"

    def locate_head(self, population: str, *, quiet: bool) -> str:
        """Return the head of the function that carries a flagged instance."""
        name = f"locate_{'quiet_' if quiet else ''}{self.pop[population]}"
        return f"LS_RARE void {name}(Model &m, LsPhases &s, const int64_t i)"

    def locate_calls(self, function: Function) -> list[str]:
        """Return what a kernel does about the instances of a block that it flagged."""
        pop = self.pop[function.population]
        call = f"locate_{pop}(m, s, i);"
        turning = [name for name in function.locals if name.startswith(TURNING)]
        if self.text.quiet(function.population) and turning:
            (name,) = turning
            call = f"if ({local_name(name)} == 0) locate_quiet_{pop}(m, s, i); else {call}"
        return [
            "if (hit)",
            "    for (int64_t i = begin; (i = ls_next_hit(hits, begin, i, end)) < end; i++) {",
            f"        {call}",
            "    }",
        ]

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
                fail=self.no_end(name),
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

    def start_lines(self) -> list[str]:
        """Return what happens before the first step."""
        if self.owned is None:
            return [line for phase in self.program.start for line in self.phase_lines(phase, "")]
        lines = ["share(&job, s, 1);"]
        for phase in self.program.start:
            lines.extend(self.phase_lines(phase, ""))
        return lines

    def step_lines(self) -> list[str]:
        """Return what a step does, with the meetings of threads."""
        phases = [p for p in self.program.phases if p.kind != "record"]
        if self.owned is None:
            return [line for p in phases for line in self.phase_lines(p, "bad |= ")]
        accesses = [self.access(phase) for phase in phases]
        for n, phase in enumerate(phases):
            if phase.kind == "locate":
                # It is done inside the kernel before it.
                accesses[n - 1] |= accesses[n]
        meet = meetings([*accesses, self.owned.recorded()], self.forced(phases))
        lines: list[str] = []
        for phase, needed in zip(phases, meet, strict=False):
            lines.extend(["if (ls_meet(s)) return k;"] if needed else [])
            lines.extend(self.phase_lines(phase, "bad |= "))
        return [*lines, *(["if (ls_meet(s)) return k;"] if meet[-1] else [])]

    def forced(self, phases: list[Phase]) -> list[bool]:
        """Tell of every phase whether threads meet in it whatever it touches."""
        every = bool(self.far_cases) and self.events.window == 1
        return [phase.kind == "send" and every for phase in phases]

    def access(self, phase: Phase) -> Access:
        """Return what a phase touches."""
        assert self.owned is not None
        if phase.kind == "send":
            return self.events.near_access() | self.events.far_access()
        return self.owned.phase(phase)

    def phase_lines(self, phase: Phase, bad: str) -> list[str]:
        """Return the lines of one phase; `bad` takes up whether a kernel met a fault."""
        match phase.kind:
            case "kernel":
                function = self.program.function(phase.name)
                return [f"{bad}{self.text.kernel_name(function)}(m, s);"]
            case "locate":
                return []  # inside the kernel that flags
            case "cable" | "cable_half":
                return self.cable_lines(phase)
            case "move":
                return self.move_lines(phase)
            case "tick" if phase.name == "added":
                half = number(half_in_ms(self.program.step))
                add = f"s.clock += {half};"
                return ["s.step++;", add, add, "s.t = s.clock * 1e-3;"]
            case "tick":
                return ["s.step++;", f"s.t = (double)s.step * {number(self.program.step)};"]
            case "deliver":
                return ["deliver(m, s);"]
            case "send":
                return self.send_phase(start=not bad)
            case "keep":
                return self.keep_lines(phase.name)
            case "exchange":
                return ["exchange(m, s, s.t);"]
            case "record":
                return []
            case kind:
                raise InternalError(f"no phase is called {kind!r}")

    def block(self, population: str) -> tuple[str, str]:
        """Return the bounds of a member's own instances of a population."""
        if self.owned is None:
            return "0", str(self.layouts[population].size)
        number = self.number[population]
        return f"s.from[{number}]", f"s.to[{number}]"

    def move_lines(self, phase: Phase) -> list[str]:
        """Return the copying of second copies of states to where they belong."""
        assert phase.move is not None
        layout = self.layouts[phase.move.population]
        first, last = self.block(layout.name)
        return [
            f"memcpy(m.{self.text.variable(layout, target)} + {first}, "
            f"m.{self.text.variable(layout, source)} + {first}, "
            f"sizeof(real) * (size_t)({last} - {first}));"
            for target, source in phase.move.pairs
        ]

    # --- threads --------------------------------------------------------------------------------

    def send_phase(self, *, start: bool) -> list[str]:
        """Return the sending of what was noted."""
        if self.owned is None:
            return ["send(m, s);"]
        lines = ["send_near(m, s);"]
        if self.far_cases and start:
            lines.append("exchange(m, s);")
        elif self.far_cases:
            steps = self.events.window
            when = f"if (s.step % {steps} == 0 || k + 1 == steps) " if steps > 1 else ""
            lines.append(f"{when}{{")
            lines.extend(["    if (ls_meet(s)) return k;", "    exchange(m, s);", "}"])
        return lines

    def team_lines(self) -> dict[str, object]:
        """Return what the template wants to know of threads."""
        if self.owned is None:
            cases = self.events.send_cases(self.program.deliveries, record=True)
            return {"send_cases": cases}
        return {
            "send_cases": [],
            "near_cases": self.near_cases,
            "far_cases": self.far_cases,
            "disordered": self.events.disordered(),
            "share_lines": self.share_lines(),
            "owns_cases": self.events.owns_cases(),
            "populations": len(self.layouts) + len(self.cables),
        }

    def share_lines(self) -> list[str]:
        """Return the cutting of every population into blocks, those first that others follow."""
        assert self.owned is not None
        lines: list[str] = []
        for layout in self.owned.in_order():
            n, above = self.number[layout.name], self.owned.above(layout)
            if above is None:
                lines.append(f"ls_share(s, {n}, {layout.size}, count);")
            else:
                parent = f"(*(Job *)job).m->{self.pop[layout.name]}_at_parent"
                lines.append(
                    f"ls_share_below(s, {n}, {self.number[above.name]}, {parent}, {layout.size});"
                )
        for name, n in self.cables.items():
            cable = self.layouts[name].cable
            assert cable is not None
            lines.append(f"ls_share(s, {n}, {cable.cells}, count);")
        return lines

    @property
    def cables(self) -> dict[str, int]:
        """The number under which the cells of a cable's population are shared out."""
        found = [name for name, layout in self.layouts.items() if layout.cable is not None]
        return {name: len(self.layouts) + n for n, name in enumerate(found)}

    def cable_lines(self, phase: Phase) -> list[str]:
        """Return the solve for the potentials of a population of compartments."""
        layout = self.layouts[phase.name]
        assert layout.cable is not None
        first, last = "0", str(layout.cable.cells)
        if self.owned is not None:
            n = self.cables[layout.name]
            first, last = f"s.from[{n}]", f"s.to[{n}]"
        arguments = self.text.cable_arguments(layout, phase)
        return [
            "{",
            f"    {self.text.cable_tree(layout)}",
            f"    bad |= ls_cable_cells<real>(tree, {first}, {last}, {arguments});",
            "}",
        ]

    def record_lines(self) -> list[str]:
        lines: list[str] = []
        for column in column_groups(self.program):
            layout = self.layouts[column.population]
            value = partial(self.text.value_at, column.population, column.variable)
            lines.extend(column_loop(column, value, self.condition(layout)))
        return lines

    def condition(self, layout: Layout) -> Callable[[str], str]:
        """Return what writes the condition that this thread owns an instance."""
        if self.owned is None:
            return lambda _: ""
        return lambda at: f"if (ls_mine(s, {self.number[layout.name]}, {at})) "

    def fault_lines(self) -> list[str]:
        lines: list[str] = []
        for p, layout in enumerate(self.program.layouts):
            for v, name in enumerate(layout.checked):
                if name not in layout.variables:
                    continue
                load = f"m.{self.text.variable(layout, name)}[i]"
                first, last = self.block(layout.name)
                mine = ""
                if self.owned is not None and layout.cable and name == layout.cable.state:
                    # The solve goes by cells.
                    first, last = "0", str(layout.size)
                    mine = f"if (ls_mine(s, {self.cables[layout.name]}, i % {layout.cable.cells})) "
                lines.append(
                    f"for (int64_t i = {first}; i < {last}; i++) {mine}"
                    f"if (!({load} - {load} == 0)) {{ s.error = LS_NOT_FINITE; "
                    f"s.error_population = {p}; s.error_variable = {v}; "
                    f"s.error_instance = i; return; }}"
                )
        return lines


def _written(function: Function, layout: Layout) -> set[str]:
    """Return the stored variables that a kernel writes."""
    return {
        s.variable
        for s in function.body
        if isinstance(s, Assign) and s.variable in layout.variables
    }


def buffer(local: str) -> str:
    """Return the C name of the buffer that holds a local for a block.

    >>> buffer("v")
    'block_v'
    """
    return f"block_{identifier(local)}"


def read_buffer(local: str) -> str:
    """Return the line that reads a local from its buffer."""
    return f"const real {local_name(local)} = {buffer(local)}[i - begin];"
