"""Python text of a program with the reference's order of steps.

Every function is written for one instance, over plain floats; where instances may be taken
all at once (`batches.py`) and there are enough of them, it is written a second time over
numpy arrays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ..converter.expressions import Expression, Name
from ..converter.network import (
    Advance,
    Assign,
    Collect,
    Emit,
    Flow,
    Run,
    When,
)
from ..errors import InternalError
from .batches import Batches, batches_of, handler_of
from .print_c import identifier
from .print_numpy import ArrayPrinter, NumberPrinter, number, risky
from .program import (
    DEPTH_LIMIT,
    AdvanceList,
    BodyStatement,
    BufferName,
    CollectList,
    Delivery,
    Function,
    Layout,
    Program,
    most_events,
)
from .templates import render

#: From how many instances on arrays are faster than plain floats.
BATCH = 32


def emit_numpy_steps(
    program: Program, source: str, batch: int = BATCH
) -> tuple[str, tuple[BufferName, ...]]:
    """Return the program's Python text and the buffers it takes, in order."""
    return _Emitter(program, batches_of(program), batch).emit(source)


@dataclass(slots=True)
class _Scope:
    """Lines being written, and which symbols lie in Python variables already."""

    layout: Layout
    function: Function
    lines: list[str] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    #: Locals whose values are arrays.
    arrays: set[str] = field(default_factory=set)
    #: What indexes an instance: "i", or the name of an array of instances.
    at: str = "i"

    def inner(self, at: str | None = None) -> _Scope:
        known = set(self.known) if at is None else set()
        return _Scope(self.layout, self.function, [], known, set(self.arrays), at or self.at)

    def forget(self) -> None:
        """After a call anything stored may have changed."""
        self.known &= set(self.layout.parameters)

    def forget_written(self, variables: set[str]) -> None:
        reads = self.layout.reads
        self.known -= variables
        self.known -= {
            n for n in self.known if n in reads and reads[n].population == self.layout.name
        }


