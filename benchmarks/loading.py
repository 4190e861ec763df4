"""How long networks take to load: from the file to the text of the program.

    python benchmarks/loading.py [FILE ...]

CPU seconds of each stage in one fresh process per file, and the most memory that it held.
Without a FILE: COBA and 10,000 Izhikevich cells of 100 synapses, as `shared/bench/nmlgen.py`
writes them, where it lies beside the project; 10 million connections in HDF5 (needs
`lemsmith[hdf5]`); a million cells that are given by their number alone.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
from lemsmith.codegen.emit import emit
from lemsmith.codegen.lower import lower
from lemsmith.converter.optimise import optimise
from lemsmith.converter.read import read
from lemsmith.errors import Faults
from lemsmith.runner.pipeline import flattened, resolved
from lemsmith.runner.request import made

ONE = "--one"

GENERATOR = Path(__file__).resolve().parents[2] / "shared/bench/nmlgen.py"

CELL = """
<iafRefCell id="c" leakReversal="-60mV" thresh="-50mV" reset="-60mV" C="200pF"
    leakConductance="10nS" refract="5ms"/>
<expOneSynapse id="exc" gbase="0.6nS" erev="0mV" tauDecay="5ms"/>
"""


def one(file: str) -> str:
    """Return the row of one file."""
    laps = [time.process_time()]
    request, faults = made(file), Faults()
    document = read(request.source)
    laps.append(time.process_time())
    network, _, _ = flattened(resolved(document, request, faults), request, faults)
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


def inputs(folder: Path) -> Iterator[Path]:
    """Write the networks of the table into `folder`; yield the file of each."""
    if GENERATOR.exists():
        for model, more in (("coba", []), ("izh", ["--k", "100"])):
            command = [sys.executable, str(GENERATOR), model, str(folder), *more]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            yield folder / f"LEMS_{model}.xml"
    else:
        print(f"the generator of networks is not there: {GENERATOR}", file=sys.stderr)
    try:
        yield hdf5_network(folder, cells=100_000, fan_out=100)
    except ImportError:
        print("h5py is not there: pip install 'lemsmith[hdf5]'", file=sys.stderr)
    population = '<population id="pop" component="c" size="1000000"/>'
    network = f'{CELL}<network id="net">{population}</network>'
    yield simulated(folder / "LEMS_by_size.xml", network)


def simulated(file: Path, parts: str) -> Path:
    """Write a LEMS file that runs the network `net` of `parts`."""
    includes = "".join(f'<Include file="{n}.xml"/>' for n in ("Cells", "Networks", "Simulation"))
    column = '<OutputColumn id="v" quantity="pop[0]/v"/>'
    file.write_text(
        f'<Lems><Target component="sim"/>{includes}{parts}\n'
        '<Simulation id="sim" length="1ms" step="0.1ms" target="net">'
        f'<OutputFile id="o" fileName="o.dat">{column}</OutputFile></Simulation></Lems>',
        encoding="utf-8",
    )
    return file


def hdf5_network(folder: Path, cells: int, fan_out: int) -> Path:
    """Write a random network as libNeuroML lays it out, and the LEMS file that runs it."""
    import h5py  # noqa: PLC0415 - optional

    many = cells * fan_out
    rows = np.empty((many, 3), "f4")
    rows[:, 0] = np.arange(many)
    rows[:, 1] = np.repeat(np.arange(cells), fan_out)
    rows[:, 2] = np.random.default_rng(1).integers(0, cells, many)
    with h5py.File(folder / "net.nml.h5", "w") as file:
        root = file.create_group("neuroml")
        root.attrs["id"] = np.bytes_("net")
        root.attrs["neuroml_top_level"] = np.bytes_(f'<neuroml id="n">{CELL}</neuroml>')
        network = root.create_group("network")
        network.attrs["id"] = np.bytes_("net")
        population = network.create_group("population_pop")
        population.attrs.update({"id": np.bytes_("pop"), "component": np.bytes_("c")})
        population.attrs["size"] = np.int64(cells)
        projection = network.create_group("projection_p")
        ends = {"presynapticPopulation": "pop", "postsynapticPopulation": "pop"}
        for name, text in {"id": "p", "type": "projection", "synapse": "exc", **ends}.items():
            projection.attrs[name] = np.bytes_(text)
        data = projection.create_dataset("p", data=rows)
        for number, column in enumerate(("id", "pre_cell_id", "post_cell_id")):
            data.attrs[f"column_{number}"] = np.bytes_(column)
    return simulated(folder / "LEMS_hdf5.xml", '<Include file="net.nml.h5"/>')


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", metavar="FILE")
    parser.add_argument(ONE, dest="alone", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.alone:
        print(one(options.files[0]))
        return
    print("| file | connections | read s | flatten s | to text s | with imports s | memory |")
    print("|---|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for file in options.files or inputs(Path(folder)):
            subprocess.run([sys.executable, __file__, ONE, str(file)], check=True)


if __name__ == "__main__":
    main()
