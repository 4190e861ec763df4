"""How long networks take to load: from the file to the text of the program.

    python benchmarks/loading.py FILE ...

CPU seconds of each stage in one fresh process per file, and the most memory that it held. For
instance the networks that `shared/bench/nmlgen.py` writes (coba; izh --k 100).
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from itertools import pairwise

from lemsmith.codegen.emit import emit
from lemsmith.codegen.lower import lower, schedule_of
from lemsmith.converter.flatten import flatten
from lemsmith.converter.optimise import optimise
from lemsmith.converter.read import read
from lemsmith.converter.resolve import resolve
from lemsmith.errors import Faults
from lemsmith.runner.request import made
from lemsmith.runner.settings import simulation_for, start_draws

ONE = "--one"


def one(file: str) -> str:
    """Return the row of one file."""
    laps = [time.process_time()]
    request, faults = made(file), Faults()
    document = read(request.source)
    laps.append(time.process_time())
    model = resolve(document, faults)
    simulation = simulation_for(model, request, faults)
    draw = start_draws(simulation, request).next
    network = flatten(
        model, simulation, schedule=schedule_of(request.method), draw=draw, faults=faults
    )
    laps.append(time.process_time())
    emit(lower(optimise(network), request.method), request.backend, request.name)
    laps.append(time.process_time())
    connections = sum(len(projection.delay) for projection in network.projections)
    stages = [f"{end - begin:.2f}" for begin, end in pairwise(laps)]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return (
        f"| {request.name.rsplit('/', 1)[-1]} | {connections:,} | {' | '.join(stages)} | "
        f"{laps[-1]:.2f} | {memory:.0f} MB |"
    )


def main() -> None:
    """Print the table."""
    if sys.argv[1:2] == [ONE]:
        print(one(sys.argv[2]))
        return
    print("| file | connections | read s | flatten s | to text s | with imports s | memory |")
    print("|---|---|---|---|---|---|---|")
    for file in sys.argv[1:]:
        subprocess.run([sys.executable, __file__, ONE, file], check=True)


if __name__ == "__main__":
    main()
