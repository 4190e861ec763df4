"""Every table of the benchmarks, one after the other: `python benchmarks/run.py`."""

from __future__ import annotations

import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).parent
CPU = Path("/proc/cpuinfo")


def processor() -> str:
    """Return what the processor calls itself."""
    lines = CPU.read_text().splitlines() if CPU.exists() else []
    found = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return found[0] if found else platform.processor()


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
