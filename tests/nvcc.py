"""nvcc, where there is one: a GPU is not needed to compile for it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import lemsmith
import pytest
from lemsmith.runner.cuda_run import FLAGS

INCLUDE = Path(lemsmith.__file__).parent / "codegen" / "include"

needs_nvcc = pytest.mark.skipif(shutil.which("nvcc") is None, reason="nvcc is not on the PATH")


def assert_compiles(text, folder):
    """Compile `text` for sm_80 and sm_90 as runs do, every warning an error."""
    source = folder / "model.cu"
    source.write_text(text, encoding="utf-8")
    done = subprocess.run(
        [
            "nvcc",
            *FLAGS,
            *("-gencode", "arch=compute_80,code=sm_80"),
            *("-gencode", "arch=compute_90,code=sm_90"),
            *("-Werror", "all-warnings"),
            "-fatbin",
            f"-I{INCLUDE}",
            *("-o", str(folder / "model.fatbin")),
            str(source),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
