"""Presets of an evaluation, training without one, and what the help states about times."""

import pytest
import xarray as xr

from pdekit import evaluate as evaluation_command
from pdekit import train as training_command
from pdekit.cli.command_line import CONFIGS, choices, evaluation_times, generation_times
from pdekit.cli.compose import composed
from pdekit.evaluate import preset_at_top
from pdekit.evaluation.settings import Evaluation, evaluation_from
from pdekit.plain import from_plain
from tests.entry_points import command, failure, trained_run

SMALL = [
    "model=mean", "data=ks", "data.grid.shape=[16]", "data.grid.extent=[22.0]", "data.warmup=0.8", "data.substeps=4",
    "data.n_trajectories={train: 2, valid: 1, test: 2}", "data.n_frames={train: 3, valid: 3, test: 4}",
]  # fmt: skip


@pytest.fixture(scope="module")
def unevaluated(tmp_path_factory):
    """A run that was trained with evaluate=false, and its data folder."""
    folder = tmp_path_factory.mktemp("presets")
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield trained_run(monkeypatch, folder, *SMALL, "evaluate=false")


def test_training_without_evaluation_says_how_to_evaluate(unevaluated, monkeypatch, capsys):
    assert {path.name for path in unevaluated.iterdir()} >= {"weights.safetensors", "config.yaml", "provenance.json"}
    assert not (unevaluated / "scores.nc").exists()
    command(monkeypatch, training_command, f"resume={unevaluated}", "evaluate=false")
    assert f"To evaluate: python -m pdekit.evaluate run={unevaluated}" in capsys.readouterr().out
    assert not (unevaluated / "scores.nc").exists()


def test_a_quick_evaluation_scores_errors_and_one_solver(unevaluated, monkeypatch, tmp_path):
    options = ["evaluation=quick", "n_trajectories=1", "progress=false"]
    command(monkeypatch, evaluation_command, f"run={unevaluated}", f"folder={tmp_path}", *options)
    with xr.open_dataset(tmp_path / "scores.nc", engine="h5netcdf") as scores:
        assert scores.model.values.tolist() == ["mean", "persistence", "solver 16, dt 0.8, float32"]
        assert scores.sizes["sample"] == 1, "a setting that is typed counts more than the preset"
        assert "nrmse" in scores and "seconds_per_forecast" in scores
        assert not {"residual_norm", "wasserstein"} & set(scores)


@pytest.mark.parametrize("entry_point", ["train", "evaluate"])
def test_presets_compose_for_both_commands(entry_point):
    training_command.register_training()
    evaluation_command.register_evaluation()
    for name in choices("evaluation"):
        typed = [f"evaluation={name}"]
        own = ["model=fno", "data=ks", *typed] if entry_point == "train" else ["run=x", *preset_at_top(typed)]
        config, _ = composed(entry_point, own)
        found = config["evaluation"] if entry_point == "train" else config
        made = evaluation_from(from_plain({key: found[key] for key in vars(Evaluation())}))
        assert made == Evaluation() if name == "full" else made.n_trajectories == 8


def test_the_help_states_the_time_that_generates_each_dataset():
    times = generation_times()
    assert set(times) == set(evaluation_times()) == set(choices("data"))
    for name, time in [*times.items(), *((name, time) for name, time in evaluation_times().items() if time)]:
        number, unit = time.split()
        assert float(number) > 0 and unit in ("s", "min", "h"), name
    cards = CONFIGS.parents[1] / "datasets"
    for name, time in times.items():
        stated = (cards / name / "README.md").read_text().partition("Approximate time to generate the data:**")[2]
        stated = stated.partition("\n")[0].replace("minutes", "min").replace("hours", "h")
        assert time in stated or name == "elder", f"{name}: {time} is not in its card: {stated}"


def test_whether_to_evaluate_is_true_or_false(monkeypatch):
    found = failure(monkeypatch, training_command, "model=fno", "data=ks", "evaluate=perhaps")
    assert "expected evaluate as true or false, got 'perhaps'" in found
