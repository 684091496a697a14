"""What an evaluation cannot do is refused before data are generated and before a run folder is made."""

import dataclasses

import pytest

from pdekit import evaluate as evaluation_command
from pdekit import train as training_command
from pdekit.evaluation.request import check_reach, check_request
from pdekit.evaluation.settings import Evaluation
from pdekit.runs import load
from tests.models.small import make_problem
from tests.models.test_text2pde import made
from tests.test_damaged_runs import TINY, failure, trained  # noqa: F401

REFUSED = [
    (["coupling=true"], "expected data of a case whose fields are coupled for coupling=true, got ks"),
    (["starts=[0,3]"], "expected starts from 0 to 1 (of 3 stored frames, 1 are given and one is forecast)"),
    (["starts=[2]"], "start earlier, or set horizon=FRAMES, for which the solver goes on"),
    (["horizon=1000000000"], "expected at most 1,000,000 frames of a trajectory, got horizon=1000000000"),
    (["starts=[5000000]", "horizon=3"], "expected at most 1,000,000 frames"),
    (["keep.samples=[7]"], "expected samples to keep from 0 to 0"),
    (["measures=[rmsee]"], "expected measures among"),
]


@pytest.fixture
def nothing_made(monkeypatch, tmp_path):
    """Neither data nor a run folder may be made."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PDEKIT_DATA", str(tmp_path / "datasets"))
    yield
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("settings", "message"), REFUSED)
def test_training_refuses_it_at_once(monkeypatch, nothing_made, settings, message):
    typed = [argument for argument in TINY if argument != "evaluate=false"]
    assert message in failure(monkeypatch, training_command, *typed, *(f"evaluation.{one}" for one in settings))


@pytest.mark.parametrize(("settings", "message"), REFUSED)
def test_evaluation_refuses_it_before_other_data_are_made(monkeypatch, nothing_made, trained, settings, message):  # noqa: F811
    data = [argument for argument in TINY if argument.startswith("data")]
    assert message in failure(monkeypatch, evaluation_command, f"run={trained}", *data, "data.seed=9", *settings)


def test_a_training_without_evaluation_does_not_mind(monkeypatch, tmp_path):
    def generate(*_):
        raise ValueError("generated")

    monkeypatch.setattr("pdekit.workflows.training_run.generate", generate)
    assert "generated" in failure(monkeypatch, training_command, *TINY, "evaluation.starts=[9]")


def test_the_coupling_is_cut_on_the_grid_and_frames_of_the_data(monkeypatch, nothing_made):
    typed = ["model=mean", "data=e_flow", "evaluation.coupling=true", "evaluation.resolution=16"]
    assert "the data's own grid and frames for coupling=true" in failure(monkeypatch, training_command, *typed)


def test_a_model_that_ends_with_the_stored_trajectories_forecasts_no_further():
    problem = make_problem(has_text=True)
    longer = dataclasses.replace(problem, n_frames=problem.n_frames + 3)
    text, frame = made(problem), made(problem, ["frame"])
    assert text.n_reached == problem.n_frames
    said = r"expected a horizon of at most \d frames, because a forecast of Text2PDE"
    for settings in (Evaluation(), Evaluation(horizon=problem.n_frames), Evaluation(horizon=5, starts=(1,))):
        with pytest.raises(ValueError, match=said):
            check_reach(text, settings, longer)
        check_reach(frame, settings, longer)
    check_reach(text, Evaluation(horizon=problem.n_frames - 1), longer)
    check_reach(text, Evaluation(), problem)
    text.autoencoder.frames = 1
    with pytest.raises(ValueError, match="ends with the first 1 frames of a trajectory, got 5; set evaluate=false"):
        check_reach(text, Evaluation(), problem)


def test_a_horizon_within_the_limits_is_accepted(trained):  # noqa: F811
    problem = load(trained).problem
    check_request(Evaluation(horizon=1), 1, problem, 1)
    with pytest.raises(ValueError, match=r"expected a horizon of 1 to 2 frames"):
        check_request(Evaluation(horizon=3), 1, problem, 1)
