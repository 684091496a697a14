"""docs/add_a_net.md and docs/add_a_method.md, followed to the letter in an empty folder outside the package."""

import re
from pathlib import Path

import pytest

from pdekit.runs import load
from tests.test_own_code import ROOT, pdekit

SMALL = [
    "data.n_trajectories={train: 8, valid: 4, test: 2}",
    "data.n_frames={train: 6, valid: 6, test: 6}",
    "training.steps=10",
    "evaluation.timing_batches=[1]",
    "evaluation.measures=[nrmse]",
    "evaluation.sweep.sizes=[0.5]",
]


def page(name: str) -> str:
    return (ROOT / "docs" / f"{name}.md").read_text()


def block(text: str, language: str) -> str:
    """The first block of a language; prompts of the interpreter are taken off."""
    found = re.search(rf"```{language}\n(.*?)\n```", text, re.DOTALL).group(1)
    if language != "python":
        return found
    return "\n".join(line[4:] for line in found.splitlines() if line[:3] in (">>>", "...")) + "\n"


def folder_of(tmp_path: Path, text: str, module: str) -> Path:
    (tmp_path / f"{module}.py").write_text(block(text, "python"))
    (tmp_path / "configs" / "model").mkdir(parents=True)
    (tmp_path / "configs" / "model" / f"{module}.yaml").write_text(block(text, "yaml"))
    return tmp_path


def command(text: str) -> list[str]:
    """The command of the page, without the search path that `pdekit` gives."""
    (line,) = [line for line in text.splitlines() if line.startswith("python -m pdekit.")]
    return [word for word in line.split()[2:] if "searchpath" not in word]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "module", "evaluate"), [("add_a_net", "small_conv", True), ("add_a_method", "heun", False)]
)
def test_the_page_works_as_it_is_written(tmp_path, monkeypatch, name, module, evaluate):
    text = page(name)
    folder = folder_of(tmp_path, text, module)
    done = pdekit(folder, *command(text), *SMALL, f"evaluate={str(evaluate).lower()}")
    assert done.returncode == 0, done.stderr
    (run,) = (folder / "runs").iterdir()
    assert (run / "report.html").exists() == evaluate and run.name.endswith(f"{module}-advection")
    monkeypatch.syspath_prepend(str(folder))
    assert load(run, trust=[module]).name == module
