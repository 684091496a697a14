"""docs/add_a_measure.md and docs/add_a_judge.md, followed to the letter in an empty folder."""

from pathlib import Path

import pytest
import xarray as xr

from pdekit.evaluation.run import chosen_judges, chosen_measures, chosen_sections
from tests.pages import blocks, commands, in_this_process, refusal, untrusted

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


def scores_of(folder: Path) -> Path:
    (run,) = (folder / "runs").iterdir()
    return run


@pytest.mark.slow
def test_a_measure_of_the_user(tmp_path, monkeypatch):
    (tmp_path / "overshoots.py").write_text(blocks("add_a_measure", "python")[0])
    in_this_process(monkeypatch, tmp_path, *commands("add_a_measure")[0], *LITTLE)
    run = scores_of(tmp_path)
    with xr.open_dataset(run / "scores.nc", engine="h5netcdf") as scores:
        assert "overshoot" in scores and scores.overshoot.attrs["perfect"] == 0
        assert "vrmse" in scores and "rmse" not in scores
    assert "overshoot" in (run / "report.html").read_text()


@pytest.mark.slow
def test_a_judge_and_a_section_of_the_user(tmp_path, monkeypatch):
    (tmp_path / "peaks.py").write_text("\n".join(blocks("add_a_judge", "python")))
    in_this_process(monkeypatch, tmp_path, *commands("add_a_judge")[0], *LITTLE)
    run = scores_of(tmp_path)
    with xr.open_dataset(run / "scores.nc", engine="h5netcdf") as scores:
        assert scores.peak.sel(member=0).notnull().all() and scores.peak_reference.notnull().all()
        assert "residual_norm" not in scores, "judges that were not named"
    assert ">Peaks</h2>" in (run / "report.html").read_text()


@pytest.mark.parametrize("page, module", [("add_a_measure", "overshoots"), ("add_a_judge", "peaks")])
def test_code_that_is_not_trusted_is_not_run(tmp_path, monkeypatch, page, module):
    (tmp_path / f"{module}.py").write_text("open('executed', 'w')\n")
    found = refusal(monkeypatch, tmp_path, *untrusted(commands(page)[0]), *LITTLE)
    assert f"add trust={module} to the command line" in found
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
