"""What is installed: one package, whole, that works anywhere."""

import os
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("codegen", "commands", "converter", "models", "runner", "schemas")
DATA = {".xml", ".nml", ".h", ".jinja", ".cu", ".xsd"}

OWN = ("pyproject.toml", "README.md", "LICENSE", "py.typed")


def files(*suffixes):
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            hidden = "__pycache__" in path.parts or path.name.startswith(".")
            if path.suffix in suffixes and not hidden:
                yield path.relative_to(ROOT)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "source"
    copy.mkdir()
    for path in (*ROOT.glob("*.py"), *(ROOT / name for name in OWN)):
        shutil.copy(path, copy)
    for name in FOLDERS:
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, copy]
    subprocess.run(command, check=True, capture_output=True, text=True)
    (path,) = folder.glob("*.whl")
    return path


def test_every_folder_with_code_is_listed_as_a_package():
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    found = {"lemsmith"} | {".".join(["lemsmith", *path.parent.parts]) for path in files(".py")}
    assert found == set(listed)


@pytest.mark.slow
def test_the_only_top_level_name_of_the_wheel_is_lemsmith(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0] for name in names if ".dist-info/" not in name} == {"lemsmith"}


@pytest.mark.slow
def test_every_module_and_data_file_is_in_the_wheel(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    wanted = {f"lemsmith/{path.as_posix()}" for path in files(".py", *DATA)}
    assert wanted
    assert wanted - names == set()
    assert {"lemsmith/py.typed", "lemsmith/command_line.py", "lemsmith/__main__.py"} <= names


@pytest.mark.slow
def test_no_test_or_benchmark_is_installed(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert not [name for name in names if "/tests/" in name or "benchmarks" in name]


@pytest.mark.slow
def test_a_fresh_environment_runs_a_model_from_the_wheel_elsewhere(wheel, tmp_path):
    models = sorted((ROOT / "models").rglob("LEMS_*.xml"))
    assert models, "there is no model in models/"
    home = tmp_path / "environment"
    venv.create(home, with_pip=True)
    pip = [home / "bin" / "python", "-m", "pip", "install", "-q"]
    subprocess.run([*pip, wheel], check=True, capture_output=True, text=True)
    where = [
        home / "bin" / "python", "-c",
        "import lemsmith, pathlib; print(pathlib.Path(lemsmith.__file__).parent)",
    ]  # fmt: skip
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    # Only the wheel is to be found, whatever the tests themselves were given.
    alone = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    found = subprocess.run(
        where, check=True, capture_output=True, text=True, cwd=elsewhere, env=alone
    )
    package = Path(found.stdout.strip())
    assert package.is_relative_to(home)
    model = package / models[0].relative_to(ROOT)
    done = subprocess.run(
        [home / "bin" / "lemsmith", "run", model, "--backend", "numpy", "--save", "all.npz"],
        check=False, capture_output=True, text=True, cwd=elsewhere, env=alone,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert (elsewhere / "all.npz").exists()
