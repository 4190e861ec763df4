"""Feed mutants of models to the whole path up to source text, and say what breaks.

    python benchmarks/fuzz.py FOLDER... [--from N] [--to N] [--skip NAME] [--report FILE]

Every mutant must give a model or a `ModelError`: never another exception, never more than
2 GB, never more than a minute of CPU. A worker that dies or hangs is told of, and replaced.
The last line says how many mutants there were, and how many ran into what.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import lemsmith.runner.stages  # noqa: F401 - what a run imports late, once for all workers
from lemsmith.errors import ModelError, UsageError
from lemsmith.runner.checking import check_one
from lemsmith.runner.pipeline import translate
from lemsmith.runner.request import made
from mutants import mutant

#: Bytes that a worker may map, its own code included, and seconds of CPU for a mutant.
MEMORY = 2 << 30
SECONDS = 60

#: Larger files take too long to be mutated often.
LARGEST = 100_000

#: Mutants after which a worker is replaced, so that what libraries keep does not add up.
LIFETIME = 500

#: Methods that mutants are translated for, in turn.
METHODS = ("default", "jlems", "rk4", "neuron")


def main() -> int:
    """Run the mutants asked for; return 1 if one of them broke something."""
    parser = argparse.ArgumentParser(description="Feed mutants of models to lemsmith.")
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--from", dest="first", type=int, default=0, metavar="N")
    parser.add_argument("--to", dest="last", type=int, default=1000, metavar="N")
    parser.add_argument("--skip", action="append", default=[], help="leave out files so named")
    parser.add_argument("--report", type=Path, help="where to append what broke")
    options = parser.parse_args()
    files = [path for path in models(options.folders) if path.stem not in options.skip]
    began = time.process_time()
    count: Counter[str] = Counter()
    for seed, path, outcome, story in outcomes(files, range(options.first, options.last)):
        count[outcome] += 1
        if count.total() % 1000 == 0:
            print(f"{count.total()} mutants", file=sys.stderr, flush=True)
        if outcome in ("model", "refused"):
            continue
        text = f"mutant {seed} of {path}: {outcome}\n{story}\n"
        print(text, flush=True)
        if options.report:
            with options.report.open("a") as report:
                report.write(text)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = time.process_time() - began + children.ru_utime + children.ru_stime
    told = ", ".join(f"{number} {outcome}" for outcome, number in sorted(count.items()))
    print(f"{sum(count.values())} mutants of {len(files)} files in {cpu:.0f} s of CPU: {told}")
    return 0 if set(count) <= {"model", "refused"} else 1


def models(folders: list[Path]) -> list[Path]:
    """Return the model files below `folders` that are small enough, sorted."""
    found = (p for folder in folders for s in ("*.xml", "*.nml") for p in folder.rglob(s))
    return sorted(
        path.resolve() for path in found if path.is_file() and path.stat().st_size <= LARGEST
    )


def outcomes(files: list[Path], seeds: range) -> Iterator[tuple[int, Path, str, str]]:
    """Yield for every seed the file that it changed, what came of it, and the story."""
    context = multiprocessing.get_context("fork")
    waiting = list(reversed(seeds))
    while waiting:
        ours, theirs = context.Pipe()
        batch = [waiting.pop() for _ in range(min(LIFETIME, len(waiting)))]
        worker = context.Process(target=work, args=(files, batch, theirs))
        worker.start()
        theirs.close()
        done = 0
        try:
            for seed in batch:
                # CPU is limited inside; this is for a worker that waits for something.
                if not ours.poll(20 * SECONDS):
                    yield seed, chosen(files, seed), "waited", ""
                    break
                outcome, story = ours.recv()
                done += 1
                yield seed, chosen(files, seed), outcome, story
        except EOFError:
            worker.join()
            seed = batch[done]
            yield seed, chosen(files, seed), "died", f"exit code {worker.exitcode}"
        if done < len(batch):
            worker.kill()
            waiting.extend(reversed(batch[done + 1 :]))
        worker.join()


def chosen(files: list[Path], seed: int) -> Path:
    """Return the file that a mutant is made of."""
    return files[seed * 7919 % len(files)]


def work(files: list[Path], seeds: list[int], pipe: Any) -> None:
    """Try each mutant and send what came of it."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    signal.signal(signal.SIGPROF, out_of_time)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for seed in seeds:
            path = chosen(files, seed)
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            outcome = tried(mutant(path.read_bytes(), seed), path, METHODS[seed % len(METHODS)])
            signal.setitimer(signal.ITIMER_PROF, 0)
            pipe.send(outcome)


class OutOfTimeError(BaseException):
    """A mutant took longer than it may."""


def out_of_time(*_: object) -> None:
    """Leave whatever is running."""
    raise OutOfTimeError


def tried(text: bytes, original: Path, method: str) -> tuple[str, str]:
    """Return what came of one mutant, and the traceback where it is no model and no fault."""
    path = Path("mutant" + original.suffix)
    path.write_bytes(text)
    request = made(path, method=method, include_dirs=(original.parent,))
    try:
        check_one(request)
        try:
            translate(request)
        except (ModelError, UsageError) as refused:
            str(refused)
            return "refused", ""
    except OutOfTimeError:
        return "hung", traceback.format_exc(limit=-12)
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is what we look for
        return type(error).__name__, traceback.format_exc(limit=-12)
    return "model", ""


if __name__ == "__main__":
    sys.exit(main())
