"""Every table of the benchmarks, one after the other: `python benchmarks/run.py`."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from measuring import processor

HERE = Path(__file__).parent


def main() -> None:
    """Run each script and print its table under a heading."""
    print(f"{processor()}, {datetime.now(UTC):%Y-%m-%d}\n")
    for name in (
        "startup",
        "loading",
        "speed",
        "agreement",
        "stdp",
        "peers",
        "threads",
        "repositories",
    ):
        print(f"## {name}\n", flush=True)
        subprocess.run([sys.executable, str(HERE / f"{name}.py")], check=True)
        print()


if __name__ == "__main__":
    main()
