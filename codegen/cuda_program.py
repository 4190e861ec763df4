"""What the text and the runner of a CUDA program agree on."""

from __future__ import annotations

from dataclasses import dataclass

from .program import Program

#: Threads of a block, at most; a multiple of a warp.
BLOCK = 256


@dataclass(frozen=True, slots=True)
class FaultBits:
    """How a state that is not finite is written as one number."""

    variable: int
    instance: int

    @property
    def place(self) -> int:
        """Bits of population, variable and instance together."""
        return 10 + self.variable + self.instance

    @property
    def steps(self) -> int:
        """Steps of one launch, at most."""
        return int(min(2**20, 2 ** (63 - self.place) - 1))

    def read(self, fault: int) -> tuple[int, int, int, int]:
        """Return step of the launch, population, variable and instance."""
        place = fault & (2**self.place - 1)
        return (
            fault >> self.place,
            place >> (self.variable + self.instance),
            (place >> self.instance) & (2**self.variable - 1),
            place & (2**self.instance - 1),
        )


def fault_bits(program: Program) -> FaultBits:
    """Return how faults of `program` are written."""
    variables = max((len(layout.checked) for layout in program.layouts), default=1)
    instances = max((layout.size for layout in program.layouts), default=1)
    return FaultBits(max(1, variables.bit_length()), max(1, instances.bit_length()))
