"""docs/add_a_measure.md and docs/add_a_judge.md, followed to the letter in an empty folder."""

import re
from pathlib import Path

import pytest
import xarray as xr

from pdekit.evaluation.run import chosen_judges, chosen_measures, chosen_sections
from tests.test_own_code import ROOT, pdekit

LITTLE = [
    "data.grid.shape=[64]",
    "data.n_trajectories={train: 4, valid: 2, test: 2}",
    "data.n_frames={train: 6, valid: 6, test: 6}",
    "model.net.width=4",
    "model.net.modes=3",
    "model.net.n_layers=1",
    "training.steps=4",
    "training.checkpoint_every=4",
    "training.validate_every=4",
    "evaluation.timing_batches=[1]",
    "evaluation.sweep.sizes=[1.0]",
    "evaluation.sweep.steps=[1]",
]


def code_of(page: str) -> list[str]:
    """The Python blocks of a page, without the prompts and what they print."""
    found = re.findall(r"```python\n(.*?)\n```", (ROOT / "docs" / page).read_text(), re.DOTALL)
    return ["\n".join(line[4:] for line in text.splitlines() if line[:3] in (">>>", "...")) + "\n" for text in found]


def command_of(page: str) -> list[str]:
    (line,) = [line for line in (ROOT / "docs" / page).read_text().splitlines() if line.startswith("python -m pdekit.")]
    return line.split()[2:]


def scores_of(folder: Path) -> Path:
    (run,) = (folder / "runs").iterdir()
    return run


@pytest.mark.slow
def test_a_measure_of_the_user(tmp_path):
    (tmp_path / "overshoots.py").write_text(code_of("add_a_measure.md")[0])
    done = pdekit(tmp_path, *command_of("add_a_measure.md"), *LITTLE)
    assert done.returncode == 0, done.stderr
    run = scores_of(tmp_path)
    with xr.open_dataset(run / "scores.nc", engine="h5netcdf") as scores:
        assert "overshoot" in scores and scores.overshoot.attrs["perfect"] == 0
        assert "vrmse" in scores and "rmse" not in scores
    assert "overshoot" in (run / "report.html").read_text()


@pytest.mark.slow
def test_a_judge_and_a_section_of_the_user(tmp_path):
    (tmp_path / "peaks.py").write_text("\n".join(code_of("add_a_judge.md")))
    done = pdekit(tmp_path, *command_of("add_a_judge.md"), *LITTLE)
    assert done.returncode == 0, done.stderr
    run = scores_of(tmp_path)
    with xr.open_dataset(run / "scores.nc", engine="h5netcdf") as scores:
        assert scores.peak.sel(member=0).notnull().all() and scores.peak_reference.notnull().all()
        assert "residual_norm" not in scores, "judges that were not named"
    assert ">Peaks</h2>" in (run / "report.html").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("page, module", [("add_a_measure.md", "overshoots"), ("add_a_judge.md", "peaks")])
def test_code_that_is_not_trusted_is_not_run(tmp_path, page, module):
    (tmp_path / f"{module}.py").write_text("open('executed', 'w')\n")
    done = pdekit(tmp_path, *(word for word in command_of(page) if not word.startswith("trust")), *LITTLE)
    assert done.returncode != 0 and f"add trust={module} to the command line" in done.stderr
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("choose", [chosen_measures, chosen_judges, chosen_sections])
def test_unknown_names_are_refused(choose):
    with pytest.raises(ValueError, match=r"expected \w+ among .*, or package.module.name, got 'nothing'; correct"):
        choose(["nothing"])
    with pytest.raises(ValueError, match="add trust=somewhere to the command line"):
        choose(["somewhere.else.Thing"])


@pytest.mark.parametrize(
    "choose, group", [(chosen_measures, "measures"), (chosen_judges, "judges"), (chosen_sections, "sections")]
)
def test_entry_points_are_loaded_only_when_they_are_named(choose, group, monkeypatch):
    """Of all entry points of a group, only the one with the name that the user gave."""
    from importlib import metadata

    from pdekit.metrics.catalogue import MEASURES

    loaded = []

    class Point(metadata.EntryPoint):
        def load(self):
            loaded.append(self.name)
            return lambda *given: MEASURES["rmse"]

    points = metadata.EntryPoints([Point(name, f"{name}:thing", f"pdekit.{group}") for name in ("mine", "other")])
    monkeypatch.setattr(metadata, "entry_points", lambda **wanted: points.select(**wanted))
    assert len(choose(["mine"])) >= 1
    assert loaded == ["mine"]
