"""The exchange of events as CUDA text: lists of senders, deliveries, cascades.

`device_events` chooses how the events of a delivery travel; here it becomes loops that all
threads share, each with what it touches, so that barriers stand where they must.
"""

from __future__ import annotations

from collections.abc import Callable

from ..errors import InternalError
from .device_events import Events, Keys, Port, Way, delays, handler_of, reach
from .device_order import OWN, Operation
from .kernel_names import local_name
from .kernel_text import KernelText, uniform
from .print_c import identifier
from .program import Delivery, Program


class CudaExchangeText:
    """The operations that bring events from senders to targets."""

    def __init__(
        self,
        program: Program,
        text: KernelText,
        events: Events,
        define: Callable[[str, list[str]], None],
    ) -> None:
        self.program = program
        self.text = text
        self.layouts = text.layouts
        self.pop = text.pop
        self.events = events
        #: Adds a function that all threads call.
        self.define = define

    def port_name(self, port: Port) -> str:
        """Return what the buffers of a port are called after."""
        return f"{self.pop[port.population]}_{identifier(port.port)}"

    # --- events -----------------------------------------------------------------------------------

    def clear_next(self, port: Port) -> Operation:
        """Empty the list of the step after the one that begins.

        It was last read two steps ago and is written to in the next, with a barrier between.
        """
        return Operation(
            [f"if (s.first == 0) m.sizes_{self.port_name(port)}[(s.step + 2) % {port.slots}] = 0;"]
        )

    def deliver(self) -> list[Operation]:
        """Return the delivery of what is due, sent in steps before."""
        late = [way for way in self.events.ways if way.last > 0]
        found = [self.way(way, max(1, way.first), way.last, "late") for way in late]
        return [*found, *self.take_up(late)]

    def send(self) -> list[Operation]:
        """Return the exchange of this step's events; cascades come last."""
        found = [self.collect(port) for port in self.events.ports]
        chained = [way for way in self.events.ways if self.events.is_chained(way)]
        soon = [way for way in self.events.ways if way.first == 0 and way not in chained]
        order = {(p.population, p.port): n for n, p in enumerate(self.events.ports)}
        soon.sort(key=lambda way: order[(way.delivery.source, way.delivery.port)])
        found.extend(self.way(way, 0, 0, "soon") for way in soon)
        found.extend(self.take_up(soon))
        if chained:
            found.append(self.one_thread(self.cascade_lines(), chained))
        return found

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
        """Return the port whose lists a way reads."""
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
        """Return a delivery with what it touches."""
        own, others, written = self.handler_reach(way)
        lists = frozenset({(port.population, f"(list {port.port})")})
        if way.mode == "add":
            target = way.delivery.target
            written = frozenset((target, f"(sum {state})") for state, _ in way.increments)
            own, others = frozenset(), frozenset()
        return Operation([line], frozenset(), frozenset(), own | others | lists, written)

    def handler_reach(self, way: Way) -> tuple[Keys, Keys, Keys]:
        """Return what the handler of a way reads and writes."""
        return reach(self.program, handler_of(self.program, way.delivery))

    def one_list(self, way: Way, port: Port, delay: int) -> list[str]:
        """Return the loop over the list of one step."""
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
        """Return the delivery of one event to its connections, by the lanes of a unit."""
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
        """Return the adding of one connection to whole numbers."""
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
            if (port.population, port.port) not in self.events.chained:
                continue
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
            if key not in self.events.chained:
                continue
            lines.append(f"        case {number_of}: {{")
            lines.extend(f"            {line}" for line in self.cascade_case(key))
            lines.extend(["            break;", "        }"])
        lines.extend(["        default: break;", "    }", "}", "run->noted_size = 0;"])
        return lines

    def cascade_case(self, key: tuple[str, str]) -> list[str]:
        """Return what an event of one port does in a cascade."""
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
