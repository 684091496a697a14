"""docs/add_an_equation.md, followed to the letter in an empty folder: an equation outside the package."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "add_an_equation.md"


def block(language: str) -> str:
    """The first block of a language on the page; prompts of the interpreter are taken off."""
    text = re.search(rf"```{language}\n(.*?)\n```", PAGE.read_text(), re.DOTALL).group(1)
    if language != "python":
        return text
    return "\n".join(line[4:] for line in text.splitlines() if line[:3] in (">>>", "...")) + "\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "fisher_kpp.py").write_text(block("python"))
    (tmp_path / "configs" / "data").mkdir(parents=True)
    (tmp_path / "configs" / "data" / "fisher_kpp.yaml").write_text(block("yaml"))
    return tmp_path


def pdekit(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    env = {name: value for name, value in os.environ.items() if name != "PDEKIT_DATA"} | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", *arguments, "hydra.searchpath=[file://configs]"]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL)


def commands() -> list[list[str]]:
    """The commands of the page, without the search path that `pdekit` gives."""
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("python -m pdekit.")]
    return [[word for word in line.split()[2:] if "searchpath" not in word] for line in lines]


@pytest.mark.slow
def test_the_page_works_as_it_is_written(folder):
    generate, train = commands()
    done = pdekit(folder, *generate)
    assert done.returncode == 0, done.stderr
    assert len(list(folder.glob("datasets/fisher_kpp/*/data/*/fisher_kpp.hdf5"))) == 3
    done = pdekit(folder, *train, "training.steps=20")
    assert done.returncode == 0, done.stderr
    (run,) = (folder / "runs").iterdir()
    assert (run / "weights.safetensors").exists() and run.name.endswith("fno-fisher_kpp")


@pytest.mark.slow
def test_code_that_nobody_trusts_is_not_run(folder):
    (folder / "fisher_kpp.py").write_text("open('executed', 'w')\n")
    for command in commands():
        done = pdekit(folder, *(word for word in command if not word.startswith("trust")))
        assert done.returncode != 0 and "add trust=fisher_kpp to the command line" in done.stderr
    assert not (folder / "executed").exists()
