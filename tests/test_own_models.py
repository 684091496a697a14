"""docs/add_a_net.md and docs/add_a_method.md, followed to the letter in an empty folder outside the package."""

import pytest

from pdekit.runs import load
from tests.pages import blocks, commands, in_this_process

SMALL = [
    "data.n_trajectories={train: 8, valid: 4, test: 2}",
    "data.n_frames={train: 6, valid: 6, test: 6}",
    "training.steps=10",
    "evaluation.timing_batches=[1]",
    "evaluation.measures=[nrmse]",
    "evaluation.sweep.sizes=[0.5]",
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "module", "evaluate"), [("add_a_net", "small_conv", True), ("add_a_method", "heun", False)]
)
def test_the_page_works_as_it_is_written(tmp_path, monkeypatch, page, module, evaluate):
    (tmp_path / f"{module}.py").write_text(blocks(page, "python")[0])
    (tmp_path / "configs" / "model").mkdir(parents=True)
    (tmp_path / "configs" / "model" / f"{module}.yaml").write_text(blocks(page, "yaml")[0])
    (words,) = commands(page)
    in_this_process(monkeypatch, tmp_path, *words, *SMALL, f"evaluate={str(evaluate).lower()}")
    (run,) = (tmp_path / "runs").iterdir()
    assert (run / "report.html").exists() == evaluate and run.name.endswith(f"{module}-advection")
    assert load(run, trust=[module]).name == module
