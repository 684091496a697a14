"""docs/add_a_case.md, followed to the letter in an empty folder: a case outside the package."""

import re
from pathlib import Path

import pytest

from tests.test_own_code import ROOT, pdekit

PAGE = ROOT / "docs" / "add_a_case.md"


def blocks(language: str) -> list[str]:
    """The blocks of a language on the page; prompts of the interpreter are taken off."""
    found = re.findall(rf"```{language}\n(.*?)\n```", PAGE.read_text(), re.DOTALL)
    if language != "python":
        return found
    return ["\n".join(line[4:] for line in text.splitlines() if line[:3] in (">>>", "...")) + "\n" for text in found]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    equation, case, _ = blocks("python")
    (tmp_path / "fin.py").write_text(equation + "\n" + case)
    (tmp_path / "configs" / "data").mkdir(parents=True)
    (tmp_path / "configs" / "data" / "fin.yaml").write_text(blocks("yaml")[0])
    return tmp_path


def commands() -> list[list[str]]:
    """The commands of the page, without the search path that `pdekit` gives."""
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("python -m pdekit.")]
    return [[word for word in line.split()[2:] if "searchpath" not in word] for line in lines]


@pytest.mark.slow
def test_the_page_works_as_it_is_written(folder):
    generate, train = commands()
    done = pdekit(folder, *generate)
    assert done.returncode == 0, done.stderr
    assert len(list(folder.glob("datasets/fin/*/data/*/fin.hdf5"))) == 3
    done = pdekit(folder, *train, "training.steps=20", "evaluation.timing_batches=[1]")
    assert done.returncode == 0, done.stderr
    (run,) = (folder / "runs").iterdir()
    assert (run / "report.html").exists() and run.name.endswith("fno-fin")
    assert "solver, 0.5 of the resolution" in (run / "report.html").read_text()


@pytest.mark.slow
def test_code_that_nobody_trusts_is_not_run(folder):
    (folder / "fin.py").write_text("open('executed', 'w')\n")
    for command in commands():
        done = pdekit(folder, *(word for word in command if not word.startswith("trust")))
        assert done.returncode != 0 and "add trust=fin to the command line" in done.stderr
    assert not (folder / "executed").exists()
