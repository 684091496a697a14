"""Regression between principal components: exact where it can be, honest where it cannot."""

import math

import pytest
import torch

from pdekit.fields import Field, Grid, Problem, Trajectory
from pdekit.models.baselines.mean import Mean
from pdekit.models.baselines.nearest import Nearest
from pdekit.models.baselines.pod import LENGTHS, PODRegression, kernel, leave_one_out, principal_modes
from pdekit.runs import load, save_weights

N = 24
PROBLEM = Problem(
    Grid((N,), (1.0,), layout=("nodes",)), (Field("T", "K"), Field("p", "Pa")), coeffs=(Field("k"),), params=("q",)
)


def samples(n, response, seed):
    """Inputs of four random sines and a parameter; outputs by a function of (coefficients, q, x)."""
    generator = torch.Generator().manual_seed(seed)
    x = PROBLEM.grid.coordinates(0)
    a = torch.randn(n, 4, dtype=torch.float64, generator=generator)
    q = torch.rand(n, 1, dtype=torch.float64, generator=generator)
    sines = torch.stack([torch.sin((m + 1) * math.pi * x) for m in range(4)])
    u = torch.stack(response(a, q, sines), 1)[:, None]
    return Trajectory(u, torch.zeros(n, 1, dtype=torch.float64), coeffs=3 + (a @ sines)[:, None], params=q)


def linear(a, q, sines):
    """Each sine damped by its own wavenumber, and the parameter as a shift; fields of very different size."""
    damped = (a / torch.arange(1.0, 5.0, dtype=torch.float64) ** 2) @ sines
    return [300 + damped + 2 * q, 1e5 * (a.flip(1) @ sines) + 4e4 * q]


def curved(a, q, sines):
    return [torch.exp(0.4 * a) @ sines + q**2, torch.sin(a[:, :1] + q) * sines[1] + 0 * a @ sines]


def error(model, batch):
    u = model.forecast(batch.frames(slice(0, 0)), batch.t)[0]
    spread = batch.u.std((0, 1, 3), correction=0).reshape(1, 1, -1, 1)
    return float(((u - batch.u) / spread).square().mean().sqrt())


def fitted(cls, response, n, **options):
    model = cls(PROBLEM, **options)
    model.calibrate([samples(n, response, seed=0)])
    return model.double()


def test_a_linear_map_is_found_exactly_from_as_many_samples_as_it_has_inputs():
    model = fitted(PODRegression, linear, 12)
    assert float(model.length) == 0, "the linear kernel has the smallest left-out error"
    assert error(model, samples(50, linear, seed=1)) < 1e-5


def test_a_curved_map_is_learnt_better_with_more_samples_and_better_than_by_neighbours():
    new = samples(200, curved, seed=1)
    few, many = (fitted(PODRegression, curved, n) for n in (30, 300))
    assert float(many.length) > 0
    assert error(many, new) < 0.4 * error(few, new)
    assert error(many, new) < 0.2 * error(fitted(Nearest, curved, 300), new)
    assert error(fitted(Nearest, curved, 300), new) < error(fitted(Mean, curved, 300), new)


def test_few_modes_are_the_best_approximation_of_their_number():
    new = samples(100, linear, seed=1)
    errors = [error(fitted(PODRegression, linear, 100, n_modes=n), new) for n in (1, 2, 3, 5)]
    assert errors == sorted(errors, reverse=True) and errors[0] > 0.3 and errors[-1] < 1e-4


def test_leave_one_out_is_what_leaving_one_out_gives():
    """The closed form next to twelve fits of eleven samples, at the ridge that it chose."""
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(12, 3, dtype=torch.float64, generator=generator)
    wanted = torch.randn(12, 2, dtype=torch.float64, generator=generator)
    for length in (0.0, 1.0):
        gram = kernel(z, z, length)
        found, weights = leave_one_out(gram, wanted)
        ridges = torch.stack([(wanted - gram @ weights) / weights]).flatten()  # (K + r) W = Y
        ridge = ridges.median()
        total = 0.0
        for i in range(12):
            rest = [j for j in range(12) if j != i]
            inner = gram[rest][:, rest] + ridge * torch.eye(11, dtype=torch.float64)
            total += (gram[i, rest] @ torch.linalg.solve(inner, wanted[rest]) - wanted[i]).square().sum()
        assert found == pytest.approx(float(total) / 24, rel=1e-6)


def test_the_kernel_is_the_matern_kernel():
    z = torch.tensor([[0.0], [1.0]], dtype=torch.float64)
    r = math.sqrt(5) / 2
    assert kernel(z, z, 2.0)[0].tolist() == pytest.approx([1.0, (1 + r + r * r / 3) * math.exp(-r)])
    assert kernel(2 * z, z, 0.0).tolist() == [[1, 1], [1, 3]]
    assert all(torch.linalg.eigvalsh(kernel(z, z, c)).min() > 0 for c in LENGTHS)


def test_modes_are_orthonormal_and_ordered():
    values = samples(20, linear, 0).coeffs[:, 0]
    mean, modes = principal_modes(values, 10)
    assert modes.shape == (N, 4), "four sines, and no modes of rounding"
    torch.testing.assert_close(modes.T @ modes, torch.eye(4, dtype=torch.float64))
    power = ((values - mean) @ modes).square().sum(0)
    assert (power.diff() <= 0).all()


def test_it_is_saved_and_loaded(tmp_path):
    model = fitted(PODRegression, curved, 30)
    save_weights(tmp_path, model, "pod", {"model": {"_target_": "pdekit.models.baselines.pod.PODRegression"}})
    new = samples(5, curved, 1)
    again = load(tmp_path).model
    assert torch.equal(again.forecast(new.frames(slice(0, 0)), new.t), model.forecast(new.frames(slice(0, 0)), new.t))


def test_numbers_that_cannot_be():
    with pytest.raises(ValueError, match="expected n_modes, n_samples >= 1, got 0, 5"):
        PODRegression(PROBLEM, n_modes=0, n_samples=5)