class _Emitter:
    def __init__(self, program: Program, batches: Batches, batch: int) -> None:
        self.program = program
        self.batches = batches
        self.batch = batch
        self.layouts = {layout.name: layout for layout in program.layouts}
        self.pop = {
            layout.name: f"p{n}_{identifier(layout.name)}"
            for n, layout in enumerate(program.layouts)
        }
        self.lists = {a.name: a for a in program.advance_lists}
        self.collects = {c.name: c for c in program.collect_lists}
        # An event that makes no difference is not delivered.
        self.delivered = tuple(
            d for d in program.deliveries if (d.target, d.handler) not in batches.inert
        )
        self.deliveries: dict[tuple[str, str], list[Delivery]] = {}
        for delivery in self.delivered:
            self.deliveries.setdefault((delivery.source, delivery.port), []).append(delivery)
        self.recorded = {(p.population, p.port) for p in program.ports}
        self.functions = {(f.population, handler_of(f)): f for f in program.functions}
        self.counter = 0

    # --- names -------------------------------------------------------------------------------

    def buffer(self, population: str, name: str) -> str:
        return f"{self.pop[population]}_{identifier(name)}"

    def index_buffer(self, population: str, name: str) -> str:
        return f"{self.pop[population]}_at_{identifier(name)}"

    def fresh(self, base: str) -> str:
        self.counter += 1
        return f"{base}{self.counter}"

    def advance_name(self, population: str, *, together: bool = False) -> str:
        return f"advance_{'all_' if together else ''}{self.pop[population]}"

    def handler(self, population: str, name: str, *, together: bool = False) -> str:
        return f"handle_{'all_' if together else ''}{self.pop[population]}_{identifier(name)}"

    def emitter(self, population: str, port: str) -> str:
        return f"emit_{self.pop[population]}_{identifier(port)}"

    def ports_of(self, population: str) -> list[str]:
        ports = {
            port for source, port in (*self.deliveries, *self.recorded) if source == population
        }
        return sorted(ports)

    # --- the whole ---------------------------------------------------------------------------

    def emit(self, source: str) -> tuple[str, tuple[BufferName, ...]]:
        together, handled = self.used_together()
        functions = [
            self.arrival(delivery) for delivery in self.delivered if self.arrives_together(delivery)
        ]
        functions += [
            self.emit_function(layout.name, port)
            for layout in self.program.layouts
            for port in self.ports_of(layout.name)
        ]
        for (population, handler), function in self.functions.items():
            functions.append(self.function(function, handler))
            if population in together if handler is None else (population, handler) in handled:
                functions.append(self.function_together(function, handler))
        text = render(
            "steps.py.jinja",
            source=source.replace("\n", " "),
            dt=number(self.program.step),
            functions=functions,
            tables=[self.advance_table(listed) for listed in self.program.advance_lists],
            advance_root=f"{self.advance_name(self.program.root)}(0)",
            most_events=most_events(self.program, FEWEST),
        )
        return text, tuple(self.buffers())

    def advance_table(self, listed: AdvanceList) -> str:
        """Return the line that names what advances each part of a list."""
        return f"{listed.name}_advance = ({', '.join(map(self.advance_name, listed.populations))},)"

    def buffers(self) -> Iterator[BufferName]:
        for layout in self.program.layouts:
            for kind, symbols in (("variable", layout.variables), ("parameter", layout.parameters)):
                for name in symbols:
                    yield BufferName(self.buffer(layout.name, name), kind, layout.name, name)
            for name in layout.indices:
                yield BufferName(self.index_buffer(layout.name, name), "index", layout.name, name)
        lists: tuple[AdvanceList | CollectList, ...] = (
            *self.program.advance_lists,
            *self.program.collect_lists,
        )
        for listed in lists:
            yield BufferName(listed.name, "list", listed.name, "")
        for delivery in self.program.deliveries:
            yield BufferName(delivery.name, "delivery", delivery.name, "")
        for population, port in sorted(self.recorded):
            yield BufferName(f"recorded_{self.emitter(population, port)}", "port", population, port)

    def used_together(self) -> tuple[set[str], set[tuple[str, str]]]:
        """Return the populations and the handlers that need text over arrays."""
        populations: set[str] = set()
        left = [
            listed.populations[0]
            for listed in self.program.advance_lists
            if self.goes_together(listed)
        ]
        while left:
            name = left.pop()
            if name not in populations:
                populations.add(name)
                for statement in self.functions[name, None].body:
                    if isinstance(statement, Advance):
                        left.extend(self.lists[statement.populations[0]].populations)
        handlers = {(d.target, d.handler) for d in self.delivered if self.arrives_together(d)}
        bodies = [(name, self.functions[name, None].body) for name in sorted(populations)]
        bodies += [(name, self.functions[name, h].body) for name, h in sorted(handlers)]
        while bodies:
            population, body = bodies.pop()
            for handler in _runs(body):
                if (population, handler) not in handlers:
                    handlers.add((population, handler))
                    bodies.append((population, self.functions[population, handler].body))
        return populations, handlers

    def goes_together(self, listed: AdvanceList) -> bool:
        """Tell whether an owner on its own advances what is below it all at once."""
        return (
            listed.which is None
            and listed.populations[0] in self.batches.advance
            and _longest(listed) >= self.batch
        )

    def arrives_together(self, delivery: Delivery) -> bool:
        return (delivery.target, delivery.handler) in self.batches.handlers and _longest(
            delivery
        ) >= self.batch

    # --- functions of one instance -----------------------------------------------------------

    def function(self, function: Function, handler: str | None) -> dict[str, object]:
        name = (
            self.advance_name(function.population)
            if handler is None
            else self.handler(function.population, handler)
        )
        scope = _Scope(self.layouts[function.population], function)
        if any(_runs(function.body)):
            scope.lines.append("global depth")
        self.block(function.body, scope)
        return {"head": f"def {name}(i)", "lines": scope.lines or ["pass"]}

    def block(self, statements: tuple[BodyStatement, ...], scope: _Scope) -> None:
        for statement in statements:
            self.statement(statement, scope)

    def load(self, name: str, scope: _Scope, every: str = "") -> str:
        """Return the Python name of a symbol's value, read from its buffer before if needed."""
        if name in ("t", "dt"):
            return name
        layout = scope.layout
        text = local(name)
        if name in scope.function.locals or name in scope.known:
            return text
        if name in layout.reads:
            read = layout.reads[name]
            other = self.buffer(read.population, read.variable)
            index = f"{every}{self.index_buffer(layout.name, read.index)}[{scope.at}]"
            scope.lines.append(f"{text} = {every}{other}[{index}]")
        elif name in layout.variables or name in layout.parameters:
            scope.lines.append(f"{text} = {every}{self.buffer(layout.name, name)}[{scope.at}]")
        else:
            raise InternalError(f"{name!r} is no symbol of {layout.name!r}")
        scope.known.add(name)
        return text

    def texts(self, tree: Expression, scope: _Scope) -> tuple[str, str]:
        """Return `tree` in Python's arithmetic and, where that can refuse, in C's."""

        def load(name: str) -> str:
            return self.load(name, scope)

        careful = NumberPrinter(load, careful=True)(tree) if risky(tree) else ""
        return NumberPrinter(load)(tree), careful

    @staticmethod
    def assign(target: str, texts: tuple[str, str], scope: _Scope) -> None:
        quick, careful = texts
        if not careful:
            scope.lines.append(f"{target} = {quick}")
            return
        scope.lines.extend(
            ["try:", f"    {target} = {quick}", "except EDGES:", f"    {target} = {careful}"]
        )

    def stored(self, variable: str, scope: _Scope, every: str = "") -> str:
        """Return where to put a variable's new value, which is then in a Python variable too."""
        scope.forget_written({variable})
        scope.known.add(variable)
        buffer = self.buffer(scope.layout.name, variable)
        return f"{every}{buffer}[{scope.at}] = {local(variable)}"

    def statement(self, statement: BodyStatement, scope: _Scope) -> None:
        layout = scope.layout
        match statement:
            case Assign(variable, value):
                texts = self.texts(value, scope)
                is_local = variable in scope.function.locals
                place = local(variable) if is_local else self.stored(variable, scope)
                self.assign(place, texts, scope)
            case When(condition, body):
                test, careful = self.texts(condition, scope)
                if careful:
                    self.assign("test", (test, careful), scope)
                    test = "test"
                inner = scope.inner()
                self.block(body, inner)
                scope.lines.append(f"if {test}:")
                scope.lines.extend(f"    {line}" for line in inner.lines or ["pass"])
                scope.known &= inner.known
            case Emit(port) if port not in self.ports_of(layout.name):
                pass
            case Emit(port):
                scope.lines.append(f"{self.emitter(layout.name, port)}(i)")
                scope.forget()
            case Run(handler):
                scope.lines.extend(
                    [*_DEEPER, f"{self.handler(layout.name, handler)}(i)", "depth -= 1"]
                )
                scope.forget()
            case Advance((name,)):
                self.advance(self.lists[name], scope)
                scope.forget()
            case Collect(variable, ((name, _),), reduce):
                self.collect(self.collects[name], reduce, scope)
                scope.lines.append(f"{self.stored(variable, scope)} = total")
            case Flow(states, _):
                rates = ", ".join(
                    "".join(terms) or "0.0" for terms in self.rates(statement, scope).values()
                )
                values = ", ".join(self.load(state, scope) for state in states)
                scope.lines.append(f"flowed = flow([{rates}], dt, [{values}])")
                for n, state in enumerate(states):
                    scope.lines.append(f"{self.stored(state, scope)} = flowed[{n}]")
            case _:
                raise InternalError(f"{statement!r} was not lowered")

    def advance(self, listed: AdvanceList, scope: _Scope) -> None:
        name = listed.name
        first = listed.populations[0]
        loop = f"for k in range({name}_starts[i], {name}_starts[i + 1]):"
        called = (
            self.advance_name(first) if listed.which is None else f"{name}_advance[{name}_which[k]]"
        )
        one_by_one = [loop, f"    {called}({name}_entries[k])"]
        if not self.goes_together(listed):
            scope.lines.extend(one_by_one)
            return
        together = self.advance_name(first, together=True)
        if listed.starts.size == 2:
            scope.lines.append(f"{together}({name}.below(0, ALL))")
            return
        scope.lines.append(f"if {name}_starts[i + 1] - {name}_starts[i] < {self.batch}:")
        scope.lines.extend(f"    {line}" for line in one_by_one)
        scope.lines.extend(["else:", f"    {together}({name}.below(0, np.array([i])))"])

    def collect(self, listed: CollectList, reduce: str, scope: _Scope) -> None:
        start, operator = ("0.0", "+") if reduce == "add" else ("1.0", "*")
        name = listed.name
        terms = [
            f"total = total {operator} {self.buffer(p, v)}[{name}_entries[k]]"
            for p, v in listed.parts
        ]
        scope.lines.append(f"total = {start}")
        scope.lines.append(f"for k in range({name}_starts[i], {name}_starts[i + 1]):")
        if listed.which is None:
            scope.lines.append(f"    {terms[0]}")
            return
        scope.lines.append(f"    part = {name}_which[k]")
        for n, term in enumerate(terms):
            scope.lines.extend([f"    {'el' if n else ''}if part == {n}:", f"        {term}"])

    def rates(
        self, flow: Flow, scope: _Scope, every: str = ""
    ) -> Mapping[tuple[int, int], list[str]]:
        """Return the terms of each element of a kinetic scheme's matrix, in C's order."""
        size = len(flow.states)
        terms: dict[tuple[int, int], list[str]] = {
            (row, column): [] for row in range(size) for column in range(size)
        }
        for source, target, forward, reverse in flow.edges:
            f, r = (self.load(rate, scope, every) for rate in (forward, reverse))
            for place, sign, rate in (
                ((source, source), "-", f),
                ((target, source), "+", f),
                ((target, target), "-", r),
                ((source, target), "+", r),
            ):
                terms[place].append(f"{'' if terms[place] else '0.0'} {sign} {rate}")
        return terms

    # --- functions of many instances -----------------------------------------------------------

    def function_together(self, function: Function, handler: str | None) -> dict[str, object]:
        name = (
            self.advance_name(function.population, together=True)
            if handler is None
            else self.handler(function.population, handler, together=True)
        )
        scope = _Scope(self.layouts[function.population], function, at="at")
        self.block_together(function.body, scope)
        return {"head": f"def {name}(at)", "lines": scope.lines or ["pass"]}

    def block_together(self, statements: tuple[BodyStatement, ...], scope: _Scope) -> None:
        for statement in statements:
            self.statement_together(statement, scope)

    def printer(self, scope: _Scope) -> ArrayPrinter:
        def is_array(name: str) -> bool:
            if name in scope.function.locals:
                return name in scope.arrays
            return name not in ("t", "dt")

        return ArrayPrinter(lambda name: self.load(name, scope, "all_"), is_array)

    def statement_together(self, statement: BodyStatement, scope: _Scope) -> None:
        layout, printer = scope.layout, self.printer(scope)
        match statement:
            case Assign(variable, value):
                self.assign_together(variable, value, scope)
            case When(condition, body):
                self.when_together(condition, body, scope)
            case Emit(port) if port not in self.ports_of(layout.name):
                pass
            case Emit(port):
                emitter = self.emitter(layout.name, port)
                scope.lines.append(f"for k in each({scope.at}, {layout.size}): {emitter}(k)")
                scope.forget()
            case Run(handler):
                scope.lines.append(
                    f"{self.handler(layout.name, handler, together=True)}({scope.at})"
                )
                scope.forget()
            case Advance((name,)):
                for part, population in enumerate(self.lists[name].populations):
                    below = self.fresh("below")
                    scope.lines.extend(
                        [
                            f"{below} = {name}.below({part}, {scope.at})",
                            f"if {below} is not None:",
                            f"    {self.advance_name(population, together=True)}({below})",
                        ]
                    )
                scope.forget()
            case Collect(variable, ((name, _),), reduce):
                terms = "".join(f"all_{self.buffer(p, v)}, " for p, v in self.collects[name].parts)
                place = self.stored(variable, scope, "all_")
                scope.lines.append(f"{place} = {name}.collected({scope.at}, ({terms}), {reduce!r})")
            case Flow(states, _):
                rates = self.rates(statement, scope, "all_")
                values = [printer.load(state) for state in states]
                size = len(states)
                scope.lines.append(f"rates = np.zeros(({values[0]}.size, {size}, {size}))")
                for (row, column), added in rates.items():
                    if added:
                        scope.lines.append(f"rates[:, {row}, {column}] = {''.join(added)}")
                joined = "".join(f"{value}, " for value in values)
                scope.lines.append(f"flowed = all_flow(rates, dt, np.stack(({joined}), axis=1))")
                for n, state in enumerate(states):
                    scope.lines.append(
                        f"{self.stored(state, scope, 'all_')} = flowed[:, {n}].copy()"
                    )
            case _:
                raise InternalError(f"{statement!r} was not lowered")

    def assign_together(self, variable: str, value: Expression, scope: _Scope) -> None:
        printer = self.printer(scope)
        text = printer(value)
        # A bare name may be a window on a buffer, which later statements overwrite.
        bare = isinstance(value, Name)
        if variable in scope.function.locals:
            varies = printer.varies(value)
            (scope.arrays.add if varies else scope.arrays.discard)(variable)
            copied = f"{text}.copy()" if bare and varies else text
            scope.lines.append(f"{local(variable)} = {copied}")
            return
        if bare or not printer.varies(value):
            scope.forget_written({variable})
            buffer = self.buffer(scope.layout.name, variable)
            scope.lines.append(f"all_{buffer}[{scope.at}] = {text}")
            return
        scope.lines.append(f"{self.stored(variable, scope, 'all_')} = {text}")

    def when_together(
        self, condition: Expression, body: tuple[BodyStatement, ...], scope: _Scope
    ) -> None:
        printer = self.printer(scope)
        text = printer(condition)
        if not printer.varies(condition):
            inner = scope.inner()
            test = text
        else:
            chosen = self.fresh("at")
            scope.lines.append(f"{chosen} = chosen({scope.at}, {text})")
            inner = scope.inner(chosen)
            test = f"{chosen} is not None"
        self.block_together(body, inner)
        scope.lines.append(f"if {test}:")
        scope.lines.extend(f"    {line}" for line in inner.lines or ["pass"])
        if _calls(body):
            scope.forget()
        else:
            scope.forget_written(_written(body))

    # --- events ------------------------------------------------------------------------------

    def emit_function(self, population: str, port: str) -> dict[str, object]:
        emitter = self.emitter(population, port)
        lines: list[str] = []
        if (population, port) in self.recorded:
            lines.append(f"for times in recorded_{emitter}.get(i, ()): times.append(t)")
        deliveries = self.deliveries.get((population, port), ())
        if deliveries:
            lines = ["global depth", *lines, *_DEEPER]
            for delivery in deliveries:
                lines.extend(self.delivery_lines(delivery))
            lines.append("depth -= 1")
        return {"head": f"def {emitter}(i)", "lines": lines or ["pass"]}

    def arrival(self, delivery: Delivery) -> dict[str, object]:
        """Return the function that takes an event to an array of targets."""
        handler = self.handler(delivery.target, delivery.handler, together=True)
        return {
            "head": f"def arrive_{delivery.name}(targets)",
            "lines": [f"for at in rounds(targets): {handler}(at)"],
        }

    def delivery_lines(self, delivery: Delivery) -> list[str]:
        name, number_of = delivery.name, self.program.deliveries.index(delivery)
        handler = self.handler(delivery.target, delivery.handler)
        loop = f"for k in range({name}_starts[i], {name}_starts[i + 1]):"
        target = f"{name}_targets[k]"
        delayed = delivery.delays is not None and bool(delivery.delays.any())
        if delayed:
            one_by_one = [
                loop,
                f"    delay = {name}_delays[k]",
                f"    if delay > 0.0: push(event_time + delay, {handler}, {target}, {number_of})",
                f"    else: {handler}({target})",
            ]
        else:
            one_by_one = [f"{loop} {handler}({target})"]
        if not self.arrives_together(delivery):
            return one_by_one
        if delayed:
            many = [
                f"for first, last, delay in runs(all_{name}_delays[start:stop]):",
                f"    targets = all_{name}_targets[start + first:start + last]",
                f"    arrive, due = arrive_{name}, event_time + delay",
                f"    if delay > 0.0: push(due, arrive, targets, {number_of})",
                "    else: arrive(targets)",
            ]
        else:
            many = [f"arrive_{name}(all_{name}_targets[start:stop])"]
        return [
            f"start, stop = {name}_starts[i], {name}_starts[i + 1]",
            f"if stop - start < {self.batch}:",
            *(f"    {line}" for line in one_by_one),
            "else:",
            *(f"    {line}" for line in many),
        ]


