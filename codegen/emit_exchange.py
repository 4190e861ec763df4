"""C++ text of how events get from who sends them to who receives them.

Without threads, what kernels noted is sent at the end of the step, one event after another.
With threads every member of the team takes over what all of them noted, in the same order, and
delivers to its own instances: connections are sorted by target, so its part of a source's
connections lies in one piece. Where connections are slow, members exchange once in as many
steps as the least delay has.
"""

from __future__ import annotations

from collections.abc import Iterable

from .kernel_text import KernelText, uniform
from .ownership import Access, Ownership, flags_events, window
from .print_c import identifier
from .program import Delivery, Flag, Program


class ExchangeText:
    """Writes the sending and delivering of a program's events."""

    def __init__(self, program: Program, text: KernelText, owned: Ownership | None) -> None:
        self.program = program
        self.text = text
        self.owned = owned
        self.number = {layout.name: n for n, layout in enumerate(program.layouts)}
        self.rings: dict[str, int] = {}
        self.ring_slots: list[int] = []
        for delivery in program.deliveries:
            assert delivery.delay_steps is not None
            longest = int(delivery.delay_steps.max(initial=0))
            if longest > 0 and not program.exact_events:
                self.rings[delivery.name] = len(self.ring_slots)
                self.ring_slots.append(longest + 1)
        self.near = [d for d in program.deliveries if owned is not None and owned.near_delivery(d)]
        self.far = [d for d in program.deliveries if d not in self.near]

    @property
    def window(self) -> int:
        """Steps from one exchange to the next, at most."""
        return window(self.far)

    def ring_single(self) -> list[int]:
        """Return for every ring whether its items are single connections."""
        by_ring = {self.rings[d.name]: d for d in self.program.deliveries if d.name in self.rings}
        found = []
        for number in range(len(self.ring_slots)):
            steps = by_ring[number].delay_steps
            assert steps is not None
            found.append(int(not uniform(steps)))
        return found

    def ring_ports(self) -> list[int]:
        """Return the number of the port that each ring's events come from."""
        in_rings = [d for d in self.program.deliveries if d.name in self.rings]
        return [self.text.ports[d.source, d.port] for d in in_rings]

    # --- sending -------------------------------------------------------------------------------

    def send_cases(self, deliveries: Iterable[Delivery], *, record: bool) -> list[str]:
        """Return what happens to an event of each port: recorded, and sent on."""
        by_port: dict[tuple[str, str], list[Delivery]] = {}
        for delivery in deliveries:
            by_port.setdefault((delivery.source, delivery.port), []).append(delivery)
        recorded = {(p.population, p.port) for p in self.program.ports} if record else set()
        cases: list[str] = []
        for key, n in self.text.ports.items():
            lines: list[str] = []
            if key in recorded:
                buffer = f"recorded_{self.text.pop[key[0]]}_{identifier(key[1])}"
                loop = f"for (int64_t k = m.{buffer}[2 * i]; k < m.{buffer}[2 * i + 1]; k++)"
                lines.append(f"{loop} ls_record_event(s, k, time);")
            for delivery in by_port.get(key, ()):
                lines.extend(self.send_lines(delivery))
            if lines:
                cases.append(f"case {n}: {{")
                cases.extend(f"    {line}" for line in lines)
                cases.extend(["    break;", "}"])
        return cases

    def row(self, delivery: Delivery) -> str:
        """Return the head of the loop over a source's connections, of this member's targets."""
        name = delivery.name
        if self.owned is None or delivery in self.near:
            return f"for (int64_t k = m.{name}_starts[i]; k < m.{name}_starts[i + 1]; k++)"
        number = self.number[delivery.target]
        part = f"ls_row(s, {number}, m.{name}_starts, m.{name}_targets, i)"
        return f"for (LsRow row = {part}; row.k < row.last; row.k++)"

    def at(self, delivery: Delivery) -> str:
        """Return the number of the connection in such a loop."""
        return "k" if self.owned is None or delivery in self.near else "row.k"

    def call(self, delivery: Delivery) -> str:
        """Return the call of the handler in such a loop."""
        return self.text.call(delivery, self.at(delivery))

    def send_lines(self, delivery: Delivery) -> list[str]:
        """Return what an event does to one projection's connections."""
        assert delivery.delay_steps is not None
        name, loop, at = delivery.name, self.row(delivery), self.at(delivery)
        if self.program.exact_events:
            number = self.program.deliveries.index(delivery)
            due = f"time + m.{name}_delays[k]"
            port = self.text.ports[delivery.source, delivery.port]
            return [f"{loop} ls_heap_push(s, {{{due}, 0, 0, k, {number}, 0}}, {port});"]
        if name not in self.rings:
            return [f"{loop} {self.call(delivery)}"]
        ring = self.rings[name]
        if uniform(delivery.delay_steps):
            delay = int(delivery.delay_steps[0])
            return [
                (
                    f"if (m.{name}_starts[i] < m.{name}_starts[i + 1]) "
                    f"ls_ring_push(s, {ring}, step + {delay}, i);"
                )
            ]
        steps = f"m.{name}_delay_steps[{at}]"
        return [
            f"{loop} {{",
            f"    if ({steps} > 0) ls_ring_push(s, {ring}, step + {steps}, {at});",
            f"    else {self.call(delivery)}",
            "}",
        ]

    def deliver_lines(self) -> list[str]:
        """Return the delivery of what is due in a step."""
        lines: list[str] = []
        for delivery in self.program.deliveries:
            if delivery.name not in self.rings:
                continue
            assert delivery.delay_steps is not None
            lines.extend(
                [
                    "{",
                    f"    LsRing &r = s.rings[{self.rings[delivery.name]}];",
                    "    const int64_t slot = s.step % r.slots;",
                    "    for (int64_t n = 0; n < r.sizes[slot] && s.error == LS_OK; n++) {",
                ]
            )
            if uniform(delivery.delay_steps):
                lines.append("        const int64_t i = r.items[slot][n];")
                lines.append(f"        {self.row(delivery)} {self.call(delivery)}")
            else:
                lines.append("        const int64_t k = r.items[slot][n];")
                lines.append(f"        {self.text.call(delivery)}")
            lines.extend(["    }", "    r.sizes[slot] = 0;", "}"])
        return lines

    # --- threads -------------------------------------------------------------------------------

    def disordered(self) -> bool:
        """Tell whether events of one port may be noted in another order than its instances'."""
        seen: set[tuple[str, str]] = set()
        started = {p.name for p in self.program.start} - {p.name for p in self.program.phases}
        for function in self.program.functions:
            if function.name in started or not flags_events(function):
                continue
            if function.kind not in ("kernel", "act"):
                return True
            flags = [each for each in function.body if isinstance(each, Flag)]
            ports = {(function.population, flag.port) for flag in flags} & self.text.ports.keys()
            if ports & seen:
                return True
            seen |= ports
        return False

    def near_access(self) -> Access:
        """Return what sending within a thread touches."""
        assert self.owned is not None
        return self.owned.handled(d for d in self.near if d.name not in self.rings)

    def far_access(self) -> Access:
        """Return what an exchange touches."""
        assert self.owned is not None
        return self.owned.handled(self.far)

    def owns_cases(self) -> list[str]:
        """Return for every ring of connections whether an item is of a member's own."""
        return [
            f"case {self.rings[d.name]}: return ls_mine(s, {self.number[d.target]}, "
            f"(*(Job *)job).m->{d.name}_targets[item]);"
            for d in self.program.deliveries
            if d.name in self.rings and d.delay_steps is not None and not uniform(d.delay_steps)
        ]
