"""Unknown parameters of an equation, found from observations of its solution."""

from functools import partial

import pytest
import torch

from pdekit.fields import Trajectory
from pdekit.models.pinn import PINN, Collocation, Inverse, SecondOrder
from pdekit.nets.mlp import MLP
from pdekit.pdes.burgers import Burgers
from pdekit.settings import Engine, Training
from pdekit.training.module import fit
from tests.models.test_pinn import NET, PROBLEMS, SMALL, NoData, own_batch, problem_of


def test_an_unknown_coefficient_is_a_parameter_like_the_weights():
    problem = PROBLEMS["burgers"]
    model = PINN(problem, NET, collocation=SMALL, inverse=Inverse({"viscosity": 0.5}, 50, 0.1)).double()
    batch = NoData(problem).batch
    model.calibrate([batch])
    model.before_step(model.stages(Training(steps=2))[0], 0)
    loss, numbers = model.loss(own_batch(model))
    loss.backward()
    assert numbers["viscosity"].item() == pytest.approx(0.5) and "data" in numbers
    assert model.unknowns.logarithms["viscosity"].grad.abs() > 0
    assert list(model.findings()) == ["viscosity 0.5 found, 0.1 true (+4e+02 % off)"]
    assert list(PINN(problem, NET, collocation=SMALL).findings()) == []
    index = ((model.unknowns.places[:, 0] + 1) / 2 * 32).round().long()
    noise = model.unknowns.observed[:, 0] - batch.u[0, 0, 0].double()[index]
    assert 0.05 < noise.std() / batch.u[0, 0].std() < 0.2
    with pytest.raises(ValueError, match="among the parameters"):
        PINN(problem, NET, inverse=Inverse({"mass": 1.0}))


@pytest.mark.slow
def test_an_unknown_viscosity_is_found_from_noisy_values(tmp_path):
    """300 values with 1 % noise: an ideal estimator has a standard deviation of 1 %; the first guess is threefold."""
    problem = problem_of(Burgers(viscosity=0.1), shape=(64,))
    torch.manual_seed(0)
    model = PINN(
        problem,
        partial(MLP, width=10, depth=2),
        collocation=Collocation(512),
        second=SecondOrder(steps=6, iterations=50),
        inverse=Inverse({"viscosity": 0.3}, 300, 0.01),
    )
    data = NoData(problem)
    solution = problem.pde.exact()[0]
    later = [solution.on(problem.grid, t) for t in data.batch.t[0, 1:].tolist()]
    data.batch = Trajectory(torch.stack([data.batch.u[:, 0].double(), *later], 1).float(), data.batch.t)
    model.calibrate([data.batch])
    settings = Training(steps=206, lr=1e-2, ema=0, clip=None, validate_every=10_000)
    fit(model, data, settings, Engine(), tmp_path, progress=False)
    assert float(model.unknowns.values()["viscosity"]) == pytest.approx(0.1, rel=0.03)
