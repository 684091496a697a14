"""What a user installs: a wheel with every module, configuration and card; and a Makefile that says what it needs."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def files(folder: Path, pattern: str) -> set[str]:
    return {str(path.relative_to(ROOT)) for path in folder.rglob(pattern) if "cards" not in path.parts}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """A wheel, built from a copy of the sources without the network."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    ignored = shutil.ignore_patterns("__pycache__", "*.hdf5", "*.h5")
    shutil.copytree(ROOT / "pdekit", source / "pdekit", symlinks=True, ignore=ignored)
    shutil.copytree(ROOT / "datasets", source / "datasets", ignore=ignored)
    for path in (ROOT / "pyproject.toml", ROOT / "LICENSE", *ROOT.glob("*.md")):
        shutil.copy(path, source)
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*build, "-w", str(folder), str(source)], check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def test_the_wheel_holds_every_module_configuration_and_card(wheel):
    held = set(zipfile.ZipFile(wheel).namelist())
    wanted = files(ROOT / "pdekit", "*.py") | files(ROOT / "pdekit", "*.yaml")
    wanted |= {path for path in files(ROOT / "pdekit", "*.*") if Path(path).suffix in {".j2", ".css", ".js", ".html"}}
    assert wanted - held == set(), "extend [tool.setuptools.package-data] in pyproject.toml"
    cards = {f"pdekit/cards/{path.parent.name}/README.md" for path in (ROOT / "datasets").glob("*/README.md")}
    assert cards and cards - held == set()


def test_the_wheel_holds_nothing_else(wheel):
    allowed = {".py", ".yaml", ".md", ".j2", ".css", ".js", ".html", ".typed"}
    inside = [name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("pdekit/")]
    assert [name for name in inside if Path(name).suffix not in allowed] == []
    assert (
        zipfile.ZipFile(wheel).read(next(n for n in zipfile.ZipFile(wheel).namelist() if n.endswith("/LICENSE")))
        == (ROOT / "LICENSE").read_bytes()
    )


@pytest.mark.slow
def test_an_installed_wheel_works_from_any_directory(wheel, tmp_path):
    site = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--target", str(site), str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    env = os.environ | {"PYTHONPATH": str(site)}
    command = "import pdekit, runpy, sys; print(pdekit.__file__); sys.argv = ['train', '--help']; "
    command += "runpy.run_module('pdekit.train', run_name='__main__', alter_sys=True)"
    done = subprocess.run([sys.executable, "-c", command], cwd=elsewhere, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(site))
    assert "kolmogorov" in done.stdout and "pde_refiner" in done.stdout


def test_make_asks_for_a_newer_python(tmp_path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).touch()
    # an interpreter that says it is 3.10
    old = tmp_path / "python-old"
    pretend = "import sys; sys.version_info = (3, 10); exec(sys.argv[1])"
    old.write_text(f'#!/bin/sh\nshift\nexec {sys.executable} -c "{pretend}" "$@"\n')
    old.chmod(0o755)
    make = ["make", "-C", str(tmp_path), "lint", f"PYTHON={old}"]
    done = subprocess.run(make, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode != 0
    assert "expected Python 3.11 or newer, found 3.10" in done.stderr
    assert not (tmp_path / ".venv").exists()


@pytest.mark.slow
def test_a_failed_setup_leaves_no_stamp(tmp_path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "constraints.txt").write_text("torch==0.0.0\n")
    stamp = tmp_path / ".venv" / "installed"
    env = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")} | {"PIP_NO_INDEX": "1"}
    make = ["make", "-C", str(tmp_path), "lint", f"PYTHON={sys.executable}"]
    done = subprocess.run(make, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode != 0 and "torch" in done.stderr
    assert not stamp.exists(), "the next make would believe that all is installed"