#: Pending events that are not yet too many: Python takes microseconds for each.
FEWEST = 1 << 18

_DEEPER = [
    "depth += 1",
    f"if depth > {DEPTH_LIMIT}: raise TooDeepError",
]


def local(name: str) -> str:
    """Return the Python variable that holds a symbol's value inside a function."""
    return f"x_{identifier(name)}"


def _runs(statements: tuple[BodyStatement, ...]) -> Iterator[str]:
    """Yield the handlers that statements run."""
    for statement in statements:
        if isinstance(statement, Run):
            yield statement.handler
        elif isinstance(statement, When):
            yield from _runs(statement.body)


def _calls(statements: tuple[BodyStatement, ...]) -> bool:
    """Tell whether statements can change what is not theirs."""
    return any(
        isinstance(s, Emit | Run | Advance) or (isinstance(s, When) and _calls(s.body))
        for s in statements
    )


def _written(statements: tuple[BodyStatement, ...]) -> set[str]:
    found: set[str] = set()
    for statement in statements:
        match statement:
            case Assign(variable, _) | Collect(variable, _, _):
                found.add(variable)
            case Flow(states, _):
                found |= set(states)
            case When(_, body):
                found |= _written(body)
            case _:
                pass
    return found


def _longest(listed: AdvanceList | Delivery) -> int:
    """Return the largest number of entries that one owner has."""
    starts = listed.starts
    return int((starts[1:] - starts[:-1]).max(initial=0))
