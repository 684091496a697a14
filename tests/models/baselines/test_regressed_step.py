"""Regressions of the next frame: exact where the system is in their span, and a known horizon on Lorenz's system."""

import pytest
import torch

from pdekit.evaluation.baselines import baselines
from pdekit.fields import Field, Grid, Problem, Trajectory
from pdekit.models.baselines.dmd import DynamicModes
from pdekit.models.baselines.reservoir import Reservoir
from pdekit.recipes.chaotic import chaotic_recipe
from tests.models.small import make_problem

N_FRAMES = 40


def oscillation(phases=(0.0, 1.0, 2.0)):
    """A decaying oscillation with an offset: x(t) = 3 + exp(-0.02 t) cos(0.5 t + phase)."""
    t = torch.arange(N_FRAMES, dtype=torch.float64)
    u = torch.stack([3 + torch.exp(-0.02 * t) * torch.cos(0.5 * t + phase) for phase in phases])
    problem = Problem(Grid((), ()), (Field("x"),), dt=1.0, n_frames=N_FRAMES)
    return problem, Trajectory(u=u[:, :, None], t=t.expand(len(phases), -1).clone())


def test_hankel_dmd_is_exact_for_linear_data_with_delays():
    """A second-order recurrence is linear in two frames and a constant, and is not in one."""
    problem, data = oscillation()
    errors = {}
    for history in (1, 2):
        model = DynamicModes(problem, history=history, ridge=1e-14)
        model.calibrate([data.samples(slice(0, 2))])
        new = data.samples(slice(2, 3))
        found = model.forecast(new.known(history), new.t[:, history:])[0]
        errors[history] = float((found - new.u[:, history:]).abs().max())
    assert errors[2] < 1e-6 < 0.1 < errors[1]


@pytest.mark.slow
def test_a_reservoir_forecasts_lorenz_for_several_lyapunov_times():
    """Valid time: error below 0.4 of the deviation; about 11 Lyapunov times with this much training."""
    counts = {"train": 4, "valid": 1, "test": 6}
    recipe = chaotic_recipe("lorenz", counts, {"train": 601, "valid": 2, "test": 241}, warmup=15.0)
    train, test = recipe.simulate("train", range(4)), recipe.simulate("test", range(6))
    deviation = train.u.flatten(0, 1).std(0)
    valid = {}
    for name, model in {"dmd": DynamicModes, "reservoir": Reservoir}.items():
        fitted = model(recipe.problem("train"))
        fitted.calibrate([train])
        found = fitted.forecast(test.known(1), test.t[:, 1:])[0]
        wrong = ((found - test.u[:, 1:]) / deviation).square().mean(2).sqrt() > 0.4
        first = torch.where(wrong.any(1), wrong.int().argmax(1), wrong.shape[1])
        valid[name] = 0.906 * recipe.dt * float(first.median())
    assert valid["reservoir"] > 6 > 1 > valid["dmd"]


def test_systems_without_space_have_both_as_baselines():
    problem, data = oscillation()
    defined, absent = baselines(problem, lambda: [data])
    assert list(defined) == ["persistence", "mean", "DMD", "reservoir computer"] and not absent
    _, absent = baselines(problem, None)
    assert "give train=" in absent["DMD"] and "give train=" in absent["reservoir computer"]
    assert "DMD" not in baselines(make_problem(), None)[1]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda problem: DynamicModes(problem, history=0), "history >= 1"),
        (lambda problem: Reservoir(problem, ridge=0.0), "ridge > 0"),
        (lambda problem: Reservoir(problem, n_units=0), "n_units >= 1"),
        (lambda problem: DynamicModes(problem, history=5000), "at most 4096 values"),
        (lambda problem: DynamicModes(make_problem(n_frames=1, dt=None)), "a problem in time"),
    ],
)
def test_what_does_not_fit_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make(oscillation()[0])
